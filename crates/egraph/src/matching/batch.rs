//! Matches by the batch: what they would add, and adding it, one node of the right side across the batch at a time.

use super::{Build, Ground, Matcher, UNBOUND, compute};
use crate::color::Colors;
use crate::graph::{ClassId, EGraph, OperatorId, RowId};
use crate::hashcons::hash_node;

/// How many matches are applied at a time: enough to overlap the misses, few enough for the first cache and the bits of a `u32`.
const BATCH: usize = 32;

/// One register of all matches of a batch.
type Lane = [u32; BATCH];

/// What a match would add to the e-graph as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effect {
    /// E-nodes that do not exist yet.
    pub nodes: u32,
    /// Whether anything would change: a node or a union.
    pub changes: bool,
}

/// Matches of one rule that were found and are looked at together, so that the misses of the cache overlap.
#[derive(Clone, Debug)]
pub struct Batch {
    ground: Ground,
    /// What [`Matcher::keep`] keeps of each match.
    kept: Vec<u32>,
    width: usize,
    /// The rows of each match.
    rows: Vec<RowId>,
    slots: usize,
    size: usize,
    effects: [Option<Effect>; BATCH],
    /// By register, then by match, as of the last probe or application.
    lanes: Vec<Lane>,
    /// By node of the right side, then by match: the rows that were found or added.
    added: Vec<[RowId; BATCH]>,
    changes: u32,
}

impl Batch {
    /// How many matches there may be.
    pub const CAPACITY: usize = BATCH;

    /// The number of matches.
    pub fn len(&self) -> usize {
        self.size
    }

    /// Whether there are no matches.
    pub fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// Puts in other matches in place of those that are there: `size` of those of which [`Matcher::keep`] kept `kept`, from number `first` on. Their rows stay
    /// unknown.
    pub fn refill(&mut self, kept: &[u32], first: usize, size: usize) {
        let width = self.width;
        self.kept[..size * width].copy_from_slice(&kept[first * width..][..size * width]);
        self.size = size;
    }

    /// Takes out all matches from number `len` on.
    pub fn truncate(&mut self, len: usize) {
        self.size = self.size.min(len);
    }

    /// Takes all matches out.
    pub fn clear(&mut self) {
        self.size = 0;
    }

    /// Keeps the matches that `keep` holds for, in order.
    pub fn retain(&mut self, mut keep: impl FnMut(&Batch, usize) -> bool) {
        let (size, mut to) = (self.size, 0);
        for from in 0..size {
            if keep(self, from) {
                self.kept
                    .copy_within(from * self.width..(from + 1) * self.width, to * self.width);
                self.rows
                    .copy_within(from * self.slots..(from + 1) * self.slots, to * self.slots);
                to += 1;
            }
        }
        self.size = to;
    }

    /// What a match would add, as [`Matcher::probe`] found; none where a primitive of the right side is undefined.
    pub fn effect(&self, lane: usize) -> Option<Effect> {
        self.effects[lane]
    }

    /// The rows of a match.
    #[inline]
    pub fn rows(&self, lane: usize) -> &[RowId] {
        &self.rows[lane * self.slots..][..self.slots]
    }

    /// What [`Matcher::keep`] keeps of a match.
    #[inline]
    pub fn kept(&self, lane: usize) -> &[u32] {
        &self.kept[lane * self.width..][..self.width]
    }

    /// Bit i: match i added a node or asked for a union of two classes when it was applied.
    pub fn changes(&self) -> u32 {
        self.changes
    }

    /// The rows of a match's right side, once it is applied.
    #[inline]
    pub fn added(&self, lane: usize) -> impl Iterator<Item = RowId> {
        self.added.iter().map(move |rows| rows[lane])
    }
}

/// Whose colors an application adds to rows that are there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Those of every match: all are facts.
    All,
    /// Those of the matches that change anything: the others are no facts, and so say nothing of colors either.
    Changes,
}

impl Matcher {
    /// An empty batch for matches found with these ground terms.
    pub fn batch(&self, ground: &Ground) -> Batch {
        let (width, slots) = (self.kept.len(), self.slots);
        Batch {
            ground: ground.clone(),
            kept: vec![0; BATCH * width],
            width,
            rows: vec![RowId(0); BATCH * slots],
            slots,
            size: 0,
            effects: [None; BATCH],
            lanes: ground.0.iter().map(|&value| [value; BATCH]).collect(),
            added: vec![[RowId(0); BATCH]; self.additions],
            changes: 0,
        }
    }

