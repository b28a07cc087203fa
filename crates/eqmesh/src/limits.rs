//! What may end a run before its program does.

use std::time::Duration;

use serde::Serialize;

/// Limits on top of what the program says. A limit pauses deriving; questions are still answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Rounds in all.
    pub rounds: Option<u64>,
    /// E-nodes: no round may bring the e-graph above this.
    pub nodes: Option<u64>,
    /// Matches looked at, in all.
    pub matches: Option<u64>,
    /// Wall time; the round under way when it is over still ends.
    pub time: Option<Duration>,
}

/// Why deriving ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stop {
    /// Nothing more can be derived by the rules that ran last.
    Saturated,
    /// All rounds that were asked for are done, or the limit of rounds is reached.
    Rounds,
    /// The limit of e-nodes.
    Nodes,
    /// The limit of matches.
    Matches,
    /// The limit of time.
    Time,
    /// The user pressed Ctrl-C.
    Interrupted,
}

impl Stop {
    /// In words, after "stopped: ".
    pub fn text(self) -> &'static str {
        match self {
            Stop::Saturated => "saturated",
            Stop::Rounds => "all rounds are done",
            Stop::Nodes => "the limit of e-nodes is reached",
            Stop::Matches => "the limit of matches is reached",
            Stop::Time => "the time is over",
            Stop::Interrupted => "interrupted",
        }
    }
}
