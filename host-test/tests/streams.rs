//! The components `stream-red`, `stream-blue` and `stream-green`, each alone, over an e-graph that writes down what it is asked.

use std::sync::LazyLock;

use eqmesh_host_test::stream::StreamComponent;
use eqmesh_host_test::stream::eqmesh::network::egraph::Rule;
use eqmesh_host_test::types::{Budget, Color, Colors, Dot, Fault, NodeName, Operator, Share, StepReport, Task};
use eqmesh_host_test::{Call, Instance, MockState, component, graph, nothing_found};
use wasmtime::component::{Component, HasSelf};

type Stream = Instance<StreamComponent, MockState>;

const COLORS: [Color; 3] = [Color::Red, Color::Blue, Color::Green];

fn start(color: Color, state: MockState) -> Stream {
    static COMPONENTS: LazyLock<[Component; 3]> =
        LazyLock::new(|| ["stream-red", "stream-blue", "stream-green"].map(component));
    let at = COLORS.iter().position(|&known| known == color).unwrap();
    Instance::new(
        state,
        |linker| StreamComponent::add_to_linker::<_, HasSelf<_>>(linker, |state| state),
        |store, linker| StreamComponent::instantiate(store, &COMPONENTS[at], linker),
    )
}

/// Calls a function of the stream.
macro_rules! on {
    ($stream:ident, $function:ident $(, $argument:expr)*) => {
        $stream.world.eqmesh_network_rewrite_stream().$function(&mut $stream.store $(, $argument)*).unwrap()
    };
}

fn operator(name: &str, arity: usize) -> Operator {
    Operator {
        name: name.to_owned(),
        columns: vec!["_".to_owned(); arity],
        sort: "_".to_owned(),
        cost: 1,
    }
}

fn name(ordinal: u64) -> NodeName {
    NodeName { agent: 0, ordinal }
}

/// One node of each kind: 0 red, 1 blue, 2 green, 3 blue and certified, 4 red and blue.
fn nodes() -> MockState {
    let colors = [
        Colors::RED,
        Colors::BLUE,
        Colors::GREEN,
        Colors::BLUE | Colors::CERTIFIED,
        Colors::RED | Colors::BLUE,
    ];
    let nodes = colors
        .into_iter()
        .enumerate()
        .map(|(at, colors)| (name(at as u64), "child", colors))
        .collect();
    MockState {
        nodes,
        ..MockState::default()
    }
}

/// Which of those nodes may stand under a parent of this color.
fn allowed(parent: Color) -> [bool; 5] {
    match parent {
        Color::Red => [true, false, true, true, true],
        Color::Blue => [false, true, true, true, true],
        Color::Green => [true; 5],
    }
}

fn lower(color: Color) -> &'static str {
    match color {
        Color::Red => "red",
        Color::Blue => "blue",
        Color::Green => "green",
    }
}

fn coloring_of(result: Result<(), Fault>) -> Option<String> {
    match result {
        Ok(()) => None,
        Err(Fault::Coloring(text)) => Some(text),
        Err(other) => panic!("expected a fault of coloring, got {other:?}"),
    }
}

#[test]
fn a_palette_is_its_color() {
    for color in COLORS {
        let mut stream = start(color, MockState::default());
        assert_eq!(on!(stream, call_palette), [color]);
        assert_eq!(stream.store.data().calls, []);
    }
}

#[test]
fn merging_colors_is_a_join() {
    let greatest = |some: &[Color]| {
        [Color::Red, Color::Blue, Color::Green]
            .into_iter()
            .find(|color| some.contains(color))
    };
    for color in COLORS {
        let mut stream = start(color, MockState::default());
        for a in COLORS {
            assert_eq!(on!(stream, call_merge_colors, a, a), a);
            for b in COLORS {
                let join = on!(stream, call_merge_colors, a, b);
                assert_eq!(Some(join), greatest(&[a, b]));
                assert_eq!(join, on!(stream, call_merge_colors, b, a));
                for c in COLORS {
                    let left = on!(stream, call_merge_colors, join, c);
                    let right = on!(stream, call_merge_colors, b, c);
                    assert_eq!(left, on!(stream, call_merge_colors, a, right));
                }
            }
        }
    }
}

#[test]
fn the_coloring_constraint_is_about_witnesses() {
    for color in COLORS {
        let mut stream = start(color, nodes());
        for parent in COLORS {
            for (at, allowed) in allowed(parent).into_iter().enumerate() {
                let verified = on!(
                    stream,
                    call_verify_color_constraint,
                    graph(),
                    parent,
                    &[name(2), name(at as u64)]
                );
                let fault = coloring_of(verified);
                assert_eq!(fault.is_none(), allowed, "{parent:?} over node {at}: {fault:?}");
                // The parent, the child and the colors are named.
                let child = if at == 0 { "red" } else { "blue" };
                let parts = [lower(parent), child, "child", &format!("node {at}")];
                assert!(
                    fault
                        .as_ref()
                        .is_none_or(|text| parts.iter().all(|part| text.contains(part))),
                    "{fault:?} lacks one of {parts:?}"
                );
            }
            let absent = on!(stream, call_verify_color_constraint, graph(), parent, &[name(9)]);
            assert!(matches!(absent, Err(Fault::Absent(_))), "{absent:?}");
            assert_eq!(on!(stream, call_verify_color_constraint, graph(), parent, &[]), Ok(()));
        }
        assert!(
            stream
                .store
                .data()
                .calls
                .iter()
                .all(|call| matches!(call, Call::Inspect(_)))
        );
    }
}

