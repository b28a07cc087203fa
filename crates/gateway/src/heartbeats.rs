//! Passes signs of life on to an agent.

use std::collections::BTreeMap;

use bytes::Bytes;
use eqmesh_webhook::{Delivery, fitting};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use crate::broker::{Broker, Outgoing};
use crate::gateway::Line;
use crate::metrics::Outcome;

/// Of how many senders signs of life wait.
const WAITING: usize = 1024;

/// The last sign of life of each sender, by topic.
type Mailbox = BTreeMap<String, BTreeMap<u32, (u64, Bytes)>>;

impl<B: Broker> Line<B> {
    /// As long as one delivery is under way, later signs of life of a sender take the place of earlier ones. What does not arrive is not sent again:
    /// the next follows soon.
    pub(crate) async fn pass_on(&self, mut heard: Receiver<Outgoing>) {
        let shared = &self.shared;
        let mut mailbox = Mailbox::new();
        loop {
            match shared.until_stopped(heard.recv()).await {
                Some(Ok(sign)) => self.put(&mut mailbox, &sign),
                // Some were missed.
                Some(Err(RecvError::Lagged(count))) => shared.metrics.dropped(self.agent, count as usize),
                Some(Err(RecvError::Closed)) => {
                    shared.until_stopped(std::future::pending::<()>()).await;
                    return;
                }
                None => return,
            }
            // Those of the others follow within an interval, and the agent is woken for each delivery: what comes within a while goes together.
            if shared
                .until_stopped(tokio::time::sleep(shared.options.gather))
                .await
                .is_none()
            {
                return;
            }
            // All that has come meanwhile.
            loop {
                match heard.try_recv() {
                    Ok(sign) => self.put(&mut mailbox, &sign),
                    Err(TryRecvError::Lagged(count)) => shared.metrics.dropped(self.agent, count as usize),
                    Err(TryRecvError::Empty | TryRecvError::Closed) => break,
                }
            }
            for (topic, signs) in std::mem::take(&mut mailbox) {
                self.send(topic, signs).await;
            }
        }
    }

    fn put(&self, mailbox: &mut Mailbox, sign: &Outgoing) {
        let shared = &self.shared;
        match shared.options.subjects.read(&sign.subject, &sign.payload) {
            Ok(message) if message.concerns(self.agent) => {
                let signs = mailbox.entry(message.topic).or_default();
                let sender = message.sender.number();
                if signs.len() < WAITING || signs.contains_key(&sender) {
                    signs.insert(sender, (message.id, sign.payload.clone()));
                } else {
                    shared.metrics.dropped(self.agent, 1);
                }
            }
            Ok(_) => {}
            Err(_) => shared.metrics.forged(self.agent),
        }
    }

    async fn send(&self, topic: String, signs: BTreeMap<u32, (u64, Bytes)>) {
        let shared = &self.shared;
        let Some((sender, (number, _))) = signs.first_key_value() else {
            return;
        };
        let id = format!("heartbeat-{sender}-{number}-{}", self.agent.number());
        let mut messages: Vec<Vec<u8>> = signs.values().map(|(_, payload)| payload.to_vec()).collect();
        messages.truncate(fitting(messages.iter().map(Vec::as_slice)));
        if messages.is_empty() {
            return;
        }
        let delivery = Delivery {
            receiver: self.agent,
            subject: topic,
            messages,
        };
        let turn = shared.turn().await;
        let start = tokio::time::Instant::now();
        let answer = shared.app.deliver(&id, &delivery, None).await;
        drop(turn);
        let outcome = answer.as_ref().map_or_else(Outcome::of, |_| Outcome::Accepted);
        shared
            .metrics
            .delivery(self.agent, outcome, start.elapsed().as_secs_f64());
        match answer {
            Ok(answer) => {
                shared.metrics.delivered(self.agent, delivery.messages.len());
                if shared.publish(self.agent, answer).await {
                    self.arrived.notify_one();
                }
            }
            Err(failure) => {
                tracing::debug!(
                    agent = self.agent.number(),
                    reason = failure.reason(),
                    "signs of life did not arrive"
                );
                shared.metrics.dropped(self.agent, delivery.messages.len());
            }
        }
    }
}
