//! Primitive functions: egglog's built-in operations on `i64`, `f64`, `String`, `bool` and `Rational`.
use serde::{Deserialize, Serialize};

use crate::value::{Value, ValueType};

/// A primitive function at one choice of argument sorts, identified by name and argument sorts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Primitive(u16);

impl Primitive {
    /// The function of this name on arguments of these sorts.
    pub fn resolve(_name: &str, _arguments: &[ValueType]) -> Option<Primitive> {
        None
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        ""
    }

    /// The sorts of its arguments.
    pub fn arguments(self) -> &'static [ValueType] {
        &[]
    }

    /// The sort of its result (`Unit` for a predicate that holds or is undefined).
    pub fn result(self) -> ValueType {
        ValueType::Unit
    }

    /// Applies it. None where it is undefined: overflow, division by zero, a predicate that does not hold.
    pub fn apply(self, _arguments: &[&Value]) -> Option<Value> {
        None
    }
}
