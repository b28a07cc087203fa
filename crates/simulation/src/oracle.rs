//! What is true, found out without the network: what one agent alone comes to, and whether facts are what a network says of them.

use eqmesh_replica::{AgentId, Budget, Dot, Options, Replica, Share};

use crate::scenario::{ScenarioError, alone};
use crate::workload::Workload;
use eqmesh_agent::RoundTask;

const UNLIMITED: Budget = Budget {
    matches: u64::MAX,
    nodes: u64::MAX,
};

/// How long a workload is tried.
const MAX_ROUNDS: u32 = 200;
const MAX_NODES: u64 = 200_000;

/// What one agent alone comes to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reference {
    pub(crate) meaning: [u8; 32],
}

impl Reference {
    /// Runs a workload on one agent, in rounds, to saturation.
    pub(crate) fn of(workload: &Workload) -> Result<Reference, ScenarioError> {
        let mut alone = alone();
        for submission in &workload.submissions {
            alone
                .submit(&submission.text, 0)
                .map_err(|errors| ScenarioError::Workload {
                    name: workload.name.clone(),
                    why: errors
                        .iter()
                        .map(|own| own.message.as_str())
                        .collect::<Vec<_>>()
                        .join("; "),
                })?;
        }
        let task = RoundTask {
            ruleset: String::new(),
            budget: UNLIMITED,
        };
        for _ in 0..MAX_ROUNDS {
            alone.start_round(&task, 0).map_err(|fault| ScenarioError::Workload {
                name: workload.name.clone(),
                why: fault.to_string(),
            })?;
            if alone.verdict().is_some_and(|verdict| verdict.saturated) {
                let meaning = alone.meaning_digest();
                return Ok(Reference { meaning });
            }
            if alone.summary().size.enodes > MAX_NODES {
                break;
            }
        }
        Err(ScenarioError::Endless {
            name: workload.name.clone(),
            rounds: MAX_ROUNDS,
            nodes: alone.summary().size.enodes,
        })
    }
}

/// Checks that these facts, whose digest is told, are a fixpoint, all of them certified: a replica of its own takes them in and searches all matches of all rules of the ruleset that is run, the
/// default one. Answers what is wrong.
pub(crate) fn check_fixpoint(blocks: &[Vec<u8>], digest: [u8; 32], coloring: bool) -> Result<(), String> {
    let agent = AgentId(u32::MAX);
    let mut replica = Replica::new(Options { agent, coloring });
    // All of it was accepted, with the cuts that came in between at any place.
    let broken = replica.resume(blocks);
    if broken > 0 {
        return Err(format!("{broken} blocks or snapshots cannot be taken in"));
    }
    let settled = replica.settle();
    if let Some((dot, why)) = replica.refused().next() {
        return Err(format!(
            "fact {} of agent {} does not hold: {why}",
            dot.sequence, dot.agent.0
        ));
    }
    if replica.state_digest() != digest {
        return Err("it stands on facts that do not count".to_owned());
    }
    if settled.waiting > 0 {
        return Err(format!("{} blocks build on others that are not there", settled.waiting));
    }
    if coloring && let Some(agent) = replica.uncertified().first() {
        return Err(format!("facts of agent {} are not certified", agent.0));
    }
    let run = replica.rules().filter(|(_, rule)| rule.ruleset.is_empty());
    let rules: Vec<Dot> = run.map(|(dot, _)| dot).collect();
    let whole = Share { index: 0, count: 1 };
    let report = replica
        .derive(&rules, whole, UNLIMITED)
        .map_err(|fault| fault.to_string())?;
    if report.applied + report.blocked > 0 {
        return Err(format!(
            "{} matches add something, {} are blocked",
            report.applied, report.blocked
        ));
    }
    Ok(())
}
