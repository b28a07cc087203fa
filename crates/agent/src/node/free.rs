//! Running free: members step and exchange whenever they like, and come to the same state.
//!
//! At every [`Node::tick`] a member says to its neighbours in the topology that it is alive, with the digest of its facts, and hands on the facts that
//! they are not known to have. Whoever finds that a neighbour's digest differs although nothing is under way asks for what it lacks, by its version
//! vector: so lost messages cost time alone. [`Node::step`] derives a bounded part of the member's share.
//!
//! **Convergence.** A member whose whole share adds nothing to the facts that it holds, all of which are certified, *states* so, of one subject: the state
//! digest, the set of active members (by which the work was divided), and the ruleset. The statement is about the subject alone and never becomes
//! false, whatever its maker does next. So statements about the same subject are gathered by union and handed on with the heartbeats, and when those of
//! all active members of the subject are together, no match of any share adds anything to these facts: the network has converged on them. No
//! member is asked by any other, and messages may be lost, late, or repeated.
//!
//! **Durability.** [`Node::unstored`] is stored before the messages are sent that were answered with it. Whatever a message says its sender has is
//! therefore durable there, so every version vector is an acknowledgement.

use std::collections::BTreeMap;

use eqmesh_egraph::color::Color;
use eqmesh_orchestrator::{Claim, Entrance, Life, Member, MemberState};
use eqmesh_replica::{AgentId, Budget, Dot, Fault, Share, StepReport, VersionVector};
use eqmesh_streams::Task;
use eqmesh_timeline::{EventKind, Phase};

use super::exchange::Exchange;
use super::history::History;
use super::{Node, RoundTask, misfit, phase};
use crate::message::Message;
use crate::ports::{Graph, Network, Parts};

/// What a member keeps while the network runs free.
#[derive(Debug)]
pub(super) struct Free {
    /// The subject whose statement was made here.
    pub(super) stated: Option<[u8; 16]>,
    /// The subject on which all have converged, last.
    pub(super) announced: Option<[u8; 16]>,
    pub(super) ruleset: String,
    /// How many steps in a row were cut short by their budget.
    pub(super) doublings: u32,
    pub(super) exchange: Exchange,
    pub(super) history: History,
}

/// A claim, for people.
fn tell(claim: Claim) -> String {
    format!("incarnation {}, session {:#x}", claim.incarnation, claim.session)
}

impl<P: Parts> Node<P> {
    /// Lets this agent run free, as the run of its number that `entrance` says; [`Config::id`](super::Config) says number and incarnation. The network was
    /// founded with the numbers below [`Config::agents`](super::Config). Facts that it stored in an earlier run come before: see [`Node::restore`].
    ///
    /// Answers the messages that tell the others. Fails with [`Fault::Misplaced`] within a round, when called again, and where facts of this very incarnation were restored: it cannot know
    /// whether it has made more of them than these, and has to be [resumed](Node::resume), or to join as another incarnation.
    pub fn join(&mut self, entrance: Entrance, now: u64) -> Result<Vec<Message>, Fault> {
        if self.restored {
            let text = "this incarnation has made facts before: resume it, or join as another one";
            return Err(Fault::Misplaced(text.to_owned()));
        }
        self.network.enter(entrance).map_err(misfit)?;
        self.free = Some(Box::new(Free {
            stated: None,
            announced: None,
            ruleset: String::new(),
            doublings: 0,
            exchange: Exchange::new(entrance.topology),
            history: History::default(),
        }));
        self.tick(now)
    }

    /// Says that this agent leaves, and hands on what others may lack. It goes on answering, and has no share any more; the host may end it
    /// when [`Node::is_spare`] says so.
    pub fn leave(&mut self, now: u64) -> Result<Vec<Message>, Fault> {
        self.serving()?;
        self.network.live(Life::Left);
        self.tick(now)
    }

    /// Whether everything that this agent has is known to be stored by another one that takes part.
    pub fn is_spare(&mut self) -> bool {
        let version = self.version();
        let me = self.config.id.number();
        let active: Vec<u32> = self.active().into_iter().filter(|&number| number != me).collect();
        let Some(free) = &self.free else { return false };
        active
            .iter()
            .filter_map(|&number| free.exchange.has(number))
            .any(|has| has.covers(&version))
    }

    /// Fails unless the network runs free and this agent is the run of its number that takes part.
    pub(super) fn serving(&self) -> Result<(), Fault> {
        self.not_superseded()?;
        match self.free {
            Some(_) => Ok(()),
            None => Err(Fault::Misplaced(
                "this agent has not joined a network that runs free".to_owned(),
            )),
        }
    }

    /// Fails once another run of this agent's number has taken its place.
    pub(super) fn not_superseded(&self) -> Result<(), Fault> {
        let (Some(own), Some(other)) = (self.network.claim(), self.network.superseded()) else {
            return Ok(());
        };
        Err(Fault::Misplaced(format!(
            "agent {} was started twice: {} has taken the place of this one, {}, which does nothing any more",
            self.config.id.number(),
            tell(other),
            tell(own)
        )))
    }

