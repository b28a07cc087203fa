//! On random programs whose first facts are compacted: whatever is equal is explained, what was made since step by step; and a snapshot is named for what it held equal, and
//! for nothing else.

mod common;

use std::collections::BTreeMap;

use common::programs::{COMMON, DECLARATIONS, Kind, Tree, rule, tree};
use common::{explanation, hex};
use eqmesh_checker::{Explanation, Reason, Step, Theory, Why};
use eqmesh_egraph::color::Color;
use eqmesh_replica::{AgentId, Budget, Dot, Options, Replica, Share, VersionVector};
use eqmesh_transduction::{Signature, Statement};
use proptest::prelude::*;

const AGENTS: usize = 3;

/// Growth is stopped here.
const ENOUGH: u64 = 80;

/// How many pairs of equal terms are looked at.
const PAIRS: usize = 25;

const STEP: Budget = Budget {
    matches: 200,
    nodes: 40,
};

/// What an agent does.
#[derive(Clone, Debug)]
enum Act {
    Say(Tree),
    Unite(Tree, Tree),
    Derive(u32),
    Certify,
    Tell(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        1 => tree(Kind::Ground).prop_map(Act::Say),
        2 => (tree(Kind::Ground), tree(Kind::Ground)).prop_map(|(left, right)| Act::Unite(left, right)),
        5 => (0u32..3).prop_map(Act::Derive),
        2 => Just(Act::Certify),
        4 => (0..AGENTS).prop_map(Act::Tell),
    ]
}

type Acts = Vec<(usize, Act)>;

fn acts() -> impl Strategy<Value = Acts> {
    prop::collection::vec((0..AGENTS, act()), 0..10)
}

/// Agents that exchange facts as a test has it, and what is known of their program.
struct Network {
    replicas: Vec<Replica>,
    rules: Vec<Dot>,
    theory: Theory,
}

impl Network {
    fn new(coloring: bool, statements: &[String]) -> Network {
        let options = |agent: usize| Options {
            agent: AgentId(agent as u32),
            coloring,
        };
        let mut network = Network {
            replicas: (0..AGENTS).map(|agent| Replica::new(options(agent))).collect(),
            rules: Vec::new(),
            theory: Theory::new(),
        };
        let mut signature = Signature::new();
        for text in statements {
            let Ok(said) = signature.elaborate(text) else { continue };
            network.theory.read(text).expect(text);
            let first = &mut network.replicas[0];
            for statement in said.statements {
                match statement {
                    Statement::Declaration(operators) => first.declare(&operators).expect("its operators"),
                    Statement::Rules(rules) => {
                        let dots = rules.iter().map(|own| first.add_rule(&own.program).expect("a rule"));
                        network.rules.extend(dots);
                    }
                    Statement::Term(label, term) => {
                        first.insert(&term, label.as_deref(), Color::Green).expect("a term");
                    }
                    Statement::Equality(..) | Statement::Ruleset(_) => panic!("not among the statements"),
                }
            }
        }
        network.seal(0);
        network.come_together();
        network
    }

    fn seal(&mut self, agent: usize) {
        self.replicas[agent].seal();
        assert_eq!(self.replicas[agent].settle().refused, []);
    }

    fn tell(&mut self, from: usize, to: usize) {
        let parts = self.replicas[from].delta_since(&self.replicas[to].version());
        for part in parts {
            self.replicas[to].receive(&part).expect("a block");
        }
        assert_eq!(self.replicas[to].settle().refused, []);
    }

    /// Everybody tells everybody.
    fn come_together(&mut self) {
        for _ in 0..2 {
            for from in 0..AGENTS {
                (0..AGENTS).for_each(|to| self.tell(from, to));
            }
        }
        for own in &self.replicas {
            assert_eq!(own.state_digest(), self.replicas[0].state_digest());
        }
    }

