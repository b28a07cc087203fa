//! The classes around one, for people to look at: never the whole e-graph, and always said of how many.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::color::Colors;
use crate::extract::Extractor;
use crate::graph::{ClassId, EGraph, RowId};
use crate::index::Index;
use crate::naming::Naming;
use crate::term;

/// The longest name of a class, in bytes. One whose least term is longer goes by its place in the canonical order of the classes, such as `#17`, which holds for this state only.
pub const MAX_ID: usize = 1_000;

/// The longest text of a node or of a best term, in bytes; what is longer ends with `…`.
pub const MAX_TEXT: usize = 1_000;

/// The most classes in one answer.
pub const MAX_CLASSES: usize = 400;

/// The most nodes of one class that are shown, the best first: unless it is expanded, and if it is.
pub const MAX_NODES: (usize, usize) = (12, 100);

/// So many classes are counted as reachable, and no more.
pub const MAX_COUNTED: usize = 10_000;

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The class in the middle.
    pub center: ClassId,
    /// Classes that are shown with all that is below them, and with more of their nodes.
    pub expanded: Vec<ClassId>,
    /// How many classes are shown besides what is expanded.
    pub classes: usize,
}

/// A node of a class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeShown {
    /// The node over the least terms of its classes.
    pub text: String,
    /// The operator's name.
    pub operator: String,
    /// The names of its argument classes, in order. Not all of them need be shown.
    pub children: Vec<String>,
    /// What it carries.
    pub colors: Colors,
    /// Whether the class's best term begins with it.
    pub best: bool,
}

/// A class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassShown {
    /// Its name: its least term, see [`MAX_ID`].
    pub id: String,
    /// Its cheapest term, by tree cost.
    pub best: String,
    /// What that costs.
    pub cost: u64,
    /// What its nodes carry together.
    pub colors: Colors,
    /// Its nodes: the best, then the cheapest, those of one price in canonical order.
    pub nodes: Vec<NodeShown>,
    /// How many nodes it has.
    pub nodes_total: usize,
}

/// The classes around one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbourhood {
    /// By steps from the center, which is the first.
    pub classes: Vec<ClassShown>,
    /// How many classes can be reached from the center, itself included.
    pub total: usize,
    /// There are more; counting ended at [`MAX_COUNTED`].
    pub total_is_limit: bool,
}

/// The name of a class. O(its length).
pub fn name(graph: &EGraph, naming: &Naming, class: u32) -> String {
    match term::write_within(graph, naming.least(class), |class| naming.least(class), MAX_ID) {
        (text, true) => text,
        (_, false) => format!("#{}", naming.rank(class)),
    }
}

/// The class that goes by a place in the canonical order, as [`name`] writes it. None if this is no such name, or there is no such class.
pub fn named(graph: &EGraph, naming: &Naming, id: &str) -> Option<ClassId> {
    let rank: usize = id.strip_prefix('#')?.parse().ok()?;
    naming.ranked(rank).map(|row| graph.class_of(row))
}

/// The class with the most nodes, of those the first in canonical order. None if there is none. O(classes).
pub fn largest(graph: &EGraph, index: &Index, naming: &Naming) -> Option<ClassId> {
    let class = |rank: &usize| naming.ranked(*rank).map(|row| graph.class_of(row));
    let nodes = |rank: &usize| class(rank).map(|class| index.of_class(class.0).len());
    let most = (0..naming.len()).max_by_key(|rank| (nodes(rank), std::cmp::Reverse(*rank)));
    most.and_then(|rank| class(&rank))
}

fn text(graph: &EGraph, row: RowId, choose: impl Fn(u32) -> RowId) -> String {
    let (mut text, complete) = term::write_within(graph, row, choose, MAX_TEXT);
    if !complete {
        text.truncate(text.floor_char_boundary(MAX_TEXT));
        text.push('…');
    }
    text
}

/// A breadth-first walk from one class to the classes below.
struct Walk<'a> {
    graph: &'a EGraph,
    index: &'a Index,
    naming: &'a Naming,
    extractor: &'a Extractor,
    expanded: BTreeSet<u32>,
}

