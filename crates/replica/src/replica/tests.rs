//! Liars: blocks that no honest replica would make, and what honest replicas make of them. Also the forms of what comes off the wire.

use std::fmt::Write as _;
use std::sync::LazyLock;

use eqmesh_egraph::color::Color;
use eqmesh_transduction::{Signature, Statement};
use proptest::prelude::*;

use super::{Budget, Options, Replica, Share};
use crate::block::{Block, Cut, Segment};
use crate::fault::Fault;
use crate::log::chain;
use crate::snapshot::Snapshot;
use crate::version::{AgentId, Dot, VersionVector};
use crate::wire::seal;

const ALL: Share = Share { index: 0, count: 1 };
const UNLIMITED: Budget = Budget {
    matches: u64::MAX,
    nodes: u64::MAX,
};

/// The first rule matches only where both arguments are equal.
const PROGRAM: &str = "(datatype M (F M M) (G M) (A) (B) (C))
    (rewrite (F a a) (G a)) (rewrite (F a b) (F b a)) (rewrite (F (F a b) c) (F a (F b c)))";

fn replica(agent: u32) -> Replica {
    Replica::new(Options {
        agent: AgentId(agent),
        coloring: true,
    })
}

fn dot(agent: u32, sequence: u64) -> Dot {
    Dot {
        agent: AgentId(agent),
        sequence,
    }
}

/// A replica that knows the program and a few terms, and its rules.
fn author() -> (Replica, Vec<Dot>) {
    let mut author = replica(0);
    let mut rules = Vec::new();
    for statement in Signature::new().elaborate(PROGRAM).expect("a correct text").statements {
        match statement {
            Statement::Declaration(operators) => author.declare(&operators).unwrap(),
            Statement::Rules(own) => {
                rules.extend(own.iter().map(|rule| author.add_rule(&rule.program).unwrap()));
            }
            _ => {}
        }
    }
    for term in ["(F (A) (B))", "(F (C) (C))", "(F (F (A) (B)) (C))"] {
        author.insert(term, None, Color::Green).unwrap();
    }
    author.seal();
    author.settle();
    (author, rules)
}

/// Gives one what another has.
fn tell(from: &Replica, to: &mut Replica) {
    for part in from.delta_since(&to.version()) {
        to.receive(&part).unwrap();
    }
    to.settle();
}

/// Somebody who knows what the author does.
fn reader(agent: u32, author: &Replica) -> Replica {
    let mut reader = replica(agent);
    tell(author, &mut reader);
    assert_eq!(reader.version(), author.version());
    reader
}

/// A block that claims that the first rule applies to two terms (nodes 5 and 2 of the past): to `(F (C) (C))`, which is true, and to `(F (A) (B))`.
fn lie(liar: &mut Replica, rule: Dot) -> Block {
    liar.insert("(A)", None, Color::Green).unwrap();
    let mut block = Block::decode(&liar.seal().unwrap()).unwrap();
    block.segments.push(Segment::Apply {
        rule,
        width: 1,
        count: 2,
        nodes: vec![5, 2],
    });
    block.segments.push(block.segments[0].clone());
    block
}

#[test]
fn what_is_sound_in_a_false_block_is_kept_and_the_rest_waits_for_a_reason() {
    let (mut author, rules) = author();
    let mut honest = reader(1, &author);
    let mut liar = reader(2, &author);
    let lie = lie(&mut liar, rules[0]);
    honest.receive(&lie.encode()).unwrap();
    let settled = honest.settle();
    assert_eq!((settled.accepted, settled.refused.len()), (2, 1));
    let (culprit, reason) = &settled.refused[0];
    assert_eq!(*culprit, dot(2, 3));
    assert!(reason.contains("does not match there"), "{reason}");
    assert_eq!(honest.refused().collect::<Vec<_>>(), [(dot(2, 3), reason.as_str())]);
    // It is not said twice, and what follows waits.
    let mut next = lie.clone();
    next.first = 5;
    next.height += 1;
    next.parent = *chain(&[0; 32], &lie.encode()).first_chunk().unwrap();
    honest.receive(&next.encode()).unwrap();
    let settled = honest.settle();
    assert_eq!((settled.refused.len(), settled.accepted, settled.waiting), (0, 0, 1));
    // Others have believed as much, and whoever hears of it from them does.
    let mut other = replica(3);
    tell(&honest, &mut other);
    assert_eq!(other.state_digest(), honest.state_digest());
    assert_eq!(other.meaning_digest(), honest.meaning_digest());
    // Facts are made on top of what was believed, and cite it.
    honest.insert("(G (G (C)))", None, Color::Green).unwrap();
    honest.seal();
    honest.settle();
    // Once the two are equal, the claim is true.
    author.unite("(A)", "(B)").unwrap();
    author.seal();
    author.settle();
    tell(&author, &mut honest);
    assert_eq!(honest.refused().count(), 0);
    assert_eq!(honest.version().get(AgentId(2)), 8);
    // Who hears it all at once comes to the same, and so does who heard the first part before.
    let mut late = replica(4);
    tell(&honest, &mut late);
    tell(&honest, &mut other);
    for own in [&mut late, &mut other] {
        assert_eq!(own.version(), honest.version());
        assert_eq!(own.state_digest(), honest.state_digest());
        assert_eq!(own.snapshot(), honest.snapshot());
    }
}

