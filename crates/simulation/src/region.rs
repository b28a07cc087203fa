//! Regions: agents that are near to each other, and how far regions are apart.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::fault::Delay;

/// Why a file of regions cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RegionError {
    /// It is not of the form that is expected.
    #[error("{0}")]
    Form(#[from] toml::de::Error),
    /// A delay cannot be read.
    #[error("from {from} to {to}: {why}")]
    Delay {
        /// The region that a message leaves.
        from: String,
        /// The region that it goes to.
        to: String,
        /// What is wrong.
        why: String,
    },
    /// A pair of regions without delay.
    #[error("how long is it from {from} to {to}? `latency` of {from} does not say, nor that of {to}")]
    Missing {
        /// One region.
        from: String,
        /// The other.
        to: String,
    },
    /// A share that is none.
    #[error("the share of {name} is {share}: shares are above 0")]
    Share {
        /// The region.
        name: String,
        /// Its share.
        share: f64,
    },
    /// Two regions of one name, or none at all.
    #[error("regions need different names, and there must be at least one")]
    Names,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    /// Of all agents, in relation to the other shares.
    share: f64,
    /// From here to the region of that name.
    latency: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    region: Vec<Entry>,
}

/// Regions, each with a share of the agents.
///
/// ```
/// let regions: eqmesh_simulation::Regions = r#"
///     [[region]]
///     name = "frankfurt"
///     share = 2
///     latency = { frankfurt = "500us..2ms", oregon = "70ms..90ms" }
///
///     [[region]]
///     name = "oregon"
///     share = 1
///     latency = { oregon = "1ms" }
/// "#.parse().unwrap();
/// assert_eq!(regions.delay(0, 8, 9).to_string(), "70ms..90ms");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Regions {
    names: Vec<String>,
    /// Where each region's agents end, as a part of all.
    ends: Vec<f64>,
    /// From the one region to the other.
    delays: Vec<Vec<Delay>>,
}

impl std::str::FromStr for Regions {
    type Err = RegionError;

    /// Reads TOML: a table `region` for each, with `name`, `share` (in relation to the others) and `latency` (a [`Delay`] for each region; what is not said
    /// one way is the same as the other way).
    fn from_str(text: &str) -> Result<Regions, RegionError> {
        let Document { region: entries } = toml::from_str(text)?;
        let names: Vec<String> = entries.iter().map(|entry| entry.name.clone()).collect();
        let distinct: std::collections::BTreeSet<&String> = names.iter().collect();
        if names.is_empty() || distinct.len() != names.len() {
            return Err(RegionError::Names);
        }
        let mut ends = Vec::new();
        let mut end = 0.0;
        for entry in &entries {
            if !(entry.share > 0.0 && entry.share.is_finite()) {
                return Err(RegionError::Share {
                    name: entry.name.clone(),
                    share: entry.share,
                });
            }
            end += entry.share;
            ends.push(end);
        }
        ends.iter_mut().for_each(|own| *own /= end);
        let delay = |from: &Entry, to: &Entry| {
            let text = from.latency.get(&to.name).or_else(|| to.latency.get(&from.name));
            let (from, to) = (from.name.clone(), to.name.clone());
            match text {
                Some(text) => text.parse().map_err(|why| RegionError::Delay { from, to, why }),
                None => Err(RegionError::Missing { from, to }),
            }
        };
        let row = |from: &Entry| entries.iter().map(|to| delay(from, to)).collect();
        let delays = entries.iter().map(row).collect::<Result<_, RegionError>>()?;
        Ok(Regions { names, ends, delays })
    }
}

impl Regions {
    /// The names, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The region of an agent of so many: the first agents are in the first region.
    pub fn region_of(&self, agent: u32, agents: u32) -> usize {
        let place = (f64::from(agent) + 0.5) / f64::from(agents.max(1));
        self.ends.partition_point(|&end| end <= place).min(self.names.len() - 1)
    }

    /// How long a message travels between two agents of so many.
    pub fn delay(&self, from: u32, to: u32, agents: u32) -> Delay {
        self.delays[self.region_of(from, agents)][self.region_of(to, agents)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_divided_as_the_shares_say() {
        let text = "[[region]]\nname = 'a'\nshare = 0.2\nlatency = { a = '1ms', b = '2ms' }\n\
                    [[region]]\nname = 'b'\nshare = 0.8\nlatency = { b = '3ms' }";
        let regions: Regions = text.parse().unwrap();
        let counts = (0..10).filter(|&agent| regions.region_of(agent, 10) == 0).count();
        assert_eq!(counts, 2);
        assert_eq!(regions.delay(9, 0, 10).to_string(), "2ms", "the same both ways");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let cases = [
            (
                "[[region]]\nname = 'a'\nshare = 1\nlatency = {}",
                "how long is it from a to a?",
            ),
            (
                "[[region]]\nname = 'a'\nshare = 1\nlatency = { a = '1x' }",
                "no span of time",
            ),
            (
                "[[region]]\nname = 'a'\nshare = 0\nlatency = { a = '1ms' }",
                "shares are above 0",
            ),
            ("[[region]]\nname = 'a'\nlatency = { a = '1ms' }", "share"),
            ("region = []", "at least one"),
        ];
        for (text, expected) in cases {
            let error = text.parse::<Regions>().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
