//! The parts as plain Rust, in this process: what the components are made of.

use eqmesh_colors::Inference;
use eqmesh_egraph::color::{Color, ColorCounts, Colors};
use eqmesh_egraph::extract::{CostModel, Extracted};
use eqmesh_egraph::neighbourhood::Neighbourhood;
use eqmesh_egraph::operator::Operator;
use eqmesh_egraph::term::Label;
use eqmesh_orchestrator::{
    Barrier, Claim, Entrance, Greeting, Life, Member, MessageKind, NumberSet, OrchestrationError, RosterEntry,
    Topology, Verdict, Vote,
};
use eqmesh_replica::{
    AgentId, Budget, Dot, Explanation, Fault, Options, Replica, Row, Settled, Share, Size, StepReport, VersionVector,
};
use eqmesh_streams::{RuleInfo, Stream, Task, step_all};
use eqmesh_timeline::{Entry, Event, Metrics, TimelineError, Timestamp};
use eqmesh_transduction::Statement;

use crate::ports::{Diagnostic, Graph, Log, Network, Parts, Signature};

/// The plain parts with the streams of these colors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Native {
    palette: Vec<Color>,
}

impl Native {
    /// With the stream of one color.
    pub fn of_color(color: Color) -> Native {
        Native { palette: vec![color] }
    }

    /// With all three streams, for a network of one or two.
    pub fn solo() -> Native {
        Native {
            palette: Color::ALL.to_vec(),
        }
    }

    /// For the agent of this number in a network of so many: red, blue and green in turn from three agents on.
    pub fn of_member(number: u32, agents: u32) -> Native {
        match agents {
            1 | 2 => Native::solo(),
            _ => Native::of_color(Color::ALL[number as usize % Color::ALL.len()]),
        }
    }

    /// The streams that do what only one color does.
    fn stream(&self, color: Color) -> Stream {
        Stream(if self.palette.contains(&color) {
            color
        } else {
            self.palette[0]
        })
    }
}

/// A replica, and the copies that `push` kept.
#[derive(Debug)]
pub struct Kept {
    replica: Replica,
    kept: Vec<Replica>,
}

impl Graph for Kept {
    fn declare(&mut self, operators: &[Operator]) -> Result<(), Fault> {
        self.replica.declare(operators)
    }

    fn labels(&self) -> Vec<Label> {
        self.replica.labels()
    }

    fn operators(&self) -> Vec<Operator> {
        self.replica.operators()
    }

    fn add_rule(&mut self, program: &[u8]) -> Result<Dot, Fault> {
        self.replica.add_rule(program)
    }

    fn rules(&self) -> Vec<RuleInfo> {
        eqmesh_streams::Graph::rules(&self.replica)
    }

    fn insert(&mut self, term: &str, label: Option<&str>, color: Color) -> Result<(), Fault> {
        self.replica.insert(term, label, color).map(|_| ())
    }

    fn unite(&mut self, left: &str, right: &str) -> Result<(), Fault> {
        self.replica.unite(left, right).map(|_| ())
    }

    fn derive(&mut self, rules: &[Dot], share: Share, budget: Budget) -> Result<StepReport, Fault> {
        self.replica.derive(rules, share, budget)
    }

    fn certify(&mut self, agents: &[AgentId]) -> bool {
        self.replica.certify(agents).is_some()
    }

    fn uncertified(&self) -> Vec<AgentId> {
        self.replica.uncertified()
    }

    fn cut(&mut self, stable: &VersionVector) -> Result<Option<Dot>, Fault> {
        self.replica.cut(stable)
    }

    fn close(&mut self, known: &VersionVector) -> Option<Dot> {
        self.replica.close(known)
    }

    fn open_cut(&self) -> Option<Dot> {
        self.replica.open_cut()
    }

    fn compact(&mut self) -> bool {
        self.replica.compact()
    }

    fn is_void(&self) -> bool {
        self.replica.is_void()
    }

    fn resume(&mut self, parts: &[Vec<u8>]) -> u64 {
        self.replica.resume(parts)
    }

    fn beginning(&self) -> Option<[u8; 32]> {
        self.replica.beginning()
    }

    fn last_cut(&self) -> Option<[u8; 32]> {
        self.replica.last_cut()
    }

