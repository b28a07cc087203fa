//! The listener: HTTP/1.1, kept alive, and a shutdown that lets requests finish.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use wasmtime_wasi_http::WasiBody;

use crate::host::{Host, full, ok};
use crate::metrics::CONTENT_TYPE as METRICS_TYPE;
use crate::problem::{not_found, problem};

/// How long a client may take for the head of a request.
const HEAD: Duration = Duration::from_secs(30);
/// The largest head of a request, in bytes.
const HEAD_SIZE: usize = 64 << 10;
/// After an accept that failed (no file handles left, say), others get time to close theirs.
const PAUSE: Duration = Duration::from_millis(50);

impl Host {
    /// Serves until `shutdown` is done; then accepts nothing more, lets requests that run finish for as long as the limits say, and comes back.
    pub async fn serve(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let limits = &self.shared.limits;
        let places = Arc::new(Semaphore::new(limits.connections.clamp(1, Semaphore::MAX_PERMITS)));
        // Connections hold a receiver: the change tells them to end, and that all are gone shows that they have.
        let (ending, told) = watch::channel(false);
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let place = Arc::clone(&places).acquire_owned();
            let accepted = async {
                let place = place.await.expect("never closed");
                (place, listener.accept().await)
            };
            let (place, accepted) = tokio::select! {
                () = &mut shutdown => break,
                accepted = accepted => accepted,
            };
            match accepted {
                Ok((stream, client)) => {
                    let connection = self.clone().connection(stream, client, told.clone());
                    tokio::spawn(async move {
                        connection.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        drop((listener, told));
        tracing::info!("shutting down");
        let _ = ending.send(true);
        if tokio::time::timeout(limits.shutdown, ending.closed()).await.is_err() {
            tracing::warn!("requests that still ran after {:?} are cut off", limits.shutdown);
        }
        Ok(())
    }

    async fn connection(self, stream: TcpStream, client: SocketAddr, mut ending: watch::Receiver<bool>) {
        let _open = self.metrics().connection();
        // Small answers would otherwise wait for the client's acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        let answer = service_fn(|request: Request<Incoming>| {
            let host = self.clone();
            async move {
                Ok::<_, Infallible>(if head_size(&request) > HEAD_SIZE {
                    let detail = format!("the head of a request has at most {HEAD_SIZE} bytes");
                    problem(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "#head-too-large", &detail)
                } else {
                    host.answer(request, client).await
                })
            }
        });
        let mut server = http1::Builder::new();
        server
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            // What is longer still is refused without a body.
            .max_buf_size(2 * HEAD_SIZE)
            .keep_alive(true);
        let mut connection = std::pin::pin!(server.serve_connection(TokioIo::new(stream), answer));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            _ = ending.changed() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, %client, "a connection ended early");
        }
    }

    /// Serves `GET /metrics` (Prometheus) and `GET /health` until `shutdown` is done, on a listener of its own, which the application cannot shadow.
    pub async fn serve_metrics(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                () = &mut shutdown => return Ok(()),
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let host = self.clone();
            tokio::spawn(async move {
                let answer = service_fn(|request: Request<Incoming>| {
                    let response = host.metrics_page(&request);
                    async move { Ok::<_, Infallible>(response) }
                });
                let mut server = http1::Builder::new();
                server.timer(TokioTimer::new()).header_read_timeout(HEAD);
                let _ = server.serve_connection(TokioIo::new(stream), answer).await;
            });
        }
    }

    fn metrics_page(&self, request: &Request<Incoming>) -> Response<WasiBody> {
        match (request.method(), request.uri().path()) {
            (&Method::GET, "/metrics") => {
                let mut response = Response::new(full(self.metrics().text()));
                response
                    .headers_mut()
                    .insert(CONTENT_TYPE, HeaderValue::from_static(METRICS_TYPE));
                response
            }
            (&Method::GET, "/health") => ok(),
            _ => not_found("here are /metrics and /health"),
        }
    }
}

/// The bytes of a request's target and headers, with what is between them.
fn head_size(request: &Request<Incoming>) -> usize {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let headers = request.headers().iter();
    headers.fold(target, |size, (name, value)| {
        size + name.as_str().len() + value.len() + 4
    })
}

/// Done at the first SIGINT or SIGTERM.
///
/// # Errors
/// When the process cannot listen to signals.
pub fn signals() -> io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    #[cfg(unix)]
    let mut interrupt = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?;
    Ok(async move {
        #[cfg(unix)]
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    })
}
