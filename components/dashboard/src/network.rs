//! The whole network, by asking every agent, each time anew.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::{SystemTime, UNIX_EPOCH};

use eqmesh_http::Problem;
use eqmesh_service::AgentState;
use eqmesh_view::network::{Answer, Network};
use futures::future::join_all;
use spin_sdk::http::{Request, Response};

/// An agent's last answer, and the tag that it went by.
type Known = Option<(String, Box<AgentState>)>;

/// Asks agents how they are, and remembers what they said: who has not changed says only that.
pub(crate) struct Inquiry {
    known: Vec<Known>,
}

/// A request to an agent, by service chaining.
async fn send(agent: u32, resource: &str, tag: Option<&str>) -> Result<Response, String> {
    let mut request = Request::get(format!("http://agent{agent}.spin.internal/agent/{agent}/{resource}"));
    if let Some(tag) = tag {
        request.header("if-none-match", tag);
    }
    let sent: Result<Response, _> = spin_sdk::http::send(request.build()).await;
    sent.map_err(|error| error.to_string())
}

/// What an agent answers to a question.
pub(crate) enum Told {
    /// This, and the tag that it goes by, with its quotes.
    Answer(Vec<u8>, Option<String>),
    /// That the tags which were named have one that it still goes by: this one.
    Unchanged(String),
}

/// What an agent answers to a question of the query's parameters, or that it is one of `known` (tags with their quotes, with commas in between). Its problems are passed on.
pub(crate) async fn question(
    agent: u32,
    resource: &str,
    parameters: &[(&str, &str)],
    known: Option<&str>,
) -> Result<Told, Problem> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters);
    let response = send(agent, &format!("{resource}?{}", query.finish()), known).await;
    let response = response.map_err(|why| silent(agent, &why))?;
    let tag = response.header("etag").and_then(|value| value.as_str());
    match (*response.status(), tag) {
        (304, Some(tag)) if known.is_some() => Ok(Told::Unchanged(tag.to_owned())),
        (200, tag) => {
            let tag = tag.map(str::to_owned);
            Ok(Told::Answer(response.into_body(), tag))
        }
        _ if Problem::is_one(&response) => Err(Problem::passed_on(response)),
        (status, _) => Err(silent(agent, &format!("it answers {status}"))),
    }
}

/// An agent does not answer, or not in a way that can be understood.
pub(crate) fn silent(agent: u32, why: &str) -> Problem {
    let detail = format!("agent {agent}: {why}. Ask another one, or this one later");
    Problem::new(503, "#silent", "The agent does not answer", detail).retry_after(1)
}

/// Changes whenever these bytes do.
pub(crate) fn fingerprint(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

impl Inquiry {
    /// Of so many agents.
    pub(crate) fn new(agents: u32) -> Inquiry {
        Inquiry {
            known: vec![None; agents as usize],
        }
    }

    /// Asks all at once.
    pub(crate) async fn ask(&mut self) -> Vec<Answer> {
        let asked = self.known.iter_mut().enumerate();
        join_all(asked.map(|(id, known)| state(id as u32, known))).await
    }

    /// The network's document, and a fingerprint that changes whenever more than the time does.
    pub(crate) async fn network(&mut self) -> (Vec<u8>, String) {
        // Without the time first, so that the fingerprint does not depend on it.
        let mut network = Network::of(self.ask().await, 0);
        let document = |network: &Network| serde_json::to_vec(network).expect("it serialises into memory");
        let fingerprint = fingerprint(&document(&network));
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        network.at = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        (document(&network), fingerprint)
    }
}

async fn state(id: u32, known: &mut Known) -> Answer {
    let silent = |error: String| Answer::Silent { id, error };
    let tag = known.as_ref().map(|(tag, _)| tag.as_str());
    let response = match send(id, "state", tag).await {
        Ok(response) => response,
        Err(error) => return silent(error),
    };
    if let (304, Some((_, state))) = (*response.status(), &*known) {
        return Answer::State(state.clone());
    }
    *known = None;
    if *response.status() != 200 {
        let text = String::from_utf8_lossy(response.body()).into_owned();
        return silent(format!("{}: {text}", response.status()));
    }
    match serde_json::from_slice::<Box<AgentState>>(response.body()) {
        Ok(state) => {
            let tag = response.header("etag").and_then(|value| value.as_str());
            *known = tag.map(|tag| (tag.to_owned(), state.clone()));
            Answer::State(state)
        }
        Err(error) => silent(error.to_string()),
    }
}
