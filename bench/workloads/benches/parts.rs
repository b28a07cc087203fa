//! The parts of the engine and the replica by themselves. `cargo bench -p eqmesh-workloads`.

use divan::Bencher;
use divan::counter::ItemsCount;
use eqmesh_egraph::color::Colors;
use eqmesh_egraph::extract::CostModel;
use eqmesh_egraph::graph::{ClassId, EGraph, OperatorId};
use eqmesh_egraph::operator::Operator;
use eqmesh_replica::{AgentId, Options, Replica, Share};
use eqmesh_workloads::mesh::{Mesh, UNLIMITED};
use eqmesh_workloads::workload::Workload;

/// Match-bound, and growth-bound.
const WORKLOADS: [&str; 2] = ["ac-add-8", "math-pure-it9"];

const WHOLE: Share = Share { index: 0, count: 1 };

fn main() {
    divan::main();
}

fn mesh(name: &str, rounds: u64) -> Mesh {
    let workload = Workload::named(name).expect("a known workload");
    let mut mesh = Mesh::new(&workload, 1).expect("a correct workload");
    mesh.saturate(rounds.min(workload.iterations))
        .expect("rounds that settle");
    mesh
}

/// `side` leaves and a node over each pair of them.
fn grid(side: u32) -> (EGraph, OperatorId, Vec<ClassId>) {
    let mut graph = EGraph::new();
    let pair = graph.declare(&Operator::untyped("pair", 2));
    let leaves: Vec<ClassId> = (0..side)
        .map(|i| {
            let leaf = graph.declare(&Operator::untyped(&i.to_string(), 0));
            let (row, _) = graph.add(leaf, &[], None, Colors::CERTIFIED);
            graph.class_of(row)
        })
        .collect();
    for a in &leaves {
        for b in &leaves {
            graph.add(pair, &[a.0, b.0], None, Colors::CERTIFIED);
        }
    }
    (graph, pair, leaves)
}

#[divan::bench(args = [100, 1000])]
fn hash_consing_new(bencher: Bencher, side: u32) {
    bencher
        .counter(ItemsCount::new(side as usize * side as usize))
        .bench_local(|| grid(side));
}

#[divan::bench(args = [100, 1000])]
fn hash_consing_found(bencher: Bencher, side: u32) {
    let (graph, pair, leaves) = grid(side);
    bencher
        .counter(ItemsCount::new(side as usize * side as usize))
        .bench_local(|| {
            let found = leaves
                .iter()
                .flat_map(|a| leaves.iter().map(move |b| [a.0, b.0]))
                .filter(|key| graph.lookup(pair, key).is_some());
            assert_eq!(found.count(), side as usize * side as usize);
        });
}

#[divan::bench(args = [100, 1000])]
fn find(bencher: Bencher, side: u32) {
    let (mut graph, _, leaves) = grid(side);
    for pair in leaves.windows(2) {
        graph.unite(pair[0], pair[1]);
    }
    graph.rebuild();
    bencher
        .counter(ItemsCount::new(leaves.len()))
        .bench_local(|| leaves.iter().map(|&leaf| u64::from(graph.find(leaf).0)).sum::<u64>());
}

/// All leaves become one, and all pairs.
#[divan::bench(args = [100, 1000])]
fn rebuild(bencher: Bencher, side: u32) {
    let (graph, _, leaves) = grid(side);
    bencher
        .counter(ItemsCount::new(side as usize * side as usize))
        .with_inputs(|| {
            let mut graph = graph.clone();
            for pair in leaves.windows(2) {
                graph.unite(pair[0], pair[1]);
            }
            graph
        })
        .bench_local_values(|mut graph| {
            graph.rebuild();
            assert_eq!(graph.eclasses(), 2);
            graph
        });
}

/// A full search of a saturated or large e-graph: nothing is made of it but a count.
#[divan::bench(args = WORKLOADS)]
fn matching(bencher: Bencher, name: &str) {
    let mesh = mesh(name, u64::MAX);
    let replica = &mesh.replicas[0];
    let matches = {
        let mut replica = replica.clone();
        replica.forget_searches();
        replica
            .derive(&mesh.rules, WHOLE, UNLIMITED)
            .expect("known rules")
            .matches
    };
    bencher
        .counter(ItemsCount::new(matches))
        .with_inputs(|| {
            let mut replica = replica.clone();
            replica.forget_searches();
            replica
        })
        .bench_local_values(|mut replica| {
            replica.derive(&mesh.rules, WHOLE, UNLIMITED).expect("known rules");
            replica
        });
}

#[divan::bench(args = WORKLOADS)]
fn extraction(bencher: Bencher, name: &str) {
    let mut mesh = mesh(name, u64::MAX);
    let term = Workload::named(name).expect("a known workload").terms.remove(0);
    let replica = &mut mesh.replicas[0];
    let enodes = replica.size().enodes;
    bencher.counter(ItemsCount::new(enodes)).bench_local(|| {
        replica
            .extract(&term, 1, CostModel::Tree, Colors::MADE)
            .expect("it is there")
    });
}

/// The last round's facts into bytes.
#[divan::bench(args = WORKLOADS)]
fn delta_encoding(bencher: Bencher, name: &str) {
    let mut mesh = mesh(
        name,
        Workload::named(name).expect("a known workload").expected.iterations - 2,
    );
    let report = mesh.replicas[0]
        .derive(&mesh.rules, WHOLE, UNLIMITED)
        .expect("known rules");
    let replica = &mesh.replicas[0];
    bencher
        .counter(ItemsCount::new(report.applied))
        .with_inputs(|| replica.clone())
        .bench_local_values(|mut replica| replica.seal().expect("facts"));
}

/// All facts into an empty replica; counted by the e-nodes that result.
#[divan::bench(args = WORKLOADS)]
fn replay(bencher: Bencher, name: &str) {
    let mesh = mesh(name, u64::MAX);
    let size = mesh.replicas[0].size();
    bencher.counter(ItemsCount::new(size.enodes)).bench_local(|| {
        let mut replica = Replica::new(Options {
            agent: AgentId(1),
            coloring: false,
        });
        for block in &mesh.blocks {
            replica.receive(block).expect("a block");
            replica.settle();
        }
        assert_eq!(replica.size(), size);
        replica
    });
}
