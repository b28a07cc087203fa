//! The network as one agent sees it.

use eqmesh_egraph::color::Color;
use eqmesh_replica::{AgentId, Share};

use crate::round::Heard;
use crate::{Barrier, Member, MemberState, MessageKind, OrchestrationError, Topology, Verdict, Vote, member, topic};

/// A network of agents, seen by one of them.
///
/// Two networks of the same size that heard the same messages, in any order, are at the same barrier and give the same verdict.
/// Memory is linear in the number of agents: no more is kept than what each says of this round and of the next.
#[derive(Clone, Debug)]
pub struct Network {
    me: AgentId,
    agents: u32,
    coloring: bool,
    topology: Topology,
    /// The round under way or last ended; 0 before the first.
    round: u32,
    /// The barrier that is awaited; none between rounds.
    awaited: Option<Barrier>,
    /// What was heard for the round under way; empty between rounds.
    heard: Heard,
    /// What was heard for the round after `round`.
    early: Heard,
    verdict: Option<Verdict>,
}

impl Network {
    /// A network of `agents` (at least 1) seen by agent `me`. Colors are red, blue, green by number modulo 3, and all members are active.
    /// With `coloring` off no certificates are awaited. O(1).
    pub fn new(me: AgentId, agents: u32, coloring: bool, topology: Topology) -> Network {
        Network {
            me,
            agents: agents.max(1),
            coloring,
            topology,
            round: 0,
            awaited: None,
            heard: Heard::default(),
            early: Heard::default(),
            verdict: None,
        }
    }

    /// The agent whose view this is.
    pub fn me(&self) -> AgentId {
        self.me
    }

    /// All members, ascending.
    pub fn members(&self) -> Vec<Member> {
        let member = |id| Member {
            id,
            color: member::color(id),
            state: MemberState::Active,
        };
        (0..self.agents).map(AgentId).map(member).collect()
    }

    fn known(&self, agent: AgentId) -> Result<AgentId, OrchestrationError> {
        if agent.0 < self.agents {
            Ok(agent)
        } else {
            Err(OrchestrationError::Stranger(agent))
        }
    }

    /// The share of an agent for each color. With three agents or more, its own color only, split over the members of that color; with
    /// fewer, all three colors, split over all.
    pub fn shares(&self, agent: AgentId) -> Result<Vec<(Color, Share)>, OrchestrationError> {
        Ok(member::shares(self.known(agent)?, self.agents))
    }

    /// The agents whose facts this agent certifies, ascending. Every agent is certified by exactly one; the numbers that two certify differ by
    /// one at most. With three agents or more, those who certify are the GREEN ones, each itself among others; with fewer,
    /// each certifies itself. The answer does not depend on whether certificates are awaited.
    pub fn certifies(&self, agent: AgentId) -> Result<Vec<AgentId>, OrchestrationError> {
        Ok(member::certifies(self.known(agent)?, self.agents))
    }

    /// The neighbours of an agent, ascending.
    pub fn neighbours(&self, agent: AgentId) -> Result<Vec<AgentId>, OrchestrationError> {
        Ok(self.topology.neighbours(self.known(agent)?, self.agents))
    }

    /// The greatest distance between two agents.
    pub fn diameter(&self) -> u32 {
        self.topology.diameter(self.agents)
    }

    /// Begins the next round and answers its number, from 1. Fails with [`Misplaced`](OrchestrationError::Misplaced) while one is under way.
    pub fn begin_round(&mut self) -> Result<u32, OrchestrationError> {
        if self.awaited.is_some() {
            let text = format!("round {} is still under way", self.round);
            return Err(OrchestrationError::Misplaced(text));
        }
        let Some(round) = self.round.checked_add(1) else {
            return Err(OrchestrationError::Misplaced(
                "there are no more numbers for rounds".to_owned(),
            ));
        };
        self.round = round;
        self.awaited = Some(Barrier::Derived);
        self.heard = std::mem::take(&mut self.early);
        Ok(round)
    }

    /// The round under way or last ended (0 before the first), and the barrier that is awaited, none between rounds.
    pub fn round(&self) -> (u32, Option<Barrier>) {
        (self.round, self.awaited)
    }

    /// How many members are awaited at a barrier.
    fn awaited_at(&self, barrier: Barrier) -> u32 {
        match barrier {
            Barrier::Derived | Barrier::Compared => self.agents,
            Barrier::Certified if self.coloring => member::certifiers(self.agents),
            Barrier::Certified => 0,
        }
    }

    fn awaits(&self, agent: AgentId, barrier: Barrier) -> bool {
        barrier != Barrier::Certified || (self.coloring && member::certifier(agent, self.agents) == agent)
    }

