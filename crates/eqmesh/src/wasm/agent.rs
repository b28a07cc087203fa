//! One composed agent.

use eqmesh_agent::{Config, Message, RoundTask, Summary};
use eqmesh_egraph::color::Colors;
use eqmesh_egraph::extract::{CostModel, Extracted};
use eqmesh_orchestrator::Verdict;
use eqmesh_replica::Explanation;
use wasmtime::Store;
use wasmtime::component::ResourceAny;

use super::bindings::AgentWorld;
use super::bindings::exports::eqmesh::network::agent::{Config as WitConfig, RoundTask as WitTask};
use super::translate::{
    budget, colors, cost_model, diagnostics, digest, explanation, fault, message_to_wit, messages, summary, verdict,
};
use crate::agent::{Agent, AgentError};

/// An instance of a composed agent, and its node.
pub struct WasmAgent {
    store: Store<()>,
    exports: AgentWorld,
    node: ResourceAny,
}

impl std::fmt::Debug for WasmAgent {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("WasmAgent").finish_non_exhaustive()
    }
}

fn trap(error: wasmtime::Error) -> AgentError {
    AgentError::Trap(format!("{error:#}"))
}

/// Calls a method of the node.
macro_rules! call {
    ($agent:ident, $method:ident $(, $argument:expr)*) => {
        $agent.exports.eqmesh_network_agent().node().$method(&mut $agent.store, $agent.node $(, $argument)*).map_err(trap)
    };
}

impl WasmAgent {
    pub(super) fn new(mut store: Store<()>, exports: AgentWorld, config: Config) -> wasmtime::Result<WasmAgent> {
        let config = WitConfig {
            id: config.id.0,
            agents: config.agents,
            coloring: config.coloring,
            timeline_capacity: config.timeline_capacity,
        };
        let node = exports
            .eqmesh_network_agent()
            .node()
            .call_constructor(&mut store, config)?;
        Ok(WasmAgent { store, exports, node })
    }
}

impl Agent for WasmAgent {
    fn submit(&mut self, text: &str, now: u64) -> Result<Vec<Message>, AgentError> {
        let said = call!(self, call_submit, text, now)?;
        said.map(messages).map_err(|own| AgentError::Text(diagnostics(own)))
    }

    fn start_round(&mut self, task: &RoundTask, now: u64) -> Result<Vec<Message>, AgentError> {
        let task = WitTask {
            ruleset: task.ruleset.clone(),
            budget: budget(task.budget),
        };
        Ok(call!(self, call_start_round, &task, now)?
            .map(messages)
            .map_err(fault)?)
    }

    fn receive(&mut self, message: &Message, now: u64) -> Result<Vec<Message>, AgentError> {
        let message = message_to_wit(message);
        Ok(call!(self, call_receive, &message, now)?.map(messages).map_err(fault)?)
    }

    fn verdict(&mut self) -> Result<Option<Verdict>, AgentError> {
        Ok(call!(self, call_verdict)?.map(verdict))
    }

    fn summary(&mut self) -> Result<Summary, AgentError> {
        summary(call!(self, call_summary)?)
    }

    fn meaning_digest(&mut self) -> Result<[u8; 32], AgentError> {
        digest(call!(self, call_meaning_digest)?)
    }

    fn snapshot(&mut self) -> Result<Vec<u8>, AgentError> {
        call!(self, call_snapshot)
    }

    fn check(&mut self, text: &str, limit: u64) -> Result<u64, AgentError> {
        call!(self, call_check, text, limit)?.map_err(|own| AgentError::Text(diagnostics(own)))
    }

    fn extract(
        &mut self,
        term: &str,
        variants: u32,
        cost: CostModel,
        within: Option<Colors>,
    ) -> Result<Vec<Extracted>, AgentError> {
        let found = call!(self, call_extract, term, variants, cost_model(cost), within.map(colors))?.map_err(fault)?;
        let extracted = found.into_iter().map(|own| Extracted {
            term: own.term,
            cost: own.cost,
        });
        Ok(extracted.collect())
    }

    fn explain(&mut self, left: &str, right: &str) -> Result<Explanation, AgentError> {
        explanation(call!(self, call_explain, left, right)?.map_err(fault)?)
    }

    fn rows(&mut self, operator: &str, limit: u32) -> Result<Vec<(String, String)>, AgentError> {
        let rows = call!(self, call_rows, operator, 0, limit)?.map_err(fault)?;
        Ok(rows.into_iter().map(|row| (row.node, row.class)).collect())
    }

    fn sizes(&mut self) -> Result<Vec<(String, u64)>, AgentError> {
        call!(self, call_sizes)
    }

    fn contradictions(&mut self) -> Result<Vec<Vec<String>>, AgentError> {
        call!(self, call_contradictions)
    }

    fn push(&mut self) -> Result<(), AgentError> {
        Ok(call!(self, call_push)?.map_err(fault)?)
    }

    fn pop(&mut self) -> Result<(), AgentError> {
        Ok(call!(self, call_pop)?.map_err(fault)?)
    }
}