#[test]
fn a_fact_does_not_justify_itself_nor_two_each_other() {
    let (author, rules) = author();
    let mut honest = reader(1, &author);
    // Each of the two claims equalities that the other one's match rests on.
    for agent in [2, 3] {
        let mut liar = reader(agent, &author);
        let mut block = lie(&mut liar, rules[0]);
        block.segments.remove(0);
        block.segments.truncate(1);
        block.segments[0] = Segment::Apply {
            rule: rules[0],
            width: 1,
            count: 1,
            nodes: vec![2],
        };
        honest.receive(&block.encode()).unwrap();
    }
    let settled = honest.settle();
    assert_eq!((settled.accepted, settled.refused.len()), (0, 2));
    assert_eq!(honest.meaning_digest(), reader(4, &author).meaning_digest());
}

#[test]
fn a_certificate_for_what_its_maker_does_not_have_is_refused() {
    let (author, _) = author();
    let mut honest = reader(1, &author);
    let mut liar = reader(2, &author);
    liar.certify(&[AgentId(0)]).unwrap();
    let mut block = Block::decode(&liar.seal().unwrap()).unwrap();
    block.segments = vec![Segment::Certify(vec![dot(0, 6), dot(1, 1)])];
    honest.receive(&block.encode()).unwrap();
    let settled = honest.settle();
    assert_eq!(settled.refused.len(), 1);
    assert!(settled.refused[0].1.contains("certifies"), "{settled:?}");
}

#[test]
fn a_maker_of_two_histories_is_found_out_by_everybody() {
    let (author, _) = author();
    let [mut one, mut other] = [1, 3].map(|agent| reader(agent, &author));
    let two_faced = reader(2, &author);
    let histories = ["(A)", "(B)"].map(|term| {
        let mut face = two_faced.clone();
        face.insert(term, None, Color::Green).unwrap();
        let first = face.seal().unwrap();
        face.settle();
        face.insert("(G (A))", None, Color::Green).unwrap();
        [first, face.seal().unwrap()]
    });
    for (replica, own, foreign) in [(&mut one, 0, 1), (&mut other, 1, 0)] {
        for block in &histories[own] {
            replica.receive(block).unwrap();
        }
        replica.settle();
        assert_eq!(replica.refused().count(), 0);
        for block in &histories[foreign] {
            replica.receive(block).unwrap();
        }
        replica.settle();
        let named: Vec<Dot> = replica.refused().map(|(dot, _)| dot).collect();
        assert_eq!(named, [dot(2, 1)]);
        assert_eq!(replica.version().get(AgentId(2)), 2);
    }
    // Whoever hears the second half of another history only.
    let mut third = reader(4, &author);
    third.receive(&histories[0][0]).unwrap();
    third.settle();
    third.receive(&histories[1][1]).unwrap();
    third.settle();
    assert_eq!(third.refused().map(|(dot, _)| dot).collect::<Vec<_>>(), [dot(2, 2)]);
    // And the agent itself, when somebody else goes by its name.
    let mut victim = two_faced.clone();
    assert!(matches!(victim.receive(&histories[0][0]), Err(Fault::Refused(_))));
}

