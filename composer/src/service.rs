//! Agents as services: an agent composed with its HTTP surface and the port to a key-value store.

use crate::components::Components;
use crate::compose::{ComposeError, connect};
use crate::inspect::inspect;
use crate::world::{AGENT, AGENT_INTERFACE, Wire, World};

/// The component that speaks HTTP.
const SURFACE: &str = "agent-http";

/// The component that keeps state, and its interface.
const STORAGE: (&str, &str) = ("storage-keyvalue", "eqmesh:network/storage@0.1.0");

/// The components that are services by themselves.
pub const ALONE: [&str; 2] = ["nats-webhook", "dashboard"];

/// Composes an agent of these components as a service: it exports `wasi:http/incoming-handler`, and imports nothing but `wasi:*`. Deterministic. Takes milliseconds.
pub fn compose_service(world: World, components: &Components) -> Result<Vec<u8>, ComposeError> {
    let mut names = world.components();
    names.extend([STORAGE.0, SURFACE]);
    let mut wires = world.wires();
    wires.extend([
        Wire {
            to: SURFACE,
            import: AGENT_INTERFACE,
            from: AGENT,
            export: AGENT_INTERFACE,
        },
        Wire {
            to: SURFACE,
            import: STORAGE.1,
            from: STORAGE.0,
            export: STORAGE.1,
        },
    ]);
    let exports = inspect(SURFACE, components.get(SURFACE)?)?.exports;
    let bytes = connect(components, &names, &wires, SURFACE, &exports)?;
    let name = format!("service-{world}");
    let open: Vec<String> = inspect(&name, &bytes)?
        .needs
        .into_iter()
        .filter(|import| !import.starts_with("wasi:"))
        .collect();
    if !open.is_empty() {
        return Err(ComposeError::Open { world, imports: open });
    }
    Ok(bytes)
}

/// All components that `spin.toml` names: file names (without `.wasm`) and bytes.
pub fn services() -> Result<Vec<(String, Vec<u8>)>, ComposeError> {
    let components = Components::with_services();
    let mut services = Vec::new();
    for world in [World::Red, World::Blue, World::Green] {
        services.push((format!("agent-{world}"), compose_service(world, &components)?));
    }
    for name in ALONE {
        services.push((name.to_owned(), components.get(name)?.to_vec()));
    }
    Ok(services)
}
