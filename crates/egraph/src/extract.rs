//! Extraction: the cheapest terms of a class.
//!
//! Least tree cost is exact: the least fixpoint of "a class costs what its cheapest row does". Rows are mostly made after their arguments, so a few sweeps over all rows
//! in order come there or near it, and sweeping is what memory is fast at; what is left is settled in the order of (cost, height), by Knuth's generalization of
//! Dijkstra's algorithm (1977). Among equally cheap terms the lower one wins, and among
//! those the least in canonical order, so the answer does not depend on ids.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use crate::color::Colors;
use crate::graph::{ClassId, EGraph, RowId};
use crate::index::Index;
use crate::term;

/// How the cost of a term is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CostModel {
    /// Every occurrence of a node counts. Exact.
    Tree,
    /// A node that occurs several times counts once. Finding the least is NP-hard; this is the greedy approximation that carries a set of
    /// nodes with each class, and is never worse than the least tree counted as a DAG.
    Dag,
}

/// An extracted term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extracted {
    /// The term, as text.
    pub term: String,
    /// Its cost.
    pub cost: u64,
}

/// Cost and height of the cheapest term of a class or under a row; heights break ties, so that choices are well-founded even where
/// an operator costs nothing.
pub(crate) type Price = (u64, u32);

/// The cheapest terms of every class, under a limit to colors.
#[derive(Clone, Debug)]
pub struct Extractor {
    within: Colors,
    /// By operator id.
    costs: Vec<u64>,
    /// By class id; `u64::MAX` cost and height where there is no term.
    prices: Vec<Price>,
}

/// How many times at most all rows are looked at in order before a queue takes over.
const SWEEPS: usize = 8;

/// It pays to look at all rows again if one class in so many has changed: some have a great many users, all of which the queue would look at one by one.
const WORTH_A_SWEEP: usize = 2048;

/// Of a class whose price was lowered by the sweep before.
const LATELY: u8 = 1;

/// Of a class whose price was lowered by this sweep.
const NOW: u8 = 2;

const NO_TERM: Price = (u64::MAX, u32::MAX);

impl Extractor {
    /// Prices all classes of a rebuilt and indexed e-graph; only rows that were made in one of the colors `within` count.
    /// Linear in the rows, but for the queue, which is O(log n) for each offer that undercuts another. Costs saturate below `u64::MAX`.
    pub fn new(graph: &EGraph, within: Colors) -> Extractor {
        let mut extractor = Extractor {
            within,
            costs: graph.operator_costs(),
            prices: vec![NO_TERM; graph.class_count()],
        };
        let mut changed = vec![LATELY; extractor.prices.len()];
        for _ in 0..SWEEPS {
            extractor.sweep(graph, &mut changed);
            let mut count = 0;
            for own in &mut changed {
                *own = u8::from(*own & NOW == NOW) * LATELY;
                count += usize::from(*own);
            }
            if count < changed.len() / WORTH_A_SWEEP {
                break;
            }
        }
        let mut queue: BinaryHeap<Reverse<(Price, u32)>> = BinaryHeap::new();
        for (class, _) in changed.iter().enumerate().filter(|(_, changed)| **changed != 0) {
            queue.push(Reverse((extractor.prices[class], class as u32)));
        }
        while let Some(Reverse((price, class))) = queue.pop() {
            // Offers that were undercut are still in the queue.
            if price != extractor.prices[class as usize] {
                continue;
            }
            for user in graph.users(class) {
                extractor.offer(graph, user, &mut queue);
            }
        }
        extractor
    }

