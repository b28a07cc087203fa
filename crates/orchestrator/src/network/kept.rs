//! A network that runs free as bytes, so that the agent whose view it is can be away for a while.

use eqmesh_replica::wire::{Reader, put, seal};
use eqmesh_replica::{AgentId, Fault};

use super::Network;
use crate::free::Free;
use crate::{OrchestrationError, Verdict};

/// The first bytes: a magic number and the version.
const MAGIC: &[u8; 4] = b"eqn\x01";

fn put_verdict(bytes: &mut Vec<u8>, verdict: &Verdict) {
    put(bytes, u64::from(verdict.round));
    let flags = [verdict.saturated, verdict.exhausted, verdict.agreed];
    bytes.extend(flags.map(u8::from));
    put(bytes, verdict.matches);
    put(bytes, verdict.applied);
    put(bytes, verdict.blocked);
}

fn read_verdict(reader: &mut Reader<'_>) -> Result<Verdict, Fault> {
    Ok(Verdict {
        round: reader.small()?,
        saturated: reader.flag()?,
        exhausted: reader.flag()?,
        agreed: reader.flag()?,
        matches: reader.varint()?,
        applied: reader.varint()?,
        blocked: reader.varint()?,
    })
}

/// Being away. Only where the network runs free: a round waits for everybody.
impl Network {
    /// All that is known, as bytes: see `docs/wire-format.md`. Linear in the members that were heard of. Fails with
    /// [`Misplaced`](OrchestrationError::Misplaced) unless the network runs free.
    pub fn save(&self) -> Result<Vec<u8>, OrchestrationError> {
        let Some(free) = &self.free else {
            let text = "only a network that runs free is saved";
            return Err(OrchestrationError::Misplaced(text.to_owned()));
        };
        let mut bytes = MAGIC.to_vec();
        put(&mut bytes, u64::from(self.me.0));
        put(&mut bytes, u64::from(self.agents));
        bytes.push(u8::from(self.coloring));
        put(&mut bytes, u64::from(self.round));
        bytes.push(u8::from(self.verdict.is_some()));
        self.verdict.iter().for_each(|own| put_verdict(&mut bytes, own));
        free.put(&mut bytes);
        Ok(seal(bytes))
    }

    /// Takes the place of [`enter`](Network::enter) on a new network that is set up as the one that was [saved](Network::save), and goes on as if that had never been
    /// away. If reviews were missed until `now`, in microseconds, the neighbours' silence meanwhile does not count.
    ///
    /// Fails with [`Malformed`](OrchestrationError::Malformed) for what cannot be read, and with [`Misplaced`](OrchestrationError::Misplaced) if it is of another agent,
    /// incarnation or network, within a round, and after [`enter`](Network::enter). Nothing has changed then.
    pub fn load(&mut self, saved: &[u8], now: u64) -> Result<(), OrchestrationError> {
        self.between_rounds()?;
        if self.free.is_some() {
            let text = "this agent has entered the network already";
            return Err(OrchestrationError::Misplaced(text.to_owned()));
        }
        let (other, round, verdict, mut free) =
            Network::read(saved).map_err(|fault| OrchestrationError::Malformed(fault.to_string()))?;
        if other != (self.me, self.agents, self.coloring) {
            let text = "what was saved is of another agent, incarnation or network";
            return Err(OrchestrationError::Misplaced(text.to_owned()));
        }
        free.wake(now);
        (self.round, self.verdict) = (round, verdict);
        self.free = Some(Box::new(free));
        Ok(())
    }

    #[allow(clippy::type_complexity, reason = "the parts of one form, in their order")]
    fn read(saved: &[u8]) -> Result<((AgentId, u32, bool), u32, Option<Verdict>, Free), Fault> {
        let mut reader = Reader::open(saved, MAGIC, "saved network")?;
        let (me, agents, coloring) = (AgentId(reader.small()?), reader.small()?, reader.flag()?);
        if agents == 0 || me.number() > AgentId::MAX_NUMBER {
            return Err(reader.malformed("there is no such network or agent"));
        }
        let round = reader.small()?;
        let verdict = reader.flag()?.then(|| read_verdict(&mut reader)).transpose()?;
        let free = Free::read(me, agents, &mut reader)?;
        reader.end()?;
        Ok(((me, agents, coloring), round, verdict, free))
    }
}

#[cfg(test)]
mod tests;
