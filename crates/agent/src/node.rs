//! The agent: texts, rounds and messages.
//!
//! # A round
//!
//! Every member searches its share of one and the same state, then all exchange what they found, then GREEN certifies, then digests are compared. Three
//! barriers keep the phases apart (see [`Barrier`]), and no fact takes effect before its barrier is passed. So the state after a round is a function of the
//! state before it, whatever the order in which messages arrive and however often.
//!
//! | barrier | what everybody waits for | what happens when it is passed |
//! |---|---|---|
//! | derived | a `state` message of every member: the facts that its share brought | they are settled; GREEN certifies |
//! | certified | a `state` message of every GREEN member: its certificate | they are settled |
//! | compared | a `heartbeat` of every member: its digest and what it says of its share | the round is over: see [`Node::verdict`] |

use std::collections::{BTreeMap, BTreeSet};

use eqmesh_colors::{Inference, Side};
use eqmesh_egraph::color::{Color, Colors};
use eqmesh_egraph::extract::{CostModel, Extracted};
use eqmesh_orchestrator::{Barrier, OrchestrationError, Verdict};
use eqmesh_replica::{AgentId, Budget, Dot, ExplanationStep, Fault, Share, Size};
use eqmesh_streams::Task;
use eqmesh_timeline::{Entry, Event, EventKind, Metrics, Phase, Timestamp};
use eqmesh_transduction::{Compiled, Statement};

use crate::message::{Ballot, Body, Message, Stage};
use crate::ports::{Diagnostic, Graph, Log, Network, Parts, Signature};

/// The most bytes of facts that are kept for later: those of submissions that arrive within a round.
const MAX_KEPT: usize = 256 << 20;

/// How an agent is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Its number, from 0.
    pub id: AgentId,
    /// How many agents the network has.
    pub agents: u32,
    /// Whether the 3-coloring constraint and certification are kept.
    pub coloring: bool,
    /// Events that the timeline keeps.
    pub timeline_capacity: u32,
}

/// What to do in one round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundTask {
    /// Only rules of this ruleset are run. The default ruleset is the empty name.
    pub ruleset: String,
    /// For the whole network; each agent takes its part.
    pub budget: Budget,
}

/// An agent at a glance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Its number.
    pub id: AgentId,
    /// Its color; none if it has several.
    pub color: Option<Color>,
    /// The size of its e-graph.
    pub size: Size,
    /// Covers the facts that it has settled.
    pub state_digest: [u8; 32],
    /// A broadcast counts once.
    pub messages_sent: u64,
    /// Bodies only.
    pub bytes_sent: u64,
    /// Repetitions included.
    pub messages_received: u64,
    /// Bodies only.
    pub bytes_received: u64,
    /// Facts that were refused, with the reason.
    pub refused: Vec<(Dot, String)>,
}

/// One agent. See the module's documentation for how rounds go.
#[derive(Debug)]
pub struct Node<P: Parts> {
    config: Config,
    parts: P,
    palette: Vec<Color>,
    graph: P::Graph,
    signature: P::Signature,
    log: P::Log,
    network: P::Network,
    rulesets: BTreeSet<String>,
    /// What the rulesets were at each `push`.
    scopes: Vec<BTreeSet<String>>,
    /// Whether the signature lacks what other agents declared.
    unlearned: bool,
    next_message: u64,
    /// What this agent's share brought in the round under way.
    ballot: Ballot,
    /// Blocks that came before their barrier was awaited here.
    early: BTreeMap<(u32, Barrier), Vec<Vec<u8>>>,
    /// Blocks that came within a round and belong to none.
    outside: Vec<Vec<u8>>,
    outside_bytes: usize,
    sent: (u64, u64),
    received: (u64, u64),
}

/// What a network says of a message or a call that does not fit.
fn misfit(error: OrchestrationError) -> Fault {
    let text = error.to_string();
    match error {
        OrchestrationError::Stranger(_) | OrchestrationError::Topic(_) => Fault::Malformed(text),
        _ => Fault::Misplaced(text),
    }
}

/// Of a budget for `count` agents, the part of the agent at this place.
fn part(whole: u64, index: u32, count: u32) -> u64 {
    if whole == u64::MAX {
        return whole;
    }
    let (index, count) = (u64::from(index), u64::from(count));
    whole / count + u64::from(index < whole % count)
}

