//! From facts to equalities: every settled block is replayed over concrete terms, in the order of (height, agent).

use std::collections::BTreeMap;

use eqmesh_egraph::graph::{EGraph, OperatorId};
use eqmesh_egraph::primitive::Primitive;
use eqmesh_egraph::rule::{Action, Atom, Operand, Query, Rule, Variable};
use eqmesh_egraph::term::{Argument, Term};
use eqmesh_egraph::value::Value;

use super::compacted::{Compacted, SnapshotTerms};
use super::concrete::Child;
use super::equality::{Equalities, Why};
use super::shape::{Condition, Shape, Side};
use crate::block::{Block, Body, BodyArgument, Segment};
use crate::fault::Fault;
use crate::replica::Replica;
use crate::snapshot::Snapshot;
use crate::version::{AgentId, Dot, Name, VersionVector};

/// One application of a rule, as it stood.
#[derive(Debug)]
pub(super) struct Application {
    pub(super) fact: Dot,
    pub(super) rule: Dot,
    /// By variable.
    pub(super) substitution: Vec<Option<Child>>,
    /// Terms that the conditions ask to be equal.
    pub(super) equal: Vec<(u32, u32)>,
    /// Terms that the conditions ask to be there.
    pub(super) present: Vec<u32>,
    /// Edges older than this justify the conditions.
    pub(super) before: u32,
}

/// What the facts come to.
#[derive(Debug, Default)]
pub(super) struct Replay {
    pub(super) equalities: Equalities,
    pub(super) applications: Vec<Application>,
    /// By term: whether the user stated it or a term that it stands in. Terms after the last one were not.
    pub(super) stated: Vec<bool>,
    /// None if all facts are there.
    pub(super) compacted: Option<Compacted>,
    shapes: BTreeMap<Dot, Shape>,
    names: BTreeMap<AgentId, Named>,
    /// What the block under way says is equal under conditions: two terms, and the application.
    said: Vec<(u32, u32, u32)>,
}

/// The terms of the nodes that an agent has named, in order.
#[derive(Debug, Default)]
struct Named {
    /// The ordinal of the first of them.
    first: u32,
    terms: Vec<u32>,
}

impl Replica {
    /// Replays all settled facts, on top of the snapshot that stands for the first ones, if there is one.
    pub(super) fn replay(&mut self) -> Result<Replay, Fault> {
        let mut replay = Replay::default();
        let beginning = self.beginning_bytes();
        let beginning = beginning.map(|(bytes, digest)| Ok::<_, Fault>((Snapshot::decode(&bytes)?, digest)));
        let beginning = beginning.transpose()?;
        let numbering = beginning.as_ref().map(|(snapshot, _)| self.numbering(snapshot));
        if let Some((snapshot, digest)) = &beginning {
            replay.begin(&mut self.graph, snapshot, *digest);
        }
        let broken = || Fault::Refused("a settled fact could not be replayed".to_owned());
        for bytes in self.blocks_since(&VersionVector::default()) {
            let block = self.accepted(Block::decode(&bytes)?);
            let frame = match &numbering {
                Some(numbering) => numbering.frame(&block.base),
                None => self.frame(&block.base),
            };
            let first_application = replay.applications.len();
            let mut sequence = block.first;
            for segment in &block.segments {
                match segment {
                    Segment::Rule(_) | Segment::Certify(_) | Segment::Close { .. } => {}
                    Segment::Cut(_) => {
                        let dot = Dot {
                            agent: block.origin,
                            sequence,
                        };
                        let (agent, snapshot) = self.snapshot_of_era(dot).ok_or_else(broken)?;
                        let snapshot = Snapshot::decode(&snapshot)?;
                        // That they are equal follows from the facts before.
                        let own = SnapshotTerms::add(&mut replay.equalities, &mut self.graph, &snapshot);
                        let terms = own.rows;
                        replay.names.insert(agent, Named { first: 0, terms });
                    }
                    Segment::Term { body, .. } => {
                        replay.body(&mut self.graph, &block, body).ok_or_else(broken)?;
                    }
                    Segment::Equal { left, right } => {
                        let left = replay.body(&mut self.graph, &block, left).ok_or_else(broken)?;
                        let right = replay.body(&mut self.graph, &block, right).ok_or_else(broken)?;
                        let agent = block.origin;
                        let why = Why::Asserted(Dot { agent, sequence });
                        replay.equalities.equate(left, right, why, &[]);
                    }
                    Segment::Apply {
                        rule,
                        width,
                        count,
                        nodes,
                    } => {
                        let known = &self.rules[rule].rule;
                        let shape = replay.shapes.remove(rule).unwrap_or_else(|| Shape::of(known));
                        let width = *width as usize;
                        for at in 0..*count as usize {
                            let matched = nodes[at * width..(at + 1) * width]
                                .iter()
                                .map(|&number| frame.name(number).and_then(|name| replay.named(name)))
                                .collect::<Option<Vec<u32>>>()
                                .ok_or_else(broken)?;
                            let fact = Dot {
                                agent: block.origin,
                                sequence: sequence + at as u64,
                            };
                            replay
                                .apply(&mut self.graph, known, &shape, (fact, *rule), &matched)
                                .ok_or_else(broken)?;
                        }
                        replay.shapes.insert(*rule, shape);
                    }
                }
                sequence += segment.facts();
            }
            replay.enter(first_application);
        }
        Ok(replay)
    }
}

