//! The imported components as the parts of an agent.

use eqmesh_agent::{Diagnostic, Graph, Log, Network, Parts, Signature};
use eqmesh_colors::Inference;
use eqmesh_egraph::color::{Color, ColorCounts, Colors};
use eqmesh_egraph::extract::{CostModel, Extracted};
use eqmesh_egraph::neighbourhood::Neighbourhood;
use eqmesh_egraph::operator::Operator;
use eqmesh_egraph::term::Label;
use eqmesh_guest::{digest_from_wit, operator_from_wit, types, version_from_wit, version_to_wit};
use eqmesh_orchestrator::{
    Barrier, Claim, Entrance, Greeting, Life, Member, MessageKind, NumberSet, OrchestrationError, RosterEntry, Verdict,
    Vote,
};
use eqmesh_replica::{AgentId, Budget, Dot, Explanation, Fault, Row, Settled, Share, Size, StepReport, VersionVector};
use eqmesh_streams::{RuleInfo, Task};
use eqmesh_timeline::{Entry, Event, Metrics, TimelineError, Timestamp};
use eqmesh_transduction::{Compiled, Side, Statement};

use crate::bindings::eqmesh::network::{colors, egraph, orchestrator, rewrite_stream, timeline, transduction};

/// Everything comes from imports, which hold no state of their own.
pub(crate) struct Imports;

/// A digest that another component made; all zeros if it has another length than 32 bytes, which no component of ours answers.
fn digest(bytes: Vec<u8>) -> [u8; 32] {
    digest_from_wit(bytes).unwrap_or_default()
}

/// The same of a name of 16 bytes.
fn name(bytes: &[u8]) -> [u8; 16] {
    bytes.try_into().unwrap_or_default()
}

impl Graph for egraph::Graph {
    fn declare(&mut self, operators: &[Operator]) -> Result<(), Fault> {
        let operators: Vec<types::Operator> = operators.iter().map(types::Operator::from).collect();
        Ok(egraph::Graph::declare(self, &operators)?)
    }

    fn labels(&self) -> Vec<Label> {
        egraph::Graph::labels(self).into_iter().map(Label::from).collect()
    }

    fn operators(&self) -> Vec<Operator> {
        // An operator of primitive sort cannot have been declared.
        let operators = egraph::Graph::operators(self).into_iter();
        operators.filter_map(|own| operator_from_wit(own).ok()).collect()
    }

    fn add_rule(&mut self, program: &[u8]) -> Result<Dot, Fault> {
        Ok(egraph::Graph::add_rule(self, program)?.into())
    }

    fn rules(&self) -> Vec<RuleInfo> {
        let info = |rule: egraph::Rule| RuleInfo {
            fact: rule.fact.into(),
            name: rule.name,
            ruleset: rule.ruleset,
            color: rule.color.into(),
        };
        egraph::Graph::rules(self).into_iter().map(info).collect()
    }

    fn insert(&mut self, term: &str, label: Option<&str>, color: Color) -> Result<(), Fault> {
        egraph::Graph::insert(self, term, label, color.into())?;
        Ok(())
    }

    fn unite(&mut self, left: &str, right: &str) -> Result<(), Fault> {
        egraph::Graph::unite(self, left, right)?;
        Ok(())
    }

    fn derive(&mut self, rules: &[Dot], share: Share, budget: Budget) -> Result<StepReport, Fault> {
        let rules: Vec<types::Dot> = rules.iter().copied().map(types::Dot::from).collect();
        Ok(egraph::Graph::derive(self, &rules, share.into(), budget.into())?.into())
    }

    fn certify(&mut self, agents: &[AgentId]) -> bool {
        let agents: Vec<u32> = agents.iter().map(|agent| agent.0).collect();
        egraph::Graph::certify(self, &agents).is_some()
    }

    fn uncertified(&self) -> Vec<AgentId> {
        egraph::Graph::uncertified(self).into_iter().map(AgentId).collect()
    }

    fn cut(&mut self, stable: &VersionVector) -> Result<Option<Dot>, Fault> {
        Ok(egraph::Graph::cut(self, &version_to_wit(stable))?.map(Dot::from))
    }

    fn close(&mut self, known: &VersionVector) -> Option<Dot> {
        egraph::Graph::close(self, &version_to_wit(known)).map(Dot::from)
    }

    fn open_cut(&self) -> Option<Dot> {
        egraph::Graph::open_cut(self).map(Dot::from)
    }

    fn compact(&mut self) -> bool {
        egraph::Graph::compact(self)
    }

