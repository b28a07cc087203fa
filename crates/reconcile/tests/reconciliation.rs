//! What reconciliation promises, on random sets and on garbage.

use std::collections::BTreeSet;

use eqmesh_reconcile::wire::Symbols;
use eqmesh_reconcile::{Decoder, Inconsistent, Item, Key, OtherKey, OtherSet, Sketch};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

type Set = BTreeSet<[u8; 16]>;

fn sketch(key: Key, length: usize, set: &Set) -> Sketch {
    let mut sketch = Sketch::new(key, length);
    set.iter().for_each(|&item| sketch.insert(Item(item)));
    sketch
}

/// As over a network: messages, sketches that grow on demand, until it is decoded. Answers how many symbols it took.
fn reconcile(key: Key, here: &Set, there: &Set) -> (Decoder, usize) {
    let (mut local, mut remote) = (sketch(key, 8, here), sketch(key, 8, there));
    let mut decoder = Decoder::new(key, 1 << 20);
    loop {
        let from = decoder.length();
        let to = 2 * from.max(4);
        remote.grow(to, there.iter().copied().map(Item)).expect("its own set");
        local.grow(to, here.iter().copied().map(Item)).expect("its own set");
        let message = Symbols::of(&remote, from..to).expect("a set").encode();
        let message = Symbols::decode(&message).expect("just encoded");
        assert_eq!(message.first(), from as u64);
        for (remote, local) in message.symbols().iter().zip(local.symbols(from..to)) {
            decoder.add(*remote, *local).expect("honest symbols");
            if decoder.is_decoded() {
                let length = decoder.length();
                return (decoder, length);
            }
        }
    }
}

fn difference(decoder: &Decoder) -> (Set, Set) {
    let difference = decoder.difference().expect("it is decoded");
    let set = |items: &[Item]| -> Set { items.iter().map(|item| item.0).collect() };
    let (there, here) = (set(&difference.there), set(&difference.here));
    assert_eq!(there.len() + here.len(), difference.len(), "none is found twice");
    (there, here)
}

/// Items close to each other, which only the keyed hash tells apart, and any items.
fn items(most: usize) -> impl Strategy<Value = Set> {
    prop_oneof![
        btree_set(any::<[u8; 16]>(), 0..most),
        btree_set((0u128..4 * most as u128).prop_map(u128::to_le_bytes), 0..most),
    ]
}

fn key() -> impl Strategy<Value = Key> {
    any::<[u8; 16]>().prop_map(Key)
}

/// `count` items that no other start gives.
fn numbered(start: u64, count: u64) -> impl Iterator<Item = [u8; 16]> {
    (0..count).map(move |number| {
        let mut item = [0; 16];
        item[..8].copy_from_slice(&start.to_le_bytes());
        item[8..].copy_from_slice(&number.to_le_bytes());
        item
    })
}

