//! What people look at: the classes around one, a search, colors, and what steps applied.

use std::fmt::Write as _;
use std::time::Instant;

use eqmesh_agent::{Config, Native, Node, RoundTask};
use eqmesh_egraph::extract::CostModel;
use eqmesh_egraph::neighbourhood::{MAX_COUNTED, Neighbourhood};
use eqmesh_orchestrator::{Entrance, Topology};
use eqmesh_replica::{AgentId, Budget, Dot, Fault};
use eqmesh_timeline::EventKind;

fn node() -> Node<Native> {
    let config = Config {
        id: AgentId(0),
        agents: 1,
        coloring: false,
        timeline_capacity: 1_000,
    };
    Node::new(config, Native::solo())
}

const PROGRAM: &str = "
    (datatype Math (Num i64) (Var String) (Add Math Math))
    (rewrite (Add a b) (Add b a) :name \"commute\")
    (rewrite (Add (Num a) (Num b)) (Num (+ a b)) :name \"fold\")
    (rewrite (Add a (Num 0)) a :name \"zero\")
    (let start (Add (Var \"a b\") (Add (Num 1) (Num 2))))
    (let loop (Add (Var \"y\") (Num 0)))
";

/// An agent alone that has run free until it had nothing left to do.
fn rested() -> Node<Native> {
    let mut node = node();
    let entrance = Entrance {
        session: 1,
        joining: false,
        interval: 1_000_000,
        topology: Topology::Mesh,
    };
    node.join(entrance, 1).unwrap();
    node.submit(PROGRAM, 2).unwrap();
    let task = RoundTask {
        ruleset: String::new(),
        budget: Budget {
            matches: 1_000,
            nodes: 1_000,
        },
    };
    for now in 3..60 {
        node.step(&task, now).unwrap();
    }
    assert!(node.converged());
    node
}

fn ids(found: &Neighbourhood) -> Vec<&str> {
    found.classes.iter().map(|class| class.id.as_str()).collect()
}

#[test]
fn a_class_is_shown_with_those_below_and_how_many_there_are() {
    let mut node = rested();
    let found = node.neighbourhood(Some("start"), &[], 400).unwrap();
    assert_eq!((found.classes.len(), found.total, found.total_is_limit), (5, 5, false));
    assert_eq!(ids(&found)[0], "(Add (Num 3) (Var \"a b\"))");
    let center = &found.classes[0];
    let best = node.extract("start", 1, CostModel::Tree, None).unwrap();
    assert_eq!((&center.best, center.cost), (&best[0].term, best[0].cost));
    assert_eq!((center.nodes.len(), center.nodes_total), (2, 2));
    assert!(center.nodes[0].best && !center.nodes[1].best);
    // Every child of a node that is shown goes by the name of a class.
    for node in found.classes.iter().flat_map(|class| &class.nodes) {
        assert!(
            node.children.iter().all(|child| ids(&found).contains(&child.as_str())),
            "{node:?}"
        );
    }
    let few = node.neighbourhood(Some("start"), &[], 2).unwrap();
    assert_eq!(ids(&few), ids(&found)[..2]);
    assert_eq!(few.total, 5);
    let expanded = node.neighbourhood(Some("start"), &["(Num 3)".to_owned()], 1).unwrap();
    assert_eq!(expanded.classes[0], found.classes[0]);
    assert_eq!(ids(&expanded)[1], "(Num 3)");
    // Circles are no trouble: y = y + 0.
    let circle = node.neighbourhood(Some("loop"), &[], 9).unwrap();
    assert_eq!(ids(&circle), ["(Var \"y\")", "(Num 0)"]);
    assert!(
        circle.classes[0]
            .nodes
            .iter()
            .any(|node| node.children.contains(&"(Var \"y\")".to_owned()))
    );
    // Without a term: that with the most nodes.
    let largest = node.neighbourhood(None, &[], 1).unwrap();
    let most = found.classes.iter().map(|class| class.nodes_total).max();
    assert_eq!(
        Some(largest.classes[0].nodes_total),
        most.max(Some(circle.classes[0].nodes_total))
    );
}

#[test]
fn what_is_not_there_is_said() {
    let mut node = node();
    assert!(matches!(node.neighbourhood(None, &[], 9), Err(Fault::Absent(_))));
    node.submit(PROGRAM, 1).unwrap();
    assert!(matches!(
        node.neighbourhood(Some("(Num 77)"), &[], 9),
        Err(Fault::Absent(_))
    ));
    assert!(matches!(
        node.neighbourhood(Some("(Num"), &[], 9),
        Err(Fault::Malformed(_))
    ));
    assert!(matches!(
        node.neighbourhood(Some("#99999"), &[], 9),
        Err(Fault::Absent(_))
    ));
    assert!(node.neighbourhood(None, &["(Num 77)".to_owned()], 9).is_err());
}

#[test]
fn a_search_finds_words_and_pieces_of_terms() {
    let mut node = rested();
    assert_eq!(
        node.search("Var", 9).0,
        ["(Var \"a b\")", "(Var \"y\")", "(Add (Num 3) (Var \"a b\"))"]
    );
    assert_eq!(node.search("Var", 1), (vec!["(Var \"a b\")".to_owned()], true));
    assert_eq!(
        node.search("(Num 3) (V", 9),
        (vec!["(Add (Num 3) (Var \"a b\"))".to_owned()], false)
    );
    assert_eq!(node.search("a b", 9).0.len(), 2);
    assert_eq!(node.search("b a", 9), (vec![], false));
    assert_eq!(node.search("nothing", 9), (vec![], false));
    assert_eq!(node.search("", 99).0.len(), node.summary().size.eclasses as usize);
}

#[test]
fn a_name_that_is_too_long_is_a_place_in_the_order() {
    let mut node = node();
    let mut term = "(Num 1)".to_owned();
    for _ in 0..200 {
        term = format!("(Add {term} (Num 1))");
    }
    node.submit(
        &format!("(datatype Math (Num i64) (Add Math Math)) (let long {term})"),
        1,
    )
    .unwrap();
    let found = node.neighbourhood(Some("long"), &[], 9).unwrap();
    let id = ids(&found)[0].to_owned();
    assert_eq!(id, "#200");
    assert!(found.classes[0].best.ends_with('…') && found.classes[0].best.len() <= 1_003);
    let same = node.neighbourhood(Some(&id), &[], 9).unwrap();
    assert_eq!(same, found);
    assert!(node.neighbourhood(Some("#201"), &[], 9).is_err());
}

#[test]
fn colors_are_counted_and_steps_say_what_they_applied() {
    let node = rested();
    let (counts, size) = (node.color_counts(), node.summary().size);
    assert!(counts.green + counts.blue + counts.red >= size.enodes);
    assert!(
        [counts.green, counts.blue, counts.red]
            .iter()
            .all(|&count| count <= size.enodes)
    );
    let steps = node.events(0, 1_000);
    let steps = steps.iter().filter(|event| event.entry.kind == EventKind::Step);
    let facts: Vec<Dot> = steps.filter_map(|event| event.entry.fact).collect();
    assert!(!facts.is_empty());
    let mut applied = 0;
    for &fact in &facts {
        for (rule, count) in node.applied(fact) {
            assert!(["commute", "fold", "zero"].contains(&rule.as_str()), "{rule}");
            applied += count;
        }
    }
    // Three rules and two terms are facts, too.
    assert_eq!(applied + 5, size.facts);
    let unknown = Dot {
        agent: AgentId(7),
        sequence: 1,
    };
    assert_eq!(node.applied(unknown), []);
}

#[test]
fn a_hundred_thousand_nodes_are_looked_at_in_no_time() {
    let mut node = node();
    let mut text = "(datatype Math (Num i64) (Add Math Math) (Sum Math Math))".to_owned();
    for i in 0..33_000 {
        writeln!(text, "(Sum (Add (Num {i}) (Num {})) (Num {}))", i + 1, i + 7).unwrap();
    }
    node.submit(&text, 1).unwrap();
    assert!(node.summary().size.enodes > 99_000);
    let start = Instant::now();
    let found = node
        .neighbourhood(Some("(Sum (Add (Num 5) (Num 6)) (Num 12))"), &[], 40)
        .unwrap();
    let first = start.elapsed();
    assert_eq!(found.total, 5);
    let start = Instant::now();
    let (classes, more) = node.search("Num 3299", 20);
    let second = start.elapsed();
    assert_eq!((classes.len(), more), (20, true));
    let start = Instant::now();
    assert_eq!(node.search("nothing", 20).0.len(), 0);
    println!(
        "neighbourhood with names {first:?}, search {second:?}, in vain {:?}",
        start.elapsed()
    );
    assert!(
        first.as_millis() < 2_000 && second.as_millis() < 2_000,
        "{first:?} {second:?}"
    );
    assert!(found.total <= MAX_COUNTED);
}
