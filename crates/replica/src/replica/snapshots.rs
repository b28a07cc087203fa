//! Snapshots of replicas: making one, and beginning with one.

use std::collections::BTreeMap;
use std::sync::Arc;

use eqmesh_egraph::color::Colors;
use eqmesh_egraph::graph::{Columns, EGraph, OperatorId, RowId};
use eqmesh_egraph::matching::Matcher;
use eqmesh_egraph::program;
use eqmesh_egraph::value::Value;

use super::era::{Beginning, Era};
use super::{Birth, KnownRule, Label, Options, Replica};
use crate::fault::Fault;
use crate::log::{Entry, Log};
use crate::snapshot::{Before, BoundLabel, Head, Snapshot, Stub, Table};
use crate::version::{AgentId, VersionVector};

impl Replica {
    /// The snapshot of all facts, and the row of each of its nodes. Leaves only what belongs to the era.
    pub(super) fn take_snapshot(&mut self) -> (Snapshot, Vec<RowId>) {
        if let Some(last) = self.eras.len().checked_sub(1) {
            self.begin_with(last);
        }
        self.ensure_naming();
        let naming = self.naming.as_ref().expect("ensured");
        let graph = &self.graph;
        let ranks = |class: u32| naming.rank(class);
        let mut by_operator: BTreeMap<OperatorId, Vec<RowId>> = BTreeMap::new();
        let mut values: Vec<&Value> = Vec::new();
        for row in graph.live() {
            let operator = graph.operator_of(row);
            by_operator.entry(operator).or_default().push(row);
            let columns = &graph.operator(operator).columns;
            let primitive = graph
                .arguments(row)
                .iter()
                .zip(columns)
                .filter(|(_, column)| !column.is_class());
            values.extend(primitive.map(|(&argument, _)| graph.value(argument)));
        }
        values.sort_unstable();
        values.dedup();
        let mut order = Vec::with_capacity(graph.enodes());
        let mut numbers = vec![u32::MAX; graph.row_count() as usize];
        let tables = graph
            .operators()
            .map(|(id, operator)| {
                let mut rows: Vec<(Vec<u32>, u32, RowId)> = by_operator
                    .remove(&id)
                    .unwrap_or_default()
                    .into_iter()
                    .map(|row| {
                        let arguments = graph.arguments(row).iter().zip(&operator.columns);
                        let places = arguments.map(|(&argument, column)| {
                            if column.is_class() {
                                ranks(argument)
                            } else {
                                values.binary_search(&graph.value(argument)).expect("listed") as u32
                            }
                        });
                        (places.collect(), ranks(graph.class_of(row).0), row)
                    })
                    .collect();
                rows.sort_unstable();
                for &(_, _, row) in &rows {
                    numbers[row.0 as usize] = order.len() as u32;
                    order.push(row);
                }
                Table {
                    operator: operator.clone(),
                    classes: rows.iter().map(|&(_, class, _)| class).collect(),
                    arguments: (0..operator.columns.len())
                        .map(|column| rows.iter().map(|(arguments, _, _)| arguments[column]).collect())
                        .collect(),
                    // Every member has checked what a cut covers.
                    colors: rows
                        .iter()
                        .map(|&(_, _, row)| graph.colors_of(row).union(Colors::CERTIFIED))
                        .collect(),
                }
            })
            .collect();
        let number_of = |row: &RowId| numbers[graph.resolve(*row).0 as usize];
        let snapshot = Snapshot {
            before: self.eras.last().map(|era| Before {
                number: era.number,
                fact: era.fact,
                height: era.height,
                version: era.version.clone(),
                rows: era.rows.iter().map(number_of).collect(),
            }),
            heads: self
                .logs
                .iter()
                .filter(|(_, log)| log.last() > 0)
                .map(|(&agent, log)| Head {
                    agent,
                    dropped: log.dropped,
                    first_row: log.first_row,
                    blocks: log.entries.iter().map(stub).collect(),
                    rows: log.rows.iter().map(number_of).collect(),
                    chain: log.chain,
                    certified: log.last(),
                    claims: log.claims,
                })
                .collect(),
            rules: self
                .rules
                .iter()
                .map(|(&dot, known)| (dot, program::encode_rule(&known.rule)))
                .collect(),
            labels: self
                .labels
                .iter()
                .map(|(label, own)| BoundLabel {
                    label: label.clone(),
                    fact: own.fact,
                    name: own.name,
                    sort: own.sort.clone(),
                    text: own.text.clone(),
                })
                .collect(),
            height: self.height,
            classes: naming.len() as u32,
            values: values.into_iter().cloned().collect(),
            tables,
        };
        (snapshot, order)
    }

