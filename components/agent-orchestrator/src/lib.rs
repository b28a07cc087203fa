//! The orchestrator as a component: an adapter of the WIT interface `orchestrator` to `eqmesh-orchestrator`.

#![allow(unsafe_code, reason = "the export macro declares the component's entry points")]

#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "orchestrator-component",
        with: { "eqmesh:network/types@0.1.0": eqmesh_guest::types },
    });
}

use std::cell::RefCell;

use bindings::exports::eqmesh::network::orchestrator::{Barrier, Greeting, Guest, GuestNetwork, OrchestrationError};
use eqmesh_guest::types;
use eqmesh_orchestrator as plain;
use eqmesh_replica::AgentId;

struct Component;

impl Guest for Component {
    type Network = Network;
}

struct Network(RefCell<plain::Network>);

impl GuestNetwork for Network {
    fn new(me: u32, agents: u32, coloring: bool, topology: types::Topology) -> Network {
        let network = plain::Network::new(AgentId(me), agents, coloring, topology.into());
        Network(RefCell::new(network))
    }

    fn members(&self) -> Vec<types::Member> {
        self.0.borrow().members().into_iter().map(types::Member::from).collect()
    }

    fn shares(&self, agent: u32) -> Result<Vec<(types::Color, types::Share)>, OrchestrationError> {
        let shares = self.0.borrow().shares(AgentId(agent)).map_err(error)?;
        let shares = shares.into_iter();
        Ok(shares.map(|(color, share)| (color.into(), share.into())).collect())
    }

    fn certifies(&self, agent: u32) -> Result<Vec<u32>, OrchestrationError> {
        self.0.borrow().certifies(AgentId(agent)).map(numbers).map_err(error)
    }

    fn neighbours(&self, agent: u32) -> Result<Vec<u32>, OrchestrationError> {
        self.0.borrow().neighbours(AgentId(agent)).map(numbers).map_err(error)
    }

    fn diameter(&self) -> u32 {
        self.0.borrow().diameter()
    }

    fn begin_round(&self) -> Result<u32, OrchestrationError> {
        self.0.borrow_mut().begin_round().map_err(error)
    }

    fn round(&self) -> (u32, Option<Barrier>) {
        let (round, awaited) = self.0.borrow().round();
        (round, awaited.map(barrier))
    }

    fn arrive(&self, agent: u32, round: u32, barrier: Barrier) -> Result<bool, OrchestrationError> {
        let barrier = match barrier {
            Barrier::Derived => plain::Barrier::Derived,
            Barrier::Certified => plain::Barrier::Certified,
            Barrier::Compared => plain::Barrier::Compared,
        };
        let arrived = self.0.borrow_mut().arrive(AgentId(agent), round, barrier);
        arrived.map_err(error)
    }

    fn ready(&self) -> bool {
        self.0.borrow().ready()
    }

    fn advance(&self) -> Result<Option<Barrier>, OrchestrationError> {
        let awaited = self.0.borrow_mut().advance().map_err(error)?;
        Ok(awaited.map(barrier))
    }

    fn cast(&self, agent: u32, round: u32, vote: types::Vote) -> Result<(), OrchestrationError> {
        let vote = plain::Vote::try_from(vote).map_err(|fault| OrchestrationError::Misplaced(fault.to_string()))?;
        self.0.borrow_mut().cast(AgentId(agent), round, vote).map_err(error)
    }

    fn verdict(&self) -> Option<types::Verdict> {
        self.0.borrow().verdict().map(types::Verdict::from)
    }

    fn topic(
        &self,
        kind: types::MessageKind,
        sender: u32,
        receiver: Option<u32>,
    ) -> Result<String, OrchestrationError> {
        let network = self.0.borrow();
        let topic = network.topic(kind.into(), AgentId(sender), receiver.map(AgentId));
        topic.map_err(error)
    }

    fn parse_topic(&self, topic: String) -> Result<(types::MessageKind, Option<u32>), OrchestrationError> {
        let (kind, named) = self.0.borrow().parse_topic(&topic).map_err(error)?;
        Ok((kind.into(), named.map(|agent| agent.0)))
    }

    fn enter(&self, entrance: types::Entrance) -> Result<(), OrchestrationError> {
        self.0.borrow_mut().enter(entrance.into()).map_err(error)
    }

