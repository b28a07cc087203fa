//! The input language of eqmesh: reading, diagnostics, elaboration
