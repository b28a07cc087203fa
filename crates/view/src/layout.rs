//! Boxes in layers: Sugiyama, Tagawa, Toda, "Methods for visual understanding of hierarchical system structures", 1981, for graphs that may have circles, as e-graphs do.
//!
//! A box stands one layer below the lowest of those that lead to it (edges that close a circle aside), and within its layer near them. Edges to one box over several layers run together,
//! which keeps what has to be placed linear in boxes times layers. All numbers are whole pixels, and the same graph always has the same layout.

use std::collections::{BTreeMap, BTreeSet};

/// Between boxes of one layer, between layers, and around everything, in pixels.
const GAP: (i64, i64) = (28, 56);
const MARGIN: i64 = 16;

/// How often layers are put in order, from the top down and back up.
const SWEEPS: usize = 6;

/// A box to be placed, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Its width,
    pub width: i64,
    /// and its height.
    pub height: i64,
}

/// Where a box stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Placed {
    /// Its layer, from 0.
    pub layer: usize,
    /// Its left side,
    pub x: i64,
    /// and its upper one.
    pub y: i64,
}

/// A layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// By box.
    pub boxes: Vec<Placed>,
    /// For each pair of boxes with an edge that goes down by more than a layer: through which points, from above to below.
    pub ways: BTreeMap<(usize, usize), Vec<(i64, i64)>>,
    /// How wide all is,
    pub width: i64,
    /// and how high.
    pub height: i64,
}

/// What stands in a layer: a box, or the place where edges to a box pass by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    Box(usize),
    Pass { to: usize, layer: usize },
}

/// The layer of each box: the length of the longest path from the first box along edges that close no circle; boxes that cannot be reached from there begin paths of their own in layer 1.
/// O(boxes + edges).
fn layers(below: &[Vec<usize>]) -> Vec<usize> {
    #[derive(Clone, Copy, PartialEq)]
    enum Visit {
        Not,
        UnderWay,
        Done,
    }
    let mut visits = vec![Visit::Not; below.len()];
    // In the order in which they are done: each after all that it leads to.
    let mut done = Vec::with_capacity(below.len());
    let mut forward: Vec<Vec<usize>> = vec![Vec::new(); below.len()];
    let mut layers = vec![1; below.len()];
    for start in 0..below.len() {
        if visits[start] != Visit::Not {
            continue;
        }
        visits[start] = Visit::UnderWay;
        let mut stack = vec![(start, 0)];
        while let Some((own, next)) = stack.last_mut() {
            let own = *own;
            let Some(&other) = below[own].get(*next) else {
                visits[own] = Visit::Done;
                done.push(own);
                stack.pop();
                continue;
            };
            *next += 1;
            // What leads back to the first box, from wherever, must not push it down.
            if visits[other] == Visit::UnderWay || other == 0 {
                continue;
            }
            forward[own].push(other);
            if visits[other] == Visit::Not {
                visits[other] = Visit::UnderWay;
                stack.push((other, 0));
            }
        }
    }
    if let Some(first) = layers.first_mut() {
        *first = 0;
    }
    for &own in done.iter().rev() {
        for &other in &forward[own] {
            layers[other] = layers[other].max(layers[own] + 1);
        }
    }
    layers
}

/// The layers' items, and for each item those above and below that it is joined to.
struct Arrangement {
    rows: Vec<Vec<Item>>,
    above: BTreeMap<Item, Vec<Item>>,
    below: BTreeMap<Item, Vec<Item>>,
}

impl Arrangement {
    fn of(below: &[Vec<usize>], layers: &[usize]) -> Arrangement {
        let height = layers.iter().max().map_or(0, |last| last + 1);
        let mut rows: Vec<Vec<Item>> = vec![Vec::new(); height];
        for (own, &layer) in layers.iter().enumerate() {
            rows[layer].push(Item::Box(own));
        }
        let mut joined: BTreeSet<(Item, Item)> = BTreeSet::new();
        for (own, others) in below.iter().enumerate() {
            for &other in others.iter().filter(|&&other| layers[other] > layers[own]) {
                let mut last = Item::Box(own);
                for layer in layers[own] + 1..layers[other] {
                    let pass = Item::Pass { to: other, layer };
                    joined.insert((last, pass));
                    last = pass;
                }
                joined.insert((last, Item::Box(other)));
            }
        }
        let mut above: BTreeMap<Item, Vec<Item>> = BTreeMap::new();
        let mut below: BTreeMap<Item, Vec<Item>> = BTreeMap::new();
        for (upper, lower) in joined {
            if let (Item::Pass { layer, .. }, false) = (lower, above.contains_key(&lower)) {
                rows[layer].push(lower);
            }
            above.entry(lower).or_default().push(upper);
            below.entry(upper).or_default().push(lower);
        }
        Arrangement { rows, above, below }
    }

