//! The e-graph as it will be when own facts are settled, if nothing else is.

use std::collections::BTreeMap;

use eqmesh_egraph::color::Colors;
use eqmesh_egraph::graph::{EGraph, RowId};
use eqmesh_egraph::matching::{Batch, Told};

use super::{Checked, Draft, KnownRule};
use crate::block::Segment;
use crate::version::Dot;

/// A copy of the e-graph on which the applications of the draft were tried.
#[derive(Clone, Debug)]
pub(super) struct Ahead {
    /// That of the e-graph on which it builds.
    pub(super) generation: u64,
    pub(super) graph: EGraph,
    /// How many segments of applications it holds, from the draft's first on. If the draft has others, it is no use but for comparing.
    pub(super) segments: usize,
    /// The rows that the facts name, by ordinal.
    pub(super) rows: Vec<RowId>,
    pub(super) unions: u64,
}

impl Ahead {
    /// Copies the e-graph of a generation, into the memory of another one, and applies what the draft, if there is one, holds so far.
    pub(super) fn of(
        graph: &EGraph,
        generation: u64,
        draft: Option<&Draft>,
        rules: &BTreeMap<Dot, KnownRule>,
        memory: EGraph,
    ) -> Ahead {
        let mut copy = memory;
        copy.copy_from(graph);
        let mut ahead = Ahead {
            generation,
            graph: copy,
            segments: 0,
            rows: Vec::new(),
            unions: 0,
        };
        let Some(draft) = draft.filter(|draft| draft.own.generation == generation) else {
            return ahead;
        };
        let mut checked = draft.own.checked.iter();
        for segment in &draft.segments {
            let Segment::Apply { rule, count, .. } = segment else {
                break;
            };
            let Some(checked) = checked.next() else {
                break;
            };
            ahead.apply_all(&rules[rule], checked, *count as usize, Told::All);
            ahead.segments += 1;
        }
        ahead
    }

    /// Applies a batch of matches. Answers which of them are facts, as bits: those that tell anything new, unless all are. The others name nothing.
    #[inline]
    pub(super) fn apply(&mut self, known: &KnownRule, batch: &mut Batch, told: Told) -> u32 {
        let colors = Colors::from(known.rule.color);
        known.matcher.apply(&mut self.graph, batch, colors, told);
        let telling = match told {
            Told::All => u32::MAX,
            Told::Changes => batch.changes(),
        };
        for lane in (0..batch.len()).filter(|lane| telling >> lane & 1 == 1) {
            self.rows.extend(batch.added(lane));
        }
        self.unions += self.graph.rebuild();
        telling
    }

    /// Applies matches of a rule, likewise.
    pub(super) fn apply_all(&mut self, known: &KnownRule, checked: &Checked, count: usize, told: Told) -> Vec<bool> {
        let mut telling = Vec::with_capacity(count);
        let mut batch = known.matcher.batch(&checked.ground);
        for first in (0..count).step_by(Batch::CAPACITY) {
            let size = Batch::CAPACITY.min(count - first);
            batch.refill(&checked.kept, first, size);
            let tells = self.apply(known, &mut batch, told);
            telling.extend((0..size).map(|lane| tells >> lane & 1 == 1));
        }
        telling
    }
}
