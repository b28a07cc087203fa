//! What the benchmarks share: the workloads of `bench/workloads.json`, and replicas in this process that run them.

pub mod mesh;
pub mod workload;
