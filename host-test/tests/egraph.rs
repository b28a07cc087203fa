//! The component `egraph`, alone: every function of its interface, every fault that can occur.

use eqmesh_egraph::color::Color as RuleColor;
use eqmesh_host_test::egraph::EgraphComponent;
use eqmesh_host_test::egraph::exports::eqmesh::network::egraph::{NodeInfo, Options, Settled};
use eqmesh_host_test::rules::{Pattern, node, query, rewrite, variable};
use eqmesh_host_test::types::{
    Budget, Color, Colors, CostModel, Dot, Extracted, Fault, Label, NodeName, Operator, Share, Size, StepReason,
    StepReport,
};
use eqmesh_host_test::{Instance, component};
use wasmtime::component::{Component, ResourceAny};

type Egraph = Instance<EgraphComponent>;

/// Calls a method of a graph. The outer result of a call is a trap, which no test provokes.
macro_rules! on {
    ($egraph:ident, $graph:expr, $method:ident $(, $argument:expr)*) => {
        $egraph.world.eqmesh_network_egraph().graph().$method(&mut $egraph.store, $graph $(, $argument)*).unwrap()
    };
}

macro_rules! assert_fault {
    ($result:expr, $kind:ident, $part:expr) => {
        match $result {
            Err(Fault::$kind(text)) => assert!(text.contains($part), "`{text}` does not say `{}`", $part),
            other => panic!("expected the fault {}, got {other:?}", stringify!($kind)),
        }
    };
}

const ALL: Share = Share { index: 0, count: 1 };
const UNBOUNDED: Budget = Budget {
    matches: u64::MAX,
    nodes: u64::MAX,
};

fn start() -> Egraph {
    static COMPONENT: std::sync::LazyLock<Component> = std::sync::LazyLock::new(|| component("egraph"));
    Instance::new(
        (),
        |_| Ok(()),
        |store, linker| EgraphComponent::instantiate(store, &COMPONENT, linker),
    )
}

/// An empty graph.
fn graph(egraph: &mut Egraph, agent: u32, coloring: bool) -> ResourceAny {
    let options = Options { agent, coloring };
    egraph
        .world
        .eqmesh_network_egraph()
        .graph()
        .call_constructor(&mut egraph.store, options)
        .unwrap()
}

fn operator(name: &str, arity: usize) -> Operator {
    Operator {
        name: name.to_owned(),
        columns: vec!["_".to_owned(); arity],
        sort: "_".to_owned(),
        cost: 1,
    }
}

fn vocabulary() -> Vec<Operator> {
    vec![
        operator("a", 0),
        operator("b", 0),
        operator("c", 0),
        operator("f", 1),
        operator("+", 2),
    ]
}

/// A graph that knows the vocabulary.
fn ready(egraph: &mut Egraph, agent: u32, coloring: bool) -> ResourceAny {
    let graph = graph(egraph, agent, coloring);
    on!(egraph, graph, call_declare, &vocabulary()).unwrap();
    graph
}

/// Seals and settles; nothing may be refused.
fn settle(egraph: &mut Egraph, graph: ResourceAny) -> Settled {
    on!(egraph, graph, call_seal);
    let settled = on!(egraph, graph, call_settle);
    assert_eq!(settled.refused, []);
    settled
}

/// Everybody seals, everybody receives everything, everybody settles.
fn exchange(egraph: &mut Egraph, graphs: &[ResourceAny]) {
    let blocks: Vec<Vec<u8>> = graphs
        .iter()
        .filter_map(|&graph| on!(egraph, graph, call_seal))
        .collect();
    for &graph in graphs {
        for block in &blocks {
            on!(egraph, graph, call_receive, block).unwrap();
        }
        let settled = on!(egraph, graph, call_settle);
        assert_eq!((settled.refused, settled.waiting), (vec![], 0));
    }
}

fn commutativity() -> Vec<u8> {
    let (x, y) = (|| variable("x"), || variable("y"));
    rewrite(
        "commute",
        "",
        RuleColor::Green,
        &node("+", [x(), y()]),
        &node("+", [y(), x()]),
    )
}

fn associativity() -> Vec<u8> {
    let sum = |a: Pattern, b: Pattern| node("+", [a, b]);
    let [x, y, z] = ["x", "y", "z"].map(|name| move || variable(name));
    rewrite(
        "associate",
        "shape",
        RuleColor::Red,
        &sum(sum(x(), y()), z()),
        &sum(x(), sum(y(), z())),
    )
}

fn dot(agent: u32, sequence: u64) -> Dot {
    Dot { agent, sequence }
}

#[test]
fn an_empty_graph_has_nothing() {
    let mut egraph = start();
    let graph = graph(&mut egraph, 7, true);
    assert_eq!(
        on!(egraph, graph, call_size),
        Size {
            facts: 0,
            enodes: 0,
            eclasses: 0
        }
    );
    assert_eq!(on!(egraph, graph, call_operators), []);
    assert_eq!(on!(egraph, graph, call_labels), []);
    assert_eq!(on!(egraph, graph, call_rules).len(), 0);
    assert_eq!(on!(egraph, graph, call_version), []);
    assert_eq!(on!(egraph, graph, call_sizes), []);
    assert_eq!(on!(egraph, graph, call_refused), []);
    assert_eq!(on!(egraph, graph, call_contradictions).len(), 0);
    assert_eq!(on!(egraph, graph, call_seal), None);
    assert_eq!(on!(egraph, graph, call_delta_since, &vec![]).len(), 0);
    assert_eq!(on!(egraph, graph, call_certify, &[7]), None);
    assert_eq!(on!(egraph, graph, call_uncertified), []);
    assert_eq!(on!(egraph, graph, call_state_digest).len(), 32);
    assert_eq!(on!(egraph, graph, call_meaning_digest).len(), 32);
}