impl Replay {
    /// Begins with a snapshot: its terms, what it holds equal, and the names that facts since may refer to.
    fn begin(&mut self, graph: &mut EGraph, snapshot: &Snapshot, digest: [u8; 32]) {
        let SnapshotTerms { rows, equal } = SnapshotTerms::add(&mut self.equalities, graph, snapshot);
        for (row, least) in equal {
            self.equalities.equate(row, least, Why::Compacted, &[]);
        }
        self.equalities.close();
        self.compacted = Some(Compacted::new(graph, snapshot, digest));
        let terms = |numbers: &[u32]| numbers.iter().map(|&number| rows[number as usize]).collect();
        for head in &snapshot.heads {
            let named = Named {
                first: head.first_row,
                terms: terms(&head.rows),
            };
            self.names.insert(head.agent, named);
        }
        if let Some(before) = &snapshot.before {
            let named = Named {
                first: 0,
                terms: terms(&before.rows),
            };
            self.names.insert(before.agent(), named);
        }
    }

    /// Enters what a block says. What has conditions comes last, since they have to rest on older edges.
    fn enter(&mut self, first_application: usize) {
        self.equalities.close();
        let before = self.equalities.edges.len() as u32;
        for application in &mut self.applications[first_application..] {
            application.before = before;
        }
        for (left, right, application) in std::mem::take(&mut self.said) {
            let conditions = &self.applications[application as usize].equal;
            self.equalities.equate(left, right, Why::Rule(application), conditions);
        }
        self.equalities.close();
    }

    /// The concrete term that a text says. None if it holds a name that nothing here has.
    pub(super) fn term(&mut self, term: &Term<Name>) -> Option<u32> {
        let mut ids: Vec<u32> = Vec::with_capacity(term.len());
        for (operator, arguments) in term.nodes() {
            let children = arguments
                .iter()
                .map(|argument| {
                    Some(match *argument {
                        Argument::Node(position) => Child::Term(ids[position as usize]),
                        Argument::Reference(name) => Child::Term(self.named(name)?),
                        Argument::Value(id) => Child::Value(id),
                    })
                })
                .collect::<Option<Box<[_]>>>()?;
            ids.push(self.equalities.add(operator, children));
        }
        match term.root {
            Argument::Reference(name) => self.named(name),
            _ => ids.last().copied(),
        }
    }

