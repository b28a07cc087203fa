//! Faults: what goes wrong between agents and with them, and when.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use eqmesh_replica::AgentId;

use crate::span::{Span, range};

/// How long a message travels.
///
/// Written as `20ms`, `5ms..50ms` (evenly spread) or `exp:20ms` (exponentially distributed with this mean, at most ten times it).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delay {
    /// Evenly spread between two spans, both included.
    Even(Span, Span),
    /// Exponentially distributed with this mean, cut off at ten times the mean.
    Exponential(Span),
}

impl fmt::Display for Delay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Delay::Even(from, to) if from == to => from.fmt(formatter),
            Delay::Even(from, to) => write!(formatter, "{from}..{to}"),
            Delay::Exponential(mean) => write!(formatter, "exp:{mean}"),
        }
    }
}

impl FromStr for Delay {
    type Err = String;

    fn from_str(text: &str) -> Result<Delay, String> {
        if let Some(mean) = text.strip_prefix("exp:") {
            return Ok(Delay::Exponential(mean.parse()?));
        }
        let (from, to) = range(text).unwrap_or((text, text));
        let (from, to): (Span, Span) = (from.parse()?, to.parse()?);
        if from > to {
            return Err(format!("a delay of `{text}` ends before it begins"));
        }
        Ok(Delay::Even(from, to))
    }
}

/// For some time, no message passes between agents of different groups. An agent in no group is in one with all others of that sort.
///
/// Written as `5s..20s:0-2|3,4`: from, until, and groups of numbers. `random` stands for two groups, drawn from the seed, for a time drawn from the
/// seed in the first thirty ticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Partition {
    /// As it says.
    Scheduled {
        /// From this time on,
        from: Span,
        /// until this one.
        until: Span,
        /// Numbers of agents.
        groups: Vec<BTreeSet<u32>>,
    },
    /// Drawn from the seed.
    Random,
}

fn write_numbers(formatter: &mut fmt::Formatter<'_>, numbers: &BTreeSet<u32>) -> fmt::Result {
    let mut separator = "";
    let mut rest = numbers.iter().copied().peekable();
    while let Some(first) = rest.next() {
        let mut last = first;
        while rest.next_if_eq(&(last + 1)).is_some() {
            last += 1;
        }
        match last - first {
            0 => write!(formatter, "{separator}{first}")?,
            _ => write!(formatter, "{separator}{first}-{last}")?,
        }
        separator = ",";
    }
    Ok(())
}

fn read_numbers(text: &str) -> Result<BTreeSet<u32>, String> {
    let number = |text: &str| match text.parse::<u32>() {
        Ok(number) if number <= AgentId::MAX_NUMBER => Ok(number),
        _ => Err(format!("`{text}` is no number of an agent")),
    };
    let mut numbers = BTreeSet::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        numbers.extend(number(first)?..=number(last)?);
    }
    Ok(numbers)
}

impl fmt::Display for Partition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Partition::Scheduled { from, until, groups } = self else {
            return formatter.write_str("random");
        };
        write!(formatter, "{from}..{until}")?;
        let mut separator = ":";
        for group in groups {
            formatter.write_str(separator)?;
            write_numbers(formatter, group)?;
            separator = "|";
        }
        Ok(())
    }
}

impl FromStr for Partition {
    type Err = String;

    fn from_str(text: &str) -> Result<Partition, String> {
        if text == "random" {
            return Ok(Partition::Random);
        }
        let form = || format!("a partition is written as 5s..20s:0-2|3,4 or random, not `{text}`");
        let (time, groups) = text.split_once(':').ok_or_else(form)?;
        let (from, until) = range(time).ok_or_else(form)?;
        let (from, until): (Span, Span) = (from.parse()?, until.parse()?);
        if from >= until {
            return Err(format!("the partition `{text}` ends before it begins"));
        }
        let groups = groups.split('|').map(read_numbers).collect::<Result<Vec<_>, _>>()?;
        let mut seen = BTreeSet::new();
        if let Some(twice) = groups.iter().flatten().find(|number| !seen.insert(**number)) {
            return Err(format!("agent {twice} is in two groups of `{text}`"));
        }
        Ok(Partition::Scheduled { from, until, groups })
    }
}

/// With what an agent comes back after a crash. It always comes back as another incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Recovery {
    /// With all that it stored.
    Durable,
    /// With an earlier state of its store: a backup, say.
    Old,
    /// With nothing.
    Nothing,
}

impl Recovery {
    /// All of them.
    pub const ALL: [Recovery; 3] = [Recovery::Durable, Recovery::Old, Recovery::Nothing];

    fn name(self) -> &'static str {
        match self {
            Recovery::Durable => "durable",
            Recovery::Old => "old",
            Recovery::Nothing => "none",
        }
    }
}

impl FromStr for Recovery {
    type Err = String;

