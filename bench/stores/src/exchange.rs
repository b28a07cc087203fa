//! Bytes: of what is new, of everything, and of catching up.

use anyhow::{Result, ensure};
use eqmesh_replica::{Budget, Share, VersionVector};
use eqmesh_workloads::mesh::Mesh;
use eqmesh_workloads::row::Row;
use eqmesh_workloads::workload::Workload;

use crate::growth::{self, Growth};
use crate::peers::{Automerge, Loro, Peer, Yrs};

const MATH: [&str; 4] = ["math-pure-it8", "math-pure-it9", "math-pure-it10", "math-pure-it11"];

/// The workload of more than 100,000 e-nodes that the peers are given too.
const LARGE: &str = "math-pure-it10";

/// The level of zstd, its default.
const LEVEL: i32 = 3;

fn compressed(bytes: &[u8]) -> Result<usize> {
    Ok(zstd::bulk::compress(bytes, LEVEL)?.len())
}

/// A peer that holds the facts of all rounds but the last, and a copy of it.
fn all_but_the_last<P: Peer>(rounds: &[Growth]) -> Result<(P, P)> {
    let mut peer = P::new()?;
    for round in &rounds[..rounds.len() - 1] {
        peer.append(round.items())?;
    }
    let copy = P::load(&peer.save()?)?;
    ensure!(copy.length() == peer.length(), "{}: a copy that differs", P::NAME);
    Ok((peer, copy))
}

/// Compressed.
fn packed(workload: &str, who: &str, update: &[u8], round: &Growth) -> Result<Row> {
    let each = compressed(update)? as f64 / round.enodes as f64;
    let name = format!("delta/{workload}/{who}/zstd");
    Ok(Row::told(name, each, "bytes per e-node"))
}

fn peer_delta<P: Peer>(rounds: &[Growth]) -> Result<[Row; 2]> {
    let (mut peer, mut copy) = all_but_the_last::<P>(rounds)?;
    let last = &rounds[rounds.len() - 1];
    peer.append(last.items())?;
    let update = peer.update()?;
    copy.apply(&update)?;
    ensure!(
        copy.length() == peer.length(),
        "{}: an update that lacks something",
        P::NAME
    );
    let each = update.len() as f64 / last.enodes as f64;
    Ok([
        Row::told(format!("delta/{LARGE}/{}", P::NAME), each, "bytes per e-node"),
        packed(LARGE, P::NAME, &update, last)?,
    ])
}

/// The block of the last round, for each e-node by which it lets the e-graph grow.
pub(crate) fn delta() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for workload in MATH {
        let (rounds, _) = growth::of(workload)?;
        let last = &rounds[rounds.len() - 1];
        let each = last.bytes.len() as f64 / last.enodes as f64;
        rows.push(Row::told(format!("delta/{workload}/eqmesh"), each, "bytes per e-node").at_most(5.0));
        rows.push(packed(workload, "eqmesh", &last.bytes, last)?);
        if workload == LARGE {
            rows.extend(peer_delta::<Automerge>(&rounds)?);
            rows.extend(peer_delta::<Loro>(&rounds)?);
            rows.extend(peer_delta::<Yrs>(&rounds)?);
        }
    }
    Ok(rows)
}

fn peer_state<P: Peer>(rounds: &[Growth]) -> Result<Row> {
    let mut peer = P::new()?;
    for round in rounds {
        peer.append(round.items())?;
    }
    let name = format!("state/{LARGE}/{}", P::NAME);
    Ok(Row::told(name, compressed(&peer.save()?)? as f64 / 1e3, "kB with zstd"))
}

/// A kept replica: with all its facts, and with the snapshot that stands for them.
pub(crate) fn state() -> Result<Vec<Row>> {
    let (rounds, mut replica) = growth::of(LARGE)?;
    ensure!(replica.size().enodes >= 100_000, "{LARGE} is not large");
    let row = |what: &str, bytes: &[u8]| -> Result<[Row; 2]> {
        let kept = compressed(bytes)? as f64 / 1e3;
        Ok([
            Row::told(format!("state/{LARGE}/eqmesh/{what}"), kept, "kB with zstd").at_most(400.0),
            Row::told(
                format!("state/{LARGE}/eqmesh/{what}/plain"),
                bytes.len() as f64 / 1e3,
                "kB",
            ),
        ])
    };
    let mut rows = row("facts", &replica.save())?.to_vec();
    crate::replay::compact(&mut replica)?;
    rows.extend(row("snapshot", &replica.save())?);
    rows.extend([
        peer_state::<Automerge>(&rounds)?,
        peer_state::<Loro>(&rounds)?,
        peer_state::<Yrs>(&rounds)?,
    ]);
    Ok(rows)
}

