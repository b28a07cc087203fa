//! Checking a chain, step by step.

use std::fmt;

use crate::explanation::{Direction, Explanation, Reason, Step};
use crate::pattern::Substitution;
use crate::rule::{Known, NotApplied};
use crate::sexp::SyntaxError;
use crate::term::Term;
use crate::theory::Theory;

/// What was checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Steps in all, those of lemmas included.
    pub steps: usize,
    /// What no rule shows and was taken on trust: each a term that a condition wants to be in the e-graph (a pattern alone as a condition), and that
    /// the program does not state.
    pub trusted: Vec<String>,
    /// Steps that are compacted, and were taken on trust from snapshots that are trusted: see [`Theory::trust_snapshot`].
    pub compacted: usize,
}

/// What a check has come to so far.
#[derive(Debug, Default)]
struct Progress {
    verdict: Verdict,
    /// The first step that a snapshot alone says which is not trusted.
    unchecked: Option<Refusal>,
}

/// What a step rests on besides what was checked.
enum Trust {
    /// Terms that are taken to be in the e-graph.
    Terms(Vec<String>),
    /// A trusted snapshot.
    Snapshot,
}

/// Which chain of an explanation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chain {
    /// The one between the terms that were asked for.
    Whole,
    /// That of a lemma, by its number.
    Lemma(u32),
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Chain::Whole => Ok(()),
            Chain::Lemma(number) => write!(f, "lemma {number}, "),
        }
    }
}

/// Why an explanation is refused, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{chain}{}: {why}", if *step == 0 { "as a whole".to_owned() } else { format!("step {step}") })]
pub struct Refusal {
    /// The chain.
    pub chain: Chain,
    /// The step, from 1; 0 for the chain as a whole.
    pub step: usize,
    /// Why.
    pub why: Why,
}

/// What is wrong with a step, or with a chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// A text that is no term.
    #[error("`{text}` is not a term: {error}")]
    Syntax {
        /// The text.
        text: String,
        /// Why not.
        error: SyntaxError,
    },
    /// A term that no declaration allows.
    #[error("{0}")]
    IllFormed(String),
    /// The chain begins with another term.
    #[error("it begins with `{found}`, not with `{wanted}`")]
    Start {
        /// The term that was asked for.
        wanted: String,
        /// The one that is there.
        found: String,
    },
    /// The chain ends with another term.
    #[error("it ends with `{found}`, not with `{wanted}`")]
    End {
        /// The term that was asked for.
        wanted: String,
        /// The one that is there.
        found: String,
    },
    /// The step does not begin where the one before it ended.
    #[error("it begins with `{found}`, and the step before it ended with `{wanted}`")]
    Gap {
        /// Where the last one ended.
        wanted: String,
        /// Where this one begins.
        found: String,
    },
    /// The place leads nowhere in one of the terms.
    #[error("there is no place {0:?} in it")]
    NoPlace(Vec<u32>),
    /// More than the subterm at the place has changed.
    #[error("something has changed that is not at place {0:?}")]
    Elsewhere(Vec<u32>),
    /// No rule has this name.
    #[error("there is no rule `{0}`")]
    NoRule(String),
    /// No rule of this name says so; what is wrong with the last of them.
    #[error("rule `{rule}` does not say so: {why}")]
    NotApplied {
        /// Its name.
        rule: String,
        /// Why not.
        why: NotApplied,
    },
    /// The program does not assert this.
    #[error("the program does not assert `{left}` = `{right}`")]
    NotAsserted {
        /// A term.
        left: String,
        /// What it is said to be equal to.
        right: String,
    },
    /// An assertion has neither a substitution, nor lemmas, nor another name than `union`.
    #[error("an assertion is called `union`, and has neither substitution nor lemmas")]
    NoRuleOfAssertion,
    /// A lemma that is not there, or not before this one.
    #[error("there is no lemma {0} before it")]
    NoLemma(u32),
    /// A rule or an assertion without a fact, or with a snapshot.
    #[error("a step by a rule or an assertion has a fact, and no snapshot")]
    NoFact,
    /// A compacted step without a snapshot, or with something else.
    #[error("a compacted step has a snapshot, and neither rule, nor substitution, nor lemmas, nor fact")]
    NoSnapshot,
    /// Nothing is wrong with the step, but nothing shows it either: the facts were compacted. Told only where all other steps hold.
    #[error("not checkable: compacted into the snapshot {snapshot}, which is not trusted")]
    Compacted {
        /// Its digest, in hexadecimal digits.
        snapshot: String,
    },
}

fn read(text: &str) -> Result<Term, Why> {
    Term::read(text).map_err(|error| Why::Syntax {
        text: text.to_owned(),
        error,
    })
}

impl Theory {
    /// Checks that an explanation shows two terms to be equal: the first term is the left one, the last one the right one, consecutive steps join, and each
    /// step changes exactly the subterm at its place, which before and after is an instance of the sides of a rule whose conditions hold, or of what the program
    /// asserts. A condition on terms has to follow from the lemmas that the step names. O(size of the explanation) for each rule of one name.
    ///
    /// A step that is compacted is accepted if its snapshot is trusted ([`Theory::trust_snapshot`]). Otherwise the explanation is refused with [`Why::Compacted`], after all other steps have been
    /// found to hold.
    pub fn check(&self, left: &Term, right: &Term, explanation: &Explanation) -> Result<Verdict, Refusal> {
        let mut progress = Progress::default();
        let mut lemmas: Vec<(Term, Term)> = Vec::new();
        for (number, lemma) in explanation.lemmas.iter().enumerate() {
            let chain = Chain::Lemma(number as u32);
            let whole = |why: Why| Refusal { chain, step: 0, why };
            let (left, right) = (read(&lemma.left).map_err(whole)?, read(&lemma.right).map_err(whole)?);
            self.chain(chain, (&left, &right), &lemma.steps, &lemmas, &mut progress)?;
            lemmas.push((left, right));
        }
        self.chain(Chain::Whole, (left, right), &explanation.steps, &lemmas, &mut progress)?;
        let Progress { mut verdict, unchecked } = progress;
        verdict.trusted.sort();
        verdict.trusted.dedup();
        unchecked.map_or(Ok(verdict), Err)
    }

