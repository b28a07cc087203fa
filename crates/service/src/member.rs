//! What a service asks of its agent.

use eqmesh_agent::{Config, Diagnostic, Message, Node, Parts, RoundTask, Summary, Unstored};
use eqmesh_egraph::color::ColorCounts;
use eqmesh_orchestrator::{Claim, Entrance, Member as NetworkMember};
use eqmesh_replica::{Dot, Fault, VersionVector};
use eqmesh_timeline::{Event, Metrics};

/// An agent that runs free: the part of the WIT resource `node` that a service uses. Times are in microseconds.
#[allow(missing_docs)]
pub trait Member: Sized {
    /// What agents are made from.
    type Maker;

    fn make(maker: &Self::Maker, config: Config) -> Self;
    fn restore(&mut self, parts: Vec<Vec<u8>>, now: u64) -> u64;
    fn join(&mut self, entrance: Entrance, now: u64) -> Result<Vec<Message>, Fault>;
    fn resume(&mut self, state: &[u8], parts: Option<Vec<Vec<u8>>>, now: u64) -> Result<(), Fault>;
    fn lacks_facts(&self) -> bool;
    fn suspend(&mut self) -> Result<Vec<u8>, Fault>;
    fn cut_after(&mut self, facts: u64) -> Result<(), Fault>;
    fn receive(&mut self, message: &Message, now: u64) -> Result<Vec<Message>, Fault>;
    fn tick(&mut self, now: u64) -> Result<Vec<Message>, Fault>;
    fn step(&mut self, task: &RoundTask, now: u64) -> Result<Vec<Message>, Fault>;
    fn submit(&mut self, text: &str, now: u64) -> Result<Vec<Message>, Vec<Diagnostic>>;
    fn unstored(&mut self) -> Unstored;
    fn is_outdated(&self) -> bool;
    fn superseded(&self) -> Option<Claim>;
    fn claim(&self) -> Option<Claim>;
    fn converged(&mut self) -> bool;
    fn version(&mut self) -> VersionVector;
    fn members(&self) -> Vec<NetworkMember>;
    fn summary(&self) -> Summary;
    fn meaning_digest(&mut self) -> [u8; 32];
    fn metrics(&self) -> Metrics;
    fn events(&self, from: u64, limit: u32) -> Vec<Event>;
    fn color_counts(&self) -> ColorCounts;
    fn applied(&self, fact: Dot) -> Vec<(String, u64)>;
}

impl<P: Parts + Clone> Member for Node<P> {
    type Maker = P;

    fn make(maker: &P, config: Config) -> Node<P> {
        Node::new(config, maker.clone())
    }

    fn restore(&mut self, parts: Vec<Vec<u8>>, now: u64) -> u64 {
        Node::restore(self, &parts, now)
    }

    fn join(&mut self, entrance: Entrance, now: u64) -> Result<Vec<Message>, Fault> {
        Node::join(self, entrance, now)
    }

    fn resume(&mut self, state: &[u8], parts: Option<Vec<Vec<u8>>>, now: u64) -> Result<(), Fault> {
        Node::resume(self, state, parts, now)
    }

    fn lacks_facts(&self) -> bool {
        Node::lacks_facts(self)
    }

    fn suspend(&mut self) -> Result<Vec<u8>, Fault> {
        Node::suspend(self)
    }

    fn cut_after(&mut self, facts: u64) -> Result<(), Fault> {
        Node::cut_after(self, facts)
    }

    fn receive(&mut self, message: &Message, now: u64) -> Result<Vec<Message>, Fault> {
        Node::receive(self, message, now)
    }

    fn tick(&mut self, now: u64) -> Result<Vec<Message>, Fault> {
        Node::tick(self, now)
    }

    fn step(&mut self, task: &RoundTask, now: u64) -> Result<Vec<Message>, Fault> {
        Node::step(self, task, now)
    }

    fn submit(&mut self, text: &str, now: u64) -> Result<Vec<Message>, Vec<Diagnostic>> {
        Node::submit(self, text, now)
    }

    fn unstored(&mut self) -> Unstored {
        Node::unstored(self)
    }

    fn is_outdated(&self) -> bool {
        Node::is_outdated(self)
    }

    fn superseded(&self) -> Option<Claim> {
        Node::superseded(self)
    }

    fn claim(&self) -> Option<Claim> {
        Node::claim(self)
    }

    fn converged(&mut self) -> bool {
        Node::converged(self)
    }

    fn version(&mut self) -> VersionVector {
        (*Node::version(self)).clone()
    }

    fn members(&self) -> Vec<NetworkMember> {
        Node::members(self)
    }

    fn summary(&self) -> Summary {
        Node::summary(self)
    }

    fn meaning_digest(&mut self) -> [u8; 32] {
        Node::meaning_digest(self)
    }

    fn metrics(&self) -> Metrics {
        Node::metrics(self)
    }

    fn events(&self, from: u64, limit: u32) -> Vec<Event> {
        Node::events(self, from, limit)
    }

    fn color_counts(&self) -> ColorCounts {
        Node::color_counts(self)
    }

    fn applied(&self, fact: Dot) -> Vec<(String, u64)> {
        Node::applied(self, fact)
    }
}
