//! Whether a component fits a WIT world: imports no more than the world names, exports no less, with the same types.

use wac_graph::types::{ItemKind, Package, Type, Types, WorldId, validate_target};

use crate::inspect::{InspectError, read};

/// A component does not fit a world.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// `wit/worlds.wit` has no such world.
    #[error("the WIT package has no world `{0}`")]
    UnknownWorld(String),
    /// The bytes are not a component.
    #[error(transparent)]
    Invalid(#[from] InspectError),
    /// It is a component, but another one than the world says.
    #[error("`{component}` does not fit the world `{world}`:{}{}{}", listing("imports what the world does not name", .beyond),
        listing("does not export", .missing), listing("has another type", .mismatched))]
    Misfit {
        /// The component.
        component: String,
        /// The world.
        world: String,
        /// Imports that the world does not name.
        beyond: Vec<String>,
        /// Exports that the world names and the component lacks.
        missing: Vec<String>,
        /// Imports and exports whose types differ, each with the difference.
        mismatched: Vec<String>,
    },
}

/// The world in `wit/worlds.wit` that a component of this workspace implements.
pub fn wit_world(component: &str) -> Option<&'static str> {
    Some(match component {
        "egraph" => "egraph-component",
        "stream-red" | "stream-blue" | "stream-green" => "stream-component",
        "stream-all" => "stream-all-component",
        "duck-colors" => "colors-component",
        "transduction-2tdx" => "transduction-component",
        "interaction-timeline" => "timeline-component",
        "agent-orchestrator" => "orchestrator-component",
        "agent" => "agent-component",
        _ => return None,
    })
}

/// Checks a component against a world of the WIT package `eqmesh:network`; `name` is for the error.
pub fn check(name: &str, bytes: &[u8], world: &str) -> Result<(), TargetError> {
    let mut types = Types::new();
    let component = read(name, bytes, &mut types)?;
    fits(name, &component, &mut types, world)
}

/// Whether a component whose types are in `types` fits a world.
pub(crate) fn fits(name: &str, component: &Package, types: &mut Types, world: &str) -> Result<(), TargetError> {
    let wit = read("network", eqmesh_artifacts::WIT, types)?;
    let target = find(&wit, world).ok_or_else(|| TargetError::UnknownWorld(world.to_owned()))?;
    validate_target(types, target, component.ty()).map_err(|report| TargetError::Misfit {
        component: name.to_owned(),
        world: world.to_owned(),
        beyond: report.imports_not_in_target().map(str::to_owned).collect(),
        missing: report.missing_exports().map(|(name, _)| name.to_owned()).collect(),
        mismatched: report
            .mismatched_types()
            .map(|(name, kind, why)| format!("{kind} {name}: {why:#}"))
            .collect(),
    })
}

/// The part of a message that lists some items; nothing if there are none.
fn listing(what: &str, items: &[String]) -> String {
    if items.is_empty() {
        String::new()
    } else {
        format!(" {what}: {};", items.join(", "))
    }
}

/// A world of a WIT package in binary form.
fn find(wit: &Package, world: &str) -> Option<WorldId> {
    match wit.definitions().get(world) {
        Some(&ItemKind::Type(Type::World(id))) => Some(id),
        _ => None,
    }
}
