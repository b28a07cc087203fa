//! A gateway: what runs for each agent, and how much at once.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use eqmesh_agent::Message;
use eqmesh_replica::AgentId;
use eqmesh_webhook::Secret;
use tokio::sync::{Notify, Semaphore, SemaphorePermit, watch};
use tokio::task::JoinSet;

use crate::app::{Answer, App, AppError};
use crate::broker::{Broker, Outgoing};
use crate::metrics::{InFlight, Metrics};
use crate::nats::backoff;
use crate::route::Subjects;

/// What a gateway does, and how much of it at once.
#[derive(Clone, Debug)]
pub struct Options {
    /// The app, for example `http://127.0.0.1:3000`.
    pub app: String,
    /// What deliveries are signed with.
    pub secret: Secret,
    /// The agents in the app.
    pub agents: Vec<AgentId>,
    /// The network's subjects.
    pub subjects: Subjects,
    /// How long a delivery may take.
    pub delivery_timeout: Duration,
    /// How long a step of an agent may take.
    pub step_timeout: Duration,
    /// How many messages are taken from the broker at once for an agent, and so may go in one delivery. Of long ones it is fewer.
    pub together: usize,
    /// How many deliveries to one agent may be in flight.
    pub deliveries: usize,
    /// How many requests to the app may be in flight in all.
    pub requests: usize,
    /// How long a sign of life waits for others to go with it.
    pub gather: Duration,
    /// After how many deliveries over which the app broke down a message is given up.
    pub attempts: u64,
}

impl Options {
    /// A gateway to agents of an app, with deliveries of at most 256 messages in 10 s, one after another for each agent, and 32 requests at once. Signs of life
    /// are gathered for 250 ms.
    pub fn new(app: &str, secret: Secret, agents: impl IntoIterator<Item = AgentId>) -> Options {
        Options {
            app: app.to_owned(),
            secret,
            agents: agents.into_iter().collect(),
            subjects: Subjects::default(),
            delivery_timeout: Duration::from_secs(10),
            step_timeout: Duration::from_mins(1),
            together: 256,
            deliveries: 1,
            requests: 32,
            gather: Duration::from_millis(250),
            attempts: 8,
        }
    }
}

/// Carries messages between a broker and the agents of an app.
#[derive(Debug)]
pub struct Gateway<B> {
    shared: Arc<Shared<B>>,
}

/// What all tasks of a gateway share.
#[derive(Debug)]
pub(crate) struct Shared<B> {
    pub(crate) broker: B,
    pub(crate) app: App,
    pub(crate) options: Options,
    pub(crate) metrics: Arc<Metrics>,
    requests: Semaphore,
    pub(crate) stopping: watch::Receiver<bool>,
    stop: watch::Sender<bool>,
}

/// One agent, as its tasks see it.
#[derive(Debug)]
pub(crate) struct Line<B> {
    pub(crate) shared: Arc<Shared<B>>,
    pub(crate) agent: AgentId,
    /// Something has arrived for the agent.
    pub(crate) arrived: Notify,
}

impl<B: Broker> Gateway<B> {
    /// A gateway that has not started. Fails if the app's address is none.
    pub fn new(broker: B, options: Options) -> Result<Gateway<B>, AppError> {
        let (stop, stopping) = watch::channel(false);
        let app = App::new(
            &options.app,
            options.secret.clone(),
            options.delivery_timeout,
            options.step_timeout,
        )?;
        Ok(Gateway {
            shared: Arc::new(Shared {
                broker,
                app,
                metrics: Arc::default(),
                requests: Semaphore::new(options.requests.max(1)),
                options,
                stopping,
                stop,
            }),
        })
    }

