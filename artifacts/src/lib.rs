//! The WebAssembly components that agents are composed of, as bytes in the program.
//!
//! The build script compiles every crate under `components/` but the services (see `eqmesh-service-artifacts`) and wraps it into a component, so whatever depends on this crate
//! needs no step before `cargo build`. A component that a program names and that does not exist is `None` at run time.
//!
//! ```
//! let egraph = eqmesh_artifacts::component("egraph").expect("the workspace has an e-graph");
//! assert!(egraph.starts_with(b"\0asm"));
//! assert!(eqmesh_artifacts::names().any(|name| name == "egraph"));
//! ```

include!(concat!(env!("OUT_DIR"), "/artifacts.rs"));

/// The bytes of a component, by the name of its folder under `components/`.
pub fn component(name: &str) -> Option<&'static [u8]> {
    let index = ALL.binary_search_by_key(&name, |&(name, _)| name).ok()?;
    Some(ALL[index].1)
}

/// The names of all components, ascending.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|&(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_its_component() {
        assert!(names().is_sorted());
        for (name, bytes) in ALL {
            assert_eq!(component(name), Some(*bytes));
            assert!(bytes.starts_with(b"\0asm\x0d\0\x01\0"), "{name} is not a component");
        }
        assert_eq!(component("no-such-component"), None);
    }
}
