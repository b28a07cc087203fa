//! Taking blocks in: every fact is checked against the closed e-graph before the first is applied.

use std::collections::BTreeMap;
use std::sync::Arc;

use eqmesh_egraph::color::{Color, Colors};
use eqmesh_egraph::graph::{EGraph, OperatorId, RowId};
use eqmesh_egraph::matching::{Batch, Matcher, NotAMatch, Told};
use eqmesh_egraph::program;

use super::ahead::Ahead;
use super::{Birth, Checked, KnownRule, Own, Replica, Settled, Waiting, version};
use crate::block::{Block, Body, BodyArgument, Segment};
use crate::fault::Fault;
use crate::log::{Frame, Rows};
use crate::version::{AgentId, Dot, Name};

impl Replica {
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
                .or_insert_with(|| Waiting {
                    block,
                    bytes: bytes.into(),
                    own: None,
                });
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
                .filter(|((origin, first), Waiting { block, .. })| {
                    !self.refused.contains_key(origin) && *first == here.get(*origin) + 1 && here.covers(&block.base)
                })
                .map(|(&(origin, first), Waiting { block, .. })| (block.height, origin, first))
                .collect();
            let Some(&(least, _, _)) = ready.iter().min() else {
                break;
            };
            let mut batch: Vec<Waiting> = Vec::new();
            let mut keys: Vec<_> = ready.into_iter().filter(|&(height, _, _)| height == least).collect();
            keys.sort_unstable();
            for (_, origin, first) in keys {
                batch.extend(self.pending.remove(&(origin, first)));
            }
            if least > self.height
                && let [Waiting { own: Some(own), .. }] = batch.as_mut_slice()
                && let Some(ahead) = own.ahead.take()
                && ahead.generation == self.generation
                && let Some(Waiting { block, bytes, own }) = batch.pop()
            {
                settled.accepted += block.facts();
                // Where nothing is checked again, what is known of the matches is a burden.
                let marks = own.map(|own| own.marks);
                unions += self.go_ahead(&block, bytes, *ahead);
                self.marks.extend(marks.into_iter().flatten());
                self.close(least);
                continue;
            }
            // All are checked against the closed e-graph before the first is applied.
            let checked: Vec<_> = batch
                .into_iter()
                .filter_map(|Waiting { block, bytes, own }| {
                    let Own {
                        generation,
                        checked,
                        marks,
                        ..
                    } = own.unwrap_or_default();
                    let known = (generation == self.generation).then_some(checked);
                    match self.check(&block, known) {
                        Ok(checked) => Some((block, bytes, checked, marks)),
                        Err((offset, reason)) => {
                            let dot = Dot {
                                agent: block.origin,
                                sequence: block.first + offset,
                            };
                            self.refused.insert(block.origin, (dot, reason.clone()));
                            settled.refused.push((dot, reason));
                            None
                        }
                    }
                })
                .collect();
            let mut changed = false;
            // Unless these blocks come late, rows that are there already have earlier names.
            let settled_rows = if least > self.height { self.graph.row_count() } else { 0 };
            for (block, bytes, checked, marks) in checked {
                settled.accepted += block.facts();
                changed |= block.makes_claims();
                unions += self.apply(&block, bytes, checked, settled_rows);
                self.marks.extend(marks);
            }
            if changed {
                unions += self.graph.rebuild();
                self.close(least);
            } else {
                // Certificates change colors alone, but a copy made before does not have them.
                self.generation += 1;
            }
        }
        let here = version(&self.logs);
        self.pending.retain(|(origin, first), _| *first > here.get(*origin));
        settled.waiting = self.pending.len() as u32;
        settled.new_nodes = (self.graph.enodes() as u64).saturating_sub(nodes_before);
        settled.unions = unions;
        settled
    }

    /// Goes over to the e-graph that holds an own block already. Answers the number of unions.
    fn go_ahead(&mut self, block: &Block, bytes: Arc<[u8]>, ahead: Ahead) -> u64 {
        let old = std::mem::replace(&mut self.graph, ahead.graph);
        self.graph.follow(&old);
        self.spare.graph = old;
        let log = self.logs.entry(block.origin).or_default();
        let first_ordinal = log.rows.len() as u32;
        self.births.resize(self.graph.row_count() as usize, Birth::NEVER);
        for (row, ordinal) in ahead.rows.iter().zip(first_ordinal..) {
            let birth = &mut self.births[row.0 as usize];
            // Rows that were there have earlier names, and of the others' names the first is the least.
            if *birth == Birth::NEVER {
                let agent = block.origin;
                *birth = Birth {
                    height: block.height,
                    name: Name { agent, ordinal },
                };
            }
        }
        log.rows.extend(ahead.rows);
        log.enter(block, bytes, first_ordinal);
        ahead.unions
    }

    /// After a change of the e-graph by blocks of this height.
    fn close(&mut self, height: u32) {
        self.height = self.height.max(height);
        self.absorb_deaths();
        if self.graph.dead_rows() > MIN_DEAD.max(self.graph.enodes()) {
            self.compact();
        }
        if let Some(index) = self.index.take() {
            self.spare.index = index;
        }
        self.naming = None;
        self.generation += 1;
    }

    /// Drops the dead rows of the e-graph, which must be about to be indexed anew.
    fn compact(&mut self) {
        let compaction = self.spare.graph.compact_from(&self.graph);
        std::mem::swap(&mut self.graph, &mut self.spare.graph);
        for log in self.logs.values_mut() {
            for row in &mut log.rows {
                *row = compaction.row(*row);
            }
        }
        let mut births: Vec<Option<Birth>> = vec![None; self.graph.enodes()];
        for (&birth, row) in self.births.iter().zip(compaction.rows()) {
            let own = &mut births[row.0 as usize];
            *own = Some(own.map_or(birth, |own| own.min(birth)));
        }
        self.births = births
            .into_iter()
            .map(|birth| birth.expect("every row is named"))
            .collect();
        for ((dot, _), mark) in &mut self.marks {
            self.rules[dot].matcher.renumber(&mut mark.ground, &compaction);
        }
    }

    /// A row that died leaves its name to the survivor, if it is the earlier one.
    fn absorb_deaths(&mut self) {
        let shared = self.is_shared();
        for (dead, survivor) in self.graph.take_deaths() {
            let survivor = self.graph.resolve(survivor);
            let birth = self.births[dead.0 as usize];
            rename(&mut self.graph, &mut self.births, survivor, birth, shared);
        }
    }

    /// Whether rows may change hands: any search so far was of a part only.
    fn is_shared(&self) -> bool {
        self.marks.keys().any(|(_, share)| share.count > 1)
    }

    /// Checks a block against the closed e-graph. Answers its applications, or the offset of the first fact that does not hold and why. Applications that
    /// are known to hold need no check.
    fn check(&mut self, block: &Block, known: Option<Vec<Checked>>) -> Result<Vec<Checked>, (u64, String)> {
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
        let mut past = frame.rows(&self.logs);
        let mut named = Named::default();
        let mut known = known.map(Vec::into_iter);
        let mut applications = Vec::new();
        let mut offset = 0;
        for segment in &block.segments {
            match segment {
                Segment::Rule(bytes) => {
                    program::decode_rule(bytes).map_err(|error| (offset, error.to_string()))?;
                }
                Segment::Term { color, body, .. } => {
                    self.check_body(block, &named, body, *color)
                        .map_err(|reason| (offset, reason))?;
                    named.add(body);
                }
                Segment::Equal { left, right } => {
                    let mut sorts = Vec::new();
                    for body in [left, right] {
                        let sort = self
                            .check_body(block, &named, body, Color::Green)
                            .map_err(|reason| (offset, reason))?;
                        named.add(body);
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
                    let checked = match known.as_mut().and_then(Iterator::next) {
                        Some(checked) => checked,
                        None => check_applications(
                            &mut self.graph,
                            self.options.coloring,
                            self.rules.get(rule),
                            *rule,
                            &mut past,
                            (*width, *count, nodes),
                        )
                        .map_err(|(at, reason)| (offset + at, reason))?,
                    };
                    applications.push(checked);
                    named.total += self.rules[rule].matcher.additions() * *count as usize;
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
        let total = self.logs.get(&block.origin).map_or(0, |log| log.rows.len()) + named.total;
        if u32::try_from(total).is_err() {
            return Err((0, "it names more e-nodes than can be numbered".to_owned()));
        }
        Ok(applications)
    }

    fn check_body(&self, block: &Block, named: &Named, body: &Body, color: Color) -> Result<String, String> {
        let own_first = self.logs.get(&block.origin).map_or(0, |log| log.rows.len() as u32);
        let sort_of = |operator: u32| block.operators[operator as usize].output.sort().to_owned();
        let sort_of_name = |name: Name| {
            if name.agent == block.origin && name.ordinal >= own_first {
                return match named.operator(name.ordinal - own_first) {
                    Some(operator) => Ok(sort_of(operator)),
                    None => Err(format!(
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

    /// Applies a checked block to the e-graph, where rows up to `settled_rows` have earlier names than it can give, and enters it in its agent's log.
    /// Answers the number of unions so far; some may wait.
    fn apply(&mut self, block: &Block, bytes: Arc<[u8]>, applications: Vec<Checked>, settled_rows: u32) -> u64 {
        let mut unions = 0;
        let mut applications = applications.into_iter();
        let shared = self.is_shared();
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
                    let root = self.apply_body(block, body, *color, shared);
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
                    let left = self.apply_body(block, left, Color::Green, shared);
                    let right = self.apply_body(block, right, Color::Green, shared);
                    let class = |name| self.graph.class_of(self.row(name).expect("just named"));
                    let (left, right) = (class(left), class(right));
                    self.graph.unite(left, right);
                }
                Segment::Apply { rule, count, .. } => {
                    let KnownRule { rule, matcher } = &self.rules[rule];
                    let colors = Colors::from(rule.color);
                    let Checked { ground, kept } = applications.next().expect("one for each segment of applications");
                    let log = self.logs.get_mut(&block.origin).expect("entered");
                    let (first, additions) = (log.rows.len(), matcher.additions());
                    log.rows.resize(first + additions * *count as usize, RowId(u32::MAX));
                    let births = &mut self.births;
                    let mut batch = matcher.batch(&ground);
                    for at in (0..*count as usize).step_by(Batch::CAPACITY) {
                        batch.refill(&kept, at, Batch::CAPACITY.min(*count as usize - at));
                        matcher.apply(&mut self.graph, &mut batch, colors, Told::All);
                        births.resize(self.graph.row_count() as usize, Birth::NEVER);
                        for lane in 0..batch.len() {
                            for (addition, row) in batch.added(lane).enumerate() {
                                let ordinal = first + (at + lane) * additions + addition;
                                log.rows[ordinal] = row;
                                if row.0 >= settled_rows {
                                    let name = Name {
                                        agent: block.origin,
                                        ordinal: ordinal as u32,
                                    };
                                    let height = block.height;
                                    rename(&mut self.graph, births, row, Birth { height, name }, shared);
                                }
                            }
                        }
                        unions += self.graph.rebuild();
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
        log.enter(block, bytes, first_ordinal);
        unions
    }

    fn apply_body(&mut self, block: &Block, body: &Body, color: Color, shared: bool) -> Name {
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
            let (row, new) = self.graph.add(
                operators[*operator as usize],
                &arguments_of_row,
                None,
                Colors::from(color),
            );
            let log = self.logs.get_mut(&block.origin).expect("entered");
            let birth = Birth {
                height: block.height,
                name: Name {
                    agent: block.origin,
                    ordinal: log.rows.len() as u32,
                },
            };
            log.rows.push(row);
            if new {
                self.births.push(birth);
            } else {
                rename(&mut self.graph, &mut self.births, row, birth, shared);
            }
        }
        Name {
            agent: block.origin,
            ordinal: first + body.nodes.len() as u32 - 1,
        }
    }
}

/// Gives a row another name, if it is earlier than the one it has. Where shares are searched it may go to another one with that.
#[inline]
fn rename(graph: &mut EGraph, births: &mut [Birth], row: RowId, birth: Birth, shared: bool) {
    let own = &mut births[row.0 as usize];
    if birth < *own {
        *own = birth;
        if shared {
            graph.touch(row);
        }
    }
}

/// Fewer dead rows than this are no bother.
const MIN_DEAD: usize = 1 << 10;

/// The nodes that the facts of a block so far name.
#[derive(Debug, Default)]
struct Named {
    total: usize,
    /// Those of terms, by their place: their operator in the block's table. Nodes that applications name are never referred to within their own block.
    terms: BTreeMap<u32, u32>,
}

impl Named {
    fn add(&mut self, body: &Body) {
        for (operator, _) in &body.nodes {
            self.terms.insert(self.total as u32, *operator);
            self.total += 1;
        }
    }

    fn operator(&self, place: u32) -> Option<u32> {
        self.terms.get(&place).copied()
    }
}

/// Checks applications of one rule, given as (width, count, nodes), against a closed e-graph.
fn check_applications(
    graph: &mut EGraph,
    coloring: bool,
    known: Option<&KnownRule>,
    dot: Dot,
    past: &mut Rows<'_>,
    (width, count, nodes): (u32, u32, &[u32]),
) -> Result<Checked, (u64, String)> {
    let KnownRule { rule, matcher } = known.ok_or_else(|| {
        let reason = format!("agent {} made no rule with fact {}", dot.agent.0, dot.sequence);
        (0, reason)
    })?;
    if matcher.slots() != width as usize {
        let reason = format!("rule `{}` matches {} e-nodes, not {width}", rule.name, matcher.slots());
        return Err((0, reason));
    }
    let witnesses = Colors::witnesses(rule.color).filter(|_| coloring);
    let before = graph.row_count();
    let no_match = |at: usize, error: NotAMatch| {
        let reason = format!("rule `{}` does not match there: {error}", rule.name);
        (at as u64, reason)
    };
    let ground = matcher
        .ground(graph, before)
        .ok_or_else(|| no_match(0, NotAMatch::Ground))?;
    let is_total = matcher.is_total();
    let mut kept = Vec::with_capacity(count as usize * matcher.width());
    let (mut registers, mut rows) = (Vec::new(), vec![RowId(0); width as usize]);
    for at in 0..count as usize {
        for (row, &number) in rows.iter_mut().zip(&nodes[at * width as usize..]) {
            *row = past.of(number).ok_or_else(|| {
                let reason = format!("it refers to node {number} of its past, which has fewer");
                (at as u64, reason)
            })?;
        }
        matcher
            .verify(graph, &ground, before, &rows, &mut registers)
            .map_err(|error| no_match(at, error))?;
        if let Some(witnesses) = witnesses
            && let Some((operator, class)) = matcher.uncolored(graph, &registers, witnesses)
        {
            let reason = format!(
                "rule `{}`, {}, puts `{}` over a class that is {} only",
                rule.name,
                rule.color.name(),
                graph.operator(operator).name,
                graph.class_colors(class).dominant().map_or("uncolored", Color::name)
            );
            return Err((at as u64, reason));
        }
        if !is_total && !matcher.is_defined(graph, &mut registers) {
            let reason = format!("rule `{}`: a primitive is undefined there", rule.name);
            return Err((at as u64, reason));
        }
        matcher.keep(&registers, &mut kept);
    }
    Ok(Checked { ground, kept })
}