    /// Puts a found match into a batch that is not full. Answers whether it is full now.
    #[inline]
    pub fn collect(&self, batch: &mut Batch, rows: &[RowId], registers: &[u32]) -> bool {
        let lane = batch.size;
        let kept = &mut batch.kept[lane * self.kept.len()..][..self.kept.len()];
        for (own, &register) in kept.iter_mut().zip(&self.kept) {
            *own = registers[register as usize];
        }
        for (own, &row) in batch.rows[lane * self.slots..][..self.slots].iter_mut().zip(rows) {
            *own = row;
        }
        batch.size = lane + 1;
        lane + 1 == BATCH
    }

    /// Spreads what is kept of a batch's matches over the lanes: `class` says what a class is now.
    #[inline]
    fn spread(&self, batch: &mut Batch, mut class: impl FnMut(u32) -> u32) {
        let Batch {
            ground,
            kept,
            width,
            size,
            lanes,
            ..
        } = batch;
        if *width > 0 {
            for (place, &register) in self.kept.iter().enumerate() {
                let lane = &mut lanes[register as usize][..*size];
                let values = kept[place..].iter().step_by(*width);
                if place < self.kept_classes {
                    lane.iter_mut()
                        .zip(values)
                        .for_each(|(own, &value)| *own = class(value));
                } else {
                    lane.iter_mut().zip(values).for_each(|(own, &value)| *own = value);
                }
            }
        }
        for atom in &self.determined {
            let now = class(ground.0[atom.class as usize]);
            let lane = &mut lanes[atom.class as usize];
            if lane[0] != now {
                *lane = [now; BATCH];
            }
        }
    }

