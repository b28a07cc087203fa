//! The machine that runs a program on a frozen index, and checks what others say they found.

use std::ops::ControlFlow;

use super::batch::{BATCH, Batch};
use super::{Access, Ground, Matcher, RowStep, Step, Tail, compute};
use crate::graph::{EGraph, RowId};
use crate::index::Index;

/// Which matches a search is for.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The query's ground terms, as they are now.
    pub ground: &'a Ground,
    /// Only matches of whose rows one was touched after this epoch, for which the index must have been [prepared](Index::sort_recent). A query with no
    /// joined atom has no rows and is always searched.
    pub since: Option<u32>,
    /// Only matches whose root row (that of the first joined atom) the index has [chosen](Index::choose_roots).
    pub chosen: bool,
    /// Whether the one possible match of a query with no joined atom is asked for.
    pub owns_ground: bool,
}

/// Why a claimed match is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAMatch {
    /// A leaf or ground subterm of the left side is not in the e-graph.
    #[error("a ground subterm of the left side is not in the e-graph")]
    Ground,
    /// The row has another operator.
    #[error("e-node {slot} of the match has another operator than the pattern")]
    Operator {
        /// Which of the match's e-nodes.
        slot: usize,
    },
    /// The row was not there when the match is claimed to have been found.
    #[error("e-node {slot} of the match is younger than the match")]
    Young {
        /// Which of the match's e-nodes.
        slot: usize,
    },
    /// The row's arguments or class do not fit those of the rows before it.
    #[error("e-node {slot} of the match does not join with those before it")]
    Join {
        /// Which of the match's e-nodes.
        slot: usize,
    },
    /// A condition does not hold.
    #[error("a condition of the rule does not hold")]
    Condition,
    /// A primitive of the right side is undefined there.
    #[error("a primitive of the right side is undefined")]
    Undefined,
}

impl Matcher {
    /// Finds the matches within a scope and collects them in a batch. Whenever it is full, `full` gets the e-graph and the batch, and must make room; what is left at the end, the caller finds in it. The e-graph must be rebuilt and the index of it.
    /// Matches come in the order of their rows, the root first.
    pub fn search(
        &self,
        graph: &mut EGraph,
        index: &Index,
        scope: Scope<'_>,
        batch: &mut Batch,
        full: impl FnMut(&mut EGraph, &mut Batch) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let Scope {
            ground,
            since,
            chosen,
            owns_ground,
        } = scope;
        if self.slots == 0 && !owns_ground {
            return ControlFlow::Continue(());
        }
        // Where a touched row can still follow.
        let mut hope = vec![false; self.steps.len() + 1];
        for (at, step) in self.steps.iter().enumerate().rev() {
            let recent =
                matches!(step, Step::Row(row) if since.is_some() && !index.recent_of_operator(row.operator).is_empty());
            hope[at] = hope[at + 1] || recent;
        }
        let mut search = Search {
            matcher: self,
            graph,
            index,
            since: since.unwrap_or(0),
            hope,
            chosen,
            batch,
            full,
            registers: ground.0.clone(),
            rows: vec![0; self.slots],
        };
        search.step(0, since.is_none() || self.slots == 0)
    }

    /// Recomputes the registers of a claimed match: does the left side stand there? Rows from number `before` on do not count. The e-graph may have
    /// unions waiting, but must have been rebuilt when it had `before` rows.
    pub fn verify(
        &self,
        graph: &mut EGraph,
        ground: &Ground,
        before: u32,
        rows: &[RowId],
        registers: &mut Vec<u32>,
    ) -> Result<(), NotAMatch> {
        registers.clear();
        registers.extend_from_slice(&ground.0);
        for step in &self.steps {
            let Step::Row(step) = step else {
                if step.condition(graph, registers) {
                    continue;
                }
                return Err(NotAMatch::Condition);
            };
            let slot = step.slot;
            if rows[slot].0 >= before {
                return Err(NotAMatch::Young { slot });
            }
            let row = graph.resolve(rows[slot]);
            if graph.operator_of(row) != step.operator {
                return Err(NotAMatch::Operator { slot });
            }
            let class = graph.class_of(row).0;
            let (_, arguments) = graph.class_and_arguments(row.0, step.columns.len());
            if !step.join(arguments, class, registers) {
                return Err(NotAMatch::Join { slot });
            }
        }
        Ok(())
    }
}

