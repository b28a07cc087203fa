//! Has an agent work, and publishes what comes of it.

use std::time::Duration;

use tokio::time::Instant;

use crate::app::Failure;
use crate::broker::Broker;
use crate::gateway::Line;
use crate::metrics::Outcome;

/// When an agent is called again that does not say when.
const TICK: Duration = Duration::from_secs(1);

/// The least and the most that an agent may ask for.
const TICKS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_mins(1));

/// How long an agent is left alone after a step with nothing more to do at once: so many times as long as the step took, but no longer than the second. To take an agent out of its store
/// costs the same for one message as for a thousand, so the busier it is, the more are left to gather.
const REST: (u32, Duration) = (4, Duration::from_millis(500));

impl<B: Broker> Line<B> {
    /// One step after another: at once while there is more to do, otherwise, after a [`REST`], when something has arrived or the time of a tick has come.
    ///
    /// What an agent wants to have published stays in its outbox until the next step says that it is. So whoever dies in between loses nothing, and the
    /// broker notices what is published twice.
    pub(crate) async fn drive(&self) {
        let shared = &self.shared;
        let (mut published, mut failures) = (0, 0u32);
        let (mut next, mut rested) = (Instant::now(), Instant::now());
        loop {
            let due = async {
                tokio::time::sleep_until(rested).await;
                tokio::select! {
                    () = tokio::time::sleep_until(next) => {}
                    () = self.arrived.notified(), if failures == 0 => {}
                }
            };
            if shared.until_stopped(due).await.is_none() {
                return;
            }
            if !shared.broker.has_room().await {
                next = Instant::now() + TICKS.0;
                continue;
            }
            let turn = shared.turn().await;
            if shared.is_stopping() {
                return;
            }
            let began = Instant::now();
            let step = shared.app.step(self.agent, published).await;
            let took = began.elapsed();
            drop(turn);
            let outcome = step.as_ref().map_or_else(Outcome::of, |_| Outcome::Accepted);
            shared.metrics.step(self.agent, outcome);
            match step {
                Ok(step) => {
                    failures = 0;
                    if !shared.publish(self.agent, step.outbox).await {
                        return;
                    }
                    published = step.last.unwrap_or(published);
                    (next, rested) = (Instant::now(), Instant::now());
                    if !step.more {
                        next += step.tick_after.unwrap_or(TICK).clamp(TICKS.0, TICKS.1);
                        rested += (took * REST.0).min(REST.1);
                    }
                }
                Err(failure) => {
                    failures = failures.saturating_add(1);
                    if failures == 5 || failures % 50 == 0 {
                        tracing::warn!(
                            agent = self.agent.number(),
                            reason = failure.reason(),
                            failures,
                            "the agent does not step; trying again"
                        );
                    }
                    let asked = match failure {
                        Failure::Away(_, asked) => asked,
                        _ => None,
                    };
                    next = Instant::now() + asked.unwrap_or_default().max(crate::nats::backoff(failures));
                }
            }
        }
    }
}

impl Outcome {
    pub(crate) fn of(failure: &Failure) -> Outcome {
        match failure {
            Failure::Away(..) => Outcome::Away,
            Failure::Broke(_) => Outcome::Broke,
            Failure::Refused(_) => Outcome::Refused,
        }
    }
}
