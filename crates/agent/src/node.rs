//! The agent: its parts, what it is told, and what it keeps.
//! Texts are taken in here; rounds, messages and questions have files of their own.

mod exchange;
mod free;
mod history;
mod messages;
mod outline;
mod questions;
mod refusals;
mod round;
mod suspension;

pub use suspension::timeline_of;

pub use history::Unstored;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use eqmesh_colors::{Inference, Side};
use eqmesh_egraph::color::Color;
use eqmesh_orchestrator::{Barrier, OrchestrationError};
use eqmesh_replica::{AgentId, Budget, Dot, Fault, Size, VersionVector};
use eqmesh_timeline::{Entry, EventKind, Phase, Timestamp};
use eqmesh_transduction::{Compiled, Statement};

use crate::blocks::Blocks;
use crate::body::{Ballot, Body};
use crate::message::Message;
use crate::ports::{Diagnostic, Graph, Log, Network, Parts, Signature};
use outline::{Chain, Lazy};

/// The most bytes of facts that are kept for later: those of submissions that arrive within a round.
const MAX_KEPT: usize = 256 << 20;

/// The most rulesets that are known by what others say.
const MAX_RULESETS_KNOWN: usize = 1 << 14;

/// How an agent is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Its number, from 0, and the incarnation under which it makes facts.
    pub id: AgentId,
    /// How many agents the network has or, where it runs free, was founded with.
    pub agents: u32,
    /// Whether the 3-coloring constraint and certification are kept.
    pub coloring: bool,
    /// Events that the timeline keeps. With 0, events have no version vectors: the log is for counting only.
    pub timeline_capacity: u32,
}

/// What to do in one round, or in one step of an agent that runs free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundTask {
    /// Only rules of this ruleset are run. The default ruleset is the empty name.
    pub ruleset: String,
    /// In a round, for the whole network; each agent takes its part.
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
    /// What others refuse of this agent's facts, as far as they said so.
    pub disputes: Vec<Dispute>,
}

/// A fact of this agent that another one refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispute {
    /// The fact.
    pub fact: Dot,
    /// The number of the agent that refuses it.
    pub by: u32,
    /// Why, as that one says: at most 256 bytes.
    pub reason: String,
}

/// One agent. How a round goes stands in `node/round.rs`.
#[derive(Debug)]
pub struct Node<P: Parts> {
    config: Config,
    parts: P,
    palette: Vec<Color>,
    graph: Lazy<P::Graph>,
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
    /// Where the settled facts stand, once somebody has asked.
    standing: Option<Standing>,
    /// What the host has been told to store.
    stored: Arc<VersionVector>,
    /// Names the parts that the host has by then, in their order.
    parts_stored: Chain,
    /// Whether what is stored has to be replaced.
    shortened: bool,
    /// Whether this very incarnation has made facts in an earlier life, which were taken back.
    restored: bool,
    refusals: refusals::Refusals,
    free: Option<Box<free::Free>>,
}

/// Names of the settled facts.
#[derive(Clone, Debug)]
struct Standing {
    digest: [u8; 32],
    version: Arc<VersionVector>,
}

/// What a network says of a message or a call that does not fit.
fn misfit(error: OrchestrationError) -> Fault {
    let text = error.to_string();
    match error {
        OrchestrationError::Stranger(_) | OrchestrationError::Topic(_) | OrchestrationError::Malformed(_) => {
            Fault::Malformed(text)
        }
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
            graph: Lazy::new(parts.graph(config.id, config.coloring)),
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
            standing: None,
            stored: Arc::default(),
            parts_stored: Chain::default(),
            shortened: false,
            restored: false,
            refusals: refusals::Refusals::default(),
            free: None,
        }
    }

    fn standing(&mut self) -> &Standing {
        let graph = &self.graph;
        self.standing.get_or_insert_with(|| Standing {
            digest: graph.state_digest(),
            version: Arc::new(graph.version()),
        })
    }

    /// The version vector of the settled facts. O(1) until they change.
    pub fn version(&mut self) -> Arc<VersionVector> {
        self.standing().version.clone()
    }

    /// Covers the settled facts: equal digests = nothing to exchange. O(1) until they change.
    pub fn state_digest(&mut self) -> [u8; 32] {
        self.standing().digest
    }

    /// Takes in declarations, rules and terms; answers the message that tells the others. All or nothing.
    pub fn submit(&mut self, text: &str, now: u64) -> Result<Vec<Message>, Vec<Diagnostic>> {
        if self.network.round().1.is_some() {
            let fault = Fault::Misplaced("a round is under way: submit again when it is over".to_owned());
            return Err(vec![Diagnostic::of_fault(fault, text)]);
        }
        if let Err(fault) = self.not_superseded().and_then(|()| self.may_state()) {
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
        if self.free.is_some() {
            return Ok(self.gossip(now));
        }
        let body = Body::State {
            reached: None,
            rulesets,
            blocks: Blocks::Plain(block.into_iter().collect()),
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
                    self.parts.initialize(self.graph.awake(), &[(label, text)])?;
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

    /// Takes in blocks that were kept for now. Whoever sent what is no block will be found to disagree when digests are compared.
    fn take_kept(&mut self, blocks: Vec<Vec<u8>>, now: u64) {
        for block in blocks {
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

    fn settle(&mut self, now: u64, phase: Phase) {
        let settled = self.graph.settle();
        if settled.accepted > 0 {
            self.standing = None;
        }
        if let Some(free) = &mut self.free {
            free.exchange.note_settled(settled.accepted > 0, settled.waiting > 0);
        }
        for (dot, reason) in settled.refused {
            self.note(EventKind::Refused, Some(dot.agent), None, Some(dot), 0, now, phase);
            if dot.agent.number() != self.config.id.number() {
                self.refusals.refuse(dot, &reason);
            }
        }
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
        let version = match self.config.timeline_capacity {
            0 => VersionVector::default(),
            _ => (*self.version()).clone(),
        };
        let entry = Entry {
            kind,
            agent: self.config.id,
            peer,
            message,
            fact,
            version,
            bytes,
            round: self.network.round().0,
            phase,
        };
        self.log.record(entry, now, None).at
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
        self.standing = None;
        self.stored = Arc::default();
        self.shortened = true;
        self.signature.pop();
        self.rulesets = self.scopes.pop().unwrap_or_default();
        self.unlearned = true;
        Ok(())
    }

    fn between_rounds(&self) -> Result<(), Fault> {
        if self.free.is_some() {
            let text = "a network that runs free has no scopes: its facts only grow";
            return Err(Fault::Misplaced(text.to_owned()));
        }
        match self.network.round().1 {
            None => Ok(()),
            Some(_) => Err(Fault::Misplaced("a round is under way".to_owned())),
        }
    }
}
