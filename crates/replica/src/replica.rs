//! The replica: a grow-only set of facts, and the e-graph that it is a function of.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use eqmesh_egraph::color::{Color, Colors};
use eqmesh_egraph::extract::{CostModel, Extracted, Extractor};
use eqmesh_egraph::graph::{ClassId, EGraph, OperatorId, RowId};
use eqmesh_egraph::index::Index;
use eqmesh_egraph::matching::Matcher;
use eqmesh_egraph::naming::Naming;
use eqmesh_egraph::operator::{Operator, Sort};
use eqmesh_egraph::program;
use eqmesh_egraph::rule::{MAX_ARITY, Rule};
use eqmesh_egraph::term::{self, Argument, Label, Term};
use eqmesh_egraph::value::ValueType;

use crate::block::{Block, Body, BodyArgument, Segment};
use crate::fault::Fault;
use crate::log::{Frame, Log};
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// Matches found in the share.
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
}

/// Blocks that were received and not settled yet, with their bytes: by agent and first sequence.
type Pending = BTreeMap<(AgentId, u64), (Block, Arc<[u8]>)>;

/// One replica. See the crate's documentation.
#[derive(Clone, Debug)]
pub struct Replica {
    options: Options,
    pub(crate) graph: EGraph,
    index: Option<Index>,
    naming: Option<Naming>,
    pub(crate) logs: BTreeMap<AgentId, Log>,
    pending: Pending,
    /// Agents whose facts were refused from a sequence on.
    refused: BTreeMap<AgentId, (Dot, String)>,
    pub(crate) rules: BTreeMap<Dot, KnownRule>,
    labels: BTreeMap<String, (Dot, Name, String)>,
    /// The least name of each row.
    row_names: Vec<Name>,
    draft: Option<Draft>,
    /// Own facts made, sealed or not, and nodes named by them.
    own_facts: u64,
    own_nodes: u32,
    own_height: u32,
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
            naming: None,
            logs: BTreeMap::new(),
            pending: BTreeMap::new(),
            refused: BTreeMap::new(),
            rules: BTreeMap::new(),
            labels: BTreeMap::new(),
            row_names: Vec::new(),
            draft: None,
            own_facts: 0,
            own_nodes: 0,
            own_height: 0,
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

    /// All labels of settled facts, in order. Reads the blocks that bind them: O(their bytes).
    pub fn labels(&self) -> Vec<Label> {
        let named: BTreeMap<Name, &str> = self
            .labels
            .iter()
            .map(|(label, (_, name, _))| (*name, label.as_str()))
            .collect();
        let mut terms: BTreeMap<&str, Option<String>> = BTreeMap::new();
        let mut by_block: BTreeMap<(AgentId, usize), Vec<&str>> = BTreeMap::new();
        for (label, (dot, _, _)) in &self.labels {
            if let Some(at) = self.logs.get(&dot.agent).and_then(|log| log.entry_of(dot.sequence)) {
                by_block.entry((dot.agent, at)).or_default().push(label);
            }
        }
        for ((agent, at), wanted) in by_block {
            let entry = &self.logs[&agent].entries[at];
            let Ok(block) = Block::decode(&entry.bytes) else {
                continue;
            };
            let mut sequence = entry.first - 1;
            for segment in &block.segments {
                sequence += segment.facts();
                if let Segment::Term {
                    label: Some(label),
                    body,
                    ..
                } = segment
                    && let Some(wanted) = wanted.iter().find(|wanted| **wanted == label.as_str())
                    && self.labels[label].0.sequence == sequence
                {
                    terms.insert(wanted, body.text(&block.operators, &named));
                }
            }
        }
        let label = |(name, (_, _, sort)): (&String, &(Dot, Name, String))| Label {
            name: name.clone(),
            sort: sort.clone(),
            term: terms.get(name.as_str()).cloned().flatten(),
        };
        self.labels.iter().map(label).collect()
    }

    fn draft(&mut self) -> &mut Draft {
        let (logs, graph_facts, height, nodes_before) = (&self.logs, self.own_facts, self.own_height, self.own_nodes);
        let undeclared = &mut self.undeclared;
        let graph = &self.graph;
        self.draft.get_or_insert_with(|| {
            let base = version(logs);
            let above = logs
                .values()
                .map(|log| log.height(u64::MAX))
                .max()
                .unwrap_or(0)
                .max(height);
            let mut draft = Draft {
                base,
                height: above + 1,
                first: graph_facts + 1,
                operators: Vec::new(),
                operator_ids: BTreeMap::new(),
                segments: Vec::new(),
                facts: 0,
                nodes_before,
                labels: Vec::new(),
            };
            for operator in undeclared.drain(..) {
                if let Some(id) = graph.operator_id(&operator) {
                    draft.operator_ids.insert(id, draft.operators.len() as u32);
                    draft.operators.push(operator);
                }
            }
            draft
        })
    }

    fn draft_operator(&mut self, id: OperatorId) -> u32 {
        let operator = self.graph.operator(id).clone();
        let draft = self.draft();
        *draft.operator_ids.entry(id).or_insert_with(|| {
            draft.operators.push(operator);
            draft.operators.len() as u32 - 1
        })
    }

