//! `.rules` files: an untyped rule a line, as in Ruler's: `(+ ?a ?b) => (+ ?b ?a)`.
//!
//! `=>` and `==>` make one rule, `<=>` and `<==>` two. A name may stand before a rule, `comm: (+ ?a ?b) => (+ ?b ?a)`. Comments begin with `;`, or with `#` or `//`
//! at the start of a line or after a blank. What begins with `?` is a variable, everything else an operator.

use std::ops::Range;

use crate::diagnostic::Diagnostic;
use crate::reader::{Form, Forms, Kind, quote};
use crate::rewrite;
use crate::scope::{NONE, Scope};
use crate::signature::Signature;
use crate::statement::in_order;

/// What editors put before a text; no part of it.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// The rules of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RulesFile {
    /// For each rule its place, and a declarative text `(untyped (rewrite …))`.
    pub forms: Vec<(Range<usize>, String)>,
    /// What is odd; with `lenient`, also what is wrong with the rules that were left out.
    pub warnings: Vec<Diagnostic>,
}

/// Reads rules. Every error is answered. `lenient`: rules that are refused are left out with a warning. O(length).
pub fn read_rules(text: &str, lenient: bool) -> Result<RulesFile, Vec<Diagnostic>> {
    let mut file = RulesFile::default();
    let mut errors = Vec::new();
    let mut seen: std::collections::BTreeSet<String> = std::collections::BTreeSet::new();
    let lines = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let mut start = text.len() - lines.len();
    for line in lines.split_inclusive('\n') {
        let range = start..start + line.len();
        start = range.end;
        let range = trim(text, range.start..range.start + comment(line));
        if range.is_empty() {
            continue;
        }
        let mut diagnostics = Vec::new();
        let rule = rule(text, range.clone(), &mut seen, &mut diagnostics);
        let refused = diagnostics.iter().any(|own| own.error);
        for own in diagnostics {
            match (own.error, lenient) {
                (true, false) => errors.push(own),
                (true, true) => file.warnings.push(Diagnostic {
                    error: false,
                    message: format!("rule left out: {}", own.message),
                    ..own
                }),
                (false, _) => file.warnings.push(own),
            }
        }
        if let Some(rule) = rule.filter(|_| !refused) {
            file.forms.push((range, rule));
        }
    }
    if errors.is_empty() {
        Ok(file)
    } else {
        Err(in_order(errors))
    }
}

/// Where the comment of a line begins.
fn comment(line: &str) -> usize {
    let bytes = line.as_bytes();
    let opens = |at: usize| match bytes[at] {
        b';' => true,
        b'#' => at == 0 || bytes[at - 1].is_ascii_whitespace(),
        b'/' => bytes.get(at + 1) == Some(&b'/') && (at == 0 || bytes[at - 1].is_ascii_whitespace()),
        _ => false,
    };
    (0..bytes.len()).find(|&at| opens(at)).unwrap_or(bytes.len())
}

fn trim(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start().len());
    start..(start + part.trim().len())
}

fn rule(
    text: &str,
    range: Range<usize>,
    seen: &mut std::collections::BTreeSet<String>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<String> {
    let forms = match Forms::read_part(text, range.clone()) {
        Ok(forms) => forms,
        Err(errors) => {
            diagnostics.extend(errors);
            return None;
        }
    };
    let mut parts: Vec<Form> = forms.roots().collect();
    let mut name = None;
    if let [first, _, ..] = parts[..]
        && let Some(own) = forms.symbol(first).and_then(|symbol| symbol.strip_suffix(':'))
        && !own.is_empty()
        && !own.starts_with('?')
    {
        name = Some(own);
        parts.remove(0);
    }
    let arrow = |form: Form| {
        forms
            .symbol(form)
            .filter(|symbol| matches!(*symbol, "=>" | "==>" | "<=>" | "<==>"))
    };
    let &[left, middle, right] = &parts[..] else {
        let message = format!("a rule is `left => right`, and this line has {} parts", parts.len());
        diagnostics.push(Diagnostic::error("usage", range, message).help("the arrows are =>, ==>, <=> and <==>"));
        return None;
    };
    let Some(arrow) = arrow(middle) else {
        let message = format!("`{}` is not an arrow", forms.source(middle));
        diagnostics
            .push(Diagnostic::error("usage", forms.span(middle), message).help("the arrows are =>, ==>, <=> and <==>"));
        return None;
    };
    let head = if arrow.starts_with('<') { "birewrite" } else { "rewrite" };
    let mut statement = format!("(untyped ({head} {} {}", forms.print(left), forms.print(right));
    if let Some(name) = name {
        statement.push_str(" :name ");
        statement.push_str(&quote(name));
    }
    statement.push_str("))");
    if forms.kind(left) == Kind::String || forms.kind(right) == Kind::String {
        diagnostics.push(Diagnostic::error(
            "string-in-untyped",
            range,
            "an untyped term has no strings",
        ));
        return None;
    }
    // The sides are checked where they stand, so that mistakes have their own places.
    let directions: &[(Form, Form)] = if head == "rewrite" {
        &[(left, right)]
    } else {
        &[(left, right), (right, left)]
    };
    let signature = Signature::new();
    for &(left, right) in directions {
        let mut scope = Scope::new(&signature, NONE);
        let key = rewrite::check_untyped(&mut scope, &forms, left, right, diagnostics)?;
        if !seen.insert(key) {
            diagnostics.push(
                Diagnostic::warning(
                    "duplicate-rule",
                    range.clone(),
                    "this rule is here already, up to the names of its variables",
                )
                .help("remove one of the two"),
            );
        }
    }
    Some(statement)
}