    fn is_void(&self) -> bool {
        egraph::Graph::is_void(self)
    }

    fn resume(&mut self, parts: &[Vec<u8>]) -> u64 {
        egraph::Graph::resume(self, parts)
    }

    fn beginning(&self) -> Option<[u8; 32]> {
        egraph::Graph::beginning(self).map(digest)
    }

    fn last_cut(&self) -> Option<[u8; 32]> {
        egraph::Graph::last_cut(self).map(digest)
    }

    fn offers(&self) -> Vec<[u8; 32]> {
        egraph::Graph::offers(self).into_iter().map(digest).collect()
    }

    fn adopt(&mut self, snapshot: &[u8; 32], agent: AgentId) -> Result<u64, Fault> {
        Ok(egraph::Graph::adopt(self, snapshot, agent.0)?)
    }

    fn discard(&mut self) {
        egraph::Graph::discard(self);
    }

    fn seal(&mut self) -> Option<Vec<u8>> {
        egraph::Graph::seal(self)
    }

    fn receive(&mut self, block: &[u8]) -> Result<(), Fault> {
        Ok(egraph::Graph::receive(self, block)?)
    }

    fn settle(&mut self) -> Settled {
        let settled = egraph::Graph::settle(self);
        Settled {
            accepted: settled.accepted,
            waiting: settled.waiting,
            refused: dots(settled.refused),
            new_nodes: settled.new_nodes,
            unions: settled.unions,
        }
    }

    fn version(&self) -> VersionVector {
        version_from_wit(egraph::Graph::version(self))
    }

    fn delta_since(&self, version: &VersionVector) -> Vec<Vec<u8>> {
        egraph::Graph::delta_since(self, &version_to_wit(version))
    }

    fn state_digest(&self) -> [u8; 32] {
        digest(egraph::Graph::state_digest(self))
    }

    fn meaning_digest(&mut self) -> [u8; 32] {
        digest(egraph::Graph::meaning_digest(self))
    }

    fn snapshot(&mut self) -> Vec<u8> {
        egraph::Graph::snapshot(self)
    }

    fn size(&self) -> Size {
        egraph::Graph::size(self).into()
    }

    fn refused(&self) -> Vec<(Dot, String)> {
        dots(egraph::Graph::refused(self))
    }

    fn query(&mut self, program: &[u8], limit: u64) -> Result<u64, Fault> {
        Ok(egraph::Graph::query(self, program, limit)?)
    }

    fn extract(
        &mut self,
        term: &str,
        variants: u32,
        cost: CostModel,
        within: Option<Colors>,
    ) -> Result<Vec<Extracted>, Fault> {
        let found = egraph::Graph::extract(self, term, variants, cost.into(), within.map(types::Colors::from))?;
        Ok(found.into_iter().map(Extracted::from).collect())
    }

    fn explain(&mut self, left: &str, right: &str) -> Result<Explanation, Fault> {
        Ok(egraph::Graph::explain(self, left, right)?.into())
    }

    fn rows(&mut self, operator: &str, start: u32, limit: u32) -> Result<Vec<Row>, Fault> {
        let rows = egraph::Graph::rows(self, operator, start, limit)?;
        Ok(rows.into_iter().map(Row::from).collect())
    }

    fn neighbourhood(
        &mut self,
        center: Option<&str>,
        expanded: &[String],
        classes: u32,
    ) -> Result<Neighbourhood, Fault> {
        Ok(egraph::Graph::neighbourhood(self, center, expanded, classes)?.into())
    }

    fn search(&mut self, text: &str, limit: u32) -> (Vec<String>, bool) {
        egraph::Graph::search(self, text, limit)
    }

    fn color_counts(&self) -> ColorCounts {
        egraph::Graph::color_counts(self).into()
    }

    fn applied(&self, fact: Dot) -> Vec<(String, u64)> {
        egraph::Graph::applied(self, fact.into())
    }

    fn sizes(&self) -> Vec<(String, u64)> {
        egraph::Graph::sizes(self)
    }

    fn contradictions(&mut self) -> Vec<Vec<String>> {
        egraph::Graph::contradictions(self)
    }

    fn push(&mut self) {
        egraph::Graph::push(self);
    }

    fn pop(&mut self) -> Result<(), Fault> {
        Ok(egraph::Graph::pop(self)?)
    }
}

fn dots(own: Vec<(types::Dot, String)>) -> Vec<(Dot, String)> {
    own.into_iter().map(|(dot, reason)| (dot.into(), reason)).collect()
}

