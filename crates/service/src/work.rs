//! What changes facts: working off the inbox, deriving, and taking in texts.

use eqmesh_agent::{Message, RoundTask};
use eqmesh_orchestrator::Life;
use eqmesh_replica::{AgentId, Budget};

use crate::blob::{Blob, Lasts};
use crate::index::Index;
use crate::member::Member;
use crate::service::{Came, Facts, Held, Opened, Service, ServiceError};
use crate::state::AgentState;
use crate::store::{Host, Store};

/// The most bytes of messages that are taken in at once.
const MAX_TAKEN: u64 = 8 << 20;

/// The last blobs of the log are written anew, as one, when it has become so many.
const MAX_SEGMENTS: usize = 24;

/// How many blobs of a log stay as they are when more facts come: all until they are too many, then those that are more than twice as large as all behind them, and never the last one. So each fact is
/// written anew a few times only, however many there are: O(log facts), as in a log-structured merge-tree (O'Neil et al. 1996).
fn unmerged(log: &[Blob]) -> usize {
    if log.len() < MAX_SEGMENTS {
        return log.len();
    }
    let mut bytes = 0;
    let merges = |blob: &&Blob| {
        let merges = bytes == 0 || blob.bytes <= 2 * bytes;
        bytes += blob.bytes;
        merges
    };
    log.len() - log.iter().rev().take_while(merges).count()
}

/// The most messages, and bytes, in the outbox. Beyond, the oldest are dropped, which costs time alone: whoever lacks facts asks for them.
const MAX_OUTBOX: u64 = 1 << 10;
const MAX_OUTBOX_BYTES: u64 = 32 << 20;

/// The most messages, and bytes, that are handed out at once; and the most in one blob of the outbox, which is confirmed as a whole.
const MAX_ANSWERED: u32 = 1 << 10;
const MAX_ANSWERED_BYTES: usize = 12 << 20;
const MAX_BUNDLE: usize = 64;
const MAX_BUNDLE_BYTES: usize = 2 << 20;

/// How long an agent listens before it makes facts, in milliseconds, when its store is empty: it may have run before and lost it.
const LISTEN: u64 = 1_500;

/// Lost keys are looked for this often, in milliseconds.
const SWEEP: u64 = 3_600_000;

/// What to do in one go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// Messages of the outbox up to this number were published.
    pub published: u64,
    /// Nothing new is begun after so many milliseconds.
    pub milliseconds: u64,
    /// Of each step.
    pub budget: Budget,
}

/// What was done, and what is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worked {
    /// The outbox: messages to be published.
    pub outbox: Vec<Vec<u8>>,
    /// The number of the last one, to be confirmed with the next [`Task`].
    pub last: u64,
    /// There is more to do at once: to derive, or to be published.
    pub more: bool,
    /// Milliseconds until the agent wants to tick; none if messages have come meanwhile, of which more may be left to gather.
    pub tick_after: u64,
}

/// A text was taken in.
#[derive(Clone, Debug, PartialEq)]
pub struct Submitted {
    /// The agent at a glance, after that.
    pub state: AgentState,
    /// Facts that the text made.
    pub facts: u64,
}

/// Divides messages into what goes into one blob each, in their order.
fn bundles(messages: impl Iterator<Item = Vec<u8>>) -> Vec<Vec<Vec<u8>>> {
    let mut bundles: Vec<Vec<Vec<u8>>> = Vec::new();
    let mut bytes = 0;
    for message in messages {
        bytes += message.len();
        match bundles.last_mut() {
            Some(bundle) if bundle.len() < MAX_BUNDLE && bytes <= MAX_BUNDLE_BYTES => bundle.push(message),
            _ => {
                bytes = message.len();
                bundles.push(vec![message]);
            }
        }
    }
    bundles
}

impl<S: Store, H: Host, M: Member> Service<S, H, M> {
    /// Works for a while: takes in what has come, ticks when it is time, derives. Answers what is to be published. Does nothing, quickly, if there is nothing to do.
    ///
    /// Fails with [`ServiceError::Busy`] while another request is at work.
    pub fn work(&self, task: Task) -> Result<Worked, ServiceError> {
        if let Some(index) = self.look()?
            && index.inbox.is_empty()
            && !index.unfinished
            && index.node.is_some()
            && self.milliseconds() < index.tick
        {
            return self.rest(index, task.published);
        }
        let held = self.lease(0)?;
        self.under(held.token, |service| service.work_on(held, task))
    }

    /// Gives the lease back if it came to nothing.
    fn under<T>(&self, token: u64, work: impl FnOnce(&Self) -> Result<T, ServiceError>) -> Result<T, ServiceError> {
        let worked = work(self);
        if worked.is_err() {
            // What it read may be gone because somebody else is at work by now.
            if let Ok(Some(index)) = self.look()
                && index.lease.is_some_and(|lease| lease.token != token)
            {
                return Err(self.overtaken());
            }
            // The error says more than that the store is gone as well; and the lease ends by itself.
            let _ = self.release(token);
        }
        worked
    }

