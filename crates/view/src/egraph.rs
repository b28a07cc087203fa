//! The classes around one, ready to be drawn: each as a box with a line for each node, in layers.

use std::collections::BTreeMap;

use eqmesh_service::{ShownClass, ShownNeighbourhood};
use serde::Serialize;

use crate::layout::{Layout, Placed, Size, layout};

/// How wide a character is taken to be, and how high a line, in pixels: of a monospaced font of 12 pixels, generously.
const CHARACTER: i64 = 8;
const LINE: i64 = 20;

/// Around the text of a line, and around the lines of a box.
const PADDING: i64 = 8;

/// The most characters of a line. The full text is in the document, for whoever asks.
const MAX_LABEL: usize = 32;

/// How far beside its box an edge runs.
const ASIDE: i64 = 10;

/// A line of a class's box.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Node {
    /// The node over the least terms of its classes.
    pub text: String,
    /// The same, no longer than the box is wide.
    pub label: String,
    /// The operator's name.
    pub operator: String,
    /// The names of its argument classes, in order. Not all of them need be shown.
    pub children: Vec<String>,
    /// How many of these are not shown.
    pub hidden: usize,
    /// What it carries.
    pub colors: Vec<String>,
    /// The class's best term begins with it.
    pub best: bool,
    /// Pixels in the picture, as in [`Class`].
    pub x: i64,
    /// From above.
    pub y: i64,
    /// Wide.
    pub w: i64,
    /// High.
    pub h: i64,
}

/// A class's box.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Class {
    /// Its name.
    pub id: String,
    /// The name, no longer than the box is wide.
    pub label: String,
    /// Its cheapest term.
    pub best: String,
    /// What that costs.
    pub cost: u64,
    /// What its nodes carry together.
    pub colors: Vec<String>,
    /// From the top, 0 for the center.
    pub layer: usize,
    /// Pixels in the picture: from the left,
    pub x: i64,
    /// from above,
    pub y: i64,
    /// wide,
    pub w: i64,
    /// and high.
    pub h: i64,
    /// How many nodes it has.
    pub nodes_total: u64,
    /// Those that are shown.
    pub nodes: Vec<Node>,
}

/// An edge from a node to an argument.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Edge {
    /// The node's class,
    pub from_class: String,
    /// and its place there, from 0.
    pub node: usize,
    /// The argument's class.
    pub to: String,
    /// The node is its class's best.
    pub best: bool,
    /// From the side of the node to the top of the class, in pixels.
    pub points: Vec<(i64, i64)>,
}

/// A neighbourhood, laid out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Picture {
    /// Which facts the agent held.
    pub state_digest: String,
    /// All e-nodes of the e-graph,
    pub enodes: u64,
    /// and all e-classes.
    pub eclasses: u64,
    /// The name of the class in the middle.
    pub center: String,
    /// By steps from there.
    pub classes: Vec<Class>,
    /// From nodes to the classes of their arguments, where both are shown.
    pub edges: Vec<Edge>,
    /// The picture's width,
    pub width: i64,
    /// and its height, in pixels.
    pub height: i64,
    /// How many classes are shown,
    pub shown: usize,
    /// of how many that can be reached from the center,
    pub total: u64,
    /// or more, as counting ended there.
    pub total_is_limit: bool,
    /// The last three in words.
    pub note: String,
}

/// A text with at most so many characters.
pub fn short(text: &str) -> String {
    match text.char_indices().nth(MAX_LABEL) {
        None => text.to_owned(),
        Some(_) => text.chars().take(MAX_LABEL - 1).chain(['…']).collect(),
    }
}

fn width(text: &str) -> i64 {
    text.chars().count() as i64 * CHARACTER + 2 * PADDING
}

/// The line above the nodes: the class's name, and its cost beside it.
fn head(class: &ShownClass) -> i64 {
    width(&short(&class.id)) + width(&class.cost.to_string())
}

