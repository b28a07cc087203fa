//! Programs on a network of agents.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use eqmesh_agent::RoundTask;
use eqmesh_egraph::color::{Color, Colors};
use eqmesh_egraph::extract::CostModel;
use eqmesh_language::{Command, CommandKind, Format, Program, RunSpec, Schedule};
use eqmesh_orchestrator::Verdict;
use eqmesh_replica::{Budget, Fault, Size};

use crate::agent::AgentError;
use crate::answer::{Answer, ExtractedTerm, Row};
use crate::broker::{Broker, Setup};
use crate::limits::{Limits, Stop};
use crate::report::{AgentReport, Outcome, Report, SCHEMA, hex};
use crate::wasm::HostError;

/// Rounds that a program of plain terms gets, which says nothing of rounds itself: as many as egg's default.
pub const DEFAULT_ROUNDS: u64 = 30;

/// How a run stands after a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundStatus {
    /// Rounds in all so far.
    pub round: u64,
    /// How the round ended.
    pub verdict: Verdict,
    /// The size of the e-graph.
    pub size: Size,
    /// Bytes that all agents have received so far.
    pub bytes: u64,
}

/// What is told of a run while it goes on.
pub trait Progress {
    /// A round has ended.
    fn round(&mut self, status: &RoundStatus);
}

/// Nobody listens.
impl Progress for () {
    fn round(&mut self, _: &RoundStatus) {}
}

/// A network of agents, and what a program has made of it so far.
#[derive(Debug)]
pub struct Session {
    broker: Broker,
    limits: Limits,
    start: Instant,
    interrupt: Arc<AtomicBool>,
    rounds: u64,
    matches: u64,
    /// Why nothing more is derived, in the whole program.
    ended: Option<Stop>,
    /// How the last run ended.
    last: Stop,
    results: Vec<Outcome>,
    error: Option<String>,
}

impl Session {
    /// Makes the agents.
    pub fn new(setup: Setup, limits: Limits) -> Result<Session, HostError> {
        Ok(Session {
            broker: Broker::new(setup)?,
            limits,
            start: Instant::now(),
            interrupt: Arc::default(),
            rounds: 0,
            matches: 0,
            ended: None,
            last: Stop::Rounds,
            results: Vec::new(),
            error: None,
        })
    }

