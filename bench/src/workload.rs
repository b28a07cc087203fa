//! The workloads: a rule set, terms, a number of rounds, and the counts that every engine must come to.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// The shipped file.
const FILE: &str = include_str!("../workloads.json");

/// A rule.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) lhs: String,
    pub(crate) rhs: String,
}

#[derive(Debug, Deserialize)]
struct Ruleset {
    rules: Vec<Rule>,
}

/// What both peers come to.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct Expected {
    /// E-nodes, canonical and without duplicates.
    pub(crate) enodes: u64,
    pub(crate) eclasses: u64,
    pub(crate) iterations: u64,
}

#[derive(Debug, Deserialize)]
struct Entry {
    name: String,
    ruleset: String,
    terms: Vec<String>,
    iterations: u64,
    expect: Expected,
}

#[derive(Debug, Deserialize)]
struct Document {
    rulesets: BTreeMap<String, Ruleset>,
    workloads: Vec<Entry>,
}

/// One workload.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    pub(crate) name: String,
    pub(crate) rules: Vec<Rule>,
    pub(crate) terms: Vec<String>,
    pub(crate) iterations: u64,
    pub(crate) expected: Expected,
}

/// All workloads.
pub(crate) fn all() -> Result<Vec<Workload>> {
    let document: Document = serde_json::from_str(FILE).context("bench/workloads.json")?;
    document
        .workloads
        .into_iter()
        .map(|entry| {
            let ruleset = document.rulesets.get(&entry.ruleset);
            let rules = ruleset
                .with_context(|| format!("{} names no ruleset", entry.name))?
                .rules
                .clone();
            Ok(Workload {
                name: entry.name,
                rules,
                terms: entry.terms,
                iterations: entry.iterations,
                expected: entry.expect,
            })
        })
        .collect()
}
