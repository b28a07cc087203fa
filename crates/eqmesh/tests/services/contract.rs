//! `docs/openapi.yaml` against the running network: schemathesis asks for everything that the description allows, and for what it forbids.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::application::Application;

/// Where `scripts/test` installs it, or the PATH.
fn schemathesis() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let own = target.join("api-tools/bin/st");
    let on_path = PathBuf::from("st");
    let runs = |path: &PathBuf| {
        let said = Command::new(path).arg("--version").output();
        said.is_ok_and(|said| said.stdout.starts_with(b"st, version 4."))
    };
    [own, on_path].into_iter().find(runs)
}

#[test]
fn the_network_is_what_its_description_says() {
    let Some(program) = schemathesis() else {
        // Past what the test harness keeps to itself.
        let said = "SKIPPED: the service against its description, since schemathesis is not installed: see scripts/api-tools.txt\n";
        std::io::stderr().write_all(said.as_bytes()).unwrap();
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let application = Application::start(folder.path(), false);
    // Something to ask about.
    let text = "(datatype Math (Num i64) (Add Math Math)) (rewrite (Add a b) (Add b a)) (let x (Add (Num 1) (Num 2)))";
    assert_eq!(application.submit(0, text).status, 200);
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/services");
    let run = Command::new(program)
        .current_dir(folder.path())
        .env("SCHEMATHESIS_HOOKS", "schemathesis_hooks")
        .env("PYTHONPATH", &here)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .args(["--no-color", "--config-file"])
        .arg(here.join("schemathesis.toml"))
        .args(["run", &format!("{}/openapi.json", application.url)])
        .args(["--phases", "examples,coverage,fuzzing"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{said}\n{}", String::from_utf8_lossy(&run.stderr));
    assert!(said.contains("generated"), "it asked nothing: {said}");
}
