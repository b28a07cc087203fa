//! A network that runs free: its members come and go, and everybody computes from its own roster who does what.
//!
//! Agents with the same roster come to the same shares, certifiers and topology. While rosters differ, a match may be searched by two or by none for a
//! time; nothing is lost by that, since a statement of saturation names the members that it counted on (see [`Free::view`]).

mod kept;

use std::collections::BTreeMap;

use eqmesh_egraph::color::Color;
use eqmesh_replica::{AgentId, Share};

use crate::member::{self, GREEN, TRIO};
use crate::number_set::NumberSet;
use crate::roster::{Claim, Life, Roster, RosterEntry};
use crate::suspicion::{Arrivals, LOST, SUSPECTED};
use crate::{Member, MemberState, Topology, topology};

/// How an agent enters a network that runs free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entrance {
    /// Drawn at random by the host for this run of the agent. 0 is for a founder that nobody needs to tell from another of its number.
    pub session: u64,
    /// Whether it has to catch up first, as everybody has who does not found the network.
    pub joining: bool,
    /// How often it will say that it is alive, and expects the same of others, in microseconds.
    pub interval: u64,
    /// The graph along which agents talk.
    pub topology: Topology,
}

/// What the claim of a message's sender amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Greeting {
    /// It holds its number.
    Current,
    /// Another run holds that number now: it was started twice, or the message is late.
    Superseded,
}

/// How many numbers are remembered as started twice.
const MAX_DOUBLES: usize = 64;

/// What follows from the roster alone.
#[derive(Clone, Debug, Default)]
struct View {
    active: NumberSet,
    /// How many of them have each color, in the order of [`Color::ALL`].
    by_color: [u32; 3],
    /// Those who take part in the topology: active and joining.
    present: NumberSet,
    neighbours: Vec<u32>,
    /// Names the active members.
    name: [u8; 16],
    /// Names the whole roster.
    roster: [u8; 16],
}

/// One member's view of a network that runs free.
#[derive(Clone, Debug)]
pub(crate) struct Free {
    me: u32,
    own: Claim,
    interval: u64,
    topology: Topology,
    roster: Roster,
    view: View,
    arrivals: BTreeMap<u32, Arrivals>,
    suspected: NumberSet,
    /// When [`Free::review`] was called last, or would have been if this agent had not been away.
    reviewed: Option<u64>,
    superseded: Option<Claim>,
    doubles: BTreeMap<u32, (Claim, Claim)>,
    /// The number that was tried last of those who left.
    tried: u32,
    /// What the statement is about, and who has made it.
    subject: [u8; 16],
    vouchers: NumberSet,
}

fn name(hasher: &blake3::Hasher) -> [u8; 16] {
    let mut name = [0; 16];
    name.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    name
}

impl Free {
    pub(crate) fn new(me: AgentId, founders: u32, entrance: Entrance) -> Free {
        let own = Claim {
            incarnation: me.incarnation(),
            session: entrance.session,
            term: 0,
            life: if entrance.joining { Life::Joining } else { Life::Active },
        };
        let mut free = Free {
            me: me.number(),
            own,
            interval: entrance.interval.max(1),
            topology: entrance.topology,
            roster: Roster::new(founders),
            view: View::default(),
            arrivals: BTreeMap::new(),
            suspected: NumberSet::default(),
            reviewed: None,
            superseded: None,
            doubles: BTreeMap::new(),
            tried: 0,
            subject: [0; 16],
            vouchers: NumberSet::default(),
        };
        free.assert_own();
        free.refresh();
        free
    }

    /// Puts the own claim on the roster.
    fn assert_own(&mut self) {
        self.roster.join_claim(self.me, self.own);
    }

    pub(crate) fn own(&self) -> Claim {
        self.own
    }

    pub(crate) fn superseded(&self) -> Option<Claim> {
        self.superseded
    }

    pub(crate) fn doubles(&self) -> Vec<(u32, Claim, Claim)> {
        let doubles = self.doubles.iter();
        doubles.map(|(&number, &(old, new))| (number, old, new)).collect()
    }

    pub(crate) fn roster(&self) -> &Roster {
        &self.roster
    }

    pub(crate) fn roster_name(&self) -> [u8; 16] {
        self.view.roster
    }

    /// Names the active members: two agents with the same name divide the work alike.
    pub(crate) fn view(&self) -> [u8; 16] {
        self.view.name
    }

    pub(crate) fn neighbours(&self) -> &[u32] {
        &self.view.neighbours
    }

    /// Goes on to another stage of life. A life only goes on; who has left stays away.
    pub(crate) fn live(&mut self, life: Life) {
        if life > self.own.life {
            self.own.life = life;
            self.assert_own();
            self.refresh();
        }
    }