/// The phase that a step of an agent with these colors belongs to.
fn phase(palette: &[Color]) -> Phase {
    match palette {
        [Color::Blue] => Phase::Backfill,
        [Color::Green] => Phase::Verify,
        _ => Phase::Live,
    }
}

fn inference(own: &Compiled) -> Inference {
    let side = |weight, left_first: &str, right_first: &str| Side {
        weight,
        left_first: left_first.to_owned(),
        right_first: right_first.to_owned(),
    };
    let (left, right) = (&own.inference.left, &own.inference.right);
    Inference {
        declared: own.inference.declared,
        left: side(left.weight, &left.left_first, &left.right_first),
        right: side(right.weight, &right.left_first, &right.right_first),
        reversed: own.inference.reversed,
    }
}

impl<P: Parts> Node<P> {
    /// An agent that knows nothing yet.
    pub fn new(config: Config, parts: P) -> Node<P> {
        Node {
            palette: parts.palette(),
            graph: parts.graph(config.id, config.coloring),
            signature: parts.signature(),
            log: parts.log(config.timeline_capacity),
            network: parts.network(config.id, config.agents, config.coloring),
            config,
            parts,
            rulesets: BTreeSet::new(),
            scopes: Vec::new(),
            unlearned: false,
            next_message: 0,
            ballot: Ballot::default(),
            early: BTreeMap::new(),
            outside: Vec::new(),
            outside_bytes: 0,
            sent: (0, 0),
            received: (0, 0),
        }
    }

    /// Takes in declarations, rules and terms; answers the message that tells the others. All or nothing.
    pub fn submit(&mut self, text: &str, now: u64) -> Result<Vec<Message>, Vec<Diagnostic>> {
        if self.network.round().1.is_some() {
            let fault = Fault::Misplaced("a round is under way: submit again when it is over".to_owned());
            return Err(vec![Diagnostic::of_fault(fault, text)]);
        }
        self.learn();
        self.signature.push();
        let said = self.signature.elaborate(text).and_then(|statements| {
            self.state(statements).map_err(|fault| {
                self.graph.discard();
                vec![Diagnostic::of_fault(fault, text)]
            })
        });
        let rulesets = match said {
            Ok(rulesets) => rulesets,
            Err(diagnostics) => {
                self.signature.pop();
                return Err(diagnostics);
            }
        };
        self.signature.keep();
        self.rulesets.extend(rulesets.iter().cloned());
        let block = self.graph.seal();
        self.settle(now, Phase::Reconcile);
        if block.is_none() && rulesets.is_empty() {
            return Ok(Vec::new());
        }
        let body = Body::State {
            reached: None,
            rulesets,
            block,
        };
        Ok(vec![self.send(None, &body, now, Phase::Reconcile)])
    }

    /// Makes facts of statements; answers the rulesets that they declare.
    fn state(&mut self, statements: Vec<Statement>) -> Result<Vec<String>, Fault> {
        let mut rulesets = Vec::new();
        for statement in statements {
            match statement {
                Statement::Declaration(operators) => self.graph.declare(&operators)?,
                Statement::Rules(rules) => {
                    for rule in rules {
                        let color = self.parts.infer_polarity(&inference(&rule));
                        let program = self.parts.paint(&rule.program, color).map_err(Fault::Malformed)?;
                        self.graph.add_rule(&program)?;
                    }
                }
                // To insert the user's terms is RED work; any other agent does it by itself.
                Statement::Term(label, text) if self.palette.contains(&Color::Red) => {
                    self.parts.initialize(&mut self.graph, &[(label, text)])?;
                }
                Statement::Term(label, text) => self.graph.insert(&text, label.as_deref(), Color::Green)?,
                Statement::Equality(left, right) => self.graph.unite(&left, &right)?,
                Statement::Ruleset(name) => rulesets.push(name),
            }
        }
        Ok(rulesets)
    }

    /// Brings the signature up to what other agents declared.
    fn learn(&mut self) {
        if std::mem::take(&mut self.unlearned) {
            let rulesets: Vec<String> = self.rulesets.iter().cloned().collect();
            self.signature
                .learn(&self.graph.operators(), &self.graph.labels(), &rulesets);
        }
    }

