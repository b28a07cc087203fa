//! What the events amount to.

use std::collections::BTreeMap;

use eqmesh_replica::wire::{Reader, put};
use eqmesh_replica::{AgentId, Fault};
use hdrhistogram::Histogram;

use crate::{Entry, EventKind};

/// With how many peers the traffic is kept apart: the first ones that occur. Each costs 10 KB, and at most 120 KB if messages of
/// it took up to [`MAX_LATENCY`]. Traffic with others counts in the whole only.
pub const MAX_PEERS: usize = 256;

/// The longest latency that is told from longer ones, in microseconds: one day.
pub const MAX_LATENCY: u64 = 24 * 60 * 60 * 1_000_000;

/// Latencies in microseconds, from an HDR histogram: each is right to 3 significant digits, rounded up. All 0 if there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// How many were measured.
    pub count: u64,
    /// Half of them were at most this,
    pub p50: u64,
    /// 95 of 100 at most this,
    pub p95: u64,
    /// 99 of 100 at most this,
    pub p99: u64,
    /// and all at most this.
    pub max: u64,
}

/// What the events amount to, those included that are no longer kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// How often each kind was recorded: all kinds, in order.
    pub counts: Vec<(EventKind, u64)>,
    /// Messages that were sent,
    pub messages_sent: u64,
    /// and their bytes.
    pub bytes_sent: u64,
    /// Messages that were received, repetitions included,
    pub messages_received: u64,
    /// and their bytes.
    pub bytes_received: u64,
    /// From sending to the first reception by each receiver, over the messages of which both were recorded here (or the sender's
    /// time was given).
    pub latency: Latency,
    /// Events that were folded into these numbers and are no longer listed.
    pub folded: u64,
}

/// Counts of some events.
#[derive(Clone, Debug, Default)]
struct Tally {
    counts: [u64; EventKind::ALL.len()],
    bytes_sent: u64,
    bytes_received: u64,
    /// Made for the first latency: it is large.
    latency: Option<Histogram<u32>>,
    folded: u64,
}

impl Tally {
    fn count(&mut self, entry: &Entry) {
        self.counts[entry.kind as usize] += 1;
        let bytes = match entry.kind {
            EventKind::Sent => &mut self.bytes_sent,
            EventKind::Received => &mut self.bytes_received,
            _ => return,
        };
        *bytes = bytes.saturating_add(entry.bytes);
    }

    fn measure(&mut self, micros: u64) {
        self.latency
            .get_or_insert_with(|| Histogram::new(3).expect("3 significant digits are within 0 to 5"))
            .record(micros.min(MAX_LATENCY))
            .expect("a histogram that resizes takes a day of microseconds");
    }

    fn metrics(&self) -> Metrics {
        let latency = self
            .latency
            .as_ref()
            .map_or_else(Latency::default, |histogram| Latency {
                count: histogram.len(),
                p50: histogram.value_at_quantile(0.50),
                p95: histogram.value_at_quantile(0.95),
                p99: histogram.value_at_quantile(0.99),
                max: histogram.max(),
            });
        Metrics {
            counts: EventKind::ALL.into_iter().zip(self.counts).collect(),
            messages_sent: self.counts[EventKind::Sent as usize],
            bytes_sent: self.bytes_sent,
            messages_received: self.counts[EventKind::Received as usize],
            bytes_received: self.bytes_received,
            latency,
            folded: self.folded,
        }
    }
}

impl Tally {
    /// Appends it: of the latencies, the greatest value of each step of the histogram that has any, as the difference to the one before.
    fn put(&self, bytes: &mut Vec<u8>) {
        self.counts.iter().for_each(|&count| put(bytes, count));
        put(bytes, self.bytes_sent);
        put(bytes, self.bytes_received);
        put(bytes, self.folded);
        let Some(latency) = &self.latency else {
            return put(bytes, 0);
        };
        // Through all steps of a histogram once: most are empty.
        let (mut count, mut steps, mut before) = (0, Vec::new(), 0);
        for step in latency.iter_recorded() {
            let value = step.value_iterated_to();
            put(&mut steps, value - before);
            put(&mut steps, u64::from(step.count_at_value()));
            before = value;
            count += 1;
        }
        put(bytes, count);
        bytes.append(&mut steps);
    }

