//! Explanations as pictures: every term of the chain in a row, what changes highlighted, and between two rows the rule, its direction, and whose fact it is.
//!
//! The picture is one SVG file that needs nothing else: no script, no font, no style sheet. It follows the reader's light or dark scheme, and says in text
//! (`title`, `desc`) what it shows. The same chain always gives the same bytes.
//!
//! ```
//! use eqmesh_picture::{Chain, Direction, Step, svg};
//!
//! let step = Step {
//!     before: "(Add (Num 1) (Num 2))".to_owned(),
//!     after: "(Add (Num 2) (Num 1))".to_owned(),
//!     place: vec![],
//!     rule: "commute".to_owned(),
//!     direction: Direction::Forward,
//!     source: "agent 3, fact 2".to_owned(),
//!     substitution: vec![("a".to_owned(), "(Num 1)".to_owned()), ("b".to_owned(), "(Num 2)".to_owned())],
//!     lemmas: vec![],
//! };
//! let chain = Chain { heading: String::new(), start: step.before.clone(), steps: vec![step] };
//! let picture = svg("sum = (Add (Num 2) (Num 1))", &[chain]);
//! assert!(picture.starts_with("<svg ") && picture.contains("commute"));
//! ```

mod fold;
mod place;
mod svg;

pub use svg::{escape, svg};

/// A chain of rewrites.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// What stands above it, such as the name of a lemma; nothing if it is empty.
    pub heading: String,
    /// The first term.
    pub start: String,
    /// From it on.
    pub steps: Vec<Step>,
}

/// Which way a step goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// From left to right.
    #[default]
    Forward,
    /// From right to left.
    Backward,
    /// It is not known how the two sides came to be equal, only that they are: drawn without an arrow.
    Neither,
}

/// One step of a chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// The whole term before.
    pub before: String,
    /// The whole term after.
    pub after: String,
    /// Argument positions, from 0, that lead from the root to what changed.
    pub place: Vec<u32>,
    /// The rule's name.
    pub rule: String,
    /// Which way it was used.
    pub direction: Direction,
    /// Whose fact it is, as text.
    pub source: String,
    /// Each variable with its term.
    pub substitution: Vec<(String, String)>,
    /// The numbers of the lemmas that it rests on.
    pub lemmas: Vec<u32>,
}
