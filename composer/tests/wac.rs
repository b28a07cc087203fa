//! The `.wac` files compose the same agents as the library: same imports, same exports, of the same types.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

use eqmesh_composer::{Components, World, check, compose, inspect};
use wac_graph::EncodeOptions;
use wac_graph::types::{Package, SubtypeChecker, Types};
use wac_parser::Document;
use wac_resolver::{FileSystemPackageResolver, packages};

/// What `wac compose --deps-dir` does.
fn wac_compose(file: &Path, components: &Path) -> Vec<u8> {
    let text = fs::read_to_string(file).unwrap();
    let document = Document::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let keys = packages(&document).unwrap();
    let resolver = FileSystemPackageResolver::new(components, HashMap::new(), true);
    let resolution = document.resolve(resolver.resolve(&keys).unwrap());
    let resolution = resolution.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    resolution.encode(EncodeOptions::default()).unwrap()
}

#[test]
fn wac_files_compose_the_same_agents() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("eqmesh")).unwrap();
    for (name, bytes) in Components::built().iter() {
        let file = format!("eqmesh/{}.wasm", Components::wac_name(name));
        fs::write(folder.path().join(file), bytes).unwrap();
    }
    for world in World::ALL {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("agent-{world}.wac"));
        let by_wac = wac_compose(&file, folder.path());
        let by_us = compose(world).unwrap();
        assert_eq!(
            inspect("by-wac", &by_wac).unwrap(),
            inspect("by-us", &by_us).unwrap(),
            "{world}"
        );
        assert_same_types(&by_wac, &by_us);
        check("by-wac", &by_wac, "agent-world").unwrap();
        for component in world.components() {
            let bytes = eqmesh_artifacts::component(component).unwrap();
            assert!(
                by_wac.windows(bytes.len()).any(|window| window == bytes),
                "{world} by wac lacks {component}"
            );
        }
    }
}

/// Each import and export of the one is a subtype of that of the other, both ways.
fn assert_same_types(left: &[u8], right: &[u8]) {
    let mut types = Types::new();
    let left = Package::from_bytes("test:left", None, left, &mut types).unwrap().ty();
    let right = Package::from_bytes("test:right", None, right, &mut types).unwrap().ty();
    for (from, to) in [(left, right), (right, left)] {
        let of = |world: wac_graph::types::WorldId| [&types[world].imports, &types[world].exports];
        for (some, others) in of(from).into_iter().zip(of(to)) {
            for (name, kind) in some {
                let mut cache = HashSet::new();
                let same = SubtypeChecker::new(&mut cache).is_subtype(*kind, &types, others[name], &types);
                same.unwrap_or_else(|error| panic!("{name}: {error:#}"));
            }
        }
    }
}
