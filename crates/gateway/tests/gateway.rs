//! A gateway between a real broker and an app.

mod support;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use eqmesh_agent::Message;
use eqmesh_gateway::{Broker, InProcess, Outgoing, Subjects};
use eqmesh_nats_fixture::Server;
use eqmesh_orchestrator::MessageKind;
use eqmesh_replica::AgentId;
use support::{App, Reply, Running, layout, message, nats, nats_of, options, outgoing, state, until};

/// Takes everything at once, and has nothing to say.
const WILLING: fn(&eqmesh_webhook::Delivery) -> (Duration, Reply) = |_| (Duration::ZERO, Reply::Accept(Vec::new()));

#[tokio::test(flavor = "multi_thread")]
async fn messages_reach_the_agents_that_they_concern() {
    let (server, app) = (Server::start(""), App::willing().await);
    let broker = nats(&server.url()).await;
    let gateway = Running::start(broker.clone(), options(&app, 0..3));
    until("the gateway steps agents", || app.read(|inner| inner.steps.len() == 3)).await;
    broker.prepare(&[0, 1, 2].map(AgentId)).await.unwrap();
    let messages = [
        state(0, 1),
        state(1, 1),
        message(MessageKind::Sync, 2, Some(0), 1),
        message(MessageKind::State, 1, Some(2), 2),
    ];
    broker.publish(&messages.each_ref().map(outgoing)).await.unwrap();
    until("all is delivered", || {
        app.got(0).len() == 2 && app.got(1).len() == 1 && app.got(2).len() == 3
    })
    .await;
    assert_eq!(app.got(0), [(1, 1), (2, 1)]);
    assert_eq!(app.got(1), [(0, 1)]);
    assert_eq!(app.got(2), [(0, 1), (1, 1), (1, 2)]);
    // Signs of life, too.
    broker
        .publish(&[outgoing(&message(MessageKind::Heartbeat, 1, None, 9))])
        .await
        .unwrap();
    until("signs of life are delivered", || {
        app.got(0).contains(&(1, 9)) && app.got(2).contains(&(1, 9))
    })
    .await;
    assert!(!app.got(1).contains(&(1, 9)));
    assert_eq!(app.read(|inner| inner.unsigned), 0);
    // They are counted once they are settled, which is after the app has had them.
    until("all are counted", || {
        gateway.metric("eqmesh_gateway_delivered_messages_total") == 8
    })
    .await;
    gateway.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_travels_together() {
    let (server, app) = (Server::start(""), App::willing().await);
    let broker = nats(&server.url()).await;
    broker.prepare(&[AgentId(1)]).await.unwrap();
    let backlog: Vec<Outgoing> = (0..800).map(|id| outgoing(&state(0, id))).collect();
    broker.publish(&backlog).await.unwrap();
    let gateway = Running::start(broker, options(&app, [1]));
    until("the backlog is delivered", || app.got(1).len() == 800).await;
    let deliveries = app.read(|inner| inner.attempts.len());
    assert!(deliveries <= 800 / 256 + 4, "{deliveries} deliveries");
    gateway.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_long_messages_fewer_are_taken_at_once() {
    const LONG: usize = 900_000;
    let server = Server::start("");
    let broker = nats(&server.url()).await;
    broker.prepare(&[AgentId(1)]).await.unwrap();
    let mut backlog: Vec<Outgoing> = (0..40).map(|id| outgoing(&state(0, id))).collect();
    for own in &mut backlog {
        own.payload = vec![0; LONG].into();
    }
    broker.publish(&backlog).await.unwrap();
    let mut pulls = Vec::new();
    while pulls.iter().sum::<usize>() < backlog.len() {
        let taken = broker.pull(AgentId(1), 256, Duration::from_secs(5)).await.unwrap();
        assert!(!taken.is_empty(), "{pulls:?}");
        pulls.push(taken.len());
    }
    assert!(pulls.iter().all(|&pull| pull * LONG <= 18 << 20), "{pulls:?}");
    assert!(pulls.len() <= 5, "{pulls:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_agent_is_left_alone_while_more_gathers() {
    let app = App::willing().await;
    app.inner.lock().unwrap().step_takes = Duration::from_millis(50);
    let broker = InProcess::new(Subjects::default(), 1 << 20, Duration::from_secs(3));
    let broker = Arc::new(broker);
    let gateway = Running::start(Arc::clone(&broker), options(&app, [1]));
    until("the agent steps", || app.read(|inner| inner.steps.contains_key(&1))).await;
    let began = std::time::Instant::now();
    let before = app.read(|inner| inner.steps[&1]);
    for id in 0..200 {
        broker.publish(&[outgoing(&state(0, id))]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    until("all is delivered", || app.got(1).len() == 200).await;
    // A step of 50 ms and 200 ms of rest: a quarter of a second each, however often something arrives.
    let most = began.elapsed().as_millis() as u64 / 250 + 1;
    let steps = app.read(|inner| inner.steps[&1]) - before;
    assert!((1..=most).contains(&steps), "{steps} steps of at most {most}");
    gateway.end().await;
}

/// A broker that writes down what happens to it, in order.
struct Recorder<B> {
    inner: B,
    events: Arc<Mutex<Vec<String>>>,
    /// How many publications fail first.
    failing: AtomicUsize,
}

impl<B: Broker> Broker for Recorder<B> {
    type Token = B::Token;
    async fn prepare(&self, agents: &[AgentId]) -> Result<(), eqmesh_gateway::BrokerError> {
        self.inner.prepare(agents).await
    }
    async fn publish(&self, messages: &[Outgoing]) -> Result<(), eqmesh_gateway::BrokerError> {
        if self
            .failing
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
            .is_ok()
        {
            self.events.lock().unwrap().push("publishing fails".to_owned());
            return Err(eqmesh_gateway::BrokerError::Unavailable(
                "as the test wants it".to_owned(),
            ));
        }
        let published = self.inner.publish(messages).await;
        self.events
            .lock()
            .unwrap()
            .extend(messages.iter().map(|own| format!("published {}", own.subject)));
        published
    }
    async fn has_room(&self) -> bool {
        self.inner.has_room().await
    }
    async fn pull(
        &self,
        agent: AgentId,
        count: usize,
        wait: Duration,
    ) -> Result<Vec<eqmesh_gateway::Incoming<B::Token>>, eqmesh_gateway::BrokerError> {
        self.inner.pull(agent, count, wait).await
    }
    async fn settle(
        &self,
        token: &B::Token,
        settlement: eqmesh_gateway::Settlement,
    ) -> Result<(), eqmesh_gateway::BrokerError> {
        self.events.lock().unwrap().push(format!("{settlement:?}"));
        self.inner.settle(token, settlement).await
    }
    async fn bury(
        &self,
        message: &eqmesh_gateway::Incoming<B::Token>,
        receiver: AgentId,
        reason: &str,
    ) -> Result<(), eqmesh_gateway::BrokerError> {
        self.inner.bury(message, receiver, reason).await
    }
    fn fleeting(&self) -> tokio::sync::broadcast::Receiver<Outgoing> {
        self.inner.fleeting()
    }
    async fn dead_letters(
        &self,
        after: u64,
        count: usize,
    ) -> Result<Vec<eqmesh_gateway::DeadLetter>, eqmesh_gateway::BrokerError> {
        self.inner.dead_letters(after, count).await
    }
    async fn dead_letter(
        &self,
        sequence: u64,
    ) -> Result<Option<eqmesh_gateway::DeadLetter>, eqmesh_gateway::BrokerError> {
        self.inner.dead_letter(sequence).await
    }
    async fn replay(&self, sequence: u64) -> Result<bool, eqmesh_gateway::BrokerError> {
        self.inner.replay(sequence).await
    }
    async fn maintain(&self) {
        self.inner.maintain().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_agent_answers_is_published_before_the_delivery_is_acknowledged() {
    let server = Server::start("");
    let app = App::start(|_| {
        (
            Duration::ZERO,
            Reply::Accept(vec![message(MessageKind::Ack, 1, None, 77)]),
        )
    })
    .await;
    let broker = nats(&server.url()).await;
    broker.prepare(&[AgentId(1)]).await.unwrap();
    broker.publish(&[outgoing(&state(0, 1))]).await.unwrap();
    let events = Arc::new(Mutex::new(Vec::new()));
    let recorder = Recorder {
        inner: broker,
        events: Arc::clone(&events),
        failing: AtomicUsize::new(3),
    };
    let gateway = Running::start(recorder, options(&app, [1]));
    // The agent's own acknowledgement comes back to its consumer, and is skipped: the second `Done`.
    until("all is acknowledged", || {
        events.lock().unwrap().iter().filter(|own| *own == "Done").count() == 2
    })
    .await;
    let seen = events.lock().unwrap().clone();
    let failure = "publishing fails";
    assert_eq!(
        seen,
        [failure, failure, failure, "published agent.1.ack", "Done", "Done"]
    );
    gateway.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outbox_is_published_and_then_confirmed() {
    let (server, app) = (Server::start(""), App::willing().await);
    let broker = nats(&server.url()).await;
    app.read(|inner| {
        let outbox = inner.outboxes.entry(0).or_default();
        outbox.extend([
            (5, state(0, 1)),
            (6, state(0, 2)),
            (7, message(MessageKind::Heartbeat, 0, None, 3)),
        ]);
        // Whoever speaks for another is not heard.
        outbox.push((8, state(2, 66)));
    });
    let gateway = Running::start(broker.clone(), options(&app, 0..2));
    until("the outbox arrives at the other agent", || {
        let got = app.got(1);
        got.contains(&(0, 1)) && got.contains(&(0, 2))
    })
    .await;
    until("the outbox is confirmed", || {
        app.read(|inner| inner.outboxes[&0].is_empty())
    })
    .await;
    assert!(!app.got(1).contains(&(2, 66)));
    assert_eq!(gateway.metric("forged_messages_total"), 1);
    gateway.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poisoned_message_becomes_a_dead_letter_while_others_flow_and_can_be_replayed() {
    let (server, app) = (Server::start(""), App::willing().await);
    let is = |message: &[u8], id| Message::decode(message).unwrap().id == id;
    // 13 is refused, 14 breaks the app down, each with whatever goes together with it.
    app.behave(move |delivery| {
        let has = |id| delivery.messages.iter().any(|message| is(message, id));
        let reply = match (has(13), has(14)) {
            (true, _) => Reply::Refuse(400),
            (_, true) => Reply::Refuse(500),
            _ => Reply::Accept(Vec::new()),
        };
        (Duration::ZERO, reply)
    });
    let broker = nats(&server.url()).await;
    broker.prepare(&[AgentId(1), AgentId(2)]).await.unwrap();
    let messages: Vec<Outgoing> = (0..30).map(|id| outgoing(&state(0, id))).collect();
    broker.publish(&messages).await.unwrap();
    let mut options = options(&app, [1]);
    options.attempts = 4;
    let gateway = Running::start(broker.clone(), options);
    until("the others flow", || app.got(1).len() == 28).await;
    until("two are given up", || gateway.metric("dead_letters_total") == 2).await;
    let letters = broker.dead_letters(0, 10).await.unwrap();
    let about = |id| letters.iter().find(|letter| is(&letter.payload, id)).unwrap();
    assert_eq!(letters.len(), 2);
    assert!(
        about(13).reason.contains("the app refuses it: 400"),
        "{}",
        about(13).reason
    );
    assert!(about(14).reason.contains("4 times"), "{}", about(14).reason);
    assert_eq!((about(13).receiver, about(13).subject.as_str()), (1, "agent.0.state"));
    assert!(!app.got(1).iter().any(|(_, id)| [13, 14].contains(id)));

    // The app is mended.
    app.behave(WILLING);
    for letter in &letters {
        assert!(broker.replay(letter.sequence).await.unwrap());
    }
    until("dead letters arrive after all", || app.got(1).len() == 30).await;
    assert_eq!(broker.dead_letters(0, 10).await.unwrap(), []);
    // Not at the other agent, which has it from before.
    let second = broker.pull(AgentId(2), 100, Duration::from_millis(300)).await.unwrap();
    assert_eq!(second.len(), 30);
    gateway.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_what_its_subject_says_is_not_delivered() {
    let (server, app) = (Server::start(""), App::willing().await);
    let broker = nats(&server.url()).await;
    broker.prepare(&[AgentId(1)]).await.unwrap();
    let mut forged = outgoing(&state(2, 1));
    forged.subject = "agent.0.state".to_owned();
    let mut nonsense = outgoing(&state(0, 2));
    nonsense.payload = Bytes::from_static(b"nonsense");
    broker
        .publish(&[forged, nonsense, outgoing(&state(0, 3))])
        .await
        .unwrap();
    let gateway = Running::start(broker.clone(), options(&app, [1]));
    until("both are given up", || gateway.metric("dead_letters_total") == 2).await;
    until("the third is delivered", || app.got(1) == [(0, 3)]).await;
    let reasons: Vec<String> = broker
        .dead_letters(0, 9)
        .await
        .unwrap()
        .into_iter()
        .map(|letter| letter.reason)
        .collect();
    assert!(reasons[0].contains("published under agent.0.state"), "{reasons:?}");
    assert!(reasons[1].contains("no message"), "{reasons:?}");
    gateway.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_is_away_costs_no_message() {
    let server = Server::start("");
    let app = App::start(|_| (Duration::ZERO, Reply::Refuse(503))).await;
    let broker = nats(&server.url()).await;
    broker.prepare(&[AgentId(1)]).await.unwrap();
    broker
        .publish(&(0..5).map(|id| outgoing(&state(0, id))).collect::<Vec<_>>())
        .await
        .unwrap();
    let mut options = options(&app, [1]);
    options.attempts = 2;
    // Signs of work are due often: the broker would have delivered again otherwise.
    options.delivery_timeout = Duration::from_secs(1);
    let gateway = Running::start(broker.clone(), options);
    until("it is tried often", || app.read(|inner| inner.attempts.len()) > 8).await;
    // It comes back, but wants to be left alone for a second at first, and has another secret than before.
    app.behave(|_| (Duration::ZERO, Reply::RetryAfter(429, 1)));
    until("it is asked once more", || app.read(|inner| inner.attempts.len()) > 9).await;
    app.behave(|_| (Duration::ZERO, Reply::Refuse(401)));
    let before = app.read(|inner| inner.attempts.len());
    until("it is asked after the pause", || {
        app.read(|inner| inner.attempts.len()) > before
    })
    .await;
    app.behave(WILLING);
    until("all arrive", || app.got(1).len() == 5).await;
    assert_eq!(broker.dead_letters(0, 9).await.unwrap(), []);
    // All the time it was one delivery by the broker.
    let identifiers: BTreeSet<String> = app.read(|inner| inner.attempts.iter().map(|(id, ..)| id.clone()).collect());
    assert_eq!(identifiers.len(), 1, "{identifiers:?}");
    gateway.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_app_gets_no_more_at_once_than_it_can_take() {
    let server = Server::start("");
    let app = App::start(|_| (Duration::from_millis(100), Reply::Accept(Vec::new()))).await;
    let broker = nats(&server.url()).await;
    let agents: Vec<AgentId> = (1..9).map(AgentId).collect();
    broker.prepare(&agents).await.unwrap();
    broker
        .publish(&(0..24).map(|id| outgoing(&state(0, id))).collect::<Vec<_>>())
        .await
        .unwrap();
    let mut options = options(&app, 1..9);
    (options.requests, options.together, options.deliveries) = (3, 4, 2);
    let gateway = Running::start(broker, options);
    until("all arrive", || (1..9).all(|agent| app.got(agent).len() == 24)).await;
    assert_eq!(app.read(|inner| inner.most_in_flight), 3);
    gateway.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_stops_ends_what_is_under_way() {
    let server = Server::start("");
    let app = App::start(|_| (Duration::from_millis(700), Reply::Accept(Vec::new()))).await;
    let broker = nats(&server.url()).await;
    broker.prepare(&[AgentId(1)]).await.unwrap();
    broker.publish(&[outgoing(&state(0, 1))]).await.unwrap();
    let gateway = Running::start(broker.clone(), options(&app, [1]));
    until("the delivery is under way", || {
        app.read(|inner| inner.attempts.len()) == 1
    })
    .await;
    gateway.end().await;
    assert_eq!(app.got(1), [(0, 1)]);
    // It was acknowledged: the broker has nothing more, also when its patience has ended.
    let wait = layout().ack_wait + Duration::from_secs(1);
    assert!(broker.pull(AgentId(1), 1, wait).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_gateway_settles_becomes_a_dead_letter_all_the_same() {
    let (server, app) = (Server::start(""), App::willing().await);
    let mut layout = layout();
    (layout.ack_wait, layout.max_deliver) = (Duration::from_millis(300), 2);
    let broker = nats_of(&server.url(), layout).await;
    broker.prepare(&[AgentId(1)]).await.unwrap();
    broker.publish(&[outgoing(&state(0, 1))]).await.unwrap();
    // Somebody takes it twice, and dies each time before it is settled; the server says that it gives up when it would deliver it for the third time.
    for _ in 0..2 {
        assert_eq!(
            broker.pull(AgentId(1), 1, Duration::from_secs(5)).await.unwrap().len(),
            1
        );
    }
    assert!(
        broker
            .pull(AgentId(1), 1, Duration::from_secs(1))
            .await
            .unwrap()
            .is_empty()
    );
    let gateway = Running::start(broker.clone(), options(&app, [1]));
    let mut letters = Vec::new();
    for _ in 0..1000 {
        letters = broker.dead_letters(0, 9).await.unwrap();
        if !letters.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].reason, "delivered 2 times and never settled");
    assert!(broker.replay(letters[0].sequence).await.unwrap());
    until("it arrives after all", || app.got(1) == [(0, 1)]).await;
    gateway.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_and_messages_pass_without_a_server_too() {
    let app = App::willing().await;
    let broker = Arc::new(InProcess::new(Subjects::default(), 1 << 20, Duration::from_secs(3)));
    broker.prepare(&[AgentId(0), AgentId(1)]).await.unwrap();
    let mut traced = outgoing(&state(0, 1));
    traced.traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
    broker.publish(std::slice::from_ref(&traced)).await.unwrap();
    app.read(|inner| inner.outboxes.entry(1).or_default().push((1, state(1, 2))));
    let gateway = Running::start(broker, options(&app, 0..2));
    until("both arrive", || app.got(1) == [(0, 1)] && app.got(0) == [(1, 2)]).await;
    let trace = app.read(|inner| {
        inner
            .attempts
            .iter()
            .find_map(|(_, own, trace)| (own.receiver.0 == 1).then(|| trace.clone()))
    });
    assert_eq!(trace, Some(traced.traceparent));
    gateway.end().await;
}