    /// Begins a round: searches this agent's share, and answers the messages with what it derived.
    pub fn start_round(&mut self, task: &RoundTask, now: u64) -> Result<Vec<Message>, Fault> {
        if self.network.round().1.is_some() {
            return Err(Fault::Misplaced("a round is under way".to_owned()));
        }
        self.know_ruleset(&task.ruleset)?;
        let Config { id, agents, .. } = self.config;
        let shares: Vec<(Color, Share)> = self.network.shares(id).map_err(misfit)?;
        let budget = Budget {
            matches: part(task.budget.matches, id.0, agents),
            nodes: part(task.budget.nodes, id.0, agents),
        };
        let task = Task {
            ruleset: task.ruleset.clone(),
            shares,
            budget,
        };
        let report = self
            .parts
            .step(&mut self.graph, &task)
            .inspect_err(|_| self.graph.discard())?;
        self.ballot = Ballot {
            saturated: report.saturated,
            exhausted: report.exhausted,
            matches: report.matches,
            applied: report.applied,
            blocked: report.blocked,
        };
        let round = self.network.begin_round().map_err(misfit)?;
        let phase = phase(&self.palette);
        self.note(EventKind::Step, None, None, None, 0, now, phase);
        let mut messages = vec![self.reach(round, Stage::Derived, now, phase)?];
        self.progress(now, &mut messages)?;
        Ok(messages)
    }

    fn know_ruleset(&mut self, ruleset: &str) -> Result<(), Fault> {
        if ruleset.is_empty() || self.rulesets.contains(ruleset) {
            return Ok(());
        }
        if self.graph.rules().iter().any(|rule| rule.ruleset == ruleset) {
            self.rulesets.insert(ruleset.to_owned());
            return Ok(());
        }
        Err(Fault::Unknown(format!("no ruleset `{ruleset}` is declared")))
    }

    /// Tells the others what was made for a barrier, and arrives at it.
    fn reach(&mut self, round: u32, stage: Stage, now: u64, phase: Phase) -> Result<Message, Fault> {
        let body = Body::State {
            reached: Some((round, stage)),
            rulesets: Vec::new(),
            block: self.graph.seal(),
        };
        let message = self.send(None, &body, now, phase);
        self.network
            .arrive(self.config.id, round, stage.into())
            .map_err(misfit)?;
        Ok(message)
    }

    /// Passes every barrier that everybody has reached.
    fn progress(&mut self, now: u64, messages: &mut Vec<Message>) -> Result<(), Fault> {
        let id = self.config.id;
        while self.network.ready() {
            let (round, Some(barrier)) = self.network.round() else {
                break;
            };
            if barrier != Barrier::Compared {
                for block in self.early.remove(&(round, barrier)).unwrap_or_default() {
                    // Whoever sent what is no block will be found to disagree when digests are compared.
                    if self.graph.receive(&block).is_err() {
                        self.note(
                            EventKind::Refused,
                            None,
                            None,
                            None,
                            block.len() as u64,
                            now,
                            Phase::Reconcile,
                        );
                    }
                }
                self.settle(now, Phase::Reconcile);
            }
            match self.network.advance().map_err(misfit)? {
                Some(Barrier::Certified) => {
                    let agents = self.network.certifies(id).map_err(misfit)?;
                    if !agents.is_empty() {
                        if self.parts.certify(&mut self.graph, &agents) {
                            self.note(EventKind::Certified, None, None, None, 0, now, Phase::Reconcile);
                        }
                        messages.push(self.reach(round, Stage::Certified, now, Phase::Reconcile)?);
                    }
                }
                Some(_) => {
                    let digest = self.graph.state_digest();
                    let ballot = self.ballot;
                    let body = Body::Heartbeat {
                        digest,
                        ballot: Some((round, ballot)),
                    };
                    messages.push(self.send(None, &body, now, Phase::Reconcile));
                    self.network.cast(id, round, ballot.vote(digest)).map_err(misfit)?;
                    self.network.arrive(id, round, Barrier::Compared).map_err(misfit)?;
                }
                None => self.end_round(now),
            }
        }
        Ok(())
    }

