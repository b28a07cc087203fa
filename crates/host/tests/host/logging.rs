//! The log of what components print and of how they fail.

use std::io;
use std::sync::{Arc, Mutex};

use eqmesh_host::Limits;
use tracing_subscriber::fmt::MakeWriter;

use crate::application::Application;

/// A log that tests read.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no panic").clone()).expect("text")
    }
}

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Kept {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

// On one thread, so that the log of this thread is that of everything here.
#[tokio::test]
async fn what_components_print_is_logged_under_their_names() {
    let log = Kept::default();
    let lines = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_writer(log.clone())
        .finish();
    let _log = tracing::subscriber::set_default(lines);
    let app = Application::new(Limits::default());
    app.get("/two/x/print").await;
    app.get("/panic").await;
    let lines: Vec<serde_json::Value> = log
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect();
    let printed = |stream: &str, message: &str| {
        lines
            .iter()
            .any(|line| line["stream"] == stream && line["message"] == message && line["component"] == "two")
    };
    assert!(printed("stdout", "to the output"), "{lines:?}");
    assert!(printed("stderr", "to the error"), "{lines:?}");
    let failed = lines
        .iter()
        .find(|line| line["level"] == "ERROR")
        .expect("the failure is logged");
    assert_eq!(failed["span"]["component"], "one");
    assert_eq!(failed["span"]["route"], "/...");
    assert_eq!(failed["span"]["trace_id"].as_str().map(str::len), Some(32));
}
