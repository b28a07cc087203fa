//! From paths to steps: congruences are laid out as steps inside the term, detours are cut, and conditions get lemmas of their own.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::rc::Rc;

use super::concrete::Child;
use super::equality::Why;
use super::path::Segment;
use super::replay::{Application, Replay};
use super::{Explanation, ExplanationStep, Lemma, MAX_STEPS, Reason};
use crate::fault::Fault;
use crate::replica::Replica;

/// How many steps and congruences are laid out at most, those that are cut again included.
const MAX_LAID: usize = 10 * MAX_STEPS;

/// One step: an edge that is no congruence, walked at a place of a term.
#[derive(Clone, Debug)]
struct Laid {
    before: u32,
    /// None: by the snapshot that stands for the first facts.
    edge: Option<u32>,
    forward: bool,
    place: Vec<u32>,
    after: u32,
}

/// A chain whose lemmas are being proven.
struct Open {
    left: u32,
    right: u32,
    chain: Vec<Laid>,
    /// The equalities that the conditions of its steps ask for and that are not looked after yet.
    wanted: Vec<Wanted>,
}

/// An equality that has to be proven by edges older than `before`.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    left: u32,
    right: u32,
    before: u32,
}

/// Proves equalities from replayed facts.
pub(super) struct Prover<'r> {
    replay: Replay,
    replica: &'r Replica,
    laid: usize,
    /// The paths between arguments of congruences, by their ends and the age that bounds them.
    paths: BTreeMap<(u32, u32, u32), Rc<[Segment]>>,
    lemmas: Vec<(u32, u32, Vec<Laid>)>,
    /// The number of the lemma for each pair.
    proven: BTreeMap<(u32, u32), u32>,
    /// For a term that has to be there: the stated term that it is equal to, if it is to one, by age.
    witnesses: BTreeMap<(u32, u32), Option<u32>>,
}

fn unproven() -> Fault {
    Fault::Refused("the replayed facts do not prove the equality".to_owned())
}

fn too_long() -> Fault {
    Fault::Limit(format!("the explanation has more than {MAX_STEPS} steps"))
}

