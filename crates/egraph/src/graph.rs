//! The e-graph itself: rows, hash-consing, union and rebuilding.

use std::collections::{BTreeMap, VecDeque};

use crate::color::Colors;
use crate::hashcons::{HashCons, hash_node};
use crate::operator::{Operator, Output, Sort};
use crate::unionfind::UnionFind;
use crate::value::{ValueId, Values};

/// The local number of an operator. Never leaves the replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperatorId(pub u32);

/// The local number of an e-class. Never leaves the replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassId(pub u32);

/// The local number of an e-node's row. Never leaves the replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub u32);

const DEAD: u32 = u32::MAX;
const NIL: u32 = u32::MAX;

/// How many rows are brought up to date at once when rebuilding.
const REBUILT_AT_ONCE: usize = 32;

/// One e-node: 16 bytes. Up to two arguments stand in the row; of more, the first slot says where they begin in the pool.
/// A dead row (a duplicate after congruence) has `operator == DEAD` and the surviving row in the first slot.
#[derive(Clone, Copy, Debug)]
struct Row {
    operator: u32,
    class: u32,
    slots: [u32; 2],
}

/// What the engine needs of an operator at hand.
#[derive(Clone, Debug)]
struct Table {
    operator: Operator,
    arity: u32,
    /// Bit i: column i is an e-class.
    class_columns: u64,
    live: u64,
}

/// A use of a class as an argument: an entry of the class's intrusive list.
#[derive(Clone, Copy, Debug)]
struct Use {
    row: u32,
    next: u32,
}

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

    /// The class's new number; `u32::MAX` if it was no representative.
    pub(crate) fn class(&self, class: u32) -> u32 {
        self.classes[class as usize]
    }
}

/// The list of a class's uses.
#[derive(Clone, Copy, Debug)]
struct Uses {
    head: u32,
    tail: u32,
    count: u32,
}

impl Uses {
    const NONE: Uses = Uses {
        head: NIL,
        tail: NIL,
        count: 0,
    };
}

/// An e-graph: equivalence classes of e-nodes, closed under congruence.
///
/// # Invariants
///
/// After [`EGraph::rebuild`] (and before the next [`EGraph::unite`]):
/// - every live row's arguments are representatives, and no two live rows have the same operator and arguments;
/// - the hash-cons finds every live row;
/// - two classes that hold congruent rows are one.
///
/// [`EGraph::unite`] only queues: until `rebuild`, no representative changes, so that a whole batch of additions works with the
/// ids of the batch's beginning and never asks for a representative.
///
/// Rows are added, found dead and forwarded; a row's number stays good until [`EGraph::compact_from`].
///
/// # Touched rows
///
/// Each row carries the *epoch* in which it was touched last: born, given other arguments, or (as of the last
/// [`crate::index::Index::build`]) put into another class. A match all of whose rows were not touched since an epoch was there in that epoch,
/// with the same substitution: what [`crate::matching::Matcher::search`] goes by when it looks for new matches only.
#[derive(Clone, Debug, Default)]
pub struct EGraph {
    tables: Vec<Table>,
    by_signature: BTreeMap<(String, Vec<Sort>, Output), OperatorId>,
    /// The primitive values.
    pub values: Values,
    rows: Vec<Row>,
    pool: Vec<u32>,
    colors: Vec<Colors>,
    hashcons: HashCons,
    classes: UnionFind,
    class_colors: Vec<Colors>,
    class_uses: Vec<Uses>,
    uses: Vec<Use>,
    /// By row: the epoch in which it was touched last.
    touched: Vec<u32>,
    epoch: u32,
    pending: VecDeque<(u32, u32)>,
    /// Empty but for its memory.
    dirty: Vec<u32>,
    deaths: Vec<(RowId, RowId)>,
    live_rows: usize,
    live_classes: usize,
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
    /// An empty e-graph.
    pub fn new() -> EGraph {
        EGraph::default()
    }

