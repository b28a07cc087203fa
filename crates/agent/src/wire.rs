//! Writing and reading what travels: varints and bytes, as `docs/wire-format.md` specifies them. Every value has one form, and only that is read.

use eqmesh_replica::{AgentId, Fault, VersionVector};

/// Appends an unsigned integer: seven bits a byte, the lowest first, in as few bytes as possible (LEB128).
pub(crate) fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Appends a length and so many bytes.
pub(crate) fn put_bytes(bytes: &mut Vec<u8>, content: &[u8]) {
    put(bytes, content.len() as u64);
    bytes.extend_from_slice(content);
}

/// Appends a version vector.
pub(crate) fn put_version(bytes: &mut Vec<u8>, version: &VersionVector) {
    put(bytes, version.iter().len() as u64);
    for dot in version.iter() {
        put(bytes, u64::from(dot.agent.0));
        put(bytes, dot.sequence);
    }
}

/// Reads from bytes that anybody may have sent. Allocates no more than a small multiple of them.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

pub(crate) fn malformed(what: &str) -> Fault {
    Fault::Malformed(format!("not a message: {what}"))
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// So many bytes.
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or_else(|| malformed("it ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Fault> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn varint(&mut self) -> Result<u64, Fault> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits || byte == 0 && shift > 0 {
                return Err(malformed("a varint is too large or not in its shortest form"));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(malformed("a varint is too long"))
    }

    /// An integer of at most 32 bits.
    pub(crate) fn small(&mut self) -> Result<u32, Fault> {
        u32::try_from(self.varint()?).map_err(|_| malformed("a number is too large"))
    }

    /// A count of things that take at least one byte each.
    pub(crate) fn count(&mut self) -> Result<usize, Fault> {
        let count = self.varint()?;
        if count > self.rest.len() as u64 {
            return Err(malformed("a count is larger than what follows"));
        }
        Ok(count as usize)
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Fault> {
        let count = self.count()?;
        self.take(count)
    }

    pub(crate) fn string(&mut self) -> Result<String, Fault> {
        let bytes = self.bytes()?;
        String::from_utf8(bytes.to_vec()).map_err(|_| malformed("a name is not UTF-8"))
    }

    pub(crate) fn version(&mut self) -> Result<VersionVector, Fault> {
        let mut previous = None;
        let mut version = VersionVector::default();
        for _ in 0..self.count()? {
            let (agent, sequence) = (self.small()?, self.varint()?);
            if previous.is_some_and(|previous| previous >= agent) || sequence == 0 {
                return Err(malformed("a version vector is not in order"));
            }
            previous = Some(agent);
            version.raise(AgentId(agent), sequence);
        }
        Ok(version)
    }

    /// Nothing may follow.
    pub(crate) fn end(self) -> Result<(), Fault> {
        match self.rest {
            [] => Ok(()),
            _ => Err(malformed("bytes follow its end")),
        }
    }
}
