//! `POST /nats/webhook/{topic}`: messages of the broker, signed by the gateway, are handed to the agent that they are for.
//!
//! A delivery is believed only if it carries a signature ([Standard Webhooks](https://www.standardwebhooks.com)) under the secret that this component shares with the
//! gateway. It is answered with 2xx only when the agent has stored every message of it.

#![allow(
    unsafe_code,
    clippy::same_length_and_capacity,
    reason = "the macros declare the component's entry points"
)]

#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
mod bindings {
    wit_bindgen::generate!({ path: "../../wit", world: "http-component", generate_all });
}

use std::time::{SystemTime, UNIX_EPOCH};

use bindings::wasi::config::store;
use eqmesh_http::{Asked, Problem, answer, finish};
use eqmesh_webhook::{
    BATCH_TYPE, Batch, DELIVERY_TYPE, Delivery, ID_HEADER, MAX_BYTES, SIGNATURE_HEADER, Secret, TIMESTAMP_HEADER,
};
use spin_sdk::http::{Method, Request, Response};
use spin_sdk::http_component;

const PATH: &str = "/nats/webhook/";

fn variable(name: &str) -> Result<Option<String>, Problem> {
    let value = store::get(name).map_err(|error| {
        let (store::Error::Upstream(why) | store::Error::Io(why)) = error;
        misconfigured(format!("the variable `{name}`: {why}"))
    })?;
    Ok(value.filter(|value| !value.is_empty()))
}

fn misconfigured(detail: String) -> Problem {
    Problem::new(500, "#configuration", "This webhook is not set up", detail)
}

#[http_component]
async fn handle(request: Request) -> Response {
    let asked = Asked::of(request);
    let response = serve(&asked).await.unwrap_or_else(Problem::answer);
    finish(asked.request.method(), response)
}

async fn serve(asked: &Asked) -> Result<Response, Problem> {
    let delivery = accept(asked)?;
    let receiver = delivery.receiver.number();
    let forward = Request::builder()
        .method(Method::Post)
        .uri(format!("http://agent{receiver}.spin.internal/agent/{receiver}/message"))
        .header("content-type", BATCH_TYPE)
        .header("traceparent", asked.header("traceparent").unwrap_or_default())
        .body(
            Batch {
                messages: delivery.messages,
            }
            .encode(),
        )
        .build();
    let stored: Result<Response, _> = spin_sdk::http::send(forward).await;
    let stored = stored.map_err(|error| {
        let detail = format!("agent {receiver}: {error}");
        Problem::new(503, "#agent", "The agent cannot be reached", detail).retry_after(1)
    })?;
    if !(200..300).contains(stored.status()) {
        // The agent's own problem details say more than this component could.
        return Err(Problem::passed_on(stored));
    }
    // What the agent has to say comes with its steps, which the gateway asks for.
    Ok(answer(200, BATCH_TYPE, Batch { messages: Vec::new() }.encode()))
}

/// A delivery that is to be believed, and for an agent of this network.
fn accept(asked: &Asked) -> Result<Delivery, Problem> {
    let path = asked.request.path();
    let Some(topic) = path
        .strip_prefix(PATH)
        .filter(|topic| !topic.is_empty() && !topic.contains('/'))
    else {
        return Err(Problem::not_found(format!("deliveries go to {PATH}TOPIC")));
    };
    if !matches!(asked.request.method(), Method::Post) {
        return Err(Problem::method("POST"));
    }
    if asked.media_type() != DELIVERY_TYPE {
        return Err(Problem::media_type(DELIVERY_TYPE));
    }
    let body = asked.body(MAX_BYTES)?;
    verify(asked, body)?;
    let malformed = |detail: String| Problem::new(400, "#delivery", "The delivery is malformed", detail);
    let delivery = Delivery::decode(body).map_err(|fault| malformed(fault.to_string()))?;
    if delivery.subject != topic {
        let detail = format!(
            "the path says `{topic}`, and what is signed says `{}`",
            delivery.subject
        );
        return Err(malformed(detail));
    }
    let agents: u32 = match variable("agents")? {
        None => 9,
        Some(text) => text
            .parse()
            .map_err(|_| misconfigured(format!("the variable `agents` is no whole number: `{text}`")))?,
    };
    if delivery.receiver.number() >= agents {
        let detail = format!(
            "there are agents 0 to {}, and no agent {}",
            agents.saturating_sub(1),
            delivery.receiver.number()
        );
        return Err(Problem::new(404, "#agent", "There is no such agent", detail));
    }
    let messages = delivery.read().map_err(|fault| malformed(fault.to_string()))?;
    // The broker lets an agent publish under its own topics only, so that the topic says who the sender is; a prefix of the deployment may stand before it.
    for (at, message) in messages.iter().enumerate() {
        let own = topic == message.topic
            || topic
                .strip_suffix(&message.topic)
                .is_some_and(|prefix| prefix.ends_with('.'));
        if !own {
            return Err(malformed(format!(
                "message {at} belongs to the topic `{}`, and came by `{topic}`",
                message.topic
            )));
        }
    }
    Ok(delivery)
}

fn verify(asked: &Asked, body: &[u8]) -> Result<(), Problem> {
    let refused =
        |detail: String| Problem::new(401, "#signature", "The delivery is not signed as it should be", detail);
    let secret = variable("webhook_secret")?;
    let secret = secret.ok_or_else(|| {
        misconfigured(
            "the variable `webhook_secret` is not set: give it the secret that the gateway signs with".to_owned(),
        )
    })?;
    // What is wrong with a secret does not say what it is.
    let secret: Secret = secret.parse().map_err(|error: eqmesh_webhook::SecretError| {
        misconfigured(format!("the variable `webhook_secret`: {error}"))
    })?;
    let needed = |name: &str| {
        asked
            .header(name)
            .ok_or_else(|| refused(format!("the header `{name}` is missing")))
    };
    let (id, timestamp, signature) = (needed(ID_HEADER)?, needed(TIMESTAMP_HEADER)?, needed(SIGNATURE_HEADER)?);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    secret
        .verify(id, timestamp, signature, body, now)
        .map_err(|error| refused(error.to_string()))
}
