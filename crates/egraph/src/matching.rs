//! Compiled matching: from a query to a program over registers, and the machine that runs it on a frozen index.
//!
//! A program first looks up what is *determined* by the query alone (leaves and ground subterms), once; then it joins the other row
//! atoms in order, each by the narrowest access that the registers bound so far allow: all rows of an operator, the rows of
//! one class and operator, or one hash lookup. A match is named by the rows of its joined atoms; everything else follows from
//! them, which is what [`Matcher::verify`] recomputes.
//!
//! A search may leave out what an earlier one has seen (semi-naive evaluation, as in egglog, PLDI 2023, but by row and with no second copy of the rule):
//! of a new match at least one row was touched since. As long as none of the rows bound so far was, the search goes on only where
//! touched rows can follow, and the last row is looked for among the touched ones alone.
//!
//! Matches are applied in batches, one node of the right side across the batch at a time, so that misses of the cache overlap.

use std::ops::ControlFlow;

use crate::color::Colors;
use crate::graph::{ClassId, Compaction, EGraph, OperatorId, RowId};
use crate::hashcons::hash_node;
use crate::index::Index;
use crate::primitive::Primitive;
use crate::rule::{Action, Atom, Operand, Query, Rule, Variable};
use crate::value::{Value, ValueId};

/// What a register holds that nothing is bound to yet, or the class of an e-node that does not exist.
const UNBOUND: u32 = u32::MAX;

/// A row atom whose arguments all are literals or themselves determined.
#[derive(Clone, Debug)]
struct Determined {
    operator: OperatorId,
    arguments: Vec<u32>,
    class: u32,
    /// The class register may be written by two determined atoms: `(= (a) (b))`.
    checked: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// All rows of the operator.
    Scan,
    /// The rows of the operator in the class register.
    Member,
    /// All arguments are bound: at most one row.
    Lookup,
}

#[derive(Clone, Debug)]
struct RowStep {
    operator: OperatorId,
    access: Access,
    /// Columns to registers that this row binds.
    binds: Vec<(u32, u32)>,
    /// Columns that must equal registers bound before (or by an earlier column of this row).
    checks: Vec<(u32, u32)>,
    /// All arguments' registers, for `Lookup`.
    arguments: Vec<u32>,
    class: u32,
    class_bound: bool,
    /// Which of the match's rows this is.
    slot: usize,
    /// Whether no other row follows.
    last: bool,
}

#[derive(Clone, Debug)]
enum Step {
    Row(RowStep),
    Compute {
        function: Primitive,
        arguments: Vec<u32>,
        result: u32,
        bound: bool,
    },
    Equal(u32, u32),
    Copy {
        from: u32,
        to: u32,
    },
    Different(u32, u32),
}

/// What a rule does with a match, over registers.
#[derive(Clone, Debug)]
enum Build {
    Add {
        operator: OperatorId,
        arguments: Vec<u32>,
        /// Registers of classes that come from the match: what the 3-coloring constraint looks at. Classes added by the same
        /// rule carry its own color.
        matched: Vec<u32>,
        class: u32,
        /// A class from the match that a later `Unite` puts this one into: a new row goes straight there.
        home: Option<u32>,
    },
    Compute {
        function: Primitive,
        arguments: Vec<u32>,
        result: u32,
    },
    Unite(u32, u32),
}

/// Which matches a search is for.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The query's ground terms, as they are now.
    pub ground: &'a Ground,
    /// Only matches of whose rows one was touched after this epoch, for which the index must have been [prepared](Index::sort_recent). A query with no
    /// joined atom has no rows and is always searched.
    pub since: Option<u32>,
    /// Whether the one possible match of a query with no joined atom is asked for.
    pub owns_ground: bool,
}

/// How many matches are applied at a time: enough to overlap the misses, few enough for the first cache and the bits of a `u32`.
const BATCH: usize = 32;

/// A compiled query or rule. Which row stands for a match in its share: that of the first joined atom, the root of the left side.
#[derive(Clone, Debug)]
pub struct Matcher {
    initial: Vec<u32>,
    determined: Vec<Determined>,
    steps: Vec<Step>,
    builds: Vec<Build>,
    /// The registers that differ from match to match and that the right side reads: those of classes first.
    kept: Vec<u32>,
    kept_classes: usize,
    slots: usize,
    additions: usize,
}

