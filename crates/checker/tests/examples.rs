//! What the examples explain, by nine agents, holds; and no change of a step goes unnoticed.

mod common;

use std::path::{Path, PathBuf};

use common::Network;
use eqmesh_checker::{Answered, Direction, Explanation, Outcome, RunError, Theory, check_run};
use eqmesh_language::read_program;
use serde_json::Value;

fn example(name: &str) -> (PathBuf, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name);
    let text = std::fs::read_to_string(&path).expect(name);
    (path, text)
}

fn run(path: &Path, text: &str, agents: u32) -> (Network, Value) {
    let program =
        read_program(path, text.to_owned(), &mut |path| std::fs::read_to_string(path)).expect("a sound program");
    let mut network = Network::new(agents);
    let document = network.run(&program);
    (network, document)
}

fn check(path: &Path, text: &str, document: &Value) -> Result<Vec<Answered>, RunError> {
    let files = [(path.to_owned(), text.to_owned())];
    check_run(&files, &document.to_string(), &[], &mut |path| {
        std::fs::read_to_string(path)
    })
}

fn holds(path: &Path, text: &str, document: &Value) -> Vec<usize> {
    let answered = check(path, text, document).expect("a document of this program");
    let steps = |own: Answered| match own.outcome {
        Outcome::Holds(verdict) => {
            assert_eq!(verdict.trusted, Vec::<String>::new());
            verdict.steps
        }
        other => panic!("{}, line {}: {other:?}", path.display(), own.line),
    };
    answered.into_iter().map(steps).collect()
}

#[test]
fn the_examples_hold() {
    for name in ["calculus.egg", "logic.egg"] {
        let (path, text) = example(name);
        for agents in [1, 9] {
            let (_, document) = run(&path, &text, agents);
            let steps = holds(&path, &text, &document);
            println!("{name} by {agents}: {steps:?} steps");
            assert!(steps.iter().all(|&count| count > 0));
        }
    }
}

#[test]
fn untyped_terms_are_explained() {
    let (path, text) = example("numerics.egg");
    let text =
        format!("{text}\n(explain products (untyped (* x y)))\n(explain square (untyped (* (+ u v) (+ u v))))\n");
    let (_, document) = run(&path, &text, 3);
    let steps = holds(&path, &text, &document);
    println!("numerics by 3: {steps:?} steps");
}

/// A program with everything that a step may rest on.
const CONDITIONS: &str = r#"
(datatype M (Num i64) (Var String) (Add M M) (Mul M M) (Div M M) (Safe M))
(let two (Num 2))
(rewrite (Add a b) (Add b a) :name "commute")
(birewrite (Mul a two) (Add a a) :name "double")
(rewrite (Mul a b) (Num (* x y)) :when ((= a (Num x)) (= b (Num y))) :name "fold")
(rewrite (Div a b) (Num 1) :when ((= a b) (Safe b)) :name "unit")
(rewrite (Div (Mul a b) b) a :when ((= b (Num n)) (!= n 0)) :name "cancel")
(rewrite (Add a (Num 0)) a)
(let q (Div (Add (Num 3) (Mul two (Num 5))) (Add (Mul (Num 5) (Num 2)) (Num 3))))
(Safe (Add (Num 3) (Num 10)))
(let k (Var "k"))
(union k (Mul (Num 2) (Num 3)))
(let r (Div (Mul (Var "x") k) (Num 6)))
(Mul k (Num 2))
(Add (Num 6) (Num 6))
(run 6)
(explain q (Num 1))
(explain r (Var "x"))
(explain (Mul k (Num 2)) (Add (Num 6) (Num 6)))
(push)
(union (Num 1) (Var "one"))
(explain (Var "one") q)
(pop)
"#;

#[test]
fn conditions_rest_on_lemmas() {
    let path = Path::new("conditions.egg");
    let (_, document) = run(path, CONDITIONS, 3);
    assert_eq!(holds(path, CONDITIONS, &document).len(), 4);
    let lemmas = |at: usize| document["results"][at]["lemmas"].as_array().map_or(0, Vec::len);
    // The numbers that are divided are the same term, so nothing is to be proven there.
    assert_eq!(
        [lemmas(0), lemmas(1), lemmas(2), lemmas(3)],
        [2, 0, 0, 2],
        "{document:#}"
    );
}