    /// There is nothing to do but to hand out messages.
    fn rest(&self, index: Index, published: u64) -> Result<Worked, ServiceError> {
        let confirms = |index: &Index| !index.outbox.clone().confirm(published).is_empty();
        let index = if confirms(&index) {
            let confirmed = self.amend(|index| {
                let gone = index.outbox.confirm(published);
                index.garbage.extend(gone);
                Ok(())
            });
            confirmed?.0
        } else {
            index
        };
        self.answer(&index)
    }

    fn answer(&self, index: &Index) -> Result<Worked, ServiceError> {
        let mut blobs: Vec<&Blob> = Vec::new();
        for blob in &index.outbox.blobs {
            if blobs.iter().map(|own| own.items).sum::<u32>() + blob.items > MAX_ANSWERED {
                break;
            }
            blobs.push(blob);
        }
        let mut outbox = Vec::new();
        let mut bytes = 0;
        let mut last = index.outbox.published;
        // Who confirmed them meanwhile has them.
        for messages in self.get(&blobs)?.unwrap_or_default() {
            bytes += messages.iter().map(Vec::len).sum::<usize>();
            if bytes > MAX_ANSWERED_BYTES && !outbox.is_empty() {
                break;
            }
            last += messages.len() as u64;
            outbox.extend(messages);
        }
        Ok(Worked {
            more: index.unfinished || last < index.outbox.last(),
            outbox,
            last,
            tick_after: if index.inbox.is_empty() {
                index.tick.saturating_sub(self.milliseconds())
            } else {
                0
            },
        })
    }

    /// Reads what the agent is made of, unless it is here, and what has come for it. The caller has the lease, so none of it can be gone.
    fn take(&self, index: &mut Index, inbox: &[Blob], facts: Facts) -> Result<(Opened<M>, Came), ServiceError> {
        // Who missed ticks is resumed, so that the silence of others meanwhile does not count.
        let in_time = self.milliseconds() <= index.tick.saturating_add(self.settings.tick);
        if let Some((member, facts)) = self.left(index, facts).filter(|_| in_time) {
            let inbox: Vec<&Blob> = inbox.iter().collect();
            let messages = self.get(&inbox)?.ok_or_else(|| self.lost())?.concat();
            let said = Vec::new();
            return Ok((Opened { member, facts, said }, messages));
        }
        self.read(index, inbox, facts)?.ok_or_else(|| self.lost())
    }

    /// The facts of a log. The caller has the lease, so none of them can be gone.
    fn facts(&self, log: &[Blob]) -> Result<Vec<Vec<u8>>, ServiceError> {
        let blobs: Vec<&Blob> = log.iter().collect();
        Ok(self.get(&blobs)?.ok_or_else(|| self.lost())?.concat())
    }

    /// Most of the time nothing has happened, and the facts need not even be read: that is tried first.
    fn work_on(&self, held: Held, task: Task) -> Result<Worked, ServiceError> {
        let began = self.host.now();
        if held.index.node.is_some() && !held.index.unfinished {
            let tried = self.live(held.clone(), task, Facts::Left, began)?;
            if let Some(worked) = tried {
                return Ok(worked);
            }
        }
        let worked = self.live(held, task, Facts::Taken, began)?;
        Ok(worked.expect("it has its facts"))
    }

