//! What one instance has: its memory, its environment, its stores, its way out.

use std::collections::BTreeMap;
use std::sync::Arc;

use wasmtime::component::{HasData, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::keyvalue::Stores;
use crate::limits::Memory;
use crate::outgoing::Outgoing;

/// The bindings of `wasi:keyvalue` and `wasi:config`.
pub(crate) mod bindings {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "eqmesh:host/imports",
        imports: {
            // Reads answer at once from the last committed state; writes wait for the disk.
            "wasi:keyvalue/store.[method]bucket.set": async | trappable,
            "wasi:keyvalue/store.[method]bucket.delete": async | trappable,
            "wasi:keyvalue/batch.set-many": async | trappable,
            "wasi:keyvalue/batch.delete-many": async | trappable,
            "wasi:keyvalue/atomics.increment": async | trappable,
            "wasi:keyvalue/atomics.swap": async | trappable,
            default: trappable,
        },
        with: {
            "wasi:keyvalue/store.bucket": crate::keyvalue::Bucket,
            "wasi:keyvalue/atomics.cas": crate::keyvalue::Cas,
        },
    });
}

/// The state behind one instance.
pub(crate) struct Guest {
    pub(crate) table: ResourceTable,
    pub(crate) wasi: WasiCtx,
    pub(crate) http: WasiHttpCtx,
    pub(crate) outgoing: Outgoing,
    pub(crate) stores: Stores,
    pub(crate) variables: Arc<BTreeMap<String, String>>,
    pub(crate) memory: Memory,
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            ctx: &mut self.http,
            table: &mut self.table,
            hooks: &mut self.outgoing,
        }
    }
}

/// The configuration of an instance, as `wasi:config` reads it.
pub(crate) struct Variables<'a>(&'a BTreeMap<String, String>);

/// Names [`Variables`] to the linker.
pub(crate) struct HasVariables;

impl HasData for HasVariables {
    type Data<'a> = Variables<'a>;
}

impl Guest {
    pub(crate) fn config(&mut self) -> Variables<'_> {
        Variables(&self.variables)
    }
}

impl bindings::wasi::config::store::Host for Variables<'_> {
    fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<String>, bindings::wasi::config::store::Error>> {
        Ok(Ok(self.0.get(&key).cloned()))
    }

    fn get_all(&mut self) -> wasmtime::Result<Result<Vec<(String, String)>, bindings::wasi::config::store::Error>> {
        Ok(Ok(self
            .0
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()))
    }
}
