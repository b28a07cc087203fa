//! Agents on a circle. Positions depend on the number of agents alone, so nothing moves when an agent falls silent or comes back.

use serde::Serialize;

/// Where an agent stands in the unit square, both coordinates from 0 to 1, y downwards.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Place {
    /// The agent's number.
    pub id: u32,
    /// From the left.
    pub x: f64,
    /// From the top.
    pub y: f64,
}

/// Positions are rounded to so many steps of the square's side, so that they are short as text: a hundred agents are 280 steps apart.
const STEPS: f64 = 10_000.0;

/// The places of so many agents: agent 0 on top, the others clockwise, all as far apart as their neighbours. One agent alone is on top, too. O(agents).
pub fn ring(agents: u32) -> Vec<Place> {
    let place = |id: u32| {
        let turn = std::f64::consts::TAU * f64::from(id) / f64::from(agents.max(1));
        let coordinate = |part: f64| ((0.5 + 0.45 * part) * STEPS).round() / STEPS;
        Place {
            id,
            x: coordinate(turn.sin()),
            y: coordinate(-turn.cos()),
        }
    };
    (0..agents).map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agent_0_is_on_top_and_the_others_follow_clockwise() {
        let places = ring(4);
        let at = |id: usize| (places[id].x, places[id].y);
        assert_eq!(
            [at(0), at(1), at(2), at(3)],
            [(0.5, 0.05), (0.95, 0.5), (0.5, 0.95), (0.05, 0.5)]
        );
    }

    #[test]
    fn a_hundred_agents_are_apart_and_within_the_square() {
        let places = ring(100);
        for (at, place) in places.iter().enumerate() {
            assert!(
                (0.0..=1.0).contains(&place.x) && (0.0..=1.0).contains(&place.y),
                "{place:?}"
            );
            for other in &places[..at] {
                assert!(
                    (place.x - other.x).hypot(place.y - other.y) > 0.027,
                    "{place:?}, {other:?}"
                );
            }
        }
        assert!(ring(0).is_empty());
    }
}
