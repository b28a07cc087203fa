//! What a snapshot says, as concrete terms.
//!
//! A class of a snapshot is known by its least term, and a row of it is that row's operator over the least terms of the classes under it. So each row is one term, and the rows of a class
//! are terms that the snapshot holds equal.

use std::collections::BTreeMap;

use eqmesh_egraph::graph::{EGraph, OperatorId};
use eqmesh_egraph::value::ValueId;

use super::concrete::{Child, Term, Terms};
use super::equality::Equalities;
use crate::snapshot::Snapshot;

/// The rows of a snapshot as terms.
#[derive(Debug)]
pub(super) struct SnapshotTerms {
    /// By the rows' places in the snapshot.
    pub(super) rows: Vec<u32>,
    /// Each row with the least term of its class, where that is another one.
    pub(super) equal: Vec<(u32, u32)>,
}

/// The snapshot that stands for the first facts: which terms it has, and which of them it holds equal.
#[derive(Debug)]
pub(super) struct Compacted {
    pub(super) digest: [u8; 32],
    /// The class of each row; what stands under a row is a class here, not a term.
    rows: BTreeMap<Term, u32>,
    /// By term, as far as anybody has asked; none for what the snapshot does not have.
    classes: Vec<Option<u32>>,
}

impl Compacted {
    pub(super) fn new(graph: &mut EGraph, snapshot: &Snapshot, digest: [u8; 32]) -> Compacted {
        let mut rows = BTreeMap::new();
        for_rows(graph, snapshot, |operator, children, class| {
            rows.insert((operator, children), class);
        });
        Compacted {
            digest,
            rows,
            classes: Vec::new(),
        }
    }

    /// The class of a term in the snapshot. O(log n) for each term that nobody has asked for before.
    pub(super) fn class_of(&mut self, terms: &Terms, term: u32) -> Option<u32> {
        for id in self.classes.len()..terms.len() {
            let (operator, children) = terms.get(id as u32);
            let children: Option<Box<[Child]>> = children
                .iter()
                .map(|&child| match child {
                    Child::Term(below) => self.classes[below as usize].map(Child::Term),
                    Child::Value(_) => Some(child),
                })
                .collect();
            let class = children.and_then(|children| self.rows.get(&(*operator, children)).copied());
            self.classes.push(class);
        }
        self.classes[term as usize]
    }
}

/// Each row of a snapshot in order: its operator, the classes and values under it, and its class.
fn for_rows(graph: &mut EGraph, snapshot: &Snapshot, mut each: impl FnMut(OperatorId, Box<[Child]>, u32)) {
    let values: Vec<ValueId> = snapshot.values.iter().map(|value| graph.values.intern(value)).collect();
    for table in &snapshot.tables {
        let operator = graph.declare(&table.operator);
        for (at, &class) in table.classes.iter().enumerate() {
            let columns = table.arguments.iter().zip(&table.operator.columns);
            let children = columns.map(|(column, sort)| {
                if sort.is_class() {
                    Child::Term(column[at])
                } else {
                    Child::Value(values[column[at] as usize])
                }
            });
            each(operator, children.collect(), class);
        }
    }
}

impl SnapshotTerms {
    /// Adds the terms of a snapshot. O(n log n) in its rows.
    pub(super) fn add(equalities: &mut Equalities, graph: &mut EGraph, snapshot: &Snapshot) -> SnapshotTerms {
        let mut rows: Vec<(OperatorId, Box<[Child]>)> = Vec::with_capacity(snapshot.rows());
        let mut class_of_row = Vec::with_capacity(snapshot.rows());
        for_rows(graph, snapshot, |operator, children, class| {
            rows.push((operator, children));
            class_of_row.push(class);
        });
        let mut by_class: Vec<Vec<u32>> = vec![Vec::new(); snapshot.classes as usize];
        for (&class, row) in class_of_row.iter().zip(0..) {
            by_class[class as usize].push(row);
        }
        // Least terms are ordered by their height, and a class stands after those under its least term: decoding has checked that there is such a row.
        let mut least: Vec<u32> = Vec::with_capacity(by_class.len());
        let mut heights: Vec<u32> = Vec::with_capacity(by_class.len());
        for own in &by_class {
            let height = |&row: &u32| {
                let (_, children) = &rows[row as usize];
                let below = children.iter().filter_map(|child| child.term());
                below
                    .map(|class| heights.get(class as usize).copied())
                    .try_fold(0, |highest: u32, height| Some(highest.max(height? + 1)))
            };
            let lowest = own.iter().filter_map(|row| Some((height(row)?, *row))).min();
            let (height, row) = lowest.expect("every class has a finite term");
            heights.push(height);
            let (operator, children) = &rows[row as usize];
            least.push(equalities.add(*operator, over(children, &least)));
        }
        let rows: Vec<u32> = rows
            .iter()
            .map(|(operator, children)| equalities.add(*operator, over(children, &least)))
            .collect();
        let ends = rows.iter().zip(&class_of_row);
        let ends = ends.map(|(&row, &class)| (row, least[class as usize]));
        let equal = ends.filter(|(row, least)| row != least).collect();
        SnapshotTerms { rows, equal }
    }
}

/// What stands under a row, with the least terms of classes in place of classes.
fn over(children: &[Child], least: &[u32]) -> Box<[Child]> {
    let child = |child: &Child| match *child {
        Child::Term(class) => Child::Term(least[class as usize]),
        Child::Value(_) => *child,
    };
    children.iter().map(child).collect()
}