impl RowStep {
    /// Binds what this row binds and checks the rest.
    #[inline]
    fn join(&self, arguments: &[u32], class: u32, registers: &mut [u32]) -> bool {
        for (column, &argument) in self.columns.iter().zip(arguments) {
            let own = &mut registers[column.register as usize];
            if !column.bound {
                *own = argument;
            } else if *own != argument {
                return false;
            }
        }
        let own = &mut registers[self.class as usize];
        if !self.class_bound {
            *own = class;
        } else if *own != class {
            return false;
        }
        true
    }
}

impl Step {
    /// Runs a step that is not a row.
    fn condition(&self, graph: &mut EGraph, registers: &mut [u32]) -> bool {
        match self {
            Step::Row(_) => true,
            Step::Compute {
                function,
                arguments,
                result,
                bound,
            } => {
                let Some(value) = compute(graph, *function, arguments, |register| registers[register as usize]) else {
                    return false;
                };
                let own = &mut registers[*result as usize];
                if *bound {
                    *own == value
                } else {
                    *own = value;
                    true
                }
            }
            Step::Equal(a, b) => registers[*a as usize] == registers[*b as usize],
            Step::Different(a, b) => registers[*a as usize] != registers[*b as usize],
            Step::Copy { from, to } => {
                registers[*to as usize] = registers[*from as usize];
                true
            }
        }
    }
}

struct Search<'a, F> {
    matcher: &'a Matcher,
    graph: &'a mut EGraph,
    index: &'a Index,
    since: u32,
    /// By step: whether touched rows can be found there or later.
    hope: Vec<bool>,
    /// Whether the root must be one that was chosen.
    chosen: bool,
    batch: &'a mut Batch,
    full: F,
    registers: Vec<u32>,
    rows: Vec<u32>,
}