    fn run(&mut self, acts: &Acts) {
        for (agent, act) in acts {
            let own = &mut self.replicas[*agent];
            match act {
                Act::Say(term) => {
                    own.insert(&term.text(), None, Color::Green).expect("a term");
                    self.theory.read(&term.text()).expect("a term");
                }
                Act::Unite(left, right) => {
                    own.unite(&left.text(), &right.text()).expect("two terms");
                    let text = format!("(union {} {})", left.text(), right.text());
                    self.theory.read(&text).expect("two terms");
                }
                Act::Derive(index) => {
                    let share = Share {
                        index: *index,
                        count: 3,
                    };
                    if own.size().enodes < ENOUGH {
                        own.derive(&self.rules, share, STEP).expect("its rules");
                    }
                }
                Act::Certify => {
                    let agents: Vec<AgentId> = own.version().iter().map(|dot| dot.agent).collect();
                    own.certify(&agents);
                }
                Act::Tell(other) => self.tell(*agent, *other),
            }
            self.seal(*agent);
        }
    }

    /// Everything is cut, while the others go on without knowing of it, and the cut is closed. Answers a replica that has what was cut.
    fn cut(&mut self, meanwhile: &Acts) -> Replica {
        self.come_together();
        let past = self.replicas[0].clone();
        let stable = past.version();
        self.replicas[0]
            .cut(&stable)
            .expect("settled facts")
            .expect("something to cut");
        self.seal(0);
        self.run(meanwhile);
        let mut known = VersionVector::default();
        self.replicas.iter().for_each(|own| known.join(&own.version()));
        (1..AGENTS).for_each(|to| self.tell(0, to));
        self.replicas[0].close(&known).expect("an open cut");
        self.seal(0);
        self.come_together();
        past
    }
}

/// The subterm at a place.
fn at<'t>(term: &'t str, place: &[u32]) -> &'t str {
    let Some((&column, place)) = place.split_first() else {
        return term;
    };
    let (mut depth, mut start, mut found) = (0, 0, 0);
    for (end, c) in term.char_indices().skip(1) {
        depth += i32::from(c == '(') - i32::from(c == ')');
        if depth == 0 && c == ' ' || depth < 0 {
            // The operator comes first.
            if found == column + 1 {
                return at(&term[start + 1..end], place);
            }
            (start, found) = (end, found + 1);
        }
    }
    panic!("no place {column} in {term}");
}

fn compacted(explanation: &Explanation) -> impl Iterator<Item = &Step> {
    let chains = explanation.lemmas.iter().map(|lemma| &lemma.steps);
    chains
        .chain([&explanation.steps])
        .flatten()
        .filter(|step| step.reason == Reason::Compacted)
}

/// Checks what a replica explains, of which `past` has what was compacted.
fn check(
    own: &mut Replica,
    theory: &Theory,
    past: Option<&mut Replica>,
    pairs: &[(String, String)],
) -> Vec<Explanation> {
    let digest = own.beginning().map(|digest| hex(&digest));
    let mut trusting = theory.clone();
    digest.iter().for_each(|digest| trusting.trust_snapshot(digest));
    let mut seen: BTreeMap<(String, String), bool> = BTreeMap::new();
    let mut past = past;
    let mut explained = Vec::new();
    for (left, right) in pairs {
        let found = explanation(own.explain(left, right).expect("they are equal"));
        let terms = (theory.term(left).expect(left), theory.term(right).expect(right));
        let verdict = trusting.check(&terms.0, &terms.1, &found);
        let verdict = verdict.unwrap_or_else(|refusal| panic!("{left} = {right}: {refusal}\n{found:#?}"));
        assert_eq!(verdict.compacted, compacted(&found).count());
        match theory.check(&terms.0, &terms.1, &found) {
            Ok(_) => assert_eq!(verdict.compacted, 0),
            Err(refusal) => assert!(matches!(refusal.why, Why::Compacted { .. }), "{refusal}"),
        }
        for step in compacted(&found) {
            assert_eq!(step.snapshot, digest);
            let past = past.as_mut().expect("nothing was compacted");
            let sides = [&step.before, &step.after].map(|term| at(term, &step.place).to_owned());
            let key = sides.into();
            let equal = *seen
                .entry(key)
                .or_insert_with_key(|(left, right)| past.explain(left, right).is_ok());
            assert!(equal, "the snapshot says nothing of {step:#?}");
        }
        let is_compacted = |step: &Step| step.reason == Reason::Compacted;
        let in_a_row = found.steps.windows(2).filter(|two| two.iter().all(is_compacted));
        for two in in_a_row {
            assert_ne!(two[0].place, two[1].place, "they are one step");
        }
        explained.push(found);
    }
    explained
}

