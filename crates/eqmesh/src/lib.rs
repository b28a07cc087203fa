//! Equality saturation on many WebAssembly agents at once: command line and embedded host
