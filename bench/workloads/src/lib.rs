//! What the benchmarks share: the workloads of `bench/workloads.json`, replicas in this process that run them, clocks, and figures with their targets.

pub mod mesh;
pub mod row;
pub mod usage;
pub mod workload;
