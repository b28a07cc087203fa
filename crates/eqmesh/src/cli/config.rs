//! `eqmesh.toml`: defaults for options.

use std::path::Path;

use serde::Deserialize;

use super::run::{Coloring, EngineName};

/// Where defaults are looked for.
const FILE: &str = "eqmesh.toml";

/// What `eqmesh.toml` may say; each key is an option of `eqmesh run`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    pub(crate) agents: Option<u32>,
    pub(crate) rounds: Option<u64>,
    pub(crate) node_limit: Option<u64>,
    pub(crate) match_limit: Option<u64>,
    pub(crate) time_limit: Option<f64>,
    pub(crate) colors: Option<Coloring>,
    pub(crate) engine: Option<EngineName>,
    pub(crate) quiet: Option<bool>,
}

impl Config {
    /// Reads the file that was named, or `eqmesh.toml` if it is there.
    pub(crate) fn load(named: Option<&Path>) -> Result<Config, String> {
        let path = named.unwrap_or(Path::new(FILE));
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Config::default());
            }
            Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
        };
        // The message shows the line.
        toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
    }
}
