//! A hybrid logical clock: Kulkarni, Demirbas, Madappa, Avva, Leone, "Logical Physical Clocks", OPODIS 2014.

/// A point of a hybrid logical clock. Ordered: if one event could have caused another, its timestamp is the smaller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// The greatest physical time seen so far, in microseconds.
    pub micros: u64,
    /// Orders what has the same `micros`.
    pub logical: u32,
}

impl Timestamp {
    /// The least timestamp above this one; the greatest of all stays.
    fn next(self) -> Timestamp {
        match (self.logical.checked_add(1), self.micros.checked_add(1)) {
            (Some(logical), _) => Timestamp { logical, ..self },
            (None, Some(micros)) => Timestamp { micros, logical: 0 },
            (None, None) => self,
        }
    }
}

/// The clock of one log.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    /// None before the first event.
    pub(crate) last: Option<Timestamp>,
}

impl Clock {
    /// The time of the next event: the least timestamp that is not before the physical time and after both the clock's last one and
    /// `heard`, which came with a message. So it never runs back, whatever `now` does. O(1).
    pub(crate) fn tick(&mut self, now: u64, heard: Option<Timestamp>) -> Timestamp {
        let physical = Timestamp {
            micros: now,
            logical: 0,
        };
        let at = match self.last.max(heard) {
            Some(known) => physical.max(known.next()),
            None => physical,
        };
        self.last = Some(at);
        at
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn at(micros: u64, logical: u32) -> Timestamp {
        Timestamp { micros, logical }
    }

    const LAST: Timestamp = at(u64::MAX, u32::MAX);

    #[test]
    fn the_clock_follows_physical_time_and_counts_where_that_stands() {
        let mut clock = Clock::default();
        let stamps = [0, 1_000, 1_000, 2_000, 500].map(|now| clock.tick(now, None));
        assert_eq!(
            stamps,
            [at(0, 0), at(1_000, 0), at(1_000, 1), at(2_000, 0), at(2_000, 1)]
        );
    }

    #[test]
    fn the_clock_moves_past_what_it_hears() {
        let mut clock = Clock::default();
        assert_eq!(clock.tick(1_000, Some(at(9_000, 4))), at(9_000, 5));
        assert_eq!(clock.tick(1_001, None), at(9_000, 6));
        // An older message does not matter; one as far ahead counts by the greater logical part.
        assert_eq!(clock.tick(1_002, Some(at(8_000, 99))), at(9_000, 7));
        assert_eq!(clock.tick(1_003, Some(at(9_000, 20))), at(9_000, 21));
        assert_eq!(clock.tick(10_000, Some(at(9_000, 99))), at(10_000, 0));
    }

    #[test]
    fn a_full_logical_part_carries() {
        let mut clock = Clock::default();
        assert_eq!(clock.tick(0, Some(at(5, u32::MAX))), at(6, 0));
        assert_eq!(clock.tick(0, Some(LAST)), LAST, "nothing is later");
        assert_eq!(clock.tick(1, None), LAST);
    }

    fn timestamp() -> impl Strategy<Value = Timestamp> {
        (0_u64..20, 0_u32..20).prop_map(|(micros, logical)| at(micros, logical))
    }

    proptest! {
        #[test]
        fn time_only_grows_and_stays_close(steps in prop::collection::vec((0_u64..20, prop::option::of(timestamp())), 1..50)) {
            let mut clock = Clock::default();
            let mut last = None;
            let mut furthest = 0;
            for (now, heard) in steps {
                let stamp = clock.tick(now, heard);
                prop_assert!(Some(stamp) > last.max(heard));
                furthest = heard.map_or(now, |heard| heard.micros.max(now)).max(furthest);
                prop_assert_eq!(stamp.micros, furthest, "the physical part is the greatest physical time seen");
                last = Some(stamp);
            }
        }
    }
}