/// Every way in which one step can be wrong: with each a document that has to be refused.
fn mutations(explanation: &Explanation) -> Vec<(String, Explanation)> {
    let mut all = Vec::new();
    let chains = 1 + explanation.lemmas.len();
    for chain in 0..chains {
        let steps_of = |own: &Explanation| match chain {
            0 => own.steps.clone(),
            lemma => own.lemmas[lemma - 1].steps.clone(),
        };
        let steps = steps_of(explanation);
        for at in 0..steps.len() {
            let mut add = |what: &str, change: &dyn Fn(&mut Vec<eqmesh_checker::Step>)| {
                let mut own = explanation.clone();
                let steps = match chain {
                    0 => &mut own.steps,
                    lemma => &mut own.lemmas[lemma - 1].steps,
                };
                change(steps);
                all.push((format!("{what}, chain {chain}, step {at}"), own));
            };
            add("dropped", &|steps| {
                steps.remove(at);
            });
            add("twice", &|steps| steps.insert(at, steps[at].clone()));
            add("swapped terms", &|steps| {
                let step = &mut steps[at];
                std::mem::swap(&mut step.before, &mut step.after);
            });
            add("other direction", &|steps| {
                steps[at].direction = match steps[at].direction {
                    Direction::Forward => Direction::Backward,
                    Direction::Backward => Direction::Forward,
                };
            });
            add("no such rule", &|steps| steps[at].rule.push('?'));
            add("deeper place", &|steps| steps[at].place.push(0));
            add("other place", &|steps| {
                if let Some(last) = steps[at].place.last_mut() {
                    *last += 1;
                } else {
                    steps[at].place.push(1);
                }
            });
            if !steps[at].place.is_empty() {
                add("higher place", &|steps| {
                    steps[at].place.pop();
                });
            }
            for name in steps[at].substitution.keys() {
                add("other substitution", &|steps| {
                    let term = steps[at].substitution.get_mut(name).expect("it is there");
                    *term = if term == "7" { "8".to_owned() } else { "7".to_owned() };
                });
                add("lost substitution", &|steps| {
                    steps[at].substitution.remove(name);
                });
            }
            add("strange substitution", &|steps| {
                steps[at].substitution.insert("stranger".to_owned(), "1".to_owned());
            });
            add("strange lemma", &|steps| steps[at].lemmas.push(99));
            if !steps[at].lemmas.is_empty() {
                add("no lemmas", &|steps| steps[at].lemmas.clear());
            }
            add("another term", &|steps| steps[at].after.push_str(" x"));
            add("nothing changed", &|steps| {
                let step = &mut steps[at];
                step.after.clone_from(&step.before);
            });
        }
        if let Some(number) = chain.checked_sub(1) {
            let mut own = explanation.clone();
            let lemma = &mut own.lemmas[number];
            lemma.right.clone_from(&lemma.left);
            all.push((format!("lemma {number} says nothing"), own));
        }
    }
    all
}

