//! `replication`: what it costs to share the work, to replay what others found, and to extract.

use anyhow::{Result, bail, ensure};
use clap::Args;
use eqmesh_egraph::color::Colors;
use eqmesh_egraph::extract::CostModel;
use eqmesh_replica::{AgentId, Options, Replica, Share};
use eqmesh_workloads::mesh::Mesh;
use eqmesh_workloads::usage::Clock;
use eqmesh_workloads::workload::{self, Workload};
use serde::Serialize;

/// Who shares the work.
const AGENTS: u32 = 9;

/// What is asked of `replication`.
#[derive(Debug, Args)]
pub(crate) struct ReplicationArguments {
    /// Only the workloads whose name contains this. May be repeated.
    #[arg(long, value_name = "NAME")]
    workload: Vec<String>,

    /// A JSON document a line in place of the table.
    #[arg(long)]
    json: bool,
}

/// A row of the result. Times are of the processor, in seconds.
#[derive(Debug, Serialize)]
struct Row<'w> {
    workload: &'w str,
    enodes: u64,
    facts: u64,
    /// All blocks.
    bytes: u64,
    /// One agent: searching, making facts and settling them, all rounds.
    saturate_s: f64,
    /// Another replica takes in the blocks of that.
    replay_s: f64,
    replay_ns_per_enode: f64,
    /// Saturating over replaying.
    replay_gain: f64,
    /// Full searches of the e-graph of each round.
    search_s: f64,
    /// The shares of nine agents together.
    shares_s: f64,
    shares_over_search: f64,
    /// Of both, the matching alone: without the index, and without making facts.
    matching_s: f64,
    matching_shares_s: f64,
    matching_shares_over_search: f64,
    /// The cheapest term of the first term's class.
    extract_s: f64,
    extract_over_saturate: f64,
}

fn measure(workload: &Workload) -> Result<Row<'_>> {
    let mut mesh = Mesh::new(workload, 1)?;
    let clock = Clock::start();
    mesh.saturate(workload.iterations)?;
    let saturate_s = clock.stop().cpu_s;
    let size = mesh.replicas[0].size();
    ensure!(size.enodes == workload.expected.enodes, "{}: other work", workload.name);

    let mut other = Replica::new(Options {
        agent: AgentId(1),
        coloring: false,
    });
    let clock = Clock::start();
    for block in &mesh.blocks {
        other.receive(block)?;
        other.settle();
    }
    let replay_s = clock.stop().cpu_s;
    ensure!(other.size() == size, "{}: a replay that differs", workload.name);
    drop(other);

    let bytes = mesh.blocks.iter().map(|block| block.len() as u64).sum();
    let replica = &mut mesh.replicas[0];
    // The index, which any question needs first, belongs to the round.
    replica.extract(&workload.terms[0], 1, CostModel::Tree, Colors::MADE)?;
    let clock = Clock::start();
    replica.extract(&workload.terms[0], 1, CostModel::Tree, Colors::MADE)?;
    let extract_s = clock.stop().cpu_s;
    drop(mesh);

    let (mut search_s, mut shares_s) = (0.0, 0.0);
    let (matching_s, matching_shares_s) = matching(workload)?;
    // One more looks on, and each round searches all that the nine share.
    let mut nine = Mesh::new(workload, AGENTS + 1)?;
    let onlooker = AGENTS as usize;
    let all = Share { index: 0, count: 1 };
    let shares = (0..AGENTS).map(|index| Share { index, count: AGENTS });
    for _ in 0..workload.iterations {
        let clock = Clock::start();
        nine.derive(onlooker, all)?;
        search_s += clock.stop().cpu_s;
        nine.replicas[onlooker].discard();
        let mut saturated = true;
        let clock = Clock::start();
        for share in shares.clone() {
            let index = share.index;
            saturated &= nine.derive(index as usize, share)?;
        }
        shares_s += clock.stop().cpu_s;
        nine.seal();
        nine.settle()?;
        if saturated {
            break;
        }
    }
    Ok(Row {
        workload: &workload.name,
        enodes: size.enodes,
        facts: size.facts,
        bytes,
        saturate_s,
        replay_s,
        replay_ns_per_enode: replay_s * 1e9 / size.enodes as f64,
        replay_gain: saturate_s / replay_s,
        search_s,
        shares_s,
        shares_over_search: shares_s / search_s,
        matching_s,
        matching_shares_s,
        matching_shares_over_search: matching_shares_s / matching_s,
        extract_s,
        extract_over_saturate: extract_s / saturate_s,
    })
}

/// The processor time of matching alone, of one agent and of nine together, round by round on the same e-graphs: all that no round before has seen. Indices are there, and no facts are made of it.
fn matching(workload: &Workload) -> Result<(f64, f64)> {
    let counted = |agents: u32| -> Result<(f64, u64)> {
        let mut mesh = Mesh::new(workload, agents)?;
        let (mut matching_s, mut matches) = (0.0, 0);
        for _ in 0..workload.iterations {
            let mut saturated = true;
            for index in 0..agents {
                let share = Share { index, count: agents };
                mesh.index(index as usize)?;
                let clock = Clock::start();
                matches += mesh.count_matches(index as usize, share)?;
                matching_s += clock.stop().cpu_s;
                saturated &= mesh.derive(index as usize, share)?;
            }
            mesh.seal();
            mesh.settle()?;
            if saturated {
                break;
            }
        }
        Ok((matching_s, matches))
    };
    let (alone, all) = counted(1)?;
    let (shares, found) = counted(AGENTS)?;
    // Rows that change hands are looked at by both.
    ensure!(found >= all, "{}: the shares miss matches", workload.name);
    Ok((alone, shares))
}

/// Measures and prints.
pub(crate) fn run(arguments: &ReplicationArguments) -> Result<()> {
    let chosen = |own: &Workload| {
        arguments.workload.is_empty() || arguments.workload.iter().any(|part| own.name.contains(part.as_str()))
    };
    let workloads: Vec<Workload> = workload::all()?.into_iter().filter(chosen).collect();
    if workloads.is_empty() {
        bail!("no workload has such a name");
    }
    if !arguments.json {
        println!(
            "{:<16} {:>9} {:>9} {:>9} {:>9} {:>9} {:>10} {:>6} {:>9} {:>9} {:>6} {:>8} {:>9} {:>6}",
            "workload",
            "e-nodes",
            "facts",
            "kB",
            "alone ms",
            "replay ms",
            "ns/e-node",
            "gain",
            "search ms",
            "shares ms",
            "ratio",
            "matching",
            "best ms",
            "ratio"
        );
    }
    for workload in &workloads {
        let row = measure(workload)?;
        if arguments.json {
            println!("{}", serde_json::to_string(&row)?);
        } else {
            println!(
                "{:<16} {:>9} {:>9} {:>9} {:>9.1} {:>9.1} {:>10.0} {:>6.1} {:>9.1} {:>9.1} {:>6.2} {:>8.2} {:>9.1} {:>6.3}",
                row.workload,
                row.enodes,
                row.facts,
                row.bytes / 1000,
                row.saturate_s * 1e3,
                row.replay_s * 1e3,
                row.replay_ns_per_enode,
                row.replay_gain,
                row.search_s * 1e3,
                row.shares_s * 1e3,
                row.shares_over_search,
                row.matching_shares_over_search,
                row.extract_s * 1e3,
                row.extract_over_saturate
            );
        }
    }
    Ok(())
}
