//! Programs: painted, turned round, and refused when they are none.

use eqmesh_egraph::color::Color;
use eqmesh_egraph::program::{decode_query, decode_rule, encode_rule};
use eqmesh_egraph::rule::{Action, Atom, Operand, OperatorIndex, Rule, Variable};
use eqmesh_transduction::{Compiled, NotReversible, Signature, Statement, paint, reverse};
use proptest::prelude::*;

const DATATYPE: &str = "(datatype M (Num i64) (Var String) (Add M M) (Mul M M) (Neg M))";

fn rules(text: &str) -> Vec<Compiled> {
    let mut signature = Signature::new();
    signature.elaborate(DATATYPE).expect("a correct text");
    let said = signature.elaborate(text).unwrap_or_else(|errors| panic!("{errors:?}"));
    said.statements
        .into_iter()
        .flat_map(|own| match own {
            Statement::Rules(rules) => rules,
            _ => Vec::new(),
        })
        .collect()
}

fn rule(text: &str) -> Rule {
    decode_rule(&rules(text)[0].program).expect("what was compiled")
}

/// What a rule says, with operators by name and variables by where they first occur.
fn shape(rule: &Rule) -> Vec<String> {
    let mut numbers: Vec<Variable> = Vec::new();
    let mut number = |variable: Variable| {
        let known = numbers.iter().position(|own| *own == variable);
        let number = known.unwrap_or_else(|| {
            numbers.push(variable);
            numbers.len() - 1
        });
        format!("v{number}")
    };
    let mut operand = |own: &Operand| match own {
        Operand::Variable(variable) => number(*variable),
        Operand::Value(value) => value.to_string(),
    };
    let mut list = |own: &[Operand]| own.iter().map(&mut operand).collect::<Vec<_>>().join(" ");
    let name = |own: OperatorIndex| rule.query.operators[own.0 as usize].to_string();
    let class = |own: Variable| [Operand::Variable(own)];
    let mut lines = Vec::new();
    for atom in &rule.query.atoms {
        lines.push(match atom {
            Atom::Row {
                operator,
                arguments,
                class: own,
            } => {
                format!("{} {} in {}", name(*operator), list(arguments), list(&class(*own)))
            }
            Atom::Primitive {
                function,
                arguments,
                result,
            } => {
                format!(
                    "{function} {} is {}",
                    list(arguments),
                    list(std::slice::from_ref(result))
                )
            }
            Atom::Equal(a, b) => format!("{} = {}", list(std::slice::from_ref(a)), list(std::slice::from_ref(b))),
            Atom::Different(a, b) => format!("{} != {}", list(std::slice::from_ref(a)), list(std::slice::from_ref(b))),
        });
    }
    for action in &rule.actions {
        lines.push(match action {
            Action::Add {
                operator,
                arguments,
                class: own,
            } => {
                format!("add {} {} as {}", name(*operator), list(arguments), list(&class(*own)))
            }
            Action::Compute {
                function,
                arguments,
                result,
            } => {
                format!("compute {function} {} as {}", list(arguments), list(&class(*result)))
            }
            Action::Unite(a, b) => format!("unite {} {}", list(&class(*a)), list(&class(*b))),
        });
    }
    lines
}

#[test]
fn paint_sets_the_color_and_nothing_else() {
    let own = &rules("(rewrite (Add a b) (Add b a))")[0];
    let green = decode_rule(&own.program).expect("a rule");
    assert_eq!(green.color, Color::Green);
    for color in Color::ALL {
        let painted = decode_rule(&paint(&own.program, color).expect("a rule")).expect("a rule");
        assert_eq!(painted, Rule { color, ..green.clone() });
    }
    assert!(paint(&[], Color::Red).is_err());
    assert!(paint(b"\x01r junk", Color::Red).is_err());
}

