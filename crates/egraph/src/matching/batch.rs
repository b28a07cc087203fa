//! Matches by the batch: what they would add, and adding it, one node of the right side across the batch at a time.

use super::{Build, Ground, Matcher, UNBOUND, compute};
use crate::color::Colors;
use crate::graph::{ClassId, EGraph, OperatorId, RowId};
use crate::hashcons::hash_node;

/// How many matches are applied at a time: enough to overlap the misses, few enough for the first cache and the bits of a `u32`.
pub(super) const BATCH: usize = 32;

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

/// Matches of one rule that were found and are looked at together, so that the misses of the cache overlap. By column, then by match.
#[derive(Clone, Debug)]
pub struct Batch {
    ground: Ground,
    /// What [`Matcher::keep`] keeps of each match.
    pub(super) kept: Vec<Lane>,
    /// The rows of each match.
    pub(super) rows: Vec<Lane>,
    pub(super) size: usize,
    effects: [Option<Effect>; BATCH],
    /// The registers, as of the last probe or application.
    lanes: Vec<Lane>,
    /// The rows that were found or added, by node of the right side.
    added: Vec<Lane>,
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

    /// Puts in other matches in place of those that are there: those of which [`Matcher::keep`] kept `kept`, `size` of them, from number `first` on. Their
    /// rows stay unknown.
    pub fn refill(&mut self, kept: &[u32], first: usize, size: usize) {
        let width = self.kept.len();
        for (place, lane) in self.kept.iter_mut().enumerate() {
            let values = kept[first * width + place..].iter().step_by(width);
            lane[..size]
                .iter_mut()
                .zip(values)
                .for_each(|(own, &value)| *own = value);
        }
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
                for lane in self.kept.iter_mut().chain(&mut self.rows) {
                    lane[to] = lane[from];
                }
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
    pub fn rows(&self, lane: usize) -> impl Iterator<Item = RowId> {
        self.rows.iter().map(move |rows| RowId(rows[lane]))
    }

    /// What [`Matcher::keep`] keeps of a match.
    #[inline]
    pub fn kept(&self, lane: usize) -> impl Iterator<Item = u32> {
        self.kept.iter().map(move |kept| kept[lane])
    }

    /// Bit i: match i added a node or asked for a union of two classes when it was applied.
    pub fn changes(&self) -> u32 {
        self.changes
    }

    /// The rows of a match's right side, once it is applied.
    #[inline]
    pub fn added(&self, lane: usize) -> impl Iterator<Item = RowId> {
        self.added.iter().map(move |rows| RowId(rows[lane]))
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
        Batch {
            ground: ground.clone(),
            kept: vec![[0; BATCH]; self.kept.len()],
            rows: vec![[0; BATCH]; self.slots],
            size: 0,
            effects: [None; BATCH],
            lanes: ground.0.iter().map(|&value| [value; BATCH]).collect(),
            added: vec![[0; BATCH]; self.additions],
            changes: 0,
        }
    }

    /// Fills the registers from what is kept of a batch's matches: `class` says what a class is now.
    #[inline]
    fn spread(&self, batch: &mut Batch, mut class: impl FnMut(u32) -> u32) {
        let Batch {
            ground,
            kept,
            size,
            lanes,
            ..
        } = batch;
        for (place, (&register, kept)) in self.kept.iter().zip(kept).enumerate() {
            let lane = &mut lanes[register as usize];
            if place < self.kept_classes {
                let values = lane[..*size].iter_mut().zip(kept);
                values.for_each(|(own, &mut value)| *own = class(value));
            } else {
                *lane = *kept;
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
                    let new = match *arguments.as_slice() {
                        [] => look_up(graph, lanes, size, *class, *operator, []),
                        [a] => look_up(graph, lanes, size, *class, *operator, [a]),
                        [a, b] => look_up(graph, lanes, size, *class, *operator, [a, b]),
                        _ => look_up_wide(graph, lanes, size, *class, *operator, arguments),
                    };
                    for (lane, effect) in effects[..size].iter_mut().enumerate() {
                        if let Some(effect) = effect.as_mut().filter(|_| new >> lane & 1 == 1) {
                            effect.nodes += 1;
                            effect.changes = true;
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
        let size = (*size).min(BATCH);
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
                    let added = places.next().expect("as many as additions");
                    *changes |= match *arguments.as_slice() {
                        [] => target.add(graph, lanes, added, size, []),
                        [a] => target.add(graph, lanes, added, size, [a]),
                        [a, b] => target.add(graph, lanes, added, size, [a, b]),
                        _ => target.add_wide(graph, lanes, added, size, arguments),
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
                    let pairs = lanes[*a as usize][..size].iter().zip(&lanes[*b as usize]);
                    for (lane, (&a, &b)) in pairs.enumerate() {
                        if a != b {
                            *changes |= 1 << lane;
                            graph.unite(ClassId(a), ClassId(b));
                        }
                    }
                }
            }
        }
        let mut telling = match told {
            Told::All => u32::MAX >> (BATCH - size.max(1)),
            Told::Changes => *changes,
        };
        while telling != 0 && size > 0 {
            let lane = telling.trailing_zeros() as usize;
            telling &= telling - 1;
            for row in added.iter().map(|rows| RowId(rows[lane])) {
                graph.color(row, colors);
            }
        }
    }
}

/// One node of the right side for each match of a batch, and what a look-up will need brought into the cache: all entries, then all candidate rows.
struct Sought<const N: usize> {
    keys: [[u32; N]; BATCH],
    hashes: [u64; BATCH],
    /// See [`EGraph::candidate`].
    candidates: Lane,
}

impl<const N: usize> Sought<N> {
    #[inline]
    fn of(graph: &EGraph, lanes: &[Lane], size: usize, operator: OperatorId, arguments: [u32; N]) -> Sought<N> {
        let columns = arguments.map(|register| &lanes[register as usize]);
        let mut sought = Sought {
            keys: [[0; N]; BATCH],
            hashes: [0; BATCH],
            candidates: [0; BATCH],
        };
        let mut seen = 0;
        for lane in 0..size.min(BATCH) {
            let key = columns.map(|column| column[lane]);
            let hash = hash_node(operator.0, &key);
            sought.keys[lane] = key;
            sought.hashes[lane] = hash;
            seen ^= graph.warm(hash);
        }
        for lane in 0..size.min(BATCH) {
            let candidate = graph.candidate(sought.hashes[lane]);
            sought.candidates[lane] = candidate;
            seen ^= u64::from(graph.warm_row(candidate));
        }
        std::hint::black_box(seen);
        sought
    }
}

/// Looks up one node of the right side for each match of a batch. Answers for which matches it would be new.
#[inline]
fn look_up<const N: usize>(
    graph: &EGraph,
    lanes: &mut [Lane],
    size: usize,
    class: u32,
    operator: OperatorId,
    arguments: [u32; N],
) -> u32 {
    let sought = Sought::of(graph, lanes, size, operator, arguments);
    let mut new = 0;
    for (lane, own) in lanes[class as usize][..size.min(BATCH)].iter_mut().enumerate() {
        let (key, candidate) = (&sought.keys[lane], sought.candidates[lane]);
        let row = if candidate == u32::MAX || key.contains(&UNBOUND) {
            None
        } else if graph.is_node(candidate, operator.0, key) {
            Some(RowId(candidate))
        } else {
            graph.find_hashed(sought.hashes[lane], operator, key)
        };
        new |= u32::from(row.is_none()) << lane;
        *own = row.map_or(UNBOUND, |row| graph.row_class(row.0));
    }
    new
}

/// [`look_up`] for nodes with many arguments.
#[expect(
    clippy::needless_range_loop,
    reason = "lanes are columns: the loop runs across several of them"
)]
fn look_up_wide(
    graph: &EGraph,
    lanes: &mut [Lane],
    size: usize,
    class: u32,
    operator: OperatorId,
    arguments: &[u32],
) -> u32 {
    let mut key = Vec::with_capacity(arguments.len());
    let mut new = 0;
    for lane in 0..size {
        key.clear();
        key.extend(arguments.iter().map(|&argument| lanes[argument as usize][lane]));
        let row = if key.contains(&UNBOUND) {
            None
        } else {
            graph.lookup(operator, &key)
        };
        new |= u32::from(row.is_none()) << lane;
        lanes[class as usize][lane] = row.map_or(UNBOUND, |row| graph.row_class(row.0));
    }
    new
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
        added: &mut Lane,
        size: usize,
        arguments: [u32; N],
    ) -> u32 {
        let sought = Sought::of(graph, lanes, size, self.operator, arguments);
        let mut classes = [0; BATCH];
        let mut new = 0;
        for lane in 0..size.min(BATCH) {
            let (hash, key, candidate) = (sought.hashes[lane], &sought.keys[lane], sought.candidates[lane]);
            // If it was not there when the batch was warmed, matches before this one may have added it since.
            let found = if candidate != u32::MAX && graph.is_node(candidate, self.operator.0, key) {
                Some(RowId(candidate))
            } else {
                graph.find_hashed(hash, self.operator, key)
            };
            let row = if let Some(row) = found {
                classes[lane] = graph.class_of(row).0;
                row
            } else {
                new |= 1 << lane;
                let home = self.home.map(|register| ClassId(lanes[register][lane]));
                let row = graph.push(hash, self.operator, key, home, self.colors);
                classes[lane] = graph.row_class(row.0);
                row
            };
            added[lane] = row.0;
        }
        lanes[self.class] = classes;
        new
    }

    /// [`Target::add`] for nodes with many arguments.
    fn add_wide(
        &self,
        graph: &mut EGraph,
        lanes: &mut [Lane],
        added: &mut Lane,
        size: usize,
        arguments: &[u32],
    ) -> u32 {
        let mut key = Vec::with_capacity(arguments.len());
        let mut new = 0;
        for (lane, added) in added[..size].iter_mut().enumerate() {
            key.clear();
            key.extend(arguments.iter().map(|&argument| lanes[argument as usize][lane]));
            let hash = hash_node(self.operator.0, &key);
            let row = graph.find_hashed(hash, self.operator, &key).unwrap_or_else(|| {
                new |= 1 << lane;
                let home = self.home.map(|register| ClassId(lanes[register][lane]));
                graph.push(hash, self.operator, &key, home, self.colors)
            });
            *added = row.0;
            lanes[self.class][lane] = graph.class_of(row).0;
        }
        new
    }
}