    /// The numbers of the active members, ascending.
    pub(super) fn active(&self) -> Vec<u32> {
        let members = self.network.members().into_iter();
        let active = members.filter(|own| matches!(own.state, MemberState::Active | MemberState::Suspected));
        active.map(|own| own.id.number()).collect()
    }

    /// The members as this agent sees them, ascending; those who left, too.
    pub fn members(&self) -> Vec<Member> {
        self.network.members()
    }

    /// What this agent claims: none unless it runs free.
    pub fn claim(&self) -> Option<Claim> {
        self.network.claim()
    }

    /// The claim of another run of this agent's number that was started later, if one was heard of: this one does nothing any more.
    pub fn superseded(&self) -> Option<Claim> {
        self.network.superseded()
    }

    /// Numbers that were started twice, as far as was heard: with the claims of both runs, the one that counts last.
    pub fn doubles(&self) -> Vec<(u32, Claim, Claim)> {
        self.network.doubles()
    }

    /// Names what statements are about: the facts, the active members, and the ruleset.
    fn subject(&mut self) -> [u8; 16] {
        let digest = self.state_digest();
        let ruleset = self.free.as_ref().map_or("", |free| &free.ruleset);
        let mut hasher = blake3::Hasher::new();
        hasher.update(&digest);
        hasher.update(&self.network.view());
        hasher.update(ruleset.as_bytes());
        let mut subject = [0; 16];
        subject.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        subject
    }

    /// Turns to the present subject.
    pub(super) fn turn(&mut self) -> [u8; 16] {
        let subject = self.subject();
        self.network.turn_to(subject);
        subject
    }

    /// Whether every active member is known to have stated that its share adds nothing to the very facts that are held here, and that all
    /// of them are certified. True of an agent without facts, too, once all have said that they have none.
    pub fn converged(&mut self) -> bool {
        if self.serving().is_err() {
            return false;
        }
        self.turn();
        self.network.agreed()
    }

    /// What every active member is known to have stored: nobody will ever ask for these facts again.
    pub fn stable(&mut self) -> VersionVector {
        if self.converged() {
            return (*self.version()).clone();
        }
        if self.free.is_none() {
            return VersionVector::default();
        }
        let me = self.config.id.number();
        let mut others = self.active();
        others.retain(|&number| number != me);
        self.stored_by(&others)
    }

    /// Derives a part of this agent's share: at most what the budget says, which is for this agent alone, and twice as much after each step in a row that
    /// it has cut short. A GREEN one certifies what falls to it. Answers
    /// the messages that tell the others. Does nothing if nothing has changed since the share was last found to add nothing, and unless this agent
    /// is active. All members run the same ruleset.
    pub fn step(&mut self, task: &RoundTask, now: u64) -> Result<Vec<Message>, Fault> {
        self.serving()?;
        let free = self.free.as_mut().expect("it serves");
        if free.ruleset != task.ruleset {
            free.ruleset.clone_from(&task.ruleset);
            free.stated = None;
        }
        let subject = self.turn();
        let free = self.free.as_ref().expect("it serves");
        if self.is_outdated() || self.network.claim().is_none_or(|own| own.life != Life::Active) {
            return Ok(Vec::new());
        }
        if free.stated == Some(subject) {
            // The network may have turned to something else and back in between.
            self.network.vouch();
            return Ok(Vec::new());
        }
        let certified = self.certify(now);
        let report = self.derive(task).inspect_err(|_| self.graph.discard())?;
        let phase = phase(&self.palette);
        let me = self.config.id;
        let before = self.version().get(me);
        let sealed = self.graph.seal().is_some();
        if sealed {
            self.settle(now, phase);
        }
        // The last fact of the step stands for all of them, which are one block.
        let made = Dot {
            agent: me,
            sequence: self.version().get(me),
        };
        let made = Some(made).filter(|made| made.sequence > before);
        self.note(EventKind::Step, None, None, made, 0, now, phase);
        let free = self.free.as_mut().expect("it serves");
        free.doublings = if report.exhausted {
            (free.doublings + 1).min(u64::BITS)
        } else {
            0
        };
        if sealed {
            self.turn();
            return Ok(self.gossip(now));
        }
        if report.saturated && certified {
            free.stated = Some(subject);
            self.network.vouch();
            self.announce(subject, now);
        }
        Ok(Vec::new())
    }

    /// Notes that all have converged, once for each subject.
    pub(super) fn announce(&mut self, subject: [u8; 16], now: u64) {
        let free = self.free.as_mut().expect("it serves");
        if free.announced != Some(subject) && self.network.agreed() {
            free.announced = Some(subject);
            self.note(EventKind::Converged, None, None, None, 0, now, Phase::Reconcile);
        }
    }

