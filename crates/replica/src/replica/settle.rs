//! Taking blocks in: every fact is checked against the closed e-graph before the first is applied.

use std::collections::BTreeMap;
use std::sync::Arc;

use eqmesh_egraph::color::{Color, Colors};
use eqmesh_egraph::graph::{EGraph, OperatorId, RowId};
use eqmesh_egraph::matching::{Batch, Matcher, NotAMatch, Told};
use eqmesh_egraph::program;
use eqmesh_egraph::rule::Rule;

use super::ahead::Ahead;
use super::era::{self, Era, Standing};
use super::{Birth, Checked, FORKED, Held, KnownRule, Label, Mark, Own, Replica, Settled, Share, Waiting, version};
use crate::block::{Block, Body, BodyArgument, PARENT, Segment};
use crate::fault::Fault;
use crate::log::{Frame, Log, Rows, Stretch};
use crate::snapshot;
use crate::version::{AgentId, Dot, Name};

/// The most bytes of blocks that wait for others.
const MAX_WAITING: usize = 512 << 20;

/// What a block comes to when it is checked.
struct Sound {
    block: Block,
    bytes: Arc<[u8]>,
    /// One for each segment of applications.
    applications: Vec<Checked>,
    /// One for each cut.
    eras: Vec<Era>,
    marks: Vec<((Dot, Share), Mark)>,
}

/// The facts of a block that hold, and why the next one does not.
struct Checks {
    facts: u64,
    applications: Vec<Checked>,
    eras: Vec<Era>,
    fault: Option<String>,
}

