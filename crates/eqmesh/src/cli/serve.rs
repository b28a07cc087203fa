//! `eqmesh serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueEnum};
use eqmesh_gateway::{Gateway, InProcess, Options as GatewayOptions, Subjects};
use eqmesh_host::variables::{self, Values};
use eqmesh_host::{Host, Limits, Options, log, signals};
use eqmesh_replica::AgentId;
use eqmesh_webhook::Secret;
use tokio::net::TcpListener;

use super::{BAD_INPUT, DONE, INTERNAL, diagnose};

/// Where `spin.toml` says that the components of this project lie.
const SOURCES: &str = "target/spin/";

/// The variable that holds the secret which deliveries are signed with.
pub(crate) const SECRET: &str = "webhook_secret";

/// The component that takes messages in.
const WEBHOOK: &str = "nats-webhook";

/// Bytes of messages that wait to be carried in this process.
const CARRIED: usize = 256 << 20;

/// The form of the log.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Log {
    Text,
    Json,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  eqmesh serve
  eqmesh serve --listen 127.0.0.1:8080 --state /var/lib/eqmesh --metrics 127.0.0.1:9100
  SPIN_VARIABLE_WEBHOOK_SECRET=whsec_… eqmesh serve --no-carrier

Exit codes: 0 when it was asked to end and has, 2 for a wrong manifest or address, 3 for an internal error.")]
pub(crate) struct ServeArguments {
    /// The manifest of the application.
    #[arg(default_value = "spin.toml", env = "EQMESH_MANIFEST")]
    manifest: PathBuf,
    /// Where to listen. Port 0 takes a free one.
    #[arg(
        long,
        default_value = "127.0.0.1:3000",
        value_name = "ADDRESS",
        env = "EQMESH_LISTEN"
    )]
    listen: SocketAddr,
    /// The folder of the durable state; one file an application.
    #[arg(long, default_value = ".eqmesh", value_name = "FOLDER", env = "EQMESH_STATE")]
    state: PathBuf,
    /// Sets an application variable (also: the environment variable SPIN_VARIABLE_NAME). May be given several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    variable: Vec<(String, String)>,
    /// Where to serve GET /metrics, in the format of Prometheus. Nowhere if it is not given.
    #[arg(long, value_name = "ADDRESS", env = "EQMESH_METRICS")]
    metrics: Option<SocketAddr>,
    /// Do not carry messages between the agents: `eqmesh gateway` does, over NATS. The secret must be given then (SPIN_VARIABLE_WEBHOOK_SECRET).
    #[arg(long)]
    no_carrier: bool,
    /// How many agents the manifest has, for carrying their messages.
    #[arg(long, default_value_t = 9, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=65_535))]
    agents: u32,
    /// Read all components from the files that the manifest names, also those of this project, which the program has in itself.
    #[arg(long)]
    files: bool,
    /// The form of the log on the standard error; RUST_LOG says what is logged.
    #[arg(long, value_enum, default_value = "text", env = "EQMESH_LOG")]
    log: Log,
    /// Sends traces to an OpenTelemetry collector by HTTP, for example http://127.0.0.1:4318/v1/traces (takes the feature `otel`).
    #[arg(long, value_name = "URL", env = "EQMESH_OTLP")]
    otlp: Option<String>,
    /// Linear memory of one instance, in MiB.
    #[arg(long, default_value_t = 256, value_name = "MIB")]
    memory: usize,
    /// Linear memory of all instances, in MiB.
    #[arg(long, default_value_t = 2048, value_name = "MIB")]
    memory_in_all: usize,
    /// How long a component may take to begin its answer, in seconds.
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    time: u64,
    /// Instances of one component at once.
    #[arg(long, default_value_t = 64, value_name = "COUNT")]
    concurrency: usize,
    /// Requests that an instance answers before it goes; 1: each has an instance of its own, as in Spin.
    #[arg(long, default_value_t = 128, value_name = "COUNT", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    reuse: usize,
    /// The largest body of a request, in MiB.
    #[arg(long, default_value_t = 32, value_name = "MIB")]
    body: u64,
}

/// A secret that nobody else knows.
pub(crate) fn drawn() -> Result<Secret, String> {
    let mut bytes = vec![0; 32];
    getrandom::fill(&mut bytes).map_err(|error| format!("this system gives no random numbers: {error}"))?;
    Secret::from_bytes(bytes).map_err(|error| error.to_string())
}

/// Options with the components of this project, by where `spin.toml` says that they lie.
pub(crate) fn composed() -> Result<Options, String> {
    let services = eqmesh_composer::services().map_err(|error| format!("cannot compose the agents: {error}"))?;
    let source = |(name, bytes): (String, Vec<u8>)| (format!("{SOURCES}{name}.wasm"), bytes.into());
    Ok(Options {
        sources: services.into_iter().map(source).collect(),
        ..Options::default()
    })
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl ServeArguments {
    fn options(&self) -> Result<(Options, Option<Secret>), String> {
        let environment =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let mut variables = Values {
            given: self.variable.iter().cloned().collect(),
            environment: variables::from_environment(environment),
        };
        let secret = match variables
            .given
            .get(SECRET)
            .or_else(|| variables.environment.get(SECRET))
        {
            Some(text) => text
                .parse()
                .map_err(|error| format!("the variable {SECRET}: {error}"))?,
            // Who carries messages and who takes them are one process, so nobody else needs to know it.
            None if !self.no_carrier => {
                let secret = drawn()?;
                variables.environment.insert(SECRET.to_owned(), secret.expose());
                secret
            }
            None => {
                return Err(format!(
                    "set the variable {SECRET} to the secret that the gateway signs with, for example by SPIN_VARIABLE_WEBHOOK_SECRET"
                ));
            }
        };
        let options = Options {
            manifest: self.manifest.clone(),
            variables,
            state: Some(self.state.clone()),
            limits: Limits {
                memory: self.memory << 20,
                memory_in_all: self.memory_in_all << 20,
                time: Duration::from_secs(self.time),
                concurrency: self.concurrency,
                reuse: self.reuse,
                body: self.body << 20,
                ..Limits::default()
            },
            ..if self.files { Options::default() } else { composed()? }
        };
        Ok((options, (!self.no_carrier).then_some(secret)))
    }
}

pub(crate) fn run(arguments: &ServeArguments) -> u8 {
    let form = match arguments.log {
        Log::Text => log::Form::Text,
        Log::Json => log::Form::Json,
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            say!("eqmesh: cannot start: {error}");
            return INTERNAL;
        }
    };
    runtime.block_on(async {
        // What is not logged any more is sent when this is dropped.
        let _log = match log::start(form, arguments.otlp.as_deref()) {
            Ok(log) => log,
            Err(error) => {
                say!("eqmesh: {error}");
                return BAD_INPUT;
            }
        };
        serve(arguments).await
    })
}

