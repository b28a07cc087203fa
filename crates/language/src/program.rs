//! Whole programs: files, what they include, and their commands, every one checked before anything runs.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use crate::command::{CommandKind, CommandReader};
use crate::diagnostic::{Diagnostic, Lines};
use crate::reader::{Form, Forms};
use crate::rules_file::read_rules;
use crate::sexp_file::read_sexp;
use crate::signature::Signature;
use crate::statement::{DECLARATIVE, Elaborator, Statement, in_order, is_term, unknown_statement};

/// Why `push` and `pop` cannot be sent to an agent.
pub const NO_SCOPES: &str = "a network that runs all the time has no scopes: its facts only grow";

/// The most files that include each other.
pub const MAX_INCLUDE_DEPTH: usize = 64;

/// The most scopes that may be open.
pub const MAX_SCOPES: usize = 1_000;

/// A file as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Where it was read from.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
}

/// One command of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Which of the program's files it is in.
    pub file: usize,
    /// Where: byte offsets.
    pub span: Range<usize>,
    /// The line that it begins on, from 1.
    pub line: u32,
    /// What it says; for a declarative one, a text that [`Signature::elaborate`] takes.
    pub text: String,
    /// What it does.
    pub kind: CommandKind,
}

/// A program: its files, and the commands of all of them in the order in which they run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Program {
    /// The first is the program, the others what it includes.
    pub files: Vec<SourceFile>,
    /// In order; `include` is replaced by what is included.
    pub commands: Vec<Command>,
    /// What is odd and does no harm, with its file.
    pub warnings: Vec<(usize, Diagnostic)>,
    /// The rulesets with a name that have rules.
    pub rulesets: BTreeSet<String>,
}

impl Program {
    /// Checks that it opens and closes no scopes, as is needed for a network that runs all the time.
    pub fn without_scopes(&self) -> Result<(), ProgramErrors> {
        let scope = |own: &Command| {
            let head = match own.kind {
                CommandKind::Push(_) => "push",
                CommandKind::Pop(_) => "pop",
                _ => return None,
            };
            let message = format!("`{head}` cannot be sent to an agent");
            Some((
                own.file,
                Diagnostic::error("command", own.span.clone(), message).help(NO_SCOPES),
            ))
        };
        let diagnostics: Vec<(usize, Diagnostic)> = self.commands.iter().filter_map(scope).collect();
        if diagnostics.is_empty() {
            return Ok(());
        }
        Err(ProgramErrors {
            files: self.files.clone(),
            diagnostics,
        })
    }
}

/// Everything that is wrong with a program.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub struct ProgramErrors {
    /// The files, for showing where.
    pub files: Vec<SourceFile>,
    /// What is wrong (and what is odd besides), with its file.
    pub diagnostics: Vec<(usize, Diagnostic)>,
}

/// How many diagnostics are shown of a program with more.
const SHOWN: usize = 100;

/// A line for each of the first hundred diagnostics.
impl fmt::Display for ProgramErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<Lines<'_>> = self.files.iter().map(|file| Lines::new(&file.text)).collect();
        for (i, (file, own)) in self.diagnostics.iter().take(SHOWN).enumerate() {
            let (line, column) = lines[*file].position(own.span.start);
            let kind = if own.error { "error" } else { "warning" };
            let path = self.files[*file].path.display();
            let separator = if i == 0 { "" } else { "\n" };
            write!(
                f,
                "{separator}{path}:{line}:{column}: {kind}[{}]: {}",
                own.code, own.message
            )?;
        }
        if self.diagnostics.len() > SHOWN {
            write!(f, "\n… and {} more", self.diagnostics.len() - SHOWN)?;
        }
        Ok(())
    }
}

/// What a file is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Commands, in egglog's syntax.
    Commands,
    /// A rule a line.
    Rules,
    /// A rule a line, as other tools have them: a rule that cannot be run here, since its left side is a variable alone or its right side has one that
    /// the left side has not, is left out with a warning. Anything else that is wrong is an error.
    OtherRules,
    /// Untyped terms.
    Terms,
}

