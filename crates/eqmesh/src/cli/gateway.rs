//! `eqmesh gateway`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use eqmesh_gateway::server_config::inbox_prefix;
use eqmesh_gateway::{
    Broker as _, BrokerError, Connection, Credentials, DeadLetter, Gateway, Keeping, Layout, Nats, Options, connect,
    serve_metrics,
};
use eqmesh_replica::AgentId;
use tokio::time::timeout;

use super::run::seconds;
use super::{BAD_INPUT, DOES_NOT_HOLD, DONE, INTERNAL, show};

const EXAMPLES: &str = "\
Examples:
  EQMESH_WEBHOOK_SECRET=whsec_… eqmesh gateway                          nine agents at http://127.0.0.1:3000, NATS on this machine
  eqmesh gateway --app https://mesh.example --nats tls://nats.example:4222 --creds gateway.creds --secret-file secret
  eqmesh gateway --agent 3 --restricted --nkey keys/agent-3             one agent, as a user who may do no more
  eqmesh gateway dead-letters list                                      what could not be delivered
  eqmesh gateway dead-letters replay --all                              deliver it after all

A secret: printf 'whsec_%s\\n' \"$(openssl rand -base64 32)\" > secret

Exit codes: 0 stopped as asked to, 1 the broker does not answer or there is no such dead letter, 2 bad input, 3 an internal error.";

/// How long commands that end by themselves wait for the broker.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many agents a network has unless it is said.
const AGENTS: u32 = 9;

/// How many dead letters are read at once.
const PAGE: usize = 256;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct GatewayArguments {
    #[command(subcommand)]
    command: Option<GatewayCommand>,

    #[command(flatten)]
    broker: BrokerArguments,

    /// Where the app with the agents is.
    #[arg(
        long,
        env = "EQMESH_APP",
        value_name = "URL",
        default_value = "http://127.0.0.1:3000"
    )]
    app: String,

    /// How many agents the network has: 0 to N - 1. [default: 9]
    #[arg(long, env = "EQMESH_AGENTS", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    agents: Option<u32>,

    /// Serve this agent only. May be repeated.
    #[arg(long, value_name = "I", value_parser = clap::value_parser!(u32).range(0..=AgentId::MAX_NUMBER as i64))]
    agent: Vec<u32>,

    /// The file with the secret that deliveries are signed with. [default: the variable EQMESH_WEBHOOK_SECRET]
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,

    /// Leave making streams and consumers, and looking after them, to another gateway: the user may not.
    #[arg(long)]
    restricted: bool,

    /// Serve metrics for Prometheus at http://ADDRESS/metrics.
    #[arg(long, env = "EQMESH_METRICS", value_name = "ADDRESS")]
    metrics: Option<SocketAddr>,

    /// How long a delivery may take.
    #[arg(long, value_name = "S", default_value = "10", value_parser = seconds)]
    delivery_timeout: f64,

    /// How long a step of an agent may take.
    #[arg(long, value_name = "S", default_value = "60", value_parser = seconds)]
    step_timeout: f64,

    /// How many requests to the app may be under way at once.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    requests: u16,

    /// How many deliveries to one agent may be under way at once.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    deliveries: u16,

    /// How often a message over which the app breaks down is tried before it becomes a dead letter.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1000))]
    attempts: u32,

    /// Keep at most N MiB of messages in the broker.
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u64).range(16..=1 << 30))]
    keep_mib: u64,

    /// Keep messages for N hours.
    #[arg(long, value_name = "N", default_value_t = 168, value_parser = clap::value_parser!(u64).range(1..=87600))]
    keep_hours: u64,

    /// Keep them on N servers of a cluster.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=5))]
    replicas: u8,

    /// What is logged to the standard error: error, warn, info, debug or trace.
    #[arg(long, env = "EQMESH_LOG", value_name = "LEVEL", default_value = "info")]
    log: tracing_subscriber::filter::LevelFilter,
}