#[test]
fn operators_are_declared_once_and_the_smaller_cost_holds() {
    let mut egraph = start();
    let graph = graph(&mut egraph, 0, true);
    let mut dear = operator("f", 1);
    dear.cost = 9;
    on!(egraph, graph, call_declare, &[dear.clone(), operator("a", 0)]).unwrap();
    on!(egraph, graph, call_declare, &[operator("f", 1)]).unwrap();
    on!(egraph, graph, call_declare, &[dear]).unwrap();
    assert_eq!(on!(egraph, graph, call_operators), [operator("a", 0), operator("f", 1)]);
    assert_fault!(on!(egraph, graph, call_declare, &[operator("", 0)]), Malformed, "name");
    let mut primitive = operator("n", 0);
    primitive.sort = "i64".to_owned();
    assert_fault!(on!(egraph, graph, call_declare, &[primitive]), Malformed, "primitive");
    assert_fault!(
        on!(egraph, graph, call_declare, &[operator("wide", 65)]),
        Malformed,
        "64"
    );
    assert_eq!(on!(egraph, graph, call_operators).len(), 2, "a fault changes nothing");
}

#[test]
fn terms_are_facts_that_take_effect_when_settled() {
    let mut egraph = start();
    let graph = ready(&mut egraph, 3, true);
    assert_eq!(
        on!(egraph, graph, call_insert, "(+ (f a) b)", Some("sum"), Color::Green),
        Ok(dot(3, 1))
    );
    assert_eq!(
        on!(egraph, graph, call_insert, "(f sum)", None, Color::Green),
        Ok(dot(3, 2))
    );
    assert_eq!(on!(egraph, graph, call_size).facts, 0);
    let settled = settle(&mut egraph, graph);
    assert_eq!(
        (settled.accepted, settled.waiting, settled.new_nodes, settled.unions),
        (2, 0, 5, 0)
    );
    assert_eq!(
        on!(egraph, graph, call_size),
        Size {
            facts: 2,
            enodes: 5,
            eclasses: 5
        }
    );
    let label = |name: &str, term: &str| Label {
        name: name.to_owned(),
        sort: "_".to_owned(),
        term: Some(term.to_owned()),
    };
    assert_eq!(on!(egraph, graph, call_labels), [label("sum", "(+ (f a) b)")]);
    on!(egraph, graph, call_insert, "(f sum)", Some("more"), Color::Green).unwrap();
    on!(egraph, graph, call_insert, "more", Some("again"), Color::Green).unwrap();
    // What was made since the last `seal` can be taken back, its labels and numbers too.
    on!(egraph, graph, call_discard);
    settle(&mut egraph, graph);
    assert_eq!(on!(egraph, graph, call_labels), [label("sum", "(+ (f a) b)")]);
    assert_eq!(
        on!(egraph, graph, call_insert, "(f sum)", Some("more"), Color::Green),
        Ok(dot(3, 3))
    );
    on!(egraph, graph, call_insert, "more", Some("again"), Color::Green).unwrap();
    settle(&mut egraph, graph);
    let labels = [
        label("again", "more"),
        label("more", "(f sum)"),
        label("sum", "(+ (f a) b)"),
    ];
    assert_eq!(on!(egraph, graph, call_labels), labels);
    assert_eq!(on!(egraph, graph, call_version), [dot(3, 4)]);
    let sizes = [("+", 1), ("a", 1), ("b", 1), ("f", 2)].map(|(name, count)| (name.to_owned(), count));
    assert_eq!(on!(egraph, graph, call_sizes), sizes);
}

#[test]
fn a_term_that_does_not_fit_is_refused_and_changes_nothing() {
    let mut egraph = start();
    let graph = ready(&mut egraph, 0, true);
    on!(egraph, graph, call_insert, "a", Some("x"), Color::Green).unwrap();
    settle(&mut egraph, graph);
    assert_fault!(
        on!(egraph, graph, call_insert, "(f a", None, Color::Green),
        Malformed,
        ""
    );
    assert_fault!(on!(egraph, graph, call_insert, "", None, Color::Green), Malformed, "");
    assert_fault!(
        on!(egraph, graph, call_insert, "(nosuch a)", None, Color::Green),
        Unknown,
        "nosuch"
    );
    assert_fault!(
        on!(egraph, graph, call_insert, "b", Some("x"), Color::Green),
        Mismatch,
        "x"
    );
    assert_eq!(on!(egraph, graph, call_seal), None);
    assert_eq!(on!(egraph, graph, call_size).facts, 1);
}

#[test]
fn a_deep_term_does_not_overflow_the_stack() {
    let mut egraph = start();
    let graph = ready(&mut egraph, 0, true);
    let depth = 100_000;
    let term = format!("{}a{}", "(f ".repeat(depth), ")".repeat(depth));
    on!(egraph, graph, call_insert, &term, None, Color::Green).unwrap();
    settle(&mut egraph, graph);
    assert_eq!(on!(egraph, graph, call_size).enodes, depth as u64 + 1);
    let best = on!(egraph, graph, call_extract, &term, 1, CostModel::Tree, None).unwrap();
    assert_eq!(
        best,
        [Extracted {
            term,
            cost: depth as u64 + 1
        }]
    );
}

#[test]
fn a_node_is_added_and_inspected_by_name() {
    let mut egraph = start();
    let graph = ready(&mut egraph, 2, true);
    let leaf = on!(egraph, graph, call_add_node, &operator("a", 0), &[], Color::Blue).unwrap();
    assert_eq!(leaf, NodeName { agent: 2, ordinal: 0 });
    assert_fault!(on!(egraph, graph, call_inspect, leaf), Absent, "");
    settle(&mut egraph, graph);
    let info = on!(egraph, graph, call_inspect, leaf).unwrap();
    assert_eq!(
        info,
        NodeInfo {
            operator: operator("a", 0),
            colors: Colors::BLUE,
            class_colors: Colors::BLUE
        }
    );

    let unary = operator("f", 1);
    assert_fault!(
        on!(egraph, graph, call_add_node, &unary, &[leaf], Color::Red),
        Coloring,
        "blue"
    );
    assert_fault!(
        on!(egraph, graph, call_add_node, &unary, &[leaf, leaf], Color::Green),
        Mismatch,
        "f"
    );
    let stranger = NodeName { agent: 2, ordinal: 5 };
    assert_fault!(
        on!(egraph, graph, call_add_node, &unary, &[stranger], Color::Green),
        Absent,
        "5"
    );
    let huge = NodeName {
        agent: 0,
        ordinal: u64::MAX,
    };
    assert_fault!(on!(egraph, graph, call_inspect, huge), Absent, "");
    assert_eq!(on!(egraph, graph, call_seal), None, "a fault makes no fact");

    // Once certified, a BLUE node carries RED ones.
    assert_eq!(on!(egraph, graph, call_certify, &[2]), Some(dot(2, 2)));
    settle(&mut egraph, graph);
    assert_eq!(
        on!(egraph, graph, call_inspect, leaf).unwrap().colors,
        Colors::BLUE | Colors::CERTIFIED
    );
    let above = on!(egraph, graph, call_add_node, &unary, &[leaf], Color::Red).unwrap();
    settle(&mut egraph, graph);
    assert_eq!(on!(egraph, graph, call_inspect, above).unwrap().colors, Colors::RED);
}

