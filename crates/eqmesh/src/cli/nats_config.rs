//! `eqmesh nats-config`.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use eqmesh_gateway::Layout;
use eqmesh_gateway::server_config::{ServerConfig, User};
use eqmesh_replica::AgentId;

use super::{BAD_INPUT, show};

const EXAMPLES: &str = "\
Examples:
  eqmesh nats-config > nats.conf && nats-server --config nats.conf
  eqmesh gateway --nkey nats-keys/operator                     makes streams and consumers, and serves all agents
  eqmesh gateway --nkey nats-keys/agent-3 --restricted --agent 3       serves agent 3, and can speak for no other
  eqmesh nats-config --no-users --store-dir /var/lib/nats      for a server that only its own machine reaches

Exit codes: 0 done, 2 bad input, or a key is there already.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct NatsConfigArguments {
    /// How many agents get a user each.
    #[arg(long, env = "EQMESH_AGENTS", value_name = "N", default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=1000))]
    agents: u32,

    /// The name of the network, where several share a broker.
    #[arg(long, env = "EQMESH_NETWORK", value_name = "NAME")]
    network: Option<String>,

    /// Where the server listens.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4222")]
    listen: String,

    /// Where the server stores.
    #[arg(long, value_name = "DIR", default_value = "nats-store")]
    store_dir: PathBuf,

    /// Where the users' keys are written, a file each that only its owner can read: `operator`, `agent-0`, … None is overwritten.
    #[arg(long, value_name = "DIR", default_value = "nats-keys")]
    keys: PathBuf,

    /// Let everybody connect who reaches the server, and do everything.
    #[arg(long, conflicts_with = "keys")]
    no_users: bool,
}

pub(crate) fn run(arguments: &NatsConfigArguments) -> u8 {
    match make(arguments) {
        Ok(config) => show(config.to_string().as_bytes()),
        Err(error) => {
            say!("eqmesh: {error}");
            BAD_INPUT
        }
    }
}

fn make(arguments: &NatsConfigArguments) -> Result<ServerConfig, String> {
    let layout = Layout::new(arguments.network.as_deref()).map_err(|error| error.to_string())?;
    let mut users = Vec::new();
    if !arguments.no_users {
        users.push(User::operator());
        users.extend((0..arguments.agents).map(|number| User::agent(&layout, AgentId(number))));
        write_keys(&arguments.keys, &users)?;
    }
    Ok(ServerConfig {
        listen: arguments.listen.clone(),
        store_dir: arguments.store_dir.clone(),
        users,
    })
}

/// Writes all keys, or none if one is there.
fn write_keys(folder: &Path, users: &[User]) -> Result<(), String> {
    let failed = |path: &Path, error| format!("cannot write {}: {error}", path.display());
    fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    let paths: Vec<PathBuf> = users.iter().map(|user| folder.join(&user.name)).collect();
    if let Some(there) = paths.iter().find(|path| path.exists()) {
        return Err(format!(
            "the key {} is there already: the configuration that names it would no longer fit\nhelp: choose another folder with --keys, or remove the keys",
            there.display()
        ));
    }
    for (user, path) in users.iter().zip(&paths) {
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(|error| failed(path, error))?;
        writeln!(file, "{}", user.seed()).map_err(|error| failed(path, error))?;
    }
    Ok(())
}
