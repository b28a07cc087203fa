//! The component `transduction-2tdx`, alone: every function of its interface, and what it says about wrong texts.

use std::sync::LazyLock;

use eqmesh_egraph::color::Color as RuleColor;
use eqmesh_egraph::program::{decode_query, decode_rule};
use eqmesh_host_test::rules::{node, rewrite, variable};
use eqmesh_host_test::transduction::TransductionComponent;
use eqmesh_host_test::transduction::exports::eqmesh::network::transduction::{Compiled, Statement};
use eqmesh_host_test::types::{Color, Diagnostic, Label, Operator};
use eqmesh_host_test::{Instance, component};
use wasmtime::component::{Component, ResourceAny};

type Transduction = Instance<TransductionComponent>;

fn start() -> Transduction {
    static COMPONENT: LazyLock<Component> = LazyLock::new(|| component("transduction-2tdx"));
    Instance::new(
        (),
        |_| Ok(()),
        |store, linker| TransductionComponent::instantiate(store, &COMPONENT, linker),
    )
}

/// Calls a method of a signature.
macro_rules! on {
    ($transduction:ident, $signature:expr, $method:ident $(, $argument:expr)*) => {
        $transduction
            .world
            .eqmesh_network_transduction()
            .signature()
            .$method(&mut $transduction.store, $signature $(, $argument)*)
            .unwrap()
    };
}

/// Calls a function of the interface.
macro_rules! call {
    ($transduction:ident, $function:ident $(, $argument:expr)*) => {
        $transduction.world.eqmesh_network_transduction().$function(&mut $transduction.store $(, $argument)*).unwrap()
    };
}

fn signature(transduction: &mut Transduction) -> ResourceAny {
    let signatures = transduction.world.eqmesh_network_transduction().signature();
    signatures.call_constructor(&mut transduction.store).unwrap()
}

const MATH: &str = "(datatype Math (Num i64) (Var String) (Add Math Math) (Mul Math Math))";

fn operator(name: &str, columns: &[&str], sort: &str, cost: u64) -> Operator {
    let columns = columns.iter().map(|&column| column.to_owned()).collect();
    Operator {
        name: name.to_owned(),
        columns,
        sort: sort.to_owned(),
        cost,
    }
}

/// The only rules of the only statement.
fn rules(mut statements: Vec<Statement>) -> Vec<Compiled> {
    match (statements.pop(), statements.is_empty()) {
        (Some(Statement::Rules(rules)), true) => rules,
        (other, _) => panic!("expected rules and nothing else, got {other:?}"),
    }
}

#[test]
fn every_statement_is_elaborated() {
    let mut transduction = start();
    let signature = signature(&mut transduction);
    let text = format!(
        "{MATH} (sort Other) (constructor make (Math) Other :cost 7) (ruleset shape)
         (rewrite (Add a b) (Add b a) :ruleset shape)
         (birewrite (Add (Add a b) c) (Add a (Add b c)))
         (let two (Num (+ 1 1))) (Add two two) (union two (Num 2))"
    );
    let statements = on!(transduction, signature, call_elaborate, &text).unwrap();
    assert_eq!(statements.len(), 9, "{statements:?}");
    let Statement::Declaration(math) = &statements[0] else {
        panic!("{:?}", statements[0])
    };
    assert_eq!(math[0], operator("Num", &["i64"], "Math", math[0].cost));
    assert_eq!(math[2], operator("Add", &["Math", "Math"], "Math", math[2].cost));
    assert!(
        matches!(&statements[1], Statement::Declaration(none) if none.is_empty()),
        "{:?}",
        statements[1]
    );
    let Statement::Declaration(made) = &statements[2] else {
        panic!("{:?}", statements[2])
    };
    assert_eq!(made[..], [operator("make", &["Math"], "Other", 7)]);
    assert!(matches!(&statements[3], Statement::Ruleset(name) if name == "shape"));
    let (Statement::Rules(one), Statement::Rules(two)) = (&statements[4], &statements[5]) else {
        panic!("{:?} {:?}", statements[4], statements[5])
    };
    assert_eq!((one.len(), one[0].ruleset.as_str()), (1, "shape"));
    assert_eq!(
        two.iter().map(|rule| rule.inference.reversed).collect::<Vec<_>>(),
        [false, true]
    );
    let terms = [(Some("two"), "(Num 2)"), (None, "(Add two two)")];
    for (statement, (label, text)) in statements[6..8].iter().zip(terms) {
        let Statement::Term((known, term)) = statement else {
            panic!("{statement:?}")
        };
        assert_eq!((known.as_deref(), term.as_str()), (label, text));
    }
    let Statement::Equality((left, right)) = &statements[8] else {
        panic!("{:?}", statements[8])
    };
    assert_eq!((left.as_str(), right.as_str()), ("two", "(Num 2)"));
}

