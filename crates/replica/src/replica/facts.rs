//! Making facts: drafting them on the closed e-graph and sealing them into blocks.

use std::collections::{BTreeMap, BTreeSet};

use eqmesh_egraph::color::{Color, Colors};
use eqmesh_egraph::graph::{OperatorId, RowId};
use eqmesh_egraph::operator::{Operator, Sort};
use eqmesh_egraph::program;
use eqmesh_egraph::term::{self, Argument, Term};

use super::pending::Waiting;
use super::{Draft, Own, Replica, version};
use crate::block::{Block, Body, BodyArgument, Segment};
use crate::fault::Fault;
use crate::log::chain;
use crate::version::{AgentId, Dot, Name};

impl Replica {
    pub(super) fn draft(&mut self) -> &mut Draft {
        let (logs, graph_facts, height, nodes_before) = (&self.logs, self.own_facts, self.own_height, self.own_nodes);
        let undeclared = &mut self.undeclared;
        let (graph, generation) = (&self.graph, self.generation);
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
                own: Own {
                    generation,
                    ..Own::default()
                },
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

    pub(super) fn draft_segment(&mut self, segment: Segment, nodes: u32) -> Dot {
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

    pub(crate) fn parse(&mut self, text: &str) -> Result<(Term<Name>, String), Fault> {
        let (labels, drafted) = (&self.labels, &self.draft_labels);
        let lookup = |label: &str| {
            labels
                .get(label)
                .map(|own| (own.name, own.sort.clone()))
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
            && self.is_bound(label)
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

    pub(super) fn is_bound(&self, label: &str) -> bool {
        self.labels.contains_key(label) || self.draft_labels.contains_key(label)
    }

    /// A term of one color stands over its own nodes by that color, and over references by their classes' witnesses.
    fn verify_body_color(&self, term: &Term<Name>, color: Color) -> Result<(), Fault> {
        for (operator, arguments) in term.nodes() {
            for argument in arguments {
                if let Argument::Reference(name) = argument {
                    self.verify_child(&self.graph.operator(operator).name, color, self.row(*name)?, *name)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn verify_child(&self, parent: &str, color: Color, row: RowId, child: Name) -> Result<(), Fault> {
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
            self.verify_child(&operator.name, color, row, child)?;
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

    /// The makers of settled facts that no certificate covers, certificates aside.
    pub fn uncertified(&self) -> Vec<AgentId> {
        let uncertified = self.logs.iter().filter(|(_, log)| log.claims > log.certified);
        uncertified.map(|(&agent, _)| agent).collect()
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
            parent: *self.own_chain.first_chunk().expect("a digest is longer"),
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
        // With others about, it will hardly come to that.
        let mut own = draft.own;
        let complete = own
            .ahead
            .as_ref()
            .is_some_and(|ahead| ahead.segments == block.segments.len());
        if (!complete || self.logs.keys().any(|&agent| agent != self.options.agent))
            && let Some(ahead) = own.ahead.take()
        {
            self.spare.graph = ahead.graph;
        }
        let bytes = block.encode();
        self.own_chain = chain(&self.own_chain, &bytes);
        self.pending.insert(Waiting {
            block,
            bytes: bytes.clone().into(),
            own: Some(own),
        });
        Some(bytes)
    }
}
