//! A scenario: everything that a simulated network is and suffers, but for the seed.

use std::fmt::Write as _;

use eqmesh_agent::{Native, Node, RoundTask};
use eqmesh_orchestrator::Topology;
use eqmesh_replica::{AgentId, Budget};

use crate::fault::{Crash, Delay, Partition};
use crate::mutant::Mutant;
use crate::oracle::Reference;
use crate::region::Regions;
use crate::report::Report;
use crate::span::Span;
use crate::workload::Workload;
use crate::world::World;

/// How a network is set up and what happens to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// How many agents it is founded with, from 1 to 65,535. From three on, agent `i` has the stream of color `i mod 3`; with fewer, each has all three.
    pub agents: u32,
    /// Along what the agents talk.
    pub topology: Topology,
    /// Whether the 3-coloring constraint and certification are kept.
    pub coloring: bool,
    /// How often each agent steps and says that it is alive. Each begins at a time of its own.
    pub tick: Span,
    /// What an agent does at most in one step.
    pub budget: Budget,
    /// How long messages travel, where `regions` says nothing else.
    pub delay: Delay,
    /// Where agents are.
    pub regions: Option<Regions>,
    /// The probability that a message is lost.
    pub loss: f64,
    /// The probability that a message arrives twice, the second time up to three ticks later.
    pub duplicate: f64,
    /// The probability that a message is overtaken by later ones of the same sender and receiver, up to two ticks; the others keep their order.
    pub reorder: f64,
    /// When the network is torn.
    pub partitions: Vec<Partition>,
    /// When agents stop.
    pub crashes: Vec<Crash>,
    /// Agents that are started a second time, and when.
    pub doubles: Vec<(u32, Span)>,
    /// Whether a stranger sends facts that do not hold.
    pub forger: bool,
    /// At every so many facts that all agents have stored, history is cut: a snapshot stands for it. The greatest number: never.
    pub cut_after: u64,
    /// The probability that an agent is suspended after something that it did, thrown away, and resumed from what its host has stored: 1 is one instance for each request.
    pub suspend: f64,
    /// What the network is given to do.
    pub workload: Workload,
    /// After this time the run ends, converged or not.
    pub limit: Span,
    /// A defect, for tests of the checks.
    pub mutant: Option<Mutant>,
}

impl Default for Scenario {
    /// Nine agents in a mesh without faults, ticks of a second, messages of 5 to 50 ms, the workload `tiny`, ten minutes.
    fn default() -> Scenario {
        Scenario {
            agents: 9,
            topology: Topology::Mesh,
            coloring: true,
            tick: Span::secs(1),
            budget: Budget {
                matches: 10_000,
                nodes: 10_000,
            },
            delay: Delay::Even(Span::millis(5), Span::millis(50)),
            regions: None,
            loss: 0.0,
            duplicate: 0.0,
            reorder: 0.0,
            partitions: Vec::new(),
            crashes: Vec::new(),
            doubles: Vec::new(),
            forger: false,
            cut_after: u64::MAX,
            suspend: 0.0,
            workload: Workload::named("tiny").expect("it comes with this crate"),
            limit: Span::secs(600),
            mutant: None,
        }
    }
}

/// Why a scenario cannot be simulated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// A number that is out of range.
    #[error("{0}")]
    Range(String),
    /// The workload cannot be read.
    #[error("the workload {name}: {why}")]
    Workload {
        /// Its name.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// The workload goes on for ever.
    #[error(
        "the workload {name} does not saturate within {rounds} rounds and {nodes} e-nodes on a single agent: a network would never converge on it"
    )]
    Endless {
        /// Its name.
        name: String,
        /// How many rounds were tried,
        rounds: u32,
        /// and how large it became.
        nodes: u64,
    },
}

/// A scenario that was found to make sense, with what one agent alone comes to.
#[derive(Clone, Debug)]
pub struct Simulation {
    scenario: Scenario,
    reference: Reference,
}

