//! Inputs that nobody expects: mutated programs, nesting without end, large files; and what must hold of every one.

use std::path::Path;
use std::time::Instant;

use eqmesh_egraph::program::{decode_query, decode_rule, encode_query, encode_rule};
use eqmesh_egraph::term::Label;
use eqmesh_language::reader::Forms;
use eqmesh_language::{Signature, Statement, read_program, read_rules, read_sexp};
use proptest::prelude::*;

const DEPTH: usize = 100_000;

fn nested(open: &str, inner: &str) -> String {
    format!("{}{inner}{}", open.repeat(DEPTH), ")".repeat(DEPTH))
}

fn corpus() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder of cases") {
        let folder = entry.expect("an entry").path();
        for name in ["input.egg", "input.rules", "input.sexp"] {
            texts.extend(std::fs::read_to_string(folder.join(name)));
        }
    }
    texts.sort();
    assert!(texts.len() > 20);
    texts
}

/// Reads a text in every way there is.
fn read_all(text: &str) {
    let mut load = |_: &Path| Ok("(sort Included)".to_owned());
    for name in ["a.egg", "a.rules", "a.sexp"] {
        if let Err(errors) = read_program(Path::new(name), text.to_owned(), &mut load) {
            assert!(errors.diagnostics.iter().any(|(_, own)| own.error));
            for (file, own) in &errors.diagnostics {
                assert!(
                    errors.files[*file].text.get(own.span.clone()).is_some(),
                    "{own:?} is no place in {text:?}"
                );
            }
            assert!(!errors.to_string().is_empty());
        }
    }
    let lenient = read_rules(text, true).expect("a lenient reader refuses nothing");
    let mut signature = Signature::new();
    for (_, rule) in &lenient.forms {
        signature.elaborate(rule).expect("what was read can be elaborated");
    }
    for (_, term) in read_sexp(text).unwrap_or_default() {
        signature.elaborate(&term).expect("what was read can be elaborated");
    }
    let mut signature = Signature::new();
    if let Ok(said) = signature.elaborate(text) {
        for statement in &said.statements {
            if let Statement::Rules(rules) = statement {
                for own in rules {
                    assert_eq!(
                        decode_rule(&encode_rule(&own.rule)).as_ref(),
                        Ok(&own.rule),
                        "{}",
                        own.text
                    );
                }
            }
        }
    }
    if let Ok(query) = signature.compile_query(text) {
        assert_eq!(decode_query(&encode_query(&query), true).as_ref(), Ok(&query));
    }
    if let Ok((canonical, sort)) = signature.resolve(text) {
        // A symbol alone is a label; an untyped term says so where it stands among typed ones.
        let again = if sort == "_" && canonical.starts_with('(') {
            format!("(untyped {canonical})")
        } else {
            canonical.clone()
        };
        assert!(
            signature.resolve(&again) == Ok((canonical, sort)),
            "a canonical text stands for itself"
        );
    }
    if let Ok(forms) = Forms::read(text) {
        for form in forms.roots() {
            let printed = forms.print(form);
            let again = Forms::read(&printed).expect("what was printed can be read");
            let root = again.roots().next().expect("one form");
            assert_eq!(again.print(root), printed);
            assert_eq!(again.roots().count(), 1);
        }
    }
}

