//! Copies of an e-graph, whole or without what is dead, in memory that was used before.

use super::{DEAD, EGraph, NIL, Row, RowId, Table, Uses};

/// New numbers for old ones. See [`EGraph::compact_from`].
#[derive(Clone, Debug)]
pub struct Compaction {
    rows: Vec<u32>,
    classes: Vec<u32>,
}

impl Compaction {
    /// The row's new number; of a dead row, that of the row which it turned out to equal.
    pub fn row(&self, row: RowId) -> RowId {
        RowId(self.rows[row.0 as usize])
    }

    /// For each old row, in order, its new number.
    pub fn rows(&self) -> impl Iterator<Item = RowId> {
        self.rows.iter().map(|&row| RowId(row))
    }

    /// The class's new number; `u32::MAX` if it was no representative, or had none since an earlier compaction.
    pub(crate) fn class(&self, class: u32) -> u32 {
        self.classes.get(class as usize).copied().unwrap_or(u32::MAX)
    }
}

/// The most that an e-graph is thought to grow by while it is added to.
const MAX_GROWTH: u64 = 4;

/// By which factor an e-graph is thought to grow: `now` over `before`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Growth {
    now: u64,
    before: u64,
}

impl Growth {
    fn of(self, len: usize) -> usize {
        (len as u64 * self.now / self.before) as usize
    }
}

/// Copies a list into the memory of another, or of its own with room for growth.
pub(crate) fn copy<T: Copy>(to: &mut Vec<T>, from: &[T], growth: Growth) {
    to.clear();
    if to.capacity() < from.len() + from.len() / 8 {
        // What is there is of no use: it need not be moved, nor take up room meanwhile.
        *to = Vec::new();
        to.reserve_exact(growth.of(from.len()));
    }
    to.extend_from_slice(from);
}

impl EGraph {
    /// Becomes a copy of another e-graph, of which it has been a copy before, in the memory that it has. A copy is made to add to it: where that memory does
    /// not do, there is room for growth by the same factor as since then.
    pub fn copy_from(&mut self, other: &EGraph) {
        self.follow(other);
        for (own, table) in self.tables.iter_mut().zip(&other.tables) {
            own.live = table.live;
        }
        let (before, now) = (self.rows.len() as u64, other.rows.len() as u64);
        let growth = Growth {
            // Guessing too high takes up addresses, guessing too low means moving.
            now: if before == 0 {
                2
            } else {
                now.clamp(before + before / 2, before * MAX_GROWTH)
            },
            before: before.max(1),
        };
        self.hashcons
            .copy_from(&other.hashcons, growth.of(other.live_rows), other.live_rows);
        copy(&mut self.rows, &other.rows, growth);
        copy(&mut self.pool, &other.pool, growth);
        copy(&mut self.colors, &other.colors, growth);
        self.classes.copy_from(&other.classes, growth);
        copy(&mut self.class_colors, &other.class_colors, growth);
        copy(&mut self.class_uses, &other.class_uses, growth);
        copy(&mut self.uses, &other.uses, growth);
        copy(&mut self.touched, &other.touched, growth);
        self.epoch = other.epoch;
        self.pending.clone_from(&other.pending);
        self.deaths.clone_from(&other.deaths);
        self.live_rows = other.live_rows;
        self.live_classes = other.live_classes;
    }

    /// [`EGraph::follow`] for values only.
    #[inline]
    pub fn follow_values(&mut self, other: &EGraph) {
        if other.values.len() > self.values.len() {
            self.values.follow(&other.values);
        }
    }

    /// Makes known whatever has become known to another e-graph since this one was copied from it: operators and values, with the same numbers. This one
    /// must not have learnt others meanwhile.
    pub fn follow(&mut self, other: &EGraph) {
        self.follow_values(other);
        for (own, table) in self.tables.iter_mut().zip(&other.tables) {
            own.operator.cost = table.operator.cost;
        }
        if other.tables.len() > self.tables.len() {
            let new = other.tables[self.tables.len()..].iter().cloned();
            self.tables.extend(new);
            self.by_signature.clone_from(&other.by_signature);
        }
    }

    /// Becomes a copy of another e-graph, of which it has been a copy before, without the dead rows, in the memory that it has. Rows and classes are numbered
    /// anew, without gaps, so that what is alive lies close together. Row and class numbers from before are good for nothing but [`Compaction`]. The other one
    /// must be rebuilt. O(rows + classes).
    pub fn compact_from(&mut self, other: &EGraph) -> Compaction {
        debug_assert!(other.is_clean() && other.deaths.is_empty());
        self.follow(other);
        for (own, table) in self.tables.iter_mut().zip(&other.tables) {
            own.live = table.live;
        }
        self.epoch = other.epoch;
        self.live_rows = other.live_rows;
        self.live_classes = other.live_classes;
        self.pending.clear();
        self.deaths.clear();
        for list in [&mut self.pool, &mut self.touched] {
            list.clear();
        }
        for colors in [&mut self.colors, &mut self.class_colors] {
            colors.clear();
        }
        self.rows.clear();
        let mut renumbered = Compaction {
            rows: vec![NIL; other.rows.len()],
            classes: vec![NIL; other.classes.len()],
        };
        let mut classes = 0;
        for (at, row) in other.rows.iter().enumerate() {
            if row.operator == DEAD {
                continue;
            }
            let class = other.classes.get(row.class);
            // A row whose class has changed since the last index is touched, which the new number would hide.
            let touched = if class == row.class {
                other.touched[at]
            } else {
                other.epoch
            };
            let number = &mut renumbered.classes[class as usize];
            if *number == NIL {
                *number = classes;
                classes += 1;
                self.class_colors.push(other.class_colors[class as usize]);
            }
            renumbered.rows[at] = self.rows.len() as u32;
            self.rows.push(Row { class: *number, ..*row });
            self.colors.push(other.colors[at]);
            self.touched.push(touched);
        }
        for (at, row) in other.rows.iter().enumerate() {
            if row.operator == DEAD {
                renumbered.rows[at] = renumbered.rows[other.resolve(RowId(at as u32)).0 as usize];
            }
        }
        self.classes.refill(classes);
        self.class_uses.clear();
        self.class_uses.resize(classes as usize, Uses::NONE);
        self.uses.clear();
        let mut key = Vec::new();
        for at in 0..self.rows.len() {
            let Row { operator, slots, .. } = self.rows[at];
            let Table {
                arity, class_columns, ..
            } = self.tables[operator as usize];
            key.clear();
            if arity <= 2 {
                key.extend_from_slice(&slots[..arity as usize]);
            } else {
                key.extend_from_slice(&other.pool[slots[0] as usize..][..arity as usize]);
            }
            for (i, argument) in key.iter_mut().enumerate() {
                if class_columns >> i & 1 == 1 {
                    *argument = renumbered.classes[*argument as usize];
                }
            }
            self.store(at, &key);
            self.use_arguments(at as u32, class_columns, &key);
        }
        self.refill(NIL);
        renumbered
    }
}
