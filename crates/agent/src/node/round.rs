//! Rounds.
//!
//! Every member searches its share of one and the same state, then all exchange what they found, then GREEN certifies, then digests are compared. Three
//! barriers keep the phases apart (see [`Barrier`]), and no fact takes effect before its barrier is passed. So the state after a round is a function of the
//! state before it, whatever the order in which messages arrive and however often.
//!
//! | barrier | what everybody waits for | what happens when it is passed |
//! |---|---|---|
//! | derived | a `state` message of every member: the facts that its share brought | they are settled; GREEN certifies |
//! | certified | a `state` message of every GREEN member: its certificate | they are settled |
//! | compared | a `heartbeat` of every member: its digest and what it says of its share | the round is over: see [`Node::verdict`] |

use eqmesh_egraph::color::Color;
use eqmesh_orchestrator::Barrier;
use eqmesh_replica::{Budget, Fault, Share};
use eqmesh_streams::Task;
use eqmesh_timeline::{EventKind, Phase};

use super::{Config, Node, RoundTask, misfit, part, phase};
use crate::blocks::Blocks;
use crate::body::{Ballot, Body, More, Stage};
use crate::message::Message;
use crate::ports::{Graph, Network, Parts};

impl<P: Parts> Node<P> {
    /// Begins a round: searches this agent's share, and answers the messages with what it derived.
    pub fn start_round(&mut self, task: &RoundTask, now: u64) -> Result<Vec<Message>, Fault> {
        if self.network.round().1.is_some() {
            return Err(Fault::Misplaced("a round is under way".to_owned()));
        }
        self.know_ruleset(&task.ruleset)?;
        let Config { id, agents, .. } = self.config;
        let shares: Vec<(Color, Share)> = self.network.shares(id).map_err(misfit)?;
        let budget = Budget {
            matches: part(task.budget.matches, id.0, agents),
            nodes: part(task.budget.nodes, id.0, agents),
        };
        let task = Task {
            ruleset: task.ruleset.clone(),
            shares,
            budget,
        };
        let report = self
            .parts
            .step(self.graph.awake(), &task)
            .inspect_err(|_| self.graph.discard())?;
        self.ballot = Ballot {
            saturated: report.saturated,
            exhausted: report.exhausted,
            matches: report.matches,
            applied: report.applied,
            blocked: report.blocked,
        };
        let round = self.network.begin_round().map_err(misfit)?;
        let phase = phase(&self.palette);
        self.note(EventKind::Step, None, None, None, 0, now, phase);
        let mut messages = vec![self.reach(round, Stage::Derived, now, phase)?];
        self.progress(now, &mut messages)?;
        Ok(messages)
    }

    fn know_ruleset(&mut self, ruleset: &str) -> Result<(), Fault> {
        if ruleset.is_empty() || self.rulesets.contains(ruleset) {
            return Ok(());
        }
        if self.graph.rules().iter().any(|rule| rule.ruleset == ruleset) {
            self.rulesets.insert(ruleset.to_owned());
            return Ok(());
        }
        Err(Fault::Unknown(format!("no ruleset `{ruleset}` is declared")))
    }

    /// Tells the others what was made for a barrier, and arrives at it.
    fn reach(&mut self, round: u32, stage: Stage, now: u64, phase: Phase) -> Result<Message, Fault> {
        let body = Body::State {
            reached: Some((round, stage)),
            rulesets: Vec::new(),
            // All of a round happens at one place, or wherever bytes cost less than the time that everybody waits for everybody.
            blocks: Blocks::Plain(self.graph.seal().into_iter().collect()),
        };
        let message = self.send(None, &body, now, phase);
        self.network
            .arrive(self.config.id, round, stage.into())
            .map_err(misfit)?;
        Ok(message)
    }

    /// Passes every barrier that everybody has reached.
    pub(super) fn progress(&mut self, now: u64, messages: &mut Vec<Message>) -> Result<(), Fault> {
        let id = self.config.id;
        while self.network.ready() {
            let (round, Some(barrier)) = self.network.round() else {
                break;
            };
            if barrier != Barrier::Compared {
                let early = self.early.remove(&(round, barrier)).unwrap_or_default();
                self.take_kept(early, now);
            }
            match self.network.advance().map_err(misfit)? {
                Some(Barrier::Certified) => {
                    let agents = self.network.certifies(id).map_err(misfit)?;
                    if !agents.is_empty() {
                        if self.parts.certify(self.graph.awake(), &agents) {
                            self.note(EventKind::Certified, None, None, None, 0, now, Phase::Reconcile);
                        }
                        messages.push(self.reach(round, Stage::Certified, now, Phase::Reconcile)?);
                    }
                }
                Some(_) => {
                    let digest = self.graph.state_digest();
                    let ballot = self.ballot;
                    let body = Body::Heartbeat {
                        digest,
                        more: More::Ballot(round, ballot),
                    };
                    messages.push(self.send(None, &body, now, Phase::Reconcile));
                    self.network.cast(id, round, ballot.vote(digest)).map_err(misfit)?;
                    self.network.arrive(id, round, Barrier::Compared).map_err(misfit)?;
                }
                None => self.end_round(now),
            }
        }
        Ok(())
    }

    fn end_round(&mut self, now: u64) {
        if self
            .network
            .verdict()
            .is_some_and(|verdict| verdict.saturated && verdict.agreed)
        {
            self.note(EventKind::Converged, None, None, None, 0, now, Phase::Reconcile);
        }
        self.outside_bytes = 0;
        let outside = std::mem::take(&mut self.outside);
        if !outside.is_empty() {
            self.take_kept(outside, now);
            self.unlearned = true;
        }
    }
}
