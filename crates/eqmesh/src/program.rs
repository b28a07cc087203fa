//! Programs from files.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use eqmesh_language::{Format, Program, ProgramErrors, read_program, read_programs};

/// Why a program cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file cannot be read.
    #[error("cannot read {}: {error}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Something in it is wrong.
    #[error(transparent)]
    Program(#[from] ProgramErrors),
}

/// A program of one text, without includes.
pub fn of_text(name: &str, text: &str) -> Result<Program, ProgramErrors> {
    let mut load = |path: &Path| {
        Err(std::io::Error::new(
            std::io::ErrorKind::NotFound,
            path.display().to_string(),
        ))
    };
    read_program(Path::new(name), text.to_owned(), &mut load)
}

/// Reads the files as one program: first the rules, then the others, in order. `-` is the standard input.
pub fn load(rules: &[PathBuf], files: &[PathBuf]) -> Result<Program, LoadError> {
    let rules = rules.iter().map(|path| (path, Format::OtherRules));
    let files = files.iter().map(|path| (path, Format::of_path(path)));
    let mut texts = Vec::new();
    for (path, format) in rules.chain(files) {
        let text = read(path).map_err(|error| LoadError::File {
            path: path.clone(),
            error,
        })?;
        texts.push((path.clone(), text, format));
    }
    Ok(read_programs(texts, &mut |path| read(path))?)
}

fn read(path: &Path) -> std::io::Result<String> {
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes)?;
        bytes
    } else {
        std::fs::read(path)?
    };
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].split(|&byte| byte == b'\n').count();
        let message = format!("line {line} is not UTF-8 (byte {at}); save the file as UTF-8");
        std::io::Error::new(std::io::ErrorKind::InvalidData, message)
    })
}
