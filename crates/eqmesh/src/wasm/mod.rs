//! Composed agents under wasmtime.

#[allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic)]
mod bindings {
    wasmtime::component::bindgen!({ path: "../../wit", world: "agent-world" });
}

mod agent;
mod translate;

use std::collections::{BTreeMap, BTreeSet};

use eqmesh_agent::Config;
use eqmesh_composer::{ComposeError, World, compose};
use rayon::prelude::*;
use wasmtime::component::{Component, Linker};
use wasmtime::{Cache, CacheConfig, Config as EngineConfig, Engine, Store};

pub use agent::WasmAgent;
use bindings::AgentWorld;

/// Why the host cannot run agents.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The components do not fit together.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// wasmtime refused the configuration, the code, or an instance of it.
    #[error("wasmtime: {0:#}")]
    Wasmtime(wasmtime::Error),
}

impl From<wasmtime::Error> for HostError {
    fn from(error: wasmtime::Error) -> HostError {
        HostError::Wasmtime(error)
    }
}

/// Machine code of composed agents, ready to be instantiated.
pub struct Host {
    engine: Engine,
    agents: BTreeMap<World, Component>,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Host")
            .field("agents", &self.agents.keys())
            .finish_non_exhaustive()
    }
}

impl Host {
    /// Composes these agents and compiles them, on all processors: seconds the first time, then milliseconds, since wasmtime keeps the machine code in
    /// the user's cache folder.
    pub fn new(worlds: impl IntoIterator<Item = World>) -> Result<Host, HostError> {
        let mut config = EngineConfig::new();
        // The agents' interfaces are synchronous, and without it a call is several times cheaper.
        config.concurrency_support(false);
        // Machine code is kept from run to run, where there is a place for it.
        config.cache(Cache::new(CacheConfig::new()).ok());
        let engine = Engine::new(&config)?;
        let worlds: BTreeSet<World> = worlds.into_iter().collect();
        let agents = worlds
            .into_par_iter()
            .map(|world| Ok((world, Component::new(&engine, compose(world)?)?)))
            .collect::<Result<_, HostError>>()?;
        Ok(Host { engine, agents })
    }

    /// A new agent, with a store of its own.
    ///
    /// # Panics
    ///
    /// If the host was made without this world.
    pub fn agent(&self, world: World, config: Config) -> Result<WasmAgent, HostError> {
        let mut store = Store::new(&self.engine, ());
        // The only import is the vocabulary, which has types and no functions.
        let linker = Linker::new(&self.engine);
        let exports = AgentWorld::instantiate(&mut store, &self.agents[&world], &linker)?;
        Ok(WasmAgent::new(store, exports, config)?)
    }
}
