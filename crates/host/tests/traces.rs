//! Traces reach a collector, and belong to the trace of the request.
#![cfg(feature = "otel")]

use eqmesh_host::log;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Takes one batch: the body of one POST.
async fn collect(listener: TcpListener) -> Vec<u8> {
    let (mut stream, _) = listener.accept().await.expect("a connection");
    let mut read = Vec::new();
    loop {
        let end = read.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&read[..end]).to_lowercase();
            assert!(head.starts_with("post /v1/traces http/1.1"), "{head}");
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.expect("a length").parse().expect("a number");
            if read.len() >= end + 4 + length {
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                    .await
                    .expect("sent");
                return read.split_off(end + 4);
            }
        }
        assert_ne!(
            stream.read_buf(&mut read).await.expect("read"),
            0,
            "the exporter hung up"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_are_sent_when_the_log_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/v1/traces", listener.local_addr().expect("bound"));
    let collected = tokio::spawn(collect(listener));
    let log = log::start(log::Form::Text, Some(&url)).expect("the log starts");
    tracing::info_span!("a span to be found").in_scope(|| tracing::info!("an event to be found"));
    tokio::task::spawn_blocking(move || drop(log)).await.expect("no panic");
    let batch = collected.await.expect("a batch");
    let batch = String::from_utf8_lossy(&batch);
    assert!(
        batch.contains("a span to be found") && batch.contains("eqmesh"),
        "{batch}"
    );
}