    /// Lowers the price of each class to that of its cheapest row, row by row, and notes which have changed. Rows none of whose arguments has changed since the
    /// last sweep looked at them are passed over, which costs a look at bytes that are together.
    fn sweep(&mut self, graph: &EGraph, changed: &mut [u8]) {
        let all = self.within.contains(Colors::MADE);
        graph.for_each_row(|row, operator, class, arguments, class_columns| {
            let mut news = class_columns == 0;
            for (i, &argument) in arguments.iter().enumerate() {
                news |= class_columns >> i & 1 == 1 && changed[argument as usize] != 0;
            }
            if !news {
                return;
            }
            let (mut cost, mut height) = (self.costs[operator as usize], 0);
            for (i, &argument) in arguments.iter().enumerate() {
                if class_columns >> i & 1 == 1 {
                    let (below, deep) = self.prices[argument as usize];
                    cost = cost.saturating_add(below);
                    height = height.max(deep.saturating_add(1));
                }
            }
            // An argument without a term makes the height the greatest.
            let price = (cost.min(u64::MAX - 1), height);
            let own = &mut self.prices[class as usize];
            if height != u32::MAX && price < *own && (all || graph.colors_of(row).intersects(self.within)) {
                *own = price;
                changed[class as usize] |= NOW;
            }
        });
    }

    /// Puts a row's class into the queue, if the row can be used and is cheaper than what the class has so far.
    #[inline]
    fn offer(&mut self, graph: &EGraph, row: RowId, queue: &mut BinaryHeap<Reverse<(Price, u32)>>) {
        let price = self.price(graph, row);
        let class = graph.row_class(row.0);
        let own = &mut self.prices[class as usize];
        if price < *own && graph.colors_of(row).intersects(self.within) {
            *own = price;
            queue.push(Reverse((price, class)));
        }
    }

    /// The price of a row; none as long as an argument has none.
    #[inline]
    pub(crate) fn price(&self, graph: &EGraph, row: RowId) -> Price {
        let own = self.costs[graph.operator_of(row).0 as usize];
        let (mut cost, mut height) = (own, 0);
        for class in graph.class_arguments(row) {
            let (below, deep) = self.prices[class as usize];
            if below == u64::MAX {
                return NO_TERM;
            }
            cost = cost.saturating_add(below).min(u64::MAX - 1);
            height = height.max(deep + 1);
        }
        (cost.min(u64::MAX - 1), height)
    }

    /// The cost of the cheapest term of a class.
    pub fn cost(&self, class: ClassId) -> Option<u64> {
        let (cost, _) = self.prices[class.0 as usize];
        (cost != u64::MAX).then_some(cost)
    }

    /// The cheapest node of each of these classes, and of those below on which that depends.
    pub fn choose(&self, graph: &EGraph, index: &Index, classes: &[u32]) -> Choice {
        Choice::below(self, graph, index, classes.to_vec())
    }

    fn rows<'a>(&'a self, graph: &'a EGraph, index: &'a Index, class: u32) -> impl Iterator<Item = RowId> + 'a {
        index
            .of_class(class)
            .iter()
            .map(|&row| RowId(row))
            .filter(|&row| graph.colors_of(row).intersects(self.within))
    }

    /// The cheapest terms of a class: the best, then the best that begins with each other row, at most `variants`, by cost and then in canonical order.
    pub fn variants(
        &self,
        graph: &EGraph,
        index: &Index,
        class: ClassId,
        variants: usize,
        model: CostModel,
    ) -> Result<Vec<Extracted>, term::TooLong> {
        let roots: Vec<RowId> = self
            .rows(graph, index, class.0)
            .filter(|&row| self.price(graph, row) != NO_TERM)
            .collect();
        if roots.is_empty() {
            return Ok(Vec::new());
        }
        let mut choice = Choice::among(self, graph, index, &roots);
        match model {
            CostModel::Tree => {
                let mut roots: Vec<(Price, RowId)> =
                    roots.into_iter().map(|row| (self.price(graph, row), row)).collect();
                roots.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| choice.compare(graph, a.1, b.1)));
                roots
                    .into_iter()
                    .take(variants)
                    .map(|((cost, _), row)| {
                        Ok(Extracted {
                            term: term::write(graph, row, |class| choice.best[&class])?,
                            cost,
                        })
                    })
                    .collect()
            }
            CostModel::Dag => {
                let trees = choice.best.clone();
                choice.share(self, graph, index);
                let mut found = Vec::new();
                for row in roots {
                    // Greedy sharing usually helps and sometimes hurts: take whichever of the two DAGs is cheaper.
                    let best = [&choice.best, &trees]
                        .into_iter()
                        .filter_map(|best| dag_cost(graph, row, best).map(|cost| (cost, best)))
                        .min_by_key(|&(cost, _)| cost);
                    if let Some((cost, best)) = best {
                        found.push((cost, row, best));
                    }
                }
                found.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| choice.compare(graph, a.1, b.1)));
                found
                    .into_iter()
                    .take(variants)
                    .map(|(cost, row, best)| {
                        Ok(Extracted {
                            term: term::write(graph, row, |class| best[&class])?,
                            cost,
                        })
                    })
                    .collect()
            }
        }
    }
}

