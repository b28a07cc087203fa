//! The broker in this process: in memory, for a network on one machine.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use eqmesh_replica::AgentId;
use tokio::sync::{Notify, broadcast};
use tokio::time::Instant;

use crate::broker::{Broker, BrokerError, DeadLetter, Incoming, Outgoing, Settlement, now};
use crate::route::Subjects;

/// How many signs of life wait for a slow listener.
const FLEETING: usize = 1024;

/// How many names of messages are remembered.
const NAMES: usize = 1 << 16;

/// How many dead letters are kept; the oldest go first.
const DEAD: usize = 1024;

/// Messages in memory, gone with the process. What was published and not delivered by then is lost to the broker, but not to the network: its sender still has
/// the facts, and whoever lacks them finds out by the next sign of life and asks.
#[derive(Debug)]
pub struct InProcess {
    subjects: Subjects,
    /// How many bytes may wait before there is no room for more.
    capacity: usize,
    ack_wait: Duration,
    state: Mutex<State>,
    arrived: Notify,
    fleeting: broadcast::Sender<Outgoing>,
}

#[derive(Debug, Default)]
struct State {
    queues: BTreeMap<u32, Queue>,
    sequence: u64,
    /// Bytes that wait in all queues. A message counts for each.
    bytes: usize,
    names: HashSet<String>,
    order: VecDeque<String>,
    dead: BTreeMap<u64, DeadLetter>,
    buried: u64,
}

/// What waits for an agent.
#[derive(Debug, Default)]
struct Queue {
    ready: BTreeSet<u64>,
    messages: BTreeMap<u64, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    message: Arc<Outgoing>,
    attempt: u64,
    /// When it comes again, if it was taken or put off.
    again: Option<Instant>,
}

/// A message of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    agent: u32,
    sequence: u64,
}

impl InProcess {
    /// A broker for a network. Agents make no more messages while `capacity` bytes wait; a message that is not settled for as long as `ack_wait` comes
    /// again.
    pub fn new(subjects: Subjects, capacity: usize, ack_wait: Duration) -> InProcess {
        InProcess {
            subjects,
            capacity,
            ack_wait,
            state: Mutex::default(),
            arrived: Notify::new(),
            fleeting: broadcast::channel(FLEETING).0,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of the lock panics")
    }

    /// What an agent may take now; otherwise when something comes again.
    fn take(&self, agent: AgentId, count: usize) -> Result<Vec<Incoming<Ticket>>, Option<Instant>> {
        let mut state = self.state();
        let Some(queue) = state.queues.get_mut(&agent.number()) else {
            return Err(None);
        };
        let now = Instant::now();
        let due = queue
            .messages
            .iter()
            .filter(|(_, own)| own.again.is_some_and(|again| again <= now));
        queue
            .ready
            .extend(due.map(|(sequence, _)| *sequence).collect::<Vec<_>>());
        if queue.ready.is_empty() {
            return Err(queue.messages.values().filter_map(|own| own.again).min());
        }
        let mut taken = Vec::new();
        while let (true, Some(sequence)) = (taken.len() < count, queue.ready.pop_first()) {
            let Some(own) = queue.messages.get_mut(&sequence) else {
                continue;
            };
            own.attempt += 1;
            own.again = Some(now + self.ack_wait);
            taken.push(Incoming {
                subject: own.message.subject.clone(),
                payload: own.message.payload.clone(),
                stream: "memory".to_owned(),
                sequence,
                attempt: own.attempt,
                traceparent: own.message.traceparent.clone(),
                token: Ticket {
                    agent: agent.number(),
                    sequence,
                },
            });
        }
        Ok(taken)
    }
}

impl State {
    fn remember(&mut self, name: &str) -> bool {
        if !self.names.insert(name.to_owned()) {
            return false;
        }
        self.order.push_back(name.to_owned());
        if self.order.len() > NAMES
            && let Some(oldest) = self.order.pop_front()
        {
            self.names.remove(&oldest);
        }
        true
    }

    fn enqueue(&mut self, agent: u32, sequence: u64, message: &Arc<Outgoing>) {
        if let Some(queue) = self.queues.get_mut(&agent) {
            self.bytes += message.payload.len();
            queue.ready.insert(sequence);
            queue.messages.insert(
                sequence,
                Waiting {
                    message: Arc::clone(message),
                    attempt: 0,
                    again: None,
                },
            );
        }
    }

    fn remove(&mut self, ticket: Ticket) {
        if let Some(queue) = self.queues.get_mut(&ticket.agent) {
            queue.ready.remove(&ticket.sequence);
            if let Some(own) = queue.messages.remove(&ticket.sequence) {
                self.bytes -= own.message.payload.len();
            }
        }
    }
}

impl Broker for InProcess {
    type Token = Ticket;

