//! The GREEN stream as a component. Everything is in `eqmesh-guest` and `eqmesh-streams`; only the color is said here.

#![allow(unsafe_code, reason = "the export macro declares the component's entry points")]

use eqmesh_guest::{Green, OneColor, stream_bindings};

type Stream = OneColor<Green>;

stream_bindings::export_stream!(Stream with_types_in stream_bindings);
