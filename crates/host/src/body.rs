//! The bodies of requests: those from outside are read as a whole before an instance is taken, so that a client that sends slowly holds a buffer and no instance.

use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use wasmtime_wasi_http::{Error, WasiBody};

use crate::limits::Limits;
use crate::metrics::Limit;
use crate::problem::{bad_request, busy, problem, too_large};

/// Why a body is not read to its end.
#[derive(Debug)]
pub(crate) enum Unread {
    TooLarge(u64),
    /// The client sends nothing, or has not come to an end.
    Slow,
    /// All bodies together have as many bytes as they may.
    NoRoom,
    Malformed(Error),
}

impl Unread {
    /// The limit that was met.
    pub(crate) fn limit(&self) -> Option<Limit> {
        match self {
            Self::TooLarge(_) => Some(Limit::Body),
            Self::Slow => Some(Limit::Time),
            Self::NoRoom => Some(Limit::BodyInAll),
            Self::Malformed(_) => None,
        }
    }

    pub(crate) fn answer(&self) -> Response<WasiBody> {
        match self {
            Self::TooLarge(limit) => too_large(*limit),
            Self::Slow => problem(
                StatusCode::REQUEST_TIMEOUT,
                "#slow",
                "the body of the request took too long to arrive",
            ),
            Self::NoRoom => busy("the bodies of other requests take all room"),
            Self::Malformed(error) => bad_request(&format!("the body cannot be read: {error}")),
        }
    }
}

/// The length of a request's body, as far as it is known before.
pub(crate) fn announced(request: &Request<WasiBody>) -> u64 {
    let length = request.headers().get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    length.unwrap_or_else(|| request.body().size_hint().lower())
}

/// Room for the bodies that are read, in bytes.
pub(crate) struct Bodies(Arc<Semaphore>);

impl Bodies {
    pub(crate) fn new(limits: &Limits) -> Self {
        let bytes = limits.body_in_all.max(limits.body as usize);
        Self(Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))))
    }

    fn room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Unread> {
        let bytes = u32::try_from(bytes).map_err(|_| Unread::NoRoom)?;
        Arc::clone(&self.0)
            .try_acquire_many_owned(bytes)
            .map_err(|_| Unread::NoRoom)
    }

    /// The request with a body that has arrived as a whole; its room is given back once an instance has read it.
    pub(crate) async fn read(&self, request: Request<WasiBody>, limits: &Limits) -> Result<Request<WasiBody>, Unread> {
        if request.body().is_end_stream() {
            return Ok(request);
        }
        if announced(&request) > limits.body {
            return Err(Unread::TooLarge(limits.body));
        }
        let (head, mut body) = request.into_parts();
        let mut bytes = BytesMut::new();
        let mut trailers = None;
        let mut room = self.room(0)?;
        let reading = async {
            loop {
                let next = timeout(limits.body_time, body.frame());
                let Some(frame) = next.await.map_err(|_| Unread::Slow)? else {
                    return Ok(());
                };
                match frame.map_err(Unread::Malformed)?.into_data() {
                    Ok(data) => {
                        if (bytes.len() + data.len()) as u64 > limits.body {
                            return Err(Unread::TooLarge(limits.body));
                        }
                        room.merge(self.room(data.len())?);
                        bytes.extend_from_slice(&data);
                    }
                    Err(frame) => trailers = frame.into_trailers().ok(),
                }
            }
        };
        timeout(limits.stream_time, reading)
            .await
            .unwrap_or(Err(Unread::Slow))?;
        let whole = Whole {
            bytes: bytes.freeze(),
            trailers,
            _room: room,
        };
        Ok(Request::from_parts(head, whole.boxed_unsync()))
    }
}

/// A body that has arrived.
struct Whole {
    bytes: Bytes,
    trailers: Option<HeaderMap>,
    _room: OwnedSemaphorePermit,
}

impl Body for Whole {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let bytes = mem::take(&mut self.bytes);
        if bytes.is_empty() {
            return Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))));
        }
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}

/// A body that ends with an error when it is too long: of requests between components, nobody knows that before.
pub(crate) struct Limited {
    body: WasiBody,
    left: u64,
    limit: u64,
    exceeded: Arc<AtomicBool>,
}

impl Limited {
    /// `exceeded` is set when there is more than the limit.
    pub(crate) fn new(body: WasiBody, limit: u64, exceeded: &Arc<AtomicBool>) -> Self {
        Self {
            body,
            left: limit,
            limit,
            exceeded: Arc::clone(exceeded),
        }
    }
}

impl Body for Limited {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(bytes) = frame.data_ref()
        {
            match self.left.checked_sub(bytes.len() as u64) {
                Some(left) => self.left = left,
                None => {
                    self.exceeded.store(true, Ordering::Relaxed);
                    return Poll::Ready(Some(Err(Error::HttpRequestBodySize(Some(self.limit)))));
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
