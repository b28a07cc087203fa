//! The processes of a deployed network. They are killed when this is dropped.

use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use eqmesh_nats_fixture::Server;
use serde_json::Value;
use tempfile::TempDir;

const EQMESH: &str = env!("CARGO_BIN_EXE_eqmesh");

/// For tests alone.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// `spin.toml` of the workspace.
pub(crate) fn manifest() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spin.toml")
}

/// A process that dies with its owner, and all that it has started with it.
struct Process(Child);

impl Process {
    fn start(command: &mut Command) -> Process {
        Process(command.process_group(0).spawn().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What serves the agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HostKind {
    /// `eqmesh serve`.
    Embedded,
    /// `spin up`.
    Spin,
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A broker, a gateway and a host with nine agents.
pub(crate) struct Deployment {
    pub(crate) nats: Server,
    folder: TempDir,
    port: u16,
    kind: HostKind,
    host: Option<Process>,
    gateway: Option<Process>,
    agent: ureq::Agent,
}

impl Deployment {
    /// Starts all three, and waits until the agents answer.
    pub(crate) fn start(kind: HostKind) -> Deployment {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let configuration = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(30)))
            .build();
        let mut deployment = Deployment {
            nats: Server::start(""),
            folder: tempfile::tempdir().unwrap(),
            port,
            kind,
            host: None,
            gateway: None,
            agent: configuration.into(),
        };
        if kind == HostKind::Spin {
            deployment.place_components();
        }
        deployment.start_host();
        deployment.start_gateway();
        deployment.answers();
        deployment
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Puts the manifest, as it is, and the components that it names into the folder.
    fn place_components(&self) {
        let services = self.folder.path().join("target/spin");
        std::fs::create_dir_all(&services).unwrap();
        for (name, bytes) in eqmesh_composer::services().unwrap() {
            std::fs::write(services.join(format!("{name}.wasm")), bytes).unwrap();
        }
        std::fs::copy(manifest(), self.folder.path().join("spin.toml")).unwrap();
    }

    fn command(&self, program: &str, log: &str) -> Command {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join(log))
            .unwrap();
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .env("SPIN_VARIABLE_WEBHOOK_SECRET", SECRET)
            .env("EQMESH_WEBHOOK_SECRET", SECRET)
            .env("SPIN_VARIABLE_TICK_MS", "1000")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        command
    }

    pub(crate) fn start_host(&mut self) {
        let listen = format!("127.0.0.1:{}", self.port);
        let state = self.folder.path().join("state");
        let mut command = match self.kind {
            HostKind::Embedded => {
                let mut command = self.command(EQMESH, "host.log");
                command
                    .args(["serve", "--no-carrier", "--listen", &listen, "--state"])
                    .arg(state)
                    .arg(manifest());
                command
            }
            HostKind::Spin => {
                let mut command = self.command("spin", "host.log");
                command
                    .args(["up", "--quiet", "--listen", &listen, "--state-dir"])
                    .arg(state);
                command
            }
        };
        self.host = Some(Process::start(&mut command));
    }

    pub(crate) fn start_gateway(&mut self) {
        let mut command = self.command(EQMESH, "gateway.log");
        command.args(["gateway", "--app", &self.url(), "--nats", &self.nats.url()]);
        self.gateway = Some(Process::start(&mut command));
    }

    pub(crate) fn kill_host(&mut self) {
        self.host = None;
    }

    pub(crate) fn kill_gateway(&mut self) {
        self.gateway = None;
    }

    /// Everything there is to say when a test fails.
    fn logs(&self) -> String {
        let log = |name: &str| std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        let last = |name: &str| {
            let log = log(name);
            let lines: Vec<&str> = log.lines().rev().take(20).collect();
            lines.into_iter().rev().collect::<Vec<_>>().join("\n")
        };
        format!("host:\n{}\ngateway:\n{}", last("host.log"), last("gateway.log"))
    }

    /// Waits until all agents answer.
    pub(crate) fn answers(&self) {
        let start = Instant::now();
        loop {
            if self
                .get("/health")
                .is_some_and(|(status, health)| status == 200 && health["healthy"] == 9)
            {
                return;
            }
            assert!(
                start.elapsed() < Duration::from_mins(5),
                "the agents do not answer: {}",
                self.logs()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The status and the answer, if there is one.
    pub(crate) fn get(&self, path: &str) -> Option<(u16, Value)> {
        let mut response = self.agent.get(format!("{}{path}", self.url())).call().ok()?;
        let status = response.status().as_u16();
        Some((
            status,
            serde_json::from_slice(&response.body_mut().read_to_vec().ok()?).ok()?,
        ))
    }

    /// Waits until the network has converged on at least so many facts; answers its status.
    pub(crate) fn converged(&self, facts: u64) -> Value {
        let start = Instant::now();
        loop {
            if let Some((200, status)) = self.get("/status")
                && status["converged"] == true
                && status["agents"][0]["facts"].as_u64() >= Some(facts)
            {
                return status;
            }
            assert!(
                start.elapsed() < Duration::from_mins(4),
                "the network does not converge: {:#}\n{}",
                self.get("/status").unwrap_or_default().1,
                self.logs()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// A command of the client, or another one that ends by itself.
    pub(crate) fn eqmesh(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(EQMESH);
        let command = command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("EQMESH_APP", self.url())
            .env("EQMESH_NATS", self.nats.url());
        command.output().unwrap()
    }
}
