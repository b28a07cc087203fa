//! What this process has used, as Linux counts it.

use std::fs;
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// Nanoseconds on a processor, all threads.
fn cpu_nanos() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The peak of resident memory so far, in bytes.
fn peak_rss() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// What a saturation took: from the start of the first round to the end of the last.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Used {
    /// On a processor, all threads, in seconds.
    pub cpu_s: f64,
    /// In seconds.
    pub wall_s: f64,
    /// Of the process, up to then.
    pub peak_rss_bytes: u64,
}

/// Counts from a start.
pub struct Clock {
    cpu: u64,
    wall: Instant,
}

impl Clock {
    /// Now.
    pub fn start() -> Clock {
        Clock {
            cpu: cpu_nanos(),
            wall: Instant::now(),
        }
    }

    /// Since then.
    pub fn stop(&self) -> Used {
        Used {
            cpu_s: cpu_nanos().saturating_sub(self.cpu) as f64 / 1e9,
            wall_s: self.wall.elapsed().as_secs_f64(),
            peak_rss_bytes: peak_rss(),
        }
    }
}

/// One run.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// E-nodes, canonical and without duplicates.
    pub enodes: u64,
    /// E-classes.
    pub eclasses: u64,
    /// Rounds.
    pub iterations: u64,
    /// Where the engine counts them.
    pub matches: Option<u64>,
    /// What it took.
    #[serde(flatten)]
    pub used: Used,
}
