//! Writing and reading what is sent and kept, as `docs/wire-format.md` specifies it. Every value has one form, and only that is read.

use eqmesh_egraph::value::Value;

pub use crate::block::{put_operator, read_operator};
use crate::fault::Fault;
use crate::version::{AgentId, Dot, VersionVector};

/// How many bytes of a hash end what is sent or kept.
const CHECKSUM: usize = 8;

/// Appends an unsigned integer: seven bits a byte, the lowest first, in as few bytes as possible (LEB128).
pub fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Appends a length and so many bytes.
pub fn put_bytes(bytes: &mut Vec<u8>, content: &[u8]) {
    put(bytes, content.len() as u64);
    bytes.extend_from_slice(content);
}

/// Appends the name of a fact.
pub fn put_dot(bytes: &mut Vec<u8>, dot: Dot) {
    put(bytes, u64::from(dot.agent.0));
    put(bytes, dot.sequence);
}

/// Appends a version vector.
pub fn put_version(bytes: &mut Vec<u8>, version: &VersionVector) {
    put(bytes, version.iter().len() as u64);
    version.iter().for_each(|dot| put_dot(bytes, dot));
}

/// Appends numbers, each as the difference to the one before (the first, to 0).
pub(crate) fn put_column(bytes: &mut Vec<u8>, column: impl IntoIterator<Item = u32>) {
    let mut previous = 0i64;
    for value in column {
        let difference = i64::from(value) - previous;
        put(bytes, ((difference << 1) ^ (difference >> 63)) as u64);
        previous = i64::from(value);
    }
}

/// Appends a value.
pub(crate) fn put_value(bytes: &mut Vec<u8>, value: &Value) {
    put_bytes(
        bytes,
        &postcard::to_allocvec(value).expect("values serialise into memory"),
    );
}

/// Appends the checksum of all before it.
#[must_use]
pub fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let checksum = blake3::hash(&bytes);
    bytes.extend_from_slice(&checksum.as_bytes()[..CHECKSUM]);
    bytes
}

/// Reads from bytes that anybody may have sent. Never panics, and allocates no more than a small multiple of them. All fail with [`Fault::Malformed`].
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    total: usize,
    what: &'static str,
}

