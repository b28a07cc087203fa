//! Questions: what is asked of an agent.

use eqmesh_egraph::color::{ColorCounts, Colors};
use eqmesh_egraph::extract::{CostModel, Extracted};
use eqmesh_egraph::neighbourhood::Neighbourhood;
use eqmesh_orchestrator::Verdict;
use eqmesh_replica::{Dot, Explanation, Fault, Row, VersionVector};
use eqmesh_timeline::{Event, Metrics};

use super::{Node, Summary};
use crate::ports::{Diagnostic, Graph, Log, Network, Parts, Signature};

impl<P: Parts> Node<P> {
    /// The last round that ended here.
    pub fn verdict(&self) -> Option<Verdict> {
        self.network.verdict()
    }

    /// The agent at a glance. O(agents).
    pub fn summary(&self) -> Summary {
        Summary {
            id: self.config.id,
            color: match self.palette[..] {
                [only] => Some(only),
                _ => None,
            },
            size: self.graph.size(),
            state_digest: self.graph.state_digest(),
            messages_sent: self.sent.0,
            bytes_sent: self.sent.1,
            messages_received: self.received.0,
            bytes_received: self.received.1,
            refused: self.graph.refused(),
            disputes: self.refusals.disputes(),
        }
    }

    /// The blocks that somebody with this version vector lacks, in causal order.
    pub fn delta_since(&self, version: &VersionVector) -> Vec<Vec<u8>> {
        self.graph.delta_since(version)
    }

    /// Covers the closed e-graph only.
    pub fn meaning_digest(&mut self) -> [u8; 32] {
        self.graph.meaning_digest()
    }

    /// The canonical snapshot of the closed e-graph.
    pub fn snapshot(&mut self) -> Vec<u8> {
        self.graph.snapshot()
    }

    /// The number of matches of these facts (what follows `check`), up to `limit`.
    pub fn check(&mut self, text: &str, limit: u64) -> Result<u64, Vec<Diagnostic>> {
        self.learn();
        let query = self.signature.compile_query(text)?;
        self.graph
            .query(&query, limit)
            .map_err(|fault| vec![Diagnostic::of_fault(fault, text)])
    }

    /// A term in canonical form.
    fn resolve(&mut self, text: &str) -> Result<String, Fault> {
        self.learn();
        let resolved = self.signature.resolve(text);
        resolved.map(|(text, _)| text).map_err(|diagnostics| {
            let said: Vec<String> = diagnostics.into_iter().map(|own| own.message).collect();
            Fault::Malformed(said.join("; "))
        })
    }

    /// The cheapest terms equal to this one.
    pub fn extract(
        &mut self,
        term: &str,
        variants: u32,
        cost: CostModel,
        within: Option<Colors>,
    ) -> Result<Vec<Extracted>, Fault> {
        let term = self.resolve(term)?;
        self.graph.extract(&term, variants, cost, within)
    }

    /// Why two terms are equal.
    pub fn explain(&mut self, left: &str, right: &str) -> Result<Explanation, Fault> {
        let (left, right) = (self.resolve(left)?, self.resolve(right)?);
        self.graph.explain(&left, &right)
    }

    /// The e-nodes of the operators of this name: each with its class's least term.
    pub fn rows(&mut self, operator: &str, start: u32, limit: u32) -> Result<Vec<Row>, Fault> {
        self.graph.rows(operator, start, limit)
    }

    /// What names a class: a name that was given to it (`#17`) as it is, a term in canonical form.
    fn class_name(&mut self, text: &str) -> Result<String, Fault> {
        match text.strip_prefix('#').map(str::parse::<u32>) {
            Some(Ok(_)) => Ok(text.to_owned()),
            _ => self.resolve(text),
        }
    }

    /// The classes around that of a term, breadth first; around the one with most nodes if no term is given.
    pub fn neighbourhood(
        &mut self,
        center: Option<&str>,
        expanded: &[String],
        classes: u32,
    ) -> Result<Neighbourhood, Fault> {
        let center = center.map(|center| self.class_name(center)).transpose()?;
        let expanded = expanded.iter().map(|text| self.class_name(text));
        let expanded = expanded.collect::<Result<Vec<String>, Fault>>()?;
        self.graph.neighbourhood(center.as_deref(), &expanded, classes)
    }

    /// The names of the classes with a node whose text contains this, at most `limit`, and whether there are more.
    pub fn search(&mut self, text: &str, limit: u32) -> (Vec<String>, bool) {
        self.graph.search(text, limit)
    }

    /// How many e-nodes carry each color.
    pub fn color_counts(&self) -> ColorCounts {
        self.graph.color_counts()
    }

    /// How often each rule was applied by the facts that were made along with this one.
    pub fn applied(&self, fact: Dot) -> Vec<(String, u64)> {
        self.graph.applied(fact)
    }

    /// The number of e-nodes of each operator that has any.
    pub fn sizes(&self) -> Vec<(String, u64)> {
        self.graph.sizes()
    }

    /// Classes that hold two different literals.
    pub fn contradictions(&mut self) -> Vec<Vec<String>> {
        self.graph.contradictions()
    }

    /// What the events amount to.
    pub fn metrics(&self) -> Metrics {
        self.log.metrics()
    }

    /// Events from an index on, at most `limit`.
    pub fn events(&self, from: u64, limit: u32) -> Vec<Event> {
        self.log.events(from, limit)
    }
}
