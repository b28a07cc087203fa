//! The composed agents, for real: each alone, and networks of them that exchange messages until their verdicts agree.

use std::collections::VecDeque;
use std::sync::LazyLock;

use eqmesh_composer::{World, compose};
use eqmesh_host_test::agent::AgentWorld;
use eqmesh_host_test::agent::exports::eqmesh::network::agent::{Config, Message, RoundTask};
use eqmesh_host_test::types::{
    Budget, Color, Colors, CostModel, Diagnostic, Dot, Entrance, ExplanationStep, Extracted, Fault, Life, MessageKind,
    StepReason, Topology, Verdict,
};
use eqmesh_host_test::{Instance, component_of};
use wasmtime::component::{Component, ResourceAny};

const PROGRAM: &str = "
    (datatype Math (Num i64) (Var String) (Add Math Math) (Mul Math Math))
    (rewrite (Add a b) (Add b a))
    (rewrite (Mul a b) (Mul b a))
    (birewrite (Add (Add a b) c) (Add a (Add b c)))
    (rewrite (Mul a (Add b c)) (Add (Mul a b) (Mul a c)))
    (rewrite (Add (Mul a b) (Mul a c)) (Mul a (Add b c)))
    (rewrite (Mul a (Num 1)) a)
    (let start (Add (Mul (Var \"x\") (Num 1)) (Mul (Var \"y\") (Var \"x\"))))
";

/// The cheapest term equal to `start`: x * (1 + y), by distributivity backwards.
const START: &str = "start";

fn composed(world: World) -> &'static Component {
    static COMPONENTS: LazyLock<[Component; 4]> =
        LazyLock::new(|| World::ALL.map(|world| component_of(&compose(world).unwrap())));
    let at = World::ALL.iter().position(|&known| known == world).unwrap();
    &COMPONENTS[at]
}

/// One agent: an instance of its composed component, and its node.
struct Agent {
    instance: Instance<AgentWorld>,
    node: ResourceAny,
}

/// Calls a method of an agent.
macro_rules! on {
    ($agent:expr, $method:ident $(, $argument:expr)*) => {{
        let agent: &mut Agent = &mut $agent;
        let node = agent.node;
        let nodes = agent.instance.world.eqmesh_network_agent();
        nodes.node().$method(&mut agent.instance.store, node $(, $argument)*).unwrap()
    }};
}

macro_rules! assert_fault {
    ($result:expr, $kind:ident) => {
        match $result {
            Err(Fault::$kind(_)) => (),
            other => panic!("expected the fault {}, got {other:?}", stringify!($kind)),
        }
    };
}

fn agent(world: World, id: u32, agents: u32) -> Agent {
    let component = composed(world);
    let mut instance = Instance::new(
        (),
        |_| Ok(()),
        |store, linker| AgentWorld::instantiate(store, component, linker),
    );
    let config = Config {
        id,
        agents,
        coloring: true,
        timeline_capacity: 1_000,
    };
    let nodes = instance.world.eqmesh_network_agent();
    let node = nodes.node().call_constructor(&mut instance.store, config).unwrap();
    Agent { instance, node }
}

/// How messages travel.
#[derive(Clone, Copy)]
enum Delivery {
    InOrder,
    /// The last first, and each twice.
    Scrambled,
}

struct Network {
    agents: Vec<Agent>,
    delivery: Delivery,
    now: u64,
}

impl Network {
    fn new(agents: u32, delivery: Delivery) -> Network {
        let world = |id: u32| match (agents, id % 3) {
            (1 | 2, _) => World::Solo,
            (_, 0) => World::Red,
            (_, 1) => World::Blue,
            _ => World::Green,
        };
        let agents = (0..agents).map(|id| agent(world(id), id, agents)).collect();
        Network {
            agents,
            delivery,
            now: 1,
        }
    }

    /// Delivers messages, and what is answered to them, until nobody has anything to say.
    fn deliver(&mut self, messages: Vec<Message>) {
        let mut travelling: VecDeque<(usize, Message)> = VecDeque::new();
        let mut steps = 0;
        self.send(&mut travelling, messages);
        while let Some((to, message)) = match self.delivery {
            Delivery::InOrder => travelling.pop_front(),
            Delivery::Scrambled => travelling.pop_back(),
        } {
            steps += 1;
            assert!(steps < 100_000, "they talk for ever");
            let times = match self.delivery {
                Delivery::InOrder => 1,
                Delivery::Scrambled => 2,
            };
            for _ in 0..times {
                self.now += 1;
                let answers = on!(self.agents[to], call_receive, &message, self.now).unwrap();
                self.send(&mut travelling, answers);
            }
        }
    }

    fn send(&self, travelling: &mut VecDeque<(usize, Message)>, messages: Vec<Message>) {
        for message in messages {
            // Incarnations do not matter.
            let number = |agent: u32| agent & 0xffff;
            let everybody_else = |to: &u32| {
                message
                    .receiver
                    .map_or(*to != number(message.sender), |receiver| number(receiver) == *to)
            };
            for to in (0..self.agents.len() as u32).filter(everybody_else) {
                travelling.push_back((to as usize, message.clone()));
            }
        }
    }

    fn submit(&mut self, to: usize, text: &str) {
        self.now += 1;
        let messages = on!(self.agents[to], call_submit, text, self.now).unwrap();
        self.deliver(messages);
    }

    /// One round of everybody; all verdicts agree.
    fn round(&mut self, budget: Budget) -> Verdict {
        let task = RoundTask {
            ruleset: String::new(),
            budget,
        };
        let mut messages = Vec::new();
        for agent in &mut self.agents {
            self.now += 1;
            messages.extend(on!(*agent, call_start_round, &task, self.now).unwrap());
        }
        self.deliver(messages);
        let verdicts: Vec<Verdict> = self
            .agents
            .iter_mut()
            .map(|agent| on!(*agent, call_verdict).expect("the round is over"))
            .collect();
        assert!(verdicts.iter().all(|verdict| *verdict == verdicts[0]), "{verdicts:?}");
        assert!(verdicts[0].agreed);
        verdicts[0]
    }

    fn saturate(&mut self) -> Verdict {
        for _ in 0..40 {
            let verdict = self.round(UNBOUNDED);
            if verdict.saturated {
                return verdict;
            }
        }
        panic!("no fixpoint in 40 rounds")
    }
}

const UNBOUNDED: Budget = Budget {
    matches: u64::MAX,
    nodes: u64::MAX,
};

#[test]
fn every_agent_answers_every_question() {
    for (at, world) in World::ALL.into_iter().enumerate() {
        // Alone in a network of one, whatever its color: an agent of one color then has its own stream only.
        let mut agent = agent(world, 0, 1);
        let summary = on!(agent, call_summary);
        let color = [Some(Color::Red), Some(Color::Blue), Some(Color::Green), None][at];
        assert_eq!((summary.id, summary.size.facts), (0, 0));
        assert_eq!(summary.color, color, "{world}");
        assert_eq!(on!(agent, call_verdict), None);
        let wrong: Vec<Diagnostic> = on!(agent, call_submit, "(rewrite (Nosuch a) b)", 1).unwrap_err();
        assert!(
            wrong
                .iter()
                .any(|diagnostic| diagnostic.error && diagnostic.end > diagnostic.start),
            "{wrong:?}"
        );
        assert_eq!(on!(agent, call_summary).size.facts, 0, "all or nothing");
        on!(agent, call_submit, PROGRAM, 2).unwrap();
        let summary = on!(agent, call_summary);
        assert!(summary.size.facts > 0 && summary.size.enodes > 0, "{summary:?}");
        assert_eq!(on!(agent, call_check, START, 10), Ok(1));
        assert!(on!(agent, call_check, "(= start", 10).is_err());
        let before = on!(agent, call_extract, START, 1, CostModel::Tree, None).unwrap();
        assert_fault!(on!(agent, call_extract, "(Num 77)", 1, CostModel::Tree, None), Absent);
        assert_fault!(on!(agent, call_extract, "(Num", 1, CostModel::Tree, None), Malformed);
        assert_fault!(on!(agent, call_explain, START, "(Var \"x\")"), Refused);
        assert_eq!(on!(agent, call_explain, START, START).unwrap().steps.len(), 0);
        assert_fault!(on!(agent, call_rows, "Nosuch", 0, 3), Unknown);
        assert_eq!(on!(agent, call_rows, "Var", 0, 9).unwrap().len(), 2);
        let shown = on!(agent, call_neighbourhood, Some("start"), &[], 40).unwrap();
        assert_eq!(
            shown.classes.len() as u64,
            shown.total,
            "labels stand for terms, and all is shown"
        );
        assert_fault!(on!(agent, call_neighbourhood, Some("(Num 77)"), &[], 40), Absent);
        assert_fault!(on!(agent, call_neighbourhood, Some("(Num"), &[], 40), Malformed);
        assert!(on!(agent, call_search, "Var", 1).1, "there are more");
        assert!(on!(agent, call_color_counts).green > 0);
        assert_eq!(on!(agent, call_applied, Dot { agent: 9, sequence: 1 }).len(), 0);
        let sizes = on!(agent, call_sizes);
        assert!(sizes.contains(&("Var".to_owned(), 2)), "{sizes:?}");
        assert_eq!(on!(agent, call_contradictions).len(), 0);
        assert_fault!(on!(agent, call_pop), Misplaced);

        let (meaning, snapshot) = (on!(agent, call_meaning_digest), on!(agent, call_snapshot));
        assert_eq!(meaning.len(), 32);
        on!(agent, call_push).unwrap();
        on!(agent, call_submit, "(union (Num 1) (Num 2))", 3).unwrap();
        assert_eq!(on!(agent, call_contradictions), [["(Num 1)", "(Num 2)"]]);
        assert_ne!(on!(agent, call_meaning_digest), meaning);
        on!(agent, call_pop).unwrap();
        assert_eq!(on!(agent, call_meaning_digest), meaning);
        assert_eq!(on!(agent, call_snapshot), snapshot);
        assert_eq!(
            on!(agent, call_extract, START, 1, CostModel::Tree, None).unwrap(),
            before
        );
        let events = on!(agent, call_events, 0, 1_000);
        assert!(events.windows(2).all(|pair| pair[0].index < pair[1].index));
        let counted: u64 = on!(agent, call_metrics).counts.iter().map(|(_, count)| count).sum();
        assert_eq!(counted, events.len() as u64);
    }
}

#[test]
fn one_alone_saturates_and_explains() {
    let mut network = Network::new(1, Delivery::InOrder);
    network.submit(0, PROGRAM);
    let verdict = network.saturate();
    assert!(!verdict.exhausted && verdict.applied == 0 && verdict.blocked == 0);
    let best = on!(network.agents[0], call_extract, START, 1, CostModel::Tree, None).unwrap();
    assert_eq!(best.len(), 1);
    let small = "(Mul (Var \"x\") (Add (Num 1) (Var \"y\")))";
    assert_eq!(
        on!(network.agents[0], call_check, &format!("(= {START} {small})"), 1),
        Ok(1)
    );
    let steps = on!(network.agents[0], call_explain, START, small).unwrap().steps;
    assert!(!steps.is_empty());
    assert_eq!(steps.last().unwrap().after, small);
    assert!(
        steps.windows(2).all(|pair| pair[0].after == pair[1].before),
        "{steps:?}"
    );
    let within = Some(Colors::GREEN);
    let given: Vec<Extracted> = on!(network.agents[0], call_extract, START, 1, CostModel::Tree, within).unwrap();
    assert!(given[0].cost >= best[0].cost);
}

#[test]
fn networks_of_all_sizes_mean_the_same() {
    let mut expected = None;
    for (agents, delivery) in [
        (1, Delivery::InOrder),
        (2, Delivery::InOrder),
        (3, Delivery::Scrambled),
        (9, Delivery::InOrder),
        (9, Delivery::Scrambled),
    ] {
        let mut network = Network::new(agents, delivery);
        network.submit(agents as usize - 1, PROGRAM);
        network.saturate();
        let meaning = on!(network.agents[0], call_meaning_digest);
        let best = on!(network.agents[0], call_extract, START, 3, CostModel::Tree, None).unwrap();
        let state = on!(network.agents[0], call_summary).state_digest;
        for (id, agent) in network.agents.iter_mut().enumerate() {
            let summary = on!(*agent, call_summary);
            assert_eq!((summary.id, &summary.state_digest), (id as u32, &state));
            assert_eq!(summary.refused, []);
            assert_eq!(on!(*agent, call_meaning_digest), meaning);
            assert_eq!(
                on!(*agent, call_extract, START, 3, CostModel::Tree, None).unwrap(),
                best
            );
            if agents > 1 {
                assert!(summary.messages_sent > 0 && summary.messages_received > 0);
                assert!(summary.bytes_sent > 0 && summary.bytes_received > 0);
            }
        }
        let expected = expected.get_or_insert((meaning.clone(), best.clone()));
        assert_eq!((&meaning, &best), (&expected.0, &expected.1), "{agents} agents");
    }
}

#[test]
fn what_is_submitted_anywhere_is_known_everywhere() {
    let mut network = Network::new(9, Delivery::InOrder);
    network.submit(
        0,
        "(datatype Math (Num i64) (Add Math Math)) (rewrite (Add a b) (Add b a))",
    );
    network.submit(4, "(let left (Add (Num 1) (Num 2)))");
    network.submit(8, "(let right (Add (Num 2) (Num 1)))");
    network.saturate();
    for agent in &mut network.agents {
        assert_eq!(on!(*agent, call_check, "(= left right)", 1), Ok(1));
        let steps = on!(*agent, call_explain, "left", "right").unwrap().steps;
        assert_eq!(steps.len(), 1, "{steps:?}");
    }
}

#[test]
fn a_budget_exhausts_a_round_and_the_next_goes_on() {
    let mut network = Network::new(3, Delivery::InOrder);
    network.submit(0, PROGRAM);
    let few = Budget {
        matches: 3,
        nodes: u64::MAX,
    };
    assert!(network.round(few).exhausted);
    let verdict = network.saturate();
    assert!(!verdict.exhausted);
}

#[test]
fn what_is_no_message_of_this_network_changes_nothing() {
    let mut network = Network::new(3, Delivery::InOrder);
    let messages = on!(network.agents[0], call_submit, PROGRAM, 1).unwrap();
    let good = messages
        .iter()
        .find(|message| message.kind == MessageKind::State)
        .expect("a submission is told")
        .clone();
    let before = on!(network.agents[1], call_summary).state_digest;
    for length in 0..good.body.len() {
        let cut = Message {
            body: good.body[..length].to_vec(),
            ..good.clone()
        };
        assert_fault!(on!(network.agents[1], call_receive, &cut, 2), Malformed);
    }
    let stranger = Message {
        sender: 77,
        topic: "agent.77.state".to_owned(),
        ..good.clone()
    };
    assert!(on!(network.agents[1], call_receive, &stranger, 2).is_err());
    let astray = Message {
        topic: "no.such.topic".to_owned(),
        ..good.clone()
    };
    assert!(on!(network.agents[1], call_receive, &astray, 2).is_err());
    assert_eq!(on!(network.agents[1], call_summary).state_digest, before);
    on!(network.agents[1], call_receive, &good, 3).unwrap();
    assert_ne!(on!(network.agents[1], call_summary).state_digest, before);
}

#[test]
fn a_round_within_a_round_is_misplaced() {
    let mut network = Network::new(3, Delivery::InOrder);
    network.submit(0, PROGRAM);
    let task = RoundTask {
        ruleset: String::new(),
        budget: UNBOUNDED,
    };
    on!(network.agents[0], call_start_round, &task, 50).unwrap();
    assert_fault!(on!(network.agents[0], call_start_round, &task, 51), Misplaced);
    let strange = RoundTask {
        ruleset: "nosuch".to_owned(),
        budget: UNBOUNDED,
    };
    assert!(on!(network.agents[1], call_start_round, &strange, 52).is_err());
}

#[test]
fn who_lost_a_message_asks_for_it_after_a_heartbeat() {
    let mut network = Network::new(3, Delivery::InOrder);
    let told = on!(network.agents[0], call_submit, PROGRAM, 1).unwrap();
    // Agent 1 hears of it, agent 2 does not.
    for message in &told {
        on!(network.agents[1], call_receive, message, 2).unwrap();
    }
    assert_eq!(on!(network.agents[2], call_summary).size.facts, 0);
    let alive = on!(network.agents[1], call_heartbeat, 3);
    assert_eq!((alive.kind, alive.receiver), (MessageKind::Heartbeat, None));
    network.deliver(vec![alive]);
    let digest = on!(network.agents[0], call_summary).state_digest;
    for agent in &mut network.agents {
        assert_eq!(on!(*agent, call_summary).state_digest, digest);
    }
}

fn entrance(session: u64, joining: bool) -> Entrance {
    Entrance {
        session,
        joining,
        interval: 1_000_000,
        topology: Topology::Mesh,
    }
}

impl Network {
    /// Everybody steps and ticks so many times.
    fn run_free(&mut self, ticks: u32) {
        let task = RoundTask {
            ruleset: String::new(),
            budget: Budget {
                matches: 100,
                nodes: 100,
            },
        };
        for _ in 0..ticks {
            for at in 0..self.agents.len() {
                self.now += 1_000_000 / self.agents.len() as u64;
                let mut messages = on!(self.agents[at], call_step, &task, self.now).unwrap();
                messages.extend(on!(self.agents[at], call_tick, self.now).unwrap());
                self.deliver(messages);
            }
        }
    }
}

#[test]
fn networks_that_run_free_come_to_what_rounds_come_to() {
    let mut rounds = Network::new(3, Delivery::InOrder);
    rounds.submit(0, PROGRAM);
    rounds.saturate();
    let expected = on!(rounds.agents[0], call_meaning_digest);
    for (agents, delivery) in [
        (1, Delivery::InOrder),
        (2, Delivery::InOrder),
        (4, Delivery::Scrambled),
        (9, Delivery::InOrder),
    ] {
        let mut network = Network::new(agents, delivery);
        for at in 0..network.agents.len() {
            assert_fault!(on!(network.agents[at], call_tick, 1), Misplaced);
            assert_eq!(on!(network.agents[at], call_claim), None);
            let messages = on!(network.agents[at], call_join, entrance(at as u64 + 1, false), 1).unwrap();
            assert!(messages.iter().any(|message| message.kind == MessageKind::Heartbeat));
            assert_fault!(on!(network.agents[at], call_join, entrance(7, false), 1), Misplaced);
        }
        network.submit(0, PROGRAM);
        network.run_free(40);
        let version = on!(network.agents[0], call_version);
        for agent in &mut network.agents {
            assert!(on!(*agent, call_converged), "{agents} agents");
            assert_eq!(on!(*agent, call_meaning_digest), expected);
            assert_eq!(on!(*agent, call_version), version);
            assert_eq!(on!(*agent, call_stable), version);
            assert_eq!(on!(*agent, call_is_spare), agents > 1);
            assert_eq!(on!(*agent, call_members).len() as u32, agents);
            assert_eq!(on!(*agent, call_superseded), None);
            assert_eq!(on!(*agent, call_doubles).len(), 0);
            let stored = on!(*agent, call_unstored);
            assert_eq!(
                stored.parts,
                on!(*agent, call_delta_since, &vec![]),
                "all of them, the first time"
            );
            assert_eq!(on!(*agent, call_unstored).parts.len(), 0);
            assert!(!on!(*agent, call_is_outdated));
            assert_fault!(on!(*agent, call_push), Misplaced);
        }
    }
}

#[test]
fn history_is_cut_and_stored_anew() {
    let mut network = Network::new(3, Delivery::InOrder);
    assert_fault!(on!(network.agents[0], call_cut_after, 5), Misplaced);
    for at in 0..3 {
        on!(network.agents[at], call_join, entrance(1, false), 1).unwrap();
        on!(network.agents[at], call_cut_after, 5).unwrap();
    }
    network.submit(1, PROGRAM);
    network.run_free(60);
    let digest = on!(network.agents[0], call_summary).state_digest;
    for agent in &mut network.agents {
        assert!(on!(*agent, call_converged));
        assert_eq!(on!(*agent, call_summary).state_digest, digest);
        let stored = on!(*agent, call_unstored);
        assert!(stored.instead);
        assert!(stored.parts[0].starts_with(b"eqs"), "a snapshot comes first");
        let small = "(Mul (Var \"x\") (Add (Num 1) (Var \"y\")))";
        let steps = on!(*agent, call_explain, START, small).unwrap().steps;
        let is_compacted =
            |step: &ExplanationStep| matches!(&step.reason, StepReason::Compacted(own) if own.len() == 32);
        assert!(steps.iter().any(is_compacted), "the first facts are gone: {steps:?}");
    }
}

#[test]
fn an_agent_comes_back_as_another_incarnation_and_leaves() {
    let mut network = Network::new(3, Delivery::InOrder);
    for at in 0..3 {
        on!(network.agents[at], call_join, entrance(1, false), 1).unwrap();
    }
    network.submit(1, PROGRAM);
    network.run_free(40);
    let blocks = on!(network.agents[2], call_unstored).parts;
    let digest = on!(network.agents[2], call_summary).state_digest;
    let mut again = agent(World::Green, 1 << 16 | 2, 3);
    assert_eq!(on!(again, call_restore, &blocks, network.now), 0);
    assert_eq!(on!(again, call_summary).state_digest, digest);
    let messages = on!(again, call_join, entrance(2, true), network.now).unwrap();
    assert_eq!(on!(again, call_claim).unwrap().life, Life::Joining);
    // The earlier run hears of it, and answers no more.
    let mut earlier = std::mem::replace(&mut network.agents[2], again);
    assert_fault!(on!(earlier, call_receive, &messages[0], network.now), Misplaced);
    assert!(on!(earlier, call_superseded).is_some());
    assert_fault!(on!(earlier, call_tick, network.now), Misplaced);
    let (from_two, now) = (messages, network.now);
    for message in &from_two {
        for at in 0..2 {
            let answers = on!(network.agents[at], call_receive, message, now).unwrap();
            network.deliver(answers);
        }
    }
    network.run_free(20);
    assert!(on!(network.agents[0], call_converged));
    assert_eq!(on!(network.agents[2], call_claim).unwrap().life, Life::Active);
    let messages = on!(network.agents[2], call_leave, network.now).unwrap();
    assert_eq!(on!(network.agents[2], call_claim).unwrap().life, Life::Left);
    for message in &messages {
        on!(network.agents[0], call_receive, message, now).unwrap();
    }
    assert_eq!(on!(network.agents[0], call_claim).unwrap().life, Life::Active);
}

#[test]
fn a_network_whose_agents_live_for_one_request_comes_to_the_same() {
    let mut network = Network::new(3, Delivery::InOrder);
    let mut disks = vec![Vec::new(); 3];
    let mut states = vec![Vec::new(); 3];
    assert_fault!(on!(network.agents[0], call_suspend), Misplaced);
    for at in 0..3 {
        on!(network.agents[at], call_join, entrance(at as u64 + 1, false), 1).unwrap();
    }
    network.submit(0, PROGRAM);
    for round in 0..20 {
        network.run_free(1);
        for at in 0..3 {
            let earlier = &mut network.agents[at];
            if round == 0 {
                assert_fault!(on!(*earlier, call_suspend), Misplaced);
            }
            disks[at].extend(on!(*earlier, call_unstored).parts);
            states[at] = on!(*earlier, call_suspend).unwrap();
            let (digest, claim) = (on!(*earlier, call_summary).state_digest, on!(*earlier, call_claim));
            let world = [World::Red, World::Blue, World::Green][at];
            let mut again = agent(world, at as u32, 3);
            on!(again, call_resume, &states[at], Some(&disks[at]), network.now).unwrap();
            assert_eq!(on!(again, call_summary).state_digest, digest);
            assert_eq!(on!(again, call_claim), claim);
            assert_eq!(on!(again, call_metrics), on!(*earlier, call_metrics));
            assert_eq!(on!(again, call_unstored).parts.len(), 0);
            assert_eq!(on!(again, call_suspend).unwrap(), states[at]);
            network.agents[at] = again;
        }
    }
    let expected = on!(network.agents[0], call_meaning_digest);
    for agent in &mut network.agents {
        assert!(on!(*agent, call_converged));
        assert_eq!(on!(*agent, call_meaning_digest), expected);
    }
    // What does not fit is refused, and changes nothing.
    let now = network.now;
    let stored = &disks[0];
    assert_fault!(
        on!(network.agents[0], call_resume, &states[0], Some(stored), now),
        Misplaced
    );
    let mut other = agent(World::Red, 1 << 16, 3);
    assert_fault!(on!(other, call_resume, &states[0], Some(stored), now), Misplaced);
    let mut empty = agent(World::Red, 0, 3);
    assert_fault!(on!(empty, call_resume, &states[0][1..], Some(stored), now), Malformed);
    assert_fault!(on!(empty, call_resume, &states[0], Some(&[]), now), Absent);
    assert_eq!(on!(empty, call_claim), None);
    // Whether it has made more facts under this incarnation, nobody knows.
    let mut joining = agent(World::Red, 0, 3);
    assert_eq!(on!(joining, call_restore, &disks[0], now), 0);
    let own = on!(joining, call_version).iter().any(|dot| dot.agent == 0);
    assert!(own, "it has made facts");
    assert_fault!(on!(joining, call_join, entrance(9, true), now), Misplaced);
    assert_fault!(on!(joining, call_resume, &states[0], Some(stored), now), Misplaced);
    let mut again = agent(World::Red, 0, 3);
    assert_eq!(on!(again, call_resume, &states[0], Some(stored), now), Ok(()));
    // A life that needs no facts can do without; one that does says so, and comes to nothing.
    let mut idle = agent(World::Red, 0, 3);
    assert_eq!(on!(idle, call_resume, &states[0], None, now), Ok(()));
    assert!(!on!(idle, call_tick, now).unwrap().is_empty());
    assert_eq!(on!(idle, call_unstored).parts.len(), 0);
    assert!(!on!(idle, call_lacks_facts) && on!(idle, call_suspend).is_ok());
    on!(idle, call_meaning_digest);
    assert!(on!(idle, call_lacks_facts));
    assert_fault!(on!(idle, call_suspend), Misplaced);
    // In another order they are the same facts, taken in at once.
    let mut again = agent(World::Red, 0, 3);
    let reversed: Vec<Vec<u8>> = stored.iter().rev().cloned().collect();
    assert_eq!(on!(again, call_resume, &states[0], Some(&reversed), now), Ok(()));
    assert_eq!(on!(again, call_meaning_digest), expected);
}
