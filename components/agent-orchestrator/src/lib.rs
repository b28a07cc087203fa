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

use bindings::exports::eqmesh::network::orchestrator::{
    Barrier, Guest, GuestNetwork, Member, MemberState, OrchestrationError, Topology,
};
use eqmesh_guest::types;
use eqmesh_orchestrator as plain;
use eqmesh_replica::AgentId;

struct Component;

impl Guest for Component {
    type Network = Network;
}

struct Network(RefCell<plain::Network>);

impl GuestNetwork for Network {
    fn new(me: u32, agents: u32, coloring: bool, topology: Topology) -> Network {
        let topology = match topology {
            Topology::Mesh => plain::Topology::Mesh,
            Topology::Sierpinski => plain::Topology::Sierpinski,
        };
        Network(RefCell::new(plain::Network::new(
            AgentId(me),
            agents,
            coloring,
            topology,
        )))
    }

    fn members(&self) -> Vec<Member> {
        self.0.borrow().members().into_iter().map(member).collect()
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
}

fn numbers(agents: Vec<AgentId>) -> Vec<u32> {
    agents.into_iter().map(|agent| agent.0).collect()
}

fn member(own: plain::Member) -> Member {
    let state = match own.state {
        plain::MemberState::Joining => MemberState::Joining,
        plain::MemberState::Active => MemberState::Active,
        plain::MemberState::Suspected => MemberState::Suspected,
        plain::MemberState::Left => MemberState::Left,
    };
    Member {
        id: own.id.0,
        color: own.color.into(),
        state,
    }
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
        plain::OrchestrationError::Misplaced(text) => OrchestrationError::Misplaced(text),
    }
}

bindings::export!(Component with_types_in bindings);