    /// One life of the agent. None if it turned out to need the facts that were left: nothing has changed then.
    fn live(&self, mut held: Held, task: Task, facts: Facts, began: u64) -> Result<Option<Worked>, ServiceError> {
        let index = &mut held.index;
        let mut bytes = 0;
        let inbox: Vec<Blob> = index
            .inbox
            .iter()
            .copied()
            .take_while(|blob| {
                bytes += blob.bytes;
                bytes <= MAX_TAKEN || bytes == blob.bytes
            })
            .collect();
        let taken = self.take(index, &inbox, facts);
        let (
            Opened {
                mut member,
                mut facts,
                mut said,
            },
            messages,
        ) = match taken {
            // It was suspended in a state in which it cannot do without.
            Err(ServiceError::Damaged(..)) if facts == Facts::Left => return Ok(None),
            taken => taken?,
        };
        let mut errors = Vec::new();
        for bytes in messages {
            let heard = Message::decode(&bytes).and_then(|message| member.receive(&message, self.host.now()));
            if member.lacks_facts() {
                return Ok(None);
            }
            match heard {
                Ok(messages) => said.extend(messages),
                Err(fault) => errors.push(fault.to_string()),
            }
        }
        let incarnation = self.next_incarnation(index, &mut member);
        if incarnation.is_some() && facts == Facts::Left {
            return Ok(None);
        }
        if let Some(incarnation) = incarnation {
            said.clear();
            Opened { member, facts, said } = self.begin_again(index, incarnation, &mut member)?;
        }
        let stopped = member.superseded().is_some();
        if !stopped && self.milliseconds() >= index.tick {
            let ticked = member.tick(self.host.now());
            if member.lacks_facts() {
                return Ok(None);
            }
            said.extend(ticked?);
            if self.milliseconds() >= index.born + LISTEN {
                index.fresh = false;
            }
        }
        let limited = member.summary().size.enodes >= self.settings.node_limit;
        let mut unfinished = false;
        if !stopped && !index.fresh {
            loop {
                if self.host.now().saturating_sub(began) > 1000 * task.milliseconds {
                    unfinished = true;
                    break;
                }
                let before = member.version();
                let budget = Budget {
                    nodes: if limited { 0 } else { task.budget.nodes },
                    ..task.budget
                };
                let step = RoundTask {
                    ruleset: self.settings.ruleset.clone(),
                    budget,
                };
                let stepped = member.step(&step, self.host.now());
                if member.lacks_facts() {
                    return Ok(None);
                }
                said.extend(stepped?);
                if member.version() == before || limited {
                    break;
                }
            }
        }
        index.unfinished = unfinished;
        let took = self.host.now().saturating_sub(began);
        // An agent that has much to load speaks less often, so that a host with many of them is not busy with that alone.
        index.tick = self.milliseconds() + self.settings.tick.max(took / 200);
        let stored = self.store_member(held, &mut member, said, &inbox, task.published, errors, took);
        if member.lacks_facts() {
            return Ok(None);
        }
        let index = stored?;
        self.keep(member, facts, &index);
        if self.milliseconds().saturating_sub(index.swept) > SWEEP {
            self.sweep(&index)?;
            self.amend(|index| {
                index.swept = self.milliseconds();
                Ok(())
            })?;
        }
        Ok(Some(self.answer(&index)?))
    }

    /// As which incarnation the agent has to begin again, if it has: the others have compacted what it lacks, or it ran before and lost its store.
    fn next_incarnation(&self, index: &Index, member: &mut M) -> Option<u16> {
        let me = u32::from(self.settings.number);
        if member.is_outdated() {
            return Some(index.incarnation.saturating_add(1));
        }
        if !index.fresh {
            return None;
        }
        // What others hold of it as this incarnation, or a later one, it did not make.
        let held = member.version().iter().map(|dot| dot.agent).collect::<Vec<_>>();
        let refused = member.summary().refused.into_iter().map(|(dot, _)| dot.agent);
        let own = held.into_iter().chain(refused).filter(|agent| agent.number() == me);
        let known = own
            .map(AgentId::incarnation)
            .max()
            .filter(|&other| other >= index.incarnation);
        let claimed = member.superseded().map(|claim| claim.incarnation);
        Some(known.max(claimed)?.saturating_add(1))
    }

    /// Starts the agent as another incarnation, with all facts that it has.
    fn begin_again(&self, index: &mut Index, incarnation: u16, member: &mut M) -> Result<Opened<M>, ServiceError> {
        let stored = self.facts(&index.log)?;
        let unstored = member.unstored();
        let parts = if unstored.instead {
            unstored.parts
        } else {
            [stored, unstored.parts].concat()
        };
        index.incarnation = incarnation;
        index.fresh = false;
        let whole = self.put(&parts, Lasts::Long)?;
        index.garbage.append(&mut index.log);
        index.log.push(whole);
        self.enter(index, parts, true)
    }

    /// Takes in declarations, rules and terms, for `wait` milliseconds at most if others are at work. All or nothing; it is durable when this returns.
    pub fn submit(&self, text: &str, wait: u64) -> Result<Submitted, ServiceError> {
        let end = self.milliseconds() + wait;
        loop {
            let held = self.lease(end.saturating_sub(self.milliseconds()))?;
            match self.under(held.token, |service| service.submit_to(held, text)) {
                // It listens whether it has run before; its driver or this request lets it.
                Err(ServiceError::Busy { after, .. }) if self.milliseconds() + after < end => {
                    self.host.sleep(after);
                    self.work(Task {
                        published: 0,
                        milliseconds: 0,
                        budget: Budget { matches: 0, nodes: 0 },
                    })
                    .map(|_| ())
                    .or_else(|error| match error {
                        ServiceError::Busy { .. } => Ok(()),
                        error => Err(error),
                    })?;
                }
                done => return done,
            }
        }
    }

