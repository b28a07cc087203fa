//! Commands: what a program does besides declaring.

use std::collections::BTreeSet;

use eqmesh_egraph::color::Color;

use crate::diagnostic::{Diagnostic, suggestion};
use crate::ground::ground;
use crate::options::{self, Setting};
use crate::query;
use crate::reader::{Form, Forms};
use crate::rewrite::check_ruleset;
use crate::scope::Scope;
use crate::signature::{Signature, SortId, UNTYPED_SORT};

/// The most schedules inside each other.
pub const MAX_SCHEDULE_DEPTH: usize = 256;

/// What a command does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandKind {
    /// The command's text is declarative: see [`Signature::elaborate`].
    Declarative,
    /// `run`.
    Run(RunSpec),
    /// `run-schedule`.
    Schedule(Schedule),
    /// `check`: the text of the facts.
    Check(String),
    /// `fail`: the command that has to fail.
    Fail(Box<crate::program::Command>),
    /// `extract`.
    Extract {
        /// The term in canonical form, as [`Signature::resolve`] takes it.
        term: String,
        /// How many terms to show at most, from 1.
        variants: u32,
        /// `:cost dag` instead of `:cost tree`, the default.
        dag: bool,
        /// The colors of `:within`; all if empty.
        within: Vec<Color>,
    },
    /// `print-size`: of one operator or of all.
    PrintSize(Option<String>),
    /// `print-function`.
    PrintFunction {
        /// Its name.
        operator: String,
        /// How many rows at most.
        limit: u32,
    },
    /// `explain`: two terms in canonical form, as [`Signature::resolve`] takes them.
    Explain {
        /// A term.
        left: String,
        /// Another of the same sort.
        right: String,
    },
    /// `push`: how often.
    Push(u32),
    /// `pop`: how often.
    Pop(u32),
}

/// One run of a ruleset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSpec {
    /// The default ruleset is the empty name.
    pub ruleset: String,
    /// How many rounds at most; one, if a schedule does not say.
    pub rounds: Option<u64>,
    /// The text of the facts of `:until`: the run ends as soon as they hold.
    pub until: Option<String>,
}

/// A schedule of runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// All in turn, until a whole turn changes nothing.
    Saturate(Vec<Schedule>),
    /// All in turn, so often.
    Repeat(u64, Vec<Schedule>),
    /// All in turn.
    Sequence(Vec<Schedule>),
    /// One run.
    Run(RunSpec),
}

/// The commands that are not declarative.
pub const COMMANDS: [&str; 11] = [
    "run",
    "run-schedule",
    "check",
    "fail",
    "extract",
    "print-size",
    "print-function",
    "explain",
    "push",
    "pop",
    "include",
];

/// What `:until` says, if it is there.
struct Until(Option<String>);

/// Reads commands (all but `fail` and `include`, which contain others) and checks them against the signature.
pub(crate) struct CommandReader<'r, 't> {
    pub(crate) signature: &'r Signature,
    pub(crate) forms: &'r Forms<'t>,
    pub(crate) failed: &'r BTreeSet<String>,
    pub(crate) diagnostics: &'r mut Vec<Diagnostic>,
}

