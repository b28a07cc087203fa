//! The roster: who takes part, as a state that every agent holds and that is joined by maximum.
//!
//! Of every number the roster keeps one [`Claim`], the greatest that was heard. Claims are totally ordered, so that rosters are joined number by
//! number, in any order, any number of times, with one result. That lets any agent speak for any other: who finds a member lost says so with a
//! greater claim, and the member, if it is alive after all, says that with a greater one still (Das et al., "SWIM", DSN 2002).

use std::collections::BTreeMap;

use eqmesh_replica::wire::{Reader, put};
use eqmesh_replica::{AgentId, Fault};

/// Where the holder of a number stands in its life, as all are told. Suspicion is not told: it is everybody's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Life {
    /// It is catching up, and has no share yet.
    Joining,
    /// It takes part.
    #[default]
    Active,
    /// It has left, or was found lost.
    Left,
}

/// Who holds a number, and where it stands. Ordered by incarnation, session, term and life, in this order: whoever was started later wins over its
/// predecessor whatever that has said in the meantime, and need not know it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Claim {
    /// Which incarnation of the number (see [`AgentId`]).
    pub incarnation: u16,
    /// A number that the host draws at random when it starts the agent: tells apart two that were started as one incarnation. The default, 0, is
    /// that of a founder of whom nothing else is known.
    pub session: u64,
    /// Counts how often the holder has spoken up after it was found lost.
    pub term: u32,
    /// Where it stands.
    pub life: Life,
}

impl Claim {
    /// Whether both are of one run of one agent.
    pub fn is_same_run(self, other: Claim) -> bool {
        (self.incarnation, self.session) == (other.incarnation, other.session)
    }

    /// Appends it, as `docs/wire-format.md` says.
    pub fn put(self, bytes: &mut Vec<u8>) {
        put(bytes, u64::from(self.incarnation));
        put(bytes, self.session);
        put(bytes, u64::from(self.term));
        bytes.push(self.life as u8);
    }

    /// Reads what [`Claim::put`] appended.
    pub fn read(reader: &mut Reader<'_>) -> Result<Claim, Fault> {
        let incarnation = reader.varint()?;
        Ok(Claim {
            incarnation: u16::try_from(incarnation).map_err(|_| reader.malformed("an incarnation is too large"))?,
            session: reader.varint()?,
            term: reader.small()?,
            life: match reader.byte()? {
                0 => Life::Joining,
                1 => Life::Active,
                2 => Life::Left,
                _ => return Err(reader.malformed("a claim is of no known kind")),
            },
        })
    }
}

/// The claim of one number, as it travels.
pub type RosterEntry = (u32, Claim);

/// The claims of all numbers. A founder of whom nothing was heard is active, with the least claim; only what is greater takes memory.
#[derive(Clone, Debug)]
pub struct Roster {
    founders: u32,
    /// With the revision in which each came here.
    claims: BTreeMap<u32, (Claim, u64)>,
    by_revision: BTreeMap<u64, u32>,
    revision: u64,
}

/// What the roster holds does not depend on the way in which it came about; the revisions do.
impl PartialEq for Roster {
    fn eq(&self, other: &Roster) -> bool {
        self.founders == other.founders && self.entries().eq(other.entries())
    }
}

impl Eq for Roster {}

impl Roster {
    /// The roster of a network that was founded with the numbers below `founders`.
    pub fn new(founders: u32) -> Roster {
        Roster {
            founders: founders.min(AgentId::MAX_NUMBER + 1),
            claims: BTreeMap::new(),
            by_revision: BTreeMap::new(),
            revision: 0,
        }
    }

    /// The claim of a number; none if nobody ever held it. O(log n).
    pub fn get(&self, number: u32) -> Option<Claim> {
        let heard = self.claims.get(&number).map(|&(claim, _)| claim);
        heard.or_else(|| (number < self.founders).then(Claim::default))
    }

    /// Joins a claim. Answers whether it was news. A number that no agent can have is ignored. O(log n).
    pub fn join_claim(&mut self, number: u32, claim: Claim) -> bool {
        if number > AgentId::MAX_NUMBER || self.get(number).is_some_and(|known| known >= claim) {
            return false;
        }
        self.revision += 1;
        if let Some((_, revision)) = self.claims.insert(number, (claim, self.revision)) {
            self.by_revision.remove(&revision);
        }
        self.by_revision.insert(self.revision, number);
        true
    }

    /// Joins another roster: associative, commutative, idempotent, for networks of one founding.
    pub fn join(&mut self, other: &Roster) {
        for (number, claim) in other.entries() {
            self.join_claim(number, claim);
        }
    }

    /// All claims but those of founders of whom nothing was heard, by number.
    pub fn entries(&self) -> impl Iterator<Item = RosterEntry> {
        self.claims.iter().map(|(&number, &(claim, _))| (number, claim))
    }

