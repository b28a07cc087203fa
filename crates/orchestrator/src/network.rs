//! The network as one agent sees it.

mod kept;

use eqmesh_egraph::color::Color;
use eqmesh_replica::{AgentId, Share};

use crate::free::Free;
use crate::round::Heard;
use crate::{
    Barrier, Claim, Entrance, Greeting, Life, Member, MemberState, MessageKind, NumberSet, OrchestrationError,
    RosterEntry, Topology, Verdict, Vote, member, topic,
};

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
    /// Since the network runs free.
    free: Option<Box<Free>>,
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
            free: None,
        }
    }

    /// The agent whose view this is.
    pub fn me(&self) -> AgentId {
        self.me
    }

    /// All members, ascending; where the network runs free, also those who have left.
    pub fn members(&self) -> Vec<Member> {
        if let Some(free) = &self.free {
            return free.members();
        }
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

    /// Whom messages and topics may name: where the network runs free, whoever could join, in any incarnation.
    fn addressable(&self, agent: AgentId) -> Result<AgentId, OrchestrationError> {
        match &self.free {
            Some(_) => AgentId::new(agent.number(), 0).ok_or(OrchestrationError::Stranger(agent)),
            None => self.known(agent),
        }
    }

    /// The share of an agent for each color. With three agents or more, its own color only, split over the members of that color; with
    /// fewer, all three colors, split over all.
    ///
    /// Where the network runs free, only active members count, and others have no share. The share of a color that no active member has is taken by all
    /// active members: a match is found by its rule's color and share alone, so whoever takes it makes the same fact.
    pub fn shares(&self, agent: AgentId) -> Result<Vec<(Color, Share)>, OrchestrationError> {
        if let Some(free) = &self.free {
            return Ok(free.shares(agent.number()));
        }
        Ok(member::shares(self.known(agent)?, self.agents))
    }

    /// The agents whose facts this agent certifies, ascending. Every agent is certified by exactly one; the numbers that two certify differ by
    /// one at most. With three agents or more, those who certify are the GREEN ones, each itself among others; with fewer,
    /// each certifies itself. The answer does not depend on whether certificates are awaited.
    ///
    /// Where the network runs free, those of all numbers ever held: see [`certifier`](Network::certifier).
    pub fn certifies(&self, agent: AgentId) -> Result<Vec<AgentId>, OrchestrationError> {
        if let Some(free) = &self.free {
            let numbers = free.roster().numbers().map(|(number, _)| number);
            let own = numbers.filter(|&number| free.certifier(number) == Some(agent.number()));
            return Ok(own.map(AgentId).collect());
        }
        Ok(member::certifies(self.known(agent)?, self.agents))
    }

    /// The neighbours of an agent, ascending. Where the network runs free, by number, among those who are active or joining.
    pub fn neighbours(&self, agent: AgentId) -> Result<Vec<AgentId>, OrchestrationError> {
        if let Some(free) = &self.free {
            let neighbours = match agent.number() {
                own if own == self.me.number() => free.neighbours().to_vec(),
                other => free.neighbours_of(other),
            };
            return Ok(neighbours.into_iter().map(AgentId).collect());
        }
        Ok(self.topology.neighbours(self.known(agent)?, self.agents))
    }

    /// The greatest distance between two agents.
    pub fn diameter(&self) -> u32 {
        if let Some(free) = &self.free {
            return free.diameter();
        }
        self.topology.diameter(self.agents)
    }

    fn between_rounds(&self) -> Result<(), OrchestrationError> {
        match self.awaited {
            Some(_) => {
                let text = format!("round {} is still under way", self.round);
                Err(OrchestrationError::Misplaced(text))
            }
            None => Ok(()),
        }
    }

    /// Begins the next round and answers its number, from 1. Fails with [`Misplaced`](OrchestrationError::Misplaced) while one is under way.
    pub fn begin_round(&mut self) -> Result<u32, OrchestrationError> {
        self.between_rounds()?;
        if self.free.is_some() {
            return Err(OrchestrationError::Misplaced(
                "a network that runs free has no rounds".to_owned(),
            ));
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
        let receiver = receiver.map(|receiver| self.addressable(receiver)).transpose();
        topic::topic(kind, self.addressable(sender)?, receiver?)
    }

    /// What a topic says: the kind, and the agent that it names (none for `broadcast.heartbeat`).
    ///
    /// Fails with [`Stranger`](OrchestrationError::Stranger) if it names somebody who is no member.
    pub fn parse_topic(&self, topic: &str) -> Result<(MessageKind, Option<AgentId>), OrchestrationError> {
        let (kind, named) = topic::parse(topic).ok_or_else(|| OrchestrationError::Topic(topic.to_owned()))?;
        let named = named.map(|agent| self.addressable(agent)).transpose()?;
        Ok((kind, named))
    }
}

/// Running free. Before [`enter`](Network::enter) these answer as for a network without members, and change nothing.
impl Network {
    /// Lets the network run free from now on, with this agent as the run of its number that `entrance` says. All founders count as active until
    /// something else is heard. Fails with [`Misplaced`](OrchestrationError::Misplaced) within a round and when called again.
    pub fn enter(&mut self, entrance: Entrance) -> Result<(), OrchestrationError> {
        self.between_rounds()?;
        if self.free.is_some() {
            return Err(OrchestrationError::Misplaced(
                "this agent has entered the network already".to_owned(),
            ));
        }
        if self.me.number() > AgentId::MAX_NUMBER {
            return Err(OrchestrationError::Stranger(self.me));
        }
        self.free = Some(Box::new(Free::new(self.me, self.agents, entrance)));
        Ok(())
    }

    /// What this agent claims. None unless the network runs free.
    pub fn claim(&self) -> Option<Claim> {
        self.free.as_ref().map(|free| free.own())
    }

    /// What the roster says of a number. None for one that nobody ever held.
    pub fn claim_of(&self, number: u32) -> Option<Claim> {
        self.free.as_ref().and_then(|free| free.roster().get(number))
    }

    /// The claim of another run of this agent's number that was started later, if there is one: then this one must stop.
    pub fn superseded(&self) -> Option<Claim> {
        self.free.as_ref().and_then(|free| free.superseded())
    }

    /// Numbers of which a run was heard that another one has superseded, with both claims, the current one last: they were started twice, unless the
    /// message was late. At most 64.
    pub fn doubles(&self) -> Vec<(u32, Claim, Claim)> {
        self.free.as_ref().map_or_else(Vec::new, |free| free.doubles())
    }

    /// This agent goes on to another stage of its life. There is no way back.
    pub fn live(&mut self, life: Life) {
        if let Some(free) = &mut self.free {
            free.live(life);
        }
    }

    /// Joins claims that were heard; answers whether any was news. A claim that this agent was lost is answered with a greater one. O(members) if there is
    /// news.
    pub fn learn(&mut self, entries: &[RosterEntry]) -> bool {
        self.free.as_mut().is_some_and(|free| free.learn(entries))
    }

    /// Joins the claim that came with a message of this number, and says what it amounts to.
    pub fn greet(&mut self, number: u32, claim: Claim) -> Greeting {
        self.free
            .as_mut()
            .map_or(Greeting::Current, |free| free.greet(number, claim))
    }

    /// At most `limit` claims that came after a revision of the roster (0: all), and the revision up to which these are all.
    pub fn claims_since(&self, revision: u64, limit: u32) -> (Vec<RosterEntry>, u64) {
        self.free.as_ref().map_or_else(
            || (Vec::new(), revision),
            |free| free.roster().since(revision, limit as usize),
        )
    }

    /// Covers the roster: equal digests = nothing to tell. O(1).
    pub fn roster_digest(&self) -> [u8; 16] {
        self.free.as_ref().map_or([0; 16], |free| free.roster_name())
    }

    /// Covers the set of active members: agents with equal views divide the work alike. O(1).
    pub fn view(&self) -> [u8; 16] {
        self.free.as_ref().map_or([0; 16], |free| free.view())
    }

    /// The active member that certifies what any incarnation of this number has made. None if nobody is active.
    pub fn certifier(&self, number: u32) -> Option<u32> {
        self.free.as_ref().and_then(|free| free.certifier(number))
    }

    /// This number was heard. Counts for neighbours only. O(log n).
    pub fn hear(&mut self, number: u32, now: u64) {
        if let Some(free) = &mut self.free {
            free.hear(number, now);
        }
    }

    /// How likely it is that a neighbour is lost: see [`SUSPECTED`](crate::SUSPECTED) and [`LOST`](crate::LOST). 0 for others.
    pub fn suspicion(&self, number: u32, now: u64) -> f64 {
        self.free.as_ref().map_or(0.0, |free| free.phi(number, now))
    }

    /// Looks at when the neighbours were heard, and says of those that seem lost that they have left. Answers these. To be called at every interval.
    pub fn review(&mut self, now: u64) -> Vec<u32> {
        self.free.as_mut().map_or_else(Vec::new, |free| free.review(now))
    }

    /// One of the numbers that have left, each in turn: to be told how things are, in case it is there after all.
    pub fn next_absent(&mut self) -> Option<u32> {
        self.free.as_mut().and_then(|free| free.next_absent())
    }

    /// What the members' statements are about from now on, such as a digest of the state and of the [`view`](Network::view). Who has made a statement about
    /// something else is forgotten.
    pub fn turn_to(&mut self, subject: [u8; 16]) {
        if let Some(free) = &mut self.free {
            free.turn_to(subject);
        }
    }

    /// This agent makes the statement.
    pub fn vouch(&mut self) {
        if let Some(free) = &mut self.free {
            free.vouch();
        }
    }

    /// Others have made a statement about this subject. Ignored if it is not the one turned to.
    pub fn count(&mut self, subject: [u8; 16], vouchers: &NumberSet) {
        if let Some(free) = &mut self.free {
            free.count(subject, vouchers);
        }
    }

    /// The subject turned to, and who is known to have made the statement.
    pub fn statement(&self) -> ([u8; 16], NumberSet) {
        self.free.as_ref().map_or_else(
            || ([0; 16], NumberSet::default()),
            |free| {
                let (subject, vouchers) = free.statement();
                (subject, vouchers.clone())
            },
        )
    }

    /// Whether every active member is known to have made the statement.
    pub fn agreed(&self) -> bool {
        self.free.as_ref().is_some_and(|free| free.agreed())
    }
}

#[cfg(test)]
mod tests;
