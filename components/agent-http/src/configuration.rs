//! What the manifest says of this agent.

use eqmesh_http::Problem;
use eqmesh_replica::AgentId;
use eqmesh_service::Settings;

use crate::bindings::wasi::config::store;

/// The variables of the component.
pub(crate) struct Configuration {
    pub(crate) settings: Settings,
    /// Pages of this origin may change something; none if it is empty.
    pub(crate) origin: String,
}

fn get(name: &str) -> Result<Option<String>, Problem> {
    let wrong = |error: store::Error| {
        let (store::Error::Upstream(why) | store::Error::Io(why)) = error;
        misconfigured(name, &why)
    };
    let value = store::get(name).map_err(wrong)?;
    Ok(value.filter(|value| !value.is_empty()))
}

fn misconfigured(name: &str, why: &str) -> Problem {
    let detail = format!("the variable `{name}` of this component: {why}. Correct it in the manifest");
    Problem::new(500, "#configuration", "This agent is not set up", detail)
}

fn number(name: &str, default: u64, range: std::ops::RangeInclusive<u64>) -> Result<u64, Problem> {
    let Some(text) = get(name)? else { return Ok(default) };
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| {
        let why = format!("`{text}` is no whole number from {} to {}", range.start(), range.end());
        misconfigured(name, &why)
    })
}

/// A URL without user and password.
fn without_credentials(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let end = rest.find('/').unwrap_or(rest.len());
            let host = rest[..end].rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{host}{}", &rest[end..])
        }
        None => url.rsplit('@').next().unwrap_or_default().to_owned(),
    }
}

impl Configuration {
    pub(crate) fn read() -> Result<Configuration, Problem> {
        let most = u64::from(AgentId::MAX_NUMBER);
        if get("agent_id")?.is_none() {
            return Err(misconfigured("agent_id", "it is not set"));
        }
        let number_of_agent = number("agent_id", 0, 0..=most)?;
        Ok(Configuration {
            settings: Settings {
                number: number_of_agent as u16,
                region: get("region")?.unwrap_or_default(),
                nats_url: get("nats_url")?.map_or(String::new(), |url| without_credentials(&url)),
                agents: number("agents", 9, 1..=most + 1)? as u32,
                tick: number("tick_ms", 1_000, 10..=3_600_000)?,
                cut_after: number("cut_after", 50_000, 0..=u64::MAX)?,
                ruleset: get("ruleset")?.unwrap_or_default(),
                node_limit: number("node_limit", 1_000_000, 1..=u64::MAX)?,
                timeline: number("timeline_events", 256, 1..=100_000)? as u32,
            },
            origin: get("cors_origin")?.unwrap_or_default(),
        })
    }
}
