//! Matches by the batch: what they would add, and adding it.

use super::{Build, Ground, Matcher, UNBOUND, compute};
use crate::color::Colors;
use crate::graph::{ClassId, EGraph, OperatorId, RowId};
use crate::hashcons::hash_node;

/// How many matches are applied at a time: enough to overlap the misses, few enough for the first cache and the bits of a `u32`.
const BATCH: usize = 32;

/// What a match would add to the e-graph as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effect {
    /// E-nodes that do not exist yet.
    pub nodes: u32,
    /// Whether anything would change: a node or a union.
    pub changes: bool,
}

/// Matches that were found and are looked at together, so that the misses of the cache overlap.
#[derive(Clone, Debug)]
pub struct Batch {
    /// By register, then by match.
    lanes: Vec<[u32; BATCH]>,
    rows: Vec<RowId>,
    effects: [Option<Effect>; BATCH],
    size: usize,
}

impl Batch {
    /// The number of matches.
    pub fn len(&self) -> usize {
        self.size
    }

    /// Whether there are no matches.
    pub fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// Takes all matches out.
    pub fn clear(&mut self) {
        self.size = 0;
    }

    /// What a match would add, as [`Matcher::probe`] found; none where a primitive of the right side is undefined.
    pub fn effect(&self, lane: usize) -> Option<Effect> {
        self.effects[lane]
    }

    /// The rows of a match.
    pub fn rows(&self, lane: usize) -> &[RowId] {
        let slots = self.rows.len() / BATCH;
        &self.rows[lane * slots..(lane + 1) * slots]
    }
}

impl Matcher {
    /// [`Matcher::keep`] for a match in a batch.
    #[inline]
    pub fn keep_of(&self, batch: &Batch, lane: usize, kept: &mut Vec<u32>) {
        kept.extend(self.kept.iter().map(|&register| batch.lanes[register as usize][lane]));
    }

    /// An empty batch for matches found with these ground terms.
    pub fn batch(&self, ground: &Ground) -> Batch {
        Batch {
            lanes: ground.0.iter().map(|&value| [value; BATCH]).collect(),
            rows: vec![RowId(0); BATCH * self.slots],
            effects: [None; BATCH],
            size: 0,
        }
    }

    /// Puts a found match into a batch that is not full. Answers whether it is full now.
    #[inline]
    pub fn collect(&self, batch: &mut Batch, rows: &[RowId], registers: &[u32]) -> bool {
        let lane = batch.size;
        for &register in &self.kept {
            batch.lanes[register as usize][lane] = registers[register as usize];
        }
        for (own, &row) in batch.rows[lane * self.slots..].iter_mut().zip(rows) {
            *own = row;
        }
        batch.size += 1;
        batch.size == BATCH
    }

    /// Finds out what each match of a batch would add to a rebuilt e-graph of which an index has been built. One node of the right side across the
    /// batch at a time.
    pub fn probe(&self, graph: &mut EGraph, batch: &mut Batch) {
        let Batch {
            lanes, effects, size, ..
        } = batch;
        let size = *size;
        effects[..size].fill(Some(Effect {
            nodes: 0,
            changes: false,
        }));
        for build in &self.builds {
            match build {
                Build::Add {
                    operator,
                    arguments,
                    class,
                    ..
                } => {
                    let (operator, class) = (*operator, *class as usize);
                    match *arguments.as_slice() {
                        [a] => look_up_batch(graph, lanes, effects, size, class, operator, |lanes, lane| {
                            [lanes[a as usize][lane]]
                        }),
                        [a, b] => look_up_batch(graph, lanes, effects, size, class, operator, |lanes, lane| {
                            [lanes[a as usize][lane], lanes[b as usize][lane]]
                        }),
                        _ => {
                            let mut key = Vec::with_capacity(arguments.len());
                            for lane in 0..size {
                                key.clear();
                                key.extend(arguments.iter().map(|&argument| lanes[argument as usize][lane]));
                                let row = if key.contains(&UNBOUND) {
                                    None
                                } else {
                                    graph.lookup(operator, &key)
                                };
                                note_row(graph, lanes, effects, lane, class, row);
                            }
                        }
                    }
                }
                Build::Compute {
                    function,
                    arguments,
                    result,
                } => {
                    for lane in 0..size {
                        if effects[lane].is_none() {
                            continue;
                        }
                        let value = compute(graph, *function, arguments, |register| lanes[register as usize][lane]);
                        if value.is_none() {
                            effects[lane] = None;
                        }
                        lanes[*result as usize][lane] = value.unwrap_or(UNBOUND);
                    }
                }
                Build::Unite(a, b) => {
                    for (lane, effect) in effects[..size].iter_mut().enumerate() {
                        if let Some(effect) = effect {
                            effect.changes |= lanes[*a as usize][lane] != lanes[*b as usize][lane];
                        }
                    }
                }
            }
        }
    }

