//! Explanations: why two terms are equal, as a chain of rewrites, each justified by a fact.
//!
//! Nothing is kept for this while the e-graph works. When somebody asks, the facts are replayed (`replay`) into a graph over concrete terms
//! (`equality`): the two sides of each application as they stood, and every term that a fact names. An edge is a rule's application, an asserted
//! equality, or congruence. An explanation is a light path from the one term to the other (`path`), congruences laid out as steps inside the term (`chain`).
//! What the conditions of a rule ask of terms is proven in lemmas, by edges that are older than the application, so that no proof goes round in a circle.
//!
//! Where the first facts were compacted into a snapshot (`compacted`), all that is left of them is what they came to: the terms that it holds equal are joined by edges that
//! say so, the oldest of all, and what came later is explained on top of them, step by step.
//!
//! All of it is a function of the set of facts and of what of them is compacted: every replica that holds the same ones gives the same explanation.

mod chain;
mod compacted;
mod concrete;
mod equality;
mod path;
mod replay;
mod shape;

use crate::fault::Fault;
use crate::replica::{Replica, shorten};
use crate::version::Dot;

/// The longest explanation, in steps, those of all its lemmas included.
pub const MAX_STEPS: usize = 10_000;

/// Why two terms are equal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// From the left term to the right one; empty if they are the same.
    pub steps: Vec<ExplanationStep>,
    /// What the conditions of rules ask for. The steps of a lemma use lemmas before it only.
    pub lemmas: Vec<Lemma>,
}

/// An equality between two terms that the condition of a rule asks for, with its own chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lemma {
    /// A term.
    pub left: String,
    /// Another, equal to it.
    pub right: String,
    /// From the one to the other.
    pub steps: Vec<ExplanationStep>,
}

/// One step of an explanation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplanationStep {
    /// The whole term before.
    pub before: String,
    /// The whole term after.
    pub after: String,
    /// False where the rule (or the asserted equality) was used from right to left. True for what is compacted: it has no direction.
    pub forward: bool,
    /// The argument positions that lead from the root to the subterm that changed.
    pub place: Vec<u32>,
    /// What justifies it.
    pub reason: Reason,
}

/// What justifies a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A rule was applied.
    Rule {
        /// Its name.
        name: String,
        /// Each of the rule's variables with its term.
        substitution: Vec<(String, String)>,
        /// The numbers of the lemmas that its conditions rest on. A condition on primitive values needs none: anybody can compute it.
        lemmas: Vec<u32>,
        /// The application.
        fact: Dot,
    },
    /// The user asserted it.
    Asserted {
        /// The assertion.
        fact: Dot,
    },
    /// The facts that would show it were compacted: the two subterms stand in one class of a snapshot. By what rule, by whom, and with which facts is not known any more.
    Compacted {
        /// The snapshot's digest, as the cut that made it tells.
        snapshot: [u8; 32],
    },
}

impl Reason {
    /// The fact that it rests on, unless that was compacted.
    pub fn fact(&self) -> Option<Dot> {
        match self {
            Reason::Rule { fact, .. } | Reason::Asserted { fact } => Some(*fact),
            Reason::Compacted { .. } => None,
        }
    }
}

impl Replica {
    /// Why two terms are equal: a chain of rewrites from the left to the right, empty if they are the same term. What was compacted ([`Replica::compact`]) is a step without a fact,
    /// [`Reason::Compacted`]; a chain that gets along without such steps is preferred.
    ///
    /// Replays all facts, and reads the snapshot that stands for the first ones: O(facts log facts), and besides for each congruence in the explanation a search in one e-class.
    pub fn explain(&mut self, left: &str, right: &str) -> Result<Explanation, Fault> {
        let (left_class, right_class) = (self.class_of_text(left)?, self.class_of_text(right)?);
        if left_class != right_class {
            return Err(Fault::Refused(format!(
                "`{}` and `{}` are not known to be equal",
                shorten(left),
                shorten(right)
            )));
        }
        let absent = |text: &str| Fault::Absent(format!("the term `{}` is not in the e-graph", shorten(text)));
        let (left_term, _) = self.parse(left)?;
        let (right_term, _) = self.parse(right)?;
        let mut replay = self.replay()?;
        let start = replay.term(&left_term).ok_or_else(|| absent(left))?;
        let goal = replay.term(&right_term).ok_or_else(|| absent(right))?;
        replay.equalities.close();
        replay.equalities.refine();
        chain::Prover::new(replay, self).explanation(start, goal)
    }
}
