//! Explanations: why two terms are equal, as a chain of rewrites, each justified by a fact.
//!
//! Nothing is kept for this while the e-graph works. When somebody asks, the facts are replayed into a *proof forest* (Nieuwenhuis and Oliveras,
//! "Proof-producing congruence closure", 2005) whose nodes are concrete terms: the two sides of each application as they stood, and every term that a
//! fact names. An edge is a rule's application, an asserted equality, or congruence; the path between two equal terms never changes once it is there,
//! so the proof of a congruence rests on older edges only.

use std::collections::BTreeMap;
use std::collections::VecDeque;

use eqmesh_egraph::graph::{EGraph, OperatorId};
use eqmesh_egraph::rule::{Action, Atom, Operand, Query, Variable};
use eqmesh_egraph::term::{Argument, MAX_TERM_TEXT, Term};
use eqmesh_egraph::value::{Value, ValueId};

use crate::block::{Block, Body, BodyArgument, Segment};
use crate::fault::Fault;
use crate::log::Frame;
use crate::replica::{KnownRule, Replica, shorten};
use crate::version::{AgentId, Dot, Name, VersionVector};

/// The longest explanation, in steps.
pub const MAX_STEPS: usize = 10_000;

/// One step of an explanation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplanationStep {
    /// The whole term before.
    pub before: String,
    /// The whole term after.
    pub after: String,
    /// The rule's name, or `union` for an asserted equality.
    pub rule: String,
    /// False where the rule was used from right to left.
    pub forward: bool,
    /// The argument positions that lead from the root to the subterm that changed.
    pub place: Vec<u32>,
    /// Each of the rule's variables with its term.
    pub substitution: Vec<(String, String)>,
    /// The fact that justifies it.
    pub fact: Dot,
}

/// What stands under a concrete term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Child {
    Term(u32),
    Value(ValueId),
}

#[derive(Clone, Debug)]
enum Why {
    Congruence,
    Asserted(Dot),
    /// From left to right; the position among the applications.
    Rule(usize),
}

struct Application {
    fact: Dot,
    rule: Dot,
    substitution: Vec<Option<Child>>,
}

/// One edge of a path: from, to, why, and whether it is walked in the direction that it was made in.
struct Edge {
    from: u32,
    to: u32,
    why: Why,
    forward: bool,
}

#[derive(Default)]
struct Forest {
    terms: Vec<(OperatorId, Vec<Child>)>,
    exact: BTreeMap<(OperatorId, Vec<Child>), u32>,
    congruent: BTreeMap<(OperatorId, Vec<Child>), u32>,
    parents: Vec<u32>,
    users: Vec<Vec<u32>>,
    /// The proof forest: towards the root, with the reason; the flag says that the edge was made from this term to its parent.
    proofs: Vec<Option<(u32, Why, bool)>>,
    pending: VecDeque<(u32, u32, Why)>,
    applications: Vec<Application>,
    names: BTreeMap<AgentId, Vec<u32>>,
}

impl Forest {
    fn find(&mut self, mut id: u32) -> u32 {
        while self.parents[id as usize] != id {
            let next = self.parents[self.parents[id as usize] as usize];
            self.parents[id as usize] = next;
            id = next;
        }
        id
    }

    fn canonical(&mut self, id: u32) -> (OperatorId, Vec<Child>) {
        let (operator, mut children) = self.terms[id as usize].clone();
        for child in &mut children {
            if let Child::Term(below) = child {
                *below = self.find(*below);
            }
        }
        (operator, children)
    }

    /// The concrete term of this operator over these, made if it is new, without a place in the equivalence.
    fn intern(&mut self, operator: OperatorId, children: Vec<Child>) -> (u32, bool) {
        let next = self.terms.len() as u32;
        let id = *self.exact.entry((operator, children.clone())).or_insert(next);
        if id == next {
            self.terms.push((operator, children));
            self.parents.push(next);
            self.users.push(Vec::new());
            self.proofs.push(None);
        }
        (id, id == next)
    }

