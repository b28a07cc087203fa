//! The graph along which agents talk.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use eqmesh_replica::AgentId;

/// The shape of the network. Rounds need [`Mesh`](Topology::Mesh); the others are for anti-entropy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topology {
    /// Everybody with everybody.
    Mesh,
    /// Lattices of nine agents, after Sierpinski's triangle.
    ///
    /// Agents 0 to 8 stand on the places of one lattice. Fewer than nine form the lattice that these places induce, which is
    /// connected for every number of agents. Of more than nine, each next nine stand on a lattice of their own (the last of which may be
    /// incomplete), and agents at the same place of different lattices are linked as a mesh.
    Sierpinski,
    /// A random graph of degree 8 or little less, for many agents: the union of four cycles through all of them, each in a random order. Almost every such
    /// graph is an expander with a diameter of about log₇ n (Friedman, "A proof of Alon's second eigenvalue conjecture", 2008).
    ///
    /// The order of a cycle is that of a hash of the numbers, so everybody computes the same graph from the same members, and who comes or goes changes
    /// nobody's neighbours but its own.
    Expander,
}

/// The cycles of an expander.
const CYCLES: u64 = 4;

/// Where a number stands on a cycle. SplitMix64's output function (Steele, Lea and Flood, OOPSLA 2014): a bijection, so no two stand at one place.
fn place_on(cycle: u64, number: u32) -> u64 {
    let mut z = (cycle << 32 | u64::from(number)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The neighbours of a number in the expander over these members, ascending. O(members).
pub(crate) fn expander_neighbours(own: u32, members: impl Iterator<Item = u32> + Clone) -> Vec<u32> {
    let mut neighbours = BTreeSet::new();
    for cycle in 0..CYCLES {
        let here = place_on(cycle, own);
        // How far each is ahead, round the circle: the least is next, the greatest is the one before.
        let ahead = |number: u32| (place_on(cycle, number).wrapping_sub(here), number);
        let others = members.clone().filter(|&number| number != own).map(ahead);
        let (mut next, mut before) = (None, None);
        for other in others {
            next = Some(next.map_or(other, |known: (u64, u32)| known.min(other)));
            before = Some(before.map_or(other, |known: (u64, u32)| known.max(other)));
        }
        neighbours.extend(next.into_iter().chain(before).map(|(_, number)| number));
    }
    neighbours.into_iter().collect()
}

/// For each member, by its place in the list, the places of its neighbours in the expander. O(n log n).
fn expander_links(members: &[u32]) -> Vec<Vec<u32>> {
    let mut links = vec![BTreeSet::new(); members.len()];
    for cycle in 0..CYCLES {
        let mut order: Vec<u32> = (0..members.len() as u32).collect();
        order.sort_unstable_by_key(|&at| place_on(cycle, members[at as usize]));
        for (here, &own) in order.iter().enumerate() {
            let next = order[(here + 1) % order.len()];
            if next != own {
                links[own as usize].insert(next);
                links[next as usize].insert(own);
            }
        }
    }
    links.into_iter().map(|own| own.into_iter().collect()).collect()
}

/// From how many members on an expander's diameter is estimated.
const EXACT: usize = 1 << 14;

/// The diameter of the expander over these members, by breadth-first searches from 64 of them at once (Then et al., "The More the Merrier", VLDB 2014):
/// O(n² degree × diameter / 64), a fraction of a second for 10,000. Of more than 16,384, only 4,096 are searched from: a lower bound, and as
/// distances vary by one or two in such a graph, hardly ever less than the truth.
pub(crate) fn expander_diameter(members: &[u32]) -> u32 {
    let links = expander_links(members);
    let sources = if members.len() > EXACT {
        EXACT / 4
    } else {
        members.len()
    };
    let mut diameter = 0;
    for first in (0..sources).step_by(64) {
        // For each member the searches, one a bit, that have reached it.
        let mut reached = vec![0u64; members.len()];
        for (bit, own) in reached[first..].iter_mut().take(64).enumerate() {
            *own = 1 << bit;
        }
        let mut steps = 0;
        loop {
            let mut further = reached.clone();
            for (own, neighbours) in further.iter_mut().zip(&links) {
                *own = neighbours
                    .iter()
                    .fold(*own, |all, &other| all | reached[other as usize]);
            }
            if further == reached {
                break;
            }
            reached = further;
            steps += 1;
        }
        diameter = diameter.max(steps);
    }
    diameter
}

/// The places of a lattice, and the neighbours of each, ascending.
const LATTICE: [&[u32]; 9] = [
    &[1, 2],
    &[0, 2, 3, 4, 5],
    &[0, 1, 5, 6, 7],
    &[1, 4, 8],
    &[1, 3, 5, 8],
    &[1, 2, 4, 6, 8],
    &[2, 5, 7],
    &[2, 6],
    &[3, 4, 5],
];

const PLACES: u32 = LATTICE.len() as u32;

impl Topology {
    /// The neighbours of an agent in a network of so many, ascending. O(agents) for a mesh and an expander, O(agents / 9) for lattices.
    pub(crate) fn neighbours(self, agent: AgentId, agents: u32) -> Vec<AgentId> {
        let own = agent.0;
        match self {
            Topology::Mesh => (0..agents).filter(|&other| other != own).map(AgentId).collect(),
            Topology::Sierpinski => {
                let place = own % PLACES;
                let first = own - place;
                let near = LATTICE[place as usize]
                    .iter()
                    .filter_map(|&other| first.checked_add(other));
                let far = (place..agents).step_by(PLACES as usize).filter(|&other| other != own);
                let mut neighbours: Vec<AgentId> =
                    near.filter(|&other| other < agents).chain(far).map(AgentId).collect();
                neighbours.sort_unstable();
                neighbours
            }
            Topology::Expander => expander_neighbours(own, 0..agents).into_iter().map(AgentId).collect(),
        }
    }

    /// The greatest distance between two agents. O(1), but for an expander.
    pub(crate) fn diameter(self, agents: u32) -> u32 {
        match self {
            Topology::Mesh => u32::from(agents > 1),
            // Complete lattices are all alike, and no shortest way leads through a third one: two of them and the incomplete
            // one have every distance that occurs.
            Topology::Sierpinski if agents > 3 * PLACES => self.search(2 * PLACES + agents % PLACES),
            Topology::Sierpinski => self.search(agents),
            Topology::Expander => {
                let members: Vec<u32> = (0..agents.min(AgentId::MAX_NUMBER + 1)).collect();
                expander_diameter(&members)
            }
        }
    }

    /// The greatest distance, by breadth-first search from every agent.
    fn search(self, agents: u32) -> u32 {
        let farthest = |from: u32| {
            let mut distance = BTreeMap::from([(AgentId(from), 0)]);
            let mut queue = VecDeque::from([(AgentId(from), 0)]);
            let mut last = 0;
            while let Some((agent, steps)) = queue.pop_front() {
                last = steps;
                for next in self.neighbours(agent, agents) {
                    distance.entry(next).or_insert_with(|| {
                        queue.push_back((next, steps + 1));
                        steps + 1
                    });
                }
            }
            last
        };
        (0..agents).map(farthest).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn neighbours(topology: Topology, agent: u32, agents: u32) -> Vec<u32> {
        topology
            .neighbours(AgentId(agent), agents)
            .into_iter()
            .map(|other| other.0)
            .collect()
    }

    #[test]
    fn a_mesh_connects_everybody() {
        for agent in 0..9 {
            let others: Vec<u32> = (0..9).filter(|&other| other != agent).collect();
            assert_eq!(neighbours(Topology::Mesh, agent, 9), others);
        }
        assert_eq!(neighbours(Topology::Mesh, 0, 1), []);
        assert_eq!([1, 2, 9].map(|agents| Topology::Mesh.diameter(agents)), [0, 1, 1]);
    }

    #[test]
    fn nine_agents_form_the_lattice_of_the_design() {
        for agent in 0..9 {
            assert_eq!(neighbours(Topology::Sierpinski, agent, 9), LATTICE[agent as usize]);
        }
        assert_eq!(Topology::Sierpinski.diameter(9), 3);
    }

    #[test]
    fn fewer_agents_form_a_part_of_it() {
        assert_eq!(neighbours(Topology::Sierpinski, 1, 5), [0, 2, 3, 4]);
        assert_eq!(neighbours(Topology::Sierpinski, 0, 1), []);
        assert_eq!([1, 2, 3].map(|agents| Topology::Sierpinski.diameter(agents)), [0, 1, 1]);
    }

    #[test]
    fn more_agents_form_linked_lattices() {
        assert_eq!(neighbours(Topology::Sierpinski, 9, 20), [0, 10, 11, 18]);
        assert_eq!(neighbours(Topology::Sierpinski, 18, 20), [0, 9, 19]);
        assert_eq!(Topology::Sierpinski.diameter(18), 4);
    }

    #[test]
    fn links_go_both_ways_and_connect_everybody() {
        for topology in [Topology::Mesh, Topology::Sierpinski, Topology::Expander] {
            for agents in 1..60 {
                let mut reached = BTreeSet::from([0]);
                let mut pending = vec![0];
                while let Some(agent) = pending.pop() {
                    let others = neighbours(topology, agent, agents);
                    assert!(others.windows(2).all(|pair| pair[0] < pair[1]), "ascending");
                    for other in others {
                        assert!(neighbours(topology, other, agents).contains(&agent));
                        if reached.insert(other) {
                            pending.push(other);
                        }
                    }
                }
                assert!(reached.into_iter().eq(0..agents), "{topology:?}, {agents} agents");
            }
        }
    }

    #[test]
    fn three_lattices_have_the_diameter_of_many() {
        for agents in 1..70 {
            for topology in [Topology::Mesh, Topology::Sierpinski, Topology::Expander] {
                assert_eq!(
                    topology.diameter(agents),
                    topology.search(agents),
                    "{topology:?}, {agents} agents"
                );
            }
        }
    }

    #[test]
    fn an_expander_is_sparse_and_shallow() {
        for agents in [100, 1_000] {
            let degrees: Vec<usize> = (0..agents)
                .map(|own| expander_neighbours(own, 0..agents).len())
                .collect();
            assert!(degrees.iter().all(|degree| (4..=8).contains(degree)));
            let whole: usize = degrees.iter().sum();
            assert!(
                whole >= agents as usize * 7,
                "{whole} ends of links for {agents} agents"
            );
        }
        assert!(Topology::Expander.diameter(1_000) <= 5);
    }

    proptest! {
        #[test]
        fn who_goes_changes_its_neighbours_neighbours_only(members in prop::collection::btree_set(0u32..200, 3..40), chosen in any::<prop::sample::Index>()) {
            let members: Vec<u32> = members.into_iter().collect();
            let gone = *chosen.get(&members);
            let near = expander_neighbours(gone, members.iter().copied());
            let rest = members.iter().copied().filter(|&own| own != gone);
            for own in rest.clone() {
                let before = expander_neighbours(own, members.iter().copied());
                if !near.contains(&own) {
                    prop_assert_eq!(expander_neighbours(own, rest.clone()), before);
                }
            }
        }

        #[test]
        fn both_ways_to_compute_an_expander_agree(members in prop::collection::btree_set(0u32..500, 1..40)) {
            let members: Vec<u32> = members.into_iter().collect();
            for (at, links) in expander_links(&members).into_iter().enumerate() {
                let links: Vec<u32> = links.into_iter().map(|other| members[other as usize]).collect();
                prop_assert_eq!(links, expander_neighbours(members[at], members.iter().copied()));
            }
        }
    }
}