    fn offers(&self) -> Vec<[u8; 32]> {
        self.replica.offers().copied().collect()
    }

    fn adopt(&mut self, snapshot: &[u8; 32], agent: AgentId) -> Result<u64, Fault> {
        self.replica.adopt(snapshot, agent)
    }

    fn discard(&mut self) {
        self.replica.discard();
    }

    fn seal(&mut self) -> Option<Vec<u8>> {
        self.replica.seal()
    }

    fn receive(&mut self, block: &[u8]) -> Result<(), Fault> {
        self.replica.receive(block)
    }

    fn settle(&mut self) -> Settled {
        self.replica.settle()
    }

    fn version(&self) -> VersionVector {
        self.replica.version()
    }

    fn delta_since(&self, version: &VersionVector) -> Vec<Vec<u8>> {
        self.replica
            .delta_since(version)
            .iter()
            .map(|block| block.to_vec())
            .collect()
    }

    fn state_digest(&self) -> [u8; 32] {
        self.replica.state_digest()
    }

    fn meaning_digest(&mut self) -> [u8; 32] {
        self.replica.meaning_digest()
    }

    fn snapshot(&mut self) -> Vec<u8> {
        self.replica.snapshot()
    }

    fn size(&self) -> Size {
        self.replica.size()
    }

    fn refused(&self) -> Vec<(Dot, String)> {
        self.replica
            .refused()
            .map(|(dot, reason)| (dot, reason.to_owned()))
            .collect()
    }

    fn query(&mut self, program: &[u8], limit: u64) -> Result<u64, Fault> {
        self.replica.query(program, limit)
    }

    fn extract(
        &mut self,
        term: &str,
        variants: u32,
        cost: CostModel,
        within: Option<Colors>,
    ) -> Result<Vec<Extracted>, Fault> {
        self.replica
            .extract(term, variants, cost, within.unwrap_or(Colors::MADE))
    }

    fn explain(&mut self, left: &str, right: &str) -> Result<Explanation, Fault> {
        self.replica.explain(left, right)
    }

    fn rows(&mut self, operator: &str, start: u32, limit: u32) -> Result<Vec<Row>, Fault> {
        self.replica.rows(operator, start, limit)
    }

    fn neighbourhood(
        &mut self,
        center: Option<&str>,
        expanded: &[String],
        classes: u32,
    ) -> Result<Neighbourhood, Fault> {
        self.replica.neighbourhood(center, expanded, classes)
    }

    fn search(&mut self, text: &str, limit: u32) -> (Vec<String>, bool) {
        self.replica.search(text, limit)
    }

    fn color_counts(&self) -> ColorCounts {
        self.replica.color_counts()
    }

    fn applied(&self, fact: Dot) -> Vec<(String, u64)> {
        self.replica.applied(fact)
    }

    fn sizes(&self) -> Vec<(String, u64)> {
        self.replica.sizes()
    }

    fn contradictions(&mut self) -> Vec<Vec<String>> {
        self.replica.contradictions()
    }

    fn push(&mut self) {
        self.kept.push(self.replica.clone());
    }

    fn pop(&mut self) -> Result<(), Fault> {
        let kept = self.kept.pop();
        self.replica = kept.ok_or_else(|| Fault::Misplaced("there is no `push` before this `pop`".to_owned()))?;
        Ok(())
    }
}

fn diagnostics(own: Vec<eqmesh_transduction::Diagnostic>) -> Vec<Diagnostic> {
    own.into_iter().map(Diagnostic::from).collect()
}

impl Signature for eqmesh_transduction::Signature {
    fn learn(&mut self, operators: &[Operator], labels: &[Label], rulesets: &[String]) {
        eqmesh_transduction::Signature::learn(self, operators, labels, rulesets);
    }

    fn elaborate(&mut self, text: &str) -> Result<Vec<Statement>, Vec<Diagnostic>> {
        let said = eqmesh_transduction::Signature::elaborate(self, text).map_err(diagnostics)?;
        Ok(said.statements)
    }

    fn compile_query(&self, text: &str) -> Result<Vec<u8>, Vec<Diagnostic>> {
        eqmesh_transduction::Signature::compile_query(self, text).map_err(diagnostics)
    }

