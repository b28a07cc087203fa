//! The broker in this process: carries messages between the agents of one run.

use std::time::Instant;

use eqmesh_agent::{Config, Message, RoundTask};
use eqmesh_composer::World;
use eqmesh_orchestrator::Verdict;
use eqmesh_replica::AgentId;
use rayon::prelude::*;

use crate::agent::{Agent, AgentError, native};
use crate::carrier::Carrier;
use crate::wasm::{Host, HostError};

/// Events that each agent's timeline keeps; older ones live on in its metrics.
const TIMELINE_CAPACITY: u32 = 4096;

/// What the agents run in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// Composed components under wasmtime.
    #[default]
    Wasm,
    /// The same crates in this process.
    Native,
}

/// The network of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// How many agents, from 1. From three on, agent `i` is red, blue or green by `i mod 3`; with fewer, each has all three streams.
    pub agents: u32,
    /// Whether the 3-coloring constraint and certification are kept.
    pub coloring: bool,
    /// What they run in.
    pub engine: Engine,
}

impl Setup {
    fn world(self, agent: u32) -> World {
        match (self.agents, agent % 3) {
            (1 | 2, _) => World::Solo,
            (_, 0) => World::Red,
            (_, 1) => World::Blue,
            _ => World::Green,
        }
    }
}

/// The agents of a run, and the messages between them, within this process or by a [`Carrier`].
///
/// Messages are carried in waves: every agent, on whatever processor, works through what has arrived for it; what it answers is sorted by sender and makes
/// the next wave. So a run is the same every time, and would be the same in any other order (see `eqmesh_agent`).
pub struct Broker {
    agents: Vec<Box<dyn Agent>>,
    carrier: Option<Box<dyn Carrier>>,
    start: Instant,
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Broker")
            .field("agents", &self.agents.len())
            .finish_non_exhaustive()
    }
}

fn micros(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
}

impl Broker {
    /// Makes the agents. For [`Engine::Wasm`] that composes and compiles them first.
    pub fn new(setup: Setup) -> Result<Broker, HostError> {
        let config = |id| Config {
            id: AgentId(id),
            agents: setup.agents,
            coloring: setup.coloring,
            timeline_capacity: TIMELINE_CAPACITY,
        };
        let agents = match setup.engine {
            Engine::Native => (0..setup.agents)
                .map(|id| Box::new(native(setup.world(id), config(id))) as Box<dyn Agent>)
                .collect(),
            Engine::Wasm => {
                let host = Host::new((0..setup.agents.min(3)).map(|id| setup.world(id)))?;
                (0..setup.agents)
                    .map(|id| Ok(Box::new(host.agent(setup.world(id), config(id))?) as Box<dyn Agent>))
                    .collect::<Result<_, HostError>>()?
            }
        };
        Ok(Broker {
            agents,
            carrier: None,
            start: Instant::now(),
        })
    }

    /// Has the messages from now on carried by this.
    pub fn carry_by(&mut self, carrier: Box<dyn Carrier>) {
        self.carrier = Some(carrier);
    }

    /// How many agents there are: at least one.
    pub fn agents(&self) -> u64 {
        self.agents.len() as u64
    }

    /// The agent that is asked and told on behalf of all: they agree.
    pub fn first(&mut self) -> &mut dyn Agent {
        &mut *self.agents[0]
    }

    /// Asks every agent the same.
    pub fn ask<T: Send>(
        &mut self,
        ask: impl Fn(&mut dyn Agent) -> Result<T, AgentError> + Sync,
    ) -> Result<Vec<T>, AgentError> {
        self.agents.par_iter_mut().map(|agent| ask(&mut **agent)).collect()
    }

    /// Hands a text to the first agent and tells the others.
    pub fn submit(&mut self, text: &str) -> Result<(), AgentError> {
        let messages = self.agents[0].submit(text, micros(self.start))?;
        self.deliver(messages)
    }

    /// One round of all agents. Answers the verdict that all have come to; fails if they have not.
    pub fn round(&mut self, task: &RoundTask) -> Result<Verdict, AgentError> {
        let start = self.start;
        let messages = self.ask(|agent| agent.start_round(task, micros(start)))?;
        self.deliver(messages.into_iter().flatten().collect())?;
        let verdicts = self.ask(|agent| agent.verdict())?;
        match verdicts[0] {
            Some(verdict) if verdict.agreed && verdicts.iter().all(|own| *own == Some(verdict)) => Ok(verdict),
            _ => Err(AgentError::Trap(format!(
                "the agents do not agree after a round: {verdicts:?}"
            ))),
        }
    }

    /// Carries messages, and what is answered to them, until nobody has anything to say.
    fn deliver(&mut self, mut messages: Vec<Message>) -> Result<(), AgentError> {
        let start = self.start;
        while !messages.is_empty() {
            let wave = &messages;
            let count = self.agents.len() as u32;
            let arrived = match &mut self.carrier {
                Some(carrier) => Some(carrier.carry(wave, count)?),
                None => None,
            };
            let answers: Vec<Vec<Message>> = self
                .agents
                .par_iter_mut()
                .enumerate()
                .map(|(id, agent)| {
                    let own: Vec<&Message> = match &arrived {
                        Some(arrived) => arrived[id].iter().collect(),
                        None => wave
                            .iter()
                            .filter(|message| message.concerns(AgentId(id as u32)))
                            .collect(),
                    };
                    let mut answers = Vec::new();
                    for message in own {
                        answers.extend(agent.receive(message, micros(start))?);
                    }
                    Ok(answers)
                })
                .collect::<Result<_, AgentError>>()?;
            messages = answers.into_iter().flatten().collect();
        }
        Ok(())
    }
}