    fn draft_segment(&mut self, segment: Segment, nodes: u32) -> Dot {
        let facts = segment.facts();
        let draft = self.draft();
        draft.segments.push(segment);
        draft.facts += facts;
        self.own_facts += facts;
        self.own_nodes += nodes;
        Dot {
            agent: self.options.agent,
            sequence: self.own_facts,
        }
    }

    /// Makes a `rule` fact.
    pub fn add_rule(&mut self, bytes: &[u8]) -> Result<Dot, Fault> {
        let rule = program::decode_rule(bytes)?;
        for operator in &rule.query.operators {
            let id = self.graph.declare(operator);
            self.draft_operator(id);
        }
        Ok(self.draft_segment(Segment::Rule(bytes.to_vec()), 0))
    }

    /// All rules of settled facts.
    pub fn rules(&self) -> impl Iterator<Item = (Dot, &Rule)> {
        self.rules.iter().map(|(&dot, known)| (dot, &known.rule))
    }

    pub(crate) fn parse(&mut self, text: &str) -> Result<(Term<Name>, String), Fault> {
        let (labels, drafted) = (&self.labels, &self.draft_labels);
        let lookup = |label: &str| {
            labels
                .get(label)
                .map(|(_, name, sort)| (*name, sort.clone()))
                .or_else(|| drafted.get(label).cloned())
        };
        Ok(term::parse(&mut self.graph, text, &lookup)?)
    }

    fn body(&mut self, term: &Term<Name>) -> Body {
        let nodes = term
            .nodes()
            .map(|(operator, arguments)| {
                let arguments = arguments
                    .iter()
                    .map(|argument| match *argument {
                        Argument::Node(position) => BodyArgument::Node(position),
                        Argument::Reference(name) => BodyArgument::Name(name),
                        Argument::Value(id) => BodyArgument::Value(self.graph.values.get(id).clone()),
                    })
                    .collect();
                (self.draft_operator(operator), arguments)
            })
            .collect();
        let reference = match term.root {
            Argument::Reference(name) => Some(name),
            _ => None,
        };
        Body { nodes, reference }
    }

    fn body_root(&self, first: u32, body: &Body) -> Name {
        body.reference.unwrap_or(Name {
            agent: self.options.agent,
            ordinal: first + body.nodes.len() as u32 - 1,
        })
    }

    /// Makes a `term` fact of a text, and binds the label if one is given.
    pub fn insert(&mut self, text: &str, label: Option<&str>, color: Color) -> Result<Dot, Fault> {
        let (term, sort) = self.parse(text)?;
        if let Some(label) = label
            && (self.labels.contains_key(label) || self.draft_labels.contains_key(label))
        {
            return Err(Fault::Mismatch(format!("the label `{label}` is already bound")));
        }
        if color != Color::Green {
            self.verify_body_color(&term, color)?;
        }
        let body = self.body(&term);
        let root = self.body_root(self.own_nodes, &body);
        if let Some(label) = label {
            self.draft_labels.insert(label.to_owned(), (root, sort));
            self.draft().labels.push(label.to_owned());
        }
        let nodes = body.nodes.len() as u32;
        Ok(self.draft_segment(
            Segment::Term {
                label: label.map(str::to_owned),
                color,
                body,
            },
            nodes,
        ))
    }

    /// A term of one color stands over its own nodes by that color, and over references by their classes' witnesses.
    fn verify_body_color(&self, term: &Term<Name>, color: Color) -> Result<(), Fault> {
        for (operator, arguments) in term.nodes() {
            for argument in arguments {
                if let Argument::Reference(name) = argument {
                    self.verify_child(&self.graph.operator(operator).name, color, *name)?;
                }
            }
        }
        Ok(())
    }

    fn verify_child(&self, parent: &str, color: Color, child: Name) -> Result<(), Fault> {
        let row = self.row(child)?;
        let class = self.graph.class_of(row);
        let colors = self.graph.class_colors(class);
        if let (true, Some(witnesses)) = (self.options.coloring, Colors::witnesses(color))
            && !colors.intersects(witnesses)
        {
            let operator = &self.graph.operator(self.graph.operator_of(row)).name;
            return Err(Fault::Coloring(format!(
                "a {} `{parent}` cannot stand over the class of `{operator}` (agent {}, node {}), which is {} only",
                color.name(),
                child.agent.0,
                child.ordinal,
                colors.dominant().map_or("uncolored", Color::name)
            )));
        }
        Ok(())
    }

    /// The row of a settled node.
    pub(crate) fn row(&self, name: Name) -> Result<RowId, Fault> {
        self.logs
            .get(&name.agent)
            .and_then(|log| log.rows.get(name.ordinal as usize))
            .map(|&row| self.graph.resolve(row))
            .ok_or_else(|| Fault::Absent(format!("no node {} of agent {} is here", name.ordinal, name.agent.0)))
    }

