//! The world: agents on their hosts, the messages between them, and virtual time.

mod carriage;
mod conclusion;
mod faults;
mod suspension;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::rc::Rc;
use std::sync::Arc;

use eqmesh_agent::{Config, Message, Node, Unstored};
use eqmesh_orchestrator::Entrance;
use eqmesh_replica::{AgentId, Dot, Fault, VersionVector, span};
use rand::RngExt as _;
use rand::SeedableRng as _;
use rand_pcg::Pcg64Mcg;

use carriage::Tear;

use crate::fault::Recovery;
use crate::forger;
use crate::mutant::Mutant;
use crate::oracle::{Reference, check_fixpoint};
use crate::parts::Simulated;
use crate::report::Report;
use crate::scenario::Scenario;

/// Founders of larger networks are not told apart by sessions: to tell everybody of each would take longer than all else.
const NAMELESS: u32 = 500;

/// Failures that are listed.
const MAX_FAILURES: usize = 10;

/// In the middle of which act an agent stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Torn {
    BeforeStore,
    AfterStore,
}

/// What an agent runs on.
struct Host {
    number: u32,
    incarnation: u16,
    /// Counts the starts: events of an earlier life are void.
    life: u32,
    node: Option<Node<Simulated>>,
    /// What is stored, in the order in which it came.
    disk: Vec<Arc<[u8]>>,
    /// What the agent could tell that it has stored, since its store was last damaged.
    said: Arc<VersionVector>,
    torn: Option<Torn>,
    /// It stopped because another one was started under its number.
    superseded: bool,
    /// Of its facts.
    digest: Option<[u8; 32]>,
    /// The facts on which it says that all have converged.
    claims: Option<[u8; 32]>,
    /// Its own facts so far.
    own: u64,
}

#[derive(Debug)]
enum Event {
    Tick {
        host: u32,
        life: u32,
    },
    Deliver {
        host: u32,
        message: Rc<Message>,
    },
    Crash {
        host: u32,
        until: Option<u64>,
        recovery: Recovery,
    },
    Recover {
        host: u32,
        recovery: Recovery,
    },
    Submit {
        at: u32,
    },
    Double {
        host: u32,
    },
    Forge,
}

/// Ordered by time, then by when it was planned.
#[derive(Debug)]
struct Planned {
    at: u64,
    order: u64,
    event: Event,
}

impl PartialEq for Planned {
    fn eq(&self, other: &Planned) -> bool {
        self.order == other.order
    }
}

impl Eq for Planned {}

impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Planned) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Planned {
    fn cmp(&self, other: &Planned) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// One run.
pub(crate) struct World<'a> {
    scenario: &'a Scenario,
    reference: &'a Reference,
    random: Pcg64Mcg,
    /// Who is suspended, and when: apart from all else that is drawn, so that it changes nothing else.
    pauses: Pcg64Mcg,
    now: u64,
    planned: u64,
    queue: BinaryHeap<Reverse<Planned>>,
    hosts: Vec<Host>,
    tears: Vec<Tear>,
    /// When the last message on a link will arrive.
    links: BTreeMap<(u32, u32), u64>,
    /// How many agents that are up hold the facts of this digest,
    holding: BTreeMap<[u8; 32], u32>,
    /// and how many say that all have converged on them.
    claiming: BTreeMap<[u8; 32], u32>,
    /// Digests that were said to be converged on, and are.
    sound: BTreeSet<[u8; 32]>,
    /// Facts that were submitted.
    user: VersionVector,
    /// By agent, the first fact that somebody took back, as a cut was closed without it.
    void: BTreeMap<AgentId, u64>,
    submitted: usize,
    /// When the last fault that is planned ends.
    calm: u64,
    last_fact: u64,
    /// When all have come to hold the same facts, if they do.
    agreed: Option<u64>,
    report: Report,
}

