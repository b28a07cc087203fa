//! The classes around one, as `GET neighbourhood` answers them.

use serde::{Deserialize, Serialize};

/// Colors by name, the most dominant first: of `red`, `blue`, `green`, `certified`.
pub type ColorNames = Vec<String>;

/// The classes around one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownNeighbourhood {
    /// Which facts the agent held.
    pub state_digest: String,
    /// All e-nodes of the e-graph,
    pub enodes: u64,
    /// and all e-classes.
    pub eclasses: u64,
    /// By steps from the center, which is the first.
    pub classes: Vec<ShownClass>,
    /// How many classes can be reached from the center, itself included,
    pub total: u64,
    /// or more, as counting ended there.
    pub total_is_limit: bool,
}

/// A class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownClass {
    /// Its least term or, where that is long, its place in the canonical order of all classes, such as `#17`.
    pub id: String,
    /// Its cheapest term.
    pub best: String,
    /// What that costs.
    pub cost: u64,
    /// What its nodes carry together.
    pub colors: ColorNames,
    /// The first of its nodes: the best, then the cheapest.
    pub nodes: Vec<ShownNode>,
    /// How many it has.
    pub nodes_total: u64,
}

/// A node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownNode {
    /// The node over the least terms of its classes.
    pub text: String,
    /// The operator's name.
    pub operator: String,
    /// The names of its argument classes, in order.
    pub children: Vec<String>,
    /// What it carries.
    pub colors: ColorNames,
    /// The class's best term begins with it.
    pub best: bool,
}
