//! The whole network, by asking every agent.

use std::collections::BTreeSet;

use eqmesh_service::AgentState;
use futures::future::join_all;
use serde::Serialize;
use spin_sdk::http::{Request, Response};

/// An agent's answer.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Answered {
    State(Box<AgentState>),
    Silent { id: u32, error: String },
}

/// The network.
#[derive(Debug, Serialize)]
pub(crate) struct Status {
    /// How it is, in one sentence.
    pub(crate) summary: String,
    /// All agents hold the same graph, and no rule adds anything to it.
    pub(crate) converged: bool,
    /// How many hold what most hold.
    pub(crate) level: usize,
    /// How many facts the one that has most has more than the one that has fewest.
    pub(crate) lag: u64,
    pub(crate) agents: Vec<Answered>,
}

#[derive(Serialize)]
pub(crate) struct Health {
    status: &'static str,
    agents: usize,
    healthy: usize,
}

async fn state(id: u32) -> Answered {
    let silent = |error: String| Answered::Silent { id, error };
    let request = Request::get(format!("http://agent{id}.spin.internal/agent/{id}/state")).build();
    let response: Response = match spin_sdk::http::send(request).await {
        Ok(response) => response,
        Err(error) => return silent(error.to_string()),
    };
    if *response.status() != 200 {
        let text = String::from_utf8_lossy(response.body()).into_owned();
        return silent(format!("{}: {text}", response.status()));
    }
    match serde_json::from_slice(response.body()) {
        Ok(state) => Answered::State(Box::new(state)),
        Err(error) => silent(error.to_string()),
    }
}

impl Status {
    pub(crate) async fn ask(agents: u32) -> Status {
        Status::of(join_all((0..agents).map(state)).await)
    }

    fn of(agents: Vec<Answered>) -> Status {
        let states: Vec<&AgentState> = agents.iter().filter_map(Answered::state).collect();
        let digests: BTreeSet<&str> = states.iter().map(|state| state.state_digest.as_str()).collect();
        let with = |digest: &&str| states.iter().filter(|state| state.state_digest == **digest).count();
        let level = digests.iter().map(with).max().unwrap_or(0);
        let facts = states.iter().map(|state| state.facts);
        let lag = facts.clone().max().unwrap_or(0) - facts.min().unwrap_or(0);
        let converged = level == agents.len() && states.iter().all(|state| state.converged);
        let working = states.iter().filter(|state| state.queue.working).count();
        let how = if converged {
            "converged"
        } else if working > 0 {
            "working"
        } else {
            "not converged"
        };
        Status {
            summary: format!(
                "{level} of {} agents hold the same graph · lag {lag} facts · {how}",
                agents.len()
            ),
            converged,
            level,
            lag,
            agents,
        }
    }

    pub(crate) fn is_healthy(&self) -> bool {
        self.agents.iter().any(|agent| agent.state().is_some())
    }

    pub(crate) fn health(&self) -> Health {
        let healthy = self.agents.iter().filter(|agent| agent.state().is_some()).count();
        Health {
            status: if healthy == self.agents.len() {
                "ok"
            } else if healthy > 0 {
                "degraded"
            } else {
                "down"
            },
            agents: self.agents.len(),
            healthy,
        }
    }
}

impl Answered {
    pub(crate) fn state(&self) -> Option<&AgentState> {
        match self {
            Answered::State(state) => Some(state),
            Answered::Silent { .. } => None,
        }
    }
}