#[test]
fn without_coloring_every_node_may_stand_anywhere() {
    let mut egraph = start();
    let graph = ready(&mut egraph, 0, false);
    let leaf = on!(egraph, graph, call_add_node, &operator("a", 0), &[], Color::Blue).unwrap();
    settle(&mut egraph, graph);
    assert!(on!(egraph, graph, call_add_node, &operator("f", 1), &[leaf], Color::Red).is_ok());
}

#[test]
fn an_asserted_equality_is_closed_under_congruence() {
    let mut egraph = start();
    let graph = ready(&mut egraph, 0, true);
    on!(egraph, graph, call_insert, "(f (f a))", None, Color::Green).unwrap();
    on!(egraph, graph, call_insert, "(f (f b))", None, Color::Green).unwrap();
    settle(&mut egraph, graph);
    assert_eq!(on!(egraph, graph, call_size).eclasses, 6);
    on!(egraph, graph, call_unite, "a", "b").unwrap();
    let settled = settle(&mut egraph, graph);
    assert_eq!(settled.unions, 3);
    assert_eq!(
        on!(egraph, graph, call_size),
        Size {
            facts: 3,
            enodes: 4,
            eclasses: 3
        }
    );

    let mut other = operator("other", 0);
    other.sort = "Other".to_owned();
    on!(egraph, graph, call_declare, &[other]).unwrap();
    assert_fault!(on!(egraph, graph, call_unite, "a", "other"), Mismatch, "Other");
    assert_fault!(on!(egraph, graph, call_unite, "a", "(f"), Malformed, "");
    assert_fault!(on!(egraph, graph, call_unite, "a", "nosuch"), Unknown, "nosuch");
}

#[test]
fn rules_are_checked_listed_and_run() {
    let mut egraph = start();
    let graph = ready(&mut egraph, 1, true);
    assert_fault!(on!(egraph, graph, call_add_rule, &[1, 2, 3]), Malformed, "");
    assert_fault!(on!(egraph, graph, call_add_rule, &[]), Malformed, "");
    let unbound = rewrite(
        "unbound",
        "",
        RuleColor::Red,
        &node("f", [variable("x")]),
        &node("f", [variable("y")]),
    );
    assert_fault!(on!(egraph, graph, call_add_rule, &unbound), Malformed, "");
    let commute = on!(egraph, graph, call_add_rule, &commutativity()).unwrap();
    let associate = on!(egraph, graph, call_add_rule, &associativity()).unwrap();
    on!(egraph, graph, call_insert, "(+ (+ a b) c)", None, Color::Green).unwrap();
    assert_fault!(on!(egraph, graph, call_derive, &[commute], ALL, UNBOUNDED), Unknown, "");
    settle(&mut egraph, graph);
    let rules = on!(egraph, graph, call_rules);
    let listed: Vec<_> = rules
        .iter()
        .map(|rule| (rule.fact, rule.name.as_str(), rule.ruleset.as_str(), rule.color))
        .collect();
    assert_eq!(
        listed,
        [
            (commute, "commute", "", Color::Green),
            (associate, "associate", "shape", Color::Red)
        ]
    );

    let report = on!(egraph, graph, call_derive, &[commute, associate], ALL, UNBOUNDED).unwrap();
    assert_eq!((report.matches, report.applied, report.blocked), (3, 3, 0));
    assert!(!report.saturated && !report.exhausted && report.nodes >= 3);
    assert_eq!(
        on!(egraph, graph, call_size).enodes,
        5,
        "nothing takes effect before it is settled"
    );
    settle(&mut egraph, graph);
    // (+ c (+ a b)), (+ b a), (+ b c) and (+ a (+ b c)) are new.
    assert_eq!(on!(egraph, graph, call_size).enodes, 9);

    let stranger = dot(9, 9);
    assert_fault!(
        on!(egraph, graph, call_derive, &[stranger], ALL, UNBOUNDED),
        Unknown,
        "9"
    );
    for share in [Share { index: 1, count: 1 }, Share { index: 0, count: 0 }] {
        assert_fault!(
            on!(egraph, graph, call_derive, &[commute], share, UNBOUNDED),
            Malformed,
            ""
        );
    }
}

#[test]
fn a_budget_ends_a_step_and_saturation_is_said() {
    let mut egraph = start();
    let graph = ready(&mut egraph, 0, true);
    let commute = on!(egraph, graph, call_add_rule, &commutativity()).unwrap();
    on!(egraph, graph, call_insert, "(+ (+ a b) c)", None, Color::Green).unwrap();
    settle(&mut egraph, graph);
    let few = Budget {
        matches: 1,
        nodes: u64::MAX,
    };
    let report = on!(egraph, graph, call_derive, &[commute], ALL, few).unwrap();
    assert_eq!((report.matches, report.exhausted, report.saturated), (1, true, false));
    settle(&mut egraph, graph);
    let none = Budget {
        matches: u64::MAX,
        nodes: 0,
    };
    let report = on!(egraph, graph, call_derive, &[commute], ALL, none).unwrap();
    assert_eq!((report.applied, report.exhausted), (0, true));
    let report = on!(egraph, graph, call_derive, &[commute], ALL, UNBOUNDED).unwrap();
    assert!(report.applied > 0 && !report.exhausted);
    settle(&mut egraph, graph);
    let report = on!(egraph, graph, call_derive, &[commute], ALL, UNBOUNDED).unwrap();
    assert_eq!((report.applied, report.saturated, report.exhausted), (0, true, false));
    let nothing = on!(egraph, graph, call_derive, &[], ALL, UNBOUNDED).unwrap();
    let expected = StepReport {
        matches: 0,
        applied: 0,
        blocked: 0,
        nodes: 0,
        saturated: true,
        exhausted: false,
    };
    assert_eq!(nothing, expected);
}