impl<'a> World<'a> {
    pub(crate) fn new(scenario: &'a Scenario, reference: &'a Reference, seed: u64) -> World<'a> {
        let mut world = World {
            scenario,
            reference,
            random: Pcg64Mcg::seed_from_u64(seed),
            pauses: Pcg64Mcg::seed_from_u64(!seed),
            now: 0,
            planned: 0,
            queue: BinaryHeap::new(),
            hosts: Vec::new(),
            tears: Vec::new(),
            links: BTreeMap::new(),
            holding: BTreeMap::new(),
            claiming: BTreeMap::new(),
            sound: BTreeSet::new(),
            user: VersionVector::default(),
            void: BTreeMap::new(),
            submitted: 0,
            calm: 0,
            last_fact: 0,
            agreed: None,
            report: Report {
                seed,
                agents: scenario.agents,
                ..Report::default()
            },
        };
        for number in 0..scenario.agents {
            world.add_host(number, 0);
        }
        world.plan_faults();
        for (at, submission) in scenario.workload.submissions.iter().enumerate() {
            world.plan(submission.at.0, Event::Submit { at: at as u32 });
        }
        for &(number, at) in &scenario.doubles {
            world.plan(at.0, Event::Double { host: number });
            world.calm = world.calm.max(at.0);
        }
        if scenario.forger {
            world.plan(scenario.tick.0 * 5, Event::Forge);
            world.calm = world.calm.max(scenario.tick.0 * 5);
        }
        for host in 0..scenario.agents {
            world.start(host as usize, false);
        }
        world
    }

    fn add_host(&mut self, number: u32, incarnation: u16) {
        self.hosts.push(Host {
            number,
            incarnation,
            life: 0,
            node: None,
            disk: Vec::new(),
            said: Arc::default(),
            torn: None,
            superseded: false,
            digest: None,
            claims: None,
            own: 0,
        });
    }

    fn plan(&mut self, at: u64, event: Event) {
        self.planned += 1;
        let order = self.planned;
        self.queue.push(Reverse(Planned { at, order, event }));
    }

    /// A time from 0 to so many ticks.
    fn some_ticks(&mut self, ticks: u64) -> u64 {
        let tick = self.scenario.tick.0;
        self.random.random_range(0..=tick.saturating_mul(ticks))
    }

    /// Starts an agent, with what is on its disk.
    fn start(&mut self, at: usize, joining: bool) {
        let scenario = self.scenario;
        let session = if scenario.agents > NAMELESS && !joining {
            0
        } else {
            self.random.random::<u64>() | 1
        };
        let mut node = self.fresh(at);
        let stored = self.stored(at);
        let broken = match stored.as_slice() {
            [] => 0,
            parts => node.restore(parts, self.now),
        };
        let host = &mut self.hosts[at];
        host.life += 1;
        let (number, life) = (host.number, host.life);
        let version = node.version();
        let lost = (broken > 0).then(|| format!("{broken} blocks of its own store are not taken by agent {number}"));
        let id = AgentId::new(number, host.incarnation).expect("the scenario was checked");
        host.own = version.get(id);
        let said = std::mem::replace(&mut host.said, version.clone());
        host.node = Some(node);
        self.take_back(at, &said, &version);
        if let Some(lost) = lost {
            self.fail(lost);
        }
        let entrance = Entrance {
            session,
            joining,
            interval: scenario.tick.0,
            topology: scenario.topology,
        };
        let cut_after = scenario.cut_after;
        self.act(at, |node, now| {
            let messages = node.join(entrance, now)?;
            if cut_after < u64::MAX {
                node.cut_after(cut_after)?;
            }
            Ok(messages)
        });
        let first = self.now + self.random.random_range(0..scenario.tick.0);
        let host = at as u32;
        self.plan(first, Event::Tick { host, life });
    }

    /// A new agent, without what is on its disk.
    fn fresh(&self, at: usize) -> Node<Simulated> {
        let (scenario, host) = (self.scenario, &self.hosts[at]);
        let config = Config {
            id: AgentId::new(host.number, host.incarnation).expect("the scenario was checked"),
            agents: scenario.agents,
            coloring: scenario.coloring,
            timeline_capacity: 0,
        };
        let parts = Simulated {
            native: scenario.native(host.number),
            mutant: scenario.mutant,
        };
        Node::new(config, parts)
    }

    /// What is on its disk.
    fn stored(&self, at: usize) -> Vec<Vec<u8>> {
        self.hosts[at].disk.iter().map(|block| block.to_vec()).collect()
    }

    /// An agent that had said that it holds facts does not hold some of them any more: a cut was closed without them, and what the user had said among them was said again. It is
    /// checked in the end that nobody holds them.
    fn take_back(&mut self, at: usize, said: &VersionVector, version: &VersionVector) {
        if version.covers(said) {
            return;
        }
        let host = &self.hosts[at];
        let agent = AgentId::new(host.number, host.incarnation).expect("the scenario was checked");
        let number = host.number;
        if host.node.as_ref().and_then(Node::last_cut).is_none() {
            self.fail(format!(
                "agent {number} came back without facts that it said it had stored, and no cut was closed without them"
            ));
            return;
        }
        for Dot {
            agent: origin,
            sequence,
        } in said.iter()
        {
            let kept = version.get(origin);
            if kept >= sequence {
                continue;
            }
            let first = self.void.entry(origin).or_insert(u64::MAX);
            *first = (*first).min(kept + 1);
            if self.user.get(origin) > kept {
                let user = self.user.iter().filter(|dot| dot.agent != origin);
                self.user = user.collect();
                self.user.raise(origin, kept);
                self.user.raise(agent, version.get(agent));
            }
        }
    }

    fn fail(&mut self, failure: String) {
        if self.report.failures.len() < MAX_FAILURES && !self.report.failures.contains(&failure) {
            self.report.failures.push(failure);
        }
    }

    /// Lets an agent do something, stores what is to be stored, and sends its messages.
    fn act(&mut self, at: usize, act: impl FnOnce(&mut Node<Simulated>, u64) -> Result<Vec<Message>, Fault>) -> bool {
        let now = self.now;
        let host = &mut self.hosts[at];
        let Some(node) = &mut host.node else { return false };
        let done = act(node, now);
        let torn = host.torn.take();
        if torn == Some(Torn::BeforeStore) {
            self.stop(at);
            return false;
        }
        let id = AgentId::new(host.number, host.incarnation).expect("the scenario was checked");
        let Unstored { instead, parts } = node.unstored();
        if instead {
            host.disk.clear();
            self.report.shortened += 1;
        }
        for block in parts {
            let mutant = self.scenario.mutant;
            if mutant == Some(Mutant::OwnWritesNotDurable) && span(&block).is_ok_and(|own| own.origin == id) {
                continue;
            }
            host.disk.push(block.into());
        }
        let version = node.version();
        if version.get(id) > host.own {
            host.own = version.get(id);
            self.last_fact = now;
        }
        let said = std::mem::replace(&mut host.said, version.clone());
        let digest = node.state_digest();
        // Without a cut it never does so while it runs.
        if node.last_cut().is_some() {
            self.take_back(at, &said, &version);
        }
        self.hold(at, Some(digest));
        let messages = match done {
            Ok(messages) => messages,
            Err(Fault::Misplaced(_))
                if self.hosts[at]
                    .node
                    .as_ref()
                    .is_some_and(|node| node.superseded().is_some()) =>
            {
                self.hosts[at].superseded = true;
                self.report.superseded += 1;
                self.stop(at);
                return false;
            }
            Err(fault) => {
                let number = self.hosts[at].number;
                self.fail(format!("agent {number} refuses what it should take: {fault}"));
                Vec::new()
            }
        };
        if torn == Some(Torn::AfterStore) {
            self.stop(at);
            return false;
        }
        for message in messages {
            self.send(at, message);
        }
        self.pause(at);
        true
    }

    /// Notes which facts an agent that is up holds.
    fn hold(&mut self, at: usize, digest: Option<[u8; 32]>) {
        let host = &mut self.hosts[at];
        if host.digest == digest {
            return;
        }
        move_count(&mut self.holding, std::mem::replace(&mut host.digest, digest), digest);
        self.agreed = (self.holding.len() == 1).then_some(self.now);
    }

    /// Notes on which facts an agent says that all have converged.
    fn claim(&mut self, at: usize, claims: Option<[u8; 32]>) {
        let host = &mut self.hosts[at];
        if host.claims != claims {
            move_count(&mut self.claiming, std::mem::replace(&mut host.claims, claims), claims);
        }
    }

    /// Stops an agent at once.
    fn stop(&mut self, at: usize) {
        self.hosts[at].node = None;
        self.hosts[at].torn = None;
        self.hold(at, None);
        self.claim(at, None);
    }

    pub(crate) fn run(mut self) -> Report {
        while let Some(Reverse(Planned { at, event, .. })) = self.queue.pop() {
            if at > self.scenario.limit.0 {
                self.now = self.scenario.limit.0;
                break;
            }
            self.now = at;
            if self.happen(event) {
                self.report.converged = true;
                break;
            }
        }
        self.conclude()
    }

    /// Answers whether the network has converged.
    fn happen(&mut self, event: Event) -> bool {
        match event {
            Event::Tick { host, life } => {
                let at = host as usize;
                if self.hosts[at].life != life || self.hosts[at].node.is_none() {
                    return false;
                }
                self.tick(at);
                if self.hosts[at].node.as_ref().is_some_and(Node::is_outdated) {
                    // With all that it has; it begins with what the others begin with now.
                    self.recover(at, Recovery::Durable);
                } else {
                    self.plan(self.now + self.scenario.tick.0, Event::Tick { host, life });
                }
                return self.is_over();
            }
            Event::Deliver { host, message } => {
                if self.hosts[host as usize].node.is_none() {
                    self.report.lost += 1;
                    return false;
                }
                self.act(host as usize, |node, now| node.receive(&message, now));
            }
            Event::Crash { host, until, recovery } => {
                if self.hosts[host as usize].node.is_some() {
                    self.report.crashes += 1;
                    match self.random.random_range(0..3) {
                        0 => self.stop(host as usize),
                        1 => self.hosts[host as usize].torn = Some(Torn::BeforeStore),
                        _ => self.hosts[host as usize].torn = Some(Torn::AfterStore),
                    }
                    if let Some(until) = until {
                        self.plan(until.max(self.now + 1), Event::Recover { host, recovery });
                    }
                }
            }
            Event::Recover { host, recovery } => self.recover(host as usize, recovery),
            Event::Submit { at } => self.submit(at),
            Event::Double { host } => {
                let incarnation = self.hosts[host as usize].incarnation + 1;
                self.add_host(host, incarnation);
                let at = self.hosts.len() - 1;
                self.start(at, true);
            }
            Event::Forge => {
                for message in forger::messages() {
                    let message = Rc::new(message);
                    for host in 0..self.scenario.agents {
                        let message = message.clone();
                        self.plan(self.now, Event::Deliver { host, message });
                    }
                }
            }
        }
        false
    }

    fn tick(&mut self, at: usize) {
        let task = self.scenario.task();
        if !self.act(at, |node, now| node.step(&task, now)) || !self.act(at, Node::tick) {
            return;
        }
        let Some(node) = &mut self.hosts[at].node else { return };
        let digest = node.state_digest();
        let claims = node.converged().then_some(digest);
        if let Some(digest) = claims
            && !self.sound.contains(&digest)
        {
            let blocks = node.delta_since(&VersionVector::default());
            match check_fixpoint(&blocks, digest, self.scenario.coloring) {
                Ok(()) => _ = self.sound.insert(digest),
                Err(why) => {
                    let number = self.hosts[at].number;
                    self.fail(format!(
                        "agent {number} says that all have converged, and they have not: {why}"
                    ));
                }
            }
        }
        self.claim(at, claims);
    }

    fn submit(&mut self, at: u32) {
        let submission = &self.scenario.workload.submissions[at as usize];
        let host = (submission.agent % self.scenario.agents) as usize;
        let mut accepted = false;
        // A client whose call breaks off does not know what became of it; that is another matter than what is tested here.
        self.hosts[host].torn = None;
        self.act(host, |node, now| match node.submit(&submission.text, now) {
            Ok(messages) => {
                accepted = true;
                Ok(messages)
            }
            Err(_) => Ok(Vec::new()),
        });
        if accepted {
            self.submitted += 1;
            let Host {
                number,
                incarnation,
                own,
                ..
            } = self.hosts[host];
            let id = AgentId::new(number, incarnation).expect("the scenario was checked");
            self.user.raise(id, own);
            self.last_fact = self.now;
        } else {
            self.plan(self.now + self.scenario.tick.0, Event::Submit { at });
        }
    }
}

fn move_count(counts: &mut BTreeMap<[u8; 32], u32>, from: Option<[u8; 32]>, to: Option<[u8; 32]>) {
    if let Some(from) = from
        && let Some(count) = counts.get_mut(&from)
    {
        *count -= 1;
        if *count == 0 {
            counts.remove(&from);
        }
    }
    if let Some(to) = to {
        *counts.entry(to).or_default() += 1;
    }
}