/// Where the broker is, and who one is there.
#[derive(Clone, Debug, Args)]
pub(crate) struct BrokerArguments {
    /// Where NATS is: nats://host:port or tls://host:port; several with commas between.
    #[arg(
        long,
        env = "EQMESH_NATS",
        value_name = "URL",
        default_value = "nats://127.0.0.1:4222"
    )]
    nats: String,

    /// The name of the network: what its subjects and streams begin with, where several share a broker.
    #[arg(long, env = "EQMESH_NETWORK", value_name = "NAME")]
    network: Option<String>,

    /// Credentials for NATS, as `nsc` makes them.
    #[arg(long, env = "EQMESH_NATS_CREDS", value_name = "FILE", conflicts_with = "nkey")]
    creds: Option<PathBuf>,

    /// The seed of an nkey for NATS, as `eqmesh nats-config` writes it.
    #[arg(long, env = "EQMESH_NATS_NKEY", value_name = "FILE")]
    nkey: Option<PathBuf>,

    /// What answers of the broker begin with. [default: what `eqmesh nats-config` allows, where --restricted serves one agent]
    #[arg(long, value_name = "PREFIX")]
    inbox_prefix: Option<String>,

    /// Certificates of authorities to trust, besides those of the system.
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,

    /// The gateway's own certificate,
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// and its key.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum GatewayCommand {
    /// What could not be delivered.
    #[command(subcommand)]
    DeadLetters(DeadLettersCommand),
}

#[derive(Debug, Subcommand)]
enum DeadLettersCommand {
    /// List dead letters, a line each.
    List {
        #[command(flatten)]
        broker: BrokerArguments,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Show a dead letter, and what its message says of itself.
    Show {
        /// Its number in the list.
        sequence: u64,
        #[command(flatten)]
        broker: BrokerArguments,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Deliver a dead letter again, to the agent that did not get it.
    Replay {
        /// Its number in the list.
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        sequence: Option<u64>,
        /// Deliver all of them.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        broker: BrokerArguments,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
}

/// Why a command ends early: what to say, and with what status.
struct Refusal(u8, String);

impl From<BrokerError> for Refusal {
    fn from(error: BrokerError) -> Refusal {
        Refusal(DOES_NOT_HOLD, error.to_string())
    }
}

fn bad(error: impl std::fmt::Display) -> Refusal {
    Refusal(BAD_INPUT, error.to_string())
}

impl BrokerArguments {
    fn connection(&self) -> Connection {
        Connection {
            url: self.nats.clone(),
            credentials: match (&self.creds, &self.nkey) {
                (Some(path), _) => Credentials::Creds(path.clone()),
                (None, Some(path)) => Credentials::Nkey(path.clone()),
                (None, None) => Credentials::None,
            },
            authority: self.tls_ca.clone(),
            certificate: self.tls_cert.clone().zip(self.tls_key.clone()),
            inbox_prefix: self.inbox_prefix.clone(),
        }
    }

    /// For a command that ends by itself.
    async fn open(&self) -> Result<Nats, Refusal> {
        let layout = Layout::new(self.network.as_deref()).map_err(bad)?;
        match timeout(PATIENCE, connect(&self.connection())).await {
            Ok(client) => Ok(Nats::new(client.map_err(bad)?, layout)),
            Err(_) => Err(Refusal(
                DOES_NOT_HOLD,
                format!(
                    "no broker answers at {}\nhelp: `nats-server --jetstream` starts one, `eqmesh nats-config` makes a configuration for it",
                    self.nats
                ),
            )),
        }
    }
}

pub(crate) fn run(arguments: &GatewayArguments) -> u8 {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            say!("eqmesh: cannot start: {error}");
            return INTERNAL;
        }
    };
    let done = runtime.block_on(async {
        match &arguments.command {
            None => serve(arguments).await,
            Some(GatewayCommand::DeadLetters(command)) => dead_letters(command).await,
        }
    });
    done.unwrap_or_else(|Refusal(status, why)| {
        say!("eqmesh: {why}");
        status
    })
}

/// The agents that are served. An agent that is not in the network would get a consumer at which nobody ever takes anything, and nothing could be dropped for it;
/// a restricted gateway makes none, so it need not say how many there are.
fn agents(arguments: &GatewayArguments) -> Result<Vec<AgentId>, Refusal> {
    let count = arguments.agents.unwrap_or(AGENTS);
    if arguments.agent.is_empty() {
        return Ok((0..count).map(AgentId).collect());
    }
    let known = arguments.agents.is_some() || !arguments.restricted;
    match arguments.agent.iter().find(|agent| known && **agent >= count) {
        Some(agent) => Err(bad(format!(
            "--agent {agent}: the network has {count} agents, 0 to {}\nhelp: say how many it has with --agents",
            count - 1
        ))),
        None => Ok(arguments.agent.iter().copied().map(AgentId).collect()),
    }
}

fn secret(arguments: &GatewayArguments) -> Result<eqmesh_gateway::Secret, Refusal> {
    const VARIABLE: &str = "EQMESH_WEBHOOK_SECRET";
    let (from, text) = match &arguments.secret_file {
        Some(path) => {
            let text = std::fs::read_to_string(path);
            (
                path.display().to_string(),
                text.map_err(|error| bad(format!("cannot read {}: {error}", path.display())))?,
            )
        }
        None => match std::env::var(VARIABLE) {
            Ok(text) => (VARIABLE.to_owned(), text),
            Err(_) => {
                return Err(bad(format!(
                    "there is no secret to sign deliveries with\nhelp: put the app's secret into a file and name it with --secret-file, or set {VARIABLE}"
                )));
            }
        },
    };
    text.parse().map_err(|error| bad(format!("{from}: {error}")))
}

fn duration(name: &str, seconds: f64) -> Result<Duration, Refusal> {
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if duration >= Duration::from_millis(10) => Ok(duration),
        _ => Err(bad(format!("--{name} {seconds}: choose at least 0.01 seconds"))),
    }
}

