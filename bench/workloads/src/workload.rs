//! The workloads: a rule set, terms, a number of rounds, and the counts that every engine must come to.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// The shipped file.
const FILE: &str = include_str!("../../workloads.json");

/// A rule.
#[derive(Clone, Debug, Deserialize)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// What it matches; variables begin with `?`.
    pub lhs: String,
    /// What that is equal to.
    pub rhs: String,
}

#[derive(Debug, Deserialize)]
struct Ruleset {
    rules: Vec<Rule>,
}

/// What both peers come to.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub struct Expected {
    /// E-nodes, canonical and without duplicates.
    pub enodes: u64,
    /// E-classes.
    pub eclasses: u64,
    /// Rounds until nothing changes, or as many as there are.
    pub iterations: u64,
}

#[derive(Debug, Deserialize)]
struct Entry {
    name: String,
    ruleset: String,
    terms: Vec<String>,
    iterations: u64,
    expect: Outcome,
}

#[derive(Debug, Deserialize)]
struct Outcome {
    #[serde(flatten)]
    counts: Expected,
    saturates: bool,
}

#[derive(Debug, Deserialize)]
struct Document {
    rulesets: BTreeMap<String, Ruleset>,
    workloads: Vec<Entry>,
}

/// One workload.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Its name.
    pub name: String,
    /// All its rules.
    pub rules: Vec<Rule>,
    /// What the e-graph begins with.
    pub terms: Vec<String>,
    /// The most rounds.
    pub iterations: u64,
    /// What it must come to.
    pub expected: Expected,
    /// Whether it comes to an end before its rounds do.
    pub saturates: bool,
}

impl Workload {
    /// The workload of a name.
    pub fn named(name: &str) -> Result<Workload> {
        all()?
            .into_iter()
            .find(|own| own.name == name)
            .with_context(|| format!("no workload `{name}`"))
    }

    /// Its rules and terms as a program.
    pub fn program(&self) -> String {
        let rules = self.rules.iter().map(|rule| {
            let Rule { name, lhs, rhs } = rule;
            format!("(untyped (rewrite {lhs} {rhs} :name {name:?}))\n")
        });
        let terms = self.terms.iter().map(|term| format!("(untyped {term})\n"));
        rules.chain(terms).collect()
    }
}

/// All workloads.
pub fn all() -> Result<Vec<Workload>> {
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
                expected: entry.expect.counts,
                saturates: entry.expect.saturates,
            })
        })
        .collect()
}
