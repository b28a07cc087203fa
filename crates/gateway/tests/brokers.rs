//! What every broker does, whichever it is.

mod support;

use std::time::Duration;

use bytes::Bytes;
use eqmesh_gateway::{Broker, InProcess, Incoming, Outgoing, Settlement, Subjects};
use eqmesh_nats_fixture::Server;
use eqmesh_orchestrator::MessageKind;
use eqmesh_replica::AgentId;
use support::{layout, message, nats_of, outgoing, state};

const ONE: AgentId = AgentId(1);
const TWO: AgentId = AgentId(2);
const SOON: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(300);

/// What concerns the agent of all that is there, by number.
async fn all<B: Broker>(broker: &B, agent: AgentId) -> Vec<(u64, Incoming<B::Token>)> {
    let subjects = Subjects::default();
    let mut all = Vec::new();
    loop {
        let pulled = broker.pull(agent, 100, SHORT).await.unwrap();
        if pulled.is_empty() {
            return all;
        }
        for incoming in pulled {
            let read = subjects.read(&incoming.subject, &incoming.payload).unwrap();
            if read.concerns(agent) {
                all.push((read.id, incoming));
            } else {
                broker.settle(&incoming.token, Settlement::Done).await.unwrap();
            }
        }
    }
}

fn numbers<T>(all: &[(u64, Incoming<T>)]) -> Vec<u64> {
    all.iter().map(|(number, _)| *number).collect()
}

/// The next message for an agent.
async fn next<B: Broker>(broker: &B, agent: AgentId) -> Incoming<B::Token> {
    let mut pulled = broker.pull(agent, 1, SOON).await.unwrap();
    assert_eq!(pulled.len(), 1, "a message is there");
    pulled.remove(0)
}