impl<'a> Reader<'a> {
    /// Reads all of some bytes. If they cannot be read, they are said to be no such thing as `what`.
    pub fn new(bytes: &'a [u8], what: &'static str) -> Reader<'a> {
        Reader {
            rest: bytes,
            total: bytes.len(),
            what,
        }
    }

    /// Reads what stands between a magic number and a checksum.
    pub fn open(bytes: &'a [u8], magic: &[u8], what: &'static str) -> Result<Reader<'a>, Fault> {
        Reader::unseal(bytes, magic, what, blake3::hash)
    }

    /// [`Reader::open`], and the hash of all the bytes.
    pub(crate) fn open_hashed(
        bytes: &'a [u8],
        magic: &[u8],
        what: &'static str,
    ) -> Result<(Reader<'a>, [u8; 32]), Fault> {
        let mut hasher = blake3::Hasher::new();
        let reader = Reader::unseal(bytes, magic, what, |sealed| hasher.update(sealed).finalize())?;
        hasher.update(&bytes[bytes.len() - CHECKSUM..]);
        Ok((reader, *hasher.finalize().as_bytes()))
    }

    fn unseal(
        bytes: &'a [u8],
        magic: &[u8],
        what: &'static str,
        hash: impl FnOnce(&[u8]) -> blake3::Hash,
    ) -> Result<Reader<'a>, Fault> {
        let mut reader = Reader::new(bytes, what);
        let sealed = bytes.strip_prefix(magic).and_then(<[u8]>::split_last_chunk::<CHECKSUM>);
        let Some((content, checksum)) = sealed else {
            return Err(reader.malformed("it does not begin with the magic number of version 1"));
        };
        if hash(&bytes[..bytes.len() - CHECKSUM]).as_bytes()[..CHECKSUM] != *checksum {
            return Err(reader.malformed("the checksum does not fit"));
        }
        reader.rest = content;
        Ok(reader)
    }

    /// How many bytes there were in all.
    pub(crate) fn total(&self) -> usize {
        self.total
    }

    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// What is wrong.
    pub fn malformed(&self, why: &str) -> Fault {
        Fault::Malformed(format!("not a {}: {why}", self.what))
    }

    /// Nothing may follow.
    pub fn end(&self) -> Result<(), Fault> {
        match self.rest {
            [] => Ok(()),
            _ => Err(self.malformed("bytes follow its end")),
        }
    }

    /// So many bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let taken = self.rest.split_at_checked(count);
        let (taken, rest) = taken.ok_or_else(|| self.malformed("it ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    /// As many bytes as fit.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let taken = self.rest.split_first_chunk::<N>();
        let (taken, rest) = taken.ok_or_else(|| self.malformed("it ends too early"))?;
        self.rest = rest;
        Ok(*taken)
    }

    /// One byte.
    pub fn byte(&mut self) -> Result<u8, Fault> {
        Ok(self.array::<1>()?[0])
    }

    /// A truth value.
    pub fn flag(&mut self) -> Result<bool, Fault> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.malformed("a flag is neither 0 nor 1")),
        }
    }

    /// An unsigned integer.
    #[inline]
    pub fn varint(&mut self) -> Result<u64, Fault> {
        // Most have one or two bytes.
        match *self.rest {
            [byte @ ..0x80, ref rest @ ..] => {
                self.rest = rest;
                Ok(u64::from(byte))
            }
            [low, high @ 1..0x80, ref rest @ ..] => {
                self.rest = rest;
                Ok(u64::from(low & 0x7f) | u64::from(high) << 7)
            }
            _ => self.long_varint(),
        }
    }

    #[cold]
    fn long_varint(&mut self) -> Result<u64, Fault> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits || byte == 0 && shift > 0 {
                return Err(self.malformed("a varint is too large or not in its shortest form"));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.malformed("a varint is too long"))
    }

    /// An integer that is counted up later on: below 2^63, so that it will not overflow.
    pub fn counter(&mut self) -> Result<u64, Fault> {
        let counter = self.varint()?;
        if counter >> 63 != 0 {
            return Err(self.malformed("a counter is too large"));
        }
        Ok(counter)
    }

    /// An integer of at most 32 bits.
    pub fn small(&mut self) -> Result<u32, Fault> {
        u32::try_from(self.varint()?).map_err(|_| self.malformed("a number is too large"))
    }

    /// A count of things that take at least one byte each.
    pub fn count(&mut self) -> Result<usize, Fault> {
        let count = self.varint()?;
        if count > self.left() as u64 {
            return Err(self.malformed("a count is larger than what follows"));
        }
        Ok(count as usize)
    }

    /// A length and so many bytes.
    pub fn bytes(&mut self) -> Result<&'a [u8], Fault> {
        let count = self.count()?;
        self.take(count)
    }

    /// A length and so many bytes of UTF-8.
    pub fn string(&mut self) -> Result<String, Fault> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|_| self.malformed("a name is not UTF-8"))
    }

    /// The name of a fact, as far as its form goes.
    pub fn dot(&mut self) -> Result<Dot, Fault> {
        Ok(Dot {
            agent: AgentId(self.small()?),
            sequence: self.varint()?,
        })
    }

    /// A version vector.
    pub fn version(&mut self) -> Result<VersionVector, Fault> {
        let mut previous = None;
        let mut version = VersionVector::default();
        for _ in 0..self.count()? {
            let Dot { agent, sequence } = self.dot()?;
            if previous.is_some_and(|previous| previous >= agent) || sequence == 0 {
                return Err(self.malformed("a version vector is not in order"));
            }
            previous = Some(agent);
            version.raise(agent, sequence);
        }
        Ok(version)
    }

    /// A column of so many numbers, all below a bound. They must be known to take no more bytes than there are, each at least one.
    pub(crate) fn column(&mut self, count: usize, below: u32) -> Result<Vec<u32>, Fault> {
        let mut column = Vec::with_capacity(count);
        let mut previous = 0;
        for _ in 0..count {
            previous = self.next_of_column(previous)?;
            if previous >= below {
                return Err(self.malformed("a number in a column is out of range"));
            }
            column.push(previous);
        }
        Ok(column)
    }

    /// The next number of a column, after `previous` (0 for the first).
    #[inline]
    pub(crate) fn next_of_column(&mut self, previous: u32) -> Result<u32, Fault> {
        let zigzag = self.varint()?;
        let difference = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
        let value = i64::from(previous).checked_add(difference);
        value
            .and_then(|value| u32::try_from(value).ok())
            .ok_or_else(|| self.malformed("a number in a column is out of range"))
    }

    /// A value.
    pub(crate) fn value(&mut self) -> Result<Value, Fault> {
        let bytes = self.bytes()?;
        let value = postcard::from_bytes(bytes).map_err(|_| self.malformed("a value cannot be read"))?;
        if postcard::to_allocvec(&value).ok().as_deref() != Some(bytes) {
            return Err(self.malformed("a value is not in its canonical form"));
        }
        Ok(value)
    }
}
