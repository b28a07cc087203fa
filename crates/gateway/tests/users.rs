//! Users of a broker can speak only for themselves.

mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_nats::jetstream;
use eqmesh_gateway::server_config::{ServerConfig, User, inbox_prefix};
use eqmesh_gateway::{Broker, Connection, Credentials, Layout, Nats, connect};
use eqmesh_nats_fixture::Server;
use eqmesh_orchestrator::MessageKind;
use eqmesh_replica::AgentId;
use futures_util::StreamExt as _;
use support::{App, Reply, Running, layout, message, options, outgoing, state, until};

/// A server for two agents and an operator, with the folder of their seeds.
fn server() -> (Server, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let agents = [1, 2].map(|number| User::agent(&layout(), AgentId(number)));
    let users: Vec<User> = agents.into_iter().chain([User::operator()]).collect();
    for user in &users {
        std::fs::write(seed(folder.path(), &user.name), user.seed()).unwrap();
    }
    let config = ServerConfig {
        listen: "127.0.0.1:4222".to_owned(),
        store_dir: folder.path().join("store"),
        users,
    };
    for user in &config.users {
        assert!(!config.to_string().contains(&user.seed()));
    }
    (Server::start(&config.to_string()), folder)
}

fn seed(folder: &Path, name: &str) -> PathBuf {
    folder.join(name)
}

async fn client(server: &Server, folder: &Path, name: &str, inbox: Option<AgentId>) -> async_nats::Client {
    let connection = Connection {
        url: server.url(),
        credentials: Credentials::Nkey(seed(folder, name)),
        inbox_prefix: inbox.map(inbox_prefix),
        ..Connection::default()
    };
    connect(&connection).await.unwrap()
}

fn restricted() -> Layout {
    let mut layout = layout();
    layout.restricted = true;
    layout
}