    /// Makes a certificate of what falls to this agent. Answers whether everything is certified already.
    fn certify(&mut self, now: u64) -> bool {
        if !self.config.coloring {
            return true;
        }
        let uncertified = self.graph.uncertified();
        let me = self.config.id.number();
        let mut certifiers: BTreeMap<u32, bool> = BTreeMap::new();
        let own: Vec<AgentId> = uncertified
            .iter()
            .copied()
            .filter(|origin| {
                let number = origin.number();
                *certifiers
                    .entry(number)
                    .or_insert_with(|| self.network.certifier(number) == Some(me))
            })
            .collect();
        // An agent whose stream is of another color certifies only where no GREEN one is active; the check of its facts was the same.
        if !own.is_empty() && (self.parts.certify(self.graph.awake(), &own) || self.graph.certify(&own)) {
            self.note(EventKind::Certified, None, None, None, 0, now, Phase::Reconcile);
        }
        uncertified.is_empty()
    }

    /// Searches this agent's shares: those of its own colors by its stream, and those that it takes for members that are not there on the graph
    /// itself, as a stream does no more than to choose the rules of its color.
    ///
    /// After a step that its budget has cut short, rules are searched one by one, each with an equal part of a budget that doubles until a search is
    /// complete. So every match is looked at in the end: none waits for ever behind those of a rule that always finds more.
    fn derive(&mut self, task: &RoundTask) -> Result<StepReport, Fault> {
        let doublings = self.free.as_ref().expect("it serves").doublings;
        let grown = |amount: u64| match amount.checked_shl(doublings) {
            Some(grown) if grown >> doublings == amount => grown,
            _ => u64::MAX,
        };
        let mut total = StepReport {
            saturated: true,
            ..StepReport::default()
        };
        let shares = self.network.shares(self.config.id).map_err(misfit)?;
        let by_stream = |color: &Color| doublings == 0 && self.palette.contains(color);
        let (own, others): (Vec<_>, Vec<_>) = shares.into_iter().partition(|(color, _)| by_stream(color));
        if !own.is_empty() {
            let task = Task {
                ruleset: task.ruleset.clone(),
                shares: own,
                budget: task.budget,
            };
            total = self.parts.step(self.graph.awake(), &task)?;
        }
        if others.is_empty() {
            return Ok(total);
        }
        let share_of = |color: Color| others.iter().find(|(own, _)| *own == color).map(|&(_, share)| share);
        let rules = self
            .graph
            .rules()
            .into_iter()
            .filter(|rule| rule.ruleset == task.ruleset);
        let rules: Vec<(Dot, Share)> = rules
            .filter_map(|rule| Some((rule.fact, share_of(rule.color)?)))
            .collect();
        for (at, &(rule, share)) in rules.iter().enumerate() {
            let waiting = (rules.len() - at) as u64;
            let part = |whole: u64, spent: u64| whole.saturating_sub(spent).div_ceil(waiting);
            let budget = Budget {
                matches: part(grown(task.budget.matches), total.matches),
                nodes: part(grown(task.budget.nodes), total.nodes),
            };
            let report = self.graph.derive(&[rule], share, budget)?;
            total.matches = total.matches.saturating_add(report.matches);
            total.applied += report.applied;
            total.blocked += report.blocked;
            total.nodes = total.nodes.saturating_add(report.nodes);
            total.saturated &= report.saturated;
            total.exhausted |= report.exhausted;
        }
        Ok(total)
    }

    /// To be called at every interval: looks who is still there, and answers the messages that say that this agent is, with what the neighbours may lack.
    pub fn tick(&mut self, now: u64) -> Result<Vec<Message>, Fault> {
        self.serving()?;
        self.network.review(now);
        self.grow_up();
        self.begin_anew(now)?;
        // What it says would tell of facts that do not count.
        if self.is_outdated() {
            return Ok(Vec::new());
        }
        self.turn();
        let mut messages = self.gossip(now);
        self.shorten(now, &mut messages)?;
        self.pulse(now, &mut messages);
        self.acknowledge(now, &mut messages);
        let version = self.version();
        self.refusals.remind(&version);
        self.tell_refusals(now, &mut messages);
        self.free.as_mut().expect("it serves").exchange.end_tick();
        Ok(messages)
    }

    /// Who is joining takes part as soon as it has had what somebody had who takes part. Where nobody takes part, the first of those who are
    /// joining begins.
    fn grow_up(&mut self) {
        let me = self.config.id.number();
        let free = self.free.as_ref().expect("it serves");
        if self.network.claim().is_none_or(|own| own.life != Life::Joining) {
            return;
        }
        let members = self.network.members().into_iter().map(|own| own.id.number());
        let lives = |number| self.network.claim_of(number).map(|own| own.life);
        let others: Vec<(u32, Option<Life>)> = members
            .filter(|&number| number != me)
            .map(|number| (number, lives(number)))
            .collect();
        let nobody = others.iter().all(|(_, life)| *life != Some(Life::Active));
        let first = others
            .iter()
            .all(|&(number, life)| life != Some(Life::Joining) || me < number);
        if free.exchange.has_caught_up() || nobody && first {
            self.network.live(Life::Active);
        }
    }
}