impl<'t> CommandReader<'_, 't> {
    /// None where an error was reported.
    pub(crate) fn command(&mut self, head: &str, form: Form) -> Option<CommandKind> {
        let arguments: Vec<Form> = self.forms.elements(form).skip(1).collect();
        let keys = arguments
            .iter()
            .position(|&part| options::is_key(self.forms, part))
            .unwrap_or(arguments.len());
        let (positional, settings) = arguments.split_at(keys);
        let settings = options::settings(self.forms, settings);
        match head {
            "run" => self.run(form, positional, &settings),
            "run-schedule" => self
                .schedules(&arguments, 1)
                .map(|all| CommandKind::Schedule(Schedule::Sequence(all))),
            "check" => self.facts(form, &arguments).map(CommandKind::Check),
            "extract" => self.extract(form, positional, &settings),
            "print-size" => self.print_size(form, &arguments),
            "print-function" => self.print_function(form, &arguments),
            "explain" => self.explain(form, &arguments),
            "push" => self.count(form, &arguments).map(CommandKind::Push),
            "pop" => self.count(form, &arguments).map(CommandKind::Pop),
            _ => None,
        }
    }

    fn error(&mut self, code: &'static str, form: Form, message: &str, help: &str) {
        self.diagnostics
            .push(Diagnostic::error(code, self.forms.span(form), message).help(help));
    }

    fn usage<T>(&mut self, form: Form, usage: &str) -> Option<T> {
        let head = self.forms.head(form).unwrap_or_default();
        self.error("usage", form, &format!("`{head}` is not written like this"), usage);
        None
    }

    fn number<N: std::str::FromStr>(&self, form: Form) -> Option<N> {
        self.forms
            .symbol(form)
            .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?
            .parse()
            .ok()
    }

    fn ruleset(&mut self, form: Form) -> Option<String> {
        let name = self.forms.symbol(form);
        let Some(name) = name else {
            self.error("usage", form, "a ruleset is a name", "");
            return None;
        };
        let before = self.diagnostics.len();
        if !self.failed.contains(name) {
            check_ruleset(
                &Scope::new(self.signature, self.failed),
                self.forms,
                form,
                self.diagnostics,
            );
        }
        (self.diagnostics.len() == before).then(|| name.to_owned())
    }

    /// Checks facts; answers their text.
    fn facts(&mut self, form: Form, list: &[Form]) -> Option<String> {
        if list.is_empty() {
            return self.usage(form, "give one fact or several, such as `(= a b)`");
        }
        let mut scope = Scope::new(self.signature, self.failed);
        query::facts(&mut scope, self.forms, list, self.diagnostics)?;
        Some(self.forms.text()[self.forms.span_of(list)].to_owned())
    }

    fn until(&mut self, form: Form, settings: &[Setting<'t>]) -> Option<Until> {
        match settings {
            [] => Some(Until(None)),
            [only] if only.name == ":until" => self.facts(form, &only.values).map(|facts| Until(Some(facts))),
            [.., last] => {
                let message = format!("a run has no option `{}`, or not twice", last.name);
                self.error("unknown-option", last.key, &message, "the option is `:until facts…`");
                None
            }
        }
    }

    fn run(&mut self, form: Form, positional: &[Form], settings: &[Setting<'t>]) -> Option<CommandKind> {
        let (ruleset, rounds) = match *positional {
            [rounds] => (None, rounds),
            [ruleset, rounds] => (Some(ruleset), rounds),
            _ => return self.usage(form, "(run [ruleset] rounds [:until facts…])"),
        };
        let Some(rounds) = self.number(rounds) else {
            self.error(
                "usage",
                rounds,
                "how many rounds is a number",
                "(run [ruleset] rounds [:until facts…])",
            );
            return None;
        };
        let ruleset = ruleset.map_or_else(|| Some(String::new()), |ruleset| self.ruleset(ruleset));
        let until = self.until(form, settings);
        Some(CommandKind::Run(RunSpec {
            ruleset: ruleset?,
            rounds: Some(rounds),
            until: until?.0,
        }))
    }

    /// Recursion is as deep as [`MAX_SCHEDULE_DEPTH`].
    fn schedules(&mut self, list: &[Form], depth: usize) -> Option<Vec<Schedule>> {
        let all: Vec<Option<Schedule>> = list.iter().map(|&form| self.schedule(form, depth)).collect();
        all.into_iter().collect()
    }

    fn schedule(&mut self, form: Form, depth: usize) -> Option<Schedule> {
        if depth > MAX_SCHEDULE_DEPTH {
            self.error(
                "limit",
                form,
                &format!("schedules are more than {MAX_SCHEDULE_DEPTH} deep"),
                "",
            );
            return None;
        }
        if self.forms.symbol(form).is_some() {
            let ruleset = self.ruleset(form)?;
            return Some(Schedule::Run(RunSpec {
                ruleset,
                rounds: None,
                until: None,
            }));
        }
        let arguments: Vec<Form> = self.forms.elements(form).skip(1).collect();
        match self.forms.head(form) {
            Some("saturate") => self.schedules(&arguments, depth + 1).map(Schedule::Saturate),
            Some("seq") => self.schedules(&arguments, depth + 1).map(Schedule::Sequence),
            Some("repeat") => {
                let count = arguments.first().and_then(|&count| self.number(count));
                let Some(count) = count else {
                    return self.usage(form, "(repeat times schedules…)");
                };
                self.schedules(&arguments[1..], depth + 1)
                    .map(|all| Schedule::Repeat(count, all))
            }
            Some("run") => {
                let keys = arguments
                    .iter()
                    .position(|&part| options::is_key(self.forms, part))
                    .unwrap_or(arguments.len());
                let (positional, settings) = arguments.split_at(keys);
                let (ruleset, rounds) = match *positional {
                    [] => (None, None),
                    [only] if self.number::<u64>(only).is_some() => (None, Some(only)),
                    [ruleset] => (Some(ruleset), None),
                    [ruleset, rounds] if self.number::<u64>(rounds).is_some() => (Some(ruleset), Some(rounds)),
                    _ => return self.usage(form, "(run [ruleset] [rounds] [:until facts…])"),
                };
                let rounds = rounds.and_then(|rounds| self.number(rounds));
                let ruleset = ruleset.map_or_else(|| Some(String::new()), |ruleset| self.ruleset(ruleset));
                let until = self.until(form, &options::settings(self.forms, settings));
                Some(Schedule::Run(RunSpec {
                    ruleset: ruleset?,
                    rounds,
                    until: until?.0,
                }))
            }
            head => {
                let known = ["saturate", "seq", "repeat", "run"];
                let otherwise = "a schedule is saturate, seq, repeat, run, or the name of a ruleset";
                let help = suggestion(head.unwrap_or_default(), known.into_iter(), otherwise);
                self.error("unknown-schedule", form, "this is not a schedule", &help);
                None
            }
        }
    }

    /// A term that [`Signature::resolve`] takes, and its sort.
    fn term(&mut self, form: Form) -> Option<(String, SortId)> {
        let mut scope = Scope::new(self.signature, self.failed);
        let (text, sort) = ground(&mut scope, self.forms, form, false, self.diagnostics)?;
        let plain = sort == UNTYPED_SORT && !self.signature.labels.contains(&text);
        Some((if plain { format!("(untyped {text})") } else { text }, sort))
    }

    fn extract(&mut self, form: Form, positional: &[Form], settings: &[Setting<'t>]) -> Option<CommandKind> {
        const USAGE: &str = "(extract term [variants] [:cost tree|dag] [:within colors…])";
        let (term, variants) = match *positional {
            [term] => (term, Some(1)),
            [term, variants] => (term, self.number::<u32>(variants).map(|count| count.max(1))),
            _ => return self.usage(form, USAGE),
        };
        let Some(variants) = variants else {
            return self.usage(form, USAGE);
        };
        let term = self.term(term);
        let (mut dag, mut within) = (false, Vec::new());
        let mut sound = true;
        for Setting { key, name, values } in settings {
            let values: Vec<&str> = values.iter().map(|&value| self.forms.source(value)).collect();
            match (*name, &values[..]) {
                (":cost", &["tree"]) => dag = false,
                (":cost", &["dag"]) => dag = true,
                (":within", [_, ..]) if values.iter().all(|value| Color::from_name(value).is_some()) => {
                    within.extend(values.into_iter().filter_map(Color::from_name));
                }
                _ => {
                    sound = false;
                    self.error(
                        "unknown-option",
                        *key,
                        &format!("`extract` has no such option `{name}`"),
                        USAGE,
                    );
                }
            }
        }
        let (term, _) = term?;
        sound.then_some(CommandKind::Extract {
            term,
            variants,
            dag,
            within,
        })
    }

    fn operator(&mut self, form: Form) -> Option<String> {
        let name = self.forms.source(form);
        if self.signature.is_operator(name) {
            return Some(name.to_owned());
        }
        if !self.failed.contains(name) {
            let help = suggestion(name, self.signature.typed_names(), "declare it first");
            self.error(
                "unknown-operator",
                form,
                &format!("no operator `{name}` is declared"),
                &help,
            );
        }
        None
    }

    fn print_size(&mut self, form: Form, arguments: &[Form]) -> Option<CommandKind> {
        match *arguments {
            [] => Some(CommandKind::PrintSize(None)),
            [operator] => self
                .operator(operator)
                .map(|operator| CommandKind::PrintSize(Some(operator))),
            _ => self.usage(form, "(print-size [operator])"),
        }
    }

    fn print_function(&mut self, form: Form, arguments: &[Form]) -> Option<CommandKind> {
        let (operator, limit) = match *arguments {
            [operator] => (operator, Some(u32::MAX)),
            [operator, limit] => (operator, self.number(limit)),
            _ => return self.usage(form, "(print-function operator [rows])"),
        };
        let Some(limit) = limit else {
            return self.usage(form, "(print-function operator [rows])");
        };
        self.operator(operator)
            .map(|operator| CommandKind::PrintFunction { operator, limit })
    }

    fn explain(&mut self, form: Form, arguments: &[Form]) -> Option<CommandKind> {
        let [left, right] = *arguments else {
            return self.usage(form, "(explain term term)");
        };
        let sides = (self.term(left), self.term(right));
        let ((left, left_sort), (right, right_sort)) = (sides.0?, sides.1?);
        if left_sort != right_sort {
            let name = |sort| self.signature.sort_name(sort);
            let message = format!("the sides are {} and {}", name(left_sort), name(right_sort));
            self.error("sort-mismatch", form, &message, "");
            return None;
        }
        Some(CommandKind::Explain { left, right })
    }

    fn count(&mut self, form: Form, arguments: &[Form]) -> Option<u32> {
        let count = match *arguments {
            [] => Some(1),
            [count] => self.number(count),
            _ => None,
        };
        if count.is_none() {
            return self.usage(form, "give the number of scopes, or nothing for one");
        }
        count
    }
}