#[test]
fn the_coloring_blocks_a_step_until_it_is_certified() {
    let mut egraph = start();
    let graph = ready(&mut egraph, 0, true);
    // RED would put f over what BLUE made.
    let (x, y) = (variable("x"), variable("y"));
    let program = rewrite("wrap", "", RuleColor::Red, &node("+", [x.clone(), y]), &node("f", [x]));
    let rule = on!(egraph, graph, call_add_rule, &program).unwrap();
    let left = on!(egraph, graph, call_add_node, &operator("a", 0), &[], Color::Blue).unwrap();
    settle(&mut egraph, graph);
    on!(
        egraph,
        graph,
        call_add_node,
        &operator("+", 2),
        &[left, left],
        Color::Blue
    )
    .unwrap();
    settle(&mut egraph, graph);
    let report = on!(egraph, graph, call_derive, &[rule], ALL, UNBOUNDED).unwrap();
    assert_eq!((report.applied, report.blocked, report.saturated), (0, 1, false));
    assert!(on!(egraph, graph, call_certify, &[0]).is_some());
    settle(&mut egraph, graph);
    let report = on!(egraph, graph, call_derive, &[rule], ALL, UNBOUNDED).unwrap();
    assert_eq!((report.applied, report.blocked), (1, 0));
}

#[test]
fn shares_cover_all_matches_and_replicas_agree() {
    let mut egraph = start();
    let alone = ready(&mut egraph, 0, false);
    let graphs: Vec<ResourceAny> = (0..3).map(|agent| ready(&mut egraph, agent, false)).collect();
    let term = "(+ (+ (+ a b) c) (f a))";
    let mut rules = Vec::new();
    for graph in [alone, graphs[0]] {
        on!(egraph, graph, call_insert, term, None, Color::Green).unwrap();
        rules = [commutativity(), associativity()]
            .map(|program| on!(egraph, graph, call_add_rule, &program).unwrap())
            .to_vec();
    }
    settle(&mut egraph, alone);
    exchange(&mut egraph, &graphs);
    for round in 0.. {
        assert!(round < 20, "no fixpoint");
        let whole = on!(egraph, alone, call_derive, &rules, ALL, UNBOUNDED).unwrap();
        settle(&mut egraph, alone);
        let parts: Vec<StepReport> = (0..3)
            .map(|index| {
                let share = Share { index, count: 3 };
                on!(egraph, graphs[index as usize], call_derive, &rules, share, UNBOUNDED).unwrap()
            })
            .collect();
        exchange(&mut egraph, &graphs);
        assert_eq!(
            parts.iter().map(|part| part.matches).sum::<u64>(),
            whole.matches,
            "round {round}"
        );
        let meaning = on!(egraph, alone, call_meaning_digest);
        for &graph in &graphs {
            assert_eq!(on!(egraph, graph, call_meaning_digest), meaning, "round {round}");
        }
        if whole.saturated {
            break;
        }
    }
    let states: Vec<_> = graphs
        .iter()
        .map(|&graph| on!(egraph, graph, call_state_digest))
        .collect();
    assert!(states.iter().all(|state| *state == states[0]));
    let snapshots: Vec<_> = graphs.iter().map(|&graph| on!(egraph, graph, call_snapshot)).collect();
    assert!(
        snapshots
            .iter()
            .all(|snapshot| *snapshot == snapshots[0] && !snapshot.is_empty())
    );
    assert_eq!(on!(egraph, alone, call_snapshot), snapshots[0]);
    assert_ne!(on!(egraph, alone, call_state_digest), states[0], "one log is not three");
}

#[test]
fn blocks_arrive_in_any_order_any_number_of_times() {
    let mut egraph = start();
    let (from, to) = (ready(&mut egraph, 0, true), graph(&mut egraph, 1, true));
    let mut blocks = Vec::new();
    for term in ["a", "(f a)", "(f (f a))"] {
        on!(egraph, from, call_insert, term, None, Color::Green).unwrap();
        blocks.extend(on!(egraph, from, call_seal));
        on!(egraph, from, call_settle);
    }
    assert_eq!(on!(egraph, from, call_delta_since, &vec![]), blocks);
    assert_eq!(on!(egraph, from, call_delta_since, &vec![dot(0, 1)]), blocks[1..]);
    assert_eq!(on!(egraph, from, call_delta_since, &vec![dot(0, 3)]).len(), 0);
    for block in blocks[1..].iter().rev() {
        on!(egraph, to, call_receive, block).unwrap();
    }
    let settled = on!(egraph, to, call_settle);
    assert_eq!((settled.accepted, settled.waiting), (0, 2));
    for block in blocks.iter().chain(&blocks) {
        on!(egraph, to, call_receive, block).unwrap();
    }
    let settled = on!(egraph, to, call_settle);
    assert_eq!((settled.accepted, settled.waiting), (3, 0));
    assert_eq!(on!(egraph, to, call_version), [dot(0, 3)]);
    assert_eq!(on!(egraph, to, call_state_digest), on!(egraph, from, call_state_digest));
    on!(egraph, to, call_receive, &blocks[0]).unwrap();
    assert_eq!(
        on!(egraph, to, call_settle).accepted,
        0,
        "what is known is not counted again"
    );
}

#[test]
fn what_is_no_block_is_refused() {
    let mut egraph = start();
    let (from, to) = (ready(&mut egraph, 0, true), graph(&mut egraph, 1, true));
    on!(egraph, from, call_insert, "(+ a (f b))", Some("x"), Color::Green).unwrap();
    let block = on!(egraph, from, call_seal).unwrap();
    assert_fault!(on!(egraph, to, call_receive, &[]), Malformed, "");
    for length in 0..block.len() {
        assert_fault!(on!(egraph, to, call_receive, &block[..length]), Malformed, "");
    }
    for at in 0..block.len() {
        let mut damaged = block.clone();
        damaged[at] ^= 1;
        assert_fault!(on!(egraph, to, call_receive, &damaged), Malformed, "");
    }
    let oversized = vec![0; (256 << 20) + 1];
    assert_fault!(on!(egraph, to, call_receive, &oversized), Limit, "bytes");
    let settled = on!(egraph, to, call_settle);
    assert_eq!((settled.accepted, settled.waiting), (0, 0));
}

