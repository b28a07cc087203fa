//! Explanations as `eqmesh run --json` writes them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Why two terms are equal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// From the left term to the right one; empty if they are the same.
    pub steps: Vec<Step>,
    /// What the conditions of rules ask for. The steps of a lemma use lemmas before it only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lemmas: Vec<Lemma>,
}

/// An equality that the condition of a rule asks for, with its own chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lemma {
    /// A term.
    pub left: String,
    /// Another, equal to it.
    pub right: String,
    /// From the one to the other.
    pub steps: Vec<Step>,
}

/// One step: a rewrite at one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The whole term before.
    pub before: String,
    /// The whole term after.
    pub after: String,
    /// What justifies it.
    pub reason: Reason,
    /// The rule's name, or `union`; empty for what is compacted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rule: String,
    /// Which way it was used.
    pub direction: Direction,
    /// Argument positions, from 0, that lead from the root to what changed.
    pub place: Vec<u32>,
    /// Each variable of the rule with its term.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub substitution: BTreeMap<String, String>,
    /// The numbers of the lemmas that the rule's conditions rest on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lemmas: Vec<u32>,
    /// The fact that says so; none for what is compacted. Nothing of it is checked: a checker knows nothing but the rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fact: Option<Fact>,
    /// For what is compacted, the digest of the snapshot that says so, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
}

/// What justifies a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// A rule.
    Rule,
    /// `union`: the program says so.
    Asserted,
    /// The facts are gone; a snapshot says that they came to this.
    Compacted,
}

/// Which way an equality was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// From left to right.
    Forward,
    /// From right to left.
    Backward,
}

/// The name of a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// Whose it is.
    pub agent: u32,
    /// Which incarnation of the agent made it.
    #[serde(default, skip_serializing_if = "is_first")]
    pub incarnation: u16,
    /// Its number among the agent's facts, from 1.
    pub sequence: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "what serde asks for")]
fn is_first(incarnation: &u16) -> bool {
    *incarnation == 0
}
