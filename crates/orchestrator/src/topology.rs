//! The graph along which agents talk.

use std::collections::{BTreeMap, VecDeque};

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
    /// The neighbours of an agent in a network of so many, ascending. O(agents) for a mesh, O(agents / 9) for lattices.
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
        }
    }

    /// The greatest distance between two agents. O(1).
    pub(crate) fn diameter(self, agents: u32) -> u32 {
        match self {
            Topology::Mesh => u32::from(agents > 1),
            // Complete lattices are all alike, and no shortest way leads through a third one: two of them and the incomplete
            // one have every distance that occurs.
            Topology::Sierpinski if agents > 3 * PLACES => self.search(2 * PLACES + agents % PLACES),
            Topology::Sierpinski => self.search(agents),
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
    use std::collections::BTreeSet;

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
        for topology in [Topology::Mesh, Topology::Sierpinski] {
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
            for topology in [Topology::Mesh, Topology::Sierpinski] {
                assert_eq!(
                    topology.diameter(agents),
                    topology.search(agents),
                    "{topology:?}, {agents} agents"
                );
            }
        }
    }
}
