//! The counts that egg and egglog both reach on `bench/workloads.json`, by one replica and by three that share the work.

use std::collections::BTreeMap;

use eqmesh_egraph::color::Color;
use eqmesh_egraph::operator::{Operator, Sort, UNTYPED};
use eqmesh_egraph::program::encode_rule;
use eqmesh_egraph::rule::{Action, Atom, Operand, OperatorIndex, Query, Rule, Variable, VariableInfo};
use eqmesh_replica::{AgentId, Budget, Dot, Options, Replica, Share};
use serde_json::Value;

/// A pattern as a tree, for these tests only.
enum Tree {
    Variable(String),
    Node(String, Vec<Tree>),
}

fn tree(text: &str) -> Tree {
    fn read(tokens: &mut std::vec::IntoIter<String>) -> Tree {
        let token = tokens.next().unwrap();
        if token != "(" {
            return match token.strip_prefix('?') {
                Some(name) => Tree::Variable(name.to_owned()),
                None => Tree::Node(token, Vec::new()),
            };
        }
        let name = tokens.next().unwrap();
        let mut children = Vec::new();
        while tokens.as_slice()[0] != ")" {
            children.push(read(tokens));
        }
        tokens.next();
        Tree::Node(name, children)
    }
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    read(
        &mut spaced
            .split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
            .into_iter(),
    )
}

#[derive(Default)]
struct Builder {
    query: Query,
    names: BTreeMap<String, Variable>,
}

impl Builder {
    fn fresh(&mut self, name: &str) -> Variable {
        self.query.variables.push(VariableInfo {
            name: name.to_owned(),
            sort: Sort::Class(UNTYPED.to_owned()),
        });
        Variable(self.query.variables.len() as u32 - 1)
    }

    fn variable(&mut self, name: &str) -> Variable {
        if let Some(&variable) = self.names.get(name) {
            return variable;
        }
        let variable = self.fresh(name);
        self.names.insert(name.to_owned(), variable);
        variable
    }

    fn operator(&mut self, name: &str, arity: usize) -> OperatorIndex {
        let operator = Operator::untyped(name, arity);
        let at = self
            .query
            .operators
            .iter()
            .position(|other| *other == operator)
            .unwrap_or_else(|| {
                self.query.operators.push(operator);
                self.query.operators.len() - 1
            });
        OperatorIndex(at as u32)
    }

    fn left(&mut self, tree: &Tree) -> Variable {
        match tree {
            Tree::Variable(name) => self.variable(name),
            Tree::Node(name, children) => {
                let class = self.fresh("");
                let operator = self.operator(name, children.len());
                let at = self.query.atoms.len();
                self.query.atoms.push(Atom::Row {
                    operator,
                    arguments: Vec::new(),
                    class,
                });
                let operands: Vec<Operand> = children
                    .iter()
                    .map(|child| Operand::Variable(self.left(child)))
                    .collect();
                if let Atom::Row { arguments, .. } = &mut self.query.atoms[at] {
                    *arguments = operands;
                }
                class
            }
        }
    }

    fn right(&mut self, tree: &Tree, actions: &mut Vec<Action>) -> Variable {
        match tree {
            Tree::Variable(name) => self.variable(name),
            Tree::Node(name, children) => {
                let arguments = children
                    .iter()
                    .map(|child| Operand::Variable(self.right(child, actions)))
                    .collect();
                let operator = self.operator(name, children.len());
                let class = self.fresh("");
                actions.push(Action::Add {
                    operator,
                    arguments,
                    class,
                });
                class
            }
        }
    }
}

fn rule(name: &str, left: &str, right: &str, color: Color) -> Rule {
    let mut builder = Builder::default();
    let root = builder.left(&tree(left));
    let mut actions = Vec::new();
    let result = builder.right(&tree(right), &mut actions);
    actions.push(Action::Unite(root, result));
    Rule {
        name: name.to_owned(),
        ruleset: String::new(),
        color,
        query: builder.query,
        actions,
    }
}

fn operators(text: &str) -> Vec<Operator> {
    fn walk(tree: &Tree, operators: &mut Vec<Operator>) {
        if let Tree::Node(name, children) = tree {
            operators.push(Operator::untyped(name, children.len()));
            children.iter().for_each(|child| walk(child, operators));
        }
    }
    let mut operators = Vec::new();
    walk(&tree(text), &mut operators);
    operators
}