/// The row chosen for each class that some cheapest term may visit.
#[derive(Debug)]
pub struct Choice {
    best: BTreeMap<u32, RowId>,
    ranks: BTreeMap<u32, u32>,
}

impl Choice {
    /// Chooses, for every class under these rows, the cheapest row, ties by canonical order. Classes are ranked from the cheap to the dear, so that the
    /// arguments of any candidate are ranked before it.
    fn among(extractor: &Extractor, graph: &EGraph, index: &Index, roots: &[RowId]) -> Choice {
        let classes = roots.iter().flat_map(|&row| graph.class_arguments(row)).collect();
        Choice::below(extractor, graph, index, classes)
    }

    /// Chooses for these classes, and every class below.
    fn below(extractor: &Extractor, graph: &EGraph, index: &Index, mut stack: Vec<u32>) -> Choice {
        let mut reached: BTreeSet<u32> = BTreeSet::new();
        while let Some(class) = stack.pop() {
            if !reached.insert(class) {
                continue;
            }
            let price = extractor.prices[class as usize];
            for row in extractor.rows(graph, index, class) {
                if extractor.price(graph, row) == price {
                    stack.extend(graph.class_arguments(row));
                }
            }
        }
        let mut order: Vec<u32> = reached.into_iter().collect();
        order.sort_by_key(|&class| extractor.prices[class as usize]);
        let mut choice = Choice {
            best: BTreeMap::new(),
            ranks: BTreeMap::new(),
        };
        for group in order.chunk_by(|&a, &b| extractor.prices[a as usize] == extractor.prices[b as usize]) {
            let mut chosen: Vec<(u32, RowId)> = group
                .iter()
                .map(|&class| {
                    let price = extractor.prices[class as usize];
                    let row = extractor
                        .rows(graph, index, class)
                        .filter(|&row| extractor.price(graph, row) == price)
                        .min_by(|&a, &b| choice.compare(graph, a, b))
                        .expect("a priced class has a row of its price");
                    (class, row)
                })
                .collect();
            chosen.sort_by(|a, b| choice.compare(graph, a.1, b.1));
            for (class, row) in chosen {
                choice.ranks.insert(class, choice.ranks.len() as u32);
                choice.best.insert(class, row);
            }
        }
        choice
    }

    /// The node that was chosen for a class: one of those that the choice is of, or below. None where nothing has a price.
    pub fn row(&self, class: u32) -> Option<RowId> {
        self.best.get(&class).copied()
    }

    /// Orders rows whose arguments are ranked: by operator in canonical order, then arguments.
    fn compare(&self, graph: &EGraph, a: RowId, b: RowId) -> std::cmp::Ordering {
        let (x, y) = (graph.operator_of(a), graph.operator_of(b));
        let by_operator = || {
            let (x, y) = (graph.operator(x), graph.operator(y));
            (&x.name, &x.columns, &x.output).cmp(&(&y.name, &y.columns, &y.output))
        };
        if x != y {
            return by_operator();
        }
        let class_columns = graph.class_columns(x.0);
        graph
            .arguments(a)
            .iter()
            .zip(graph.arguments(b))
            .enumerate()
            .map(|(i, (x, y))| {
                if class_columns >> i & 1 == 1 {
                    self.ranks.get(x).cmp(&self.ranks.get(y))
                } else {
                    graph.value(*x).cmp(graph.value(*y))
                }
            })
            .find(|order| order.is_ne())
            .unwrap_or(std::cmp::Ordering::Equal)
    }