    fn end_round(&mut self, now: u64) {
        if self
            .network
            .verdict()
            .is_some_and(|verdict| verdict.saturated && verdict.agreed)
        {
            self.note(EventKind::Converged, None, None, None, 0, now, Phase::Reconcile);
        }
        self.outside_bytes = 0;
        let outside = std::mem::take(&mut self.outside);
        if !outside.is_empty() {
            for block in outside {
                if self.graph.receive(&block).is_err() {
                    self.note(
                        EventKind::Refused,
                        None,
                        None,
                        None,
                        block.len() as u64,
                        now,
                        Phase::Reconcile,
                    );
                }
            }
            self.settle(now, Phase::Reconcile);
            self.unlearned = true;
        }
    }

    fn settle(&mut self, now: u64, phase: Phase) {
        for (dot, _) in self.graph.settle().refused {
            self.note(EventKind::Refused, Some(dot.agent), None, Some(dot), 0, now, phase);
        }
    }

    /// Takes in a message, in any order, any number of times; answers what there is to say to it.
    pub fn receive(&mut self, message: &Message, now: u64) -> Result<Vec<Message>, Fault> {
        let body = self.open(message)?;
        let from = message.sender;
        if from == self.config.id {
            return Ok(Vec::new());
        }
        let mut messages = Vec::new();
        match body {
            Body::State {
                reached,
                rulesets,
                block,
            } => {
                let block = block.filter(|block| !block.is_empty());
                let fresh = self.take_facts(from, reached.map(|(round, stage)| (round, stage.into())), block, now)?;
                self.note_received(message, now);
                if !rulesets.is_empty() {
                    self.rulesets.extend(rulesets);
                    self.unlearned = true;
                }
                match (reached, fresh) {
                    (Some(_), _) => self.progress(now, &mut messages)?,
                    (None, true) => messages.push(self.send(Some(from), &Body::Ack, now, Phase::Reconcile)),
                    (None, false) => {}
                }
            }
            Body::Sync => {
                self.note_received(message, now);
                self.note(
                    EventKind::SyncStarted,
                    Some(from),
                    Some(message.id),
                    None,
                    0,
                    now,
                    Phase::Reconcile,
                );
                let rulesets: Vec<String> = self.rulesets.iter().cloned().collect();
                let mut rulesets = Some(rulesets).filter(|rulesets| !rulesets.is_empty());
                let mut blocks: Vec<Option<Vec<u8>>> =
                    self.graph.delta_since(&message.version).into_iter().map(Some).collect();
                if blocks.is_empty() && rulesets.is_some() {
                    blocks.push(None);
                }
                for block in blocks {
                    let body = Body::State {
                        reached: None,
                        rulesets: rulesets.take().unwrap_or_default(),
                        block,
                    };
                    messages.push(self.send(Some(from), &body, now, Phase::Reconcile));
                }
                self.note(
                    EventKind::SyncCompleted,
                    Some(from),
                    Some(message.id),
                    None,
                    0,
                    now,
                    Phase::Reconcile,
                );
            }
            Body::Heartbeat { digest, ballot } => {
                if let Some((round, ballot)) = ballot {
                    self.count_ballot(from, round, ballot, digest)?;
                }
                self.note_received(message, now);
                self.note(
                    EventKind::Heartbeat,
                    Some(from),
                    Some(message.id),
                    None,
                    0,
                    now,
                    Phase::Reconcile,
                );
                if ballot.is_some() {
                    self.progress(now, &mut messages)?;
                } else if self.network.round().1.is_none() && !self.graph.version().covers(&message.version) {
                    messages.push(self.send(Some(from), &Body::Sync, now, Phase::Reconcile));
                }
            }
            Body::Ack => {
                self.note_received(message, now);
                self.note(
                    EventKind::Acknowledged,
                    Some(from),
                    Some(message.id),
                    None,
                    0,
                    now,
                    Phase::Reconcile,
                );
            }
        }
        Ok(messages)
    }

