//! The e-graph as it will be when own facts are settled, if nothing else is.

use eqmesh_egraph::color::Colors;
use eqmesh_egraph::graph::{EGraph, RowId};
use eqmesh_egraph::matching::Applied;

use super::{Birth, Checked, KnownRule, Replica};
use crate::block::Segment;
use crate::version::{AgentId, Name};

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
    /// Of the new rows.
    pub(super) births: Vec<Birth>,
    pub(super) unions: u64,
    agent: AgentId,
    height: u32,
    first_ordinal: u32,
    first_row: u32,
}

impl Ahead {
    /// Applies matches of a rule. Answers which of them tell anything new; the others are not facts, and name nothing, unless `all` are.
    pub(super) fn apply(&mut self, known: &KnownRule, checked: &Checked, count: usize, all: bool) -> Vec<bool> {
        let KnownRule { rule, matcher } = known;
        let mut telling = Vec::with_capacity(count);
        let (named, births) = (&mut self.rows, &mut self.births);
        let (agent, height, first_row, first_ordinal) = (self.agent, self.height, self.first_row, self.first_ordinal);
        let note = |graph: &mut EGraph, batch: Applied<'_>| {
            births.resize((graph.row_count() - first_row) as usize, Birth::NEVER);
            for lane in 0..batch.size {
                let tells = all || batch.changes >> lane & 1 == 1;
                telling.push(tells);
                if !tells {
                    continue;
                }
                for row in batch.rows(lane) {
                    if let Some(place) = row.0.checked_sub(first_row) {
                        let ordinal = first_ordinal + named.len() as u32;
                        let name = Name { agent, ordinal };
                        let own = &mut births[place as usize];
                        *own = (*own).min(Birth { height, name });
                    }
                    named.push(row);
                }
            }
        };
        let colors = Colors::from(rule.color);
        self.unions += matcher.apply(&mut self.graph, &checked.ground, &checked.kept, count, colors, note);
        telling
    }
}

impl Replica {
    /// Copies the e-graph and applies what the draft holds so far.
    pub(super) fn look_ahead(&mut self) -> Ahead {
        let (agent, generation) = (self.options.agent, self.generation);
        self.draft();
        let draft = self.draft.as_ref().expect("just made");
        let mut ahead = Ahead {
            generation,
            graph: self.graph.clone(),
            segments: 0,
            rows: Vec::new(),
            births: Vec::new(),
            unions: 0,
            agent,
            height: draft.height,
            first_ordinal: draft.nodes_before,
            first_row: self.graph.row_count(),
        };
        let mut checked = draft.own.checked.iter();
        for segment in &draft.segments {
            let Segment::Apply { rule, count, .. } = segment else {
                break;
            };
            let Some(checked) = checked.next().filter(|_| draft.own.generation == generation) else {
                break;
            };
            ahead.apply(&self.rules[rule], checked, *count as usize, true);
            ahead.segments += 1;
        }
        ahead
    }
}
