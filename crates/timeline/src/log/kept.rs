//! A log as bytes, so that whoever keeps it can be away for a while. What follows from the events is not kept with them.

use eqmesh_replica::wire::{Reader, put, put_dot, put_version, seal};
use eqmesh_replica::{AgentId, Fault};

use super::{Kept, Log, TimelineError};
use crate::event::End;
use crate::metrics::Tallies;
use crate::{Entry, Event, EventKind, Phase, Timestamp};

/// The first bytes: a magic number and the version.
const MAGIC: &[u8; 4] = b"eql\x01";

/// The flags of an event. Above them stands its phase.
const MEASURED: u8 = 1;
const REPEATED: u8 = 2;
const PEER: u8 = 4;
const MESSAGE: u8 = 8;
const FACT: u8 = 16;
const PHASE: u32 = 5;

const PHASES: [Phase; 4] = [Phase::Backfill, Phase::Verify, Phase::Live, Phase::Reconcile];

fn put_time(bytes: &mut Vec<u8>, at: Timestamp) {
    put(bytes, at.micros);
    put(bytes, u64::from(at.logical));
}

fn read_time(reader: &mut Reader<'_>) -> Result<Timestamp, Fault> {
    Ok(Timestamp {
        micros: reader.varint()?,
        logical: reader.small()?,
    })
}

fn put_event(bytes: &mut Vec<u8>, kept: &Kept, repeated: bool) {
    let entry = &kept.event.entry;
    let flags = [
        (MEASURED, kept.measured),
        (REPEATED, repeated),
        (PEER, entry.peer.is_some()),
        (MESSAGE, entry.message.is_some()),
        (FACT, entry.fact.is_some()),
    ];
    let flags = flags.iter().filter(|(_, set)| *set).map(|(flag, _)| flag).sum::<u8>();
    bytes.push(entry.kind as u8);
    bytes.push(flags | (entry.phase as u8) << PHASE);
    put(bytes, u64::from(entry.agent.0));
    entry.peer.iter().for_each(|peer| put(bytes, u64::from(peer.0)));
    entry.message.iter().for_each(|&message| put(bytes, message));
    entry.fact.iter().for_each(|&fact| put_dot(bytes, fact));
    put_version(bytes, &entry.version);
    put(bytes, entry.bytes);
    put(bytes, u64::from(entry.round));
    put_time(bytes, kept.event.at);
    put(bytes, kept.now);
}

/// Reads an event; answers also whether it is the sending of a message that had been sent before.
fn read_event(reader: &mut Reader<'_>, index: u64) -> Result<(Kept, bool), Fault> {
    let kind = EventKind::ALL.get(usize::from(reader.byte()?)).copied();
    let kind = kind.ok_or_else(|| reader.malformed("an event is of no known kind"))?;
    let flags = reader.byte()?;
    let is = |flag: u8| flags & flag != 0;
    let phase = PHASES.get(usize::from(flags >> PHASE)).copied();
    let entry = Entry {
        kind,
        agent: AgentId(reader.small()?),
        peer: is(PEER).then(|| reader.small().map(AgentId)).transpose()?,
        message: is(MESSAGE).then(|| reader.varint()).transpose()?,
        fact: is(FACT).then(|| reader.dot()).transpose()?,
        version: reader.version()?,
        bytes: reader.varint()?,
        round: reader.small()?,
        phase: phase.ok_or_else(|| reader.malformed("an event is of no known phase"))?,
    };
    let at = read_time(reader)?;
    let kept = Kept {
        event: Event { index, at, entry },
        now: reader.varint()?,
        measured: is(MEASURED),
    };
    Ok((kept, is(REPEATED)))
}

impl Log {
    /// All but the capacity as bytes: see `docs/wire-format.md`. Linear in the kept events, and up to three bytes for each step of a histogram that latencies fell in.
    pub fn save(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.push(u8::from(self.clock.last.is_some()));
        self.clock.last.iter().for_each(|&last| put_time(&mut bytes, last));
        put(&mut bytes, self.folded);
        put(&mut bytes, self.kept.len() as u64);
        for kept in &self.kept {
            put_event(&mut bytes, kept, self.order.repeats(kept.event.index));
        }
        self.tallies.put(&mut bytes);
        seal(bytes)
    }

    /// Becomes the log that was [saved](Log::save), with the capacity of this one: if that is less, the oldest events are folded. O(bytes × log events).
    ///
    /// Fails with [`TimelineError::Malformed`] for anything else; nothing has changed then. Memory is linear in the bytes and the histograms (see
    /// [`MAX_PEERS`](crate::MAX_PEERS)).
    pub fn load(&mut self, saved: &[u8]) -> Result<(), TimelineError> {
        let read = self
            .read(saved)
            .map_err(|fault| TimelineError::Malformed(fault.to_string()))?;
        *self = read;
        while self.kept.len() > self.capacity {
            self.fold();
        }
        Ok(())
    }

    /// Reads a log of this one's capacity, which more events than that may be kept in.
    fn read(&self, saved: &[u8]) -> Result<Log, Fault> {
        let mut reader = Reader::open(saved, MAGIC, "saved log")?;
        let mut log = Log::new(0);
        log.capacity = self.capacity;
        log.clock.last = reader.flag()?.then(|| read_time(&mut reader)).transpose()?;
        log.folded = reader.counter()?;
        for at in 0..reader.count()? as u64 {
            let (kept, repeated) = read_event(&mut reader, log.folded + at)?;
            let Event { index, entry, .. } = &kept.event;
            let letter = entry.letter();
            let is_sending = letter.is_some_and(|(_, end)| end == End::Sending);
            let repeats = log.order.push(*index, entry.agent, letter);
            if repeated && !is_sending || is_sending && repeats && !repeated {
                return Err(reader.malformed("a message was sent again, or it was not"));
            }
            if repeated {
                log.order.note_repeated(*index);
            }
            log.kept.push_back(kept);
        }
        log.tallies = Tallies::read(&mut reader)?;
        reader.end()?;
        Ok(log)
    }
}

#[cfg(test)]
mod tests;
