//! What is built into the component: the description of the HTTP interface as JSON, and the page's files, compressed.

use std::error::Error;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

/// The files of the page that are served, by path, with their media types: exactly these, so that nothing is served that only happens to lie there.
const PAGE: [(&str, &str, &str); 4] = [
    ("/", "index.html", "text/html; charset=utf-8"),
    ("/assets/app.js", "app.js", "text/javascript; charset=utf-8"),
    ("/assets/app.css", "app.css", "text/css; charset=utf-8"),
    ("/assets/icon.svg", "icon.svg", "image/svg+xml"),
];

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?;
    let out = Path::new(&out);
    println!("cargo::rerun-if-changed=build.rs");

    let source = root.join("../../docs/openapi.yaml");
    println!("cargo::rerun-if-changed={}", source.display());
    let description: serde_json::Value = serde_yaml_ng::from_str(&std::fs::read_to_string(&source)?)?;
    std::fs::write(out.join("openapi.json"), serde_json::to_vec(&description)?)?;

    let dist = root.join("web/dist");
    println!("cargo::rerun-if-changed={}", dist.display());
    let mut assets = String::from("pub(crate) static ASSETS: &[Asset] = &[\n");
    for (path, name, media) in PAGE {
        let source = dist.join(name);
        let bytes = std::fs::read(&source).map_err(|error| {
            format!(
                "{}: {error}; build the page with `npm run build` in components/dashboard/web",
                source.display()
            )
        })?;
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&bytes)?;
        std::fs::write(out.join(format!("{name}.gz")), encoder.finish()?)?;
        let source = source.to_str().ok_or("the folder's name is no text")?;
        writeln!(
            assets,
            "    Asset {{ path: {path:?}, media: {media:?}, tag: \"{:016x}\", plain: include_bytes!({source:?}), \
             packed: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}.gz\")) }},",
            hasher.finish()
        )?;
    }
    assets.push_str("];\n");
    std::fs::write(out.join("assets.rs"), assets)?;
    Ok(())
}
