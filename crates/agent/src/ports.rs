//! What an agent needs of the other parts: one trait for each resource, named as in WIT, which says what every function does.

use eqmesh_colors::Inference;
use eqmesh_egraph::color::{Color, ColorCounts, Colors};
use eqmesh_egraph::extract::{CostModel, Extracted};
use eqmesh_egraph::neighbourhood::Neighbourhood;
use eqmesh_egraph::operator::Operator;
use eqmesh_egraph::term::Label;
use eqmesh_orchestrator::{
    Barrier, Claim, Entrance, Greeting, Life, Member, MessageKind, NumberSet, OrchestrationError, RosterEntry, Verdict,
    Vote,
};
use eqmesh_replica::{AgentId, Budget, Dot, Explanation, Fault, Row, Settled, Share, Size, StepReport, VersionVector};
use eqmesh_streams::{RuleInfo, Task};
use eqmesh_timeline::{Entry, Event, Metrics, TimelineError, Timestamp};
use eqmesh_transduction::Statement;

/// Something wrong (or odd) in a text, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// A stable name of the kind of mistake, such as `unbound-variable`.
    pub code: String,
    /// What is wrong, in a sentence.
    pub message: String,
    /// What to do about it; may be empty.
    pub help: String,
    /// Byte offset into the text: from here,
    pub start: u32,
    /// and up to here.
    pub end: u32,
    /// False for a warning.
    pub error: bool,
}

impl Diagnostic {
    /// What a fault says of a text as a whole.
    pub(crate) fn of_fault(fault: Fault, text: &str) -> Diagnostic {
        let code = match fault {
            Fault::Malformed(_) => "malformed",
            Fault::Unknown(_) => "unknown",
            Fault::Mismatch(_) => "mismatch",
            Fault::Absent(_) => "absent",
            Fault::Coloring(_) => "coloring",
            Fault::Limit(_) => "limit",
            Fault::Refused(_) => "refused",
            Fault::Misplaced(_) => "misplaced",
        };
        Diagnostic {
            code: code.to_owned(),
            message: fault.to_string(),
            help: String::new(),
            start: 0,
            end: u32::try_from(text.len()).unwrap_or(u32::MAX),
            error: true,
        }
    }
}

impl From<eqmesh_transduction::Diagnostic> for Diagnostic {
    fn from(own: eqmesh_transduction::Diagnostic) -> Diagnostic {
        Diagnostic {
            code: own.code.to_owned(),
            message: own.message,
            help: own.help,
            start: u32::try_from(own.span.start).unwrap_or(u32::MAX),
            end: u32::try_from(own.span.end).unwrap_or(u32::MAX),
            error: own.error,
        }
    }
}

/// The WIT resource `egraph.graph`.
#[allow(missing_docs)]
pub trait Graph {
    fn declare(&mut self, operators: &[Operator]) -> Result<(), Fault>;
    fn labels(&self) -> Vec<Label>;
    fn operators(&self) -> Vec<Operator>;
    fn add_rule(&mut self, program: &[u8]) -> Result<Dot, Fault>;
    fn rules(&self) -> Vec<RuleInfo>;
    fn insert(&mut self, term: &str, label: Option<&str>, color: Color) -> Result<(), Fault>;
    fn unite(&mut self, left: &str, right: &str) -> Result<(), Fault>;
    fn derive(&mut self, rules: &[Dot], share: Share, budget: Budget) -> Result<StepReport, Fault>;
    fn certify(&mut self, agents: &[AgentId]) -> bool;
    fn uncertified(&self) -> Vec<AgentId>;
    fn cut(&mut self, stable: &VersionVector) -> Result<Option<Dot>, Fault>;
    fn close(&mut self, known: &VersionVector) -> Option<Dot>;
    fn open_cut(&self) -> Option<Dot>;
    fn compact(&mut self) -> bool;
    fn is_void(&self) -> bool;
    fn resume(&mut self, parts: &[Vec<u8>]) -> u64;
    fn beginning(&self) -> Option<[u8; 32]>;
    fn last_cut(&self) -> Option<[u8; 32]>;
    fn offers(&self) -> Vec<[u8; 32]>;
    fn adopt(&mut self, snapshot: &[u8; 32], agent: AgentId) -> Result<u64, Fault>;
    fn discard(&mut self);
    fn seal(&mut self) -> Option<Vec<u8>>;
    fn receive(&mut self, block: &[u8]) -> Result<(), Fault>;
    fn settle(&mut self) -> Settled;
    fn version(&self) -> VersionVector;
    fn delta_since(&self, version: &VersionVector) -> Vec<Vec<u8>>;
    fn state_digest(&self) -> [u8; 32];
    fn meaning_digest(&mut self) -> [u8; 32];
    fn snapshot(&mut self) -> Vec<u8>;
    fn size(&self) -> Size;
    fn refused(&self) -> Vec<(Dot, String)>;
    fn query(&mut self, program: &[u8], limit: u64) -> Result<u64, Fault>;
    fn extract(
        &mut self,
        term: &str,
        variants: u32,
        cost: CostModel,
        within: Option<Colors>,
    ) -> Result<Vec<Extracted>, Fault>;
    fn explain(&mut self, left: &str, right: &str) -> Result<Explanation, Fault>;
    fn rows(&mut self, operator: &str, start: u32, limit: u32) -> Result<Vec<Row>, Fault>;
    fn neighbourhood(
        &mut self,
        center: Option<&str>,
        expanded: &[String],
        classes: u32,
    ) -> Result<Neighbourhood, Fault>;
    fn search(&mut self, text: &str, limit: u32) -> (Vec<String>, bool);
    fn color_counts(&self) -> ColorCounts;
    fn applied(&self, fact: Dot) -> Vec<(String, u64)>;
    fn sizes(&self) -> Vec<(String, u64)>;
    fn contradictions(&mut self) -> Vec<Vec<String>>;
    fn push(&mut self);
    fn pop(&mut self) -> Result<(), Fault>;
}

