//! What the build scripts of `artifacts` and `artifacts/services` do: builds crates under `components/` for WebAssembly, wraps each into a component, and
//! hands the bytes to the library.
//!
//! The nested cargo has a target directory of its own, `guests` in that of the workspace: cargo holds a lock on its target
//! directory for as long as it runs, so a nested one that shared it would wait for ever. All profiles and tools (debug,
//! release, clippy, doc) share `guests`, so a component is compiled once; a lock keeps two build scripts apart.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use wit_component::ComponentEncoder;

/// What a component is built for if its manifest does not say otherwise (`[package.metadata.component] target = "…"`).
const TARGET: &str = "wasm32-unknown-unknown";

/// The first eight bytes of a binary that is a component already (as opposed to a core module).
const COMPONENT_PREAMBLE: &[u8] = b"\0asm\x0d\0\x01\0";

/// Which components are built. Whoever only runs agents does not compile what speaks HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Those that need nothing of a system: what agents are composed of.
    Plain,
    /// Those whose manifest says `[package.metadata.component] service = true`: what makes them a service.
    Service,
}

/// What this script needs of `cargo metadata --no-deps`.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
    metadata: Option<serde_json::Value>,
}

impl Package {
    fn directory(&self) -> &Path {
        self.manifest_path.parent().expect("a manifest lies in a directory")
    }

    fn target(&self) -> &str {
        let target = self
            .metadata
            .as_ref()
            .and_then(|metadata| metadata.pointer("/component/target")?.as_str());
        target.unwrap_or(TARGET)
    }

    /// What else its build reads, relative to its folder (`[package.metadata.component] watch = ["…"]`).
    fn watched(&self) -> impl Iterator<Item = PathBuf> {
        let listed = self.metadata.as_ref();
        let listed = listed.and_then(|metadata| metadata.pointer("/component/watch")?.as_array());
        let listed = listed.into_iter().flatten().filter_map(serde_json::Value::as_str);
        listed.map(|path| self.directory().join(path))
    }

    fn group(&self) -> Group {
        let service = self
            .metadata
            .as_ref()
            .and_then(|metadata| metadata.pointer("/component/service")?.as_bool());
        match service {
            Some(true) => Group::Service,
            _ => Group::Plain,
        }
    }
}

#[derive(Deserialize)]
struct Dependency {
    path: Option<PathBuf>,
    kind: Option<String>,
}

/// What this script needs of cargo's JSON messages.
#[derive(Deserialize)]
struct Message {
    reason: String,
    package_id: Option<String>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// The whole of such a build script.
pub fn main(group: Group) {
    if let Err(error) = run(group) {
        eprintln!("error: {error:#}");
        std::process::exit(1);
    }
}

fn run(group: Group) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .context("this crate lies in the workspace")?;
    let out = PathBuf::from(variable("OUT_DIR")?);
    let guests = workspace_target(&out).unwrap_or(&out).join("guests");
    fs::create_dir_all(&guests).with_context(|| format!("cannot make {}", guests.display()))?;

    let metadata = metadata(root)?;
    let components: Vec<&Package> = metadata
        .packages
        .iter()
        .filter(|package| package.manifest_path.starts_with(root.join("components")) && package.group() == group)
        .collect();
    watch(root, &metadata, &components);

    let lock = File::create(guests.join("lock")).context("cannot make the lock of the guests")?;
    lock.lock().context("cannot lock the guests")?;
    let built = build(root, &guests, &components)?;
    let mut listing = String::new();
    for (name, file) in &built {
        let wrapped = wrap(&fs::read(file).with_context(|| format!("cannot read {}", file.display()))?)
            .with_context(|| format!("{name} does not make a component"))?;
        let to = out.join(format!("{name}.wasm"));
        fs::write(&to, wrapped).with_context(|| format!("cannot write {}", to.display()))?;
        writeln!(
            listing,
            "    ({name:?}, include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}.wasm\"))),"
        )?;
    }
    drop(lock);

