//! The processes of a deployed network. They are killed when they are dropped.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tokio::time::sleep;

use crate::http::Http;

/// For these measurements alone: nothing outside of them listens.
pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// How long a process may take to answer: the first one compiles the components.
const PATIENCE: Duration = Duration::from_mins(5);

/// `spin.toml` of the workspace.
pub(crate) fn manifest() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spin.toml")
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A process that dies with its owner, as by kill -9.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    /// Starts the program with these arguments, in a folder where its log goes.
    pub(crate) fn start(program: &Path, arguments: &[&str], folder: &Path, log: &str) -> Result<Process> {
        let log = File::options().create(true).append(true).open(folder.join(log))?;
        let child = Command::new(program)
            .args(arguments)
            .current_dir(folder)
            .env("SPIN_VARIABLE_WEBHOOK_SECRET", SECRET)
            .env("EQMESH_WEBHOOK_SECRET", SECRET)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        Ok(Process(child.with_context(|| program.display().to_string())?))
    }

    /// Whether it has ended by itself.
    fn has_ended(&mut self) -> Result<bool> {
        Ok(self.0.try_wait()?.is_some())
    }

    /// The most memory that it has had, in bytes.
    pub(crate) fn peak_memory(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let kibibytes = status.lines().find_map(|line| {
            line.strip_prefix("VmHWM:")?
                .trim()
                .strip_suffix(" kB")?
                .trim()
                .parse::<u64>()
                .ok()
        });
        Ok(kibibytes.context("the kernel does not tell of the memory")? * 1024)
    }
}

/// A host, what it keeps, and where it listens.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) process: Option<Process>,
    program: PathBuf,
    manifest: PathBuf,
    pub(crate) folder: PathBuf,
    port: u16,
    more: Vec<String>,
}

impl Host {
    /// Starts a host of a manifest's agents. `more` are further options.
    pub(crate) fn start(program: &Path, manifest: &Path, folder: &Path, more: &[&str]) -> Result<Host> {
        let mut host = Host {
            process: None,
            program: program.to_owned(),
            manifest: manifest.to_owned(),
            folder: folder.to_owned(),
            port: free_port()?,
            more: more.iter().map(|&own| own.to_owned()).collect(),
        };
        host.restart()?;
        Ok(host)
    }

    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    pub(crate) fn restart(&mut self) -> Result<()> {
        let listen = format!("127.0.0.1:{}", self.port);
        let state = self.folder.join("state");
        let mut arguments = vec!["serve", "--listen", &listen, "--state"];
        arguments.push(state.to_str().context("a path is not UTF-8")?);
        arguments.extend(self.more.iter().map(String::as_str));
        arguments.push(self.manifest.to_str().context("a path is not UTF-8")?);
        self.process = Some(Process::start(&self.program, &arguments, &self.folder, "host.log")?);
        Ok(())
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn agent(&self, number: u32) -> String {
        format!("{}/agent/{number}", self.url())
    }

    /// Waits until an agent answers.
    pub(crate) async fn answers(&mut self, http: &Http, number: u32) -> Result<()> {
        let start = Instant::now();
        let url = format!("{}/state", self.agent(number));
        while http.time(&url).await.is_none() {
            let ended = match &mut self.process {
                Some(process) => process.has_ended()?,
                None => true,
            };
            if ended || start.elapsed() > PATIENCE {
                let log = fs::read_to_string(self.folder.join("host.log")).unwrap_or_default();
                bail!("{url} does not answer:\n{log}");
            }
            sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }
}
