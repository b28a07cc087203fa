//! Requests, and how long they take.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use hdrhistogram::Histogram;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How long an answer may take before it counts as an error.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client that keeps its connections.
#[derive(Clone, Debug)]
pub(crate) struct Http(Client<HttpConnector, Full<Bytes>>);

/// What became of many requests.
#[derive(Debug)]
pub(crate) struct Latencies {
    /// Of the answers with status 200, in microseconds.
    pub(crate) micros: Histogram<u64>,
    /// Other answers, and none.
    pub(crate) errors: u64,
    /// How long all of it took.
    pub(crate) elapsed: Duration,
}

impl Latencies {
    fn new() -> Latencies {
        Latencies {
            // None is longer: see `PATIENCE`.
            micros: Histogram::new_with_bounds(1, 60_000_000, 3).expect("bounds that fit"),
            errors: 0,
            elapsed: Duration::ZERO,
        }
    }

    fn record(&mut self, outcome: Option<Duration>) {
        match outcome {
            Some(took) => self.micros.saturating_record(took.as_micros() as u64),
            None => self.errors += 1,
        }
    }

    /// A quantile, in milliseconds.
    pub(crate) fn millis(&self, quantile: f64) -> f64 {
        self.micros.value_at_quantile(quantile) as f64 / 1e3
    }

    /// Answers a second.
    pub(crate) fn rate(&self) -> f64 {
        self.micros.len() as f64 / self.elapsed.as_secs_f64()
    }
}

impl Http {
    pub(crate) fn new() -> Http {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Http(
            Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .build(connector),
        )
    }

    /// Status and body.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Result<(u16, Bytes)> {
        let answer = async {
            let answer = self.0.request(request).await?;
            let status = answer.status().as_u16();
            anyhow::Ok((status, answer.into_body().collect().await?.to_bytes()))
        };
        timeout(PATIENCE, answer).await.context("no answer in time")?
    }

    pub(crate) async fn get(&self, url: &str) -> Result<(u16, Bytes)> {
        self.send(Request::get(url).body(Full::default())?).await
    }

    /// What a URL answers with status 200, as JSON.
    pub(crate) async fn json(&self, url: &str) -> Result<serde_json::Value> {
        let (status, body) = self.get(url).await?;
        if status != 200 {
            bail!("{url}: {status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(serde_json::from_slice(&body)?)
    }

    /// Submits a program to an agent.
    pub(crate) async fn submit(&self, agent: &str, program: String) -> Result<()> {
        let request = Request::post(format!("{agent}/program")).header("content-type", "text/plain");
        let (status, body) = self.send(request.body(Full::new(program.into()))?).await?;
        if status != 200 {
            bail!(
                "{agent} refuses the program: {status}: {}",
                String::from_utf8_lossy(&body)
            );
        }
        Ok(())
    }

    /// How long an answer with status 200 takes; none for anything else.
    pub(crate) async fn time(&self, url: &str) -> Option<Duration> {
        let start = Instant::now();
        let answer = self.get(url).await;
        let took = start.elapsed();
        matches!(answer, Ok((200, _))).then_some(took)
    }

    /// An open loop: so many requests a second for so long, whether or not those before have been answered.
    pub(crate) async fn steadily(&self, url: &str, each_second: u32, duration: Duration) -> Latencies {
        let mut latencies = Latencies::new();
        let mut under_way = JoinSet::new();
        let start = Instant::now();
        let gap = Duration::from_secs(1) / each_second;
        let mut next = start;
        while start.elapsed() < duration {
            // Timers are exact to a millisecond: whatever is due by then is sent at once.
            while next <= Instant::now() {
                let (http, url) = (self.clone(), url.to_owned());
                under_way.spawn(async move { http.time(&url).await });
                next += gap;
            }
            while let Some(outcome) = under_way.try_join_next() {
                latencies.record(outcome.ok().flatten());
            }
            sleep(next.saturating_duration_since(Instant::now())).await;
        }
        while let Some(outcome) = under_way.join_next().await {
            latencies.record(outcome.ok().flatten());
        }
        latencies.elapsed = start.elapsed();
        latencies
    }

    /// A closed loop: so many clients, each with a connection of its own, which asks again as soon as it has an answer. All ask the same, or each something of its own, by a header that the host
    /// does not know.
    pub(crate) async fn crowd(url: &str, clients: usize, same: bool, duration: Duration) -> Latencies {
        let mut latencies = Latencies::new();
        let start = Instant::now();
        let mut crowd = JoinSet::new();
        for client in 0..clients {
            let url = url.to_owned();
            let own = if same { 0 } else { client };
            crowd.spawn(async move {
                let mut outcomes = Vec::new();
                while start.elapsed() < duration {
                    // What ends a connection is an error of the request that it carried, and the next one has another.
                    if Http::ask(&url, own, start + duration, &mut outcomes).await.is_err() {
                        outcomes.push(None);
                    }
                }
                outcomes
            });
        }
        for outcomes in crowd.join_all().await {
            outcomes.into_iter().for_each(|outcome| latencies.record(outcome));
        }
        latencies.elapsed = start.elapsed();
        latencies
    }

    /// Asks over one connection until a moment, one request after the other, in the task that calls: no other has to be woken for an answer.
    async fn ask(url: &str, own: usize, end: Instant, outcomes: &mut Vec<Option<Duration>>) -> Result<()> {
        let url: Uri = url.parse()?;
        let host = url.authority().context("a URL names a host")?.as_str();
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let requests = async {
            while Instant::now() < end {
                let request = Request::get(url.path()).header(HOST, host).header("x-own", own);
                let request = request.body(Empty::<Bytes>::new())?;
                let start = Instant::now();
                let answer = async {
                    let answer = sender.send_request(request).await?;
                    let status = answer.status();
                    answer.into_body().collect().await?;
                    anyhow::Ok(status)
                };
                let status = timeout(PATIENCE, answer).await??;
                outcomes.push((status == StatusCode::OK).then(|| start.elapsed()));
            }
            anyhow::Ok(())
        };
        tokio::select! {
            done = requests => done,
            ended = connection => {
                ended?;
                bail!("the connection was closed")
            }
        }
    }
}