#[test]
fn programs_are_what_the_engine_reads() {
    let mut transduction = start();
    let signature = signature(&mut transduction);
    on!(transduction, signature, call_elaborate, MATH).unwrap();
    let text = "(rewrite (Mul a (Add b c)) (Add (Mul a b) (Mul a c)) :name \"distribute\")";
    let compiled = rules(on!(transduction, signature, call_elaborate, text).unwrap());
    assert_eq!(compiled[0].name, "distribute");
    let rule = decode_rule(&compiled[0].program).unwrap();
    assert_eq!(
        (rule.name.as_str(), rule.query.atoms.len(), rule.actions.len()),
        ("distribute", 2, 4)
    );
    // An operator node and each occurrence of a variable weigh one.
    let (left, right) = (&compiled[0].inference.left, &compiled[0].inference.right);
    assert_eq!((left.weight, right.weight), (5, 7));
    assert_eq!(compiled[0].inference.declared, None);
    let declared = "(rewrite (Add a b) (Add b a) :color red)";
    let compiled = rules(on!(transduction, signature, call_elaborate, declared).unwrap());
    assert_eq!(compiled[0].inference.declared, Some(Color::Red));
    let inference = &compiled[0].inference;
    assert_eq!(
        inference.left.left_first, inference.right.right_first,
        "commutativity is its own reverse"
    );
    assert_eq!(inference.right.left_first, inference.left.right_first);
}

#[test]
fn a_wrong_text_changes_nothing_and_all_mistakes_are_told() {
    let mut transduction = start();
    let signature = signature(&mut transduction);
    on!(transduction, signature, call_elaborate, MATH).unwrap();
    let text = "(let good (Num 1)) (rewrite (Add a b) (Add a c)) (Nosuch 1) (Add (Num 1))";
    let diagnostics: Vec<Diagnostic> = on!(transduction, signature, call_elaborate, text).unwrap_err();
    let errors: Vec<&Diagnostic> = diagnostics.iter().filter(|diagnostic| diagnostic.error).collect();
    assert_eq!(errors.len(), 3, "{diagnostics:?}");
    for error in &errors {
        assert!(error.start < error.end && error.end as usize <= text.len(), "{error:?}");
        assert!(!error.code.is_empty() && !error.message.is_empty());
    }
    assert!(
        text[errors[0].start as usize..errors[0].end as usize].contains('c'),
        "{:?}",
        errors[0]
    );
    // `good` was not declared.
    assert!(on!(transduction, signature, call_resolve, "good").is_err());
    for wrong in ["(", ")", "(let x", "\"open", "(datatype Math)", "(rewrite a (Num 1))"] {
        let diagnostics = on!(transduction, signature, call_elaborate, wrong).unwrap_err();
        assert!(
            diagnostics.iter().any(|diagnostic| diagnostic.error),
            "{wrong}: {diagnostics:?}"
        );
    }
}

#[test]
fn a_deep_text_does_not_overflow_the_stack() {
    let mut transduction = start();
    let signature = signature(&mut transduction);
    on!(transduction, signature, call_elaborate, "(datatype T (A) (F T))").unwrap();
    let term = format!("{}(A){}", "(F ".repeat(100_000), ")".repeat(100_000));
    let (text, sort) = on!(transduction, signature, call_resolve, &term).unwrap();
    assert_eq!((text.len(), sort.as_str()), (term.len(), "T"));
    assert!(on!(transduction, signature, call_elaborate, &"(".repeat(100_000)).is_err());
}

#[test]
fn what_others_declared_is_learned() {
    let mut transduction = start();
    let signature = signature(&mut transduction);
    assert!(on!(transduction, signature, call_resolve, "(F start)").is_err());
    let operators = [operator("A", &[], "T", 1), operator("F", &["T"], "T", 1)];
    let label = |name: &str, term: Option<&str>| Label {
        name: name.to_owned(),
        sort: "T".to_owned(),
        term: term.map(str::to_owned),
    };
    let labels = [label("start", Some("(F (A))")), label("hidden", None)];
    let rulesets = ["fast".to_owned()];
    on!(transduction, signature, call_learn, &operators, &labels, &rulesets);
    on!(transduction, signature, call_learn, &operators, &labels, &rulesets);
    assert!(on!(transduction, signature, call_compile_query, "(= start (F a))").is_ok());
    // A term that is not known cannot be matched.
    let diagnostics = on!(transduction, signature, call_compile_query, "(= hidden (F a))").unwrap_err();
    assert_eq!(diagnostics[0].code, "label-in-pattern");
    assert!(
        on!(
            transduction,
            signature,
            call_elaborate,
            "(rewrite (F (F x)) x :ruleset fast)"
        )
        .is_ok()
    );
    assert!(on!(transduction, signature, call_elaborate, "(ruleset fast)").is_err());
    let resolved = on!(transduction, signature, call_resolve, "(F start)").unwrap();
    assert_eq!(resolved, ("(F start)".to_owned(), "T".to_owned()));
    assert_eq!(
        rules(on!(transduction, signature, call_elaborate, "(rewrite (F x) x)").unwrap()).len(),
        1
    );
}