impl Replica {
    /// Takes in a block (or a snapshot, which is only kept: see [`Replica::adopt`]). Checks its form only; see [`Replica::settle`].
    ///
    /// Fails with [`Fault::Refused`] for facts under the name of this replica that it has not made: somebody else goes by it.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if bytes.starts_with(snapshot::MAGIC) {
            return self.keep_offer(bytes);
        }
        let block = Block::decode(bytes)?;
        let (origin, first) = (block.origin, block.first);
        let log = self.logs.get(&origin);
        let known = log.is_some_and(|log| first <= log.last()) || self.pending.contains_key(&(origin, first));
        if known {
            let entry = log.and_then(|log| log.entries.iter().find(|entry| entry.first == first));
            let pending = self.pending.get(&(origin, first)).map(|waiting| &waiting.bytes);
            let other = |own: &Arc<[u8]>| own.as_ref() != bytes;
            if entry
                .and_then(|entry| entry.bytes.as_ref())
                .or(pending)
                .is_some_and(other)
            {
                return self.note_fork(origin, first);
            }
            return Ok(());
        }
        if origin == self.options.agent {
            return self.note_fork(origin, first);
        }
        if self.pending_bytes + bytes.len() > MAX_WAITING {
            return Err(Fault::Limit(format!(
                "at most {MAX_WAITING} bytes of facts wait for what they build on"
            )));
        }
        self.pending_bytes += bytes.len();
        let waiting = Waiting {
            block,
            bytes: bytes.into(),
            own: None,
        };
        self.pending.insert((origin, first), waiting);
        Ok(())
    }

    /// Somebody has told two histories. Of this replica's name, nothing but its own one is believed.
    fn note_fork(&mut self, origin: AgentId, sequence: u64) -> Result<(), Fault> {
        let dot = Dot {
            agent: origin,
            sequence,
        };
        self.forks.entry(origin).or_insert(dot);
        if origin == self.options.agent {
            return Err(Fault::Refused(format!(
                "somebody else makes facts as agent {}, incarnation {}: fact {sequence} is not from here",
                origin.number(),
                origin.incarnation()
            )));
        }
        Ok(())
    }

    /// Applies every block whose causal past is here, in the order of (height, agent).
    ///
    /// Each fact is checked first, on the closed e-graph without its block. Of a block with a fact that does not hold, the facts before it are kept; it and its maker's later ones are held
    /// back, reported, and tried again whenever more is known: whether a fact holds can only change from no to yes, so replicas with the same facts at
    /// hand have accepted the same ones in the end.
    pub fn settle(&mut self) -> Settled {
        let mut settled = Settled::default();
        let nodes_before = self.graph.enodes() as u64;
        let mut unions = 0;
        loop {
            let mut batch = self.next_batch();
            let Some(least) = batch.first().map(|waiting| waiting.block.height) else {
                break;
            };
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
                self.refresh(least);
                continue;
            }
            // All are checked against the closed e-graph before the first is applied.
            let sound: Vec<Sound> = batch
                .into_iter()
                .filter_map(|waiting| self.sound(waiting, &mut settled))
                .collect();
            if sound.is_empty() {
                continue;
            }
            let mut changed = false;
            // Unless these blocks come late, rows that are there already have earlier names.
            let settled_rows = if least > self.height { self.graph.row_count() } else { 0 };
            for sound in sound {
                settled.accepted += sound.block.facts();
                changed |= sound.block.makes_claims();
                unions += self.apply(&sound.block, sound.bytes, sound.applications, sound.eras, settled_rows);
                self.marks.extend(sound.marks);
            }
            if changed {
                unions += self.graph.rebuild();
                self.refresh(least);
            } else {
                // Certificates change colors alone, but a copy made before does not have them.
                self.generation += 1;
            }
        }
        let here = version(&self.logs);
        self.pending.retain(|(origin, first), waiting| {
            let waits = *first > here.get(*origin);
            if !waits {
                self.pending_bytes -= waiting.bytes.len();
            }
            waits
        });
        settled.waiting = self.pending.len() as u32;
        settled.new_nodes = (self.graph.enodes() as u64).saturating_sub(nodes_before);
        settled.unions = unions;
        settled
    }

    /// The blocks of the least height among those whose past is here, by agent. What was held back is among them if more is known than when it was tried.
    fn next_batch(&mut self) -> Vec<Waiting> {
        let here = version(&self.logs);
        let under_cuts = self.under_pending_cuts();
        let ready = self.pending.iter().filter(|((origin, first), Waiting { block, .. })| {
            let next = *first == here.get(*origin) + 1 && !self.held.contains_key(origin);
            let past = next && !self.refused.contains_key(origin) && here.covers(&block.base);
            past && (self.standing(block) != Standing::Waits || under_cuts.get(*origin) >= block.last())
        });
        let mut keys: Vec<(u32, AgentId, u64)> = ready
            .map(|(&(origin, first), Waiting { block, .. })| (block.height, origin, first))
            .collect();
        let again = self.held.iter().filter(|(_, held)| held.generation != self.generation);
        keys.extend(again.map(|(&origin, held)| (held.block.height, origin, held.block.first)));
        let Some(&(least, _, _)) = keys.iter().min() else {
            return Vec::new();
        };
        keys.retain(|&(height, _, _)| height == least);
        keys.sort_unstable();
        let mut batch = Vec::with_capacity(keys.len());
        for (_, origin, first) in keys {
            if let Some(Held { block, bytes, .. }) = self.held.get(&origin) {
                batch.push(Waiting {
                    block: block.clone(),
                    bytes: bytes.clone(),
                    own: None,
                });
            } else if let Some(waiting) = self.pending.remove(&(origin, first)) {
                self.pending_bytes -= waiting.bytes.len();
                batch.push(waiting);
            }
        }
        batch
    }

    /// Checks a block. Answers what of it holds, and keeps the rest for later, or refuses it.
    fn sound(&mut self, waiting: Waiting, settled: &mut Settled) -> Option<Sound> {
        let Waiting { block, bytes, own } = waiting;
        let Own {
            generation,
            checked,
            marks,
            ..
        } = own.unwrap_or_default();
        let again = self.held.remove(&block.origin);
        let agent = block.origin;
        let dot = |sequence| Dot { agent, sequence };
        if again.is_none()
            && let Err(reason) = self.check_form(&block)
        {
            match reason {
                Misfit::Fork => {
                    self.forks.entry(block.origin).or_insert(dot(block.first));
                    settled.refused.push((dot(block.first), FORKED.to_owned()));
                }
                // It was made by somebody who has been away for too long; nothing is wrong with it.
                Misfit::Forgotten => {}
                Misfit::Wrong(reason) => {
                    self.refused.insert(block.origin, (dot(block.first), reason.clone()));
                    settled.refused.push((dot(block.first), reason));
                }
            }
            return None;
        }
        let known = (generation == self.generation).then_some(checked);
        let checks = self.check(&block, known);
        let Some(reason) = checks.fault else {
            return Some(Sound {
                block,
                bytes,
                applications: checks.applications,
                eras: checks.eras,
                marks,
            });
        };
        let first = block.first;
        let (block, rest) = block.split(checks.facts);
        if again.as_ref().is_none_or(|again| again.block.first != rest.first) {
            settled.refused.push((dot(rest.first), reason.clone()));
        }
        let held = Held {
            block: rest,
            bytes: bytes.clone(),
            began: again.map_or(first, |again| again.began),
            reason,
            generation: self.generation,
        };
        self.held.insert(agent, held);
        (checks.facts > 0).then_some(Sound {
            block,
            bytes,
            applications: checks.applications,
            eras: checks.eras,
            marks: Vec::new(),
        })
    }

    /// Goes over to the e-graph that holds an own block already. Answers the number of unions.
    fn go_ahead(&mut self, block: &Block, bytes: Arc<[u8]>, ahead: Ahead) -> u64 {
        let old = std::mem::replace(&mut self.graph, ahead.graph);
        self.graph.follow(&old);
        self.spare.graph = old;
        let layout = self.layout(block);
        let log = self.logs.entry(block.origin).or_default();
        let first_ordinal = log.next_ordinal();
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
        log.enter(block, bytes, first_ordinal, layout);
        ahead.unions
    }

    /// How many nodes the facts of a block name. Its rules must be known.
    fn layout(&self, block: &Block) -> Vec<Stretch> {
        let mut layout: Vec<Stretch> = Vec::new();
        for segment in &block.segments {
            let nodes = match segment {
                Segment::Term { body, .. } => body.nodes.len(),
                Segment::Equal { left, right } => left.nodes.len() + right.nodes.len(),
                Segment::Apply { rule, .. } => self.rules[rule].matcher.additions(),
                Segment::Rule(_) | Segment::Certify(_) | Segment::Cut(_) | Segment::Close { .. } => 0,
            } as u32;
            let facts = segment.facts() as u32;
            match layout.last_mut() {
                Some(last) if last.nodes == nodes => last.facts += facts,
                _ => layout.push(Stretch { facts, nodes }),
            }
        }
        layout
    }

    /// After a change of the e-graph by blocks of this height.
    fn refresh(&mut self, height: u32) {
        self.height = self.height.max(height);
        self.absorb_deaths();
        if self.graph.dead_rows() > MIN_DEAD.max(self.graph.enodes()) {
            self.drop_dead_rows();
        }
        if let Some(index) = self.index.take() {
            self.spare.index = index;
        }
        self.naming = None;
        self.generation += 1;
    }

    /// Drops the dead rows of the e-graph, which must be about to be indexed anew.
    fn drop_dead_rows(&mut self) {
        let compaction = self.spare.graph.compact_from(&self.graph);
        std::mem::swap(&mut self.graph, &mut self.spare.graph);
        let named = self.logs.values_mut().map(|log| &mut log.rows);
        let begun = self.beginning.iter_mut().filter_map(|own| own.rows.as_mut());
        for rows in named.chain(self.eras.iter_mut().map(|era| &mut era.rows)).chain(begun) {
            for row in rows {
                *row = compaction.row(*row);
            }
        }
        for label in self.labels.values_mut() {
            label.row = compaction.row(label.row);
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

    /// Checks what a block says of itself and its past.
    fn check_form(&mut self, block: &Block) -> Result<(), Misfit> {
        let own = self.logs.get(&block.origin);
        if own.map_or([0; 32], |log| log.chain)[..PARENT] != block.parent {
            return Err(Misfit::Fork);
        }
        if self.standing(block) == Standing::Void {
            return Err(Misfit::Forgotten);
        }
        let height = block
            .base
            .iter()
            .map(|dot| self.logs.get(&dot.agent).map_or(0, |log| log.height(dot.sequence)))
            .max()
            .unwrap_or(0)
            .max(own.map_or(0, |log| log.height(u64::MAX)));
        if block.height != height + 1 {
            return Err(Misfit::Wrong(format!(
                "its block's height is {} where {} follows",
                block.height,
                height + 1
            )));
        }
        Ok(())
    }

    /// Checks the facts of a block, one after the other, against the closed e-graph. Applications that are known to hold need no check.
    fn check(&mut self, block: &Block, known: Option<Vec<Checked>>) -> Checks {
        for operator in &block.operators {
            self.graph.declare(operator);
        }
        let baseline = era::covering(&self.eras, &block.base).map(Era::baseline);
        // Nothing else needs it, and most blocks of a large network have no applications.
        let applies = block
            .segments
            .iter()
            .any(|segment| matches!(segment, Segment::Apply { .. }));
        let frame = if applies {
            Frame::of(&self.logs, baseline, &block.base)
        } else {
            Frame::default()
        };
        let mut past = frame.rows(&self.logs, baseline);
        let mut named = Named::default();
        let mut known = known.map(Vec::into_iter);
        let mut checks = Checks {
            facts: 0,
            applications: Vec::new(),
            eras: Vec::new(),
            fault: None,
        };
        let first_ordinal = self.logs.get(&block.origin).map_or(0, Log::next_ordinal);
        for segment in &block.segments {
            let fault = match segment {
                Segment::Rule(bytes) => program::decode_rule(bytes).err().map(|error| error.to_string()),
                Segment::Term { color, body, .. } => {
                    let checked = self.check_body(block, &named, body, *color);
                    named.add(body);
                    checked.err()
                }
                Segment::Equal { left, right } => {
                    let left_sort = self.check_body(block, &named, left, Color::Green);
                    named.add(left);
                    let right_sort = self.check_body(block, &named, right, Color::Green);
                    named.add(right);
                    match (left_sort, right_sort) {
                        (Ok(left), Ok(right)) if left == right => None,
                        (Ok(_), Ok(_)) => Some("the two terms are of different sorts".to_owned()),
                        (Err(reason), _) | (_, Err(reason)) => Some(reason),
                    }
                }
                Segment::Apply {
                    rule,
                    width,
                    count,
                    nodes,
                } => {
                    let (checked, fault) = match known.as_mut().and_then(Iterator::next) {
                        Some(checked) => (Some(checked), None),
                        None => check_applications(
                            &mut self.graph,
                            self.options.coloring,
                            self.rules.get(rule),
                            *rule,
                            &mut past,
                            (*width, *count, nodes),
                        ),
                    };
                    let mut sound = *count;
                    if let Some((at, _)) = fault {
                        checks.facts += at;
                        sound = at as u32;
                    }
                    if sound > 0
                        && let Some(checked) = checked
                    {
                        checks.applications.push(checked);
                        named.total += self.rules[rule].matcher.additions() * sound as usize;
                    }
                    fault.map(|(_, reason)| reason)
                }
                Segment::Certify(dots) => dots
                    .iter()
                    .find(|dot| block.base.get(dot.agent) < dot.sequence)
                    .map(|dot| {
                        format!(
                            "it certifies facts of agent {} that its maker had not settled",
                            dot.agent.number()
                        )
                    }),
                Segment::Cut(cut) => {
                    let dot = Dot {
                        agent: block.origin,
                        sequence: block.first + checks.facts,
                    };
                    match self.check_cut(cut, &block.base, dot, block.height) {
                        Ok(era) => {
                            checks.eras.push(era);
                            None
                        }
                        Err(reason) => Some(reason),
                    }
                }
                Segment::Close { cut, .. } => self.check_close(*cut, block).err(),
            };
            let too_many = u32::try_from(first_ordinal as usize + named.total).is_err();
            checks.fault = fault.or(too_many.then(|| "it names more e-nodes than can be numbered".to_owned()));
            if checks.fault.is_some() {
                break;
            }
            checks.facts += segment.facts();
        }
        checks
    }

    fn check_body(&self, block: &Block, named: &Named, body: &Body, color: Color) -> Result<String, String> {
        let own_first = self.logs.get(&block.origin).map_or(0, Log::next_ordinal);
        let era = self.era_of(&block.base).map(Era::agent);
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
            if era::is_of_snapshot(name) && Some(name.agent) != era {
                return Err("it refers to a node by a name of another era".to_owned());
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
    fn apply(
        &mut self,
        block: &Block,
        bytes: Arc<[u8]>,
        applications: Vec<Checked>,
        eras: Vec<Era>,
        settled_rows: u32,
    ) -> u64 {
        let mut unions = 0;
        let mut applications = applications.into_iter();
        let shared = self.is_shared();
        let mut sequence = block.first - 1;
        let first_ordinal = self.logs.entry(block.origin).or_default().next_ordinal();
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
                        self.bind(label, dot, root, body.text(&block.operators, &self.label_names));
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
                    let (first, first_row, additions) = (log.rows.len(), log.first_row, matcher.additions());
                    log.rows.resize(first + additions * *count as usize, RowId(u32::MAX));
                    let births = &mut self.births;
                    let mut batch = matcher.batch(&ground);
                    // What equalities before it have asked for.
                    unions += self.graph.rebuild();
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
                                        ordinal: first_row + ordinal as u32,
                                    };
                                    let height = block.height;
                                    rename(&mut self.graph, births, row, Birth { height, name }, shared);
                                }
                            }
                        }
                        unions += self.graph.rebuild();
                    }
                }
                // Its era is entered once the whole block is.
                Segment::Cut(_) => {}
                Segment::Close { cut, version } => self.close_era(*cut, version),
                Segment::Certify(dots) => {
                    for dot in dots {
                        let log = self.logs.get_mut(&dot.agent).expect("checked");
                        if dot.sequence > log.certified {
                            // What compaction took away was certified, or its colors stand in the snapshot.
                            let from = log.ordinal_after(log.certified) - log.first_row;
                            let to = log.ordinal_after(dot.sequence) - log.first_row;
                            log.certified = dot.sequence;
                            for &row in &log.rows[from as usize..to as usize] {
                                self.graph.color(self.graph.resolve(row), Colors::CERTIFIED);
                            }
                        }
                    }
                }
            }
        }
        let layout = self.layout(block);
        let log = self.logs.entry(block.origin).or_default();
        log.enter(block, bytes, first_ordinal, layout);
        for era in eras {
            self.enter_era(era);
        }
        // Of what was accepted before, or made here.
        self.void |= self.is_left_out(&block.base, block.origin, block.last());
        unions
    }

    /// A label stands for the term of the first fact that binds it.
    fn bind(&mut self, label: &str, fact: Dot, name: Name, text: Option<String>) {
        if fact.agent == self.options.agent {
            self.draft_labels.remove(label);
        }
        let row = self.row(name).expect("just named");
        let operator = self.graph.operator(self.graph.operator_of(row));
        let sort = operator.output.sort().to_owned();
        self.label_names.entry(name).or_insert_with(|| label.to_owned());
        let bound = self.labels.get(label).is_some_and(|bound| bound.fact <= fact);
        if !bound {
            let own = Label {
                fact,
                row,
                name,
                sort,
                text,
            };
            self.labels.insert(label.to_owned(), own);
        }
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
        let first = self.logs.entry(block.origin).or_default().next_ordinal();
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
                    ordinal: log.next_ordinal(),
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

/// Checks applications of one rule, given as (width, count, nodes), against a closed e-graph. Answers those before the first that does not hold (none if there is
/// no such rule), and that one's place and what is wrong with it.
fn check_applications(
    graph: &mut EGraph,
    coloring: bool,
    known: Option<&KnownRule>,
    dot: Dot,
    past: &mut Rows<'_>,
    (width, count, nodes): (u32, u32, &[u32]),
) -> (Option<Checked>, Option<(u64, String)>) {
    let Some(KnownRule { rule, matcher }) = known else {
        let reason = format!("agent {} made no rule with fact {}", dot.agent.number(), dot.sequence);
        return (None, Some((0, reason)));
    };
    if matcher.slots() != width as usize {
        let reason = format!("rule `{}` matches {} e-nodes, not {width}", rule.name, matcher.slots());
        return (None, Some((0, reason)));
    }
    let witnesses = Colors::witnesses(rule.color).filter(|_| coloring);
    let before = graph.row_count();
    let Some(ground) = matcher.ground(graph, before) else {
        return (None, Some((0, no_match(rule, &NotAMatch::Ground))));
    };
    let is_total = matcher.is_total();
    let mut kept = Vec::with_capacity(count as usize * matcher.width());
    let (mut registers, mut rows) = (Vec::new(), vec![RowId(0); width as usize]);
    let mut fault = None;
    for at in 0..count as usize {
        let named = &nodes[at * width as usize..];
        let wrong = rows.iter_mut().zip(named).find_map(|(row, &number)| {
            *row = match past.of(number) {
                Some(row) => row,
                None => return Some(format!("it refers to node {number} of its past, which has fewer")),
            };
            None
        });
        let wrong = wrong.or_else(|| {
            let matched = matcher.verify(graph, &ground, before, &rows, &mut registers);
            matched.err().map(|error| no_match(rule, &error))
        });
        let wrong = wrong.or_else(|| {
            let (operator, class) = matcher.uncolored(graph, &registers, witnesses?)?;
            Some(format!(
                "rule `{}`, {}, puts `{}` over a class that is {} only",
                rule.name,
                rule.color.name(),
                graph.operator(operator).name,
                graph.class_colors(class).dominant().map_or("uncolored", Color::name)
            ))
        });
        let wrong = wrong.or_else(|| {
            let undefined = !is_total && !matcher.is_defined(graph, &mut registers);
            undefined.then(|| format!("rule `{}`: a primitive is undefined there", rule.name))
        });
        if let Some(reason) = wrong {
            fault = Some((at as u64, reason));
            break;
        }
        matcher.keep(&registers, &mut kept);
    }
    (Some(Checked { ground, kept }), fault)
}

fn no_match(rule: &Rule, error: &NotAMatch) -> String {
    format!("rule `{}` does not match there: {error}", rule.name)
}

/// Why a block cannot be taken for what it says it is.
enum Misfit {
    /// It continues another history of its maker than the one that is known here.
    Fork,
    /// Its facts name nodes by names that compaction has taken away.
    Forgotten,
    Wrong(String),
}
