//! Answers to the questions of a program.

use std::collections::BTreeMap;

use serde::Serialize;

/// One term of an extraction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExtractedTerm {
    /// The term.
    pub term: String,
    /// Its cost.
    pub cost: u64,
}

/// The number of e-nodes of an operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OperatorSize {
    /// The operator's name.
    pub operator: String,
    /// How many e-nodes it has.
    pub enodes: u64,
}

/// One e-node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The e-node, its arguments shown by the least term of their class.
    pub node: String,
    /// The least term of its class.
    pub class: String,
}

/// One step of an explanation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The whole term before.
    pub before: String,
    /// The whole term after.
    pub after: String,
    /// The rule's name, or `union`.
    pub rule: String,
    /// `forward` or `backward`.
    pub direction: &'static str,
    /// Argument positions, from 0, that lead from the root to what changed.
    pub place: Vec<u32>,
    /// Each variable of the rule with its term.
    pub substitution: BTreeMap<String, String>,
    /// The agent whose fact justifies the step.
    pub agent: u32,
    /// The fact's number among those of the agent.
    pub sequence: u64,
}

/// The answer to one command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub enum Answer {
    /// `extract`
    Extract {
        /// What was asked.
        input: String,
        /// The cheapest term.
        term: String,
        /// Its cost.
        cost: u64,
        /// All that were found, the cheapest first, where several were asked for.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        variants: Vec<ExtractedTerm>,
    },
    /// `check`
    Check {
        /// What was asked.
        input: String,
        /// Whether it holds.
        holds: bool,
    },
    /// `fail`
    Fail {
        /// What was to fail.
        input: String,
        /// Whether it did.
        holds: bool,
    },
    /// `explain`
    Explain {
        /// A term.
        left: String,
        /// What it is equal to.
        right: String,
        /// From the one to the other.
        steps: Vec<Step>,
    },
    /// `print-size`
    PrintSize {
        /// Of each operator that has any, or of the one that was asked for.
        sizes: Vec<OperatorSize>,
    },
    /// `print-function`
    PrintFunction {
        /// The operator.
        operator: String,
        /// Its e-nodes.
        rows: Vec<Row>,
    },
    /// A command that could not be answered, as an explanation of what is not equal.
    #[serde(untagged)]
    Failed {
        /// The command's name.
        command: String,
        /// What was asked.
        input: String,
        /// Why not.
        error: String,
    },
}

impl Answer {
    /// False for what was claimed and does not hold, or was asked and could not be answered.
    pub fn holds(&self) -> bool {
        match self {
            Answer::Check { holds, .. } | Answer::Fail { holds, .. } => *holds,
            Answer::Failed { .. } => false,
            _ => true,
        }
    }
}
