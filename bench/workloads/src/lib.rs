//! What the benchmarks share: the workloads of `bench/workloads.json`, replicas in this process that run them, and clocks.

pub mod mesh;
pub mod usage;
pub mod workload;
