//! The input language of eqmesh: egglog's syntax as far as it concerns terms and rewriting, and two plain formats besides.
//!
//! A text is read into s-expressions with their places ([`reader`]), checked against what is declared ([`Signature`]), and becomes declarations, typed rules
//! in the engine's form, and ground terms in canonical form. A whole program ([`read_program`]) is checked, all of it, before anything runs.
//! Every mistake is a [`Diagnostic`] with a stable code, a place, and what to do about it.
//!
//! ```
//! use eqmesh_language::{Signature, Statement};
//!
//! let mut signature = Signature::new();
//! let said = signature
//!     .elaborate("(datatype Math (Num i64) (Add Math Math)) (rewrite (Add a b) (Add b a)) (Add (Num 1) (Num (+ 1 1)))")
//!     .expect("a correct text");
//! let [Statement::Declaration(operators), Statement::Rules(rules), Statement::Term { text, .. }] = &said.statements[..] else {
//!     panic!("three statements");
//! };
//! assert_eq!(operators.len(), 2);
//! assert_eq!(rules[0].rule.name, "(Add a b) => (Add b a)");
//! assert_eq!(text, "(Add (Num 1) (Num 2))");
//! ```
//!
//! Nothing here recurses over what it reads: terms may be nested as deep as memory reaches.

mod command;
mod diagnostic;
mod flatten;
mod ground;
mod inference;
mod literal;
mod options;
mod pattern;
mod program;
mod query;
pub mod reader;
mod refusal;
mod rewrite;
mod rules_file;
mod scope;
mod sexp_file;
mod sides;
mod signature;
mod statement;

pub use command::{COMMANDS, CommandKind, MAX_SCHEDULE_DEPTH, RunSpec, Schedule};
pub use diagnostic::{Diagnostic, Lines};
pub use program::{
    Command, Format, MAX_INCLUDE_DEPTH, MAX_SCOPES, NO_SCOPES, Program, ProgramErrors, SourceFile, read_program,
    read_programs,
};
pub use rewrite::CompiledRule;
pub use rules_file::{RulesFile, read_rules};
pub use sexp_file::read_sexp;
pub use sides::Side;
pub use signature::Signature;
pub use statement::{Elaborated, Statement};