    let mut generated = format!(
        "/// Every component: its name and its bytes, in ascending order of the names.\n\
         pub static ALL: &[(&str, &[u8])] = &[\n{listing}];\n"
    );
    if group == Group::Plain {
        let wit = out.join("wit.wasm");
        fs::write(&wit, encode_wit(&root.join("wit"))?).with_context(|| format!("cannot write {}", wit.display()))?;
        generated.push_str(
            "/// The WIT package `eqmesh:network` in binary form.\n\
             pub static WIT: &[u8] = include_bytes!(concat!(env!(\"OUT_DIR\"), \"/wit.wasm\"));\n",
        );
    }
    fs::write(out.join("artifacts.rs"), generated).context("cannot write artifacts.rs")
}

/// An environment variable that cargo sets for every build script.
fn variable(name: &str) -> Result<OsString> {
    std::env::var_os(name).with_context(|| format!("cargo did not set {name}"))
}

/// The target directory of the workspace, which cargo marks as a cache.
fn workspace_target(out: &Path) -> Option<&Path> {
    out.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file())
}

/// Cargo without what the outer one was told: flags, wrappers (clippy is one), profiles and target directories are for the host.
fn cargo(root: &Path) -> Result<Command> {
    let mut cargo = Command::new(variable("CARGO")?);
    cargo.current_dir(root);
    let foreign = |name: &str| {
        let exact = [
            "RUSTFLAGS",
            "RUSTDOCFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_ENCODED_RUSTDOCFLAGS",
        ];
        let wrappers = [
            "RUSTC_WRAPPER",
            "RUSTC_WORKSPACE_WRAPPER",
            "CLIPPY_ARGS",
            "CLIPPY_CONF_DIR",
        ];
        let places = ["CARGO_TARGET_DIR", "__CARGO_DEFAULT_LIB_METADATA"];
        exact.contains(&name)
            || wrappers.contains(&name)
            || places.contains(&name)
            || name.starts_with("CARGO_PROFILE_")
            || name.starts_with("CARGO_TARGET_WASM32_")
            || (name.starts_with("CARGO_BUILD_") && name != "CARGO_BUILD_JOBS")
            // What cargo tells a build script about its own package would confuse those of the guests' dependencies.
            || ["CARGO_CFG_", "CARGO_FEATURE_", "CARGO_PKG_", "DEP_"].iter().any(|prefix| name.starts_with(prefix))
    };
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(foreign) {
            cargo.env_remove(name);
        }
    }
    Ok(cargo)
}

/// The packages of the workspace.
fn metadata(root: &Path) -> Result<Metadata> {
    let output = cargo(root)?
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata failed: {}", output.status);
    serde_json::from_slice(&output.stdout).context("cargo metadata answered something else than its format 1")
}

