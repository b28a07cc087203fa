//! Rules as data: what transduction makes, what a `rule` fact carries, and what the engine compiles and runs.
//!
//! A rule is a conjunctive query and what to build from each of its matches. Patterns are flattened: the pattern `(+ ?a (* ?b ?c))` is the two atoms
//! `Row(+, [a, t], r)` and `Row(*, [b, c], t)`. Everything refers to operators and variables by their position in the rule's
//! own tables, so a rule is self-contained.

use serde::{Deserialize, Serialize};

use crate::color::Color;
use crate::operator::{Operator, Sort};
use crate::primitive::Primitive;
use crate::value::Value;

/// A variable's position in `Query::variables`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Variable(pub u32);

/// An operator's position in `Query::operators`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OperatorIndex(pub u32);

/// What stands in a column of an atom, or is handed to a primitive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operand {
    /// A variable.
    Variable(Variable),
    /// A literal, for columns of primitive sort.
    Value(Value),
}

/// A variable's name and sort.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariableInfo {
    /// The name as written, without `?`; empty for a variable that flattening made.
    pub name: String,
    /// Its sort.
    pub sort: Sort,
}

/// One conjunct of a query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Atom {
    /// There is an e-node of this operator, with these arguments, in this class.
    Row {
        /// The operator.
        operator: OperatorIndex,
        /// One operand a column.
        arguments: Vec<Operand>,
        /// The e-class.
        class: Variable,
    },
    /// The primitive, applied to these (bound) operands, is defined and yields this result (bound or not).
    Primitive {
        /// The function.
        function: Primitive,
        /// Its arguments.
        arguments: Vec<Operand>,
        /// Its result.
        result: Operand,
    },
    /// The two are the same class or the same value.
    Equal(Operand, Operand),
    /// The two are different classes or values. Not monotone on classes: only queries of `check` may use it there, and a rule that does is refused.
    Different(Operand, Operand),
}

/// A conjunctive query. The first atom of a rewrite's query is the root of its left side; the atoms of a pattern come before the
/// atoms of its subterms.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// The operators that the atoms (and the actions of the rule) name.
    pub operators: Vec<Operator>,
    /// All variables, those that actions bind included.
    pub variables: Vec<VariableInfo>,
    /// The conjuncts.
    pub atoms: Vec<Atom>,
}

/// What a rule does with a match, in order. An action whose primitive is undefined (overflow, division by zero) makes
/// the whole rule not fire on that match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Add the e-node and bind its class.
    Add {
        /// The operator.
        operator: OperatorIndex,
        /// One operand a column.
        arguments: Vec<Operand>,
        /// Bound to the class of the node.
        class: Variable,
    },
    /// Compute a value and bind it.
    Compute {
        /// The function.
        function: Primitive,
        /// Its arguments.
        arguments: Vec<Operand>,
        /// Bound to the value.
        result: Variable,
    },
    /// Unite two classes. A rewrite has one, last: the root's class and the right side's.
    Unite(Variable, Variable),
}

/// A rewrite rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// The user's name for it, or its text.
    pub name: String,
    /// The ruleset it belongs to; the default ruleset is the empty name.
    pub ruleset: String,
    /// Its polarity.
    pub color: Color,
    /// What it matches.
    pub query: Query,
    /// What it does.
    pub actions: Vec<Action>,
}

/// The most atoms, actions, variables or operators that a rule may have.
pub const MAX_RULE_SIZE: usize = 1_000;

/// The most columns that an operator may have.
pub const MAX_ARITY: usize = 64;
