//! Diagnostics for people, with the line that they are about, and as JSON.

use std::io::IsTerminal as _;

use eqmesh_language::{Diagnostic, Lines, SourceFile};
use miette::{
    GraphicalReportHandler, LabeledSpan, MietteDiagnostic, MietteError, MietteSpanContents, Report, Severity,
    SourceCode, SourceSpan, SpanContents,
};
use serde_json::json;

use super::{BAD_INPUT, complain, show};

/// How many are shown of a text with more.
const SHOWN: usize = 100;

/// Longer lines are cut around the place, so that a text of one long line can be shown.
const CONTEXT: usize = 200;

/// What ends a line.
const ENDS: [char; 2] = ['\r', '\n'];

fn handler() -> GraphicalReportHandler {
    // Colors as the environment asks: none under NO_COLOR, or where the standard error is no terminal.
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let theme = if plain || !std::io::stderr().is_terminal() {
        miette::GraphicalTheme::unicode_nocolor()
    } else {
        miette::GraphicalTheme::default()
    };
    GraphicalReportHandler::new_themed(theme)
        .with_width(120)
        .without_syntax_highlighting()
}

/// Shows an error that carries its own source, with the line that it is about.
#[cfg(feature = "network")]
pub(super) fn report(error: &dyn miette::Diagnostic) {
    let mut text = String::new();
    match handler().render_report(&mut text, error) {
        Ok(()) => complain(&text),
        Err(_) => say!("eqmesh: {error}"),
    }
}

/// The lines around a place, under their own numbers: all that is ever shown of a file, however long it is.
struct Excerpt {
    name: String,
    text: String,
    /// Where the text begins in the file.
    from: usize,
    /// The line (from 0) and column (from 0) where it begins.
    line: usize,
    column: usize,
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        asked: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let lines = self.text.lines().count();
        // Without context, it is asked where the place itself is, for the headline.
        let column = match asked.offset().checked_sub(self.from) {
            Some(offset) if before == 0 && after == 0 => {
                self.text.char_indices().take_while(|(at, _)| *at < offset).count() + self.column
            }
            _ => self.column,
        };
        let span = SourceSpan::from((self.from, self.text.len()));
        let contents =
            MietteSpanContents::new_named(self.name.clone(), self.text.as_bytes(), span, self.line, column, lines);
        Ok(Box::new(contents))
    }
}

/// The place and its surroundings: its line, cut where that is of an unbearable length.
fn excerpt(file: &SourceFile, lines: &Lines<'_>, own: &Diagnostic) -> (Excerpt, LabeledSpan) {
    let text = &file.text;
    let boundary = |mut at: usize, step: isize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at = at.saturating_add_signed(step);
        }
        at
    };
    let (start, end) = (
        boundary(own.span.start, -1),
        boundary(own.span.end.max(own.span.start), 1),
    );
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let from = boundary(line_start.max(start.saturating_sub(CONTEXT)), -1).max(line_start);
    // A place of many lines is shown by its first, without what ends it.
    let end = text[start..end].find(ENDS).map_or(end, |at| start + at);
    let end = end.min(boundary(start + CONTEXT, -1).max(start));
    let to = text[end..]
        .find(ENDS)
        .map_or(text.len(), |at| end + at)
        .min(boundary(end + CONTEXT, 1));
    let (line, _) = lines.position(start);
    let excerpt = Excerpt {
        name: file.path.display().to_string(),
        text: text[from..to].to_owned(),
        from,
        line: line as usize - 1,
        column: text[line_start..from].chars().count(),
    };
    (excerpt, LabeledSpan::new(None, start, end - start))
}

fn render(file: &SourceFile, lines: &Lines<'_>, own: &Diagnostic) -> String {
    let (excerpt, label) = excerpt(file, lines, own);
    let severity = if own.error { Severity::Error } else { Severity::Warning };
    let mut diagnostic = MietteDiagnostic::new(&own.message)
        .with_code(own.code)
        .with_severity(severity)
        .with_label(label);
    if !own.help.is_empty() {
        diagnostic = diagnostic.with_help(&own.help);
    }
    let report = Report::new(diagnostic).with_source_code(excerpt);
    let mut text = String::new();
    match handler().render_report(&mut text, report.as_ref()) {
        Ok(()) => text,
        Err(_) => {
            let (line, column) = lines.position(own.span.start.min(file.text.len()));
            format!("{}:{line}:{column}: {}\n", file.path.display(), own.message)
        }
    }
}

fn print(files: &[SourceFile], all: &[(usize, Diagnostic)]) {
    let lines: Vec<Lines<'_>> = files.iter().map(|file| Lines::new(&file.text)).collect();
    for (file, own) in all.iter().take(SHOWN) {
        complain(&render(&files[*file], &lines[*file], own));
    }
    if all.len() > SHOWN {
        say!("… and {} more", all.len() - SHOWN);
    }
}

/// Shows warnings.
pub(crate) fn warnings(files: &[SourceFile], all: &[(usize, Diagnostic)]) {
    print(files, all);
}

/// Shows what is wrong with a program, and as JSON if asked to.
pub(crate) fn errors(files: &[SourceFile], all: &[(usize, Diagnostic)], json: bool) -> u8 {
    // Errors first: a warning may be but their consequence.
    let (errors, warnings): (Vec<_>, Vec<_>) = all.iter().cloned().partition(|(_, own)| own.error);
    let all: Vec<(usize, Diagnostic)> = errors.into_iter().chain(warnings).collect();
    print(files, &all);
    if json {
        let lines: Vec<Lines<'_>> = files.iter().map(|file| Lines::new(&file.text)).collect();
        let entries: Vec<serde_json::Value> = all
            .iter()
            .map(|(file, own)| {
                let (line, column) = lines[*file].position(own.span.start.min(files[*file].text.len()));
                json!({
                    "file": files[*file].path.display().to_string(),
                    "line": line,
                    "column": column,
                    "code": own.code,
                    "message": own.message,
                    "help": own.help,
                    "severity": if own.error { "error" } else { "warning" },
                })
            })
            .collect();
        json_document(&entries);
    }
    BAD_INPUT
}

/// The document that takes the place of a report where the input is bad.
pub(crate) fn json_document(diagnostics: &[serde_json::Value]) {
    let document = json!({ "schema": "eqmesh.error/1", "diagnostics": diagnostics });
    show(format!("{document:#}\n").as_bytes());
}
