//! Commands of egglog that are not supported: what each one is told.

use std::ops::Range;

use crate::diagnostic::Diagnostic;

const LATER: &str = "not yet supported; it will come in a later version";

/// Each command, why it is refused, and what to do.
const REFUSED: [(&str, &str, &str); 19] = [
    (
        "relation",
        LATER,
        "a constructor into a sort of your own does for facts about terms",
    ),
    (
        "rule",
        LATER,
        "`rewrite` with `:when` does for rules that add an equality",
    ),
    ("function", LATER, "use `constructor` where the result is a term"),
    ("set", LATER, "use `union` where the result is a term"),
    ("simplify", LATER, "run the rules, then `extract` the term"),
    ("query-extract", LATER, "use `extract`"),
    ("input", LATER, "write the terms into a file and `include` it"),
    ("output", LATER, "use `extract` or `print-function`"),
    (
        "datatype*",
        LATER,
        "declare the sorts with `sort`, then each operator with `constructor`",
    ),
    ("with-ruleset", LATER, "give each rule its own `:ruleset`"),
    ("unstable-combined-ruleset", LATER, "name each ruleset in a schedule"),
    ("prove", LATER, "use `explain`"),
    ("prove-exists", LATER, "use `explain`"),
    ("print-stats", LATER, "use `print-size`"),
    (
        "delete",
        "not supported: a network only ever adds facts",
        "leave it out",
    ),
    (
        "subsume",
        "not supported: a network only ever adds facts",
        "leave it out",
    ),
    (
        "panic",
        "not supported: no input may stop an agent",
        "use `(fail (check …))`",
    ),
    (
        "declare",
        "not supported: egglog 1.0 removed it",
        "use `constructor` and `let`",
    ),
    ("calc", "not supported: egglog removed it", "use `check` or `explain`"),
];

/// What to say of a command that is refused by name.
pub(crate) fn of_command(head: &str, place: &Range<usize>) -> Option<Diagnostic> {
    let found = REFUSED.iter().find(|(name, ..)| *name == head);
    let (why, help) = match found {
        Some((_, why, help)) => (*why, *help),
        None if head.starts_with("unstable-") => (LATER, "leave it out"),
        None => return None,
    };
    Some(Diagnostic::error("not-supported", place.clone(), format!("`{head}` is {why}")).help(help))
}