#[test]
fn a_rule_turned_round_is_the_other_half_of_a_birewrite() {
    for text in [
        "(Mul a (Add b c)) (Add (Mul a b) (Mul a c))",
        "(Add a (Add b c)) (Add (Add a b) c)",
        "(Neg (Neg (Mul a (Num 1)))) (Mul a (Num 1))",
        "(Add a b) (Mul b a) :when ((= a (Num x)) (< x 3))",
        "(Mul (Num 2) a) (Add a a) :color red",
        "(Neg (Num x)) (Add (Num x) (Num (- 0 x)))",
    ] {
        let both = rules(&format!("(birewrite {text} :name \"n\")"));
        let [forth, back] = [&both[0], &both[1]].map(|own| decode_rule(&own.program).expect("a rule"));
        let turned = decode_rule(&reverse(&both[0].program).expect("reversible")).expect("a rule");
        assert_eq!(shape(&turned), shape(&back), "{text}");
        assert_eq!(turned.color, back.color, "{text}");
        assert_eq!(turned.name, "n-rev");
        let again = decode_rule(&reverse(&encode_rule(&turned)).expect("reversible")).expect("a rule");
        assert_eq!(shape(&again), shape(&forth), "{text}");
        assert_eq!((again.name, again.color), (forth.name.clone(), forth.color));
    }
}

#[test]
fn what_cannot_be_turned_round_says_why() {
    let reason = |text: &str| reverse(&encode_rule(&rule(text))).expect_err(text).to_string();
    assert_eq!(
        reason("(rewrite (Mul a b) (Neg b))"),
        "only one side of the rule has the variable `a`"
    );
    assert!(reason("(rewrite (Neg (Neg a)) a)").contains("no operator to begin with"));
    let unbound = reason("(rewrite (Num x) (Neg (Num (+ x 1))))");
    assert!(unbound.contains("before anything binds it"), "{unbound}");
    assert!(matches!(reverse(b"nonsense"), Err(NotReversible::Program(_))));
    let mut other = rule("(rewrite (Neg (Neg a)) (Add a a))");
    let Some(Action::Unite(a, b)) = other.actions.pop() else {
        panic!("a rewrite ends with its union")
    };
    assert!(matches!(
        reverse(&encode_rule(&other)),
        Err(NotReversible::NotARewrite(_))
    ));
    other.actions.push(Action::Unite(b, a));
    assert!(reverse(&encode_rule(&other)).is_ok(), "a union has no direction");
    // What one side writes twice and shares is matched once.
    let shared = rule("(rewrite (Neg (Mul a b)) (Add (Neg (Add a b)) (Neg (Add a b))))");
    let turned = decode_rule(&reverse(&encode_rule(&shared)).expect("reversible")).expect("a rule");
    assert_eq!((turned.query.atoms.len(), turned.actions.len()), (3, 3));
    let again = decode_rule(&reverse(&encode_rule(&turned)).expect("reversible")).expect("a rule");
    assert_eq!(shape(&again), shape(&shared));
}

#[test]
fn a_query_is_a_program_of_its_own_kind() {
    let mut signature = Signature::new();
    signature.elaborate(DATATYPE).expect("a correct text");
    let program = signature.compile_query("(!= (Num 1) (Num 2))").expect("a fact");
    assert!(decode_query(&program, true).is_ok());
    assert!(decode_query(&program, false).is_err(), "not monotone");
    assert!(paint(&program, Color::Red).is_err());
    assert!(signature.compile_query("(Num").is_err());
    assert_eq!(
        signature.resolve("(Num (+ 1 2))"),
        Ok(("(Num 3)".to_owned(), "M".to_owned()))
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes_that_are_no_program_are_refused(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let mut bytes = rules("(rewrite (Mul (Num x) (Add b c)) (Add (Mul (Num (+ x 1)) b) (Mul b c)))")[0].program.clone();
        for (place, byte) in edits {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        match decode_rule(&bytes) {
            Ok(rule) => {
                prop_assert_eq!(encode_rule(&rule), bytes.clone());
                if let Ok(turned) = reverse(&bytes) {
                    prop_assert!(decode_rule(&turned).is_ok());
                }
            }
            Err(_) => prop_assert!(paint(&bytes, Color::Red).is_err() && reverse(&bytes).is_err()),
        }
    }
}