    /// Makes an operator known, or finds it. The cost becomes the smaller of the two. O(log n).
    pub fn declare(&mut self, operator: &Operator) -> OperatorId {
        let key = (operator.name.clone(), operator.columns.clone(), operator.output.clone());
        if let Some(&id) = self.by_signature.get(&key) {
            let cost = &mut self.tables[id.0 as usize].operator.cost;
            *cost = (*cost).min(operator.cost);
            return id;
        }
        let id = OperatorId(self.tables.len() as u32);
        let class_columns = operator
            .columns
            .iter()
            .enumerate()
            .filter(|(_, column)| column.is_class())
            .fold(0, |mask, (i, _)| mask | 1u64 << i);
        self.tables.push(Table {
            operator: operator.clone(),
            arity: operator.columns.len() as u32,
            class_columns,
            live: 0,
        });
        self.by_signature.insert(key, id);
        id
    }

    /// The operator with this name, columns and output, if it is known.
    pub fn operator_id(&self, operator: &Operator) -> Option<OperatorId> {
        self.by_signature
            .get(&(operator.name.clone(), operator.columns.clone(), operator.output.clone()))
            .copied()
    }

    /// The known operators of this name with this many columns, in canonical order.
    pub fn operators_named(&self, name: &str, arity: Option<usize>) -> impl Iterator<Item = OperatorId> {
        let from = (name.to_owned(), Vec::new(), Output::Class(String::new()));
        self.by_signature
            .range(from..)
            .take_while(move |((other, _, _), _)| other == name)
            .filter(move |((_, columns, _), _)| arity.is_none_or(|arity| columns.len() == arity))
            .map(|(_, &id)| id)
    }

    /// All known operators in canonical order.
    pub fn operators(&self) -> impl Iterator<Item = (OperatorId, &Operator)> {
        self.by_signature.values().map(|&id| (id, self.operator(id)))
    }

    /// An operator's description.
    pub fn operator(&self, id: OperatorId) -> &Operator {
        &self.tables[id.0 as usize].operator
    }

    /// The cost of each operator, by number.
    pub(crate) fn operator_costs(&self) -> Vec<u64> {
        self.tables.iter().map(|table| table.operator.cost).collect()
    }

    /// The number of live rows of an operator.
    pub fn count(&self, id: OperatorId) -> u64 {
        self.tables[id.0 as usize].live
    }

    /// Bit i is set where column i holds an e-class.
    #[inline]
    pub(crate) fn class_columns(&self, operator: u32) -> u64 {
        self.tables[operator as usize].class_columns
    }

    pub(crate) fn table_count(&self) -> usize {
        self.tables.len()
    }

    /// E-nodes after canonicalization, without duplicates.
    pub fn enodes(&self) -> usize {
        self.live_rows
    }

    /// E-classes.
    pub fn eclasses(&self) -> usize {
        self.live_classes
    }

    /// Rows ever made, dead ones included: the next row's number.
    pub fn row_count(&self) -> u32 {
        self.rows.len() as u32
    }

    pub(crate) fn class_count(&self) -> usize {
        self.classes.len()
    }

    /// The representative of a class.
    pub fn find(&self, class: ClassId) -> ClassId {
        ClassId(self.classes.get(class.0))
    }

    /// The representative of a class, with path halving.
    #[inline]
    pub(crate) fn representative(&mut self, class: u32) -> u32 {
        self.classes.find(class)
    }

    /// The surviving row of a row that may have turned out to be a duplicate.
    pub fn resolve(&self, row: RowId) -> RowId {
        let mut row = row.0;
        while self.rows[row as usize].operator == DEAD {
            row = self.rows[row as usize].slots[0];
        }
        RowId(row)
    }

    /// The operator of a row. The row must be live (see [`EGraph::resolve`]).
    pub fn operator_of(&self, row: RowId) -> OperatorId {
        OperatorId(self.rows[row.0 as usize].operator)
    }

    /// A row's class, as of its creation or the last [`crate::index::Index::build`].
    #[inline]
    pub(crate) fn row_class(&self, row: u32) -> u32 {
        self.rows[row as usize].class
    }