/// Each e-node over the least terms of its arguments with the least term of its class, and each of these terms with the cheapest one that is equal.
fn pairs(own: &mut Replica, terms: &[Tree]) -> Vec<(String, String)> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for operator in ["F", "G", "H", "N", "A", "B", "C"] {
        let rows = own.rows(operator, 0, 100).unwrap_or_default();
        pairs.extend(rows.into_iter().map(|row| (row.node, row.class)));
    }
    pairs.retain(|(left, right)| left != right);
    pairs.truncate(PAIRS);
    for term in terms.iter().map(Tree::text) {
        let cheapest = own
            .extract(
                &term,
                1,
                eqmesh_egraph::extract::CostModel::Tree,
                eqmesh_egraph::color::Colors::MADE,
            )
            .expect("it is there");
        pairs.push((term, cheapest[0].term.clone()));
    }
    pairs.retain(|(left, right)| left != right);
    pairs
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_is_not_compacted_is_explained_and_what_is_says_so(
        rules in prop::collection::vec(rule(), 1..4),
        common in prop::sample::subsequence(COMMON.to_vec(), 1..5),
        terms in prop::collection::vec(tree(Kind::Ground), 2..5),
        (first, meanwhile, second, after, last) in (acts(), acts(), acts(), acts(), acts()),
        coloring in any::<bool>(),
    ) {
        let mut statements = vec![DECLARATIONS.to_owned()];
        statements.extend(rules);
        statements.extend(common.into_iter().map(str::to_owned));
        statements.extend(terms.iter().map(Tree::text));
        let mut network = Network::new(coloring, &statements);
        network.run(&first);
        let mut past = network.cut(&meanwhile);
        network.run(&second);
        network.come_together();

        // One that keeps all facts explains all of it, and those who have compacted the same facts explain alike.
        let pairs_then = pairs(&mut network.replicas[0].clone(), &terms);
        for own in check(&mut network.replicas[0], &network.theory, None, &pairs_then) {
            prop_assert_eq!(compacted(&own).count(), 0);
        }
        prop_assert!(network.replicas[1].compact());
        let explained = check(&mut network.replicas[1], &network.theory, Some(&mut past), &pairs_then);
        let options = Options { agent: AgentId(9), coloring };
        let mut newcomer = Replica::load(options, &network.replicas[1].save()).expect("what was saved");
        prop_assert_eq!(&check(&mut newcomer, &network.theory, Some(&mut past), &pairs_then), &explained);
        // Nothing was made since that is not in the past: then one step says it all.
        if past.meaning_digest() == newcomer.meaning_digest() && meanwhile.is_empty() && second.is_empty() {
            for own in &explained {
                prop_assert!(own.steps.len() == 1 && compacted(own).count() == 1);
            }
        }

        // A second cut: names by two snapshots are in use, and then the facts of the first era are gone, too.
        prop_assert!(network.replicas[2].compact());
        let mut later = network.cut(&after);
        network.run(&last);
        network.come_together();
        prop_assert!(network.replicas[2].compact());
        let pairs_now = pairs(&mut network.replicas[0].clone(), &terms);
        let [all, some, few] = network.replicas.as_mut_slice() else { unreachable!("three agents") };
        check(all, &network.theory, None, &pairs_now);
        check(some, &network.theory, Some(&mut past), &pairs_now);
        check(few, &network.theory, Some(&mut later), &pairs_now);
        for pair in pairs_now.windows(2).filter(|pair| pair[0].1 != pair[1].1).take(5) {
            let unequal = all.explain(&pair[0].1, &pair[1].1).is_err();
            prop_assert_eq!(some.explain(&pair[0].1, &pair[1].1).is_err(), unequal);
            prop_assert_eq!(few.explain(&pair[0].1, &pair[1].1).is_err(), unequal);
        }
    }
}
