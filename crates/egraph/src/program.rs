//! Programs: rules and queries as bytes, and the check that every reader makes before it believes them.
//!
//! A program is a version byte, a kind (`r` or `q`), and the rule or query in postcard's form. There is one form for each: bytes that would not come out of
//! encoding again are refused.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::operator::{Operator, Sort};
use crate::rule::{Action, Atom, MAX_ARITY, MAX_RULE_SIZE, Operand, OperatorIndex, Query, Rule, Variable};
use crate::value::ValueType;

const VERSION: u8 = 1;

/// Why bytes are not a program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// Not a program of this version and kind.
    #[error("not a matching program of version {VERSION}: {0}")]
    Form(&'static str),
    /// Something is larger than the limits allow.
    #[error("the rule has more than {MAX_RULE_SIZE} operators, variables, conditions or actions")]
    Size,
    /// A reference to an operator or variable that the program does not have.
    #[error("the program refers to {0} number {1}, which it does not have")]
    Range(&'static str, u32),
    /// An operator that cannot be.
    #[error("the operator `{0}` has no name, too many columns, or a primitive result")]
    Operator(String),
    /// Operands that do not fit.
    #[error("`{0}` is used with operands of other number or sorts than it takes")]
    Sorts(String),
    /// A variable that is used before anything binds it.
    #[error("the variable `{0}` is used before anything binds it")]
    Unbound(String),
    /// A variable that an action binds a second time.
    #[error("the variable `{0}` is bound twice")]
    Rebound(String),
    /// A rule without a left side.
    #[error("the rule matches no e-node")]
    Rootless,
    /// `!=` between e-classes in a rule.
    #[error("a rule may not ask for two e-classes to differ: they may become equal later")]
    NotMonotone,
}

fn encode<T: Serialize>(kind: u8, value: &T) -> Vec<u8> {
    postcard::to_extend(value, vec![VERSION, kind]).expect("programs serialise into memory")
}

fn decode<T: Serialize + DeserializeOwned>(kind: u8, bytes: &[u8]) -> Result<T, ProgramError> {
    let (Some(&[VERSION, own]), Some(rest)) = (bytes.get(..2), bytes.get(2..)) else {
        return Err(ProgramError::Form("the version is another"));
    };
    if own != kind {
        return Err(ProgramError::Form("it is of another kind"));
    }
    let value = postcard::from_bytes(rest).map_err(|_| ProgramError::Form("it cannot be read"))?;
    if encode(kind, &value) != bytes {
        return Err(ProgramError::Form("it is not in the one canonical form"));
    }
    Ok(value)
}

/// A rule's bytes.
pub fn encode_rule(rule: &Rule) -> Vec<u8> {
    encode(b'r', rule)
}

/// Reads and checks a rule. O(size).
pub fn decode_rule(bytes: &[u8]) -> Result<Rule, ProgramError> {
    let rule: Rule = decode(b'r', bytes)?;
    check_rule(&rule)?;
    Ok(rule)
}

/// A query's bytes.
pub fn encode_query(query: &Query) -> Vec<u8> {
    encode(b'q', query)
}

/// Reads and checks a query. `allow_difference`: whether it may ask for two e-classes to differ, which is not monotone.
pub fn decode_query(bytes: &[u8], allow_difference: bool) -> Result<Query, ProgramError> {
    let query: Query = decode(b'q', bytes)?;
    Checker::new(&query)?.atoms(allow_difference)?;
    Ok(query)
}

/// Checks a rule: everything that the engine relies on when it runs it.
pub fn check_rule(rule: &Rule) -> Result<(), ProgramError> {
    if rule.actions.len() > MAX_RULE_SIZE {
        return Err(ProgramError::Size);
    }
    if !rule.query.atoms.iter().any(|atom| matches!(atom, Atom::Row { .. })) {
        return Err(ProgramError::Rootless);
    }
    let mut checker = Checker::new(&rule.query)?;
    checker.atoms(false)?;
    rule.actions.iter().try_for_each(|action| checker.action(action))
}

/// Checks a query. `allow_difference` as for [`decode_query`].
pub fn check_query(query: &Query, allow_difference: bool) -> Result<(), ProgramError> {
    Checker::new(query)?.atoms(allow_difference)
}

struct Checker<'a> {
    query: &'a Query,
    bound: Vec<bool>,
}

