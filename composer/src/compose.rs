//! Composition with wac-graph.

use std::collections::BTreeMap;

use wac_graph::types::Types;
use wac_graph::{
    AliasError, CompositionGraph, EncodeError, EncodeOptions, ExportError, InstantiationArgumentError, NodeId,
    RegisterPackageError,
};

use crate::components::{Components, NoSuchComponent};
use crate::inspect::{InspectError, Interfaces, interfaces, read};
use crate::target::{TargetError, fits};
use crate::world::{AGENT, AGENT_INTERFACE, Wire, World};

/// The one import that a composed agent may have. It holds types and nothing else.
const VOCABULARY: &str = "eqmesh:network/types@0.1.0";

/// Why an agent could not be composed.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// A component that the agent is made of is not there.
    #[error(transparent)]
    Absent(#[from] NoSuchComponent),
    /// A component, or the result, is not valid; the result for example because two instances of the e-graph were mixed up.
    #[error(transparent)]
    Invalid(#[from] InspectError),
    /// Two components have one name.
    #[error("a component occurs twice")]
    Twice(#[from] RegisterPackageError),
    /// A component lacks an export that another one needs.
    #[error("`{component}` does not export `{export}`")]
    NoExport {
        /// The component.
        component: &'static str,
        /// What it should export.
        export: String,
        /// Why.
        source: AliasError,
    },
    /// An export does not fit the import that it is to fill, or there is no such import.
    #[error("`{export}` of `{from}` does not fit the import `{import}` of `{to}`")]
    Mismatch {
        /// The exporting component.
        from: &'static str,
        /// Its export.
        export: &'static str,
        /// The importing component.
        to: &'static str,
        /// Its import.
        import: &'static str,
        /// Why. Boxed, since it is large.
        source: Box<InstantiationArgumentError>,
    },
    /// The agent interface could not be exported.
    #[error("cannot export the agent")]
    Export(#[from] ExportError),
    /// The composition cannot be written as one component.
    #[error("the composition cannot be encoded")]
    Encode(#[source] Box<EncodeError>),
    /// Something was left unconnected: the result would ask its host for it.
    #[error("the agent `{world}` would import {}, for nothing in it is connected to that", .imports.join(", "))]
    Open {
        /// The agent.
        world: World,
        /// What it would import.
        imports: Vec<String>,
    },
    /// The result does not fit `agent-world`.
    #[error(transparent)]
    Target(#[from] TargetError),
}

/// Composes an agent of the components of this workspace. Deterministic: the same bytes each time. Takes milliseconds.
pub fn compose(world: World) -> Result<Vec<u8>, ComposeError> {
    compose_from(world, &Components::built())
}

/// Composes an agent of these components, and checks that the result needs nothing and fits the WIT world `agent-world`.
pub fn compose_from(world: World, components: &Components) -> Result<Vec<u8>, ComposeError> {
    let bytes = connect(
        components,
        &world.components(),
        &world.wires(),
        AGENT,
        &[AGENT_INTERFACE.to_owned()],
    )?;
    let name = format!("agent-{world}");
    // To validate a component takes most of the time, so it is read once for all that is asked of it.
    let mut types = Types::new();
    let agent = read(&name, &bytes, &mut types)?;
    let Interfaces { imports, needs, .. } = interfaces(&agent, &types);
    let open: Vec<String> = imports
        .into_iter()
        .filter(|import| import != VOCABULARY || needs.contains(import))
        .collect();
    if !open.is_empty() {
        return Err(ComposeError::Open { world, imports: open });
    }
    fits(&name, &agent, &mut types, "agent-world")?;
    Ok(bytes)
}

/// Instantiates each component once, in this order, connects the wires, and exports interfaces of one of them. What no wire fills is imported.
/// The result is not validated: whoever reads it ([`inspect`](crate::inspect::inspect)) does that, once.
pub(crate) fn connect(
    components: &Components,
    names: &[&'static str],
    wires: &[Wire],
    exporter: &'static str,
    exports: &[String],
) -> Result<Vec<u8>, ComposeError> {
    let mut graph = CompositionGraph::new();
    let mut instances: BTreeMap<&str, NodeId> = BTreeMap::new();
    for &name in names {
        let package = read(name, components.get(name)?, graph.types_mut())?;
        let package = graph.register_package(package)?;
        let instance = graph.instantiate(package);
        graph.set_node_name(instance, name);
        for wire in wires.iter().filter(|wire| wire.to == name) {
            // Answers the same node to all who share an export.
            let export = graph.alias_instance_export(instances[wire.from], wire.export);
            let export = export.map_err(|source| ComposeError::NoExport {
                component: wire.from,
                export: wire.export.to_owned(),
                source,
            })?;
            graph
                .set_instantiation_argument(instance, wire.import, export)
                .map_err(|source| ComposeError::Mismatch {
                    from: wire.from,
                    export: wire.export,
                    to: wire.to,
                    import: wire.import,
                    source: Box::new(source),
                })?;
        }
        instances.insert(name, instance);
    }
    for interface in exports {
        let export = graph.alias_instance_export(instances[exporter], interface);
        let export = export.map_err(|source| ComposeError::NoExport {
            component: exporter,
            export: interface.clone(),
            source,
        })?;
        graph.export(export, interface)?;
    }
    let options = EncodeOptions {
        define_components: true,
        validate: false,
        processor: None,
    };
    graph
        .encode(options)
        .map_err(|source| ComposeError::Encode(Box::new(source)))
}
