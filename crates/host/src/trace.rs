//! W3C trace context: which trace a request belongs to, and what is passed on.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};

/// The header that carries the context from hop to hop.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What vendors of tracing add to it.
pub(crate) const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// A hop of a trace: `traceparent` as this host passes it on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TraceContext {
    trace: u128,
    span: u64,
    flags: u8,
}

impl TraceContext {
    /// The hop before, if the headers name one that can be read.
    pub(crate) fn before(headers: &HeaderMap) -> Option<Self> {
        headers
            .get(TRACEPARENT)
            .and_then(|value| Self::parse(value.to_str().ok()?))
    }

    /// The hop that follows another one; without one, the first of a trace of its own that is not sampled.
    pub(crate) fn after(before: Option<Self>) -> Self {
        let (trace, flags) = before.map_or_else(
            || (u128::from(random()) << 64 | u128::from(random()), 0),
            |before| (before.trace, before.flags),
        );
        Self {
            trace,
            span: random(),
            flags,
        }
    }

    /// The trace, the span and the flags.
    #[cfg(feature = "otel")]
    pub(crate) fn parts(self) -> (u128, u64, u8) {
        (self.trace, self.span, self.flags)
    }

    /// A hop of these ids.
    #[cfg(feature = "otel")]
    pub(crate) fn from_parts(trace: u128, span: u64, flags: u8) -> Self {
        Self { trace, span, flags }
    }

    /// Version 00 of the header; later versions begin the same way.
    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split('-');
        let mut field = |width: usize| {
            let hexadecimal = |letter: u8| letter.is_ascii_digit() || (b'a'..=b'f').contains(&letter);
            fields
                .next()
                .filter(|field| field.len() == width && field.bytes().all(hexadecimal))
        };
        let version = field(2)?;
        let trace = u128::from_str_radix(field(32)?, 16).ok()?;
        let span = u64::from_str_radix(field(16)?, 16).ok()?;
        let flags = u8::from_str_radix(field(2)?, 16).ok()?;
        let ended = version != "00" || fields.next().is_none();
        (version != "ff" && trace != 0 && span != 0 && ended).then_some(Self { trace, span, flags })
    }

    /// The value of the header.
    pub(crate) fn header(self) -> HeaderValue {
        HeaderValue::try_from(self.to_string()).expect("digits, letters and hyphens")
    }

    /// The id of the trace.
    pub(crate) fn trace_id(self) -> String {
        format!("{:032x}", self.trace)
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "00-{:032x}-{:016x}-{:02x}",
            self.trace, self.span, self.flags
        )
    }
}

/// A number that is not 0 and that nobody else has: ids need no more (they are no secrets).
fn random() -> u64 {
    static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut hasher = SEED.build_hasher();
    hasher.write_u64(NEXT.fetch_add(1, Ordering::Relaxed));
    hasher.finish().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_goes_on() {
        let mut headers = HeaderMap::new();
        let given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        headers.insert(TRACEPARENT, HeaderValue::from_static(given));
        let next = TraceContext::after(TraceContext::before(&headers));
        assert_eq!(next.trace_id(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(next.flags, 1);
        assert_ne!(next.span, 0xb7ad_6b71_6920_3331);
        assert_eq!(TraceContext::parse(&next.to_string()), Some(next));
    }

    #[test]
    fn what_is_no_trace_begins_one() {
        for text in [
            "",
            "00-0-0-0",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        ] {
            assert_eq!(TraceContext::parse(text), None, "{text}");
        }
        assert_eq!(TraceContext::before(&HeaderMap::new()), None);
        assert_ne!(TraceContext::after(None).trace, TraceContext::after(None).trace);
    }
}
