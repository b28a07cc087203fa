//! The log: records events, lists them, and answers what they mean.

mod kept;

use std::collections::VecDeque;

use eqmesh_replica::AgentId;

use crate::causality::Order;
use crate::clock::Clock;
use crate::event::End;
use crate::metrics::Tallies;
use crate::{Causality, Entry, Event, Metrics, Timestamp};

/// Why a question about an event has no answer, or a log cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimelineError {
    /// No event of this index is kept.
    #[error("event {0} is not kept: it was folded into the metrics, or never recorded")]
    Absent(u64),
    /// Not what [`Log::save`] answers.
    #[error("{0}")]
    Malformed(String),
}

/// An event, and what its latency is measured by.
#[derive(Clone, Debug)]
struct Kept {
    event: Event,
    /// The caller's physical time.
    now: u64,
    /// The latency of this reception has been counted, or must not be, because it is a repetition.
    measured: bool,
}

/// Events of one timeline. At most `capacity` are kept; what older ones did is in the metrics.
///
/// Memory is linear in the capacity, whatever is recorded, apart from the histograms (see [`MAX_PEERS`](crate::MAX_PEERS)).
///
/// Events may be those of one agent or of many. Each agent's events are recorded in the order in which they happened there; those of
/// different agents in any order. A sending and its receptions belong together by sender and message id: for
/// [`Sent`](crate::EventKind::Sent) the sender is [`Entry::agent`], for [`Received`](crate::EventKind::Received) it is [`Entry::peer`].
#[derive(Clone, Debug)]
pub struct Log {
    capacity: usize,
    clock: Clock,
    kept: VecDeque<Kept>,
    /// Events that are no longer kept: the index of the first one that is.
    folded: u64,
    order: Order,
    tallies: Tallies,
}

impl Log {
    /// An empty log that keeps the last `capacity` events, at least one. An event costs about 200 bytes and 32 for each entry of its
    /// version vector; nothing is allocated in advance.
    pub fn new(capacity: u32) -> Log {
        Log {
            capacity: usize::try_from(capacity).unwrap_or(usize::MAX).max(1),
            clock: Clock::default(),
            kept: VecDeque::new(),
            folded: 0,
            order: Order::default(),
            tallies: Tallies::default(),
        }
    }

    /// Records an event at the caller's physical time `now`, in microseconds, and answers it with its hybrid timestamp. `sender_time` is
    /// the timestamp that came with a received message; the clock moves past it.
    ///
    /// The latency of a reception is counted once for each receiver, by the callers' physical times: from that of the sending,
    /// where that was recorded here and is kept, or else from `sender_time`. It is 0 where the clocks of two agents differ by more.
    ///
    /// O(log n + size of the entry), amortized.
    pub fn record(&mut self, entry: Entry, now: u64, sender_time: Option<Timestamp>) -> Event {
        if self.kept.len() == self.capacity {
            self.fold();
        }
        let index = self.folded + self.kept.len() as u64;
        let event = Event {
            index,
            at: self.clock.tick(now, sender_time),
            entry,
        };
        let entry = &event.entry;
        let letter = entry.letter();
        let repeats = self.order.push(index, entry.agent, letter);
        self.tallies.count(entry);
        let mut measured = repeats;
        match letter {
            Some((letter, End::Reception)) if !repeats => {
                let sending = self.order.cause(letter).and_then(|sending| self.kept(sending).ok());
                let sent = sending
                    .map(|sending| sending.now)
                    .or(sender_time.map(|time| time.micros));
                if let Some(sent) = sent {
                    self.tallies.measure(entry, now.saturating_sub(sent));
                    measured = true;
                }
            }
            Some((letter, End::Sending)) if !repeats => {
                // Receptions that were recorded before their sending.
                for reception in self.order.ends(letter, End::Reception) {
                    let at = (reception - self.folded) as usize;
                    if let Some(reception) = self.kept.get_mut(at).filter(|reception| !reception.measured) {
                        let micros = reception.now.saturating_sub(now);
                        self.tallies.measure(&reception.event.entry, micros);
                        reception.measured = true;
                    }
                }
            }
            _ => {}
        }
        self.kept.push_back(Kept {
            event: event.clone(),
            now,
            measured,
        });
        event
    }

    /// Drops the oldest event, and what belongs to it in every table.
    fn fold(&mut self) {
        if let Some(Kept { event, .. }) = self.kept.pop_front() {
            self.folded += 1;
            self.order.fold(event.index, event.entry.agent, event.entry.letter());
            self.tallies.fold(&event.entry);
        }
    }

    fn kept(&self, index: u64) -> Result<&Kept, TimelineError> {
        index
            .checked_sub(self.folded)
            .and_then(|at| self.kept.get(usize::try_from(at).ok()?))
            .ok_or(TimelineError::Absent(index))
    }

    fn agent(&self, index: u64) -> Result<AgentId, TimelineError> {
        Ok(self.kept(index)?.event.entry.agent)
    }

    /// The kept events from an index on, at most `limit`. O(answer).
    pub fn events(&self, from: u64, limit: u32) -> Vec<Event> {
        let at = usize::try_from(from.saturating_sub(self.folded)).unwrap_or(usize::MAX);
        let wanted = self.kept.iter().skip(at).take(limit as usize);
        wanted.map(|kept| kept.event.clone()).collect()
    }

    /// What all events amount to.
    pub fn metrics(&self) -> Metrics {
        self.tallies.whole()
    }

    /// What the events with this peer amount to: those whose [`Entry::peer`] it is. All zero for a peer that never occurred, and
    /// for those beyond the first [`MAX_PEERS`](crate::MAX_PEERS).
    pub fn metrics_with(&self, peer: AgentId) -> Metrics {
        self.tallies.with(peer)
    }

    /// Did `a` happen before `b`? Decided by the program order of an agent and by messages, never by the clock, nor by the order in
    /// which events of different agents were recorded.
    ///
    /// Where a message was sent several times, its receptions happened after the first sending; whether after the others, nobody
    /// knows. A way from `a` to `b` that leads through events that are no longer kept is not seen.
    ///
    /// O(1) for events of one agent; otherwise O(r log n), where r counts the kept receptions in the two pasts.
    pub fn compare(&self, a: u64, b: u64) -> Result<Causality, TimelineError> {
        Ok(self.order.compare((self.agent(a)?, a), (self.agent(b)?, b)))
    }

    /// The indices of all kept events in the causal past of an event, ascending: those that [`compare`](Log::compare) says are before it.
    /// O(answer × log n).
    pub fn past(&self, event: u64) -> Result<Vec<u64>, TimelineError> {
        Ok(self.order.past(self.agent(event)?, event))
    }

    /// The kept sendings (one, unless the message was sent again) of a reception, or the kept receptions of a sending, ascending.
    /// Found by message id; none for other events. O(log n + answer × log answer).
    pub fn matching(&self, event: u64) -> Result<Vec<u64>, TimelineError> {
        let Some((letter, end)) = self.kept(event)?.event.entry.letter() else {
            return Ok(Vec::new());
        };
        let other = match end {
            End::Sending => End::Reception,
            End::Reception => End::Sending,
        };
        let mut matching: Vec<u64> = self.order.ends(letter, other).collect();
        matching.sort_unstable();
        Ok(matching)
    }
}

#[cfg(test)]
mod tests;