/// A last round that adds about a hundredth of the facts before it, for peers.
fn hundredth(rounds: &[Growth]) -> Growth {
    let facts = rounds.iter().map(|round| round.facts).sum::<u64>() / 100;
    let last = &rounds[rounds.len() - 1];
    let bytes = last.items().take(facts as usize).flatten().copied().collect();
    Growth {
        bytes,
        facts,
        enodes: 0,
    }
}

fn peer_sync<P: Peer>(rounds: &[Growth]) -> Result<[Row; 2]> {
    let mut peer = P::new()?;
    for round in rounds {
        peer.append(round.items())?;
    }
    let mut copy = P::load(&peer.save()?)?;
    let change = hundredth(rounds);
    peer.append(change.items())?;
    let exchange = copy.pull(&mut peer)?;
    ensure!(copy.length() == peer.length(), "{}: not up to date", P::NAME);
    let name = format!("sync/{LARGE}/{}", P::NAME);
    Ok([
        Row::told(&name, exchange.bytes as f64 / change.facts as f64, "bytes per fact"),
        Row::told(
            format!("{name}/round-trips"),
            exchange.round_trips as f64,
            "round trips",
        ),
    ])
}

/// Nine agents have found a hundredth more, each a part of it. Somebody who has heard of none of that asks one of them.
pub(crate) fn sync() -> Result<Vec<Row>> {
    const AGENTS: u32 = 9;
    let workload = Workload::named(LARGE)?;
    // One more follows.
    let mut mesh = Mesh::new(&workload, AGENTS + 1)?;
    for _ in 0..workload.iterations {
        for index in 0..AGENTS {
            mesh.derive(index as usize, Share { index, count: AGENTS })?;
        }
        mesh.seal();
        mesh.settle()?;
    }
    let before = mesh.replicas[0].size();
    ensure!(before.enodes == workload.expected.enodes, "{LARGE}: other work");
    let mut behind = mesh.replicas[AGENTS as usize].clone();
    let sealed = mesh.blocks.len();
    let budget = Budget {
        matches: u64::MAX,
        nodes: before.enodes / 100 / u64::from(AGENTS),
    };
    for index in 0..AGENTS {
        let share = Share { index, count: AGENTS };
        mesh.replicas[index as usize].derive(&mesh.rules, share, budget)?;
    }
    mesh.seal();
    mesh.settle()?;
    let change: usize = mesh.blocks[sealed..].iter().map(Vec::len).sum();
    let ahead = &mesh.replicas[1];
    let facts = ahead.size().facts - before.facts;
    ensure!(facts > 0, "nothing has changed");

    let (mut bytes, mut round_trips) = (0, 0);
    while behind.state_digest() != ahead.state_digest() {
        let question = postcard::to_allocvec(&behind.version())?;
        let known: VersionVector = postcard::from_bytes(&question)?;
        let answer = ahead.delta_since(&known);
        bytes += question.len() + answer.iter().map(|block| block.len()).sum::<usize>();
        for block in answer {
            behind.receive(&block)?;
        }
        behind.settle();
        round_trips += 1;
        ensure!(round_trips < 10, "no end of it");
    }
    let name = format!("sync/{LARGE}/eqmesh");
    let grown = 100.0 * (ahead.size().enodes - before.enodes) as f64 / before.enodes as f64;
    let mut rows = vec![
        Row::told(format!("{name}/change"), grown, "% more e-nodes"),
        Row::told(
            format!("{name}/over-change"),
            bytes as f64 / change as f64,
            "bytes per byte",
        )
        .at_most(1.2),
        Row::told(format!("{name}/round-trips"), f64::from(round_trips), "round trips").at_most(1.0),
        Row::told(&name, bytes as f64 / facts as f64, "bytes per fact"),
    ];
    let (rounds, _) = growth::of(LARGE)?;
    rows.extend(peer_sync::<Automerge>(&rounds)?);
    rows.extend(peer_sync::<Loro>(&rounds)?);
    rows.extend(peer_sync::<Yrs>(&rounds)?);
    Ok(rows)
}
