//! How the host refuses a request by itself: with problem details ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)).

use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use wasmtime_wasi_http::WasiBody;

use crate::host::full;

const MEDIA: HeaderValue = HeaderValue::from_static("application/problem+json");

/// A refusal. `kind` is a stable name of the kind of problem, as a URI reference; `detail` says what is wrong this time, and the remedy.
pub(crate) fn problem(status: StatusCode, kind: &str, detail: &str) -> Response<WasiBody> {
    let document = serde_json::json!({
        "type": kind,
        "title": status.canonical_reason().unwrap_or_default(),
        "status": status.as_u16(),
        "detail": detail,
    });
    let mut response = Response::new(full(document.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, MEDIA);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// 400.
pub(crate) fn bad_request(detail: &str) -> Response<WasiBody> {
    problem(StatusCode::BAD_REQUEST, "#bad-request", detail)
}

/// 404.
pub(crate) fn not_found(detail: &str) -> Response<WasiBody> {
    problem(StatusCode::NOT_FOUND, "#not-found", detail)
}

/// 413: a body has at most so many bytes.
pub(crate) fn too_large(limit: u64) -> Response<WasiBody> {
    let detail = format!("at most {limit} bytes are taken");
    problem(StatusCode::PAYLOAD_TOO_LARGE, "#too-large", &detail)
}

/// 500.
pub(crate) fn failed(detail: &str) -> Response<WasiBody> {
    problem(StatusCode::INTERNAL_SERVER_ERROR, "#failed", detail)
}

/// 503: try again soon.
pub(crate) fn busy(detail: &str) -> Response<WasiBody> {
    let mut response = problem(StatusCode::SERVICE_UNAVAILABLE, "#busy", detail);
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// 503: all instances together have as much memory as they may.
pub(crate) fn no_memory() -> Response<WasiBody> {
    busy("the memory of all instances is used up")
}
