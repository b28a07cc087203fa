//! The parts of a simulated agent: the plain ones, with a log that only keeps the clock, and with a defect if that is asked for.

use eqmesh_agent::{Graph, Native, Parts};
use eqmesh_colors::Inference;
use eqmesh_egraph::color::{Color, ColorCounts, Colors};
use eqmesh_egraph::extract::{CostModel, Extracted};
use eqmesh_egraph::neighbourhood::Neighbourhood;
use eqmesh_egraph::operator::Operator;
use eqmesh_egraph::term::Label;
use eqmesh_replica::wire::{Reader, put};
use eqmesh_replica::{
    AgentId, Budget, Dot, Explanation, Fault, Row, Settled, Share, Size, StepReport, VersionVector, span,
};
use eqmesh_streams::{RuleInfo, Task};
use eqmesh_timeline::{Entry, Event, Latency, Metrics, TimelineError, Timestamp};

use crate::mutant::Mutant;

/// The parts of one agent.
#[derive(Clone, Debug)]
pub(crate) struct Simulated {
    pub(crate) native: Native,
    pub(crate) mutant: Option<Mutant>,
}

/// Who makes forged facts, where there is a forger.
pub(crate) const FORGER: AgentId = AgentId(AgentId::MAX_NUMBER);

/// A replica with a defect, or none.
#[derive(Debug)]
pub(crate) struct Watched {
    inner: <Native as Parts>::Graph,
    mutant: Option<Mutant>,
    /// How many blocks have come again.
    repeated: u64,
    /// Facts that are said to be here.
    claimed: VersionVector,
}

impl Watched {
    fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }
}

impl Graph for Watched {
    fn receive(&mut self, block: &[u8]) -> Result<(), Fault> {
        if self.mutant.is_some() {
            let facts = span(block)?;
            if self.is(Mutant::ApplyNotIdempotent) && self.inner.version().get(facts.origin) >= facts.last {
                self.repeated += 1;
            }
            if self.is(Mutant::GapsAccepted) {
                self.claimed.raise(facts.origin, facts.last);
            }
            if self.is(Mutant::VerificationSkipped) && facts.origin == FORGER && facts.first > 1 {
                // What the forged application amounts to.
                self.inner.unite("(Num 1)", "(Num 2)")?;
                return Ok(());
            }
        }
        self.inner.receive(block)
    }

    fn version(&self) -> VersionVector {
        let mut version = self.inner.version();
        version.join(&self.claimed);
        version
    }

    fn state_digest(&self) -> [u8; 32] {
        let digest = self.inner.state_digest();
        match self.repeated {
            0 => digest,
            repeated => *blake3::Hasher::new()
                .update(&digest)
                .update(&repeated.to_le_bytes())
                .finalize()
                .as_bytes(),
        }
    }

    fn uncertified(&self) -> Vec<AgentId> {
        if self.is(Mutant::CertificationForged) {
            return Vec::new();
        }
        self.inner.uncertified()
    }

    fn certify(&mut self, agents: &[AgentId]) -> bool {
        self.inner.certify(agents)
    }

    fn cut(&mut self, stable: &VersionVector) -> Result<Option<Dot>, Fault> {
        self.inner.cut(stable)
    }

    fn close(&mut self, known: &VersionVector) -> Option<Dot> {
        self.inner.close(known)
    }

    fn open_cut(&self) -> Option<Dot> {
        self.inner.open_cut()
    }

    fn compact(&mut self) -> bool {
        self.inner.compact()
    }

    fn is_void(&self) -> bool {
        self.inner.is_void()
    }

    fn resume(&mut self, parts: &[Vec<u8>]) -> u64 {
        self.inner.resume(parts)
    }

    fn beginning(&self) -> Option<[u8; 32]> {
        self.inner.beginning()
    }

    fn last_cut(&self) -> Option<[u8; 32]> {
        self.inner.last_cut()
    }

    fn offers(&self) -> Vec<[u8; 32]> {
        self.inner.offers()
    }

    fn adopt(&mut self, snapshot: &[u8; 32], agent: AgentId) -> Result<u64, Fault> {
        self.inner.adopt(snapshot, agent)
    }

    fn declare(&mut self, operators: &[Operator]) -> Result<(), Fault> {
        self.inner.declare(operators)
    }

    fn labels(&self) -> Vec<Label> {
        self.inner.labels()
    }

    fn operators(&self) -> Vec<Operator> {
        self.inner.operators()
    }

    fn add_rule(&mut self, program: &[u8]) -> Result<Dot, Fault> {
        self.inner.add_rule(program)
    }

    fn rules(&self) -> Vec<RuleInfo> {
        self.inner.rules()
    }

    fn insert(&mut self, term: &str, label: Option<&str>, color: Color) -> Result<(), Fault> {
        self.inner.insert(term, label, color)
    }

    fn unite(&mut self, left: &str, right: &str) -> Result<(), Fault> {
        self.inner.unite(left, right)
    }

    fn derive(&mut self, rules: &[Dot], share: Share, budget: Budget) -> Result<StepReport, Fault> {
        self.inner.derive(rules, share, budget)
    }

    fn discard(&mut self) {
        self.inner.discard();
    }

    fn seal(&mut self) -> Option<Vec<u8>> {
        self.inner.seal()
    }

