//! All three streams behind one `rewrite-stream`: imports RED, BLUE and GREEN, and hands each what is its own.

#![allow(unsafe_code, reason = "the export macro declares the component's entry points")]

#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "stream-all-component",
        with: { "eqmesh:network/types@0.1.0": eqmesh_guest::types },
    });
}

use bindings::exports::eqmesh::network::rewrite_stream::{Graph as Handle, Guest};
use bindings::{blue, green, red};
use eqmesh_egraph::color::Color;
use eqmesh_guest::types;
use eqmesh_replica::StepReport;
use eqmesh_streams::step_all;

struct AllColors;

impl Guest for AllColors {
    fn palette() -> Vec<types::Color> {
        [red::palette(), blue::palette(), green::palette()].concat()
    }

    fn add_node(
        graph: &Handle,
        operator: types::Operator,
        children: Vec<types::NodeName>,
    ) -> Result<types::NodeName, types::Fault> {
        green::add_node(graph, &operator, &children)
    }

    fn verify_color_constraint(
        graph: &Handle,
        parent: types::Color,
        children: Vec<types::NodeName>,
    ) -> Result<(), types::Fault> {
        green::verify_color_constraint(graph, parent, &children)
    }

    fn merge_colors(a: types::Color, b: types::Color) -> types::Color {
        green::merge_colors(a, b)
    }

    fn initialize(graph: &Handle, terms: Vec<(Option<String>, String)>) -> Result<(), types::Fault> {
        red::initialize(graph, &terms)
    }

    fn step(graph: &Handle, task: types::Task) -> Result<types::StepReport, types::Fault> {
        let report = step_all(&task.into(), |color, task| {
            let task = types::Task::from(task);
            let report = match color {
                Color::Red => red::step(graph, &task),
                Color::Blue => blue::step(graph, &task),
                Color::Green => green::step(graph, &task),
            };
            Ok(StepReport::from(report?))
        })?;
        Ok(report.into())
    }

    fn certify(graph: &Handle, agents: Vec<u32>) -> bool {
        green::certify(graph, &agents)
    }
}

bindings::export!(AllColors with_types_in bindings);
