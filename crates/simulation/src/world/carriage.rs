//! How messages travel, and get lost.

use std::collections::BTreeMap;
use std::rc::Rc;

use eqmesh_agent::Message;
use rand::RngExt as _;

use super::{Event, World};
use crate::fault::Delay;

/// In larger networks not every message is written and read again.
const MANY: u32 = 256;

/// A time at which messages between groups are lost.
pub(super) struct Tear {
    pub(super) from: u64,
    pub(super) until: u64,
    /// The group of each agent that is in one.
    pub(super) groups: BTreeMap<u32, usize>,
}

impl World<'_> {
    pub(super) fn send(&mut self, at: usize, message: Message) {
        let from = self.hosts[at].number;
        let mut bytes = message.body.len() as u64;
        if self.scenario.agents <= MANY || self.planned.is_multiple_of(64) {
            let written = message.encode();
            bytes = written.len() as u64;
            if Message::decode(&written).as_ref() != Ok(&message) {
                self.fail(format!("a message of agent {from} is read as another"));
            }
        }
        let message = Rc::new(message);
        let founders = self.scenario.agents;
        match message.receiver {
            Some(receiver) => {
                let number = receiver.number();
                if number < founders {
                    self.carry(at, number as usize, &message, bytes);
                }
                for other in founders as usize..self.hosts.len() {
                    if self.hosts[other].number == number {
                        self.carry(at, other, &message, bytes);
                    }
                }
            }
            None => {
                for other in 0..self.hosts.len() {
                    self.carry(at, other, &message, bytes);
                }
            }
        }
    }

    /// Carries a message to one host, or loses it.
    fn carry(&mut self, from: usize, to: usize, message: &Rc<Message>, bytes: u64) {
        if from == to {
            return;
        }
        self.report.messages += 1;
        self.report.bytes += bytes;
        let (sender, receiver) = (self.hosts[from].number, self.hosts[to].number);
        let now = self.now;
        let torn = self.tears.iter().any(|tear| {
            (tear.from..tear.until).contains(&now) && tear.groups.get(&sender) != tear.groups.get(&receiver)
        });
        if torn || self.scenario.loss > 0.0 && self.random.random_bool(self.scenario.loss) {
            self.report.lost += 1;
            return;
        }
        let delay = match &self.scenario.regions {
            Some(regions) => regions.delay(sender, receiver, self.scenario.agents),
            None => self.scenario.delay,
        };
        let mut arrival = now + self.draw(delay);
        if self.scenario.reorder > 0.0 && self.random.random_bool(self.scenario.reorder) {
            arrival += self.some_ticks(2);
        } else {
            let last = self.links.entry((from as u32, to as u32)).or_default();
            arrival = arrival.max(*last);
            *last = arrival;
        }
        let host = to as u32;
        let copy = |message: &Rc<Message>| Event::Deliver {
            host,
            message: message.clone(),
        };
        self.plan(arrival, copy(message));
        if self.scenario.duplicate > 0.0 && self.random.random_bool(self.scenario.duplicate) {
            self.report.repeated += 1;
            let later = arrival + self.some_ticks(3);
            self.plan(later, copy(message));
        }
    }

    fn draw(&mut self, delay: Delay) -> u64 {
        match delay {
            Delay::Even(from, to) => self.random.random_range(from.0..=to.0),
            Delay::Exponential(mean) => {
                let uniform: f64 = self.random.random();
                let drawn = -(1.0 - uniform).ln() * mean.0 as f64;
                (drawn as u64).min(mean.0.saturating_mul(10))
            }
        }
    }
}