    /// Makes a `term` fact of one node over settled nodes.
    pub fn add_node(&mut self, operator: &Operator, children: &[Name], color: Color) -> Result<Name, Fault> {
        let classes = operator.columns.iter().all(Sort::is_class);
        if !classes || operator.columns.len() != children.len() {
            return Err(Fault::Mismatch(format!(
                "`{operator}` does not take {} e-classes",
                children.len()
            )));
        }
        for (&child, column) in children.iter().zip(&operator.columns) {
            let row = self.row(child)?;
            let sort = self.graph.operator(self.graph.operator_of(row)).output.sort();
            if sort != column.name() {
                return Err(Fault::Mismatch(format!(
                    "`{operator}` does not take an argument of sort {sort}"
                )));
            }
            self.verify_child(&operator.name, color, child)?;
        }
        self.declare(std::slice::from_ref(operator))?;
        let id = self.graph.declare(operator);
        let operator = self.draft_operator(id);
        let arguments = children.iter().map(|&child| BodyArgument::Name(child)).collect();
        let name = Name {
            agent: self.options.agent,
            ordinal: self.own_nodes,
        };
        let body = Body {
            nodes: vec![(operator, arguments)],
            reference: None,
        };
        self.draft_segment(
            Segment::Term {
                label: None,
                color,
                body,
            },
            1,
        );
        Ok(name)
    }

    /// What is known of a settled node. O(1).
    pub fn inspect(&self, name: Name) -> Result<NodeInfo, Fault> {
        let row = self.row(name)?;
        Ok(NodeInfo {
            operator: self.graph.operator(self.graph.operator_of(row)).clone(),
            colors: self.graph.colors_of(row),
            class_colors: self.graph.class_colors(self.graph.class_of(row)),
        })
    }

    /// Makes an `equal` fact of two texts.
    pub fn unite(&mut self, left: &str, right: &str) -> Result<Dot, Fault> {
        let (left, left_sort) = self.parse(left)?;
        let (right, right_sort) = self.parse(right)?;
        if left_sort != right_sort {
            return Err(Fault::Mismatch(format!(
                "a term of sort {left_sort} cannot be equal to one of sort {right_sort}"
            )));
        }
        let (left, right) = (self.body(&left), self.body(&right));
        let nodes = (left.nodes.len() + right.nodes.len()) as u32;
        Ok(self.draft_segment(Segment::Equal { left, right }, nodes))
    }

    pub(crate) fn ensure_index(&mut self) {
        if self.index.is_none() {
            self.index = Some(Index::build(&mut self.graph));
        }
    }

    pub(crate) fn ensure_naming(&mut self) {
        self.ensure_index();
        if self.naming.is_none() {
            self.naming = Some(Naming::of(&self.graph));
        }
    }

    /// Searches a share of the matches of these rules on the closed e-graph, and makes an `apply` fact of each that adds something.
    ///
    /// A match belongs to the share that the least name of its root row falls in. That name is the same on every replica that has settled the same facts, so no
    /// match is passed over by all; and each call searches the whole share, so a change of ownership loses none.
    pub fn derive(&mut self, rules: &[Dot], share: Share, budget: Budget) -> Result<StepReport, Fault> {
        if share.count == 0 || share.index >= share.count {
            return Err(Fault::Malformed(format!(
                "there is no part {} of {}",
                share.index, share.count
            )));
        }
        if let Some(unknown) = rules.iter().find(|rule| !self.rules.contains_key(rule)) {
            return Err(Fault::Unknown(format!(
                "agent {} made no rule with fact {}",
                unknown.agent.0, unknown.sequence
            )));
        }
        self.ensure_index();
        let frame = Frame::of(&self.logs, &version(&self.logs));
        let index = self.index.take().expect("ensured");
        let mut report = StepReport {
            saturated: true,
            ..StepReport::default()
        };
        let mut nodes_left = budget.nodes;
        let mut segments = Vec::new();
        for dot in rules {
            let known = &self.rules[dot];
            let (color, matcher) = (known.rule.color, &known.matcher);
            let witnesses = Colors::witnesses(color).filter(|_| self.options.coloring);
            let (row_names, frame) = (&self.row_names, &frame);
            let mut nodes = Vec::new();
            let mut count = 0u32;
            let ended = matcher.search(
                &mut self.graph,
                &index,
                |row| share.count == 1 || owner(row_names[row.0 as usize], share.count) == share.index,
                share.index == 0,
                |graph, rows, registers| {
                    if report.matches == budget.matches {
                        return ControlFlow::Break(());
                    }
                    report.matches += 1;
                    let Some(effect) = matcher.probe(graph, registers).filter(|effect| effect.changes) else {
                        return ControlFlow::Continue(());
                    };
                    if witnesses.is_some_and(|witnesses| matcher.uncolored(graph, registers, witnesses).is_some()) {
                        report.blocked += 1;
                        return ControlFlow::Continue(());
                    }
                    if u64::from(effect.nodes) > nodes_left {
                        return ControlFlow::Break(());
                    }
                    nodes_left -= u64::from(effect.nodes);
                    report.applied += 1;
                    count += 1;
                    nodes.extend(rows.iter().map(|row| frame.number(row_names[row.0 as usize])));
                    ControlFlow::Continue(())
                },
            );
            if count > 0 {
                let named = matcher.additions() as u32 * count;
                segments.push((
                    Segment::Apply {
                        rule: *dot,
                        width: matcher.slots() as u32,
                        count,
                        nodes,
                    },
                    named,
                ));
            }
            if ended.is_break() {
                report.exhausted = true;
                break;
            }
        }
        self.index = Some(index);
        for (segment, named) in segments {
            self.draft_segment(segment, named);
        }
        report.nodes = budget.nodes - nodes_left;
        report.saturated = !report.exhausted && report.applied == 0 && report.blocked == 0;
        Ok(report)
    }