    /// Adds a concrete term; if another one is congruent to it, they become equal at the next `close`.
    fn add(&mut self, operator: OperatorId, children: Vec<Child>) -> u32 {
        let (id, new) = self.intern(operator, children);
        if new {
            let key = self.canonical(id);
            for child in &key.1 {
                if let Child::Term(below) = child {
                    self.users[*below as usize].push(id);
                }
            }
            match self.congruent.get(&key) {
                Some(&other) => self.pending.push_back((id, other, Why::Congruence)),
                None => {
                    self.congruent.insert(key, id);
                }
            }
        }
        id
    }

    fn close(&mut self) {
        while let Some((a, b, why)) = self.pending.pop_front() {
            let (x, y) = (self.find(a), self.find(b));
            if x == y {
                continue;
            }
            self.link(a, b, why);
            let (root, child) = if self.users[x as usize].len() >= self.users[y as usize].len() {
                (x, y)
            } else {
                (y, x)
            };
            self.parents[child as usize] = root;
            let users = std::mem::take(&mut self.users[child as usize]);
            for &user in &users {
                let key = self.canonical(user);
                match self.congruent.get(&key) {
                    Some(&other) if other != user => self.pending.push_back((user, other, Why::Congruence)),
                    Some(_) => {}
                    None => {
                        self.congruent.insert(key, user);
                    }
                }
            }
            self.users[root as usize].extend(users);
        }
    }

    /// Hangs the tree of `a` under `b`, after turning it so that `a` is its root.
    fn link(&mut self, a: u32, b: u32, why: Why) {
        let mut at = a;
        let mut above = Some((b, why, true));
        loop {
            let old = std::mem::replace(&mut self.proofs[at as usize], above);
            let Some((next, why, forward)) = old else { break };
            above = Some((at, why, !forward));
            at = next;
        }
    }

    /// The path between two equal terms. The edges come in order.
    fn path(&self, a: u32, b: u32) -> Vec<Edge> {
        let climb = |mut at: u32| {
            let mut way = vec![at];
            while let Some((next, _, _)) = &self.proofs[at as usize] {
                way.push(*next);
                at = *next;
            }
            way
        };
        let (mut left, mut right) = (climb(a), climb(b));
        while left.len() > 1 && right.len() > 1 && left[left.len() - 2] == right[right.len() - 2] {
            left.pop();
            right.pop();
        }
        let edge = |from: u32, to: u32, up: bool| {
            let below = if up { from } else { to };
            let (_, why, made_up) = self.proofs[below as usize].clone().expect("a step of the climb");
            Edge {
                from,
                to,
                why,
                forward: made_up == up,
            }
        };
        let mut edges: Vec<Edge> = left.windows(2).map(|pair| edge(pair[0], pair[1], true)).collect();
        edges.extend(right.windows(2).rev().map(|pair| edge(pair[1], pair[0], false)));
        edges
    }

