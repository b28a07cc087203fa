//! Diagnostics: what is wrong (or odd) in a text, with its place.

use std::ops::Range;

/// Something wrong (or odd) in a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// A stable name of the kind of mistake, such as `unbound-variable`.
    pub code: &'static str,
    /// What is wrong, in a sentence.
    pub message: String,
    /// What to do about it; may be empty.
    pub help: String,
    /// Byte offsets into the text.
    pub span: Range<usize>,
    /// False for a warning.
    pub error: bool,
}

impl Diagnostic {
    /// An error without help.
    pub fn error(code: &'static str, span: Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            code,
            message: message.into(),
            help: String::new(),
            span,
            error: true,
        }
    }

    /// A warning without help.
    pub fn warning(code: &'static str, span: Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            error: false,
            ..Diagnostic::error(code, span, message)
        }
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Diagnostic {
        Diagnostic {
            help: help.into(),
            ..self
        }
    }
}

/// Where each line of a text starts, to turn byte offsets into lines and columns.
#[derive(Clone, Debug)]
pub struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    /// O(length of the text).
    pub fn new(text: &'t str) -> Lines<'t> {
        let starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        Lines { text, starts }
    }

    /// The line (from 1) that a byte offset is in. O(log lines).
    pub fn line(&self, offset: usize) -> u32 {
        self.starts.partition_point(|&start| start <= offset) as u32
    }

    /// The line (from 1) and the column in characters (from 1) of a byte offset. O(log lines + length of the line).
    pub fn position(&self, offset: usize) -> (u32, u32) {
        let line = self.line(offset);
        let start = self.starts[line as usize - 1];
        let before = self.text[start..]
            .char_indices()
            .take_while(|(at, _)| start + at < offset)
            .count();
        (line, before as u32 + 1)
    }
}

/// The candidate that is nearest to a name that does not exist, if one is near enough to be what was meant.
pub(crate) fn nearest<'c>(name: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    /// Beyond these, looking for a suggestion costs more than it is worth.
    const CANDIDATES: usize = 10_000;
    const LONGEST: usize = 100;
    if name.len() > LONGEST {
        return None;
    }
    let allowed = (name.chars().count() / 3).max(1);
    candidates
        .take(CANDIDATES)
        .filter(|candidate| candidate.len().abs_diff(name.len()) <= 4 * allowed)
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|&(distance, candidate)| {
            let shorter = name.chars().count().min(candidate.chars().count());
            // Where nothing is left of the shorter name, the two have nothing to do with each other.
            distance <= allowed && distance < shorter || name.eq_ignore_ascii_case(candidate)
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// `did you mean …?`, or what else to do.
pub(crate) fn suggestion<'c>(name: &str, candidates: impl Iterator<Item = &'c str>, otherwise: &str) -> String {
    nearest(name, candidates).map_or_else(|| otherwise.to_owned(), |near| format!("did you mean `{near}`?"))
}