impl Simulation {
    /// Checks the scenario, and lets one agent alone run the workload.
    pub fn new(scenario: Scenario) -> Result<Simulation, ScenarioError> {
        let range = |text: String| Err(ScenarioError::Range(text));
        if !(1..=AgentId::MAX_NUMBER).contains(&scenario.agents) {
            return range(format!(
                "a network has 1 to {} agents, not {}",
                AgentId::MAX_NUMBER,
                scenario.agents
            ));
        }
        for (name, probability) in [
            ("loss", scenario.loss),
            ("duplicate", scenario.duplicate),
            ("reorder", scenario.reorder),
        ] {
            if !(0.0..1.0).contains(&probability) {
                return range(format!(
                    "{name} is a probability from 0 to less than 1, not {probability}"
                ));
            }
        }
        if !(0.0..=1.0).contains(&scenario.suspend) {
            return range(format!(
                "suspend is a probability from 0 to 1, not {}",
                scenario.suspend
            ));
        }
        if scenario.tick.0 == 0 {
            return range("a tick takes some time".to_owned());
        }
        for crash in &scenario.crashes {
            if let Crash::Scheduled { agent, .. } = crash
                && *agent >= scenario.agents
            {
                return range(format!(
                    "agent {agent} cannot crash: there are {} agents, from 0",
                    scenario.agents
                ));
            }
        }
        if scenario.cut_after < u64::MAX && scenario.topology != Topology::Mesh {
            return range("history is cut in a mesh only: leave out --cut-after, or choose --topology mesh".to_owned());
        }
        for partition in &scenario.partitions {
            if let Partition::Scheduled { groups, .. } = partition
                && let Some(agent) = groups.iter().flatten().find(|agent| **agent >= scenario.agents)
            {
                return range(format!(
                    "agent {agent} cannot be in a group of a partition: there are {} agents, from 0",
                    scenario.agents
                ));
            }
        }
        if let Some((agent, _)) = scenario.doubles.iter().find(|(agent, _)| *agent >= scenario.agents) {
            return range(format!(
                "agent {agent} cannot be started twice: there are {} agents, from 0",
                scenario.agents
            ));
        }
        let reference = Reference::of(&scenario.workload)?;
        Ok(Simulation { scenario, reference })
    }

    /// The scenario.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// Runs it. The same seed gives the same report, byte for byte.
    pub fn run(&self, seed: u64) -> Report {
        World::new(&self.scenario, &self.reference, seed).run()
    }
}

impl Scenario {
    /// What an agent runs in each step.
    pub(crate) fn task(&self) -> RoundTask {
        RoundTask {
            ruleset: String::new(),
            budget: self.budget,
        }
    }

    /// The streams of an agent.
    pub(crate) fn native(&self, number: u32) -> Native {
        Native::of_member(number, self.agents)
    }

    /// The options of `eqmesh simulate` that stand for this scenario and a seed. `files` are the paths of the workload and the regions, if they came from
    /// files.
    pub fn command_line(&self, seed: u64, regions: Option<&str>) -> String {
        let mut line = format!("eqmesh simulate --seed {seed}");
        let plain = Scenario::default();
        let mut option = |name: &str, value: String| {
            let quoted = if value.contains(['|', ' ']) {
                format!("'{value}'")
            } else {
                value
            };
            let _ = write!(line, " --{name} {quoted}");
        };
        option("agents", self.agents.to_string());
        if self.topology != plain.topology {
            option("topology", topology_name(self.topology).to_owned());
        }
        if self.tick != plain.tick {
            option("tick", self.tick.to_string());
        }
        if self.budget != plain.budget {
            option("budget", self.budget.matches.to_string());
        }
        if self.delay != plain.delay {
            option("delay", self.delay.to_string());
        }
        if let Some(regions) = regions {
            option("regions", regions.to_owned());
        }
        for (name, value) in [
            ("loss", self.loss),
            ("duplicate", self.duplicate),
            ("reorder", self.reorder),
            ("suspend", self.suspend),
        ] {
            if value > 0.0 {
                option(name, value.to_string());
            }
        }
        for partition in &self.partitions {
            option("partition", partition.to_string());
        }
        for crash in &self.crashes {
            option("crash", crash.to_string());
        }
        if self.cut_after != plain.cut_after {
            option("cut-after", self.cut_after.to_string());
        }
        if self.workload.name != plain.workload.name {
            option("workload", self.workload.name.clone());
        }
        if self.limit != plain.limit {
            option("until", self.limit.to_string());
        }
        line
    }
}

/// The name of a topology, as it is written on the command line.
pub fn topology_name(topology: Topology) -> &'static str {
    match topology {
        Topology::Mesh => "mesh",
        Topology::Sierpinski => "sierpinski",
        Topology::Expander => "expander",
    }
}

/// The topology of this name.
pub fn topology_of(name: &str) -> Result<Topology, String> {
    [Topology::Mesh, Topology::Sierpinski, Topology::Expander]
        .into_iter()
        .find(|topology| topology_name(*topology) == name)
        .ok_or_else(|| format!("a topology is mesh, sierpinski or expander, not `{name}`"))
}

/// A node of the plain parts that runs alone.
pub(crate) fn alone() -> Node<Native> {
    let config = eqmesh_agent::Config {
        id: AgentId(0),
        agents: 1,
        coloring: true,
        timeline_capacity: 0,
    };
    Node::new(config, Native::solo())
}