    /// The class of a row.
    pub fn class_of(&self, row: RowId) -> ClassId {
        ClassId(self.classes.get(self.rows[row.0 as usize].class))
    }

    /// Brings the classes of all live rows up to date; a row whose class has become another is touched.
    pub(crate) fn settle_classes(&mut self) {
        for (row, touched) in self.rows.iter_mut().zip(&mut self.touched) {
            if row.operator != DEAD {
                let class = self.classes.find(row.class);
                if class != row.class {
                    row.class = class;
                    *touched = self.epoch;
                }
            }
        }
    }

    /// The live rows, ascending, with their operators and classes (as of the last index).
    pub(crate) fn live_with_class(&self) -> impl Iterator<Item = (u32, u32, u32)> + Clone {
        let rows = self.rows.iter().enumerate();
        rows.filter(|(_, row)| row.operator != DEAD)
            .map(|(number, row)| (number as u32, row.operator, row.class))
    }

    /// Ends the epoch and answers its number: what is touched from now on has a greater one.
    pub fn end_epoch(&mut self) -> u32 {
        self.epoch += 1;
        self.epoch - 1
    }

    /// The epoch in which a row was touched last.
    #[inline]
    pub fn touched(&self, row: RowId) -> u32 {
        self.touched[row.0 as usize]
    }

    /// Touches a row for a reason of the caller's.
    pub fn touch(&mut self, row: RowId) {
        self.touched[row.0 as usize] = self.epoch;
    }

    /// A live row's arguments: class ids and value ids by column.
    #[inline]
    pub fn arguments(&self, row: RowId) -> &[u32] {
        let row = &self.rows[row.0 as usize];
        let arity = self.tables[row.operator as usize].arity as usize;
        if arity <= 2 {
            &row.slots[..arity]
        } else {
            &self.pool[row.slots[0] as usize..][..arity]
        }
    }

    /// The class (as of the last index) and the arguments of a live row that has at most two of them.
    #[inline]
    pub(crate) fn narrow(&self, row: u32) -> (u32, [u32; 2]) {
        let row = &self.rows[row as usize];
        (row.class, row.slots)
    }

    /// A live row's class (as of the last index) and arguments, where the arity is known.
    #[inline]
    pub(crate) fn class_and_arguments(&self, row: u32, arity: usize) -> (u32, &[u32]) {
        let row = &self.rows[row as usize];
        let arguments = if arity <= 2 {
            &row.slots[..arity]
        } else {
            &self.pool[row.slots[0] as usize..][..arity]
        };
        (row.class, arguments)
    }

    /// The e-classes among a live row's arguments, in order.
    pub fn class_arguments(&self, row: RowId) -> impl Iterator<Item = u32> {
        let class_columns = self.class_columns(self.rows[row.0 as usize].operator);
        self.arguments(row)
            .iter()
            .enumerate()
            .filter(move |(i, _)| class_columns >> i & 1 == 1)
            .map(|(_, &argument)| argument)
    }

    /// Each live row in order: its number, operator, class (as of the last index), arguments, and which columns are classes.
    #[inline]
    pub(crate) fn for_each_row(&self, mut each: impl FnMut(RowId, u32, u32, &[u32], u64)) {
        let shapes: Vec<(usize, u64)> = self
            .tables
            .iter()
            .map(|table| (table.arity as usize, table.class_columns))
            .collect();
        for (number, row) in self.rows.iter().enumerate() {
            if row.operator == DEAD {
                continue;
            }
            let (arity, class_columns) = shapes[row.operator as usize];
            let arguments = if arity <= 2 {
                &row.slots[..arity]
            } else {
                &self.pool[row.slots[0] as usize..][..arity]
            };
            each(RowId(number as u32), row.operator, row.class, arguments, class_columns);
        }
    }

