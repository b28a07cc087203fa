//! What names mean while one text is read: the signature, and the untyped operators that the text itself introduces.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use eqmesh_egraph::primitive::Primitive;
use eqmesh_egraph::rule::MAX_ARITY;

use crate::diagnostic::{Diagnostic, suggestion};
use crate::signature::{Declared, Signature};

/// No names.
pub(crate) const NONE: &BTreeSet<String> = &BTreeSet::new();

/// How many suggestions are made for one statement.
const SUGGESTIONS: u32 = 20;

/// A signature and what a text adds to it. Operators are numbered on from those of the signature.
pub(crate) struct Scope<'s> {
    pub(crate) signature: &'s Signature,
    fresh: Vec<Declared>,
    fresh_names: BTreeMap<String, Vec<u32>>,
    /// Names whose declaration failed: nothing more is said of them.
    failed: &'s BTreeSet<String>,
    /// How many more names will be looked for among those that exist: a text with a thousand wrong names needs no thousand suggestions.
    suggestions: Cell<u32>,
}

impl<'s> Scope<'s> {
    pub(crate) fn new(signature: &'s Signature, failed: &'s BTreeSet<String>) -> Scope<'s> {
        Scope {
            signature,
            fresh: Vec::new(),
            fresh_names: BTreeMap::new(),
            failed,
            suggestions: Cell::new(SUGGESTIONS),
        }
    }

    pub(crate) fn operator(&self, index: u32) -> &Declared {
        let known = self.signature.operator_count();
        match (index as usize).checked_sub(known) {
            Some(fresh) => &self.fresh[fresh],
            None => self.signature.operator(index),
        }
    }

    /// The operators that were introduced, in order.
    pub(crate) fn into_fresh(self) -> Vec<Declared> {
        self.fresh
    }

    /// The untyped operator of this name and arity, introduced if need be.
    pub(crate) fn untyped(&mut self, name: &str, arity: usize, span: Range<usize>) -> Result<u32, Diagnostic> {
        if let Some(index) = self.signature.untyped(name, arity) {
            return Ok(index);
        }
        let known = self.fresh_names.get(name).into_iter().flatten();
        if let Some(&index) = known
            .into_iter()
            .find(|&&index| self.operator(index).columns.len() == arity)
        {
            return Ok(index);
        }
        if arity > MAX_ARITY {
            let message = format!("`{name}` has {arity} arguments; an operator has at most {MAX_ARITY}");
            return Err(Diagnostic::error("too-many-columns", span, message));
        }
        if arity == 0 {
            let typed = self.signature.typed(name).filter(|(_, own)| own.columns.is_empty());
            let taken = if self.signature.labels.contains(name) {
                Some("label")
            } else {
                typed.map(|_| "constructor")
            };
            if let Some(taken) = taken {
                let message = format!("`{name}` is a {taken} already and cannot also be an untyped leaf");
                return Err(Diagnostic::error("redeclared", span, message).help("rename one of the two"));
            }
        }
        let index = (self.signature.operator_count() + self.fresh.len()) as u32;
        self.fresh.push(Declared::untyped(name, arity));
        self.fresh_names.entry(name.to_owned()).or_default().push(index);
        Ok(index)
    }

    fn suggestion<'c>(&self, name: &str, names: impl Iterator<Item = &'c str>, otherwise: &str) -> String {
        match self.suggestions.get().checked_sub(1) {
            Some(left) => {
                self.suggestions.set(left);
                suggestion(name, names, otherwise)
            }
            None => otherwise.to_owned(),
        }
    }

    /// What to say of a list that begins with a name that is no operator. Nothing if that was said before.
    pub(crate) fn unknown_operator(&self, name: &str, span: Range<usize>) -> Option<Diagnostic> {
        if self.failed.contains(name) {
            return None;
        }
        if name == "untyped" {
            let message = "an untyped term cannot stand inside a typed one";
            return Some(
                Diagnostic::error("sort-mismatch", span, message).help("its sort is `_`, which no operator takes"),
            );
        }
        let (message, help) = if self.signature.labels.contains(name) {
            (
                format!("`{name}` is a label, not an operator"),
                format!("write `{name}` without parentheses"),
            )
        } else {
            let primitives: Vec<&str> = Primitive::all().map(Primitive::name).collect();
            let names = self.signature.typed_names().chain(primitives);
            let otherwise = "declare it with `constructor` or `datatype`, or write the term as `(untyped …)`";
            (
                format!("no operator `{name}` is declared"),
                self.suggestion(name, names, otherwise),
            )
        };
        Some(Diagnostic::error("unknown-operator", span, message).help(help))
    }

    /// What to say of a symbol in a ground term that is neither a literal nor a label. Nothing if that was said before.
    pub(crate) fn unknown_name(&self, name: &str, span: Range<usize>) -> Option<Diagnostic> {
        if self.failed.contains(name) {
            return None;
        }
        let help = if self
            .signature
            .typed(name)
            .is_some_and(|(_, own)| own.columns.is_empty())
        {
            format!("the constructor is written `({name})`")
        } else {
            self.suggestion(name, self.signature.labels.names(), "bind it with `let` first")
        };
        Some(Diagnostic::error("unknown-name", span, format!("no label `{name}` is bound")).help(help))
    }

    /// What to say of a symbol that begins like a number and is none.
    pub(crate) fn bad_literal(symbol: &str, overflow: bool, span: Range<usize>) -> Diagnostic {
        if overflow {
            Diagnostic::error(
                "integer-overflow",
                span,
                format!("`{symbol}` does not fit the sort that it is written for"),
            )
            .help("i64 goes from -9223372036854775808 to 9223372036854775807, f64 to about 1.8e308")
        } else {
            Diagnostic::error(
                "bad-literal",
                span,
                format!("`{symbol}` is neither a number nor a name"),
            )
            .help("a fraction is written `(rational 1 2)`; a name does not begin with a digit")
        }
    }

    /// What to say when an operator has another number of arguments than it takes.
    pub(crate) fn arity_clash(&self, index: u32, found: usize, span: Range<usize>) -> Diagnostic {
        let operator = &self.operator(index).operator;
        let takes = operator.columns.len();
        let plural = if takes == 1 { "argument" } else { "arguments" };
        Diagnostic::error(
            "arity",
            span,
            format!("`{}` takes {takes} {plural}, not {found}", operator.name),
        )
        .help(format!("it is declared as {operator}"))
    }
}
