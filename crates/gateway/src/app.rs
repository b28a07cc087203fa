//! The app: agents behind HTTP.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use eqmesh_replica::AgentId;
use eqmesh_webhook::{
    BATCH_TYPE, Batch, DELIVERY_TYPE, Delivery, ID_HEADER, MAX_BYTES, SIGNATURE_HEADER, Secret, TIMESTAMP_HEADER,
};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;

const TRACEPARENT: &str = "traceparent";
const OUTBOX_LAST: &str = "eqmesh-outbox-last";
const WORK: &str = "eqmesh-work";
const TICK_AFTER: &str = "eqmesh-tick-after";

/// The longest text of an answer that is shown, in bytes.
const SHOWN: usize = 300;

/// The longest time that an app may ask to be left alone.
const MAX_RETRY_AFTER: Duration = Duration::from_mins(10);

/// Where an app is cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// It is no address.
    #[error("`{0}` is not the address of an app: expected something like http://127.0.0.1:3000")]
    Address(String),
    /// The certificates that the system trusts cannot be read.
    #[error("cannot read the certificates that this system trusts: {0}")]
    Certificates(std::io::Error),
}

/// Why the app did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The app is not there, too busy, or not set up: nothing is wrong with what it was sent. It may have said when to try again.
    Away(String, Option<Duration>),
    /// It broke down over what it was sent, or was too slow.
    Broke(String),
    /// It will never take what it was sent.
    Refused(String),
}

impl Failure {
    pub(crate) fn reason(&self) -> &str {
        match self {
            Failure::Away(reason, _) | Failure::Broke(reason) | Failure::Refused(reason) => reason,
        }
    }
}

/// What an agent answers: what it wants to have published.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) batch: Batch,
    pub(crate) traceparent: Option<String>,
}

/// What an agent says after some work.
#[derive(Debug)]
pub(crate) struct Step {
    /// Its whole outbox.
    pub(crate) outbox: Answer,
    /// The number of the last message in it.
    pub(crate) last: Option<u64>,
    /// Whether there is more to do at once.
    pub(crate) more: bool,
    /// When it wants to be called again, if nothing arrives before.
    pub(crate) tick_after: Option<Duration>,
}

/// An app, over connections that are kept.
#[derive(Debug)]
pub(crate) struct App {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// Without a slash at the end.
    base: String,
    secret: Secret,
    delivery_timeout: Duration,
    step_timeout: Duration,
}