    fn resolve(&self, text: &str) -> Result<(String, String), Vec<Diagnostic>> {
        eqmesh_transduction::Signature::resolve(self, text).map_err(diagnostics)
    }

    fn push(&mut self) {
        eqmesh_transduction::Signature::push(self);
    }

    fn pop(&mut self) -> bool {
        eqmesh_transduction::Signature::pop(self)
    }

    fn keep(&mut self) -> bool {
        eqmesh_transduction::Signature::keep(self)
    }
}

impl Log for eqmesh_timeline::Log {
    fn record(&mut self, entry: Entry, now: u64, sender_time: Option<Timestamp>) -> Event {
        eqmesh_timeline::Log::record(self, entry, now, sender_time)
    }

    fn events(&self, from: u64, limit: u32) -> Vec<Event> {
        eqmesh_timeline::Log::events(self, from, limit)
    }

    fn metrics(&self) -> Metrics {
        eqmesh_timeline::Log::metrics(self)
    }

    fn save(&self) -> Vec<u8> {
        eqmesh_timeline::Log::save(self)
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), TimelineError> {
        eqmesh_timeline::Log::load(self, saved)
    }
}

impl Network for eqmesh_orchestrator::Network {
    fn members(&self) -> Vec<Member> {
        eqmesh_orchestrator::Network::members(self)
    }

    fn shares(&self, agent: AgentId) -> Result<Vec<(Color, Share)>, OrchestrationError> {
        eqmesh_orchestrator::Network::shares(self, agent)
    }

    fn certifies(&self, agent: AgentId) -> Result<Vec<AgentId>, OrchestrationError> {
        eqmesh_orchestrator::Network::certifies(self, agent)
    }

    fn begin_round(&mut self) -> Result<u32, OrchestrationError> {
        eqmesh_orchestrator::Network::begin_round(self)
    }

    fn round(&self) -> (u32, Option<Barrier>) {
        eqmesh_orchestrator::Network::round(self)
    }

    fn arrive(&mut self, agent: AgentId, round: u32, barrier: Barrier) -> Result<bool, OrchestrationError> {
        eqmesh_orchestrator::Network::arrive(self, agent, round, barrier)
    }

    fn ready(&self) -> bool {
        eqmesh_orchestrator::Network::ready(self)
    }

    fn advance(&mut self) -> Result<Option<Barrier>, OrchestrationError> {
        eqmesh_orchestrator::Network::advance(self)
    }

    fn cast(&mut self, agent: AgentId, round: u32, vote: Vote) -> Result<(), OrchestrationError> {
        eqmesh_orchestrator::Network::cast(self, agent, round, vote)
    }

    fn verdict(&self) -> Option<Verdict> {
        eqmesh_orchestrator::Network::verdict(self)
    }

    fn topic(
        &self,
        kind: MessageKind,
        sender: AgentId,
        receiver: Option<AgentId>,
    ) -> Result<String, OrchestrationError> {
        eqmesh_orchestrator::Network::topic(self, kind, sender, receiver)
    }

    fn parse_topic(&self, topic: &str) -> Result<(MessageKind, Option<AgentId>), OrchestrationError> {
        eqmesh_orchestrator::Network::parse_topic(self, topic)
    }

    fn enter(&mut self, entrance: Entrance) -> Result<(), OrchestrationError> {
        eqmesh_orchestrator::Network::enter(self, entrance)
    }

    fn claim(&self) -> Option<Claim> {
        eqmesh_orchestrator::Network::claim(self)
    }

    fn claim_of(&self, number: u32) -> Option<Claim> {
        eqmesh_orchestrator::Network::claim_of(self, number)
    }

    fn superseded(&self) -> Option<Claim> {
        eqmesh_orchestrator::Network::superseded(self)
    }

    fn doubles(&self) -> Vec<(u32, Claim, Claim)> {
        eqmesh_orchestrator::Network::doubles(self)
    }

    fn live(&mut self, life: Life) {
        eqmesh_orchestrator::Network::live(self, life);
    }

    fn learn(&mut self, entries: &[RosterEntry]) -> bool {
        eqmesh_orchestrator::Network::learn(self, entries)
    }

