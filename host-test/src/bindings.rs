//! Bindings of every world of the WIT package, all on one set of types.

/// The vocabulary that every interface uses.
#[allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod vocabulary {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "vocabulary",
        additional_derives: [PartialEq, Eq],
    });
}

pub use vocabulary::eqmesh::network::types;

/// The replica alone.
#[allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod egraph {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "egraph-component",
        with: { "eqmesh:network/types": crate::vocabulary::eqmesh::network::types },
        additional_derives: [PartialEq],
    });
}

/// A stream of one color over an e-graph that the host provides.
#[allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod stream {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "stream-component",
        with: {
            "eqmesh:network/types": crate::vocabulary::eqmesh::network::types,
            "eqmesh:network/egraph.graph": crate::Mock,
        },
        additional_derives: [PartialEq],
    });
}

/// All three streams behind one, over streams and an e-graph that the host provides.
#[allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod stream_all {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "stream-all-component",
        with: {
            "eqmesh:network/types": crate::vocabulary::eqmesh::network::types,
            "eqmesh:network/egraph": crate::stream::eqmesh::network::egraph,
        },
        additional_derives: [PartialEq],
    });
}

/// Display colors and polarity.
#[allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod colors {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "colors-component",
        with: { "eqmesh:network/types": crate::vocabulary::eqmesh::network::types },
        additional_derives: [PartialEq],
    });
}

/// Rule text to matching programs.
#[allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod transduction {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "transduction-component",
        with: { "eqmesh:network/types": crate::vocabulary::eqmesh::network::types },
        additional_derives: [PartialEq],
    });
}

/// What happened, in which order.
#[allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod timeline {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "timeline-component",
        with: { "eqmesh:network/types": crate::vocabulary::eqmesh::network::types },
        additional_derives: [PartialEq],
    });
}

/// Who takes part and who does what.
#[allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod orchestrator {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "orchestrator-component",
        with: { "eqmesh:network/types": crate::vocabulary::eqmesh::network::types },
        additional_derives: [PartialEq],
    });
}

/// A composed agent.
#[allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod agent {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "agent-world",
        with: { "eqmesh:network/types": crate::vocabulary::eqmesh::network::types },
        additional_derives: [PartialEq],
    });
}
