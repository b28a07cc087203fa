//! The commands that need a network.

use std::path::Path;
use std::process::{Command, Output};

use eqmesh_gateway::{Broker as _, Connection, Layout, Nats, connect};
use eqmesh_nats_fixture::Server;
use eqmesh_replica::AgentId;

fn eqmesh(folder: &Path, arguments: &[&str]) -> Output {
    let command = Command::new(env!("CARGO_BIN_EXE_eqmesh"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("EQMESH_WEBHOOK_SECRET")
        .output();
    command.unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_configuration_comes_with_keys_that_only_their_owner_reads() {
    let folder = tempfile::tempdir().unwrap();
    let made = eqmesh(folder.path(), &["nats-config", "--agents", "2"]);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    let keys = folder.path().join("nats-keys");
    for name in ["operator", "agent-0", "agent-1"] {
        let seed = std::fs::read_to_string(keys.join(name)).unwrap();
        assert!(seed.starts_with("SU") && !text(&made.stdout).contains(seed.trim()));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(keys.join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
    let again = eqmesh(folder.path(), &["nats-config", "--agents", "2"]);
    assert_eq!((again.status.code(), again.stdout), (Some(2), Vec::new()));
    // A server takes it, and lets in whoever has a key.
    let config = text(&made.stdout).replace("\"nats-store\"", &format!("{:?}", folder.path().join("store")));
    let server = Server::start(&config);
    let key = keys.join("operator");
    let url = server.url();
    let listed = |key: &[&str]| {
        let command = ["gateway", "dead-letters", "list", "--nats", url.as_str()];
        eqmesh(folder.path(), &[&command[..], key].concat())
    };
    assert!(text(&listed(&[]).stderr).contains("refuses the credentials"));
    // Nobody has made the stream of dead letters yet.
    let allowed = listed(&["--nkey", key.to_str().unwrap()]);
    assert_eq!(allowed.status.code(), Some(1), "{}", text(&allowed.stderr));
    assert!(
        text(&allowed.stderr).contains("is not there yet"),
        "{}",
        text(&allowed.stderr)
    );
}

#[test]
fn what_is_missing_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let no_secret = eqmesh(folder.path(), &["gateway"]);
    assert_eq!(no_secret.status.code(), Some(2));
    assert!(text(&no_secret.stderr).contains("EQMESH_WEBHOOK_SECRET"));
    std::fs::write(folder.path().join("secret"), "short").unwrap();
    let bad_secret = eqmesh(folder.path(), &["gateway", "--secret-file", "secret"]);
    assert_eq!(bad_secret.status.code(), Some(2));
    assert!(text(&bad_secret.stderr).contains("whsec_"));
    let bad_name = eqmesh(folder.path(), &["nats-config", "--network", "a.b"]);
    assert_eq!(bad_name.status.code(), Some(2));
    let help = eqmesh(folder.path(), &["gateway", "--help"]);
    assert!(text(&help.stdout).contains("Exit codes") && text(&help.stdout).contains("Examples"));
}

#[test]
fn a_run_over_a_broker_answers_as_one_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start("");
    let url = server.url();
    let program = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/calculus.egg");
    let run = |more: &[&str]| {
        let command = ["run", "--engine", "native", "--json", program.to_str().unwrap()];
        eqmesh(folder.path(), &[&command[..], more].concat())
    };
    let (alone, over) = (run(&[]), run(&["--nats", &url]));
    assert_eq!(over.status.code(), Some(0), "{}", text(&over.stderr));
    // Messages and bytes are counted by the agents, so these say that all of them arrived, once.
    assert_eq!(text(&alone.stdout), text(&over.stdout));
    // Nothing of it is left, so another run can have the same name, and one that is not free to choose is told.
    let named = ["--nats", &url, "--nats-network", "mine"];
    assert_eq!(text(&run(&named).stdout), text(&alone.stdout));
    assert_eq!(text(&run(&named).stdout), text(&alone.stdout));
    // Another network of that name, with its dead letters, is left alone.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let theirs = runtime.block_on(async {
        let connection = Connection {
            url: url.clone(),
            ..Connection::default()
        };
        let broker = Nats::new(connect(&connection).await.unwrap(), Layout::new(Some("mine")).unwrap());
        broker.prepare(&[AgentId(0)]).await.unwrap();
        broker
    });
    let taken = run(&named);
    assert_eq!(taken.status.code(), Some(2), "{}", text(&taken.stderr));
    assert!(
        text(&taken.stderr).contains("choose another name"),
        "{}",
        text(&taken.stderr)
    );
    assert!(runtime.block_on(theirs.expect_none()).is_err());
    runtime.block_on(theirs.remove()).unwrap();
    assert_eq!(runtime.block_on(theirs.expect_none()), Ok(()));
    let own = run(&["--nats", &url, "--nats-network", "eqmesh"]);
    assert_eq!(own.status.code(), Some(2), "{}", text(&own.stderr));
    let bad = run(&["--nats", &url, "--nats-network", "a.b"]);
    assert_eq!(bad.status.code(), Some(2));
    assert!(
        text(&bad.stderr).contains("cannot name a network"),
        "{}",
        text(&bad.stderr)
    );
    let left = eqmesh(
        folder.path(),
        &["gateway", "dead-letters", "list", "--nats", &url, "--network", "mine"],
    );
    assert!(
        text(&left.stderr).contains("is not there yet"),
        "{}",
        text(&left.stderr)
    );
}

#[test]
fn a_run_goes_on_when_its_broker_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start("");
    let url = server.url();
    let program = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/calculus.egg");
    let command = ["run", "--engine", "native", "--json", program.to_str().unwrap()];
    let alone = eqmesh(folder.path(), &command);
    let over = Command::new(env!("CARGO_BIN_EXE_eqmesh"))
        .args(command)
        .args(["--nats", &url])
        .current_dir(folder.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    for _ in 0..3 {
        std::thread::sleep(std::time::Duration::from_millis(400));
        server.kill();
        std::thread::sleep(std::time::Duration::from_millis(100));
        server.restart();
    }
    let over = over.wait_with_output().unwrap();
    assert_eq!(over.status.code(), Some(0));
    assert_eq!(text(&alone.stdout), text(&over.stdout));
}

#[test]
fn a_broker_without_room_says_so_and_nothing_is_left_there() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("p.egg"),
        "(datatype M (A) (B))\n(rewrite (A) (B))\n(let a (A))",
    )
    .unwrap();
    // Enough for the messages of a run, but not for its dead letters as well.
    let server = Server::start("jetstream { max_file_store: 270MB }");
    let url = server.url();
    for _ in 0..2 {
        let refused = eqmesh(folder.path(), &["run", "--engine", "native", "--nats", &url, "p.egg"]);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{said}");
        // Both times it is the second stream: the first one was not left behind.
        assert!(
            said.contains("has no 32 MiB left") && said.contains("max_file_store"),
            "{said}"
        );
    }
}

#[test]
fn a_broker_that_is_not_there_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("p.egg"), "(datatype M (A))").unwrap();
    let missed = eqmesh(
        folder.path(),
        &["run", "--engine", "native", "--nats", "nats://127.0.0.1:1", "p.egg"],
    );
    assert_eq!(missed.status.code(), Some(2));
    assert!(
        text(&missed.stderr).contains("no broker answers at nats://127.0.0.1:1"),
        "{}",
        text(&missed.stderr)
    );
}