    /// Reads what [`Tally::put`] appended. A histogram takes memory by its greatest value: at most 120 KB.
    fn read(reader: &mut Reader<'_>) -> Result<Tally, Fault> {
        let mut tally = Tally::default();
        for count in &mut tally.counts {
            *count = reader.counter()?;
        }
        tally.bytes_sent = reader.varint()?;
        tally.bytes_received = reader.varint()?;
        tally.folded = reader.counter()?;
        let steps = reader.count()?;
        if steps == 0 {
            return Ok(tally);
        }
        let mut latency = Histogram::new(3).expect("3 significant digits are within 0 to 5");
        let mut before = None;
        for _ in 0..steps {
            let (value, count) = (reader.varint()?, reader.small()?);
            let value = before
                .unwrap_or(0u64)
                .checked_add(value)
                .filter(|&value| before.is_none_or(|before| before < value) && count > 0)
                .filter(|&value| value <= 2 * MAX_LATENCY && latency.lowest_equivalent(value) <= MAX_LATENCY)
                .filter(|&value| latency.highest_equivalent(value) == value)
                .ok_or_else(|| reader.malformed("latencies are not in order, or no steps of the histogram"))?;
            latency
                .record_n(value, count)
                .expect("a histogram that resizes takes a day of microseconds");
            before = Some(value);
        }
        tally.latency = Some(latency);
        Ok(tally)
    }
}

/// Counts of all events, and of those with each peer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tallies {
    whole: Tally,
    peers: BTreeMap<AgentId, Tally>,
}

impl Tallies {
    /// The tallies that an event of this peer counts in.
    fn of(&mut self, peer: Option<AgentId>) -> impl Iterator<Item = &mut Tally> {
        let room = self.peers.len() < MAX_PEERS;
        let own = peer.and_then(|peer| {
            if room {
                Some(self.peers.entry(peer).or_default())
            } else {
                self.peers.get_mut(&peer)
            }
        });
        std::iter::once(&mut self.whole).chain(own)
    }

    /// Counts a new event. O(log peers).
    pub(crate) fn count(&mut self, entry: &Entry) {
        self.of(entry.peer).for_each(|tally| tally.count(entry));
    }

    /// Counts the latency of a reception. O(log peers).
    pub(crate) fn measure(&mut self, reception: &Entry, micros: u64) {
        self.of(reception.peer).for_each(|tally| tally.measure(micros));
    }

    /// An event is no longer kept. O(log peers).
    pub(crate) fn fold(&mut self, entry: &Entry) {
        self.of(entry.peer).for_each(|tally| tally.folded += 1);
    }

    /// Appends them, peers ascending.
    pub(crate) fn put(&self, bytes: &mut Vec<u8>) {
        self.whole.put(bytes);
        put(bytes, self.peers.len() as u64);
        for (peer, tally) in &self.peers {
            put(bytes, u64::from(peer.0));
            tally.put(bytes);
        }
    }

    /// Reads what [`Tallies::put`] appended.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Tallies, Fault> {
        let whole = Tally::read(reader)?;
        let count = reader.count()?;
        if count > MAX_PEERS {
            return Err(reader.malformed("it has too many peers"));
        }
        let mut peers = BTreeMap::new();
        let mut before = None;
        for _ in 0..count {
            let peer = AgentId(reader.small()?);
            if before.is_some_and(|before| before >= peer) {
                return Err(reader.malformed("its peers are not in order"));
            }
            before = Some(peer);
            peers.insert(peer, Tally::read(reader)?);
        }
        Ok(Tallies { whole, peers })
    }

    pub(crate) fn whole(&self) -> Metrics {
        self.whole.metrics()
    }

    /// All zero for somebody who never occurred.
    pub(crate) fn with(&self, peer: AgentId) -> Metrics {
        match self.peers.get(&peer) {
            Some(tally) => tally.metrics(),
            None => Tally::default().metrics(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn measured(latencies: &[u64]) -> Latency {
        let mut tally = Tally::default();
        for &micros in latencies {
            tally.measure(micros);
        }
        tally.metrics().latency
    }

    #[test]
    fn quantiles_of_a_known_distribution() {
        assert_eq!(measured(&[]), Latency::default());
        let latency = measured(&(1..=1_000).collect::<Vec<_>>());
        let expected = Latency {
            count: 1_000,
            p50: 500,
            p95: 950,
            p99: 990,
            max: 1_000,
        };
        assert_eq!(latency, expected);
    }

    #[test]
    fn what_takes_longer_than_a_day_counts_as_a_day() {
        let latency = measured(&[u64::MAX, 0]);
        assert_eq!((latency.count, latency.p50), (2, 0));
        assert!(
            (MAX_LATENCY..MAX_LATENCY + MAX_LATENCY / 1_000).contains(&latency.max),
            "{latency:?}"
        );
    }

    proptest! {
        #[test]
        fn quantiles_are_right_to_three_digits(mut latencies in prop::collection::vec(0..MAX_LATENCY, 1..200)) {
            let latency = measured(&latencies);
            latencies.sort_unstable();
            for (share, actual) in [(50, latency.p50), (95, latency.p95), (99, latency.p99), (100, latency.max)] {
                let exact = latencies[(latencies.len() * share).div_ceil(100) - 1];
                prop_assert!((exact..=exact + exact / 1_000).contains(&actual), "{actual} where {exact} is right");
            }
        }
    }
}
