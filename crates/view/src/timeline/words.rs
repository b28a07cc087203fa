//! Events in words, for people and for screen readers.

use eqmesh_replica::AgentId;
use eqmesh_timeline::{Event, EventKind};
use eqmesh_trace::AgentName;

use super::Rules;

/// An agent as a word: `3`, or `3.1` after a restart.
pub(super) fn agent(agent: AgentId) -> String {
    AgentName(agent).to_string()
}

/// The time of day in UTC, to the microsecond.
fn time(micros: u64) -> String {
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    let (hours, minutes) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{micros:06}", seconds % 60)
}

/// The rules of a step: the most frequent first, three of them.
fn by(rules: &Rules) -> String {
    const NAMED: usize = 3;
    let mut sorted: Vec<(&String, u64)> = rules.iter().map(|(name, &count)| (name, count)).collect();
    sorted.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let named: Vec<String> = sorted
        .iter()
        .take(NAMED)
        .map(|(name, count)| format!("{name} × {count}"))
        .collect();
    match sorted.len() {
        0 => String::new(),
        rules if rules > NAMED => format!(": {} and {} more", named.join(", "), rules - NAMED),
        _ => format!(": {}", named.join(", ")),
    }
}

/// What happened, and what caused it.
pub(super) fn text(event: &Event, cause: Option<&Event>, rules: &Rules) -> String {
    let entry = &event.entry;
    let who = format!("agent {}", agent(entry.agent));
    let message = entry
        .message
        .map_or("a message".to_owned(), |message| format!("message {message}"));
    let peer = entry
        .peer
        .map_or("everybody".to_owned(), |peer| format!("agent {}", agent(peer)));
    let size = if entry.bytes > 0 {
        format!(" ({} bytes)", entry.bytes)
    } else {
        String::new()
    };
    let of = entry
        .peer
        .map_or(String::new(), |peer| format!(" of agent {}", agent(peer)));
    match entry.kind {
        EventKind::Sent => format!("{who} sends {message} to {peer}{size}"),
        EventKind::Received => {
            let cause = match cause {
                Some(cause) => format!(", caused by its sending at {}", time(cause.at.micros)),
                None => ", whose sending is not listed".to_owned(),
            };
            format!("{who} receives {message} from {peer}{size}{cause}")
        }
        EventKind::Refused => match entry.fact {
            Some(fact) => format!("{who} refuses fact {} of agent {}", fact.sequence, agent(fact.agent)),
            None => format!("{who} refuses {message}{of}{size}"),
        },
        EventKind::Acknowledged => format!("{who} learns by {message} what {peer} has stored"),
        EventKind::SyncStarted => format!("{who} begins to answer {peer}, which asked by {message} for missing facts"),
        EventKind::SyncCompleted => format!("{who} has answered {peer}, which asked by {message} for missing facts"),
        EventKind::Heartbeat => format!("{who} hears by {message} that {peer} is alive"),
        EventKind::Step => match entry.fact {
            Some(fact) => format!("{who} makes a step, up to its fact {}{}", fact.sequence, by(rules)),
            None => format!("{who} makes a step that adds nothing"),
        },
        EventKind::Certified => format!("{who} certifies facts"),
        EventKind::Converged => format!("{who} finds that the network has converged"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_of_the_day() {
        assert_eq!(time(0), "00:00:00.000000");
        assert_eq!(time(86_399_999_999), "23:59:59.999999");
        assert_eq!(time(86_400_000_000), "00:00:00.000000");
    }

    #[test]
    fn of_many_rules_the_most_frequent_are_named() {
        let rules = |all: &[(&str, u64)]| all.iter().map(|&(name, count)| (name.to_owned(), count)).collect();
        assert_eq!(by(&rules(&[])), "");
        assert_eq!(by(&rules(&[("a", 1), ("b", 2)])), ": b × 2, a × 1");
        assert_eq!(
            by(&rules(&[("a", 1), ("b", 2), ("c", 1), ("d", 1)])),
            ": b × 2, a × 1, c × 1 and 1 more"
        );
    }
}
