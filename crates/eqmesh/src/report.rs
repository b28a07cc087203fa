//! What a run comes to: one document, the same for people (as text) and for machines (as JSON).

use std::fmt::{self, Write as _};

use eqmesh_agent::Summary;
use eqmesh_language::{Command, Program};
use serde::Serialize;

use crate::answer::{Answer, Step};
use crate::limits::Stop;

/// The name of the JSON document's form.
pub const SCHEMA: &str = "eqmesh.run/1";

/// A run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// Whether all agents ended with the same facts and the same e-graph.
    pub converged: bool,
    /// Why deriving ended.
    pub stopped: Stop,
    /// Rounds in all.
    pub rounds: u64,
    /// E-nodes after canonicalization, without duplicates.
    pub enodes: u64,
    /// E-classes.
    pub eclasses: u64,
    /// Covers the facts, in hexadecimal.
    pub state_digest: String,
    /// Covers the closed e-graph only, in hexadecimal: the same for any number of agents.
    pub meaning_digest: String,
    /// One for each.
    pub agents: Vec<AgentReport>,
    /// E-classes that hold different literals.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contradictions: Vec<Vec<String>>,
    /// The answers, in the order of the program.
    pub results: Vec<Outcome>,
    /// What broke down, if something did; the rest is what was computed so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One agent at the end of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AgentReport {
    /// Its number.
    pub id: u32,
    /// `red`, `blue`, `green`, or `solo` for one that has all colors.
    pub color: &'static str,
    /// Facts of all agents that it holds.
    pub facts: u64,
    /// E-nodes.
    pub enodes: u64,
    /// E-classes.
    pub eclasses: u64,
    /// Covers the facts.
    pub state_digest: String,
    /// Covers the closed e-graph only.
    pub meaning_digest: String,
    /// A broadcast counts once.
    pub messages_sent: u64,
    /// Bodies only.
    pub bytes_sent: u64,
    /// Messages that it received.
    pub messages_received: u64,
    /// Bodies only.
    pub bytes_received: u64,
}

impl AgentReport {
    pub(crate) fn new(summary: &Summary, meaning: &[u8; 32]) -> AgentReport {
        AgentReport {
            id: summary.id.0,
            color: summary.color.map_or("solo", eqmesh_egraph::color::Color::name),
            facts: summary.size.facts,
            enodes: summary.size.enodes,
            eclasses: summary.size.eclasses,
            state_digest: hex(&summary.state_digest),
            meaning_digest: hex(meaning),
            messages_sent: summary.messages_sent,
            bytes_sent: summary.bytes_sent,
            messages_received: summary.messages_received,
            bytes_received: summary.bytes_received,
        }
    }
}

/// The answer to one command, and where the command stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The file, where it is not the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line, from 1.
    pub line: u32,
    /// The answer.
    #[serde(flatten)]
    pub answer: Answer,
}

impl Outcome {
    /// What a command of a program came to.
    pub fn of(program: &Program, command: &Command, answer: Answer) -> Outcome {
        Outcome {
            file: (command.file > 0).then(|| program.files[command.file].path.display().to_string()),
            line: command.line,
            answer,
        }
    }
}

/// Lower case, two digits a byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl Report {
    /// Whether every claim holds and every question was answered.
    pub fn holds(&self) -> bool {
        self.results.iter().all(|own| own.answer.holds())
    }

    /// In a sentence: how many agree on what.
    pub fn summary(&self) -> String {
        let who = match (self.agents.len(), self.converged) {
            (1, _) => "1 agent".to_owned(),
            (count, true) => format!("{count} agents agree"),
            (count, false) => format!("{count} agents do not agree"),
        };
        let plural = |count: u64| if count == 1 { "" } else { "s" };
        format!(
            "{who}: {} e-node{} in {} e-class{} after {} round{} ({})",
            self.enodes,
            plural(self.enodes),
            self.eclasses,
            if self.eclasses == 1 { "" } else { "es" },
            self.rounds,
            plural(self.rounds),
            self.stopped.text()
        )
    }
}

/// The answers, then who agrees on what.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for outcome in &self.results {
            writeln!(f, "{outcome}")?;
        }
        for literals in &self.contradictions {
            writeln!(f, "contradiction: {} are one class", literals.join(" and "))?;
        }
        writeln!(f, "{}", self.summary())?;
        write!(f, "  meaning {}", self.meaning_digest)?;
        if let Some(error) = &self.error {
            write!(f, "\ninternal error: {error}")?;
        }
        Ok(())
    }
}

/// Each term below the one before, with what made it of that.
fn write_chain(f: &mut fmt::Formatter<'_>, steps: &[Step]) -> fmt::Result {
    let numbers = |own: &[u32], separator: &str| {
        let numbers: Vec<String> = own.iter().map(u32::to_string).collect();
        numbers.join(separator)
    };
    if let Some(first) = steps.first() {
        write!(f, "\n    {}", first.before)?;
    }
    for step in steps {
        let backward = if step.is_forward() { "" } else { ", backward" };
        write!(f, "\n  = {}", step.after)?;
        write!(f, "\n        by {}{backward} ({})", step.by(), step.source())?;
        if !step.place.is_empty() {
            write!(f, " at {}", numbers(&step.place, "."))?;
        }
        if !step.lemmas.is_empty() {
            write!(f, " with lemma {}", numbers(&step.lemmas, ", "))?;
        }
    }
    Ok(())
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}:")?;
        } else {
            write!(f, "line ")?;
        }
        write!(f, "{}: ", self.line)?;
        match &self.answer {
            Answer::Extract {
                input,
                term,
                cost,
                variants,
            } => {
                write!(f, "extract {input}\n    {term}  (cost {cost})")?;
                for other in variants.iter().skip(1) {
                    write!(f, "\n    {}  (cost {})", other.term, other.cost)?;
                }
                Ok(())
            }
            Answer::Check { input, holds } => {
                write!(f, "check {input}: {}", if *holds { "holds" } else { "DOES NOT HOLD" })
            }
            Answer::Fail { input, holds } => {
                write!(
                    f,
                    "fail {input}: {}",
                    if *holds { "fails, as it should" } else { "DID NOT FAIL" }
                )
            }
            Answer::Explain {
                left,
                right,
                steps,
                lemmas,
            } => {
                write!(f, "explain {left} = {right}")?;
                if steps.is_empty() {
                    return write!(f, "\n    they are the same term");
                }
                write_chain(f, steps)?;
                for (number, lemma) in lemmas.iter().enumerate() {
                    write!(f, "\n    lemma {number}: {} = {}", lemma.left, lemma.right)?;
                    write_chain(f, &lemma.steps)?;
                }
                Ok(())
            }
            Answer::PrintSize { sizes } => {
                write!(f, "print-size")?;
                for own in sizes {
                    write!(f, "\n    {}: {}", own.operator, own.enodes)?;
                }
                Ok(())
            }
            Answer::PrintFunction { operator, rows } => {
                write!(f, "print-function {operator}")?;
                for row in rows {
                    write!(f, "\n    {} -> {}", row.node, row.class)?;
                }
                Ok(())
            }
            Answer::Failed { command, input, error } => write!(f, "{command} {input}: FAILED: {error}"),
        }
    }
}
