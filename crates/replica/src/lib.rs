//! Facts, version vectors, deltas, digests: the replicated state of eqmesh, sans-I/O