impl Format {
    /// What the name of a file says: `.rules`, `.sexp`, or anything else for commands.
    pub fn of_path(path: &Path) -> Format {
        let extension = path.extension().and_then(|extension| extension.to_str());
        match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("rules") => Format::Rules,
            Some("sexp") => Format::Terms,
            _ => Format::Commands,
        }
    }
}

/// Reads a program, all that it includes, and checks everything in the order in which it will run, so that every error in it is found before
/// anything runs. A file whose name ends in `.rules` or `.sexp` is read as such. `load` reads the files to include.
pub fn read_program(
    path: &Path,
    text: String,
    load: &mut dyn FnMut(&Path) -> std::io::Result<String>,
) -> Result<Program, ProgramErrors> {
    read_programs([(path.to_owned(), text, Format::of_path(path))], load)
}

/// Reads several files as one program, in order. See [`read_program`].
pub fn read_programs(
    files: impl IntoIterator<Item = (PathBuf, String, Format)>,
    load: &mut dyn FnMut(&Path) -> std::io::Result<String>,
) -> Result<Program, ProgramErrors> {
    let mut reader = ProgramReader {
        signature: Signature::new(),
        failed: BTreeSet::new(),
        program: Program::default(),
        errors: Vec::new(),
        load,
        open: Vec::new(),
        scopes: 0,
    };
    for (path, text, format) in files {
        reader.open = vec![normal(&path)];
        reader.file(path, text, format);
    }
    let ProgramReader {
        program, mut errors, ..
    } = reader;
    if errors.is_empty() {
        return Ok(program);
    }
    errors.extend(program.warnings);
    errors.sort_by_key(|(file, own)| (*file, own.span.start, own.span.end));
    Err(ProgramErrors {
        files: program.files,
        diagnostics: errors,
    })
}

struct ProgramReader<'l> {
    signature: Signature,
    failed: BTreeSet<String>,
    program: Program,
    errors: Vec<(usize, Diagnostic)>,
    load: &'l mut dyn FnMut(&Path) -> std::io::Result<String>,
    /// The files that are being read, each included by the one before.
    open: Vec<PathBuf>,
    scopes: usize,
}

