//! Long texts, folded: what matters stays, and each gap says how many characters are left out.

use std::ops::Range;

/// How long a text may be before it is folded, in characters.
pub(crate) const LIMIT: usize = 110;

/// What stays at the beginning and at the end of a text, and of a part of it that matters.
const HEAD: usize = 28;
const TAIL: usize = 14;

/// Shorter gaps are not worth a mark.
const LEAST: usize = 10;

/// A folded text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Folded {
    /// What is shown.
    pub(crate) text: Vec<char>,
    /// The parts that were kept: from where in the whole, how many, and where they are now.
    kept: Vec<(Range<usize>, usize)>,
}

impl Folded {
    /// Folds a text around the parts that matter.
    pub(crate) fn new(text: &[char], matters: &[Range<usize>]) -> Folded {
        let whole = 0..text.len();
        let mut keep: Vec<Range<usize>> = if text.len() <= LIMIT {
            vec![whole]
        } else {
            [whole]
                .iter()
                .chain(matters)
                .flat_map(|part| {
                    [
                        part.start..part.end.min(part.start + HEAD),
                        part.start.max(part.end.saturating_sub(TAIL))..part.end,
                    ]
                })
                .collect()
        };
        keep.sort_by_key(|part| (part.start, part.end));
        let mut folded = Folded::default();
        let mut at = 0;
        let mut pending: Option<Range<usize>> = None;
        for part in keep {
            match &mut pending {
                Some(last) if part.start <= last.end + LEAST => last.end = last.end.max(part.end),
                _ => {
                    if let Some(done) = pending.replace(part) {
                        folded.keep(text, &mut at, done);
                    }
                }
            }
        }
        if let Some(done) = pending {
            folded.keep(text, &mut at, done);
        }
        folded
    }

    fn keep(&mut self, text: &[char], at: &mut usize, part: Range<usize>) {
        if part.start > *at {
            self.text.extend(format!("⋯{}⋯", part.start - *at).chars());
        }
        self.kept.push((part.clone(), self.text.len()));
        *at = part.end;
        self.text.extend(&text[part]);
    }

    /// Where a character of the whole is now; what was left out is where its gap is.
    fn position(&self, at: usize) -> usize {
        let after = self.kept.partition_point(|(part, _)| part.start <= at);
        match after.checked_sub(1).map(|last| &self.kept[last]) {
            Some((part, shown)) if at <= part.end => shown + (at - part.start),
            _ => self.kept.get(after).map_or(self.text.len(), |(_, shown)| *shown),
        }
    }

    /// Where a part of the whole is now.
    pub(crate) fn part(&self, part: &Range<usize>) -> Range<usize> {
        self.position(part.start)..self.position(part.end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn short_texts_stay() {
        let text: Vec<char> = "(f x)".chars().collect();
        let folded = Folded::new(&text, std::slice::from_ref(&(3..4)));
        assert_eq!((folded.text.clone(), folded.part(&(3..4))), (text, 3..4));
    }

    proptest! {
        #[test]
        fn what_matters_is_shown_and_what_is_cut_is_counted(
            length in 0usize..2000, parts in prop::collection::vec((0usize..2000, 1usize..60), 0..3)
        ) {
            let text: Vec<char> = (0..length).map(|at| char::from(b'a' + (at % 26) as u8)).collect();
            let parts: Vec<Range<usize>> = parts
                .into_iter()
                .map(|(start, size)| start.min(length)..(start + size).min(length))
                .collect();
            let folded = Folded::new(&text, &parts);
            // The numbers and what is kept add up to the whole.
            let mut count = 0;
            let shown: String = folded.text.iter().collect();
            for (at, piece) in shown.split('⋯').enumerate() {
                count += if at % 2 == 0 { piece.chars().count() } else { piece.parse::<usize>().expect("a number") };
            }
            prop_assert_eq!(count, length);
            prop_assert!(folded.text.len() <= LIMIT.max((parts.len() + 1) * (HEAD + TAIL + 20)));
            for part in parts.iter().filter(|part| !part.is_empty()) {
                let now = folded.part(part);
                prop_assert_eq!(folded.text[now.start], text[part.start]);
                prop_assert_eq!(folded.text[now.end - 1], text[part.end - 1]);
            }
        }
    }
}
