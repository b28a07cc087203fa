//! Refusals: who makes facts that do not hold is told so, and what others refuse of this agent's facts is remembered.
//!
//! A fact that is refused holds back all later ones of its maker, so its maker has to know. It is told when the fact is refused, and, as messages get lost, again at ticks that become ever
//! rarer as long as the fact is not accepted. What is told is not believed more than anything else: it is kept for people, and forgotten when its teller turns out to have the
//! fact.

use std::collections::BTreeMap;

use eqmesh_replica::{AgentId, Dot, VersionVector};
use eqmesh_timeline::{EventKind, Phase};

use super::{Dispute, Node};
use crate::body::{Body, MAX_REASON, MAX_REFUSALS};
use crate::message::Message;
use crate::ports::{Network, Parts};

/// How many refusals wait at most to be told, and of how many makers it is remembered what they were told; those of more are not told.
const MAX_UNTOLD: usize = 1 << 10;
const MAX_TOLD: usize = 1 << 14;

/// After how many ticks a refusal is repeated for the first time; each time after twice as many.
const FIRST_PAUSE: u64 = 16;

/// How many refusals are remembered of one agent, and how many in all.
const MAX_BY_ONE: usize = MAX_REFUSALS;
const MAX_DISPUTES: usize = 1 << 8;

/// What a maker was told.
#[derive(Debug)]
struct Told {
    sequence: u64,
    reason: String,
    /// Ticks from one repetition to the next, and those that are left.
    pause: u64,
    left: u64,
}

/// What was refused here and is to be told, and what others refuse.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    untold: BTreeMap<Dot, String>,
    /// By maker, the last of its facts of which it was told. One after the other is refused, each after those before it were accepted.
    told: BTreeMap<AgentId, Told>,
    /// By whom, and what.
    disputes: BTreeMap<(u32, Dot), String>,
}

/// The longest beginning of a text of at most so many bytes.
fn cut(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|&at| text.is_char_boundary(at));
    &text[..end.unwrap_or(0)]
}

impl Refusals {
    /// A fact of somebody else was refused here.
    pub(super) fn refuse(&mut self, fact: Dot, reason: &str) {
        let is_new = match self.told.get(&fact.agent) {
            Some(last) => last.sequence < fact.sequence,
            None => self.told.len() < MAX_TOLD,
        };
        if is_new && self.untold.len() < MAX_UNTOLD {
            let reason = cut(reason, MAX_REASON).to_owned();
            let told = Told {
                sequence: fact.sequence,
                reason: reason.clone(),
                pause: FIRST_PAUSE,
                left: FIRST_PAUSE,
            };
            self.told.insert(fact.agent, told);
            self.untold.insert(fact, reason);
        }
    }

    /// A tick has passed: what is not accepted by now, up to `version`, is to be told again once it is time. O(makers).
    pub(super) fn remind(&mut self, version: &VersionVector) {
        self.told.retain(|&agent, told| version.get(agent) < told.sequence);
        for (&agent, told) in &mut self.told {
            told.left -= 1;
            if told.left == 0 {
                told.pause = told.pause.saturating_mul(2);
                told.left = told.pause;
                if self.untold.len() < MAX_UNTOLD {
                    let sequence = told.sequence;
                    self.untold.insert(Dot { agent, sequence }, told.reason.clone());
                }
            }
        }
    }

    /// Another agent refuses a fact. Answers whether that is new.
    fn dispute(&mut self, by: u32, fact: Dot, reason: String) -> bool {
        let least = Dot {
            agent: AgentId(0),
            sequence: 0,
        };
        let by_one = self
            .disputes
            .range((by, least)..)
            .take_while(|((own, _), _)| *own == by);
        if by_one.count() == MAX_BY_ONE || self.disputes.len() == MAX_DISPUTES {
            return false;
        }
        self.disputes.insert((by, fact), reason).is_none()
    }

    /// What others refuse, by whom.
    pub(super) fn disputes(&self) -> Vec<Dispute> {
        let dispute = |(&(by, fact), reason): (&(u32, Dot), &String)| Dispute {
            fact,
            by,
            reason: reason.clone(),
        };
        self.disputes.iter().map(dispute).collect()
    }
}