/// The classes of what a matcher's query determines alone: the same for all its matches, for as long as it stays the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ground(Vec<u32>);

/// Why a claimed match is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAMatch {
    /// A leaf or ground subterm of the left side is not in the e-graph.
    #[error("a ground subterm of the left side is not in the e-graph")]
    Ground,
    /// The row has another operator.
    #[error("e-node {slot} of the match has another operator than the pattern")]
    Operator {
        /// Which of the match's e-nodes.
        slot: usize,
    },
    /// The row was not there when the match is claimed to have been found.
    #[error("e-node {slot} of the match is younger than the match")]
    Young {
        /// Which of the match's e-nodes.
        slot: usize,
    },
    /// The row's arguments or class do not fit those of the rows before it.
    #[error("e-node {slot} of the match does not join with those before it")]
    Join {
        /// Which of the match's e-nodes.
        slot: usize,
    },
    /// A condition does not hold.
    #[error("a condition of the rule does not hold")]
    Condition,
    /// A primitive of the right side is undefined there.
    #[error("a primitive of the right side is undefined")]
    Undefined,
}

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

struct Compiler<'a> {
    graph: &'a mut EGraph,
    operators: Vec<OperatorId>,
    initial: Vec<u32>,
}

impl Compiler<'_> {
    /// An operand's register; a literal gets one of its own, filled from the start.
    fn register(&mut self, operand: &Operand) -> u32 {
        match operand {
            Operand::Variable(variable) => variable.0,
            Operand::Value(value) => {
                let ValueId(id) = self.graph.values.intern(value);
                self.initial.push(id);
                self.initial.len() as u32 - 1
            }
        }
    }

    fn registers(&mut self, operands: &[Operand]) -> Vec<u32> {
        operands.iter().map(|operand| self.register(operand)).collect()
    }
}

impl Matcher {
    /// Compiles a query. It must have been validated (see [`crate::program`]); its operators become known to the e-graph.
    pub fn of_query(query: &Query, graph: &mut EGraph) -> Matcher {
        Matcher::compile(query, &[], graph)
    }

    /// Compiles a rule. It must have been validated (see [`crate::program`]); its operators become known to the e-graph.
    pub fn of_rule(rule: &Rule, graph: &mut EGraph) -> Matcher {
        Matcher::compile(&rule.query, &rule.actions, graph)
    }

