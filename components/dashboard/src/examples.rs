//! `GET /view/examples`: programs to try a network with. Their rules come to an end, so that the network converges on them, and all are small.

use serde::Serialize;

/// Something to ask once the network has converged on a program.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Question {
    /// The cheapest term equal to this one.
    Extract { term: &'static str },
    /// Whether these facts hold.
    Check { facts: &'static str },
    /// Why two terms are equal.
    Explain { a: &'static str, b: &'static str },
}

#[derive(Serialize)]
pub(crate) struct Example {
    name: &'static str,
    title: &'static str,
    text: &'static str,
    questions: &'static [Question],
}

/// All of them, the smallest first.
pub(crate) const EXAMPLES: &[Example] = &[
    Example {
        name: "sums",
        title: "Sums and products",
        text: include_str!("../../../deploy/sums.egg"),
        questions: &[
            Question::Extract { term: "sum" },
            Question::Check {
                facts: "(= sum (Num 12))",
            },
            Question::Explain {
                a: "sum",
                b: "(Num 12)",
            },
        ],
    },
    Example {
        name: "boolean",
        title: "Truth values",
        text: include_str!("../../../examples/boolean.egg"),
        questions: &[
            Question::Extract { term: "either" },
            Question::Check {
                facts: "(= always (T))",
            },
            Question::Explain {
                a: "either",
                b: "(Or p q)",
            },
        ],
    },
    Example {
        name: "lists",
        title: "Lists, appended and reversed",
        text: include_str!("../../../examples/lists.egg"),
        questions: &[
            Question::Extract { term: "palindrome" },
            Question::Explain {
                a: "turned",
                b: "(Cons 3 (Cons 2 (Cons 1 (Nil))))",
            },
        ],
    },
    Example {
        name: "logic",
        title: "Propositional logic, with proofs",
        text: include_str!("../../../examples/logic.egg"),
        questions: &[
            Question::Extract { term: "ponens" },
            Question::Check {
                facts: "(= peirce (True))",
            },
            Question::Explain {
                a: "direct",
                b: "contrapositive",
            },
        ],
    },
];
