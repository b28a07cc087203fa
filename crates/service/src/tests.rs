//! A service whose requests die at any moment, run side by side, and are repeated, over plain agents and a store in memory.

mod kept;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use eqmesh_agent::{Native, Node};
use eqmesh_egraph::color::Color;
use eqmesh_replica::Budget;

use crate::{AgentState, Host, Service, ServiceError, Settings, Store, StoreError, Task, Worked};

/// What lies in the store, and what seeds were drawn.
#[derive(Debug, Default)]
struct Kept {
    values: BTreeMap<String, Vec<u8>>,
    seeds: BTreeMap<String, u64>,
    /// All keys that were read.
    reads: BTreeSet<String>,
}

/// A store in memory. A request that has no calls left dies: every further call fails, and the call at which it dies may or may not take effect.
#[derive(Clone, Debug)]
struct Memory {
    kept: Arc<Mutex<Kept>>,
    left: Rc<Cell<Option<u64>>>,
    /// Whether the call at which it dies takes effect.
    takes_effect: bool,
}

impl Memory {
    fn new(kept: &Arc<Mutex<Kept>>) -> Memory {
        Memory {
            kept: Arc::clone(kept),
            left: Rc::default(),
            takes_effect: false,
        }
    }

    fn call<T>(&self, act: impl FnOnce(&mut Kept) -> T) -> Result<T, StoreError> {
        let dead = || StoreError::Unavailable("this request is dead".to_owned());
        match self.left.get() {
            Some(0) => return Err(dead()),
            Some(left) => self.left.set(Some(left - 1)),
            None => {}
        }
        let dies = self.left.get() == Some(0);
        if dies && !self.takes_effect {
            return Err(dead());
        }
        let answer = act(&mut self.kept.lock().unwrap());
        if dies { Err(dead()) } else { Ok(answer) }
    }
}

impl Store for Memory {
    fn read(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.call(|kept| {
            kept.reads.extend(keys.iter().cloned());
            keys.iter().map(|key| kept.values.get(key).cloned()).collect()
        })
    }

    fn write(&self, entries: Vec<(String, Vec<u8>)>) -> Result<(), StoreError> {
        self.call(|kept| kept.values.extend(entries))
    }

    fn remove(&self, keys: &[String]) -> Result<(), StoreError> {
        self.call(|kept| keys.iter().for_each(|key| drop(kept.values.remove(key))))
    }

    fn compare_and_swap(&self, key: &str, expected: &[u8], value: &[u8]) -> Result<bool, StoreError> {
        self.call(|kept| match kept.values.get_mut(key) {
            Some(own) if own == expected => {
                *own = value.to_vec();
                true
            }
            _ => false,
        })
    }

    fn seed(&self, key: &str, value: &[u8], force: bool) -> Result<bool, StoreError> {
        self.call(|kept| {
            if kept.values.contains_key(key) {
                return true;
            }
            let drawn = kept.seeds.entry(key.to_owned()).or_insert(0);
            *drawn += 1;
            if *drawn != 1 && !force {
                return false;
            }
            kept.values.insert(key.to_owned(), value.to_vec());
            true
        })
    }

    fn keys(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        self.call(|kept| {
            kept.values
                .keys()
                .filter(|key| key.starts_with(prefix))
                .cloned()
                .collect()
        })
    }
}

/// A clock that moves when somebody sleeps, or is told to, and numbers that do not repeat.
#[derive(Clone, Debug, Default)]
struct Virtual {
    micros: Arc<AtomicU64>,
    drawn: Arc<AtomicU64>,
}

impl Host for Virtual {
    fn now(&self) -> u64 {
        self.micros.fetch_add(1, Ordering::SeqCst) + 1_700_000_000_000_000
    }