impl<'a> Checker<'a> {
    fn new(query: &'a Query) -> Result<Checker<'a>, ProgramError> {
        let sizes = [query.operators.len(), query.variables.len(), query.atoms.len()];
        // A rule of the largest size has a variable for each operator on both sides, and the user's own.
        if sizes.into_iter().any(|size| size > 4 * MAX_RULE_SIZE) {
            return Err(ProgramError::Size);
        }
        let named_as_class = |sort: &Sort| match sort {
            Sort::Class(name) => ValueType::from_name(name).is_none(),
            Sort::Value(_) => true,
        };
        for operator in &query.operators {
            let sorts =
                operator.columns.iter().all(named_as_class) && ValueType::from_name(operator.output.sort()).is_none();
            if operator.name.is_empty() || operator.columns.len() > MAX_ARITY || !sorts {
                return Err(ProgramError::Operator(operator.to_string()));
            }
        }
        if let Some(variable) = query.variables.iter().find(|variable| !named_as_class(&variable.sort)) {
            return Err(ProgramError::Sorts(variable.name.clone()));
        }
        Ok(Checker {
            query,
            bound: vec![false; query.variables.len()],
        })
    }

    fn operator(&self, index: OperatorIndex) -> Result<&'a Operator, ProgramError> {
        self.query
            .operators
            .get(index.0 as usize)
            .ok_or(ProgramError::Range("operator", index.0))
    }

