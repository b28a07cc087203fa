//! Pictures are well-formed, need nothing from outside, hold what they show, and are the same each time. `pictures/` has one to look at.

use eqmesh_picture::{Chain, Direction, Step, svg};
use proptest::prelude::*;

fn step(before: &str, after: &str, place: &[u32], rule: &str, forward: bool) -> Step {
    Step {
        before: before.to_owned(),
        after: after.to_owned(),
        place: place.to_vec(),
        rule: rule.to_owned(),
        direction: if forward {
            Direction::Forward
        } else {
            Direction::Backward
        },
        source: "agent 3, fact 2".to_owned(),
        substitution: vec![
            ("a".to_owned(), "(Num 1)".to_owned()),
            ("b".to_owned(), "(Var \"x\")".to_owned()),
        ],
        lemmas: Vec::new(),
    }
}

fn example() -> Vec<Chain> {
    let long = format!(
        "(Add (Num 1) {}(Var \"x\"){})",
        "(Neg (Neg ".repeat(20),
        "))".repeat(20)
    );
    let longer = format!(
        "(Add {}(Var \"x\"){} (Num 1))",
        "(Neg (Neg ".repeat(20),
        "))".repeat(20)
    );
    let shorter = "(Add (Var \"x\") (Num 1))";
    let mut second = step(&longer, shorter, &[0], "negate-twice", true);
    second.lemmas = vec![0];
    let start = long.clone();
    vec![
        Chain {
            heading: String::new(),
            start,
            steps: vec![step(&long, &longer, &[], "commute", true), second],
        },
        Chain {
            heading: "lemma 0: (Num 1) = (Num (+ 0 1)) <&>".to_owned(),
            start: "(Num 1)".to_owned(),
            steps: vec![step("(Num 1)", "(Add (Num 0) (Num 1))", &[], "fold", false)],
        },
        Chain {
            heading: "the facts are gone".to_owned(),
            start: "(Num 1)".to_owned(),
            steps: vec![Step {
                direction: Direction::Neither,
                source: "snapshot 8d1e2f9a04c6b7d3…".to_owned(),
                substitution: Vec::new(),
                ..step("(Num 1)", "(Neg (Neg (Num 1)))", &[], "facts that were compacted", true)
            }],
        },
        Chain {
            heading: "nothing to do".to_owned(),
            start: "(Num 1)".to_owned(),
            steps: Vec::new(),
        },
    ]
}

#[test]
fn the_picture_is_the_one_to_look_at() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pictures/example.svg");
    let picture = svg("area = (Add (Var \"x\") (Num 1))", &example());
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, &picture).expect("the folder is there");
    }
    let expected = std::fs::read_to_string(path).expect("the picture; BLESS=1 makes it");
    assert_eq!(picture, expected, "if the change is meant, BLESS=1 takes it over");
}

fn check(picture: &str) -> Result<(), TestCaseError> {
    let document =
        roxmltree::Document::parse(picture).map_err(|error| TestCaseError::fail(format!("{error}\n{picture}")))?;
    let root = document.root_element();
    prop_assert_eq!(root.attribute("role"), Some("img"));
    for id in root.attribute("aria-labelledby").unwrap_or_default().split(' ') {
        prop_assert!(
            document.descendants().any(|node| node.attribute("id") == Some(id)),
            "{}",
            id
        );
    }
    for node in document.descendants().filter(roxmltree::Node::is_element) {
        let name = node.tag_name().name();
        prop_assert!(
            matches!(
                name,
                "svg" | "title" | "desc" | "style" | "rect" | "g" | "text" | "path"
            ),
            "{}",
            name
        );
        prop_assert!(
            node.attributes()
                .all(|own| !own.name().starts_with("on") && own.name() != "href")
        );
    }
    // Nothing is drawn outside.
    let number =
        |node: roxmltree::Node<'_, '_>, name: &str| node.attribute(name).and_then(|own| own.parse::<usize>().ok());
    let width = number(root, "width").unwrap_or(0);
    for node in document.descendants() {
        let x = number(node, "x").unwrap_or(0);
        let own = number(node, "textLength").or(number(node, "width")).unwrap_or(0);
        prop_assert!(x + own <= width, "{} + {} > {}", x, own, width);
    }
    Ok(())
}

/// Terms with all that a text may hold.
fn term() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "[a-z<>&'+*-]{1,6}",
        any::<String>().prop_map(|text| format!("{:?}", text.replace(['\\', '"'], ""))),
    ];
    leaf.prop_recursive(6, 40, 3, |inner| {
        prop::collection::vec(inner, 1..4).prop_map(|children| format!("(f<& {})", children.join(" ")))
    })
}

proptest! {
    #[test]
    fn every_picture_is_well_formed(
        terms in prop::collection::vec((term(), prop::collection::vec(0u32..3, 0..4), any::<bool>()), 1..6),
        rule in any::<String>(),
        title in any::<String>(),
    ) {
        let steps: Vec<Step> = terms
            .windows(2)
            .map(|pair| step(&pair[0].0, &pair[1].0, &pair[0].1, &rule, pair[0].2))
            .collect();
        let chain = Chain { heading: title.clone(), start: terms[0].0.clone(), steps };
        let picture = svg(&title, std::slice::from_ref(&chain));
        check(&picture)?;
        prop_assert_eq!(&picture, &svg(&title, std::slice::from_ref(&chain)));
    }
}

#[test]
fn the_example_is_well_formed() {
    check(&svg("example", &example())).expect("it is");
    check(&svg("nothing", &[])).expect("it is");
}