    /// Finds out what each match of a batch would add to a rebuilt e-graph of which an index has been built.
    pub fn probe(&self, graph: &mut EGraph, batch: &mut Batch) {
        self.spread(batch, |class| class);
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
                    let lanes = lanes.as_mut_slice();
                    match *arguments.as_slice() {
                        [] => look_up(graph, lanes, effects, size, class, operator, |_, _| []),
                        [a] => look_up(graph, lanes, effects, size, class, operator, |lanes, lane| {
                            [lanes[a as usize][lane]]
                        }),
                        [a, b] => look_up(graph, lanes, effects, size, class, operator, |lanes, lane| {
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

    /// [`Matcher::uncolored`] of a match in a batch that was probed.
    pub fn uncolored_in(
        &self,
        graph: &EGraph,
        batch: &Batch,
        lane: usize,
        witnesses: Colors,
    ) -> Option<(OperatorId, ClassId)> {
        self.first_uncolored(graph, |register| batch.lanes[register as usize][lane], witnesses)
    }

    /// Does what the rule says with each match of a batch: adds the right side's nodes in this color and asks for the unions. The e-graph must have nothing
    /// else to unite, and must be rebuilt before the next batch, so that what a match adds meets the classes as the batches before have left them: where many
    /// matches say the same in other words, most find everything there and nothing needs to be merged away later. Matches where a primitive of the right side
    /// is undefined must have been left out.
    #[expect(
        clippy::needless_range_loop,
        reason = "lanes are columns: the loop runs across several of them"
    )]
    pub fn apply(&self, graph: &mut EGraph, batch: &mut Batch, colors: Colors, told: Told) {
        debug_assert!(graph.is_clean());
        self.spread(batch, |class| graph.representative(class));
        let Batch {
            lanes,
            added,
            changes,
            size,
            ..
        } = batch;
        let (size, lanes) = (*size, lanes.as_mut_slice());
        *changes = 0;
        let mut places = added.iter_mut();
        for build in &self.builds {
            match build {
                Build::Add {
                    operator,
                    arguments,
                    class,
                    home,
                    ..
                } => {
                    let target = Target {
                        operator: *operator,
                        class: *class as usize,
                        home: home.map(|register| register as usize),
                        colors,
                    };
                    let added = &mut places.next().expect("as many as additions")[..size];
                    *changes |= match *arguments.as_slice() {
                        [] => target.add(graph, lanes, added, |_, _| []),
                        [a] => target.add(graph, lanes, added, |lanes, lane| [lanes[a as usize][lane]]),
                        [a, b] => target.add(graph, lanes, added, |lanes, lane| {
                            [lanes[a as usize][lane], lanes[b as usize][lane]]
                        }),
                        _ => target.add_wide(graph, lanes, added, arguments),
                    };
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
                        if a != b {
                            *changes |= 1 << lane;
                            graph.unite(ClassId(a), ClassId(b));
                        }
                    }
                }
            }
        }
        let telling = match told {
            Told::All => u32::MAX,
            Told::Changes => *changes,
        };
        for rows in added {
            for (lane, &row) in rows[..size].iter().enumerate() {
                if telling >> lane & 1 == 1 && !graph.colors_of(row).contains(colors) {
                    graph.color(row, colors);
                }
            }
        }
    }
}

/// Hashes one node of the right side for each match of a batch, and brings what a look-up will need into the cache: all entries, then all candidate
/// rows. Answers the hashes and the candidates (see [`EGraph::candidate`]).
#[inline]
fn warm<const N: usize>(
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
fn look_up<const N: usize>(
    graph: &EGraph,
    lanes: &mut [Lane],
    effects: &mut [Option<Effect>; BATCH],
    size: usize,
    class: usize,
    operator: OperatorId,
    key: impl Fn(&[Lane], usize) -> [u32; N],
) {
    let (hashes, candidates) = warm(graph, size, operator, |lane| key(lanes, lane));
    for lane in 0..size {
        let (key, candidate) = (key(lanes, lane), candidates[lane]);
        let row = if candidate == u32::MAX || key.contains(&UNBOUND) {
            None
        } else if graph.is_node(candidate, operator.0, &key) {
            Some(RowId(candidate))
        } else {
            graph.find_hashed(hashes[lane], operator, &key)
        };
        note_row(graph, lanes, effects, lane, class, row);
    }
}

/// Notes that a node of the right side is there, or would be new.
#[inline]
fn note_row(
    graph: &EGraph,
    lanes: &mut [Lane],
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
    /// Answers for which matches it is new.
    #[inline]
    fn add<const N: usize>(
        &self,
        graph: &mut EGraph,
        lanes: &mut [Lane],
        added: &mut [RowId],
        key: impl Fn(&[Lane], usize) -> [u32; N],
    ) -> u32 {
        let (hashes, candidates) = warm(graph, added.len(), self.operator, |lane| key(lanes, lane));
        let mut new = 0;
        for (lane, added) in added.iter_mut().enumerate() {
            let (hash, key) = (hashes[lane], key(lanes, lane));
            let candidate = candidates[lane];
            // If it was not there when the batch was warmed, matches before this one may have added it since.
            let found = if candidate != u32::MAX && graph.is_node(candidate, self.operator.0, &key) {
                Some(RowId(candidate))
            } else {
                graph.find_hashed(hash, self.operator, &key)
            };
            *added = match found {
                Some(row) => {
                    lanes[self.class][lane] = graph.class_of(row).0;
                    row
                }
                None => {
                    new |= 1 << lane;
                    let home = self.home.map(|register| ClassId(lanes[register][lane]));
                    let row = graph.push(hash, self.operator, &key, home, self.colors);
                    lanes[self.class][lane] = graph.row_class(row.0);
                    row
                }
            };
        }
        new
    }

    /// [`Target::add`] for nodes with many arguments.
    fn add_wide(&self, graph: &mut EGraph, lanes: &mut [Lane], added: &mut [RowId], arguments: &[u32]) -> u32 {
        let mut key = Vec::with_capacity(arguments.len());
        let mut new = 0;
        for (lane, added) in added.iter_mut().enumerate() {
            key.clear();
            key.extend(arguments.iter().map(|&argument| lanes[argument as usize][lane]));
            let hash = hash_node(self.operator.0, &key);
            *added = graph.find_hashed(hash, self.operator, &key).unwrap_or_else(|| {
                new |= 1 << lane;
                let home = self.home.map(|register| ClassId(lanes[register][lane]));
                graph.push(hash, self.operator, &key, home, self.colors)
            });
            lanes[self.class][lane] = graph.class_of(*added).0;
        }
        new
    }
}
