//! The replica: a grow-only set of facts, and the e-graph that it is a function of.

mod ahead;
mod apply;
mod check;
mod derive;
mod era;
mod facts;
mod image;
mod pending;
mod questions;
mod settle;
mod snapshots;

use std::collections::BTreeMap;
use std::sync::Arc;

use eqmesh_egraph::color::Colors;
use eqmesh_egraph::graph::{EGraph, OperatorId, RowId};
use eqmesh_egraph::index::Index;
use eqmesh_egraph::matching::{Ground, Matcher};
use eqmesh_egraph::naming::Naming;
use eqmesh_egraph::operator::Operator;
use eqmesh_egraph::rule::{MAX_ARITY, Rule};
use eqmesh_egraph::value::ValueType;

pub use questions::Row;

use ahead::Ahead;
use era::{Beginning, Era};
use pending::Pending;

use crate::block::{Block, Segment};
use crate::fault::Fault;
use crate::log::Log;
use crate::version::{AgentId, Dot, Name, VersionVector};

/// How a replica is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The number under which this replica makes facts.
    pub agent: AgentId,
    /// Whether the 3-coloring constraint and certification are kept. All replicas of a network choose alike.
    pub coloring: bool,
}

/// Part `index` of `count` equal parts of all matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share {
    /// From 0, less than `count`.
    pub index: u32,
    /// At least 1.
    pub count: u32,
}

/// Bounds on a step, in work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The most matches to look at.
    pub matches: u64,
    /// The most e-nodes that the matches kept may add.
    pub nodes: u64,
}

/// What a step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepReport {
    /// Matches found in the share that no earlier search has settled.
    pub matches: u64,
    /// Matches that add something and became facts.
    pub applied: u64,
    /// Matches held back by the 3-coloring constraint.
    pub blocked: u64,
    /// E-nodes that the matches kept may add: an upper bound.
    pub nodes: u64,
    /// The whole share was searched and nothing in it adds anything.
    pub saturated: bool,
    /// The budget ended the search.
    pub exhausted: bool,
}

/// What became of received blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Facts that are now part of the state.
    pub accepted: u64,
    /// Blocks that wait for facts that they build on.
    pub waiting: u32,
    /// Facts that were refused, with the reason.
    pub refused: Vec<(Dot, String)>,
    /// E-nodes that this brought.
    pub new_nodes: u64,
    /// Unions that this brought.
    pub unions: u64,
}

/// Sizes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Facts of all agents.
    pub facts: u64,
    /// E-nodes after canonicalization, without duplicates.
    pub enodes: u64,
    /// E-classes.
    pub eclasses: u64,
}

/// A rule as the replica knows it.
#[derive(Clone, Debug)]
pub struct KnownRule {
    /// The rule.
    pub rule: Rule,
    pub(crate) matcher: Matcher,
}

/// What is known of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeInfo {
    /// Its operator.
    pub operator: Operator,
    /// What it carries.
    pub colors: Colors,
    /// What the nodes of its class carry together.
    pub class_colors: Colors,
}

/// Facts made here that are not sealed yet.
#[derive(Clone, Debug)]
struct Draft {
    base: VersionVector,
    height: u32,
    first: u64,
    operators: Vec<Operator>,
    operator_ids: BTreeMap<OperatorId, u32>,
    segments: Vec<Segment>,
    facts: u64,
    /// How many nodes own facts had named before it.
    nodes_before: u32,
    /// What its facts bind.
    labels: Vec<String>,
    own: Own,
}

/// A name of a row with the height of the block that gives it. The first of a row's names in this order depends on the facts alone, and stays
/// the same unless a block comes late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Birth {
    height: u32,
    name: Name,
}

impl Birth {
    /// Later than all.
    const NEVER: Birth = Birth {
        height: u32::MAX,
        name: Name {
            agent: AgentId(u32::MAX),
            ordinal: u32::MAX,
        },
    };
}

/// What a complete search leaves behind: what it has seen need not be looked for again.
#[derive(Clone, Debug)]
struct Mark {
    /// What was touched later than in this epoch is new.
    epoch: u32,
    /// What the left side determines alone; if that has changed, all is new.
    ground: Ground,
}

/// Applications of one rule that are known to hold on the e-graph of a generation.
#[derive(Clone, Debug)]
struct Checked {
    ground: Ground,
    /// See [`Matcher::keep`].
    kept: Vec<u32>,
}

/// What is known of own facts beyond what others are told: they need not be checked again if the e-graph is still that on which they were made.
#[derive(Clone, Debug, Default)]
struct Own {
    generation: u64,
    /// One for each segment of applications.
    checked: Vec<Checked>,
    /// What is seen once the facts are settled.
    marks: Vec<((Dot, Share), Mark)>,
    ahead: Option<Box<Ahead>>,
}