fn diagnostics(own: Vec<types::Diagnostic>) -> Vec<Diagnostic> {
    let convert = |own: types::Diagnostic| Diagnostic {
        code: own.code,
        message: own.message,
        help: own.help,
        start: own.start,
        end: own.end,
        error: own.error,
    };
    own.into_iter().map(convert).collect()
}

/// What stands where the answer of another component makes no sense.
fn nonsense(fault: &Fault) -> Vec<Diagnostic> {
    vec![Diagnostic {
        code: "malformed".to_owned(),
        message: fault.to_string(),
        help: String::new(),
        start: 0,
        end: 0,
        error: true,
    }]
}

fn compiled(own: transduction::Compiled) -> Compiled {
    let side = |own: types::Side| Side {
        weight: own.weight,
        left_first: own.left_first,
        right_first: own.right_first,
    };
    Compiled {
        name: own.name,
        ruleset: own.ruleset,
        inference: eqmesh_transduction::Inference {
            declared: own.inference.declared.map(Color::from),
            left: side(own.inference.left),
            right: side(own.inference.right),
            reversed: own.inference.reversed,
        },
        program: own.program,
        text: own.text,
    }
}

fn statement(own: transduction::Statement) -> Result<Statement, Fault> {
    Ok(match own {
        transduction::Statement::Declaration(operators) => {
            Statement::Declaration(operators.into_iter().map(operator_from_wit).collect::<Result<_, _>>()?)
        }
        transduction::Statement::Rules(rules) => Statement::Rules(rules.into_iter().map(compiled).collect()),
        transduction::Statement::Term((label, text)) => Statement::Term(label, text),
        transduction::Statement::Equality((left, right)) => Statement::Equality(left, right),
        transduction::Statement::Ruleset(name) => Statement::Ruleset(name),
    })
}

impl Signature for transduction::Signature {
    fn learn(&mut self, operators: &[Operator], labels: &[Label], rulesets: &[String]) {
        let operators: Vec<types::Operator> = operators.iter().map(types::Operator::from).collect();
        let labels: Vec<types::Label> = labels.iter().cloned().map(types::Label::from).collect();
        transduction::Signature::learn(self, &operators, &labels, rulesets);
    }

    fn elaborate(&mut self, text: &str) -> Result<Vec<Statement>, Vec<Diagnostic>> {
        let said = transduction::Signature::elaborate(self, text).map_err(diagnostics)?;
        said.into_iter()
            .map(statement)
            .collect::<Result<_, _>>()
            .map_err(|fault| nonsense(&fault))
    }

    fn compile_query(&self, text: &str) -> Result<Vec<u8>, Vec<Diagnostic>> {
        transduction::Signature::compile_query(self, text).map_err(diagnostics)
    }

    fn resolve(&self, text: &str) -> Result<(String, String), Vec<Diagnostic>> {
        transduction::Signature::resolve(self, text).map_err(diagnostics)
    }

    fn push(&mut self) {
        transduction::Signature::push(self);
    }

    fn pop(&mut self) -> bool {
        transduction::Signature::pop(self)
    }

    fn keep(&mut self) -> bool {
        transduction::Signature::keep(self)
    }
}

impl Log for timeline::Log {
    fn record(&mut self, entry: Entry, now: u64, sender_time: Option<Timestamp>) -> Event {
        let sender_time = sender_time.map(types::Timestamp::from);
        timeline::Log::record(self, &types::Entry::from(entry), now, sender_time).into()
    }

    fn events(&self, from: u64, limit: u32) -> Vec<Event> {
        timeline::Log::events(self, from, limit)
            .into_iter()
            .map(Event::from)
            .collect()
    }

    fn metrics(&self) -> Metrics {
        timeline::Log::metrics(self).into()
    }

    fn save(&self) -> Vec<u8> {
        timeline::Log::save(self)
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), TimelineError> {
        timeline::Log::load(self, saved).map_err(|own| match own {
            timeline::TimelineError::Absent(index) => TimelineError::Absent(index),
            timeline::TimelineError::Malformed(why) => TimelineError::Malformed(why),
        })
    }
}

fn barrier(own: Barrier) -> orchestrator::Barrier {
    match own {
        Barrier::Derived => orchestrator::Barrier::Derived,
        Barrier::Certified => orchestrator::Barrier::Certified,
        Barrier::Compared => orchestrator::Barrier::Compared,
    }
}

fn barrier_from_wit(own: orchestrator::Barrier) -> Barrier {
    match own {
        orchestrator::Barrier::Derived => Barrier::Derived,
        orchestrator::Barrier::Certified => Barrier::Certified,
        orchestrator::Barrier::Compared => Barrier::Compared,
    }
}