    /// Puts each layer in the order of the barycenters of what its items are joined to in the layer before, to and fro. An item that is joined to nothing there keeps its place.
    fn order(&mut self) {
        let mut place: BTreeMap<Item, usize> = BTreeMap::new();
        let note = |place: &mut BTreeMap<Item, usize>, row: &[Item]| {
            row.iter().enumerate().for_each(|(at, &item)| {
                place.insert(item, at);
            });
        };
        self.rows.iter().for_each(|row| note(&mut place, row));
        for sweep in 0..SWEEPS {
            let downwards = sweep % 2 == 0;
            let joined = if downwards { &self.above } else { &self.below };
            let count = self.rows.len();
            for step in 0..count {
                let row = &mut self.rows[if downwards { step } else { count - 1 - step }];
                // Barycenters as fractions of the whole layer's ends would be floats; twice the sum over the count, in thousandths, is enough.
                let center = |item: &Item| match joined.get(item) {
                    Some(others) => {
                        let sum: usize = others.iter().map(|other| place[other]).sum();
                        sum * 1_000 / others.len()
                    }
                    None => place[item] * 1_000,
                };
                let mut keyed: Vec<(usize, usize, Item)> =
                    row.iter().map(|item| (center(item), place[item], *item)).collect();
                keyed.sort_unstable();
                *row = keyed.into_iter().map(|(_, _, item)| item).collect();
                note(&mut place, row);
            }
        }
    }
}

/// Places boxes with these sizes, of which each leads to some others; the first is on top. Edges to itself, and to boxes that are not there, must not be listed.
/// O(boxes × layers × log) for the order.
pub fn layout(sizes: &[Size], below: &[Vec<usize>]) -> Layout {
    let layers = layers(below);
    let mut arrangement = Arrangement::of(below, &layers);
    arrangement.order();
    let size = |item: &Item| match item {
        Item::Box(own) => sizes[*own],
        Item::Pass { .. } => Size { width: 4, height: 0 },
    };
    let mut centers: BTreeMap<Item, i64> = BTreeMap::new();
    let mut tops = Vec::with_capacity(arrangement.rows.len());
    let mut top = MARGIN;
    for row in &arrangement.rows {
        // Each where those above it are in the middle, pushed to the right by who stands before it, and then all back by as much as they were pushed on average.
        let mut right = None;
        let mut pushed = 0;
        let mut placed = Vec::with_capacity(row.len());
        for item in row {
            let width = size(item).width;
            let wanted = arrangement.above.get(item).map(|others| {
                let sum: i64 = others.iter().filter_map(|other| centers.get(other)).sum();
                sum / others.len() as i64
            });
            let least = right.map(|right: i64| right + GAP.0 + width / 2);
            let center = match (wanted, least) {
                (Some(wanted), Some(least)) => wanted.max(least),
                (wanted, least) => wanted.or(least).unwrap_or(0),
            };
            pushed += center - wanted.unwrap_or(center);
            right = Some(center + width - width / 2);
            placed.push((*item, center));
        }
        let back = pushed / row.len().max(1) as i64;
        centers.extend(placed.into_iter().map(|(item, center)| (item, center - back)));
        tops.push(top);
        top += row.iter().map(|item| size(item).height).max().unwrap_or(0) + GAP.1;
    }
    let left = |item: &Item| centers[item] - size(item).width / 2;
    let leftmost = centers.keys().map(left).min().unwrap_or(0) - MARGIN;
    let rightmost = centers.keys().map(|item| left(item) + size(item).width).max();
    let boxes = layers.iter().enumerate().map(|(own, &layer)| Placed {
        layer,
        x: left(&Item::Box(own)) - leftmost,
        y: tops[layer],
    });
    let mut ways = BTreeMap::new();
    for (own, others) in below.iter().enumerate() {
        for &other in others {
            let passed = layers[own] + 1..layers[other];
            let points = passed.map(|layer| (centers[&Item::Pass { to: other, layer }] - leftmost, tops[layer]));
            let points: Vec<(i64, i64)> = points.collect();
            if !points.is_empty() {
                ways.insert((own, other), points);
            }
        }
    }
    Layout {
        boxes: boxes.collect(),
        ways,
        width: rightmost.map_or(0, |rightmost| rightmost - leftmost + MARGIN),
        height: (top - GAP.1 + MARGIN).max(0),
    }
}

#[cfg(test)]
mod tests;
