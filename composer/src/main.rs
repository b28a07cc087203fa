//! `composer`: composes agents, lists what they are made of, and writes the plain components.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{ArgGroup, Parser};
use eqmesh_composer::{Components, World, compose_from, describe, table};

/// Composes the components into agents.
///
/// Exit status: 0 on success, 1 when composing or writing fails, 2 for wrong arguments.
#[derive(Parser)]
#[command(version, group(ArgGroup::new("action").required(true).args(["list", "world", "components", "services"])))]
struct Arguments {
    /// Show every agent: its components, their sizes, imports and exports.
    #[arg(long)]
    list: bool,

    /// With --list: as JSON.
    #[arg(long, requires = "list")]
    json: bool,

    /// Compose this agent (red, blue, green or solo).
    #[arg(long, value_name = "AGENT", requires = "output")]
    world: Option<World>,

    /// Where to write the composed agent; - is the standard output.
    #[arg(long, short, value_name = "FILE", requires = "world")]
    output: Option<PathBuf>,

    /// Write the plain components to DIR/eqmesh/NAME.wasm, where `wac compose --deps-dir DIR` finds them.
    #[arg(long, value_name = "DIR")]
    components: Option<PathBuf>,

    /// Write the components that spin.toml names to DIR (needs the cargo feature `services`).
    #[arg(long, value_name = "DIR")]
    services: Option<PathBuf>,

    /// Use another component in the place of one, in everything above. May be repeated.
    #[arg(long, value_name = "NAME=FILE", value_parser = replacement)]
    replace: Vec<(String, PathBuf)>,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("composer: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<()> {
    let mut components = Components::built();
    for (name, file) in &arguments.replace {
        let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        components.replace(name, bytes)?;
    }
    if arguments.list {
        let agents = World::ALL.map(|world| describe(world, &components));
        let agents = agents.into_iter().collect::<Result<Vec<_>, _>>()?;
        if arguments.json {
            show(format!("{}\n", serde_json::to_string_pretty(&agents)?).as_bytes())?;
        } else {
            show(table(&agents).as_bytes())?;
        }
    }
    if let (Some(world), Some(output)) = (arguments.world, &arguments.output) {
        let agent = compose_from(world, &components)?;
        if output == Path::new("-") {
            show(&agent)?;
        } else {
            write(output, &agent)?;
        }
    }
    if let Some(folder) = &arguments.components {
        let folder = folder.join("eqmesh");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        for (name, bytes) in components.iter() {
            write(&folder.join(format!("{}.wasm", Components::wac_name(name))), bytes)?;
        }
    }
    if let Some(folder) = &arguments.services {
        write_services(folder)?;
    }
    Ok(())
}

#[cfg(feature = "services")]
fn write_services(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for (name, bytes) in eqmesh_composer::services()? {
        write(&folder.join(format!("{name}.wasm")), &bytes)?;
    }
    Ok(())
}

#[cfg(not(feature = "services"))]
fn write_services(_: &Path) -> Result<()> {
    anyhow::bail!(
        "this composer was built without services: use `cargo run --release -p eqmesh-composer --features services -- --services DIR`"
    )
}

/// Splits `NAME=FILE`.
fn replacement(argument: &str) -> Result<(String, PathBuf), String> {
    let (name, file) = argument.split_once('=').ok_or("expected NAME=FILE")?;
    Ok((name.to_owned(), file.into()))
}

fn show(bytes: &[u8]) -> Result<()> {
    std::io::stdout()
        .lock()
        .write_all(bytes)
        .context("cannot write to the standard output")
}

fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(file, bytes).with_context(|| format!("cannot write {}", file.display()))
}
