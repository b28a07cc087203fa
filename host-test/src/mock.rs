//! An e-graph that only writes down what it is asked and answers what it was told to: what the streams are tested against, so
//! that a test sees exactly what a stream does with the e-graph that it imports.

use std::collections::VecDeque;

use wasmtime::component::Resource;

use crate::stream::eqmesh::network::egraph::{Host, HostGraph, NodeInfo, Options, Rule, Settled};
use crate::types::{
    Budget, Color, ColorCounts, Colors, CostModel, Digest, Dot, Explanation, Extracted, Fault, Label, Neighbourhood,
    NodeName, Operator, Row, Share, Size, StepReport, VersionVector,
};

/// What a handle to the e-graph stands for here: nothing, since the host state holds the only one.
pub struct Mock;

/// One call of the e-graph's interface.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    /// `insert`
    Insert(String, Option<String>, Color),
    /// `add-node`
    AddNode(Operator, Vec<NodeName>, Color),
    /// `inspect`
    Inspect(NodeName),
    /// `rules`
    Rules,
    /// `derive`
    Derive(Vec<Dot>, Share, Budget),
    /// `certify`
    Certify(Vec<u32>),
}

/// The state of a host with one such e-graph: what it answers, and what it was asked.
#[derive(Default)]
pub struct MockState {
    /// All calls so far.
    pub calls: Vec<Call>,
    /// The answer of `rules`.
    pub rules: Vec<Rule>,
    /// The answers of `inspect`: operator name and the colors of the class, by node.
    pub nodes: Vec<(NodeName, &'static str, Colors)>,
    /// The answers of `insert`, in turn; afterwards it succeeds.
    pub inserted: VecDeque<Result<Dot, Fault>>,
    /// The answers of `add-node`, in turn; afterwards it answers node 0 of agent 0.
    pub added: VecDeque<Result<NodeName, Fault>>,
    /// The answers of `derive`, in turn; afterwards it has found nothing.
    pub derived: VecDeque<Result<StepReport, Fault>>,
    /// The answer of `certify`.
    pub certified: Option<Dot>,
}

/// A handle to the e-graph, to hand to a stream.
pub fn graph() -> Resource<Mock> {
    Resource::new_borrow(0)
}

/// What a step reports that found nothing.
pub fn nothing_found() -> StepReport {
    StepReport {
        matches: 0,
        applied: 0,
        blocked: 0,
        nodes: 0,
        saturated: true,
        exhausted: false,
    }
}

/// The streams have no business with the rest of the interface: a call is a failed test.
fn not_for_streams(function: &str) -> ! {
    panic!("a stream called `{function}` of the e-graph")
}

impl crate::types::Host for MockState {}

impl Host for MockState {}

impl HostGraph for MockState {
    fn rules(&mut self, _: Resource<Mock>) -> Vec<Rule> {
        self.calls.push(Call::Rules);
        self.rules.clone()
    }

    fn insert(&mut self, _: Resource<Mock>, term: String, label: Option<String>, color: Color) -> Result<Dot, Fault> {
        self.calls.push(Call::Insert(term, label, color));
        self.inserted.pop_front().unwrap_or(Ok(Dot { agent: 0, sequence: 1 }))
    }

    fn add_node(
        &mut self,
        _: Resource<Mock>,
        operator: Operator,
        children: Vec<NodeName>,
        color: Color,
    ) -> Result<NodeName, Fault> {
        self.calls.push(Call::AddNode(operator, children, color));
        self.added.pop_front().unwrap_or(Ok(NodeName { agent: 0, ordinal: 0 }))
    }

    fn inspect(&mut self, _: Resource<Mock>, node: NodeName) -> Result<NodeInfo, Fault> {
        self.calls.push(Call::Inspect(node));
        let known = self.nodes.iter().find(|(name, _, _)| *name == node);
        let &(_, name, colors) = known.ok_or_else(|| Fault::Absent("no such node".to_owned()))?;
        let operator = Operator {
            name: name.to_owned(),
            columns: Vec::new(),
            sort: "_".to_owned(),
            cost: 1,
        };
        Ok(NodeInfo {
            operator,
            colors,
            class_colors: colors,
        })
    }

    fn derive(
        &mut self,
        _: Resource<Mock>,
        rules: Vec<Dot>,
        share: Share,
        budget: Budget,
    ) -> Result<StepReport, Fault> {
        self.calls.push(Call::Derive(rules, share, budget));
        self.derived.pop_front().unwrap_or(Ok(nothing_found()))
    }

    fn certify(&mut self, _: Resource<Mock>, agents: Vec<u32>) -> Option<Dot> {
        self.calls.push(Call::Certify(agents));
        self.certified
    }

    fn drop(&mut self, _: Resource<Mock>) -> wasmtime::Result<()> {
        Ok(())
    }

    fn new(&mut self, _: Options) -> Resource<Mock> {
        not_for_streams("constructor")
    }

    fn declare(&mut self, _: Resource<Mock>, _: Vec<Operator>) -> Result<(), Fault> {
        not_for_streams("declare")
    }

    fn labels(&mut self, _: Resource<Mock>) -> Vec<Label> {
        not_for_streams("labels")
    }

    fn operators(&mut self, _: Resource<Mock>) -> Vec<Operator> {
        not_for_streams("operators")
    }