    /// Joins claims. Answers whether any was news.
    pub(crate) fn learn(&mut self, entries: &[RosterEntry]) -> bool {
        let mut news = false;
        for &(number, claim) in entries {
            news |= self.roster.join_claim(number, claim);
        }
        if news {
            match self.roster.get(self.me) {
                Some(said) if !said.is_same_run(self.own) => self.superseded = Some(said),
                // Found lost, and here all the same.
                Some(said) if said > self.own && self.own.life != Life::Left => {
                    self.own.term = said.term.saturating_add(1);
                    self.assert_own();
                }
                _ => {}
            }
            self.refresh();
        }
        news
    }

    /// What the claim of a message's sender amounts to.
    pub(crate) fn greet(&mut self, number: u32, claim: Claim) -> Greeting {
        self.learn(&[(number, claim)]);
        match self.roster.get(number) {
            Some(known) if !known.is_same_run(claim) => {
                if self.doubles.len() < MAX_DOUBLES || self.doubles.contains_key(&number) {
                    self.doubles.insert(number, (claim, known));
                }
                Greeting::Superseded
            }
            _ => Greeting::Current,
        }
    }

    /// Computes anew what follows from the roster. O(members).
    fn refresh(&mut self) {
        let mut view = View::default();
        for (number, claim) in self.roster.numbers() {
            if claim.life == Life::Left {
                continue;
            }
            view.present.insert(number);
            if claim.life == Life::Active {
                view.active.insert(number);
                view.by_color[(number % TRIO) as usize] += 1;
            }
        }
        view.name = name(blake3::Hasher::new().update(&view.active.to_bytes()));
        let mut hasher = blake3::Hasher::new();
        for (number, claim) in self.roster.entries() {
            hasher.update(&number.to_le_bytes());
            hasher.update(&claim.incarnation.to_le_bytes());
            hasher.update(&claim.session.to_le_bytes());
            hasher.update(&claim.term.to_le_bytes());
            hasher.update(&[claim.life as u8]);
        }
        view.roster = name(&hasher);
        view.neighbours = if view.present == self.view.present {
            std::mem::take(&mut self.view.neighbours)
        } else {
            self.compute_neighbours(self.me, &view.present)
        };
        self.view = view;
    }

    fn compute_neighbours(&self, number: u32, present: &NumberSet) -> Vec<u32> {
        let members: Vec<u32> = present.iter().filter(|&other| other != number).collect();
        match self.topology {
            Topology::Mesh => members,
            Topology::Expander => topology::expander_neighbours(number, members.iter().copied()),
            // The lattice is of places, and whoever is present takes them in order.
            Topology::Sierpinski => {
                let place = members.partition_point(|&other| other < number);
                let mut places = members;
                places.insert(place, number);
                let near = self.topology.neighbours(AgentId(place as u32), places.len() as u32);
                near.into_iter().map(|AgentId(place)| places[place as usize]).collect()
            }
        }
    }

    pub(crate) fn neighbours_of(&self, number: u32) -> Vec<u32> {
        self.compute_neighbours(number, &self.view.present)
    }

    pub(crate) fn diameter(&self) -> u32 {
        match self.topology {
            Topology::Expander => {
                let members: Vec<u32> = self.view.present.iter().collect();
                topology::expander_diameter(&members)
            }
            other => other.diameter(self.view.present.len() as u32),
        }
    }

    pub(crate) fn members(&self) -> Vec<Member> {
        let member = |(number, claim): RosterEntry| Member {
            id: AgentId::new(number, claim.incarnation).expect("the roster takes no greater numbers"),
            color: member::color(AgentId(number)),
            state: match claim.life {
                Life::Joining => MemberState::Joining,
                Life::Active if self.suspected.contains(number) => MemberState::Suspected,
                Life::Active => MemberState::Active,
                Life::Left => MemberState::Left,
            },
        };
        self.roster.numbers().map(member).collect()
    }

    /// The share of a number for each color; none unless it is active. With three active members or more, of its own color, split over the active
    /// members of that color, and of each color that no active member has, split over all; with fewer, of all colors, split over all. O(members).
    pub(crate) fn shares(&self, number: u32) -> Vec<(Color, Share)> {
        let View { active, by_color, .. } = &self.view;
        if !active.contains(number) {
            return Vec::new();
        }
        let count = active.len() as u32;
        let before = |of: &dyn Fn(u32) -> bool| {
            active
                .iter()
                .take_while(|&other| other < number)
                .filter(|&own| of(own))
                .count()
        };
        let of_all = Share {
            index: before(&|_| true) as u32,
            count,
        };
        let place = (number % TRIO) as usize;
        let share = |(at, color): (usize, Color)| {
            if count < TRIO || by_color[at] == 0 {
                Some((color, of_all))
            } else {
                (at == place).then(|| {
                    let index = before(&|other| other % TRIO == number % TRIO) as u32;
                    let count = by_color[at];
                    (color, Share { index, count })
                })
            }
        };
        Color::ALL.into_iter().enumerate().filter_map(share).collect()
    }

