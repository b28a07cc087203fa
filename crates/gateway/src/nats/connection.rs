//! Connecting, and with what credentials.

use std::path::PathBuf;
use std::time::Duration;

use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event};

/// How the gateway shows itself to the broker. Files are read when it connects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Credentials {
    /// Not at all.
    #[default]
    None,
    /// By a file of credentials (a JWT and the seed of an nkey), as `nsc` makes it.
    Creds(PathBuf),
    /// By a file with the seed of an nkey.
    Nkey(PathBuf),
}

/// Where the broker is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// `nats://host:port` or `tls://host:port`; several with commas between.
    pub url: String,
    /// How the gateway shows itself.
    pub credentials: Credentials,
    /// Certificates of authorities to trust, besides those of the system.
    pub authority: Option<PathBuf>,
    /// The gateway's own certificate and its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// What subjects of answers begin with. Users that may not see each other's answers need each their own.
    pub inbox_prefix: Option<String>,
}

/// Why there is no connection, and never will be.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The broker does not let the gateway in.
    #[error("the broker at {url} refuses the credentials: {error}")]
    Credentials {
        /// Where.
        url: String,
        /// Why.
        error: async_nats::ConnectError,
    },
    /// The address, or something about TLS, is wrong.
    #[error("cannot connect to {url}: {error}")]
    Wrong {
        /// Where.
        url: String,
        /// Why.
        error: async_nats::ConnectError,
    },
}

impl Connection {
    /// Fails if a file cannot be read.
    async fn options(&self) -> Result<ConnectOptions, ConnectError> {
        let mut options = ConnectOptions::new()
            .name("eqmesh gateway")
            // However long the broker is away.
            .max_reconnects(None)
            .reconnect_delay_callback(|attempt| backoff(attempt as u32))
            .event_callback(|event| async move { log(&event) });
        if let Some(prefix) = &self.inbox_prefix {
            options = options.custom_inbox_prefix(prefix);
        }
        if let Some(path) = &self.authority {
            options = options.add_root_certificates(path.clone());
        }
        if let Some((certificate, key)) = &self.certificate {
            options = options.add_client_certificate(certificate.clone(), key.clone());
        }
        let failed = |path: &PathBuf| {
            let path = path.clone();
            move |error| ConnectError::File { path, error }
        };
        match &self.credentials {
            Credentials::None => Ok(options),
            Credentials::Creds(path) => options.credentials_file(path).await.map_err(failed(path)),
            Credentials::Nkey(path) => {
                let text = std::fs::read_to_string(path).map_err(failed(path))?;
                Ok(options.nkey(text.trim().to_owned()))
            }
        }
    }
}

/// Waits between attempts: 50 ms at first, twice as long each time, at most 5 s.
pub(crate) fn backoff(attempt: u32) -> Duration {
    (Duration::from_millis(50) * 2u32.saturating_pow(attempt.saturating_sub(1).min(10))).min(Duration::from_secs(5))
}

fn log(event: &Event) {
    match event {
        Event::Connected => tracing::info!("connected to the broker"),
        Event::Disconnected => tracing::warn!("the connection to the broker is lost; trying again"),
        event => tracing::warn!(%event, "the connection to the broker"),
    }
}

/// Connects to the broker; while it cannot be reached, tries again and again.
pub async fn connect(connection: &Connection) -> Result<Client, ConnectError> {
    let url = &connection.url;
    let servers: Vec<&str> = url.split(',').map(str::trim).collect();
    for attempt in 1.. {
        let options = connection.options().await?;
        let error = match options.connect(&servers[..]).await {
            Ok(client) => return Ok(client),
            Err(error) => error,
        };
        let url = url.clone();
        match error.kind() {
            ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                return Err(ConnectError::Credentials { url, error });
            }
            ConnectErrorKind::ServerParse | ConnectErrorKind::Tls => return Err(ConnectError::Wrong { url, error }),
            ConnectErrorKind::Dns
            | ConnectErrorKind::TimedOut
            | ConnectErrorKind::Io
            | ConnectErrorKind::MaxReconnects => {}
        }
        // The first attempts are quiet: both may just be starting.
        if attempt == 5 || attempt % 20 == 0 {
            tracing::warn!(%url, %error, "the broker cannot be reached; trying again");
        }
        tokio::time::sleep(backoff(attempt)).await;
    }
    unreachable!("attempts do not end")
}
