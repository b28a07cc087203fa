//! The network at a glance.

use std::collections::{BTreeMap, BTreeSet};

use eqmesh_service::{AgentState, LatencyState};
use serde::Serialize;

use crate::ring::{Place, ring};

/// What became of asking an agent how it is.
#[derive(Clone, Debug)]
pub enum Answer {
    /// It said.
    State(Box<AgentState>),
    /// It did not, and why.
    Silent {
        /// Its number.
        id: u32,
        /// Why.
        error: String,
    },
}

impl Answer {
    /// What it said.
    pub fn state(&self) -> Option<&AgentState> {
        match self {
            Answer::State(state) => Some(state),
            Answer::Silent { .. } => None,
        }
    }

    fn id(&self) -> u32 {
        match self {
            Answer::State(state) => state.id,
            Answer::Silent { id, .. } => *id,
        }
    }
}

/// How an agent is, seen from outside. The first that applies, from below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// It holds what the leader holds, and knows that no rule adds anything to it.
    Converged,
    /// It holds what the leader holds; there is or may be work.
    Active,
    /// It holds fewer facts than the leader, or others.
    Behind,
    /// More than half of the others that answer suspect it, or take it to have left.
    Suspected,
    /// It does not answer.
    Silent,
}

/// An agent in the document.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Shown {
    /// One that answers.
    State {
        /// How it is.
        health: Health,
        /// All that it says.
        #[serde(flatten)]
        state: Box<AgentState>,
    },
    /// One that does not.
    Silent {
        /// Its number.
        id: u32,
        /// [`Health::Silent`].
        health: Health,
        /// Why there is no answer.
        error: String,
    },
}

/// Whether messages go between two agents, as far as the two know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Link {
    /// The lesser number,
    pub from: u32,
    /// and the greater one.
    pub to: u32,
    /// Both answer, and neither suspects the other or takes it to have left.
    pub up: bool,
}

/// The network, as `GET /status` tells it.
#[derive(Clone, Debug, Serialize)]
pub struct Network {
    /// When it was asked, in milliseconds since 1970.
    pub at: u64,
    /// How it is, in one sentence.
    pub summary: String,
    /// All agents hold the same graph, and no rule adds anything to it.
    pub converged: bool,
    /// How many hold what most hold.
    pub level: usize,
    /// How many facts the one that has most has more than the one that has fewest, of those that answer.
    pub lag: u64,
    /// Over all agents that answer: how many latencies were measured, and the worst of each percentile. (Percentiles cannot be added up.)
    pub latency: LatencyState,
    /// Who hears whom: the agents that answer, two of them in one group unless each suspects the other and so does everybody in between. Ascending.
    pub groups: Vec<Vec<u32>>,
    /// Every pair of agents, ascending.
    pub links: Vec<Link>,
    /// Where to draw them.
    pub ring: Vec<Place>,
    /// By number.
    pub agents: Vec<Shown>,
}

/// Whether the network can serve, as `GET /health` tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NetworkHealth {
    status: &'static str,
    agents: usize,
    healthy: usize,
}

impl NetworkHealth {
    /// What became of asking all agents.
    pub fn of(answers: &[Answer]) -> NetworkHealth {
        let (agents, healthy) = (answers.len(), answers.iter().filter_map(Answer::state).count());
        let status = match healthy {
            0 => "down",
            _ if healthy == agents => "ok",
            _ => "degraded",
        };
        NetworkHealth {
            status,
            agents,
            healthy,
        }
    }

    /// Whether anybody answers.
    pub fn is_up(&self) -> bool {
        self.healthy > 0
    }
}

/// Whom an agent does not hear, as far as it says.
fn missed(state: &AgentState) -> BTreeSet<u32> {
    let members = state.members.iter().filter(|member| member.id != state.id);
    let members = members.filter(|member| ["suspected", "left"].contains(&member.state.as_str()));
    members.map(|member| member.id).collect()
}