/// What is left of a block whose first fact to come does not hold on the e-graph as it is. It may yet, when more is known.
#[derive(Clone, Debug)]
struct Held {
    block: Block,
    bytes: Arc<[u8]>,
    /// The first sequence of the whole block.
    began: u64,
    reason: String,
    /// The e-graph that it was tried on last.
    generation: u64,
}

/// What a label stands for.
#[derive(Clone, Debug)]
struct Label {
    /// The first fact that binds it.
    fact: Dot,
    row: RowId,
    /// By which it goes in the latest era.
    name: Name,
    sort: String,
    /// The term as it was given; see [`eqmesh_egraph::term::Label`].
    text: Option<String>,
}

/// Memory of what is of no use any more, for the next of its kind: on each round the same amounts are needed, and new memory costs a fault a page.
#[derive(Clone, Debug, Default)]
struct Spare {
    graph: EGraph,
    index: Index,
}

/// One replica. See the crate's documentation.
#[derive(Clone, Debug)]
pub struct Replica {
    options: Options,
    pub(crate) graph: EGraph,
    index: Option<Index>,
    spare: Spare,
    naming: Option<Naming>,
    pub(crate) logs: BTreeMap<AgentId, Log>,
    pending: Pending,
    /// Whether what is taken in was accepted before, by this replica or one that it copies.
    replays: bool,
    /// Whether facts were accepted that do not count.
    void: bool,
    /// Agents whose facts were refused for good from a sequence on.
    refused: BTreeMap<AgentId, (Dot, String)>,
    /// Agents whose facts wait for a reason to believe them.
    held: BTreeMap<AgentId, Held>,
    /// Agents that have told two histories, and where.
    forks: BTreeMap<AgentId, Dot>,
    pub(crate) rules: BTreeMap<Dot, KnownRule>,
    labels: BTreeMap<String, Label>,
    /// The label of each name that was given one, by all names that it may be referred to by.
    label_names: BTreeMap<era::Reference, String>,
    /// In order.
    eras: Vec<Era>,
    /// The cut of the first era whose names are known; none if all are.
    floor: Option<Dot>,
    /// None: with nothing.
    beginning: Option<Beginning>,
    /// Snapshots of others, by digest.
    offers: BTreeMap<[u8; 32], Arc<[u8]>>,
    /// The first name of each row.
    births: Vec<Birth>,
    /// The greatest height of a settled block that makes claims.
    height: u32,
    /// Counts the changes of the e-graph.
    generation: u64,
    /// The generation that was searched last, and its epoch.
    searched: Option<(u64, u32)>,
    /// What of each rule's matches has been seen.
    marks: BTreeMap<(Dot, Share), Mark>,
    draft: Option<Draft>,
    /// Own facts made, sealed or not, and nodes named by them.
    own_facts: u64,
    own_nodes: u32,
    own_height: u32,
    /// The hash chain over the blocks made here.
    own_chain: [u8; 32],
    /// What was declared and no block has told yet.
    undeclared: Vec<Operator>,
    /// What own facts that are not settled yet bind and name: labels, and operators of nodes from the first unsettled ordinal on.
    draft_labels: BTreeMap<String, (Name, String)>,
}

impl Replica {
    /// An empty replica.
    pub fn new(options: Options) -> Replica {
        Replica {
            options,
            graph: EGraph::new(),
            index: None,
            spare: Spare::default(),
            naming: None,
            logs: BTreeMap::new(),
            pending: Pending::default(),
            replays: false,
            void: false,
            refused: BTreeMap::new(),
            held: BTreeMap::new(),
            forks: BTreeMap::new(),
            rules: BTreeMap::new(),
            labels: BTreeMap::new(),
            label_names: BTreeMap::new(),
            eras: Vec::new(),
            floor: None,
            beginning: None,
            births: Vec::new(),
            height: 0,
            generation: 0,
            searched: None,
            marks: BTreeMap::new(),
            draft: None,
            own_facts: 0,
            own_nodes: 0,
            own_height: 0,
            own_chain: [0; 32],
            offers: BTreeMap::new(),
            undeclared: Vec::new(),
            draft_labels: BTreeMap::new(),
        }
    }

    /// How it was set up.
    pub fn options(&self) -> Options {
        self.options
    }

    /// Makes operators known, here at once and elsewhere with the next block.
    pub fn declare(&mut self, operators: &[Operator]) -> Result<(), Fault> {
        for operator in operators {
            if operator.name.is_empty() || operator.columns.len() > MAX_ARITY {
                return Err(Fault::Malformed(format!(
                    "an operator needs a name and at most {MAX_ARITY} columns: `{operator}`"
                )));
            }
            if ValueType::from_name(operator.output.sort()).is_some() {
                return Err(Fault::Malformed(format!("the result of `{operator}` is primitive")));
            }
        }
        for operator in operators {
            let known = self.graph.operator_id(operator).map(|id| self.graph.operator(id).cost);
            if known.is_none_or(|cost| cost > operator.cost) {
                self.graph.declare(operator);
                self.undeclared.push(operator.clone());
            }
        }
        Ok(())
    }

