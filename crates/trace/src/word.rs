//! The words that stand for kinds and phases in every form: those of the WIT.

use std::fmt;

use eqmesh_timeline::{EventKind, Phase};
use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

/// What has a word for each of its values.
pub trait Vocabulary: Copy + Sized + 'static {
    /// All values.
    const VALUES: &'static [Self];

    /// The word of a value, in lower case with hyphens. No two have the same.
    fn word(self) -> &'static str;
}

impl Vocabulary for EventKind {
    const VALUES: &'static [EventKind] = &EventKind::ALL;

    fn word(self) -> &'static str {
        match self {
            EventKind::Sent => "sent",
            EventKind::Received => "received",
            EventKind::Refused => "refused",
            EventKind::Acknowledged => "acknowledged",
            EventKind::SyncStarted => "sync-started",
            EventKind::SyncCompleted => "sync-completed",
            EventKind::Heartbeat => "heartbeat",
            EventKind::Step => "step",
            EventKind::Certified => "certified",
            EventKind::Converged => "converged",
        }
    }
}

impl Vocabulary for Phase {
    const VALUES: &'static [Phase] = &[Phase::Backfill, Phase::Verify, Phase::Live, Phase::Reconcile];

    fn word(self) -> &'static str {
        match self {
            Phase::Backfill => "backfill",
            Phase::Verify => "verify",
            Phase::Live => "live",
            Phase::Reconcile => "reconcile",
        }
    }
}

/// A value that is written as its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Word<T>(pub T);

impl<T: Vocabulary> fmt::Display for Word<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.word())
    }
}

impl<T: Vocabulary> Serialize for Word<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.word())
    }
}

impl<'de, T: Vocabulary> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Word<T>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let value = T::VALUES.iter().find(|value| value.word() == text);
        value
            .map(|&value| Word(value))
            .ok_or_else(|| Error::custom(format_args!("`{text}` is none of the words for this")))
    }
}