impl<'r> Prover<'r> {
    pub(super) fn new(replay: Replay, replica: &'r Replica) -> Prover<'r> {
        Prover {
            replay,
            replica,
            laid: 0,
            paths: BTreeMap::new(),
            lemmas: Vec::new(),
            proven: BTreeMap::new(),
            witnesses: BTreeMap::new(),
        }
    }

    /// Why two terms are equal.
    pub(super) fn explanation(mut self, start: u32, goal: u32) -> Result<Explanation, Fault> {
        let whole = Wanted {
            left: start,
            right: goal,
            before: u32::MAX,
        };
        // Each that is open is wanted by the one before it, and rests on older edges, so it ends.
        let mut open = vec![self.open(whole)?];
        loop {
            let top = open.last_mut().expect("the whole is open until it is answered");
            match top.wanted.pop() {
                Some(Wanted { left, right, .. }) if self.proven.contains_key(&(left, right)) => {}
                Some(wanted) => {
                    let lemma = self.open(wanted)?;
                    open.push(lemma);
                }
                None => {
                    let done = open.pop().expect("it was the last");
                    if open.is_empty() {
                        return self.write(&done.chain);
                    }
                    let number = self.lemmas.len() as u32;
                    // It may have been proven meanwhile by older edges, for one of its own lemmas.
                    if let Entry::Vacant(entry) = self.proven.entry((done.left, done.right)) {
                        entry.insert(number);
                        self.lemmas.push((done.left, done.right, done.chain));
                    }
                }
            }
        }
    }

    fn open(&mut self, wanted: Wanted) -> Result<Open, Fault> {
        let Wanted { left, right, before } = wanted;
        let chain = self.chain(left, right, before)?;
        let mut wanted = Vec::new();
        // The last comes first: what the first step wants is proven first.
        for step in chain.iter().rev() {
            let Some(edge) = step.edge else { continue };
            let Why::Rule(at) = self.replay.equalities.edges[edge as usize].why else {
                continue;
            };
            let before = self.replay.applications[at as usize].before;
            let pairs = self.conditions(at);
            wanted.extend(
                pairs
                    .into_iter()
                    .rev()
                    .map(|(left, right)| Wanted { left, right, before }),
            );
        }
        Ok(Open {
            left,
            right,
            chain,
            wanted,
        })
    }

    /// The equalities that the conditions of an application rest on.
    fn conditions(&mut self, application: u32) -> Vec<(u32, u32)> {
        let Replay {
            equalities,
            applications,
            stated,
            ..
        } = &mut self.replay;
        let Application {
            equal, present, before, ..
        } = &applications[application as usize];
        let mut pairs = equal.clone();
        let is_stated = |term: u32| stated.get(term as usize).copied().unwrap_or(false);
        for &term in present {
            let witness = *self
                .witnesses
                .entry((term, *before))
                .or_insert_with(|| equalities.path(term, *before, &is_stated).map(|(witness, _)| witness));
            pairs.extend(
                witness
                    .filter(|&witness| witness != term)
                    .map(|witness| (term, witness)),
            );
        }
        pairs
    }

    /// The steps from one term to another, over edges older than `before`.
    ///
    /// It ends, for the arguments of a congruence weigh no more than the congruence, and where they weigh as much they are smaller terms. That holds for all
    /// edges only. Among those of some age the arguments rest on older ones than their congruence.
    fn chain(&mut self, start: u32, goal: u32, before: u32) -> Result<Vec<Laid>, Fault> {
        let bounded = before < u32::MAX;
        // What is still to be laid out, the next on top.
        let mut stack: Vec<(Segment, Vec<u32>)> = Vec::new();
        let push = |stack: &mut Vec<(Segment, Vec<u32>)>, path: &[Segment], place: &[u32]| {
            stack.extend(path.iter().rev().map(|&segment| (segment, place.to_vec())));
        };
        push(&mut stack, &self.path(start, goal, before)?, &[]);
        let mut whole = start;
        let mut chain: Vec<Laid> = Vec::new();
        let mut seen = BTreeMap::from([(start, 0usize)]);
        while let Some((segment, place)) = stack.pop() {
            self.laid += 1;
            if self.laid > MAX_LAID {
                return Err(too_long());
            }
            let (edge, forward) = match segment {
                Segment::Step { edge, forward } => (edge, forward),
                Segment::Congruence { from, to, before } => {
                    for (column, a, b) in self.arguments(from, to).into_iter().rev() {
                        let mut below = place.clone();
                        below.push(column);
                        let path = self.path(a, b, if bounded { before } else { u32::MAX })?;
                        push(&mut stack, &path, &below);
                    }
                    continue;
                }
            };
            let own = &self.replay.equalities.edges[edge as usize];
            let to = if forward { own.right } else { own.left };
            let compacted = own.why == Why::Compacted;
            let after = self.replay.equalities.terms.replace(whole, &place, to);
            if let Some(&at) = seen.get(&after) {
                // It went round in a circle: cut it out.
                for cut in chain.drain(at..) {
                    seen.remove(&cut.after);
                }
                seen.insert(after, at);
            } else {
                chain.push(Laid {
                    before: whole,
                    edge: (!compacted).then_some(edge),
                    forward: forward || compacted,
                    place,
                    after,
                });
                seen.insert(after, chain.len());
            }
            whole = after;
        }
        Ok(self.fold(chain))
    }

    /// Makes one step of those in a row that the snapshot shows at once: where it has what was there before, and what is there after. What stands between is the least term of a class, and
    /// of no interest.
    fn fold(&mut self, chain: Vec<Laid>) -> Vec<Laid> {
        let Replay {
            equalities, compacted, ..
        } = &mut self.replay;
        let Some(compacted) = compacted else { return chain };
        let terms = &equalities.terms;
        let mut folded: Vec<Laid> = Vec::with_capacity(chain.len());
        for step in chain {
            if step.edge.is_none()
                && let Some(last) = folded.last_mut().filter(|last| last.edge.is_none())
            {
                let common = last.place.iter().zip(&step.place).take_while(|(a, b)| a == b).count();
                let place = &step.place[..common];
                let class = |whole: u32| terms.at(whole, place).and_then(|term| compacted.class_of(terms, term));
                let ends = [last.before, step.after].map(class);
                if ends[0].is_some() && ends[0] == ends[1] {
                    last.after = step.after;
                    last.place.truncate(common);
                    continue;
                }
            }
            folded.push(step);
        }
        folded
    }

    /// The columns in which two congruent terms differ, with what stands there.
    fn arguments(&self, from: u32, to: u32) -> Vec<(u32, u32, u32)> {
        let terms = &self.replay.equalities.terms;
        let pairs = terms.children(from).iter().zip(terms.children(to));
        let differing = pairs.enumerate().filter_map(|(column, pair)| match pair {
            (Child::Term(a), Child::Term(b)) if a != b => Some((column as u32, *a, *b)),
            _ => None,
        });
        differing.collect()
    }

    fn path(&mut self, a: u32, b: u32, before: u32) -> Result<Rc<[Segment]>, Fault> {
        if let Some(path) = self.paths.get(&(a, b, before)) {
            return Ok(Rc::clone(path));
        }
        let found = self.replay.equalities.path(a, before, &|term| term == b);
        let path: Rc<[Segment]> = found.ok_or_else(unproven)?.1.into();
        self.paths.insert((a, b, before), Rc::clone(&path));
        Ok(path)
    }

    /// Writes all that was proven as text, with the chain that it was proven for.
    fn write(&mut self, chain: &[Laid]) -> Result<Explanation, Fault> {
        let lemmas = std::mem::take(&mut self.lemmas);
        if lemmas.iter().map(|(_, _, chain)| chain.len()).sum::<usize>() + chain.len() > MAX_STEPS {
            return Err(too_long());
        }
        let steps = self.steps(chain)?;
        let lemmas = lemmas.iter().map(|(left, right, chain)| {
            Ok(Lemma {
                left: self.text(Child::Term(*left))?,
                right: self.text(Child::Term(*right))?,
                steps: self.steps(chain)?,
            })
        });
        let lemmas = lemmas.collect::<Result<Vec<_>, Fault>>()?;
        Ok(Explanation { steps, lemmas })
    }

    fn steps(&mut self, chain: &[Laid]) -> Result<Vec<ExplanationStep>, Fault> {
        chain.iter().map(|step| self.step(step)).collect()
    }

    fn step(&mut self, step: &Laid) -> Result<ExplanationStep, Fault> {
        let why = step.edge.map(|edge| self.replay.equalities.edges[edge as usize].why);
        let reason = match why {
            Some(Why::Rule(at)) => self.reason(at)?,
            Some(Why::Asserted(fact)) => Reason::Asserted { fact },
            Some(Why::Congruence | Why::Compacted) => return Err(unproven()),
            None => {
                let compacted = self.replay.compacted.as_ref().ok_or_else(unproven)?;
                Reason::Compacted {
                    snapshot: compacted.digest,
                }
            }
        };
        Ok(ExplanationStep {
            before: self.text(Child::Term(step.before))?,
            after: self.text(Child::Term(step.after))?,
            forward: step.forward,
            place: step.place.clone(),
            reason,
        })
    }

    fn reason(&mut self, at: u32) -> Result<Reason, Fault> {
        let mut lemmas: Vec<u32> = Vec::new();
        for pair in self.conditions(at) {
            lemmas.push(*self.proven.get(&pair).ok_or_else(unproven)?);
        }
        let application = &self.replay.applications[at as usize];
        let rule = &self.replica.rules[&application.rule].rule;
        let mut substitution = Vec::new();
        for (variable, child) in rule.query.variables.iter().zip(&application.substitution) {
            if let (false, Some(child)) = (variable.name.is_empty(), child) {
                substitution.push((variable.name.clone(), self.text(*child)?));
            }
        }
        Ok(Reason::Rule {
            name: rule.name.clone(),
            substitution,
            lemmas,
            fact: application.fact,
        })
    }

    fn text(&self, child: Child) -> Result<String, Fault> {
        self.replay.equalities.terms.text(&self.replica.graph, child)
    }
}