/// The WIT resource `transduction.signature`.
#[allow(missing_docs, clippy::missing_errors_doc)]
pub trait Signature {
    fn learn(&mut self, operators: &[Operator], labels: &[Label], rulesets: &[String]);
    fn elaborate(&mut self, text: &str) -> Result<Vec<Statement>, Vec<Diagnostic>>;
    fn compile_query(&self, text: &str) -> Result<Vec<u8>, Vec<Diagnostic>>;
    fn resolve(&self, text: &str) -> Result<(String, String), Vec<Diagnostic>>;
    fn push(&mut self);
    fn pop(&mut self) -> bool;
    fn keep(&mut self) -> bool;
}

/// The WIT resource `timeline.log`, as far as an agent uses it.
#[allow(missing_docs)]
pub trait Log {
    fn record(&mut self, entry: Entry, now: u64, sender_time: Option<Timestamp>) -> Event;
    fn events(&self, from: u64, limit: u32) -> Vec<Event>;
    fn metrics(&self) -> Metrics;
    fn save(&self) -> Vec<u8>;
    fn load(&mut self, saved: &[u8]) -> Result<(), TimelineError>;
}

/// The WIT resource `orchestrator.network`, as far as an agent uses it.
#[allow(missing_docs)]
pub trait Network {
    fn members(&self) -> Vec<Member>;
    fn shares(&self, agent: AgentId) -> Result<Vec<(Color, Share)>, OrchestrationError>;
    fn certifies(&self, agent: AgentId) -> Result<Vec<AgentId>, OrchestrationError>;
    fn begin_round(&mut self) -> Result<u32, OrchestrationError>;
    fn round(&self) -> (u32, Option<Barrier>);
    fn arrive(&mut self, agent: AgentId, round: u32, barrier: Barrier) -> Result<bool, OrchestrationError>;
    fn ready(&self) -> bool;
    fn advance(&mut self) -> Result<Option<Barrier>, OrchestrationError>;
    fn cast(&mut self, agent: AgentId, round: u32, vote: Vote) -> Result<(), OrchestrationError>;
    fn verdict(&self) -> Option<Verdict>;
    fn topic(
        &self,
        kind: MessageKind,
        sender: AgentId,
        receiver: Option<AgentId>,
    ) -> Result<String, OrchestrationError>;
    fn parse_topic(&self, topic: &str) -> Result<(MessageKind, Option<AgentId>), OrchestrationError>;
    fn enter(&mut self, entrance: Entrance) -> Result<(), OrchestrationError>;
    fn claim(&self) -> Option<Claim>;
    fn claim_of(&self, number: u32) -> Option<Claim>;
    fn superseded(&self) -> Option<Claim>;
    fn doubles(&self) -> Vec<(u32, Claim, Claim)>;
    fn live(&mut self, life: Life);
    fn learn(&mut self, entries: &[RosterEntry]) -> bool;
    fn greet(&mut self, number: u32, claim: Claim) -> Greeting;
    fn claims_since(&self, revision: u64, limit: u32) -> (Vec<RosterEntry>, u64);
    fn roster_digest(&self) -> [u8; 16];
    fn view(&self) -> [u8; 16];
    fn certifier(&self, number: u32) -> Option<u32>;
    fn neighbours(&self, agent: AgentId) -> Result<Vec<AgentId>, OrchestrationError>;
    fn hear(&mut self, number: u32, now: u64);
    fn review(&mut self, now: u64) -> Vec<u32>;
    fn next_absent(&mut self) -> Option<u32>;
    fn turn_to(&mut self, subject: [u8; 16]);
    fn vouch(&mut self);
    fn count(&mut self, subject: [u8; 16], vouchers: &NumberSet);
    fn statement(&self) -> ([u8; 16], NumberSet);
    fn agreed(&self) -> bool;
    fn save(&self) -> Result<Vec<u8>, OrchestrationError>;
    fn load(&mut self, saved: &[u8], now: u64) -> Result<(), OrchestrationError>;
}

/// Everything that an agent is put together with: makes the resources, and has the functions of the interfaces without one.
#[allow(missing_docs)]
pub trait Parts {
    type Graph: Graph;
    type Signature: Signature;
    type Log: Log;
    type Network: Network;

    fn graph(&self, agent: AgentId, coloring: bool) -> Self::Graph;
    fn signature(&self) -> Self::Signature;
    fn log(&self, capacity: u32) -> Self::Log;
    /// Agents talk along a full mesh.
    fn network(&self, me: AgentId, agents: u32, coloring: bool) -> Self::Network;

    /// `rewrite-stream.palette`
    fn palette(&self) -> Vec<Color>;
    /// `rewrite-stream.initialize`
    fn initialize(&self, graph: &mut Self::Graph, terms: &[(Option<String>, String)]) -> Result<(), Fault>;
    /// `rewrite-stream.step`
    fn step(&self, graph: &mut Self::Graph, task: &Task) -> Result<StepReport, Fault>;
    /// `rewrite-stream.certify`
    fn certify(&self, graph: &mut Self::Graph, agents: &[AgentId]) -> bool;
    /// `colors.infer-polarity`
    fn infer_polarity(&self, inference: &Inference) -> Color;
    /// `transduction.paint`
    fn paint(&self, program: &[u8], color: Color) -> Result<Vec<u8>, String>;
}
