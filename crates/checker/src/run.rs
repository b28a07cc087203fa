//! Finished runs: a program, and the JSON document that `eqmesh run --json` printed for it.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::check::{Refusal, Verdict, Why};
use crate::explanation::{Explanation, Lemma, Step};
use crate::sexp::Forms;
use crate::term::Term;
use crate::theory::{Request, Theory, TheoryError};

/// The form of document that is read.
const SCHEMA: &str = "eqmesh.run/1";

/// The most files that include each other.
const MAX_INCLUDE_DEPTH: usize = 64;

/// What became of one `explain`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The line of the command, from 1.
    pub line: u64,
    /// What the check comes to.
    pub outcome: Outcome,
}

/// What the check of one explanation comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It shows what it says.
    Holds(Verdict),
    /// It does not.
    Refused(Refusal),
    /// It cannot be said: some of it rests on facts that were compacted into a snapshot that is not trusted. The rest holds.
    NotCheckable(Refusal),
    /// The run gave no explanation, and said why.
    Unanswered(String),
}

/// Why a run cannot be checked.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The document is not one of `eqmesh run --json`.
    #[error("not a document of `eqmesh run --json`: {0}")]
    Document(#[from] serde_json::Error),
    /// It is one of another form.
    #[error("the document is `{0}`, not `{SCHEMA}`")]
    Schema(String),
    /// The program cannot be understood.
    #[error("{}: {error}", file.display())]
    Theory {
        /// The file.
        file: PathBuf,
        /// Why not.
        error: TheoryError,
    },
    /// A file of the program cannot be read.
    #[error("cannot read {}: {error}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// Files include each other without end.
    #[error("files include each other more than {MAX_INCLUDE_DEPTH} deep")]
    Depth,
    /// A scope is closed that was not opened.
    #[error("{}: a scope is closed that was not opened", .0.display())]
    Scope(PathBuf),
    /// The program and the document do not belong together.
    #[error("the program explains on line {line} of {}, and the document {found}", file.display())]
    Stranger {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: u32,
        /// What the document has there.
        found: String,
    },
    /// The document explains more than the program asks.
    #[error("the document has {0} explanations that the program does not ask for")]
    TooMany(usize),
}

#[derive(Deserialize)]
struct Document {
    schema: String,
    results: Vec<Answer>,
}

#[derive(Deserialize)]
struct Answer {
    command: String,
    line: u64,
    #[serde(default)]
    steps: Vec<Step>,
    #[serde(default)]
    lemmas: Vec<Lemma>,
    error: Option<String>,
}

/// Checks every explanation of a finished run. `files`: the program's files in the order in which they were given, with their texts; a name that
/// ends in `.rules` means a rule a line, `.sexp` plain terms. `trusted`: the digests of snapshots to trust, see [`Theory::trust_snapshot`]. `load` reads the files to include.
pub fn check_run(
    files: &[(PathBuf, String)],
    json: &str,
    trusted: &[String],
    load: &mut dyn FnMut(&Path) -> std::io::Result<String>,
) -> Result<Vec<Answered>, RunError> {
    let document: Document = serde_json::from_str(json)?;
    if document.schema != SCHEMA {
        return Err(RunError::Schema(document.schema));
    }
    let answers: Vec<Answer> = document
        .results
        .into_iter()
        .filter(|own| own.command == "explain")
        .collect();
    let mut theory = Theory::new();
    trusted.iter().for_each(|digest| theory.trust_snapshot(digest));
    let mut run = Run {
        theory,
        scopes: Vec::new(),
        answers: answers.into_iter(),
        answered: Vec::new(),
        load,
    };
    for (path, text) in files {
        run.file(path, text, 0)?;
    }
    match run.answers.len() {
        0 => Ok(run.answered),
        left => Err(RunError::TooMany(left)),
    }
}

struct Run<'l> {
    theory: Theory,
    /// What was known when each scope was opened.
    scopes: Vec<Theory>,
    answers: std::vec::IntoIter<Answer>,
    answered: Vec<Answered>,
    load: &'l mut dyn FnMut(&Path) -> std::io::Result<String>,
}

impl Run<'_> {
    /// Recursion is as deep as files include each other, which is bounded.
    fn file(&mut self, path: &Path, text: &str, depth: usize) -> Result<(), RunError> {
        if depth > MAX_INCLUDE_DEPTH {
            return Err(RunError::Depth);
        }
        let of_theory = |error: TheoryError| RunError::Theory {
            file: path.to_owned(),
            error,
        };
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("rules") => return self.theory.read_rules(text).map_err(of_theory),
            Some("sexp") => return self.theory.read(&format!("(untyped {text})")).map_err(of_theory),
            _ => {}
        }
        let forms = Forms::read(text).map_err(TheoryError::from).map_err(of_theory)?;
        for form in forms.roots() {
            match self.theory.statement(&forms, form).map_err(of_theory)? {
                Request::Nothing => {}
                Request::Push(count) => {
                    let scopes = std::iter::repeat_n(self.theory.clone(), count as usize);
                    self.scopes.extend(scopes);
                }
                Request::Pop(count) => {
                    for _ in 0..count {
                        let scope = self.scopes.pop();
                        self.theory = scope.ok_or_else(|| RunError::Scope(path.to_owned()))?;
                    }
                }
                Request::Include(name) => {
                    let target = path.parent().unwrap_or(Path::new("")).join(name);
                    let text = (self.load)(&target).map_err(|error| RunError::File {
                        file: target.clone(),
                        error,
                    })?;
                    self.file(&target, &text, depth + 1)?;
                }
                Request::Explain(left, right) => self.answer(path, forms.line(form), &left, &right)?,
            }
        }
        Ok(())
    }

    fn answer(&mut self, path: &Path, line: u32, left: &Term, right: &Term) -> Result<(), RunError> {
        let stranger = |found: String| RunError::Stranger {
            file: path.to_owned(),
            line,
            found,
        };
        let own = self
            .answers
            .next()
            .ok_or_else(|| stranger("has no explanation more".to_owned()))?;
        if own.line != u64::from(line) {
            return Err(stranger(format!("has the next one for line {}", own.line)));
        }
        let explanation = Explanation {
            steps: own.steps,
            lemmas: own.lemmas,
        };
        let outcome = match own.error {
            Some(error) => Outcome::Unanswered(error),
            None => match self.theory.check(left, right, &explanation) {
                Ok(verdict) => Outcome::Holds(verdict),
                Err(refusal) if matches!(refusal.why, Why::Compacted { .. }) => Outcome::NotCheckable(refusal),
                Err(refusal) => Outcome::Refused(refusal),
            },
        };
        self.answered.push(Answered {
            line: own.line,
            outcome,
        });
        Ok(())
    }
}
