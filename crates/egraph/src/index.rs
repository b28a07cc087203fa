//! Indices over the rows, built once a round and frozen while matching.

use crate::graph::{EGraph, OperatorId};

/// Rows by operator, and by class grouped by operator, in compressed sparse rows: flat arrays and offsets. Rows of one group ascend.
#[derive(Clone, Debug, Default)]
struct Groups {
    operator_starts: Vec<u32>,
    operator_rows: Vec<u32>,
    class_starts: Vec<u32>,
    class_rows: Vec<u32>,
    /// The operator of each entry of `class_rows`.
    class_operators: Vec<u32>,
}

/// All live rows, and those among them that were touched lately.
#[derive(Clone, Debug, Default)]
pub struct Index {
    all: Groups,
    recent: Groups,
    /// The rows touched after this epoch are in `recent`.
    since: Option<u32>,
}

fn accumulate(starts: &mut [u32]) {
    for i in 1..starts.len() {
        starts[i] += starts[i - 1];
    }
}

impl Groups {
    /// Two counting sorts of the rows that `chosen` takes: O(rows + operators + classes).
    fn of(graph: &EGraph, chosen: impl Fn(u32) -> bool) -> Groups {
        let rows = graph.row_count();
        let mut operator_starts = vec![0u32; graph.table_count() + 1];
        let mut class_starts = vec![0u32; graph.class_count() + 1];
        let mut count = 0usize;
        for row in 0..rows {
            if let Some(operator) = graph.row_operator(row).filter(|_| chosen(row)) {
                operator_starts[operator as usize + 1] += 1;
                class_starts[graph.row_class(row) as usize + 1] += 1;
                count += 1;
            }
        }
        accumulate(&mut operator_starts);
        accumulate(&mut class_starts);
        let mut operator_rows = vec![0u32; count];
        let mut next = operator_starts.clone();
        for row in 0..rows {
            if let Some(operator) = graph.row_operator(row).filter(|_| chosen(row)) {
                let at = &mut next[operator as usize];
                operator_rows[*at as usize] = row;
                *at += 1;
            }
        }
        let mut class_rows = vec![0u32; count];
        let mut class_operators = vec![0u32; count];
        let mut next = class_starts.clone();
        for operator in 0..graph.table_count() {
            for &row in &operator_rows[operator_starts[operator] as usize..operator_starts[operator + 1] as usize] {
                let at = &mut next[graph.row_class(row) as usize];
                class_rows[*at as usize] = row;
                class_operators[*at as usize] = operator as u32;
                *at += 1;
            }
        }
        Groups {
            operator_starts,
            operator_rows,
            class_starts,
            class_rows,
            class_operators,
        }
    }

    fn of_operator(&self, operator: OperatorId) -> &[u32] {
        let operator = operator.0 as usize;
        match (
            self.operator_starts.get(operator),
            self.operator_starts.get(operator + 1),
        ) {
            (Some(&from), Some(&to)) => &self.operator_rows[from as usize..to as usize],
            // Declared after the index was built: no rows yet.
            _ => &[],
        }
    }

    #[inline]
    fn of_class_and_operator(&self, class: u32, operator: OperatorId) -> &[u32] {
        let class = class as usize;
        let Some(&[from, to]) = self.class_starts.get(class..class + 2) else {
            return &[];
        };
        let (from, to) = (from as usize, to as usize);
        let (rows, operators) = (&self.class_rows[from..to], &self.class_operators[from..to]);
        match operators {
            [] => &[],
            // Many classes hold rows of one operator only.
            &[first] if first == operator.0 => rows,
            &[first, .., last] if first == operator.0 && last == operator.0 => rows,
            _ => of_operator(rows, operators, operator.0),
        }
    }
}

/// The rows of an operator among rows sorted by operator.
fn of_operator<'a>(rows: &'a [u32], operators: &[u32], operator: u32) -> &'a [u32] {
    let low = if operators.len() <= 8 {
        operators.iter().take_while(|&&other| other < operator).count()
    } else {
        operators.partition_point(|&other| other < operator)
    };
    let operators = &operators[low..];
    let count = if operators.len() <= 8 {
        operators.iter().take_while(|&&other| other == operator).count()
    } else {
        operators.partition_point(|&other| other == operator)
    };
    &rows[low..low + count]
}

impl Index {
    /// Builds the index of a rebuilt e-graph, and brings the rows' classes up to date. O(rows + classes).
    pub fn build(graph: &mut EGraph) -> Index {
        debug_assert!(graph.is_clean());
        for row in 0..graph.row_count() {
            if graph.row_operator(row).is_some() {
                graph.settle_row_class(row);
            }
        }
        Index {
            all: Groups::of(graph, |_| true),
            recent: Groups::default(),
            since: None,
        }
    }

    /// Sorts out the rows touched after an epoch, for searches that look for new matches only. O(rows + classes); at once if it was done before.
    pub fn sort_recent(&mut self, graph: &EGraph, since: u32) {
        if self.since.is_none_or(|own| own > since) {
            self.recent = Groups::of(graph, |row| graph.touched(crate::graph::RowId(row)) > since);
            self.since = Some(since);
        }
    }

    /// The rows of an operator, ascending.
    pub fn of_operator(&self, operator: OperatorId) -> &[u32] {
        self.all.of_operator(operator)
    }

    /// The rows of a class, by operator.
    pub fn of_class(&self, class: u32) -> &[u32] {
        let class = class as usize;
        match (self.all.class_starts.get(class), self.all.class_starts.get(class + 1)) {
            (Some(&from), Some(&to)) => &self.all.class_rows[from as usize..to as usize],
            _ => &[],
        }
    }

    /// The rows of an operator in a class, ascending.
    #[inline]
    pub fn of_class_and_operator(&self, class: u32, operator: OperatorId) -> &[u32] {
        self.all.of_class_and_operator(class, operator)
    }

    /// Of the rows of an operator, those that [`Index::sort_recent`] sorted out.
    pub(crate) fn recent_of_operator(&self, operator: OperatorId) -> &[u32] {
        self.recent.of_operator(operator)
    }

    /// Of the rows of an operator in a class, those that [`Index::sort_recent`] sorted out.
    #[inline]
    pub(crate) fn recent_of_class_and_operator(&self, class: u32, operator: OperatorId) -> &[u32] {
        self.recent.of_class_and_operator(class, operator)
    }
}
