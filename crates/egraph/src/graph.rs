//! The e-graph itself: rows, hash-consing and union.

mod copy;
mod rebuild;
mod restore;

use std::collections::{BTreeMap, VecDeque};

use crate::color::{Color, ColorCounts, Colors};
use crate::hashcons::{HashCons, hash_node};
use crate::operator::{Operator, Output, Sort};
use crate::unionfind::UnionFind;
use crate::value::{ValueId, Values};

pub use copy::Compaction;
pub(crate) use copy::{Growth, copy};
pub use restore::Columns;

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

    /// How many e-nodes carry each color. O(e-nodes).
    pub fn color_counts(&self) -> ColorCounts {
        let mut counts = ColorCounts::default();
        let own = |colors: Colors, color: Color| u64::from(colors.intersects(Colors::from(color)));
        for row in self.live() {
            let colors = self.colors_of(row);
            counts.green += own(colors, Color::Green);
            counts.blue += own(colors, Color::Blue);
            counts.red += own(colors, Color::Red);
            counts.certified += u64::from(colors.intersects(Colors::CERTIFIED));
        }
        counts
    }

    /// The union of what the rows of a class carry. The class must be a representative.
    #[inline]
    pub fn class_colors(&self, class: ClassId) -> Colors {
        self.class_colors[class.0 as usize]
    }

    /// Adds colors to a row and its class.
    #[inline]
    pub fn color(&mut self, row: RowId, colors: Colors) {
        let own = &mut self.colors[row.0 as usize];
        // Its class then has them, too.
        if own.contains(colors) {
            return;
        }
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
            self.color(row, colors);
            return (row, false);
        }
        (self.push(hash, operator, arguments, home, colors), true)
    }

    /// A class without rows.
    fn make_class(&mut self) -> ClassId {
        self.class_colors.push(Colors::NONE);
        self.class_uses.push(Uses::NONE);
        self.live_classes += 1;
        ClassId(self.classes.make())
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
            None => self.make_class().0,
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

    /// How many rows are dead, of [`EGraph::row_count`].
    pub fn dead_rows(&self) -> usize {
        self.rows.len() - self.live_rows
    }

    /// Writes a new row's arguments.
    #[inline]
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