#[test]
fn counts_that_nothing_stands_behind_cost_nothing() {
    let (author, rules) = author();
    let mut liar = reader(2, &author);
    let block = lie(&mut liar, rules[0]);
    let honest_length = block.encode().len();
    for (width, count) in [(1, u32::MAX), (u32::MAX, u32::MAX), (0, u32::MAX), (1, 0)] {
        let mut block = block.clone();
        block.segments[1] = Segment::Apply {
            rule: rules[0],
            width,
            count,
            nodes: Vec::new(),
        };
        let bytes = block.encode();
        assert!(bytes.len() < honest_length + 20);
        assert!(matches!(reader(1, &author).receive(&bytes), Err(Fault::Malformed(_))));
    }
    // Nor is there a block that says nothing.
    let mut empty = block.clone();
    empty.segments.clear();
    assert!(matches!(
        reader(1, &author).receive(&empty.encode()),
        Err(Fault::Malformed(_))
    ));
    // A block may point anywhere; it is held back.
    let mut block = block;
    block.segments[1] = Segment::Apply {
        rule: rules[0],
        width: 1,
        count: 1,
        nodes: vec![u32::MAX],
    };
    let mut honest = reader(1, &author);
    honest.receive(&block.encode()).unwrap();
    assert!(honest.settle().refused[0].1.contains("which has fewer"));
    // One that builds on what nobody has waits, and is bounded in bytes.
    block.base.raise(AgentId(9), u64::MAX - 1);
    let mut honest = reader(1, &author);
    honest.receive(&block.encode()).unwrap();
    assert_eq!(honest.settle().waiting, 1);
}

#[test]
fn a_false_cut_is_refused_and_a_stale_snapshot_is_no_offer() {
    let (mut author, _) = author();
    let mut honest = reader(1, &author);
    let stable = author.version();
    author.cut(&stable).unwrap().unwrap();
    let bytes = author.seal().unwrap();
    let true_cut = Block::decode(&bytes).unwrap();
    let false_cuts = [
        |cut: &mut Cut| cut.digest[0] ^= 1,
        |cut: &mut Cut| cut.number += 1,
        |cut: &mut Cut| cut.version.raise(AgentId(0), 100),
        |cut: &mut Cut| cut.version = [dot(0, 3)].into_iter().collect(),
    ];
    for falsify in false_cuts {
        let mut block = true_cut.clone();
        let Segment::Cut(cut) = &mut block.segments[0] else {
            panic!("a cut was made");
        };
        falsify(cut);
        let mut honest = honest.clone();
        honest.receive(&block.encode()).unwrap();
        let settled = honest.settle();
        assert_eq!(settled.refused.len(), 1, "{settled:?}");
        assert_eq!(settled.refused[0].0.agent, AgentId(0));
    }
    author.settle();
    assert!(!author.compact(), "the cut is open");
    tell(&author, &mut honest);
    author.close(&honest.version()).unwrap();
    author.seal();
    author.settle();
    assert!(author.compact());
    tell(&author, &mut honest);
    let snapshot = author.delta_since(&VersionVector::default())[0].clone();
    assert!(Snapshot::decode(&snapshot).is_ok());
    honest.receive(&snapshot).unwrap();
    assert_eq!(honest.offers().count(), 0, "it has all that the snapshot has");
    let mut newcomer = replica(5);
    newcomer.receive(&snapshot).unwrap();
    let mut forged = snapshot.to_vec();
    let length = forged.len();
    forged.truncate(length - 8);
    let at = forged.len() - 40;
    forged[at] ^= 1;
    let _refused_or_kept = newcomer.receive(&seal(forged.clone()));
    let digest = *blake3::hash(&snapshot).as_bytes();
    assert!(newcomer.offers().any(|own| *own == digest));
    assert_eq!(
        newcomer.settle().accepted,
        0,
        "nothing is believed before it is adopted"
    );
    assert!(
        matches!(newcomer.adopt(&digest, AgentId(5)), Err(Fault::Absent(_))),
        "its cut is not here"
    );
    tell(&author, &mut newcomer);
    newcomer.adopt(&digest, AgentId(5)).unwrap();
    tell(&author, &mut newcomer);
    assert_eq!(newcomer.state_digest(), honest.state_digest());
    assert_eq!(newcomer.snapshot(), honest.snapshot());
}

/// The blocks and the snapshot of a replica that has done a bit of everything.
fn forms() -> (Vec<Vec<u8>>, Vec<u8>) {
    let (mut author, rules) = author();
    author.insert("(G (A))", Some("labelled"), Color::Green).unwrap();
    author.unite("(F labelled (B))", "(C)").unwrap();
    author.seal();
    author.settle();
    for _ in 0..2 {
        author.derive(&rules, ALL, UNLIMITED).unwrap();
        author.seal();
        author.settle();
    }
    author.certify(&[AgentId(0)]);
    author.seal();
    author.settle();
    let blocks = author.delta_since(&VersionVector::default());
    let stable = author.version();
    author.cut(&stable).unwrap();
    author.seal();
    author.settle();
    let known = author.version();
    author.close(&known).unwrap();
    author.seal();
    author.settle();
    let cut = author.delta_since(&stable);
    author.compact();
    let snapshot = author.delta_since(&VersionVector::default())[0].to_vec();
    let blocks = blocks.iter().chain(&cut).map(|block| block.to_vec()).collect();
    (blocks, snapshot)
}

