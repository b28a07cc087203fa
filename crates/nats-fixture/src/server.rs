//! Starting, killing and restarting.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tempfile::TempDir;

use crate::binary;

/// How long a server may take to start. Reached on machines that do much else only.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(10);

/// How much a server may promise its streams, which tests hardly use.
const STORE: &str = "16GB";

/// A nats-server with JetStream.
#[derive(Debug)]
pub struct Server {
    /// None while it is killed.
    child: Option<Child>,
    name: String,
    port: u16,
    folder: TempDir,
    /// Its configuration says where.
    stores_elsewhere: bool,
}

/// What a server says first of itself, as far as it matters.
#[derive(Deserialize)]
struct Greeting {
    server_name: String,
    #[serde(default)]
    jetstream: bool,
}

impl Server {
    /// Starts a server. `config` is a configuration of nats-server; address and name in it do not matter, and if it has no `store_dir`, there is a
    /// folder for that, too. It is empty for a server that everybody may use for everything. Unless it says otherwise, what streams set aside does not
    /// depend on how full the disk is.
    pub fn start(config: &str) -> Server {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut server = Server {
            child: None,
            name: format!("eqmesh-test-{}-{count}", std::process::id()),
            port: 0,
            folder: tempfile::tempdir().expect("a temporary folder can be made"),
            stores_elsewhere: config.contains("store_dir"),
        };
        let config = if config.contains("jetstream") {
            config.to_owned()
        } else {
            format!("{config}\njetstream {{ max_file_store: {STORE} }}\n")
        };
        fs::write(server.config(), config).expect("a temporary file can be written");
        server.restart();
        server
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("nats://{}", self.address())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Where it stores, with its log in `log`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Kills it as `kill -9` does. It keeps port and folder for [`restart`](Server::restart).
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("one's own child can be killed");
            child.wait().expect("one's own child can be awaited");
        }
    }

    /// Starts it again with the port and the folder that it had, and waits until it is ready. Does nothing while it runs.
    pub fn restart(&mut self) {
        if self.child.is_some() {
            return;
        }
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder().join("log"));
        let log = log.expect("a temporary file can be written");
        // The server itself finds a free port at first, and writes which.
        let port = if self.port == 0 {
            "-1".to_owned()
        } else {
            self.port.to_string()
        };
        let mut command = Command::new(binary());
        if !self.stores_elsewhere {
            command
                .arg("--jetstream")
                .arg("--store_dir")
                .arg(self.folder().join("store"));
        }
        let child = command
            .args(["--addr", "127.0.0.1", "--port", &port, "--name", &self.name])
            .arg("--ports_file_dir")
            .arg(self.folder())
            .arg("--config")
            .arg(self.config())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.child = Some(child.expect("nats-server can be started"));
        let start = Instant::now();
        while !self.is_ready() {
            let child = self.child.as_mut().expect("it was started above");
            let ended = child.try_wait().expect("one's own child can be looked at");
            if ended.is_some() || start.elapsed() > PATIENCE {
                let log = fs::read_to_string(self.folder().join("log")).unwrap_or_default();
                panic!("nats-server did not start:\n{log}");
            }
            sleep(LOOK);
        }
    }

    fn config(&self) -> PathBuf {
        self.folder().join("config")
    }

    /// Whether it answers, and is this one: anything else may have been given the port in the meantime.
    fn is_ready(&mut self) -> bool {
        if self.port == 0 {
            let Some(port) = self.written_port() else { return false };
            self.port = port;
        }
        let Ok(stream) = TcpStream::connect_timeout(&self.address(), PATIENCE) else {
            return false;
        };
        if stream.set_read_timeout(Some(PATIENCE)).is_err() {
            return false;
        }
        let mut line = String::new();
        if BufReader::new(stream).read_line(&mut line).is_err() {
            return false;
        }
        let greeting = line.strip_prefix("INFO ").map(serde_json::from_str::<Greeting>);
        let Some(Ok(greeting)) = greeting else { return false };
        assert_eq!(greeting.server_name, self.name, "another server has port {}", self.port);
        greeting.jetstream
    }

    /// What the server wrote into `nats-server_{process}.ports`: `{"nats": ["nats://127.0.0.1:40000"]}`.
    fn written_port(&self) -> Option<u16> {
        #[derive(Deserialize)]
        struct Ports {
            nats: Vec<String>,
        }
        let process = self.child.as_ref()?.id();
        let files = fs::read_dir(self.folder()).ok()?.flatten().map(|file| file.path());
        let mut written = files.filter(|path| path.to_string_lossy().ends_with(&format!("_{process}.ports")));
        let ports: Ports = serde_json::from_slice(&fs::read(written.next()?).ok()?).ok()?;
        ports.nats.first()?.rsplit(':').next()?.parse().ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // Nothing more can be done here.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_keeps_port_and_name_over_kills_and_is_gone_at_the_end() {
        let (mut first, second) = (Server::start(""), Server::start("max_payload: 4MB"));
        assert_ne!(first.url(), second.url());
        let url = first.url();
        first.kill();
        assert!(TcpStream::connect(first.address()).is_err());
        first.restart();
        assert_eq!(first.url(), url);
        assert!(first.is_ready());
        let (address, folder) = (first.address(), first.folder().to_owned());
        drop(first);
        assert!(TcpStream::connect(address).is_err());
        assert!(!folder.exists());
    }

    #[test]
    #[should_panic(expected = "nats-server did not start")]
    fn a_configuration_that_is_wrong_is_told() {
        Server::start("no such option {");
    }
}
