//! What the tests share: messages, and an app that does what a test wants.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use eqmesh_agent::Message;
use eqmesh_gateway::{Broker, Connection, Gateway, Layout, Nats, Options, Outgoing, Subjects, connect};
use eqmesh_orchestrator::MessageKind;
use eqmesh_replica::{AgentId, VersionVector};
use eqmesh_timeline::Timestamp;
use eqmesh_webhook::{Batch, Delivery, Secret};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// No test takes longer.
pub const PATIENCE: Duration = Duration::from_secs(50);

pub fn secret() -> Secret {
    Secret::from_bytes(vec![7; 32]).unwrap()
}

/// A message that says a number.
pub fn message(kind: MessageKind, sender: u32, receiver: Option<u32>, id: u64) -> Message {
    let (sender, receiver) = (AgentId(sender), receiver.map(AgentId));
    Message {
        id,
        kind,
        sender,
        receiver,
        topic: kind.topic(sender, receiver).unwrap(),
        version: VersionVector::default(),
        at: Timestamp { micros: 1, logical: 0 },
        body: id.to_be_bytes().to_vec(),
    }
}

pub fn state(sender: u32, id: u64) -> Message {
    message(MessageKind::State, sender, None, id)
}

pub fn outgoing(message: &Message) -> Outgoing {
    Outgoing::new(&Subjects::default(), message, Bytes::from(message.encode()), None)
}

