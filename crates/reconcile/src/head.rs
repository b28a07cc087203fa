//! What eqmesh puts into its sets.

use crate::item::Item;

/// The greatest sequence that a head can tell: 48 bits.
pub const MAX_LAST: u64 = (1 << 48) - 1;

/// How far a replica has got with one agent's facts. The set of a replica's heads, one for each agent of which it has facts, determines its state digest but for
/// collisions of 48 bits, and the heads in the difference of two such sets tell what either side lacks.
///
/// Of an agent that both sides know, both heads are in the difference: the side with the lower sequence lacks the facts above it. Two heads with one sequence and
/// different chains mean that the agent has made two facts under one dot, which can only be reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Head {
    agent: u32,
    last: u64,
    chain: [u8; 6],
}

/// A sequence above [`MAX_LAST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a head has room for 2^48 - 1 facts of an agent, not {0}")]
pub struct HeadTooLarge(pub u64);

impl Head {
    /// The head of an agent whose last fact has a sequence, with the first bytes of the hash over the chain of its facts up to there.
    pub fn new(agent: u32, last: u64, chain: [u8; 6]) -> Result<Head, HeadTooLarge> {
        if last > MAX_LAST {
            return Err(HeadTooLarge(last));
        }
        Ok(Head { agent, last, chain })
    }

    /// Whose facts.
    pub fn agent(&self) -> u32 {
        self.agent
    }

    /// The sequence of the last one.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// The beginning of the hash over the chain of facts up to there.
    pub fn chain(&self) -> [u8; 6] {
        self.chain
    }
}

/// Agent and sequence from the most significant byte on, so that items are in the order of heads; then the chain.
impl From<Head> for Item {
    fn from(head: Head) -> Item {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&head.agent.to_be_bytes());
        bytes[4..10].copy_from_slice(&head.last.to_be_bytes()[2..]);
        bytes[10..].copy_from_slice(&head.chain);
        Item(bytes)
    }
}

/// Every item is a head.
impl From<Item> for Head {
    fn from(item: Item) -> Head {
        let [a0, a1, a2, a3, l0, l1, l2, l3, l4, l5, chain @ ..] = item.0;
        Head {
            agent: u32::from_be_bytes([a0, a1, a2, a3]),
            last: u64::from_be_bytes([0, 0, l0, l1, l2, l3, l4, l5]),
            chain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn heads_and_items_are_the_same_in_the_same_order(agent in any::<u32>(), last in 0..=MAX_LAST, chain in any::<[u8; 6]>(), other in any::<[u8; 16]>()) {
            let head = Head::new(agent, last, chain).expect("in range");
            prop_assert_eq!(Head::from(Item::from(head)), head);
            prop_assert_eq!(Item::from(Head::from(Item(other))), Item(other));
            prop_assert_eq!(Item::from(head).cmp(&Item(other)), head.cmp(&Head::from(Item(other))));
        }

        #[test]
        fn longer_sequences_are_refused(last in MAX_LAST + 1..) {
            prop_assert_eq!(Head::new(1, last, [0; 6]), Err(HeadTooLarge(last)));
        }
    }
}