    /// Checks a message's envelope and reads its body.
    fn open(&self, message: &Message) -> Result<Body, Fault> {
        let Message {
            kind,
            sender,
            receiver,
            topic,
            body,
            ..
        } = message;
        self.network.parse_topic(topic).map_err(misfit)?;
        let expected = self.network.topic(*kind, *sender, *receiver).map_err(misfit)?;
        if *topic != expected {
            return Err(Fault::Malformed(format!(
                "the topic of this message is `{expected}`, not `{topic}`"
            )));
        }
        if let Some(other) = receiver.filter(|receiver| *receiver != self.config.id) {
            return Err(Fault::Misplaced(format!(
                "the message is for agent {}, and this is agent {}",
                other.0, self.config.id.0
            )));
        }
        let body = Body::decode(body)?;
        if body.kind() != *kind {
            return Err(Fault::Malformed(
                "the body belongs to a message of another kind".to_owned(),
            ));
        }
        Ok(body)
    }

    /// Takes facts in, or keeps them for their time. Answers whether facts that belong to no round were settled.
    fn take_facts(
        &mut self,
        from: AgentId,
        reached: Option<(u32, Barrier)>,
        block: Option<Vec<u8>>,
        now: u64,
    ) -> Result<bool, Fault> {
        let (round, awaited) = self.network.round();
        let Some((its_round, barrier)) = reached else {
            let Some(block) = block else { return Ok(false) };
            if awaited.is_some() {
                if self.outside_bytes + block.len() > MAX_KEPT {
                    return Err(Fault::Limit(format!(
                        "at most {MAX_KEPT} bytes are kept until the round is over"
                    )));
                }
                self.outside_bytes += block.len();
                self.outside.push(block);
                return Ok(false);
            }
            self.graph.receive(&block)?;
            self.settle(now, Phase::Reconcile);
            self.unlearned = true;
            return Ok(true);
        };
        let current = its_round == round && awaited == Some(barrier);
        if let Some(block) = block.as_ref().filter(|_| current) {
            self.graph.receive(block)?;
        }
        match self.network.arrive(from, its_round, barrier) {
            Ok(_) => {
                if !current {
                    self.early.entry((its_round, barrier)).or_default().extend(block);
                }
                Ok(false)
            }
            // A repetition, since nobody passes a barrier that somebody has not reached.
            Err(OrchestrationError::Stale(_)) => Ok(false),
            Err(error) => Err(misfit(error)),
        }
    }

    fn count_ballot(&mut self, from: AgentId, round: u32, ballot: Ballot, digest: [u8; 32]) -> Result<(), Fault> {
        for counted in [
            self.network.cast(from, round, ballot.vote(digest)),
            self.network.arrive(from, round, Barrier::Compared).map(|_| ()),
        ] {
            match counted {
                Ok(()) | Err(OrchestrationError::Stale(_)) => {}
                Err(error) => return Err(misfit(error)),
            }
        }
        Ok(())
    }

    /// Says to everybody what this agent has; whoever lacks some of it asks for it.
    pub fn heartbeat(&mut self, now: u64) -> Message {
        let body = Body::Heartbeat {
            digest: self.graph.state_digest(),
            ballot: None,
        };
        self.send(None, &body, now, Phase::Reconcile)
    }

    fn send(&mut self, receiver: Option<AgentId>, body: &Body, now: u64, phase: Phase) -> Message {
        let id = self.next_message;
        self.next_message += 1;
        let kind = body.kind();
        let body = body.encode();
        let topic = self.network.topic(kind, self.config.id, receiver);
        let at = self.note(EventKind::Sent, receiver, Some(id), None, body.len() as u64, now, phase);
        self.sent.0 += 1;
        self.sent.1 += body.len() as u64;
        Message {
            id,
            kind,
            sender: self.config.id,
            receiver,
            topic: topic.expect("sender and receiver are members"),
            version: self.graph.version(),
            at,
            body,
        }
    }

