//! `GET /events`: the status whenever it changes, as server-sent events.

use std::time::{Duration, Instant};

use spin_sdk::http::{Fields, OutgoingResponse, ResponseOutparam};

use crate::network::Inquiry;

/// How often the agents are asked.
const LOOK: Duration = Duration::from_millis(500);

/// Something is said at least this often, so that nobody in between takes the stream to be dead.
const ALIVE: Duration = Duration::from_secs(10);

/// How long a stream lasts. The client opens another one; so streams that nobody reads, and that nothing says so of, come to an end.
const LASTS: Duration = Duration::from_mins(5);

/// The head of the stream.
pub(crate) const HEADERS: [(&str, &str); 4] = [
    ("content-type", "text/event-stream"),
    ("cache-control", "no-store"),
    ("access-control-allow-origin", "*"),
    ("x-content-type-options", "nosniff"),
];

/// Why a stream ends before its time: the client has gone.
struct Gone;

/// Streams until the client goes away or the time is up.
pub(crate) async fn stream(agents: u32, out: ResponseOutparam) {
    let headers = HEADERS.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
    let headers = Fields::from_list(&headers).expect("these are well formed");
    let response = OutgoingResponse::new(headers);
    let body = response.body().expect("it was not taken before");
    let stream = body.write().expect("it was not taken before");
    out.set(response);
    // At most 4096 bytes go at once.
    let say = |text: &str| {
        text.as_bytes()
            .chunks(4096)
            .try_for_each(|chunk| stream.blocking_write_and_flush(chunk).map_err(|_| Gone))
    };
    let tell = async {
        let (start, mut said) = (Instant::now(), Instant::now());
        let (mut inquiry, mut last) = (Inquiry::new(agents), String::new());
        say("retry: 1000\n\n")?;
        while start.elapsed() < LASTS {
            // A stream whose client has gone is closed; asking costs nothing, and nothing has to be written for it.
            stream.check_write().map_err(|_| Gone)?;
            let (document, fingerprint) = inquiry.network().await;
            if fingerprint != last {
                let document = String::from_utf8_lossy(&document);
                say(&format!("event: status\nid: {fingerprint}\ndata: {document}\n\n"))?;
                (last, said) = (fingerprint, Instant::now());
            } else if said.elapsed() >= ALIVE {
                say(": nothing has changed\n\n")?;
                said = Instant::now();
            }
            std::thread::sleep(LOOK);
        }
        Ok::<(), Gone>(())
    };
    // That the client has gone is no failure.
    let _ = tell.await;
    drop(stream);
    let _ = spin_sdk::wit::wasi::http0_2_0::types::OutgoingBody::finish(body, None);
}
