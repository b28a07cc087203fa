//! The agent as a component: an adapter of the WIT interface `agent` to `eqmesh-agent`, over the components that it imports.

#![allow(unsafe_code, reason = "the export macro declares the component's entry points")]

#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "agent-component",
        with: { "eqmesh:network/types@0.1.0": eqmesh_guest::types },
    });
}

mod parts;

use std::cell::RefCell;

use bindings::exports::eqmesh::network::agent::{
    Config, Dispute, Guest, GuestNode, Message, RoundTask, Summary, Unstored,
};
use eqmesh_agent as plain;
use eqmesh_egraph::color::Colors;
use eqmesh_guest::{types, version_from_wit, version_to_wit};
use eqmesh_replica::AgentId;
use parts::Imports;

struct Component;

impl Guest for Component {
    type Node = Node;
}

struct Node(RefCell<plain::Node<Imports>>);

fn message(own: plain::Message) -> Message {
    Message {
        id: own.id,
        kind: own.kind.into(),
        sender: own.sender.0,
        receiver: own.receiver.map(|receiver| receiver.0),
        topic: own.topic,
        version: version_to_wit(&own.version),
        at: own.at.into(),
        body: own.body,
    }
}

fn messages(own: Vec<plain::Message>) -> Vec<Message> {
    own.into_iter().map(message).collect()
}

fn round_task(own: RoundTask) -> plain::RoundTask {
    plain::RoundTask {
        ruleset: own.ruleset,
        budget: own.budget.into(),
    }
}

fn diagnostics(own: Vec<plain::Diagnostic>) -> Vec<types::Diagnostic> {
    let convert = |own: plain::Diagnostic| types::Diagnostic {
        code: own.code,
        message: own.message,
        help: own.help,
        start: own.start,
        end: own.end,
        error: own.error,
    };
    own.into_iter().map(convert).collect()
}

impl GuestNode for Node {
    fn new(config: Config) -> Node {
        let config = plain::Config {
            id: AgentId(config.id),
            agents: config.agents,
            coloring: config.coloring,
            timeline_capacity: config.timeline_capacity,
        };
        Node(RefCell::new(plain::Node::new(config, Imports)))
    }

    fn submit(&self, text: String, now: u64) -> Result<Vec<Message>, Vec<types::Diagnostic>> {
        self.0
            .borrow_mut()
            .submit(&text, now)
            .map(messages)
            .map_err(diagnostics)
    }

    fn start_round(&self, task: RoundTask, now: u64) -> Result<Vec<Message>, types::Fault> {
        Ok(messages(self.0.borrow_mut().start_round(&round_task(task), now)?))
    }

    fn receive(&self, own: Message, now: u64) -> Result<Vec<Message>, types::Fault> {
        let own = plain::Message {
            id: own.id,
            kind: own.kind.into(),
            sender: AgentId(own.sender),
            receiver: own.receiver.map(AgentId),
            topic: own.topic,
            version: version_from_wit(own.version),
            at: own.at.into(),
            body: own.body,
        };
        Ok(messages(self.0.borrow_mut().receive(&own, now)?))
    }

    fn heartbeat(&self, now: u64) -> Message {
        message(self.0.borrow_mut().heartbeat(now))
    }

    fn restore(&self, blocks: Vec<Vec<u8>>, now: u64) -> u64 {
        self.0.borrow_mut().restore(&blocks, now)
    }

    fn unstored(&self) -> Unstored {
        let eqmesh_agent::Unstored { instead, parts } = self.0.borrow_mut().unstored();
        Unstored { instead, parts }
    }

    fn cut_after(&self, facts: u64) -> Result<(), types::Fault> {
        Ok(self.0.borrow_mut().cut_after(facts)?)
    }

    fn is_outdated(&self) -> bool {
        self.0.borrow().is_outdated()
    }

    fn join(&self, entrance: types::Entrance, now: u64) -> Result<Vec<Message>, types::Fault> {
        Ok(messages(self.0.borrow_mut().join(entrance.into(), now)?))
    }

    fn suspend(&self) -> Result<Vec<u8>, types::Fault> {
        Ok(self.0.borrow_mut().suspend()?)
    }

    fn resume(&self, state: Vec<u8>, parts: Option<Vec<Vec<u8>>>, now: u64) -> Result<(), types::Fault> {
        Ok(self.0.borrow_mut().resume(&state, parts, now)?)
    }

    fn lacks_facts(&self) -> bool {
        self.0.borrow().lacks_facts()
    }

    fn leave(&self, now: u64) -> Result<Vec<Message>, types::Fault> {
        Ok(messages(self.0.borrow_mut().leave(now)?))
    }

    fn tick(&self, now: u64) -> Result<Vec<Message>, types::Fault> {
        Ok(messages(self.0.borrow_mut().tick(now)?))
    }

    fn step(&self, task: RoundTask, now: u64) -> Result<Vec<Message>, types::Fault> {
        Ok(messages(self.0.borrow_mut().step(&round_task(task), now)?))
    }