    /// Where what is said of a round is kept.
    fn heard_of(&mut self, round: u32) -> Result<&mut Heard, OrchestrationError> {
        if round == self.round && self.awaited.is_some() {
            Ok(&mut self.heard)
        } else if round <= self.round {
            Err(OrchestrationError::Stale(round))
        } else if round - self.round == 1 {
            Ok(&mut self.early)
        } else {
            Err(OrchestrationError::Premature(round))
        }
    }

    /// A member (this agent included) has reached a barrier of a round. Answers whether the barrier that is awaited is now
    /// [`ready`](Network::ready). Arrivals for later barriers of this round, or for the next round, are kept until it is their turn.
    ///
    /// Fails with [`Stale`](OrchestrationError::Stale) for a repetition, and with [`Misplaced`](OrchestrationError::Misplaced) for a member
    /// that nobody awaits at this barrier: one that certifies nobody, at [`Barrier::Certified`]. O(log agents).
    pub fn arrive(&mut self, agent: AgentId, round: u32, barrier: Barrier) -> Result<bool, OrchestrationError> {
        self.known(agent)?;
        let awaits = self.awaits(agent, barrier);
        let heard = self.heard_of(round)?;
        if !awaits {
            let text = format!("nobody awaits certificates of agent {}", agent.0);
            return Err(OrchestrationError::Misplaced(text));
        }
        if !heard.arrive(agent, barrier) {
            return Err(OrchestrationError::Stale(round));
        }
        Ok(self.ready())
    }

    /// Whether every member that is awaited has arrived at the barrier now awaited; at [`Barrier::Compared`], whether all have voted, too.
    /// [`advance`](Network::advance) then passes it. False between rounds. O(1).
    pub fn ready(&self) -> bool {
        self.awaited.is_some_and(|barrier| {
            self.heard.arrived(barrier) == self.awaited_at(barrier) as usize
                && (barrier != Barrier::Compared || self.heard.voted() == self.agents as usize)
        })
    }

    /// Passes the barrier now awaited. Answers the next barrier, none at the end of the round. Fails with
    /// [`Misplaced`](OrchestrationError::Misplaced) between rounds, and if somebody is still missing.
    pub fn advance(&mut self) -> Result<Option<Barrier>, OrchestrationError> {
        let Some(barrier) = self.awaited else {
            return Err(OrchestrationError::Misplaced("no round is under way".to_owned()));
        };
        if !self.ready() {
            let text = format!(
                "round {} waits: {} of {} members have arrived at the barrier, {} have voted",
                self.round,
                self.heard.arrived(barrier),
                self.awaited_at(barrier),
                self.heard.voted()
            );
            return Err(OrchestrationError::Misplaced(text));
        }
        self.awaited = match barrier {
            Barrier::Derived if self.coloring => Some(Barrier::Certified),
            Barrier::Derived | Barrier::Certified => Some(Barrier::Compared),
            Barrier::Compared => {
                self.verdict = Some(std::mem::take(&mut self.heard).verdict(self.round));
                None
            }
        };
        Ok(self.awaited)
    }

    /// A member's vote of a round, which may come before its turn as arrivals may. Its first vote counts; another one is
    /// [`Stale`](OrchestrationError::Stale). O(log agents).
    pub fn cast(&mut self, agent: AgentId, round: u32, vote: Vote) -> Result<(), OrchestrationError> {
        self.known(agent)?;
        if self.heard_of(round)?.cast(agent, vote) {
            Ok(())
        } else {
            Err(OrchestrationError::Stale(round))
        }
    }

    /// The verdict of the last round that ended. None before.
    pub fn verdict(&self) -> Option<Verdict> {
        self.verdict
    }

    /// The topic of a message of this kind from `sender` to `receiver` (none: everybody): `agent.{sender}.state`, `agent.{receiver}.sync`,
    /// `agent.{sender}.heartbeat` or `broadcast.heartbeat`, `agent.{sender}.ack`.
    ///
    /// Fails with [`Topic`](OrchestrationError::Topic) for a `sync` to everybody.
    pub fn topic(
        &self,
        kind: MessageKind,
        sender: AgentId,
        receiver: Option<AgentId>,
    ) -> Result<String, OrchestrationError> {
        let receiver = receiver.map(|receiver| self.known(receiver)).transpose();
        topic::topic(kind, self.known(sender)?, receiver?)
    }

    /// What a topic says: the kind, and the agent that it names (none for `broadcast.heartbeat`).
    ///
    /// Fails with [`Stranger`](OrchestrationError::Stranger) if it names somebody who is no member.
    pub fn parse_topic(&self, topic: &str) -> Result<(MessageKind, Option<AgentId>), OrchestrationError> {
        let (kind, named) = topic::parse(topic).ok_or_else(|| OrchestrationError::Topic(topic.to_owned()))?;
        let named = named.map(|agent| self.known(agent)).transpose()?;
        Ok((kind, named))
    }
}

#[cfg(test)]
mod tests;
