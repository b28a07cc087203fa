//! Compiled matching: from a query to a program over registers, and the machine that runs it on a frozen index.
//!
//! A program first looks up what is *determined* by the query alone (leaves and ground subterms), once; then it joins the other row
//! atoms in order, each by the narrowest access that the registers bound so far allow: all rows of an operator, the rows of
//! one class and operator, or one hash lookup. A match is named by the rows of its joined atoms; everything else follows from
//! them, which is what [`Matcher::verify`] recomputes.

use std::ops::ControlFlow;

use crate::graph::{ClassId, EGraph, OperatorId, RowId};
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

/// Which row stands for the match in its share: the root of the left side.
#[derive(Clone, Debug)]
pub struct Matcher {
    initial: Vec<u32>,
    determined: Vec<Determined>,
    steps: Vec<Step>,
    builds: Vec<Build>,
    slots: usize,
    additions: usize,
}

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

        let (builds, additions) = compile_actions(&mut compiler, query, actions, &bound);
        Matcher {
            initial: compiler.initial,
            determined,
            steps,
            builds,
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

    fn ground(&self, graph: &EGraph, before: u32, registers: &mut [u32]) -> bool {
        let mut key = Vec::new();
        for atom in &self.determined {
            key.clear();
            key.extend(atom.arguments.iter().map(|&register| registers[register as usize]));
            let Some(row) = graph.lookup(atom.operator, &key).filter(|row| row.0 < before) else {
                return false;
            };
            let class = graph.class_of(row).0;
            let register = &mut registers[atom.class as usize];
            if atom.checked && *register != class {
                return false;
            }
            *register = class;
        }
        true
    }

    /// Finds the matches whose root row (that of the first joined atom) `owns` accepts; with no joined atom, the one possible match is reported
    /// if `owns_ground`. `found` gets the e-graph, the match's rows and the registers. The e-graph must be rebuilt and the index of it.
    /// Matches come in the order of their rows, the root first.
    pub fn search(
        &self,
        graph: &mut EGraph,
        index: &Index,
        owns: impl FnMut(RowId) -> bool,
        owns_ground: bool,
        found: impl FnMut(&mut EGraph, &[RowId], &mut [u32]) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut registers = self.initial.clone();
        if !self.ground(graph, u32::MAX, &mut registers) || self.slots == 0 && !owns_ground {
            return ControlFlow::Continue(());
        }
        let mut search = Search {
            matcher: self,
            graph,
            index,
            owns,
            found,
            registers,
            rows: vec![RowId(0); self.slots],
        };
        search.step(0)
    }

    /// Recomputes the registers of a claimed match: does the left side stand there? Rows from number `before` on do not count. The e-graph may have
    /// unions waiting, but must have been rebuilt when it had `before` rows.
    pub fn verify(
        &self,
        graph: &mut EGraph,
        before: u32,
        rows: &[RowId],
        registers: &mut Vec<u32>,
    ) -> Result<(), NotAMatch> {
        registers.clear();
        registers.extend_from_slice(&self.initial);
        if !self.ground(graph, before, registers) {
            return Err(NotAMatch::Ground);
        }
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
            if !step.join(graph.arguments(row), class, registers) {
                return Err(NotAMatch::Join { slot });
            }
        }
        Ok(())
    }

    /// What a match would add to a rebuilt e-graph. None where a primitive of the right side is undefined.
    pub fn probe(&self, graph: &mut EGraph, registers: &mut [u32]) -> Option<Effect> {
        let mut effect = Effect {
            nodes: 0,
            changes: false,
        };
        let mut key: [u32; 8] = [0; 8];
        let mut long = Vec::new();
        for build in &self.builds {
            match build {
                Build::Add {
                    operator,
                    arguments,
                    class,
                    ..
                } => {
                    let key = gather(arguments, registers, &mut key, &mut long);
                    let row = if key.contains(&UNBOUND) {
                        None
                    } else {
                        graph.lookup(*operator, key)
                    };
                    registers[*class as usize] = match row {
                        Some(row) => graph.class_of(row).0,
                        None => {
                            effect.nodes += 1;
                            effect.changes = true;
                            UNBOUND
                        }
                    };
                }
                Build::Compute {
                    function,
                    arguments,
                    result,
                } => {
                    registers[*result as usize] = compute(graph, *function, arguments, registers)?;
                }
                Build::Unite(a, b) => effect.changes |= registers[*a as usize] != registers[*b as usize],
            }
        }
        Some(effect)
    }

    /// The first e-class of the match that stands under a node to be added and has no witness among these colors.
    pub fn uncolored(
        &self,
        graph: &EGraph,
        registers: &[u32],
        witnesses: crate::color::Colors,
    ) -> Option<(OperatorId, ClassId)> {
        self.builds.iter().find_map(|build| {
            let Build::Add { operator, matched, .. } = build else {
                return None;
            };
            matched
                .iter()
                .map(|&register| ClassId(registers[register as usize]))
                .find(|&class| !graph.class_colors(class).intersects(witnesses))
                .map(|class| (*operator, class))
        })
    }

    /// Does what the rule says with the registers of a verified match: adds the right side's nodes in this color and queues the union. `added` gets
    /// each row of the right side in order, new or not. Answers how many are new; none if a primitive is undefined, and then nothing has been done.
    pub fn apply(
        &self,
        graph: &mut EGraph,
        registers: &mut [u32],
        colors: crate::color::Colors,
        mut added: impl FnMut(RowId, bool),
    ) -> Option<u32> {
        // Everything that can fail goes first.
        for build in &self.builds {
            if let Build::Compute {
                function,
                arguments,
                result,
            } = build
            {
                registers[*result as usize] = compute(graph, *function, arguments, registers)?;
            }
        }
        let mut new = 0;
        let mut key: [u32; 8] = [0; 8];
        let mut long = Vec::new();
        for build in &self.builds {
            match build {
                Build::Add {
                    operator,
                    arguments,
                    class,
                    home,
                    ..
                } => {
                    let key = gather(arguments, registers, &mut key, &mut long);
                    let home = home.map(|register| ClassId(registers[register as usize]));
                    let (row, is_new) = graph.add(*operator, key, home, colors);
                    registers[*class as usize] = graph.row_class(row.0);
                    new += u32::from(is_new);
                    added(row, is_new);
                }
                Build::Compute { .. } => {}
                Build::Unite(a, b) => graph.unite(ClassId(registers[*a as usize]), ClassId(registers[*b as usize])),
            }
        }
        Some(new)
    }

    /// The value of a variable after `search` or `verify`.
    pub fn variable(registers: &[u32], variable: Variable) -> u32 {
        registers[variable.0 as usize]
    }
}