    fn submit_to(&self, mut held: Held, text: &str) -> Result<Submitted, ServiceError> {
        let began = self.host.now();
        let index = &mut held.index;
        if index.fresh || index.node.is_none() {
            let left = match index.node {
                Some(_) => (index.born + LISTEN).saturating_sub(self.milliseconds()),
                None => 0,
            };
            return Err(self.busy(
                "it has just been set up, and listens whether it ran before",
                left.max(20),
            ));
        }
        let (opened, _) = self.take(index, &[], Facts::Taken)?;
        let Opened {
            mut member, mut said, ..
        } = opened;
        if member.claim().is_some_and(|claim| claim.life == Life::Joining) {
            return Err(self.busy("it is catching up with the others", 1_000));
        }
        let before = member.summary().size.facts;
        said.extend(member.submit(text, self.host.now()).map_err(ServiceError::Text)?);
        let facts = member.summary().size.facts - before;
        // Its share is to be searched.
        index.unfinished = true;
        let took = self.host.now().saturating_sub(began);
        let index = self.store_member(held, &mut member, said, &[], 0, Vec::new(), took)?;
        self.keep(member, Facts::Taken, &index);
        let state = serde_json::from_slice(&index.state).expect("it was just written");
        Ok(Submitted { state, facts })
    }

    /// Stores an agent that has worked: everything it says of itself holds from then on, or nothing does.
    #[allow(clippy::too_many_arguments, reason = "what one piece of work amounts to")]
    fn store_member(
        &self,
        held: Held,
        member: &mut M,
        said: Vec<Message>,
        inbox: &[Blob],
        published: u64,
        errors: Vec<String>,
        took: u64,
    ) -> Result<Index, ServiceError> {
        let Held {
            token,
            index: mut own,
            removed,
            last,
        } = held;
        let mut state = self.describe(&own, member, errors, took);
        let unstored = member.unstored();
        // Fails if all this took facts that the agent was resumed without; nothing has been written then.
        let suspended = member.suspend()?;
        let mut garbage = std::mem::take(&mut own.garbage);
        if unstored.instead {
            garbage.append(&mut own.log);
        }
        if !unstored.parts.is_empty() {
            let unmerged = unmerged(&own.log);
            let parts = [self.facts(&own.log[unmerged..])?, unstored.parts].concat();
            garbage.extend(own.log.drain(unmerged..));
            own.log.push(self.put(&parts, Lasts::Long)?);
        }
        garbage.extend(own.node.take());
        let lasts = if last.is_recent(self.milliseconds()) {
            Lasts::Briefly
        } else {
            Lasts::Long
        };
        own.node = Some(self.put(&[suspended], lasts)?);
        let outgoing = bundles(said.iter().map(Message::encode));
        let outgoing = outgoing.iter().map(|bundle| self.put(bundle, Lasts::Briefly));
        let outgoing = outgoing.collect::<Result<Vec<Blob>, _>>()?;
        state.stored_bytes = own.stored_bytes();
        let state = serde_json::to_vec(&state).expect("it serialises into memory");
        self.commit(token, move |index| {
            let mut garbage = garbage.clone();
            garbage.extend(index.garbage.iter().filter(|blob| !removed.contains(blob)));
            garbage.extend(index.outbox.confirm(published));
            index.outbox.blobs.extend(&outgoing);
            while index.outbox.blobs.len() > 1
                && (index.outbox.len() > MAX_OUTBOX
                    || index.outbox.blobs.iter().map(|blob| blob.bytes).sum::<u64>() > MAX_OUTBOX_BYTES)
            {
                let first = index.outbox.blobs[0];
                garbage.extend(index.outbox.confirm(index.outbox.published + u64::from(first.items)));
            }
            index.inbox.retain(|blob| !inbox.contains(blob));
            garbage.extend_from_slice(inbox);
            index.incarnation = own.incarnation;
            index.session = own.session;
            index.born = own.born;
            index.fresh = own.fresh;
            index.log.clone_from(&own.log);
            index.node = own.node;
            index.tick = own.tick;
            index.unfinished = own.unfinished;
            index.garbage = garbage;
            index.state.clone_from(&state);
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_stays_short_and_its_facts_are_seldom_written_anew() {
        let blob = |bytes| Blob {
            at: 0,
            nonce: 0,
            chunks: 1,
            bytes,
            items: 1,
        };
        let mut log: Vec<Blob> = Vec::new();
        let (mut stored, mut written) = (0, 0);
        for bytes in (0..100_000).map(|turn| 1 + turn % 7) {
            let unmerged = unmerged(&log);
            let merged = bytes + log.drain(unmerged..).map(|blob| blob.bytes).sum::<u64>();
            log.push(blob(merged));
            stored += bytes;
            written += merged;
            assert!(log.len() <= MAX_SEGMENTS);
        }
        assert_eq!(log.iter().map(|blob| blob.bytes).sum::<u64>(), stored);
        assert!(written < 12 * stored, "{written} of {stored}");
    }
}
