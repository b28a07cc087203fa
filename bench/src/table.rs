//! Figures against targets: parts that are measured by another program, each in a fresh process.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, bail};
use eqmesh_workloads::row::{Bound, Row};

/// What is to be measured.
pub(crate) struct Parts<'a> {
    /// The program: it prints a row as JSON a line.
    pub(crate) program: &'a Path,
    /// Its arguments before the part's name.
    pub(crate) before: &'a [&'a OsStr],
    pub(crate) all: &'a [&'a str],
    /// All, if this is empty.
    pub(crate) chosen: &'a [String],
    pub(crate) json: bool,
}

/// Measures and prints. Fails with status 1 where a figure is not what it should be.
pub(crate) fn run(parts: &Parts<'_>) -> Result<ExitCode> {
    if !parts.json {
        println!("{:<42} {:>14} {:<22} {:>14}  holds", "what", "value", "unit", "target");
    }
    let mut all_hold = true;
    for &part in parts.all {
        if !parts.chosen.is_empty() && !parts.chosen.iter().any(|own| own == part) {
            continue;
        }
        let output = Command::new(parts.program)
            .args(parts.before)
            .arg(part)
            .stderr(Stdio::inherit())
            .output()?;
        if !output.status.success() {
            bail!("{part}: {}", output.status);
        }
        let text = String::from_utf8(output.stdout).context(part.to_owned())?;
        for line in text.lines() {
            let row: Row = serde_json::from_str(line).context(part.to_owned())?;
            all_hold &= row.holds != Some(false);
            if parts.json {
                println!("{line}");
            } else {
                print(&row);
            }
        }
    }
    Ok(ExitCode::from(u8::from(!all_hold)))
}

fn print(row: &Row) {
    let sign = match row.bound {
        Some(Bound::AtMost) => "≤",
        Some(Bound::AtLeast) => "≥",
        None => "",
    };
    let target = row.target.map_or_else(String::new, |target| format!("{sign} {target}"));
    let holds = row.holds.map_or("", |holds| if holds { "yes" } else { "NO" });
    let digits = if row.value < 1000.0 { 2 } else { 0 };
    println!(
        "{:<42} {:>14.digits$} {:<22} {target:>14}  {holds}",
        row.name, row.value, row.unit
    );
}
