//! What is declared: sorts, operators, rulesets and labels.

use std::collections::BTreeMap;
use std::sync::Arc;

use eqmesh_egraph::operator::{Operator, Sort, UNTYPED};
use eqmesh_egraph::rule::Query;
use eqmesh_egraph::term;
use eqmesh_egraph::value::ValueType;

use crate::diagnostic::Diagnostic;
use crate::reader::Forms;
use crate::statement::{self, Elaborated};
use crate::{ground, query};

/// A sort by number: the primitive ones first, then [`UNTYPED_SORT`], then those that were declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SortId(u32);

/// The sort of untyped terms.
pub(crate) const UNTYPED_SORT: SortId = SortId(ValueType::ALL.len() as u32);

impl SortId {
    /// The number of a primitive sort.
    pub(crate) fn of_value(sort: ValueType) -> SortId {
        SortId(
            ValueType::ALL
                .iter()
                .position(|own| *own == sort)
                .expect("ALL has every sort") as u32,
        )
    }

    /// The primitive sort, if it is one.
    pub(crate) fn value_type(self) -> Option<ValueType> {
        ValueType::ALL.get(self.0 as usize).copied()
    }

    /// Whether it is a sort of e-classes.
    pub(crate) fn is_class(self) -> bool {
        self.value_type().is_none()
    }
}

/// Named things in the order in which they were declared, so that the last ones can be taken back.
#[derive(Clone, Debug)]
pub(crate) struct Table<T> {
    items: Vec<(Arc<str>, T)>,
    index: BTreeMap<Arc<str>, u32>,
}

impl<T> Default for Table<T> {
    fn default() -> Table<T> {
        Table {
            items: Vec::new(),
            index: BTreeMap::new(),
        }
    }
}

impl<T> Table<T> {
    pub(crate) fn get(&self, name: &str) -> Option<&T> {
        self.index.get(name).map(|&index| &self.items[index as usize].1)
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.index.contains_key(name)
    }

    /// False if the name is there already; then nothing changes.
    pub(crate) fn insert(&mut self, name: &str, item: T) -> bool {
        if self.contains(name) {
            return false;
        }
        let name: Arc<str> = name.into();
        self.index.insert(Arc::clone(&name), self.items.len() as u32);
        self.items.push((name, item));
        true
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.index.keys().map(|name| &**name)
    }

    fn truncate(&mut self, length: usize) {
        for (name, _) in self.items.drain(length..) {
            self.index.remove(&name);
        }
    }
}

/// An operator with its sorts by number.
#[derive(Clone, Debug)]
pub(crate) struct Declared {
    pub(crate) operator: Operator,
    pub(crate) columns: Vec<SortId>,
    pub(crate) output: SortId,
}

impl Declared {
    /// An operator over untyped terms.
    pub(crate) fn untyped(name: &str, arity: usize) -> Declared {
        Declared {
            operator: Operator::untyped(name, arity),
            columns: vec![UNTYPED_SORT; arity],
            output: UNTYPED_SORT,
        }
    }
}

/// What a label stands for.
#[derive(Clone, Debug)]
pub(crate) struct Label {
    pub(crate) sort: SortId,
    /// Its term's canonical text, if it is known.
    pub(crate) text: Option<Arc<str>>,
}

/// How much was declared at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    sorts: usize,
    operators: usize,
    rulesets: usize,
    labels: usize,
    rules: usize,
}

/// Everything that is declared so far: sorts, operators, rulesets, labels; and the rules seen, to notice duplicates.
#[derive(Clone, Debug, Default)]
pub struct Signature {
    pub(crate) sorts: Table<()>,
    operators: Vec<Declared>,
    by_name: BTreeMap<String, Vec<u32>>,
    pub(crate) rulesets: Table<()>,
    pub(crate) labels: Table<Label>,
    pub(crate) rules: Table<()>,
    scopes: Vec<Mark>,
}

impl Signature {
    /// Nothing is declared.
    pub fn new() -> Signature {
        Signature::default()
    }

    /// Takes in operators and rulesets that were declared elsewhere, and labels that were bound there. What is known already stays as it is. A label
    /// whose term is not known can stand in terms but not in patterns. O(n log n).
    pub fn learn(&mut self, operators: &[Operator], labels: &[term::Label], rulesets: &[String]) {
        for operator in operators {
            let known = self.named(&operator.name).any(|(_, own)| own.operator.same(operator));
            if !known {
                let columns = operator
                    .columns
                    .iter()
                    .map(|sort| self.learn_sort(sort.name()))
                    .collect();
                let output = self.learn_sort(operator.output.sort());
                self.declare(Declared {
                    operator: operator.clone(),
                    columns,
                    output,
                });
            }
        }
        for label in labels {
            let sort = self.learn_sort(&label.sort);
            let text = label.term.as_deref().map(Arc::from);
            self.labels.insert(&label.name, Label { sort, text });
        }
        for ruleset in rulesets {
            self.rulesets.insert(ruleset, ());
        }
    }

    /// Reads declarations, rules and terms and checks them against all that is declared. All or nothing: on an error, every error is
    /// answered and the signature is as before. O(n log n).
    pub fn elaborate(&mut self, text: &str) -> Result<Elaborated, Vec<Diagnostic>> {
        statement::elaborate(self, text)
    }

