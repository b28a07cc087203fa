//! What components are told about a request, in Spin's headers.

use std::net::SocketAddr;

use http::header::{CONNECTION, HOST};
use http::uri::{Authority, Parts, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};

use crate::outbound::chained_component;
use crate::router::Match;

const FULL_URL: HeaderName = HeaderName::from_static("spin-full-url");
const PATH_INFO: HeaderName = HeaderName::from_static("spin-path-info");
const MATCHED_ROUTE: HeaderName = HeaderName::from_static("spin-matched-route");
const COMPONENT_ROUTE: HeaderName = HeaderName::from_static("spin-component-route");
const RAW_COMPONENT_ROUTE: HeaderName = HeaderName::from_static("spin-raw-component-route");
const BASE_PATH: HeaderName = HeaderName::from_static("spin-base-path");
const CLIENT_ADDR: HeaderName = HeaderName::from_static("spin-client-addr");
const PATH_MATCH: &str = "spin-path-match-";

/// Removes what only the host may say, so that nobody can pretend to be it. (Spin lets `spin-path-match-*` through.)
pub(crate) fn remove_reserved(headers: &mut HeaderMap) {
    headers.remove(CONNECTION);
    for name in [
        FULL_URL,
        PATH_INFO,
        MATCHED_ROUTE,
        COMPONENT_ROUTE,
        RAW_COMPONENT_ROUTE,
        BASE_PATH,
        CLIENT_ADDR,
    ] {
        headers.remove(name);
    }
    let forged: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with(PATH_MATCH))
        .cloned()
        .collect();
    for name in forged {
        headers.remove(name);
    }
}

/// Gives a request from outside the whole URI. `None` if its host is no host.
pub(crate) fn complete_uri<B>(request: &mut Request<B>) -> Option<()> {
    let host = match request.headers().get(HOST) {
        Some(host) => host.to_str().ok()?.parse::<Authority>().ok()?,
        None => match request.uri().authority() {
            Some(authority) => authority.clone(),
            None => Authority::from_static("localhost"),
        },
    };
    let mut parts = Parts::default();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(host);
    let path = request.uri().path_and_query().cloned();
    parts.path_and_query = Some(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    let mut uri = Uri::from_parts(parts).ok()?;
    // The hosts of service chaining mean something inside only.
    if chained_component(&uri).is_some() {
        let mut parts = uri.into_parts();
        parts.authority = Some(Authority::from_static("localhost"));
        uri = Uri::from_parts(parts).ok()?;
        request
            .headers_mut()
            .insert(HOST, HeaderValue::from_static("localhost"));
    }
    *request.uri_mut() = uri;
    Some(())
}

/// Adds Spin's headers. What is no header value (a path with bytes that are none) is left out.
pub(crate) fn describe(headers: &mut HeaderMap, uri: &Uri, found: &Match, client: SocketAddr) {
    let route = &found.route;
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(FULL_URL, &uri.to_string());
    set(PATH_INFO, &found.rest);
    set(MATCHED_ROUTE, route.based());
    set(COMPONENT_ROUTE, route.prefix());
    set(RAW_COMPONENT_ROUTE, route.raw());
    set(BASE_PATH, "/");
    set(CLIENT_ADDR, &client.to_string());
    for (name, value) in &found.named {
        if let Ok(name) = HeaderName::try_from(format!("{PATH_MATCH}{}", name.replace('_', "-"))) {
            set(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::{Route, Router};

    #[test]
    fn components_see_what_spin_says() {
        let router = Router::new([Route::parse("/foo/:user_id/...", "foo").expect("valid")]).expect("distinct");
        let mut request = Request::get("/foo/42/bar?a=b")
            .header(HOST, "mesh.example:8080")
            .header("spin-path-match-user-id", "1")
            .header("Spin-Path-Match-Admin", "yes")
            .header("spin-client-addr", "9.9.9.9:9")
            .header("accept", "*/*")
            .body(())
            .expect("valid");
        remove_reserved(request.headers_mut());
        complete_uri(&mut request).expect("a host");
        let found = router.find(request.uri().path()).expect("matches");
        let uri = request.uri().clone();
        describe(
            request.headers_mut(),
            &uri,
            &found,
            "127.0.0.1:8777".parse().expect("valid"),
        );
        let mut all: Vec<(&str, &str)> = Vec::new();
        for (name, value) in request.headers() {
            all.push((name.as_str(), value.to_str().expect("text")));
        }
        all.sort_unstable();
        let expected = [
            ("accept", "*/*"),
            ("host", "mesh.example:8080"),
            ("spin-base-path", "/"),
            ("spin-client-addr", "127.0.0.1:8777"),
            ("spin-component-route", "/foo/:user_id"),
            ("spin-full-url", "http://mesh.example:8080/foo/42/bar?a=b"),
            ("spin-matched-route", "/foo/:user_id/..."),
            ("spin-path-info", "/bar"),
            ("spin-path-match-user-id", "42"),
            ("spin-raw-component-route", "/foo/:user_id/..."),
        ];
        assert_eq!(all, expected);
    }

    #[test]
    fn nobody_outside_is_a_component() {
        let mut request = Request::get("/")
            .header(HOST, "agent-red.spin.internal")
            .body(())
            .expect("valid");
        complete_uri(&mut request).expect("a host");
        assert_eq!(request.uri().host(), Some("localhost"));
        let mut request = Request::get("/").header(HOST, "no host").body(()).expect("valid");
        assert!(complete_uri(&mut request).is_none());
    }
}
