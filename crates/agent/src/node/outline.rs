//! An e-graph that is away: what is asked at every tick stands in its outline, so that it is made anew from its facts only when somebody asks for more.
//!
//! To take in facts is what costs an agent that lives for one request at a time (see [`super::suspension`]), and most requests find it with nothing to do: others say that they are alive,
//! and it answers that it is.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use eqmesh_egraph::color::{Color, ColorCounts, Colors};
use eqmesh_egraph::extract::{CostModel, Extracted};
use eqmesh_egraph::neighbourhood::Neighbourhood;
use eqmesh_egraph::operator::Operator;
use eqmesh_egraph::term::Label;
use eqmesh_replica::wire::{Reader, put, put_dot};
use eqmesh_replica::{AgentId, Budget, Dot, Explanation, Fault, Row, Settled, Share, Size, StepReport, VersionVector};
use eqmesh_streams::RuleInfo;

use super::suspension::{put_option, read_option};
use crate::ports::Graph;

/// Names a sequence of parts, by a chain of hashes: of nothing it is all zeros.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Chain(pub(super) [u8; 32]);

impl Chain {
    /// Goes on with these parts. O(bytes).
    pub(super) fn extend(&mut self, parts: &[Vec<u8>]) {
        for part in parts {
            let mut hasher = blake3::Hasher::new();
            hasher.update(&self.0);
            hasher.update(part);
            self.0 = *hasher.finalize().as_bytes();
        }
    }

    pub(super) fn of(parts: &[Vec<u8>]) -> Chain {
        let mut chain = Chain::default();
        chain.extend(parts);
        chain
    }
}

/// What is known of an e-graph without having it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outline {
    /// Of the parts that it is made of, in this order.
    pub(super) chain: Chain,
    pub(super) state_digest: [u8; 32],
    size: Size,
    /// Ascending.
    uncertified: Vec<AgentId>,
    open_cut: Option<Dot>,
    beginning: Option<[u8; 32]>,
    last_cut: Option<[u8; 32]>,
}

impl Outline {
    /// The outline of what is made of these parts, by an e-graph that was. None if facts that do not count are among them, as another one is made of them then. What
    /// is in no part is forgotten: facts that were refused or wait for others, and snapshots that others offer. It comes again.
    pub(super) fn of(graph: &impl Graph, chain: Chain) -> Option<Outline> {
        (!graph.is_void()).then(|| Outline {
            chain,
            state_digest: graph.state_digest(),
            size: graph.size(),
            uncertified: graph.uncertified(),
            open_cut: graph.open_cut(),
            beginning: graph.beginning(),
            last_cut: graph.last_cut(),
        })
    }

    pub(super) fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.chain.0);
        bytes.extend(self.state_digest);
        let Size {
            facts,
            enodes,
            eclasses,
        } = self.size;
        for count in [facts, enodes, eclasses] {
            put(bytes, count);
        }
        put(bytes, self.uncertified.len() as u64);
        self.uncertified.iter().for_each(|own| put(bytes, u64::from(own.0)));
        put_option(bytes, self.open_cut, put_dot);
        put_option(bytes, self.beginning, Vec::extend);
        put_option(bytes, self.last_cut, Vec::extend);
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Outline, Fault> {
        let (chain, state_digest) = (Chain(reader.array()?), reader.array()?);
        let size = Size {
            facts: reader.counter()?,
            enodes: reader.counter()?,
            eclasses: reader.counter()?,
        };
        let mut uncertified: Vec<AgentId> = Vec::new();
        for _ in 0..reader.count()? {
            let agent = AgentId(reader.small()?);
            if uncertified.last().is_some_and(|last| *last >= agent) {
                return Err(reader.malformed("agents are not in order"));
            }
            uncertified.push(agent);
        }
        Ok(Outline {
            chain,
            state_digest,
            size,
            uncertified,
            open_cut: read_option(reader, Reader::dot)?,
            beginning: read_option(reader, Reader::array)?,
            last_cut: read_option(reader, Reader::array)?,
        })
    }
}

/// What an e-graph that is away is made of.
#[derive(Debug)]
struct Away {
    outline: Outline,
    version: Arc<VersionVector>,
    operators: Vec<Operator>,
    /// None if they are not at hand.
    parts: Option<Vec<Vec<u8>>>,
}

/// An e-graph that may be away.
#[derive(Debug)]
pub(super) struct Lazy<G> {
    graph: RefCell<G>,
    away: RefCell<Option<Away>>,
    /// The e-graph was not what its outline said.
    misled: Cell<bool>,
    /// It was needed, and what it is made of was not at hand: it is empty.
    lacking: Cell<bool>,
    /// There is nothing to be compacted since facts were last settled.
    tidy: bool,
}