impl App {
    pub(crate) fn new(
        base: &str,
        secret: Secret,
        delivery_timeout: Duration,
        step_timeout: Duration,
    ) -> Result<App, AppError> {
        let wrong = || AppError::Address(base.to_owned());
        let uri: Uri = base.parse().map_err(|_| wrong())?;
        let secure = uri.scheme_str() == Some("https");
        if !(secure || uri.scheme_str() == Some("http")) || uri.host().is_none() || uri.query().is_some() {
            return Err(wrong());
        }
        // The provider is named, since several may be built in.
        let provider = rustls::crypto::ring::default_provider();
        let tls = hyper_rustls::HttpsConnectorBuilder::new();
        let tls = if secure {
            tls.with_provider_and_native_roots(provider)
                .map_err(AppError::Certificates)?
        } else {
            let config =
                rustls::ClientConfig::builder_with_provider(provider.into()).with_safe_default_protocol_versions();
            let config = config.expect("the provider has the default versions of TLS");
            tls.with_tls_config(
                config
                    .with_root_certificates(rustls::RootCertStore::empty())
                    .with_no_client_auth(),
            )
        };
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(delivery_timeout));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .build(tls.https_or_http().enable_http1().wrap_connector(http));
        Ok(App {
            client,
            base: base.trim_end_matches('/').to_owned(),
            secret,
            delivery_timeout,
            step_timeout,
        })
    }

    /// Delivers messages under an identifier.
    pub(crate) async fn deliver(
        &self,
        id: &str,
        delivery: &Delivery,
        traceparent: Option<&str>,
    ) -> Result<Answer, Failure> {
        let body = delivery.encode();
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}/nats/webhook/{}", self.base, delivery.subject))
            .header(CONTENT_TYPE, DELIVERY_TYPE)
            .header(ACCEPT, BATCH_TYPE)
            .header(ID_HEADER, id)
            .header(TIMESTAMP_HEADER, now)
            .header(SIGNATURE_HEADER, self.secret.sign(id, now, &body));
        let request = with_trace(request, traceparent).body(Full::from(body));
        let request = request.map_err(|error| Failure::Refused(format!("the subject fits no address: {error}")))?;
        let (headers, body) = self.send(request, self.delivery_timeout).await?;
        answer(&headers, &body)
    }

    /// Has an agent work, and says up to which number all messages of its outbox have been published.
    pub(crate) async fn step(&self, agent: AgentId, published: u64) -> Result<Step, Failure> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!(
                "{}/agent/{}/step?published={published}",
                self.base,
                agent.number()
            ))
            .header(ACCEPT, BATCH_TYPE)
            .body(Full::default());
        let request = request.map_err(|error| Failure::Refused(format!("not an address: {error}")))?;
        let (headers, body) = self.send(request, self.step_timeout).await?;
        let number = |name: &str| headers.get(name)?.to_str().ok()?.parse::<u64>().ok();
        let outbox = answer(&headers, &body)?;
        let last = number(OUTBOX_LAST);
        if last.is_none() && !outbox.batch.messages.is_empty() {
            return Err(Failure::Broke(format!(
                "an outbox came without the header {OUTBOX_LAST}"
            )));
        }
        Ok(Step {
            outbox,
            last,
            more: headers.get(WORK).is_some_and(|work| work == "more"),
            tick_after: number(TICK_AFTER).map(Duration::from_millis),
        })
    }

    async fn send(&self, request: Request<Full<Bytes>>, patience: Duration) -> Result<(HeaderMap, Bytes), Failure> {
        let answered = async {
            let response = self.client.request(request).await;
            let response = response.map_err(|error| {
                let reason = chain(&error);
                // That a connection broke off after it was made may be what the message did to the app.
                if error.is_connect() {
                    Failure::Away(reason, None)
                } else {
                    Failure::Broke(reason)
                }
            })?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, MAX_BYTES).collect().await;
            let body = body.map_err(|error| Failure::Broke(format!("the answer cannot be read: {error}")))?;
            Ok((head, body.to_bytes()))
        };
        let (head, body) = match timeout(patience, answered).await {
            Ok(answered) => answered?,
            Err(_) => return Err(Failure::Broke(format!("no answer within {patience:?}"))),
        };
        if head.status.is_success() {
            return Ok((head.headers, body));
        }
        let text = String::from_utf8_lossy(&body[..body.len().min(SHOWN)]);
        let reason = format!("{}: {}", head.status, text.trim());
        Err(match head.status {
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Failure::Away(reason, retry_after(&head.headers, SystemTime::now()))
            }
            // The secrets differ, or the clocks: no message is to blame.
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Failure::Away(
                format!("{reason} (do both sides have the same secret and the same time?)"),
                None,
            ),
            status if status.is_client_error() => Failure::Refused(reason),
            _ => Failure::Broke(reason),
        })
    }
}

fn with_trace(request: hyper::http::request::Builder, traceparent: Option<&str>) -> hyper::http::request::Builder {
    match traceparent.map(HeaderValue::from_str) {
        Some(Ok(value)) => request.header(TRACEPARENT, value),
        _ => request,
    }
}

fn answer(headers: &HeaderMap, body: &Bytes) -> Result<Answer, Failure> {
    let batch = if body.is_empty() {
        Ok(Batch::default())
    } else {
        Batch::decode(body)
    };
    Ok(Answer {
        batch: batch.map_err(|fault| Failure::Broke(format!("the answer is {fault}")))?,
        traceparent: headers
            .get(TRACEPARENT)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned),
    })
}

/// What an error says, with what is behind it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(own) = source {
        text = format!("{text}: {own}");
        source = own.source();
    }
    text
}

/// When to try again: in seconds, or at a time.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text)
            .ok()?
            .duration_since(now)
            .unwrap_or_default(),
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_may_say_when_to_try_again() {
        let at = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            retry_after(&headers, UNIX_EPOCH + Duration::from_secs(784_111_777))
        };
        assert_eq!(at("7"), Some(Duration::from_secs(7)));
        assert_eq!(at("99999999"), Some(MAX_RETRY_AFTER));
        // 784111777 is Sun, 06 Nov 1994 08:49:37 GMT.
        assert_eq!(at("Sun, 06 Nov 1994 08:49:42 GMT"), Some(Duration::from_secs(5)));
        assert_eq!(at("Sun, 06 Nov 1994 08:49:00 GMT"), Some(Duration::ZERO));
        assert_eq!(at("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new(), UNIX_EPOCH), None);
    }

    #[test]
    fn addresses_are_checked() {
        let app = |base: &str| {
            App::new(
                base,
                Secret::from_bytes(vec![1; 32]).unwrap(),
                Duration::ZERO,
                Duration::ZERO,
            )
        };
        assert_eq!(app("http://127.0.0.1:3000/").unwrap().base, "http://127.0.0.1:3000");
        for wrong in ["", "127.0.0.1:3000", "ftp://x", "http://", "http://x/?a=b", "nonsense"] {
            assert!(matches!(app(wrong), Err(AppError::Address(_))), "{wrong}");
        }
    }
}
