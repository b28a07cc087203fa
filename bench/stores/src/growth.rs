//! How the facts of a workload grow, round by round.

use anyhow::{Context as _, Result, ensure};
use eqmesh_replica::Replica;
use eqmesh_workloads::mesh::Mesh;
use eqmesh_workloads::workload::Workload;

/// The block of one round, or of the rules and terms before the first.
pub(crate) struct Growth {
    /// The block.
    pub(crate) bytes: Vec<u8>,
    /// How many facts it tells.
    pub(crate) facts: u64,
    /// By how many e-nodes the e-graph grows.
    pub(crate) enodes: u64,
}

impl Growth {
    /// The facts as items of their own, each with its part of the block's bytes. A block tells facts column by column, and each as the difference to the one before, so these are not
    /// the very bytes of each fact, and a fact that stands by itself takes more: what others need for these items is the least that they could need.
    pub(crate) fn items(&self) -> impl Iterator<Item = &[u8]> {
        let at = |fact: u64| (fact * self.bytes.len() as u64 / self.facts) as usize;
        (0..self.facts).map(move |fact| &self.bytes[at(fact)..at(fact + 1)])
    }
}

/// All rounds of a workload by one replica, and the replica.
pub(crate) fn of(name: &str) -> Result<(Vec<Growth>, Replica)> {
    let workload = Workload::named(name)?;
    let mut mesh = Mesh::new(&workload, 1)?;
    let mut rounds = Vec::new();
    let (mut facts, mut enodes) = (0, 0);
    loop {
        let size = mesh.replicas[0].size();
        let bytes = mesh.blocks.pop().context("each round makes one block")?;
        ensure!(mesh.blocks.is_empty(), "each round makes one block");
        rounds.push(Growth {
            bytes,
            facts: size.facts - facts,
            enodes: size.enodes.saturating_sub(enodes),
        });
        (facts, enodes) = (size.facts, size.enodes);
        if rounds.len() as u64 > workload.iterations {
            break;
        }
        mesh.saturate(1)?;
        if mesh.blocks.is_empty() {
            break;
        }
    }
    ensure!(enodes == workload.expected.enodes, "{name}: other work");
    Ok((rounds, mesh.replicas.swap_remove(0)))
}
