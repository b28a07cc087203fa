//! Transduction as a component: an adapter of the WIT interface `transduction` to `eqmesh-transduction`.

#![allow(unsafe_code, reason = "the export macro declares the component's entry points")]

#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "transduction-component",
        with: { "eqmesh:network/types@0.1.0": eqmesh_guest::types },
    });
}

use std::cell::RefCell;

use bindings::exports::eqmesh::network::transduction::{Compiled, Guest, GuestSignature, Statement};
use eqmesh_egraph::term::Label;
use eqmesh_guest::{operator_from_wit, types};
use eqmesh_transduction as plain;

struct Component;

impl Guest for Component {
    type Signature = Signature;

    fn paint(program: Vec<u8>, color: types::Color) -> Result<Vec<u8>, String> {
        plain::paint(&program, color.into()).map_err(|error| error.to_string())
    }

    fn reverse(program: Vec<u8>) -> Result<Vec<u8>, String> {
        plain::reverse(&program).map_err(|error| error.to_string())
    }
}

struct Signature(RefCell<plain::Signature>);

impl GuestSignature for Signature {
    fn new() -> Signature {
        Signature(RefCell::default())
    }

    fn learn(&self, operators: Vec<types::Operator>, labels: Vec<types::Label>, rulesets: Vec<String>) {
        // An operator of a primitive sort is no operator, and nobody can have declared it.
        let operators: Vec<_> = operators
            .into_iter()
            .filter_map(|own| operator_from_wit(own).ok())
            .collect();
        let labels: Vec<Label> = labels.into_iter().map(Label::from).collect();
        self.0.borrow_mut().learn(&operators, &labels, &rulesets);
    }

    fn elaborate(&self, text: String) -> Result<Vec<Statement>, Vec<types::Diagnostic>> {
        let said = self.0.borrow_mut().elaborate(&text).map_err(diagnostics)?;
        Ok(said.statements.into_iter().map(statement).collect())
    }

    fn compile_query(&self, text: String) -> Result<Vec<u8>, Vec<types::Diagnostic>> {
        self.0.borrow().compile_query(&text).map_err(diagnostics)
    }

    fn resolve(&self, text: String) -> Result<(String, String), Vec<types::Diagnostic>> {
        self.0.borrow().resolve(&text).map_err(diagnostics)
    }

    fn push(&self) {
        self.0.borrow_mut().push();
    }

    fn pop(&self) -> bool {
        self.0.borrow_mut().pop()
    }

    fn keep(&self) -> bool {
        self.0.borrow_mut().keep()
    }
}

fn diagnostics(own: Vec<plain::Diagnostic>) -> Vec<types::Diagnostic> {
    let convert = |own: plain::Diagnostic| types::Diagnostic {
        code: own.code.to_owned(),
        message: own.message,
        help: own.help,
        start: u32::try_from(own.span.start).unwrap_or(u32::MAX),
        end: u32::try_from(own.span.end).unwrap_or(u32::MAX),
        error: own.error,
    };
    own.into_iter().map(convert).collect()
}

fn statement(own: plain::Statement) -> Statement {
    match own {
        plain::Statement::Declaration(operators) => {
            Statement::Declaration(operators.iter().map(types::Operator::from).collect())
        }
        plain::Statement::Rules(rules) => Statement::Rules(rules.into_iter().map(compiled).collect()),
        plain::Statement::Term(label, text) => Statement::Term((label, text)),
        plain::Statement::Equality(left, right) => Statement::Equality((left, right)),
        plain::Statement::Ruleset(name) => Statement::Ruleset(name),
    }
}

fn compiled(own: plain::Compiled) -> Compiled {
    let side = |own: plain::Side| types::Side {
        weight: own.weight,
        left_first: own.left_first,
        right_first: own.right_first,
    };
    Compiled {
        name: own.name,
        ruleset: own.ruleset,
        inference: types::Inference {
            declared: own.inference.declared.map(types::Color::from),
            left: side(own.inference.left),
            right: side(own.inference.right),
            reversed: own.inference.reversed,
        },
        program: own.program,
        text: own.text,
    }
}

bindings::export!(Component with_types_in bindings);
