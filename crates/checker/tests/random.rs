//! On random programs, run by one agent and by three: whatever is equal has an explanation that the checker accepts, the same one on every agent; and what is not
//! equal has none.

mod common;

use common::Network;
use common::programs::{COMMON, DECLARATIONS, Kind, Tree, rule, tree};
use eqmesh_checker::{Explanation, Theory};
use proptest::prelude::*;

/// Growth is stopped here, in e-nodes that a round may add.
const ENOUGH: u64 = 150;

/// How many pairs of equal terms are looked at.
const PAIRS: usize = 40;

/// A network that has run for some rounds, and what is known of its program.
fn ran(agents: u32, statements: &[String], rounds: &[Option<String>]) -> (Network, Theory) {
    let mut network = Network::new(agents);
    let mut theory = Theory::new();
    let mut state = |network: &mut Network, text: &str| {
        // A rule may be no rule, for instance if it does not bind what it uses.
        if network.submit(text) {
            theory.read(text).expect(text);
        }
    };
    state(&mut network, DECLARATIONS);
    for text in statements {
        state(&mut network, text);
    }
    for said in rounds {
        network.round("", ENOUGH);
        if let Some(said) = said {
            state(&mut network, said);
        }
    }
    (network, theory)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_equal_is_explained(
        rules in prop::collection::vec(rule(), 1..6),
        common in prop::sample::subsequence(COMMON.to_vec(), 1..5),
        terms in prop::collection::vec(tree(Kind::Ground), 2..6),
        rounds in prop::collection::vec(
            prop::option::weighted(0.4, (tree(Kind::Ground), tree(Kind::Ground), any::<bool>())), 1..5
        ),
    ) {
        let mut statements = rules;
        statements.extend(common.into_iter().map(str::to_owned));
        statements.extend(terms.iter().map(Tree::text));
        let rounds: Vec<Option<String>> = rounds
            .iter()
            .map(|said| said.as_ref().map(|(a, b, equal)| {
                if *equal { format!("(union {} {})", a.text(), b.text()) } else { format!("(F {} {})", a.text(), b.text()) }
            }))
            .collect();
        for agents in [1, 3] {
            let (mut network, theory) = ran(agents, &statements, &rounds);
            // Each e-node over the least terms of its arguments, with the least term of its class.
            let mut pairs: Vec<(String, String)> = Vec::new();
            for operator in ["F", "G", "H", "N", "A", "B", "C"] {
                let rows = network.nodes[0].rows(operator, 0, 100).unwrap_or_default();
                pairs.extend(rows.into_iter().map(|row| (row.node, row.class)));
            }
            let of_classes: Vec<String> = pairs.iter().map(|(_, class)| class.clone()).collect();
            let mut accepted: Option<Explanation> = None;
            for (node, class) in pairs.iter().filter(|(node, class)| node != class).take(PAIRS) {
                let explanation = network.explain(node, class).expect("they are equal");
                let (left, right) = (theory.term(node).expect(node), theory.term(class).expect(class));
                if let Err(refusal) = theory.check(&left, &right, &explanation) {
                    panic!("{node} = {class}: {refusal}\n{explanation:#?}");
                }
                // It explains nothing else.
                prop_assert!(theory.check(&left, &left, &explanation).is_err());
                prop_assert!(theory.check(&right, &right, &explanation).is_err());
                accepted = Some(explanation);
            }
            for pair in of_classes.windows(2).filter(|pair| pair[0] != pair[1]).take(10) {
                prop_assert!(network.explain(&pair[0], &pair[1]).is_none());
                let (left, right) = (theory.term(&pair[0]).expect("a term"), theory.term(&pair[1]).expect("a term"));
                prop_assert!(theory.check(&left, &right, &Explanation::default()).is_err());
                if let Some(other) = &accepted {
                    prop_assert!(theory.check(&left, &right, other).is_err());
                }
            }
        }
    }
}
