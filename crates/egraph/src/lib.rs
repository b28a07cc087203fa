//! The engine of eqmesh. See the crate's README section in `docs/`.

pub mod color;
pub mod operator;
pub mod primitive;
pub mod rule;
pub mod value;
