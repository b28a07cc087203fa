//! The WebAssembly components that make agents a service, as bytes in the program: those that speak HTTP or keep state in a key-value store.
//!
//! Built like `eqmesh-artifacts`, but apart from them: who only runs agents need not compile these.

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
    fn every_folder_is_a_component_here_or_among_the_plain_ones() {
        let folders = concat!(env!("CARGO_MANIFEST_DIR"), "/../../components");
        let folders = std::fs::read_dir(folders).unwrap().map(|folder| folder.unwrap().path());
        let mut folders: Vec<_> = folders
            .filter(|folder| folder.join("Cargo.toml").is_file())
            .map(|folder| folder.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        folders.sort();
        let mut built: Vec<_> = names().chain(eqmesh_artifacts::names()).collect();
        built.sort_unstable();
        assert_eq!(folders, built);
    }
}
