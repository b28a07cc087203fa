//! egg and egglog on the same work, with their fastest ordinary settings.

use std::collections::{BTreeSet, HashSet};
use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use egg::{FromOp, Id, Language, Pattern, RecExpr, Rewrite, Runner, SimpleScheduler, StopReason, Symbol};

use eqmesh_workloads::usage::{Clock, Outcome};
use eqmesh_workloads::workload::Workload;

/// An e-node with its children inline: egg's own `SymbolLang` keeps them on the heap and is slower.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Node {
    operator: Symbol,
    children: [Id; 2],
    arity: u8,
}

impl Language for Node {
    type Discriminant = (Symbol, u8);

    fn discriminant(&self) -> (Symbol, u8) {
        (self.operator, self.arity)
    }

    fn matches(&self, other: &Node) -> bool {
        self.operator == other.operator && self.arity == other.arity
    }

    fn children(&self) -> &[Id] {
        &self.children[..usize::from(self.arity)]
    }

    fn children_mut(&mut self) -> &mut [Id] {
        &mut self.children[..usize::from(self.arity)]
    }
}

impl std::fmt::Display for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.operator.fmt(f)
    }
}

impl FromOp for Node {
    type Error = String;

    fn from_op(operator: &str, children: Vec<Id>) -> Result<Node, String> {
        let arity = children.len();
        let mut own = [Id::from(0); 2];
        own.get_mut(..arity)
            .ok_or("more than two children")?
            .copy_from_slice(&children);
        Ok(Node {
            operator: operator.into(),
            children: own,
            arity: arity as u8,
        })
    }
}

/// egg 0.11.
pub(crate) fn egg(workload: &Workload) -> Result<Outcome> {
    let pattern = |text: &str| {
        text.parse::<Pattern<Node>>()
            .map_err(|error| anyhow!("{text}: {error}"))
    };
    let rules: Vec<Rewrite<Node, ()>> = workload
        .rules
        .iter()
        .map(|rule| {
            Rewrite::new(rule.name.as_str(), pattern(&rule.lhs)?, pattern(&rule.rhs)?)
                .map_err(|error| anyhow!("{}: {error}", rule.name))
        })
        .collect::<Result<_>>()?;
    let mut runner = Runner::default()
        .with_scheduler(SimpleScheduler)
        .with_iter_limit(usize::try_from(workload.iterations)?)
        .with_node_limit(usize::MAX)
        .with_time_limit(Duration::from_hours(1));
    for term in &workload.terms {
        let term: RecExpr<Node> = term.parse().map_err(|error| anyhow!("{term}: {error}"))?;
        runner = runner.with_expr(&term);
    }
    runner.egraph.rebuild();
    let clock = Clock::start();
    let runner = runner.run(&rules);
    let used = clock.stop();
    let graph = &runner.egraph;
    let nodes = graph.classes().flat_map(egg::EClass::iter);
    let canonical: HashSet<Node> = nodes
        .map(|node| node.clone().map_children(|child| graph.find(child)))
        .collect();
    // egg counts a last round that changes nothing among its iterations only if it was begun.
    let stopped = runner.stop_reason.as_ref().context("it stopped")?;
    debug_assert!(matches!(stopped, StopReason::Saturated | StopReason::IterationLimit(_)));
    Ok(Outcome {
        enodes: canonical.len() as u64,
        eclasses: graph.number_of_classes() as u64,
        iterations: runner.iterations.len() as u64,
        matches: None,
        used,
    })
}

/// A term or pattern as a tree, for engines that need it in another syntax.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Tree {
    /// `?x`
    Variable(String),
    /// An operator over trees; a leaf has none.
    Node(String, Vec<Tree>),
}

impl Tree {
    /// Reads one s-expression; the workloads' are well formed.
    fn read(text: &str) -> Result<Tree> {
        let spaced = text.replace('(', " ( ").replace(')', " ) ");
        let mut stack: Vec<Vec<Tree>> = vec![Vec::new()];
        for token in spaced.split_whitespace() {
            match token {
                "(" => stack.push(Vec::new()),
                ")" => {
                    let mut inner = stack.pop().context("`)` without `(`")?.into_iter();
                    let Some(Tree::Node(name, _)) = inner.next() else {
                        anyhow::bail!("a list without a name in {text}")
                    };
                    stack
                        .last_mut()
                        .context("`)` without `(`")?
                        .push(Tree::Node(name, inner.collect()));
                }
                _ => {
                    let leaf = match token.strip_prefix('?') {
                        Some(name) => Tree::Variable(name.to_owned()),
                        None => Tree::Node(token.to_owned(), Vec::new()),
                    };
                    stack.last_mut().context("`)` without `(`")?.push(leaf);
                }
            }
        }
        stack
            .pop()
            .and_then(|mut roots| roots.pop())
            .with_context(|| format!("no term in {text}"))
    }
}

/// The workload in egglog's language: each operator, by arity, a constructor of one sort.
struct Program {
    text: String,
    constructors: BTreeSet<(String, usize)>,
}

/// Operators of the workloads are symbols that egglog has functions of, so they are spelt out.
fn constructor(name: &str, arity: usize) -> String {
    let spelt = name.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() {
            text.push(byte as char);
        } else {
            let _ = write!(text, "_{byte}");
        }
        text
    });
    format!("C{arity}{spelt}")
}

impl Program {
    fn write(&mut self, tree: &Tree) -> String {
        match tree {
            Tree::Variable(name) => format!("v{name}"),
            Tree::Node(name, children) => {
                self.constructors.insert((name.clone(), children.len()));
                let arguments = children
                    .iter()
                    .fold(String::new(), |text, child| text + " " + &self.write(child));
                format!("({}{arguments})", constructor(name, children.len()))
            }
        }
    }
}

/// egglog 3.0.
pub(crate) fn egglog(workload: &Workload) -> Result<Outcome> {
    let mut program = Program {
        text: String::new(),
        constructors: BTreeSet::new(),
    };
    for rule in &workload.rules {
        let (left, right) = (
            program.write(&Tree::read(&rule.lhs)?),
            program.write(&Tree::read(&rule.rhs)?),
        );
        writeln!(program.text, "(rewrite {left} {right})")?;
    }
    for term in &workload.terms {
        let term = program.write(&Tree::read(term)?);
        writeln!(program.text, "{term}")?;
    }
    let mut declared = String::from("(sort M)\n");
    for (name, arity) in &program.constructors {
        writeln!(
            declared,
            "(constructor {} ({}) M)",
            constructor(name, *arity),
            " M".repeat(*arity)
        )?;
    }
    let mut graph = egglog::EGraph::default();
    let mut run = |text: &str| {
        graph
            .parse_and_run_program(None, text)
            .map_err(|error| anyhow!("{error}"))
    };
    run(&declared)?;
    run(&program.text)?;
    let clock = Clock::start();
    run(&format!("(run {})", workload.iterations))?;
    let used = clock.stop();
    let enodes: usize = program
        .constructors
        .iter()
        .map(|(name, arity)| graph.get_size(&constructor(name, *arity)))
        .sum();
    let serialized = graph.serialize(egglog::SerializeConfig::default()).egraph;
    let eclasses: HashSet<_> = serialized.nodes.values().map(|node| node.eclass.clone()).collect();
    Ok(Outcome {
        enodes: enodes as u64,
        eclasses: eclasses.len() as u64,
        // It does not tell; the counts show whether it did the same work.
        iterations: workload.expected.iterations,
        matches: None,
        used,
    })
}
