//! The progress bar: on the standard error, and only if that is a terminal.

use std::time::Duration;

use eqmesh::{Progress, RoundStatus};
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shows how a run goes on.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// `rounds`: how many there can be at most, if that is known.
    pub(crate) fn new(quiet: bool, rounds: Option<u64>) -> Bar {
        let bar = if quiet {
            ProgressBar::hidden()
        } else {
            ProgressBar::with_draw_target(rounds, ProgressDrawTarget::stderr())
        };
        let template = if rounds.is_some() {
            "{spinner} round {pos}/{len} [{bar:20}] {elapsed} {msg}"
        } else {
            "{spinner} round {pos} {elapsed} {msg}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Bar(bar)
    }

    /// Takes it away.
    pub(crate) fn clear(&self) {
        self.0.finish_and_clear();
    }
}

impl Progress for Bar {
    fn round(&mut self, status: &RoundStatus) {
        self.0.set_position(status.round);
        self.0.set_message(format!(
            "{} e-nodes, {} classes, {} matches, {} exchanged",
            HumanCount(status.size.enodes),
            HumanCount(status.size.eclasses),
            HumanCount(status.verdict.matches),
            HumanBytes(status.bytes)
        ));
    }
}
