//! Many seeds of one scenario.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Report, Simulation};

/// A range of seeds, written as `0..20000`: the last is not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seeds(pub Range<u64>);

impl fmt::Display for Seeds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}..{}", self.0.start, self.0.end)
    }
}

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Seeds, String> {
        let range = text
            .split_once("..")
            .and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
        match range {
            Some(range) if range.start < range.end => Ok(Seeds(range)),
            _ => Err(format!("seeds are written as 0..1000, not `{text}`")),
        }
    }
}

/// What many seeds came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sweep {
    /// How many were run up to the first that fails; all, if none does.
    pub runs: u64,
    /// The report of the least seed that fails.
    pub failed: Option<Report>,
    /// The longest lag, in ticks, and the seed that has it.
    pub longest: (u64, u64),
    /// Over all runs that hold.
    pub messages: u64,
    /// Over all runs that hold.
    pub crashes: u64,
    /// How often agents replaced what they had stored, as facts had been compacted.
    pub shortened: u64,
}

impl Simulation {
    /// Runs these seeds on so many threads, and ends with the least seed that fails. The outcome does not depend on the number of threads. `progress` is
    /// told the number of runs so far, from any thread.
    pub fn sweep(&self, seeds: &Seeds, threads: usize, progress: impl Fn(u64) + Sync) -> Sweep {
        let next = AtomicU64::new(seeds.0.start);
        let failing = AtomicU64::new(u64::MAX);
        let done = AtomicU64::new(0);
        let work = || {
            let mut reports = Vec::new();
            loop {
                // Not beyond the end, which may be the greatest number.
                let after = |seed| (seed < seeds.0.end).then(|| seed + 1);
                let taken = next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, after);
                let Some(seed) = taken.ok().filter(|seed| *seed <= failing.load(Ordering::Relaxed)) else {
                    return reports;
                };
                let report = self.run(seed);
                if !report.holds() {
                    failing.fetch_min(seed, Ordering::Relaxed);
                }
                let counts = (report.crashes, report.shortened);
                let summary = (seed, report.lag_ticks, report.messages, counts);
                reports.push((summary, (!report.holds()).then_some(report)));
                progress(done.fetch_add(1, Ordering::Relaxed) + 1);
            }
        };
        let mut all: Vec<_> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
            let joined = workers.into_iter().map(|worker| match worker.join() {
                Ok(reports) => reports,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            joined.flatten().collect()
        });
        all.sort_unstable_by_key(|((seed, ..), _)| *seed);
        let mut sweep = Sweep::default();
        for ((seed, lag, messages, (crashes, shortened)), failed) in all {
            sweep.runs += 1;
            if failed.is_some() {
                sweep.failed = failed;
                break;
            }
            sweep.longest = sweep.longest.max((lag, seed));
            sweep.messages += messages;
            sweep.crashes += crashes;
            sweep.shortened += shortened;
        }
        sweep
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scenario;

    #[test]
    fn the_greatest_seeds_are_run_once_each() {
        let simulation = Simulation::new(Scenario {
            agents: 1,
            ..Scenario::default()
        });
        let seeds = Seeds(u64::MAX - 2..u64::MAX);
        let sweep = simulation.expect("it makes sense").sweep(&seeds, 2, |_| {});
        assert_eq!((sweep.runs, sweep.failed), (2, None));
    }

    #[test]
    fn a_range_is_read_as_it_was_written() {
        assert_eq!("5..9".parse(), Ok(Seeds(5..9)));
        assert_eq!(Seeds(5..9).to_string(), "5..9");
        for text in ["", "5", "9..5", "5..5", "a..b", "..5"] {
            assert!(text.parse::<Seeds>().is_err(), "{text}");
        }
    }
}