/// A listener on an address that an option gave, and where that is.
async fn bind(address: SocketAddr, option: &str) -> Result<(SocketAddr, TcpListener), String> {
    let listener = TcpListener::bind(address).await;
    let bound = listener.and_then(|listener| Ok((listener.local_addr()?, listener)));
    bound.map_err(|error| format!("cannot listen on {address}: {error}; give another address with {option}"))
}

async fn serve(arguments: &ServeArguments) -> u8 {
    let (options, secret) = match arguments.options() {
        Ok(options) => options,
        Err(error) => {
            say!("eqmesh: {error}");
            return BAD_INPUT;
        }
    };
    let host = match Host::load(&options) {
        Ok(host) => host,
        Err(error) => {
            diagnose::report(&error);
            return BAD_INPUT;
        }
    };
    let bound = async {
        let listener = bind(arguments.listen, "--listen").await?;
        let metrics = match arguments.metrics {
            Some(address) => Some(bind(address, "--metrics").await?),
            None => None,
        };
        Ok::<_, String>((listener, metrics))
    };
    let ((address, listener), metrics) = match bound.await {
        Ok(bound) => bound,
        Err(error) => {
            say!("eqmesh: {error}");
            return BAD_INPUT;
        }
    };
    let signals = match signals() {
        Ok(signals) => signals,
        Err(error) => {
            say!("eqmesh: cannot listen to signals: {error}");
            return INTERNAL;
        }
    };
    tracing::info!("{} is served on http://{address}", host.name());
    for (route, component) in host.routes() {
        tracing::info!("http://{address}{route} is answered by {component}");
    }
    if let Some((address, listener)) = metrics {
        tracing::info!("metrics are on http://{address}/metrics");
        let host = host.clone();
        tokio::spawn(async move { host.serve_metrics(listener, std::future::pending()).await });
    }
    // Another application may have no agents.
    let secret = secret.filter(|_| host.routes().iter().any(|(_, component)| component == WEBHOOK));
    let carried = secret.map(|secret| (secret, arguments.agents));
    carry(host, listener, address, carried, signals).await
}

/// Serves until `end`, and carries messages between so many agents meanwhile, if there is a secret to sign them with. Answers an exit status.
pub(crate) async fn carry(
    host: Host,
    listener: TcpListener,
    address: SocketAddr,
    carried: Option<(Secret, u32)>,
    end: impl Future<Output = ()> + Send + 'static,
) -> u8 {
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let carrier = match carried
        .map(|(secret, agents)| carrier(address, secret, agents))
        .transpose()
    {
        Ok(carrier) => carrier.map(|gateway| tokio::spawn(gateway.run(async { drop(stopped.await) }))),
        Err(error) => {
            say!("eqmesh: cannot carry messages: {error}");
            return INTERNAL;
        }
    };
    let served = host.serve(listener, end).await;
    drop(stop);
    if let Some(carrier) = carrier {
        // What it is about to hand over goes nowhere any more, and is not lost: agents keep what was not confirmed.
        let _ = tokio::time::timeout(Duration::from_secs(5), carrier).await;
    }
    match served {
        Ok(()) => DONE,
        Err(error) => {
            say!("eqmesh: cannot serve: {error}");
            INTERNAL
        }
    }
}

/// What carries messages between the agents in this process.
fn carrier(address: SocketAddr, secret: Secret, agents: u32) -> Result<Gateway<InProcess>, eqmesh_gateway::AppError> {
    let reached = match address.ip() {
        ip if ip.is_unspecified() && ip.is_ipv6() => {
            SocketAddr::new(std::net::Ipv6Addr::LOCALHOST.into(), address.port())
        }
        ip if ip.is_unspecified() => SocketAddr::new(std::net::Ipv4Addr::LOCALHOST.into(), address.port()),
        _ => address,
    };
    let mut options = GatewayOptions::new(&format!("http://{reached}"), secret, (0..agents).map(AgentId));
    options.deliveries = 2;
    let broker = InProcess::new(Subjects::default(), CARRIED, options.delivery_timeout * 3 / 2);
    Gateway::new(broker, options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_that_is_taken_is_named_with_its_option() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        let (taken, _listener) = runtime.block_on(bind(free, "--listen")).unwrap();
        let error = runtime.block_on(bind(taken, "--metrics")).unwrap_err();
        assert!(
            error.contains(&taken.to_string()) && error.ends_with("with --metrics"),
            "{error}"
        );
    }
}
