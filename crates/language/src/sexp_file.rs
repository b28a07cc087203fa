//! `.sexp` files: untyped terms.

use std::ops::Range;

use crate::diagnostic::Diagnostic;
use crate::ground::ground;
use crate::reader::Forms;
use crate::scope::{NONE, Scope};
use crate::signature::Signature;
use crate::statement::in_order;

/// What begins a statement inside `untyped`, and so no term.
const STATEMENTS: [&str; 4] = ["rewrite", "birewrite", "union", "untyped"];

/// Reads one or several untyped terms: for each its place, and a declarative text `(untyped term)` (or `(untyped (untyped term))`,
/// where the term's operator has the name of a statement). Every error is answered. O(length).
pub fn read_sexp(text: &str) -> Result<Vec<(Range<usize>, String)>, Vec<Diagnostic>> {
    let forms = Forms::read(text)?;
    let signature = Signature::new();
    let mut scope = Scope::new(&signature, NONE);
    let (mut terms, mut errors) = (Vec::new(), Vec::new());
    for form in forms.roots() {
        if let Some((text, _)) = ground(&mut scope, &forms, form, true, &mut errors) {
            let statement = forms.head(form).is_some_and(|head| STATEMENTS.contains(&head));
            let text = if statement {
                format!("(untyped (untyped {text}))")
            } else {
                format!("(untyped {text})")
            };
            terms.push((forms.span(form), text));
        }
    }
    if terms.is_empty() && errors.is_empty() {
        let message = "the file has no term";
        errors.push(Diagnostic::error("usage", 0..text.len(), message).help("write one as `(+ x (* 2 y))`"));
    }
    if errors.is_empty() {
        Ok(terms)
    } else {
        Err(in_order(errors))
    }
}
