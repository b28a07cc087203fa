//! A replica in WebAssembly: the component `egraph`, which needs nothing, under wasmtime.

use anyhow::{Context as _, Error, Result, anyhow, ensure};
use eqmesh_replica::Options;
use wasmtime::component::{Component, Linker, ResourceAny};
use wasmtime::{Config, Engine, Store};

#[allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic)]
mod bindings {
    wasmtime::component::bindgen!({ path: "../../wit", world: "egraph-component" });
}

use bindings::EgraphComponent;
use bindings::exports::eqmesh::network::egraph::Options as GuestOptions;

fn told(error: wasmtime::Error) -> Error {
    anyhow!("wasmtime: {error:#}")
}

/// An instance of the component.
pub(crate) struct Guest {
    store: Store<()>,
    component: EgraphComponent,
}

impl Guest {
    /// Compiles and instantiates it, with the settings of the embedded host.
    pub(crate) fn new() -> Result<Guest> {
        let mut config = Config::new();
        config.concurrency_support(false);
        let engine = Engine::new(&config).map_err(told)?;
        let bytes = eqmesh_artifacts::component("egraph").context("the component `egraph`")?;
        let component = Component::new(&engine, bytes).map_err(told)?;
        let mut store = Store::new(&engine, ());
        let component = EgraphComponent::instantiate(&mut store, &component, &Linker::new(&engine)).map_err(told)?;
        Ok(Guest { store, component })
    }

    /// An empty replica takes in what was stored. Answers it.
    pub(crate) fn resume(&mut self, options: Options, parts: &[Vec<u8>]) -> Result<ResourceAny> {
        let options = GuestOptions {
            agent: options.agent.0,
            coloring: options.coloring,
        };
        let graphs = self.component.eqmesh_network_egraph().graph();
        let graph = graphs.call_constructor(&mut self.store, options).map_err(told)?;
        let broken = graphs.call_resume(&mut self.store, graph, parts).map_err(told)?;
        ensure!(broken == 0, "{broken} parts are broken");
        Ok(graph)
    }

    /// See [`eqmesh_replica::Replica::meaning_digest`].
    pub(crate) fn meaning_digest(&mut self, graph: ResourceAny) -> Result<Vec<u8>> {
        let graphs = self.component.eqmesh_network_egraph().graph();
        graphs.call_meaning_digest(&mut self.store, graph).map_err(told)
    }

    /// Drops a replica.
    pub(crate) fn forget(&mut self, graph: ResourceAny) -> Result<()> {
        graph.resource_drop(&mut self.store).map_err(told)
    }
}
