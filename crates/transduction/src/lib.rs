//! Rule text in, matching programs out. A rewrite rule is a 2-cell from its left side to its right; this crate makes programs of rules,
//! sets their color, and turns them round.
//!
//! Reading and typing is `eqmesh-language`, the bytes of a program are [`eqmesh_egraph::program`]. Nothing here panics on any input, and a
//! program that comes out passes every check that its readers make.
//!
//! ```
//! use eqmesh_egraph::color::Color;
//! use eqmesh_transduction::{Signature, Statement, paint, reverse};
//!
//! let mut signature = Signature::new();
//! let said = signature
//!     .elaborate("(datatype M (Add M M) (Mul M M)) (rewrite (Mul a (Add b c)) (Add (Mul a b) (Mul a c)))")
//!     .expect("a correct text");
//! let Statement::Rules(rules) = &said.statements[1] else { panic!("a rule") };
//! let red = paint(&rules[0].program, Color::Red).expect("a program");
//! let blue = reverse(&red).expect("both sides bind a, b and c");
//! assert_eq!(eqmesh_egraph::program::decode_rule(&blue).expect("a program").color, Color::Blue);
//! assert_eq!(reverse(&blue).expect("and back"), red);
//! ```

mod reverse;
mod signature;

use eqmesh_egraph::color::Color;
use eqmesh_egraph::program::{ProgramError, decode_rule, encode_rule};

pub use eqmesh_language::{Diagnostic, Side};
pub use reverse::{NotReversible, reverse};
pub use signature::{Compiled, Inference, Said, Signature, Statement};

/// Sets the color in a rule's program. Fails for bytes that are not one. O(size).
pub fn paint(program: &[u8], color: Color) -> Result<Vec<u8>, ProgramError> {
    let mut rule = decode_rule(program)?;
    rule.color = color;
    Ok(encode_rule(&rule))
}
