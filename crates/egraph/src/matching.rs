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

mod batch;
mod compile;
mod search;

pub use batch::{Batch, Effect, Told};
pub use search::{NotAMatch, Scope};

use crate::color::Colors;
use crate::graph::{ClassId, Compaction, EGraph, OperatorId};
use crate::primitive::Primitive;
use crate::rule::{Query, Rule, Variable};
use crate::value::Value;

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

/// A column of a row atom.
#[derive(Clone, Copy, Debug)]
struct Column {
    register: u32,
    /// Whether the register was bound before, by an earlier column of this row perhaps; otherwise this column binds it.
    bound: bool,
}

#[derive(Clone, Debug)]
struct RowStep {
    operator: OperatorId,
    access: Access,
    columns: Vec<Column>,
    class: u32,
    class_bound: bool,
    /// Which of the match's rows this is.
    slot: usize,
    /// Whether no other row follows.
    last: bool,
}

/// The last step, if it is a row of at most two columns that checks nothing against itself: how a match gets from there into a batch.
#[derive(Clone, Debug)]
struct Tail {
    /// By column: the register that it must equal.
    checked: [Option<u32>; 2],
    /// Whether the class must equal its register, and is not sure to do.
    class_checked: bool,
    /// By column: its place among what is kept.
    kept: [Option<u32>; 2],
    class_kept: Option<u32>,
    /// Places among what is kept, and the registers that are bound before.
    outer: Vec<(u32, u32)>,
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

/// A compiled query or rule. Which row stands for a match in its share: that of the first joined atom, the root of the left side.
#[derive(Clone, Debug)]
pub struct Matcher {
    initial: Vec<u32>,
    determined: Vec<Determined>,
    steps: Vec<Step>,
    tail: Option<Tail>,
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

impl Matcher {
    /// Compiles a query. It must have been validated (see [`crate::program`]); its operators become known to the e-graph.
    pub fn of_query(query: &Query, graph: &mut EGraph) -> Matcher {
        Matcher::compile(query, &[], graph)
    }

    /// Compiles a rule. It must have been validated (see [`crate::program`]); its operators become known to the e-graph.
    pub fn of_rule(rule: &Rule, graph: &mut EGraph) -> Matcher {
        Matcher::compile(&rule.query, &rule.actions, graph)
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

    /// Whether a match always has its right side: no primitive is in it that might be undefined.
    pub fn is_total(&self) -> bool {
        !self.builds.iter().any(|build| matches!(build, Build::Compute { .. }))
    }

    /// Appends what [`Matcher::apply`] needs of a found or verified match.
    #[inline]
    pub fn keep(&self, registers: &[u32], kept: &mut Vec<u32>) {
        kept.extend(self.kept.iter().map(|&register| registers[register as usize]));
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

    /// The value of a variable after `search` or `verify`.
    pub fn variable(registers: &[u32], variable: Variable) -> u32 {
        registers[variable.0 as usize]
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
