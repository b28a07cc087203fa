//! What is known of others, as bytes: see `docs/wire-format.md`. Blocks that were [seen](Seen) are left out on purpose: some of them may wait for others that they build on, and
//! whoever comes back has lost these and has to take them in again.

use std::collections::BTreeMap;
use std::sync::Arc;

use eqmesh_orchestrator::Topology;
use eqmesh_replica::wire::{Reader, put, put_version};
use eqmesh_replica::{AgentId, Fault, VersionVector};

use super::{Exchange, Peer, Said, Seen};
use crate::node::suspension::{put_option, read_option};

/// Appends a version vector; most are the agent's own, which takes one byte.
fn put_known(bytes: &mut Vec<u8>, version: &VersionVector, own: &VersionVector) {
    bytes.push(u8::from(version != own));
    if version != own {
        put_version(bytes, version);
    }
}

fn read_known(reader: &mut Reader<'_>, own: &Arc<VersionVector>) -> Result<Arc<VersionVector>, Fault> {
    if !reader.flag()? {
        return Ok(own.clone());
    }
    let version = reader.version()?;
    if version == **own {
        return Err(reader.malformed("a version vector is not in its shortest form"));
    }
    Ok(Arc::new(version))
}

impl Peer {
    fn put(&self, bytes: &mut Vec<u8>, own: &VersionVector) {
        let (incarnation, session) = self.run;
        put(bytes, u64::from(incarnation));
        put(bytes, session);
        put_known(bytes, &self.has, own);
        put_known(bytes, &self.sent, own);
        put_option(bytes, self.apart, put);
        put(bytes, self.roster);
        put_option(bytes, self.history.as_ref(), |bytes, said| {
            put_option(bytes, said.beginning, Vec::extend);
            bytes.extend(said.roster);
            put_version(bytes, &said.version);
        });
    }

    fn read(reader: &mut Reader<'_>, own: &Arc<VersionVector>) -> Result<Peer, Fault> {
        let incarnation = reader.varint()?;
        let incarnation = u16::try_from(incarnation).map_err(|_| reader.malformed("an incarnation is too large"))?;
        Ok(Peer {
            run: (incarnation, reader.varint()?),
            has: read_known(reader, own)?,
            sent: read_known(reader, own)?,
            apart: read_option(reader, Reader::varint)?,
            roster: reader.varint()?,
            history: read_option(reader, |reader| {
                Ok(Said {
                    beginning: read_option(reader, Reader::array)?,
                    roster: reader.array()?,
                    version: reader.version()?,
                })
            })?,
        })
    }
}

impl Exchange {
    /// Appends it. `own` is what the agent has itself.
    pub(in crate::node) fn put(&self, bytes: &mut Vec<u8>, own: &VersionVector) {
        bytes.push(self.topology as u8);
        put(bytes, self.ticks);
        put(bytes, self.settled);
        put_option(bytes, self.waiting, put);
        put_option(bytes, self.asked, put);
        put_known(bytes, &self.acknowledged, own);
        bytes.push(u8::from(self.caught_up));
        put(bytes, self.peers.len() as u64);
        for (&number, peer) in &self.peers {
            put(bytes, u64::from(number));
            peer.put(bytes, own);
        }
    }

    /// Reads what [`Exchange::put`] appended. Where blocks waited for others, they count as waiting still: they are lost, and are asked for as those are that they build on.
    pub(in crate::node) fn read(reader: &mut Reader<'_>, own: &Arc<VersionVector>) -> Result<Exchange, Fault> {
        let topology = match reader.byte()? {
            0 => Topology::Mesh,
            1 => Topology::Sierpinski,
            2 => Topology::Expander,
            _ => return Err(reader.malformed("a topology is of no known kind")),
        };
        let mut exchange = Exchange {
            topology,
            ticks: reader.counter()?,
            peers: BTreeMap::new(),
            settled: reader.varint()?,
            waiting: read_option(reader, Reader::varint)?,
            asked: read_option(reader, Reader::varint)?,
            acknowledged: read_known(reader, own)?,
            caught_up: reader.flag()?,
            seen: Seen::default(),
        };
        let mut before = None;
        for _ in 0..reader.count()? {
            let number = reader.small()?;
            if number > AgentId::MAX_NUMBER || before.is_some_and(|before| before >= number) {
                return Err(reader.malformed("numbers are too large or not in order"));
            }
            before = Some(number);
            exchange.peers.insert(number, Peer::read(reader, own)?);
        }
        Ok(exchange)
    }
}