    fn greet(&mut self, number: u32, claim: Claim) -> Greeting {
        eqmesh_orchestrator::Network::greet(self, number, claim)
    }

    fn claims_since(&self, revision: u64, limit: u32) -> (Vec<RosterEntry>, u64) {
        eqmesh_orchestrator::Network::claims_since(self, revision, limit)
    }

    fn roster_digest(&self) -> [u8; 16] {
        eqmesh_orchestrator::Network::roster_digest(self)
    }

    fn view(&self) -> [u8; 16] {
        eqmesh_orchestrator::Network::view(self)
    }

    fn certifier(&self, number: u32) -> Option<u32> {
        eqmesh_orchestrator::Network::certifier(self, number)
    }

    fn neighbours(&self, agent: AgentId) -> Result<Vec<AgentId>, OrchestrationError> {
        eqmesh_orchestrator::Network::neighbours(self, agent)
    }

    fn hear(&mut self, number: u32, now: u64) {
        eqmesh_orchestrator::Network::hear(self, number, now);
    }

    fn review(&mut self, now: u64) -> Vec<u32> {
        eqmesh_orchestrator::Network::review(self, now)
    }

    fn next_absent(&mut self) -> Option<u32> {
        eqmesh_orchestrator::Network::next_absent(self)
    }

    fn turn_to(&mut self, subject: [u8; 16]) {
        eqmesh_orchestrator::Network::turn_to(self, subject);
    }

    fn vouch(&mut self) {
        eqmesh_orchestrator::Network::vouch(self);
    }

    fn count(&mut self, subject: [u8; 16], vouchers: &NumberSet) {
        eqmesh_orchestrator::Network::count(self, subject, vouchers);
    }

    fn statement(&self) -> ([u8; 16], NumberSet) {
        eqmesh_orchestrator::Network::statement(self)
    }

    fn agreed(&self) -> bool {
        eqmesh_orchestrator::Network::agreed(self)
    }

    fn save(&self) -> Result<Vec<u8>, OrchestrationError> {
        eqmesh_orchestrator::Network::save(self)
    }

    fn load(&mut self, saved: &[u8], now: u64) -> Result<(), OrchestrationError> {
        eqmesh_orchestrator::Network::load(self, saved, now)
    }
}

impl Parts for Native {
    type Graph = Kept;
    type Signature = eqmesh_transduction::Signature;
    type Log = eqmesh_timeline::Log;
    type Network = eqmesh_orchestrator::Network;

    fn graph(&self, agent: AgentId, coloring: bool) -> Kept {
        Kept {
            replica: Replica::new(Options { agent, coloring }),
            kept: Vec::new(),
        }
    }

    fn signature(&self) -> eqmesh_transduction::Signature {
        eqmesh_transduction::Signature::new()
    }

    fn log(&self, capacity: u32) -> eqmesh_timeline::Log {
        eqmesh_timeline::Log::new(capacity)
    }

    fn network(&self, me: AgentId, agents: u32, coloring: bool) -> eqmesh_orchestrator::Network {
        eqmesh_orchestrator::Network::new(me, agents, coloring, Topology::Mesh)
    }

    fn palette(&self) -> Vec<Color> {
        self.palette.clone()
    }

    fn initialize(&self, graph: &mut Kept, terms: &[(Option<String>, String)]) -> Result<(), Fault> {
        self.stream(Color::Red).initialize(&mut graph.replica, terms)
    }

    fn step(&self, graph: &mut Kept, task: &Task) -> Result<StepReport, Fault> {
        match self.palette[..] {
            [own] => Stream(own).step(&mut graph.replica, task),
            _ => step_all(task, |color, task| Stream(color).step(&mut graph.replica, task)),
        }
    }

    fn certify(&self, graph: &mut Kept, agents: &[AgentId]) -> bool {
        self.stream(Color::Green).certify(&mut graph.replica, agents)
    }

    fn infer_polarity(&self, inference: &Inference) -> Color {
        eqmesh_colors::infer_polarity(inference)
    }

    fn paint(&self, program: &[u8], color: Color) -> Result<Vec<u8>, String> {
        eqmesh_transduction::paint(program, color).map_err(|error| error.to_string())
    }
}
