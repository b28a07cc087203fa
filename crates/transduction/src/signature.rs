//! Everything that is declared so far, and programs from text.

use eqmesh_egraph::color::Color;
use eqmesh_egraph::operator::Operator;
use eqmesh_egraph::program::{encode_query, encode_rule};
use eqmesh_egraph::term::Label;
use eqmesh_language::{CompiledRule, Diagnostic, Side};

/// What a rule's color is inferred from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inference {
    /// What the user wrote.
    pub declared: Option<Color>,
    /// The left side.
    pub left: Side,
    /// The right side.
    pub right: Side,
    /// Whether it is the right-to-left half of a `birewrite`.
    pub reversed: bool,
}

/// A compiled rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiled {
    /// The user's name for it, or its text.
    pub name: String,
    /// The default ruleset is the empty name.
    pub ruleset: String,
    /// What its color is inferred from.
    pub inference: Inference,
    /// The matching program. Its color is the declared one, or GREEN until [`paint`](crate::paint) sets it.
    pub program: Vec<u8>,
    /// The rule as one line of text.
    pub text: String,
}

impl From<CompiledRule> for Compiled {
    fn from(own: CompiledRule) -> Compiled {
        let program = encode_rule(&own.rule);
        let CompiledRule {
            rule,
            declared,
            left,
            right,
            reversed,
            text,
        } = own;
        let inference = Inference {
            declared,
            left,
            right,
            reversed,
        };
        Compiled {
            name: rule.name,
            ruleset: rule.ruleset,
            inference,
            program,
            text,
        }
    }
}

/// What one statement says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// Operators that are declared (possibly none).
    Declaration(Vec<Operator>),
    /// `rewrite` (one) and `birewrite` (two).
    Rules(Vec<Compiled>),
    /// `let` (with its name) and a bare expression: the term, primitives computed.
    Term(Option<String>, String),
    /// `union`.
    Equality(String, String),
    /// `ruleset`: its name.
    Ruleset(String),
}

impl From<eqmesh_language::Statement> for Statement {
    fn from(own: eqmesh_language::Statement) -> Statement {
        match own {
            eqmesh_language::Statement::Declaration(operators) => Statement::Declaration(operators),
            eqmesh_language::Statement::Rules(rules) => {
                Statement::Rules(rules.into_iter().map(Compiled::from).collect())
            }
            eqmesh_language::Statement::Term { label, text } => Statement::Term(label, text),
            eqmesh_language::Statement::Equality { left, right } => Statement::Equality(left, right),
            eqmesh_language::Statement::Ruleset(name) => Statement::Ruleset(name),
        }
    }
}

/// What a text says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    /// In the order of the text.
    pub statements: Vec<Statement>,
    /// What is odd in the text and does no harm.
    pub warnings: Vec<Diagnostic>,
}

/// Everything that is declared so far: sorts, operators, rulesets, labels.
#[derive(Clone, Debug, Default)]
pub struct Signature(eqmesh_language::Signature);

impl Signature {
    /// Nothing is declared.
    pub fn new() -> Signature {
        Signature::default()
    }

    /// Takes in operators and rulesets that were declared elsewhere, and labels that were bound there.
    pub fn learn(&mut self, operators: &[Operator], labels: &[Label], rulesets: &[String]) {
        self.0.learn(operators, labels, rulesets);
    }

    /// Opens a scope: what is declared or learned from here on is forgotten by [`Signature::pop`]. O(1).
    pub fn push(&mut self) {
        self.0.push();
    }

    /// Closes the innermost scope and forgets what it declared. False if there is none.
    pub fn pop(&mut self) -> bool {
        self.0.pop()
    }

    /// Closes the innermost scope and keeps what it declared. False if there is none. O(1).
    pub fn keep(&mut self) -> bool {
        self.0.keep()
    }

    /// Reads declarations, rules and terms. All or nothing: on an error, all are answered and the signature is as before.
    pub fn elaborate(&mut self, text: &str) -> Result<Said, Vec<Diagnostic>> {
        let said = self.0.elaborate(text)?;
        let statements = said.statements.into_iter().map(Statement::from).collect();
        Ok(Said {
            statements,
            warnings: said.warnings,
        })
    }

    /// Compiles what follows `check` into a query program.
    pub fn compile_query(&self, text: &str) -> Result<Vec<u8>, Vec<Diagnostic>> {
        self.0.compile_query(text).map(|query| encode_query(&query))
    }

    /// Checks a ground term and answers its canonical text and its sort.
    pub fn resolve(&self, text: &str) -> Result<(String, String), Vec<Diagnostic>> {
        self.0.resolve(text)
    }
}
