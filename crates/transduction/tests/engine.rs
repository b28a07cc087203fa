//! What is compiled here does in the engine what its text says: programs in, facts checked.

use eqmesh_egraph::color::Color;
use eqmesh_egraph::extract::CostModel;
use eqmesh_replica::{AgentId, Budget, Dot, Options, Replica, Share};
use eqmesh_transduction::{Signature, Statement};

struct Run {
    signature: Signature,
    replica: Replica,
}

impl Run {
    /// Takes in a text and applies its rules for this many rounds.
    fn new(text: &str, rounds: usize) -> Run {
        let mut signature = Signature::new();
        let said = signature.elaborate(text).unwrap_or_else(|errors| panic!("{errors:?}"));
        let mut replica = Replica::new(Options {
            agent: AgentId(0),
            coloring: false,
        });
        for statement in said.statements {
            match statement {
                Statement::Declaration(operators) => replica.declare(&operators).expect("operators"),
                Statement::Rules(rules) => {
                    for rule in rules {
                        replica.add_rule(&rule.program).expect("a program");
                    }
                }
                Statement::Term(label, text) => {
                    replica.insert(&text, label.as_deref(), Color::Green).expect("a term");
                }
                Statement::Equality(left, right) => {
                    replica.unite(&left, &right).expect("two terms");
                }
                Statement::Ruleset(_) => {}
            }
        }
        replica.seal();
        replica.settle();
        let rules: Vec<Dot> = replica.rules().map(|(dot, _)| dot).collect();
        for _ in 0..rounds {
            let budget = Budget {
                matches: u64::MAX,
                nodes: u64::MAX,
            };
            replica
                .derive(&rules, Share { index: 0, count: 1 }, budget)
                .expect("known rules");
            replica.seal();
            let settled = replica.settle();
            assert_eq!(settled.refused, []);
        }
        Run { signature, replica }
    }

    fn holds(&mut self, facts: &str) -> bool {
        let program = self
            .signature
            .compile_query(facts)
            .unwrap_or_else(|errors| panic!("{errors:?}"));
        self.replica.query(&program, 1).expect("a query") > 0
    }

    fn best(&mut self, term: &str) -> String {
        let (term, _) = self.signature.resolve(term).expect("a term");
        let found = self
            .replica
            .extract(&term, 1, CostModel::Tree, eqmesh_egraph::color::Colors::MADE);
        found.expect("the term is there")[0].term.clone()
    }
}

const MATH: &str = "(datatype Math (Num i64) (Var String) (Add Math Math) (Mul Math Math) (Neg Math) (Zero))";

