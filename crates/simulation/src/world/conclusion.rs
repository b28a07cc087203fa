//! The end of a run: when it is reached, and what is checked then.

use std::collections::BTreeSet;

use eqmesh_agent::Node;
use eqmesh_orchestrator::Topology;
use eqmesh_replica::{AgentId, Dot, VersionVector};

use super::World;
use crate::report::Report;
use crate::scenario::Scenario;

impl World<'_> {
    /// Whether all is done and everybody knows it.
    pub(super) fn is_over(&mut self) -> bool {
        let up = self.hosts.iter().filter(|host| host.node.is_some());
        let all_submitted = self.submitted == self.scenario.workload.submissions.len();
        if self.now < self.calm || !all_submitted || self.holding.len() != 1 || self.claiming.len() != 1 {
            return false;
        }
        let (Some((held, &holders)), Some((claimed, &claimants))) =
            (self.holding.first_key_value(), self.claiming.first_key_value())
        else {
            return false;
        };
        // What was claimed at a tick may have been overtaken since.
        held == claimed
            && holders == claimants
            && up.count() == holders as usize
            && self
                .hosts
                .iter_mut()
                .filter_map(|host| host.node.as_mut())
                .all(Node::converged)
    }

    /// Checks the end, and reports.
    pub(super) fn conclude(mut self) -> Report {
        let scenario = self.scenario;
        self.report.micros = self.now;
        self.report.ticks = self.now / scenario.tick.0;
        self.report.diameter = diameter(scenario);
        let since = self.last_fact.max(self.calm);
        let ticks = |micros: u64| micros.div_ceil(scenario.tick.0);
        if self.report.converged {
            self.report.lag_micros = self.agreed.unwrap_or(self.now).saturating_sub(since);
            self.report.lag_ticks = ticks(self.report.lag_micros);
            self.report.announced_micros = self.now.saturating_sub(since);
            self.report.announced_ticks = ticks(self.report.announced_micros);
        } else {
            let (states, up) = (self.holding.len(), self.holding.values().sum::<u32>());
            self.fail(format!(
                "{up} agents that are up have not converged: they hold {states} different states"
            ));
        }
        let mut said = self.user.clone();
        for host in self.hosts.iter().filter(|host| host.node.is_some()) {
            said.join(&host.said);
        }
        let void = std::mem::take(&mut self.void);
        said = said
            .iter()
            .map(|dot| {
                let before = void.get(&dot.agent).map_or(u64::MAX, |first| first - 1);
                let sequence = dot.sequence.min(before);
                Dot { sequence, ..dot }
            })
            .collect();
        let mut failures = Vec::new();
        let mut meanings = BTreeSet::new();
        let mut largest = (0, VersionVector::default());
        for (at, host) in self.hosts.iter_mut().enumerate() {
            let Some(node) = &mut host.node else { continue };
            let summary = node.summary();
            if self.report.converged {
                let meaning = node.meaning_digest();
                if meaning != self.reference.meaning {
                    failures.push(format!(
                        "agent {} means something else than one agent alone",
                        host.number
                    ));
                }
                meanings.insert(meaning);
                if !node.version().covers(&said) {
                    failures.push(format!("agent {} lacks facts that are stored elsewhere", host.number));
                }
                if void.iter().any(|(&agent, &first)| node.version().get(agent) >= first) {
                    failures.push(format!("agent {} holds facts that others took back", host.number));
                }
            }
            let honest = |dot: &eqmesh_replica::Dot| dot.agent != crate::parts::FORGER;
            for (dot, why) in summary.refused.iter().filter(|(dot, _)| honest(dot)) {
                let (agent, fact) = (dot.agent.0, dot.sequence);
                failures.push(format!(
                    "agent {} refused fact {fact} of agent {agent}: {why}",
                    host.number
                ));
            }
            if summary.size.facts >= largest.0 {
                largest.0 = summary.size.facts;
                self.report.facts = summary.size.facts;
                self.report.enodes = summary.size.enodes;
                self.report.state_digest = hex(&summary.state_digest);
                if at == 0 || self.report.log_bytes == 0 || self.holding.len() > 1 {
                    let blocks = node.delta_since(&VersionVector::default());
                    self.report.blocks = blocks.len() as u64;
                    self.report.log_bytes = blocks.iter().map(|block| block.len() as u64).sum();
                }
            }
        }
        for failure in failures {
            self.fail(failure);
        }
        if self.holding.len() != 1 {
            self.report.state_digest.clear();
        }
        if let [meaning] = meanings.into_iter().collect::<Vec<_>>()[..] {
            self.report.meaning_digest = hex(&meaning);
        }
        self.report
    }
}

/// The greatest distance between two founders.
fn diameter(scenario: &Scenario) -> u32 {
    match scenario.topology {
        Topology::Mesh => u32::from(scenario.agents > 1),
        topology => eqmesh_orchestrator::Network::new(AgentId(0), scenario.agents, true, topology).diameter(),
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;

    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
