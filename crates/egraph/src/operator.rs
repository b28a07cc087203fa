//! Operators: the tables of the e-graph, as rows over typed columns.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::value::ValueType;

/// The sort of untyped terms, as read from `.sexp` and `.rules` files. Not a name that a program can declare.
pub const UNTYPED: &str = "_";

/// The sort of a column or a variable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Sort {
    /// E-classes of the sort of this name.
    Class(String),
    /// A primitive value.
    Value(ValueType),
}

impl Sort {
    /// The sort that a name stands for.
    pub fn from_name(name: &str) -> Sort {
        ValueType::from_name(name).map_or_else(|| Sort::Class(name.to_owned()), Sort::Value)
    }

    /// The sort's name.
    pub fn name(&self) -> &str {
        match self {
            Sort::Class(name) => name,
            Sort::Value(sort) => sort.name(),
        }
    }

    /// Whether it is a sort of e-classes.
    pub fn is_class(&self) -> bool {
        matches!(self, Sort::Class(_))
    }
}

/// What the last column of an operator's rows holds. Rows of constructors belong to an e-class; the enum is where relations (rows without one)
/// and lattice-valued functions (rows with a joined value) go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Output {
    /// An e-class of the sort of this name.
    Class(String),
}

impl Output {
    /// The sort's name.
    pub fn sort(&self) -> &str {
        match self {
            Output::Class(name) => name,
        }
    }
}

/// An operator. Two operators are the same if name, columns and output are; the cost is an attribute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Operator {
    /// Its name.
    pub name: String,
    /// The sorts of its arguments.
    pub columns: Vec<Sort>,
    /// What its rows hold besides.
    pub output: Output,
    /// What a node of it adds to the cost of a term.
    pub cost: u64,
}

impl Operator {
    /// An operator over untyped e-classes, of cost 1.
    pub fn untyped(name: &str, arity: usize) -> Operator {
        Operator {
            name: name.to_owned(),
            columns: vec![Sort::Class(UNTYPED.to_owned()); arity],
            output: Output::Class(UNTYPED.to_owned()),
            cost: 1,
        }
    }

    /// Whether the two are the same operator, costs aside.
    pub fn same(&self, other: &Operator) -> bool {
        self.name == other.name && self.columns == other.columns && self.output == other.output
    }

    /// Whether it belongs to untyped terms, whose leaves are written without parentheses.
    pub fn is_untyped(&self) -> bool {
        self.output.sort() == UNTYPED
    }
}

/// `name(columns) -> sort`.
impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.name)?;
        for (i, column) in self.columns.iter().enumerate() {
            write!(f, "{}{}", if i == 0 { "" } else { ", " }, column.name())?;
        }
        write!(f, ") -> {}", self.output.sort())
    }
}
