//! The log: text or JSON lines on the standard error, and traces to a collector.

use thiserror::Error;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{EnvFilter, Layer as _, fmt};

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// For people.
    #[default]
    Text,
    /// An object a line.
    Json,
}

/// Why the log cannot be set up.
#[derive(Debug, Error)]
pub enum LogError {
    /// Another log is set up in this process.
    #[error(transparent)]
    Twice(#[from] TryInitError),
    /// Traces cannot be sent.
    #[error("cannot send traces: {0}")]
    Traces(String),
}

/// A log that is set up. What waits to be sent is sent when this is dropped.
#[derive(Debug)]
#[must_use = "traces end when this is dropped"]
pub struct Log {
    #[cfg(feature = "otel")]
    traces: Option<opentelemetry_sdk::trace::SdkTracerProvider>,
}

#[cfg(feature = "otel")]
impl Drop for Log {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.traces.take().map(|traces| traces.shutdown()) {
            tracing::warn!(%error, "the last traces could not be sent");
        }
    }
}

/// Sends the log of this process to the standard error. `RUST_LOG` says what is logged; the default is `info`.
///
/// `collector` is the URL of an OpenTelemetry collector (OTLP over HTTP), such as `http://127.0.0.1:4318/v1/traces`; it takes the
/// feature `otel`, and a tokio runtime that is entered.
pub fn start(form: Form, collector: Option<&str>) -> Result<Log, LogError> {
    let filter = || EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // Where the standard error cannot be written to, that cannot be said there either: trying to would panic.
    let lines = fmt::layer().with_writer(std::io::stderr).log_internal_errors(false);
    let lines = match form {
        Form::Text => lines.with_ansi(false).boxed(),
        Form::Json => lines.json().flatten_event(true).boxed(),
    };
    let registry = tracing_subscriber::registry().with(lines.with_filter(filter()));
    #[cfg(feature = "otel")]
    {
        let traces = collector.map(crate::otel::provider).transpose()?;
        let layer = traces
            .as_ref()
            .map(|traces| crate::otel::layer(traces).with_filter(filter()));
        registry.with(layer).try_init()?;
        Ok(Log { traces })
    }
    #[cfg(not(feature = "otel"))]
    {
        if collector.is_some() {
            return Err(LogError::Traces(
                "this program is built without the feature `otel`".into(),
            ));
        }
        registry.try_init()?;
        Ok(Log {})
    }
}