#[test]
fn arithmetic_is_computed_and_terms_simplify() {
    let text = format!(
        "{MATH}
        (rewrite (Add a b) (Add b a))
        (birewrite (Mul a (Add b c)) (Add (Mul a b) (Mul a c)))
        (rewrite (Add (Num x) (Num y)) (Num (+ x y)))
        (rewrite (Mul (Num x) (Num y)) (Num (* x y)))
        (rewrite (Mul (Num 1) a) a)
        (let start (Mul (Num 2) (Add (Num 3) (Var \"x\"))))
        (let other (Add (Num 6) (Mul (Num (+ 1 1)) (Var \"x\"))))"
    );
    let mut run = Run::new(&text, 5);
    assert!(run.holds("(= start other)"));
    assert!(run.holds("(= start (Add (Num 6) rest)) (= rest (Mul (Num n) (Var s))) (= n 2) (= s \"x\")"));
    assert!(run.holds("(!= start (Num 2))"));
    assert!(!run.holds("(!= start other)"));
    assert!(!run.holds("(= start (Num n))"));
    assert!(run.holds("(Num n) (> n 5)"));
    assert!(!run.holds("(Num n) (> n 6)"));
}

#[test]
fn conditions_hold_rules_back() {
    let text = format!(
        "{MATH}
        (rewrite (Mul a b) (Zero) :when ((= a (Zero))))
        (rewrite (Neg a) (Num (- 0 n)) :when ((= a (Num n)) (> n 0)))
        (rewrite (Add a b) a :when ((= b (Num n)) (= n 0)))
        (Mul (Zero) (Var \"x\")) (Mul (Var \"x\") (Zero))
        (Neg (Num 5)) (Neg (Num -5))
        (Add (Var \"x\") (Num 0)) (Add (Var \"x\") (Num 1))
        (Neg (Num -9223372036854775808))"
    );
    let mut run = Run::new(&text, 2);
    for (facts, expected) in [
        ("(= (Mul (Zero) (Var \"x\")) (Zero))", true),
        ("(= (Mul (Var \"x\") (Zero)) (Zero))", false),
        ("(= (Neg (Num 5)) (Num -5))", true),
        ("(= (Neg (Num -5)) (Num 5))", false),
        ("(= (Add (Var \"x\") (Num 0)) (Var \"x\"))", true),
        ("(= (Add (Var \"x\") (Num 1)) (Var \"x\"))", false),
    ] {
        assert_eq!(run.holds(facts), expected, "{facts}");
    }
}

#[test]
fn an_undefined_function_makes_no_match() {
    let text = format!(
        "{MATH}
        (rewrite (Add (Num x) (Num y)) (Num (+ x y)))
        (rewrite (Mul (Num x) (Num y)) (Num (/ x y)))
        (Add (Num 9223372036854775807) (Num 1)) (Mul (Num 1) (Num 0)) (Mul (Num 6) (Num 3))"
    );
    let mut run = Run::new(&text, 2);
    assert!(!run.holds("(= (Add a b) (Num n))"));
    assert!(!run.holds("(= (Mul (Num 1) (Num 0)) (Num n))"));
    assert!(run.holds("(= (Mul (Num 6) (Num 3)) (Num 2))"));
}

#[test]
fn labels_stand_in_rules_and_facts() {
    let text = format!(
        "{MATH}
        (let one (Num 1)) (let two (Add one one)) (let unused (Zero))
        (rewrite (Mul x one) x)
        (rewrite (Neg x) two)
        (Mul (Var \"a\") (Num 1)) (Mul (Var \"b\") (Num 2)) (Neg (Zero))"
    );
    let mut run = Run::new(&text, 1);
    assert!(run.holds("(= (Mul (Var \"a\") one) (Var \"a\"))"));
    assert!(!run.holds("(= (Mul (Var \"b\") x) (Var \"b\"))"));
    assert!(run.holds("(= (Neg unused) two)"));
    assert!(run.holds("(= two (Add x x)) (= x one)"));
}

#[test]
fn untyped_rules_simplify_untyped_terms() {
    let file = eqmesh_language::read_rules(
        "(+ ?a ?b) <=> (+ ?b ?a)\n(+ ?a 0) => ?a\n(* ?a 1) => ?a # one\nzero: (* ?a 0) ==> 0\n(f) => g\n",
        false,
    )
    .expect("rules");
    let terms = eqmesh_language::read_sexp("(+ 0 (* x 1)) (* (+ y f) 0)").expect("terms");
    let text: Vec<String> = file.forms.into_iter().chain(terms).map(|(_, text)| text).collect();
    let mut run = Run::new(&text.join("\n"), 3);
    assert_eq!(run.best("(untyped (+ 0 (* x 1)))"), "x");
    assert_eq!(run.best("(untyped (* (+ y f) 0))"), "0");
    assert!(run.holds("(untyped (= f (g)))"));
    assert!(run.holds("(= (untyped (+ ?x ?y)) (untyped x))"));
    assert!(!run.holds("(untyped (= x y))"));
}

#[test]
fn every_literal_comes_back_as_it_went_in() {
    let text = "(datatype L (I i64) (F f64) (B bool) (S String) (R Rational))";
    let terms = [
        "(I -9223372036854775808)",
        "(F -0.0)",
        "(F NaN)",
        "(F -inf)",
        "(F 1e300)",
        "(F 5e-324)",
        "(B false)",
        "(S \"quote \\\" backslash \\\\ line \\n tab \\t return \\r bell \u{7} umlaut ü semicolon ; paren )\")",
        "(S \"\")",
        "(R (rational -1 2))",
    ];
    let mut run = Run::new(&format!("{text} {}", terms.join(" ")), 0);
    for term in terms {
        assert_eq!(run.best(term), term);
        assert!(run.holds(term), "{term}");
    }
}
