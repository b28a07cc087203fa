//! The replicated e-graph as a component: an adapter of the WIT interface `egraph` to `eqmesh-replica`.

#![allow(unsafe_code, reason = "the export macro declares the component's entry points")]

#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "egraph-component",
        with: { "eqmesh:network/types@0.1.0": eqmesh_guest::types },
    });
}

use std::cell::RefCell;

use bindings::exports::eqmesh::network::egraph::{self, Guest, GuestGraph, NodeInfo, Options, Rule, Settled};
use eqmesh_egraph::color::Colors;
use eqmesh_guest::{name_from_wit, operator_from_wit, types, version_from_wit, version_to_wit};
use eqmesh_replica::{AgentId, Dot, Fault, Replica};

struct Component;

impl Guest for Component {
    type Graph = Graph;
}

/// A replica, and the copies that `push` kept.
struct Graph {
    replica: RefCell<Replica>,
    kept: RefCell<Vec<Replica>>,
}

fn options_from_wit(options: Options) -> eqmesh_replica::Options {
    eqmesh_replica::Options {
        agent: AgentId(options.agent),
        coloring: options.coloring,
    }
}

impl GuestGraph for Graph {
    fn new(options: Options) -> Graph {
        Graph {
            replica: RefCell::new(Replica::new(options_from_wit(options))),
            kept: RefCell::default(),
        }
    }

    fn load(options: Options, saved: Vec<u8>) -> Result<egraph::Graph, types::Fault> {
        let replica = Replica::load(options_from_wit(options), &saved)?;
        Ok(egraph::Graph::new(Graph {
            replica: RefCell::new(replica),
            kept: RefCell::default(),
        }))
    }

    fn cut(&self, stable: Vec<types::Dot>) -> Result<Option<types::Dot>, types::Fault> {
        let cut = self.replica.borrow_mut().cut(&version_from_wit(stable))?;
        Ok(cut.map(types::Dot::from))
    }

    fn close(&self, known: Vec<types::Dot>) -> Option<types::Dot> {
        let closed = self.replica.borrow_mut().close(&version_from_wit(known));
        closed.map(types::Dot::from)
    }

    fn open_cut(&self) -> Option<types::Dot> {
        self.replica.borrow().open_cut().map(types::Dot::from)
    }

    fn compact(&self) -> bool {
        self.replica.borrow_mut().compact()
    }

    fn is_void(&self) -> bool {
        self.replica.borrow().is_void()
    }

    fn resume(&self, parts: Vec<Vec<u8>>) -> u64 {
        self.replica.borrow_mut().resume(&parts)
    }

    fn beginning(&self) -> Option<Vec<u8>> {
        self.replica.borrow().beginning().map(|digest| digest.to_vec())
    }

    fn last_cut(&self) -> Option<Vec<u8>> {
        self.replica.borrow().last_cut().map(|digest| digest.to_vec())
    }

    fn offers(&self) -> Vec<Vec<u8>> {
        self.replica.borrow().offers().map(|digest| digest.to_vec()).collect()
    }

    fn adopt(&self, snapshot: Vec<u8>, agent: u32) -> Result<u64, types::Fault> {
        let digest =
            <[u8; 32]>::try_from(snapshot).map_err(|_| Fault::Malformed("a digest has 32 bytes".to_owned()))?;
        Ok(self.replica.borrow_mut().adopt(&digest, AgentId(agent))?)
    }

    fn save(&self) -> Vec<u8> {
        self.replica.borrow().save()
    }

    fn declare(&self, operators: Vec<types::Operator>) -> Result<(), types::Fault> {
        let operators = operators
            .into_iter()
            .map(operator_from_wit)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(self.replica.borrow_mut().declare(&operators)?)
    }

    fn labels(&self) -> Vec<types::Label> {
        self.replica
            .borrow()
            .labels()
            .into_iter()
            .map(types::Label::from)
            .collect()
    }

    fn operators(&self) -> Vec<types::Operator> {
        self.replica
            .borrow()
            .operators()
            .iter()
            .map(types::Operator::from)
            .collect()
    }

    fn add_rule(&self, program: Vec<u8>) -> Result<types::Dot, types::Fault> {
        Ok(self.replica.borrow_mut().add_rule(&program)?.into())
    }

    fn rules(&self) -> Vec<Rule> {
        let replica = self.replica.borrow();
        replica
            .rules()
            .map(|(fact, rule)| Rule {
                fact: fact.into(),
                name: rule.name.clone(),
                ruleset: rule.ruleset.clone(),
                color: rule.color.into(),
            })
            .collect()
    }

    fn insert(&self, term: String, label: Option<String>, color: types::Color) -> Result<types::Dot, types::Fault> {
        Ok(self
            .replica
            .borrow_mut()
            .insert(&term, label.as_deref(), color.into())?
            .into())
    }

    fn add_node(
        &self,
        operator: types::Operator,
        children: Vec<types::NodeName>,
        color: types::Color,
    ) -> Result<types::NodeName, types::Fault> {
        let operator = operator_from_wit(operator)?;
        let children = children
            .into_iter()
            .map(name_from_wit)
            .collect::<Result<Vec<_>, Fault>>()?;
        Ok(self
            .replica
            .borrow_mut()
            .add_node(&operator, &children, color.into())?
            .into())
    }