/// What the operator finds in the stream.
async fn kept(operator: &async_nats::Client) -> u64 {
    let stream = jetstream::new(operator.clone()).get_stream("eqmesh").await.unwrap();
    stream.cached_info().state.messages
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restricted_gateway_serves_its_agent() {
    let (server, folder) = server();
    let operator = client(&server, folder.path(), "operator", None).await;
    let operator = Nats::new(operator, layout());
    operator.prepare(&[AgentId(1), AgentId(2)]).await.unwrap();
    operator
        .publish(&[outgoing(&state(2, 1)), outgoing(&state(2, 13))])
        .await
        .unwrap();
    let own = Nats::new(
        client(&server, folder.path(), "agent-1", Some(AgentId(1))).await,
        restricted(),
    );
    let app = App::start(|delivery| {
        let poisoned = delivery.read().unwrap().iter().any(|own| own.id == 13);
        let reply = if poisoned {
            Reply::Refuse(422)
        } else {
            Reply::Accept(vec![message(MessageKind::Ack, 1, None, 3)])
        };
        (Duration::ZERO, reply)
    })
    .await;
    app.read(|inner| {
        let outbox = inner.outboxes.entry(1).or_default();
        outbox.extend([
            (1, state(1, 1)),
            (2, message(MessageKind::Sync, 1, Some(2), 2)),
            (3, message(MessageKind::Heartbeat, 1, None, 4)),
        ]);
    });
    let mut heard = operator.fleeting();
    let gateway = Running::start(own, options(&app, [1]));
    until("the message arrives", || app.got(1) == [(2, 1)]).await;
    until("the outbox is confirmed", || {
        app.read(|inner| inner.outboxes[&1].is_empty())
    })
    .await;
    until("the poisoned one is given up", || {
        gateway.metric("dead_letters_total") == 1
    })
    .await;
    assert_eq!(
        tokio::time::timeout(Duration::from_secs(9), heard.recv())
            .await
            .unwrap()
            .unwrap()
            .subject,
        "broadcast.heartbeat.1"
    );
    gateway.end().await;
    assert_eq!(operator.dead_letters(0, 9).await.unwrap().len(), 1);
    let got = operator
        .pull(AgentId(2), 100, Duration::from_millis(300))
        .await
        .unwrap();
    let subjects: Vec<&str> = got
        .iter()
        .map(|own| own.subject.as_str())
        .filter(|own| !own.starts_with("agent.2.state"))
        .collect();
    assert_eq!(subjects.len(), 3, "{subjects:?}");
    for subject in ["agent.1.state", "agent.1.ack", "agent.2.sync.1"] {
        assert!(subjects.contains(&subject), "{subjects:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_can_forge_the_subject_of_another() {
    let (server, folder) = server();
    let operator = client(&server, folder.path(), "operator", None).await;
    Nats::new(operator.clone(), layout())
        .prepare(&[AgentId(1), AgentId(2)])
        .await
        .unwrap();
    let forger = client(&server, folder.path(), "agent-1", Some(AgentId(1))).await;
    let mut everything = operator.subscribe(">").await.unwrap();
    // The server knows of the subscription before the forger says anything.
    operator.publish("ready", "".into()).await.unwrap();
    let ready = async { while everything.next().await.unwrap().subject.as_str() != "ready" {} };
    tokio::time::timeout(Duration::from_secs(10), ready).await.unwrap();
    let others = [
        "agent.2.state",
        "agent.2.ack",
        "agent.2.heartbeat",
        "agent.1.sync.2",
        "broadcast.heartbeat.2",
        "broadcast.heartbeat",
        "replay.2.agent.1.state",
        "dead-letters.2",
        "$JS.ACK.eqmesh.agent-2.1.1.1.1.0",
        "$JS.API.CONSUMER.MSG.NEXT.eqmesh.agent-2",
        "$JS.API.CONSUMER.CREATE.eqmesh.agent-1",
        "$JS.API.CONSUMER.DURABLE.CREATE.eqmesh.agent-1",
        "$JS.API.STREAM.DELETE.eqmesh",
        "$JS.API.STREAM.PURGE.eqmesh",
        "$JS.API.STREAM.MSG.DELETE.eqmesh",
        "_INBOX_agent-2.x",
    ];
    for subject in others {
        forger.publish(subject, "forged".into()).await.unwrap();
    }
    // What is its own passes, and shows that what came before did not.
    forger.publish("agent.1.heartbeat", "own".into()).await.unwrap();
    let own = async {
        loop {
            let message = everything.next().await.unwrap();
            // What the server itself says of all this is not the forger's.
            assert!(message.payload != "forged", "{} was forged", message.subject);
            if message.payload == "own" {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), own).await.unwrap();
    assert_eq!(kept(&operator).await, 0);
    // Nor does it hear what is not for it.
    let mut foreign = forger.subscribe("_INBOX_agent-2.>").await.unwrap();
    let mut states = forger.subscribe("agent.2.state").await.unwrap();
    let mut signs = forger.subscribe("agent.2.heartbeat").await.unwrap();
    tokio::time::timeout(
        Duration::from_secs(10),
        forger.request("$JS.API.CONSUMER.INFO.eqmesh.agent-1", "".into()),
    )
    .await
    .unwrap()
    .unwrap();
    operator.publish("_INBOX_agent-2.x", "secret".into()).await.unwrap();
    operator
        .publish("agent.2.state", "through the broker only".into())
        .await
        .unwrap();
    operator.publish("agent.2.heartbeat", "for all".into()).await.unwrap();
    assert_eq!(
        tokio::time::timeout(Duration::from_secs(10), signs.next())
            .await
            .unwrap()
            .unwrap()
            .payload,
        "for all"
    );
    // The three were published in this order, so those before would be here.
    assert!(
        tokio::time::timeout(Duration::from_millis(100), foreign.next())
            .await
            .ok()
            .flatten()
            .is_none()
    );
    assert!(
        tokio::time::timeout(Duration::from_millis(100), states.next())
            .await
            .ok()
            .flatten()
            .is_none()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_no_key_does_not_get_in() {
    let (server, folder) = server();
    let url = server.url();
    let none = Connection {
        url: url.clone(),
        ..Connection::default()
    };
    let error = connect(&none).await.unwrap_err().to_string();
    assert!(error.contains("refuses the credentials"), "{error}");
    let path = seed(folder.path(), "stranger");
    std::fs::write(&path, User::operator().seed()).unwrap();
    let stranger = Connection {
        url: url.clone(),
        credentials: Credentials::Nkey(path),
        ..Connection::default()
    };
    let error = connect(&stranger).await.unwrap_err().to_string();
    assert!(error.contains("refuses the credentials"), "{error}");
    let missing = Connection {
        url,
        credentials: Credentials::Creds(seed(folder.path(), "missing")),
        ..Connection::default()
    };
    let error = connect(&missing).await.unwrap_err().to_string();
    assert!(error.contains("missing"), "{error}");
}