#[test]
fn scopes_forget_or_keep_what_was_declared() {
    let mut transduction = start();
    let signature = signature(&mut transduction);
    assert!(!on!(transduction, signature, call_pop) && !on!(transduction, signature, call_keep));
    on!(transduction, signature, call_elaborate, "(datatype T (A) (F T))").unwrap();
    on!(transduction, signature, call_push);
    on!(transduction, signature, call_elaborate, "(let kept (F (A)))").unwrap();
    on!(transduction, signature, call_push);
    on!(
        transduction,
        signature,
        call_elaborate,
        "(let forgotten (F kept)) (ruleset gone)"
    )
    .unwrap();
    assert!(on!(transduction, signature, call_pop));
    assert!(on!(transduction, signature, call_resolve, "forgotten").is_err());
    assert!(on!(transduction, signature, call_keep));
    assert!(on!(transduction, signature, call_resolve, "kept").is_ok());
    assert!(!on!(transduction, signature, call_pop));
    on!(
        transduction,
        signature,
        call_elaborate,
        "(let forgotten (A)) (ruleset gone)"
    )
    .unwrap();
}

#[test]
fn terms_are_resolved_to_canonical_text() {
    let mut transduction = start();
    let signature = signature(&mut transduction);
    on!(transduction, signature, call_elaborate, MATH).unwrap();
    let resolved = on!(
        transduction,
        signature,
        call_resolve,
        " ( Add (Num (* 2 3))  (Var \"x\") ) "
    )
    .unwrap();
    assert_eq!(resolved, ("(Add (Num 6) (Var \"x\"))".to_owned(), "Math".to_owned()));
    for wrong in [
        "(Add (Num 1))",
        "(Add (Num 1) 2)",
        "(Nosuch)",
        "(Num 1) (Num 2)",
        "",
        "(Num (/ 1 0))",
    ] {
        let diagnostics = on!(transduction, signature, call_resolve, wrong).unwrap_err();
        assert!(diagnostics.iter().any(|diagnostic| diagnostic.error), "{wrong}");
    }
}

#[test]
fn queries_are_compiled() {
    let mut transduction = start();
    let signature = signature(&mut transduction);
    on!(transduction, signature, call_elaborate, MATH).unwrap();
    let program = on!(
        transduction,
        signature,
        call_compile_query,
        "(= (Add a b) (Add b a)) (!= a b)"
    )
    .unwrap();
    let query = decode_query(&program, true).unwrap();
    assert_eq!(query.operators.len(), 1);
    assert!(
        decode_query(&program, false).is_err(),
        "a difference is for checks only"
    );
    assert!(on!(transduction, signature, call_compile_query, "(= (Nosuch) a)").is_err());
    assert!(on!(transduction, signature, call_compile_query, "(=").is_err());
}

#[test]
fn programs_are_painted() {
    let mut transduction = start();
    let sum = node("+", [variable("x"), variable("y")]);
    let program = rewrite("r", "s", RuleColor::Green, &sum, &node("f", [sum.clone()]));
    let colors = [
        (Color::Red, RuleColor::Red),
        (Color::Blue, RuleColor::Blue),
        (Color::Green, RuleColor::Green),
    ];
    for (color, expected) in colors {
        let painted = call!(transduction, call_paint, &program, color).unwrap();
        let mut rule = decode_rule(&painted).unwrap();
        assert_eq!(rule.color, expected);
        rule.color = RuleColor::Green;
        assert_eq!(rule, decode_rule(&program).unwrap(), "nothing else changes");
    }
    assert!(call!(transduction, call_paint, &[1, 2, 3], Color::Red).is_err());
    assert!(call!(transduction, call_paint, &program[..program.len() - 1], Color::Red).is_err());
}

#[test]
fn programs_are_reversed() {
    let mut transduction = start();
    let [x, y, z] = ["x", "y", "z"].map(|name| move || variable(name));
    let left = node("*", [x(), node("+", [y(), z()])]);
    let right = node("+", [node("*", [x(), y()]), node("*", [x(), z()])]);
    let program = rewrite("distribute", "", RuleColor::Red, &left, &right);
    let reversed = call!(transduction, call_reverse, &program).unwrap();
    let rule = decode_rule(&reversed).unwrap();
    assert_eq!(rule.color, RuleColor::Blue);
    assert_eq!(rule.query.atoms.len(), 3, "what was built is now matched");
    assert_eq!(rule.actions.len(), 3, "two nodes and a union");
    let back = decode_rule(&call!(transduction, call_reverse, &reversed).unwrap()).unwrap();
    assert_eq!(
        (back.color, back.query.atoms.len(), back.actions.len()),
        (RuleColor::Red, 2, 4)
    );
    let loses = rewrite("loses", "", RuleColor::Blue, &node("*", [x(), y()]), &node("f", [x()]));
    let refusal = call!(transduction, call_reverse, &loses).unwrap_err();
    assert!(
        refusal.contains("`y`") || refusal.contains("?y"),
        "`{refusal}` does not name the variable"
    );
    // Nothing matches a variable alone.
    let bare = rewrite("bare", "", RuleColor::Blue, &node("f", [x()]), &x());
    assert!(call!(transduction, call_reverse, &bare).is_err());
    assert!(call!(transduction, call_reverse, &[0xff]).is_err());
}