    /// The concrete term that a text says.
    fn concrete(&mut self, term: &Term<Name>) -> Option<u32> {
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
                .collect::<Option<Vec<_>>>()?;
            ids.push(self.add(operator, children));
        }
        match term.root {
            Argument::Reference(name) => self.named(name),
            _ => ids.last().copied(),
        }
    }

    fn child_of_operand(values: &mut EGraph, operand: &Operand, bound: &[Option<Child>]) -> Option<Child> {
        match operand {
            Operand::Variable(variable) => bound[variable.0 as usize],
            Operand::Value(value) => Some(Child::Value(values.values.intern(value))),
        }
    }

    /// Replays one application. Its match has been checked, so everything that is looked up is there; if it were not, the
    /// application would be left out of the forest.
    fn apply(
        &mut self,
        graph: &mut EGraph,
        known: &KnownRule,
        fact: Dot,
        rule: Dot,
        matched: &[u32],
        origin: AgentId,
    ) -> Option<()> {
        let query = &known.rule.query;
        let operators: Vec<OperatorId> = query.operators.iter().map(|operator| graph.declare(operator)).collect();
        let mut bound: Vec<Option<Child>> = vec![None; query.variables.len()];
        let determined = self.ground(graph, query, &operators, &mut bound);
        let mut matched = matched.iter();
        for (at, atom) in query.atoms.iter().enumerate() {
            match atom {
                Atom::Row { .. } if determined[at] => {}
                Atom::Row { arguments, class, .. } => {
                    let row = *matched.next()?;
                    let children = self.terms[row as usize].1.clone();
                    for (argument, child) in arguments.iter().zip(children) {
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
                    let value =
                        Self::child_of_operand(graph, a, &bound).or(Self::child_of_operand(graph, b, &bound))?;
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
        let names = |this: &mut Forest, id: u32| this.names.entry(origin).or_default().push(id);
        for action in &known.rule.actions {
            match action {
                Action::Add {
                    operator,
                    arguments,
                    class,
                } => {
                    let children = arguments
                        .iter()
                        .map(|argument| Self::child_of_operand(graph, argument, &bound))
                        .collect::<Option<Vec<_>>>()?;
                    let id = self.add(operators[operator.0 as usize], children);
                    names(self, id);
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
                    let left = self.instance(graph, query, &operators, *left, &bound)?;
                    let right = self.instance(graph, query, &operators, *right, &bound)?;
                    let application = self.applications.len();
                    self.applications.push(Application {
                        fact,
                        rule,
                        substitution: substitution.clone(),
                    });
                    self.pending.push_back((left, right, Why::Rule(application)));
                }
            }
        }
        Some(())
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
                let children: Option<Vec<Child>> = arguments
                    .iter()
                    .map(|argument| Self::child_of_operand(graph, argument, bound))
                    .collect();
                if let Some(children) = children {
                    determined[at] = true;
                    progress = true;
                    let id = self.add(operators[operator.0 as usize], children);
                    bound[class.0 as usize].get_or_insert(Child::Term(id));
                }
            }
            if !progress {
                return determined;
            }
        }
    }

    /// The concrete term that a class variable stands for: the instance of its pattern, or what it is bound to. As deep as the rule is.
    fn instance(
        &mut self,
        graph: &mut EGraph,
        query: &Query,
        operators: &[OperatorId],
        variable: Variable,
        bound: &[Option<Child>],
    ) -> Option<u32> {
        let pattern = query.atoms.iter().find_map(|atom| match atom {
            Atom::Row {
                operator,
                arguments,
                class,
            } if *class == variable => Some((operator, arguments)),
            _ => None,
        });
        let Some((operator, arguments)) = pattern else {
            return match bound[variable.0 as usize]? {
                Child::Term(id) => Some(id),
                Child::Value(_) => None,
            };
        };
        let mut children = Vec::with_capacity(arguments.len());
        for argument in arguments {
            children.push(match argument {
                Operand::Variable(below) if *below != variable && query.variables[below.0 as usize].sort.is_class() => {
                    Child::Term(self.instance(graph, query, operators, *below, bound)?)
                }
                other => Self::child_of_operand(graph, other, bound)?,
            });
        }
        Some(self.add(operators[operator.0 as usize], children))
    }

    fn body(&mut self, graph: &mut EGraph, block: &Block, body: &Body) -> Option<u32> {
        if let Some(name) = body.reference {
            return self.named(name);
        }
        let first = self.names.get(&block.origin).map_or(0, Vec::len);
        for (operator, arguments) in &body.nodes {
            let operator = graph.declare(&block.operators[*operator as usize]);
            let children = arguments
                .iter()
                .map(|argument| {
                    Some(match argument {
                        BodyArgument::Node(position) => {
                            Child::Term(*self.names.get(&block.origin)?.get(first + *position as usize)?)
                        }
                        BodyArgument::Name(name) => Child::Term(self.named(*name)?),
                        BodyArgument::Value(value) => Child::Value(graph.values.intern(value)),
                    })
                })
                .collect::<Option<Vec<_>>>()?;
            let id = self.add(operator, children);
            self.names.entry(block.origin).or_default().push(id);
        }
        self.names.get(&block.origin)?.last().copied()
    }

    fn named(&self, name: Name) -> Option<u32> {
        self.names.get(&name.agent)?.get(name.ordinal as usize).copied()
    }

    /// The text of a concrete term.
    fn text(&self, graph: &EGraph, id: u32) -> Result<String, Fault> {
        let mut text = String::new();
        let mut stack = vec![(id, 0usize)];
        while let Some((id, mut column)) = stack.pop() {
            if text.len() > MAX_TERM_TEXT {
                return Err(Fault::Limit(format!(
                    "a term of the explanation is longer than {MAX_TERM_TEXT} bytes"
                )));
            }
            let (operator, children) = &self.terms[id as usize];
            let operator = graph.operator(*operator);
            if children.is_empty() && operator.is_untyped() {
                text.push_str(&operator.name);
                continue;
            }
            if column == 0 {
                text.push('(');
                text.push_str(&operator.name);
            }
            loop {
                let Some(child) = children.get(column) else {
                    text.push(')');
                    break;
                };
                text.push(' ');
                column += 1;
                match child {
                    Child::Term(below) => {
                        stack.push((id, column));
                        stack.push((*below, 0));
                        break;
                    }
                    Child::Value(value) => text.push_str(&graph.values.get(*value).to_string()),
                }
            }
        }
        Ok(text)
    }

    /// The term with the subterm at a place replaced.
    fn replace(&mut self, whole: u32, place: &[u32], with: u32) -> u32 {
        let mut way = vec![whole];
        for &column in place {
            match self.terms[way[way.len() - 1] as usize].1[column as usize] {
                Child::Term(below) => way.push(below),
                Child::Value(_) => return whole,
            }
        }
        let mut new = with;
        for (&above, &column) in way[..place.len()].iter().zip(place).rev() {
            let (operator, mut children) = self.terms[above as usize].clone();
            children[column as usize] = Child::Term(new);
            new = self.intern(operator, children).0;
        }
        new
    }
}

fn compute(
    graph: &mut EGraph,
    function: eqmesh_egraph::primitive::Primitive,
    arguments: &[Operand],
    bound: &[Option<Child>],
) -> Option<Child> {
    let mut values: Vec<Value> = Vec::with_capacity(arguments.len());
    for argument in arguments {
        match Forest::child_of_operand(graph, argument, bound)? {
            Child::Value(id) => values.push(graph.values.get(id).clone()),
            Child::Term(_) => return None,
        }
    }
    let value = function.apply(&values.iter().collect::<Vec<_>>())?;
    Some(Child::Value(graph.values.intern(&value)))
}

impl Replica {
    fn forest(&mut self) -> Result<Forest, Fault> {
        let mut forest = Forest::default();
        let broken = || Fault::Refused("a settled fact could not be replayed".to_owned());
        for bytes in self.delta_since(&VersionVector::default()) {
            let block = Block::decode(&bytes)?;
            let frame = Frame::of(&self.logs, None, &block.base);
            let mut sequence = block.first - 1;
            for segment in &block.segments {
                match segment {
                    Segment::Rule(_) | Segment::Certify(_) | Segment::Cut(_) => {}
                    Segment::Term { body, .. } => {
                        forest.body(&mut self.graph, &block, body).ok_or_else(broken)?;
                    }
                    Segment::Equal { left, right } => {
                        let left = forest.body(&mut self.graph, &block, left).ok_or_else(broken)?;
                        let right = forest.body(&mut self.graph, &block, right).ok_or_else(broken)?;
                        let dot = Dot {
                            agent: block.origin,
                            sequence: sequence + 1,
                        };
                        forest.pending.push_back((left, right, Why::Asserted(dot)));
                    }
                    Segment::Apply {
                        rule,
                        width,
                        count,
                        nodes,
                    } => {
                        let known = &self.rules[rule];
                        let width = *width as usize;
                        for i in 0..*count as usize {
                            let matched = nodes[i * width..(i + 1) * width]
                                .iter()
                                .map(|&number| frame.name(number).and_then(|name| forest.named(name)))
                                .collect::<Option<Vec<u32>>>()
                                .ok_or_else(broken)?;
                            let fact = Dot {
                                agent: block.origin,
                                sequence: sequence + 1 + i as u64,
                            };
                            forest
                                .apply(&mut self.graph, known, fact, *rule, &matched, block.origin)
                                .ok_or_else(broken)?;
                        }
                    }
                }
                sequence += segment.facts();
            }
            forest.close();
        }
        Ok(forest)
    }

    /// Why two terms are equal: a chain of rewrites from the left to the right, empty if they are the same term. Replays all facts.
    pub fn explain(&mut self, left: &str, right: &str) -> Result<Vec<ExplanationStep>, Fault> {
        let (left_class, right_class) = (self.class_of_text(left)?, self.class_of_text(right)?);
        if left_class != right_class {
            return Err(Fault::Refused(format!(
                "`{}` and `{}` are not known to be equal",
                shorten(left),
                shorten(right)
            )));
        }
        let mut forest = self.forest()?;
        let absent = |text: &str| Fault::Absent(format!("the term `{}` is not in the e-graph", shorten(text)));
        let (left_term, _) = self.parse(left)?;
        let (right_term, _) = self.parse(right)?;
        let start = forest.concrete(&left_term).ok_or_else(|| absent(left))?;
        let goal = forest.concrete(&right_term).ok_or_else(|| absent(right))?;
        forest.close();
        if forest.find(start) != forest.find(goal) {
            return Err(Fault::Refused(
                "the replayed facts do not prove the equality".to_owned(),
            ));
        }
        // A stack of proofs to be laid out, the next on top.
        let mut stack: Vec<(Edge, Vec<u32>)> = forest
            .path(start, goal)
            .into_iter()
            .rev()
            .map(|edge| (edge, Vec::new()))
            .collect();
        let mut whole = start;
        let mut chain: Vec<(u32, Edge, Vec<u32>, u32)> = Vec::new();
        while let Some((edge, place)) = stack.pop() {
            if let Why::Congruence = edge.why {
                let (from, to) = (
                    forest.terms[edge.from as usize].1.clone(),
                    forest.terms[edge.to as usize].1.clone(),
                );
                for (column, pair) in from.into_iter().zip(to).enumerate().rev() {
                    if let (Child::Term(a), Child::Term(b)) = pair
                        && a != b
                    {
                        let mut below = place.clone();
                        below.push(column as u32);
                        let path = forest.path(a, b);
                        stack.extend(path.into_iter().rev().map(|edge| (edge, below.clone())));
                    }
                }
                continue;
            }
            let after = forest.replace(whole, &place, edge.to);
            // A chain that comes back to a term that it has seen goes round in a circle: cut it out.
            if let Some(seen) = (after == start).then_some(0).or_else(|| {
                chain
                    .iter()
                    .position(|(_, _, _, earlier)| *earlier == after)
                    .map(|at| at + 1)
            }) {
                chain.truncate(seen);
            } else {
                chain.push((whole, edge, place, after));
            }
            whole = after;
            if chain.len() > MAX_STEPS {
                return Err(Fault::Limit(format!("the explanation has more than {MAX_STEPS} steps")));
            }
        }
        chain
            .into_iter()
            .map(|(before, edge, place, after)| self.step(&forest, before, edge, place, after))
            .collect()
    }

    fn step(
        &self,
        forest: &Forest,
        before: u32,
        edge: Edge,
        place: Vec<u32>,
        after: u32,
    ) -> Result<ExplanationStep, Fault> {
        let (rule, substitution, fact) = match edge.why {
            Why::Rule(at) => {
                let application = &forest.applications[at];
                let rule = &self.rules[&application.rule].rule;
                let mut substitution = Vec::new();
                for (variable, child) in rule.query.variables.iter().zip(&application.substitution) {
                    if let (false, Some(child)) = (variable.name.is_empty(), child) {
                        let text = match child {
                            Child::Term(id) => forest.text(&self.graph, *id)?,
                            Child::Value(value) => self.graph.values.get(*value).to_string(),
                        };
                        substitution.push((variable.name.clone(), text));
                    }
                }
                (rule.name.clone(), substitution, application.fact)
            }
            Why::Asserted(fact) => ("union".to_owned(), Vec::new(), fact),
            Why::Congruence => return Err(Fault::Refused("congruence is no step of its own".to_owned())),
        };
        Ok(ExplanationStep {
            before: forest.text(&self.graph, before)?,
            after: forest.text(&self.graph, after)?,
            rule,
            forward: edge.forward,
            place,
            substitution,
            fact,
        })
    }
}