    fn sort_of(&self, variable: Variable) -> Result<&'a Sort, ProgramError> {
        self.query
            .variables
            .get(variable.0 as usize)
            .map(|variable| &variable.sort)
            .ok_or(ProgramError::Range("variable", variable.0))
    }

    fn has_sort(&self, operand: &Operand, sort: &Sort) -> Result<bool, ProgramError> {
        Ok(match operand {
            Operand::Variable(variable) => self.sort_of(*variable)? == sort,
            Operand::Value(value) => *sort == Sort::Value(value.value_type()),
        })
    }

    fn name(&self, variable: Variable) -> String {
        match self.query.variables.get(variable.0 as usize) {
            Some(info) if !info.name.is_empty() => info.name.clone(),
            _ => format!("#{}", variable.0),
        }
    }

    fn is_bound(&self, operand: &Operand) -> bool {
        match operand {
            Operand::Variable(variable) => self.bound[variable.0 as usize],
            Operand::Value(_) => true,
        }
    }

    fn require(&self, operand: &Operand) -> Result<(), ProgramError> {
        match operand {
            Operand::Variable(variable) if !self.is_bound(operand) => Err(ProgramError::Unbound(self.name(*variable))),
            _ => Ok(()),
        }
    }

    fn bind(&mut self, operand: &Operand) {
        if let Operand::Variable(variable) = operand {
            self.bound[variable.0 as usize] = true;
        }
    }

    fn bind_fresh(&mut self, variable: Variable) -> Result<(), ProgramError> {
        if self.bound[variable.0 as usize] {
            return Err(ProgramError::Rebound(self.name(variable)));
        }
        self.bound[variable.0 as usize] = true;
        Ok(())
    }

    fn fits(&self, operator: &Operator, arguments: &[Operand], class: Variable) -> Result<(), ProgramError> {
        let mut fits = operator.columns.len() == arguments.len()
            && *self.sort_of(class)? == Sort::Class(operator.output.sort().to_owned());
        for (argument, column) in arguments.iter().zip(&operator.columns) {
            fits &= self.has_sort(argument, column)?;
        }
        if fits {
            Ok(())
        } else {
            Err(ProgramError::Sorts(operator.to_string()))
        }
    }

    fn function(
        &self,
        function: crate::primitive::Primitive,
        arguments: &[Operand],
        result: &Operand,
    ) -> Result<(), ProgramError> {
        let sorts = function.arguments();
        let mut fits = sorts.len() == arguments.len() && self.has_sort(result, &Sort::Value(function.result()))?;
        for (argument, sort) in arguments.iter().zip(sorts.iter()) {
            fits &= self.has_sort(argument, &Sort::Value(*sort))?;
        }
        if fits {
            Ok(())
        } else {
            Err(ProgramError::Sorts(function.name().to_owned()))
        }
    }

    fn same_sort(&self, a: &Operand, b: &Operand) -> Result<bool, ProgramError> {
        match (a, b) {
            (Operand::Variable(variable), other) | (other, Operand::Variable(variable)) => {
                self.has_sort(other, self.sort_of(*variable)?)
            }
            (Operand::Value(a), Operand::Value(b)) => Ok(a.value_type() == b.value_type()),
        }
    }

    fn atoms(&mut self, allow_difference: bool) -> Result<(), ProgramError> {
        for atom in &self.query.atoms {
            match atom {
                Atom::Row {
                    operator,
                    arguments,
                    class,
                } => {
                    self.fits(self.operator(*operator)?, arguments, *class)?;
                    arguments.iter().for_each(|argument| self.bind(argument));
                    self.bound[class.0 as usize] = true;
                }
                Atom::Primitive {
                    function,
                    arguments,
                    result,
                } => {
                    self.function(*function, arguments, result)?;
                    arguments.iter().try_for_each(|argument| self.require(argument))?;
                    self.bind(result);
                }
                Atom::Equal(a, b) => {
                    if !self.same_sort(a, b)? {
                        return Err(ProgramError::Sorts("=".to_owned()));
                    }
                    if !self.is_bound(a) {
                        self.require(b)?;
                    }
                    self.bind(a);
                    self.bind(b);
                }
                Atom::Different(a, b) => {
                    if !self.same_sort(a, b)? {
                        return Err(ProgramError::Sorts("!=".to_owned()));
                    }
                    self.require(a)?;
                    self.require(b)?;
                    let of_classes = |operand: &Operand| match operand {
                        Operand::Variable(variable) => self.sort_of(*variable).is_ok_and(Sort::is_class),
                        Operand::Value(_) => false,
                    };
                    if !allow_difference && (of_classes(a) || of_classes(b)) {
                        return Err(ProgramError::NotMonotone);
                    }
                }
            }
        }
        Ok(())
    }

    fn action(&mut self, action: &Action) -> Result<(), ProgramError> {
        match action {
            Action::Add {
                operator,
                arguments,
                class,
            } => {
                self.fits(self.operator(*operator)?, arguments, *class)?;
                arguments.iter().try_for_each(|argument| self.require(argument))?;
                self.bind_fresh(*class)
            }
            Action::Compute {
                function,
                arguments,
                result,
            } => {
                self.function(*function, arguments, &Operand::Variable(*result))?;
                arguments.iter().try_for_each(|argument| self.require(argument))?;
                self.bind_fresh(*result)
            }
            Action::Unite(a, b) => {
                let (a, b) = (Operand::Variable(*a), Operand::Variable(*b));
                let classes = |operand: &Operand| match operand {
                    Operand::Variable(variable) => self.sort_of(*variable).map(Sort::is_class),
                    Operand::Value(_) => Ok(false),
                };
                if !self.same_sort(&a, &b)? || !classes(&a)? {
                    return Err(ProgramError::Sorts("union".to_owned()));
                }
                self.require(&a)?;
                self.require(&b)
            }
        }
    }
}
