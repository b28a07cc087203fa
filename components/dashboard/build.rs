//! The description of the HTTP interface, as JSON.

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.yaml");
    println!("cargo::rerun-if-changed={}", source.display());
    println!("cargo::rerun-if-changed=build.rs");
    let description: serde_json::Value = serde_yaml_ng::from_str(&std::fs::read_to_string(&source)?)?;
    let out = std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?;
    std::fs::write(Path::new(&out).join("openapi.json"), serde_json::to_vec(&description)?)?;
    Ok(())
}
