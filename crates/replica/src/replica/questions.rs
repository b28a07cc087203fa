//! Questions about the closed e-graph. None of them changes the state.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use eqmesh_egraph::color::{ColorCounts, Colors};
use eqmesh_egraph::containing::containing;
use eqmesh_egraph::extract::{CostModel, Extracted, Extractor};
use eqmesh_egraph::graph::{ClassId, OperatorId, RowId};
use eqmesh_egraph::matching::{Matcher, Scope};
use eqmesh_egraph::neighbourhood::{self, Neighbourhood, View};
use eqmesh_egraph::operator::{Operator, Sort};
use eqmesh_egraph::program;
use eqmesh_egraph::term::Argument;
use eqmesh_egraph::value::ValueType;

use super::{NodeInfo, Replica, shorten};
use crate::block::{Block, Segment};
use crate::fault::Fault;
use crate::version::{Dot, Name};

/// An e-node, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The node, its arguments shown by the least term of their class.
    pub node: String,
    /// The least term of its class.
    pub class: String,
    /// What it carries.
    pub colors: Colors,
}

impl Replica {
    /// All labels of settled facts, in order.
    pub fn labels(&self) -> Vec<eqmesh_egraph::term::Label> {
        let label = |(name, own): (&String, &super::Label)| eqmesh_egraph::term::Label {
            name: name.clone(),
            sort: own.sort.clone(),
            term: own.text.clone(),
        };
        self.labels.iter().map(label).collect()
    }

    /// What is known of a settled node. O(1).
    pub fn inspect(&self, name: Name) -> Result<NodeInfo, Fault> {
        let row = self.row(name)?;
        Ok(NodeInfo {
            operator: self.graph.operator(self.graph.operator_of(row)).clone(),
            colors: self.graph.colors_of(row),
            class_colors: self.graph.class_colors(self.graph.class_of(row)),
        })
    }

    /// Covers the closed e-graph only. O(n log n) in the e-nodes.
    pub fn meaning_digest(&mut self) -> [u8; 32] {
        *blake3::hash(&self.snapshot()).as_bytes()
    }

    /// The canonical snapshot of the closed e-graph; see [`eqmesh_egraph::naming::Naming::snapshot`].
    pub fn snapshot(&mut self) -> Vec<u8> {
        self.ensure_naming();
        self.naming.as_ref().expect("ensured").snapshot(&self.graph)
    }

