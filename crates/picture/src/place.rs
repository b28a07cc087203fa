//! Where in the text of a term a subterm stands.

use std::ops::Range;

/// The end of the s-expression that begins at a character.
fn end(text: &[char], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0usize);
    while let Some(&c) = text.get(at) {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            '"' => {
                at += 1;
                while text.get(at).is_some_and(|&c| c != '"') {
                    at += if text[at] == '\\' { 2 } else { 1 };
                }
            }
            c if c.is_whitespace() => {}
            _ => {
                let within = |c: &&char| !matches!(c, '(' | ')' | '"') && !c.is_whitespace();
                at += text[at..].iter().take_while(within).count() - 1;
            }
        }
        at += 1;
        if depth == 0 {
            break;
        }
    }
    at.min(text.len())
}

fn after_blanks(text: &[char], mut at: usize) -> usize {
    while text.get(at).is_some_and(|c| c.is_whitespace()) {
        at += 1;
    }
    at
}

/// The characters of the subterm that a place leads to; none if it leads nowhere. O(length) for each step of the way.
pub(crate) fn find(text: &[char], place: &[u32]) -> Option<Range<usize>> {
    let mut at = after_blanks(text, 0);
    for &column in place {
        if text.get(at) != Some(&'(') {
            return None;
        }
        // The operator is the first element.
        at = after_blanks(text, at + 1);
        for _ in 0..=column {
            at = after_blanks(text, end(text, at));
        }
        if matches!(text.get(at), None | Some(')')) {
            return None;
        }
    }
    (at < text.len()).then(|| at..end(text, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found() {
        let text: Vec<char> = "(f (g \"a) \\\" b\" x) (h) y)".chars().collect();
        let at = |place: &[u32]| find(&text, place).map(|range| text[range].iter().collect::<String>());
        assert_eq!(at(&[]).as_deref(), Some("(f (g \"a) \\\" b\" x) (h) y)"));
        assert_eq!(at(&[0]).as_deref(), Some("(g \"a) \\\" b\" x)"));
        assert_eq!(at(&[0, 0]).as_deref(), Some("\"a) \\\" b\""));
        assert_eq!(at(&[0, 1]).as_deref(), Some("x"));
        assert_eq!(at(&[1]).as_deref(), Some("(h)"));
        assert_eq!(at(&[2]).as_deref(), Some("y"));
        assert_eq!(at(&[3]), None);
        assert_eq!(at(&[1, 0]), None);
        assert_eq!(at(&[2, 0]), None);
        assert_eq!(find(&[], &[]), None);
    }
}