#[test]
fn no_change_goes_unnoticed() {
    let (calculus_path, calculus) = example("calculus.egg");
    let mut count = 0;
    for (path, text) in [
        (calculus_path.as_path(), calculus),
        (Path::new("conditions.egg"), CONDITIONS.to_owned()),
    ] {
        let (_, document) = run(path, &text, 3);
        for at in 0..document["results"].as_array().expect("results").len() {
            let explanation: Explanation = serde_json::from_value(document["results"][at].clone()).expect("its form");
            for (what, wrong) in mutations(&explanation) {
                if wrong == explanation {
                    continue;
                }
                let mut changed = document.clone();
                changed["results"][at]["steps"] = serde_json::to_value(&wrong.steps).expect("plain");
                changed["results"][at]["lemmas"] = serde_json::to_value(&wrong.lemmas).expect("plain");
                let answered = check(path, &text, &changed).expect("a document of this program");
                assert!(
                    matches!(answered[at].outcome, Outcome::Refused(_)),
                    "{}: {what}: {:?}\n{wrong:#?}",
                    path.display(),
                    answered[at]
                );
                count += 1;
            }
            // With any one of its rules gone, it does not hold.
            let names: std::collections::BTreeSet<&str> = explanation
                .steps
                .iter()
                .chain(explanation.lemmas.iter().flat_map(|lemma| &lemma.steps))
                .map(|step| step.rule.trim_end_matches("-rev"))
                .collect();
            for name in names {
                let lines: Vec<&str> = text.lines().collect();
                let without: Vec<&str> = lines
                    .into_iter()
                    .map(|line| {
                        if line.contains(&format!(":name \"{name}\"")) {
                            ""
                        } else {
                            line
                        }
                    })
                    .collect();
                let without = without.join("\n");
                if without.trim_end() == text.trim_end() {
                    continue;
                }
                let answered = check(path, &without, &document).expect("a document of this program");
                assert!(matches!(answered[at].outcome, Outcome::Refused(_)), "without {name}");
                count += 1;
            }
        }
    }
    println!("{count} changes were refused");
    assert!(count > 200, "{count}");
}

#[test]
fn a_document_of_another_program_is_refused() {
    let (path, text) = example("logic.egg");
    let (_, document) = run(&path, &text, 1);
    let moved = format!("\n{text}");
    assert!(matches!(
        check(&path, &moved, &document),
        Err(RunError::Stranger { .. })
    ));
    let asked_less = text.replace("(explain direct contrapositive)", "");
    assert!(matches!(
        check(&path, &asked_less, &document),
        Err(RunError::TooMany(1))
    ));
    let asked_more = format!("{text}(explain p p)\n");
    assert!(matches!(
        check(&path, &asked_more, &document),
        Err(RunError::Stranger { .. })
    ));
    let mut other = document.clone();
    other["schema"] = "eqmesh.run/2".into();
    assert!(matches!(check(&path, &text, &other), Err(RunError::Schema(_))));
    let mut unanswered = document.clone();
    unanswered["results"][0] = serde_json::json!({
        "command": "explain", "line": document["results"][0]["line"], "input": "", "error": "not known to be equal"
    });
    let answered = check(&path, &text, &unanswered).expect("a document of this program");
    assert!(matches!(&answered[0].outcome, Outcome::Unanswered(why) if why == "not known to be equal"));
}

#[test]
fn rules_of_a_scope_are_forgotten_with_it() {
    let text = "(datatype M (A) (B))\n(push)\n(union (A) (B))\n(pop)\n(explain (A) (B))\n";
    let document = serde_json::json!({ "schema": "eqmesh.run/1", "results": [{
        "command": "explain", "line": 5, "steps": [{
            "before": "(A)", "after": "(B)", "reason": "asserted", "rule": "union", "direction": "forward", "place": [],
            "fact": { "agent": 1, "incarnation": 7, "sequence": 3 }
        }]
    }] });
    let path = Path::new("scope.egg");
    let outcome = |text: &str| check(path, text, &document).expect("its document").remove(0).outcome;
    let Outcome::Refused(refusal) = outcome(text) else {
        panic!("it was popped");
    };
    assert_eq!(refusal.to_string(), "step 1: the program does not assert `(A)` = `(B)`");
    let kept = text.replace("(pop)", "");
    assert!(matches!(outcome(&kept), Outcome::Holds(_)));
}

