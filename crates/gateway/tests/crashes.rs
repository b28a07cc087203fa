//! The broker and the gateway are killed under load: nothing that was acknowledged is lost, and nothing is stored twice.

mod support;

use std::collections::BTreeSet;
use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use eqmesh_agent::Message;
use eqmesh_gateway::{Broker, Gateway, Options, Outgoing};
use eqmesh_nats_fixture::Server;
use eqmesh_orchestrator::MessageKind;
use eqmesh_replica::AgentId;
use support::{App, Reply, Running, message, nats, options, outgoing, secret, state, until};

/// Everything that the stream holds: sender and number.
async fn stored(url: &str) -> Vec<(u32, u64)> {
    let jetstream = async_nats::jetstream::new(async_nats::connect(url).await.unwrap());
    let stream = jetstream.get_stream("eqmesh").await.unwrap();
    let mut stored = Vec::new();
    let state = &stream.cached_info().state;
    for sequence in state.first_sequence..=state.last_sequence {
        let raw = stream.get_raw_message(sequence).await.unwrap();
        let message = Message::decode(&raw.payload).unwrap();
        stored.push((message.sender.0, message.id));
    }
    stored
}

fn without_repetitions(stored: &[(u32, u64)]) -> BTreeSet<(u32, u64)> {
    let all: BTreeSet<(u32, u64)> = stored.iter().copied().collect();
    assert_eq!(all.len(), stored.len(), "something is stored twice");
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_loses_nothing_and_stores_nothing_twice() {
    let (mut server, app) = (Server::start(""), App::willing().await);
    let broker = nats(&server.url()).await;
    let gateway = Running::start(broker, options(&app, 0..2));
    let (mut last, mut killed) = (0, 0);
    while last < 1000 {
        // The agent makes more, whether the broker is there or not.
        app.read(|inner| {
            let outbox = inner.outboxes.entry(0).or_default();
            outbox.extend((last + 1..=last + 50).map(|number| (number, state(0, number))));
        });
        last += 50;
        if last % 250 == 0 {
            // While it is busy.
            let arrived = app.got(1).len();
            until("messages arrive", || app.got(1).len() > arrived).await;
            server.kill();
            killed += 1;
            tokio::time::sleep(Duration::from_millis(100)).await;
            server.restart();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(killed, 4);
    until("all arrive", || app.got(1).len() == 1000).await;
    until("all are confirmed", || app.read(|inner| inner.outboxes[&0].is_empty())).await;
    gateway.end().await;
    assert_eq!(
        without_repetitions(&stored(&server.url()).await),
        (1..=1000).map(|id| (0, id)).collect()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_waits_for_a_broker_that_comes_later() {
    let (mut server, app) = (Server::start(""), App::willing().await);
    server.kill();
    app.read(|inner| inner.outboxes.entry(0).or_default().push((1, state(0, 1))));
    let (url, started) = (server.url(), options(&app, 0..2));
    let starting = tokio::spawn(async move { Running::start(nats(&url).await, started) });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!starting.is_finished());
    server.restart();
    let gateway = starting.await.unwrap();
    until("the message arrives", || app.got(1) == [(0, 1)]).await;
    gateway.end().await;
}

/// What tells a process that it is to be a gateway, and for what.
const BROKER: &str = "EQMESH_TEST_BROKER";
const APP: &str = "EQMESH_TEST_APP";

/// Is no test, but the gateway that the test below kills. It ends when its standard input does: when the test has, however that ended.
#[test]
fn the_gateway_to_be_killed() {
    let (Ok(broker), Ok(app)) = (std::env::var(BROKER), std::env::var(APP)) else {
        return;
    };
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut options = Options::new(&app, secret(), (0..2).map(AgentId));
        options.delivery_timeout = Duration::from_secs(2);
        options.together = 16;
        Gateway::new(nats(&broker).await, options)
            .unwrap()
            .run(std::future::pending())
            .await;
    });
}

/// A gateway in a process of its own, which is killed with this value.
struct Process(Child);

impl Process {
    fn start(server: &Server, app: &App) -> Process {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_gateway_to_be_killed", "--nocapture"])
            .env(BROKER, server.url())
            .env(APP, app.url())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn();
        Process(child.unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_killed_loses_nothing_and_publishes_nothing_twice() {
    const COUNT: u64 = 400;
    let server = Server::start("");
    // The agent answers every message with one of its own, and makes some besides.
    let app = App::start(|delivery| {
        let answers = delivery
            .read()
            .unwrap()
            .into_iter()
            .filter(|own| own.kind == MessageKind::State);
        let answers = answers
            .map(|own| message(MessageKind::Ack, delivery.receiver.0, None, 10_000 + own.id))
            .collect();
        (Duration::from_millis(15), Reply::Accept(answers))
    })
    .await;
    let broker = nats(&server.url()).await;
    broker.prepare(&[AgentId(0), AgentId(1)]).await.unwrap();
    broker
        .publish(&(1..=COUNT).map(|id| outgoing(&state(5, id))).collect::<Vec<Outgoing>>())
        .await
        .unwrap();
    app.read(|inner| {
        for agent in 0..2 {
            inner
                .outboxes
                .entry(agent)
                .or_default()
                .extend((1..=50).map(|id| (id, state(agent, 20_000 + id))));
        }
    });
    for killed in 1..=4 {
        let process = Process::start(&server, &app);
        until("some more is delivered", || {
            app.got(1).len() as u64 >= killed * COUNT / 6
        })
        .await;
        drop(process);
    }
    let gateway = Running::start(broker.clone(), options(&app, 0..2));
    // From 5, from each other's outboxes, and each other's answers: to what came from 5, and to what came from the other's outbox.
    let expected = |agent: u32| -> BTreeSet<(u32, u64)> {
        let other = 1 - agent;
        let five = (1..=COUNT).map(|id| (5, id));
        let outbox = (1..=50).map(|id| (other, 20_000 + id));
        let answers = (1..=COUNT)
            .map(|id| (other, 10_000 + id))
            .chain((1..=50).map(|id| (other, 30_000 + id)));
        five.chain(outbox).chain(answers).collect()
    };
    for agent in 0..2 {
        let expected = expected(agent);
        until("all arrives", || {
            app.got(agent).into_iter().collect::<BTreeSet<_>>() == expected
        })
        .await;
    }
    until("all is confirmed", || {
        app.read(|inner| inner.outboxes.values().all(Vec::is_empty))
    })
    .await;
    gateway.end().await;
    assert_eq!(broker.dead_letters(0, 9).await.unwrap(), []);
    let everything: BTreeSet<(u32, u64)> = expected(0).union(&expected(1)).copied().collect();
    assert_eq!(without_repetitions(&stored(&server.url()).await), everything);
}
