//! Taking in what others found, and beginning with what was kept.

use anyhow::{Context as _, Result, ensure};
use eqmesh_egraph::color::Color;
use eqmesh_egraph::operator::{Operator, Output, Sort};
use eqmesh_egraph::value::ValueType;
use eqmesh_replica::{AgentId, Options, Replica, VersionVector};
use eqmesh_workloads::row::{Row, median};
use eqmesh_workloads::usage::Clock;

use crate::growth;
use crate::guest::Guest;

/// The largest of each kind whose facts are less than a million.
const WORKLOADS: [&str; 5] = [
    "math-pure-it10",
    "math-pure-it11",
    "ac-add-11",
    "assoc-add-80",
    "acd-it10",
];

const KEPT: &str = "math-pure-it10";

const RUNS: usize = 5;

const OTHER: Options = Options {
    agent: AgentId(1),
    coloring: false,
};

/// The median processor time of some runs, in seconds, and what the last one made.
fn timed(mut run: impl FnMut() -> Result<Replica>) -> Result<(f64, Replica)> {
    let mut times = Vec::new();
    let mut made: Option<Replica> = None;
    for _ in 0..RUNS {
        drop(made.take());
        let clock = Clock::start();
        let own = run()?;
        times.push(clock.stop().cpu_s);
        made = Some(own);
    }
    Ok((median(times), made.context("at least one run")?))
}

/// Another replica takes in all blocks, round by round, and checks each fact.
pub(crate) fn replay() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for workload in WORKLOADS {
        let (rounds, replica) = growth::of(workload)?;
        let size = replica.size();
        drop(replica);
        let (seconds, other) = timed(|| {
            let mut other = Replica::new(OTHER);
            for round in &rounds {
                other.receive(&round.bytes)?;
                other.settle();
            }
            Ok(other)
        })?;
        ensure!(other.size() == size, "{workload}: a replay that differs");
        let per_second = size.facts as f64 / seconds;
        let each = seconds * 1e9 / size.enodes as f64;
        rows.extend([
            Row::told(format!("replay/{workload}/verified"), per_second, "facts per second").at_least(3e6),
            Row::told(format!("replay/{workload}/verified-time"), each, "ns per e-node").at_most(100.0),
        ]);
    }
    Ok(rows)
}

/// Has a snapshot stand for all facts, as if every member had acknowledged them and settled the cut. The second cut takes away the names that the facts before the first one gave, which
/// nobody uses any more.
pub(crate) fn compact(replica: &mut Replica) -> Result<()> {
    for _ in 0..2 {
        replica.cut(&replica.version())?.context("facts to compact")?;
        replica.seal().context("a cut")?;
        replica.settle();
        replica.close(&replica.version()).context("an open cut")?;
        replica.seal().context("what closes it")?;
        replica.settle();
        ensure!(replica.compact(), "nothing was taken away");
    }
    Ok(())
}

/// A replica is loaded from all facts, and from the snapshot that stands for them.
pub(crate) fn load() -> Result<Vec<Row>> {
    let (_, mut replica) = growth::of(KEPT)?;
    let facts = replica.save();
    compact(&mut replica)?;
    let snapshot = replica.save();
    let (size, digest) = (replica.size(), replica.meaning_digest());
    let mut rows = Vec::new();
    for (what, bytes) in [("facts", facts), ("snapshot", snapshot)] {
        let (seconds, mut loaded) = timed(|| Ok(Replica::load(OTHER, &bytes)?))?;
        ensure!(loaded.meaning_digest() == digest, "{what}: a replica that differs");
        let name = format!("load/{KEPT}/{what}");
        let each = seconds * 1e9 / size.enodes as f64;
        let megabytes = bytes.len() as f64 / 1e6;
        rows.extend([
            Row::told(format!("{name}/size"), megabytes, "MB"),
            Row::told(format!("{name}/time"), each, "ns per e-node"),
            Row::told(&name, seconds * 1e3 / megabytes, "ms per MB"),
        ]);
    }
    let last = rows.pop().context("the snapshot's")?;
    rows.push(last.at_most(10.0));
    rows.push(load_in_wasm(&replica, &digest)?);
    rows.push(load_one_by_one()?);
    Ok(rows)
}

/// What an agent does that is started anew, in WebAssembly and, in turn, natively.
fn load_in_wasm(replica: &Replica, digest: &[u8]) -> Result<Row> {
    let stored = replica.delta_since(&VersionVector::default());
    let parts: Vec<Vec<u8>> = stored.iter().map(|part| part.to_vec()).collect();
    let mut guest = Guest::new()?;
    let (mut native, mut wasm) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let clock = Clock::start();
        let mut own = Replica::new(OTHER);
        ensure!(own.resume(&parts) == 0, "parts are broken");
        native.push(clock.stop().cpu_s);
        let clock = Clock::start();
        let graph = guest.resume(OTHER, &parts)?;
        wasm.push(clock.stop().cpu_s);
        ensure!(own.meaning_digest() == *digest, "a replica that differs");
        ensure!(
            guest.meaning_digest(graph)? == digest,
            "a replica in WebAssembly that differs"
        );
        guest.forget(graph)?;
    }
    let ratio = median(wasm) / median(native);
    Ok(Row::told(format!("load/{KEPT}/snapshot/wasm"), ratio, "of native").at_most(2.0))
}

/// What an agent has that is told one small fact after another: as many blocks as facts.
fn load_one_by_one() -> Result<Row> {
    const FACTS: u32 = 10_000;
    let mut maker = Replica::new(OTHER);
    maker.declare(&[Operator {
        name: "Num".to_owned(),
        columns: vec![Sort::Value(ValueType::I64)],
        output: Output::Class("Math".to_owned()),
        cost: 1,
    }])?;
    for number in 0..FACTS {
        maker.insert(&format!("(Num {number})"), None, Color::Green)?;
        maker.seal().context("a fact")?;
        maker.settle();
    }
    let facts = maker.save();
    let (seconds, _) = timed(|| Ok(Replica::load(OTHER, &facts)?))?;
    Ok(Row::told(
        "load/one-by-one/time",
        seconds * 1e9 / f64::from(FACTS),
        "ns per block",
    ))
}
