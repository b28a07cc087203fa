//! The component `stream-all`, alone: each of its three streams is one that writes down what it is asked.

use std::sync::LazyLock;

use eqmesh_host_test::stream::eqmesh::network::egraph;
use eqmesh_host_test::stream_all::{StreamAllComponent, blue, green, red};
use eqmesh_host_test::types::{Budget, Color, Colors, Fault, NodeName, Operator, Share, StepReport, Task};
use eqmesh_host_test::{Instance, Mock, MockState, component, graph};
use wasmtime::component::{Component, HasSelf, Resource};

/// One call of a stream.
#[derive(Clone, Debug, PartialEq)]
enum Call {
    Palette,
    AddNode(Operator, Vec<NodeName>),
    Verify(Color, Vec<NodeName>),
    Merge(Color, Color),
    Initialize(Vec<(Option<String>, String)>),
    Step(Task),
    Certify(Vec<u32>),
}

/// What the three streams were asked, in order, and what their steps answer.
#[derive(Default)]
struct State {
    egraph: MockState,
    calls: Vec<(Color, Call)>,
    /// By color: red, blue, green.
    steps: [Option<Result<StepReport, Fault>>; 3],
    fault: Option<Fault>,
}

impl State {
    fn answer<T>(&self, good: T) -> Result<T, Fault> {
        self.fault.clone().map_or(Ok(good), Err)
    }
}

/// A stream of one color whose answers are told apart by the color.
macro_rules! stream {
    ($interface:ident, $color:expr, $at:expr) => {
        impl $interface::Host for State {
            fn palette(&mut self) -> Vec<Color> {
                self.calls.push(($color, Call::Palette));
                vec![$color]
            }

            fn add_node(
                &mut self,
                _: Resource<Mock>,
                operator: Operator,
                children: Vec<NodeName>,
            ) -> Result<NodeName, Fault> {
                self.calls.push(($color, Call::AddNode(operator, children)));
                self.answer(NodeName {
                    agent: $at,
                    ordinal: 1,
                })
            }

            fn verify_color_constraint(
                &mut self,
                _: Resource<Mock>,
                parent: Color,
                children: Vec<NodeName>,
            ) -> Result<(), Fault> {
                self.calls.push(($color, Call::Verify(parent, children)));
                self.answer(())
            }

            fn merge_colors(&mut self, a: Color, b: Color) -> Color {
                self.calls.push(($color, Call::Merge(a, b)));
                [Color::Red, Color::Blue, Color::Green]
                    .into_iter()
                    .find(|color| [a, b].contains(color))
                    .unwrap()
            }

            fn initialize(&mut self, _: Resource<Mock>, terms: Vec<(Option<String>, String)>) -> Result<(), Fault> {
                self.calls.push(($color, Call::Initialize(terms)));
                self.answer(())
            }

            fn step(&mut self, _: Resource<Mock>, task: Task) -> Result<StepReport, Fault> {
                self.calls.push(($color, Call::Step(task)));
                self.steps[$at].clone().expect("the test expects this step")
            }

            fn certify(&mut self, _: Resource<Mock>, agents: Vec<u32>) -> bool {
                self.calls.push(($color, Call::Certify(agents)));
                $color == Color::Green
            }
        }
    };
}

stream!(red, Color::Red, 0);
stream!(blue, Color::Blue, 1);
stream!(green, Color::Green, 2);

type StreamAll = Instance<StreamAllComponent, State>;

fn start(state: State) -> StreamAll {
    static COMPONENT: LazyLock<Component> = LazyLock::new(|| component("stream-all"));
    Instance::new(
        state,
        |linker| {
            egraph::add_to_linker::<_, HasSelf<MockState>>(linker, |state: &mut State| &mut state.egraph)?;
            red::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
            blue::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
            green::add_to_linker::<_, HasSelf<State>>(linker, |state| state)
        },
        |store, linker| StreamAllComponent::instantiate(store, &COMPONENT, linker),
    )
}

macro_rules! on {
    ($stream:ident, $function:ident $(, $argument:expr)*) => {
        $stream.world.eqmesh_network_rewrite_stream().$function(&mut $stream.store $(, $argument)*).unwrap()
    };
}

fn name(ordinal: u64) -> NodeName {
    NodeName { agent: 0, ordinal }
}

#[test]
fn the_palette_has_all_colors() {
    let mut stream = start(State::default());
    assert_eq!(on!(stream, call_palette), [Color::Red, Color::Blue, Color::Green]);
}

#[test]
fn nodes_are_added_and_verified_by_green() {
    let operator = Operator {
        name: "f".to_owned(),
        columns: vec!["_".to_owned()],
        sort: "_".to_owned(),
        cost: 4,
    };
    let mut stream = start(State::default());
    assert_eq!(
        on!(stream, call_add_node, graph(), &operator, &[name(3)]),
        Ok(NodeName { agent: 2, ordinal: 1 })
    );
    assert_eq!(
        on!(stream, call_verify_color_constraint, graph(), Color::Red, &[name(3)]),
        Ok(())
    );
    let asked = [
        (Color::Green, Call::AddNode(operator.clone(), vec![name(3)])),
        (Color::Green, Call::Verify(Color::Red, vec![name(3)])),
    ];
    assert_eq!(stream.store.data().calls, asked);
    let fault = Fault::Coloring("red over blue".to_owned());
    stream.store.data_mut().fault = Some(fault.clone());
    assert_eq!(
        on!(stream, call_add_node, graph(), &operator, &[name(3)]),
        Err(fault.clone())
    );
    assert_eq!(
        on!(stream, call_verify_color_constraint, graph(), Color::Red, &[name(3)]),
        Err(fault)
    );
}