    /// The live rows that have a class among their arguments, in no promised order; one may come more than once. The class must be a representative.
    pub(crate) fn users(&self, class: u32) -> impl Iterator<Item = RowId> {
        let head = self.class_uses[class as usize].head;
        let entry = |at: u32| (at != NIL).then(|| self.uses[at as usize]);
        std::iter::successors(entry(head), move |own| entry(own.next))
            .map(|own| RowId(own.row))
            .filter(|row| self.rows[row.0 as usize].operator != DEAD)
    }

    /// What a row carries.
    pub fn colors_of(&self, row: RowId) -> Colors {
        self.colors[row.0 as usize]
    }

    /// The union of what the rows of a class carry. The class must be a representative.
    #[inline]
    pub fn class_colors(&self, class: ClassId) -> Colors {
        self.class_colors[class.0 as usize]
    }

    /// Adds colors to a row and its class.
    pub fn color(&mut self, row: RowId, colors: Colors) {
        let own = &mut self.colors[row.0 as usize];
        *own = own.union(colors);
        let class = self.classes.find(self.rows[row.0 as usize].class) as usize;
        self.class_colors[class] = self.class_colors[class].union(colors);
    }

    /// The row with this operator and these arguments, if there is one.
    #[inline]
    pub fn lookup(&self, operator: OperatorId, arguments: &[u32]) -> Option<RowId> {
        self.find_row(hash_node(operator.0, arguments), operator.0, arguments)
            .map(RowId)
    }

    #[inline]
    fn find_row(&self, hash: u64, operator: u32, arguments: &[u32]) -> Option<u32> {
        self.hashcons.find(hash, |row| self.is_node(row, operator, arguments))
    }

    /// Whether a row is the e-node of this operator and these arguments.
    #[inline]
    pub(crate) fn is_node(&self, number: u32, operator: u32, arguments: &[u32]) -> bool {
        let row = &self.rows[number as usize];
        let same = match *arguments {
            [] => true,
            [a] => row.slots[0] == a,
            [a, b] => row.slots == [a, b],
            _ => row.operator == operator && self.arguments(RowId(number)) == arguments,
        };
        same && row.operator == operator
    }

    fn hash_of(&self, row: u32) -> u64 {
        hash_node(self.rows[row as usize].operator, self.arguments(RowId(row)))
    }

    fn enter(&mut self, hash: u64, row: u32) {
        if !self.hashcons.insert(hash, row) {
            if !self.hashcons.grow(self.live_rows) {
                self.refill(row);
            }
            let entered = self.hashcons.insert(hash, row);
            debug_assert!(entered, "a rebuilt table has room");
        }
    }

    /// Adds an e-node, or finds it; colors are added either way. A new one goes into class `home`, or into a class of its own.
    /// Answers the row and whether it is new. Arguments must be representatives as of the last rebuild.
    pub fn add(
        &mut self,
        operator: OperatorId,
        arguments: &[u32],
        home: Option<ClassId>,
        colors: Colors,
    ) -> (RowId, bool) {
        let hash = hash_node(operator.0, arguments);
        if let Some(row) = self.find_hashed(hash, operator, arguments) {
            if !self.colors_of(row).contains(colors) {
                self.color(row, colors);
            }
            return (row, false);
        }
        (self.push(hash, operator, arguments, home, colors), true)
    }

    /// Looks at the place of the hash-cons where this hash begins. Of no use but that the place is in the cache afterwards: a caller that has
    /// many nodes to add asks for all of them first, so that the misses overlap.
    #[inline]
    pub(crate) fn warm(&self, hash: u64) -> u64 {
        self.hashcons.peek(hash)
    }

    /// A row that may be the one of this hash; `u32::MAX` if there is surely none.
    #[inline]
    pub(crate) fn candidate(&self, hash: u64) -> u32 {
        self.hashcons.candidate(hash)
    }

    /// Looks at a candidate, as [`EGraph::warm`] does at an entry.
    #[inline]
    pub(crate) fn warm_row(&self, candidate: u32) -> u32 {
        self.rows.get(candidate as usize).map_or(0, |row| row.class)
    }

    /// The row with this hash, operator and arguments.
    #[inline]
    pub(crate) fn find_hashed(&self, hash: u64, operator: OperatorId, arguments: &[u32]) -> Option<RowId> {
        self.find_row(hash, operator.0, arguments).map(RowId)
    }

