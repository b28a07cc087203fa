//! Packing: zstd (RFC 8878) around what is kept or sent in bulk, by a codec in plain Rust, so that it is the same in WebAssembly.

use std::io::Read;

use ruzstd::decoding::StreamingDecoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use crate::fault::Fault;
use crate::wire::{Reader, put};

/// The first bytes of what is packed: a magic number and the version.
const MAGIC: &[u8; 4] = b"eqz\x01";

/// What is packed unpacks to at most so many times its size: ten times what such content comes to.
const MAX_RATIO: u64 = 256;

/// Packs bytes. Not canonical: another version of the codec may pack them otherwise.
pub fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut packed = MAGIC.to_vec();
    put(&mut packed, bytes.len() as u64);
    packed.extend(compress_to_vec(bytes, CompressionLevel::Fastest));
    packed
}

/// How many bytes what is packed says that it comes to; none if it is not packed.
pub fn unpacked_length(bytes: &[u8]) -> Option<u64> {
    let packed = bytes.strip_prefix(MAGIC)?;
    Reader::new(packed, "packed form").varint().ok()
}

/// Unpacks what [`pack`] packed; what is not packed is handed back as it is. Never panics, and allocates at most 256 times the input.
pub fn unpack(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let Some(packed) = bytes.strip_prefix(MAGIC) else {
        return Ok(bytes.to_vec());
    };
    let mut reader = Reader::new(packed, "packed form");
    let length = reader.varint()?;
    if length > bytes.len() as u64 * MAX_RATIO {
        return Err(reader.malformed("it would become far too large"));
    }
    let frame = reader.take(reader.left())?;
    let malformed = |why: &str| reader.malformed(why);
    let decoder = StreamingDecoder::new_with_max_window_size(frame, length.max(1 << 17));
    let decoder = decoder.map_err(|error| malformed(&error.to_string()))?;
    let mut unpacked = Vec::new();
    let read = decoder.take(length + 1).read_to_end(&mut unpacked);
    read.map_err(|error| malformed(&error.to_string()))?;
    if unpacked.len() as u64 != length {
        return Err(malformed("it has another length than it says"));
    }
    Ok(unpacked)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{pack, unpack, unpacked_length};
    use crate::fault::Fault;

    proptest! {
        #[test]
        fn what_was_packed_unpacks(part in prop::collection::vec(any::<u8>(), 0..200), times in 1usize..50) {
            let bytes = part.repeat(times);
            let packed = pack(&bytes);
            prop_assert_eq!(unpacked_length(&packed), Some(bytes.len() as u64));
            prop_assert_eq!(unpack(&packed).unwrap(), bytes);
        }

        #[test]
        fn what_was_damaged_does_no_harm(
            part in prop::collection::vec(any::<u8>(), 1..200),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut packed = pack(&part.repeat(9));
            for (at, value) in changes {
                let at = at.index(packed.len());
                packed[at] = value;
            }
            packed.truncate(cut.index(packed.len()) + 1);
            if let Ok(unpacked) = unpack(&packed) {
                prop_assert!(unpacked.len() <= packed.len() * 256);
            }
        }
    }

    #[test]
    fn a_bomb_is_refused() {
        let packed = pack(&vec![0; 10 << 20]);
        assert!(matches!(unpack(&packed), Err(Fault::Malformed(_))));
    }

    #[test]
    fn what_is_not_packed_stays_as_it_is() {
        assert_eq!(unpack(b"eqi\x01 and so on").unwrap(), b"eqi\x01 and so on");
    }
}