/// Rounds with a barrier: everybody derives its share of the same state, then everybody settles everything.
fn run(count: u32, rules: &[Rule], terms: &[&str], iterations: u64, coloring: bool) -> (Vec<Replica>, u64) {
    let mut replicas: Vec<Replica> = (0..count)
        .map(|agent| {
            Replica::new(Options {
                agent: AgentId(agent),
                coloring,
            })
        })
        .collect();
    for term in terms {
        replicas[0].declare(&operators(term)).unwrap();
        replicas[0].insert(term, None, Color::Green).unwrap();
    }
    let dots: Vec<Dot> = rules
        .iter()
        .map(|rule| replicas[0].add_rule(&encode_rule(rule)).unwrap())
        .collect();
    exchange(&mut replicas);
    for round in 1..=iterations {
        let mut saturated = true;
        for (index, replica) in replicas.iter_mut().enumerate() {
            let budget = Budget {
                matches: u64::MAX,
                nodes: u64::MAX,
            };
            let report = replica
                .derive(
                    &dots,
                    Share {
                        index: index as u32,
                        count,
                    },
                    budget,
                )
                .unwrap();
            assert_eq!(report.blocked, 0, "everything is certified before the next round");
            saturated &= report.saturated;
        }
        exchange(&mut replicas);
        if coloring {
            let agents: Vec<AgentId> = (0..count).map(AgentId).collect();
            replicas[count as usize / 2].certify(&agents);
            exchange(&mut replicas);
        }
        if saturated {
            return (replicas, round);
        }
    }
    (replicas, iterations)
}

fn exchange(replicas: &mut [Replica]) {
    let blocks: Vec<Vec<u8>> = replicas.iter_mut().filter_map(Replica::seal).collect();
    for replica in replicas {
        for block in blocks.iter().rev() {
            replica.receive(block).unwrap();
        }
        let settled = replica.settle();
        assert_eq!(settled.refused, Vec::new());
        assert_eq!(settled.waiting, 0);
    }
}

fn workload(name: &str) {
    let document: Value = serde_json::from_str(include_str!("../../../bench/workloads.json")).unwrap();
    let workload = document["workloads"]
        .as_array()
        .unwrap()
        .iter()
        .find(|w| w["name"] == name)
        .unwrap();
    let rules: Vec<Rule> = document["rulesets"][workload["ruleset"].as_str().unwrap()]["rules"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
        .map(|(i, r)| {
            let text = |key: &str| r[key].as_str().unwrap();
            rule(text("name"), text("lhs"), text("rhs"), Color::ALL[i % 3])
        })
        .collect();
    let terms: Vec<&str> = workload["terms"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t.as_str().unwrap())
        .collect();
    let iterations = workload["iterations"].as_u64().unwrap();
    let expected = &workload["expect"];
    let mut meaning = None;
    for count in [1, 3] {
        let (mut replicas, rounds) = run(count, &rules, &terms, iterations, count == 3);
        assert_eq!(rounds, expected["iterations"].as_u64().unwrap(), "rounds of {count}");
        let (state, digest) = (replicas[0].state_digest(), replicas[0].meaning_digest());
        for replica in &mut replicas {
            assert_eq!(
                replica.size().enodes,
                expected["enodes"].as_u64().unwrap(),
                "e-nodes of {count}"
            );
            assert_eq!(
                replica.size().eclasses,
                expected["eclasses"].as_u64().unwrap(),
                "e-classes of {count}"
            );
            assert_eq!(replica.state_digest(), state);
            assert_eq!(replica.meaning_digest(), digest);
        }
        assert_eq!(
            *meaning.get_or_insert(digest),
            digest,
            "one and {count} agree on the meaning"
        );
    }
}

#[test]
fn math_pure() {
    workload("math-pure-it8");
    workload("math-pure-it9");
}

#[test]
fn associativity_and_commutativity() {
    workload("ac-add-6");
    workload("ac-add-8");
}

#[test]
fn associativity() {
    workload("assoc-add-40");
}

#[test]
fn distributivity() {
    workload("acd-it7");
    workload("acd-it8");
    workload("acd-it9");
    workload("acd-it10");
}
