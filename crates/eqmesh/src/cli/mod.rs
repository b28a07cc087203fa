//! The command line: what is asked, and the exit status.

/// `eprintln!` in one piece, and without a panic where the standard error is closed or full.
macro_rules! say {
    ($($what:tt)*) => {
        $crate::cli::complain(&format!("{}\n", format_args!($($what)*)))
    };
}

#[cfg(feature = "network")]
mod client;
mod config;
mod diagnose;
mod doctor;
#[cfg(feature = "network")]
mod gateway;
#[cfg(feature = "network")]
mod live;
#[cfg(feature = "network")]
mod manifest;
#[cfg(feature = "network")]
mod nats_config;
mod progress;
mod run;
#[cfg(feature = "network")]
mod serve;
mod simulate;

#[cfg(not(feature = "network"))]
use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

/// Done, and every check holds.
pub(crate) const DONE: u8 = 0;
/// A check does not hold, or a question could not be answered.
pub(crate) const DOES_NOT_HOLD: u8 = 1;
/// Bad input or usage.
pub(crate) const BAD_INPUT: u8 = 2;
/// An internal error.
pub(crate) const INTERNAL: u8 = 3;

const EXIT_CODES: &str = "\
Exit codes:
  0  done, and every check holds
  1  a check does not hold, or a question could not be answered
  2  bad input or usage; nothing was run
  3  an internal error; what was computed so far is reported
  130  aborted by a second Ctrl-C

NO_COLOR turns colors off. Options win over EQMESH_* variables, those over eqmesh.toml in the current folder.";

/// Equality saturation that runs on many WebAssembly agents at once and always converges.
#[derive(Debug, Parser)]
#[command(name = "eqmesh", version, after_help = EXIT_CODES, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a program of terms and rules on a network of agents, and print the answers on which all of them agree.
    Run(Box<run::RunArguments>),
    /// Run a network of agents in virtual time, with lost messages, partitions and crashes, and check that it converges on what one agent alone comes to.
    Simulate(Box<simulate::SimulateArguments>),
    /// Serve the components of a spin.toml over HTTP, with durable state, and carry messages between the agents.
    #[cfg(feature = "network")]
    Serve(Box<serve::ServeArguments>),
    /// Say how the deployed network is.
    #[cfg(feature = "network")]
    Status(client::StatusArguments),
    /// Say how one agent of the deployed network is.
    #[cfg(feature = "network")]
    State(client::StateArguments),
    /// Send programs to the deployed network: their rules and terms.
    #[cfg(feature = "network")]
    Submit(client::SubmitArguments),
    /// Ask the deployed network for the cheapest terms equal to one.
    #[cfg(feature = "network")]
    Extract(client::ExtractArguments),
    /// Ask the deployed network why two terms are equal.
    #[cfg(feature = "network")]
    Explain(client::ExplainArguments),
    /// Look at the deployed network again and again, and say what changes.
    #[cfg(feature = "network")]
    Watch(client::WatchArguments),
    /// What only a build with the cargo feature `network` has.
    #[cfg(not(feature = "network"))]
    #[command(external_subcommand)]
    Other(Vec<OsString>),
    /// Carry messages between a NATS broker and agents behind HTTP: sign, deliver, acknowledge.
    #[cfg(feature = "network")]
    Gateway(Box<gateway::GatewayArguments>),
    /// Print a configuration of nats-server in which every agent can speak only for itself, and write the keys to go with it.
    #[cfg(feature = "network")]
    NatsConfig(nats_config::NatsConfigArguments),
    /// Say what is installed here, what is missing, and how to get it.
    Doctor(doctor::DoctorArguments),
    /// Write a completion script for a shell to the standard output.
    ///
    /// For example: eqmesh completions bash > ~/.local/share/bash-completion/completions/eqmesh
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Write the manual page to the standard output.
    ///
    /// For example: eqmesh man | man -l -
    Man,
}

pub(crate) fn main() -> ExitCode {
    // Usage errors end with clap's own status, which is 2 as well.
    let arguments = Arguments::parse();
    ExitCode::from(match arguments.command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Simulate(arguments) => simulate::run(&arguments),
        #[cfg(feature = "network")]
        Command::Serve(arguments) => serve::run(&arguments),
        #[cfg(feature = "network")]
        Command::Status(arguments) => client::status(&arguments),
        #[cfg(feature = "network")]
        Command::State(arguments) => client::state(&arguments),
        #[cfg(feature = "network")]
        Command::Submit(arguments) => client::submit(&arguments),
        #[cfg(feature = "network")]
        Command::Extract(arguments) => client::extract(&arguments),
        #[cfg(feature = "network")]
        Command::Explain(arguments) => client::explain(&arguments),
        #[cfg(feature = "network")]
        Command::Watch(arguments) => client::watch(&arguments),
        #[cfg(feature = "network")]
        Command::Gateway(arguments) => gateway::run(&arguments),
        #[cfg(feature = "network")]
        Command::NatsConfig(arguments) => nats_config::run(&arguments),
        #[cfg(not(feature = "network"))]
        Command::Other(words) => other(&words),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "eqmesh", &mut script);
            show(&script)
        }
        Command::Man => manual(),
    })
}

/// Commands that only a build with the cargo feature `network` has.
#[cfg(not(feature = "network"))]
const OF_THE_NETWORK: [&str; 9] = [
    "serve",
    "gateway",
    "nats-config",
    "status",
    "state",
    "submit",
    "extract",
    "explain",
    "watch",
];

#[cfg(not(feature = "network"))]
fn other(words: &[OsString]) -> u8 {
    let name = words
        .first()
        .map_or(String::new(), |name| name.to_string_lossy().into_owned());
    if OF_THE_NETWORK.contains(&name.as_str()) {
        say!(
            "eqmesh: this build has no `{name}`: it is left out of the first build, which it makes minutes longer.\n\
             Use `cargo run --release -p eqmesh --features network -- {name}`"
        );
    } else {
        say!("eqmesh: there is no command `{name}`; see `eqmesh --help`");
    }
    BAD_INPUT
}

/// One page: the command, then every subcommand.
fn manual() -> u8 {
    let mut command = Arguments::command();
    command.build();
    let mut page = Vec::new();
    let mut render = |command: clap::Command| clap_mangen::Man::new(command).render(&mut page);
    let subcommands: Vec<clap::Command> = command
        .get_subcommands()
        .filter(|own| own.get_name() != "help")
        .cloned()
        .collect();
    let rendered = render(command).and_then(|()| {
        subcommands.into_iter().try_for_each(|own| {
            let name = format!("eqmesh-{}", own.get_name());
            render(own.name(name))
        })
    });
    match rendered {
        Ok(()) => show(&page),
        Err(error) => {
            say!("eqmesh: cannot make the manual page: {error}");
            INTERNAL
        }
    }
}

/// Writes to the standard error. That nobody can read it changes nothing.
pub(crate) fn complain(text: &str) {
    use std::io::Write as _;

    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Writes to the standard output. That the reader has gone is no error.
pub(crate) fn show(bytes: &[u8]) -> u8 {
    use std::io::{ErrorKind, Write as _};

    let mut output = std::io::stdout().lock();
    match output.write_all(bytes).and_then(|()| output.flush()) {
        Ok(()) => DONE,
        Err(error) if error.kind() == ErrorKind::BrokenPipe => DONE,
        Err(error) => {
            say!("eqmesh: cannot write to the standard output: {error}");
            INTERNAL
        }
    }
}