/// All that is promised of brokers. The broker waits one second for acknowledgements.
async fn conforms<B: Broker>(broker: B) {
    broker.prepare(&[ONE, TWO]).await.unwrap();
    broker.prepare(&[ONE, TWO]).await.unwrap();
    let mut fleeting = broker.fleeting();
    assert!(broker.has_room().await);

    // A message for all goes to all but its sender, one for an agent to it alone; one that is published twice comes once.
    let direct = message(MessageKind::State, 0, Some(2), 11);
    let sync = message(MessageKind::Sync, 2, Some(1), 12);
    let ack = message(MessageKind::Ack, 1, None, 13);
    let messages: Vec<Outgoing> = [&state(0, 10), &direct, &sync, &ack].map(outgoing).to_vec();
    broker.publish(&messages).await.unwrap();
    broker.publish(&messages).await.unwrap();
    let first = all(&broker, ONE).await;
    broker.settle(&first[1].1.token, Settlement::Working).await.unwrap();
    let second = all(&broker, TWO).await;
    assert_eq!(numbers(&first), [10, 12]);
    assert_eq!(numbers(&second), [10, 11, 13]);
    assert_eq!(first[0].1.payload, state(0, 10).encode());
    assert_eq!(first[0].1.subject, "agent.0.state");
    assert_eq!(first[1].1.subject, "agent.1.sync.2");
    assert!(first[0].1.sequence < first[1].1.sequence);

    broker.settle(&first[1].1.token, Settlement::Working).await.unwrap();

    // What is settled does not come again; what is not comes after a second, and says that it does. What is worked on does not come yet.
    broker.settle(&first[0].1.token, Settlement::Done).await.unwrap();
    for (_, incoming) in &second {
        broker.settle(&incoming.token, Settlement::Done).await.unwrap();
    }
    for _ in 0..4 {
        broker.settle(&first[1].1.token, Settlement::Working).await.unwrap();
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    assert!(broker.pull(ONE, 10, SHORT).await.unwrap().is_empty());
    let again = next(&broker, ONE).await;
    assert_eq!((again.sequence, again.attempt), (first[1].1.sequence, 2));

    // What is put off comes later.
    broker
        .settle(&again.token, Settlement::Later(Duration::from_millis(600)))
        .await
        .unwrap();
    assert!(broker.pull(ONE, 10, SHORT).await.unwrap().is_empty());
    let again = next(&broker, ONE).await;
    assert_eq!((again.sequence, again.attempt), (first[1].1.sequence, 3));

    // What is given up becomes a dead letter, and does not come again until it is replayed, to that agent alone.
    broker.bury(&again, ONE, "the reason").await.unwrap();
    assert!(
        broker
            .pull(ONE, 10, Duration::from_millis(1500))
            .await
            .unwrap()
            .is_empty()
    );
    let letters = broker.dead_letters(0, 10).await.unwrap();
    assert_eq!(letters.len(), 1);
    let letter = &letters[0];
    assert_eq!(
        (letter.receiver, letter.subject.as_str(), letter.reason.as_str()),
        (1, "agent.1.sync.2", "the reason")
    );
    assert_eq!(
        (letter.stream_sequence, &letter.payload),
        (again.sequence, &again.payload)
    );
    assert_eq!(
        broker.dead_letter(letter.sequence).await.unwrap().as_ref(),
        Some(letter)
    );
    assert_eq!(broker.dead_letters(letter.sequence, 10).await.unwrap(), []);
    assert!(broker.replay(letter.sequence).await.unwrap());
    assert!(!broker.replay(letter.sequence).await.unwrap());
    assert_eq!(broker.dead_letters(0, 10).await.unwrap(), []);
    let replayed = next(&broker, ONE).await;
    assert_eq!((replayed.payload.clone(), replayed.attempt), (again.payload, 1));
    assert_eq!(
        Subjects::default().read(&replayed.subject, &replayed.payload).unwrap(),
        sync
    );
    // It can be given up and replayed once more.
    broker.bury(&replayed, ONE, "again").await.unwrap();
    let letter = broker.dead_letters(0, 10).await.unwrap().remove(0);
    assert!(broker.replay(letter.sequence).await.unwrap());
    let replayed = next(&broker, ONE).await;
    broker.settle(&replayed.token, Settlement::Done).await.unwrap();
    assert_eq!(numbers(&all(&broker, TWO).await), [0u64; 0]);

    // A pull waits for what comes.
    let (pulled, ()) = tokio::join!(broker.pull(TWO, 10, SOON), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        broker.publish(&[outgoing(&state(0, 20))]).await.unwrap();
    });
    assert_eq!(pulled.unwrap().len(), 1);

    // Signs of life are heard at once, and not kept. Traces go with everything.
    let mut sign = outgoing(&message(MessageKind::Heartbeat, 1, None, 30));
    sign.traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
    broker.publish(std::slice::from_ref(&sign)).await.unwrap();
    let heard = tokio::time::timeout(SOON, fleeting.recv()).await.unwrap().unwrap();
    assert_eq!(
        (heard.subject.as_str(), &heard.payload),
        ("broadcast.heartbeat.1", &sign.payload)
    );
    assert_eq!(heard.traceparent, sign.traceparent);
    let mut traced = outgoing(&state(0, 31));
    traced.traceparent = sign.traceparent;
    broker.publish(std::slice::from_ref(&traced)).await.unwrap();
    let came = all(&broker, TWO).await;
    assert_eq!(numbers(&came), [31]);
    assert_eq!(came[0].1.traceparent, traced.traceparent);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_in_this_process_conforms() {
    conforms(InProcess::new(Subjects::default(), 1 << 20, Duration::from_secs(1))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_conforms() {
    let server = Server::start("");
    let mut layout = layout();
    layout.ack_wait = Duration::from_secs(1);
    conforms(nats_of(&server.url(), layout).await).await;
}

#[tokio::test]
async fn the_broker_in_this_process_says_when_it_is_full() {
    let broker = InProcess::new(Subjects::default(), 100, Duration::from_secs(1));
    broker.prepare(&[ONE]).await.unwrap();
    let mut large = outgoing(&state(0, 1));
    large.payload = Bytes::from(vec![0; 200]);
    broker.publish(&[large]).await.unwrap();
    assert!(!broker.has_room().await);
    let taken = next(&broker, ONE).await;
    broker.settle(&taken.token, Settlement::Done).await.unwrap();
    assert!(broker.has_room().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn networks_of_one_server_do_not_hear_each_other() {
    let server = Server::start("");
    let mut named = eqmesh_gateway::Layout::new(Some("red")).unwrap();
    named.keeping.bytes = 16 << 20;
    let subjects = named.subjects().clone();
    let (plain, named) = (
        nats_of(&server.url(), layout()).await,
        nats_of(&server.url(), named).await,
    );
    plain.prepare(&[ONE]).await.unwrap();
    named.prepare(&[ONE]).await.unwrap();
    plain.publish(&[outgoing(&state(0, 1))]).await.unwrap();
    let of_named = state(0, 2);
    let of_named = Outgoing::new(&subjects, &of_named, Bytes::from(of_named.encode()), None);
    named.publish(&[of_named]).await.unwrap();
    assert_eq!(numbers(&all(&plain, ONE).await), [1]);
    let came = next(&named, ONE).await;
    assert_eq!(came.subject, "red.agent.0.state");
    assert_eq!(subjects.read(&came.subject, &came.payload).unwrap(), state(0, 2));
}