    /// Compiles what follows `check`: one or several facts, each `(= a b …)`, `(!= a b)`, a pattern or a primitive predicate. Every pattern variable
    /// is existential.
    pub fn compile_query(&self, text: &str) -> Result<Query, Vec<Diagnostic>> {
        query::compile(self, &Forms::read(text)?)
    }

    /// Checks a ground term and answers its canonical text (primitives computed, labels as they are) and its sort.
    pub fn resolve(&self, text: &str) -> Result<(String, String), Vec<Diagnostic>> {
        let (ground, sort) = ground::resolve(self, &Forms::read(text)?)?;
        Ok((ground, self.sort_name(sort).to_owned()))
    }

    /// Opens a scope: what is declared from here on is forgotten by [`Signature::pop`]. O(1).
    pub fn push(&mut self) {
        self.scopes.push(self.mark());
    }

    /// Closes the innermost scope. False if there is none. O(what it declared).
    pub fn pop(&mut self) -> bool {
        let mark = self.scopes.pop();
        if let Some(mark) = mark {
            self.rollback(mark);
        }
        mark.is_some()
    }

    /// Closes the innermost scope and keeps what it declared. False if there is none. O(1).
    pub fn keep(&mut self) -> bool {
        self.scopes.pop().is_some()
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark {
            sorts: self.sorts.items.len(),
            operators: self.operators.len(),
            rulesets: self.rulesets.items.len(),
            labels: self.labels.items.len(),
            rules: self.rules.items.len(),
        }
    }

    pub(crate) fn rollback(&mut self, mark: Mark) {
        self.sorts.truncate(mark.sorts);
        self.rulesets.truncate(mark.rulesets);
        self.labels.truncate(mark.labels);
        self.rules.truncate(mark.rules);
        for declared in self.operators.drain(mark.operators..) {
            if let Some(indices) = self.by_name.get_mut(&declared.operator.name) {
                indices.retain(|&index| (index as usize) < mark.operators);
                if indices.is_empty() {
                    self.by_name.remove(&declared.operator.name);
                }
            }
        }
    }

    /// The sort of this name, declaring it if need be.
    pub(crate) fn learn_sort(&mut self, name: &str) -> SortId {
        if let Some(known) = self.sort(name) {
            return known;
        }
        self.sorts.insert(name, ());
        self.sort(name).expect("it was just declared")
    }

    /// The sort of this name.
    pub(crate) fn sort(&self, name: &str) -> Option<SortId> {
        if let Some(sort) = ValueType::from_name(name) {
            return Some(SortId::of_value(sort));
        }
        if name == UNTYPED {
            return Some(UNTYPED_SORT);
        }
        self.sorts
            .index
            .get(name)
            .map(|&index| SortId(UNTYPED_SORT.0 + 1 + index))
    }

    pub(crate) fn sort_name(&self, sort: SortId) -> &str {
        match sort.value_type() {
            Some(sort) => sort.name(),
            None if sort == UNTYPED_SORT => UNTYPED,
            None => &self.sorts.items[(sort.0 - UNTYPED_SORT.0 - 1) as usize].0,
        }
    }

    /// The sort as the engine names it.
    pub(crate) fn engine_sort(&self, sort: SortId) -> Sort {
        sort.value_type()
            .map_or_else(|| Sort::Class(self.sort_name(sort).to_owned()), Sort::Value)
    }

    pub(crate) fn declare(&mut self, declared: Declared) -> u32 {
        let index = self.operators.len() as u32;
        self.by_name
            .entry(declared.operator.name.clone())
            .or_default()
            .push(index);
        self.operators.push(declared);
        index
    }

    fn named(&self, name: &str) -> impl Iterator<Item = (u32, &Declared)> {
        self.by_name
            .get(name)
            .into_iter()
            .flatten()
            .map(|&index| (index, &self.operators[index as usize]))
    }

    /// The operator of this name in typed terms.
    pub(crate) fn typed(&self, name: &str) -> Option<(u32, &Declared)> {
        self.named(name).find(|(_, own)| own.output != UNTYPED_SORT)
    }

    /// The operator of this name and arity in untyped terms.
    pub(crate) fn untyped(&self, name: &str, arity: usize) -> Option<u32> {
        self.named(name)
            .find(|(_, own)| own.output == UNTYPED_SORT && own.columns.len() == arity)
            .map(|(index, _)| index)
    }

    /// Whether any operator has this name.
    pub(crate) fn is_operator(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    pub(crate) fn operator(&self, index: u32) -> &Declared {
        &self.operators[index as usize]
    }

    pub(crate) fn operator_count(&self) -> usize {
        self.operators.len()
    }

    /// The names of the typed operators.
    pub(crate) fn typed_names(&self) -> impl Iterator<Item = &str> {
        let typed = |indices: &[u32]| indices.iter().any(|&index| self.operator(index).output != UNTYPED_SORT);
        self.by_name
            .iter()
            .filter(move |(_, indices)| typed(indices))
            .map(|(name, _)| name.as_str())
    }
}