    fn inspect(&self, node: types::NodeName) -> Result<NodeInfo, types::Fault> {
        let info = self.replica.borrow().inspect(name_from_wit(node)?)?;
        Ok(NodeInfo {
            operator: (&info.operator).into(),
            colors: info.colors.into(),
            class_colors: info.class_colors.into(),
        })
    }

    fn unite(&self, left: String, right: String) -> Result<types::Dot, types::Fault> {
        Ok(self.replica.borrow_mut().unite(&left, &right)?.into())
    }

    fn derive(
        &self,
        rules: Vec<types::Dot>,
        share: types::Share,
        budget: types::Budget,
    ) -> Result<types::StepReport, types::Fault> {
        let rules: Vec<Dot> = rules.into_iter().map(Dot::from).collect();
        Ok(self
            .replica
            .borrow_mut()
            .derive(&rules, share.into(), budget.into())?
            .into())
    }

    fn certify(&self, agents: Vec<u32>) -> Option<types::Dot> {
        let agents: Vec<AgentId> = agents.into_iter().map(AgentId).collect();
        self.replica.borrow_mut().certify(&agents).map(types::Dot::from)
    }

    fn uncertified(&self) -> Vec<u32> {
        let agents = self.replica.borrow().uncertified();
        agents.into_iter().map(|agent| agent.0).collect()
    }

    fn discard(&self) {
        self.replica.borrow_mut().discard();
    }

    fn seal(&self) -> Option<Vec<u8>> {
        self.replica.borrow_mut().seal()
    }

    fn receive(&self, block: Vec<u8>) -> Result<(), types::Fault> {
        Ok(self.replica.borrow_mut().receive(&block)?)
    }

    fn settle(&self) -> Settled {
        let settled = self.replica.borrow_mut().settle();
        Settled {
            accepted: settled.accepted,
            waiting: settled.waiting,
            refused: settled
                .refused
                .into_iter()
                .map(|(dot, reason)| (dot.into(), reason))
                .collect(),
            new_nodes: settled.new_nodes,
            unions: settled.unions,
        }
    }

    fn version(&self) -> Vec<types::Dot> {
        version_to_wit(&self.replica.borrow().version())
    }

    fn delta_since(&self, version: Vec<types::Dot>) -> Vec<Vec<u8>> {
        let replica = self.replica.borrow();
        replica
            .delta_since(&version_from_wit(version))
            .iter()
            .map(|block| block.to_vec())
            .collect()
    }

    fn state_digest(&self) -> Vec<u8> {
        self.replica.borrow().state_digest().to_vec()
    }

    fn meaning_digest(&self) -> Vec<u8> {
        self.replica.borrow_mut().meaning_digest().to_vec()
    }

    fn snapshot(&self) -> Vec<u8> {
        self.replica.borrow_mut().snapshot()
    }

    fn size(&self) -> types::Size {
        self.replica.borrow().size().into()
    }

    fn refused(&self) -> Vec<(types::Dot, String)> {
        self.replica
            .borrow()
            .refused()
            .map(|(dot, reason)| (dot.into(), reason.to_owned()))
            .collect()
    }

    fn query(&self, program: Vec<u8>, limit: u64) -> Result<u64, types::Fault> {
        Ok(self.replica.borrow_mut().query(&program, limit)?)
    }

    fn extract(
        &self,
        term: String,
        variants: u32,
        cost: types::CostModel,
        within: Option<types::Colors>,
    ) -> Result<Vec<types::Extracted>, types::Fault> {
        let within = within.map_or(Colors::MADE, Colors::from);
        let found = self
            .replica
            .borrow_mut()
            .extract(&term, variants, cost.into(), within)?;
        Ok(found.into_iter().map(types::Extracted::from).collect())
    }

    fn explain(&self, left: String, right: String) -> Result<types::Explanation, types::Fault> {
        Ok(self.replica.borrow_mut().explain(&left, &right)?.into())
    }

    fn rows(&self, operator: String, start: u32, limit: u32) -> Result<Vec<types::Row>, types::Fault> {
        let rows = self.replica.borrow_mut().rows(&operator, start, limit)?;
        Ok(rows.into_iter().map(types::Row::from).collect())
    }

    fn neighbourhood(
        &self,
        center: Option<String>,
        expanded: Vec<String>,
        classes: u32,
    ) -> Result<types::Neighbourhood, types::Fault> {
        let mut own = self.replica.borrow_mut();
        Ok(own.neighbourhood(center.as_deref(), &expanded, classes)?.into())
    }

    fn search(&self, text: String, limit: u32) -> (Vec<String>, bool) {
        self.replica.borrow_mut().search(&text, limit)
    }

    fn color_counts(&self) -> types::ColorCounts {
        self.replica.borrow().color_counts().into()
    }

    fn applied(&self, fact: types::Dot) -> Vec<(String, u64)> {
        self.replica.borrow().applied(fact.into())
    }

    fn sizes(&self) -> Vec<(String, u64)> {
        self.replica.borrow().sizes()
    }

    fn contradictions(&self) -> Vec<Vec<String>> {
        self.replica.borrow_mut().contradictions()
    }

    fn push(&self) {
        let copy = self.replica.borrow().clone();
        self.kept.borrow_mut().push(copy);
    }

    fn pop(&self) -> Result<(), types::Fault> {
        let kept = self.kept.borrow_mut().pop();
        let kept = kept.ok_or_else(|| Fault::Misplaced("there is no `push` before this `pop`".to_owned()))?;
        *self.replica.borrow_mut() = kept;
        Ok(())
    }
}

bindings::export!(Component with_types_in bindings);