    fn compile(query: &Query, actions: &[Action], graph: &mut EGraph) -> Matcher {
        let operators = query.operators.iter().map(|operator| graph.declare(operator)).collect();
        let variables = query.variables.len();
        let mut compiler = Compiler {
            graph,
            operators,
            initial: vec![UNBOUND; variables],
        };
        let mut bound = vec![false; variables];
        let is_bound = |bound: &[bool], register: u32| bound.get(register as usize).copied().unwrap_or(true);

        // Ground atoms, leaves first: the atoms of a pattern come before those of its subterms, so go backwards until nothing changes.
        let mut is_determined = vec![false; query.atoms.len()];
        let mut determined = Vec::new();
        loop {
            let before = determined.len();
            for (i, atom) in query.atoms.iter().enumerate().rev() {
                let Atom::Row {
                    operator,
                    arguments,
                    class,
                } = atom
                else {
                    continue;
                };
                let ground = |operand: &Operand| match operand {
                    Operand::Variable(variable) => bound[variable.0 as usize],
                    Operand::Value(_) => true,
                };
                if is_determined[i] || !arguments.iter().all(ground) {
                    continue;
                }
                is_determined[i] = true;
                determined.push(Determined {
                    operator: compiler.operators[operator.0 as usize],
                    arguments: compiler.registers(arguments),
                    class: class.0,
                    checked: bound[class.0 as usize],
                });
                bound[class.0 as usize] = true;
            }
            if determined.len() == before {
                break;
            }
        }

        let mut steps = Vec::new();
        let mut slots = 0;
        for (i, atom) in query.atoms.iter().enumerate() {
            match atom {
                Atom::Row { .. } if is_determined[i] => {}
                Atom::Row {
                    operator,
                    arguments,
                    class,
                } => {
                    let arguments = compiler.registers(arguments);
                    let all_bound = arguments.iter().all(|&register| is_bound(&bound, register));
                    let class_bound = bound[class.0 as usize];
                    let access = if all_bound {
                        Access::Lookup
                    } else if class_bound {
                        Access::Member
                    } else {
                        Access::Scan
                    };
                    let (mut binds, mut checks) = (Vec::new(), Vec::new());
                    for (column, &register) in arguments.iter().enumerate() {
                        if is_bound(&bound, register) {
                            checks.push((column as u32, register));
                        } else {
                            binds.push((column as u32, register));
                            bound[register as usize] = true;
                        }
                    }
                    // A pattern such as (f ?x) whose class is ?x itself.
                    let class_bound = class_bound || bound[class.0 as usize];
                    bound[class.0 as usize] = true;
                    steps.push(Step::Row(RowStep {
                        operator: compiler.operators[operator.0 as usize],
                        access,
                        binds,
                        checks,
                        arguments,
                        class: class.0,
                        class_bound,
                        slot: slots,
                        last: false,
                    }));
                    slots += 1;
                }
                Atom::Primitive {
                    function,
                    arguments,
                    result,
                } => {
                    let arguments = compiler.registers(arguments);
                    let result = compiler.register(result);
                    steps.push(Step::Compute {
                        function: *function,
                        arguments,
                        result,
                        bound: is_bound(&bound, result),
                    });
                    if let Some(bound) = bound.get_mut(result as usize) {
                        *bound = true;
                    }
                }
                Atom::Equal(a, b) => {
                    let (a, b) = (compiler.register(a), compiler.register(b));
                    match (is_bound(&bound, a), is_bound(&bound, b)) {
                        (false, true) => {
                            steps.push(Step::Copy { from: b, to: a });
                            bound[a as usize] = true;
                        }
                        (true, false) => {
                            steps.push(Step::Copy { from: a, to: b });
                            bound[b as usize] = true;
                        }
                        _ => steps.push(Step::Equal(a, b)),
                    }
                }
                Atom::Different(a, b) => {
                    let (a, b) = (compiler.register(a), compiler.register(b));
                    steps.push(Step::Different(a, b));
                }
            }
        }

        let last = steps.iter_mut().rev().find_map(|step| match step {
            Step::Row(row) => Some(row),
            _ => None,
        });
        if let Some(row) = last {
            row.last = true;
        }

        let (builds, additions) = compile_actions(&mut compiler, query, actions, &bound);
        let is_ground = |register: u32| determined.iter().any(|atom| atom.class == register);
        let mut kept: Vec<u32> = builds.iter().flat_map(Build::reads).collect();
        kept.retain(|&register| bound.get(register as usize) == Some(&true) && !is_ground(register));
        let is_class = |register: u32| query.variables[register as usize].sort.is_class();
        kept.sort_unstable_by_key(|&register| (!is_class(register), register));
        kept.dedup();
        let kept_classes = kept.partition_point(|&register| is_class(register));
        Matcher {
            initial: compiler.initial,
            determined,
            steps,
            builds,
            kept,
            kept_classes,
            slots,
            additions,
        }
    }

    /// How many rows name a match.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// How many e-nodes the right side has.
    pub fn additions(&self) -> usize {
        self.additions
    }

    /// How many registers [`Matcher::keep`] keeps of a match.
    pub fn width(&self) -> usize {
        self.kept.len()
    }

    /// Appends what [`Matcher::apply`] needs of a found or verified match.
    #[inline]
    pub fn keep(&self, registers: &[u32], kept: &mut Vec<u32>) {
        kept.extend(self.kept.iter().map(|&register| registers[register as usize]));
    }

    /// [`Matcher::keep`] for a match in a batch.
    #[inline]
    pub fn keep_of(&self, batch: &Batch, lane: usize, kept: &mut Vec<u32>) {
        kept.extend(self.kept.iter().map(|&register| batch.lanes[register as usize][lane]));
    }