#[test]
fn a_fact_that_does_not_hold_is_refused_and_what_follows_is_held_back() {
    let mut egraph = start();
    // A replica that does not keep the coloring puts RED over BLUE.
    let (liar, honest) = (ready(&mut egraph, 4, false), graph(&mut egraph, 1, true));
    let leaf = on!(egraph, liar, call_add_node, &operator("a", 0), &[], Color::Blue).unwrap();
    let first = on!(egraph, liar, call_seal).unwrap();
    on!(egraph, liar, call_settle);
    on!(egraph, liar, call_add_node, &operator("f", 1), &[leaf], Color::Red).unwrap();
    let lie = on!(egraph, liar, call_seal).unwrap();
    on!(egraph, liar, call_settle);
    on!(egraph, liar, call_insert, "b", None, Color::Green).unwrap();
    let after = on!(egraph, liar, call_seal).unwrap();
    for block in [&first, &lie, &after] {
        on!(egraph, honest, call_receive, block).unwrap();
    }
    let settled = on!(egraph, honest, call_settle);
    assert_eq!(settled.accepted, 1);
    assert_eq!(settled.refused.len(), 1);
    assert_eq!(settled.refused[0].0, dot(4, 2));
    assert!(settled.refused[0].1.contains("blue"), "{:?}", settled.refused);
    assert_eq!(on!(egraph, honest, call_refused), settled.refused);
    assert_eq!(on!(egraph, honest, call_version), [dot(4, 1)]);
    // The rest of the network goes on.
    let other = ready(&mut egraph, 2, true);
    on!(egraph, other, call_insert, "c", None, Color::Green).unwrap();
    let block = on!(egraph, other, call_seal).unwrap();
    on!(egraph, honest, call_receive, &block).unwrap();
    assert_eq!(on!(egraph, honest, call_settle).accepted, 1);
    assert_eq!(on!(egraph, honest, call_version), [dot(2, 1), dot(4, 1)]);
}

#[test]
fn certificates_are_made_for_what_is_not_certified_yet() {
    let mut egraph = start();
    let graph = ready(&mut egraph, 0, true);
    on!(egraph, graph, call_insert, "a", None, Color::Green).unwrap();
    assert_eq!(
        on!(egraph, graph, call_certify, &[0]),
        None,
        "only settled facts are certified"
    );
    settle(&mut egraph, graph);
    assert_eq!(on!(egraph, graph, call_uncertified), [0]);
    assert_eq!(on!(egraph, graph, call_certify, &[1]), None);
    assert_eq!(on!(egraph, graph, call_certify, &[0, 1]), Some(dot(0, 2)));
    settle(&mut egraph, graph);
    assert_eq!(on!(egraph, graph, call_uncertified), [], "a certificate needs none");
    let leaf = NodeName { agent: 0, ordinal: 0 };
    assert_eq!(
        on!(egraph, graph, call_inspect, leaf).unwrap().colors,
        Colors::GREEN | Colors::CERTIFIED
    );
}

#[test]
fn queries_count_matches_up_to_a_limit() {
    let mut egraph = start();
    let graph = ready(&mut egraph, 0, true);
    on!(egraph, graph, call_insert, "(+ (+ a b) (+ b c))", None, Color::Green).unwrap();
    settle(&mut egraph, graph);
    let sums = query(&node("+", [variable("x"), variable("y")]));
    assert_eq!(on!(egraph, graph, call_query, &sums, u64::MAX), Ok(3));
    assert_eq!(on!(egraph, graph, call_query, &sums, 2), Ok(2));
    let doubles = query(&node("+", [variable("x"), variable("x")]));
    assert_eq!(on!(egraph, graph, call_query, &doubles, 10), Ok(0));
    assert_fault!(on!(egraph, graph, call_query, &[0xff; 8], 1), Malformed, "");
    assert_fault!(on!(egraph, graph, call_query, &commutativity(), 1), Malformed, "");
}

#[test]
fn the_cheapest_terms_are_extracted() {
    let mut egraph = start();
    let graph = ready(&mut egraph, 0, true);
    let mut dear = operator("dear", 0);
    dear.cost = 100;
    on!(egraph, graph, call_declare, &[dear]).unwrap();
    on!(egraph, graph, call_unite, "(+ a dear)", "(f b)").unwrap();
    on!(egraph, graph, call_unite, "(f b)", "(+ c c)").unwrap();
    on!(
        egraph,
        graph,
        call_insert,
        "(+ (+ a dear) (+ a dear))",
        None,
        Color::Green
    )
    .unwrap();
    settle(&mut egraph, graph);
    let found = on!(egraph, graph, call_extract, "(+ a dear)", 9, CostModel::Tree, None).unwrap();
    let expected = [("(f b)", 2), ("(+ c c)", 3), ("(+ a dear)", 102)];
    assert_eq!(
        found,
        expected.map(|(term, cost)| Extracted {
            term: term.to_owned(),
            cost
        })
    );
    assert_eq!(
        on!(egraph, graph, call_extract, "(+ c c)", 1, CostModel::Tree, None).unwrap(),
        found[..1]
    );
    let twice = "(+ (f b) (f b))";
    let tree = on!(egraph, graph, call_extract, twice, 1, CostModel::Tree, None).unwrap();
    assert_eq!(
        tree,
        [Extracted {
            term: twice.to_owned(),
            cost: 5
        }]
    );
    let dag = on!(egraph, graph, call_extract, twice, 1, CostModel::Dag, None).unwrap();
    assert_eq!(
        dag,
        [Extracted {
            term: twice.to_owned(),
            cost: 3
        }]
    );
    assert_fault!(
        on!(egraph, graph, call_extract, "(f c)", 1, CostModel::Tree, None),
        Absent,
        "(f c)"
    );
    assert_fault!(
        on!(egraph, graph, call_extract, "(f", 1, CostModel::Tree, None),
        Malformed,
        ""
    );
    assert_fault!(
        on!(egraph, graph, call_extract, "nosuch", 1, CostModel::Tree, None),
        Unknown,
        "nosuch"
    );
    let red = Some(Colors::RED);
    assert_fault!(
        on!(egraph, graph, call_extract, "a", 1, CostModel::Tree, red),
        Absent,
        "a"
    );
}