    fn from_str(text: &str) -> Result<Recovery, String> {
        Recovery::ALL.into_iter().find(|own| own.name() == text).ok_or_else(|| {
            format!("an agent comes back with its `durable` state, an `old` one or `none`, not with `{text}`")
        })
    }
}

/// An agent stops at once, and comes back later or never.
///
/// Written as `2@10s..15s:old` (agent 2, from, until, with what: `durable`, the default, `old` or `none`), `2@10s` (for ever), or `0.02/s` (so often, on
/// average, for each agent and second of the first thirty ticks, each for some ticks), `0.02/s:none` (the same, always with nothing).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Crash {
    /// As it says.
    Scheduled {
        /// Which agent.
        agent: u32,
        /// When it stops.
        from: Span,
        /// When it comes back, if it does.
        until: Option<Span>,
        /// With what.
        recovery: Recovery,
    },
    /// Drawn from the seed.
    Random {
        /// How often, for each agent and second of virtual time.
        rate: f64,
        /// With what; drawn from the seed if it is not said.
        recovery: Option<Recovery>,
    },
}

impl fmt::Display for Crash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Crash::Scheduled {
                agent,
                from,
                until,
                recovery,
            } => {
                write!(formatter, "{agent}@{from}")?;
                match until {
                    Some(until) => write!(formatter, "..{until}:{}", recovery.name()),
                    None => Ok(()),
                }
            }
            Crash::Random { rate, recovery } => {
                write!(formatter, "{rate}/s")?;
                recovery.map_or(Ok(()), |recovery| write!(formatter, ":{}", recovery.name()))
            }
        }
    }
}

impl FromStr for Crash {
    type Err = String;

    fn from_str(text: &str) -> Result<Crash, String> {
        let form = || format!("a crash is written as 2@10s..15s:durable, 2@10s or 0.02/s, not `{text}`");
        let (when, recovery) = match text.split_once(':') {
            Some((when, recovery)) => (when, Some(recovery.parse::<Recovery>()?)),
            None => (text, None),
        };
        if let Some(rate) = when.strip_suffix("/s") {
            let rate: f64 = rate.parse().map_err(|_| form())?;
            if !(0.0..=1.0).contains(&rate) {
                return Err(format!("an agent crashes 0 to 1 times a second, not `{rate}`"));
            }
            return Ok(Crash::Random { rate, recovery });
        }
        let (agent, time) = when.split_once('@').ok_or_else(form)?;
        let agent = agent.parse().map_err(|_| form())?;
        let (from, until) = match range(time) {
            Some((from, until)) => (from.parse()?, Some(until.parse::<Span>()?)),
            None => (time.parse::<Span>()?, None),
        };
        if until.is_some_and(|until| until <= from) {
            return Err(format!("the crash `{text}` ends before it begins"));
        }
        if until.is_none() && recovery.is_some() {
            return Err(format!("the crash `{text}` does not say when the agent comes back"));
        }
        Ok(Crash::Scheduled {
            agent,
            from,
            until,
            recovery: recovery.unwrap_or(Recovery::Durable),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written as it was read.
    fn same<T: FromStr<Err = String> + fmt::Display>(texts: &[&str]) {
        for text in texts {
            match text.parse::<T>() {
                Ok(read) => assert_eq!(read.to_string(), *text),
                Err(error) => panic!("{text}: {error}"),
            }
        }
    }

    fn refused<T: FromStr<Err = String> + fmt::Debug>(texts: &[&str]) {
        for text in texts {
            assert!(text.parse::<T>().is_err(), "{text}");
        }
    }

    #[test]
    fn faults_are_read_as_they_are_written() {
        same::<Delay>(&["20ms", "5ms..50ms", "exp:20ms"]);
        same::<Partition>(&["5s..20s:0-2|3-4", "1s..2s:7", "1s..1m:0,2-4|1|5", "random"]);
        same::<Crash>(&[
            "2@10s..15s:old",
            "2@10s..15s:durable",
            "0@1ms..2ms:none",
            "2@10s",
            "0.02/s",
            "0.5/s:none",
        ]);
        assert_eq!("2@1s..2s".parse::<Crash>().unwrap().to_string(), "2@1s..2s:durable");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        refused::<Delay>(&["", "5", "9ms..5ms", "exp:", "..5ms"]);
        refused::<Partition>(&[
            "",
            "5s..20s",
            "20s..5s:0|1",
            "5s..20s:0|0",
            "5s..20s:0|x",
            "5s..20s:70000",
            "5s:0|1",
        ]);
        refused::<Crash>(&[
            "",
            "2",
            "2@",
            "2@5s..5s",
            "2@5s:none",
            "x@5s",
            "2/s",
            "-1/s",
            "0.1/s:some",
            "2@1s..2s:new",
        ]);
    }
}
