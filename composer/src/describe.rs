//! What the agents are made of, for people and for programs.

use serde::Serialize;

use crate::components::{Components, NoSuchComponent};
use crate::compose::{ComposeError, compose_from};
use crate::inspect::{InspectError, Interfaces, inspect};
use crate::world::World;

/// A composed agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AgentDescription {
    /// The agent's name (`red`, …).
    pub agent: String,
    /// Its size.
    pub bytes: usize,
    /// Its imports and exports.
    #[serde(flatten)]
    pub interfaces: Interfaces,
    /// The components that it is made of, each after those that it imports from.
    pub components: Vec<PartDescription>,
}

/// One component of an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartDescription {
    /// The component's name.
    pub component: String,
    /// Its size.
    pub bytes: usize,
    /// Its imports and exports.
    #[serde(flatten)]
    pub interfaces: Interfaces,
}

/// Why an agent could not be described.
#[derive(Debug, thiserror::Error)]
pub enum DescribeError {
    /// It cannot be composed.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// A component is not there.
    #[error(transparent)]
    Absent(#[from] NoSuchComponent),
    /// A component is not valid.
    #[error(transparent)]
    Invalid(#[from] InspectError),
}

/// Composes an agent and says what it is made of.
pub fn describe(world: World, components: &Components) -> Result<AgentDescription, DescribeError> {
    let composed = compose_from(world, components)?;
    let part = |name: &str| {
        let bytes = components.get(name)?;
        let interfaces = inspect(name, bytes)?;
        Ok(PartDescription {
            component: name.to_owned(),
            bytes: bytes.len(),
            interfaces,
        })
    };
    Ok(AgentDescription {
        agent: world.name().to_owned(),
        bytes: composed.len(),
        interfaces: inspect(&format!("agent-{world}"), &composed)?,
        components: world
            .components()
            .into_iter()
            .map(part)
            .collect::<Result<_, DescribeError>>()?,
    })
}

/// A table in plain columns. Types-only imports are left out: they ask for nothing.
pub fn table(agents: &[AgentDescription]) -> String {
    let mut rows = vec![["AGENT", "COMPONENT", "BYTES", "IMPORTS", "EXPORTS"].map(str::to_owned)];
    let row = |agent: &str, component: &str, bytes: usize, interfaces: &Interfaces| {
        [
            agent.to_owned(),
            component.to_owned(),
            bytes.to_string(),
            names(&interfaces.needs),
            names(&interfaces.exports),
        ]
    };
    for agent in agents {
        rows.push(row(&agent.agent, "(composed)", agent.bytes, &agent.interfaces));
        for part in &agent.components {
            rows.push(row("", &part.component, part.bytes, &part.interfaces));
        }
    }
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2), width(3)];
    let mut text = String::new();
    for [agent, component, bytes, imports, exports] in &rows {
        let [a, c, b, i] = widths;
        let line = format!("{agent:a$}  {component:c$}  {bytes:>b$}  {imports:i$}  {exports}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Interface names without package and version where they are ours.
fn names(interfaces: &[String]) -> String {
    if interfaces.is_empty() {
        return "none".to_owned();
    }
    let short = |name: &String| {
        let ours = name
            .strip_prefix("eqmesh:network/")
            .and_then(|name| name.split_once('@'));
        ours.map_or_else(|| name.clone(), |(name, _)| name.to_owned())
    };
    interfaces.iter().map(short).collect::<Vec<_>>().join(" ")
}