fn mutated() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "(",
        ")",
        "\"",
        ";",
        "\n",
        " ",
        "?x",
        "x",
        "1",
        "1.5",
        "-9223372036854775809",
        "true",
        "untyped",
        "(untyped ",
        "rewrite",
        ":when",
        "(= a b)",
        "(!= a b)",
        "let",
        "Add",
        "Num",
        "(Num 1)",
        "=>",
        "<=>",
        "\\",
        "é",
        "\u{a0}",
        "()",
        "(rational 1 2)",
        "rational",
        "+",
        "(+ 1 2)",
        "run",
        "check",
        "push",
        "pop",
        "(pop)",
        "fail",
        "sort",
        "_",
        "?",
        ":name",
        "include",
        "\"f\"",
        "#",
        "//",
        "datatype",
        "i64",
        "\u{feff}",
    ]);
    let edits = prop::collection::vec((any::<prop::sample::Index>(), 0usize..12, pieces), 1..6);
    (any::<prop::sample::Index>(), edits).prop_map(|(which, edits)| {
        static CORPUS: std::sync::LazyLock<Vec<String>> = std::sync::LazyLock::new(corpus);
        let texts = &*CORPUS;
        let mut text = which.get(texts).clone();
        for (place, removed, piece) in edits {
            let boundaries: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let first = place.index(boundaries.len());
            let last = (first + removed).min(boundaries.len() - 1);
            text.replace_range(boundaries[first]..boundaries[last], piece);
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_programs_are_read_or_refused(text in mutated()) {
        read_all(&text);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC*") {
        read_all(&text);
    }

    #[test]
    fn an_error_leaves_the_signature_as_it_was(text in mutated()) {
        let mut signature = Signature::new();
        signature.elaborate("(datatype Math (Num i64) (Add Math Math)) (let one (Num 1))").expect("a correct text");
        let before = format!("{signature:?}");
        if signature.elaborate(&text).is_err() {
            prop_assert_eq!(format!("{signature:?}"), before);
        }
    }

    #[test]
    fn strings_are_read_as_they_were_printed(text in any::<String>()) {
        let printed = eqmesh_language::reader::quote(&text);
        let forms = Forms::read(&printed).expect("a string");
        let root = forms.roots().next().expect("one form");
        prop_assert_eq!(forms.string(root), Some(text.clone()));
        let mut signature = Signature::new();
        signature.elaborate("(datatype T (S String))").expect("a correct text");
        let canonical = format!("(S {printed})");
        prop_assert_eq!(signature.resolve(&canonical), Ok((canonical.clone(), "T".to_owned())));
    }
}

#[test]
fn nesting_has_no_limit() {
    let mut signature = Signature::new();
    signature
        .elaborate("(datatype M (Z) (S M) (N i64)) (let zero (Z))")
        .expect("a correct text");
    for term in [nested("(S ", "(Z)"), nested("(S ", "zero"), nested("(S ", "(N 1)")] {
        assert_eq!(signature.resolve(&term), Ok((term.clone(), "M".to_owned())));
        signature.elaborate(&term).expect("a deep term");
        assert!(signature.compile_query(&term).is_err(), "a query has a limit");
        assert_eq!(
            read_program(Path::new("a.sexp"), term.clone(), &mut |_| unreachable!())
                .expect("terms")
                .commands
                .len(),
            1
        );
        let rule = format!("(rewrite {term} (Z))");
        assert_eq!(
            signature.elaborate(&rule).expect_err("a rule has a limit")[0].code,
            "rule-too-large"
        );
    }
    let sum = nested("(+ 1 ", "1");
    assert_eq!(
        signature.resolve(&format!("(N {sum})")),
        Ok((format!("(N {})", DEPTH + 1), "M".to_owned()))
    );
    for junk in [
        nested("(", ""),
        "(".repeat(DEPTH),
        ")".repeat(DEPTH),
        nested("(run-schedule (saturate ", ""),
        nested("(fail ", "(Z)"),
        nested("(untyped ", "x"),
    ] {
        read_all(&junk);
    }
    let schedule = format!("(run-schedule {})", nested("(saturate ", "(run)"));
    let errors =
        read_program(Path::new("a.egg"), schedule, &mut |_| unreachable!()).expect_err("a schedule has a limit");
    assert_eq!(errors.diagnostics[0].1.code, "limit");
}

#[test]
fn includes_have_a_limit() {
    let mut load = |path: &Path| {
        Ok(format!(
            "(include \"{}x.egg\")",
            path.file_stem().expect("a name").to_string_lossy()
        ))
    };
    let errors = read_program(Path::new("a.egg"), "(include \"b.egg\")".to_owned(), &mut load).expect_err("a limit");
    assert_eq!(errors.diagnostics[0].1.code, "limit");
    assert_eq!(errors.files.len(), eqmesh_language::MAX_INCLUDE_DEPTH + 1);
}

#[test]
fn a_label_of_a_large_term_cannot_stand_in_a_rule() {
    let mut signature = Signature::new();
    signature.elaborate("(datatype M (Z) (S M))").expect("a correct text");
    signature
        .elaborate(&format!("(let deep {})", nested("(S ", "(Z)")))
        .expect("a term");
    assert!(signature.elaborate("(rewrite (S deep) (Z))").is_err());
    assert!(signature.compile_query("(= deep (Z))").is_err());
    assert_eq!(
        signature.resolve("(S deep)"),
        Ok(("(S deep)".to_owned(), "M".to_owned()))
    );
}

#[test]
fn what_was_learned_elsewhere_can_be_used() {
    use eqmesh_egraph::operator::Operator;
    let mut home = Signature::new();
    let said = home
        .elaborate("(datatype M (N i64) (Add M M)) (let one (N 1)) (untyped (f x))")
        .expect("a correct text");
    let operators: Vec<Operator> = said
        .statements
        .iter()
        .filter_map(|own| match own {
            Statement::Declaration(operators) => Some(operators.clone()),
            _ => None,
        })
        .flatten()
        .collect();
    let mut away = Signature::new();
    let label = |name: &str, term: Option<&str>| Label {
        name: name.to_owned(),
        sort: "M".to_owned(),
        term: term.map(str::to_owned),
    };
    for _ in 0..2 {
        away.learn(
            &operators,
            &[label("one", None), label("two", Some("(Add (N 1) (N 1))"))],
            &[],
        );
    }
    assert!(away.compile_query("(= two (Add a a))").is_ok());
    assert_eq!(
        away.resolve("(Add one (N (+ 1 1)))"),
        Ok(("(Add one (N 2))".to_owned(), "M".to_owned()))
    );
    away.elaborate("(rewrite (Add a b) (Add b a))")
        .expect("a rule over what was learned");
    assert_eq!(
        away.elaborate("(rewrite (Add a one) a)")
            .expect_err("its term is not known")[0]
            .code,
        "label-in-pattern"
    );
    assert_eq!(
        away.elaborate("(let one (N 2))").expect_err("it is bound")[0].code,
        "redeclared"
    );
    assert_eq!(
        away.elaborate("(untyped (f x))")
            .expect("known operators")
            .statements
            .len(),
        1
    );
}

#[test]
fn rulers_rules_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ruler-rules");
    // How many rules each file has, and the lines of those that are refused, for a lone variable on the left or one on the right only.
    let expected: [(&str, usize, &[u32]); 8] = [
        ("bool.rules", 48, &[44, 46, 48]),
        ("bv32.rules", 75, &[69, 71, 73]),
        ("bv4.rules", 81, &[73, 75, 77]),
        ("halide.rules", 725, &[]),
        ("herbie-exp.rules", 76, &[32, 52, 53, 59, 60, 75]),
        ("herbie-rational.rules", 86, &[19]),
        ("herbie-trig.rules", 45, &[]),
        ("rational.rules", 109, &[59, 61, 63, 65]),
    ];
    for (name, count, refused) in expected {
        let text = std::fs::read_to_string(folder.join(name)).expect("the file");
        let lenient = read_rules(&text, true).expect("a lenient reader refuses nothing");
        let strict = read_rules(&text, false).map_or_else(|errors| errors, |_| Vec::new());
        let mut lines: Vec<u32> = strict
            .iter()
            .map(|own| eqmesh_language::Lines::new(&text).line(own.span.start))
            .collect();
        lines.dedup();
        let mut signature = Signature::new();
        for (_, rule) in &lenient.forms {
            signature.elaborate(rule).expect("what was read can be elaborated");
        }
        assert_eq!((name, lenient.forms.len(), &lines[..]), (name, count, refused));
        assert!(
            strict
                .iter()
                .all(|own| matches!(own.code, "left-is-variable" | "unbound-variable")),
            "{strict:?}"
        );
    }
}

/// Unoptimised, on a slow machine, with room to spare: what this is to catch is quadratic work.
#[test]
fn reading_is_linear() {
    let line = |i: usize| format!("(rewrite (Add (Mul a{i} b) (Mul c (Num {i}))) (Mul (Add b c) (Num {i})))\n");
    let program = |lines: usize| {
        let rules: String = (0..lines).map(line).collect();
        format!("(datatype Math (Num i64) (Add Math Math) (Mul Math Math))\n{rules}")
    };
    let time = |lines: usize| {
        let text = program(lines);
        let start = Instant::now();
        let read = read_program(Path::new("a.egg"), text, &mut |_| unreachable!()).expect("a correct program");
        assert_eq!(read.commands.len(), lines + 1);
        start.elapsed().as_secs_f64()
    };
    let (small, large) = (time(1_000), time(8_000));
    println!("1,000 rules: {small:.3} s; 8,000 rules: {large:.3} s");
    assert!(
        large < 40.0 * small.max(0.01),
        "8 times the text took {small:.3} s and then {large:.3} s"
    );
    let term = format!("(untyped (f {}))", "(g x (h y 12)) ".repeat(100_000));
    let start = Instant::now();
    Signature::new().resolve(&term).expect_err("f has too many arguments");
    let list: String = "(untyped (g x (h y 12)))\n".repeat(20_000);
    Signature::new().elaborate(&list).expect("terms");
    println!("2 MB of terms: {:.3} s", start.elapsed().as_secs_f64());
}