impl<P: Parts> Node<P> {
    /// Tells the makers of facts that were refused here, in one message each.
    pub(super) fn tell_refusals(&mut self, now: u64, messages: &mut Vec<Message>) {
        if self.refusals.untold.is_empty() {
            return;
        }
        let mut by_maker: BTreeMap<AgentId, Vec<(Dot, String)>> = BTreeMap::new();
        for (fact, reason) in std::mem::take(&mut self.refusals.untold) {
            let maker = match self.free {
                Some(_) => AgentId(fact.agent.number()),
                None => fact.agent,
            };
            by_maker.entry(maker).or_default().push((fact, reason));
        }
        let members = self.network.members();
        for (maker, refused) in by_maker {
            // Nobody knows how to reach one that is no member.
            let is_member = match self.free {
                Some(_) => members.iter().any(|own| own.id.number() == maker.number()),
                None => maker.0 < self.config.agents,
            };
            if !is_member {
                continue;
            }
            for refused in refused.chunks(MAX_REFUSALS) {
                let refused = refused.to_vec();
                messages.push(self.send(Some(maker), &Body::Ack { refused }, now, Phase::Reconcile));
            }
        }
    }

    /// Takes in an acknowledgement: what its sender refuses of this agent's facts.
    pub(super) fn hear_refusals(&mut self, message: &Message, refused: Vec<(Dot, String)>, now: u64) {
        let (by, me) = (message.sender, self.config.id.number());
        for (fact, reason) in refused {
            if fact.agent.number() == me
                && message.version.get(fact.agent) < fact.sequence
                && self.refusals.dispute(by.number(), fact, reason)
            {
                let phase = Phase::Reconcile;
                self.note(
                    EventKind::Refused,
                    Some(by),
                    Some(message.id),
                    Some(fact),
                    0,
                    now,
                    phase,
                );
            }
        }
    }

    /// Forgets what the sender of a message has accepted after all.
    pub(super) fn settle_disputes(&mut self, message: &Message) {
        let by = message.sender.number();
        let accepted = |fact: &Dot| message.version.get(fact.agent) >= fact.sequence;
        self.refusals
            .disputes
            .retain(|(own, fact), _| *own != by || !accepted(fact));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(agent: u32, sequence: u64) -> Dot {
        Dot {
            agent: AgentId(agent),
            sequence,
        }
    }

    #[test]
    fn each_fact_is_told_of_once_and_reasons_are_cut_between_characters() {
        let mut refusals = Refusals::default();
        refusals.refuse(dot(3, 7), &"é".repeat(200));
        refusals.refuse(dot(3, 7), "again");
        refusals.refuse(dot(3, 6), "earlier");
        assert_eq!(refusals.untold.len(), 1);
        assert_eq!(refusals.untold[&dot(3, 7)], "é".repeat(128));
        refusals.untold.clear();
        refusals.refuse(dot(3, 7), "again");
        assert!(refusals.untold.is_empty());
        refusals.refuse(dot(3, 8), "x");
        assert_eq!(refusals.untold.len(), 1);
        for agent in 0..2 * MAX_UNTOLD as u32 {
            refusals.refuse(dot(agent, 1), "");
        }
        assert_eq!(refusals.untold.len(), MAX_UNTOLD);
    }

    #[test]
    fn a_refusal_is_repeated_ever_more_rarely_until_the_fact_is_accepted() {
        let mut refusals = Refusals::default();
        refusals.refuse(dot(3, 7), "why");
        refusals.untold.clear();
        let before = VersionVector::from_iter([dot(3, 6)]);
        let mut repeated = Vec::new();
        for tick in 1..=300 {
            refusals.remind(&before);
            if std::mem::take(&mut refusals.untold) == BTreeMap::from([(dot(3, 7), "why".to_owned())]) {
                repeated.push(tick);
            }
        }
        assert_eq!(repeated, [16, 48, 112, 240]);
        let after = VersionVector::from_iter([dot(3, 7)]);
        for _ in 0..1000 {
            refusals.remind(&after);
        }
        assert!(refusals.untold.is_empty() && refusals.told.is_empty());
        refusals.refuse(dot(3, 8), "a later one");
        assert_eq!(refusals.untold.len(), 1);
    }

    #[test]
    fn one_who_refuses_everything_leaves_room_for_others() {
        let mut refusals = Refusals::default();
        let mut new = 0;
        for sequence in 1..1000 {
            new += usize::from(refusals.dispute(5, dot(1, sequence), String::new()));
        }
        assert_eq!(new, MAX_BY_ONE);
        assert!(refusals.dispute(6, dot(1, 3), "why".to_owned()));
        assert!(!refusals.dispute(6, dot(1, 3), "why".to_owned()), "it is known");
        for by in 10..1000 {
            refusals.dispute(by, dot(1, 1), String::new());
        }
        assert_eq!(refusals.disputes().len(), MAX_DISPUTES);
    }
}