    /// Looks up the leaves and ground subterms of the left side among the rows before number `before`. None if one is not there.
    pub fn ground(&self, graph: &EGraph, before: u32) -> Option<Ground> {
        let mut registers = self.initial.clone();
        let mut key = Vec::new();
        for atom in &self.determined {
            key.clear();
            key.extend(atom.arguments.iter().map(|&register| registers[register as usize]));
            let row = graph.lookup(atom.operator, &key).filter(|row| row.0 < before)?;
            let class = graph.class_of(row).0;
            let register = &mut registers[atom.class as usize];
            if atom.checked && *register != class {
                return None;
            }
            *register = class;
        }
        Some(Ground(registers))
    }

    /// Brings ground terms' classes up to date after a compaction. What has changed before stays different from whatever it is now.
    pub fn renumber(&self, ground: &mut Ground, compaction: &Compaction) {
        for atom in &self.determined {
            let class = &mut ground.0[atom.class as usize];
            *class = compaction.class(*class);
        }
    }

    /// Finds the matches within a scope whose root row (that of the first joined atom) `owns` accepts. `found` gets the e-graph, the match's rows and the
    /// registers. The e-graph must be rebuilt and the index of it. Matches come in the order of their rows, the root first.
    pub fn search(
        &self,
        graph: &mut EGraph,
        index: &Index,
        scope: Scope<'_>,
        owns: impl FnMut(RowId) -> bool,
        found: impl FnMut(&mut EGraph, &[RowId], &mut [u32]) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let Scope {
            ground,
            since,
            owns_ground,
        } = scope;
        if self.slots == 0 && !owns_ground {
            return ControlFlow::Continue(());
        }
        // Where a touched row can still follow.
        let mut hope = vec![false; self.steps.len() + 1];
        for (at, step) in self.steps.iter().enumerate().rev() {
            let recent =
                matches!(step, Step::Row(row) if since.is_some() && !index.recent_of_operator(row.operator).is_empty());
            hope[at] = hope[at + 1] || recent;
        }
        let mut search = Search {
            matcher: self,
            graph,
            index,
            since: since.unwrap_or(0),
            hope,
            owns,
            found,
            registers: ground.0.clone(),
            rows: vec![RowId(0); self.slots],
        };
        search.step(0, since.is_none() || self.slots == 0)
    }

