//! `.rules` files: an untyped rule a line.

use crate::pattern::{Pattern, Shape};
use crate::rule::Rule;
use crate::sexp::{Forms, SyntaxError};
use crate::theory::{Theory, TheoryError};

impl Theory {
    /// Reads a rule a line: `[name:] left => right`, `==>` for the same, `<=>` and `<==>` for both ways. Comments begin with `;`, or with `#` or `//` at the
    /// start of a line or after a blank. A rule that cannot be run (a variable alone on its left, or one on its right that its left has not) is left out.
    pub fn read_rules(&mut self, text: &str) -> Result<(), TheoryError> {
        for (index, line) in text.lines().enumerate() {
            let error = |what: String| {
                TheoryError::Syntax(SyntaxError {
                    line: index as u32 + 1,
                    what,
                })
            };
            let line = without_comment(line);
            let forms = Forms::read(line).map_err(|own| error(own.what))?;
            let mut parts: Vec<usize> = forms.roots().collect();
            if parts.is_empty() {
                continue;
            }
            let mut name = None;
            if let [first, _, ..] = parts[..]
                && let Some(own) = forms.symbol(first).and_then(|symbol| symbol.strip_suffix(':'))
                && !own.is_empty()
                && !own.starts_with('?')
            {
                name = Some(own.to_owned());
                parts.remove(0);
            }
            let both = match parts[..] {
                [_, arrow, _] => match forms.symbol(arrow) {
                    Some("=>" | "==>") => Some(false),
                    Some("<=>" | "<==>") => Some(true),
                    _ => None,
                },
                _ => None,
            };
            let both = both.ok_or_else(|| error("a rule is `left => right`".to_owned()))?;
            let (left, right) = (
                self.pattern(&forms, parts[0], true)?,
                self.pattern(&forms, parts[2], true)?,
            );
            self.enter_if_runnable(name.clone(), left.clone(), right.clone());
            if both {
                self.enter_if_runnable(name.map(|name| format!("{name}-rev")), right, left);
            }
        }
        Ok(())
    }

    fn enter_if_runnable(&mut self, name: Option<String>, left: Pattern, right: Pattern) {
        let alone = matches!(left.parts[0].shape, Shape::Variable(_));
        if alone || right.variables().any(|own| left.variables().all(|other| other != own)) {
            return;
        }
        let name = name.unwrap_or_else(|| format!("{} => {}", left.text(), right.text()));
        self.enter(Rule {
            name,
            left,
            right,
            conditions: Vec::new(),
        });
    }
}

fn without_comment(line: &str) -> &str {
    let bytes = line.as_bytes();
    let blank_before = |at: usize| at == 0 || bytes[at - 1].is_ascii_whitespace();
    let opens = |at: usize| match bytes[at] {
        b';' => true,
        b'#' => blank_before(at),
        b'/' => bytes.get(at + 1) == Some(&b'/') && blank_before(at),
        _ => false,
    };
    (0..bytes.len()).find(|&at| opens(at)).map_or(line, |at| &line[..at])
}