    /// Replays one application. Its match was checked when it was settled, so all that is looked up is there; None if it is not.
    fn apply(
        &mut self,
        graph: &mut EGraph,
        rule: &Rule,
        shape: &Shape,
        (fact, dot): (Dot, Dot),
        matched: &[u32],
    ) -> Option<()> {
        let query = &rule.query;
        let operators: Vec<OperatorId> = query.operators.iter().map(|operator| graph.declare(operator)).collect();
        let mut bound: Vec<Option<Child>> = vec![None; query.variables.len()];
        let determined = self.ground(graph, query, &operators, &mut bound);
        let mut matched = matched.iter();
        for (at, atom) in query.atoms.iter().enumerate() {
            match atom {
                Atom::Row { .. } if determined[at] => {}
                Atom::Row { arguments, class, .. } => {
                    let row = *matched.next()?;
                    for (argument, &child) in arguments.iter().zip(self.equalities.terms.children(row)) {
                        if let Operand::Variable(variable) = argument {
                            bound[variable.0 as usize].get_or_insert(child);
                        }
                    }
                    bound[class.0 as usize].get_or_insert(Child::Term(row));
                }
                Atom::Primitive {
                    function,
                    arguments,
                    result,
                } => {
                    if let Operand::Variable(variable) = result {
                        let value = compute(graph, *function, arguments, &bound)?;
                        bound[variable.0 as usize].get_or_insert(value);
                    }
                }
                Atom::Equal(a, b) => {
                    let value = operand(graph, a, &bound).or(operand(graph, b, &bound))?;
                    for operand in [a, b] {
                        if let Operand::Variable(variable) = operand {
                            bound[variable.0 as usize].get_or_insert(value);
                        }
                    }
                }
                Atom::Different(..) => {}
            }
        }
        let substitution = bound.clone();
        let instances = self.instances(graph, query, shape, &operators, &mut bound)?;
        let class = |variable: Variable, bound: &[Option<Child>]| bound[variable.0 as usize]?.term();
        let (mut equal, mut present) = (Vec::new(), Vec::new());
        for condition in &shape.conditions {
            let side = |side: Side| match side {
                Side::Class(variable) => class(variable, &bound),
                Side::Atom(at) => instances[at],
            };
            match *condition {
                Condition::Equal(left, right) => {
                    let pair = (side(left)?, side(right)?);
                    if pair.0 != pair.1 {
                        equal.push(pair);
                    }
                }
                Condition::Present(at) => present.push(instances[at]?),
            }
        }
        let application = self.applications.len() as u32;
        for action in &rule.actions {
            match action {
                Action::Add {
                    operator,
                    arguments,
                    class,
                } => {
                    let children = children(graph, arguments, &bound)?;
                    let id = self.equalities.add(operators[operator.0 as usize], children);
                    self.names.entry(fact.agent).or_default().terms.push(id);
                    bound[class.0 as usize] = Some(Child::Term(id));
                }
                Action::Compute {
                    function,
                    arguments,
                    result,
                } => {
                    bound[result.0 as usize] = Some(compute(graph, *function, arguments, &bound)?);
                }
                Action::Unite(left, right) => {
                    let (left, right) = (class(*left, &bound)?, class(*right, &bound)?);
                    if equal.is_empty() && present.is_empty() {
                        self.equalities.equate(left, right, Why::Rule(application), &[]);
                    } else {
                        self.said.push((left, right, application));
                    }
                }
            }
        }
        self.applications.push(Application {
            fact,
            rule: dot,
            substitution,
            equal,
            present,
            before: 0,
        });
        Some(())
    }