    /// [`Matcher::uncolored`] of a match in a batch.
    pub fn uncolored_in(
        &self,
        graph: &EGraph,
        batch: &Batch,
        lane: usize,
        witnesses: Colors,
    ) -> Option<(OperatorId, ClassId)> {
        self.first_uncolored(graph, |register| batch.lanes[register as usize][lane], witnesses)
    }

    /// The e-graph is rebuilt after each batch, so that what a match adds meets the classes as the matches before it have left them: where many matches
    /// say the same in other words, most find everything there and nothing needs to be merged away later. `applied` gets the e-graph before it is
    /// rebuilt and the batch. Answers the number of unions.
    #[expect(
        clippy::needless_range_loop,
        reason = "lanes are columns: the loop runs across several of them"
    )]
    pub fn apply(
        &self,
        graph: &mut EGraph,
        ground: &Ground,
        kept: &[u32],
        count: usize,
        colors: Colors,
        mut applied: impl FnMut(&mut EGraph, Applied<'_>),
    ) -> u64 {
        let mut unions = 0;
        let mut ground = ground.0.clone();
        let mut lanes: Vec<[u32; BATCH]> = ground.iter().map(|&value| [value; BATCH]).collect();
        let mut rows = vec![[RowId(0); BATCH]; self.additions];
        let width = self.kept.len();
        for first in (0..count).step_by(BATCH) {
            let size = BATCH.min(count - first);
            for lane in 0..size {
                let values = &kept[(first + lane) * width..][..width];
                let (classes, values) = values.split_at(self.kept_classes);
                for (&register, &class) in self.kept.iter().zip(classes) {
                    lanes[register as usize][lane] = graph.representative(class);
                }
                for (&register, &value) in self.kept[self.kept_classes..].iter().zip(values) {
                    lanes[register as usize][lane] = value;
                }
            }
            for atom in &self.determined {
                let class = &mut ground[atom.class as usize];
                let now = graph.representative(*class);
                if now != *class {
                    *class = now;
                    lanes[atom.class as usize] = [now; BATCH];
                }
            }
            let first_new = graph.row_count();
            let mut changes = 0u32;
            let mut added = rows.iter_mut();
            for build in &self.builds {
                match build {
                    Build::Add {
                        operator,
                        arguments,
                        class,
                        home,
                        ..
                    } => {
                        let added = added.next().expect("as many as additions");
                        let target = Target {
                            operator: *operator,
                            class: *class as usize,
                            home: home.map(|register| register as usize),
                            colors,
                        };
                        let lanes = lanes.as_mut_slice();
                        match *arguments.as_slice() {
                            [] => target.add(graph, lanes, &mut added[..size], |_, _| []),
                            [a] => target.add(
                                graph,
                                lanes,
                                &mut added[..size],
                                |lanes, lane| [lanes[a as usize][lane]],
                            ),
                            [a, b] => target.add(graph, lanes, &mut added[..size], |lanes, lane| {
                                [lanes[a as usize][lane], lanes[b as usize][lane]]
                            }),
                            _ => {
                                let mut key = Vec::with_capacity(arguments.len());
                                for (lane, added) in added[..size].iter_mut().enumerate() {
                                    key.clear();
                                    key.extend(arguments.iter().map(|&argument| lanes[argument as usize][lane]));
                                    let home = target.home.map(|register| ClassId(lanes[register][lane]));
                                    *added = graph.add(*operator, &key, home, colors).0;
                                    lanes[target.class][lane] = graph.class_of(*added).0;
                                }
                            }
                        }
                        let mut next_new = first_new;
                        for (lane, row) in added[..size].iter().enumerate() {
                            // New rows are numbered in order.
                            let new = row.0 >= next_new;
                            next_new = next_new.max(row.0 + u32::from(new));
                            changes |= u32::from(new) << lane;
                        }
                    }
                    Build::Compute {
                        function,
                        arguments,
                        result,
                    } => {
                        for lane in 0..size {
                            let value = compute(graph, *function, arguments, |register| lanes[register as usize][lane]);
                            lanes[*result as usize][lane] = value.expect("defined, or the match was left out");
                        }
                    }
                    Build::Unite(a, b) => {
                        for lane in 0..size {
                            let (a, b) = (lanes[*a as usize][lane], lanes[*b as usize][lane]);
                            changes |= u32::from(a != b) << lane;
                            graph.unite(ClassId(a), ClassId(b));
                        }
                    }
                }
            }
            let batch = Applied {
                first,
                size,
                changes,
                rows: &rows,
            };
            applied(graph, batch);
            unions += graph.rebuild();
        }
        unions
    }
}

