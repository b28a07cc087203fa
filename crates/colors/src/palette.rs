//! Palettes for people.

use crate::perception::{DEFICIENCIES, Linear, Oklab};
use crate::{Rgb, color_at};

/// The most colors that a palette has. More are not made.
pub const MAX_PALETTE: u32 = 256;

/// How many colors of the seed's stream are looked at for each color of a palette.
pub const CANDIDATES: u64 = 64;

/// Which people a palette is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Vision {
    /// No color is avoided. Neighbours are at least 0.24 apart in OKLab.
    Ordinary,
    /// Neighbours also stay apart, by at least 0.15, for protanopia, deuteranopia and tritanopia, as Machado et al. (2009) simulate them.
    ColorBlind,
}

/// The least distance of neighbours in OKLab as seen by everybody (black and white are 1 apart, a difference of 0.02 is just seen).
const APART: f64 = 0.24;

/// The least distance of neighbours as seen with a color vision deficiency.
const APART_IMPAIRED: f64 = 0.15;

/// Lightness of the candidates, so that a color stands out from a white page and from a black one.
const LIGHTNESS: std::ops::RangeInclusive<f64> = 0.4..=0.9;

/// What is taken when no candidate is far enough from its neighbour: a dark and a light grey, of which one always is.
const GREYS: [Rgb; 2] = [Rgb::new(0x4b, 0x4b, 0x4b), Rgb::new(0xdd, 0xdd, 0xdd)];

/// A color as ordinary and impaired eyes see it.
struct Seen {
    ordinary: Oklab,
    /// One for each deficiency; empty where nobody asked.
    impaired: Vec<Oklab>,
}

impl Seen {
    fn new(color: Rgb, vision: Vision) -> Seen {
        let light = Linear::from(color);
        let impaired = match vision {
            Vision::Ordinary => Vec::new(),
            Vision::ColorBlind => DEFICIENCIES
                .iter()
                .map(|with| Oklab::from(light.seen_with(with)))
                .collect(),
        };
        Seen {
            ordinary: Oklab::from(light),
            impaired,
        }
    }

    /// How far apart two colors are, as a share of the distance that neighbours must keep, squared: the least over all eyes.
    fn separation(&self, other: &Seen) -> f64 {
        let ordinary = self.ordinary.distance_squared(other.ordinary) / (APART * APART);
        let impaired = self.impaired.iter().zip(&other.impaired);
        impaired
            .map(|(a, b)| a.distance_squared(*b) / (APART_IMPAIRED * APART_IMPAIRED))
            .fold(ordinary, f64::min)
    }
}

/// `count` colors for people, at most [`MAX_PALETTE`].
///
/// Neighbours in the palette keep the distance that [`Vision`] says, and among the colors of the seed's stream that do so, each
/// is the one farthest from all before it (Mitchell's best candidate, SIGGRAPH 1991). All are neither very dark nor very
/// light, and black or white text on each has a WCAG 2 contrast above 4.5 (see [`text_on`](crate::text_on)). A longer palette
/// starts with the shorter one. O(count² × [`CANDIDATES`]).
pub fn palette(seed: u64, count: u32, vision: Vision) -> Vec<Rgb> {
    let count = count.min(MAX_PALETTE);
    let mut colors = Vec::with_capacity(count as usize);
    let mut seen: Vec<Seen> = Vec::with_capacity(count as usize);
    for place in 0..u64::from(count) {
        let (color, look) = best_candidate(seed, place, vision, &seen)
            .unwrap_or_else(|| farther_grey(seen.last().map_or(&Seen::new(Rgb::WHITE, vision), |last| last), vision));
        colors.push(color);
        seen.push(look);
    }
    colors
}

/// The candidate farthest from all colors so far, the first of several; none if no candidate keeps its distance from the last one.
fn best_candidate(seed: u64, place: u64, vision: Vision, seen: &[Seen]) -> Option<(Rgb, Seen)> {
    let mut best: Option<(f64, Rgb, Seen)> = None;
    for index in place * CANDIDATES..(place + 1) * CANDIDATES {
        let color = color_at(seed, index);
        let look = Seen::new(color, vision);
        if !LIGHTNESS.contains(&look.ordinary.lightness())
            || seen.last().is_some_and(|last| last.separation(&look) < 1.0)
        {
            continue;
        }
        let separation = seen
            .iter()
            .map(|other| other.separation(&look))
            .fold(f64::INFINITY, f64::min);
        if best.as_ref().is_none_or(|(known, ..)| separation > *known) {
            best = Some((separation, color, look));
        }
    }
    best.map(|(_, color, look)| (color, look))
}

