//! Messages through broker, gateway and agents: each is kept by the broker, delivered in a signed request, stored by the agent, and only then acknowledged.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use bytes::Bytes;
use eqmesh_agent::{Config, Message, Native, Node};
use eqmesh_gateway::{Broker as _, Connection, Layout, Nats, Outgoing, connect};
use eqmesh_nats_fixture::Server;
use eqmesh_orchestrator::{Entrance, Topology};
use eqmesh_replica::AgentId;
use eqmesh_workloads::row::Row;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::http::Http;
use crate::processes::{Host, Process, manifest};

const AGENTS: u32 = 9;

/// Who sends them: agent 8, by another incarnation. So they concern the eight others.
const SENDER: u32 = 8;

const RECEIVERS: u64 = AGENTS as u64 - 1;

/// How many messages there are, of one small fact each.
const MESSAGES: u64 = 40_000;

const PATIENCE: Duration = Duration::from_mins(4);

/// Messages of one new term each.
fn messages() -> Result<Vec<Message>> {
    let config = Config {
        id: AgentId::new(SENDER, 77).context("a small number")?,
        agents: AGENTS,
        coloring: true,
        timeline_capacity: 0,
    };
    let mut node = Node::new(config, Native::solo());
    let entrance = Entrance {
        session: 77,
        joining: false,
        interval: 1_000_000,
        topology: Topology::Mesh,
    };
    node.join(entrance, 0)?;
    let mut submit = |text: &str| node.submit(text, 1).map_err(|said| anyhow!("{said:?}"));
    let mut messages = submit("(datatype Math (Num i64) (Add Math Math))")?;
    let mut number = 0;
    while (messages.len() as u64) < MESSAGES {
        number += 1;
        messages.extend(submit(&format!("(Num {number})"))?);
        ensure!(number <= 2 * MESSAGES, "terms make no messages");
    }
    Ok(messages)
}

/// A broker with a gateway to an app, and a way to publish.
struct Broker {
    nats: Nats,
    layout: Layout,
    // Ends before the server does.
    _gateway: Process,
    _server: Server,
}

impl Broker {
    async fn start(program: &Path, app: &str, folder: &Path) -> Result<Broker> {
        let server = Server::start("");
        let (url, connection) = (
            server.url(),
            Connection {
                url: server.url(),
                ..Connection::default()
            },
        );
        let gateway = Process::start(
            program,
            &["gateway", "--app", app, "--nats", &url],
            folder,
            "gateway.log",
        )?;
        let layout = Layout::new(None)?;
        let nats = Nats::new(connect(&connection).await?, layout.clone());
        let agents: Vec<AgentId> = (0..AGENTS).map(AgentId).collect();
        nats.prepare(&agents).await?;
        Ok(Broker {
            nats,
            layout,
            _gateway: gateway,
            _server: server,
        })
    }

    async fn publish(&self, messages: &[Message]) -> Result<()> {
        for messages in messages.chunks(500) {
            let outgoing: Vec<Outgoing> = messages
                .iter()
                .map(|message| Outgoing::new(self.layout.subjects(), message, message.encode().into(), None))
                .collect();
            self.nats.publish(&outgoing).await?;
        }
        Ok(())
    }
}

/// An app that takes everything and does nothing. Answers where it listens, and how many messages it got.
async fn nothing() -> Result<(String, Arc<AtomicU64>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let count = Arc::new(AtomicU64::new(0));
    let counted = count.clone();
    let take = move |request: Request<Incoming>| {
        let count = count.clone();
        async move {
            let body = request
                .into_body()
                .collect()
                .await
                .map(http_body_util::Collected::to_bytes)
                .unwrap_or_default();
            if let Ok(delivery) = eqmesh_webhook::Delivery::decode(&body) {
                count.fetch_add(delivery.messages.len() as u64, Ordering::Relaxed);
            }
            let answer = Response::builder().header("eqmesh-tick-after", "60000");
            Ok::<_, Infallible>(answer.body(Full::<Bytes>::default()).expect("a header that fits"))
        }
    };
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let connection = hyper::server::conn::http1::Builder::new();
            tokio::spawn(connection.serve_connection(TokioIo::new(stream), service_fn(take.clone())));
        }
    });
    Ok((url, counted))
}

/// Deliveries a second: what broker and gateway carry to an app that does nothing, and what they carry to nine agents, who hand on to each other what they get.
pub(crate) async fn rows(program: &Path) -> Result<Vec<Row>> {
    let messages = messages()?;
    let bytes: usize = messages.iter().map(|message| message.encode().len()).sum();
    let to_nothing = {
        let folder = tempfile::tempdir()?;
        let (url, count) = nothing().await?;
        let broker = Broker::start(program, &url, folder.path()).await?;
        let start = Instant::now();
        broker.publish(&messages).await?;
        while count.load(Ordering::Relaxed) < MESSAGES * RECEIVERS {
            ensure!(
                start.elapsed() < PATIENCE,
                "only {} deliveries to nothing",
                count.load(Ordering::Relaxed)
            );
            sleep(Duration::from_millis(5)).await;
        }
        (MESSAGES * RECEIVERS) as f64 / start.elapsed().as_secs_f64()
    };
    let to_agents = {
        let (http, folder) = (Http::new(), tempfile::tempdir()?);
        let mut host = Host::start(program, &manifest(), folder.path(), &["--no-carrier"])?;
        host.answers(&http, 0).await?;
        let broker = Broker::start(program, &host.url(), folder.path()).await?;
        let facts = messages.last().map_or(0, |message| message.version.facts());
        let start = Instant::now();
        broker.publish(&messages).await?;
        for agent in (0..AGENTS).filter(|&agent| agent != SENDER) {
            let url = format!("{}/state", host.agent(agent));
            loop {
                let state = http.json(&url).await?;
                // Agents make facts of their own, too, so the sender's are looked for.
                let version = state["version"].as_object().context("a state has a version vector")?;
                if version.values().any(|last| last.as_u64() == Some(facts)) {
                    break;
                }
                ensure!(
                    start.elapsed() < PATIENCE,
                    "agent {agent} has not got everything: {state:#}"
                );
                sleep(Duration::from_millis(100)).await;
            }
        }
        (MESSAGES * RECEIVERS) as f64 / start.elapsed().as_secs_f64()
    };
    Ok(vec![
        Row::told("messages/size", bytes as f64 / MESSAGES as f64, "bytes"),
        Row::told("messages/to-nothing", to_nothing, "deliveries per second"),
        Row::told("messages/to-agents", to_agents, "deliveries per second").at_least(20_000.0),
        Row::told("messages/share", to_agents / to_nothing, "of the deliveries to nothing").at_least(0.5),
    ])
}
