//! A component that does what the path says, and answers with plain text. Each path is one thing that a test looks at.

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::SinkExt as _;
use spin_sdk::http::{
    Fields, IncomingRequest, Method, OutgoingResponse, Request, Response, ResponseOutparam, send,
};
use spin_sdk::http_component;

mod bindings {
    wit_bindgen::generate!({ path: "../../wit", world: "eqmesh:host/imports", generate_all });
}

use bindings::wasi::config;
use bindings::wasi::keyvalue::{atomics, batch, store};

static TURNS: AtomicU32 = AtomicU32::new(0);

#[http_component]
async fn handle(request: IncomingRequest, out: ResponseOutparam) {
    let path = request.path_with_query().unwrap_or_default();
    let headers = request.headers().entries();
    let header = |name: &str| {
        let found = headers.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    };
    let before_query = path.split('?').next().unwrap_or_default();
    let mut segments: Vec<&str> = before_query.trim_start_matches('/').split('/').collect();
    // The second component of the tests lies below this prefix.
    if segments.len() > 2 && segments[0] == "two" {
        segments.drain(..2);
    }
    if let ["stream", count, pause] = segments.as_slice() {
        return stream(out, number(count), number(pause)).await;
    }
    let answer = match segments.as_slice() {
        ["headers", ..] => {
            let mut text = String::new();
            for (name, value) in &headers {
                writeln!(text, "{name}: {}", String::from_utf8_lossy(value)).unwrap();
            }
            Ok(text)
        }
        ["variables"] => config::store::get_all().map(|all| format!("{all:?}")).map_err(|error| format!("{error:?}")),
        ["variable", name] => config::store::get(name).map(|value| format!("{value:?}")).map_err(|error| format!("{error:?}")),
        ["environment", name] => Ok(format!("{:?}", std::env::var(name).ok())),
        ["body"] => match request.into_body().await {
            Ok(body) => Ok(body.len().to_string()),
            Err(error) => Err(format!("{error:?}")),
        },
        ["send"] => fetch(header("x-url").unwrap_or_default(), header("x-traceparent")).await,
        ["memory", mebibytes] => {
            let mut bytes = vec![1_u8; number(mebibytes) << 20];
            black_box(&mut bytes);
            Ok(bytes.len().to_string())
        }
        ["hold", mebibytes, milliseconds] => {
            let mut bytes = vec![1_u8; number(mebibytes) << 20];
            black_box(&mut bytes);
            std::thread::sleep(Duration::from_millis(number(milliseconds) as u64));
            Ok(bytes.len().to_string())
        }
        // Outlives that it is refused memory, and draws a wrong conclusion unless it can do without.
        ["reserve", mebibytes, rest @ ..] => {
            let mut bytes = Vec::<u8>::new();
            let reserved = bytes.try_reserve_exact(number(mebibytes) << 20);
            black_box(&mut bytes);
            match reserved {
                Err(_) if rest.is_empty() => Err("the stored state is damaged".to_owned()),
                _ => Ok("done".to_owned()),
            }
        }
        ["compute"] => loop {
            black_box(0);
        },
        ["sleep", milliseconds] => {
            std::thread::sleep(Duration::from_millis(number(milliseconds) as u64));
            Ok("awake".to_owned())
        }
        ["print"] => {
            println!("to the output");
            eprint!("to the error");
            Ok(String::new())
        }
        ["collapsible", ..] if header("x-fail").is_some() => {
            std::thread::sleep(Duration::from_millis(100));
            Err("as asked".to_owned())
        }
        // Which request of this instance it is, after a while.
        ["collapsible", milliseconds] | ["private", milliseconds] => {
            std::thread::sleep(Duration::from_millis(number(milliseconds) as u64));
            Ok((TURNS.fetch_add(1, Ordering::Relaxed) + 1).to_string())
        }
        // Which request of this instance it is.
        ["turn", ..] => Ok((TURNS.fetch_add(1, Ordering::Relaxed) + 1).to_string()),
        ["keep"] => {
            std::mem::forget(store::open("default"));
            Ok((TURNS.fetch_add(1, Ordering::Relaxed) + 1).to_string())
        }
        ["panic"] => panic!("as asked"),
        ["keyvalue", store, rest @ ..] => {
            let rest: Vec<String> = rest.iter().map(|&part| part.to_owned()).collect();
            let store = (*store).to_owned();
            match request.into_body().await {
                Ok(body) => key_value(&store, &rest, body),
                Err(error) => Err(format!("{error:?}")),
            }
        }
        _ => Ok(path.clone()),
    };
    let (status, text) = match answer {
        Ok(text) => (200, text),
        Err(text) => (500, text),
    };
    let response = Response::builder().status(status).header("content-type", "text/plain").body(text).build();
    let (fields, body) = (Fields::new(), response.into_body());
    if segments.first() == Some(&"collapsible") && status == 200 {
        fields.append(&"eqmesh-collapsible".to_owned(), &b"yes".to_vec()).unwrap();
    }
    let response = OutgoingResponse::new(fields);
    response.set_status_code(status).unwrap();
    out.set_with_body(response, body).await.unwrap();
}

