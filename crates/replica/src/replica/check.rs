//! Checking: whether a block is what it says, and whether its facts hold.

use std::collections::BTreeMap;

use eqmesh_egraph::color::{Color, Colors};
use eqmesh_egraph::graph::{EGraph, RowId};
use eqmesh_egraph::matching::NotAMatch;
use eqmesh_egraph::program;
use eqmesh_egraph::rule::Rule;

use super::era::{self, Era, Standing};
use super::{Checked, KnownRule, Replica};
use crate::block::{Block, Body, BodyArgument, PARENT, Segment};
use crate::log::{Frame, Log, Rows};
use crate::version::{Dot, Name};

/// The facts of a block that hold, and why the next one does not.
pub(super) struct Checks {
    pub(super) facts: u64,
    pub(super) applications: Vec<Checked>,
    pub(super) eras: Vec<Era>,
    pub(super) fault: Option<String>,
}

/// Why a block cannot be taken for what it says it is.
pub(super) enum Misfit {
    /// It continues another history of its maker than the one that is known here.
    Fork,
    /// Its facts name nodes by names that compaction has taken away.
    Forgotten,
    Wrong(String),
}

impl Replica {
    /// Checks what a block says of itself and its past.
    pub(super) fn check_form(&mut self, block: &Block) -> Result<(), Misfit> {
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
    pub(super) fn check(&mut self, block: &Block, known: Option<Vec<Checked>>) -> Checks {
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
        let era = self.era_of(&block.base);
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
            let row = self.row_in(era, name).map_err(|fault| fault.to_string())?;
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
                            self.row_in(era, *name)
                                .and_then(|row| self.verify_child(&operator.name, color, row, *name))
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
}

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
