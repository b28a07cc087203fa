use eqmesh_service::{AgentState, MemberInfo};
use proptest::prelude::*;

use super::*;

/// An agent that suspects some others of nine.
fn agent(id: u32, facts: u64, digest: &str, converged: bool, suspected: &[u32]) -> Answer {
    let member = |other: u32| MemberInfo {
        id: other,
        color: "red".to_owned(),
        state: if suspected.contains(&other) {
            "suspected"
        } else {
            "active"
        }
        .to_owned(),
        incarnation: 0,
    };
    Answer::State(Box::new(AgentState {
        id,
        facts,
        state_digest: digest.to_owned(),
        converged,
        members: (0..9).map(member).collect(),
        ..AgentState::default()
    }))
}

fn healths(network: &Network) -> Vec<Health> {
    let health = |shown: &Shown| match shown {
        Shown::State { health, .. } | Shown::Silent { health, .. } => *health,
    };
    network.agents.iter().map(health).collect()
}

#[test]
fn nine_that_agree_are_one_group_and_converged() {
    let network = Network::of((0..9).map(|id| agent(id, 7, "a", true, &[])).collect(), 5);
    assert_eq!(
        network.summary,
        "9 of 9 agents hold the same graph · lag 0 facts · converged"
    );
    assert_eq!(network.groups, [(0..9).collect::<Vec<_>>()]);
    assert_eq!(network.links.len(), 36);
    assert!(network.links.iter().all(|link| link.up && link.from < link.to));
    assert_eq!(healths(&network), [Health::Converged; 9]);
    assert_eq!((network.at, network.ring.len()), (5, 9));
}

#[test]
fn a_partition_shows_as_two_groups_and_the_links_across_are_down() {
    let half = |id: u32| {
        if id < 3 {
            (3..9).collect::<Vec<_>>()
        } else {
            vec![0, 1, 2]
        }
    };
    let network = Network::of(
        (0..9)
            .map(|id| agent(id, 7, if id < 3 { "b" } else { "a" }, false, &half(id)))
            .collect(),
        0,
    );
    assert_eq!(network.groups, [vec![0, 1, 2], vec![3, 4, 5, 6, 7, 8]]);
    let crosses = |link: &Link| (link.from < 3) != (link.to < 3);
    assert!(network.links.iter().all(|link| link.up != crosses(link)));
    assert!(network.summary.contains("split into 2 groups"), "{}", network.summary);
    // Most of the others suspect the three. The six are suspected by fewer than half, and lead.
    assert_eq!(healths(&network)[..3], [Health::Suspected; 3]);
    assert_eq!(healths(&network)[3..], [Health::Active; 6]);
}

#[test]
fn one_that_does_not_answer_is_silent_and_in_no_group() {
    let mut answers: Vec<Answer> = (0..8).map(|id| agent(id, 7, "a", true, &[8])).collect();
    answers.push(Answer::Silent {
        id: 8,
        error: "gone".to_owned(),
    });
    let network = Network::of(answers, 0);
    assert!(!network.converged, "nobody knows what agent 8 holds");
    assert_eq!(
        network.summary,
        "8 of 9 agents hold the same graph · lag 0 facts · 1 silent · not converged"
    );
    assert_eq!(network.groups, [(0..8).collect::<Vec<_>>()]);
    assert_eq!(healths(&network)[8], Health::Silent);
    assert!(network.links.iter().all(|link| link.up == (link.to != 8)));
    let shown = serde_json::to_value(&network.agents[8]).unwrap();
    assert_eq!(shown, serde_json::json!({"id": 8, "health": "silent", "error": "gone"}));
}

#[test]
fn who_holds_fewer_facts_or_others_is_behind() {
    let network = Network::of(
        vec![
            agent(0, 7, "a", false, &[]),
            agent(1, 5, "b", false, &[]),
            agent(2, 7, "c", false, &[]),
        ],
        0,
    );
    assert_eq!((network.level, network.lag), (1, 2));
    assert_eq!(healths(&network), [Health::Active, Health::Behind, Health::Behind]);
}

#[test]
fn nobody_is_no_network() {
    let silent = |id| Answer::Silent {
        id,
        error: String::new(),
    };
    for answers in [vec![], vec![silent(0), silent(1)]] {
        assert!(!NetworkHealth::of(&answers).is_up());
        let network = Network::of(answers, 0);
        assert!(!network.converged && network.groups.is_empty());
    }
}

proptest! {
    /// Whatever agents suspect of each other: every one that answers is in exactly one group, no link that is up leads from one group to another, and the order of the
    /// answers does not matter.
    #[test]
    fn groups_are_a_partition_of_who_answers(
        suspicions in proptest::collection::vec(proptest::collection::vec(any::<bool>(), 7), 7),
        answering in proptest::collection::vec(any::<bool>(), 7),
    ) {
        let answer = |id: usize| {
            let suspected: Vec<u32> = (0..7).filter(|&other| suspicions[id][other]).map(|other| other as u32).collect();
            if answering[id] {
                agent(id as u32, id as u64 % 3, "a", false, &suspected)
            } else {
                Answer::Silent { id: id as u32, error: String::new() }
            }
        };
        let network = Network::of((0..7).map(answer).collect(), 0);
        let reversed = Network::of((0..7).rev().map(answer).collect(), 0);
        prop_assert_eq!(serde_json::to_value(&network).unwrap(), serde_json::to_value(&reversed).unwrap());
        let mut grouped: Vec<u32> = network.groups.concat();
        grouped.sort_unstable();
        let wanted: Vec<u32> = (0..7).filter(|&id| answering[id as usize]).collect();
        prop_assert_eq!(grouped, wanted);
        for link in &network.links {
            let group = |id: u32| network.groups.iter().position(|group| group.contains(&id));
            prop_assert!(!link.up || group(link.from) == group(link.to));
            let apart = !answering[link.from as usize] || !answering[link.to as usize]
                || suspicions[link.from as usize][link.to as usize] || suspicions[link.to as usize][link.from as usize];
            prop_assert_eq!(link.up, !apart);
        }
    }
}