    /// Makes the instance of each atom, and lets each variable that an atom spells out stand for its instance.
    fn instances(
        &mut self,
        graph: &mut EGraph,
        query: &Query,
        shape: &Shape,
        operators: &[OperatorId],
        bound: &mut [Option<Child>],
    ) -> Option<Vec<Option<u32>>> {
        let mut instances = vec![None; query.atoms.len()];
        for &at in &shape.order {
            let Atom::Row {
                operator,
                arguments,
                class,
            } = &query.atoms[at]
            else {
                continue;
            };
            let children = children(graph, arguments, bound)?;
            let id = self.equalities.add(operators[operator.0 as usize], children);
            instances[at] = Some(id);
            if shape.definition(*class) == Some(at) {
                bound[class.0 as usize] = Some(Child::Term(id));
            }
        }
        Some(instances)
    }

    /// Binds the classes of ground atoms, as matching does; says which atoms those are.
    fn ground(
        &mut self,
        graph: &mut EGraph,
        query: &Query,
        operators: &[OperatorId],
        bound: &mut [Option<Child>],
    ) -> Vec<bool> {
        let mut determined = vec![false; query.atoms.len()];
        loop {
            let mut progress = false;
            for (at, atom) in query.atoms.iter().enumerate().rev() {
                let Atom::Row {
                    operator,
                    arguments,
                    class,
                } = atom
                else {
                    continue;
                };
                if determined[at] {
                    continue;
                }
                if let Some(children) = children(graph, arguments, bound) {
                    determined[at] = true;
                    progress = true;
                    let id = self.equalities.add(operators[operator.0 as usize], children);
                    bound[class.0 as usize].get_or_insert(Child::Term(id));
                }
            }
            if !progress {
                return determined;
            }
        }
    }

    /// The term that a fact says, and all its subterms: they are stated.
    fn body(&mut self, graph: &mut EGraph, block: &Block, body: &Body) -> Option<u32> {
        if let Some(name) = body.reference {
            return self.named(name);
        }
        let first = self.names.get(&block.origin).map_or(0, |named| named.terms.len());
        for (operator, arguments) in &body.nodes {
            let operator = graph.declare(&block.operators[*operator as usize]);
            let children = arguments
                .iter()
                .map(|argument| {
                    Some(match argument {
                        BodyArgument::Node(position) => {
                            Child::Term(*self.names.get(&block.origin)?.terms.get(first + *position as usize)?)
                        }
                        BodyArgument::Name(name) => Child::Term(self.named(*name)?),
                        BodyArgument::Value(value) => Child::Value(graph.values.intern(value)),
                    })
                })
                .collect::<Option<Box<[_]>>>()?;
            let id = self.equalities.add(operator, children);
            self.names.entry(block.origin).or_default().terms.push(id);
            let stated = self.stated.len().max(id as usize + 1);
            self.stated.resize(stated, false);
            self.stated[id as usize] = true;
        }
        self.names.get(&block.origin)?.terms.last().copied()
    }

    fn named(&self, name: Name) -> Option<u32> {
        let named = self.names.get(&name.agent)?;
        let at = name.ordinal.checked_sub(named.first)?;
        named.terms.get(at as usize).copied()
    }
}

fn operand(graph: &mut EGraph, operand: &Operand, bound: &[Option<Child>]) -> Option<Child> {
    match operand {
        Operand::Variable(variable) => bound[variable.0 as usize],
        Operand::Value(value) => Some(Child::Value(graph.values.intern(value))),
    }
}

fn children(graph: &mut EGraph, arguments: &[Operand], bound: &[Option<Child>]) -> Option<Box<[Child]>> {
    arguments
        .iter()
        .map(|argument| operand(graph, argument, bound))
        .collect()
}

fn compute(graph: &mut EGraph, function: Primitive, arguments: &[Operand], bound: &[Option<Child>]) -> Option<Child> {
    let mut values: Vec<Value> = Vec::with_capacity(arguments.len());
    for argument in arguments {
        match operand(graph, argument, bound)? {
            Child::Value(id) => values.push(graph.values.get(id).clone()),
            Child::Term(_) => return None,
        }
    }
    let value = function.apply(&values.iter().collect::<Vec<_>>())?;
    Some(Child::Value(graph.values.intern(&value)))
}