/// Waits until something holds.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = tokio::time::Instant::now() + PATIENCE;
    while !holds() {
        assert!(tokio::time::Instant::now() < end, "waited for too long: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What an app answers to a delivery.
#[derive(Clone, Debug)]
pub enum Reply {
    /// The messages are in the inbox; these are to be published.
    Accept(Vec<Message>),
    /// The messages are not taken.
    Refuse(u16),
    /// Nor are they, and the app says when to try again.
    RetryAfter(u16, u64),
}

type Behaviour = Box<dyn Fn(&Delivery) -> (Duration, Reply) + Send + Sync>;

/// What an app has got, and has yet to say.
#[derive(Default)]
pub struct Inner {
    /// Every delivery with its identifier and trace, in the order of arrival.
    pub attempts: Vec<(String, Delivery, Option<String>)>,
    /// What was taken, by receiver.
    pub inboxes: BTreeMap<u32, Vec<Message>>,
    /// What is to be published, by sender, with numbers.
    pub outboxes: BTreeMap<u32, Vec<(u64, Message)>>,
    pub steps: BTreeMap<u32, u64>,
    pub step_takes: Duration,
    in_flight: usize,
    pub most_in_flight: usize,
    /// Deliveries whose signature was wrong.
    pub unsigned: usize,
}

/// An app over HTTP. It ends with its value.
pub struct App {
    pub address: SocketAddr,
    pub inner: Arc<Mutex<Inner>>,
    behaviour: Arc<Mutex<Behaviour>>,
    task: JoinHandle<()>,
}

impl Drop for App {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl App {
    pub async fn start(behaviour: impl Fn(&Delivery) -> (Duration, Reply) + Send + Sync + 'static) -> App {
        App::start_at("127.0.0.1:0".parse().unwrap(), behaviour).await
    }

    pub async fn start_at(
        address: SocketAddr,
        behaviour: impl Fn(&Delivery) -> (Duration, Reply) + Send + Sync + 'static,
    ) -> App {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let inner: Arc<Mutex<Inner>> = Arc::default();
        let behaviour: Arc<Mutex<Behaviour>> = Arc::new(Mutex::new(Box::new(behaviour)));
        let shared = (Arc::clone(&inner), Arc::clone(&behaviour));
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (inner, behaviour) = shared.clone();
                let service = service_fn(move |request| answer(request, Arc::clone(&inner), Arc::clone(&behaviour)));
                connections
                    .spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        App {
            address,
            inner,
            behaviour,
            task,
        }
    }

    /// An app that takes everything at once.
    pub async fn willing() -> App {
        App::start(|_| (Duration::ZERO, Reply::Accept(Vec::new()))).await
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn behave(&self, behaviour: impl Fn(&Delivery) -> (Duration, Reply) + Send + Sync + 'static) {
        *self.behaviour.lock().unwrap() = Box::new(behaviour);
    }

    pub fn read<T>(&self, read: impl FnOnce(&mut Inner) -> T) -> T {
        read(&mut self.inner.lock().unwrap())
    }

    /// The identifiers of messages that an agent has taken, without repetitions, ascending.
    pub fn got(&self, agent: u32) -> Vec<(u32, u64)> {
        let mut got: Vec<(u32, u64)> = self.read(|inner| {
            let inbox = inner.inboxes.get(&agent).into_iter().flatten();
            inbox.map(|message| (message.sender.0, message.id)).collect()
        });
        got.sort_unstable();
        got.dedup();
        got
    }
}

type Answer = Result<Response<Full<Bytes>>, hyper::Error>;

fn status(code: u16) -> Response<Full<Bytes>> {
    Response::builder()
        .status(code)
        .body(Full::from("as the test wants it"))
        .unwrap()
}

async fn answer(request: Request<Incoming>, inner: Arc<Mutex<Inner>>, behaviour: Arc<Mutex<Behaviour>>) -> Answer {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let path = head.uri.path().to_owned();
    if let Some(agent) = path.strip_prefix("/agent/").and_then(|rest| rest.strip_suffix("/step")) {
        let published = head
            .uri
            .query()
            .and_then(|query| query.strip_prefix("published="))
            .unwrap();
        let takes = inner.lock().unwrap().step_takes;
        tokio::time::sleep(takes).await;
        return Ok(step(
            &mut inner.lock().unwrap(),
            agent.parse().unwrap(),
            published.parse().unwrap(),
        ));
    }
    let header = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let signed = |name: &str| header(name).unwrap_or_default();
    let id = signed("webhook-id");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let verified = secret().verify(
        &id,
        &signed("webhook-timestamp"),
        &signed("webhook-signature"),
        &body,
        now,
    );
    let delivery = Delivery::decode(&body).unwrap();
    if verified.is_err() || path != format!("/nats/webhook/{}", delivery.subject) {
        inner.lock().unwrap().unsigned += 1;
        return Ok(status(401));
    }
    let (wait, reply) = behaviour.lock().unwrap()(&delivery);
    {
        let mut inner = inner.lock().unwrap();
        inner.attempts.push((id, delivery.clone(), header("traceparent")));
        inner.in_flight += 1;
        inner.most_in_flight = inner.most_in_flight.max(inner.in_flight);
    }
    tokio::time::sleep(wait).await;
    let mut inner = inner.lock().unwrap();
    inner.in_flight -= 1;
    Ok(match reply {
        Reply::Refuse(code) => status(code),
        Reply::RetryAfter(code, seconds) => {
            let mut response = status(code);
            response.headers_mut().insert("retry-after", seconds.into());
            response
        }
        Reply::Accept(messages) => {
            inner
                .inboxes
                .entry(delivery.receiver.0)
                .or_default()
                .extend(delivery.read().unwrap());
            let batch = Batch {
                messages: messages.iter().map(Message::encode).collect(),
            };
            Response::new(Full::from(batch.encode()))
        }
    })
}

fn step(inner: &mut Inner, agent: u32, published: u64) -> Response<Full<Bytes>> {
    *inner.steps.entry(agent).or_default() += 1;
    let outbox = inner.outboxes.entry(agent).or_default();
    outbox.retain(|(number, _)| *number > published);
    let mut response = Response::builder()
        .header("eqmesh-work", "idle")
        .header("eqmesh-tick-after", 50);
    if let Some((last, _)) = outbox.last() {
        response = response.header("eqmesh-outbox-last", *last);
    }
    let batch = Batch {
        messages: outbox.iter().map(|(_, message)| message.encode()).collect(),
    };
    response.body(Full::from(batch.encode())).unwrap()
}

/// A gateway that runs until its value is dropped or ended.
pub struct Running {
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
    pub metrics: Arc<eqmesh_gateway::Metrics>,
}

impl Running {
    pub fn start<B: Broker>(broker: B, options: Options) -> Running {
        // Shown for tests that fail. A test before may have set it.
        let _ = tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::DEBUG)
            .with_test_writer()
            .try_init();
        let gateway = Gateway::new(broker, options).unwrap();
        let metrics = gateway.metrics();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(gateway.run(async { drop(stopped.await) }));
        Running {
            stop: Some(stop),
            task: Some(task),
            metrics,
        }
    }

    /// Stops it in good order.
    pub async fn end(mut self) {
        drop(self.stop.take());
        if let Some(task) = self.task.take() {
            task.await.unwrap();
        }
    }

    /// The value of a metric, summed over agents; part of its name and labels is enough.
    pub fn metric(&self, name: &str) -> u64 {
        let text = self.metrics.text();
        text.lines()
            .filter(|line| !line.starts_with('#') && line.contains(name))
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64)
            .sum()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

pub fn options(app: &App, agents: impl IntoIterator<Item = u32>) -> Options {
    let mut options = Options::new(&app.url(), secret(), agents.into_iter().map(AgentId));
    options.delivery_timeout = Duration::from_secs(2);
    options
}

pub fn layout() -> Layout {
    let mut layout = Layout::new(None).unwrap();
    layout.keeping.bytes = 64 << 20;
    layout.ack_wait = Duration::from_secs(3);
    layout
}

pub async fn nats(url: &str) -> Nats {
    nats_of(url, layout()).await
}

pub async fn nats_of(url: &str, layout: Layout) -> Nats {
    let connection = Connection {
        url: url.to_owned(),
        ..Connection::default()
    };
    Nats::new(connect(&connection).await.unwrap(), layout)
}
