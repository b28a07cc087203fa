//! The engine of eqmesh: an e-graph with hash-consing, congruence closure by deferred rebuilding, compiled e-matching and extraction.
//!
//! Plain Rust without I/O, clock or randomness, and nothing that depends on the order of a hash table: the same calls give the same
//! answers on every platform. It knows nothing of agents or facts; `eqmesh-replica` puts those on top.

pub mod color;
pub mod containing;
pub mod extract;
pub mod graph;
mod hashcons;
pub mod index;
pub mod matching;
pub mod naming;
pub mod neighbourhood;
pub mod operator;
pub mod primitive;
pub mod program;
pub mod rule;
pub mod term;
mod unionfind;
pub mod value;