/// The files in `docs/wire-format` are what the documentation says they are. With `BLESS=1` they are written anew.
#[test]
fn the_test_vectors_hold() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/wire-format");
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    };
    let (blocks, snapshot) = forms();
    let named = blocks
        .iter()
        .zip(1..)
        .map(|(block, at)| (format!("block-{at}.hex"), block));
    let mut reader = replica(1);
    let mut told = String::new();
    for (name, bytes) in named.chain([("snapshot.hex".to_owned(), &snapshot)]) {
        let path = folder.join(&name);
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, hex(bytes) + "\n").unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap();
        assert_eq!(kept.trim(), hex(bytes), "{name}");
        if name == "snapshot.hex" {
            continue;
        }
        reader.receive(bytes).unwrap();
        reader.settle();
        let (state, meaning) = (reader.state_digest(), reader.meaning_digest());
        let facts = reader.size().facts;
        writeln!(
            told,
            "after {name}: {facts} facts, state {}, meaning {}",
            hex(&state),
            hex(&meaning)
        )
        .unwrap();
    }
    writeln!(told, "snapshot.hex: BLAKE3 {}", blake3::hash(&snapshot).to_hex()).unwrap();
    let path = folder.join("expected.txt");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &told).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), told);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// What can be read has one form only, and nothing that cannot be read does any harm.
    #[test]
    fn forms_are_canonical(which in 0usize..7, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4), cut in any::<prop::sample::Index>()) {
        static FORMS: LazyLock<(Vec<Vec<u8>>, Vec<u8>)> = LazyLock::new(forms);
        let (blocks, snapshot) = &*FORMS;
        let bytes = blocks.get(which).unwrap_or(snapshot);
        let mut content = bytes[..bytes.len() - 8].to_vec();
        for (at, value) in &changes {
            let at = at.index(content.len());
            content[at] = *value;
        }
        if changes.len() == 3 {
            content.truncate(cut.index(content.len()));
        }
        let changed = seal(content);
        if let Ok(block) = Block::decode(&changed) {
            prop_assert_eq!(block.encode(), changed.clone());
        }
        if let Ok(snapshot) = Snapshot::decode(&changed) {
            prop_assert_eq!(snapshot.encode(), changed.clone());
        }
        let mut replica = replica(7);
        for block in &blocks[..which.min(blocks.len())] {
            replica.receive(block).unwrap();
        }
        replica.settle();
        let before = replica.meaning_digest();
        let taken = replica.receive(&changed);
        let settled = replica.settle();
        if taken.is_err() || settled.accepted == 0 {
            prop_assert_eq!(replica.meaning_digest(), before);
        }
        let offered = replica.offers().next().copied();
        if let Some(digest) = offered {
            // It may say what it likes, since nobody trusts it.
            let _adopted = replica.adopt(&digest, AgentId(8));
            replica.settle();
            replica.meaning_digest();
        }
    }
}

#[test]
fn blocks_wait_until_what_they_build_on_is_here() {
    let (mut author, _) = author();
    let mut blocks = author.delta_since(&VersionVector::default());
    let mut term = "(A)".to_owned();
    for _ in 0..20 {
        term = format!("(G {term})");
        author.insert(&term, None, Color::Green).unwrap();
        blocks.push(author.seal().unwrap().into());
        author.settle();
    }
    let bytes = |blocks: &[std::sync::Arc<[u8]>]| blocks.iter().map(|block| block.len()).sum::<usize>();
    let mut reader = replica(1);
    let (first, later) = blocks.split_first().unwrap();
    for block in later.iter().rev() {
        reader.receive(block).unwrap();
        reader.receive(block).unwrap();
    }
    assert_eq!(reader.settle().waiting, 20);
    assert_eq!(reader.pending.bytes(), bytes(later));
    assert_eq!(reader.version().facts(), 0);
    reader.receive(first).unwrap();
    let settled = reader.settle();
    assert_eq!((settled.waiting, reader.pending.bytes()), (0, 0));
    assert_eq!(reader.version(), author.version());
    // What is known already does not wait.
    reader.receive(&later[3]).unwrap();
    assert_eq!((reader.settle().waiting, reader.pending.bytes()), (0, 0));
}