    /// Counts the changes.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// At most `limit` claims that came after a revision, and the revision up to which these are all. O(answer).
    pub fn since(&self, revision: u64, limit: usize) -> (Vec<RosterEntry>, u64) {
        let newer = self.by_revision.range(revision.saturating_add(1)..).take(limit);
        let mut upto = revision;
        let entries = newer.map(|(&revision, number)| {
            upto = revision;
            (*number, self.claims[number].0)
        });
        (entries.collect(), upto)
    }

    /// Appends all but how many founded it, in the order of revisions.
    pub(crate) fn put(&self, bytes: &mut Vec<u8>) {
        put(bytes, self.revision);
        put(bytes, self.by_revision.len() as u64);
        let mut before = 0;
        for (&revision, number) in &self.by_revision {
            put(bytes, revision - before);
            before = revision;
            put(bytes, u64::from(*number));
            self.claims[number].0.put(bytes);
        }
    }

    /// Reads what [`Roster::put`] appended.
    pub(crate) fn read(founders: u32, reader: &mut Reader<'_>) -> Result<Roster, Fault> {
        let mut roster = Roster::new(founders);
        let last = reader.counter()?;
        for _ in 0..reader.count()? {
            // Joining it makes the revision one greater.
            let skipped = reader.varint()?.checked_sub(1);
            let revision = skipped.and_then(|skipped| roster.revision.checked_add(skipped));
            roster.revision = revision
                .filter(|&revision| revision < last)
                .ok_or_else(|| reader.malformed("the revisions of a roster are not in order"))?;
            let (number, claim) = (reader.small()?, Claim::read(reader)?);
            if roster.claims.contains_key(&number) || !roster.join_claim(number, claim) {
                return Err(reader.malformed("a claim stands on a roster twice, or not rightly"));
            }
        }
        roster.revision = last;
        Ok(roster)
    }

    /// All numbers that are or ever were held, ascending, with their claims. O(n).
    pub fn numbers(&self) -> impl Iterator<Item = RosterEntry> {
        let founders = (0..self.founders).map(|number| (number, self.get(number).unwrap_or_default()));
        let joined = self.claims.range(self.founders..);
        founders.chain(joined.map(|(&number, &(claim, _))| (number, claim)))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A claim of few kinds, so that they meet.
    pub(crate) fn any_claim() -> impl Strategy<Value = Claim> {
        let life = prop::sample::select(vec![Life::Joining, Life::Active, Life::Left]);
        (0u16..3, 0u64..3, 0u32..3, life).prop_map(|(incarnation, session, term, life)| Claim {
            incarnation,
            session,
            term,
            life,
        })
    }

    fn any_roster() -> impl Strategy<Value = Roster> {
        prop::collection::vec((0u32..6, any_claim()), 0..12).prop_map(|claims| {
            let mut roster = Roster::new(4);
            for (number, claim) in claims {
                roster.join_claim(number, claim);
            }
            roster
        })
    }

    fn joined(mut left: Roster, right: &Roster) -> Roster {
        left.join(right);
        left
    }

    proptest! {
        #[test]
        fn joining_is_associative_commutative_and_idempotent(a in any_roster(), b in any_roster(), c in any_roster()) {
            prop_assert_eq!(joined(joined(a.clone(), &b), &c), joined(a.clone(), &joined(b.clone(), &c)));
            prop_assert_eq!(joined(a.clone(), &b), joined(b.clone(), &a));
            prop_assert_eq!(joined(a.clone(), &a), a);
        }

        #[test]
        fn a_join_is_above_both(a in any_roster(), b in any_roster()) {
            let whole = joined(a.clone(), &b);
            for number in 0..6 {
                prop_assert_eq!(whole.get(number), a.get(number).max(b.get(number)));
            }
        }

        #[test]
        fn changes_are_told_in_pages_and_bring_the_same(a in any_roster(), limit in 1usize..4) {
            let mut other = Roster::new(4);
            let mut told = 0;
            loop {
                let (page, upto) = a.since(told, limit);
                prop_assert!(page.len() <= limit);
                if page.is_empty() {
                    break;
                }
                for (number, claim) in page {
                    other.join_claim(number, claim);
                }
                told = upto;
            }
            prop_assert_eq!(told, a.revision());
            prop_assert_eq!(other, a);
        }
    }

    #[test]
    fn numbers_that_nobody_can_have_are_ignored() {
        let mut roster = Roster::new(3);
        for number in [AgentId::MAX_NUMBER + 1, u32::MAX] {
            assert!(!roster.join_claim(
                number,
                Claim {
                    session: 1,
                    ..Claim::default()
                }
            ));
        }
        assert!(roster.join_claim(AgentId::MAX_NUMBER, Claim::default()));
        assert_eq!(roster.numbers().count(), 4);
    }
}
