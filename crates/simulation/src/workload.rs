//! What the network is given to do.

use std::fmt::Write as _;

use eqmesh_language::{CommandKind, Program, ProgramErrors};

use crate::span::Span;

/// A text that somebody hands to an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// When. If the agent is down then, or has not heard of what the text uses, it is tried again at every tick.
    pub at: Span,
    /// To which agent, modulo their number.
    pub agent: u32,
    /// Declarations, rules and terms.
    pub text: String,
}

/// A program in one or more parts, which saturates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Its name or file.
    pub name: String,
    /// In the order in which they build on each other.
    pub submissions: Vec<Submission>,
}

/// The names of workloads that come with this crate, and what they are.
pub const NAMED: [(&str, &str); 3] = [
    (
        "tiny",
        "a handful of facts in two parts, handed to two agents: for many thousand networks",
    ),
    (
        "sums",
        "sums of four terms: associativity, commutativity and constants, some hundred facts",
    ),
    (
        "hundred",
        "a hundred facts in three generations: for many thousand agents",
    ),
];

const TINY: &str = "
    (datatype Math (Num i64) (Var String) (Add Math Math) (Neg Math))
    (rewrite (Add a b) (Add b a))
    (rewrite (Add a (Num 0)) a)
    (rewrite (Neg (Neg a)) a)
    (rewrite (Add (Num a) (Num b)) (Num (+ a b)))
    (birewrite (Neg (Add a b)) (Add (Neg a) (Neg b)))
    (let start (Neg (Neg (Add (Var \"x\") (Num 0)))))
";

const TINY_LATER: &str = "(let later (Add (Num 1) (Add (Num 2) start)))";

const SUMS: &str = "
    (datatype Math (Num i64) (Var String) (Add Math Math))
    (rewrite (Add a b) (Add b a))
    (birewrite (Add (Add a b) c) (Add a (Add b c)))
    (rewrite (Add (Num a) (Num b)) (Num (+ a b)))
    (let start (Add (Var \"x\") (Add (Num 1) (Add (Var \"y\") (Num 2)))))
";

const HUNDRED: &str = "
    (datatype Math (Num i64) (Var String) (Add Math Math) (Mul Math Math) (Double Math))
    (rewrite (Add a b) (Add b a))
    (rewrite (Mul a b) (Mul b a))
    (rewrite (Add a a) (Double a))
    (rewrite (Double a) (Mul (Num 2) a))
    (rewrite (Mul (Num a) (Num b)) (Num (* a b)))
";

impl Workload {
    /// One of [`NAMED`].
    pub fn named(name: &str) -> Option<Workload> {
        let submission = |millis, agent, text: &str| Submission {
            at: Span::millis(millis),
            agent,
            text: text.to_owned(),
        };
        let submissions = match name {
            "tiny" => vec![submission(0, 0, TINY), submission(2_500, 1, TINY_LATER)],
            "sums" => vec![submission(0, 0, SUMS)],
            "hundred" => {
                let mut text = HUNDRED.to_owned();
                for at in 0..12 {
                    let (x, y) = (format!("(Var \"x{at}\")"), format!("(Var \"y{at}\")"));
                    let _ = writeln!(text, "(Add (Mul (Num {at}) {x}) (Add {y} {y}))");
                }
                vec![submission(0, 0, &text)]
            }
            _ => return None,
        };
        Some(Workload {
            name: name.to_owned(),
            submissions,
        })
    }

    /// Declarations, rules and terms, handed to agent 0 at once.
    pub fn of_text(name: &str, text: String) -> Workload {
        Workload {
            name: name.to_owned(),
            submissions: vec![Submission {
                at: Span(0),
                agent: 0,
                text,
            }],
        }
    }

    /// The declarations, rules and terms of a program, handed to agent 0 at once. What else stands in it, such as `run` and `check`, is left out: a network that
    /// runs free runs until it is saturated. Fails if the program has scopes, which such a network has not.
    pub fn of_program(name: &str, program: &Program) -> Result<Workload, ProgramErrors> {
        program.without_scopes()?;
        let declarative = program
            .commands
            .iter()
            .filter(|own| own.kind == CommandKind::Declarative);
        let mut text = String::new();
        for command in declarative {
            text.push_str(&command.text);
            text.push('\n');
        }
        Ok(Workload::of_text(name, text))
    }
}