    /// A replica that holds what a snapshot says, and can take in the facts since. The snapshot is trusted.
    pub(super) fn of_snapshot(options: Options, bytes: Arc<[u8]>) -> Result<Replica, Fault> {
        let (snapshot, digest) = Snapshot::decode_hashed(&bytes)?;
        let mut replica = Replica::new(options);
        replica.graph = restore(&snapshot);
        let rows: Vec<RowId> = (0..replica.graph.row_count()).map(RowId).collect();
        replica.height = snapshot.height;
        let version = snapshot.version();
        let (before, logs) = history_of(&snapshot, &rows);
        replica.floor = before.as_ref().map(|era| era.fact);
        replica.eras.extend(before);
        replica.logs = logs;
        replica.name_rows();
        if replica.births.contains(&Birth::NEVER) {
            return Err(Fault::Malformed("not a snapshot: a row has no name".to_owned()));
        }
        for (dot, program) in snapshot.rules {
            let rule = program::decode_rule(&program)?;
            let matcher = Matcher::of_rule(&rule, &mut replica.graph);
            replica.rules.insert(dot, KnownRule { rule, matcher });
        }
        for own in snapshot.labels {
            let label = Label {
                fact: own.fact,
                row: replica.row(own.name)?,
                name: own.name,
                sort: own.sort,
                text: own.text,
            };
            let name = super::era::reference(replica.eras.last(), own.name);
            replica.label_names.entry(name).or_insert_with(|| own.label.clone());
            replica.labels.insert(own.label, label);
        }
        replica.own_up();
        replica.generation = 1;
        replica.beginning = Some(Beginning {
            digest,
            snapshot: bytes,
            version,
            rows: Some(rows),
        });
        Ok(replica)
    }
}

fn stub(entry: &Entry) -> Stub {
    Stub {
        height: entry.height,
        layout: entry.layout.clone(),
    }
}

/// The era and the logs that a snapshot tells of, given its rows.
pub(super) fn history_of(snapshot: &Snapshot, rows: &[RowId]) -> (Option<Era>, BTreeMap<AgentId, Log>) {
    let era = snapshot.before.as_ref().map(|before| Era {
        number: before.number,
        height: before.height,
        fact: before.fact,
        version: before.version.clone(),
        rows: before.rows.iter().map(|&number| rows[number as usize]).collect(),
        snapshot: None,
        closed: Some(VersionVector::default()),
    });
    let logs = snapshot.heads.iter().map(|head| (head.agent, log_of(head, rows)));
    (era, logs.collect())
}

/// The log that a snapshot tells of.
fn log_of(head: &Head, rows: &[RowId]) -> Log {
    let mut log = Log {
        dropped: head.dropped,
        entries: Vec::with_capacity(head.blocks.len()),
        rows: head.rows.iter().map(|&number| rows[number as usize]).collect(),
        first_row: head.first_row,
        chain: head.chain,
        certified: head.certified,
        claims: head.claims,
    };
    let (mut last, mut ordinal) = (head.dropped.0, head.first_row);
    for stub in &head.blocks {
        let first = last + 1;
        let first_ordinal = ordinal;
        for own in &stub.layout {
            last += u64::from(own.facts);
            ordinal += own.facts * own.nodes;
        }
        log.entries.push(Entry {
            first,
            last,
            height: stub.height,
            first_ordinal,
            layout: stub.layout.clone(),
            bytes: None,
        });
    }
    log
}

/// The e-graph of a snapshot. Its rows have their row numbers.
fn restore(snapshot: &Snapshot) -> EGraph {
    let tables: Vec<Columns<'_>> = snapshot
        .tables
        .iter()
        .map(|table| Columns {
            operator: &table.operator,
            classes: &table.classes,
            arguments: &table.arguments,
            colors: &table.colors,
        })
        .collect();
    EGraph::restore(snapshot.classes, &snapshot.values, &tables)
}
