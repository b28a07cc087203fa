//! A figure that was measured, and what it should be.

use serde::{Deserialize, Serialize};

/// The middle one of some figures; of an even number, the greater of the two. Panics if there are none. O(n log n).
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// On which side of its target a figure should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// Less, or the same.
    AtMost,
    /// More, or the same.
    AtLeast,
}

/// A figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What was measured, on what, of whom: parts from the general to the particular, with slashes between them.
    pub name: String,
    /// How much it is.
    pub value: f64,
    /// Of what.
    pub unit: String,
    /// What it should be, in the same unit; none where it is only told.
    pub target: Option<f64>,
    /// Which side of the target is good.
    pub bound: Option<Bound>,
    /// Whether it is there.
    pub holds: Option<bool>,
}

impl Row {
    /// A figure without a target.
    pub fn told(name: impl Into<String>, value: f64, unit: &str) -> Row {
        Row {
            name: name.into(),
            value,
            unit: unit.to_owned(),
            target: None,
            bound: None,
            holds: None,
        }
    }

    /// With the most that it should be.
    #[must_use]
    pub fn at_most(self, target: f64) -> Row {
        Row {
            target: Some(target),
            bound: Some(Bound::AtMost),
            holds: Some(self.value <= target),
            ..self
        }
    }

    /// With the least that it should be.
    #[must_use]
    pub fn at_least(self, target: f64) -> Row {
        Row {
            target: Some(target),
            bound: Some(Bound::AtLeast),
            holds: Some(self.value >= target),
            ..self
        }
    }
}
