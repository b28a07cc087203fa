//! No input breaks an agent: programs that were damaged in any way are refused, or run to a result on which all agents agree.

mod support;

use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use eqmesh::{Engine, Limits, Session, Setup, program};
use proptest::prelude::*;

/// Texts to damage: the examples, and the cases of the language.
static TEXTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut texts = Vec::new();
    let mut folders = vec![
        support::root().join("examples"),
        support::root().join("crates/language/tests/cases"),
    ];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "egg") {
                texts.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }
    texts.sort();
    assert!(texts.len() > 20);
    texts
});

/// Damage to a text, by places that are taken modulo its length in tokens.
#[derive(Clone, Debug)]
enum Damage {
    Delete(usize),
    Repeat(usize),
    Swap(usize, usize),
    Replace(usize, String),
    Cut(usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let words = [
        "(",
        ")",
        "()",
        "?",
        "\"",
        "\"x\"",
        "-1",
        "9223372036854775807",
        "1e999",
        "NaN",
        "1/0",
        ":when",
        ":ruleset",
        ":color",
        "red",
        ":name",
        ":until",
        ":cost",
        "(Num 1)",
        "(+ 1 2)",
        "(= a b)",
        "(!= a b)",
        "_",
        "untyped",
        "rewrite",
        "union",
        "push",
        "pop",
        "fail",
        "i64",
        "String",
        "\u{0}",
        "ü",
        ";",
    ];
    let word = prop::sample::select(words.to_vec()).prop_map(str::to_owned);
    prop_oneof![
        any::<usize>().prop_map(Damage::Delete),
        any::<usize>().prop_map(Damage::Repeat),
        (any::<usize>(), any::<usize>()).prop_map(|(a, b)| Damage::Swap(a, b)),
        (any::<usize>(), word).prop_map(|(at, word)| Damage::Replace(at, word)),
        any::<usize>().prop_map(Damage::Cut),
    ]
}

/// Parentheses, and runs of anything else, with the blanks after them.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut open = false;
    for c in text.chars() {
        let single = matches!(c, '(' | ')');
        if single || !open || (c.is_whitespace() && tokens.is_empty()) {
            tokens.push(c.to_string());
        } else if let Some(last) = tokens.last_mut() {
            last.push(c);
        }
        open = !single && !c.is_whitespace();
        if c.is_whitespace() {
            open = false;
        }
    }
    tokens
}

fn apply(tokens: &mut Vec<String>, damage: &Damage) {
    let count = tokens.len();
    if count == 0 {
        return;
    }
    match damage {
        Damage::Delete(at) => drop(tokens.remove(at % count)),
        Damage::Repeat(at) => tokens.insert(at % count, tokens[at % count].clone()),
        Damage::Swap(a, b) => tokens.swap(a % count, b % count),
        Damage::Replace(at, word) => tokens[at % count] = format!("{word} "),
        Damage::Cut(at) => tokens.truncate(at % count),
    }
}

const LIMITS: Limits = Limits {
    rounds: Some(4),
    nodes: Some(2_000),
    matches: Some(50_000),
    time: Some(Duration::from_secs(20)),
};

fn holds_together(text: &str, engine: Engine) {
    let mut load = |_: &Path| Err(std::io::Error::from(std::io::ErrorKind::NotFound));
    let Ok(program) = eqmesh_language::read_program(Path::new("damaged.egg"), text.to_owned(), &mut load) else {
        // Refused, with diagnostics, whose places can be shown.
        let errors = program::of_text("damaged.egg", text).expect_err("refused again");
        assert!(!errors.diagnostics.is_empty() && !errors.to_string().is_empty());
        return;
    };
    let setup = Setup {
        agents: 3,
        coloring: true,
        engine,
    };
    let mut session = Session::new(setup, LIMITS).unwrap();
    session.execute(&program, &mut ());
    let report = session.report();
    assert_eq!(report.error, None, "{text}");
    assert!(report.converged, "{text}");
    serde_json::to_string(&report).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn damaged_programs_are_refused_or_run(which: prop::sample::Index, damages in prop::collection::vec(damage(), 1..4)) {
        let mut tokens = tokens(which.get::<String>(&TEXTS));
        for damage in &damages {
            apply(&mut tokens, damage);
        }
        holds_together(&tokens.concat(), Engine::Native);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn in_webassembly_too(which: prop::sample::Index, damages in prop::collection::vec(damage(), 0..2)) {
        let mut tokens = tokens(which.get::<String>(&TEXTS));
        for damage in &damages {
            apply(&mut tokens, damage);
        }
        holds_together(&tokens.concat(), Engine::Wasm);
    }
}
