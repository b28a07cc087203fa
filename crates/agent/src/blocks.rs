//! The blocks of a `state` message: as they are, or packed together.

use eqmesh_replica::wire::{Reader, put, put_bytes};
use eqmesh_replica::{Fault, pack, unpack, unpacked_length};

use crate::message::MAX_MESSAGE;

/// Blocks that come to fewer bytes than this are not packed: it costs more than it saves.
pub(crate) const MIN_PACKED: usize = 1 << 10;

/// Facts of a message, in causal order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Blocks {
    Plain(Vec<Vec<u8>>),
    /// What [`write`] writes of them, by [`pack`]. Not looked into yet.
    Packed(Vec<u8>),
}

impl Default for Blocks {
    fn default() -> Blocks {
        Blocks::Plain(Vec::new())
    }
}

fn write(bytes: &mut Vec<u8>, blocks: &[Vec<u8>]) {
    put(bytes, blocks.len() as u64);
    blocks.iter().for_each(|block| put_bytes(bytes, block));
}

fn read(reader: &mut Reader<'_>) -> Result<Vec<Vec<u8>>, Fault> {
    // An empty block would take a byte and be allocated as 24: there are none.
    let mut blocks = Vec::new();
    for _ in 0..reader.count()? {
        let block = reader.bytes()?;
        if block.is_empty() {
            return Err(reader.malformed("a block is empty"));
        }
        blocks.push(block.to_vec());
    }
    Ok(blocks)
}

impl Blocks {
    /// Packs blocks if they are many bytes, and fewer when packed. O(bytes).
    pub(crate) fn pack(blocks: Vec<Vec<u8>>) -> Blocks {
        if blocks.iter().map(Vec::len).sum::<usize>() < MIN_PACKED {
            return Blocks::Plain(blocks);
        }
        let mut plain = Vec::new();
        write(&mut plain, &blocks);
        let packed = pack(&plain);
        if packed.len() < plain.len() {
            Blocks::Packed(packed)
        } else {
            Blocks::Plain(blocks)
        }
    }

    /// The blocks. Fails with [`Fault::Malformed`] for what does not unpack to what it says. Allocates at most 256 times the packed form, and no more than about a message's most bytes.
    pub(crate) fn open(self) -> Result<Vec<Vec<u8>>, Fault> {
        match self {
            Blocks::Plain(blocks) => Ok(blocks),
            Blocks::Packed(packed) => {
                let plain = unpack(&packed)?;
                let mut reader = Reader::new(&plain, "packed message");
                let blocks = read(&mut reader)?;
                reader.end()?;
                Ok(blocks)
            }
        }
    }

    pub(crate) fn encode(&self, bytes: &mut Vec<u8>) {
        match self {
            Blocks::Plain(blocks) => {
                bytes.push(0);
                write(bytes, blocks);
            }
            Blocks::Packed(packed) => {
                bytes.push(1);
                put_bytes(bytes, packed);
            }
        }
    }

    /// What is packed is refused here if it is too long once unpacked, or was not worth it.
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Blocks, Fault> {
        if !reader.flag()? {
            return Ok(Blocks::Plain(read(reader)?));
        }
        let packed = reader.bytes()?;
        let length = unpacked_length(packed).ok_or_else(|| reader.malformed("what is said to be packed is not"))?;
        if length > MAX_MESSAGE as u64 {
            return Err(Fault::Limit(format!("a message has at most {MAX_MESSAGE} bytes")));
        }
        if length < MIN_PACKED as u64 || length <= packed.len() as u64 {
            return Err(reader.malformed("it is packed for nothing"));
        }
        Ok(Blocks::Packed(packed.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(blocks: &Blocks) -> Result<Blocks, Fault> {
        let mut bytes = Vec::new();
        blocks.encode(&mut bytes);
        let mut reader = Reader::new(&bytes, "message");
        let blocks = Blocks::decode(&mut reader)?;
        reader.end()?;
        Ok(blocks)
    }

    proptest! {
        #[test]
        fn what_is_packed_is_shorter_and_opens_to_the_same(
            blocks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 1..40), times in 1usize..40
        ) {
            let blocks: Vec<Vec<u8>> = std::iter::repeat_n(blocks, times).flatten().collect();
            let packed = Blocks::pack(blocks.clone());
            let mut plain = Vec::new();
            write(&mut plain, &blocks);
            match &packed {
                Blocks::Packed(bytes) => prop_assert!(bytes.len() < plain.len() && plain.len() > MIN_PACKED),
                Blocks::Plain(_) => prop_assert!(plain.len() < 2 * MIN_PACKED || pack(&plain).len() >= plain.len()),
            }
            prop_assert_eq!(decoded(&packed).unwrap(), packed.clone());
            prop_assert_eq!(packed.open().unwrap(), blocks);
        }

        #[test]
        fn what_was_damaged_is_refused_or_something_else(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)
        ) {
            let blocks = vec![b"a block".to_vec(); 900];
            let Blocks::Packed(mut bytes) = Blocks::pack(blocks) else { panic!("it is long") };
            for (at, value) in changes {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            if let Ok(blocks) = decoded(&Blocks::Packed(bytes.clone())).and_then(Blocks::open) {
                prop_assert!(blocks.iter().map(Vec::len).sum::<usize>() <= bytes.len() * 256);
            }
        }
    }

    #[test]
    fn what_is_packed_for_nothing_or_too_large_is_refused() {
        let packed = |plain: &[u8]| decoded(&Blocks::Packed(pack(plain)));
        assert!(matches!(packed(&[0; MIN_PACKED - 1]), Err(Fault::Malformed(_))));
        assert!(packed(&[0; MIN_PACKED]).is_ok());
        let noise: Vec<u8> = (0..200u64)
            .flat_map(|number| *blake3::hash(&number.to_le_bytes()).as_bytes())
            .collect();
        assert!(matches!(packed(&noise), Err(Fault::Malformed(_))));
        assert!(matches!(
            decoded(&Blocks::Packed(b"nothing of the kind".to_vec())),
            Err(Fault::Malformed(_))
        ));
        let mut huge = b"eqz\x01".to_vec();
        put(&mut huge, MAX_MESSAGE as u64 + 1);
        assert!(matches!(decoded(&Blocks::Packed(huge)), Err(Fault::Limit(_))));
        // It says no more than it may, and is no more than a lie.
        let mut bomb = b"eqz\x01".to_vec();
        put(&mut bomb, MAX_MESSAGE as u64);
        let bomb = decoded(&Blocks::Packed(bomb)).expect("its form is right");
        assert!(matches!(bomb.open(), Err(Fault::Malformed(_))));
        // What is in it has one form, too.
        let trailing = packed(&[0; MIN_PACKED]).expect("its form is right");
        assert!(matches!(trailing.open(), Err(Fault::Malformed(_))));
    }
}
