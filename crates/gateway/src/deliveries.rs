//! Takes an agent's messages from the broker and delivers them.

use std::future::Future;
use std::time::Duration;

use eqmesh_webhook::{Delivery, fitting};
use futures_util::future::join_all;
use tokio::time::{Instant, MissedTickBehavior};

use crate::app::{Answer, Failure};
use crate::broker::{Broker, Incoming, Settlement};
use crate::gateway::Line;
use crate::metrics::Outcome;
use crate::nats::backoff;

/// How long a pull waits for a message.
const WAIT: Duration = Duration::from_secs(20);

/// A message with where it travels, as agents see it.
struct Parcel<T> {
    incoming: Incoming<T>,
    topic: String,
}

/// What became of a delivery.
enum Delivered {
    /// It arrived, and this is to be published.
    Accepted(Answer),
    /// It did not.
    Failed(Failure),
    /// The gateway stops, and the app is away.
    Interrupted,
}

impl<B: Broker> Line<B> {
    /// Pull after pull: the next messages are taken only when those before are settled, so that a slow agent takes fewer.
    pub(crate) async fn carry(&self) {
        let shared = &self.shared;
        let mut failures = 0;
        // Whether the broker has what is needed to deliver to this agent.
        let mut prepared = false;
        while !shared.is_stopping() {
            let pulled = async {
                if !prepared {
                    shared.broker.prepare(&[self.agent]).await?;
                }
                shared.broker.pull(self.agent, shared.options.together, WAIT).await
            };
            match shared.until_stopped(pulled).await {
                None => return,
                Some(Ok(messages)) => {
                    (failures, prepared) = (0, true);
                    self.deliver(messages).await;
                }
                Some(Err(error)) => {
                    (failures, prepared) = (failures + 1, false);
                    shared.metrics.broker_failed();
                    if failures == 3 || failures % 50 == 0 {
                        tracing::warn!(agent = self.agent.number(), %error, "cannot take messages from the broker; trying again");
                    }
                    shared.pause(failures, None).await;
                }
            }
        }
    }

    /// Delivers what was pulled, those of a subject together. All of it is settled after that.
    async fn deliver(&self, messages: Vec<Incoming<B::Token>>) {
        let mut groups: Vec<Vec<Parcel<B::Token>>> = Vec::new();
        let mut skipped = Vec::new();
        for incoming in messages {
            let parcel = match self.shared.options.subjects.read(&incoming.subject, &incoming.payload) {
                Ok(message) if message.concerns(self.agent) => Parcel {
                    topic: message.topic,
                    incoming,
                },
                Ok(_) => {
                    skipped.push(incoming.token);
                    continue;
                }
                Err(misrouted) => {
                    self.shared.metrics.forged(self.agent);
                    self.bury(&incoming, &misrouted.to_string()).await;
                    continue;
                }
            };
            // What has failed before goes alone, so that it fails nobody else.
            let alone = parcel.incoming.attempt > 1;
            let fits = |group: &&mut Vec<Parcel<B::Token>>| {
                !alone && group[0].topic == parcel.topic && group[0].incoming.attempt == 1 && {
                    let all = group.iter().chain([&parcel]).map(|own| &own.incoming.payload[..]);
                    fitting(all) > group.len()
                }
            };
            match groups.iter_mut().find(fits) {
                Some(group) => group.push(parcel),
                None => groups.push(vec![parcel]),
            }
        }
        self.shared.metrics.skipped(self.agent, skipped.len());
        self.settle(&skipped, Settlement::Done).await;
        let mut groups = groups.into_iter();
        while let Some(group) = groups.next() {
            let rest: Vec<B::Token> = groups
                .as_slice()
                .iter()
                .flatten()
                .map(|own| own.incoming.token.clone())
                .collect();
            self.settle_group(group, &rest).await;
        }
    }