    fn add_rule(&mut self, _: Resource<Mock>, _: Vec<u8>) -> Result<Dot, Fault> {
        not_for_streams("add-rule")
    }

    fn unite(&mut self, _: Resource<Mock>, _: String, _: String) -> Result<Dot, Fault> {
        not_for_streams("unite")
    }

    fn uncertified(&mut self, _: Resource<Mock>) -> Vec<u32> {
        not_for_streams("uncertified")
    }

    fn discard(&mut self, _: Resource<Mock>) {
        not_for_streams("discard")
    }

    fn seal(&mut self, _: Resource<Mock>) -> Option<Vec<u8>> {
        not_for_streams("seal")
    }

    fn receive(&mut self, _: Resource<Mock>, _: Vec<u8>) -> Result<(), Fault> {
        not_for_streams("receive")
    }

    fn settle(&mut self, _: Resource<Mock>) -> Settled {
        not_for_streams("settle")
    }

    fn version(&mut self, _: Resource<Mock>) -> VersionVector {
        not_for_streams("version")
    }

    fn delta_since(&mut self, _: Resource<Mock>, _: VersionVector) -> Vec<Vec<u8>> {
        not_for_streams("delta-since")
    }

    fn state_digest(&mut self, _: Resource<Mock>) -> Digest {
        not_for_streams("state-digest")
    }

    fn meaning_digest(&mut self, _: Resource<Mock>) -> Digest {
        not_for_streams("meaning-digest")
    }

    fn snapshot(&mut self, _: Resource<Mock>) -> Vec<u8> {
        not_for_streams("snapshot")
    }

    fn size(&mut self, _: Resource<Mock>) -> Size {
        not_for_streams("size")
    }

    fn cut(&mut self, _: Resource<Mock>, _: VersionVector) -> Result<Option<Dot>, Fault> {
        not_for_streams("cut")
    }

    fn close(&mut self, _: Resource<Mock>, _: VersionVector) -> Option<Dot> {
        not_for_streams("close")
    }

    fn open_cut(&mut self, _: Resource<Mock>) -> Option<Dot> {
        not_for_streams("open-cut")
    }

    fn compact(&mut self, _: Resource<Mock>) -> bool {
        not_for_streams("compact")
    }

    fn is_void(&mut self, _: Resource<Mock>) -> bool {
        not_for_streams("is-void")
    }

    fn resume(&mut self, _: Resource<Mock>, _: Vec<Vec<u8>>) -> u64 {
        not_for_streams("resume")
    }

    fn beginning(&mut self, _: Resource<Mock>) -> Option<Digest> {
        not_for_streams("beginning")
    }

    fn last_cut(&mut self, _: Resource<Mock>) -> Option<Digest> {
        not_for_streams("last-cut")
    }

    fn offers(&mut self, _: Resource<Mock>) -> Vec<Digest> {
        not_for_streams("offers")
    }

    fn adopt(&mut self, _: Resource<Mock>, _: Digest, _: u32) -> Result<u64, Fault> {
        not_for_streams("adopt")
    }

    fn save(&mut self, _: Resource<Mock>) -> Vec<u8> {
        not_for_streams("save")
    }

    fn load(&mut self, _: Options, _: Vec<u8>) -> Result<Resource<Mock>, Fault> {
        not_for_streams("load")
    }

    fn refused(&mut self, _: Resource<Mock>) -> Vec<(Dot, String)> {
        not_for_streams("refused")
    }

    fn query(&mut self, _: Resource<Mock>, _: Vec<u8>, _: u64) -> Result<u64, Fault> {
        not_for_streams("query")
    }

    fn extract(
        &mut self,
        _: Resource<Mock>,
        _: String,
        _: u32,
        _: CostModel,
        _: Option<Colors>,
    ) -> Result<Vec<Extracted>, Fault> {
        not_for_streams("extract")
    }

    fn explain(&mut self, _: Resource<Mock>, _: String, _: String) -> Result<Explanation, Fault> {
        not_for_streams("explain")
    }

    fn rows(&mut self, _: Resource<Mock>, _: String, _: u32, _: u32) -> Result<Vec<Row>, Fault> {
        not_for_streams("rows")
    }

    fn neighbourhood(
        &mut self,
        _: Resource<Mock>,
        _: Option<String>,
        _: Vec<String>,
        _: u32,
    ) -> Result<Neighbourhood, Fault> {
        not_for_streams("neighbourhood")
    }

    fn search(&mut self, _: Resource<Mock>, _: String, _: u32) -> (Vec<String>, bool) {
        not_for_streams("search")
    }

    fn color_counts(&mut self, _: Resource<Mock>) -> ColorCounts {
        not_for_streams("color-counts")
    }

    fn applied(&mut self, _: Resource<Mock>, _: Dot) -> Vec<(String, u64)> {
        not_for_streams("applied")
    }

    fn sizes(&mut self, _: Resource<Mock>) -> Vec<(String, u64)> {
        not_for_streams("sizes")
    }

    fn contradictions(&mut self, _: Resource<Mock>) -> Vec<Vec<String>> {
        not_for_streams("contradictions")
    }

    fn push(&mut self, _: Resource<Mock>) {
        not_for_streams("push")
    }

    fn pop(&mut self, _: Resource<Mock>) -> Result<(), Fault> {
        not_for_streams("pop")
    }
}