    /// Recomputes the registers of a claimed match: does the left side stand there? Rows from number `before` on do not count. The e-graph may have
    /// unions waiting, but must have been rebuilt when it had `before` rows.
    pub fn verify(
        &self,
        graph: &mut EGraph,
        ground: &Ground,
        before: u32,
        rows: &[RowId],
        registers: &mut Vec<u32>,
    ) -> Result<(), NotAMatch> {
        registers.clear();
        registers.extend_from_slice(&ground.0);
        for step in &self.steps {
            let Step::Row(step) = step else {
                if step.condition(graph, registers) {
                    continue;
                }
                return Err(NotAMatch::Condition);
            };
            let slot = step.slot;
            if rows[slot].0 >= before {
                return Err(NotAMatch::Young { slot });
            }
            let row = graph.resolve(rows[slot]);
            if graph.operator_of(row) != step.operator {
                return Err(NotAMatch::Operator { slot });
            }
            let class = graph.class_of(row).0;
            if !step.join(graph.arguments_of(row, step.arguments.len()), class, registers) {
                return Err(NotAMatch::Join { slot });
            }
        }
        Ok(())
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

    /// Whether the primitives of the right side are defined on a match.
    pub fn is_defined(&self, graph: &mut EGraph, registers: &mut [u32]) -> bool {
        self.builds.iter().all(|build| match build {
            Build::Compute {
                function,
                arguments,
                result,
            } => {
                let value = compute(graph, *function, arguments, |register| registers[register as usize]);
                registers[*result as usize] = value.unwrap_or(UNBOUND);
                value.is_some()
            }
            _ => true,
        })
    }

    /// The first e-class of a match that stands under a node to be added and has no witness among these colors.
    pub fn uncolored(&self, graph: &EGraph, registers: &[u32], witnesses: Colors) -> Option<(OperatorId, ClassId)> {
        self.first_uncolored(graph, |register| registers[register as usize], witnesses)
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

    fn first_uncolored(
        &self,
        graph: &EGraph,
        class_of: impl Fn(u32) -> u32,
        witnesses: Colors,
    ) -> Option<(OperatorId, ClassId)> {
        self.builds.iter().find_map(|build| {
            let Build::Add { operator, matched, .. } = build else {
                return None;
            };
            matched
                .iter()
                .map(|&register| ClassId(class_of(register)))
                .find(|&class| !graph.class_colors(class).intersects(witnesses))
                .map(|class| (*operator, class))
        })
    }

    /// Does what the rule says with each of these matches, of which [`Matcher::keep`] kept `kept` when they were found or verified: adds the right side's nodes
    /// in this color and unites. Matches where a primitive of the right side is undefined must have been left out.
    ///
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

    /// The value of a variable after `search` or `verify`.
    pub fn variable(registers: &[u32], variable: Variable) -> u32 {
        registers[variable.0 as usize]
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

/// Collects the registers' contents without allocating for up to eight.
#[inline]
fn gather<'a>(
    from: &[u32],
    value_of: impl Fn(u32) -> u32,
    short: &'a mut [u32; 8],
    long: &'a mut Vec<u32>,
) -> &'a [u32] {
    if from.len() <= short.len() {
        for (to, &register) in short.iter_mut().zip(from) {
            *to = value_of(register);
        }
        &short[..from.len()]
    } else {
        long.clear();
        long.extend(from.iter().map(|&register| value_of(register)));
        long
    }
}

fn compute(graph: &mut EGraph, function: Primitive, arguments: &[u32], value_of: impl Fn(u32) -> u32) -> Option<u32> {
    let values: Vec<&Value> = arguments
        .iter()
        .map(|&register| graph.value(value_of(register)))
        .collect();
    let result = function.apply(&values)?;
    Some(graph.values.intern(&result).0)
}

fn compile_actions(
    compiler: &mut Compiler<'_>,
    query: &Query,
    actions: &[Action],
    bound: &[bool],
) -> (Vec<Build>, usize) {
    let is_class = |register: u32| {
        query
            .variables
            .get(register as usize)
            .is_some_and(|variable: &crate::rule::VariableInfo| variable.sort.is_class())
    };
    let is_matched = |register: u32| bound.get(register as usize).copied().unwrap_or(false);
    let mut additions = 0;
    let builds = actions
        .iter()
        .map(|action| match action {
            Action::Add {
                operator,
                arguments,
                class,
            } => {
                additions += 1;
                let home = actions.iter().find_map(|later| match later {
                    Action::Unite(a, b) if b == class && is_matched(a.0) => Some(a.0),
                    Action::Unite(a, b) if a == class && is_matched(b.0) => Some(b.0),
                    _ => None,
                });
                let arguments = compiler.registers(arguments);
                Build::Add {
                    operator: compiler.operators[operator.0 as usize],
                    matched: arguments
                        .iter()
                        .copied()
                        .filter(|&r| is_class(r) && is_matched(r))
                        .collect(),
                    arguments,
                    class: class.0,
                    home,
                }
            }
            Action::Compute {
                function,
                arguments,
                result,
            } => Build::Compute {
                function: *function,
                arguments: compiler.registers(arguments),
                result: result.0,
            },
            Action::Unite(a, b) => Build::Unite(a.0, b.0),
        })
        .collect();
    (builds, additions)
}

impl Build {
    /// The registers that it reads.
    fn reads(&self) -> Vec<u32> {
        match self {
            Build::Add { arguments, home, .. } => arguments.iter().copied().chain(*home).collect(),
            Build::Compute { arguments, .. } => arguments.clone(),
            Build::Unite(a, b) => vec![*a, *b],
        }
    }
}

impl RowStep {
    /// Binds what this row binds and checks the rest.
    #[inline]
    fn join(&self, arguments: &[u32], class: u32, registers: &mut [u32]) -> bool {
        for &(column, register) in &self.binds {
            registers[register as usize] = arguments[column as usize];
        }
        for &(column, register) in &self.checks {
            if registers[register as usize] != arguments[column as usize] {
                return false;
            }
        }
        let own = &mut registers[self.class as usize];
        if self.class_bound {
            *own == class
        } else {
            *own = class;
            true
        }
    }
}

impl Step {
    /// Runs a step that is not a row.
    fn condition(&self, graph: &mut EGraph, registers: &mut [u32]) -> bool {
        match self {
            Step::Row(_) => true,
            Step::Compute {
                function,
                arguments,
                result,
                bound,
            } => {
                let Some(value) = compute(graph, *function, arguments, |register| registers[register as usize]) else {
                    return false;
                };
                let own = &mut registers[*result as usize];
                if *bound {
                    *own == value
                } else {
                    *own = value;
                    true
                }
            }
            Step::Equal(a, b) => registers[*a as usize] == registers[*b as usize],
            Step::Different(a, b) => registers[*a as usize] != registers[*b as usize],
            Step::Copy { from, to } => {
                registers[*to as usize] = registers[*from as usize];
                true
            }
        }
    }
}

struct Search<'a, O, F> {
    matcher: &'a Matcher,
    graph: &'a mut EGraph,
    index: &'a Index,
    since: u32,
    /// By step: whether touched rows can be found there or later.
    hope: Vec<bool>,
    owns: O,
    found: F,
    registers: Vec<u32>,
    rows: Vec<RowId>,
}

impl<O, F> Search<'_, O, F>
where
    O: FnMut(RowId) -> bool,
    F: FnMut(&mut EGraph, &[RowId], &mut [u32]) -> ControlFlow<()>,
{
    /// Goes on with a step; `new`: whether one of the rows bound so far was touched, or all matches are wanted anyway. Recursion is as deep as the
    /// rule has atoms, which is bounded (`MAX_RULE_SIZE`).
    fn step(&mut self, at: usize, new: bool) -> ControlFlow<()> {
        let matcher = self.matcher;
        let Some(step) = matcher.steps.get(at) else {
            return (self.found)(self.graph, &self.rows, &mut self.registers);
        };
        if !new && !self.hope[at] {
            return ControlFlow::Continue(());
        }
        let Step::Row(step) = step else {
            return if step.condition(self.graph, &mut self.registers) {
                self.step(at + 1, new)
            } else {
                ControlFlow::Continue(())
            };
        };
        let index = self.index;
        let recent = step.last && !new;
        let candidates = match step.access {
            Access::Scan if recent => index.recent_of_operator(step.operator),
            Access::Scan => index.of_operator(step.operator),
            Access::Member => {
                let class = self.registers[step.class as usize];
                if recent {
                    index.recent_of_class_and_operator(class, step.operator)
                } else {
                    index.of_class_and_operator(class, step.operator)
                }
            }
            Access::Lookup => {
                let (mut key, mut long) = ([0; 8], Vec::new());
                let registers = &self.registers;
                let key = gather(
                    &step.arguments,
                    |register| registers[register as usize],
                    &mut key,
                    &mut long,
                );
                return match self.graph.lookup(step.operator, key) {
                    Some(row) => self.enter(at, step, row, new),
                    None => ControlFlow::Continue(()),
                };
            }
        };
        for &row in candidates {
            self.enter(at, step, RowId(row), new)?;
        }
        ControlFlow::Continue(())
    }

    #[inline]
    fn enter(&mut self, at: usize, step: &RowStep, row: RowId, new: bool) -> ControlFlow<()> {
        let new = new || self.graph.touched(row) > self.since;
        if !new && !self.hope[at + 1] || step.slot == 0 && !(self.owns)(row) {
            return ControlFlow::Continue(());
        }
        let class = self.graph.row_class(row.0);
        let arguments = self.graph.arguments_of(row, step.arguments.len());
        if !step.join(arguments, class, &mut self.registers) {
            return ControlFlow::Continue(());
        }
        self.rows[step.slot] = row;
        self.step(at + 1, new)
    }
}
