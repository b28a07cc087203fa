//! Indices over the rows, built once a round and frozen while matching.

use crate::graph::{EGraph, OperatorId, RowId};

/// Rows by operator, and by class grouped by operator, in compressed sparse rows: flat arrays and offsets. Rows of one group ascend.
#[derive(Clone, Debug, Default)]
struct Groups {
    by_operator: Lists,
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
    roots: Roots,
}

/// The rows that matches may have as their roots, sorted out of the others once for all rules.
#[derive(Clone, Debug, Default)]
struct Roots {
    /// Which they are, if any have been.
    choice: Option<u128>,
    all: Lists,
    recent: Lists,
    /// A bit for each row.
    chosen: Vec<u64>,
}

/// Rows by operator. Those of one ascend.
#[derive(Clone, Debug, Default)]
struct Lists {
    starts: Vec<u32>,
    rows: Vec<u32>,
}

impl Lists {
    /// Those of others that are wanted, in the memory that there is.
    fn choose(&mut self, others: &Lists, mut wanted: impl FnMut(u32) -> bool) {
        self.starts.clear();
        self.rows.clear();
        self.starts.push(0);
        for bounds in others.starts.windows(2) {
            let rows = &others.rows[bounds[0] as usize..bounds[1] as usize];
            self.rows.extend(rows.iter().copied().filter(|&row| wanted(row)));
            self.starts.push(self.rows.len() as u32);
        }
    }

    fn of_operator(&self, operator: OperatorId) -> &[u32] {
        let operator = operator.0 as usize;
        match (self.starts.get(operator), self.starts.get(operator + 1)) {
            (Some(&from), Some(&to)) => &self.rows[from as usize..to as usize],
            // Declared later: no rows yet.
            _ => &[],
        }
    }
}

/// Turns counts, each two places after its group, into the groups' starts, each one place after its own: where they belong once a pass over the entries
/// has moved each start to the end of its group.
fn accumulate(starts: &mut [u32]) {
    let mut sum = 0;
    for start in starts {
        sum += *start;
        *start = sum;
    }
}

/// Zeros, this many, in the memory that there is.
fn zero(numbers: &mut Vec<u32>, len: usize) {
    numbers.clear();
    numbers.resize(len, 0);
}

impl Groups {
    /// Two counting sorts of rows that ascend, given with their operators and classes, in the memory that there is: O(rows + operators + classes).
    fn refill(&mut self, graph: &EGraph, rows: impl Iterator<Item = (u32, u32, u32)> + Clone) {
        zero(&mut self.by_operator.starts, graph.table_count() + 2);
        zero(&mut self.class_starts, graph.class_count() + 2);
        let mut count = 0;
        for (_, operator, class) in rows.clone() {
            self.by_operator.starts[operator as usize + 2] += 1;
            self.class_starts[class as usize + 2] += 1;
            count += 1;
        }
        accumulate(&mut self.by_operator.starts);
        accumulate(&mut self.class_starts);
        zero(&mut self.by_operator.rows, count);
        for (row, operator, _) in rows {
            let at = &mut self.by_operator.starts[operator as usize + 1];
            self.by_operator.rows[*at as usize] = row;
            *at += 1;
        }
        zero(&mut self.class_rows, count);
        zero(&mut self.class_operators, count);
        for operator in 0..graph.table_count() {
            let rows = self.by_operator.starts[operator] as usize..self.by_operator.starts[operator + 1] as usize;
            for &row in &self.by_operator.rows[rows] {
                let at = &mut self.class_starts[graph.row_class(row) as usize + 1];
                self.class_rows[*at as usize] = row;
                self.class_operators[*at as usize] = operator as u32;
                *at += 1;
            }
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
    /// Builds the index of a rebuilt e-graph. O(rows + classes).
    pub fn build(graph: &mut EGraph) -> Index {
        let mut index = Index::default();
        index.rebuild(graph);
        index
    }

    /// [`Index::build`] in the memory of an older one.
    pub fn rebuild(&mut self, graph: &mut EGraph) {
        debug_assert!(graph.is_clean());
        graph.settle_classes();
        self.all.refill(graph, graph.live_with_class());
        self.since = None;
        self.roots.choice = None;
    }

    /// Sorts out the rows touched after an epoch, for searches that look for new matches only. O(rows + classes); at once if it was done before.
    pub fn sort_recent(&mut self, graph: &EGraph, since: u32) {
        if self.since.is_none_or(|own| own > since) {
            let touched = |&(row, _, _): &(u32, u32, u32)| graph.touched(RowId(row)) > since;
            self.recent.refill(graph, graph.live_with_class().filter(touched));
            self.since = Some(since);
            self.roots.choice = None;
        }
    }

    /// Sorts out the rows that matches are to have as their roots, for searches of a part of all matches. It is to be done again when the index is built anew, and after
    /// [`Index::sort_recent`]. The same `choice` stands for the same roots on one index, and costs nothing again. O(rows), a look at each.
    pub fn choose_roots(&mut self, choice: u128, mut owns: impl FnMut(RowId) -> bool) {
        if self.roots.choice.replace(choice) == Some(choice) {
            return;
        }
        let Roots {
            all, recent, chosen, ..
        } = &mut self.roots;
        let rows = &self.all.by_operator;
        let places = rows.rows.iter().max().map_or(0, |&last| last as usize + 1);
        chosen.clear();
        chosen.resize(places.div_ceil(64), 0);
        all.choose(rows, |row| {
            let own = owns(RowId(row));
            chosen[row as usize / 64] |= u64::from(own) << (row % 64);
            own
        });
        if self.since.is_some() {
            recent.choose(&self.recent.by_operator, |row| {
                chosen[row as usize / 64] >> (row % 64) & 1 == 1
            });
        }
    }

    /// Whether a row was chosen as a root.
    #[inline]
    pub(crate) fn is_root(&self, row: u32) -> bool {
        let bits = self.roots.chosen.get(row as usize / 64);
        bits.is_some_and(|bits| bits >> (row % 64) & 1 == 1)
    }

    /// Of the rows of an operator, those that were chosen as roots.
    pub(crate) fn roots_of_operator(&self, operator: OperatorId) -> &[u32] {
        self.roots.all.of_operator(operator)
    }

    /// Of the rows of an operator that [`Index::sort_recent`] sorted out, those that were chosen as roots.
    pub(crate) fn recent_roots_of_operator(&self, operator: OperatorId) -> &[u32] {
        self.roots.recent.of_operator(operator)
    }

    /// The rows of an operator, ascending.
    pub fn of_operator(&self, operator: OperatorId) -> &[u32] {
        self.all.by_operator.of_operator(operator)
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
        self.recent.by_operator.of_operator(operator)
    }

    /// Of the rows of an operator in a class, those that [`Index::sort_recent`] sorted out.
    #[inline]
    pub(crate) fn recent_of_class_and_operator(&self, class: u32, operator: OperatorId) -> &[u32] {
        self.recent.of_class_and_operator(class, operator)
    }
}
