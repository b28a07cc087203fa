//! Faults of a run: what is planned, and how agents come back.

use std::sync::Arc;

use rand::RngExt as _;

use super::carriage::Tear;
use super::{Event, World};
use crate::fault::{Crash, Partition, Recovery};
use crate::mutant::Mutant;

/// Random faults begin within so many ticks,
const FAULTY_TICKS: u64 = 30;

/// and last at most so many.
const LONGEST_FAULT: u64 = 15;

impl World<'_> {
    pub(super) fn plan_faults(&mut self) {
        let tick = self.scenario.tick.0;
        for partition in &self.scenario.partitions {
            let tear = match partition {
                Partition::Scheduled { from, until, groups } => Tear {
                    from: from.0,
                    until: until.0,
                    groups: groups
                        .iter()
                        .enumerate()
                        .flat_map(|(at, group)| group.iter().map(move |&number| (number, at)))
                        .collect(),
                },
                Partition::Random => {
                    let from = self.some_ticks(FAULTY_TICKS);
                    let until = from + tick + self.some_ticks(LONGEST_FAULT);
                    let agents = self.scenario.agents;
                    let groups = (0..agents)
                        .map(|number| (number, self.random.random_range(0..2)))
                        .collect();
                    Tear { from, until, groups }
                }
            };
            self.calm = self.calm.max(tear.until);
            self.tears.push(tear);
        }
        for crash in &self.scenario.crashes {
            match *crash {
                Crash::Scheduled {
                    agent,
                    from,
                    until,
                    recovery,
                } => self.plan_crash(agent, from.0, until.map(|until| until.0), recovery),
                Crash::Random { rate, recovery } => {
                    for agent in 0..self.scenario.agents {
                        let mut from = 0;
                        loop {
                            // The times between crashes at a constant rate.
                            let uniform: f64 = self.random.random();
                            let wait = -(1.0 - uniform).ln() / rate.max(f64::MIN_POSITIVE) * 1e6;
                            if wait > (tick * FAULTY_TICKS - from) as f64 {
                                break;
                            }
                            from += wait as u64;
                            let until = from + 1 + self.some_ticks(LONGEST_FAULT);
                            let any = Recovery::ALL[self.random.random_range(0..3)];
                            self.plan_crash(agent, from, Some(until), recovery.unwrap_or(any));
                            from = until;
                            if from >= tick * FAULTY_TICKS {
                                break;
                            }
                        }
                    }
                }
            }
        }
    }

    fn plan_crash(&mut self, agent: u32, from: u64, until: Option<u64>, recovery: Recovery) {
        self.calm = self.calm.max(until.unwrap_or(from));
        let host = agent;
        self.plan(from, Event::Crash { host, until, recovery });
    }

    pub(super) fn recover(&mut self, at: usize, recovery: Recovery) {
        if self.hosts[at].superseded {
            return;
        }
        self.stop(at);
        // What the user was told is kept must be somewhere: the last disk that has it is not lost.
        let user = &self.user;
        let elsewhere = self
            .hosts
            .iter()
            .enumerate()
            .any(|(other, host)| other != at && host.said.covers(user));
        let recovery = if elsewhere { recovery } else { Recovery::Durable };
        let kept = self.hosts[at].disk.len();
        let keep = match recovery {
            Recovery::Durable => kept,
            Recovery::Old => self.random.random_range(0..=kept),
            Recovery::Nothing => 0,
        };
        let host = &mut self.hosts[at];
        host.disk.truncate(keep);
        if recovery != Recovery::Durable {
            self.report.amnesia += 1;
            host.said = Arc::default();
        }
        if recovery == Recovery::Durable || self.scenario.mutant != Some(Mutant::DotsReused) {
            host.incarnation += 1;
        }
        self.start(at, true);
    }
}
