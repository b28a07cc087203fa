//! How likely an agent of whom nothing was heard for some time is lost: the phi-accrual failure detector of Hayashibara, Défago, Yared and Katayama
//! (SRDS 2004). There is no fixed timeout: what is long depends on how regularly the agent was heard before.

use std::collections::VecDeque;

use eqmesh_replica::Fault;
use eqmesh_replica::wire::{Reader, put};

/// From this phi on an agent counts as suspected, for whoever does the counting.
pub const SUSPECTED: f64 = 5.0;

/// From this phi on an agent is said to be lost.
pub const LOST: f64 = 12.0;

/// How many intervals are remembered.
const WINDOW: usize = 24;

/// When an agent was heard.
#[derive(Clone, Debug)]
pub(crate) struct Arrivals {
    /// When it was last heard, in microseconds; at first, when it was first waited for.
    last: u64,
    /// The interval at which it is expected, in microseconds.
    expected: u64,
    /// The last intervals, in microseconds.
    intervals: VecDeque<u64>,
}

impl Arrivals {
    /// Of an agent that is waited for from now on, and said to speak up at this interval.
    pub(crate) fn expect(now: u64, expected: u64) -> Arrivals {
        Arrivals {
            last: now,
            expected: expected.max(1),
            intervals: VecDeque::new(),
        }
    }

    /// It was heard. Times that run backwards count as no time.
    pub(crate) fn hear(&mut self, now: u64) {
        if self.intervals.len() == WINDOW {
            self.intervals.pop_front();
        }
        self.intervals
            .push_back(now.saturating_sub(self.last).min(self.longest()));
        self.last = self.last.max(now);
    }

    /// Longer intervals, an outage say, tell nothing about how regular it is otherwise.
    fn longest(&self) -> u64 {
        self.expected.saturating_mul(16)
    }

    /// This agent itself was away for so long, up to `now`: nobody could be heard then.
    pub(crate) fn pass_over(&mut self, away: u64, now: u64) {
        self.last = self.last.max(self.last.saturating_add(away).min(now));
    }

    /// Appends all but the interval at which it is expected.
    pub(crate) fn put(&self, bytes: &mut Vec<u8>) {
        put(bytes, self.last);
        put(bytes, self.intervals.len() as u64);
        self.intervals.iter().for_each(|&interval| put(bytes, interval));
    }

    /// Reads what [`Arrivals::put`] appended.
    pub(crate) fn read(expected: u64, reader: &mut Reader<'_>) -> Result<Arrivals, Fault> {
        let mut arrivals = Arrivals::expect(reader.varint()?, expected);
        let count = reader.count()?;
        if count > WINDOW {
            return Err(reader.malformed("more intervals than are remembered"));
        }
        for _ in 0..count {
            let interval = reader.varint()?;
            if interval > arrivals.longest() {
                return Err(reader.malformed("an interval is too long"));
            }
            arrivals.intervals.push_back(interval);
        }
        Ok(arrivals)
    }

    /// phi = −log₁₀ of the probability that an agent that is well would be heard later than now, the intervals being normally distributed. The
    /// standard deviation counts as at least the expected interval, since messages may be lost; so phi is 12 after some eight intervals. O(1).
    pub(crate) fn phi(&self, now: u64) -> f64 {
        let expected = self.expected as f64;
        // The expected interval counts as observed once, so that the first observations do not decide all.
        let count = self.intervals.len() as f64 + 1.0;
        let sum: f64 = self.intervals.iter().map(|&own| own as f64).sum();
        let mean = (sum + expected) / count;
        let squares = self
            .intervals
            .iter()
            .map(|&own| (own as f64 - mean).powi(2))
            .sum::<f64>();
        let deviation = (squares / count).sqrt().max(expected);
        let waited = now.saturating_sub(self.last) as f64;
        let z = (waited - mean) / deviation;
        // The logistic approximation of the normal distribution's tail, which is monotone and right to 0.0002 (Bowling et al. 2009).
        let exponent = z * (1.5976 + 0.070_566 * z * z);
        // log10(1 + e^x), without overflow for large x.
        if exponent > 30.0 {
            exponent / std::f64::consts::LN_10
        } else {
            exponent.exp().ln_1p() / std::f64::consts::LN_10
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regular(interval: u64, count: u64) -> Arrivals {
        let mut arrivals = Arrivals::expect(0, interval);
        (1..=count).for_each(|at| arrivals.hear(at * interval));
        arrivals
    }

    #[test]
    fn suspicion_grows_with_silence_alone() {
        let arrivals = regular(1_000, 10);
        let phis: Vec<f64> = (10..40).map(|at| arrivals.phi(at * 1_000)).collect();
        assert!(phis.is_sorted(), "{phis:?}");
        assert!(phis[0] < 0.5 && phis[1] < 0.5, "{phis:?}");
        assert!(*phis.last().unwrap() > LOST);
        let crossing = phis.iter().position(|&phi| phi >= LOST).unwrap();
        assert!(
            (6..=10).contains(&crossing),
            "lost after {crossing} intervals of silence"
        );
    }

    #[test]
    fn who_is_heard_irregularly_is_given_longer() {
        let mut irregular = Arrivals::expect(0, 1_000);
        let mut now = 0;
        for at in 0..20u64 {
            now += if at % 2 == 0 { 200 } else { 5_000 };
            irregular.hear(now);
        }
        let regular = regular(1_000, 20);
        assert!(irregular.phi(now + 8_000) < regular.phi(20_000 + 8_000));
    }

    #[test]
    fn the_scale_does_not_matter() {
        let (slow, fast) = (regular(1_000_000, 5), regular(1_000, 5));
        assert!((slow.phi(12_000_000) - fast.phi(12_000)).abs() < 1e-9);
    }

    #[test]
    fn nothing_odd_is_computed_from_odd_times() {
        let mut arrivals = Arrivals::expect(u64::MAX, 0);
        for now in [0, u64::MAX, 5, u64::MAX] {
            arrivals.hear(now);
            assert!(arrivals.phi(now).is_finite());
            assert!(arrivals.phi(u64::MAX).is_finite());
            assert!(arrivals.phi(0) >= 0.0);
        }
    }
}