    fn converged(&self) -> bool {
        self.0.borrow_mut().converged()
    }

    fn stable(&self) -> types::VersionVector {
        version_to_wit(&self.0.borrow_mut().stable())
    }

    fn is_spare(&self) -> bool {
        self.0.borrow_mut().is_spare()
    }

    fn members(&self) -> Vec<types::Member> {
        self.0.borrow().members().into_iter().map(types::Member::from).collect()
    }

    fn claim(&self) -> Option<types::Claim> {
        self.0.borrow().claim().map(types::Claim::from)
    }

    fn superseded(&self) -> Option<types::Claim> {
        self.0.borrow().superseded().map(types::Claim::from)
    }

    fn doubles(&self) -> Vec<(u32, types::Claim, types::Claim)> {
        let doubles = self.0.borrow().doubles().into_iter();
        doubles
            .map(|(number, old, new)| (number, old.into(), new.into()))
            .collect()
    }

    fn version(&self) -> types::VersionVector {
        version_to_wit(&self.0.borrow_mut().version())
    }

    fn delta_since(&self, version: types::VersionVector) -> Vec<Vec<u8>> {
        self.0.borrow().delta_since(&version_from_wit(version))
    }

    fn verdict(&self) -> Option<types::Verdict> {
        self.0.borrow().verdict().map(types::Verdict::from)
    }

    fn summary(&self) -> Summary {
        let summary = self.0.borrow().summary();
        Summary {
            id: summary.id.0,
            color: summary.color.map(types::Color::from),
            size: summary.size.into(),
            state_digest: summary.state_digest.to_vec(),
            messages_sent: summary.messages_sent,
            bytes_sent: summary.bytes_sent,
            messages_received: summary.messages_received,
            bytes_received: summary.bytes_received,
            refused: summary
                .refused
                .into_iter()
                .map(|(dot, reason)| (dot.into(), reason))
                .collect(),
            disputes: summary
                .disputes
                .into_iter()
                .map(|own| Dispute {
                    fact: own.fact.into(),
                    by: own.by,
                    reason: own.reason,
                })
                .collect(),
        }
    }

    fn meaning_digest(&self) -> Vec<u8> {
        self.0.borrow_mut().meaning_digest().to_vec()
    }

    fn snapshot(&self) -> Vec<u8> {
        self.0.borrow_mut().snapshot()
    }

    fn check(&self, text: String, limit: u64) -> Result<u64, Vec<types::Diagnostic>> {
        self.0.borrow_mut().check(&text, limit).map_err(diagnostics)
    }

    fn extract(
        &self,
        term: String,
        variants: u32,
        cost: types::CostModel,
        within: Option<types::Colors>,
    ) -> Result<Vec<types::Extracted>, types::Fault> {
        let found = self
            .0
            .borrow_mut()
            .extract(&term, variants, cost.into(), within.map(Colors::from))?;
        Ok(found.into_iter().map(types::Extracted::from).collect())
    }

    fn explain(&self, left: String, right: String) -> Result<types::Explanation, types::Fault> {
        Ok(self.0.borrow_mut().explain(&left, &right)?.into())
    }

    fn rows(&self, operator: String, start: u32, limit: u32) -> Result<Vec<types::Row>, types::Fault> {
        let rows = self.0.borrow_mut().rows(&operator, start, limit)?;
        Ok(rows.into_iter().map(types::Row::from).collect())
    }

    fn neighbourhood(
        &self,
        center: Option<String>,
        expanded: Vec<String>,
        classes: u32,
    ) -> Result<types::Neighbourhood, types::Fault> {
        let mut own = self.0.borrow_mut();
        Ok(own.neighbourhood(center.as_deref(), &expanded, classes)?.into())
    }

    fn search(&self, text: String, limit: u32) -> (Vec<String>, bool) {
        self.0.borrow_mut().search(&text, limit)
    }

    fn color_counts(&self) -> types::ColorCounts {
        self.0.borrow().color_counts().into()
    }

    fn applied(&self, fact: types::Dot) -> Vec<(String, u64)> {
        self.0.borrow().applied(fact.into())
    }

    fn sizes(&self) -> Vec<(String, u64)> {
        self.0.borrow().sizes()
    }

    fn contradictions(&self) -> Vec<Vec<String>> {
        self.0.borrow_mut().contradictions()
    }

    fn push(&self) -> Result<(), types::Fault> {
        Ok(self.0.borrow_mut().push()?)
    }

    fn pop(&self) -> Result<(), types::Fault> {
        Ok(self.0.borrow_mut().pop()?)
    }

    fn metrics(&self) -> types::Metrics {
        self.0.borrow().metrics().into()
    }

    fn events(&self, from: u64, limit: u32) -> Vec<types::Event> {
        self.0
            .borrow()
            .events(from, limit)
            .into_iter()
            .map(types::Event::from)
            .collect()
    }
}

bindings::export!(Component with_types_in bindings);
