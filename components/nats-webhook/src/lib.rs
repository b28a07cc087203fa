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
use eqmesh_webhook::{
    BATCH_TYPE, Batch, DELIVERY_TYPE, Delivery, ID_HEADER, MAX_BYTES, SIGNATURE_HEADER, Secret, TIMESTAMP_HEADER,
};
use serde::Serialize;
use spin_sdk::http::{Method, Request, Response};
use spin_sdk::http_component;

const PATH: &str = "/nats/webhook/";

/// Why a delivery is refused, as problem details (RFC 9457).
#[derive(Debug, Serialize)]
struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    #[serde(skip)]
    retry_after: Option<String>,
}

impl Problem {
    fn new(status: u16, kind: &'static str, title: &'static str, detail: impl Into<String>) -> Problem {
        Problem {
            kind,
            title,
            status,
            detail: detail.into(),
            retry_after: None,
        }
    }

    fn answer(&self) -> Response {
        let mut response = Response::builder();
        response
            .status(self.status)
            .header("content-type", "application/problem+json");
        response.header("cache-control", "no-store");
        if self.status == 405 {
            response.header("allow", "POST");
        }
        if let Some(seconds) = &self.retry_after {
            response.header("retry-after", seconds.clone());
        }
        let body = serde_json::to_vec(self).expect("it serialises into memory");
        response.header("content-length", body.len().to_string());
        response.body(body).build()
    }
}

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
    match serve(&request).await {
        Ok(response) => response,
        Err(problem) => problem.answer(),
    }
}

async fn serve(request: &Request) -> Result<Response, Problem> {
    let delivery = accept(request)?;
    let receiver = delivery.receiver.number();
    let forward = Request::builder()
        .method(Method::Post)
        .uri(format!("http://agent{receiver}.spin.internal/agent/{receiver}/message"))
        .header("content-type", BATCH_TYPE)
        .header("traceparent", header(request, "traceparent").unwrap_or_default())
        .body(
            Batch {
                messages: delivery.messages,
            }
            .encode(),
        )
        .build();
    let stored: Result<Response, _> = spin_sdk::http::send(forward).await;
    let stored = stored.map_err(|error| Problem {
        retry_after: Some("1".to_owned()),
        ..Problem::new(
            503,
            "#agent",
            "The agent cannot be reached",
            format!("agent {receiver}: {error}"),
        )
    })?;
    let status = *stored.status();
    if !(200..300).contains(&status) {
        // The agent's own problem details say more than this component could.
        let retry_after = stored
            .header("retry-after")
            .and_then(|value| value.as_str())
            .map(str::to_owned);
        let mut response = Response::builder();
        response
            .status(status)
            .header("content-type", "application/problem+json");
        if let Some(seconds) = retry_after {
            response.header("retry-after", seconds);
        }
        let body = stored.into_body();
        response.header("content-length", body.len().to_string());
        return Ok(response.body(body).build());
    }
    // What the agent has to say comes with its steps, which the gateway asks for.
    let body = Batch { messages: Vec::new() }.encode();
    let mut response = Response::builder();
    response.status(200).header("content-type", BATCH_TYPE);
    response.header("content-length", body.len().to_string());
    Ok(response.body(body).build())
}

fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.header(name).and_then(|value| value.as_str())
}

/// A delivery that is to be believed, and for an agent of this network.
fn accept(request: &Request) -> Result<Delivery, Problem> {
    let path = request.path();
    let Some(topic) = path
        .strip_prefix(PATH)
        .filter(|topic| !topic.is_empty() && !topic.contains('/'))
    else {
        return Err(Problem::new(
            404,
            "#not-found",
            "There is nothing here",
            format!("deliveries go to {PATH}TOPIC"),
        ));
    };
    if !matches!(request.method(), Method::Post) {
        return Err(Problem::new(
            405,
            "#method",
            "This method does nothing here",
            "use POST",
        ));
    }
    let media = header(request, "content-type").unwrap_or_default();
    if media.split(';').next().unwrap_or_default().trim() != DELIVERY_TYPE {
        return Err(Problem::new(
            415,
            "#media-type",
            "The body is of another type",
            format!("send {DELIVERY_TYPE}"),
        ));
    }
    let body = request.body();
    if body.len() > MAX_BYTES {
        let detail = format!("at most {MAX_BYTES} bytes are taken");
        return Err(Problem::new(413, "#too-large", "The body is too large", detail));
    }
    verify(request, body)?;
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

fn verify(request: &Request, body: &[u8]) -> Result<(), Problem> {
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
    let needed = |name: &str| header(request, name).ok_or_else(|| refused(format!("the header `{name}` is missing")));
    let (id, timestamp, signature) = (needed(ID_HEADER)?, needed(TIMESTAMP_HEADER)?, needed(SIGNATURE_HEADER)?);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    secret
        .verify(id, timestamp, signature, body, now)
        .map_err(|error| refused(error.to_string()))
}
