//! Indices over the rows, built once a round and frozen while matching.

use crate::graph::{EGraph, OperatorId};

/// Live rows by operator, and by class grouped by operator, in compressed sparse rows: flat arrays and offsets.
#[derive(Clone, Debug, Default)]
pub struct Index {
    operator_starts: Vec<u32>,
    operator_rows: Vec<u32>,
    class_starts: Vec<u32>,
    class_rows: Vec<u32>,
    /// The operator of each entry of `class_rows`.
    class_operators: Vec<u32>,
}

impl Index {
    /// Builds the index of a rebuilt e-graph, and brings the rows' classes up to date. Two counting sorts: O(rows + classes).
    pub fn build(graph: &mut EGraph) -> Index {
        debug_assert!(graph.is_clean());
        let rows = graph.row_count();
        let mut operator_starts = vec![0u32; graph.table_count() + 1];
        let mut class_starts = vec![0u32; graph.class_count() + 1];
        let mut live = 0usize;
        for row in 0..rows {
            if let Some(operator) = graph.row_operator(row) {
                operator_starts[operator as usize + 1] += 1;
                class_starts[graph.settle_row_class(row) as usize + 1] += 1;
                live += 1;
            }
        }
        for i in 1..operator_starts.len() {
            operator_starts[i] += operator_starts[i - 1];
        }
        for i in 1..class_starts.len() {
            class_starts[i] += class_starts[i - 1];
        }
        let mut operator_rows = vec![0u32; live];
        let mut next = operator_starts.clone();
        for row in 0..rows {
            if let Some(operator) = graph.row_operator(row) {
                let at = &mut next[operator as usize];
                operator_rows[*at as usize] = row;
                *at += 1;
            }
        }
        let mut class_rows = vec![0u32; live];
        let mut class_operators = vec![0u32; live];
        let mut next = class_starts.clone();
        for operator in 0..graph.table_count() {
            for &row in &operator_rows[operator_starts[operator] as usize..operator_starts[operator + 1] as usize] {
                let at = &mut next[graph.row_class(row) as usize];
                class_rows[*at as usize] = row;
                class_operators[*at as usize] = operator as u32;
                *at += 1;
            }
        }
        Index {
            operator_starts,
            operator_rows,
            class_starts,
            class_rows,
            class_operators,
        }
    }

    /// The rows of an operator, ascending.
    pub fn of_operator(&self, operator: OperatorId) -> &[u32] {
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

    /// The rows of a class, by operator.
    pub fn of_class(&self, class: u32) -> &[u32] {
        let class = class as usize;
        match (self.class_starts.get(class), self.class_starts.get(class + 1)) {
            (Some(&from), Some(&to)) => &self.class_rows[from as usize..to as usize],
            _ => &[],
        }
    }

    /// The rows of an operator in a class.
    #[inline]
    pub fn of_class_and_operator(&self, class: u32, operator: OperatorId) -> &[u32] {
        let class = class as usize;
        let (Some(&from), Some(&to)) = (self.class_starts.get(class), self.class_starts.get(class + 1)) else {
            return &[];
        };
        let (from, to) = (from as usize, to as usize);
        let operators = &self.class_operators[from..to];
        let (low, high) = if operators.len() <= 8 {
            let low = operators
                .iter()
                .position(|&other| other >= operator.0)
                .unwrap_or(operators.len());
            let count = operators[low..]
                .iter()
                .take_while(|&&other| other == operator.0)
                .count();
            (low, low + count)
        } else {
            let low = operators.partition_point(|&other| other < operator.0);
            (
                low,
                low + operators[low..].partition_point(|&other| other == operator.0),
            )
        };
        &self.class_rows[from + low..from + high]
    }
}
