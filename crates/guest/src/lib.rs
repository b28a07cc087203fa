//! What the WebAssembly components share: the WIT vocabulary (`eqmesh:network/types`), and its translation to the types of the crates.

#[allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic)]
mod bindings {
    wit_bindgen::generate!({ path: "../../wit", world: "vocabulary", additional_derives: [PartialEq, Clone] });
}

mod colors;
mod orchestrator;
mod stream;
mod timeline;
mod translate;

pub use bindings::eqmesh::network::types;
pub use orchestrator::digest_from_wit;
pub use stream::*;
pub use translate::*;
