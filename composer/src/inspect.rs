//! What a component imports and exports.

use wac_graph::types::{ItemKind, Package, Type, Types};

/// The outside of a component.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Interfaces {
    /// The names of its imports, in the order of the binary.
    pub imports: Vec<String>,
    /// Those of its imports that have functions or resources (and not only types made of values): what it needs from outside.
    pub needs: Vec<String>,
    /// The names of its exports.
    pub exports: Vec<String>,
}

/// The bytes are not a valid component.
#[derive(Debug, thiserror::Error)]
#[error("`{name}` is not a valid component")]
pub struct InspectError {
    /// What the caller calls it.
    pub name: String,
    /// Why.
    pub source: anyhow::Error,
}

/// Reads the imports and exports of a component; `name` is for the error.
pub fn inspect(name: &str, bytes: &[u8]) -> Result<Interfaces, InspectError> {
    let mut types = Types::new();
    let package = read(name, bytes, &mut types)?;
    Ok(interfaces(&package, &types))
}

/// The imports and exports of a component whose types are in `types`.
pub(crate) fn interfaces(package: &Package, types: &Types) -> Interfaces {
    let world = &types[package.ty()];
    let needs = world
        .imports
        .iter()
        .filter(|(_, kind)| !only_types(**kind, types))
        .map(|(name, _)| name.clone());
    Interfaces {
        imports: world.imports.keys().cloned().collect(),
        needs: needs.collect(),
        exports: world.exports.keys().cloned().collect(),
    }
}

/// Validates a component and adds its types to `types`.
pub(crate) fn read(name: &str, bytes: &[u8], types: &mut Types) -> Result<Package, InspectError> {
    // A package name in wac has a namespace.
    let package = format!("eqmesh:{name}");
    Package::from_bytes(&package, None, bytes, types).map_err(|source| InspectError {
        name: name.to_owned(),
        source,
    })
}

/// Whether an item is a type of values, or an instance that has nothing else. A resource type does not count: it is a capability.
fn only_types(kind: ItemKind, types: &Types) -> bool {
    match kind {
        ItemKind::Type(Type::Value(_)) => true,
        ItemKind::Instance(instance) => types[instance]
            .exports
            .values()
            .all(|kind| matches!(kind, ItemKind::Type(Type::Value(_)))),
        _ => false,
    }
}