impl Network {
    /// Puts together what the agents said, one answer for each, when asked at a time (in milliseconds since 1970). O(agents²).
    pub fn of(mut answers: Vec<Answer>, at: u64) -> Network {
        answers.sort_by_key(Answer::id);
        let states: Vec<&AgentState> = answers.iter().filter_map(Answer::state).collect();
        let missed: BTreeMap<u32, BTreeSet<u32>> = states.iter().map(|state| (state.id, missed(state))).collect();
        let misses = |one: u32, other: u32| missed.get(&one).is_some_and(|missed| missed.contains(&other));

        let mut holders: BTreeMap<&str, usize> = BTreeMap::new();
        for state in &states {
            *holders.entry(&state.state_digest).or_default() += 1;
        }
        let level = holders.values().copied().max().unwrap_or(0);
        // Who holds the most facts; of those the digest that most hold, and then the lesser one.
        let leader = states.iter().max_by_key(|state| {
            let digest = state.state_digest.as_str();
            (state.facts, holders[digest], std::cmp::Reverse(digest))
        });
        let leader = leader.map(|state| (state.facts, state.state_digest.clone()));
        let most = leader.as_ref().map_or(0, |(facts, _)| *facts);
        let lag = most - states.iter().map(|state| state.facts).min().unwrap_or(0);
        let converged = !states.is_empty() && level == answers.len() && states.iter().all(|state| state.converged);
        let health = |state: &AgentState| {
            let others = states.len() - 1;
            let suspecting = states.iter().filter(|other| misses(other.id, state.id)).count();
            if 2 * suspecting > others {
                Health::Suspected
            } else if leader
                .as_ref()
                .is_some_and(|(facts, digest)| state.facts < *facts || state.state_digest != *digest)
            {
                Health::Behind
            } else if state.converged {
                Health::Converged
            } else {
                Health::Active
            }
        };
        let healths: Vec<Health> = states.iter().map(|state| health(state)).collect();
        let groups = groups(
            &states.iter().map(|state| state.id).collect::<Vec<_>>(),
            |one, other| !(misses(one, other) && misses(other, one)),
        );
        let ids: Vec<u32> = answers.iter().map(Answer::id).collect();
        let link = |from: u32, to: u32| Link {
            from,
            to,
            up: missed.contains_key(&from) && missed.contains_key(&to) && !misses(from, to) && !misses(to, from),
        };
        let links = ids.iter().enumerate();
        let links = links.flat_map(|(at, &from)| ids[at + 1..].iter().map(move |&to| (from, to)));
        let links: Vec<Link> = links.map(|(from, to)| link(from, to)).collect();
        let silent = answers.len() - states.len();
        let mut summary = format!(
            "{level} of {} agents hold the same graph · lag {lag} facts",
            answers.len()
        );
        if silent > 0 {
            put(&mut summary, format_args!(" · {silent} silent"));
        }
        if groups.len() > 1 {
            put(&mut summary, format_args!(" · split into {} groups", groups.len()));
        }
        summary.push_str(if converged {
            " · converged"
        } else if states.iter().any(|state| state.queue.working) {
            " · working"
        } else {
            " · not converged"
        });
        let latency = states
            .iter()
            .fold(LatencyState::default(), |worst, state| LatencyState {
                count: worst.count + state.latency.count,
                p50: worst.p50.max(state.latency.p50),
                p95: worst.p95.max(state.latency.p95),
                p99: worst.p99.max(state.latency.p99),
                max: worst.max.max(state.latency.max),
            });
        let agents = ring(u32::try_from(answers.len()).unwrap_or(u32::MAX));
        let mut healths = healths.into_iter();
        Network {
            at,
            summary,
            converged,
            level,
            lag,
            latency,
            groups,
            links,
            ring: agents,
            agents: answers
                .into_iter()
                .map(|answer| match answer {
                    Answer::State(state) => Shown::State {
                        health: healths.next().expect("there is one for each state"),
                        state,
                    },
                    Answer::Silent { id, error } => Shown::Silent {
                        id,
                        health: Health::Silent,
                        error,
                    },
                })
                .collect(),
        }
    }
}

/// The connected components of ascending numbers, by their least one. O(agents²).
fn groups(ids: &[u32], hear: impl Fn(u32, u32) -> bool) -> Vec<Vec<u32>> {
    let mut left: BTreeSet<u32> = ids.iter().copied().collect();
    let mut groups = Vec::new();
    while let Some(first) = left.pop_first() {
        let mut group = vec![first];
        let mut at = 0;
        while let Some(&own) = group.get(at) {
            let reached: Vec<u32> = left.iter().copied().filter(|&other| hear(own, other)).collect();
            for other in reached {
                left.remove(&other);
                group.push(other);
            }
            at += 1;
        }
        group.sort_unstable();
        groups.push(group);
    }
    groups
}

/// Appends to a text.
fn put(text: &mut String, what: std::fmt::Arguments) {
    use std::fmt::Write as _;

    text.write_fmt(what).expect("a string takes all that is written");
}

#[cfg(test)]
mod tests;