impl ProgramReader<'_> {
    fn report(&mut self, file: usize, diagnostics: Vec<Diagnostic>) {
        for diagnostic in diagnostics {
            let list = if diagnostic.error {
                &mut self.errors
            } else {
                &mut self.program.warnings
            };
            list.push((file, diagnostic));
        }
    }

    /// Recursion is as deep as files include each other, which is bounded.
    fn file(&mut self, path: PathBuf, text: String, format: Format) {
        let file = self.program.files.len();
        self.program.files.push(SourceFile {
            path: path.clone(),
            text: text.clone(),
        });
        match format {
            Format::Rules | Format::OtherRules => {
                let left_out =
                    |own: &Diagnostic| matches!(own.code, "left-is-variable" | "unbound-variable" | "duplicate-rule");
                let lenient = (format == Format::OtherRules)
                    .then(|| read_rules(&text, true))
                    .filter(|read| read.as_ref().is_ok_and(|read| read.warnings.iter().all(left_out)));
                let forms = match lenient.unwrap_or_else(|| read_rules(&text, false)) {
                    Ok(read) => {
                        self.report(file, read.warnings);
                        read.forms
                    }
                    Err(errors) => return self.report(file, errors),
                };
                self.lines(file, &text, forms);
            }
            Format::Terms => match read_sexp(&text) {
                Ok(forms) => self.lines(file, &text, forms),
                Err(errors) => self.report(file, errors),
            },
            Format::Commands => match Forms::read(&text) {
                Ok(forms) => self.commands(file, &path, &forms),
                Err(errors) => self.report(file, in_order(errors)),
            },
        }
    }

    /// Takes in declarative texts whose places are known; what is wrong with one is said of the whole.
    fn lines(&mut self, file: usize, text: &str, forms: Vec<(Range<usize>, String)>) {
        let lines = Lines::new(text);
        for (span, text) in forms {
            match self.signature.elaborate(&text) {
                Ok(elaborated) => {
                    let warnings = elaborated.warnings.into_iter().map(|own| Diagnostic {
                        span: span.clone(),
                        ..own
                    });
                    self.report(file, warnings.collect());
                }
                Err(errors) => {
                    let errors = errors
                        .into_iter()
                        .map(|own| Diagnostic {
                            span: span.clone(),
                            ..own
                        })
                        .collect();
                    self.report(file, errors);
                }
            }
            let line = lines.line(span.start);
            self.program.commands.push(Command {
                file,
                span,
                line,
                text,
                kind: CommandKind::Declarative,
            });
        }
    }

    fn commands(&mut self, file: usize, path: &Path, forms: &Forms<'_>) {
        let lines = Lines::new(forms.text());
        for form in forms.roots() {
            if forms.head(form) == Some("include") {
                self.include(file, path, forms, form);
                continue;
            }
            let mut diagnostics = Vec::new();
            let command = self.command(file, forms, form, &lines, 0, &mut diagnostics);
            self.report(file, in_order(diagnostics));
            self.program.commands.extend(command);
        }
    }

    fn include(&mut self, file: usize, path: &Path, forms: &Forms<'_>, form: Form) {
        let place = forms.span(form);
        let mut names = forms.elements(form).skip(1);
        let (Some(name), None) = (names.next().and_then(|name| forms.string(name)), names.next()) else {
            let usage = "`include` takes the path of a file between quotes";
            return self.report(
                file,
                vec![Diagnostic::error("usage", place, usage).help("(include \"rules.egg\")")],
            );
        };
        let target = path.parent().unwrap_or(Path::new("")).join(&name);
        let own = normal(&target);
        if let Some(start) = self.open.iter().position(|open| *open == own) {
            let chain: Vec<String> = self.open[start..]
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            let message = format!("`{name}` includes itself: {} -> {}", chain.join(" -> "), own.display());
            return self.report(file, vec![Diagnostic::error("include-cycle", place, message)]);
        }
        if self.open.len() > MAX_INCLUDE_DEPTH {
            let message = format!("files include each other more than {MAX_INCLUDE_DEPTH} deep");
            return self.report(file, vec![Diagnostic::error("limit", place, message)]);
        }
        match (self.load)(&target) {
            Ok(text) => {
                self.open.push(own);
                let format = Format::of_path(&target);
                self.file(target, text, format);
                self.open.pop();
            }
            Err(error) => {
                let message = format!("cannot read `{}`: {error}", target.display());
                let help = "a path is relative to the file that includes";
                self.report(
                    file,
                    vec![Diagnostic::error("include-failed", place, message).help(help)],
                );
            }
        }
    }

    /// Recursion is as deep as `fail` stands in `fail`, which is once.
    fn command(
        &mut self,
        file: usize,
        forms: &Forms<'_>,
        form: Form,
        lines: &Lines<'_>,
        depth: usize,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Command> {
        let span = forms.span(form);
        let head = forms.head(form);
        let declarative = head.is_some_and(|head| DECLARATIVE.contains(&head)) || is_term(&self.signature, forms, form);
        let kind = if declarative {
            let mut elaborator = Elaborator {
                signature: &mut self.signature,
                forms,
                failed: &mut self.failed,
                diagnostics: Vec::new(),
            };
            let said = elaborator.statement(form);
            diagnostics.append(&mut elaborator.diagnostics);
            // What stands in `fail` is forgotten.
            if depth == 0 {
                self.program.rulesets.extend(said.into_iter().flat_map(rulesets));
            }
            CommandKind::Declarative
        } else {
            match head {
                Some("fail") => self.fail(file, forms, form, lines, depth, diagnostics)?,
                Some(head) if crate::command::COMMANDS.contains(&head) => {
                    let mut reader = CommandReader {
                        signature: &self.signature,
                        forms,
                        failed: &self.failed,
                        diagnostics,
                    };
                    let kind = reader.command(head, form)?;
                    self.scope(&kind, &span, diagnostics)?;
                    kind
                }
                _ => {
                    let statements: Vec<&'static str> =
                        DECLARATIVE.into_iter().chain(crate::command::COMMANDS).collect();
                    diagnostics.extend(unknown_statement(
                        &self.signature,
                        &self.failed,
                        forms,
                        form,
                        &statements,
                    ));
                    return None;
                }
            }
        };
        let line = lines.line(span.start);
        Some(Command {
            file,
            span,
            line,
            text: forms.source(form).to_owned(),
            kind,
        })
    }

    /// Opens and closes scopes.
    fn scope(&mut self, kind: &CommandKind, span: &Range<usize>, diagnostics: &mut Vec<Diagnostic>) -> Option<()> {
        match *kind {
            CommandKind::Push(count) => {
                if self.scopes + count as usize > MAX_SCOPES {
                    let message = format!("more than {MAX_SCOPES} scopes are open");
                    diagnostics.push(Diagnostic::error("limit", span.clone(), message));
                    return None;
                }
                self.scopes += count as usize;
                (0..count).for_each(|_| self.signature.push());
            }
            CommandKind::Pop(count) => {
                if count as usize > self.scopes {
                    let message = format!("this closes {count} of {} open scopes", self.scopes);
                    diagnostics
                        .push(Diagnostic::error("unbalanced-pop", span.clone(), message).help("`push` opens a scope"));
                    return None;
                }
                self.scopes -= count as usize;
                (0..count).for_each(|_| {
                    self.signature.pop();
                });
            }
            _ => {}
        }
        Some(())
    }

    /// The command inside is allowed to be wrong, as long as it is a command; what it declares is forgotten.
    fn fail(
        &mut self,
        file: usize,
        forms: &Forms<'_>,
        form: Form,
        lines: &Lines<'_>,
        depth: usize,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<CommandKind> {
        let mut parts = forms.elements(form).skip(1);
        let (Some(inner), None) = (parts.next(), parts.next()) else {
            let message = "`fail` takes one command";
            diagnostics.push(Diagnostic::error("usage", forms.span(form), message).help("(fail (check facts…))"));
            return None;
        };
        if depth > 0 || matches!(forms.head(inner), Some("include" | "push" | "pop")) {
            let message = format!("`{}` cannot stand in `fail`", forms.head(inner).unwrap_or("fail"));
            diagnostics.push(Diagnostic::error("misplaced-command", forms.span(inner), message));
            return None;
        }
        let (mark, failed) = (self.signature.mark(), self.failed.clone());
        let mut wrong = Vec::new();
        let command = self.command(file, forms, inner, lines, depth + 1, &mut wrong);
        self.signature.rollback(mark);
        self.failed = failed;
        let errors: Vec<Diagnostic> = wrong.into_iter().filter(|own| own.error).collect();
        if let Some(command) = command.filter(|_| errors.is_empty()) {
            return Some(CommandKind::Fail(Box::new(command)));
        }
        // What is not a command of the language is a mistake, not a failure.
        let unknown = |own: &Diagnostic| matches!(own.code, "unknown-command" | "not-supported" | "misplaced-command");
        if errors.is_empty() || errors.iter().any(unknown) {
            diagnostics.extend(errors);
            return None;
        }
        let first = &errors[0];
        diagnostics.push(
            Diagnostic::warning(
                "fails-early",
                first.span.clone(),
                format!("this fails as it is read: {} ({})", first.message, first.code),
            )
            .help("the command never runs"),
        );
        let span = forms.span(inner);
        let line = lines.line(span.start);
        let text = forms.source(inner).to_owned();
        let command = Command {
            file,
            span,
            line,
            text,
            kind: CommandKind::Declarative,
        };
        Some(CommandKind::Fail(Box::new(command)))
    }
}

/// The rulesets with a name that a statement adds rules to.
fn rulesets(statement: Statement) -> Vec<String> {
    let Statement::Rules(rules) = statement else {
        return Vec::new();
    };
    let names = rules.into_iter().map(|own| own.rule.ruleset);
    names.filter(|name| !name.is_empty()).collect()
}

/// The path without `.` and `..`, as far as they can be removed without looking at the file system.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(normal.components().next_back(), Some(Component::Normal(_))) => {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    normal
}
