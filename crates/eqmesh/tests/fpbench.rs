//! Why agents go on from each other's results: on floating-point programs of FPBench, a network that exchanges facts after every round finds cheaper terms
//! than any color alone, as cheap as one agent with all rules; one merge at the end finds nothing more than the best color.

mod support;

use eqmesh::{Answer, Engine, Limits};
use eqmesh_egraph::color::{Color, Colors};
use eqmesh_egraph::extract::CostModel;
use eqmesh_replica::{AgentId, Budget, Dot, Options, Replica, Share};
use eqmesh_transduction::{Signature, Statement, paint};
use support::fpcore::expressions;
use support::run;

/// Building, by polarity: RED,
const RED: &str = "
    (untyped (rewrite (* ?a (+ ?b ?c)) (+ (* ?a ?b) (* ?a ?c))))
    (untyped (rewrite (+ (+ ?a ?b) ?c) (+ ?a (+ ?b ?c)) :color red))
    (untyped (rewrite (* (* ?a ?b) ?c) (* ?a (* ?b ?c)) :color red))
    (untyped (rewrite (- ?a ?b) (+ ?a (* -1 ?b))))
";
/// taking apart: BLUE,
const BLUE: &str = "
    (untyped (rewrite (+ (* ?a ?b) (* ?a ?c)) (* ?a (+ ?b ?c))))
    (untyped (rewrite (+ ?a (+ ?b ?c)) (+ (+ ?a ?b) ?c) :color blue))
    (untyped (rewrite (* ?a (* ?b ?c)) (* (* ?a ?b) ?c) :color blue))
    (untyped (rewrite (+ ?a (* -1 ?b)) (- ?a ?b)))
    (untyped (rewrite (- ?a ?a) 0))
    (untyped (rewrite (/ ?a ?a) 1))
    (untyped (rewrite (+ ?a 0) ?a))
    (untyped (rewrite (* ?a 0) 0))
    (untyped (rewrite (* ?a 1) ?a))
    (untyped (rewrite (* -1 (* -1 ?a)) ?a))
";
/// turning round: GREEN.
const GREEN: &str = "
    (untyped (rewrite (+ ?a ?b) (+ ?b ?a)))
    (untyped (rewrite (* ?a ?b) (* ?b ?a)))
";

const ROUNDS: u32 = 5;

/// The expressions of the shipped files, small enough that all rules run to the end of the rounds.
fn inputs() -> Vec<String> {
    let mut inputs = Vec::new();
    for entry in std::fs::read_dir(support::root().join("examples/fpbench")).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_some_and(|extension| extension == "fpcore") {
            inputs.extend(expressions(&std::fs::read_to_string(file).unwrap()));
        }
    }
    inputs.retain(|input| input.matches('(').count() <= 40);
    inputs.sort();
    inputs.dedup();
    inputs
}

/// The sizes of the cheapest terms together.
fn total(inputs: &[String], rules: &str, agents: u32) -> u64 {
    let cost = |input: &String| {
        let text = format!("{rules}(untyped {input})\n(run {ROUNDS})\n(extract (untyped {input}))");
        let report = run(&text, agents, true, Engine::Native, Limits::default());
        match report.results[0].answer {
            Answer::Extract { cost, .. } => cost,
            ref other => panic!("{other:?}"),
        }
    };
    inputs.iter().map(cost).sum()
}

/// Three replicas that each run the rules of one color by themselves, and exchange facts once, at the end.
fn merged_at_the_end(inputs: &[String]) -> u64 {
    inputs.iter().map(|input| merged(input)).sum()
}

fn merged(input: &str) -> u64 {
    let mut replicas = [0, 1, 2].map(|id| {
        Replica::new(Options {
            agent: AgentId(id),
            coloring: false,
        })
    });
    let mut signature = Signature::new();
    let mut rules: [Vec<Dot>; 3] = Default::default();
    let texts = [(RED, Color::Red), (BLUE, Color::Blue), (GREEN, Color::Green)];
    let first = &mut replicas[0];
    let mut state = |text: &str, color: Color, dots: &mut Vec<Dot>| {
        for statement in signature.elaborate(text).unwrap().statements {
            match statement {
                Statement::Declaration(operators) => first.declare(&operators).unwrap(),
                Statement::Rules(all) => dots.extend(
                    all.iter()
                        .map(|rule| first.add_rule(&paint(&rule.program, color).unwrap()).unwrap()),
                ),
                Statement::Term(label, text) => {
                    first.insert(&text, label.as_deref(), color).unwrap();
                }
                other => panic!("{other:?}"),
            }
        }
    };
    for ((text, color), dots) in texts.into_iter().zip(&mut rules) {
        state(text, color, dots);
    }
    state(&format!("(untyped {input})"), Color::Green, &mut Vec::new());
    let given = replicas[0].seal().unwrap();
    let mut blocks = Vec::new();
    for (replica, rules) in replicas.iter_mut().zip(&rules) {
        replica.receive(&given).unwrap();
        replica.settle();
        for _ in 0..ROUNDS {
            let everything = Budget {
                matches: u64::MAX,
                nodes: u64::MAX,
            };
            replica.derive(rules, Share { index: 0, count: 1 }, everything).unwrap();
            blocks.extend(replica.seal());
            replica.settle();
        }
    }
    for block in &blocks {
        replicas[0].receive(block).unwrap();
    }
    let settled = replicas[0].settle();
    assert_eq!((settled.waiting, settled.refused), (0, Vec::new()));
    replicas[0].extract(input, 1, CostModel::Tree, Colors::MADE).unwrap()[0].cost
}

#[test]
fn the_network_finds_cheaper_terms_than_any_color_alone() {
    let inputs = inputs();
    assert!(inputs.len() >= 20, "{} expressions", inputs.len());
    let all = [RED, BLUE, GREEN].concat();
    let network = total(&inputs, &all, 9);
    assert_eq!(total(&inputs, &all, 1), network, "the same as one agent with all rules");
    let alone = [RED, BLUE, GREEN].map(|rules| total(&inputs, rules, 1));
    let best = *alone.iter().min().expect("three colors");
    let merged = merged_at_the_end(&inputs);
    println!(
        "{} expressions: {network} together, {alone:?} alone, {merged} merged at the end",
        inputs.len()
    );
    assert!(network < best, "{network} together, {alone:?} alone");
    assert_eq!(merged, best, "one merge at the end finds nothing more");
}