#[test]
fn merging_colors_answers_the_dominant() {
    let mut stream = start(State::default());
    assert_eq!(on!(stream, call_merge_colors, Color::Green, Color::Blue), Color::Blue);
    assert_eq!(on!(stream, call_merge_colors, Color::Red, Color::Blue), Color::Red);
    assert_eq!(on!(stream, call_merge_colors, Color::Green, Color::Green), Color::Green);
}

#[test]
fn red_initializes_and_green_certifies() {
    let mut stream = start(State::default());
    let terms = [(Some("x".to_owned()), "a".to_owned())];
    assert_eq!(on!(stream, call_initialize, graph(), &terms), Ok(()));
    assert!(on!(stream, call_certify, graph(), &[0, 1]));
    let asked = [
        (Color::Red, Call::Initialize(terms.to_vec())),
        (Color::Green, Call::Certify(vec![0, 1])),
    ];
    assert_eq!(stream.store.data().calls, asked);
    let fault = Fault::Unknown("a".to_owned());
    stream.store.data_mut().fault = Some(fault.clone());
    assert_eq!(on!(stream, call_initialize, graph(), &terms), Err(fault));
}

fn task(matches: u64, nodes: u64) -> Task {
    let shares = [Color::Red, Color::Blue, Color::Green].map(|color| (color, Share { index: 0, count: 1 }));
    Task {
        ruleset: "r".to_owned(),
        shares: shares.to_vec(),
        budget: Budget { matches, nodes },
    }
}

fn report(matches: u64, nodes: u64, saturated: bool, exhausted: bool) -> StepReport {
    StepReport {
        matches,
        applied: matches / 2,
        blocked: 1,
        nodes,
        saturated,
        exhausted,
    }
}

#[test]
fn a_step_runs_all_three_on_one_budget() {
    let mut stream = start(State::default());
    stream.store.data_mut().steps = [
        Some(Ok(report(2, 1, true, false))),
        Some(Ok(report(10, 4, true, false))),
        Some(Ok(report(6, 3, true, false))),
    ];
    let total = on!(stream, call_step, graph(), &task(100, 20)).unwrap();
    let expected = StepReport {
        matches: 18,
        applied: 9,
        blocked: 3,
        nodes: 8,
        saturated: true,
        exhausted: false,
    };
    assert_eq!(total, expected);
    // Backfill, verify, live; what one has used, the next has less.
    let asked = [
        (Color::Blue, Call::Step(task(100, 20))),
        (Color::Green, Call::Step(task(90, 16))),
        (Color::Red, Call::Step(task(84, 13))),
    ];
    assert_eq!(stream.store.data().calls, asked);
}

#[test]
fn one_that_is_not_saturated_or_exhausted_counts_for_all() {
    for at in 0..3 {
        let mut stream = start(State::default());
        let mut steps = [(); 3].map(|()| Some(Ok(report(0, 0, true, false))));
        steps[at] = Some(Ok(report(7, 9, false, true)));
        stream.store.data_mut().steps = steps;
        // More nodes than the budget had left: it does not go below zero.
        let total = on!(stream, call_step, graph(), &task(5, 5)).unwrap();
        assert!(!total.saturated && total.exhausted);
        let left = |call: &(Color, Call)| match &call.1 {
            Call::Step(task) => (task.budget.matches, task.budget.nodes),
            other => panic!("{other:?}"),
        };
        let left: Vec<(u64, u64)> = stream.store.data().calls.iter().map(left).collect();
        // Blue, green, red: those after the greedy one have nothing left.
        let expected = match at {
            0 => [(5, 5), (5, 5), (5, 5)],
            1 => [(5, 5), (0, 0), (0, 0)],
            _ => [(5, 5), (5, 5), (0, 0)],
        };
        assert_eq!(left, expected);
    }
}

#[test]
fn a_fault_of_one_is_passed_on() {
    for at in 0..3 {
        let mut stream = start(State::default());
        let mut steps = [(); 3].map(|()| Some(Ok(report(0, 0, true, false))));
        let fault = Fault::Malformed(format!("stream {at}"));
        steps[at] = Some(Err(fault.clone()));
        stream.store.data_mut().steps = steps;
        assert_eq!(on!(stream, call_step, graph(), &task(5, 5)), Err(fault));
    }
}

#[test]
fn the_egraph_is_only_handed_on() {
    let mut stream = start(State::default());
    stream.store.data_mut().egraph.nodes.push((name(0), "a", Colors::BLUE));
    on!(stream, call_verify_color_constraint, graph(), Color::Red, &[name(0)]).unwrap();
    on!(stream, call_certify, graph(), &[]);
    assert_eq!(stream.store.data().egraph.calls, []);
}
