//! Names without history: each e-class by its least term, and from that the canonical snapshot.
//!
//! Terms are ordered by height first, then by operator (name, columns, output), then by arguments from left to right: values by their order,
//! classes by this order. Every class has a finite term, since nothing is ever deleted, and so a least one. Height comes first
//! because, unlike size, it cannot overflow: it is at most the number of classes.

use crate::graph::{EGraph, OperatorId, RowId};
use crate::term;

/// The canonical order of the classes of an e-graph, and the first node of each one's least term.
#[derive(Clone, Debug)]
pub struct Naming {
    /// By class id: the class's place in the order; `u32::MAX` for an id that is no representative.
    ranks: Vec<u32>,
    /// By rank: the first node of the least term.
    least: Vec<RowId>,
    /// By operator id: its place among all operators in canonical order.
    operator_ranks: Vec<u32>,
}

impl Naming {
    /// Names all classes of a rebuilt e-graph whose rows' classes are up to date (see [`crate::index::Index::build`]).
    /// O(n log n) in the rows, level by level.
    pub fn of(graph: &EGraph) -> Naming {
        let rows = graph.row_count() as usize;
        let classes = graph.class_count();
        let mut operator_ranks = vec![0u32; graph.table_count()];
        for (rank, (id, _)) in graph.operators().enumerate() {
            operator_ranks[id.0 as usize] = rank as u32;
        }
        // The uses of each class, in compressed rows.
        let mut starts = vec![0u32; classes + 1];
        let mut missing = vec![0u32; rows];
        for row in graph.live() {
            for class in graph.class_arguments(row) {
                starts[class as usize + 1] += 1;
                missing[row.0 as usize] += 1;
            }
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut users = vec![0u32; starts[classes] as usize];
        let mut next = starts.clone();
        for row in graph.live() {
            for class in graph.class_arguments(row) {
                let at = &mut next[class as usize];
                users[*at as usize] = row.0;
                *at += 1;
            }
        }
        let mut naming = Naming {
            ranks: vec![u32::MAX; classes],
            least: Vec::new(),
            operator_ranks,
        };
        let mut ready: Vec<RowId> = graph.live().filter(|row| missing[row.0 as usize] == 0).collect();
        while !ready.is_empty() {
            // Of each class that is reached at this height, its least row.
            ready.retain(|row| naming.ranks[graph.row_class(row.0) as usize] == u32::MAX);
            ready.sort_unstable_by(|&a, &b| {
                graph
                    .row_class(a.0)
                    .cmp(&graph.row_class(b.0))
                    .then_with(|| naming.compare(graph, a, b))
            });
            ready.dedup_by_key(|row| graph.row_class(row.0));
            ready.sort_unstable_by(|&a, &b| naming.compare(graph, a, b));
            for &row in &ready {
                naming.ranks[graph.row_class(row.0) as usize] = naming.least.len() as u32;
                naming.least.push(row);
            }
            let mut above = Vec::new();
            for &row in &ready {
                let class = graph.row_class(row.0) as usize;
                for &user in &users[starts[class] as usize..starts[class + 1] as usize] {
                    let missing = &mut missing[user as usize];
                    *missing -= 1;
                    if *missing == 0 {
                        above.push(RowId(user));
                    }
                }
            }
            ready = above;
        }
        naming
    }

    /// Orders two rows whose argument classes are named: by operator, then arguments.
    pub fn compare(&self, graph: &EGraph, a: RowId, b: RowId) -> std::cmp::Ordering {
        let (x, y) = (graph.operator_of(a), graph.operator_of(b));
        if x != y {
            return self.operator_ranks[x.0 as usize].cmp(&self.operator_ranks[y.0 as usize]);
        }
        let class_columns = graph.class_columns(x.0);
        for (i, (&x, &y)) in graph.arguments(a).iter().zip(graph.arguments(b)).enumerate() {
            if x != y {
                return if class_columns >> i & 1 == 1 {
                    self.ranks[x as usize].cmp(&self.ranks[y as usize])
                } else {
                    graph.value(x).cmp(graph.value(y))
                };
            }
        }
        std::cmp::Ordering::Equal
    }

    /// A class's place in the order. The class must be a representative.
    pub fn rank(&self, class: u32) -> u32 {
        self.ranks[class as usize]
    }

    /// The first node of the least term of a class. The class must be a representative.
    pub fn least(&self, class: u32) -> RowId {
        self.least[self.ranks[class as usize] as usize]
    }

    /// The first node of the least term of the class at a place in the order.
    pub fn ranked(&self, rank: usize) -> Option<RowId> {
        self.least.get(rank).copied()
    }

    /// The number of classes.
    pub fn len(&self) -> usize {
        self.least.len()
    }

    /// Whether the e-graph is empty.
    pub fn is_empty(&self) -> bool {
        self.least.is_empty()
    }

    /// The least term of a class, as text.
    pub fn term(&self, graph: &EGraph, class: u32) -> Result<String, term::TooLong> {
        term::write(graph, self.least(class), |class| self.least(class))
    }

    /// The term of a row over the least terms of its arguments, as text.
    pub fn node(&self, graph: &EGraph, row: RowId) -> Result<String, term::TooLong> {
        term::write(graph, row, |class| self.least(class))
    }

    /// The rows of an operator in canonical order.
    pub fn sorted(&self, graph: &EGraph, operator: OperatorId) -> Vec<RowId> {
        let mut rows: Vec<RowId> = graph.live().filter(|&row| graph.operator_of(row) == operator).collect();
        rows.sort_unstable_by(|&a, &b| self.compare(graph, a, b));
        rows
    }

    /// The canonical snapshot: the operators that have rows, the values that rows hold, and the rows by operator and class, classes and values by rank.
    /// Version 1; varints are LEB128. Equal for two e-graphs if and only if they are isomorphic.
    ///
    /// ```text
    /// "eqms" 1 · operators · classes · values: (text)* · operator: (name · columns: (sort)* · sort · rows: (class delta · arguments*)*)*
    /// ```
    ///
    /// Rows stand in the order of (class, arguments); a class is coded as the difference to the row before.
    pub fn snapshot(&self, graph: &EGraph) -> Vec<u8> {
        let mut bytes = b"eqms\x01".to_vec();
        let mut by_operator: Vec<Vec<RowId>> = vec![Vec::new(); graph.table_count()];
        // By value id: whether a row holds it, and then its place among those that do.
        let mut places: Vec<Option<u64>> = vec![None; graph.values.len()];
        for row in graph.live() {
            let operator = graph.operator_of(row);
            by_operator[operator.0 as usize].push(row);
            let class_columns = graph.class_columns(operator.0);
            for (i, &argument) in graph.arguments(row).iter().enumerate() {
                if class_columns >> i & 1 == 0 {
                    places[argument as usize] = Some(0);
                }
            }
        }
        let mut used: Vec<usize> = (0..places.len()).filter(|&id| places[id].is_some()).collect();
        used.sort_unstable_by_key(|&id| graph.value(id as u32));
        for (place, &id) in used.iter().enumerate() {
            places[id] = Some(place as u64);
        }
        let occupied = by_operator.iter().filter(|rows| !rows.is_empty()).count();
        varint(&mut bytes, occupied as u64);
        varint(&mut bytes, self.least.len() as u64);
        varint(&mut bytes, used.len() as u64);
        for value in used.iter().map(|&id| graph.value(id as u32)) {
            string(&mut bytes, value.value_type().name());
            string(&mut bytes, &value.to_string());
        }
        for (id, operator) in graph.operators() {
            let rows = &mut by_operator[id.0 as usize];
            if rows.is_empty() {
                continue;
            }
            string(&mut bytes, &operator.name);
            varint(&mut bytes, operator.columns.len() as u64);
            for column in &operator.columns {
                string(&mut bytes, column.name());
            }
            string(&mut bytes, operator.output.sort());
            varint(&mut bytes, rows.len() as u64);
            rows.sort_unstable_by(|&a, &b| {
                let (x, y) = (self.rank(graph.row_class(a.0)), self.rank(graph.row_class(b.0)));
                x.cmp(&y).then_with(|| self.compare(graph, a, b))
            });
            let class_columns = graph.class_columns(id.0);
            let mut previous = 0;
            for &row in rows.iter() {
                let class = self.rank(graph.row_class(row.0));
                varint(&mut bytes, u64::from(class - previous));
                previous = class;
                for (i, &argument) in graph.arguments(row).iter().enumerate() {
                    varint(
                        &mut bytes,
                        if class_columns >> i & 1 == 1 {
                            u64::from(self.rank(argument))
                        } else {
                            places[argument as usize].expect("every value that a row holds has a place")
                        },
                    );
                }
            }
        }
        bytes
    }
}

fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn string(bytes: &mut Vec<u8>, text: &str) {
    varint(bytes, text.len() as u64);
    bytes.extend_from_slice(text.as_bytes());
}
