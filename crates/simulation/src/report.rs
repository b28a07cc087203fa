//! What a run came to.

use std::fmt;

use serde::Serialize;

use crate::span::Span;

/// What a run came to. Everything in it follows from the scenario and the seed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// How many agents the network was founded with.
    pub agents: u32,
    /// The topology's greatest distance, among the founders.
    pub diameter: u32,
    /// Whether every agent that is up said that all have converged, on the same facts.
    pub converged: bool,
    /// Virtual time at the end, in microseconds.
    pub micros: u64,
    /// The same in ticks of an agent.
    pub ticks: u64,
    /// From the last new fact, or from the end of the last fault, until all agents had the same facts, in microseconds.
    pub lag_micros: u64,
    /// The same in ticks, a part of a tick counted as one.
    pub lag_ticks: u64,
    /// From the same moment until every agent knew that all have converged, in microseconds.
    pub announced_micros: u64,
    /// The same in ticks, a part of a tick counted as one.
    pub announced_ticks: u64,
    /// Messages that were sent to an agent; a broadcast counts once for each receiver,
    pub messages: u64,
    /// and their bytes.
    pub bytes: u64,
    /// Messages that were lost, by chance or at a partition or because the receiver was down.
    pub lost: u64,
    /// Messages that arrived twice.
    pub repeated: u64,
    /// How often an agent crashed,
    pub crashes: u64,
    /// and how often one lost its store, or a part of it.
    pub amnesia: u64,
    /// How often an agent was suspended and resumed,
    pub suspensions: u64,
    /// and the most bytes that one took meanwhile, without its facts.
    pub suspended_bytes: u64,
    /// Agents that stopped because another one had been started under their number.
    pub superseded: u64,
    /// How often an agent replaced what it had stored, as facts had been compacted.
    pub shortened: u64,
    /// Facts of the largest replica,
    pub facts: u64,
    /// the blocks that hold them,
    pub blocks: u64,
    /// their bytes,
    pub log_bytes: u64,
    /// and its e-nodes.
    pub enodes: u64,
    /// The state digest of all, in hexadecimal; empty if they differ.
    pub state_digest: String,
    /// The meaning digest of all, which is that of one agent alone.
    pub meaning_digest: String,
    /// What should not have happened: none if all is well.
    pub failures: Vec<String>,
}

impl Report {
    /// Whether the network converged, and every check holds.
    pub fn holds(&self) -> bool {
        self.converged && self.failures.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { seed, agents, .. } = self;
        let outcome = if self.converged {
            "converged"
        } else {
            "did not converge"
        };
        writeln!(
            formatter,
            "seed {seed}: {agents} agents {outcome} in {} ({} ticks)",
            Span(self.micros),
            self.ticks
        )?;
        if self.converged {
            writeln!(
                formatter,
                "  all had the same facts {} after the last new one or fault ({} ticks; the diameter is {}), and knew it after {} ({} ticks)",
                Span(self.lag_micros),
                self.lag_ticks,
                self.diameter,
                Span(self.announced_micros),
                self.announced_ticks
            )?;
        }
        writeln!(
            formatter,
            "  {} messages, {} bytes; {} lost, {} repeated; {} crashes, {} of them with loss of state",
            self.messages, self.bytes, self.lost, self.repeated, self.crashes, self.amnesia
        )?;
        if self.suspensions > 0 {
            writeln!(
                formatter,
                "  {} suspensions, each of at most {} bytes besides the facts",
                self.suspensions, self.suspended_bytes
            )?;
        }
        writeln!(
            formatter,
            "  {} facts in {} blocks of {} bytes, {} e-nodes",
            self.facts, self.blocks, self.log_bytes, self.enodes
        )?;
        if self.converged {
            writeln!(formatter, "  state   {}", self.state_digest)?;
            writeln!(formatter, "  meaning {}", self.meaning_digest)?;
        }
        for failure in &self.failures {
            writeln!(formatter, "  FAILED: {failure}")?;
        }
        Ok(())
    }
}
