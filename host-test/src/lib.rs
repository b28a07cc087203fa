//! A wasmtime host for tests: bindings of every WIT world, and the components ready to be instantiated.
//!
//! The tests are in `tests/`, one file a component, then the composed agents. Each calls every function of the component's interface.

mod bindings;
mod host;
mod mock;
pub mod rules;

pub use bindings::*;
pub use host::{Instance, component, component_of, engine};
pub use mock::{Call, Mock, MockState, graph, nothing_found};