fn misfit(own: orchestrator::OrchestrationError) -> OrchestrationError {
    match own {
        orchestrator::OrchestrationError::Stranger(agent) => OrchestrationError::Stranger(AgentId(agent)),
        orchestrator::OrchestrationError::Stale(round) => OrchestrationError::Stale(round),
        orchestrator::OrchestrationError::Premature(round) => OrchestrationError::Premature(round),
        orchestrator::OrchestrationError::Topic(topic) => OrchestrationError::Topic(topic),
        orchestrator::OrchestrationError::Malformed(why) => OrchestrationError::Malformed(why),
        orchestrator::OrchestrationError::Misplaced(why) => OrchestrationError::Misplaced(why),
    }
}

impl Network for orchestrator::Network {
    fn members(&self) -> Vec<Member> {
        orchestrator::Network::members(self)
            .into_iter()
            .map(Member::from)
            .collect()
    }

    fn shares(&self, agent: AgentId) -> Result<Vec<(Color, Share)>, OrchestrationError> {
        let shares = orchestrator::Network::shares(self, agent.0).map_err(misfit)?;
        Ok(shares
            .into_iter()
            .map(|(color, share)| (color.into(), share.into()))
            .collect())
    }

    fn certifies(&self, agent: AgentId) -> Result<Vec<AgentId>, OrchestrationError> {
        let agents = orchestrator::Network::certifies(self, agent.0).map_err(misfit)?;
        Ok(agents.into_iter().map(AgentId).collect())
    }

    fn begin_round(&mut self) -> Result<u32, OrchestrationError> {
        orchestrator::Network::begin_round(self).map_err(misfit)
    }

    fn round(&self) -> (u32, Option<Barrier>) {
        let (round, awaited) = orchestrator::Network::round(self);
        (round, awaited.map(barrier_from_wit))
    }

    fn arrive(&mut self, agent: AgentId, round: u32, reached: Barrier) -> Result<bool, OrchestrationError> {
        orchestrator::Network::arrive(self, agent.0, round, barrier(reached)).map_err(misfit)
    }

    fn ready(&self) -> bool {
        orchestrator::Network::ready(self)
    }

    fn advance(&mut self) -> Result<Option<Barrier>, OrchestrationError> {
        let next = orchestrator::Network::advance(self).map_err(misfit)?;
        Ok(next.map(barrier_from_wit))
    }

    fn cast(&mut self, agent: AgentId, round: u32, vote: Vote) -> Result<(), OrchestrationError> {
        orchestrator::Network::cast(self, agent.0, round, &vote.into()).map_err(misfit)
    }

    fn verdict(&self) -> Option<Verdict> {
        orchestrator::Network::verdict(self).map(Verdict::from)
    }

    fn topic(
        &self,
        kind: MessageKind,
        sender: AgentId,
        receiver: Option<AgentId>,
    ) -> Result<String, OrchestrationError> {
        let receiver = receiver.map(|receiver| receiver.0);
        orchestrator::Network::topic(self, kind.into(), sender.0, receiver).map_err(misfit)
    }

    fn parse_topic(&self, topic: &str) -> Result<(MessageKind, Option<AgentId>), OrchestrationError> {
        let (kind, agent) = orchestrator::Network::parse_topic(self, topic).map_err(misfit)?;
        Ok((kind.into(), agent.map(AgentId)))
    }

    fn enter(&mut self, entrance: Entrance) -> Result<(), OrchestrationError> {
        orchestrator::Network::enter(self, entrance.into()).map_err(misfit)
    }

    fn claim(&self) -> Option<Claim> {
        orchestrator::Network::claim(self).map(Claim::from)
    }

    fn claim_of(&self, number: u32) -> Option<Claim> {
        orchestrator::Network::claim_of(self, number).map(Claim::from)
    }

    fn superseded(&self) -> Option<Claim> {
        orchestrator::Network::superseded(self).map(Claim::from)
    }

    fn doubles(&self) -> Vec<(u32, Claim, Claim)> {
        let doubles = orchestrator::Network::doubles(self).into_iter();
        doubles
            .map(|(number, old, new)| (number, old.into(), new.into()))
            .collect()
    }

    fn live(&mut self, life: Life) {
        orchestrator::Network::live(self, life.into());
    }

    fn learn(&mut self, entries: &[RosterEntry]) -> bool {
        let entries: Vec<(u32, types::Claim)> = entries.iter().map(|&(number, claim)| (number, claim.into())).collect();
        orchestrator::Network::learn(self, &entries)
    }

