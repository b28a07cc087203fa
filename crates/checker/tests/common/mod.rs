//! A network of native agents that runs programs, and its explanations in the checker's form.

#![allow(dead_code, reason = "each test uses a part of it")]

pub(crate) mod programs;

use std::collections::BTreeMap;

use eqmesh_agent::{Config, Message, Native, Node, RoundTask};
use eqmesh_checker::{Direction, Explanation, Fact, Lemma, Reason, Step};
use eqmesh_language::{CommandKind, Program, Schedule};
use eqmesh_replica::{AgentId, Budget};
use serde_json::{Value, json};

pub(crate) struct Network {
    pub(crate) nodes: Vec<Node<Native>>,
}

impl Network {
    pub(crate) fn new(agents: u32) -> Network {
        let node = |id: u32| {
            let config = Config {
                id: AgentId(id),
                agents,
                coloring: true,
                timeline_capacity: 64,
            };
            Node::new(config, Native::of_member(id, agents))
        };
        Network {
            nodes: (0..agents).map(node).collect(),
        }
    }

    fn carry(&mut self, messages: Vec<Message>) {
        let mut travelling = std::collections::VecDeque::from(messages);
        while let Some(message) = travelling.pop_front() {
            for (to, node) in self.nodes.iter_mut().enumerate() {
                let id = AgentId(to as u32);
                if message.receiver.map_or(message.sender != id, |receiver| receiver == id) {
                    travelling.extend(node.receive(&message, 0).expect("a message of this network"));
                }
            }
        }
    }

    /// Whether the statements are understood.
    pub(crate) fn submit(&mut self, text: &str) -> bool {
        let said = self.nodes[0].submit(text, 0);
        said.map(|messages| self.carry(messages)).is_ok()
    }

    /// Whether the round changed anything.
    pub(crate) fn round(&mut self, ruleset: &str, nodes: u64) -> bool {
        let task = RoundTask {
            ruleset: ruleset.to_owned(),
            budget: Budget {
                matches: u64::MAX,
                nodes,
            },
        };
        let messages: Vec<Message> = self
            .nodes
            .iter_mut()
            .flat_map(|node| node.start_round(&task, 0).expect("no round is under way"))
            .collect();
        self.carry(messages);
        let verdict = self.nodes[0].verdict().expect("the round is over");
        assert!(verdict.agreed);
        verdict.applied > 0
    }

    fn schedule(&mut self, schedule: &Schedule) {
        match schedule {
            Schedule::Run(spec) => {
                for _ in 0..spec.rounds.unwrap_or(1) {
                    if !self.round(&spec.ruleset, u64::MAX) {
                        break;
                    }
                }
            }
            Schedule::Repeat(count, all) => (0..*count).for_each(|_| all.iter().for_each(|own| self.schedule(own))),
            Schedule::Sequence(all) => all.iter().for_each(|own| self.schedule(own)),
            Schedule::Saturate(_) => panic!("no example saturates"),
        }
    }

    /// Runs a program. Answers the document of its explanations, as `eqmesh run --json` writes them.
    pub(crate) fn run(&mut self, program: &Program) -> Value {
        let mut results = Vec::new();
        for command in &program.commands {
            match &command.kind {
                CommandKind::Declarative => assert!(self.submit(&command.text), "{}", command.text),
                CommandKind::Run(spec) => self.schedule(&Schedule::Run(spec.clone())),
                CommandKind::Schedule(schedule) => self.schedule(schedule),
                CommandKind::Push(_) => self
                    .nodes
                    .iter_mut()
                    .for_each(|node| node.push().expect("between rounds")),
                CommandKind::Pop(_) => self.nodes.iter_mut().for_each(|node| node.pop().expect("there is one")),
                CommandKind::Explain { left, right } => {
                    let explanation = self.explain(left, right).expect(left);
                    let mut answer = serde_json::to_value(explanation).expect("it is plain");
                    answer["command"] = json!("explain");
                    answer["line"] = json!(command.line);
                    results.push(answer);
                }
                _ => {}
            }
        }
        json!({ "schema": "eqmesh.run/1", "results": results })
    }

    /// The explanation that every agent gives.
    pub(crate) fn explain(&mut self, left: &str, right: &str) -> Option<Explanation> {
        let first = self.nodes[0].explain(left, right);
        for node in &mut self.nodes[1..] {
            assert_eq!(node.explain(left, right), first, "all agents explain alike");
        }
        first.ok().map(explanation)
    }
}

/// In hexadecimal digits.
pub(crate) fn hex(digest: &[u8; 32]) -> String {
    use std::fmt::Write as _;
    digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(crate) fn explanation(own: eqmesh_replica::Explanation) -> Explanation {
    let steps = |own: Vec<eqmesh_replica::ExplanationStep>| own.into_iter().map(step).collect();
    let lemma = |own: eqmesh_replica::Lemma| Lemma {
        left: own.left,
        right: own.right,
        steps: steps(own.steps),
    };
    Explanation {
        steps: steps(own.steps),
        lemmas: own.lemmas.into_iter().map(lemma).collect(),
    }
}

fn step(own: eqmesh_replica::ExplanationStep) -> Step {
    let fact = own.reason.fact().map(|fact| Fact {
        agent: fact.agent.number(),
        incarnation: fact.agent.incarnation(),
        sequence: fact.sequence,
    });
    let mut snapshot = None;
    let (reason, rule, substitution, lemmas) = match own.reason {
        eqmesh_replica::Reason::Rule {
            name,
            substitution,
            lemmas,
            ..
        } => (Reason::Rule, name, substitution.into_iter().collect(), lemmas),
        eqmesh_replica::Reason::Asserted { .. } => {
            (Reason::Asserted, "union".to_owned(), BTreeMap::default(), Vec::new())
        }
        eqmesh_replica::Reason::Compacted { snapshot: digest } => {
            snapshot = Some(hex(&digest));
            (Reason::Compacted, String::new(), BTreeMap::default(), Vec::new())
        }
    };
    Step {
        before: own.before,
        after: own.after,
        reason,
        rule,
        direction: if own.forward {
            Direction::Forward
        } else {
            Direction::Backward
        },
        place: own.place,
        substitution,
        lemmas,
        fact,
        snapshot,
    }
}
