//! Replicas in this process, without agents, messages or WebAssembly around them.

use anyhow::{Result, anyhow, ensure};
use eqmesh_egraph::color::Color;
use eqmesh_replica::{AgentId, Budget, Dot, Options, Replica, Settled, Share};
use eqmesh_transduction::{Signature, Statement};

use crate::usage::{Clock, Outcome};
use crate::workload::Workload;

/// As much as there is.
pub const UNLIMITED: Budget = Budget {
    matches: u64::MAX,
    nodes: u64::MAX,
};

/// Replicas that hold the same facts.
#[derive(Clone, Debug)]
pub struct Mesh {
    /// The replicas, by agent.
    pub replicas: Vec<Replica>,
    /// All rules.
    pub rules: Vec<Dot>,
    /// All blocks so far, in causal order.
    pub blocks: Vec<Vec<u8>>,
}

impl Mesh {
    /// Replicas with the rules and terms of a workload, the coloring off.
    pub fn new(workload: &Workload, agents: u32) -> Result<Mesh> {
        let mut signature = Signature::new();
        let said = signature
            .elaborate(&workload.program())
            .map_err(|errors| anyhow!("{}: {errors:?}", workload.name))?;
        let agent = |agent| {
            Replica::new(Options {
                agent: AgentId(agent),
                coloring: false,
            })
        };
        let mut mesh = Mesh {
            replicas: (0..agents).map(agent).collect(),
            rules: Vec::new(),
            blocks: Vec::new(),
        };
        let first = &mut mesh.replicas[0];
        for statement in &said.statements {
            match statement {
                Statement::Declaration(operators) => first.declare(operators)?,
                Statement::Rules(rules) => {
                    for rule in rules {
                        mesh.rules.push(first.add_rule(&rule.program)?);
                    }
                }
                Statement::Term(label, text) => {
                    first.insert(text, label.as_deref(), Color::Green)?;
                }
                Statement::Equality(left, right) => {
                    first.unite(left, right)?;
                }
                Statement::Ruleset(_) => {}
            }
        }
        mesh.seal();
        mesh.settle()?;
        Ok(mesh)
    }

    /// One replica searches a share. Answers whether it is saturated.
    pub fn derive(&mut self, agent: usize, share: Share) -> Result<bool> {
        Ok(self.replicas[agent].derive(&self.rules, share, UNLIMITED)?.saturated)
    }

    /// An agent counts the matches of a share.
    pub fn count_matches(&mut self, agent: usize, share: Share) -> Result<u64> {
        Ok(self.replicas[agent].count_matches(&self.rules, share)?)
    }

    /// Builds the index of an agent's e-graph, which the first search or question of a round needs.
    pub fn index(&mut self, agent: usize) -> Result<()> {
        self.replicas[agent].count_matches(&[], Share { index: 0, count: 1 })?;
        Ok(())
    }

    /// Everybody closes its facts into a block and gets the others'.
    pub fn seal(&mut self) {
        for from in 0..self.replicas.len() {
            let Some(block) = self.replicas[from].seal() else {
                continue;
            };
            for (to, replica) in self.replicas.iter_mut().enumerate() {
                if to != from {
                    replica.receive(&block).expect("just sealed");
                }
            }
            self.blocks.push(block);
        }
    }

    /// Everybody settles what it has.
    pub fn settle(&mut self) -> Result<()> {
        for replica in &mut self.replicas {
            let Settled { refused, waiting, .. } = replica.settle();
            ensure!(refused.is_empty() && waiting == 0, "{refused:?}, {waiting} wait");
        }
        Ok(())
    }

    /// Rounds of the first replica alone. Answers how many, and how many matches it looked at.
    pub fn saturate(&mut self, iterations: u64) -> Result<(u64, u64)> {
        let mut matches = 0;
        for round in 1..=iterations {
            let report = self.replicas[0].derive(&self.rules, Share { index: 0, count: 1 }, UNLIMITED)?;
            matches += report.matches;
            self.seal();
            self.settle()?;
            if report.saturated {
                return Ok((round, matches));
            }
        }
        Ok((iterations, matches))
    }
}

/// One replica runs a workload.
pub fn run(workload: &Workload) -> Result<Outcome> {
    let mut mesh = Mesh::new(workload, 1)?;
    let clock = Clock::start();
    let (iterations, matches) = mesh.saturate(workload.iterations)?;
    let used = clock.stop();
    let size = mesh.replicas[0].size();
    Ok(Outcome {
        enodes: size.enodes,
        eclasses: size.eclasses,
        iterations,
        matches: Some(matches),
        used,
    })
}
