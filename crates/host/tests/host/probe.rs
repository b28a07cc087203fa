//! The probe component, built when a test first asks for it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use bytes::Bytes;

/// The probe's binary. `cargo test` needs no step before it.
pub(crate) static PROBE: LazyLock<Bytes> = LazyLock::new(build);

fn build() -> Bytes {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/probe");
    // A target directory of its own: cargo holds a lock on the one that it works in.
    let target: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .with_file_name("guests")
        .join("probe");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args([
            "build",
            "--release",
            "--locked",
            "--target",
            "wasm32-wasip2",
            "--target-dir",
        ])
        .arg(&target)
        .current_dir(&folder);
    for (name, _) in std::env::vars_os() {
        // What the outer cargo was told about flags, wrappers and packages is for the host.
        let foreign = ["RUSTFLAGS", "RUSTC", "CARGO_"];
        if name.to_str().is_some_and(|name| {
            foreign.iter().any(|prefix| name.starts_with(prefix))
                && !["CARGO_HOME", "CARGO_BUILD_JOBS", "CARGO_NET_OFFLINE"].contains(&name)
        }) {
            cargo.env_remove(name);
        }
    }
    let output = cargo.output().expect("cargo runs");
    assert!(
        output.status.success(),
        "the probe does not build (is the target there? `rustup target add wasm32-wasip2`):\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let file = target.join("wasm32-wasip2/release/eqmesh_host_probe.wasm");
    std::fs::read(&file).expect("cargo made the component").into()
}
