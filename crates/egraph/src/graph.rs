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
/// Rows are added, found dead and forwarded, but never removed: a row's number stays good for ever.
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
    use_heads: Vec<u32>,
    use_tails: Vec<u32>,
    use_counts: Vec<u32>,
    uses: Vec<Use>,
    pending: VecDeque<(u32, u32)>,
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

    /// The surviving row of a row that may have turned out to be a duplicate.
    pub fn resolve(&self, row: RowId) -> RowId {
        let mut row = row.0;
        while self.rows[row as usize].operator == DEAD {
            row = self.rows[row as usize].slots[0];
        }
        RowId(row)
    }

    /// The operator of a live row; of a dead one, none.
    #[inline]
    pub(crate) fn row_operator(&self, row: u32) -> Option<u32> {
        let operator = self.rows[row as usize].operator;
        (operator != DEAD).then_some(operator)
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

    pub(crate) fn settle_row_class(&mut self, row: u32) -> u32 {
        let class = self.classes.find(self.rows[row as usize].class);
        self.rows[row as usize].class = class;
        class
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

    /// The e-classes among a live row's arguments, in order.
    pub fn class_arguments(&self, row: RowId) -> impl Iterator<Item = u32> {
        let class_columns = self.class_columns(self.rows[row.0 as usize].operator);
        self.arguments(row)
            .iter()
            .enumerate()
            .filter(move |(i, _)| class_columns >> i & 1 == 1)
            .map(|(_, &argument)| argument)
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
        self.hashcons.find(hash, |row| {
            self.rows[row as usize].operator == operator && self.arguments(RowId(row)) == arguments
        })
    }

    fn hash_of(&self, row: u32) -> u64 {
        hash_node(self.rows[row as usize].operator, self.arguments(RowId(row)))
    }

    fn enter(&mut self, hash: u64, row: u32) {
        if !self.hashcons.insert(hash, row) {
            let mut table = std::mem::take(&mut self.hashcons);
            table.rebuild(
                self.live_rows + 1,
                (0..self.rows.len() as u32)
                    .filter(|&other| other != row && self.rows[other as usize].operator != DEAD)
                    .map(|other| (self.hash_of(other), other)),
            );
            let entered = table.insert(hash, row);
            debug_assert!(entered, "a rebuilt table has room");
            self.hashcons = table;
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
        if let Some(row) = self.find_row(hash, operator.0, arguments) {
            if !self.colors[row as usize].contains(colors) {
                self.color(RowId(row), colors);
            }
            return (RowId(row), false);
        }
        let row = self.rows.len() as u32;
        let class = match home {
            Some(class) => class.0,
            None => {
                self.class_colors.push(Colors::NONE);
                self.use_heads.push(NIL);
                self.use_tails.push(NIL);
                self.use_counts.push(0);
                self.live_classes += 1;
                self.classes.make()
            }
        };
        let slots = match *arguments {
            [] => [0, 0],
            [a] => [a, 0],
            [a, b] => [a, b],
            _ => {
                let start = self.pool.len() as u32;
                self.pool.extend_from_slice(arguments);
                [start, 0]
            }
        };
        self.rows.push(Row {
            operator: operator.0,
            class,
            slots,
        });
        self.colors.push(colors);
        let own = &mut self.class_colors[class as usize];
        *own = own.union(colors);
        let table = &mut self.tables[operator.0 as usize];
        table.live += 1;
        let class_columns = table.class_columns;
        for (i, &argument) in arguments.iter().enumerate() {
            let is_class = |column: usize| class_columns >> column & 1 == 1;
            if is_class(i) && !(0..i).any(|earlier| is_class(earlier) && arguments[earlier] == argument) {
                self.add_use(argument, row);
            }
        }
        self.live_rows += 1;
        self.enter(hash, row);
        (RowId(row), true)
    }

    fn add_use(&mut self, class: u32, row: u32) {
        let class = class as usize;
        let entry = self.uses.len() as u32;
        self.uses.push(Use {
            row,
            next: self.use_heads[class],
        });
        if self.use_heads[class] == NIL {
            self.use_tails[class] = entry;
        }
        self.use_heads[class] = entry;
        self.use_counts[class] += 1;
    }

    /// Asks for two classes to become one at the next [`EGraph::rebuild`].
    #[inline]
    pub fn unite(&mut self, a: ClassId, b: ClassId) {
        if a != b {
            self.pending.push_back((a.0, b.0));
        }
    }

    /// Does what [`EGraph::unite`] asked for and restores congruence: deferred rebuilding (Willsey et al., POPL 2021) by a worklist, so that
    /// the time is bound by the uses of the smaller class of each union. Answers the number of unions.
    pub fn rebuild(&mut self) -> u64 {
        let mut unions = 0;
        let mut scratch = Vec::new();
        while let Some((a, b)) = self.pending.pop_front() {
            let (a, b) = (self.classes.find(a), self.classes.find(b));
            if a == b {
                continue;
            }
            let (a_uses, b_uses) = (self.use_counts[a as usize], self.use_counts[b as usize]);
            let (root, child) = if (a_uses, b) > (b_uses, a) { (a, b) } else { (b, a) };
            self.classes.union(root, child);
            self.live_classes -= 1;
            unions += 1;
            self.class_colors[root as usize] =
                self.class_colors[root as usize].union(self.class_colors[child as usize]);
            let mut at = self.use_heads[child as usize];
            while at != NIL {
                let Use { row, next } = self.uses[at as usize];
                if self.rows[row as usize].operator != DEAD {
                    self.canonicalize(row, &mut scratch);
                }
                at = next;
            }
            let (root, child) = (root as usize, child as usize);
            if self.use_heads[child] != NIL {
                let tail = self.use_tails[child] as usize;
                self.uses[tail].next = self.use_heads[root];
                if self.use_heads[root] == NIL {
                    self.use_tails[root] = self.use_tails[child];
                }
                self.use_heads[root] = self.use_heads[child];
                self.use_counts[root] += self.use_counts[child];
            }
        }
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
        self.enter(hash, row);
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