proptest! {
    #[test]
    fn what_is_decoded_is_the_difference(key in key(), common in items(300), mine in items(150), yours in items(150)) {
        let here: Set = common.union(&mine).copied().collect();
        let there: Set = common.union(&yours).copied().collect();
        let (decoder, _) = reconcile(key, &here, &there);
        prop_assert_eq!(
            difference(&decoder),
            (there.difference(&here).copied().collect(), here.difference(&there).copied().collect())
        );
    }

    #[test]
    fn sketches_are_linear_and_the_order_does_not_matter(key in key(), a in items(60), b in items(60), length in 1usize..200) {
        let union: Set = a.union(&b).copied().collect();
        let mut backwards = Sketch::new(key, length);
        union.iter().rev().for_each(|&item| backwards.insert(Item(item)));
        prop_assert_eq!(&backwards, &sketch(key, length, &union));

        // What is inserted and removed leaves no trace.
        b.difference(&a).for_each(|&item| backwards.remove(Item(item)));
        prop_assert_eq!(&backwards, &sketch(key, length, &a));

        // The sketch of a difference is the difference of sketches, shared items or not.
        let mut subtracted = sketch(key, length, &a);
        subtracted.subtract(&sketch(key, length + 7, &b)).expect("one key");
        let mut expected = Sketch::new(key, length);
        a.difference(&b).for_each(|&item| expected.insert(Item(item)));
        b.difference(&a).for_each(|&item| expected.remove(Item(item)));
        prop_assert_eq!(subtracted, expected);
    }

    #[test]
    fn a_sketch_grows_to_what_it_would_have_been(key in key(), set in items(60), short in 1usize..100, long in 1usize..300) {
        let mut grown = sketch(key, short, &set);
        grown.grow(long, set.iter().copied().map(Item)).expect("the same set");
        prop_assert_eq!(&grown, &sketch(key, short.max(long), &set));
        let before = grown.clone();
        prop_assert_eq!(grown.grow(1000, set.iter().copied().map(Item).chain([Item(*b"one more than is"); 1])), Err(OtherSet));
        prop_assert_eq!(grown, before);
    }

    #[test]
    fn symbols_survive_the_wire(key in key(), set in items(200), length in 1usize..300, from in 0usize..300, count in 0usize..300) {
        let symbols = Symbols::of(&sketch(key, length, &set), from..from + count).expect("a set");
        let bytes = symbols.encode();
        prop_assert_eq!(Symbols::decode(&bytes), Ok(symbols));
        // No beginning of it is another message, and nothing may follow.
        for end in 0..bytes.len() {
            prop_assert!(Symbols::decode(&bytes[..end]).is_err());
        }
        prop_assert!(Symbols::decode(&[&bytes[..], &[0]].concat()).is_err());
    }

    /// Whatever bytes are read as symbols are the very bytes that those symbols are written as.
    #[test]
    fn the_wire_form_is_canonical(key in key(), set in items(50), changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let mut bytes = Symbols::of(&sketch(key, 20, &set), 0..20).expect("a set").encode();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(symbols) = Symbols::decode(&bytes) {
            prop_assert_eq!(symbols.encode(), bytes);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        let bytes = [b"eqr\x01", &bytes[..]].concat();
        if let Ok(symbols) = Symbols::decode(&bytes) {
            prop_assert_eq!(symbols.encode(), bytes);
        }
    }

    /// A symbol changed on the way, sums of other sets, another key: nothing is ever recovered that is in neither set, and nothing wrong is called decoded.
    #[test]
    fn garbage_makes_no_items(
        (key, other) in (key(), key()),
        here in items(60),
        there in items(60),
        keep in 0usize..100,
        noise in vec((any::<u8>(), 0usize..22), 0..100),
    ) {
        prop_assume!(key != other);
        let local = sketch(key, 400, &here);
        let honest = sketch(key, 400, &there);
        let strange = sketch(other, 400, &there);
        let mut decoder = Decoder::new(key, 400);
        for index in 0..400 {
            let source = if index < keep { &honest } else { &strange };
            let mut bytes = Symbols::of(source, index..index + 1).expect("a set").encode();
            if let Some(&(byte, at)) = noise.get(index) {
                // The sum and the checksum are the last 22 bytes.
                let at = bytes.len() - 1 - at;
                bytes[at] ^= byte;
            }
            let symbol = Symbols::decode(&bytes).expect("still of the right form").symbols()[0];
            if decoder.add(symbol, local.symbols(index..index + 1)[0]).is_err() {
                break;
            }
            if decoder.is_decoded() {
                let expected = (there.difference(&here).copied().collect(), here.difference(&there).copied().collect());
                prop_assert_eq!(difference(&decoder), expected);
            }
        }
    }
}

#[test]
fn differences_of_any_size() {
    let common: Set = numbered(0, 3000).collect();
    for d in [0, 1, 2, 3, 5, 10, 30, 100, 300, 1000, 3000, 6000] {
        let mine: Set = numbered(1, d / 3).collect();
        let yours: Set = numbered(2, d - d / 3).collect();
        let here: Set = common.union(&mine).copied().collect();
        let there: Set = common.union(&yours).copied().collect();
        let (decoder, length) = reconcile(Key(*b"a key of a test."), &here, &there);
        assert_eq!(difference(&decoder), (yours, mine));
        // The paper has 1.35 in the limit and, on average, never more than 1.72.
        assert!(d < 100 || length as u64 * 2 <= 3 * d, "{length} symbols for {d} items");
        assert!(d > 0 || length == 1);
    }
}

/// The vector of docs/wire-format.md, which another implementation computed from what is written there.
#[test]
fn a_message_as_specified() {
    let key = Key(std::array::from_fn(|at| at as u8));
    let set = [[1; 16], [2; 16], [3; 16]].into();
    let bytes = Symbols::of(&sketch(key, 4, &set), 0..4).expect("a set").encode();
    let expected = [
        "65717201030004",
        "000000000000000000000000000000000035ad83a1da59",
        "0300000000000000000000000000000000000000000000",
        "0002020202020202020202020202020202f7d3801aaf48",
        "02010101010101010101010101010101019b4e649cfcbf",
    ];
    let expected = expected.concat();
    let digits = (0..expected.len()).step_by(2).map(|at| &expected[at..at + 2]);
    let expected: Vec<u8> = digits
        .map(|digits| u8::from_str_radix(digits, 16).expect("hex"))
        .collect();
    assert_eq!(bytes, expected);
}

#[test]
fn few_bytes_a_symbol() {
    let set: Set = numbered(0, 20_000).collect();
    let bytes = Symbols::of(&sketch(Key([1; 16]), 1500, &set), 0..1500)
        .expect("a set")
        .encode();
    assert!(bytes.len() <= 24 * 1500, "{}", bytes.len());
}

#[test]
fn decoding_goes_on_where_more_symbols_come() {
    let (here, there): (Set, Set) = (numbered(1, 5).collect(), numbered(2, 5).collect());
    let key = Key([3; 16]);
    let (local, remote) = (sketch(key, 200, &here), sketch(key, 200, &there));
    let mut decoder = Decoder::new(key, 200);
    assert!(!decoder.is_decoded(), "nothing is known yet");
    let mut decoded = false;
    for (remote, local) in remote.symbols(0..200).iter().zip(local.symbols(0..200)) {
        decoder.add(*remote, *local).expect("honest");
        assert!(decoder.is_decoded() || !decoded, "what is decoded stays so");
        decoded = decoder.is_decoded();
    }
    assert_eq!(difference(&decoder), (there, here));
    let more = remote.symbols(0..1)[0];
    assert_eq!(decoder.add(more, more), Err(Inconsistent::TooMany(200)));
    assert_eq!(decoder.difference(), None);
    assert_eq!(decoder.add(more, more), Err(Inconsistent::TooMany(200)));
}

/// Each peer's symbols are of the right form, but no set has them: they would have the same item peeled off again and again.
#[test]
fn an_item_that_comes_back_is_refused() {
    let key = Key([9; 16]);
    let one = sketch(key, 64, &numbered(1, 1).collect());
    let empty = Sketch::new(key, 64);
    let of = |sketch: &Sketch, index: usize| sketch.symbols(index..index + 1)[0];
    let mapped: Vec<usize> = (0..64).filter(|&index| !of(&one, index).is_zero()).collect();
    let mut decoder = Decoder::new(key, 64);
    for index in 0..mapped[1] {
        decoder.add(of(&one, index), of(&empty, index)).expect("honest");
    }
    assert!(decoder.is_decoded());
    // Where the item should be part of the symbol, it is not, so that taking it out leaves it as one that is missing.
    assert_eq!(
        decoder.add(of(&empty, mapped[1]), of(&empty, mapped[1])),
        Err(Inconsistent::Garbage)
    );
    assert_eq!(decoder.difference(), None);

    // And one that is where it is not mapped to.
    let elsewhere = (0..64).find(|index| !mapped.contains(index)).expect("not part of all");
    let two = sketch(key, 64, &numbered(1, 1).chain(numbered(2, 2)).collect());
    let mut decoder = Decoder::new(key, 64);
    let refused = (0..64).find_map(|index| {
        let symbol = if index == elsewhere {
            of(&one, 0)
        } else {
            of(&two, index)
        };
        decoder.add(symbol, of(&empty, index)).err()
    });
    assert_eq!(refused, Some(Inconsistent::Garbage));
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let set: Set = numbered(1, 3).collect();
    let mut a = sketch(Key([1; 16]), 8, &set);
    let before = a.clone();
    assert_eq!(a.subtract(&sketch(Key([2; 16]), 8, &set)), Err(OtherKey));
    assert_eq!(a, before);
    a.remove(Item([0; 16]));
    a.remove(Item([1; 16]));
    a.remove(Item([2; 16]));
    a.remove(Item([3; 16]));
    assert!(Symbols::of(&a, 0..8).is_err(), "fewer than no items");
}