    fn chain(
        &self,
        chain: Chain,
        (left, right): (&Term, &Term),
        steps: &[Step],
        lemmas: &[(Term, Term)],
        Progress { verdict, unchecked }: &mut Progress,
    ) -> Result<(), Refusal> {
        let refuse = |step: usize, why: Why| Refusal { chain, step, why };
        let mut at = left.clone();
        let untyped = self.is_untyped(&at).map_err(|error| refuse(0, Why::IllFormed(error)))?;
        for (index, step) in steps.iter().enumerate() {
            let refused = |why: Why| refuse(index + 1, why);
            let before = read(&step.before).map_err(refused)?;
            if before != at {
                let (wanted, found) = (at.to_string(), step.before.clone());
                return Err(refused(if index == 0 {
                    Why::Start { wanted, found }
                } else {
                    Why::Gap { wanted, found }
                }));
            }
            let after = read(&step.after).map_err(refused)?;
            match self.is_untyped(&after) {
                Ok(own) if own == untyped => {}
                Ok(_) => return Err(refused(Why::IllFormed(format!("`{after}` is of another sort")))),
                Err(error) => return Err(refused(Why::IllFormed(error))),
            }
            match self.step(step, (&before, &after), untyped, lemmas) {
                Ok(Trust::Terms(terms)) => verdict.trusted.extend(terms),
                Ok(Trust::Snapshot) => verdict.compacted += 1,
                Err(why @ Why::Compacted { .. }) => _ = unchecked.get_or_insert_with(|| refused(why)),
                Err(why) => return Err(refused(why)),
            }
            verdict.steps += 1;
            at = after;
        }
        if at == *right {
            return Ok(());
        }
        let (wanted, found) = (right.to_string(), at.to_string());
        Err(refuse(steps.len(), Why::End { wanted, found }))
    }

    /// Answers what is taken on trust.
    fn step(
        &self,
        step: &Step,
        (before, after): (&Term, &Term),
        untyped: bool,
        lemmas: &[(Term, Term)],
    ) -> Result<Trust, Why> {
        let (Some(old), Some(new)) = (before.at(&step.place), after.at(&step.place)) else {
            return Err(Why::NoPlace(step.place.clone()));
        };
        // In preorder, labels and arities are all there is to a term. (Sizes on the way to the place differ with what stands there.)
        let same = old.start == new.start
            && before.0[..old.start]
                .iter()
                .zip(&after.0[..new.start])
                .all(|(a, b)| a.label == b.label && a.arity == b.arity)
            && before.0[old.end..] == after.0[new.end..];
        if !same {
            return Err(Why::Elsewhere(step.place.clone()));
        }
        if step.reason == Reason::Compacted {
            return self.compacted(step);
        }
        if step.fact.is_none() || step.snapshot.is_some() {
            return Err(Why::NoFact);
        }
        let (old, new) = (&before.0[old], &after.0[new]);
        let (left, right) = match step.direction {
            Direction::Forward => (old, new),
            Direction::Backward => (new, old),
        };
        let mut substitution = Substitution::new();
        for (name, text) in &step.substitution {
            substitution.insert(name.clone(), read(text)?);
        }
        let mut equal = Vec::new();
        for &number in &step.lemmas {
            equal.push(lemmas.get(number as usize).ok_or(Why::NoLemma(number))?.clone());
        }
        if step.reason == Reason::Asserted {
            if step.rule != "union" || !substitution.is_empty() || !equal.is_empty() {
                return Err(Why::NoRuleOfAssertion);
            }
            return if self.is_asserted(left, right) {
                Ok(Trust::Terms(Vec::new()))
            } else {
                Err(Why::NotAsserted {
                    left: Term(left.to_vec()).to_string(),
                    right: Term(right.to_vec()).to_string(),
                })
            };
        }
        let known = Known {
            substitution: &substitution,
            equal: &equal,
            is_stated: &|nodes| self.is_stated(nodes),
        };
        let mut refused = Why::NoRule(step.rule.clone());
        for rule in self.rules_named(&step.rule) {
            let why = if rule.left.untyped == untyped {
                match rule.check(left, right, &known) {
                    Ok(trusted) => return Ok(Trust::Terms(trusted)),
                    Err(why) => why,
                }
            } else {
                NotApplied::Sort {
                    untyped: rule.left.untyped,
                }
            };
            let rule = step.rule.clone();
            refused = Why::NotApplied { rule, why };
        }
        Err(refused)
    }

    /// Whatever the terms are: a snapshot that is trusted is trusted with all that it holds equal.
    fn compacted(&self, step: &Step) -> Result<Trust, Why> {
        let snapshot = step.snapshot.as_ref().ok_or(Why::NoSnapshot)?;
        if !step.rule.is_empty() || !step.substitution.is_empty() || !step.lemmas.is_empty() || step.fact.is_some() {
            return Err(Why::NoSnapshot);
        }
        if self.trusts_snapshot(snapshot) {
            Ok(Trust::Snapshot)
        } else {
            let snapshot = snapshot.clone();
            Err(Why::Compacted { snapshot })
        }
    }
}