#[test]
fn a_node_is_added_in_the_color_of_the_stream() {
    for color in COLORS {
        for (at, allowed) in allowed(color).into_iter().enumerate() {
            let mut stream = start(color, nodes());
            let (parent, child) = (operator("parent", 1), name(at as u64));
            stream.store.data_mut().added.push_back(Ok(name(77)));
            let added = on!(stream, call_add_node, graph(), &parent, &[child]);
            let asked = Call::AddNode(parent, vec![child], color);
            if allowed {
                assert_eq!(added, Ok(name(77)));
                assert_eq!(stream.store.data().calls.last(), Some(&asked));
            } else {
                assert!(matches!(added, Err(Fault::Coloring(_))), "{added:?}");
                assert_eq!(stream.store.data().calls, [Call::Inspect(child)], "nothing was added");
            }
        }
    }
}

#[test]
fn what_the_egraph_refuses_is_passed_on() {
    let faults = [
        Fault::Malformed("1".to_owned()),
        Fault::Unknown("2".to_owned()),
        Fault::Mismatch("3".to_owned()),
        Fault::Absent("4".to_owned()),
        Fault::Coloring("5".to_owned()),
        Fault::Limit("6".to_owned()),
        Fault::Refused("7".to_owned()),
        Fault::Misplaced("8".to_owned()),
    ];
    for color in COLORS {
        let mut stream = start(color, MockState::default());
        for fault in &faults {
            stream.store.data_mut().added.push_back(Err(fault.clone()));
            assert_eq!(
                on!(stream, call_add_node, graph(), &operator("p", 0), &[]),
                Err(fault.clone())
            );
            stream.store.data_mut().derived.push_back(Err(fault.clone()));
            assert_eq!(on!(stream, call_step, graph(), &task("", &COLORS)), Err(fault.clone()));
        }
    }
}

#[test]
fn the_users_terms_are_inserted_by_red_alone() {
    let terms = [(Some("x".to_owned()), "(f a)".to_owned()), (None, "(g x)".to_owned())];
    for color in COLORS {
        let mut stream = start(color, MockState::default());
        let result = on!(stream, call_initialize, graph(), &terms);
        if color == Color::Red {
            assert_eq!(result, Ok(()));
            // What the user gave is neutral, whoever inserts it.
            let asked = terms
                .clone()
                .map(|(label, term)| Call::Insert(term, label, Color::Green));
            assert_eq!(stream.store.data().calls, asked);
        } else {
            assert!(matches!(result, Err(Fault::Misplaced(_))), "{result:?}");
            assert_eq!(stream.store.data().calls, []);
        }
    }
    let mut stream = start(Color::Red, MockState::default());
    let fault = Fault::Unknown("nosuch".to_owned());
    stream.store.data_mut().inserted.push_back(Err(fault.clone()));
    assert_eq!(on!(stream, call_initialize, graph(), &terms), Err(fault));
    assert_eq!(stream.store.data().calls.len(), 1, "it stops at the first that fails");
}

fn task(ruleset: &str, colors: &[Color]) -> Task {
    let share = |color| match color {
        Color::Red => Share { index: 0, count: 3 },
        Color::Blue => Share { index: 1, count: 3 },
        Color::Green => Share { index: 2, count: 3 },
    };
    Task {
        ruleset: ruleset.to_owned(),
        shares: colors.iter().map(|&color| (color, share(color))).collect(),
        budget: Budget {
            matches: 1_000,
            nodes: 500,
        },
    }
}

#[test]
fn a_step_runs_the_rules_of_its_color_and_ruleset() {
    let mut rules = Vec::new();
    for ruleset in ["", "other"] {
        for color in COLORS {
            let sequence = rules.len() as u64 + 1;
            rules.push(Rule {
                fact: Dot { agent: 8, sequence },
                name: format!("rule {sequence}"),
                ruleset: ruleset.to_owned(),
                color,
            });
        }
    }
    for (at, color) in COLORS.into_iter().enumerate() {
        for (ruleset, first) in [("", 1), ("other", 4)] {
            let mut stream = start(
                color,
                MockState {
                    rules: rules.clone(),
                    ..MockState::default()
                },
            );
            let report = StepReport {
                matches: 9,
                applied: 5,
                blocked: 2,
                nodes: 7,
                saturated: false,
                exhausted: true,
            };
            stream.store.data_mut().derived.push_back(Ok(report));
            let task = task(ruleset, &COLORS);
            assert_eq!(on!(stream, call_step, graph(), &task), Ok(report));
            let own = Dot {
                agent: 8,
                sequence: first + at as u64,
            };
            let share = Share {
                index: at as u32,
                count: 3,
            };
            assert_eq!(
                stream.store.data().calls,
                [Call::Rules, Call::Derive(vec![own], share, task.budget)]
            );
        }
    }
}

#[test]
fn a_step_without_a_share_does_nothing() {
    for color in COLORS {
        let mut stream = start(color, MockState::default());
        let others: Vec<Color> = COLORS.into_iter().filter(|&other| other != color).collect();
        assert_eq!(on!(stream, call_step, graph(), &task("", &others)), Ok(nothing_found()));
        assert!(
            !stream
                .store
                .data()
                .calls
                .iter()
                .any(|call| matches!(call, Call::Derive(..)))
        );
    }
}

#[test]
fn green_alone_certifies() {
    for color in COLORS {
        for certified in [None, Some(Dot { agent: 0, sequence: 3 })] {
            let mut stream = start(
                color,
                MockState {
                    certified,
                    ..MockState::default()
                },
            );
            let made = on!(stream, call_certify, graph(), &[1, 4, 7]);
            if color == Color::Green {
                assert_eq!(made, certified.is_some());
                assert_eq!(stream.store.data().calls, [Call::Certify(vec![1, 4, 7])]);
            } else {
                assert!(!made);
                assert_eq!(stream.store.data().calls, []);
            }
        }
    }
}
