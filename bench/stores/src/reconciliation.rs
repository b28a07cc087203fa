//! Set reconciliation between two replicas with a million agents' heads each.

use anyhow::{Context as _, Result, ensure};
use eqmesh_reconcile::wire::Symbols;
use eqmesh_reconcile::{Decoder, Head, Item, Key, Sketch};
use eqmesh_workloads::row::Row;
use eqmesh_workloads::usage::Clock;

/// Items in each set.
const ITEMS: u32 = 1_000_000;

/// Sizes of the difference, and how often each is tried.
const DIFFERENCES: [(u32, u32); 3] = [(100, 50), (1_000, 20), (10_000, 5)];

const KEY: Key = Key(*b"eqmesh benchmark");

/// The symbols that are kept up to date.
const PREFIX: usize = 1024;

/// A head with a number, no two alike.
fn item(number: u32, trial: u32) -> Item {
    let chain = number.wrapping_mul(0x9e37_79b9).to_le_bytes();
    let chain = [chain[0], chain[1], chain[2], chain[3], trial as u8, (trial >> 8) as u8];
    Item::from(Head::new(number, 1, chain).expect("a sequence of 1"))
}

/// Bytes from the one side to the other, which has a sketch of its own, until it knows the difference. Messages get longer as the stream does.
fn stream(there: &Sketch, here: &Sketch, difference: u32) -> Result<usize> {
    let mut decoder = Decoder::new(KEY, here.length());
    let mut bytes = 0;
    loop {
        let from = decoder.length();
        let to = from + (from / 16).max(8);
        let message = Symbols::of(there, from..to)?.encode();
        bytes += message.len();
        let message = Symbols::decode(&message)?;
        let local = here.symbols(from..to);
        ensure!(message.symbols().len() == to - from, "the sketches are too short");
        for (remote, local) in message.symbols().iter().zip(local) {
            decoder.add(*remote, *local)?;
        }
        if decoder.is_decoded() {
            let found = decoder.difference().context("it is decoded")?;
            ensure!(found.there.len() == found.here.len(), "half of it on either side");
            ensure!(found.len() == difference as usize, "all of it");
            return Ok(bytes);
        }
    }
}

/// Bytes for each item that differs; time for each that is inserted.
pub(crate) fn rows() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (difference, trials) in DIFFERENCES {
        let length = 2 * difference as usize + 100;
        let common = ITEMS - difference / 2;
        let mut both = Sketch::new(KEY, length);
        (0..common).for_each(|number| both.insert(item(number, 0)));
        let mut bytes = 0;
        for trial in 0..trials {
            let (mut here, mut there) = (both.clone(), both.clone());
            for number in common..ITEMS {
                here.insert(item(number, 2 * trial + 1));
                there.insert(item(number, 2 * trial + 2));
            }
            bytes += stream(&there, &here, difference)?;
        }
        let each = bytes as f64 / f64::from(difference * trials);
        let name = format!("reconcile/d-{difference}");
        rows.push(Row::told(name, each, "bytes per difference").at_most(25.0 * 1.5));
    }
    let items: Vec<Item> = (0..ITEMS).map(|number| item(number, 0)).collect();
    let mut sketch = Sketch::new(KEY, PREFIX);
    let clock = Clock::start();
    items.iter().for_each(|&item| sketch.insert(item));
    let each = clock.stop().cpu_s * 1e9 / f64::from(ITEMS);
    ensure!(sketch.items() == i64::from(ITEMS), "all inserted");
    rows.push(Row::told("reconcile/insert", each, "ns per insert").at_most(1000.0));
    Ok(rows)
}