    fn random(&self) -> u64 {
        let drawn = self.drawn.fetch_add(1, Ordering::SeqCst);
        // SplitMix64.
        let mut mixed = drawn.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn sleep(&self, milliseconds: u64) {
        self.micros.fetch_add(1000 * milliseconds.max(1), Ordering::SeqCst);
        std::thread::yield_now();
    }
}

type Plain = Service<Memory, Virtual, Node<Native>>;

/// Nine agents over one store.
struct Network {
    kept: Arc<Mutex<Kept>>,
    host: Virtual,
    agents: u32,
    published: RefCell<Vec<u64>>,
    /// Instances that answer one request after the other, of each agent; without any, each request has one of its own.
    lasting: Vec<Vec<Plain>>,
}

const EVERYTHING: Task = Task {
    published: 0,
    milliseconds: 10_000,
    budget: Budget {
        matches: u64::MAX,
        nodes: u64::MAX,
    },
};

const PROGRAM: &str = "(datatype Math (Num i64) (Add Math Math) (Mul Math Math))
(rewrite (Add a b) (Add b a)) (rewrite (Mul a b) (Mul b a)) (rewrite (Add (Num a) (Num b)) (Num (+ a b)))
(rewrite (Mul a (Add b c)) (Add (Mul a b) (Mul a c)))
(let sum (Mul (Num 2) (Add (Num 1) (Add (Num 2) (Num 3)))))";

impl Network {
    fn of(agents: u32) -> Network {
        Network {
            kept: Arc::default(),
            host: Virtual::default(),
            agents,
            published: RefCell::new(vec![0; agents as usize]),
            lasting: Vec::new(),
        }
    }

    /// So many instances of each agent answer its requests.
    fn lasting(agents: u32, instances: u32) -> Network {
        let mut network = Network::of(agents);
        let of = |number| (0..instances).map(|_| network.agent(number)).collect();
        network.lasting = (0..agents).map(of).collect();
        network
    }

    /// Lets an instance answer, any of those that there are.
    fn request<T>(&self, number: u32, answer: impl FnOnce(&Plain) -> T) -> T {
        let instances = self.lasting.get(number as usize);
        match instances.map(|all| &all[self.host.random() as usize % all.len()]) {
            None => answer(&self.agent(number)),
            Some(agent) => {
                agent.begin();
                answer(agent)
            }
        }
    }

    fn with(&self, number: u32, memory: Memory) -> Plain {
        let color = [Color::Red, Color::Blue, Color::Green][number as usize % 3];
        let maker = if self.agents < 3 {
            Native::solo()
        } else {
            Native::of_color(color)
        };
        let settings = Settings {
            number: number as u16,
            region: "here".to_owned(),
            nats_url: String::new(),
            agents: self.agents,
            tick: 1_000,
            cut_after: 0,
            ruleset: String::new(),
            node_limit: 100_000,
            timeline: 8,
        };
        Service::new(memory, self.host.clone(), maker, settings)
    }

    fn agent(&self, number: u32) -> Plain {
        self.with(number, Memory::new(&self.kept))
    }

    /// Hands on what an agent has to say, and remembers that.
    fn carry(&self, from: u32, worked: &Worked) {
        for bytes in &worked.outbox {
            let message = eqmesh_agent::Message::decode(bytes).unwrap();
            for to in 0..self.agents {
                if to != from && message.receiver.is_none_or(|receiver| receiver.number() == to) {
                    self.request(to, |agent| agent.deliver(std::slice::from_ref(bytes)))
                        .unwrap();
                }
            }
        }
        self.published.borrow_mut()[from as usize] = worked.last;
    }

    fn work(&self, number: u32) -> Worked {
        let published = self.published.borrow()[number as usize];
        let task = Task {
            published,
            ..EVERYTHING
        };
        let worked = self.request(number, |agent| agent.work(task)).unwrap();
        self.carry(number, &worked);
        worked
    }

