//! Rules, and what it takes for one to be applied.

use std::collections::BTreeSet;

use crate::pattern::{NoInstance, Pattern, Shape, Substitution};
use crate::term::{self, Node, Term};

/// What a rule asks for besides its left side.
#[derive(Clone, Debug)]
pub(crate) enum Condition {
    /// All are equal.
    Equal(Vec<Pattern>),
    /// Two values differ.
    Different(Pattern, Pattern),
    /// A primitive is defined, or a term is in the e-graph.
    Holds(Pattern),
}

/// A rule.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) left: Pattern,
    pub(crate) right: Pattern,
    pub(crate) conditions: Vec<Condition>,
}

/// Why a rule does not say that one term is another.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotApplied {
    /// The subterm is not the left side.
    #[error("`{term}` is not the left side: {why}")]
    Left {
        /// The subterm.
        term: String,
        /// Why not.
        why: NoInstance,
    },
    /// The subterm is not the right side.
    #[error("`{term}` is not the right side: {why}")]
    Right {
        /// The subterm.
        term: String,
        /// Why not.
        why: NoInstance,
    },
    /// The rule is about other terms.
    #[error("the rule is about {} terms", if *untyped { "untyped" } else { "typed" })]
    Sort {
        /// What the rule is about.
        untyped: bool,
    },
    /// A variable that the rule does not have.
    #[error("the rule has no variable `{0}`")]
    NoVariable(String),
    /// A condition that does not hold, or that nothing shows to hold.
    #[error("the condition `{condition}` is not met: {why}")]
    Condition {
        /// As it is written.
        condition: String,
        /// Why not.
        why: String,
    },
}

/// What is known where a rule is applied.
pub(crate) struct Known<'a> {
    pub(crate) substitution: &'a Substitution,
    /// Pairs of terms that are proven to be equal.
    pub(crate) equal: &'a [(Term, Term)],
    /// Whether a term is a part of what the program states.
    pub(crate) is_stated: &'a dyn Fn(&[Node]) -> bool,
}

impl Rule {
    /// Checks that the rule says that `left` is `right`. Answers what it takes on trust: terms that a condition wants to be in the e-graph, which nothing shows.
    pub(crate) fn check(&self, left: &[Node], right: &[Node], known: &Known<'_>) -> Result<Vec<String>, NotApplied> {
        let variables: BTreeSet<&str> = self.patterns().flat_map(Pattern::variables).collect();
        if let Some(stranger) = known
            .substitution
            .keys()
            .find(|name| !variables.contains(name.as_str()))
        {
            return Err(NotApplied::NoVariable(stranger.clone()));
        }
        let text = |nodes: &[Node]| Term(nodes.to_vec()).to_string();
        self.left
            .fits(known.substitution, left)
            .map_err(|why| NotApplied::Left { term: text(left), why })?;
        self.right
            .fits(known.substitution, right)
            .map_err(|why| NotApplied::Right { term: text(right), why })?;
        let mut trusted = Vec::new();
        for condition in &self.conditions {
            let holds = condition.check(known).map_err(|why| NotApplied::Condition {
                condition: condition.text(),
                why,
            })?;
            trusted.extend(holds);
        }
        Ok(trusted)
    }

    fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        [&self.left, &self.right]
            .into_iter()
            .chain(self.conditions.iter().flat_map(Condition::patterns))
    }
}

impl Condition {
    fn patterns(&self) -> Vec<&Pattern> {
        match self {
            Condition::Equal(sides) => sides.iter().collect(),
            Condition::Different(a, b) => vec![a, b],
            Condition::Holds(pattern) => vec![pattern],
        }
    }

    /// As the language writes it.
    pub(crate) fn text(&self) -> String {
        match self {
            Condition::Equal(sides) => {
                let sides: Vec<String> = sides.iter().map(Pattern::text).collect();
                format!("(= {})", sides.join(" "))
            }
            Condition::Different(a, b) => format!("(!= {} {})", a.text(), b.text()),
            Condition::Holds(pattern) => pattern.text(),
        }
    }

    /// Whether it holds, or why not; and the term that it takes on trust to be there.
    fn check(&self, known: &Known<'_>) -> Result<Option<String>, String> {
        match self {
            Condition::Equal(sides) => check_equal(sides, known).map(|()| None),
            Condition::Different(a, b) => {
                let value = |pattern: &Pattern| {
                    let term = pattern.instance(known.substitution).map_err(|why| why.to_string())?;
                    term::value(&term.0)
                        .filter(|_| !pattern.untyped)
                        .ok_or_else(|| format!("`{term}` is not a value"))
                };
                let (a, b) = (value(a)?, value(b)?);
                if a.sort() == b.sort() && a != b {
                    Ok(None)
                } else {
                    Err(format!("`{a}` and `{b}` do not differ as values of one sort"))
                }
            }
            Condition::Holds(pattern) if matches!(pattern.parts[0].shape, Shape::Primitive(_)) => {
                pattern.compute(0, known.substitution).map_err(|why| why.to_string())?;
                Ok(None)
            }
            Condition::Holds(pattern) => check_present(pattern, known),
        }
    }
}

/// The equalities that are known, as sets of equal terms.
fn classes(known: &Known<'_>) -> Vec<BTreeSet<Term>> {
    let mut classes: Vec<BTreeSet<Term>> = Vec::new();
    for (a, b) in known.equal {
        let mut joined = BTreeSet::from([a.clone(), b.clone()]);
        classes.retain_mut(|class| {
            let meets = class.contains(a) || class.contains(b);
            if meets {
                joined.append(class);
            }
            !meets
        });
        classes.push(joined);
    }
    classes
}

/// All sides stand for terms that are the same or known to be equal. A side with a wildcard may stand for any of its instances.
fn check_equal(sides: &[Pattern], known: &Known<'_>) -> Result<(), String> {
    let classes = classes(known);
    let (open, ground): (Vec<&Pattern>, Vec<&Pattern>) = sides.iter().partition(|side| side.has_wildcard());
    let mut terms: Vec<Term> = Vec::new();
    for side in ground {
        terms.push(side.instance(known.substitution).map_err(|why| why.to_string())?);
    }
    let Some(first) = terms.first().cloned() else {
        return Err("every side of it has a wildcard".to_owned());
    };
    let own = classes.into_iter().find(|class| class.contains(&first));
    let class = own.unwrap_or_else(|| BTreeSet::from([first.clone()]));
    if let Some(other) = terms.iter().find(|term| !class.contains(term)) {
        return Err(format!("no lemma says that `{first}` is equal to `{other}`"));
    }
    for side in open {
        if !class.iter().any(|term| side.fits(known.substitution, &term.0).is_ok()) {
            return Err(format!("no lemma says that `{first}` is equal to a `{}`", side.text()));
        }
    }
    Ok(())
}

/// A term is in the e-graph: the program states it, or one that is known to be equal; or else it is taken on trust.
fn check_present(pattern: &Pattern, known: &Known<'_>) -> Result<Option<String>, String> {
    if pattern.has_wildcard() {
        return Ok(Some(pattern.text()));
    }
    let term = pattern.instance(known.substitution).map_err(|why| why.to_string())?;
    let class = classes(known).into_iter().find(|class| class.contains(&term));
    let stated =
        (known.is_stated)(&term.0) || class.is_some_and(|class| class.iter().any(|term| (known.is_stated)(&term.0)));
    Ok((!stated).then(|| term.to_string()))
}
