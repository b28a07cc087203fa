//! The world: agents on their hosts, the messages between them, and virtual time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::rc::Rc;
use std::sync::Arc;

use eqmesh_agent::{Config, Message, Node, Unstored};
use eqmesh_orchestrator::{Entrance, Topology};
use eqmesh_replica::{AgentId, Dot, Fault, VersionVector, span};
use rand::RngExt as _;
use rand::SeedableRng as _;
use rand_pcg::Pcg64Mcg;

use crate::fault::{Crash, Delay, Partition, Recovery};
use crate::forger;
use crate::mutant::Mutant;
use crate::oracle::{Reference, check_fixpoint};
use crate::parts::Simulated;
use crate::report::Report;
use crate::scenario::Scenario;

/// Failures that are listed.
const MAX_FAILURES: usize = 10;

/// Random faults begin within so many ticks,
const FAULTY_TICKS: u64 = 30;

/// and last at most so many.
const LONGEST_FAULT: u64 = 15;

/// In larger networks not every message is written and read again.
const MANY: u32 = 256;

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

/// A time at which messages between groups are lost.
struct Tear {
    from: u64,
    until: u64,
    /// The group of each agent that is in one.
    groups: BTreeMap<u32, usize>,
}

/// One run.
pub(crate) struct World<'a> {
    scenario: &'a Scenario,
    reference: &'a Reference,
    random: Pcg64Mcg,
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

    fn plan_faults(&mut self) {
        let tick = self.scenario.tick.0;
        for partition in &self.scenario.partitions {
            let tear = match partition {
                Partition::Scheduled { from, until, groups } => Tear {
                    from: from.0,
                    until: until.0,
                    groups: groups
                        .iter()
                        .enumerate()
                        .flat_map(|(at, group)| group.iter().map(move |&number| (number, at)))
                        .collect(),
                },
                Partition::Random => {
                    let from = self.some_ticks(FAULTY_TICKS);
                    let until = from + tick + self.some_ticks(LONGEST_FAULT);
                    let agents = self.scenario.agents;
                    let groups = (0..agents)
                        .map(|number| (number, self.random.random_range(0..2)))
                        .collect();
                    Tear { from, until, groups }
                }
            };
            self.calm = self.calm.max(tear.until);
            self.tears.push(tear);
        }
        for crash in &self.scenario.crashes {
            match *crash {
                Crash::Scheduled {
                    agent,
                    from,
                    until,
                    recovery,
                } => self.plan_crash(agent, from.0, until.map(|until| until.0), recovery),
                Crash::Random { rate, recovery } => {
                    for agent in 0..self.scenario.agents {
                        let mut from = 0;
                        loop {
                            // The times between crashes at a constant rate.
                            let uniform: f64 = self.random.random();
                            let wait = -(1.0 - uniform).ln() / rate.max(f64::MIN_POSITIVE) * 1e6;
                            if wait > (tick * FAULTY_TICKS - from) as f64 {
                                break;
                            }
                            from += wait as u64;
                            let until = from + 1 + self.some_ticks(LONGEST_FAULT);
                            let any = Recovery::ALL[self.random.random_range(0..3)];
                            self.plan_crash(agent, from, Some(until), recovery.unwrap_or(any));
                            from = until;
                            if from >= tick * FAULTY_TICKS {
                                break;
                            }
                        }
                    }
                }
            }
        }
    }

    fn plan_crash(&mut self, agent: u32, from: u64, until: Option<u64>, recovery: Recovery) {
        self.calm = self.calm.max(until.unwrap_or(from));
        let host = agent;
        self.plan(from, Event::Crash { host, until, recovery });
    }

    /// Starts an agent, with what is on its disk.
    fn start(&mut self, at: usize, joining: bool) {
        let scenario = self.scenario;
        let session = if scenario.agents > MANY && !joining {
            0
        } else {
            self.random.random::<u64>() | 1
        };
        let host = &mut self.hosts[at];
        host.life += 1;
        let (number, life) = (host.number, host.life);
        let config = Config {
            id: AgentId::new(number, host.incarnation).expect("the scenario was checked"),
            agents: scenario.agents,
            coloring: scenario.coloring,
            timeline_capacity: 0,
        };
        let parts = Simulated {
            native: scenario.native(number),
            mutant: scenario.mutant,
        };
        let mut node = Node::new(config, parts);
        let blocks: Vec<Vec<u8>> = host.disk.iter().map(|block| block.to_vec()).collect();
        let broken = if blocks.is_empty() {
            0
        } else {
            node.restore(&blocks, self.now)
        };
        let version = node.version();
        let lost = (broken > 0).then(|| format!("{broken} blocks of its own store are not taken by agent {number}"));
        host.own = version.get(config.id);
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
            node.cut_after(cut_after)?;
            Ok(messages)
        });
        let first = self.now + self.random.random_range(0..scenario.tick.0);
        let host = at as u32;
        self.plan(first, Event::Tick { host, life });
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

    fn send(&mut self, at: usize, message: Message) {
        let from = self.hosts[at].number;
        let mut bytes = message.body.len() as u64;
        if self.scenario.agents <= MANY || self.planned.is_multiple_of(64) {
            let written = message.encode();
            bytes = written.len() as u64;
            if Message::decode(&written).as_ref() != Ok(&message) {
                self.fail(format!("a message of agent {from} is read as another"));
            }
        }
        let message = Rc::new(message);
        let founders = self.scenario.agents;
        match message.receiver {
            Some(receiver) => {
                let number = receiver.number();
                if number < founders {
                    self.carry(at, number as usize, &message, bytes);
                }
                for other in founders as usize..self.hosts.len() {
                    if self.hosts[other].number == number {
                        self.carry(at, other, &message, bytes);
                    }
                }
            }
            None => {
                for other in 0..self.hosts.len() {
                    self.carry(at, other, &message, bytes);
                }
            }
        }
    }

    /// Carries a message to one host, or loses it.
    fn carry(&mut self, from: usize, to: usize, message: &Rc<Message>, bytes: u64) {
        if from == to {
            return;
        }
        self.report.messages += 1;
        self.report.bytes += bytes;
        let (sender, receiver) = (self.hosts[from].number, self.hosts[to].number);
        let now = self.now;
        let torn = self.tears.iter().any(|tear| {
            (tear.from..tear.until).contains(&now) && tear.groups.get(&sender) != tear.groups.get(&receiver)
        });
        if torn || self.scenario.loss > 0.0 && self.random.random_bool(self.scenario.loss) {
            self.report.lost += 1;
            return;
        }
        let delay = match &self.scenario.regions {
            Some(regions) => regions.delay(sender, receiver, self.scenario.agents),
            None => self.scenario.delay,
        };
        let mut arrival = now + self.draw(delay);
        if self.scenario.reorder > 0.0 && self.random.random_bool(self.scenario.reorder) {
            arrival += self.some_ticks(2);
        } else {
            let last = self.links.entry((from as u32, to as u32)).or_default();
            arrival = arrival.max(*last);
            *last = arrival;
        }
        let host = to as u32;
        let copy = |message: &Rc<Message>| Event::Deliver {
            host,
            message: message.clone(),
        };
        self.plan(arrival, copy(message));
        if self.scenario.duplicate > 0.0 && self.random.random_bool(self.scenario.duplicate) {
            self.report.repeated += 1;
            let later = arrival + self.some_ticks(3);
            self.plan(later, copy(message));
        }
    }

    fn draw(&mut self, delay: Delay) -> u64 {
        match delay {
            Delay::Even(from, to) => self.random.random_range(from.0..=to.0),
            Delay::Exponential(mean) => {
                let uniform: f64 = self.random.random();
                let drawn = -(1.0 - uniform).ln() * mean.0 as f64;
                (drawn as u64).min(mean.0.saturating_mul(10))
            }
        }
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
        if !self.act(at, |node, now| node.step(&task, now)) || !self.act(at, |node, now| node.tick(now)) {
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

    fn recover(&mut self, at: usize, recovery: Recovery) {
        if self.hosts[at].superseded {
            return;
        }
        self.stop(at);
        // What the user was told is kept must be somewhere: the last disk that has it is not lost.
        let user = &self.user;
        let elsewhere = self
            .hosts
            .iter()
            .enumerate()
            .any(|(other, host)| other != at && host.said.covers(user));
        let recovery = if elsewhere { recovery } else { Recovery::Durable };
        let kept = self.hosts[at].disk.len();
        let keep = match recovery {
            Recovery::Durable => kept,
            Recovery::Old => self.random.random_range(0..=kept),
            Recovery::Nothing => 0,
        };
        let host = &mut self.hosts[at];
        host.disk.truncate(keep);
        if recovery != Recovery::Durable {
            self.report.amnesia += 1;
            host.said = Arc::default();
        }
        if recovery == Recovery::Durable || self.scenario.mutant != Some(Mutant::DotsReused) {
            host.incarnation += 1;
        }
        self.start(at, true);
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

    /// Whether all is done and everybody knows it.
    fn is_over(&mut self) -> bool {
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
    fn conclude(mut self) -> Report {
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

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;

    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