/// Collects the registers' contents without allocating for up to eight.
#[inline]
fn gather<'a>(from: &[u32], registers: &[u32], short: &'a mut [u32; 8], long: &'a mut Vec<u32>) -> &'a [u32] {
    if from.len() <= short.len() {
        for (to, &register) in short.iter_mut().zip(from) {
            *to = registers[register as usize];
        }
        &short[..from.len()]
    } else {
        long.clear();
        long.extend(from.iter().map(|&register| registers[register as usize]));
        long
    }
}

fn compute(graph: &mut EGraph, function: Primitive, arguments: &[u32], registers: &[u32]) -> Option<u32> {
    let result = {
        let values: Vec<&Value> = arguments
            .iter()
            .map(|&register| graph.value(registers[register as usize]))
            .collect();
        function.apply(&values)?
    };
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
                let Some(value) = compute(graph, *function, arguments, registers) else {
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
    /// Recursion is as deep as the rule has atoms, which is bounded (`MAX_RULE_SIZE`).
    fn step(&mut self, at: usize) -> ControlFlow<()> {
        let matcher = self.matcher;
        let Some(step) = matcher.steps.get(at) else {
            return (self.found)(self.graph, &self.rows, &mut self.registers);
        };
        let Step::Row(step) = step else {
            return if step.condition(self.graph, &mut self.registers) {
                self.step(at + 1)
            } else {
                ControlFlow::Continue(())
            };
        };
        let index = self.index;
        let candidates = match step.access {
            Access::Scan => index.of_operator(step.operator),
            Access::Member => index.of_class_and_operator(self.registers[step.class as usize], step.operator),
            Access::Lookup => {
                let (mut key, mut long) = ([0; 8], Vec::new());
                let key = gather(&step.arguments, &self.registers, &mut key, &mut long);
                return match self.graph.lookup(step.operator, key) {
                    Some(row) => self.enter(at, step, row),
                    None => ControlFlow::Continue(()),
                };
            }
        };
        for &row in candidates {
            self.enter(at, step, RowId(row))?;
        }
        ControlFlow::Continue(())
    }

    #[inline]
    fn enter(&mut self, at: usize, step: &RowStep, row: RowId) -> ControlFlow<()> {
        if step.slot == 0 && !(self.owns)(row) {
            return ControlFlow::Continue(());
        }
        let class = self.graph.row_class(row.0);
        if !step.join(self.graph.arguments(row), class, &mut self.registers) {
            return ControlFlow::Continue(());
        }
        self.rows[step.slot] = row;
        self.step(at + 1)
    }
}
