//! Deriving: searching a share of the matches for those that add something.

use std::ops::ControlFlow;

use eqmesh_egraph::color::Colors;
use eqmesh_egraph::graph::EGraph;
use eqmesh_egraph::matching::{Batch, Ground, Scope};

use super::era::{self, Era};
use super::{Budget, Checked, Mark, Replica, Share, StepReport, version};
use crate::block::Segment;
use crate::fault::Fault;
use crate::log::Frame;
use crate::version::{Dot, Name};

impl Replica {
    /// Searches a share of the matches of these rules on the closed e-graph, and makes an `apply` fact of each that adds something.
    ///
    /// A match belongs to the share that the first name of its root row (by height, agent and ordinal) falls in. That name is the same on every
    /// replica that has settled the same facts, so no match is passed over by all.
    ///
    /// What an earlier search of the same share has seen and settled is not looked for again: a match that adds nothing never will, since nothing is
    /// ever taken away. A row that changes hands because a late block named it earlier counts as new to whoever gets it, and another division into shares
    /// begins anew, so neither loses a match. A match that says no more than those before it in this search becomes no fact either. A rule with matches held
    /// back by the coloring is searched in full, as they may be let go later.
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
        let stale = |draft: &super::Draft| draft.base != version(&self.logs);
        if self.draft.as_ref().is_some_and(stale) {
            let reason = "facts made on an earlier state are neither sealed nor discarded";
            return Err(Fault::Misplaced(reason.to_owned()));
        }
        self.ensure_index();
        let epoch = self.begin_search();
        let mut index = self.index.take().expect("ensured");
        let row_count = self.graph.row_count();
        // A rule without its ground terms has no matches.
        let plan: Vec<(Dot, Ground, Option<u32>)> = rules
            .iter()
            .filter_map(|dot| {
                let ground = self.rules[dot].matcher.ground(&self.graph, row_count)?;
                let mark = self.marks.get(&(*dot, share)).filter(|mark| mark.ground == ground);
                let since = mark.map(|mark| mark.epoch);
                Some((*dot, ground, since))
            })
            .collect();
        if let Some(since) = plan.iter().filter_map(|&(_, _, since)| since).min() {
            index.sort_recent(&self.graph, since);
        }
        let here = version(&self.logs);
        let frame = Frame::of(&self.logs, era::covering(&self.eras, &here).map(Era::baseline), &here);
        let mut numbers = frame.numbers();
        let mut report = StepReport {
            saturated: true,
            ..StepReport::default()
        };
        let mut nodes_left = budget.nodes;
        let mut derived = Vec::new();
        for (dot, ground, since) in plan {
            let known = &self.rules[&dot];
            let (color, matcher) = (known.rule.color, &known.matcher);
            let witnesses = Colors::witnesses(color).filter(|_| self.options.coloring);
            let births = &self.births;
            let (mut nodes, mut kept) = (Vec::new(), Vec::new());
            let mut count = 0;
            let blocked_before = report.blocked;
            let mut batch = matcher.batch(&ground);
            let mut look = |graph: &mut EGraph, batch: &mut Batch| {
                matcher.probe(graph, batch);
                for lane in 0..batch.len() {
                    if report.matches == budget.matches {
                        return ControlFlow::Break(());
                    }
                    report.matches += 1;
                    let Some(effect) = batch.effect(lane).filter(|effect| effect.changes) else {
                        continue;
                    };
                    if witnesses.is_some_and(|witnesses| matcher.uncolored_in(graph, batch, lane, witnesses).is_some())
                    {
                        report.blocked += 1;
                        continue;
                    }
                    if u64::from(effect.nodes) > nodes_left {
                        return ControlFlow::Break(());
                    }
                    nodes_left -= u64::from(effect.nodes);
                    count += 1;
                    nodes.extend(
                        batch
                            .rows(lane)
                            .iter()
                            .map(|row| numbers.of(births[row.0 as usize].name)),
                    );
                    matcher.keep_of(batch, lane, &mut kept);
                }
                batch.clear();
                ControlFlow::Continue(())
            };
            let mut ended = matcher.search(
                &mut self.graph,
                &index,
                Scope {
                    ground: &ground,
                    since,
                    owns_ground: share.index == 0,
                },
                |row| share.count == 1 || owner(births[row.0 as usize].name, share.count) == share.index,
                |graph, rows, registers| {
                    if matcher.collect(&mut batch, rows, registers) {
                        look(graph, &mut batch)?;
                    }
                    ControlFlow::Continue(())
                },
            );
            if ended.is_continue() {
                ended = look(&mut self.graph, &mut batch);
            }
            let complete = ended.is_continue() && report.blocked == blocked_before;
            let mark = complete.then(|| {
                let ground = ground.clone();
                ((dot, share), Mark { epoch, ground })
            });
            if count > 0 {
                let checked = Checked { ground, kept };
                derived.push(Derived {
                    rule: dot,
                    count,
                    nodes,
                    checked,
                    mark,
                });
            } else if let Some((key, mark)) = mark {
                self.marks.insert(key, mark);
            }
            if ended.is_break() {
                report.exhausted = true;
                break;
            }
        }
        self.index = Some(index);
        report.applied = self.draft_derived(derived);
        report.nodes = budget.nodes - nodes_left;
        report.saturated = !report.exhausted && report.applied == 0 && report.blocked == 0;
        Ok(report)
    }

    /// The epoch of the closed e-graph; what changes later has a greater one. Searches of one and the same e-graph share it.
    fn begin_search(&mut self) -> u32 {
        match self.searched {
            Some((generation, epoch)) if generation == self.generation => epoch,
            _ => {
                let epoch = self.graph.end_epoch();
                self.searched = Some((self.generation, epoch));
                epoch
            }
        }
    }

    /// Makes facts of what was derived; answers how many. Where it is much, it is tried on a copy of the e-graph first, and what says no more than the
    /// facts before it is left out: in a round that folds many ways into one, that is most. The copy is kept, since it is the e-graph that results
    /// if nobody else has anything to say.
    fn draft_derived(&mut self, derived: Vec<Derived>) -> u64 {
        let total: usize = derived.iter().map(|own| own.count).sum();
        if total == 0 {
            return 0;
        }
        let generation = self.generation;
        let mut ahead = self.draft().own.ahead.take().filter(|own| own.generation == generation);
        match &mut ahead {
            Some(ahead) => ahead.graph.follow(&self.graph),
            None if total >= self.graph.enodes() / WORTH_A_COPY => ahead = Some(Box::new(self.look_ahead())),
            None => {}
        }
        let mut facts = 0;
        for mut own in derived {
            let known = &self.rules[&own.rule];
            let matcher = &known.matcher;
            let (width, additions) = (matcher.slots(), matcher.additions());
            if let Some(ahead) = &mut ahead {
                let telling = ahead.apply(known, &own.checked, own.count, false);
                own.retain(&telling, width, matcher.width());
                ahead.segments += usize::from(own.count > 0);
            }
            facts += own.count as u64;
            let segment = Segment::Apply {
                rule: own.rule,
                width: width as u32,
                count: own.count as u32,
                nodes: own.nodes,
            };
            if own.count > 0 {
                self.draft_segment(segment, (additions * own.count) as u32);
                self.draft().own.checked.push(own.checked);
            }
            // What was left out rests on facts that are not settled yet, too.
            self.draft().own.marks.extend(own.mark);
        }
        self.draft().own.ahead = ahead;
        facts
    }

    /// Has the next search of every share look at all matches again. The facts that result are the same; it costs what was saved.
    pub fn forget_searches(&mut self) {
        self.marks.clear();
    }
}

/// The matches of one rule that add something.
struct Derived {
    rule: Dot,
    count: usize,
    nodes: Vec<u32>,
    checked: Checked,
    mark: Option<((Dot, Share), Mark)>,
}

impl Derived {
    /// Leaves out the matches that tell nothing; each has `width` nodes and `kept` registers.
    fn retain(&mut self, telling: &[bool], width: usize, kept: usize) {
        let mut to = 0;
        for (from, _) in telling.iter().enumerate().filter(|(_, tells)| **tells) {
            self.nodes.copy_within(from * width..(from + 1) * width, to * width);
            self.checked.kept.copy_within(from * kept..(from + 1) * kept, to * kept);
            to += 1;
        }
        self.count = to;
        self.nodes.truncate(to * width);
        self.checked.kept.truncate(to * kept);
    }
}

/// It pays to try matches on a copy of the e-graph if there is one match for this many e-nodes.
const WORTH_A_COPY: usize = 4;

/// Which of `count` shares a root's name falls in.
fn owner(name: Name, count: u32) -> u32 {
    let mixed = ((u64::from(name.agent.0) << 32) | u64::from(name.ordinal)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (((mixed >> 32) * u64::from(count)) >> 32) as u32
}