    /// Delivers messages of one subject, and settles them. `rest` waits meanwhile.
    async fn settle_group(&self, group: Vec<Parcel<B::Token>>, rest: &[B::Token]) {
        let own: Vec<B::Token> = group.iter().map(|own| own.incoming.token.clone()).collect();
        let tokens = [&own, rest].concat();
        match self.working(&tokens, self.attempt(&group)).await {
            Delivered::Accepted(answer) => {
                // First what it wants to have published, then the acknowledgement: whoever dies in between repeats both.
                if self.working(&tokens, self.shared.publish(self.agent, answer)).await {
                    self.settle(&own, Settlement::Done).await;
                    self.shared.metrics.delivered(self.agent, group.len());
                    self.arrived.notify_one();
                }
            }
            Delivered::Failed(Failure::Refused(reason)) if group.len() == 1 => {
                self.bury(&group[0].incoming, &format!("the app refuses it: {reason}"))
                    .await;
            }
            // One of them is refused: which, shows when each goes alone.
            Delivered::Failed(Failure::Refused(_)) => {
                let mut group = group.into_iter();
                while let Some(parcel) = group.next() {
                    let rest: Vec<B::Token> = group
                        .as_slice()
                        .iter()
                        .map(|own| own.incoming.token.clone())
                        .chain(rest.iter().cloned())
                        .collect();
                    Box::pin(self.settle_group(vec![parcel], &rest)).await;
                }
            }
            Delivered::Failed(failure) => {
                for parcel in &group {
                    let attempt = parcel.incoming.attempt;
                    if attempt >= self.shared.options.attempts {
                        let reason = format!("the app broke down over it {attempt} times: {}", failure.reason());
                        self.bury(&parcel.incoming, &reason).await;
                    } else {
                        let wait = backoff(u32::try_from(attempt).unwrap_or(u32::MAX));
                        self.settle(std::slice::from_ref(&parcel.incoming.token), Settlement::Later(wait))
                            .await;
                    }
                }
            }
            Delivered::Interrupted => self.settle(&own, Settlement::Later(Duration::ZERO)).await,
        }
    }

    /// Sends messages of one subject, and again as long as the app is away: that is no message's fault, so it does not count.
    async fn attempt(&self, group: &[Parcel<B::Token>]) -> Delivered {
        let shared = &self.shared;
        let first = &group[0].incoming;
        let id = format!("{}-{}-{}", first.stream, first.sequence, self.agent.number());
        let delivery = Delivery {
            receiver: self.agent,
            subject: group[0].topic.clone(),
            messages: group.iter().map(|own| own.incoming.payload.to_vec()).collect(),
        };
        for failures in 1.. {
            let turn = shared.turn().await;
            let start = Instant::now();
            let answer = shared.app.deliver(&id, &delivery, first.traceparent.as_deref()).await;
            drop(turn);
            let outcome = answer.as_ref().map_or_else(Outcome::of, |_| Outcome::Accepted);
            shared
                .metrics
                .delivery(self.agent, outcome, start.elapsed().as_secs_f64());
            let failure = match answer {
                Ok(answer) => return Delivered::Accepted(answer),
                Err(failure) => failure,
            };
            tracing::debug!(
                agent = self.agent.number(),
                id,
                reason = failure.reason(),
                "a delivery failed"
            );
            let Failure::Away(reason, asked) = failure else {
                return Delivered::Failed(failure);
            };
            if failures == 3 || failures % 50 == 0 {
                tracing::warn!(
                    agent = self.agent.number(),
                    reason,
                    failures,
                    "the app is away; trying again"
                );
            }
            if !shared.pause(failures, asked).await {
                break;
            }
        }
        Delivered::Interrupted
    }

    /// Works, and tells the broker so from time to time, so that it does not deliver the same to somebody else.
    async fn working<T>(&self, tokens: &[B::Token], work: impl Future<Output = T>) -> T {
        let every = self.shared.options.delivery_timeout / 2;
        let mut signs = tokio::time::interval(every.max(Duration::from_millis(1)));
        signs.set_missed_tick_behavior(MissedTickBehavior::Delay);
        signs.reset();
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                // What fails here may come twice.
                _ = signs.tick() => self.settle(tokens, Settlement::Working).await,
            }
        }
    }

    /// Settles messages, all at once: after a lost connection the broker's answers are waited for in vain. If it does not hear of one, that comes again.
    async fn settle(&self, tokens: &[B::Token], settlement: Settlement) {
        let settled = join_all(tokens.iter().map(|token| self.shared.broker.settle(token, settlement))).await;
        for error in settled.into_iter().filter_map(Result::err) {
            self.shared.metrics.broker_failed();
            tracing::debug!(agent = self.agent.number(), %error, "a message will come again");
        }
    }

    /// If that fails, the message comes again, or the broker says that nobody settled it.
    async fn bury(&self, incoming: &Incoming<B::Token>, reason: &str) {
        tracing::error!(
            agent = self.agent.number(),
            subject = incoming.subject,
            sequence = incoming.sequence,
            reason,
            "a message becomes a dead letter"
        );
        match self.shared.broker.bury(incoming, self.agent, reason).await {
            Ok(()) => self.shared.metrics.dead(self.agent),
            Err(error) => {
                self.shared.metrics.broker_failed();
                tracing::warn!(agent = self.agent.number(), %error, "cannot keep a dead letter; trying again later");
            }
        }
    }
}
