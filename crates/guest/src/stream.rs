//! The stream components: one adapter of the imported e-graph and the exported `rewrite-stream`, for the three colors.

#[allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod stream_bindings {
    //! The world of a stream component.
    wit_bindgen::generate!({
        path: "../../wit",
        world: "stream-component",
        with: { "eqmesh:network/types@0.1.0": crate::types },
        pub_export_macro: true,
        export_macro_name: "export_stream",
    });
}

use std::marker::PhantomData;

use eqmesh_egraph::color::Color;
use eqmesh_egraph::operator::Operator;
use eqmesh_replica::{AgentId, Budget, Dot, Fault, Name, NodeInfo, Share, StepReport};
use eqmesh_streams::{Graph, RuleInfo, Stream};

use crate::translate::{name_from_wit, operator_from_wit};
use crate::types;
use stream_bindings::eqmesh::network::egraph as imported;
use stream_bindings::exports::eqmesh::network::rewrite_stream::{Graph as Handle, Guest};

/// The imported e-graph as the streams' port.
pub struct Imported<'a>(pub &'a imported::Graph);

impl Graph for Imported<'_> {
    fn rules(&self) -> Vec<RuleInfo> {
        let info = |rule: imported::Rule| RuleInfo {
            fact: rule.fact.into(),
            name: rule.name,
            ruleset: rule.ruleset,
            color: rule.color.into(),
        };
        self.0.rules().into_iter().map(info).collect()
    }

    fn insert(&mut self, term: &str, label: Option<&str>, color: Color) -> Result<(), Fault> {
        self.0.insert(term, label, color.into())?;
        Ok(())
    }

    fn add_node(&mut self, operator: &Operator, children: &[Name], color: Color) -> Result<Name, Fault> {
        let children: Vec<types::NodeName> = children.iter().map(|&child| child.into()).collect();
        name_from_wit(self.0.add_node(&operator.into(), &children, color.into())?)
    }

    fn inspect(&self, node: Name) -> Result<NodeInfo, Fault> {
        let info = self.0.inspect(node.into())?;
        Ok(NodeInfo {
            operator: operator_from_wit(info.operator)?,
            colors: info.colors.into(),
            class_colors: info.class_colors.into(),
        })
    }

    fn derive(&mut self, rules: &[Dot], share: Share, budget: Budget) -> Result<StepReport, Fault> {
        let rules: Vec<types::Dot> = rules.iter().map(|&rule| rule.into()).collect();
        Ok(self.0.derive(&rules, share.into(), budget.into())?.into())
    }

    fn certify(&mut self, agents: &[AgentId]) -> bool {
        self.0
            .certify(&agents.iter().map(|agent| agent.0).collect::<Vec<_>>())
            .is_some()
    }
}

/// Says which color a stream component has.
pub trait Colored {
    /// Its color.
    const COLOR: Color;
}

/// RED.
pub struct Red;
/// BLUE.
pub struct Blue;
/// GREEN.
pub struct Green;

impl Colored for Red {
    const COLOR: Color = Color::Red;
}
impl Colored for Blue {
    const COLOR: Color = Color::Blue;
}
impl Colored for Green {
    const COLOR: Color = Color::Green;
}

/// The `rewrite-stream` of one color: `export_stream!(OneColor<Red> with_types_in …)` makes a component of it.
pub struct OneColor<C>(PhantomData<C>);

impl<C: Colored> Guest for OneColor<C> {
    fn palette() -> Vec<types::Color> {
        vec![C::COLOR.into()]
    }

    fn add_node(
        graph: &Handle,
        operator: types::Operator,
        children: Vec<types::NodeName>,
    ) -> Result<types::NodeName, types::Fault> {
        let children = children.into_iter().map(name_from_wit).collect::<Result<Vec<_>, _>>()?;
        let name = Stream(C::COLOR).add_node(&mut Imported(graph), &operator_from_wit(operator)?, &children)?;
        Ok(name.into())
    }

    fn verify_color_constraint(
        graph: &Handle,
        parent: types::Color,
        children: Vec<types::NodeName>,
    ) -> Result<(), types::Fault> {
        let children = children.into_iter().map(name_from_wit).collect::<Result<Vec<_>, _>>()?;
        Ok(eqmesh_streams::verify_color_constraint(
            &Imported(graph),
            parent.into(),
            &children,
        )?)
    }

    fn merge_colors(a: types::Color, b: types::Color) -> types::Color {
        Color::from(a).merge(b.into()).into()
    }

    fn initialize(graph: &Handle, terms: Vec<(Option<String>, String)>) -> Result<(), types::Fault> {
        Ok(Stream(C::COLOR).initialize(&mut Imported(graph), &terms)?)
    }

    fn step(graph: &Handle, task: types::Task) -> Result<types::StepReport, types::Fault> {
        Ok(Stream(C::COLOR).step(&mut Imported(graph), &task.into())?.into())
    }

    fn certify(graph: &Handle, agents: Vec<u32>) -> bool {
        let agents: Vec<AgentId> = agents.into_iter().map(AgentId).collect();
        Stream(C::COLOR).certify(&mut Imported(graph), &agents)
    }
}