impl Walk<'_> {
    /// The nodes of a class that are shown: the cheapest first, those of one price in canonical order.
    fn rows(&self, class: u32) -> Vec<RowId> {
        let mut rows: Vec<RowId> = self.index.of_class(class).iter().map(|&row| RowId(row)).collect();
        let price = |row: RowId| self.extractor.price(self.graph, row);
        rows.sort_by(|&a, &b| {
            let order = price(a).cmp(&price(b));
            order.then_with(|| self.naming.compare(self.graph, a, b))
        });
        let (few, many) = MAX_NODES;
        rows.truncate(if self.expanded.contains(&class) { many } else { few });
        rows
    }

    /// The classes to be shown, in order of their steps from the center.
    fn classes(&self, view: &View) -> Vec<u32> {
        let below = |class: u32| {
            self.rows(class)
                .into_iter()
                .flat_map(|row| self.graph.class_arguments(row))
        };
        let (mut shown, mut order) = (BTreeSet::new(), Vec::new());
        let mut queue = VecDeque::from([view.center.0]);
        while let Some(class) = queue.pop_front() {
            if order.len() >= view.classes.clamp(1, MAX_CLASSES) {
                break;
            }
            if shown.insert(class) {
                order.push(class);
                queue.extend(below(class));
            }
        }
        for class in &view.expanded {
            for class in std::iter::once(class.0).chain(below(class.0)) {
                if order.len() < MAX_CLASSES && shown.insert(class) {
                    order.push(class);
                }
            }
        }
        order
    }
}

/// How many classes can be reached from one, itself included, up to a limit; and whether there are more. O(rows of these).
fn reachable(graph: &EGraph, index: &Index, center: ClassId, limit: usize) -> (usize, bool) {
    let mut seen = BTreeSet::from([center.0]);
    let mut pending = vec![center.0];
    while let Some(class) = pending.pop() {
        for &row in index.of_class(class) {
            for below in graph.class_arguments(RowId(row)) {
                if seen.contains(&below) {
                    continue;
                }
                if seen.len() >= limit {
                    return (limit, true);
                }
                seen.insert(below);
                pending.push(below);
            }
        }
    }
    (seen.len(), false)
}

impl Neighbourhood {
    /// The classes around one, breadth first, in a rebuilt and indexed e-graph. O(e-nodes) for the prices, and then linear in what is shown and in up to [`MAX_COUNTED`] classes.
    pub fn of(graph: &EGraph, index: &Index, naming: &Naming, view: &View) -> Neighbourhood {
        let extractor = Extractor::new(graph, Colors::MADE);
        let walk = Walk {
            graph,
            index,
            naming,
            extractor: &extractor,
            expanded: view.expanded.iter().map(|class| class.0).collect(),
        };
        let order = walk.classes(view);
        let choice = extractor.choose(graph, index, &order);
        let mut names: BTreeMap<u32, String> = BTreeMap::new();
        let mut name = |class: u32| {
            let name = names.entry(class).or_insert_with(|| name(graph, naming, class));
            name.clone()
        };
        let mut shown = |class: u32| {
            let best = choice.row(class).expect("every class has a term of nodes of any color");
            let node = |row: RowId, name: &mut dyn FnMut(u32) -> String| NodeShown {
                text: text(graph, row, |class| naming.least(class)),
                operator: graph.operator(graph.operator_of(row)).name.clone(),
                children: graph.class_arguments(row).map(name).collect(),
                colors: graph.colors_of(row),
                best: row == best,
            };
            let mut rows = walk.rows(class);
            // Of nodes of one price extraction takes the least by the ranks of its own choice, which may be another one.
            match rows.iter().position(|&row| row == best) {
                Some(at) => rows[..=at].rotate_right(1),
                None => {
                    rows.pop();
                    rows.insert(0, best);
                }
            }
            ClassShown {
                id: name(class),
                best: text(graph, best, |class| {
                    choice.row(class).expect("what a cheapest term is made of is chosen")
                }),
                cost: extractor.cost(ClassId(class)).unwrap_or(u64::MAX),
                colors: graph.class_colors(ClassId(class)),
                nodes: rows.into_iter().map(|row| node(row, &mut name)).collect(),
                nodes_total: index.of_class(class).len(),
            }
        };
        let classes = order.iter().map(|&class| shown(class)).collect();
        let (total, total_is_limit) = reachable(graph, index, view.center, MAX_COUNTED);
        Neighbourhood {
            classes,
            total,
            total_is_limit,
        }
    }
}
