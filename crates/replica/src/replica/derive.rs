//! Deriving: searching a share of the matches for those that add something.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use eqmesh_egraph::color::Colors;
use eqmesh_egraph::graph::EGraph;
use eqmesh_egraph::index::Index;
use eqmesh_egraph::matching::{Batch, Ground, Scope, Told};

use super::ahead::Ahead;
use super::{Birth, Budget, Checked, Draft, KnownRule, Mark, Replica, Share, StepReport};
use crate::block::Segment;
use crate::fault::Fault;
use crate::log::Numbers;
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
        self.check_search(rules, share)?;
        let here = self.version();
        if self.draft.as_ref().is_some_and(|draft| draft.base != here) {
            let reason = "facts made on an earlier state are neither sealed nor discarded";
            return Err(Fault::Misplaced(reason.to_owned()));
        }
        let Search { epoch, index, plan } = self.plan_search(rules, share);
        let generation = self.generation;
        let mut ahead = self.draft.as_mut().and_then(|draft| draft.own.ahead.take());
        ahead = ahead.filter(|ahead| ahead.generation == generation);
        if let Some(ahead) = &mut ahead {
            ahead.graph.follow(&self.graph);
        }
        let frame = self.frame(&here);
        let mut derivation = Derivation {
            rules: &self.rules,
            births: &self.births,
            numbers: frame.numbers(),
            coloring: self.options.coloring,
            budget,
            report: StepReport::default(),
            derived: Vec::with_capacity(plan.len()),
            found: 0,
            generation,
            spare: &mut self.spare.graph,
            draft: self.draft.as_ref(),
            worth_a_copy: if share.is_part() {
                WORTH_A_COPY
            } else {
                WORTH_A_COPY_ALONE
            },
            ahead,
        };
        for (dot, ground, since) in plan {
            let known = &self.rules[&dot];
            let blocked_before = derivation.report.blocked;
            let mut batch = known.matcher.batch(&ground);
            derivation.begin(dot, ground.clone());
            let mut ended = known.matcher.search(
                &mut self.graph,
                &index,
                share.scope(&ground, since),
                &mut batch,
                |graph, batch| derivation.look(graph, known, batch),
            );
            if ended.is_continue() {
                ended = derivation.look(&mut self.graph, known, &mut batch);
            }
            let complete = ended.is_continue() && derivation.report.blocked == blocked_before;
            derivation.end(complete.then_some(((dot, share), Mark { epoch, ground })));
            if ended.is_break() {
                derivation.report.exhausted = true;
                break;
            }
        }
        let Derivation {
            mut report,
            derived,
            ahead,
            ..
        } = derivation;
        self.index = Some(index);
        report.applied = self.draft_derived(derived, ahead);
        report.saturated = !report.exhausted && report.applied == 0 && report.blocked == 0;
        Ok(report)
    }

    /// How many matches of these rules a share has that no earlier search of it has seen and settled, whether or not they add anything: the search of [`Replica::derive`] by itself. Makes nothing.
    ///
    /// Takes about the share's part of a full search. Fails as [`Replica::derive`] does.
    pub fn count_matches(&mut self, rules: &[Dot], share: Share) -> Result<u64, Fault> {
        self.check_search(rules, share)?;
        let Search { index, plan, .. } = self.plan_search(rules, share);
        let mut matches = 0;
        for (dot, ground, since) in plan {
            let matcher = &self.rules[&dot].matcher;
            let mut batch = matcher.batch(&ground);
            let mut count = |batch: &mut Batch| {
                matches += batch.len() as u64;
                batch.clear();
            };
            let ended = matcher.search(
                &mut self.graph,
                &index,
                share.scope(&ground, since),
                &mut batch,
                |_, batch| {
                    count(batch);
                    ControlFlow::Continue(())
                },
            );
            debug_assert!(ended.is_continue());
            count(&mut batch);
        }
        self.index = Some(index);
        Ok(matches)
    }

    fn check_search(&self, rules: &[Dot], share: Share) -> Result<(), Fault> {
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
        Ok(())
    }

    /// What a search of a share begins with. The index is to be put back.
    fn plan_search(&mut self, rules: &[Dot], share: Share) -> Search {
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
        if share.is_part() {
            let choice = u128::from(self.generation) << 64 | u128::from(share.index) << 32 | u128::from(share.count);
            let births = &self.births;
            index.choose_roots(choice, |row| share.holds(births[row.0 as usize].name));
        }
        Search { epoch, index, plan }
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

    /// Makes facts of what was derived; answers how many.
    fn draft_derived(&mut self, derived: Vec<Derived>, mut ahead: Option<Box<Ahead>>) -> u64 {
        let mut facts = 0;
        for Derived {
            rule,
            count,
            nodes,
            checked,
            mark,
        } in derived
        {
            if count > 0 {
                let matcher = &self.rules[&rule].matcher;
                let (width, additions) = (matcher.slots(), matcher.additions());
                let segment = Segment::Apply {
                    rule,
                    width: width as u32,
                    count: count as u32,
                    nodes,
                };
                facts += count as u64;
                self.draft_segment(segment, (additions * count) as u32);
                self.draft().own.checked.push(checked);
                if let Some(ahead) = &mut ahead {
                    ahead.segments += 1;
                }
            }
            match mark {
                // What was left out rests on facts that are not settled yet, too.
                Some(mark) if count > 0 || ahead.is_some() => self.draft().own.marks.push(mark),
                Some((key, mark)) => {
                    self.marks.insert(key, mark);
                }
                None => {}
            }
        }
        if ahead.is_some() {
            self.draft().own.ahead = ahead;
        }
        facts
    }

    /// Has the next search of every share look at all matches again. The facts that result are the same; it costs what was saved.
    pub fn forget_searches(&mut self) {
        self.marks.clear();
    }
}