    fn greet(&mut self, number: u32, claim: Claim) -> Greeting {
        match orchestrator::Network::greet(self, number, claim.into()) {
            orchestrator::Greeting::Current => Greeting::Current,
            orchestrator::Greeting::Superseded => Greeting::Superseded,
        }
    }

    fn claims_since(&self, revision: u64, limit: u32) -> (Vec<RosterEntry>, u64) {
        let (entries, upto) = orchestrator::Network::claims_since(self, revision, limit);
        let entries = entries.into_iter().map(|(number, claim)| (number, claim.into()));
        (entries.collect(), upto)
    }

    fn roster_digest(&self) -> [u8; 16] {
        name(&orchestrator::Network::roster_digest(self))
    }

    fn view(&self) -> [u8; 16] {
        name(&orchestrator::Network::view(self))
    }

    fn certifier(&self, number: u32) -> Option<u32> {
        orchestrator::Network::certifier(self, number)
    }

    fn neighbours(&self, agent: AgentId) -> Result<Vec<AgentId>, OrchestrationError> {
        let neighbours = orchestrator::Network::neighbours(self, agent.0).map_err(misfit)?;
        Ok(neighbours.into_iter().map(AgentId).collect())
    }

    fn hear(&mut self, number: u32, now: u64) {
        orchestrator::Network::hear(self, number, now);
    }

    fn review(&mut self, now: u64) -> Vec<u32> {
        orchestrator::Network::review(self, now)
    }

    fn next_absent(&mut self) -> Option<u32> {
        orchestrator::Network::next_absent(self)
    }

    fn turn_to(&mut self, subject: [u8; 16]) {
        orchestrator::Network::turn_to(self, &subject);
    }

    fn vouch(&mut self) {
        orchestrator::Network::vouch(self);
    }

    fn count(&mut self, subject: [u8; 16], vouchers: &NumberSet) {
        orchestrator::Network::count(self, &subject, &vouchers.to_bytes());
    }

    fn statement(&self) -> ([u8; 16], NumberSet) {
        let (subject, vouchers) = orchestrator::Network::statement(self);
        (name(&subject), NumberSet::from_bytes(&vouchers).unwrap_or_default())
    }

    fn agreed(&self) -> bool {
        orchestrator::Network::agreed(self)
    }

    fn save(&self) -> Result<Vec<u8>, OrchestrationError> {
        orchestrator::Network::save(self).map_err(misfit)
    }

    fn load(&mut self, saved: &[u8], now: u64) -> Result<(), OrchestrationError> {
        orchestrator::Network::load(self, saved, now).map_err(misfit)
    }
}

impl Parts for Imports {
    type Graph = egraph::Graph;
    type Signature = transduction::Signature;
    type Log = timeline::Log;
    type Network = orchestrator::Network;

    fn graph(&self, agent: AgentId, coloring: bool) -> egraph::Graph {
        egraph::Graph::new(egraph::Options {
            agent: agent.0,
            coloring,
        })
    }

    fn signature(&self) -> transduction::Signature {
        transduction::Signature::new()
    }

    fn log(&self, capacity: u32) -> timeline::Log {
        timeline::Log::new(capacity)
    }

    fn network(&self, me: AgentId, agents: u32, coloring: bool) -> orchestrator::Network {
        orchestrator::Network::new(me.0, agents, coloring, orchestrator::Topology::Mesh)
    }

    fn palette(&self) -> Vec<Color> {
        rewrite_stream::palette().into_iter().map(Color::from).collect()
    }

    fn initialize(&self, graph: &mut egraph::Graph, terms: &[(Option<String>, String)]) -> Result<(), Fault> {
        Ok(rewrite_stream::initialize(graph, terms)?)
    }

    fn step(&self, graph: &mut egraph::Graph, task: &Task) -> Result<StepReport, Fault> {
        Ok(rewrite_stream::step(graph, &types::Task::from(task))?.into())
    }

    fn certify(&self, graph: &mut egraph::Graph, agents: &[AgentId]) -> bool {
        let agents: Vec<u32> = agents.iter().map(|agent| agent.0).collect();
        rewrite_stream::certify(graph, &agents)
    }

    fn infer_polarity(&self, inference: &Inference) -> Color {
        colors::infer_polarity(&types::Inference::from(inference.clone())).into()
    }

    fn paint(&self, program: &[u8], color: Color) -> Result<Vec<u8>, String> {
        transduction::paint(program, color.into())
    }
}