    /// A flag that ends deriving before the next round, once it is set.
    pub fn interrupt(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.interrupt)
    }

    /// The agents.
    pub fn broker(&mut self) -> &mut Broker {
        &mut self.broker
    }

    /// Runs a program. What it answers and how it ended is in [`Session::report`], also where an agent broke down.
    pub fn execute(&mut self, program: &Program, progress: &mut dyn Progress) {
        if let Err(error) = self.commands(program, progress) {
            self.error = Some(error.to_string());
        }
    }

    /// A program broke down outside of the agents: kept for the report.
    pub fn broke(&mut self, error: String) {
        self.error.get_or_insert(error);
    }

    fn commands(&mut self, program: &Program, progress: &mut dyn Progress) -> Result<(), AgentError> {
        let mut text = String::new();
        for command in &program.commands {
            if command.kind == CommandKind::Declarative {
                // Neighbours are handed over together: one block instead of many.
                text.push_str(&command.text);
                text.push('\n');
                continue;
            }
            self.submit(&mut text)?;
            let answers = self.command(command, progress)?;
            self.answered(program, command, answers);
        }
        self.submit(&mut text)?;
        self.plain_terms(program, progress)
    }

    fn answered(&mut self, program: &Program, command: &Command, answer: Option<Answer>) {
        self.results
            .extend(answer.map(|answer| Outcome::of(program, command, answer)));
    }

    /// A program that runs nothing and holds files of plain terms: what a user wants of these is the cheapest of each.
    fn plain_terms(&mut self, program: &Program, progress: &mut dyn Progress) -> Result<(), AgentError> {
        let is_terms: Vec<bool> = program
            .files
            .iter()
            .map(|file| Format::of_path(&file.path) == Format::Terms)
            .collect();
        let runs = |kind: &CommandKind| matches!(kind, CommandKind::Run(_) | CommandKind::Schedule(_));
        if !is_terms.contains(&true) || program.commands.iter().any(|command| runs(&command.kind)) {
            return Ok(());
        }
        let run = RunSpec {
            ruleset: String::new(),
            rounds: Some(self.limits.rounds.unwrap_or(DEFAULT_ROUNDS)),
            until: None,
        };
        self.run(&run, progress)?;
        for command in program.commands.iter().filter(|command| is_terms[command.file]) {
            let answer = self.extract(&command.text, 1, CostModel::Tree, None)?;
            self.answered(program, command, Some(answer));
        }
        Ok(())
    }

    fn submit(&mut self, text: &mut String) -> Result<(), AgentError> {
        if text.is_empty() {
            return Ok(());
        }
        let text = std::mem::take(text);
        // It was checked as a whole before, so a diagnostic here is a defect of ours.
        self.broker.submit(&text)
    }

    fn command(&mut self, command: &Command, progress: &mut dyn Progress) -> Result<Option<Answer>, AgentError> {
        let input = || command.text.clone();
        Ok(Some(match &command.kind {
            CommandKind::Declarative => {
                self.broker.submit(&command.text)?;
                return Ok(None);
            }
            CommandKind::Run(spec) => {
                self.run(spec, progress)?;
                return Ok(None);
            }
            CommandKind::Schedule(schedule) => {
                self.schedule(schedule, progress)?;
                return Ok(None);
            }
            CommandKind::Check(facts) => Answer::Check {
                input: facts.clone(),
                holds: self.broker.first().check(facts, 1)? > 0,
            },
            CommandKind::Fail(inner) => Answer::Fail {
                input: inner.text.clone(),
                holds: self.fails(inner, progress)?,
            },
            CommandKind::Extract {
                term,
                variants,
                dag,
                within,
            } => {
                let cost = if *dag { CostModel::Dag } else { CostModel::Tree };
                self.extract(term, *variants, cost, colors(within))?
            }
            CommandKind::Explain { left, right } => match self.broker.first().explain(left, right) {
                Ok(own) => Answer::Explain {
                    left: left.clone(),
                    right: right.clone(),
                    steps: own.steps.into_iter().map(Into::into).collect(),
                    lemmas: own.lemmas.into_iter().map(Into::into).collect(),
                },
                Err(error) => failed("explain", input(), error)?,
            },
            CommandKind::PrintSize(operator) => Answer::print_size(self.broker.first().sizes()?, operator.as_deref()),
            CommandKind::PrintFunction { operator, limit } => match self.broker.first().rows(operator, *limit) {
                Ok(rows) => Answer::PrintFunction {
                    operator: operator.clone(),
                    rows: rows.into_iter().map(|(node, class)| Row { node, class }).collect(),
                },
                // Declared, and no fact has told of it yet.
                Err(AgentError::Fault(Fault::Unknown(_))) => Answer::PrintFunction {
                    operator: operator.clone(),
                    rows: Vec::new(),
                },
                Err(error) => failed("print-function", input(), error)?,
            },
            CommandKind::Push(count) => {
                for _ in 0..*count {
                    self.broker.ask(|agent| agent.push())?;
                }
                return Ok(None);
            }
            CommandKind::Pop(count) => {
                for _ in 0..*count {
                    self.broker.ask(|agent| agent.pop())?;
                }
                return Ok(None);
            }
        }))
    }

    /// Whether a command fails. What it changes is taken back.
    fn fails(&mut self, inner: &Command, progress: &mut dyn Progress) -> Result<bool, AgentError> {
        self.broker.ask(|agent| agent.push())?;
        let answer = self.command(inner, progress);
        self.broker.ask(|agent| agent.pop())?;
        match answer {
            Ok(answer) => Ok(answer.is_some_and(|answer| !answer.holds())),
            Err(error @ (AgentError::Trap(_) | AgentError::Carrier(_))) => Err(error),
            Err(_) => Ok(true),
        }
    }

    /// A term that is not in the e-graph is put there, as egglog does.
    fn extract(
        &mut self,
        term: &str,
        variants: u32,
        cost: CostModel,
        within: Option<Colors>,
    ) -> Result<Answer, AgentError> {
        let mut found = self.broker.first().extract(term, variants, cost, within);
        // The program was checked before: what is unknown or does not fit is an untyped operator that stands nowhere yet.
        let absent = |fault: &Fault| matches!(fault, Fault::Absent(_) | Fault::Unknown(_) | Fault::Mismatch(_));
        if matches!(&found, Err(AgentError::Fault(fault)) if absent(fault)) && within.is_none() {
            self.broker.submit(term)?;
            found = self.broker.first().extract(term, variants, cost, within);
        }
        let found = match found {
            Ok(found) => found,
            Err(error) => return failed("extract", term.to_owned(), error),
        };
        let terms = found.into_iter().map(|own| ExtractedTerm {
            term: own.term,
            cost: own.cost,
        });
        let answer = Answer::extracted(term, variants, terms.collect());
        answer.ok_or_else(|| AgentError::Trap("an extraction came to nothing".to_owned()))
    }

    /// Answers whether anything changed.
    fn schedule(&mut self, schedule: &Schedule, progress: &mut dyn Progress) -> Result<bool, AgentError> {
        match schedule {
            Schedule::Run(spec) => self.run(spec, progress),
            Schedule::Sequence(all) => {
                let mut changed = false;
                for schedule in all {
                    changed |= self.schedule(schedule, progress)?;
                }
                Ok(changed)
            }
            Schedule::Repeat(count, all) => {
                let mut changed = false;
                for _ in 0..*count {
                    let mut this_time = false;
                    for schedule in all {
                        this_time |= self.schedule(schedule, progress)?;
                    }
                    changed |= this_time;
                    // The same again would come to the same.
                    if !this_time || self.ended.is_some() {
                        break;
                    }
                }
                Ok(changed)
            }
            Schedule::Saturate(all) => {
                let mut changed = false;
                loop {
                    let mut this_time = false;
                    for schedule in all {
                        this_time |= self.schedule(schedule, progress)?;
                    }
                    changed |= this_time;
                    if !this_time {
                        if self.ended.is_none() {
                            self.last = Stop::Saturated;
                        }
                        break;
                    }
                    if self.ended.is_some() {
                        break;
                    }
                }
                Ok(changed)
            }
        }
    }

    /// Runs a ruleset. Answers whether anything changed.
    fn run(&mut self, spec: &RunSpec, progress: &mut dyn Progress) -> Result<bool, AgentError> {
        let mut changed = false;
        self.last = Stop::Rounds;
        for _ in 0..spec.rounds.unwrap_or(1) {
            if let Some(facts) = &spec.until
                && self.broker.first().check(facts, 1)? > 0
            {
                break;
            }
            let Some(budget) = self.budget()? else { break };
            let task = RoundTask {
                ruleset: spec.ruleset.clone(),
                budget,
            };
            let verdict = self.broker.round(&task)?;
            self.rounds += 1;
            self.matches = self.matches.saturating_add(verdict.matches);
            changed |= verdict.applied > 0;
            self.tell(verdict, progress)?;
            if verdict.saturated {
                self.last = Stop::Saturated;
                break;
            }
            if verdict.exhausted && verdict.applied == 0 {
                // What is left is too little for any agent's part.
                self.ended = Some(self.met(budget, verdict));
            }
        }
        Ok(changed)
    }

    /// Which limit was met in a round that was cut short before it added anything. Whom the limit of matches stopped has looked at all of its part of them; where that does not tell, it
    /// was the limit of which less was left.
    fn met(&self, budget: Budget, verdict: Verdict) -> Stop {
        let part = budget.matches / self.broker.agents();
        if verdict.matches < part || budget.nodes < budget.matches {
            Stop::Nodes
        } else {
            Stop::Matches
        }
    }

    fn tell(&mut self, verdict: Verdict, progress: &mut dyn Progress) -> Result<(), AgentError> {
        let agents = self.broker.ask(|agent| agent.summary())?;
        progress.round(&RoundStatus {
            round: self.rounds,
            verdict,
            size: agents[0].size,
            bytes: agents.iter().map(|own| own.bytes_received).sum(),
        });
        Ok(())
    }

    /// What the next round may cost; none if there is not to be one.
    fn budget(&mut self) -> Result<Option<Budget>, AgentError> {
        if self.ended.is_some() {
            return Ok(None);
        }
        let mut budget = Budget {
            matches: u64::MAX,
            nodes: u64::MAX,
        };
        if let Some(limit) = self.limits.matches {
            budget.matches = limit.saturating_sub(self.matches);
        }
        if let Some(limit) = self.limits.nodes {
            budget.nodes = limit.saturating_sub(self.broker.first().summary()?.size.enodes);
        }
        self.ended = if self.interrupt.load(Ordering::Relaxed) {
            Some(Stop::Interrupted)
        } else if self.limits.rounds.is_some_and(|limit| self.rounds >= limit) {
            Some(Stop::Rounds)
        } else if self.limits.time.is_some_and(|limit| self.start.elapsed() >= limit) {
            Some(Stop::Time)
        } else if budget.matches == 0 {
            Some(Stop::Matches)
        } else if budget.nodes == 0 {
            Some(Stop::Nodes)
        } else {
            None
        };
        Ok(self.ended.is_none().then_some(budget))
    }

    /// What the run has come to so far.
    pub fn report(&mut self) -> Report {
        let mut report = Report {
            schema: SCHEMA,
            converged: false,
            stopped: self.ended.unwrap_or(self.last),
            rounds: self.rounds,
            enodes: 0,
            eclasses: 0,
            state_digest: String::new(),
            meaning_digest: String::new(),
            agents: Vec::new(),
            contradictions: Vec::new(),
            results: self.results.clone(),
            error: self.error.clone(),
        };
        let asked = self.broker.ask(|agent| Ok((agent.summary()?, agent.meaning_digest()?)));
        let contradictions = self.broker.first().contradictions();
        match (asked, contradictions) {
            (Ok(all), Ok(contradictions)) => {
                let (first, meaning) = &all[0];
                report.enodes = first.size.enodes;
                report.eclasses = first.size.eclasses;
                report.state_digest = hex(&first.state_digest);
                report.meaning_digest = hex(meaning);
                report.converged = all.iter().all(|(own, own_meaning)| {
                    own.state_digest == first.state_digest && own_meaning == meaning && own.refused.is_empty()
                });
                report.agents = all
                    .iter()
                    .map(|(own, meaning)| AgentReport::new(own, meaning))
                    .collect();
                report.contradictions = contradictions;
            }
            (Err(error), _) | (_, Err(error)) => {
                report.error.get_or_insert_with(|| error.to_string());
            }
        }
        report
    }
}

fn colors(within: &[Color]) -> Option<Colors> {
    let all = within
        .iter()
        .fold(Colors::NONE, |all, &color| all.union(Colors::from(color)));
    (all != Colors::NONE).then_some(all)
}

/// The answer to what could not be done; a breakdown stays one.
fn failed(command: &str, input: String, error: AgentError) -> Result<Answer, AgentError> {
    match error {
        AgentError::Trap(_) | AgentError::Carrier(_) => Err(error),
        other => Ok(Answer::Failed {
            command: command.to_owned(),
            input,
            error: other.to_string(),
        }),
    }
}