#[test]
fn an_extraction_is_limited_to_a_polarity() {
    let mut egraph = start();
    let graph = ready(&mut egraph, 0, false);
    let shrink = rewrite(
        "shrink",
        "",
        RuleColor::Blue,
        &node("f", [variable("x")]),
        &variable("x"),
    );
    let grow = rewrite(
        "grow",
        "",
        RuleColor::Red,
        &node("f", [variable("x")]),
        &node("+", [variable("x"), variable("x")]),
    );
    let wrapped = rewrite("back", "", RuleColor::Blue, &node("f", [variable("x")]), &node("c", []));
    let rules: Vec<Dot> = [shrink, grow, wrapped]
        .iter()
        .map(|program| on!(egraph, graph, call_add_rule, program).unwrap())
        .collect();
    on!(egraph, graph, call_insert, "(f (+ a b))", None, Color::Green).unwrap();
    settle(&mut egraph, graph);
    on!(egraph, graph, call_derive, &rules[1..], ALL, UNBOUNDED).unwrap();
    settle(&mut egraph, graph);
    let best = |egraph: &mut Egraph, within| {
        let found = on!(egraph, graph, call_extract, "(f (+ a b))", 1, CostModel::Tree, within);
        found.unwrap()[0].term.clone()
    };
    assert_eq!(best(&mut egraph, None), "c");
    assert_eq!(best(&mut egraph, Some(Colors::GREEN | Colors::RED)), "(f (+ a b))");
    assert_eq!(best(&mut egraph, Some(Colors::GREEN)), "(f (+ a b))");
    assert_eq!(best(&mut egraph, Some(Colors::BLUE)), "c");
}

#[test]
fn an_explanation_is_a_chain_of_facts() {
    let mut egraph = start();
    let graph = ready(&mut egraph, 5, true);
    let commute = on!(egraph, graph, call_add_rule, &commutativity()).unwrap();
    on!(egraph, graph, call_insert, "(f (+ a b))", None, Color::Green).unwrap();
    on!(egraph, graph, call_insert, "c", None, Color::Green).unwrap();
    settle(&mut egraph, graph);
    on!(egraph, graph, call_derive, &[commute], ALL, UNBOUNDED).unwrap();
    let united = on!(egraph, graph, call_unite, "c", "(f (+ b a))").unwrap();
    settle(&mut egraph, graph);
    let explanation = on!(egraph, graph, call_explain, "(f (+ a b))", "c").unwrap();
    let steps = explanation.steps;
    assert_eq!((steps.len(), explanation.lemmas.len()), (2, 0), "{steps:?}");
    assert_eq!(
        (steps[0].before.as_str(), steps[0].after.as_str()),
        ("(f (+ a b))", "(f (+ b a))")
    );
    assert_eq!((steps[0].forward, steps[0].place.as_slice()), (true, &[0][..]));
    let StepReason::Applied(applied) = &steps[0].reason else {
        panic!("a rule: {:?}", steps[0].reason)
    };
    assert_eq!((applied.rule.as_str(), applied.lemmas.as_slice()), ("commute", &[][..]));
    let substitution = [("x", "a"), ("y", "b")].map(|(name, term)| (name.to_owned(), term.to_owned()));
    assert_eq!(applied.substitution, substitution);
    assert_eq!(
        (steps[1].before.as_str(), steps[1].after.as_str()),
        ("(f (+ b a))", "c")
    );
    assert_eq!(steps[1].reason, StepReason::Asserted(united));
    assert_eq!(on!(egraph, graph, call_explain, "c", "c").unwrap().steps, []);
    assert_fault!(on!(egraph, graph, call_explain, "a", "b"), Refused, "");
    assert_fault!(on!(egraph, graph, call_explain, "(f a)", "b"), Absent, "(f a)");
    assert_fault!(on!(egraph, graph, call_explain, "(f", "b"), Malformed, "");
}

#[test]
fn rows_are_listed_in_canonical_order() {
    let mut egraph = start();
    let graph = ready(&mut egraph, 0, true);
    on!(egraph, graph, call_unite, "(f b)", "a").unwrap();
    on!(egraph, graph, call_insert, "(f c)", None, Color::Green).unwrap();
    settle(&mut egraph, graph);
    let rows = on!(egraph, graph, call_rows, "f", 0, 9).unwrap();
    let shown: Vec<_> = rows.iter().map(|row| (row.node.as_str(), row.class.as_str())).collect();
    assert_eq!(shown, [("(f b)", "a"), ("(f c)", "(f c)")]);
    assert_eq!(on!(egraph, graph, call_rows, "f", 0, 1).unwrap(), rows[..1]);
    assert_eq!(on!(egraph, graph, call_rows, "f", 1, 9).unwrap(), rows[1..]);
    assert_fault!(on!(egraph, graph, call_rows, "nosuch", 0, 1), Unknown, "nosuch");
}

