//! The command `composer`: what it writes, and its exit status.

use std::fs;
use std::process::{Command, Output};

use eqmesh_composer::{Components, World, compose};

fn composer(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_composer"))
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn writes_the_composed_agent() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("blue.wasm");
    let output = composer(&["--world", "blue", "--output", file.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    let expected = compose(World::Blue).unwrap();
    assert_eq!(fs::read(&file).unwrap(), expected);
    assert_eq!(composer(&["--world", "blue", "--output", "-"]).stdout, expected);
}

#[test]
fn writes_the_components_for_wac() {
    let folder = tempfile::tempdir().unwrap();
    assert!(
        composer(&["--components", folder.path().to_str().unwrap()])
            .status
            .success()
    );
    for (name, bytes) in eqmesh_artifacts::ALL {
        let file = format!("eqmesh/{}.wasm", Components::wac_name(name));
        assert_eq!(fs::read(folder.path().join(file)).unwrap(), *bytes);
    }
}

#[test]
fn lists_the_agents() {
    let text = String::from_utf8(composer(&["--list"]).stdout).unwrap();
    assert!(
        text.lines()
            .any(|line| line.starts_with("solo") && line.contains("(composed)")),
        "{text}"
    );
    let json: serde_json::Value = serde_json::from_slice(&composer(&["--list", "--json"]).stdout).unwrap();
    let agents: Vec<&str> = json
        .as_array()
        .unwrap()
        .iter()
        .map(|agent| agent["agent"].as_str().unwrap())
        .collect();
    assert_eq!(agents, ["red", "blue", "green", "solo"]);
    let red = &json[0];
    assert_eq!(red["bytes"], compose(World::Red).unwrap().len());
    assert_eq!(red["needs"], serde_json::json!([]));
    assert_eq!(red["components"][1]["component"], "stream-red");
    assert_eq!(
        red["components"][1]["needs"],
        serde_json::json!(["eqmesh:network/egraph@0.1.0"])
    );
}

#[test]
fn replaces_a_component() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stream.wasm");
    fs::write(&file, eqmesh_artifacts::component("stream-green").unwrap()).unwrap();
    // A RED agent with the GREEN stream: the interface is the same.
    let replacement = format!("stream-red={}", file.display());
    let replaced = composer(&["--world", "red", "--output", "-", "--replace", &replacement]);
    assert!(replaced.status.success(), "{replaced:?}");
    assert_ne!(replaced.stdout, compose(World::Red).unwrap());
    let strange = format!("stream-rot={}", file.display());
    assert_eq!(
        composer(&["--world", "red", "--output", "-", "--replace", &strange])
            .status
            .code(),
        Some(1)
    );
}

#[test]
fn says_what_is_wrong() {
    let wrong = composer(&["--world", "rot", "--output", "-"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(
        String::from_utf8(wrong.stderr)
            .unwrap()
            .contains("choose red, blue, green or solo")
    );
    assert_eq!(composer(&[]).status.code(), Some(2));
    assert_eq!(composer(&["--world", "red"]).status.code(), Some(2));
    assert_eq!(composer(&["--json"]).status.code(), Some(2));
    let unwritable = composer(&["--world", "red", "--output", "/no/such/folder/red.wasm"]);
    assert_eq!(unwritable.status.code(), Some(1));
    assert!(
        String::from_utf8(unwritable.stderr)
            .unwrap()
            .contains("cannot write /no/such/folder/red.wasm")
    );
}