/// The grey that is farther from a color, whoever looks.
fn farther_grey(last: &Seen, vision: Vision) -> (Rgb, Seen) {
    let [dark, light] = GREYS.map(|grey| (grey, Seen::new(grey, vision)));
    if dark.1.separation(last) >= light.1.separation(last) {
        dark
    } else {
        light
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{DEFAULT_SEED, text_on};

    /// Distance in OKLab, as the documentation states it.
    fn distance(a: Linear, b: Linear) -> f64 {
        Oklab::from(a).distance_squared(Oklab::from(b)).sqrt()
    }

    fn check(colors: &[Rgb], vision: Vision) {
        for pair in colors.windows(2) {
            let [a, b] = [pair[0], pair[1]].map(Linear::from);
            assert!(distance(a, b) >= 0.24, "{} and {}", pair[0], pair[1]);
            if vision == Vision::ColorBlind {
                for deficiency in &DEFICIENCIES {
                    let apart = distance(a.seen_with(deficiency), b.seen_with(deficiency));
                    assert!(apart >= 0.15, "{} and {}: {apart}", pair[0], pair[1]);
                }
            }
        }
        for &color in colors {
            assert!(text_on(color).1 >= 4.5, "{color}");
            assert!(
                LIGHTNESS.contains(&Oklab::from(Linear::from(color)).lightness()),
                "{color}"
            );
        }
    }

    #[test]
    fn the_longest_palettes_keep_their_promises() {
        for vision in [Vision::Ordinary, Vision::ColorBlind] {
            for seed in [0, 42, 1069, DEFAULT_SEED] {
                let colors = palette(seed, u32::MAX, vision);
                assert_eq!(colors.len(), 256);
                check(&colors, vision);
            }
        }
    }

    #[test]
    fn nine_agents_are_told_apart_at_a_glance() {
        for vision in [Vision::Ordinary, Vision::ColorBlind] {
            let nine = palette(DEFAULT_SEED, 9, vision);
            for (at, &a) in nine.iter().enumerate() {
                for &b in &nine[..at] {
                    let apart = distance(a.into(), b.into());
                    assert!(apart > 0.1, "{a} and {b}: {apart}, {vision:?}");
                }
            }
        }
    }

    #[test]
    fn palettes_never_change() {
        let hex = |vision| {
            palette(DEFAULT_SEED, 9, vision)
                .iter()
                .map(Rgb::to_string)
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(
            hex(Vision::Ordinary),
            "#784da7 #1df835 #e1baf6 #249758 #f01d23 #ddc453 #110fec #8e3d21 #ea1fe8"
        );
        assert_eq!(
            hex(Vision::ColorBlind),
            "#784da7 #1df835 #e1baf6 #249758 #863526 #d35dd2 #99c79d #6118fe #5ac20a"
        );
    }

    #[test]
    fn one_of_the_greys_is_far_enough_from_every_color_of_a_palette() {
        for color in GREYS {
            assert!(
                LIGHTNESS.contains(&Oklab::from(Linear::from(color)).lightness()),
                "{color}"
            );
        }
        let steps = || (0..=255_u8).step_by(5);
        for (red, green, blue) in steps().flat_map(|r| steps().flat_map(move |g| steps().map(move |b| (r, g, b)))) {
            for vision in [Vision::Ordinary, Vision::ColorBlind] {
                let color = Rgb::new(red, green, blue);
                let last = Seen::new(color, vision);
                if LIGHTNESS.contains(&last.ordinary.lightness()) {
                    let (_, grey) = farther_grey(&last, vision);
                    assert!(
                        last.separation(&grey) >= 1.0,
                        "{color}, {vision:?}: {}",
                        last.separation(&grey)
                    );
                }
            }
        }
    }

    fn vision() -> impl Strategy<Value = Vision> {
        prop_oneof![Just(Vision::Ordinary), Just(Vision::ColorBlind)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn a_longer_palette_starts_with_the_shorter(seed: u64, long in 0_u32..40, short in 0_u32..40, vision in vision()) {
            let (short, long) = (short.min(long), short.max(long));
            let colors = palette(seed, long, vision);
            prop_assert_eq!(colors.len(), long as usize);
            prop_assert_eq!(palette(seed, short, vision), &colors[..short as usize]);
        }

        #[test]
        fn palettes_of_every_seed_keep_their_promises(seed: u64, vision in vision()) {
            check(&palette(seed, 32, vision), vision);
        }
    }
}
