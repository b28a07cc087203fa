//! An agent composed from a `.wac` file behaves as one that the library composes: the same calls, the same answers, byte for byte.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use eqmesh_composer::{Components, World, compose};
use eqmesh_host_test::agent::AgentWorld;
use eqmesh_host_test::agent::exports::eqmesh::network::agent::{Config, RoundTask};
use eqmesh_host_test::types::{Budget, CostModel};
use eqmesh_host_test::{Instance, component_of};
use wac_parser::Document;
use wac_resolver::{FileSystemPackageResolver, packages};

/// What `wac compose --deps-dir` does.
fn wac_compose(file: &Path, components: &Path) -> Vec<u8> {
    let text = fs::read_to_string(file).unwrap();
    let document = Document::parse(&text).unwrap();
    let keys = packages(&document).unwrap();
    let resolver = FileSystemPackageResolver::new(components, HashMap::new(), true);
    let resolution = document.resolve(resolver.resolve(&keys).unwrap()).unwrap();
    resolution.encode(wac_graph::EncodeOptions::default()).unwrap()
}

/// A small session, and all that the agent said.
fn session(agent: &[u8]) -> Vec<String> {
    let component = component_of(agent);
    let mut instance = Instance::new(
        (),
        |_| Ok(()),
        |store, linker| AgentWorld::instantiate(store, &component, linker),
    );
    let store = &mut instance.store;
    let nodes = instance.world.eqmesh_network_agent().node();
    let config = Config {
        id: 0,
        agents: 1,
        coloring: true,
        timeline_capacity: 50,
    };
    let node = nodes.call_constructor(&mut *store, config).unwrap();
    let program = "(datatype Math (Num i64) (Add Math Math)) (rewrite (Add a b) (Add b a))
        (birewrite (Add (Add a b) c) (Add a (Add b c))) (Add (Add (Num 1) (Num 2)) (Num 3))";
    let mut said = vec![format!(
        "{:?}",
        nodes.call_submit(&mut *store, node, program, 1).unwrap()
    )];
    for round in 0..5 {
        let budget = Budget {
            matches: 1_000,
            nodes: 1_000,
        };
        let task = RoundTask {
            ruleset: String::new(),
            budget,
        };
        said.push(format!(
            "{:?}",
            nodes.call_start_round(&mut *store, node, &task, 10 + round).unwrap()
        ));
        said.push(format!("{:?}", nodes.call_verdict(&mut *store, node).unwrap()));
    }
    let term = "(Add (Num 3) (Add (Num 2) (Num 1)))";
    said.push(format!(
        "{:?}",
        nodes
            .call_extract(&mut *store, node, term, 9, CostModel::Tree, None)
            .unwrap()
    ));
    said.push(format!(
        "{:?}",
        nodes.call_submit(&mut *store, node, "(Nosuch)", 20).unwrap()
    ));
    said.push(format!("{:?}", nodes.call_snapshot(&mut *store, node).unwrap()));
    said.push(format!("{:?}", nodes.call_summary(&mut *store, node).unwrap()));
    said.push(format!("{:?}", nodes.call_metrics(&mut *store, node).unwrap()));
    said
}

#[test]
fn both_ways_to_compose_behave_alike() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("eqmesh")).unwrap();
    for (name, bytes) in Components::built().iter() {
        let file = format!("eqmesh/{}.wasm", Components::wac_name(name));
        fs::write(folder.path().join(file), bytes).unwrap();
    }
    for world in World::ALL {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../composer/agent-{world}.wac"));
        let by_wac = session(&wac_compose(&file, folder.path()));
        assert_eq!(by_wac, session(&compose(world).unwrap()), "{world}");
        assert!(by_wac.len() > 10);
    }
}