impl<G: Graph> Lazy<G> {
    /// One that is there.
    pub(super) fn new(graph: G) -> Lazy<G> {
        Lazy {
            graph: RefCell::new(graph),
            away: RefCell::new(None),
            misled: Cell::new(false),
            lacking: Cell::new(false),
            tidy: false,
        }
    }

    /// Puts an e-graph that is made of these parts, which have the outline's chain, in the place of an empty one. None if they are not at hand.
    pub(super) fn leave(
        &mut self,
        outline: Outline,
        version: Arc<VersionVector>,
        operators: Vec<Operator>,
        parts: Option<Vec<Vec<u8>>>,
    ) {
        self.tidy = true;
        *self.away.get_mut() = Some(Away {
            outline,
            version,
            operators,
            parts,
        });
    }

    /// Whether it has not been made yet.
    pub(super) fn is_away(&self) -> bool {
        self.away.borrow().is_some()
    }

    /// The outline of it, with the parts that the host has stored. None if it would not stay as it is without being asked.
    pub(super) fn outline(&self, chain: Chain) -> Option<Outline> {
        let there = |graph: &G| {
            let stays = self.tidy || graph.last_cut().is_none();
            stays.then(|| Outline::of(graph, chain)).flatten()
        };
        self.told(|away| Some(away.outline.clone()), there)
    }

    /// Whether it turned out to be another one than its outline said: what was said by that is not to be believed.
    pub(super) fn is_misled(&self) -> bool {
        self.misled.get()
    }

    /// Whether it was needed, and what it is made of was not at hand: what was answered since is void.
    pub(super) fn is_lacking(&self) -> bool {
        self.lacking.get()
    }

    /// Makes it if it is away. O(facts) the first time.
    fn wake(&self) {
        let Some(away) = self.away.take() else { return };
        let Some(parts) = &away.parts else {
            self.lacking.set(true);
            return;
        };
        let mut graph = self.graph.borrow_mut();
        let mut broken = graph.resume(parts) > 0;
        broken |= graph.seal().is_some();
        graph.settle();
        broken |= Outline::of(&*graph, away.outline.chain).as_ref() != Some(&away.outline);
        broken |= graph.declare(&away.operators).is_err();
        self.misled.set(broken);
    }

    /// The e-graph itself.
    pub(super) fn awake(&mut self) -> &mut G {
        self.wake();
        self.graph.get_mut()
    }

    /// What the outline says; else what the e-graph does.
    fn told<T>(&self, outline: impl FnOnce(&Away) -> T, graph: impl FnOnce(&G) -> T) -> T {
        match &*self.away.borrow() {
            Some(away) => outline(away),
            None => graph(&self.graph.borrow()),
        }
    }

    fn asked<T>(&self, ask: impl FnOnce(&G) -> T) -> T {
        self.wake();
        ask(&self.graph.borrow())
    }
}

impl<G: Graph> Graph for Lazy<G> {
    fn operators(&self) -> Vec<Operator> {
        self.told(|away| away.operators.clone(), G::operators)
    }

    fn uncertified(&self) -> Vec<AgentId> {
        self.told(|away| away.outline.uncertified.clone(), G::uncertified)
    }

    fn open_cut(&self) -> Option<Dot> {
        self.told(|away| away.outline.open_cut, G::open_cut)
    }

    fn beginning(&self) -> Option<[u8; 32]> {
        self.told(|away| away.outline.beginning, G::beginning)
    }

    fn last_cut(&self) -> Option<[u8; 32]> {
        self.told(|away| away.outline.last_cut, G::last_cut)
    }

    fn version(&self) -> VersionVector {
        self.told(|away| (*away.version).clone(), G::version)
    }

    fn state_digest(&self) -> [u8; 32] {
        self.told(|away| away.outline.state_digest, G::state_digest)
    }

    fn size(&self) -> Size {
        self.told(|away| away.outline.size, G::size)
    }

    // What is made of parts alone has none of these.

    fn is_void(&self) -> bool {
        self.told(|_| false, G::is_void)
    }

    fn offers(&self) -> Vec<[u8; 32]> {
        self.told(|_| Vec::new(), G::offers)
    }

    fn refused(&self) -> Vec<(Dot, String)> {
        self.told(|_| Vec::new(), G::refused)
    }

