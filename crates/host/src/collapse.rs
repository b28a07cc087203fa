//! Requests that are the same and come while one of them is answered are answered together, by the next instance: "collapsed", as caches say ([RFC 9111], section 4).
//!
//! Nothing is kept: an instance answers only whoever asked before it began, so that an answer is as fresh as one of its own. A component allows it answer by answer, by
//! [`COLLAPSIBLE`], which says that the answer depends on nothing else of the request than its path, query and headers, in particular not on who asks.
//!
//! [RFC 9111]: https://www.rfc-editor.org/rfc/rfc9111#section-4

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::stream;
use http::header::{AUTHORIZATION, COOKIE, RANGE};
use http::{HeaderName, Method, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt as _, StreamBody};
use tokio::sync::oneshot;
use wasmtime_wasi_http::WasiBody;

use crate::host::full;
use crate::trace::{TRACEPARENT, TRACESTATE};

/// A component's answer with this header may go to all that ask the same. It goes no further than the host.
pub(crate) const COLLAPSIBLE: HeaderName = HeaderName::from_static("eqmesh-collapsible");

/// Of so many paths of a component it is known at most that their answers may be collapsed.
const PATHS: usize = 1024;

/// All that an answer may depend on, as bytes.
type Key = Box<[u8]>;

/// The requests of one component that are answered. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Flights(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Paths whose last answers were collapsible.
    paths: HashSet<Box<str>>,
    under_way: HashMap<Key, Flight>,
}

/// Those that wait while an instance answers one of them.
#[derive(Default)]
struct Flight {
    /// They asked before it began, and get its answer.
    aboard: Vec<oneshot::Sender<Turn>>,
    /// They came later.
    next: Vec<oneshot::Sender<Turn>>,
}

/// How a wait ends.
enum Turn {
    /// With an answer.
    Answered(Response<Bytes>),
    /// With being the one that an instance is to answer, with this ticket.
    Runs(Ticket),
}

/// Where a request is among those like it.
enum Entered {
    /// Behind one that is under way.
    Waits(oneshot::Receiver<Turn>),
    /// The first: others wait for it under this key.
    First(Key),
}

/// How a request is answered.
pub(crate) enum Boarded {
    /// With another one.
    Answered(Response<Bytes>),
    /// By an instance, whose answer is to be [handed on](Ticket::hand_on).
    Runs(Ticket),
}

/// A request that an instance is to answer. Where it is dropped without an answer, those that wait for it are answered each by an instance of its own.
pub(crate) struct Ticket {
    flights: Flights,
    /// None where nobody else can have the answer.
    path: Option<Box<str>>,
    /// None where nobody waits for the answer.
    key: Option<Key>,
}

impl Flights {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the request has been answered with another one, or is to be answered by an instance: at once, unless the same is under way.
    pub(crate) fn board(&self, request: &Request<WasiBody>) -> impl Future<Output = Boarded> + use<> {
        let mut own = Ticket {
            flights: self.clone(),
            path: can_be_shared(request).then(|| request.uri().path().into()),
            key: None,
        };
        let turn = match own.path.as_deref().and_then(|path| self.enter(path, request)) {
            Some(Entered::Waits(turn)) => Some(turn),
            Some(Entered::First(key)) => {
                own.key = Some(key);
                None
            }
            None => None,
        };
        async {
            let Some(turn) = turn else {
                return Boarded::Runs(own);
            };
            match turn.await {
                Ok(Turn::Answered(response)) => Boarded::Answered(response),
                Ok(Turn::Runs(ticket)) => Boarded::Runs(ticket),
                // Whoever was to answer is gone, or may not.
                Err(_) => Boarded::Runs(own),
            }
        }
    }

    /// Where a request is among those like it; none if it is not known that they may be collapsed.
    fn enter(&self, path: &str, request: &Request<WasiBody>) -> Option<Entered> {
        let mut state = self.lock();
        if !state.paths.contains(path) {
            return None;
        }
        Some(match state.under_way.entry(key(request)) {
            Entry::Occupied(mut flight) => {
                let (sender, turn) = oneshot::channel();
                flight.get_mut().next.push(sender);
                Entered::Waits(turn)
            }
            Entry::Vacant(place) => {
                let key = place.key().clone();
                place.insert(Flight::default());
                Entered::First(key)
            }
        })
    }