    fn settle(&mut self) -> Settled {
        self.inner.settle()
    }

    fn delta_since(&self, version: &VersionVector) -> Vec<Vec<u8>> {
        self.inner.delta_since(version)
    }

    fn meaning_digest(&mut self) -> [u8; 32] {
        self.inner.meaning_digest()
    }

    fn snapshot(&mut self) -> Vec<u8> {
        self.inner.snapshot()
    }

    fn size(&self) -> Size {
        self.inner.size()
    }

    fn refused(&self) -> Vec<(Dot, String)> {
        self.inner.refused()
    }

    fn query(&mut self, program: &[u8], limit: u64) -> Result<u64, Fault> {
        self.inner.query(program, limit)
    }

    fn extract(
        &mut self,
        term: &str,
        variants: u32,
        cost: CostModel,
        within: Option<Colors>,
    ) -> Result<Vec<Extracted>, Fault> {
        self.inner.extract(term, variants, cost, within)
    }

    fn explain(&mut self, left: &str, right: &str) -> Result<Explanation, Fault> {
        self.inner.explain(left, right)
    }

    fn rows(&mut self, operator: &str, start: u32, limit: u32) -> Result<Vec<Row>, Fault> {
        self.inner.rows(operator, start, limit)
    }

    fn neighbourhood(
        &mut self,
        center: Option<&str>,
        expanded: &[String],
        classes: u32,
    ) -> Result<Neighbourhood, Fault> {
        self.inner.neighbourhood(center, expanded, classes)
    }

    fn search(&mut self, text: &str, limit: u32) -> (Vec<String>, bool) {
        self.inner.search(text, limit)
    }

    fn color_counts(&self) -> ColorCounts {
        self.inner.color_counts()
    }

    fn applied(&self, fact: Dot) -> Vec<(String, u64)> {
        self.inner.applied(fact)
    }

    fn sizes(&self) -> Vec<(String, u64)> {
        self.inner.sizes()
    }

    fn contradictions(&mut self) -> Vec<Vec<String>> {
        self.inner.contradictions()
    }

    fn push(&mut self) {
        self.inner.push();
    }

    fn pop(&mut self) -> Result<(), Fault> {
        self.inner.pop()
    }
}

/// A log that keeps nothing but the clock: a hybrid one, as everywhere.
#[derive(Debug, Default)]
pub(crate) struct Silent {
    last: Timestamp,
}

impl eqmesh_agent::Log for Silent {
    fn record(&mut self, entry: Entry, now: u64, sender_time: Option<Timestamp>) -> Event {
        let known = sender_time.map_or(self.last, |heard| heard.max(self.last));
        self.last = if now > known.micros {
            Timestamp {
                micros: now,
                logical: 0,
            }
        } else {
            Timestamp {
                logical: known.logical.saturating_add(1),
                ..known
            }
        };
        Event {
            index: 0,
            at: self.last,
            entry,
        }
    }

    fn events(&self, _: u64, _: u32) -> Vec<Event> {
        Vec::new()
    }

    fn metrics(&self) -> Metrics {
        Metrics {
            counts: Vec::new(),
            messages_sent: 0,
            bytes_sent: 0,
            messages_received: 0,
            bytes_received: 0,
            latency: Latency::default(),
            folded: 0,
        }
    }

    fn save(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        put(&mut bytes, self.last.micros);
        put(&mut bytes, u64::from(self.last.logical));
        bytes
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), TimelineError> {
        let mut reader = Reader::new(saved, "saved clock");
        let malformed = |fault: Fault| TimelineError::Malformed(fault.to_string());
        self.last = Timestamp {
            micros: reader.varint().map_err(malformed)?,
            logical: reader.small().map_err(malformed)?,
        };
        reader.end().map_err(malformed)
    }
}

impl Parts for Simulated {
    type Graph = Watched;
    type Signature = <Native as Parts>::Signature;
    type Log = Silent;
    type Network = <Native as Parts>::Network;

    fn graph(&self, agent: AgentId, coloring: bool) -> Watched {
        Watched {
            inner: self.native.graph(agent, coloring),
            mutant: self.mutant,
            repeated: 0,
            claimed: VersionVector::default(),
        }
    }

    fn signature(&self) -> Self::Signature {
        self.native.signature()
    }

    fn log(&self, _: u32) -> Silent {
        Silent::default()
    }

    fn network(&self, me: AgentId, agents: u32, coloring: bool) -> Self::Network {
        self.native.network(me, agents, coloring)
    }

    fn palette(&self) -> Vec<Color> {
        self.native.palette()
    }

    fn initialize(&self, graph: &mut Watched, terms: &[(Option<String>, String)]) -> Result<(), Fault> {
        self.native.initialize(&mut graph.inner, terms)
    }

    fn step(&self, graph: &mut Watched, task: &Task) -> Result<StepReport, Fault> {
        self.native.step(&mut graph.inner, task)
    }

    fn certify(&self, graph: &mut Watched, agents: &[AgentId]) -> bool {
        self.native.certify(&mut graph.inner, agents)
    }

    fn infer_polarity(&self, inference: &Inference) -> Color {
        self.native.infer_polarity(inference)
    }

    fn paint(&self, program: &[u8], color: Color) -> Result<Vec<u8>, String> {
        self.native.paint(program, color)
    }
}