fn size(class: &ShownClass) -> Size {
    let lines = class.nodes.iter().map(|node| width(&short(&node.text)) + 2 * PADDING);
    // A last line says how many nodes are not shown.
    let more = usize::from(class.nodes_total > class.nodes.len() as u64);
    Size {
        width: lines.chain([head(class)]).max().unwrap_or(0),
        height: (1 + class.nodes.len() + more) as i64 * LINE + 2 * PADDING,
    }
}

/// From a node's side, beside its box downwards, by the points that the layout gives, to the middle of the other box's upper side. Upwards it runs beside both boxes.
fn way(layout: &Layout, boxes: &[Size], from: usize, to: usize, line: usize) -> Vec<(i64, i64)> {
    let (own, other) = (layout.boxes[from], layout.boxes[to]);
    let (size, other_size) = (boxes[from], boxes[to]);
    let middle = |placed: Placed, size: Size| placed.x + size.width / 2;
    let y = own.y + PADDING + (line + 1) as i64 * LINE + LINE / 2;
    let bottom = own.y + size.height;
    let passed = layout.ways.get(&(from, to)).map_or(&[][..], Vec::as_slice);
    let target = (middle(other, other_size), other.y);
    let towards = passed.first().map_or(target.0, |point| point.0);
    let is_right = towards >= middle(own, size);
    let side = if is_right { own.x + size.width } else { own.x };
    let aside = if is_right { side + ASIDE } else { side - ASIDE };
    let mut points = vec![(side, y), (aside, y)];
    if other.layer > own.layer {
        points.push((aside, bottom));
        points.extend(passed);
    } else {
        points.push((aside, target.1 - ASIDE));
        points.push((target.0, target.1 - ASIDE));
    }
    points.push(target);
    points
}

impl Picture {
    /// Lays out what an agent answered. O(classes × layers + nodes), but for logarithms.
    pub fn of(own: ShownNeighbourhood) -> Picture {
        let place: BTreeMap<&str, usize> = own
            .classes
            .iter()
            .enumerate()
            .map(|(at, class)| (class.id.as_str(), at))
            .collect();
        let below: Vec<Vec<usize>> = own
            .classes
            .iter()
            .enumerate()
            .map(|(at, class)| {
                let children = class.nodes.iter().flat_map(|node| &node.children);
                let mut others = Vec::new();
                for other in children.filter_map(|child| place.get(child.as_str()).copied()) {
                    if other != at && !others.contains(&other) {
                        others.push(other);
                    }
                }
                others
            })
            .collect();
        let sizes: Vec<Size> = own.classes.iter().map(size).collect();
        let layout = layout(&sizes, &below);
        let mut edges = Vec::new();
        for (from, class) in own.classes.iter().enumerate() {
            for (line, node) in class.nodes.iter().enumerate() {
                let mut seen: Vec<usize> = Vec::new();
                for &to in node.children.iter().filter_map(|child| place.get(child.as_str())) {
                    // Two arguments of one class are one edge.
                    if seen.contains(&to) {
                        continue;
                    }
                    seen.push(to);
                    edges.push(Edge {
                        from_class: class.id.clone(),
                        node: line,
                        to: own.classes[to].id.clone(),
                        best: node.best,
                        points: way(&layout, &sizes, from, to, line),
                    });
                }
            }
        }
        let hidden = |children: &[String]| {
            children
                .iter()
                .filter(|child| !place.contains_key(child.as_str()))
                .count()
        };
        let hidden: Vec<Vec<usize>> = own
            .classes
            .iter()
            .map(|class| class.nodes.iter().map(|node| hidden(&node.children)).collect())
            .collect();
        let shown = own.classes.len();
        let note = match (own.total_is_limit, own.total) {
            (true, total) => format!("{shown} of more than {total} classes"),
            (false, total) if total == shown as u64 => format!("all {total} classes"),
            (false, total) => format!("{shown} of {total} classes"),
        };
        let center = own.classes.first().map(|class| class.id.clone()).unwrap_or_default();
        let parts = own.classes.into_iter().zip(layout.boxes.iter().zip(&sizes)).zip(hidden);
        let classes = parts.map(|((class, (placed, size)), hidden)| {
            let line = |(at, (node, hidden)): (usize, (eqmesh_service::ShownNode, usize))| Node {
                label: short(&node.text),
                text: node.text,
                operator: node.operator,
                children: node.children,
                hidden,
                colors: node.colors,
                best: node.best,
                x: placed.x + PADDING,
                y: placed.y + PADDING + (at + 1) as i64 * LINE,
                w: size.width - 2 * PADDING,
                h: LINE,
            };
            Class {
                label: short(&class.id),
                id: class.id,
                best: class.best,
                cost: class.cost,
                colors: class.colors,
                layer: placed.layer,
                x: placed.x,
                y: placed.y,
                w: size.width,
                h: size.height,
                nodes_total: class.nodes_total,
                nodes: class.nodes.into_iter().zip(hidden).enumerate().map(line).collect(),
            }
        });
        Picture {
            state_digest: own.state_digest,
            enodes: own.enodes,
            eclasses: own.eclasses,
            center,
            classes: classes.collect(),
            edges,
            width: layout.width,
            height: layout.height,
            shown,
            total: own.total,
            total_is_limit: own.total_is_limit,
            note,
        }
    }
}

