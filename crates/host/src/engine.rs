//! The engine: compiled once and kept, pooled, interrupted.

use std::thread;
use std::time::Duration;

use wasmparser::{ComponentInstance, Instance, Parser, Payload};
use wasmtime::{
    Cache, CacheConfig, Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Result,
};

use crate::limits::{Limits, TABLE_ELEMENTS};

/// How often a guest that computes lets others run, and may be stopped. Short requests wait so long for one that computes, a few times over.
pub(crate) const TICK: Duration = Duration::from_millis(2);

/// More linear memories than these would not fit the address space: each reserves 4 GiB of it, so that no access needs a check.
const MOST_MEMORIES: u32 = 12_288;

/// How many bytes of a memory or table stay in place when an instance of it has gone, and are written back to what they were for the next: about what a request touches. To give the pages back
/// to the system and fault them in again takes longer.
const RESIDENT: usize = 256 << 10;

/// What one instance of a component is made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Footprint {
    pub(crate) instances: u32,
    pub(crate) memories: u32,
    pub(crate) tables: u32,
    /// Bytes of its memories when it begins.
    pub(crate) initial: usize,
}

impl Footprint {
    /// Counts in a component's binary. A binary that cannot be read counts as nothing: compiling it says what is wrong.
    pub(crate) fn of(component: &[u8]) -> Self {
        let mut footprint = Self::default();
        for payload in Parser::new(0).parse_all(component).map_while(Result::ok) {
            match payload {
                Payload::MemorySection(memories) => {
                    footprint.memories += memories.count();
                    let initial = memories.into_iter().flatten().map(|memory| {
                        let page = 1_u64 << memory.page_size_log2.unwrap_or(16);
                        memory.initial.saturating_mul(page) as usize
                    });
                    footprint.initial = initial.fold(footprint.initial, usize::saturating_add);
                }
                Payload::TableSection(tables) => footprint.tables += tables.count(),
                Payload::InstanceSection(instances) => {
                    let made = instances
                        .into_iter()
                        .filter(|made| matches!(made, Ok(Instance::Instantiate { .. })));
                    footprint.instances += made.count() as u32;
                }
                // Where components call each other, the compiler puts modules in between: each is between a pair of them, so there are seldom as many as components, and
                // twice as many are allowed for.
                Payload::ComponentInstanceSection(instances) => {
                    let made = instances
                        .into_iter()
                        .filter(|made| matches!(made, Ok(ComponentInstance::Instantiate { .. })));
                    footprint.instances += 2 * made.count() as u32;
                }
                _ => {}
            }
        }
        footprint
    }

    fn largest(self, other: Self) -> Self {
        Self {
            instances: self.instances.max(other.instances),
            memories: self.memories.max(other.memories),
            tables: self.tables.max(other.tables),
            initial: self.initial.max(other.initial),
        }
    }
}

/// An engine whose pool has room for as many instances as the limits allow of these components.
pub(crate) fn engine(limits: &Limits, footprints: &[Footprint]) -> Result<Engine> {
    let mut config = Config::new();
    // The interfaces are those of WASI 0.2; without the machinery of 0.3, calls between components are several times cheaper.
    config.concurrency_support(false);
    config.epoch_interruption(true);
    // Machine code is kept from run to run, where there is a place for it.
    config.cache(Cache::new(CacheConfig::new()).ok());

    let largest = footprints
        .iter()
        .copied()
        .fold(Footprint::default(), Footprint::largest);
    let each = limits.concurrency as u32;
    let components = each.saturating_mul(footprints.len() as u32);
    let total = |count: fn(&Footprint) -> u32| {
        let sum = footprints.iter().map(count).fold(0_u32, u32::saturating_add);
        sum.saturating_mul(each).max(1)
    };
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(components);
    pool.total_stacks(components);
    pool.total_core_instances(total(|footprint| footprint.instances));
    pool.total_memories(total(|footprint| footprint.memories).min(MOST_MEMORIES));
    pool.total_tables(total(|footprint| footprint.tables));
    pool.max_core_instances_per_component(largest.instances.max(1));
    pool.max_memories_per_component(largest.memories.max(1));
    pool.max_tables_per_component(largest.tables.max(1));
    pool.max_memory_size(limits.memory.min(4 << 30));
    pool.table_elements(TABLE_ELEMENTS);
    pool.linear_memory_keep_resident(RESIDENT);
    pool.table_keep_resident(RESIDENT);
    // Linux 6.7 and later say which pages an instance has written. Elsewhere, so much of each memory is written back.
    pool.pagemap_scan(Enabled::Auto);
    let mut pooled = config.clone();
    pooled.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    let engine = Engine::new(&pooled).or_else(|error| {
        tracing::warn!("no pool of instances can be made, so each is made when it is needed: {error:#}");
        Engine::new(&config)
    })?;

    let weak = engine.weak();
    let tick = move || {
        while let Some(engine) = weak.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    };
    thread::Builder::new().name("eqmesh-clock".into()).spawn(tick)?;
    Ok(engine)
}
