//! A configuration of nats-server in which every user can speak only for itself.
//!
//! The *operator* may do everything: it makes the streams and consumers, delivers for any agent, and replays dead letters. The user *agent-i* delivers
//! for agent i, with [`Layout::restricted`]: it may publish what [`Subjects::own`](crate::Subjects::own) says, pull and acknowledge at its own consumer, and hear signs of life and the
//! answers to itself. It can neither forge a subject of another agent nor make streams and consumers, which could be made to publish for it.

use std::fmt;
use std::path::PathBuf;

use eqmesh_replica::AgentId;
use nkeys::KeyPair;

use crate::nats::Layout;

/// The longest message that the server takes, in bytes: the most that it takes without a warning.
const MAX_PAYLOAD: u64 = 8 << 20;

/// Somebody who may connect.
pub struct User {
    /// `operator`, or `agent-` and a number.
    pub name: String,
    key: KeyPair,
    /// None for whoever may do everything.
    rights: Option<Rights>,
}

/// Patterns of subjects.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rights {
    publish: Vec<String>,
    subscribe: Vec<String>,
}

impl fmt::Debug for User {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("User")
            .field("name", &self.name)
            .field("rights", &self.rights)
            .finish_non_exhaustive()
    }
}

impl User {
    /// Who may do everything, with a new key.
    pub fn operator() -> User {
        User {
            name: "operator".to_owned(),
            key: KeyPair::new_user(),
            rights: None,
        }
    }

    /// Who delivers for one agent, with a new key.
    pub fn agent(layout: &Layout, agent: AgentId) -> User {
        let (stream, consumer) = (layout.stream(), Layout::consumer(agent));
        let mut publish = layout.subjects().own(agent);
        publish.extend([
            format!("$JS.API.CONSUMER.INFO.{stream}.{consumer}"),
            format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"),
            // With and without a domain.
            format!("$JS.ACK.{stream}.{consumer}.>"),
            format!("$JS.ACK.*.*.{stream}.{consumer}.>"),
        ]);
        let mut subscribe = layout.subjects().fleeting();
        subscribe.push(format!("{}.>", inbox_prefix(agent)));
        User {
            name: consumer,
            key: KeyPair::new_user(),
            rights: Some(Rights { publish, subscribe }),
        }
    }

    /// What proves that one is this user. Not to be shown.
    pub fn seed(&self) -> String {
        self.key.seed().expect("a new key has its seed")
    }
}

/// What the answers to a user begin with, so that no other hears them: see [`Connection::inbox_prefix`](crate::Connection::inbox_prefix).
pub fn inbox_prefix(agent: AgentId) -> String {
    format!("_INBOX_agent-{}", agent.number())
}

/// A configuration, as text. It holds no secrets.
#[derive(Debug)]
pub struct ServerConfig {
    /// Where the server listens: `address:port`.
    pub listen: String,
    /// Where it stores.
    pub store_dir: PathBuf,
    /// Who may connect. If there is nobody, everybody may.
    pub users: Vec<User>,
}

impl fmt::Display for ServerConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        writeln!(formatter, "# nats-server for eqmesh: nats-server --config THIS_FILE")?;
        writeln!(formatter, "listen: {}", quoted(&self.listen))?;
        writeln!(formatter, "max_payload: {MAX_PAYLOAD}")?;
        writeln!(
            formatter,
            "jetstream {{\n  store_dir: {}\n}}",
            quoted(&self.store_dir.to_string_lossy())
        )?;
        if self.users.is_empty() {
            return Ok(());
        }
        writeln!(formatter, "authorization {{\n  users: [")?;
        for user in &self.users {
            writeln!(
                formatter,
                "    # {}\n    {{\n      nkey: {}",
                user.name,
                user.key.public_key()
            )?;
            let list = |subjects: &[String]| subjects.iter().map(|own| quoted(own)).collect::<Vec<_>>().join(", ");
            if let Some(rights) = &user.rights {
                writeln!(formatter, "      permissions {{")?;
                writeln!(formatter, "        publish {{ allow: [{}] }}", list(&rights.publish))?;
                writeln!(
                    formatter,
                    "        subscribe {{ allow: [{}] }}",
                    list(&rights.subscribe)
                )?;
                writeln!(formatter, "      }}")?;
            }
            writeln!(formatter, "    }}")?;
        }
        writeln!(formatter, "  ]\n}}")
    }
}
