//! Answers to the questions of a program.

use std::collections::BTreeMap;
use std::fmt;

use eqmesh_replica::{Dot, ExplanationStep, Reason};
use serde::Serialize;

use crate::report::hex;

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
    /// What justifies it: `rule`, `asserted` or `compacted`.
    pub reason: &'static str,
    /// The rule's name, or `union`; none for what is compacted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// `forward` or `backward`.
    pub direction: &'static str,
    /// Argument positions, from 0, that lead from the root to what changed.
    pub place: Vec<u32>,
    /// Each variable of the rule with its term.
    pub substitution: BTreeMap<String, String>,
    /// The numbers of the lemmas that the rule's conditions rest on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lemmas: Vec<u32>,
    /// The fact that justifies the step; none for what is compacted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fact: Option<Fact>,
    /// For what is compacted, the digest of the snapshot that has both sides in one class, in hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
}

impl Step {
    /// Whether the rule was used from left to right.
    pub fn is_forward(&self) -> bool {
        self.direction == "forward"
    }

    /// The rule, for people.
    pub fn by(&self) -> &str {
        self.rule.as_deref().unwrap_or("facts that were compacted")
    }

    /// Where it comes from, for people: the fact, or the snapshot by the beginning of its digest.
    pub fn source(&self) -> String {
        match (&self.fact, &self.snapshot) {
            (Some(fact), _) => fact.to_string(),
            (None, Some(snapshot)) => format!("snapshot {}…", snapshot.get(..16).unwrap_or(snapshot)),
            (None, None) => String::new(),
        }
    }
}

impl From<ExplanationStep> for Step {
    fn from(own: ExplanationStep) -> Step {
        let fact = own.reason.fact().map(Fact::from);
        let step = Step {
            before: own.before,
            after: own.after,
            reason: "rule",
            rule: None,
            direction: if own.forward { "forward" } else { "backward" },
            place: own.place,
            substitution: BTreeMap::new(),
            lemmas: Vec::new(),
            fact,
            snapshot: None,
        };
        match own.reason {
            Reason::Rule {
                name,
                substitution,
                lemmas,
                ..
            } => Step {
                rule: Some(name),
                substitution: substitution.into_iter().collect(),
                lemmas,
                ..step
            },
            Reason::Asserted { .. } => Step {
                reason: "asserted",
                rule: Some("union".to_owned()),
                ..step
            },
            Reason::Compacted { snapshot } => Step {
                reason: "compacted",
                snapshot: Some(hex(&snapshot)),
                ..step
            },
        }
    }
}

/// An equality that the condition of a rule asks for, with its own chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lemma {
    /// A term.
    pub left: String,
    /// Another, equal to it.
    pub right: String,
    /// From the one to the other.
    pub steps: Vec<Step>,
}

impl From<eqmesh_replica::Lemma> for Lemma {
    fn from(own: eqmesh_replica::Lemma) -> Lemma {
        Lemma {
            left: own.left,
            right: own.right,
            steps: own.steps.into_iter().map(Step::from).collect(),
        }
    }
}

/// The name of a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// The agent's number.
    pub agent: u32,
    /// Which incarnation of the agent made it; left out for the first.
    #[serde(skip_serializing_if = "is_first")]
    pub incarnation: u16,
    /// The fact's number among those of the agent, from 1.
    pub sequence: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "what serde asks for")]
fn is_first(incarnation: &u16) -> bool {
    *incarnation == 0
}

impl From<Dot> for Fact {
    fn from(dot: Dot) -> Fact {
        Fact {
            agent: dot.agent.number(),
            incarnation: dot.agent.incarnation(),
            sequence: dot.sequence,
        }
    }
}

/// `agent 3, fact 2`.
impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "agent {}", self.agent)?;
        if self.incarnation > 0 {
            write!(f, ", incarnation {}", self.incarnation)?;
        }
        write!(f, ", fact {}", self.sequence)
    }
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
        /// What the conditions of rules ask for. The steps of a lemma use lemmas before it only.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        lemmas: Vec<Lemma>,
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
    /// The cheapest terms that were found, the cheapest first, for a question that wanted so many; none if nothing was found.
    pub fn extracted(input: &str, variants: u32, mut terms: Vec<ExtractedTerm>) -> Option<Answer> {
        let best = terms.first().cloned()?;
        if variants == 1 {
            terms.clear();
        }
        Some(Answer::Extract {
            input: input.to_owned(),
            term: best.term,
            cost: best.cost,
            variants: terms,
        })
    }

    /// The sizes of all operators that have any, or of the one that was asked for, which may have none.
    pub fn print_size(sizes: impl IntoIterator<Item = (String, u64)>, operator: Option<&str>) -> Answer {
        let sizes = sizes
            .into_iter()
            .map(|(operator, enodes)| OperatorSize { operator, enodes });
        let mut sizes: Vec<OperatorSize> = sizes
            .filter(|own| operator.is_none_or(|operator| own.operator == operator))
            .collect();
        if let (Some(operator), true) = (operator, sizes.is_empty()) {
            sizes.push(OperatorSize {
                operator: operator.to_owned(),
                enodes: 0,
            });
        }
        Answer::PrintSize { sizes }
    }

    /// False for what was claimed and does not hold, or was asked and could not be answered.
    pub fn holds(&self) -> bool {
        match self {
            Answer::Check { holds, .. } | Answer::Fail { holds, .. } => *holds,
            Answer::Failed { .. } => false,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Outcome;

    #[test]
    fn what_is_compacted_names_the_snapshot_and_nothing_else() {
        let step: Step = ExplanationStep {
            before: "(A)".to_owned(),
            after: "(B)".to_owned(),
            forward: true,
            place: Vec::new(),
            reason: Reason::Compacted { snapshot: [0x1f; 32] },
        }
        .into();
        let expected = serde_json::json!({
            "before": "(A)", "after": "(B)", "reason": "compacted", "direction": "forward", "place": [], "substitution": {},
            "snapshot": "1f".repeat(32),
        });
        assert_eq!(serde_json::to_value(&step).expect("plain"), expected);
        let outcome = Outcome {
            file: None,
            line: 3,
            answer: Answer::Explain {
                left: "(A)".to_owned(),
                right: "(B)".to_owned(),
                steps: vec![step],
                lemmas: Vec::new(),
            },
        };
        let text = outcome.to_string();
        assert!(
            text.ends_with("= (B)\n        by facts that were compacted (snapshot 1f1f1f1f1f1f1f1f…)"),
            "{text}"
        );
    }
}