    /// Lets everybody work until all have converged.
    fn settle(&self) -> Vec<AgentState> {
        for _ in 0..200 {
            for number in 0..self.agents {
                self.work(number);
            }
            self.host.sleep(1_000);
            let states: Vec<AgentState> = (0..self.agents)
                .map(|number| self.request(number, Service::glance).unwrap().state.clone())
                .collect();
            if states.iter().all(|state| state.converged && state.facts > 0) {
                return states;
            }
        }
        let states: Vec<_> = (0..self.agents)
            .map(|number| self.agent(number).glance().unwrap().state.clone())
            .collect();
        panic!("the network does not converge: {states:#?}");
    }
}

/// What the program means by one agent alone, in hexadecimal digits.
fn meaning_alone() -> String {
    let mut alone = Node::new(
        eqmesh_agent::Config {
            id: eqmesh_replica::AgentId(0),
            agents: 1,
            coloring: true,
            timeline_capacity: 0,
        },
        Native::solo(),
    );
    alone.submit(PROGRAM, 0).unwrap();
    let task = eqmesh_agent::RoundTask {
        ruleset: String::new(),
        budget: EVERYTHING.budget,
    };
    while !alone.verdict().is_some_and(|verdict| verdict.saturated) {
        alone.start_round(&task, 0).unwrap();
    }
    crate::hex(&alone.meaning_digest())
}

fn converges(network: &Network) {
    let submitted = network.request(4, |agent| agent.submit(PROGRAM, 60_000)).unwrap();
    assert!(submitted.facts >= 5);
    let meaning = meaning_alone();
    for state in network.settle() {
        assert_eq!(state.meaning_digest, meaning, "agent {}", state.id);
        assert_eq!(state.incarnation, 0, "nobody had to begin again");
    }
}

#[test]
fn a_program_converges_on_all_agents_each_request_an_instance_of_its_own() {
    converges(&Network::of(9));
}

#[test]
fn what_was_acknowledged_survives_a_death_at_every_call() {
    for takes_effect in [false, true] {
        let mut at = 0;
        loop {
            let network = Network::of(1);
            network.agent(0).submit(PROGRAM, 60_000).unwrap();
            let died = {
                let memory = Memory {
                    takes_effect,
                    ..Memory::new(&network.kept)
                };
                memory.left.set(Some(at));
                let agent = network.with(0, memory);
                agent.submit("(let more (Num 7))", 60_000).is_err()
            };
            // Nobody gives the lease of the dead back.
            network.host.sleep(120_000);
            let again = network.agent(0).submit("(let other (Num 8))", 60_000).unwrap();
            assert!(again.facts > 0);
            let check = |facts| network.agent(0).ask(|member| member.check(facts, 1)).unwrap();
            assert_eq!(check("(= sum sum)"), Ok(1));
            assert_eq!(check("(= other (Num 8))"), Ok(1));
            // What was not acknowledged is there as a whole, or not at all.
            let more = check("(= more (Num 7))").is_ok();
            assert!(died || more, "an acknowledged text is lost");
            assert!(more || !takes_effect || died);
            network.work(0);
            if !died {
                break;
            }
            at += 1;
            assert!(at < 200);
        }
        assert!(at > 5, "a submission makes several calls");
    }
}

#[test]
fn deliveries_survive_a_death_at_every_call_of_who_works_them_off() {
    for at in 0..40 {
        let network = Network::of(2);
        network.agent(0).submit(PROGRAM, 60_000).unwrap();
        network.work(0);
        network.work(0);
        let memory = Memory::new(&network.kept);
        memory.left.set(Some(at));
        let _ = network.with(1, memory).work(EVERYTHING);
        network.host.sleep(120_000);
        let states = network.settle();
        assert_eq!(states[0].state_digest, states[1].state_digest, "died at call {at}");
    }
}

#[test]
fn sixty_four_writers_at_once_lose_nothing() {
    let kept: Arc<Mutex<Kept>> = Arc::default();
    let host = Virtual::default();
    let alone = |kept: &Arc<Mutex<Kept>>, host: &Virtual| {
        let network = Network {
            kept: Arc::clone(kept),
            host: host.clone(),
            agents: 1,
            published: RefCell::new(vec![0]),
            lasting: Vec::new(),
        };
        network.agent(0)
    };
    alone(&kept, &host).submit("(datatype T (Leaf i64))", 60_000).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..64 {
            let (kept, host) = (&kept, &host);
            scope.spawn(move || {
                let text = format!("(let l{writer} (Leaf {writer}))");
                // Time is virtual here, and all who wait make it pass.
                while let Err(error) = alone(kept, host).submit(&text, 1_000_000) {
                    assert!(matches!(error, ServiceError::Busy { .. }), "{error}");
                }
            });
        }
    });
    let missing = alone(&kept, &host).ask(|member| {
        let missing = |writer: &u32| member.check(&format!("(= l{writer} (Leaf {writer}))"), 1) != Ok(1);
        (0..64).filter(missing).collect::<Vec<u32>>()
    });
    assert_eq!(missing.unwrap(), Vec::<u32>::new());
}

