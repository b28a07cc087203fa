//! Rebuilding: congruence closure by a worklist.

use super::{ClassId, DEAD, EGraph, NIL, Row, RowId, Use, Uses};
use crate::hashcons::hash_node;

/// How many rows are brought up to date at once when rebuilding.
const REBUILT_AT_ONCE: usize = 32;

impl EGraph {
    /// Does what [`EGraph::unite`] asked for and restores congruence: deferred rebuilding (Willsey et al., POPL 2021) by a worklist, so that
    /// the time is bound by the uses of the smaller class of each union. All that waits is united first; then the rows that this concerns are brought up
    /// to date in batches, so that misses of the cache overlap. Answers the number of unions.
    pub fn rebuild(&mut self) -> u64 {
        if self.pending.is_empty() {
            return 0;
        }
        let mut unions = 0;
        let (mut dirty, mut scratch) = (std::mem::take(&mut self.dirty), Vec::new());
        while !self.pending.is_empty() {
            while let Some((a, b)) = self.pending.pop_front() {
                let (a, b) = (self.classes.find(a), self.classes.find(b));
                if a == b {
                    continue;
                }
                let (a_uses, b_uses) = (self.class_uses[a as usize].count, self.class_uses[b as usize].count);
                let (root, child) = if (a_uses, b) > (b_uses, a) { (a, b) } else { (b, a) };
                self.classes.union(root, child);
                self.live_classes -= 1;
                unions += 1;
                self.class_colors[root as usize] =
                    self.class_colors[root as usize].union(self.class_colors[child as usize]);
                let mut moved = Uses::NONE;
                let mut at = self.class_uses[child as usize].head;
                while at != NIL {
                    let Use { row, next } = self.uses[at as usize];
                    // Dead rows leave the list.
                    if self.rows[row as usize].operator != DEAD {
                        dirty.push(row);
                        if moved.head == NIL {
                            moved.head = at;
                        } else {
                            self.uses[moved.tail as usize].next = at;
                        }
                        moved.tail = at;
                        moved.count += 1;
                    }
                    at = next;
                }
                if moved.head != NIL {
                    let own = &mut self.class_uses[root as usize];
                    self.uses[moved.tail as usize].next = own.head;
                    if own.head == NIL {
                        own.tail = moved.tail;
                    }
                    own.head = moved.head;
                    own.count += moved.count;
                }
            }
            for batch in dirty.chunks(REBUILT_AT_ONCE) {
                let mut seen = 0;
                for &row in batch {
                    let Row { operator, slots, .. } = self.rows[row as usize];
                    if operator != DEAD && self.tables[operator as usize].arity == 2 {
                        let class_columns = self.class_columns(operator);
                        let now = |i: usize| match class_columns >> i & 1 {
                            1 => self.classes.get(slots[i]),
                            _ => slots[i],
                        };
                        seen ^= self.warm(hash_node(operator, &[now(0), now(1)]));
                    }
                }
                std::hint::black_box(seen);
                for &row in batch {
                    if self.rows[row as usize].operator != DEAD {
                        self.canonicalize(row, &mut scratch);
                    }
                }
            }
            dirty.clear();
        }
        self.dirty = dirty;
        unions
    }

    /// Brings a live row's arguments up to date; if that makes it a duplicate, it dies and the two classes are to be united.
    fn canonicalize(&mut self, row: u32, scratch: &mut Vec<u32>) {
        scratch.clear();
        scratch.extend_from_slice(self.arguments(RowId(row)));
        let operator = self.rows[row as usize].operator;
        let class_columns = self.class_columns(operator);
        let mut changed = false;
        for (i, argument) in scratch.iter_mut().enumerate() {
            if class_columns >> i & 1 == 1 {
                let root = self.classes.find(*argument);
                changed |= root != *argument;
                *argument = root;
            }
        }
        if !changed {
            return;
        }
        let hash = hash_node(operator, scratch);
        if let Some(survivor) = self.find_row(hash, operator, scratch) {
            debug_assert_ne!(survivor, row);
            let dead = &mut self.rows[row as usize];
            let class = dead.class;
            dead.operator = DEAD;
            dead.slots[0] = survivor;
            self.colors[survivor as usize] = self.colors[survivor as usize].union(self.colors[row as usize]);
            self.deaths.push((RowId(row), RowId(survivor)));
            self.live_rows -= 1;
            self.tables[operator as usize].live -= 1;
            self.unite(ClassId(class), ClassId(self.rows[survivor as usize].class));
            return;
        }
        if scratch.len() <= 2 {
            self.rows[row as usize].slots[..scratch.len()].copy_from_slice(scratch);
        } else {
            let start = self.rows[row as usize].slots[0] as usize;
            self.pool[start..start + scratch.len()].copy_from_slice(scratch);
        }
        self.touched[row as usize] = self.epoch;
        self.enter(hash, row);
    }
}