    fn compact(&mut self) -> bool {
        self.tidy = true;
        !self.is_away() && self.awake().compact()
    }

    /// Of blocks, only those that are not there yet need the e-graph.
    fn receive(&mut self, block: &[u8]) -> Result<(), Fault> {
        let parts = self.away.get_mut().as_ref().and_then(|away| away.parts.as_ref());
        let known = parts.is_some_and(|parts| parts.iter().any(|part| part == block));
        if known { Ok(()) } else { self.awake().receive(block) }
    }

    fn settle(&mut self) -> Settled {
        if self.is_away() {
            return Settled::default();
        }
        let settled = self.awake().settle();
        self.tidy &= settled.accepted == 0;
        settled
    }

    fn declare(&mut self, operators: &[Operator]) -> Result<(), Fault> {
        self.awake().declare(operators)
    }

    fn labels(&self) -> Vec<Label> {
        self.asked(G::labels)
    }

    fn add_rule(&mut self, program: &[u8]) -> Result<Dot, Fault> {
        self.awake().add_rule(program)
    }

    fn rules(&self) -> Vec<RuleInfo> {
        self.asked(G::rules)
    }

    fn insert(&mut self, term: &str, label: Option<&str>, color: Color) -> Result<(), Fault> {
        self.awake().insert(term, label, color)
    }

    fn unite(&mut self, left: &str, right: &str) -> Result<(), Fault> {
        self.awake().unite(left, right)
    }

    fn derive(&mut self, rules: &[Dot], share: Share, budget: Budget) -> Result<StepReport, Fault> {
        self.awake().derive(rules, share, budget)
    }

    fn certify(&mut self, agents: &[AgentId]) -> bool {
        self.awake().certify(agents)
    }

    fn cut(&mut self, stable: &VersionVector) -> Result<Option<Dot>, Fault> {
        self.awake().cut(stable)
    }

    fn close(&mut self, known: &VersionVector) -> Option<Dot> {
        self.awake().close(known)
    }

    fn resume(&mut self, parts: &[Vec<u8>]) -> u64 {
        self.tidy = false;
        self.awake().resume(parts)
    }

    fn adopt(&mut self, snapshot: &[u8; 32], agent: AgentId) -> Result<u64, Fault> {
        self.tidy = false;
        self.awake().adopt(snapshot, agent)
    }

    fn discard(&mut self) {
        self.awake().discard();
    }

    fn seal(&mut self) -> Option<Vec<u8>> {
        self.awake().seal()
    }

    fn delta_since(&self, version: &VersionVector) -> Vec<Vec<u8>> {
        self.asked(|graph| graph.delta_since(version))
    }

    fn meaning_digest(&mut self) -> [u8; 32] {
        self.awake().meaning_digest()
    }

    fn snapshot(&mut self) -> Vec<u8> {
        self.awake().snapshot()
    }

    fn query(&mut self, program: &[u8], limit: u64) -> Result<u64, Fault> {
        self.awake().query(program, limit)
    }

    fn extract(
        &mut self,
        term: &str,
        variants: u32,
        cost: CostModel,
        within: Option<Colors>,
    ) -> Result<Vec<Extracted>, Fault> {
        self.awake().extract(term, variants, cost, within)
    }

    fn explain(&mut self, left: &str, right: &str) -> Result<Explanation, Fault> {
        self.awake().explain(left, right)
    }

    fn rows(&mut self, operator: &str, start: u32, limit: u32) -> Result<Vec<Row>, Fault> {
        self.awake().rows(operator, start, limit)
    }

    fn neighbourhood(
        &mut self,
        center: Option<&str>,
        expanded: &[String],
        classes: u32,
    ) -> Result<Neighbourhood, Fault> {
        self.awake().neighbourhood(center, expanded, classes)
    }

    fn search(&mut self, text: &str, limit: u32) -> (Vec<String>, bool) {
        self.awake().search(text, limit)
    }

    fn color_counts(&self) -> ColorCounts {
        self.asked(G::color_counts)
    }

    fn applied(&self, fact: Dot) -> Vec<(String, u64)> {
        self.asked(|graph| graph.applied(fact))
    }

    fn sizes(&self) -> Vec<(String, u64)> {
        self.asked(G::sizes)
    }

    fn contradictions(&mut self) -> Vec<Vec<String>> {
        self.awake().contradictions()
    }

    fn push(&mut self) {
        self.awake().push();
    }

    fn pop(&mut self) -> Result<(), Fault> {
        self.tidy = false;
        self.awake().pop()
    }
}
