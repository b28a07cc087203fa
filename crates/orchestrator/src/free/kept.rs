//! What one member knows of a network that runs free, as bytes. Only what does not follow from the rest is kept.

use std::collections::BTreeMap;

use eqmesh_replica::wire::{Reader, put, put_bytes};
use eqmesh_replica::{AgentId, Fault};

use super::{Entrance, Free, MAX_DOUBLES};
use crate::number_set::NumberSet;
use crate::roster::{Claim, Life, Roster};
use crate::suspicion::Arrivals;
use crate::topology::Topology;

/// Who was not at work for more intervals than this cannot tell silence from its own absence.
const ABSENT: u64 = 2;

fn read_numbers(reader: &mut Reader<'_>) -> Result<NumberSet, Fault> {
    let numbers = NumberSet::from_bytes(reader.bytes()?);
    numbers.ok_or_else(|| reader.malformed("a set of numbers is not in its shortest form"))
}

/// The next number of some that ascend.
fn read_next(reader: &mut Reader<'_>, before: Option<u32>) -> Result<u32, Fault> {
    let number = reader.small()?;
    if number > AgentId::MAX_NUMBER || before.is_some_and(|before| before >= number) {
        return Err(reader.malformed("numbers are too large or not in order"));
    }
    Ok(number)
}

impl Free {
    /// Appends it: see `docs/wire-format.md`.
    pub(crate) fn put(&self, bytes: &mut Vec<u8>) {
        self.own.put(bytes);
        put(bytes, self.interval);
        bytes.push(self.topology as u8);
        self.roster.put(bytes);
        put(bytes, self.arrivals.len() as u64);
        for (&number, arrivals) in &self.arrivals {
            put(bytes, u64::from(number));
            arrivals.put(bytes);
        }
        put_bytes(bytes, &self.suspected.to_bytes());
        bytes.push(u8::from(self.reviewed.is_some()));
        self.reviewed.iter().for_each(|&now| put(bytes, now));
        bytes.push(u8::from(self.superseded.is_some()));
        self.superseded.iter().for_each(|claim| claim.put(bytes));
        put(bytes, self.doubles.len() as u64);
        for (&number, (old, new)) in &self.doubles {
            put(bytes, u64::from(number));
            old.put(bytes);
            new.put(bytes);
        }
        put(bytes, u64::from(self.tried));
        bytes.extend_from_slice(&self.subject);
        put_bytes(bytes, &self.vouchers.to_bytes());
    }

    /// Reads what [`Free::put`] appended for this agent in a network of so many founders. O(members).
    pub(crate) fn read(me: AgentId, founders: u32, reader: &mut Reader<'_>) -> Result<Free, Fault> {
        let own = Claim::read(reader)?;
        let interval = reader.varint()?;
        if own.incarnation != me.incarnation() || interval == 0 {
            return Err(reader.malformed("its claim is of another incarnation, or it has no interval"));
        }
        let topology = match reader.byte()? {
            0 => Topology::Mesh,
            1 => Topology::Sierpinski,
            2 => Topology::Expander,
            _ => return Err(reader.malformed("a topology is of no known kind")),
        };
        let entrance = Entrance {
            session: own.session,
            joining: own.life == Life::Joining,
            interval,
            topology,
        };
        let mut free = Free::new(me, founders, entrance);
        free.own = own;
        free.roster = Roster::read(founders, reader)?;
        if free.roster.get(free.me).is_none_or(|said| said < own) {
            return Err(reader.malformed("its own claim is not on the roster"));
        }
        let mut before = None;
        for _ in 0..reader.count()? {
            let number = read_next(reader, before)?;
            before = Some(number);
            free.arrivals.insert(number, Arrivals::read(interval, reader)?);
        }
        free.suspected = read_numbers(reader)?;
        free.reviewed = reader.flag()?.then(|| reader.varint()).transpose()?;
        free.superseded = reader.flag()?.then(|| Claim::read(reader)).transpose()?;
        free.doubles = read_doubles(reader)?;
        free.tried = reader.small()?;
        free.subject = reader.array()?;
        free.vouchers = read_numbers(reader)?;
        free.refresh();
        Ok(free)
    }

    /// This agent is at work again. If it has missed reviews meanwhile, the silence of its neighbours in that time says nothing of them.
    pub(crate) fn wake(&mut self, now: u64) {
        let Some(reviewed) = self.reviewed else { return };
        let gap = now.saturating_sub(reviewed);
        if gap > self.interval.saturating_mul(ABSENT) {
            let away = gap - self.interval;
            self.arrivals.values_mut().for_each(|own| own.pass_over(away, now));
            self.reviewed = Some(reviewed + away);
        }
    }
}

fn read_doubles(reader: &mut Reader<'_>) -> Result<BTreeMap<u32, (Claim, Claim)>, Fault> {
    let count = reader.count()?;
    if count > MAX_DOUBLES {
        return Err(reader.malformed("more numbers were started twice than are remembered"));
    }
    let (mut doubles, mut before) = (BTreeMap::new(), None);
    for _ in 0..count {
        let number = read_next(reader, before)?;
        before = Some(number);
        doubles.insert(number, (Claim::read(reader)?, Claim::read(reader)?));
    }
    Ok(doubles)
}