    /// All operators in canonical order.
    pub fn operators(&self) -> Vec<Operator> {
        self.graph.operators().map(|(_, operator)| operator.clone()).collect()
    }

    /// All rules of settled facts.
    pub fn rules(&self) -> impl Iterator<Item = (Dot, &Rule)> {
        self.rules.iter().map(|(&dot, known)| (dot, &known.rule))
    }

    /// The row of a settled node, by a name of the latest era.
    pub(crate) fn row(&self, name: Name) -> Result<RowId, Fault> {
        self.row_in(self.eras.last(), name)
    }

    /// The row of a settled node, by a name that is said in an era.
    fn row_in(&self, era: Option<&era::Era>, name: Name) -> Result<RowId, Fault> {
        era::named_row(&self.graph, &self.logs, era, name)
            .ok_or_else(|| Fault::Absent(format!("no node {} of agent {} is here", name.ordinal, name.agent.0)))
    }

    /// The label of what goes by this name in an era.
    fn label_of(&self, era: Option<&era::Era>, name: Name) -> Option<&String> {
        self.label_names.get(&era::reference(era, name))
    }

    pub(crate) fn ensure_index(&mut self) {
        if self.index.is_none() {
            let mut index = std::mem::take(&mut self.spare.index);
            index.rebuild(&mut self.graph);
            self.index = Some(index);
        }
    }

    pub(crate) fn ensure_naming(&mut self) {
        self.ensure_index();
        if self.naming.is_none() {
            self.naming = Some(Naming::of(&self.graph));
        }
    }

    /// The version vector of the settled facts.
    pub fn version(&self) -> VersionVector {
        version(&self.logs)
    }

    /// What somebody with this version vector lacks, in causal order: blocks, and before them a snapshot if some of the facts have been compacted.
    pub fn delta_since(&self, version: &VersionVector) -> Vec<Arc<[u8]>> {
        let beginning = self.beginning.as_ref().filter(|own| !version.covers(&own.version));
        let snapshot = beginning.map(|own| own.snapshot.clone());
        snapshot.into_iter().chain(self.blocks_since(version)).collect()
    }

    /// The blocks among that.
    pub(crate) fn blocks_since(&self, version: &VersionVector) -> Vec<Arc<[u8]>> {
        let beginning = self.beginning.as_ref().filter(|own| !version.covers(&own.version));
        let compacted = beginning.map(|own| &own.version);
        let mut blocks: Vec<_> = self
            .logs
            .iter()
            .flat_map(|(&agent, log)| {
                let known = version
                    .get(agent)
                    .max(compacted.map_or(0, |version| version.get(agent)));
                log.entries
                    .iter()
                    .filter(move |entry| entry.last > known)
                    .filter_map(move |entry| Some((entry.height, agent, entry.first, entry.bytes.clone()?)))
            })
            .collect();
        blocks.sort_unstable_by_key(|&(height, agent, first, _)| (height, agent, first));
        blocks.into_iter().map(|(_, _, _, bytes)| bytes).collect()
    }

    /// Covers the set of settled facts. O(agents).
    pub fn state_digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        for (agent, log) in &self.logs {
            if log.last() > 0 {
                hasher.update(&agent.0.to_le_bytes());
                hasher.update(&log.last().to_le_bytes());
                hasher.update(&log.chain);
            }
        }
        *hasher.finalize().as_bytes()
    }

    /// Sizes of the settled state.
    pub fn size(&self) -> Size {
        Size {
            facts: self.logs.values().map(Log::last).sum(),
            enodes: self.graph.enodes() as u64,
            eclasses: self.graph.eclasses() as u64,
        }
    }

    /// For each agent that told something untrue, the first fact in question and what is wrong with it. Its later facts are held back. What did not hold on the e-graph
    /// that was known then is tried again as more becomes known, and vanishes from here if it turns out to hold.
    pub fn refused(&self) -> impl Iterator<Item = (Dot, &str)> {
        let held = self.held.iter().map(|(&agent, held)| {
            let sequence = held.block.first;
            (Dot { agent, sequence }, held.reason.as_str())
        });
        let forked = self.forks.values().map(|&dot| (dot, FORKED));
        self.refused
            .values()
            .map(|(dot, reason)| (*dot, reason.as_str()))
            .chain(held)
            .chain(forked)
    }
}

/// What is said of a maker of two histories.
const FORKED: &str =
    "its maker has told others another history: two agents under one name, or one that lost its state and went on";

fn version(logs: &BTreeMap<AgentId, Log>) -> VersionVector {
    logs.iter()
        .map(|(&agent, log)| Dot {
            agent,
            sequence: log.last(),
        })
        .collect()
}

/// The beginning of a text, for messages.
pub(crate) fn shorten(text: &str) -> String {
    if text.chars().count() <= 80 {
        text.to_owned()
    } else {
        text.chars().take(79).chain(['…']).collect()
    }
}

#[cfg(test)]
mod tests;