#[test]
fn the_classes_around_one_are_shown_and_found_by_their_text() {
    let mut egraph = start();
    let graph = ready(&mut egraph, 0, true);
    on!(egraph, graph, call_unite, "(f b)", "a").unwrap();
    on!(egraph, graph, call_insert, "(f (f c))", None, Color::Green).unwrap();
    settle(&mut egraph, graph);
    let shown = on!(egraph, graph, call_neighbourhood, Some("(f (f c))"), &[], 9).unwrap();
    let ids: Vec<&str> = shown.classes.iter().map(|class| class.id.as_str()).collect();
    assert_eq!(ids, ["(f (f c))", "(f c)", "c"]);
    assert_eq!((shown.total, shown.total_is_limit), (3, false));
    assert_eq!(shown.classes[0].nodes[0].children, ["(f c)"]);
    assert!(shown.classes[0].nodes[0].best && shown.classes[0].colors.contains(Colors::GREEN));
    let one = on!(egraph, graph, call_neighbourhood, Some("(f (f c))"), &[], 1).unwrap();
    assert_eq!((one.classes.len(), one.total), (1, 3));
    let expanded = on!(
        egraph,
        graph,
        call_neighbourhood,
        Some("(f (f c))"),
        &["(f c)".to_owned()],
        1
    )
    .unwrap();
    assert_eq!(expanded.classes.len(), 3);
    assert_eq!(
        on!(egraph, graph, call_neighbourhood, None, &[], 1).unwrap().classes[0].nodes_total,
        2
    );
    assert_fault!(
        on!(egraph, graph, call_neighbourhood, Some("(f (f a))"), &[], 9),
        Absent,
        "(f (f a))"
    );
    assert_fault!(
        on!(egraph, graph, call_neighbourhood, Some("(f"), &[], 9),
        Malformed,
        ""
    );
    assert_eq!(
        on!(egraph, graph, call_search, "f c", 9),
        (vec!["(f c)".to_owned(), "(f (f c))".to_owned()], false)
    );
    assert_eq!(on!(egraph, graph, call_search, "c", 1), (vec!["c".to_owned()], true));
    assert_eq!(on!(egraph, graph, call_search, "nosuch", 9).0.len(), 0);
    let counts = on!(egraph, graph, call_color_counts);
    let enodes = on!(egraph, graph, call_size).enodes;
    assert!(
        counts.green <= enodes && counts.green + counts.blue + counts.red >= enodes,
        "{counts:?}"
    );
    // Nothing was derived, and of another agent nothing is known.
    for agent in [0, 5] {
        assert_eq!(on!(egraph, graph, call_applied, Dot { agent, sequence: 1 }).len(), 0);
    }
}

#[test]
fn two_literals_in_one_class_are_reported() {
    let mut egraph = start();
    let graph = graph(&mut egraph, 0, true);
    let number = Operator {
        name: "Num".to_owned(),
        columns: vec!["i64".to_owned()],
        sort: "Math".to_owned(),
        cost: 1,
    };
    on!(egraph, graph, call_declare, &[number]).unwrap();
    on!(egraph, graph, call_insert, "(Num 3)", None, Color::Green).unwrap();
    settle(&mut egraph, graph);
    assert_eq!(on!(egraph, graph, call_contradictions).len(), 0);
    on!(egraph, graph, call_unite, "(Num 2)", "(Num 1)").unwrap();
    settle(&mut egraph, graph);
    assert_eq!(on!(egraph, graph, call_contradictions), [["(Num 1)", "(Num 2)"]]);
    assert_fault!(
        on!(egraph, graph, call_insert, "(Num x)", None, Color::Green),
        Mismatch,
        "Num"
    );
    assert_fault!(
        on!(egraph, graph, call_insert, "(Num (Num 1))", None, Color::Green),
        Mismatch,
        ""
    );
}

#[test]
fn a_scope_is_kept_and_restored() {
    let mut egraph = start();
    let graph = ready(&mut egraph, 0, true);
    assert_fault!(on!(egraph, graph, call_pop), Misplaced, "push");
    on!(egraph, graph, call_insert, "a", None, Color::Green).unwrap();
    settle(&mut egraph, graph);
    let outer = on!(egraph, graph, call_state_digest);
    on!(egraph, graph, call_push);
    on!(egraph, graph, call_insert, "(f a)", Some("x"), Color::Green).unwrap();
    settle(&mut egraph, graph);
    on!(egraph, graph, call_push);
    on!(egraph, graph, call_unite, "a", "x").unwrap();
    settle(&mut egraph, graph);
    on!(egraph, graph, call_pop).unwrap();
    assert_eq!(
        on!(egraph, graph, call_size),
        Size {
            facts: 2,
            enodes: 2,
            eclasses: 2
        }
    );
    on!(egraph, graph, call_pop).unwrap();
    assert_eq!(on!(egraph, graph, call_state_digest), outer);
    assert_eq!(on!(egraph, graph, call_labels), []);
    assert_fault!(on!(egraph, graph, call_pop), Misplaced, "push");
}

/// Two graphs with the same facts: the first has made one, the second one more.
fn pair(egraph: &mut Egraph) -> [ResourceAny; 2] {
    let graphs = [0, 1].map(|agent| ready(egraph, agent, true));
    on!(
        egraph,
        graphs[0],
        call_insert,
        "(+ (f a) b)",
        Some("first"),
        Color::Green
    )
    .unwrap();
    exchange(egraph, &graphs);
    on!(egraph, graphs[1], call_insert, "(f b)", None, Color::Green).unwrap();
    exchange(egraph, &graphs);
    graphs
}