#[test]
fn a_term_that_is_to_be_there_is_stated_or_taken_on_trust() {
    let rules = "(datatype M (A) (B) (S M) (T M)) (rewrite (T x) x :when ((S x)) :name \"safe\")";
    let explanation: Explanation = serde_json::from_value(serde_json::json!({ "steps": [{
        "before": "(T (A))", "after": "(A)", "reason": "rule", "rule": "safe", "direction": "forward", "place": [],
        "substitution": { "x": "(A)" }, "fact": { "agent": 0, "sequence": 1 }
    }] }))
    .expect("its form");
    let mut theory = Theory::new();
    theory.read(rules).expect("a program");
    let (left, right) = (
        theory.term("(T (A))").expect("a term"),
        theory.term("(A)").expect("a term"),
    );
    let verdict = theory.check(&left, &right, &explanation).expect("it holds, on trust");
    assert_eq!(verdict.trusted, ["(S (A))"]);
    theory.read("(T (S (A)))").expect("a term");
    let verdict = theory.check(&left, &right, &explanation).expect("it holds");
    assert_eq!(verdict.trusted, Vec::<String>::new());
}

#[test]
fn what_is_compacted_is_trusted_or_not_checkable() {
    let text = "(datatype M (A) (B) (C) (S M))\n(union (B) (C))\n(explain (S (A)) (S (C)))\n";
    let digest = "1f".repeat(32);
    let compacted = serde_json::json!({
        "before": "(S (A))", "after": "(S (B))", "reason": "compacted", "snapshot": digest, "direction": "forward", "place": [0],
    });
    let asserted = serde_json::json!({
        "before": "(S (B))", "after": "(S (C))", "reason": "asserted", "rule": "union", "direction": "forward", "place": [0],
        "fact": { "agent": 1, "sequence": 3 }
    });
    let outcome = |steps: &[&Value], trusted: &[String]| {
        let document = serde_json::json!({ "schema": "eqmesh.run/1", "results": [{
            "command": "explain", "line": 3, "steps": steps
        }] });
        let files = [(PathBuf::from("compacted.egg"), text.to_owned())];
        let answered = check_run(&files, &document.to_string(), trusted, &mut |path| {
            std::fs::read_to_string(path)
        });
        answered.expect("its document").remove(0).outcome
    };
    let steps = [&compacted, &asserted];
    let Outcome::Holds(verdict) = outcome(&steps, &[digest.to_uppercase()]) else {
        panic!("the snapshot is trusted");
    };
    assert_eq!((verdict.steps, verdict.compacted), (2, 1));
    for trusted in [vec![], vec!["2f".repeat(32)]] {
        let Outcome::NotCheckable(refusal) = outcome(&steps, &trusted) else {
            panic!("nobody trusts the snapshot");
        };
        assert_eq!(
            refusal.to_string(),
            format!("step 1: not checkable: compacted into the snapshot {digest}, which is not trusted")
        );
    }
    // What is false is said first, whether the snapshot is trusted or not; and a snapshot says nothing of what stands elsewhere.
    let refused = |changed: usize, key: &str, value: Value| {
        let mut steps = steps.map(Value::clone);
        steps[changed][key] = value;
        let steps = [&steps[0], &steps[1]];
        let Outcome::Refused(trusting) = outcome(&steps, std::slice::from_ref(&digest)) else {
            panic!("it was made false");
        };
        assert_eq!(outcome(&steps, &[]), Outcome::Refused(trusting.clone()));
        trusting.to_string()
    };
    let of_assertion = "a step by a rule or an assertion has a fact, and no snapshot";
    let of_snapshot = "a compacted step has a snapshot, and neither rule, nor substitution, nor lemmas, nor fact";
    assert!(refused(1, "after", "(S (A))".into()).contains("does not assert"));
    assert!(refused(0, "place", serde_json::json!([1])).contains("no place"));
    assert!(refused(1, "fact", Value::Null).contains(of_assertion));
    assert!(refused(1, "snapshot", digest.as_str().into()).contains(of_assertion));
    assert!(refused(0, "snapshot", Value::Null).contains(of_snapshot));
    assert!(refused(0, "rule", "union".into()).contains(of_snapshot));
    assert!(refused(0, "fact", serde_json::json!({ "agent": 1, "sequence": 3 })).contains(of_snapshot));
    assert!(refused(0, "substitution", serde_json::json!({ "x": "(A)" })).contains(of_snapshot));
}
