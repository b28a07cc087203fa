//! The timeline as a component: an adapter of the WIT interface `timeline` to `eqmesh-timeline`.

#![allow(unsafe_code, reason = "the export macro declares the component's entry points")]

#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "timeline-component",
        with: { "eqmesh:network/types@0.1.0": eqmesh_guest::types },
    });
}

use std::cell::RefCell;

use bindings::exports::eqmesh::network::timeline::{Causality, Guest, GuestLog, TimelineError};
use eqmesh_guest::types;
use eqmesh_replica::AgentId;
use eqmesh_timeline as plain;

struct Component;

impl Guest for Component {
    type Log = Log;
}

struct Log(RefCell<plain::Log>);

impl GuestLog for Log {
    fn new(capacity: u32) -> Log {
        Log(RefCell::new(plain::Log::new(capacity)))
    }

    fn record(&self, entry: types::Entry, now: u64, sender_time: Option<types::Timestamp>) -> types::Event {
        let sender_time = sender_time.map(plain::Timestamp::from);
        self.0.borrow_mut().record(entry.into(), now, sender_time).into()
    }

    fn events(&self, from: u64, limit: u32) -> Vec<types::Event> {
        let events = self.0.borrow().events(from, limit);
        events.into_iter().map(types::Event::from).collect()
    }

    fn metrics(&self) -> types::Metrics {
        self.0.borrow().metrics().into()
    }

    fn metrics_with(&self, peer: u32) -> types::Metrics {
        self.0.borrow().metrics_with(AgentId(peer)).into()
    }

    fn compare(&self, a: u64, b: u64) -> Result<Causality, TimelineError> {
        let causality = self.0.borrow().compare(a, b).map_err(error)?;
        Ok(match causality {
            plain::Causality::Same => Causality::Same,
            plain::Causality::Before => Causality::Before,
            plain::Causality::After => Causality::After,
            plain::Causality::Concurrent => Causality::Concurrent,
        })
    }

    fn past(&self, event: u64) -> Result<Vec<u64>, TimelineError> {
        self.0.borrow().past(event).map_err(error)
    }

    fn matching(&self, event: u64) -> Result<Vec<u64>, TimelineError> {
        self.0.borrow().matching(event).map_err(error)
    }

    fn save(&self) -> Vec<u8> {
        self.0.borrow().save()
    }

    fn load(&self, saved: Vec<u8>) -> Result<(), TimelineError> {
        self.0.borrow_mut().load(&saved).map_err(error)
    }
}

fn error(own: plain::TimelineError) -> TimelineError {
    match own {
        plain::TimelineError::Absent(index) => TimelineError::Absent(index),
        plain::TimelineError::Malformed(text) => TimelineError::Malformed(text),
    }
}

bindings::export!(Component with_types_in bindings);
