//! Requests that components send: to each other without a socket, and to allowed hosts of the network.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Weak};
use std::time::Duration;

use http::header::{CONNECTION, HOST};
use http::uri::Scheme;
use http::{HeaderValue, Request, Response};
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::host::Shared;
use crate::metrics::{Destination, Ending};
use crate::outbound::chained_component;
use crate::router::{Match, Route};
use crate::trace::TRACEPARENT;

/// What `spin-client-addr` says of requests by service chaining, as in Spin.
const CHAINED_CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// The host by which a component reaches its own application through its routes.
const APPLICATION: &str = "self.alt";

/// How long a connection to another host may take, at most.
const CONNECT: Duration = Duration::from_secs(10);

/// What requests to other hosts are sent with: it keeps connections alive.
pub(crate) type NetworkClient = Client<HttpConnector, WasiBody>;

pub(crate) fn network_client() -> NetworkClient {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT));
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .build(connector)
}

/// The way out of one instance.
pub(crate) struct Outgoing {
    /// It lives at least as long as a request; instances that wait for one do not keep it alive.
    pub(crate) host: Weak<Shared>,
    pub(crate) component: Arc<str>,
    /// How many components this request has passed through, this one included.
    pub(crate) depth: usize,
    /// What outgoing requests carry if the component does not say otherwise.
    pub(crate) traceparent: HeaderValue,
}

type Sent = Result<(Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>), Error>;

impl WasiHttpHooks for Outgoing {
    fn send_request(
        &mut self,
        mut request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        if !request.headers().contains_key(TRACEPARENT) {
            request.headers_mut().insert(TRACEPARENT, self.traceparent.clone());
        }
        let host = self.host.upgrade();
        let component = Arc::clone(&self.component);
        let depth = self.depth;
        Box::new(async move {
            let Some(host) = host else {
                return Err(Error::InternalError(Some("the host shuts down".to_owned())));
            };
            let to = match request.uri().host() {
                Some(APPLICATION) => Destination::Component,
                _ if chained_component(request.uri()).is_some() => Destination::Component,
                _ => Destination::Network,
            };
            let sent = send(&host, &component, depth, to, request, options.unwrap_or_default()).await;
            let ending = match &sent {
                Ok(_) => Ending::Ok,
                Err(Error::HttpRequestDenied) => Ending::Refused,
                Err(_) => Ending::Error,
            };
            host.metrics.outgoing(&component, to, ending);
            // Connections are kept by the client, so nothing remains to be driven.
            let nothing: Box<dyn Future<Output = Result<(), Error>> + Send> = Box::new(async { Ok(()) });
            sent.map(|response| (response, nothing))
        })
    }
}

async fn send(
    host: &Arc<Shared>,
    component: &Arc<str>,
    depth: usize,
    to: Destination,
    request: Request<WasiBody>,
    options: RequestOptions,
) -> Result<Response<WasiBody>, Error> {
    let uri = request.uri();
    let allowed = host.services.get(component).is_some_and(|service| {
        let hosts = &service.allowed_outbound_hosts;
        match uri.host() {
            Some(APPLICATION) => hosts.allows_application(uri.scheme_str().unwrap_or_default()),
            _ => hosts.allows(uri),
        }
    });
    if !allowed {
        tracing::warn!(
            component = &**component,
            uri = %uri,
            "refused an outgoing request: allow it in the manifest, allowed_outbound_hosts = [\"{}://{}\"]",
            uri.scheme_str().unwrap_or("http"),
            uri.authority().map_or("", |authority| authority.as_str()),
        );
        return Err(Error::HttpRequestDenied);
    }
    let first_byte = options.first_byte_timeout.unwrap_or(host.limits.stream_time);
    let response = match to {
        Destination::Component => {
            if depth >= host.limits.chain {
                return Err(Error::LoopDetected);
            }
            tokio::time::timeout(first_byte, chain(host, depth, request)).await
        }
        Destination::Network => {
            if uri.scheme() == Some(&Scheme::HTTPS) {
                let reason =
                    "this host speaks no TLS to other hosts: send to a proxy by http, or run the app with Spin";
                tracing::warn!(component = &**component, uri = %uri, "{reason}");
                return Err(Error::InternalError(Some(reason.to_owned())));
            }
            // The whole exchange up to the head; the connector limits the time to connect by itself.
            let connect = options.connect_timeout.unwrap_or(CONNECT).min(CONNECT);
            tokio::time::timeout(first_byte.saturating_add(connect), network(host, request)).await
        }
    };
    response.unwrap_or(Err(Error::ConnectionReadTimeout))
}

/// To another component, or to the application through its routes.
async fn chain(host: &Arc<Shared>, depth: usize, mut request: Request<WasiBody>) -> Result<Response<WasiBody>, Error> {
    let path = request.uri().path().to_owned();
    let found = match chained_component(request.uri()) {
        Some(id) => {
            let route = Route::chained(id);
            Match {
                route,
                rest: path,
                named: Vec::new(),
            }
        }
        None => host.router.find(&path).ok_or(Error::DestinationNotFound)?,
    };
    let Some(service) = host.services.get(found.route.component()) else {
        return Err(Error::DestinationNotFound);
    };
    request.headers_mut().remove(HOST);
    request.headers_mut().remove(CONNECTION);
    Ok(host
        .serve(service, &found, request, CHAINED_CLIENT, depth + 1, None)
        .await)
}

/// To another host.
async fn network(host: &Arc<Shared>, request: Request<WasiBody>) -> Result<Response<WasiBody>, Error> {
    let response = host.client.request(request).await.map_err(|error| {
        if error.is_connect() {
            Error::ConnectionRefused
        } else {
            Error::InternalError(Some(chain_of(&error)))
        }
    })?;
    Ok(response.map(|body| body.map_err(Error::from).boxed_unsync()))
}

/// An error and its causes on one line.
fn chain_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