#[cfg(test)]
mod tests {
    use eqmesh_service::ShownNode;

    use super::*;

    fn class(id: &str, nodes: &[(&str, &[&str])], nodes_total: u64) -> ShownClass {
        let node = |(at, (text, children)): (usize, &(&str, &[&str]))| ShownNode {
            text: (*text).to_owned(),
            operator: "f".to_owned(),
            children: children.iter().map(|&child| child.to_owned()).collect(),
            colors: vec!["green".to_owned()],
            best: at == 0,
        };
        ShownClass {
            id: id.to_owned(),
            best: id.to_owned(),
            cost: 1,
            nodes: nodes.iter().enumerate().map(node).collect(),
            nodes_total,
            ..ShownClass::default()
        }
    }

    #[test]
    fn nodes_stand_in_their_boxes_and_edges_end_on_top_of_theirs() {
        // A circle: a = (f a).
        let picture = Picture::of(ShownNeighbourhood {
            classes: vec![
                class("a", &[("a", &[]), ("(f a)", &["a"]), ("(g b c)", &["b", "c"])], 3),
                class("b", &[("b", &[])], 9),
            ],
            total: 3,
            ..ShownNeighbourhood::default()
        });
        assert_eq!(
            (picture.shown, picture.note.as_str(), picture.center.as_str()),
            (2, "2 of 3 classes", "a")
        );
        assert_eq!(picture.classes[0].nodes[2].hidden, 1);
        for class in &picture.classes {
            for node in &class.nodes {
                assert!(node.x >= class.x && node.x + node.w <= class.x + class.w);
                assert!(node.y > class.y && node.y + node.h <= class.y + class.h);
            }
        }
        let ends: Vec<(&str, usize, &str)> = picture
            .edges
            .iter()
            .map(|edge| (edge.from_class.as_str(), edge.node, edge.to.as_str()))
            .collect();
        assert_eq!(ends, [("a", 1, "a"), ("a", 2, "b")]);
        for edge in &picture.edges {
            let to = picture.classes.iter().find(|class| class.id == edge.to).unwrap();
            assert_eq!(edge.points.last(), Some(&(to.x + to.w / 2, to.y)));
            for &(x, y) in &edge.points {
                assert!(
                    (0..=picture.width).contains(&x) && (0..=picture.height).contains(&y),
                    "{edge:?}"
                );
            }
        }
    }

    #[test]
    fn what_is_cut_off_is_said() {
        let all = ShownNeighbourhood {
            classes: vec![class("a", &[("a", &[])], 1)],
            total: 1,
            ..ShownNeighbourhood::default()
        };
        assert_eq!(Picture::of(all.clone()).note, "all 1 classes");
        let limited = ShownNeighbourhood {
            total: 10_000,
            total_is_limit: true,
            ..all
        };
        assert_eq!(Picture::of(limited).note, "1 of more than 10000 classes");
        assert_eq!(Picture::of(ShownNeighbourhood::default()).note, "all 0 classes");
        assert_eq!(short(&"x".repeat(40)).chars().count(), 32);
    }
}
