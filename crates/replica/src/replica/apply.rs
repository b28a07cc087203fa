//! Applying: what checked facts add to the e-graph, and to the log of their maker.

use std::sync::Arc;

use eqmesh_egraph::color::{Color, Colors};
use eqmesh_egraph::graph::{EGraph, OperatorId, RowId};
use eqmesh_egraph::matching::{Batch, Matcher, Told};
use eqmesh_egraph::program;

use super::ahead::Ahead;
use super::era::{self, Era};
use super::{Birth, Checked, KnownRule, Label, Replica};
use crate::block::{Block, Body, BodyArgument, Segment};
use crate::log::Stretch;
use crate::version::{Dot, Name, VersionVector};

impl Replica {
    /// Goes over to the e-graph that holds an own block already. Answers the number of unions.
    pub(super) fn go_ahead(&mut self, block: &Block, bytes: Arc<[u8]>, ahead: Ahead) -> u64 {
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

    /// Applies a checked block to the e-graph, where rows up to `settled_rows` have earlier names than it can give, and enters it in its agent's log.
    /// Answers the number of unions so far; some may wait.
    pub(super) fn apply(
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
        let era = era::position(&self.eras, &block.base);
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
                    let root = self.apply_body(block, body, era, *color, shared);
                    if let Some(label) = label {
                        let era = era.map(|at| &self.eras[at]);
                        let text = body.text(&block.operators, |name| self.label_of(era, name));
                        self.bind(label, dot, root, &block.base, text);
                    }
                }
                Segment::Equal { left, right } => {
                    let left = self.apply_body(block, left, era, Color::Green, shared);
                    let right = self.apply_body(block, right, era, Color::Green, shared);
                    let era = era.map(|at| &self.eras[at]);
                    let class = |name| self.graph.class_of(self.row_in(era, name).expect("just named"));
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
    /// It goes by a name that is said on top of `base`.
    fn bind(&mut self, label: &str, fact: Dot, name: Name, base: &VersionVector, text: Option<String>) {
        if fact.agent == self.options.agent {
            self.draft_labels.remove(label);
        }
        let era = self.era_of(base);
        let row = self.row_in(era, name).expect("just named");
        let operator = self.graph.operator(self.graph.operator_of(row));
        let sort = operator.output.sort().to_owned();
        let said = era::reference(era, name);
        // Whoever names it from now on does so in the latest era.
        let latest = self.eras.last();
        let name = match latest {
            Some(era) if !era.goes_by(name, &self.logs) => self.births[row.0 as usize].name,
            _ => name,
        };
        for reference in [said, era::reference(latest, name)] {
            self.label_names.entry(reference).or_insert_with(|| label.to_owned());
        }
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

    /// What the body names, it names in the era at this place.
    fn apply_body(&mut self, block: &Block, body: &Body, era: Option<usize>, color: Color, shared: bool) -> Name {
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
                    BodyArgument::Name(name) => {
                        let row = self.row_in(era.map(|at| &self.eras[at]), *name);
                        self.graph.class_of(row.expect("checked")).0
                    }
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
pub(super) fn rename(graph: &mut EGraph, births: &mut [Birth], row: RowId, birth: Birth, shared: bool) {
    let own = &mut births[row.0 as usize];
    if birth < *own {
        *own = birth;
        if shared {
            graph.touch(row);
        }
    }
}