    /// The number of matches of a query, up to a limit.
    pub fn query(&mut self, bytes: &[u8], limit: u64) -> Result<u64, Fault> {
        let query = program::decode_query(bytes, true)?;
        self.ensure_index();
        let matcher = Matcher::of_query(&query, &mut self.graph);
        let Some(ground) = matcher.ground(&self.graph, u32::MAX) else {
            return Ok(0);
        };
        let index = self.index.take().expect("ensured");
        let mut batch = matcher.batch(&ground);
        let mut count = 0;
        let _ended = matcher.search(
            &mut self.graph,
            &index,
            Scope {
                ground: &ground,
                since: None,
                chosen: false,
                owns_ground: true,
            },
            &mut batch,
            |_, batch| {
                count += batch.len() as u64;
                batch.clear();
                if count >= limit {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            },
        );
        self.index = Some(index);
        Ok(limit.min(count + batch.len() as u64))
    }

    /// The class of a term, which must stand in the e-graph.
    pub(crate) fn class_of_text(&mut self, text: &str) -> Result<ClassId, Fault> {
        let (term, _) = self.parse(text)?;
        let absent = || Fault::Absent(format!("the term `{}` is not in the e-graph", shorten(text)));
        let mut classes: Vec<u32> = Vec::with_capacity(term.len());
        let mut key = Vec::new();
        let class_of_name = |name: Name| self.row(name).map(|row| self.graph.class_of(row));
        for (operator, arguments) in term.nodes() {
            key.clear();
            for argument in arguments {
                key.push(match *argument {
                    Argument::Node(position) => classes[position as usize],
                    Argument::Reference(name) => class_of_name(name)?.0,
                    Argument::Value(id) => id.0,
                });
            }
            let row = self.graph.lookup(operator, &key).ok_or_else(absent)?;
            classes.push(self.graph.class_of(row).0);
        }
        match term.root {
            Argument::Reference(name) => class_of_name(name),
            _ => Ok(ClassId(*classes.last().ok_or_else(absent)?)),
        }
    }

    /// The cheapest terms equal to this one. See [`Extractor::variants`].
    pub fn extract(
        &mut self,
        text: &str,
        variants: u32,
        model: CostModel,
        within: Colors,
    ) -> Result<Vec<Extracted>, Fault> {
        self.ensure_index();
        let class = self.class_of_text(text)?;
        let index = self.index.as_ref().expect("ensured");
        let found =
            Extractor::new(&self.graph, within).variants(&self.graph, index, class, variants.max(1) as usize, model)?;
        if found.is_empty() {
            return Err(Fault::Absent(format!(
                "nothing within these colors is equal to `{}`",
                shorten(text)
            )));
        }
        Ok(found)
    }

    /// The e-nodes of the operators of this name, each with its class's least term, in canonical order: at most `limit`, beginning with the one at place `start`.
    pub fn rows(&mut self, operator: &str, start: u32, limit: u32) -> Result<Vec<Row>, Fault> {
        self.ensure_naming();
        let (graph, naming) = (&self.graph, self.naming.as_ref().expect("ensured"));
        let mut known = false;
        let mut rows = Vec::new();
        for id in graph.operators_named(operator, None) {
            known = true;
            rows.extend(naming.sorted(graph, id));
        }
        if !known {
            return Err(Fault::Unknown(format!("no operator `{operator}` is declared")));
        }
        rows.into_iter()
            .skip(start as usize)
            .take(limit as usize)
            .map(|row| {
                Ok(Row {
                    node: naming.node(graph, row)?,
                    class: naming.term(graph, graph.class_of(row).0)?,
                    colors: graph.colors_of(row),
                })
            })
            .collect()
    }

    /// How many e-nodes carry each color. O(e-nodes).
    pub fn color_counts(&self) -> ColorCounts {
        self.graph.color_counts()
    }

    /// The class of a term, or of a name that [`neighbourhood::name`] gave a class whose terms are long.
    fn class_of_id(&mut self, id: &str) -> Result<ClassId, Fault> {
        self.ensure_naming();
        let naming = self.naming.as_ref().expect("ensured");
        match neighbourhood::named(&self.graph, naming, id) {
            Some(class) => Ok(class),
            None if id.starts_with('#') => self.class_of_text(id).map_err(|_| {
                Fault::Absent(format!(
                    "there is no class `{}`: such names hold for one state only",
                    shorten(id)
                ))
            }),
            None => self.class_of_text(id),
        }
    }

    /// The classes around that of a term, breadth first; around the one with most nodes if no term is given. See [`Neighbourhood::of`].
    pub fn neighbourhood(
        &mut self,
        center: Option<&str>,
        expanded: &[String],
        classes: u32,
    ) -> Result<Neighbourhood, Fault> {
        let given = center.map(|center| self.class_of_id(center)).transpose()?;
        let expanded = expanded.iter().map(|id| self.class_of_id(id));
        let expanded = expanded.collect::<Result<Vec<ClassId>, Fault>>()?;
        self.ensure_naming();
        let (graph, index) = (&self.graph, self.index.as_ref().expect("ensured"));
        let naming = self.naming.as_ref().expect("ensured");
        let center = given.or_else(|| neighbourhood::largest(graph, index, naming));
        let center = center.ok_or_else(|| Fault::Absent("there is no term yet".to_owned()))?;
        let view = View {
            center,
            expanded,
            classes: classes as usize,
        };
        Ok(Neighbourhood::of(graph, index, naming, &view))
    }

    /// The names of the classes with a node whose text contains this, the lowest first, at most `limit`; and whether there are more. See [`containing`].
    pub fn search(&mut self, text: &str, limit: u32) -> (Vec<String>, bool) {
        self.ensure_naming();
        let (graph, index) = (&self.graph, self.index.as_ref().expect("ensured"));
        let naming = self.naming.as_ref().expect("ensured");
        let (found, more) = containing(graph, index, naming, text, limit as usize);
        let name = |class: ClassId| neighbourhood::name(graph, naming, class.0);
        (found.into_iter().map(name).collect(), more)
    }

    /// How often each rule was applied by the accepted facts of the block that has this one, by name. Empty if that one is not settled here, was compacted, or is in a block without applications.
    /// O(log blocks + block).
    pub fn applied(&self, fact: Dot) -> Vec<(String, u64)> {
        let Some(entry) = self.logs.get(&fact.agent).and_then(|log| log.entry_of(fact.sequence)) else {
            return Vec::new();
        };
        let Some(block) = entry.bytes.as_ref().and_then(|bytes| Block::decode(bytes).ok()) else {
            return Vec::new();
        };
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        let mut left = entry.last + 1 - entry.first;
        for segment in &block.segments {
            let facts = segment.facts().min(left);
            left -= facts;
            if let Segment::Apply { rule, .. } = segment
                && let Some(known) = self.rules.get(rule).filter(|_| facts > 0)
            {
                *counts.entry(&known.rule.name).or_default() += facts;
            }
        }
        counts
            .into_iter()
            .map(|(name, count)| (name.to_owned(), count))
            .collect()
    }

    /// The number of e-nodes of each operator, by name, in order; operators without any are left out.
    pub fn sizes(&self) -> Vec<(String, u64)> {
        let mut sizes: BTreeMap<&str, u64> = BTreeMap::new();
        for (id, operator) in self.graph.operators() {
            *sizes.entry(&operator.name).or_default() += self.graph.count(id);
        }
        sizes
            .into_iter()
            .filter(|&(_, count)| count > 0)
            .map(|(name, count)| (name.to_owned(), count))
            .collect()
    }

    /// Classes that hold two different literals: nodes of one operator whose only column is a number or a truth value (a string is a name, and two
    /// names may well be equal). Each class as its literals' text, in canonical order.
    pub fn contradictions(&mut self) -> Vec<Vec<String>> {
        self.ensure_naming();
        let (graph, naming) = (&self.graph, self.naming.as_ref().expect("ensured"));
        let is_literal = |operator: &Operator| {
            matches!(
                operator.columns.as_slice(),
                [Sort::Value(
                    ValueType::I64 | ValueType::F64 | ValueType::Rational | ValueType::Bool
                )]
            )
        };
        let mut by_class: BTreeMap<(u32, OperatorId), Vec<RowId>> = BTreeMap::new();
        for row in graph.live() {
            let operator = graph.operator_of(row);
            if is_literal(graph.operator(operator)) {
                by_class
                    .entry((naming.rank(graph.class_of(row).0), operator))
                    .or_default()
                    .push(row);
            }
        }
        by_class
            .into_values()
            .filter(|rows| rows.len() > 1)
            .map(|mut rows| {
                rows.sort_by(|&a, &b| naming.compare(graph, a, b));
                rows.into_iter()
                    .filter_map(|row| naming.node(graph, row).ok())
                    .collect()
            })
            .collect()
    }
}