    /// Makes a `certify` fact for all settled and uncertified facts of these agents. None if there are none: certificates alone need no
    /// certificate, or there would be no end to them.
    pub fn certify(&mut self, agents: &[AgentId]) -> Option<Dot> {
        let dots: BTreeSet<Dot> = agents
            .iter()
            .filter_map(|agent| {
                let log = self.logs.get(agent)?;
                (log.claims > log.certified).then_some(Dot {
                    agent: *agent,
                    sequence: log.last(),
                })
            })
            .collect();
        if dots.is_empty() {
            return None;
        }
        Some(self.draft_segment(Segment::Certify(dots.into_iter().collect()), 0))
    }

    /// Forgets the facts made since the last [`Replica::seal`]. Operators that were declared stay known.
    pub fn discard(&mut self) {
        if let Some(draft) = self.draft.take() {
            self.own_facts = draft.first - 1;
            self.own_nodes = draft.nodes_before;
            self.undeclared = draft.operators;
            for label in draft.labels {
                self.draft_labels.remove(&label);
            }
        }
    }

    /// Closes the facts made since the last call into a block. It also tells what was declared.
    pub fn seal(&mut self) -> Option<Vec<u8>> {
        if self.draft.is_none() && self.undeclared.is_empty() {
            return None;
        }
        self.draft();
        let draft = self.draft.take()?;
        let block = Block {
            origin: self.options.agent,
            first: draft.first,
            height: draft.height,
            base: draft.base,
            operators: draft.operators,
            segments: draft.segments,
        };
        if block.segments.is_empty() {
            // Nothing but declarations: they wait for the first fact that they belong to.
            self.undeclared = block.operators;
            return None;
        }
        self.own_height = block.height;
        let bytes = block.encode();
        self.pending
            .insert((block.origin, block.first), (block, bytes.clone().into()));
        Some(bytes)
    }