fn number(text: &str) -> usize {
    text.parse().expect("a number")
}

/// Sends a request; answers the status and the body of what comes back.
async fn fetch(url: String, traceparent: Option<String>) -> Result<String, String> {
    let mut request = Request::builder();
    request.method(Method::Get).uri(url);
    if let Some(traceparent) = traceparent {
        request.header("traceparent", traceparent);
    }
    let response: Response = send(request.build()).await.map_err(|error| format!("{error:?}"))?;
    Ok(format!("{} {}", response.status(), String::from_utf8_lossy(response.body())))
}

/// Writes so many events, with pauses between them.
async fn stream(out: ResponseOutparam, count: usize, pause: usize) {
    let fields = Fields::from_list(&[("content-type".to_owned(), b"text/event-stream".to_vec())]).unwrap();
    let response = OutgoingResponse::new(fields);
    let mut body = response.take_body();
    out.set(response);
    for event in 0..count {
        if body.send(format!("data: {event}\n\n").into_bytes()).await.is_err() {
            // The client has gone.
            println!("the stream ended at event {event}");
            return;
        }
        std::thread::sleep(Duration::from_millis(pause as u64));
    }
}

fn key_value(name: &str, operation: &[String], body: Vec<u8>) -> Result<String, String> {
    let text = |error: store::Error| format!("{error:?}");
    let shown = |value: Option<Vec<u8>>| format!("{:?}", value.map(|value| String::from_utf8_lossy(&value).into_owned()));
    let bucket = store::open(name).map_err(text)?;
    let operation: Vec<&str> = operation.iter().map(String::as_str).collect();
    match operation.as_slice() {
        ["get", key] => bucket.get(key).map(shown).map_err(text),
        ["set", key] => bucket.set(key, &body).map(|()| "set".to_owned()).map_err(text),
        ["delete", key] => bucket.delete(key).map(|()| "deleted".to_owned()).map_err(text),
        ["exists", key] => bucket.exists(key).map(|exists| exists.to_string()).map_err(text),
        ["keys"] => {
            let mut all = Vec::new();
            let mut cursor = None;
            loop {
                let page = bucket.list_keys(cursor.as_deref()).map_err(text)?;
                all.extend(page.keys);
                cursor = page.cursor;
                if cursor.is_none() {
                    return Ok(format!("{all:?}"));
                }
            }
        }
        ["increment", key, delta] => atomics::increment(&bucket, key, delta.parse().unwrap()).map(|sum| sum.to_string()).map_err(text),
        // A compare-and-swap until it succeeds: adds a letter.
        ["append", key] => {
            let mut cas = atomics::Cas::new(&bucket, key).map_err(text)?;
            loop {
                let mut value = cas.current().map_err(text)?.unwrap_or_default();
                value.extend_from_slice(&body);
                match atomics::swap(cas, &value) {
                    Ok(()) => return Ok(value.len().to_string()),
                    Err(atomics::CasError::CasFailed(again)) => cas = again,
                    Err(atomics::CasError::StoreError(error)) => return Err(text(error)),
                }
            }
        }
        // Two that both saw the same: the first wins, and the second is told what is there now.
        ["race", key] => {
            let one = atomics::Cas::new(&bucket, key).map_err(text)?;
            let other = atomics::Cas::new(&bucket, key).map_err(text)?;
            let won = atomics::swap(one, b"one").is_ok();
            match atomics::swap(other, b"other") {
                Ok(()) => Ok(format!("{won} and the other, too")),
                Err(atomics::CasError::CasFailed(now)) => Ok(format!("{won} {}", shown(now.current().map_err(text)?))),
                Err(atomics::CasError::StoreError(error)) => Err(text(error)),
            }
        }
        ["set-many", count] => {
            let pairs: Vec<(String, Vec<u8>)> = (0..number(count)).map(|key| (format!("{key:05}"), body.clone())).collect();
            batch::set_many(&bucket, &pairs).map(|()| "set".to_owned()).map_err(text)
        }
        ["get-many", keys @ ..] => {
            let keys: Vec<String> = keys.iter().map(|&key| key.to_owned()).collect();
            let pairs = batch::get_many(&bucket, &keys).map_err(text)?;
            Ok(pairs.into_iter().map(|(key, value)| format!("{key}={} ", shown(value))).collect())
        }
        ["delete-many", keys @ ..] => {
            let keys: Vec<String> = keys.iter().map(|&key| key.to_owned()).collect();
            batch::delete_many(&bucket, &keys).map(|()| "deleted".to_owned()).map_err(text)
        }
        other => Err(format!("no operation {other:?}")),
    }
}
