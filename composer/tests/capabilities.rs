//! No component can do anything but compute: none imports `wasi:*`, and none imports what its WIT world does not name.

use eqmesh_composer::{TargetError, check, inspect, wit_world};

const COMPUTING: [&str; 10] = [
    "agent",
    "agent-orchestrator",
    "duck-colors",
    "egraph",
    "interaction-timeline",
    "stream-all",
    "stream-blue",
    "stream-green",
    "stream-red",
    "transduction-2tdx",
];

#[test]
fn computing_components_fit_their_worlds_and_import_no_wasi() {
    for name in COMPUTING {
        let bytes = eqmesh_artifacts::component(name).unwrap_or_else(|| panic!("there is no component {name}"));
        let imports = inspect(name, bytes).unwrap().imports;
        assert!(
            !imports.iter().any(|import| import.starts_with("wasi:")),
            "{name} imports {imports:?}"
        );
        let world = wit_world(name).unwrap_or_else(|| panic!("{name} has no WIT world"));
        check(name, bytes, world).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn whatever_has_a_world_is_in_the_list() {
    let with_world: Vec<&str> = eqmesh_artifacts::names()
        .filter(|name| wit_world(name).is_some())
        .collect();
    assert_eq!(with_world, COMPUTING);
}

#[test]
fn an_import_of_wasi_is_found() {
    let component = wat::parse_str(
        r#"(component (import "wasi:random/random@0.2.0" (instance (export "get-random-u64" (func (result u64))))))"#,
    )
    .unwrap();
    assert_eq!(
        inspect("stranger", &component).unwrap().needs,
        ["wasi:random/random@0.2.0"]
    );
    let TargetError::Misfit {
        beyond,
        missing,
        mismatched,
        ..
    } = check("stranger", &component, "vocabulary").unwrap_err()
    else {
        panic!("another error was expected")
    };
    assert_eq!(beyond, ["wasi:random/random@0.2.0"]);
    assert!(missing.is_empty() && mismatched.is_empty());
}

#[test]
fn an_interface_of_ours_that_the_world_does_not_name_is_found() {
    // Every stream needs the e-graph, which the world of the e-graph itself does not name.
    let stream = eqmesh_artifacts::component("stream-red").unwrap();
    let TargetError::Misfit { beyond, missing, .. } = check("stream-red", stream, "egraph-component").unwrap_err()
    else {
        panic!("another error was expected")
    };
    assert_eq!(beyond, ["eqmesh:network/egraph@0.1.0"]);
    assert_eq!(missing, ["eqmesh:network/egraph@0.1.0"]);
}

#[test]
fn another_type_of_a_function_is_found() {
    let component = wat::parse_str(
        r#"(component
            (core module $m (func (export "f") (result i64) i64.const 0))
            (core instance $i (instantiate $m))
            (func $f (result s64) (canon lift (core func $i "f")))
            (instance $colors (export "default-seed" (func $f)))
            (export "eqmesh:network/colors@0.1.0" (instance $colors)))"#,
    )
    .unwrap();
    let TargetError::Misfit {
        beyond,
        missing,
        mismatched,
        ..
    } = check("forgery", &component, "colors-component").unwrap_err()
    else {
        panic!("another error was expected")
    };
    assert!(beyond.is_empty() && missing.is_empty());
    assert_eq!(mismatched.len(), 1);
    assert!(
        mismatched[0].starts_with("export eqmesh:network/colors@0.1.0"),
        "{mismatched:?}"
    );
}

#[test]
fn what_is_no_component_is_refused() {
    assert!(matches!(
        check("text", b"no wasm at all", "colors-component"),
        Err(TargetError::Invalid(_))
    ));
    let module = wat::parse_str("(module)").unwrap();
    assert!(matches!(
        check("module", &module, "colors-component"),
        Err(TargetError::Invalid(_))
    ));
    let bytes = eqmesh_artifacts::component("duck-colors").unwrap();
    for length in [0, 4, 9, bytes.len() / 2, bytes.len() - 1] {
        assert!(inspect("cut", &bytes[..length]).is_err(), "cut to {length} bytes");
    }
    assert!(matches!(
        check("duck-colors", bytes, "no-such-world"),
        Err(TargetError::UnknownWorld(_))
    ));
}