    async fn prepare(&self, agents: &[AgentId]) -> Result<(), BrokerError> {
        let mut state = self.state();
        for agent in agents {
            state.queues.entry(agent.number()).or_default();
        }
        Ok(())
    }

    async fn publish(&self, messages: &[Outgoing]) -> Result<(), BrokerError> {
        for message in messages {
            if message.fleeting {
                // That nobody listens is no error.
                let _ = self.fleeting.send(message.clone());
                continue;
            }
            let mut state = self.state();
            if !state.remember(&message.id) {
                continue;
            }
            state.sequence += 1;
            let (sequence, shared) = (state.sequence, Arc::new(message.clone()));
            let read = self.subjects.read(&message.subject, &message.payload);
            let concerned: Vec<u32> = state.queues.keys().copied().collect();
            for agent in concerned {
                // What cannot be read concerns everybody: whoever delivers it finds out.
                if read.as_ref().map_or(true, |read| read.concerns(AgentId(agent))) {
                    state.enqueue(agent, sequence, &shared);
                }
            }
        }
        self.arrived.notify_waiters();
        Ok(())
    }

    async fn has_room(&self) -> bool {
        self.state().bytes < self.capacity
    }

    async fn pull(&self, agent: AgentId, count: usize, wait: Duration) -> Result<Vec<Incoming<Ticket>>, BrokerError> {
        let end = Instant::now() + wait;
        loop {
            let arrived = self.arrived.notified();
            tokio::pin!(arrived);
            // From here on no arrival goes unnoticed.
            arrived.as_mut().enable();
            let again = match self.take(agent, count) {
                Ok(taken) => return Ok(taken),
                Err(again) => again,
            };
            let until = again.map_or(end, |again| again.min(end));
            let arrives = tokio::time::timeout_at(until, arrived).await.is_ok();
            if !arrives && until >= end {
                return Ok(Vec::new());
            }
        }
    }

    async fn settle(&self, token: &Ticket, settlement: Settlement) -> Result<(), BrokerError> {
        let mut state = self.state();
        let put_off = |state: &mut State, wait: Duration| {
            if let Some(queue) = state.queues.get_mut(&token.agent)
                && let Some(own) = queue.messages.get_mut(&token.sequence)
            {
                own.again = Some(Instant::now() + wait);
            }
        };
        match settlement {
            Settlement::Done => state.remove(*token),
            Settlement::Working => put_off(&mut state, self.ack_wait),
            Settlement::Later(wait) => {
                put_off(&mut state, wait);
                self.arrived.notify_waiters();
            }
        }
        Ok(())
    }

    async fn bury(&self, message: &Incoming<Ticket>, receiver: AgentId, reason: &str) -> Result<(), BrokerError> {
        let mut state = self.state();
        state.buried += 1;
        let sequence = state.buried;
        let letter = DeadLetter {
            sequence,
            at: now(),
            receiver: receiver.number(),
            subject: message.subject.clone(),
            stream: message.stream.clone(),
            stream_sequence: message.sequence,
            reason: reason.to_owned(),
            payload: message.payload.clone(),
        };
        state.dead.insert(sequence, letter);
        if state.dead.len() > DEAD {
            state.dead.pop_first();
        }
        state.remove(message.token);
        Ok(())
    }

    fn fleeting(&self) -> broadcast::Receiver<Outgoing> {
        self.fleeting.subscribe()
    }

    async fn dead_letters(&self, after: u64, count: usize) -> Result<Vec<DeadLetter>, BrokerError> {
        let state = self.state();
        let letters = state
            .dead
            .range(after.saturating_add(1)..)
            .map(|(_, letter)| letter.clone());
        Ok(letters.take(count).collect())
    }

    async fn dead_letter(&self, sequence: u64) -> Result<Option<DeadLetter>, BrokerError> {
        Ok(self.state().dead.get(&sequence).cloned())
    }

    async fn replay(&self, sequence: u64) -> Result<bool, BrokerError> {
        let mut state = self.state();
        let Some(letter) = state.dead.remove(&sequence) else {
            return Ok(false);
        };
        let message = Outgoing {
            id: format!("replay-{sequence}"),
            subject: self.subjects.replay(&letter.subject, AgentId(letter.receiver)),
            payload: letter.payload,
            fleeting: false,
            traceparent: None,
        };
        state.sequence += 1;
        let number = state.sequence;
        state.enqueue(letter.receiver, number, &Arc::new(message));
        drop(state);
        self.arrived.notify_waiters();
        Ok(true)
    }

    async fn maintain(&self) {
        std::future::pending::<()>().await;
    }
}
