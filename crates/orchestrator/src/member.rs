//! Members: their colors, their shares of the work, and whose facts they certify. All of it follows from the number of agents alone.

use eqmesh_egraph::color::Color;
use eqmesh_replica::{AgentId, Share};

/// Where a member stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MemberState {
    /// It is catching up, and has no share yet.
    Joining,
    /// It takes part.
    Active,
    /// Nothing has been heard of it for long.
    Suspected,
    /// It takes part no more.
    Left,
}

/// A member of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    /// Its number.
    pub id: AgentId,
    /// Its color.
    pub color: Color,
    /// Where it stands.
    pub state: MemberState,
}

/// The least number of agents with which each has one color only.
pub(crate) const TRIO: u32 = 3;

/// The place of GREEN in the order of colors by number: the last of each three agents is GREEN.
pub(crate) const GREEN: u32 = 2;

/// Red, blue, green by number modulo 3.
pub(crate) fn color(agent: AgentId) -> Color {
    Color::ALL[(agent.0 % TRIO) as usize]
}

/// The share of an agent for each color: of its own color, split over the agents of that color; of all three, split over all agents, in
/// a network of less than three.
pub(crate) fn shares(agent: AgentId, agents: u32) -> Vec<(Color, Share)> {
    if agents < TRIO {
        let share = Share {
            index: agent.0,
            count: agents,
        };
        return Color::ALL.map(|color| (color, share)).to_vec();
    }
    let share = Share {
        index: agent.0 / TRIO,
        count: (agents - 1 - agent.0 % TRIO) / TRIO + 1,
    };
    vec![(color(agent), share)]
}

/// Who certifies an agent's facts: the GREEN agent of its three (0, 1, 2 are three, then 3, 4, 5, …), so a GREEN agent certifies
/// itself. The one or two agents at the end that have no GREEN agent among them are given to the first ones. In a network
/// of less than three everybody certifies itself.
pub(crate) fn certifier(agent: AgentId, agents: u32) -> AgentId {
    let greens = agents / TRIO;
    match agent.0 / TRIO {
        _ if greens == 0 => agent,
        three if three < greens => AgentId(three * TRIO + GREEN),
        _ => AgentId(agent.0 % TRIO % greens * TRIO + GREEN),
    }
}

/// Whom an agent certifies, ascending. O(1).
pub(crate) fn certifies(agent: AgentId, agents: u32) -> Vec<AgentId> {
    if agents < TRIO {
        return vec![agent];
    }
    if color(agent) != Color::Green {
        return Vec::new();
    }
    let three = agent.0 - GREEN..=agent.0;
    let rest = agents - agents % TRIO..agents;
    three
        .chain(rest)
        .map(AgentId)
        .filter(|&other| certifier(other, agents) == agent)
        .collect()
}

/// How many agents certify others.
pub(crate) fn certifiers(agents: u32) -> u32 {
    if agents < TRIO { agents } else { agents / TRIO }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn all(agents: u32) -> impl Iterator<Item = AgentId> {
        (0..agents).map(AgentId)
    }

    #[test]
    fn nine_agents_are_three_of_each_color() {
        let colors: Vec<&str> = all(9).map(|agent| color(agent).name()).collect();
        assert_eq!(colors.join(" "), "red blue green red blue green red blue green");
    }

    #[test]
    fn shares_of_each_color_are_all_taken_once() {
        for agents in 1..100 {
            for wanted in Color::ALL {
                let mut parts = BTreeSet::new();
                let mut counts = BTreeSet::new();
                for agent in all(agents) {
                    let shares = shares(agent, agents);
                    assert_eq!(shares.len(), if agents < 3 { 3 } else { 1 });
                    for (_, share) in shares.into_iter().filter(|(own, _)| *own == wanted) {
                        assert!(parts.insert(share.index), "{wanted:?} {share:?} is taken twice");
                        counts.insert(share.count);
                    }
                }
                let counts: Vec<u32> = counts.into_iter().collect();
                assert_eq!(counts.len(), 1, "all count the same number of parts");
                assert_eq!(parts, (0..counts[0]).collect(), "{agents} agents, {wanted:?}");
            }
        }
    }

    #[test]
    fn everybody_is_certified_by_exactly_one_evenly() {
        for agents in 1..100 {
            let mut certified: BTreeMap<AgentId, AgentId> = BTreeMap::new();
            let mut loads = BTreeSet::new();
            let mut working = 0;
            for agent in all(agents) {
                let own = certifies(agent, agents);
                assert!(own.is_sorted());
                if own.is_empty() {
                    assert_ne!(color(agent), Color::Green, "{agents} agents");
                    continue;
                }
                working += 1;
                assert!(own.contains(&agent), "a GREEN agent certifies itself");
                assert!(agents < 3 || color(agent) == Color::Green);
                loads.insert(own.len());
                for other in own {
                    assert_eq!(
                        certified.insert(other, agent),
                        None,
                        "{other:?} of {agents} is certified twice"
                    );
                    assert_eq!(certifier(other, agents), agent);
                }
            }
            assert!(certified.into_keys().eq(all(agents)));
            assert_eq!(working, certifiers(agents));
            assert!(
                loads.last().unwrap() - loads.first().unwrap() <= 1,
                "{agents} agents: {loads:?}"
            );
        }
    }

    #[test]
    fn the_largest_network_is_no_exception() {
        let agents = u32::MAX;
        let last = AgentId(agents - 1);
        assert_eq!(shares(last, agents)[0].1.index + 1, shares(last, agents)[0].1.count);
        assert!(certifies(last, agents).contains(&last));
    }
}
