//! The manifest on Spin itself, where there is one.

use std::io::Write as _;
use std::process::Command;

use crate::processes::{manifest, text};

/// Asks Spin to read the manifest and to load every component, which needs their files. Serving them is for a machine with Spin: this one says so if it has none.
#[test]
fn spin_takes_the_manifest() {
    let Ok(version) = Command::new("spin").arg("--version").output() else {
        // Past what the test harness keeps to itself.
        let said =
            "SKIPPED: spin.toml on Spin itself, since there is no `spin` on the PATH; the embedded host runs it\n";
        std::io::stderr().write_all(said.as_bytes()).unwrap();
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let services = folder.path().join("target/spin");
    std::fs::create_dir_all(&services).unwrap();
    for (name, bytes) in eqmesh_composer::services().unwrap() {
        std::fs::write(services.join(format!("{name}.wasm")), bytes).unwrap();
    }
    std::fs::copy(manifest(), folder.path().join("spin.toml")).unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let mut spin = Command::new("spin")
        .current_dir(folder.path())
        .args(["up", "--listen", &address.to_string(), "--quiet"])
        .env("SPIN_VARIABLE_WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        .spawn()
        .unwrap();
    let mut healthy = None;
    for _ in 0..600 {
        let asked = ureq::get(format!("http://{address}/health")).call();
        if let Ok(mut answer) = asked {
            healthy = answer.body_mut().read_to_string().ok();
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let _ = spin.kill();
    let _ = spin.wait();
    let healthy = healthy.unwrap_or_else(|| panic!("{} does not answer", text(&version.stdout).trim()));
    assert!(healthy.contains("\"healthy\":9"), "{healthy}");
}