/// Tells cargo to run this script again when a source of a component changes, and not for others of the workspace.
fn watch(root: &Path, metadata: &Metadata, components: &[&Package]) {
    let by_directory: BTreeMap<&Path, &Package> = metadata
        .packages
        .iter()
        .map(|package| (package.directory(), package))
        .collect();
    let mut seen: BTreeSet<&Path> = BTreeSet::new();
    let mut pending: Vec<&Path> = components.iter().map(|component| component.directory()).collect();
    while let Some(directory) = pending.pop() {
        if seen.insert(directory) {
            let package = by_directory.get(directory).into_iter();
            let used = package.flat_map(|package| &package.dependencies);
            let used = used.filter(|dependency| dependency.kind.as_deref() != Some("dev"));
            pending.extend(used.filter_map(|dependency| dependency.path.as_deref()));
        }
    }
    let parts = seen
        .into_iter()
        .flat_map(|directory| ["Cargo.toml", "src", "build.rs"].map(|part| directory.join(part)));
    // A new component shows in the lock file, like profiles and versions in the two files of the workspace. Not the folder as a whole: what lies there besides sources (the
    // packages that a page is built with, say) is no reason to build anything.
    let whole = [
        "wit",
        "artifacts/build/src",
        "Cargo.toml",
        "Cargo.lock",
        "rust-toolchain.toml",
    ];
    let whole = whole.map(|part| root.join(part));
    let listed = components.iter().flat_map(|component| component.watched());
    for path in parts.chain(whole).chain(listed).filter(|path| path.exists()) {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    println!("cargo::rerun-if-changed=build.rs");
}

/// Builds the components, one run of cargo for each target that occurs; answers the file of each by its name.
fn build(root: &Path, guests: &Path, components: &[&Package]) -> Result<BTreeMap<String, PathBuf>> {
    let mut by_target: BTreeMap<&str, Vec<&Package>> = BTreeMap::new();
    for component in components {
        by_target.entry(component.target()).or_default().push(component);
    }
    let mut files = BTreeMap::new();
    for (target, packages) in by_target {
        provide(target)?;
        let mut command = cargo(root)?;
        command.args([
            "build",
            "--profile",
            "guest",
            "--message-format",
            "json-render-diagnostics",
        ]);
        command.arg("--target").arg(target).arg("--target-dir").arg(guests);
        command.env("CARGO_ENCODED_RUSTFLAGS", flags(root, target));
        for package in &packages {
            command.arg("--package").arg(&package.id);
        }
        let output = command
            .stderr(Stdio::inherit())
            .output()
            .context("cannot run cargo build")?;
        ensure!(
            output.status.success(),
            "the components do not build for {target}: see the messages of cargo above"
        );
        for line in output
            .stdout
            .split(|&byte| byte == b'\n')
            .filter(|line| line.starts_with(b"{"))
        {
            let message: Message = serde_json::from_slice(line).context("cargo wrote a message of another form")?;
            let package = packages
                .iter()
                .find(|package| message.package_id.as_deref() == Some(&package.id));
            let file = message
                .filenames
                .into_iter()
                .find(|file| file.extension().is_some_and(|end| end == "wasm"));
            if message.reason == "compiler-artifact"
                && let (Some(package), Some(file)) = (package, file)
            {
                files.insert(package.name.clone(), file);
            }
        }
        if let Some(package) = packages.iter().find(|package| !files.contains_key(&package.name)) {
            bail!(
                "{} makes no .wasm file: its manifest lacks `crate-type = [\"cdylib\"]`",
                package.name
            );
        }
    }
    Ok(files)
}

/// The flags for the guests. Paths of this machine are kept out of the binaries, so that the same sources make the same bytes.
fn flags(root: &Path, target: &str) -> OsString {
    let remap = |from: &Path, to: &str| {
        let mut flag = OsString::from("--remap-path-prefix=");
        flag.push(from);
        flag.push("=");
        flag.push(to);
        flag
    };
    let mut flags = vec![remap(root, "eqmesh")];
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    flags.extend(
        home.or_else(|| Some(std::env::home_dir()?.join(".cargo")))
            .map(|home| remap(&home, "cargo")),
    );
    if target == TARGET {
        flags.extend(["-C".into(), "target-feature=+simd128".into()]);
    }
    // Cargo splits this variable at the unit separator.
    flags.join("\u{1f}".as_ref())
}

/// Makes sure that the standard library of a target is installed.
fn provide(target: &str) -> Result<()> {
    let installed = || -> Result<bool> {
        let rustc = Command::new(variable("RUSTC")?)
            .args(["--print", "target-libdir", "--target", target])
            .output();
        let rustc = rustc.context("cannot run rustc")?;
        Ok(rustc.status.success() && Path::new(String::from_utf8_lossy(&rustc.stdout).trim()).is_dir())
    };
    if !installed()? {
        let added = Command::new("rustup").args(["target", "add", target]).status();
        if !added.is_ok_and(|status| status.success()) || !installed()? {
            bail!(
                "the components need the Rust target {target}, which is not installed and could not be installed: \
                 run `rustup target add {target}`"
            );
        }
    }
    Ok(())
}

/// A core module as a component. What is a component already is left as it is.
fn wrap(binary: &[u8]) -> Result<Vec<u8>> {
    if binary.starts_with(COMPONENT_PREAMBLE) {
        return Ok(binary.to_vec());
    }
    ComponentEncoder::default().module(binary)?.validate(true).encode()
}

/// The folder of WIT files as one binary package.
fn encode_wit(folder: &Path) -> Result<Vec<u8>> {
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_dir(folder)?;
    wit_component::encode(&resolve, package)
}
