//! The RED stream as a component. Everything is in `eqmesh-guest` and `eqmesh-streams`; only the color is said here.

#![allow(unsafe_code, reason = "the export macro declares the component's entry points")]

use eqmesh_guest::{OneColor, Red, stream_bindings};

type Stream = OneColor<Red>;

stream_bindings::export_stream!(Stream with_types_in stream_bindings);