    /// Takes in a block. Checks its form only; see [`Replica::settle`].
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let block = Block::decode(bytes)?;
        let known = self
            .logs
            .get(&block.origin)
            .is_some_and(|log| block.first <= log.last());
        if !known && block.origin != self.options.agent {
            self.pending
                .entry((block.origin, block.first))
                .or_insert_with(|| (block, bytes.into()));
        }
        Ok(())
    }

    /// Applies every block whose causal past is here, in the order of (height, agent).
    pub fn settle(&mut self) -> Settled {
        let mut settled = Settled::default();
        let nodes_before = self.graph.enodes() as u64;
        let mut unions = 0;
        loop {
            let here = version(&self.logs);
            let ready: Vec<(u32, AgentId, u64)> = self
                .pending
                .iter()
                .filter(|((origin, first), (block, _))| {
                    !self.refused.contains_key(origin) && *first == here.get(*origin) + 1 && here.covers(&block.base)
                })
                .map(|(&(origin, first), (block, _))| (block.height, origin, first))
                .collect();
            let Some(&(least, _, _)) = ready.iter().min() else {
                break;
            };
            let mut batch: Vec<(Block, Arc<[u8]>)> = Vec::new();
            let mut keys: Vec<_> = ready.into_iter().filter(|&(height, _, _)| height == least).collect();
            keys.sort_unstable();
            for (_, origin, first) in keys {
                batch.extend(self.pending.remove(&(origin, first)));
            }
            // All are checked against the closed e-graph before the first is applied.
            self.ensure_index();
            let checked: Vec<_> = batch
                .into_iter()
                .filter_map(|(block, bytes)| match self.check(&block) {
                    Ok(registers) => Some((block, bytes, registers)),
                    Err((offset, reason)) => {
                        let dot = Dot {
                            agent: block.origin,
                            sequence: block.first + offset,
                        };
                        self.refused.insert(block.origin, (dot, reason.clone()));
                        settled.refused.push((dot, reason));
                        None
                    }
                })
                .collect();
            for (block, bytes, registers) in checked {
                settled.accepted += block.facts();
                self.apply(&block, bytes, &registers);
            }
            let changed = self.graph.rebuild();
            unions += changed;
            self.absorb_deaths();
            self.index = None;
            self.naming = None;
        }
        let here = version(&self.logs);
        self.pending.retain(|(origin, first), _| *first > here.get(*origin));
        settled.waiting = self.pending.len() as u32;
        settled.new_nodes = (self.graph.enodes() as u64).saturating_sub(nodes_before);
        settled.unions = unions;
        settled
    }

    /// A row that died leaves its name to the survivor, if it is the smaller: a row's name depends on the facts alone.
    fn absorb_deaths(&mut self) {
        for (dead, survivor) in self.graph.take_deaths() {
            let survivor = self.graph.resolve(survivor);
            let name = self.row_names[dead.0 as usize];
            let own = &mut self.row_names[survivor.0 as usize];
            *own = (*own).min(name);
        }
    }

    /// Checks a block against the closed e-graph. Answers the registers of its applications, or the offset of the first fact that does not hold and why.
    fn check(&mut self, block: &Block) -> Result<Vec<Vec<u32>>, (u64, String)> {
        let height = block
            .base
            .iter()
            .map(|dot| self.logs.get(&dot.agent).map_or(0, |log| log.height(dot.sequence)))
            .max()
            .unwrap_or(0)
            .max(self.logs.get(&block.origin).map_or(0, |log| log.height(u64::MAX)));
        if block.height != height + 1 {
            return Err((
                0,
                format!("its block's height is {} where {} follows", block.height, height + 1),
            ));
        }
        if let Some(dot) = block
            .base
            .iter()
            .find(|dot| !self.logs.get(&dot.agent).is_some_and(|log| log.ends_at(dot.sequence)))
        {
            return Err((0, format!("its base cuts a block of agent {}", dot.agent.0)));
        }
        for operator in &block.operators {
            self.graph.declare(operator);
        }
        let frame = Frame::of(&self.logs, &block.base);
        let mut named: Vec<u32> = Vec::new();
        let mut registers = Vec::new();
        let mut offset = 0;
        for segment in &block.segments {
            match segment {
                Segment::Rule(bytes) => {
                    program::decode_rule(bytes).map_err(|error| (offset, error.to_string()))?;
                }
                Segment::Term { color, body, .. } => {
                    self.check_body(block, &named, body, *color)
                        .map_err(|reason| (offset, reason))?;
                    named.extend(body.nodes.iter().map(|node| node.0));
                }
                Segment::Equal { left, right } => {
                    let mut sorts = Vec::new();
                    for body in [left, right] {
                        let sort = self
                            .check_body(block, &named, body, Color::Green)
                            .map_err(|reason| (offset, reason))?;
                        named.extend(body.nodes.iter().map(|node| node.0));
                        sorts.push(sort);
                    }
                    if sorts[0] != sorts[1] {
                        return Err((offset, "the two terms are of different sorts".to_owned()));
                    }
                }
                Segment::Apply {
                    rule,
                    width,
                    count,
                    nodes,
                } => {
                    let checked = self.check_applications(&frame, *rule, *width, *count, nodes);
                    registers.push(checked.map_err(|(at, reason)| (offset + at, reason))?);
                    let additions = self.rules[rule].matcher.additions();
                    // Nodes that applications name are never referred to within their own block.
                    named.resize(named.len() + additions * *count as usize, u32::MAX);
                }
                Segment::Certify(dots) => {
                    let here = version(&self.logs);
                    for dot in dots {
                        if here.get(dot.agent) < dot.sequence || !self.logs[&dot.agent].ends_at(dot.sequence) {
                            return Err((
                                offset,
                                format!("it certifies facts of agent {} that are not here", dot.agent.0),
                            ));
                        }
                    }
                }
            }
            offset += segment.facts();
        }
        let total = self.logs.get(&block.origin).map_or(0, |log| log.rows.len()) + named.len();
        if u32::try_from(total).is_err() {
            return Err((0, "it names more e-nodes than can be numbered".to_owned()));
        }
        Ok(registers)
    }

    fn check_body(&self, block: &Block, named: &[u32], body: &Body, color: Color) -> Result<String, String> {
        let own_first = self.logs.get(&block.origin).map_or(0, |log| log.rows.len() as u32);
        let sort_of = |operator: u32| block.operators[operator as usize].output.sort().to_owned();
        let sort_of_name = |name: Name| {
            if name.agent == block.origin && name.ordinal >= own_first {
                return match named.get((name.ordinal - own_first) as usize) {
                    Some(&operator) if operator != u32::MAX => Ok(sort_of(operator)),
                    _ => Err(format!(
                        "it refers to node {} of its own agent, which is not there yet",
                        name.ordinal
                    )),
                };
            }
            let row = self.row(name).map_err(|fault| fault.to_string())?;
            Ok(self
                .graph
                .operator(self.graph.operator_of(row))
                .output
                .sort()
                .to_owned())
        };
        for (operator, arguments) in &body.nodes {
            let operator = &block.operators[*operator as usize];
            for (argument, column) in arguments.iter().zip(&operator.columns) {
                let sort = match argument {
                    BodyArgument::Node(position) => sort_of(body.nodes[*position as usize].0),
                    BodyArgument::Name(name) => {
                        let foreign = name.agent != block.origin || name.ordinal < own_first;
                        if foreign && color != Color::Green {
                            self.verify_child(&operator.name, color, *name)
                                .map_err(|fault| fault.to_string())?;
                        }
                        sort_of_name(*name)?
                    }
                    BodyArgument::Value(_) => continue,
                };
                if sort != column.name() {
                    return Err(format!("`{operator}` does not take an argument of sort {sort}"));
                }
            }
        }
        match (body.reference, body.nodes.last()) {
            (Some(name), _) => sort_of_name(name),
            (None, Some((operator, _))) => Ok(sort_of(*operator)),
            (None, None) => Err("it is empty".to_owned()),
        }
    }

    fn check_applications(
        &mut self,
        frame: &Frame,
        rule: Dot,
        width: u32,
        count: u32,
        nodes: &[u32],
    ) -> Result<Vec<u32>, (u64, String)> {
        let known = self.rules.get(&rule).ok_or_else(|| {
            (
                0,
                format!("agent {} made no rule with fact {}", rule.agent.0, rule.sequence),
            )
        })?;
        let matcher = &known.matcher;
        if matcher.slots() != width as usize {
            return Err((
                0,
                format!(
                    "rule `{}` matches {} e-nodes, not {width}",
                    known.rule.name,
                    matcher.slots()
                ),
            ));
        }
        let witnesses = Colors::witnesses(known.rule.color).filter(|_| self.options.coloring);
        let before = self.graph.row_count();
        let mut all = Vec::new();
        let (mut registers, mut rows) = (Vec::new(), Vec::new());
        for i in 0..count as usize {
            rows.clear();
            for &number in &nodes[i * width as usize..(i + 1) * width as usize] {
                let row = frame.name(number).and_then(|name| {
                    self.logs
                        .get(&name.agent)
                        .and_then(|log| log.rows.get(name.ordinal as usize))
                        .copied()
                });
                rows.push(row.ok_or_else(|| {
                    (
                        i as u64,
                        format!("it refers to node {number} of its past, which has fewer"),
                    )
                })?);
            }
            matcher
                .verify(&mut self.graph, before, &rows, &mut registers)
                .map_err(|error| {
                    (
                        i as u64,
                        format!("rule `{}` does not match there: {error}", known.rule.name),
                    )
                })?;
            if let Some(witnesses) = witnesses
                && let Some((operator, class)) = matcher.uncolored(&self.graph, &registers, witnesses)
            {
                return Err((
                    i as u64,
                    format!(
                        "rule `{}`, {}, puts `{}` over a class that is {} only",
                        known.rule.name,
                        known.rule.color.name(),
                        self.graph.operator(operator).name,
                        self.graph
                            .class_colors(class)
                            .dominant()
                            .map_or("uncolored", Color::name)
                    ),
                ));
            }
            if matcher.probe(&mut self.graph, &mut registers).is_none() {
                return Err((
                    i as u64,
                    format!("rule `{}`: a primitive is undefined there", known.rule.name),
                ));
            }
            all.extend_from_slice(&registers);
        }
        Ok(all)
    }

    /// Applies a checked block to the e-graph and enters it in its agent's log.
    fn apply(&mut self, block: &Block, bytes: Arc<[u8]>, registers: &[Vec<u32>]) {
        let mut registers = registers.iter();
        let mut sequence = block.first - 1;
        let first_ordinal = self.logs.entry(block.origin).or_default().rows.len() as u32;
        for segment in &block.segments {
            sequence += segment.facts();
            let dot = Dot {
                agent: block.origin,
                sequence,
            };
            match segment {
                Segment::Rule(bytes) => {
                    let rule = program::decode_rule(bytes).expect("checked");
                    let matcher = Matcher::of_rule(&rule, &mut self.graph);
                    self.rules.insert(dot, KnownRule { rule, matcher });
                }
                Segment::Term { label, color, body } => {
                    let root = self.apply_body(block, body, *color);
                    if let Some(label) = label {
                        let row = self.row(root).expect("just named");
                        let sort = self
                            .graph
                            .operator(self.graph.operator_of(row))
                            .output
                            .sort()
                            .to_owned();
                        let bound = self.labels.entry(label.clone()).or_insert((dot, root, sort.clone()));
                        if dot < bound.0 {
                            *bound = (dot, root, sort);
                        }
                        if block.origin == self.options.agent {
                            self.draft_labels.remove(label);
                        }
                    }
                }
                Segment::Equal { left, right } => {
                    let left = self.apply_body(block, left, Color::Green);
                    let right = self.apply_body(block, right, Color::Green);
                    let class = |name| self.graph.class_of(self.row(name).expect("just named"));
                    let (left, right) = (class(left), class(right));
                    self.graph.unite(left, right);
                }
                Segment::Apply { rule, count, .. } => {
                    let known = &self.rules[rule];
                    let colors = Colors::from(known.rule.color);
                    let all = registers.next().expect("one for each segment of applications");
                    let width = all.len() / *count as usize;
                    let log = self.logs.get_mut(&block.origin).expect("entered");
                    let row_names = &mut self.row_names;
                    let mut scratch = vec![0; width];
                    for i in 0..*count as usize {
                        scratch.copy_from_slice(&all[i * width..(i + 1) * width]);
                        known.matcher.apply(&mut self.graph, &mut scratch, colors, |row, _| {
                            name_row(block.origin, log, row_names, row);
                        });
                    }
                }
                Segment::Certify(dots) => {
                    for dot in dots {
                        let log = self.logs.get_mut(&dot.agent).expect("checked");
                        if dot.sequence > log.certified {
                            let from = log.ordinal_after(log.certified);
                            let to = log.ordinal_after(dot.sequence);
                            log.certified = dot.sequence;
                            for &row in &log.rows[from as usize..to as usize] {
                                self.graph.color(self.graph.resolve(row), Colors::CERTIFIED);
                            }
                        }
                    }
                }
            }
        }
        let log = self.logs.entry(block.origin).or_default();
        if block
            .segments
            .iter()
            .any(|segment| !matches!(segment, Segment::Certify(_)))
        {
            log.claims = sequence;
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(&log.chain);
        hasher.update(&bytes);
        log.chain = *hasher.finalize().as_bytes();
        log.entries.push(crate::log::Entry {
            first: block.first,
            last: sequence,
            height: block.height,
            first_ordinal,
            bytes,
        });
    }

    fn apply_body(&mut self, block: &Block, body: &Body, color: Color) -> Name {
        if let Some(name) = body.reference {
            return name;
        }
        let operators: Vec<OperatorId> = block
            .operators
            .iter()
            .map(|operator| self.graph.declare(operator))
            .collect();
        let first = self.logs.entry(block.origin).or_default().rows.len() as u32;
        let mut arguments_of_row = Vec::new();
        for (operator, arguments) in &body.nodes {
            arguments_of_row.clear();
            for argument in arguments {
                arguments_of_row.push(match argument {
                    BodyArgument::Node(position) => {
                        let name = Name {
                            agent: block.origin,
                            ordinal: first + position,
                        };
                        self.graph.class_of(self.row(name).expect("just named")).0
                    }
                    BodyArgument::Name(name) => self.graph.class_of(self.row(*name).expect("checked")).0,
                    BodyArgument::Value(value) => self.graph.values.intern(value).0,
                });
            }
            let (row, _) = self.graph.add(
                operators[*operator as usize],
                &arguments_of_row,
                None,
                Colors::from(color),
            );
            let log = self.logs.get_mut(&block.origin).expect("entered");
            name_row(block.origin, log, &mut self.row_names, row);
        }
        Name {
            agent: block.origin,
            ordinal: first + body.nodes.len() as u32 - 1,
        }
    }

    /// The version vector of the settled facts.
    pub fn version(&self) -> VersionVector {
        version(&self.logs)
    }

    /// The blocks that somebody with this version vector lacks, in causal order.
    pub fn delta_since(&self, version: &VersionVector) -> Vec<Arc<[u8]>> {
        let mut blocks: Vec<_> = self
            .logs
            .iter()
            .flat_map(|(&agent, log)| {
                let known = version.get(agent);
                log.entries
                    .iter()
                    .filter(move |entry| entry.last > known)
                    .map(move |entry| (entry.height, agent, entry.first, &entry.bytes))
            })
            .collect();
        blocks.sort_unstable_by_key(|&(height, agent, first, _)| (height, agent, first));
        blocks.into_iter().map(|(_, _, _, bytes)| bytes.clone()).collect()
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

    /// Covers the closed e-graph only. O(n log n) in the e-nodes.
    pub fn meaning_digest(&mut self) -> [u8; 32] {
        *blake3::hash(&self.snapshot()).as_bytes()
    }

    /// The canonical snapshot of the closed e-graph; see [`Naming::snapshot`].
    pub fn snapshot(&mut self) -> Vec<u8> {
        self.ensure_naming();
        self.naming.as_ref().expect("ensured").snapshot(&self.graph)
    }

    /// Sizes of the settled state.
    pub fn size(&self) -> Size {
        Size {
            facts: self.logs.values().map(Log::last).sum(),
            enodes: self.graph.enodes() as u64,
            eclasses: self.graph.eclasses() as u64,
        }
    }

    /// The number of matches of a query, up to a limit.
    pub fn query(&mut self, bytes: &[u8], limit: u64) -> Result<u64, Fault> {
        let query = program::decode_query(bytes, true)?;
        self.ensure_index();
        let matcher = Matcher::of_query(&query, &mut self.graph);
        let index = self.index.take().expect("ensured");
        let mut count = 0;
        let _ended = matcher.search(
            &mut self.graph,
            &index,
            |_| true,
            true,
            |_, _, _| {
                count += 1;
                if count >= limit {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            },
        );
        self.index = Some(index);
        Ok(count)
    }

    /// The class of a term, which must stand in the e-graph.
    pub(crate) fn class_of_text(&mut self, text: &str) -> Result<ClassId, Fault> {
        let (term, _) = self.parse(text)?;
        let absent = || Fault::Absent(format!("the term `{}` is not in the e-graph", shorten(text)));
        let mut classes: Vec<u32> = Vec::with_capacity(term.len());
        let mut key = Vec::new();
        let class_of_name = |name: Name| self.row(name).map(|row| self.graph.class_of(row));
        for (operator, arguments) in term.nodes() {
            key.clear();
            for argument in arguments {
                key.push(match *argument {
                    Argument::Node(position) => classes[position as usize],
                    Argument::Reference(name) => class_of_name(name)?.0,
                    Argument::Value(id) => id.0,
                });
            }
            let row = self.graph.lookup(operator, &key).ok_or_else(absent)?;
            classes.push(self.graph.class_of(row).0);
        }
        match term.root {
            Argument::Reference(name) => class_of_name(name),
            _ => Ok(ClassId(*classes.last().ok_or_else(absent)?)),
        }
    }

    /// The cheapest terms equal to this one. See [`Extractor::variants`].
    pub fn extract(
        &mut self,
        text: &str,
        variants: u32,
        model: CostModel,
        within: Colors,
    ) -> Result<Vec<Extracted>, Fault> {
        self.ensure_index();
        let class = self.class_of_text(text)?;
        let index = self.index.as_ref().expect("ensured");
        let found =
            Extractor::new(&self.graph, within).variants(&self.graph, index, class, variants.max(1) as usize, model)?;
        if found.is_empty() {
            return Err(Fault::Absent(format!(
                "nothing within these colors is equal to `{}`",
                shorten(text)
            )));
        }
        Ok(found)
    }

    /// The e-nodes of the operators of this name, each with its class's least term, in canonical order.
    pub fn rows(&mut self, operator: &str, limit: u32) -> Result<Vec<(String, String)>, Fault> {
        self.ensure_naming();
        let (graph, naming) = (&self.graph, self.naming.as_ref().expect("ensured"));
        let mut known = false;
        let mut rows = Vec::new();
        for id in graph.operators_named(operator, None) {
            known = true;
            rows.extend(naming.sorted(graph, id));
        }
        if !known {
            return Err(Fault::Unknown(format!("no operator `{operator}` is declared")));
        }
        rows.into_iter()
            .take(limit as usize)
            .map(|row| Ok((naming.node(graph, row)?, naming.term(graph, graph.class_of(row).0)?)))
            .collect()
    }

    /// The number of e-nodes of each operator, by name, in order; operators without any are left out.
    pub fn sizes(&self) -> Vec<(String, u64)> {
        let mut sizes: BTreeMap<&str, u64> = BTreeMap::new();
        for (id, operator) in self.graph.operators() {
            *sizes.entry(&operator.name).or_default() += self.graph.count(id);
        }
        sizes
            .into_iter()
            .filter(|&(_, count)| count > 0)
            .map(|(name, count)| (name.to_owned(), count))
            .collect()
    }

    /// Classes that hold two different literals: nodes of one operator whose only column is a number or a truth value (a string is a name, and two
    /// names may well be equal). Each class as its literals' text, in canonical order.
    pub fn contradictions(&mut self) -> Vec<Vec<String>> {
        self.ensure_naming();
        let (graph, naming) = (&self.graph, self.naming.as_ref().expect("ensured"));
        let is_literal = |operator: &Operator| {
            matches!(
                operator.columns.as_slice(),
                [Sort::Value(
                    ValueType::I64 | ValueType::F64 | ValueType::Rational | ValueType::Bool
                )]
            )
        };
        let mut by_class: BTreeMap<(u32, OperatorId), Vec<RowId>> = BTreeMap::new();
        for row in graph.live() {
            let operator = graph.operator_of(row);
            if is_literal(graph.operator(operator)) {
                by_class
                    .entry((naming.rank(graph.class_of(row).0), operator))
                    .or_default()
                    .push(row);
            }
        }
        by_class
            .into_values()
            .filter(|rows| rows.len() > 1)
            .map(|mut rows| {
                rows.sort_by(|&a, &b| naming.compare(graph, a, b));
                rows.into_iter()
                    .filter_map(|row| naming.node(graph, row).ok())
                    .collect()
            })
            .collect()
    }

    /// The facts that were refused, by agent, with the reason.
    pub fn refused(&self) -> impl Iterator<Item = (Dot, &str)> {
        self.refused.values().map(|(dot, reason)| (*dot, reason.as_str()))
    }
}

/// Appends a name for a row; the row keeps its least name.
fn name_row(agent: AgentId, log: &mut Log, row_names: &mut Vec<Name>, row: RowId) {
    let name = Name {
        agent,
        ordinal: log.rows.len() as u32,
    };
    log.rows.push(row);
    match row_names.get_mut(row.0 as usize) {
        Some(own) => *own = (*own).min(name),
        None => row_names.push(name),
    }
}

fn version(logs: &BTreeMap<AgentId, Log>) -> VersionVector {
    logs.iter()
        .map(|(&agent, log)| Dot {
            agent,
            sequence: log.last(),
        })
        .collect()
}

/// Which of `count` shares a root's name falls in.
fn owner(name: Name, count: u32) -> u32 {
    let mixed = ((u64::from(name.agent.0) << 32) | u64::from(name.ordinal)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (((mixed >> 32) * u64::from(count)) >> 32) as u32
}

/// The beginning of a text, for messages.
pub(crate) fn shorten(text: &str) -> String {
    if text.chars().count() <= 80 {
        text.to_owned()
    } else {
        text.chars().take(79).chain(['…']).collect()
    }
}
