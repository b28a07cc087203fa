//! `eqmesh serve`.

#[cfg(not(feature = "network"))]
pub(crate) use absent::{ServeArguments, run};
#[cfg(feature = "network")]
pub(crate) use present::{ServeArguments, run};

/// Without the feature `network` there is no host in the program, only the way to get one.
#[cfg(not(feature = "network"))]
mod absent {
    use clap::Args;

    use crate::cli::BAD_INPUT;

    #[derive(Debug, Args)]
    pub(crate) struct ServeArguments {
        /// Options of the command.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
        _all: Vec<std::ffi::OsString>,
    }

    pub(crate) fn run(_: &ServeArguments) -> u8 {
        eprintln!(
            "eqmesh: this program is built without its network. Build it with it:\n\n  \
             cargo run --release -p eqmesh --features network -- serve"
        );
        BAD_INPUT
    }
}

#[cfg(feature = "network")]
mod present {
    use std::net::SocketAddr;
    use std::path::PathBuf;
    use std::time::Duration;

    use clap::{Args, ValueEnum};
    use eqmesh_host::variables::{self, Values};
    use eqmesh_host::{Host, Limits, Options, log, signals};
    use tokio::net::TcpListener;

    use crate::cli::{BAD_INPUT, DONE, INTERNAL, diagnose};

    /// The form of the log.
    #[derive(Debug, Clone, Copy, ValueEnum)]
    enum Log {
        Text,
        Json,
    }

    #[derive(Debug, Args)]
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
        /// The largest body of a request, in MiB.
        #[arg(long, default_value_t = 32, value_name = "MIB")]
        body: u64,
    }

    fn variable(text: &str) -> Result<(String, String), String> {
        let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
        Ok((name.to_owned(), value.to_owned()))
    }

    impl ServeArguments {
        fn options(&self) -> Options {
            let environment = std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
            let variables = Values {
                given: self.variable.iter().cloned().collect(),
                environment: variables::from_environment(environment),
            };
            Options {
                manifest: self.manifest.clone(),
                variables,
                state: Some(self.state.clone()),
                limits: Limits {
                    memory: self.memory << 20,
                    memory_in_all: self.memory_in_all << 20,
                    time: Duration::from_secs(self.time),
                    concurrency: self.concurrency,
                    body: self.body << 20,
                    ..Limits::default()
                },
                ..Options::default()
            }
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
                eprintln!("eqmesh: cannot start: {error}");
                return INTERNAL;
            }
        };
        runtime.block_on(async {
            // What is not logged any more is sent when this is dropped.
            let _log = match log::start(form, arguments.otlp.as_deref()) {
                Ok(log) => log,
                Err(error) => {
                    eprintln!("eqmesh: {error}");
                    return BAD_INPUT;
                }
            };
            serve(arguments).await
        })
    }

    async fn serve(arguments: &ServeArguments) -> u8 {
        let host = match Host::load(&arguments.options()) {
            Ok(host) => host,
            Err(error) => {
                diagnose::report(&error);
                return BAD_INPUT;
            }
        };
        let listening = async {
            let listener = TcpListener::bind(arguments.listen).await?;
            let metrics = match arguments.metrics {
                Some(address) => Some(TcpListener::bind(address).await?),
                None => None,
            };
            Ok((listener.local_addr()?, listener, metrics, signals()?))
        };
        let (address, listener, metrics, signals) = match listening.await {
            Ok(listening) => listening,
            Err(error) => {
                let error: std::io::Error = error;
                eprintln!(
                    "eqmesh: cannot listen on {}: {error}; give another address with --listen or --metrics",
                    arguments.listen
                );
                return BAD_INPUT;
            }
        };
        tracing::info!("{} is served on http://{address}", host.name());
        for (route, component) in host.routes() {
            tracing::info!("http://{address}{route} is answered by {component}");
        }
        if let Some(listener) = metrics {
            if let Ok(address) = listener.local_addr() {
                tracing::info!("metrics are on http://{address}/metrics");
            }
            let host = host.clone();
            tokio::spawn(async move { host.serve_metrics(listener, std::future::pending()).await });
        }
        match host.serve(listener, signals).await {
            Ok(()) => DONE,
            Err(error) => {
                eprintln!("eqmesh: cannot serve: {error}");
                INTERNAL
            }
        }
    }
}