    /// Improves the choice for sharing: in the order of rank, each class takes the row whose set of nodes is cheapest as a whole. A row counts only if all its
    /// arguments rank before the class, so the choice stays well-founded. O(rows × size of the sets).
    fn share(&mut self, extractor: &Extractor, graph: &EGraph, index: &Index) {
        let mut order: Vec<(u32, u32)> = self.ranks.iter().map(|(&class, &rank)| (rank, class)).collect();
        order.sort_unstable();
        let mut sets: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        for (rank, class) in order {
            let mut best: Option<(u64, RowId, BTreeSet<u32>)> = None;
            for row in extractor.rows(graph, index, class) {
                if !graph
                    .class_arguments(row)
                    .all(|below| self.ranks.get(&below).is_some_and(|&below| below < rank))
                {
                    continue;
                }
                let mut set = BTreeSet::from([class]);
                for below in graph.class_arguments(row) {
                    set.extend(&sets[&below]);
                }
                let cost = set
                    .iter()
                    .map(|other| if *other == class { row } else { self.best[other] })
                    .fold(0u64, |sum, row| {
                        sum.saturating_add(graph.operator(graph.operator_of(row)).cost)
                    });
                let better = best.as_ref().is_none_or(|(least, chosen, _)| {
                    cost.cmp(least).then_with(|| self.compare(graph, row, *chosen)).is_lt()
                });
                if better {
                    best = Some((cost, row, set));
                }
            }
            if let Some((_, row, set)) = best {
                self.best.insert(class, row);
                sets.insert(class, set);
            }
        }
    }
}

/// The cost of a choice's DAG under a root row, each class below it counted once. The root's own class may occur below a root that is not its
/// best row: that is one more node.
fn dag_cost(graph: &EGraph, root: RowId, best: &BTreeMap<u32, RowId>) -> Option<u64> {
    let mut seen = BTreeSet::new();
    let mut stack: Vec<u32> = graph.class_arguments(root).collect();
    let mut cost = graph.operator(graph.operator_of(root)).cost;
    while let Some(below) = stack.pop() {
        if seen.insert(below) {
            let row = *best.get(&below)?;
            cost = cost.saturating_add(graph.operator(graph.operator_of(row)).cost);
            stack.extend(graph.class_arguments(row));
        }
    }
    Some(cost)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::Operator;

    /// Each class holds a dear leaf and a node over the next class, made in the order that helps sweeping least.
    #[test]
    fn what_sweeps_do_not_reach_the_queue_does() {
        const DEPTH: u32 = 100;
        let mut graph = EGraph::new();
        let over = graph.declare(&Operator::untyped("over", 1));
        let classes: Vec<ClassId> = (0..=DEPTH)
            .map(|i| {
                let leaf = Operator {
                    cost: if i == DEPTH { 1 } else { 1_000 },
                    ..Operator::untyped(&format!("leaf{i}"), 0)
                };
                let leaf = graph.declare(&leaf);
                let (row, _) = graph.add(leaf, &[], None, Colors::MADE);
                graph.class_of(row)
            })
            .collect();
        for pair in classes.windows(2) {
            graph.add(over, &[pair[1].0], Some(pair[0]), Colors::MADE);
        }
        let _index = Index::build(&mut graph);
        let extractor = Extractor::new(&graph, Colors::MADE);
        for (i, &class) in classes.iter().enumerate() {
            assert_eq!(extractor.cost(class), Some(1 + u64::from(DEPTH) - i as u64));
        }
    }
}