    /// What it has done.
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.shared.metrics)
    }

    /// Runs until `stop`, and then until what is under way has ended: deliveries in flight are waited for and acknowledged, nothing new is begun.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let shared = self.shared;
        let mut tasks = JoinSet::new();
        let maintained = Arc::clone(&shared);
        tasks.spawn(async move {
            // That it was cut short is what stopping is.
            let _ = maintained.until_stopped(maintained.broker.maintain()).await;
        });
        for &agent in &shared.options.agents {
            let line = Arc::new(Line {
                shared: Arc::clone(&shared),
                agent,
                arrived: Notify::new(),
            });
            for _ in 0..shared.options.deliveries.max(1) {
                let line = Arc::clone(&line);
                tasks.spawn(async move { line.carry().await });
            }
            let (beats, steps) = (Arc::clone(&line), line);
            // From here on, no sign of life is missed.
            let heard = shared.broker.fleeting();
            tasks.spawn(async move { beats.pass_on(heard).await });
            tasks.spawn(async move { steps.drive().await });
        }
        tokio::select! {
            () = stop => {}
            // No task ends by itself: one has panicked, which is a defect. What it held comes again, but not to this gateway.
            Some(ended) = tasks.join_next() => tracing::error!(?ended, "a task of the gateway ended; stopping"),
        }
        tracing::info!("stopping");
        shared.stop.send_replace(true);
        while tasks.join_next().await.is_some() {}
    }
}

impl<B: Broker> Shared<B> {
    /// Waits, but not longer than until the gateway stops; none then.
    pub(crate) async fn until_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut stopping = self.stopping.clone();
        tokio::select! {
            biased;
            _ = stopping.wait_for(|stopping| *stopping) => None,
            done = work => Some(done),
        }
    }

    /// Whether the gateway is to end.
    pub(crate) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Waits until one more request to the app may be made.
    pub(crate) async fn turn(&self) -> (SemaphorePermit<'_>, InFlight) {
        let permit = self.requests.acquire().await.expect("the semaphore is never closed");
        (permit, self.metrics.in_flight())
    }

    /// Waits after a number of failures in a row. Answers whether the gateway goes on.
    pub(crate) async fn pause(&self, attempt: u32, asked: Option<Duration>) -> bool {
        let wait = asked.map_or(backoff(attempt), |asked| asked.max(backoff(1)));
        self.until_stopped(tokio::time::sleep(wait)).await.is_some()
    }

    /// Publishes what an agent answered, trying again until the broker has kept it all. Answers whether it has: it is not published if the gateway stops
    /// before.
    pub(crate) async fn publish(&self, agent: AgentId, answer: Answer) -> bool {
        let outgoing = self.outgoing(agent, answer);
        if outgoing.is_empty() {
            return true;
        }
        for attempt in 1.. {
            let Err(error) = self.broker.publish(&outgoing).await else {
                break;
            };
            self.metrics.broker_failed();
            if attempt == 1 || attempt % 20 == 0 {
                tracing::warn!(agent = agent.number(), %error, attempt, "cannot publish; trying again");
            }
            if !self.pause(attempt, None).await {
                return false;
            }
        }
        self.metrics.published(agent, outgoing.len());
        true
    }

    /// What an agent may publish of its answer. What is no message, or says that it is another's, would never be delivered: it is left out.
    fn outgoing(&self, agent: AgentId, answer: Answer) -> Vec<Outgoing> {
        let mut outgoing = Vec::with_capacity(answer.batch.messages.len());
        for bytes in answer.batch.messages {
            match Message::decode(&bytes) {
                Ok(message) if message.sender.number() == agent.number() => {
                    let trace = answer.traceparent.clone();
                    outgoing.push(Outgoing::new(
                        &self.options.subjects,
                        &message,
                        Bytes::from(bytes),
                        trace,
                    ));
                }
                Ok(message) => {
                    self.metrics.forged(agent);
                    tracing::error!(
                        agent = agent.number(),
                        sender = message.sender.number(),
                        "an agent speaks for another; its message is dropped"
                    );
                }
                Err(fault) => {
                    self.metrics.forged(agent);
                    tracing::error!(agent = agent.number(), %fault, "an agent answers what is no message; it is dropped");
                }
            }
        }
        outgoing
    }
}