/// Hashes one node of the right side for each match of a batch, and brings what a look-up will need into the cache: all entries, then all candidate
/// rows. Answers the hashes and the candidates (see [`EGraph::candidate`]).
#[inline]
fn warm_batch<const N: usize>(
    graph: &EGraph,
    size: usize,
    operator: OperatorId,
    key: impl Fn(usize) -> [u32; N],
) -> ([u64; BATCH], [u32; BATCH]) {
    let mut hashes = [0u64; BATCH];
    let mut candidates = [0u32; BATCH];
    let mut seen = 0;
    for (lane, hash) in hashes[..size].iter_mut().enumerate() {
        *hash = hash_node(operator.0, &key(lane));
        seen ^= graph.warm(*hash);
    }
    for (candidate, &hash) in candidates[..size].iter_mut().zip(&hashes) {
        *candidate = graph.candidate(hash);
        seen ^= u64::from(graph.warm_row(*candidate));
    }
    std::hint::black_box(seen);
    (hashes, candidates)
}

/// Looks up one node of the right side for each match of a batch.
#[inline]
fn look_up_batch<const N: usize>(
    graph: &EGraph,
    lanes: &mut [[u32; BATCH]],
    effects: &mut [Option<Effect>; BATCH],
    size: usize,
    class: usize,
    operator: OperatorId,
    key: impl Fn(&[[u32; BATCH]], usize) -> [u32; N],
) {
    let (hashes, candidates) = warm_batch(graph, size, operator, |lane| key(lanes, lane));
    for lane in 0..size {
        let key = key(lanes, lane);
        let row = if key.contains(&UNBOUND) {
            None
        } else {
            graph.find_from(candidates[lane], hashes[lane], operator, &key)
        };
        note_row(graph, lanes, effects, lane, class, row);
    }
}

/// Notes that a node of the right side is there, or would be new.
#[inline]
fn note_row(
    graph: &EGraph,
    lanes: &mut [[u32; BATCH]],
    effects: &mut [Option<Effect>; BATCH],
    lane: usize,
    class: usize,
    row: Option<RowId>,
) {
    lanes[class][lane] = match row {
        Some(row) => graph.row_class(row.0),
        None => {
            if let Some(effect) = &mut effects[lane] {
                effect.nodes += 1;
                effect.changes = true;
            }
            UNBOUND
        }
    };
}

/// One node of the right side, as it is added for each match of a batch.
struct Target {
    operator: OperatorId,
    class: usize,
    home: Option<usize>,
    colors: Colors,
}

impl Target {
    #[inline]
    fn add<const N: usize>(
        &self,
        graph: &mut EGraph,
        lanes: &mut [[u32; BATCH]],
        added: &mut [RowId],
        key: impl Fn(&[[u32; BATCH]], usize) -> [u32; N],
    ) {
        let (hashes, _) = warm_batch(graph, added.len(), self.operator, |lane| key(lanes, lane));
        for (lane, (added, &hash)) in added.iter_mut().zip(&hashes).enumerate() {
            let home = self.home.map(|register| ClassId(lanes[register][lane]));
            let (row, new) = graph.add_hashed(hash, self.operator, &key(lanes, lane), home, self.colors);
            lanes[self.class][lane] = if new {
                graph.row_class(row.0)
            } else {
                graph.class_of(row).0
            };
            *added = row;
        }
    }
}

/// Matches that were applied together. See [`Matcher::apply`].
#[derive(Clone, Copy, Debug)]
pub struct Applied<'a> {
    /// The number of the first match.
    pub first: usize,
    /// How many matches there are.
    pub size: usize,
    /// Bit i: match `first + i` added a node or asked for a union of two classes.
    pub changes: u32,
    rows: &'a [[RowId; BATCH]],
}

impl Applied<'_> {
    /// The rows of a match's right side, by its place in the batch.
    pub fn rows(&self, lane: usize) -> impl Iterator<Item = RowId> {
        self.rows.iter().map(move |rows| rows[lane])
    }
}
