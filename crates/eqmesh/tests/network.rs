//! The commands that need a network.

use std::path::Path;
use std::process::{Command, Output};

use eqmesh_nats_fixture::Server;

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