impl<F> Search<'_, F>
where
    F: FnMut(&mut EGraph, &mut Batch) -> ControlFlow<()>,
{
    /// Goes on with a step; `new`: whether one of the rows bound so far was touched, or all matches are wanted anyway. Recursion is as deep as the
    /// rule has row atoms but the last, which is bounded (`MAX_RULE_SIZE`).
    fn step(&mut self, mut at: usize, new: bool) -> ControlFlow<()> {
        let steps = self.matcher.steps.as_slice();
        let row = loop {
            match steps.get(at) {
                Some(Step::Row(row)) => break row,
                Some(step) if step.condition(self.graph, &mut self.registers) => at += 1,
                Some(_) => return ControlFlow::Continue(()),
                None => return self.found(),
            }
        };
        if row.last {
            return self.last(at, row, new);
        }
        if !new && !self.hope[at] {
            return ControlFlow::Continue(());
        }
        let hope = self.hope[at + 1];
        let next = match &steps[at + 1] {
            Step::Row(next) if next.last => Some(next),
            _ => None,
        };
        let index = self.index;
        let found;
        let candidates = match row.access {
            Access::Scan if row.slot == 0 && self.chosen => index.roots_of_operator(row.operator),
            Access::Scan => index.of_operator(row.operator),
            Access::Member => index.of_class_and_operator(self.registers[row.class as usize], row.operator),
            Access::Lookup => {
                found = self.look_up(row);
                found.as_slice()
            }
        };
        for &candidate in candidates {
            let new = new || self.graph.touched(RowId(candidate)) > self.since;
            if !(new || hope) || !self.enter(row, candidate) {
                continue;
            }
            match next {
                Some(next) => self.last(at + 1, next, new)?,
                None => self.step(at + 1, new)?,
            }
        }
        ControlFlow::Continue(())
    }

    /// [`Search::step`] for the last row: if none before it was touched, this one must have been.
    #[inline]
    fn last(&mut self, at: usize, row: &RowStep, new: bool) -> ControlFlow<()> {
        let index = self.index;
        let found;
        let candidates = match row.access {
            Access::Scan if row.slot == 0 && self.chosen && new => index.roots_of_operator(row.operator),
            Access::Scan if row.slot == 0 && self.chosen => index.recent_roots_of_operator(row.operator),
            Access::Scan if new => index.of_operator(row.operator),
            Access::Scan => index.recent_of_operator(row.operator),
            Access::Member => {
                let class = self.registers[row.class as usize];
                if new {
                    index.of_class_and_operator(class, row.operator)
                } else {
                    index.recent_of_class_and_operator(class, row.operator)
                }
            }
            Access::Lookup => {
                found = self.look_up(row);
                found.as_slice()
            }
        };
        if candidates.is_empty() {
            return ControlFlow::Continue(());
        }
        if let Some(tail) = &self.matcher.tail {
            return self.finish(row, tail, candidates, new);
        }
        for &candidate in candidates {
            // The index may have sorted out what others have not seen either.
            let new = new || self.graph.touched(RowId(candidate)) > self.since;
            if new && self.enter(row, candidate) {
                self.step(at + 1, true)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// [`Search::last`] where matches are complete with the row: from the row to the batch, without a detour through the registers.
    fn finish(&mut self, row: &RowStep, tail: &Tail, candidates: &[u32], new: bool) -> ControlFlow<()> {
        let registers = self.registers.as_slice();
        // Columns that are not checked are masked out.
        let wanted = tail.checked.map(|register| match register {
            Some(register) => (registers[register as usize], u32::MAX),
            None => (0, 0),
        });
        let class_wanted = tail.class_checked.then(|| registers[row.class as usize]);
        // Scans have sorted out the others before.
        let is_root = self.chosen && row.slot == 0 && row.access != Access::Scan;
        let mut candidates = candidates.iter();
        loop {
            let batch = &mut *self.batch;
            let (kept, rows) = (batch.kept.as_mut_slice(), batch.rows.as_mut_slice());
            let first = batch.size;
            let mut lane = first;
            while lane < BATCH {
                let Some(&candidate) = candidates.next() else {
                    break;
                };
                // The index may have sorted out what others have not seen either.
                if !(new || self.graph.touched(RowId(candidate)) > self.since)
                    || is_root && !self.index.is_root(candidate)
                {
                    continue;
                }
                let (class, slots) = self.graph.narrow(candidate);
                let differs = (slots[0] ^ wanted[0].0) & wanted[0].1 | (slots[1] ^ wanted[1].0) & wanted[1].1;
                if differs != 0 || class_wanted.is_some_and(|wanted| wanted != class) {
                    continue;
                }
                if let Some(place) = tail.kept[0] {
                    kept[place as usize][lane] = slots[0];
                }
                if let Some(place) = tail.kept[1] {
                    kept[place as usize][lane] = slots[1];
                }
                if let Some(place) = tail.class_kept {
                    kept[place as usize][lane] = class;
                }
                rows[row.slot][lane] = candidate;
                lane += 1;
            }
            // What the rows before have bound is the same for all matches of the run.
            if first < lane {
                for &(place, register) in &tail.outer {
                    kept[place as usize][first..lane].fill(registers[register as usize]);
                }
                for (rows, &own) in rows[..row.slot].iter_mut().zip(&self.rows) {
                    rows[first..lane].fill(own);
                }
            }
            batch.size = lane;
            if lane < BATCH {
                return ControlFlow::Continue(());
            }
            (self.full)(self.graph, self.batch)?;
        }
    }

    /// Puts a match into the batch.
    fn found(&mut self) -> ControlFlow<()> {
        let lane = self.batch.size;
        for (own, &register) in self.batch.kept.iter_mut().zip(&self.matcher.kept) {
            own[lane] = self.registers[register as usize];
        }
        for (own, &row) in self.batch.rows.iter_mut().zip(&self.rows) {
            own[lane] = row;
        }
        self.batch.size = lane + 1;
        if self.batch.size < BATCH {
            return ControlFlow::Continue(());
        }
        (self.full)(self.graph, self.batch)
    }

    /// The row of a step all of whose arguments are bound.
    fn look_up(&self, row: &RowStep) -> Option<u32> {
        let (mut key, mut long) = ([0; 8], Vec::new());
        let registers = &self.registers;
        let arguments = row.columns.iter().map(|column| registers[column.register as usize]);
        let key = gather(arguments, &mut key, &mut long);
        self.graph.lookup(row.operator, key).map(|row| row.0)
    }

    /// Joins a row with those before it, if it does.
    #[inline]
    fn enter(&mut self, step: &RowStep, row: u32) -> bool {
        if self.chosen && step.slot == 0 && step.access != Access::Scan && !self.index.is_root(row) {
            return false;
        }
        let (class, arguments) = self.graph.class_and_arguments(row, step.columns.len());
        self.rows[step.slot] = row;
        step.join(arguments, class, &mut self.registers)
    }
}

/// Collects a key without allocating for up to eight columns.
#[inline]
fn gather<'a>(
    mut from: impl ExactSizeIterator<Item = u32>,
    short: &'a mut [u32; 8],
    long: &'a mut Vec<u32>,
) -> &'a [u32] {
    let len = from.len();
    if len <= short.len() {
        short.iter_mut().zip(&mut from).for_each(|(to, value)| *to = value);
        &short[..len]
    } else {
        long.extend(from);
        long
    }
}