    /// The active member that certifies what any incarnation of this number made: the GREEN one of its three (0, 1, 2 are three, then 3, 4, 5, …) or, if
    /// that is not active, another GREEN one; itself or another, if none is GREEN or there are less than three. None if nobody is active. O(members).
    pub(crate) fn certifier(&self, number: u32) -> Option<u32> {
        let View { active, by_color, .. } = &self.view;
        let count = active.len() as u32;
        if count == 0 {
            return None;
        }
        let greens = by_color[GREEN as usize];
        if count < TRIO || greens == 0 {
            let another = || active.iter().nth((number % count) as usize);
            return if active.contains(number) {
                Some(number)
            } else {
                another()
            };
        }
        let near = number / TRIO * TRIO + GREEN;
        if active.contains(near) {
            return Some(near);
        }
        let green = |own: &u32| own % TRIO == GREEN;
        active.iter().filter(green).nth((number % greens) as usize)
    }

    /// A neighbour was heard.
    pub(crate) fn hear(&mut self, number: u32, now: u64) {
        if let Some(arrivals) = self.arrivals.get_mut(&number) {
            arrivals.hear(now);
        }
    }

    pub(crate) fn phi(&self, number: u32, now: u64) -> f64 {
        self.arrivals.get(&number).map_or(0.0, |arrivals| arrivals.phi(now))
    }

    /// Looks at what was heard of the neighbours, and says of those that are lost that they have left. Answers these.
    pub(crate) fn review(&mut self, now: u64) -> Vec<u32> {
        self.reviewed = Some(now);
        let neighbours = &self.view.neighbours;
        self.arrivals
            .retain(|number, _| neighbours.binary_search(number).is_ok());
        self.suspected = NumberSet::default();
        let mut lost = Vec::new();
        for &number in neighbours {
            let arrivals = self
                .arrivals
                .entry(number)
                .or_insert_with(|| Arrivals::expect(now, self.interval));
            let phi = arrivals.phi(now);
            if phi >= LOST {
                lost.push(number);
            } else if phi >= SUSPECTED {
                self.suspected.insert(number);
            }
        }
        let claims: Vec<RosterEntry> = lost
            .iter()
            .filter_map(|&number| Some((number, self.roster.get(number)?)))
            .map(|(number, claim)| {
                (
                    number,
                    Claim {
                        life: Life::Left,
                        ..claim
                    },
                )
            })
            .collect();
        if !claims.is_empty() {
            self.learn(&claims);
        }
        // Should one come back, it is waited for anew.
        lost.iter().for_each(|number| _ = self.arrivals.remove(number));
        lost
    }

    /// One of those who have left, each in turn: whoever was found lost while the network was torn is no longer anybody's neighbour, and would never hear
    /// that it is not. O(who was heard of).
    pub(crate) fn next_absent(&mut self) -> Option<u32> {
        let left = |&(number, claim): &RosterEntry| claim.life == Life::Left && number != self.me;
        let absent = || self.roster.entries().filter(left).map(|(number, _)| number);
        let next = absent().find(|&number| number > self.tried).or_else(|| absent().next());
        self.tried = next.unwrap_or(0);
        next
    }

    /// Sets what statements are about from now on; those about something else are dropped.
    pub(crate) fn turn_to(&mut self, subject: [u8; 16]) {
        if self.subject != subject {
            self.subject = subject;
            self.vouchers = NumberSet::default();
        }
    }

    /// This agent makes the statement.
    pub(crate) fn vouch(&mut self) {
        self.vouchers.insert(self.me);
    }

    /// These made it, says somebody. Ignored if it is about something else.
    pub(crate) fn count(&mut self, subject: [u8; 16], vouchers: &NumberSet) {
        if subject == self.subject {
            self.vouchers.join(vouchers);
        }
    }

    pub(crate) fn statement(&self) -> ([u8; 16], &NumberSet) {
        (self.subject, &self.vouchers)
    }

    /// Whether every active member has made the statement.
    pub(crate) fn agreed(&self) -> bool {
        !self.view.active.is_empty() && self.vouchers.covers(&self.view.active)
    }
}

#[cfg(test)]
mod tests;
