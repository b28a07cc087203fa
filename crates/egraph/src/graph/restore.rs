//! Making an e-graph of rows that are known to be one, all of them at once.

use super::{EGraph, OperatorId, Row, Uses};
use crate::color::Colors;
use crate::hashcons::{entry, hash_node};
use crate::operator::Operator;
use crate::value::Value;

/// The rows of an operator, column by column. All columns are of one length.
#[derive(Clone, Copy, Debug)]
pub struct Columns<'a> {
    /// The operator.
    pub operator: &'a Operator,
    /// The e-class of each row.
    pub classes: &'a [u32],
    /// For each column of the operator, of each row: an e-class, or the place of a value.
    pub arguments: &'a [Vec<u32>],
    /// What each row carries.
    pub colors: &'a [Colors],
}

impl EGraph {
    /// The e-graph of so many e-classes that has these rows, which are numbered in their order. Values ascend and operators differ, all numbers are in range, each class has a row, and no two
    /// rows of an operator have the same arguments: what is otherwise makes the e-graph wrong. O(size).
    pub fn restore(classes: u32, values: &[Value], tables: &[Columns<'_>]) -> EGraph {
        let mut graph = EGraph::new();
        for value in values {
            graph.values.intern(value);
        }
        debug_assert!(graph.values.len() == values.len());
        let count = tables.iter().map(|table| table.classes.len()).sum();
        graph.rows.reserve_exact(count);
        graph.colors.reserve_exact(count);
        graph.touched.resize(count, graph.epoch);
        let width = |table: &Columns<'_>| table.arguments.len() * table.classes.len();
        graph.uses.reserve_exact(tables.iter().map(width).sum());
        graph.classes.refill(classes);
        graph.class_colors.resize(classes as usize, Colors::NONE);
        graph.class_uses.resize(classes as usize, Uses::NONE);
        (graph.live_rows, graph.live_classes) = (count, classes as usize);
        let mut entries = Vec::with_capacity(count);
        for table in tables {
            let operator = graph.declare(table.operator);
            graph.tables[operator.0 as usize].live = table.classes.len() as u64;
            graph.colors.extend_from_slice(table.colors);
            for (&class, &colors) in table.classes.iter().zip(table.colors) {
                let own = &mut graph.class_colors[class as usize];
                *own = own.union(colors);
            }
            match table.arguments {
                [] => graph.append(operator, table, &mut entries, |_| []),
                [a] => graph.append(operator, table, &mut entries, |at| [a[at]]),
                [a, b] => graph.append(operator, table, &mut entries, |at| [a[at], b[at]]),
                wide => graph.append(operator, table, &mut entries, |at| {
                    wide.iter().map(|column| column[at]).collect::<Vec<u32>>()
                }),
            }
        }
        graph.hashcons.fill(entries);
        debug_assert!(
            graph
                .live()
                .all(|row| graph.lookup(graph.operator_of(row), graph.arguments(row)) == Some(row))
        );
        graph
    }

    #[inline]
    fn append<A: AsRef<[u32]>>(
        &mut self,
        operator: OperatorId,
        table: &Columns<'_>,
        entries: &mut Vec<u64>,
        arguments: impl Fn(usize) -> A,
    ) {
        let class_columns = self.class_columns(operator.0);
        for (at, &class) in table.classes.iter().enumerate() {
            let (row, arguments) = (self.rows.len() as u32, arguments(at));
            let arguments = arguments.as_ref();
            self.rows.push(Row {
                operator: operator.0,
                class,
                slots: [0, 0],
            });
            self.store(row as usize, arguments);
            self.use_arguments(row, class_columns, arguments);
            entries.push(entry(hash_node(operator.0, arguments), row));
        }
    }
}