#[test]
fn facts_that_all_have_acknowledged_are_compacted() {
    let mut egraph = start();
    let graphs = pair(&mut egraph);
    let stable = on!(egraph, graphs[0], call_version);
    let before: Vec<_> = graphs
        .iter()
        .map(|&graph| {
            let digests = (
                on!(egraph, graph, call_meaning_digest),
                on!(egraph, graph, call_snapshot),
            );
            (digests, on!(egraph, graph, call_labels))
        })
        .collect();
    assert_eq!(on!(egraph, graphs[0], call_beginning), None);
    let stranger = vec![dot(7, 1)];
    assert_fault!(on!(egraph, graphs[0], call_cut, &stranger), Misplaced, "not settled");
    assert_eq!(on!(egraph, graphs[0], call_last_cut), None);
    assert_eq!(on!(egraph, graphs[0], call_close, &stable), None, "there is no cut");
    assert_eq!(on!(egraph, graphs[0], call_cut, &stable).unwrap(), Some(dot(0, 2)));
    assert!(!on!(egraph, graphs[0], call_compact), "the cut is not settled");
    exchange(&mut egraph, &graphs);
    let after = on!(egraph, graphs[0], call_version);
    assert_eq!(on!(egraph, graphs[1], call_open_cut), Some(dot(0, 2)));
    assert!(!on!(egraph, graphs[0], call_compact), "the cut is open");
    assert_eq!(on!(egraph, graphs[0], call_close, &after), Some(dot(0, 3)));
    exchange(&mut egraph, &graphs);
    assert_eq!(on!(egraph, graphs[1], call_open_cut), None);
    let state = on!(egraph, graphs[0], call_state_digest);
    for (graph, before) in graphs.into_iter().zip(before) {
        assert!(on!(egraph, graph, call_compact));
        assert!(!on!(egraph, graph, call_compact), "there is no more to take away");
        let digests = (
            on!(egraph, graph, call_meaning_digest),
            on!(egraph, graph, call_snapshot),
        );
        assert_eq!((digests, on!(egraph, graph, call_labels)), before);
        assert_eq!(on!(egraph, graph, call_state_digest), state);
        assert!(!on!(egraph, graph, call_is_void));
        assert_fault!(on!(egraph, graph, call_explain, "first", "(f b)"), Refused, "");
    }
    let beginning = on!(egraph, graphs[0], call_beginning).expect("compacted");
    assert_eq!(on!(egraph, graphs[1], call_beginning), Some(beginning.clone()));
    assert_eq!(on!(egraph, graphs[1], call_last_cut), Some(beginning));
    // What was made since is explained by its fact, until that is compacted, too.
    let united = on!(egraph, graphs[0], call_unite, "first", "(f b)").unwrap();
    exchange(&mut egraph, &graphs);
    for graph in graphs {
        let steps = on!(egraph, graph, call_explain, "first", "(f b)").unwrap().steps;
        assert_eq!((steps.len(), &steps[0].reason), (1, &StepReason::Asserted(united)));
    }
    let settled = on!(egraph, graphs[0], call_version);
    assert!(on!(egraph, graphs[0], call_cut, &settled).unwrap().is_some());
    exchange(&mut egraph, &graphs);
    let settled = on!(egraph, graphs[0], call_version);
    assert!(on!(egraph, graphs[0], call_close, &settled).is_some());
    exchange(&mut egraph, &graphs);
    for graph in graphs {
        assert!(on!(egraph, graph, call_compact));
        let snapshot = on!(egraph, graph, call_beginning).expect("compacted");
        let steps = on!(egraph, graph, call_explain, "first", "(f b)").unwrap().steps;
        assert_eq!((steps.len(), &steps[0].reason), (1, &StepReason::Compacted(snapshot)));
        assert_eq!(
            (steps[0].before.as_str(), steps[0].after.as_str()),
            ("(+ (f a) b)", "(f b)")
        );
    }
}

#[test]
fn a_graph_is_saved_loaded_and_goes_on() {
    let mut egraph = start();
    let graphs = pair(&mut egraph);
    let saved = on!(egraph, graphs[1], call_save);
    let interface = egraph.world.eqmesh_network_egraph().clone();
    let options = Options {
        agent: 1,
        coloring: true,
    };
    let load =
        |egraph: &mut Egraph, bytes: &[u8]| interface.graph().call_load(&mut egraph.store, options, bytes).unwrap();
    let loaded = load(&mut egraph, &saved).unwrap();
    assert_eq!(
        on!(egraph, loaded, call_state_digest),
        on!(egraph, graphs[1], call_state_digest)
    );
    assert_eq!(
        on!(egraph, loaded, call_insert, "c", None, Color::Green).unwrap(),
        dot(1, 2)
    );
    exchange(&mut egraph, &[graphs[0], loaded]);
    assert_eq!(
        on!(egraph, loaded, call_state_digest),
        on!(egraph, graphs[0], call_state_digest)
    );
    for broken in [&saved[..saved.len() - 1], &[], b"eqi\x01"] {
        assert_fault!(load(&mut egraph, broken), Malformed, "");
    }
    // Whoever was left behind hears from a stranger under its own name.
    let version = on!(egraph, graphs[1], call_version);
    let block = on!(egraph, graphs[0], call_delta_since, &version).remove(0);
    assert_fault!(on!(egraph, graphs[1], call_receive, &block), Refused, "agent 1");
    assert_eq!(on!(egraph, graphs[1], call_refused).len(), 1);
}

#[test]
fn a_newcomer_begins_with_a_snapshot_that_it_trusts() {
    let mut egraph = start();
    let graphs = pair(&mut egraph);
    let stable = on!(egraph, graphs[0], call_version);
    on!(egraph, graphs[0], call_cut, &stable).unwrap();
    exchange(&mut egraph, &graphs);
    let version = on!(egraph, graphs[0], call_version);
    on!(egraph, graphs[0], call_close, &version).unwrap();
    exchange(&mut egraph, &graphs);
    assert!(on!(egraph, graphs[0], call_compact));
    let late = ready(&mut egraph, 2, true);
    on!(egraph, late, call_insert, "(f (f c))", Some("own"), Color::Green).unwrap();
    settle(&mut egraph, late);
    let version = on!(egraph, late, call_version);
    for part in on!(egraph, graphs[0], call_delta_since, &version) {
        on!(egraph, late, call_receive, &part).unwrap();
    }
    let beginning = on!(egraph, graphs[0], call_beginning).expect("compacted");
    assert_eq!(on!(egraph, late, call_offers), std::slice::from_ref(&beginning));
    assert_fault!(on!(egraph, late, call_adopt, &vec![0; 32], 2), Absent, "");
    assert_fault!(on!(egraph, late, call_adopt, &vec![0; 3], 2), Malformed, "32 bytes");
    assert_fault!(on!(egraph, late, call_adopt, &beginning, 2), Misplaced, "agent 2");
    // The term that it had given was made before anybody compacted, so it is made again.
    assert_eq!(on!(egraph, late, call_adopt, &beginning, 2 | 1 << 16).unwrap(), 0);
    assert_eq!(on!(egraph, late, call_offers), Vec::<Vec<u8>>::new());
    exchange(&mut egraph, &[graphs[0], graphs[1], late]);
    let digest = on!(egraph, graphs[1], call_meaning_digest);
    assert_eq!(on!(egraph, late, call_meaning_digest), digest);
    assert_eq!(on!(egraph, graphs[0], call_meaning_digest), digest);
    assert_eq!(on!(egraph, late, call_labels).len(), 2);

    // Who resumes with what it has stored has the same.
    let again = ready(&mut egraph, 2 | 2 << 16, true);
    let stored = on!(egraph, late, call_delta_since, &vec![]);
    assert_eq!(on!(egraph, again, call_resume, &stored), 0);
    assert_eq!(
        on!(egraph, again, call_state_digest),
        on!(egraph, late, call_state_digest)
    );
    assert_eq!(on!(egraph, again, call_resume, &[vec![1, 2, 3]]), 1);
}
