//! A checker for explanations that knows nothing but the rules: no e-graph, no facts, no network. Whoever does not trust a run of eqmesh can check what it
//! explains with this, which shares no code with what made it.
//!
//! ```
//! use eqmesh_checker::{Explanation, Theory};
//!
//! let mut theory = Theory::new();
//! theory.read("(datatype Math (Num i64) (Add Math Math)) (rewrite (Add (Num a) (Num b)) (Num (+ a b)) :name \"fold\")")?;
//! let explanation: Explanation = serde_json::from_str(
//!     r#"{ "steps": [{
//!         "before": "(Add (Num 1) (Add (Num 2) (Num 3)))", "after": "(Add (Num 1) (Num 5))",
//!         "reason": "rule", "rule": "fold", "direction": "forward", "place": [1],
//!         "substitution": { "a": "2", "b": "3" }, "fact": { "agent": 0, "sequence": 7 }
//!     }] }"#,
//! )?;
//! let (left, right) = (theory.term("(Add (Num 1) (Add (Num 2) (Num 3)))")?, theory.term("(Add (Num 1) (Num 5))")?);
//! assert_eq!(theory.check(&left, &right, &explanation)?.steps, 1);
//!
//! let wrong = theory.term("(Add (Num 1) (Num 6))")?;
//! let refusal = theory.check(&left, &wrong, &explanation).unwrap_err();
//! assert_eq!(refusal.to_string(), "step 1: it ends with `(Add (Num 1) (Num 5))`, not with `(Add (Num 1) (Num 6))`");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What a rule asks of values it computes itself. What a rule asks of terms (`:when ((= a (Num x)))`) the explanation has to prove in a lemma of its own,
//! which is checked in the same way. Two things alone are taken on trust, and reported: that a term is in the e-graph, where a condition asks for
//! that and the program does not state it; and what a snapshot holds equal whose facts were compacted, if its digest is one that [`Theory::trust_snapshot`] was told.

mod check;
mod explanation;
mod pattern;
mod primitive;
mod rule;
mod rules_file;
mod run;
mod sexp;
mod term;
mod theory;
mod value;

pub use check::{Chain, Refusal, Verdict, Why};
pub use explanation::{Direction, Explanation, Fact, Lemma, Reason, Step};
pub use pattern::NoInstance;
pub use rule::NotApplied;
pub use run::{Answered, Outcome, RunError, check_run};
pub use sexp::SyntaxError;
pub use term::Term;
pub use theory::{Theory, TheoryError};
