//! Messages as bytes: one form each, and nothing else is read.

use eqmesh_agent::{MAX_MESSAGE, Message};
use eqmesh_orchestrator::MessageKind;
use eqmesh_replica::{AgentId, Dot, VersionVector};
use eqmesh_timeline::Timestamp;
use proptest::prelude::*;

fn any_agent() -> impl Strategy<Value = AgentId> {
    (0..=AgentId::MAX_NUMBER, any::<u16>()).prop_map(|(number, incarnation)| AgentId::new(number, incarnation).unwrap())
}

fn any_version() -> impl Strategy<Value = VersionVector> {
    let dot = (any_agent(), 1u64..).prop_map(|(agent, sequence)| Dot { agent, sequence });
    prop::collection::vec(dot, 0..6).prop_map(|dots| dots.into_iter().collect())
}

fn any_message() -> impl Strategy<Value = Message> {
    (
        any::<u64>(),
        prop::sample::select(MessageKind::ALL.to_vec()),
        any_agent(),
        prop::option::of(any_agent()),
        any_version(),
        any::<(u64, u32)>(),
        prop::collection::vec(any::<u8>(), 0..60),
    )
        .prop_filter_map(
            "a sync is for somebody",
            |(id, kind, sender, receiver, version, (micros, logical), body)| {
                Some(Message {
                    id,
                    kind,
                    sender,
                    receiver,
                    topic: kind.topic(sender, receiver).ok()?,
                    version,
                    at: Timestamp { micros, logical },
                    body,
                })
            },
        )
}

/// The bytes with a checksum that fits.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let at = bytes.len() - 8;
    let checksum = blake3::hash(&bytes[..at]);
    bytes[at..].copy_from_slice(&checksum.as_bytes()[..8]);
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_message_is_read_as_it_was_written(message in any_message()) {
        prop_assert_eq!(Message::decode(&message.encode()), Ok(message));
    }

    #[test]
    fn what_is_read_has_one_form(message in any_message(), at in any::<prop::sample::Index>(), other: u8, cut in any::<prop::sample::Index>()) {
        let mut bytes = message.encode();
        let at = at.index(bytes.len());
        bytes[at] = other;
        for bytes in [sealed(bytes.clone()), bytes] {
            if let Ok(read) = Message::decode(&bytes) {
                prop_assert_eq!(read.encode(), bytes);
            }
        }
        // A byte taken out of the middle, which mends no length.
        let mut bytes = message.encode();
        bytes.remove(cut.index(bytes.len() - 8));
        if let Ok(read) = Message::decode(&sealed(bytes.clone())) {
            prop_assert_eq!(read.encode(), sealed(bytes));
        }
    }

    #[test]
    fn whatever_is_read_is_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        prop_assert!(Message::decode(&bytes).is_err(), "it has no magic number");
        let mut bytes = [b"eqm\x01".to_vec(), bytes, vec![0; 8]].concat();
        bytes = sealed(bytes);
        if let Ok(read) = Message::decode(&bytes) {
            prop_assert_eq!(read.encode(), bytes);
        }
    }

    #[test]
    fn a_flipped_bit_is_noticed(message in any_message(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut bytes = message.encode();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(Message::decode(&bytes).is_err());
    }
}

#[test]
fn a_message_stands_as_specified() {
    let message = Message {
        id: 300,
        kind: MessageKind::Sync,
        sender: AgentId(3),
        receiver: Some(AgentId(5)),
        topic: "agent.5.sync".to_owned(),
        version: [Dot {
            agent: AgentId(1),
            sequence: 7,
        }]
        .into_iter()
        .collect(),
        at: Timestamp { micros: 1, logical: 0 },
        body: vec![9, 9],
    };
    let bytes = message.encode();
    // magic, kind, id, sender, receiver + 1, time, logical, one entry, its agent and sequence, length of the body, body
    assert_eq!(
        bytes[..bytes.len() - 8],
        [b'e', b'q', b'm', 1, 1, 0xac, 0x02, 3, 6, 1, 0, 1, 1, 7, 2, 9, 9]
    );
    assert_eq!(
        bytes[bytes.len() - 8..],
        blake3::hash(&bytes[..bytes.len() - 8]).as_bytes()[..8]
    );
}

#[test]
fn what_is_too_long_is_not_looked_at() {
    let long = vec![0u8; MAX_MESSAGE + (1 << 21) + 1];
    assert!(matches!(Message::decode(&long), Err(eqmesh_replica::Fault::Limit(_))));
}
