//! Composing the agents: what the result is, and each way in which it can fail.

use eqmesh_composer::{Components, ComposeError, World, compose, compose_from, describe, inspect, table};
use wac_graph::types::{ItemKind, Package, Type};
use wac_graph::{CompositionGraph, EncodeOptions};

const COLORS: &str = "eqmesh:network/colors@0.1.0";

#[test]
fn every_agent_is_closed_and_the_same_each_time() {
    for world in World::ALL {
        let bytes = compose(world).unwrap();
        let interfaces = inspect(world.name(), &bytes).unwrap();
        assert_eq!(interfaces.imports, ["eqmesh:network/types@0.1.0"], "{world}");
        assert!(interfaces.needs.is_empty(), "{world}");
        assert_eq!(interfaces.exports, ["eqmesh:network/agent@0.1.0"], "{world}");
        assert_eq!(bytes, compose(world).unwrap(), "{world}");
    }
}

#[test]
fn an_agent_holds_one_egraph() {
    let egraph = eqmesh_artifacts::component("egraph").unwrap();
    for world in World::ALL {
        let bytes = compose(world).unwrap();
        let copies = bytes.windows(egraph.len()).filter(|window| *window == egraph).count();
        assert_eq!(copies, 1, "{world}");
    }
}

#[test]
fn the_description_is_of_what_was_composed() {
    for world in World::ALL {
        let description = describe(world, &Components::built()).unwrap();
        assert_eq!(description.bytes, compose(world).unwrap().len());
        let names: Vec<&str> = description
            .components
            .iter()
            .map(|part| part.component.as_str())
            .collect();
        assert_eq!(names, world.components());
        for part in &description.components {
            assert_eq!(part.bytes, eqmesh_artifacts::component(&part.component).unwrap().len());
        }
        let table = table(std::slice::from_ref(&description));
        assert_eq!(table.lines().count(), 2 + names.len());
        assert!(names.iter().all(|name| table.contains(name)));
    }
}

#[test]
fn a_component_that_needs_more_is_refused() {
    let mut components = Components::built();
    components
        .replace("duck-colors", colors_with_an_import("wasi:random/random@0.2.0"))
        .unwrap();
    let Err(ComposeError::Open { world, imports }) = compose_from(World::Green, &components) else {
        panic!("an open import passed")
    };
    assert_eq!(
        (world, imports),
        (World::Green, vec!["wasi:random/random@0.2.0".to_owned()])
    );
}

#[test]
fn a_component_without_the_export_is_refused() {
    let mut components = Components::built();
    let timeline = components.get("interaction-timeline").unwrap().to_vec();
    components.replace("duck-colors", timeline).unwrap();
    let error = compose_from(World::Red, &components).unwrap_err();
    assert!(
        matches!(
            &error,
            ComposeError::NoExport {
                component: "duck-colors",
                export,
                ..
            } if export == COLORS
        ),
        "another error was expected: {error}"
    );
}

#[test]
fn an_export_of_another_type_is_refused() {
    let mut components = Components::built();
    let forgery = format!(
        r#"(component
            (core module $m (func (export "f") (result i64) i64.const 0))
            (core instance $i (instantiate $m))
            (func $f (result s64) (canon lift (core func $i "f")))
            (instance $colors (export "default-seed" (func $f)))
            (export "{COLORS}" (instance $colors)))"#
    );
    components
        .replace("duck-colors", wat::parse_str(forgery).unwrap())
        .unwrap();
    let error = compose_from(World::Red, &components).unwrap_err();
    assert!(
        matches!(
            error,
            ComposeError::Mismatch {
                from: "duck-colors",
                to: "agent",
                import: COLORS,
                ..
            }
        ),
        "another error was expected: {error}"
    );
}

#[test]
fn an_import_that_is_not_there_is_refused() {
    let mut components = Components::built();
    // The e-graph has no import that the wire could fill.
    let egraph = components.get("egraph").unwrap().to_vec();
    components.replace("stream-red", egraph).unwrap();
    let error = compose_from(World::Red, &components).unwrap_err();
    assert!(
        matches!(error, ComposeError::Mismatch { to: "stream-red", .. }),
        "another error was expected: {error}"
    );
}

#[test]
fn what_is_no_component_is_refused() {
    let mut components = Components::built();
    components.replace("agent", b"\0asm\x01\0\0\0".to_vec()).unwrap();
    assert!(matches!(
        compose_from(World::Solo, &components),
        Err(ComposeError::Invalid(_))
    ));
    assert!(components.replace("no-such-component", Vec::new()).is_err());
    assert!(components.get("no-such-component").is_err());
}

#[test]
fn a_component_of_somebody_else_takes_the_place_of_ours() {
    // The same colors behind one more layer: other bytes, the same interface.
    let mut graph = CompositionGraph::new();
    export_colors(&mut graph);
    let layered = graph.encode(EncodeOptions::default()).unwrap();
    assert_ne!(layered, eqmesh_artifacts::component("duck-colors").unwrap());
    let mut components = Components::built();
    components.replace("duck-colors", layered.clone()).unwrap();
    let agent = compose_from(World::Blue, &components).unwrap();
    assert!(agent.windows(layered.len()).any(|window| window == layered));
}

/// Our colors in a component that also imports something.
fn colors_with_an_import(import: &str) -> Vec<u8> {
    let mut graph = CompositionGraph::new();
    let wanted = format!(r#"(component (import "{import}" (instance (export "f" (func (result u64))))))"#);
    let wanted = wat::parse_str(wanted).unwrap();
    let package = Package::from_bytes("test:wanted", None, wanted, graph.types_mut()).unwrap();
    let kind = graph.types()[package.ty()].imports[import];
    assert!(matches!(kind, ItemKind::Instance(_)) && !matches!(kind.ty(), Type::Value(_)));
    graph.import(import, kind).unwrap();
    export_colors(&mut graph);
    graph.encode(EncodeOptions::default()).unwrap()
}

fn export_colors(graph: &mut CompositionGraph) {
    let colors = eqmesh_artifacts::component("duck-colors").unwrap();
    let package = Package::from_bytes("test:colors", None, colors, graph.types_mut()).unwrap();
    let package = graph.register_package(package).unwrap();
    let instance = graph.instantiate(package);
    let export = graph.alias_instance_export(instance, COLORS).unwrap();
    graph.export(export, COLORS).unwrap();
}
