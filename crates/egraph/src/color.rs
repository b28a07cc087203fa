//! Colors: the polarity of a step, and the set of polarities that an e-node carries.

use serde::{Deserialize, Serialize};

/// The color of a step or of a rule. Ordered by dominance, RED > BLUE > GREEN; the join of two colors is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Color {
    /// Neutral: given by the user, made by a neutral step, or certified.
    Green,
    /// Negative: made by a backward, decomposing step.
    Blue,
    /// Positive: made by a forward, constructive step.
    Red,
}

impl Color {
    /// All colors, the most dominant first.
    pub const ALL: [Color; 3] = [Color::Red, Color::Blue, Color::Green];

    /// The dominant of two colors. A join: associative, commutative, idempotent.
    #[must_use]
    pub fn merge(self, other: Color) -> Color {
        self.max(other)
    }

    /// `red`, `blue` or `green`.
    pub fn name(self) -> &'static str {
        match self {
            Color::Red => "red",
            Color::Blue => "blue",
            Color::Green => "green",
        }
    }

    /// The color of this name.
    pub fn from_name(name: &str) -> Option<Color> {
        Color::ALL.into_iter().find(|color| color.name() == name)
    }
}

/// The colors of an e-node: a grow-only set, joined by union when nodes coincide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Colors(u8);

impl Colors {
    /// No color.
    pub const NONE: Colors = Colors(0);
    /// Re-checked by a GREEN agent: counts as GREEN in the constraint, and is kept apart from it so that an extraction can
    /// still be limited to the steps that made a term.
    pub const CERTIFIED: Colors = Colors(8);
    /// Every color a node can be made in.
    pub const MADE: Colors = Colors(7);

    /// Union.
    #[must_use]
    pub fn union(self, other: Colors) -> Colors {
        Colors(self.0 | other.0)
    }

    /// Whether the sets share a member.
    pub fn intersects(self, other: Colors) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether all of `other` is in this set.
    pub fn contains(self, other: Colors) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits: green 1, blue 2, red 4, certified 8.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// The set of these bits; others are ignored.
    pub fn from_bits(bits: u8) -> Colors {
        Colors(bits & 15)
    }

    /// What the 3-coloring constraint asks of a child class's colors under a parent of this color: nothing for GREEN;
    /// otherwise one of the answered colors.
    pub fn witnesses(parent: Color) -> Option<Colors> {
        match parent {
            Color::Green => None,
            own => Some(
                Colors::from(own)
                    .union(Colors::from(Color::Green))
                    .union(Colors::CERTIFIED),
            ),
        }
    }

    /// The dominant color of the set, certification counted as GREEN.
    pub fn dominant(self) -> Option<Color> {
        Color::ALL
            .into_iter()
            .find(|&color| self.intersects(Colors::from(color)))
            .or(self.intersects(Colors::CERTIFIED).then_some(Color::Green))
    }
}

/// How many e-nodes carry each color. One that carries several counts for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ColorCounts {
    /// Neutral.
    pub green: u64,
    /// Negative.
    pub blue: u64,
    /// Positive.
    pub red: u64,
    /// Re-checked by a GREEN agent.
    pub certified: u64,
}

impl From<Color> for Colors {
    fn from(color: Color) -> Colors {
        Colors(match color {
            Color::Green => 1,
            Color::Blue => 2,
            Color::Red => 4,
        })
    }
}