#[test]
fn an_agent_that_lost_its_store_comes_back_as_another_incarnation() {
    let network = Network::of(3);
    network.agent(1).submit(PROGRAM, 60_000).unwrap();
    let before = network.settle();
    {
        let mut kept = network.kept.lock().unwrap();
        kept.values.retain(|key, _| !key.starts_with("agent-1/"));
        kept.seeds.clear();
    }
    network.published.borrow_mut()[1] = 0;
    let after = network.settle();
    assert_eq!(before[0].meaning_digest, after[1].meaning_digest);
    assert_eq!(after[1].incarnation, 1, "its dots are not used again");
    network.agent(1).submit("(let more (Num 11))", 60_000).unwrap();
    let after = network.settle();
    assert!(
        after
            .iter()
            .all(|state| state.refused.is_empty() && state.state_digest == after[0].state_digest)
    );
}

#[test]
fn what_dead_requests_wrote_is_removed_in_time() {
    let network = Network::of(1);
    network.agent(0).submit(PROGRAM, 60_000).unwrap();
    let mut deaths = 0;
    for at in 2..12 {
        let memory = Memory::new(&network.kept);
        memory.left.set(Some(at));
        deaths += u64::from(network.with(0, memory).submit("(let more (Num 7))", 60_000).is_err());
        network.host.sleep(120_000);
    }
    assert!(deaths > 5);
    network.host.sleep(4 * 3_600_000);
    network.work(0);
    network.work(0);
    let index = network.agent(0).look().unwrap().unwrap();
    let named: usize = index.blobs().map(|blob| blob.chunks as usize).sum();
    let blobs = network
        .kept
        .lock()
        .unwrap()
        .values
        .keys()
        .filter(|key| key.contains('.'))
        .count();
    assert!(blobs <= named, "{blobs} blobs are there and {named} count");
}

#[test]
fn what_was_stored_of_the_facts_is_read_again_only_when_something_has_happened() {
    let network = Network::of(3);
    network.agent(0).submit(PROGRAM, 60_000).unwrap();
    network.settle();
    let tick = || {
        network.host.sleep(1_000);
        for number in 0..3 {
            network.work(number);
        }
    };
    let read = || {
        let reads = std::mem::take(&mut network.kept.lock().unwrap().reads);
        let log = |number: u32| {
            let index = network.agent(number).look().unwrap().unwrap();
            let prefix = format!("agent-{number}/");
            let keys = index.log.iter().flat_map(|blob| blob.keys(&prefix));
            keys.collect::<Vec<_>>()
        };
        (0..3).flat_map(log).filter(|key| reads.contains(key)).count()
    };
    // The last news are acknowledged.
    for _ in 0..4 {
        tick();
    }
    read();
    let sent = network.agent(1).glance().unwrap().state.messages_sent;
    for _ in 0..20 {
        tick();
    }
    let states = network.settle();
    assert!(states[1].messages_sent >= sent + 20, "it says that it is alive");
    assert_eq!(read(), 0);
    network.agent(0).submit("(let more (Add sum (Num 4)))", 60_000).unwrap();
    let states = network.settle();
    assert!(read() > 0);
    assert!(
        states
            .iter()
            .all(|state| state.meaning_digest == states[0].meaning_digest)
    );
}