    /// Adds an e-node that is known to be new.
    #[inline]
    pub(crate) fn push(
        &mut self,
        hash: u64,
        operator: OperatorId,
        arguments: &[u32],
        home: Option<ClassId>,
        colors: Colors,
    ) -> RowId {
        let row = self.rows.len() as u32;
        let class = match home {
            Some(class) => class.0,
            None => {
                self.class_colors.push(Colors::NONE);
                self.class_uses.push(Uses::NONE);
                self.live_classes += 1;
                self.classes.make()
            }
        };
        self.rows.push(Row {
            operator: operator.0,
            class,
            slots: [0, 0],
        });
        self.store(row as usize, arguments);
        self.colors.push(colors);
        self.touched.push(self.epoch);
        let own = &mut self.class_colors[class as usize];
        *own = own.union(colors);
        let table = &mut self.tables[operator.0 as usize];
        table.live += 1;
        let class_columns = table.class_columns;
        self.use_arguments(row, class_columns, arguments);
        self.live_rows += 1;
        self.enter(hash, row);
        RowId(row)
    }

    #[inline]
    fn add_use(&mut self, class: u32, row: u32) {
        let entry = self.uses.len() as u32;
        let own = &mut self.class_uses[class as usize];
        self.uses.push(Use { row, next: own.head });
        if own.head == NIL {
            own.tail = entry;
        }
        own.head = entry;
        own.count += 1;
    }

    /// Asks for two classes to become one at the next [`EGraph::rebuild`].
    #[inline]
    pub fn unite(&mut self, a: ClassId, b: ClassId) {
        if a != b {
            self.pending.push_back((a.0, b.0));
        }
    }

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

    /// How many rows are dead, of [`EGraph::row_count`].
    pub fn dead_rows(&self) -> usize {
        self.rows.len() - self.live_rows
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

    /// Writes a new row's arguments.
    fn store(&mut self, row: usize, arguments: &[u32]) {
        self.rows[row].slots = match *arguments {
            [] => [0, 0],
            [a] => [a, 0],
            [a, b] => [a, b],
            _ => {
                let start = self.pool.len() as u32;
                self.pool.extend_from_slice(arguments);
                [start, 0]
            }
        };
    }

    /// Enters a row into the lists of its arguments' uses, once for each class.
    #[inline]
    fn use_arguments(&mut self, row: u32, class_columns: u64, arguments: &[u32]) {
        for (i, &argument) in arguments.iter().enumerate() {
            let is_class = |column: usize| class_columns >> column & 1 == 1;
            if is_class(i) && !(0..i).any(|earlier| is_class(earlier) && arguments[earlier] == argument) {
                self.add_use(argument, row);
            }
        }
    }

    /// Rebuilds the hash-cons for all live rows but one.
    fn refill(&mut self, but: u32) {
        let mut table = std::mem::take(&mut self.hashcons);
        table.refill(
            self.live_rows + 1,
            (0..self.rows.len() as u32)
                .filter(|&other| other != but && self.rows[other as usize].operator != DEAD)
                .map(|other| (self.hash_of(other), other)),
        );
        self.hashcons = table;
    }

    /// The rows that died since the last call, each with the row that it turned out to equal (which may have died since), in order.
    pub fn take_deaths(&mut self) -> Vec<(RowId, RowId)> {
        std::mem::take(&mut self.deaths)
    }

    /// Whether nothing waits for [`EGraph::rebuild`].
    pub fn is_clean(&self) -> bool {
        self.pending.is_empty()
    }

    /// The live rows, ascending.
    pub fn live(&self) -> impl Iterator<Item = RowId> {
        (0..self.rows.len() as u32)
            .filter(|&row| self.rows[row as usize].operator != DEAD)
            .map(RowId)
    }

    /// The value of a value column.
    pub fn value(&self, id: u32) -> &crate::value::Value {
        self.values.get(ValueId(id))
    }
}
