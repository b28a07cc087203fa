//! The agents that can be composed, and how each is wired.

use std::fmt;
use std::str::FromStr;

/// A kind of agent, by the streams that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum World {
    /// Works forward: `stream-red`.
    Red,
    /// Works backward: `stream-blue`.
    Blue,
    /// Does the neutral steps and certifies: `stream-green`.
    Green,
    /// Does everything, for a network of one or two: all three streams behind `stream-all`.
    Solo,
}

/// No agent has this name.
#[derive(Debug, thiserror::Error)]
#[error("there is no agent `{0}`: choose red, blue, green or solo")]
pub struct UnknownWorld(pub String);

/// One wire: an import of a component is filled by the export of another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wire {
    /// The importing component.
    pub(crate) to: &'static str,
    /// The name of its import.
    pub(crate) import: &'static str,
    /// The exporting component.
    pub(crate) from: &'static str,
    /// The name of its export.
    pub(crate) export: &'static str,
}

/// The component that every agent exports.
pub(crate) const AGENT: &str = "agent";
/// Its interface.
pub(crate) const AGENT_INTERFACE: &str = "eqmesh:network/agent@0.1.0";

const EGRAPH: &str = "eqmesh:network/egraph@0.1.0";
const STREAM: &str = "eqmesh:network/rewrite-stream@0.1.0";

/// What an agent imports besides the e-graph and the stream, and the component that has it.
const SERVICES: [(&str, &str); 4] = [
    ("eqmesh:network/colors@0.1.0", "duck-colors"),
    ("eqmesh:network/transduction@0.1.0", "transduction-2tdx"),
    ("eqmesh:network/timeline@0.1.0", "interaction-timeline"),
    ("eqmesh:network/orchestrator@0.1.0", "agent-orchestrator"),
];

impl World {
    /// All of them.
    pub const ALL: [World; 4] = [World::Red, World::Blue, World::Green, World::Solo];

    /// Its name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            World::Red => "red",
            World::Blue => "blue",
            World::Green => "green",
            World::Solo => "solo",
        }
    }

    /// The components that it is made of, each after those that it imports from.
    pub fn components(self) -> Vec<&'static str> {
        let mut components = vec!["egraph"];
        match self {
            World::Red => components.push("stream-red"),
            World::Blue => components.push("stream-blue"),
            World::Green => components.push("stream-green"),
            World::Solo => components.extend(["stream-red", "stream-blue", "stream-green", "stream-all"]),
        }
        components.extend(SERVICES.map(|(_, component)| component));
        components.push(AGENT);
        components
    }

    /// How they are connected.
    pub(crate) fn wires(self) -> Vec<Wire> {
        let egraph = |to| Wire {
            to,
            import: EGRAPH,
            from: "egraph",
            export: EGRAPH,
        };
        let stream = |to, import, from| Wire {
            to,
            import,
            from,
            export: STREAM,
        };
        let mut wires = match self {
            World::Red => vec![egraph("stream-red"), stream(AGENT, STREAM, "stream-red")],
            World::Blue => vec![egraph("stream-blue"), stream(AGENT, STREAM, "stream-blue")],
            World::Green => vec![egraph("stream-green"), stream(AGENT, STREAM, "stream-green")],
            World::Solo => vec![
                egraph("stream-red"),
                egraph("stream-blue"),
                egraph("stream-green"),
                egraph("stream-all"),
                stream("stream-all", "red", "stream-red"),
                stream("stream-all", "blue", "stream-blue"),
                stream("stream-all", "green", "stream-green"),
                stream(AGENT, STREAM, "stream-all"),
            ],
        };
        wires.push(egraph(AGENT));
        wires.extend(SERVICES.map(|(interface, from)| Wire {
            to: AGENT,
            import: interface,
            from,
            export: interface,
        }));
        wires
    }
}

impl fmt::Display for World {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for World {
    type Err = UnknownWorld;

    fn from_str(name: &str) -> Result<World, UnknownWorld> {
        World::ALL
            .into_iter()
            .find(|world| world.name() == name)
            .ok_or_else(|| UnknownWorld(name.to_owned()))
    }
}