    fn note_received(&mut self, message: &Message, now: u64) {
        let bytes = message.body.len() as u64;
        self.received.0 += 1;
        self.received.1 += bytes;
        let entry = Entry {
            kind: EventKind::Received,
            agent: self.config.id,
            peer: Some(message.sender),
            message: Some(message.id),
            fact: None,
            version: message.version.clone(),
            bytes,
            round: self.network.round().0,
            phase: Phase::Reconcile,
        };
        self.log.record(entry, now, Some(message.at));
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one entry")]
    fn note(
        &mut self,
        kind: EventKind,
        peer: Option<AgentId>,
        message: Option<u64>,
        fact: Option<Dot>,
        bytes: u64,
        now: u64,
        phase: Phase,
    ) -> Timestamp {
        let entry = Entry {
            kind,
            agent: self.config.id,
            peer,
            message,
            fact,
            version: self.graph.version(),
            bytes,
            round: self.network.round().0,
            phase,
        };
        self.log.record(entry, now, None).at
    }

    /// The last round that ended here.
    pub fn verdict(&self) -> Option<Verdict> {
        self.network.verdict()
    }

    /// The agent at a glance. O(agents).
    pub fn summary(&self) -> Summary {
        Summary {
            id: self.config.id,
            color: match self.palette[..] {
                [only] => Some(only),
                _ => None,
            },
            size: self.graph.size(),
            state_digest: self.graph.state_digest(),
            messages_sent: self.sent.0,
            bytes_sent: self.sent.1,
            messages_received: self.received.0,
            bytes_received: self.received.1,
            refused: self.graph.refused(),
        }
    }

    /// Covers the closed e-graph only.
    pub fn meaning_digest(&mut self) -> [u8; 32] {
        self.graph.meaning_digest()
    }

    /// The canonical snapshot of the closed e-graph.
    pub fn snapshot(&mut self) -> Vec<u8> {
        self.graph.snapshot()
    }

    /// The number of matches of these facts (what follows `check`), up to `limit`.
    pub fn check(&mut self, text: &str, limit: u64) -> Result<u64, Vec<Diagnostic>> {
        self.learn();
        let query = self.signature.compile_query(text)?;
        self.graph
            .query(&query, limit)
            .map_err(|fault| vec![Diagnostic::of_fault(fault, text)])
    }

    /// A term in canonical form.
    fn resolve(&mut self, text: &str) -> Result<String, Fault> {
        self.learn();
        let resolved = self.signature.resolve(text);
        resolved.map(|(text, _)| text).map_err(|diagnostics| {
            let said: Vec<String> = diagnostics.into_iter().map(|own| own.message).collect();
            Fault::Malformed(said.join("; "))
        })
    }

    /// The cheapest terms equal to this one.
    pub fn extract(
        &mut self,
        term: &str,
        variants: u32,
        cost: CostModel,
        within: Option<Colors>,
    ) -> Result<Vec<Extracted>, Fault> {
        let term = self.resolve(term)?;
        self.graph.extract(&term, variants, cost, within)
    }

    /// Why two terms are equal.
    pub fn explain(&mut self, left: &str, right: &str) -> Result<Vec<ExplanationStep>, Fault> {
        let (left, right) = (self.resolve(left)?, self.resolve(right)?);
        self.graph.explain(&left, &right)
    }

    /// The e-nodes of the operators of this name: each with its class's least term.
    pub fn rows(&mut self, operator: &str, limit: u32) -> Result<Vec<(String, String)>, Fault> {
        self.graph.rows(operator, limit)
    }

    /// The number of e-nodes of each operator that has any.
    pub fn sizes(&self) -> Vec<(String, u64)> {
        self.graph.sizes()
    }

    /// Classes that hold two different literals.
    pub fn contradictions(&mut self) -> Vec<Vec<String>> {
        self.graph.contradictions()
    }

    /// Keeps a copy of the state, to be restored by [`Node::pop`]. Every agent of a run does so alike.
    pub fn push(&mut self) -> Result<(), Fault> {
        self.between_rounds()?;
        self.learn();
        self.graph.push();
        self.signature.push();
        self.scopes.push(self.rulesets.clone());
        Ok(())
    }

    /// Restores the copy that the last [`Node::push`] kept.
    pub fn pop(&mut self) -> Result<(), Fault> {
        self.between_rounds()?;
        self.graph.pop()?;
        self.signature.pop();
        self.rulesets = self.scopes.pop().unwrap_or_default();
        self.unlearned = true;
        Ok(())
    }

    fn between_rounds(&self) -> Result<(), Fault> {
        match self.network.round().1 {
            None => Ok(()),
            Some(_) => Err(Fault::Misplaced("a round is under way".to_owned())),
        }
    }

    /// What the events amount to.
    pub fn metrics(&self) -> Metrics {
        self.log.metrics()
    }

    /// Events from an index on, at most `limit`.
    pub fn events(&self, from: u64, limit: u32) -> Vec<Event> {
        self.log.events(from, limit)
    }
}
