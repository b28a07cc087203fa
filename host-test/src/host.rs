//! Compiling and instantiating.

use std::sync::OnceLock;

use wasmtime::component::{Component, Linker};
use wasmtime::{Cache, CacheConfig, Config, Engine, Store};

/// One engine for a test binary: compiling is the costly part, and the machine code is shared.
pub fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let mut config = Config::new();
        // Sync components only: calls are several times cheaper without.
        config.concurrency_support(false);
        // Machine code is kept from one test binary to the next, where there is a place for it.
        config.cache(Cache::new(CacheConfig::new()).ok());
        Engine::new(&config).expect("the configuration fits the features of this build")
    })
}

/// Compiles a component of this workspace, by the name of its folder.
pub fn component(name: &str) -> Component {
    let bytes = eqmesh_artifacts::component(name).unwrap_or_else(|| panic!("there is no component {name}"));
    component_of(bytes)
}

/// Compiles a component.
pub fn component_of(bytes: &[u8]) -> Component {
    Component::new(engine(), bytes).unwrap_or_else(|error| panic!("the component does not compile: {error:?}"))
}

/// An instance of a component: its store and its typed exports.
pub struct Instance<W, T: 'static = ()> {
    /// The store, which every call needs.
    pub store: Store<T>,
    /// The exports of the world.
    pub world: W,
}

impl<W, T: 'static> Instance<W, T> {
    /// Instantiates with this host state; `link` provides the imports.
    pub fn new(
        state: T,
        link: impl FnOnce(&mut Linker<T>) -> wasmtime::Result<()>,
        instantiate: impl FnOnce(&mut Store<T>, &Linker<T>) -> wasmtime::Result<W>,
    ) -> Instance<W, T> {
        let mut linker = Linker::new(engine());
        link(&mut linker).unwrap_or_else(|error| panic!("the imports cannot be provided: {error:?}"));
        let mut store = Store::new(engine(), state);
        let world = instantiate(&mut store, &linker);
        let world = world.unwrap_or_else(|error| panic!("the component cannot be instantiated: {error:?}"));
        Instance { store, world }
    }
}