async fn serve(arguments: &GatewayArguments) -> Result<u8, Refusal> {
    // Somebody else may have set a logger: this is a library's business, not an error.
    let _ = tracing_subscriber::fmt()
        .with_max_level(arguments.log)
        .with_writer(std::io::stderr)
        .log_internal_errors(false)
        .try_init();
    let agents = agents(arguments)?;
    let delivery_timeout = duration("delivery-timeout", arguments.delivery_timeout)?;
    let mut layout = Layout::new(arguments.broker.network.as_deref()).map_err(bad)?;
    layout.keeping = Keeping {
        bytes: arguments.keep_mib << 20,
        age: Duration::from_hours(arguments.keep_hours),
        replicas: usize::from(arguments.replicas),
        ..Keeping::default()
    };
    layout.ack_wait = delivery_timeout.saturating_mul(3) / 2;
    layout.max_deliver = arguments.attempts;
    layout.restricted = arguments.restricted;
    let mut options = Options::new(&arguments.app, secret(arguments)?, agents.iter().copied());
    options.subjects = layout.subjects().clone();
    options.delivery_timeout = delivery_timeout;
    options.step_timeout = duration("step-timeout", arguments.step_timeout)?;
    options.requests = usize::from(arguments.requests);
    options.deliveries = usize::from(arguments.deliveries);
    options.attempts = u64::from(arguments.attempts);
    let mut connection = arguments.broker.connection();
    if let (true, [agent]) = (arguments.restricted, &agents[..]) {
        connection.inbox_prefix.get_or_insert_with(|| inbox_prefix(*agent));
    }

    let (stop, stopped) = tokio::sync::watch::channel(false);
    let handler = ctrlc::set_handler(move || {
        if stop.send_replace(true) {
            std::process::exit(130);
        }
        say!("eqmesh: ending what is under way; press Ctrl-C again to abort");
    });
    handler.map_err(|error| Refusal(INTERNAL, format!("cannot listen to Ctrl-C: {error}")))?;
    let stopped = || {
        let mut stopped = stopped.clone();
        async move {
            // An error says that the sender is gone, with the handler: then nobody stops this any more.
            if stopped.wait_for(|stopped| *stopped).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    let client = tokio::select! {
        client = connect(&connection) => client.map_err(bad)?,
        () = stopped() => return Ok(DONE),
    };
    let gateway = Gateway::new(Nats::new(client, layout), options).map_err(bad)?;
    if let Some(address) = arguments.metrics {
        let served = serve_metrics(gateway.metrics(), address).await;
        let (address, serving) = served.map_err(|error| bad(format!("cannot serve metrics at {address}: {error}")))?;
        tokio::spawn(serving);
        say!("eqmesh: metrics at http://{address}/metrics");
    }
    say!(
        "eqmesh: carrying messages of {} agents between {} and {}",
        agents.len(),
        connection.url,
        arguments.app
    );
    gateway.run(stopped()).await;
    Ok(DONE)
}

async fn dead_letters(command: &DeadLettersCommand) -> Result<u8, Refusal> {
    let missing = |sequence: u64| {
        Refusal(
            DOES_NOT_HOLD,
            format!("there is no dead letter {sequence}\nhelp: `eqmesh gateway dead-letters list` lists them"),
        )
    };
    match command {
        DeadLettersCommand::List { broker, json } => {
            let letters = all(&broker.open().await?).await?;
            let text = if *json {
                document(&serde_json::json!({ "schema": "eqmesh.dead-letters/1", "letters": letters }))
            } else {
                letters.iter().map(line).collect()
            };
            Ok(show(text.as_bytes()))
        }
        DeadLettersCommand::Show { sequence, broker, json } => {
            let letter = broker
                .open()
                .await?
                .dead_letter(*sequence)
                .await?
                .ok_or_else(|| missing(*sequence))?;
            let mut value = serde_json::to_value(&letter).map_err(|error| Refusal(INTERNAL, error.to_string()))?;
            let message = eqmesh_agent::Message::decode(&letter.payload);
            value["bytes"] = letter.payload.len().into();
            value["message"] = match &message {
                Ok(own) => {
                    serde_json::json!({ "id": own.id, "kind": own.kind.name(), "sender": own.sender.0, "topic": own.topic, "body_bytes": own.body.len() })
                }
                Err(fault) => serde_json::json!({ "unreadable": fault.to_string() }),
            };
            let text = if *json {
                document(&value)
            } else {
                let says = match message {
                    Ok(own) => format!(
                        "message {} of agent {}, {}: {} bytes\n",
                        own.id,
                        own.sender.0,
                        own.topic,
                        letter.payload.len()
                    ),
                    Err(fault) => format!("{fault}\n"),
                };
                line(&letter) + says.as_str()
            };
            Ok(show(text.as_bytes()))
        }
        DeadLettersCommand::Replay {
            sequence, broker, json, ..
        } => {
            let broker = broker.open().await?;
            let wanted = match sequence {
                Some(sequence) => vec![*sequence],
                None => all(&broker).await?.into_iter().map(|letter| letter.sequence).collect(),
            };
            let mut replayed = Vec::new();
            for own in wanted {
                if broker.replay(own).await? {
                    replayed.push(own);
                } else if sequence.is_some() {
                    return Err(missing(own));
                }
            }
            let text = if *json {
                document(&serde_json::json!({ "schema": "eqmesh.dead-letters/1", "replayed": replayed }))
            } else {
                format!("{} to be delivered again\n", replayed.len())
            };
            Ok(show(text.as_bytes()))
        }
    }
}

async fn all(broker: &Nats) -> Result<Vec<DeadLetter>, Refusal> {
    let mut letters: Vec<DeadLetter> = Vec::new();
    loop {
        let page = broker
            .dead_letters(letters.last().map_or(0, |last| last.sequence), PAGE)
            .await?;
        if page.is_empty() {
            return Ok(letters);
        }
        letters.extend(page);
    }
}

fn line(letter: &DeadLetter) -> String {
    format!(
        "{}  {}  agent {}  {}  {}\n",
        letter.sequence, letter.at, letter.receiver, letter.subject, letter.reason
    )
}

fn document(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        arguments: GatewayArguments,
    }

    fn served(line: &str) -> Result<Vec<u32>, u8> {
        let command = Command::parse_from(std::iter::once("gateway").chain(line.split_whitespace()));
        let agents = agents(&command.arguments).map_err(|Refusal(status, _)| status)?;
        Ok(agents.iter().map(|agent| agent.0).collect())
    }

    #[test]
    fn only_agents_of_the_network_are_served() {
        assert_eq!(served("--agents 3"), Ok(vec![0, 1, 2]));
        assert_eq!(served("--agents 16 --agent 15 --agent 4"), Ok(vec![15, 4]));
        assert_eq!(served("--agents 9 --agent 8 --agent 9"), Err(BAD_INPUT));
        assert_eq!(served("--agent 9"), Err(BAD_INPUT));
        // Who may make nothing need not know how many there are, but is held to it.
        assert_eq!(served("--agent 12 --restricted"), Ok(vec![12]));
        assert_eq!(served("--agents 9 --agent 12 --restricted"), Err(BAD_INPUT));
    }
}