    /// Gives an answer to all that were aboard, and lets the first of those that came later be answered for them all.
    fn land(&self, path: &str, key: &Key, response: &Response<Bytes>) {
        let (aboard, next) = {
            let mut state = self.lock();
            let Some(flight) = state.under_way.get_mut(key) else {
                return;
            };
            let aboard = mem::take(&mut flight.aboard);
            let mut later = mem::take(&mut flight.next).into_iter();
            // Clients that have gone do not wait any more.
            let next = later.find(|sender| !sender.is_closed());
            flight.aboard = later.collect();
            if next.is_none() {
                state.under_way.remove(key);
            }
            (aboard, next)
        };
        if let Some(next) = next {
            // If it goes just now, its ticket is dropped, which frees the others.
            let _ = next.send(Turn::Runs(Ticket {
                flights: self.clone(),
                path: Some(path.into()),
                key: Some(key.clone()),
            }));
        }
        for sender in aboard {
            let _ = sender.send(Turn::Answered(response.clone()));
        }
    }
}

impl Ticket {
    /// Gives an instance's answer to all that wait for it, if it may be theirs. Comes back with it.
    pub(crate) async fn hand_on(mut self, mut response: Response<WasiBody>) -> Response<WasiBody> {
        // A body that is still written cannot go to several.
        let collapsible =
            response.headers_mut().remove(COLLAPSIBLE).is_some() && response.body().size_hint().exact().is_some();
        let Some(path) = self.path.take() else {
            return response;
        };
        let waited_for = {
            let mut state = self.flights.lock();
            if !collapsible {
                state.paths.remove(&path);
            } else if !state.paths.contains(&path) {
                if state.paths.len() >= PATHS {
                    state.paths.clear();
                }
                state.paths.insert(path.clone());
            }
            let flight = self.key.as_ref().and_then(|key| state.under_way.get(key));
            flight.is_some_and(|flight| !flight.aboard.is_empty() || !flight.next.is_empty())
        };
        if !collapsible || !waited_for {
            return response;
        }
        let (parts, body) = response.into_parts();
        match body.collect().await {
            Ok(body) => {
                let response = Response::from_parts(parts, body.to_bytes());
                if let Some(key) = self.key.take() {
                    self.flights.land(&path, &key, &response);
                }
                response.map(full)
            }
            Err(error) => {
                // It ends for the client as it ended here.
                Response::from_parts(parts, StreamBody::new(stream::iter([Err(error)])).boxed_unsync())
            }
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(key) = &self.key {
            // Who waited learns of it by its sender, which goes once the lock is free.
            let gone = self.flights.lock().under_way.remove(key);
            drop(gone);
        }
    }
}

/// Whether anybody else may get the same answer, if the component allows it.
fn can_be_shared(request: &Request<WasiBody>) -> bool {
    let private = [AUTHORIZATION, COOKIE, RANGE];
    request.method() == Method::GET
        && request.body().is_end_stream()
        && !private.iter().any(|name| request.headers().contains_key(name))
}

fn key(request: &Request<WasiBody>) -> Key {
    let uri = request.uri();
    let mut key = Vec::with_capacity(256);
    for part in [
        uri.authority().map_or("", |authority| authority.as_str()),
        uri.path_and_query().map_or("", |path| path.as_str()),
    ] {
        key.extend_from_slice(part.as_bytes());
        key.push(b'\n');
    }
    let own = |name: &HeaderName| *name == TRACEPARENT || *name == TRACESTATE;
    for (name, value) in request.headers().iter().filter(|(name, _)| !own(name)) {
        key.extend_from_slice(name.as_str().as_bytes());
        key.push(b':');
        key.extend_from_slice(value.as_bytes());
        key.push(b'\n');
    }
    key.into()
}