/// A search that is to be made.
struct Search {
    epoch: u32,
    index: Index,
    /// The rules that can match, with their ground terms and what an earlier search has seen.
    plan: Vec<(Dot, Ground, Option<u32>)>,
}

/// A search and what came of it so far.
struct Derivation<'a> {
    rules: &'a BTreeMap<Dot, KnownRule>,
    births: &'a [Birth],
    numbers: Numbers<'a>,
    coloring: bool,
    /// What is left of it.
    budget: Budget,
    report: StepReport,
    /// By rule; the last one is being searched.
    derived: Vec<Derived>,
    /// Matches that add something.
    found: usize,
    generation: u64,
    spare: &'a mut EGraph,
    draft: Option<&'a Draft>,
    worth_a_copy: usize,
    /// Where matches are tried, once there are many: what says no more than the facts before it is left out. In a round that folds many ways into one, that
    /// is most. The copy is kept, since it is the e-graph that results if nobody else has anything to say.
    ahead: Option<Box<Ahead>>,
}

/// The matches of one rule that add something.
struct Derived {
    rule: Dot,
    count: usize,
    nodes: Vec<u32>,
    checked: Checked,
    mark: Option<((Dot, Share), Mark)>,
}

impl Derivation<'_> {
    /// Goes on with a rule.
    fn begin(&mut self, rule: Dot, ground: Ground) {
        let kept = Vec::new();
        self.derived.push(Derived {
            rule,
            count: 0,
            nodes: Vec::new(),
            checked: Checked { ground, kept },
            mark: None,
        });
    }

    /// Ends a rule, whose search leaves this mark.
    fn end(&mut self, mark: Option<((Dot, Share), Mark)>) {
        self.derived.last_mut().expect("begun").mark = mark;
    }

    /// Looks at the matches of a batch and takes them out: those that add something are noted. Breaks if the budget is spent.
    fn look(&mut self, graph: &mut EGraph, known: &KnownRule, batch: &mut Batch) -> ControlFlow<()> {
        let matcher = &known.matcher;
        let mut ended = ControlFlow::Continue(());
        if batch.is_empty() {
            return ended;
        }
        if batch.len() as u64 > self.budget.matches {
            batch.truncate(self.budget.matches as usize);
            ended = ControlFlow::Break(());
        }
        let mut seen = batch.len() as u64;
        let witnesses = Colors::witnesses(known.rule.color).filter(|_| self.coloring);
        // Trying a match says whether it adds anything, unless it must not be tried.
        let free = self.ahead.is_some()
            && witnesses.is_none()
            && matcher.is_total()
            && (batch.len() * matcher.additions()) as u64 <= self.budget.nodes;
        if !free {
            matcher.probe(graph, batch);
            let (budget, report) = (&mut self.budget, &mut self.report);
            let mut spent = false;
            batch.retain(|batch, lane| {
                if spent {
                    seen -= 1;
                    return false;
                }
                let Some(effect) = batch.effect(lane).filter(|effect| effect.changes) else {
                    return false;
                };
                if witnesses.is_some_and(|witnesses| matcher.uncolored_in(graph, batch, lane, witnesses).is_some()) {
                    report.blocked += 1;
                    return false;
                }
                let nodes = u64::from(effect.nodes);
                if nodes > budget.nodes {
                    spent = true;
                    return false;
                }
                budget.nodes -= nodes;
                report.nodes += nodes;
                true
            });
            if spent {
                ended = ControlFlow::Break(());
            }
        }
        self.budget.matches -= seen;
        self.report.matches += seen;
        let telling = match &mut self.ahead {
            Some(ahead) => {
                ahead.graph.follow_values(graph);
                let before = ahead.graph.row_count();
                let telling = ahead.apply(known, batch, Told::Changes);
                if free {
                    let made = u64::from(ahead.graph.row_count() - before);
                    self.budget.nodes -= made;
                    self.report.nodes += made;
                }
                telling
            }
            None => u32::MAX,
        };
        let derived = self.derived.last_mut().expect("begun");
        for lane in (0..batch.len()).filter(|lane| telling >> lane & 1 == 1) {
            for row in batch.rows(lane) {
                derived.nodes.push(self.numbers.of(self.births[row.0 as usize].name));
            }
            batch.kept(lane).for_each(|value| derived.checked.kept.push(value));
            derived.count += 1;
            self.found += 1;
        }
        batch.clear();
        if self.ahead.is_none() && self.found > 0 && self.found >= graph.enodes() / self.worth_a_copy {
            self.go_ahead(graph);
        }
        ended
    }

    /// Copies the e-graph, and tries on it what was found so far.
    fn go_ahead(&mut self, graph: &EGraph) {
        let memory = std::mem::take(self.spare);
        let mut ahead = Ahead::of(graph, self.generation, self.draft, self.rules, memory);
        for own in &mut self.derived {
            let known = &self.rules[&own.rule];
            let telling = ahead.apply_all(known, &own.checked, own.count, Told::Changes);
            own.retain(&telling, known.matcher.slots(), known.matcher.width());
        }
        self.ahead = Some(Box::new(ahead));
    }
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

/// The same where nobody shares the search: the copy becomes the e-graph, and nothing is applied twice.
const WORTH_A_COPY_ALONE: usize = 16;

impl Share {
    /// Whether others search the rest.
    fn is_part(self) -> bool {
        self.count > 1
    }

    /// What is searched for it, in an index whose roots are chosen if it is a part.
    fn scope(self, ground: &Ground, since: Option<u32>) -> Scope<'_> {
        Scope {
            ground,
            since,
            chosen: self.is_part(),
            owns_ground: self.index == 0,
        }
    }

    /// Whether the matches at a root of this name are in it.
    fn holds(self, name: Name) -> bool {
        let mixed = ((u64::from(name.agent.0) << 32) | u64::from(name.ordinal)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (((mixed >> 32) * u64::from(self.count)) >> 32) as u32 == self.index
    }
}
