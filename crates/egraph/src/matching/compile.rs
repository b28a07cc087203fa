//! From a query and actions to a program over registers.

use super::{Access, Build, Column, Determined, Matcher, RowStep, Step, Tail, UNBOUND};
use crate::graph::{EGraph, OperatorId};
use crate::rule::{Action, Atom, Operand, Query};
use crate::value::ValueId;

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
    pub(super) fn compile(query: &Query, actions: &[Action], graph: &mut EGraph) -> Matcher {
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
                    let mut columns = Vec::with_capacity(arguments.len());
                    for register in arguments {
                        let is_bound = is_bound(&bound, register);
                        columns.push(Column {
                            register,
                            bound: is_bound,
                        });
                        if !is_bound {
                            bound[register as usize] = true;
                        }
                    }
                    // A pattern such as (f ?x) whose class is ?x itself.
                    let class_bound = class_bound || bound[class.0 as usize];
                    bound[class.0 as usize] = true;
                    steps.push(Step::Row(RowStep {
                        operator: compiler.operators[operator.0 as usize],
                        access,
                        columns,
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
            tail: tail(&steps, &kept),
            steps,
            builds,
            kept,
            kept_classes,
            slots,
            additions,
        }
    }
}

/// How matches end, if it is with a row of at most two columns that checks nothing against itself.
fn tail(steps: &[Step], kept: &[u32]) -> Option<Tail> {
    let Some(Step::Row(row)) = steps.last() else {
        return None;
    };
    let binds = |register: u32| {
        let mut columns = row.columns.iter();
        columns.any(|column| column.register == register && !column.bound)
    };
    let checks_itself = |column: &Column| column.bound && binds(column.register);
    if row.columns.len() > 2 || row.columns.iter().any(checks_itself) || row.class_bound && binds(row.class) {
        return None;
    }
    let place = |register: u32| kept.iter().position(|&own| own == register).map(|place| place as u32);
    let own_class = (!row.class_bound).then_some(row.class);
    let mut tail = Tail {
        checked: [None; 2],
        class_checked: row.class_bound && row.access != Access::Member,
        kept: [None; 2],
        class_kept: own_class.and_then(place),
        outer: Vec::new(),
    };
    for (at, column) in row.columns.iter().enumerate() {
        if column.bound {
            tail.checked[at] = Some(column.register);
        } else {
            tail.kept[at] = place(column.register);
        }
    }
    for (place, &register) in (0..).zip(kept) {
        if !binds(register) && own_class != Some(register) {
            tail.outer.push((place, register));
        }
    }
    Some(tail)
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