    fn claim(&self) -> Option<types::Claim> {
        self.0.borrow().claim().map(types::Claim::from)
    }

    fn claim_of(&self, number: u32) -> Option<types::Claim> {
        self.0.borrow().claim_of(number).map(types::Claim::from)
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

    fn live(&self, life: types::Life) {
        self.0.borrow_mut().live(life.into());
    }

    fn learn(&self, entries: Vec<(u32, types::Claim)>) -> bool {
        let entries: Vec<_> = entries
            .into_iter()
            .map(|(number, claim)| (number, claim.into()))
            .collect();
        self.0.borrow_mut().learn(&entries)
    }

    fn greet(&self, number: u32, claim: types::Claim) -> Greeting {
        match self.0.borrow_mut().greet(number, claim.into()) {
            plain::Greeting::Current => Greeting::Current,
            plain::Greeting::Superseded => Greeting::Superseded,
        }
    }

    fn claims_since(&self, revision: u64, limit: u32) -> (Vec<(u32, types::Claim)>, u64) {
        let (entries, upto) = self.0.borrow().claims_since(revision, limit);
        let entries = entries.into_iter().map(|(number, claim)| (number, claim.into()));
        (entries.collect(), upto)
    }

    fn roster_digest(&self) -> Vec<u8> {
        self.0.borrow().roster_digest().to_vec()
    }

    fn view(&self) -> Vec<u8> {
        self.0.borrow().view().to_vec()
    }

    fn certifier(&self, number: u32) -> Option<u32> {
        self.0.borrow().certifier(number)
    }

    fn hear(&self, number: u32, now: u64) {
        self.0.borrow_mut().hear(number, now);
    }

    fn suspicion(&self, number: u32, now: u64) -> f64 {
        self.0.borrow().suspicion(number, now)
    }

    fn review(&self, now: u64) -> Vec<u32> {
        self.0.borrow_mut().review(now)
    }

    fn next_absent(&self) -> Option<u32> {
        self.0.borrow_mut().next_absent()
    }

    fn turn_to(&self, subject: Vec<u8>) {
        // No statement is about a subject of another length, which nobody turns to.
        let subject = <[u8; 16]>::try_from(subject).unwrap_or([0; 16]);
        self.0.borrow_mut().turn_to(subject);
    }

    fn vouch(&self) {
        self.0.borrow_mut().vouch();
    }

    fn count(&self, subject: Vec<u8>, vouchers: Vec<u8>) {
        if let (Ok(subject), Some(vouchers)) = (<[u8; 16]>::try_from(subject), plain::NumberSet::from_bytes(&vouchers))
        {
            self.0.borrow_mut().count(subject, &vouchers);
        }
    }

    fn statement(&self) -> (Vec<u8>, Vec<u8>) {
        let (subject, vouchers) = self.0.borrow().statement();
        (subject.to_vec(), vouchers.to_bytes())
    }

    fn agreed(&self) -> bool {
        self.0.borrow().agreed()
    }

    fn save(&self) -> Result<Vec<u8>, OrchestrationError> {
        self.0.borrow().save().map_err(error)
    }

    fn load(&self, saved: Vec<u8>, now: u64) -> Result<(), OrchestrationError> {
        self.0.borrow_mut().load(&saved, now).map_err(error)
    }
}

fn numbers(agents: Vec<AgentId>) -> Vec<u32> {
    agents.into_iter().map(|agent| agent.0).collect()
}

fn barrier(own: plain::Barrier) -> Barrier {
    match own {
        plain::Barrier::Derived => Barrier::Derived,
        plain::Barrier::Certified => Barrier::Certified,
        plain::Barrier::Compared => Barrier::Compared,
    }
}

fn error(own: plain::OrchestrationError) -> OrchestrationError {
    match own {
        plain::OrchestrationError::Stranger(agent) => OrchestrationError::Stranger(agent.0),
        plain::OrchestrationError::Stale(round) => OrchestrationError::Stale(round),
        plain::OrchestrationError::Premature(round) => OrchestrationError::Premature(round),
        plain::OrchestrationError::Topic(topic) => OrchestrationError::Topic(topic),
        plain::OrchestrationError::Malformed(text) => OrchestrationError::Malformed(text),
        plain::OrchestrationError::Misplaced(text) => OrchestrationError::Misplaced(text),
    }
}

bindings::export!(Component with_types_in bindings);
