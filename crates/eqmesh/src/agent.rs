//! What the host asks of an agent, whether it runs in WebAssembly or in this process.

use eqmesh_agent::{Config, Diagnostic, Message, Native, Node, RoundTask, Summary};
use eqmesh_composer::World;
use eqmesh_egraph::color::{Color, Colors};
use eqmesh_egraph::extract::{CostModel, Extracted};
use eqmesh_orchestrator::Verdict;
use eqmesh_replica::{Explanation, Fault};

use crate::carrier::CarrierError;

/// Why an agent did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// It could not be done; nothing has changed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The text is wrong; nothing has changed.
    #[error("{}", .0.iter().map(|own| own.message.as_str()).collect::<Vec<_>>().join("; "))]
    Text(Vec<Diagnostic>),
    /// The agent broke down: it trapped, which only a lack of memory or a defect can bring about.
    #[error("an agent broke down: {0}")]
    Trap(String),
    /// A message did not arrive. The agents are in the middle of something, and cannot go on.
    #[error("messages do not arrive: {0}")]
    Carrier(#[from] CarrierError),
}

impl From<Vec<Diagnostic>> for AgentError {
    fn from(diagnostics: Vec<Diagnostic>) -> AgentError {
        AgentError::Text(diagnostics)
    }
}

/// One agent. See the WIT interface `agent` for what each function does; times are in microseconds.
#[allow(missing_docs)]
pub trait Agent: Send {
    fn submit(&mut self, text: &str, now: u64) -> Result<Vec<Message>, AgentError>;
    fn start_round(&mut self, task: &RoundTask, now: u64) -> Result<Vec<Message>, AgentError>;
    fn receive(&mut self, message: &Message, now: u64) -> Result<Vec<Message>, AgentError>;
    fn verdict(&mut self) -> Result<Option<Verdict>, AgentError>;
    fn summary(&mut self) -> Result<Summary, AgentError>;
    fn meaning_digest(&mut self) -> Result<[u8; 32], AgentError>;
    fn snapshot(&mut self) -> Result<Vec<u8>, AgentError>;
    fn check(&mut self, text: &str, limit: u64) -> Result<u64, AgentError>;
    fn extract(
        &mut self,
        term: &str,
        variants: u32,
        cost: CostModel,
        within: Option<Colors>,
    ) -> Result<Vec<Extracted>, AgentError>;
    fn explain(&mut self, left: &str, right: &str) -> Result<Explanation, AgentError>;
    fn rows(&mut self, operator: &str, limit: u32) -> Result<Vec<(String, String)>, AgentError>;
    fn sizes(&mut self) -> Result<Vec<(String, u64)>, AgentError>;
    fn contradictions(&mut self) -> Result<Vec<Vec<String>>, AgentError>;
    fn push(&mut self) -> Result<(), AgentError>;
    fn pop(&mut self) -> Result<(), AgentError>;
}

/// An agent of plain Rust in this process.
pub(crate) fn native(world: World, config: Config) -> Node<Native> {
    let parts = match world {
        World::Red => Native::of_color(Color::Red),
        World::Blue => Native::of_color(Color::Blue),
        World::Green => Native::of_color(Color::Green),
        World::Solo => Native::solo(),
    };
    Node::new(config, parts)
}

impl Agent for Node<Native> {
    fn submit(&mut self, text: &str, now: u64) -> Result<Vec<Message>, AgentError> {
        Ok(Node::submit(self, text, now)?)
    }

    fn start_round(&mut self, task: &RoundTask, now: u64) -> Result<Vec<Message>, AgentError> {
        Ok(Node::start_round(self, task, now)?)
    }

    fn receive(&mut self, message: &Message, now: u64) -> Result<Vec<Message>, AgentError> {
        Ok(Node::receive(self, message, now)?)
    }

    fn verdict(&mut self) -> Result<Option<Verdict>, AgentError> {
        Ok(Node::verdict(self))
    }

    fn summary(&mut self) -> Result<Summary, AgentError> {
        Ok(Node::summary(self))
    }

    fn meaning_digest(&mut self) -> Result<[u8; 32], AgentError> {
        Ok(Node::meaning_digest(self))
    }

    fn snapshot(&mut self) -> Result<Vec<u8>, AgentError> {
        Ok(Node::snapshot(self))
    }

    fn check(&mut self, text: &str, limit: u64) -> Result<u64, AgentError> {
        Ok(Node::check(self, text, limit)?)
    }

    fn extract(
        &mut self,
        term: &str,
        variants: u32,
        cost: CostModel,
        within: Option<Colors>,
    ) -> Result<Vec<Extracted>, AgentError> {
        Ok(Node::extract(self, term, variants, cost, within)?)
    }

    fn explain(&mut self, left: &str, right: &str) -> Result<Explanation, AgentError> {
        Ok(Node::explain(self, left, right)?)
    }

    fn rows(&mut self, operator: &str, limit: u32) -> Result<Vec<(String, String)>, AgentError> {
        let rows = Node::rows(self, operator, 0, limit)?;
        Ok(rows.into_iter().map(|row| (row.node, row.class)).collect())
    }

    fn sizes(&mut self) -> Result<Vec<(String, u64)>, AgentError> {
        Ok(Node::sizes(self))
    }

    fn contradictions(&mut self) -> Result<Vec<Vec<String>>, AgentError> {
        Ok(Node::contradictions(self))
    }

    fn push(&mut self) -> Result<(), AgentError> {
        Ok(Node::push(self)?)
    }

    fn pop(&mut self) -> Result<(), AgentError> {
        Ok(Node::pop(self)?)
    }
}
