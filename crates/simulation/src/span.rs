//! Spans of virtual time, as people write them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A span of virtual time, in microseconds. Written as `250us`, `10ms` or `1m30s`: see [`humantime`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub u64);

impl Span {
    /// So many milliseconds.
    pub const fn millis(millis: u64) -> Span {
        Span(millis * 1_000)
    }

    /// So many seconds.
    pub const fn secs(secs: u64) -> Span {
        Span(secs * 1_000_000)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = humantime::format_duration(Duration::from_micros(self.0)).to_string();
        formatter.write_str(&text.replace(' ', ""))
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Span, String> {
        let duration = humantime::parse_duration(text)
            .map_err(|error| format!("`{text}` is no span of time such as 50ms, 2s or 1m30s: {error}"))?;
        let micros = u64::try_from(duration.as_micros())
            .ok()
            .filter(|&micros| micros <= MAX_SPAN);
        micros
            .map(Span)
            .ok_or_else(|| format!("`{text}` is longer than ten years"))
    }
}

/// Ten years: sums of a few do not overflow.
const MAX_SPAN: u64 = 10 * 366 * 24 * 3_600 * 1_000_000;

/// What stands before and after `..`.
pub(crate) fn range(text: &str) -> Option<(&str, &str)> {
    text.split_once("..")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_span_is_read_as_it_was_written(micros in 0..MAX_SPAN) {
            prop_assert_eq!(Span(micros).to_string().parse(), Ok(Span(micros)));
        }
    }

    #[test]
    fn what_is_no_span_is_not_read() {
        for text in ["", "5", "s", "-1s", "100years", "5parsec"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
        assert_eq!("1m30s".parse(), Ok(Span::secs(90)));
    }
}
