//! The component `duck-colors`, alone: every function of its interface. It is pure and has no errors.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use eqmesh_host_test::colors::ColorsComponent;
use eqmesh_host_test::colors::exports::eqmesh::network::colors::{Rgb, Vision};
use eqmesh_host_test::types::{Color, Inference, Side};
use eqmesh_host_test::{Instance, component};
use wasmtime::component::Component;

type Colors = Instance<ColorsComponent>;

fn start() -> Colors {
    static COMPONENT: LazyLock<Component> = LazyLock::new(|| component("duck-colors"));
    Instance::new(
        (),
        |_| Ok(()),
        |store, linker| ColorsComponent::instantiate(store, &COMPONENT, linker),
    )
}

macro_rules! on {
    ($colors:ident, $function:ident $(, $argument:expr)*) => {
        $colors.world.eqmesh_network_colors().$function(&mut $colors.store $(, $argument)*).unwrap()
    };
}

const DEFAULT_SEED: u64 = 0x6761_795f_636f_6c6f;

#[test]
fn the_colors_of_a_seed_agree_with_gay_jl() {
    let vectors = [
        (0, ["#afcd1d", "#f465b9", "#4f4509", "#ec814c", "#9b74a8", "#eaa27e"]),
        (42, ["#956eeb", "#03f166", "#e375ef", "#74c905", "#f22348", "#c1e94d"]),
        (1069, ["#769c7d", "#55b0e6", "#c8a0c2", "#ffa6c2", "#789a20", "#54c1ed"]),
        (
            DEFAULT_SEED,
            ["#784da7", "#e3d1d6", "#72b8e5", "#b4b96a", "#1d8b0d", "#b93363"],
        ),
    ];
    let mut colors = start();
    assert_eq!(on!(colors, call_default_seed), DEFAULT_SEED);
    for (seed, expected) in vectors {
        for (index, expected) in expected.into_iter().enumerate() {
            let color = on!(colors, call_color_at, seed, index as u64);
            assert_eq!(on!(colors, call_to_hex, color), expected, "seed {seed}, index {index}");
        }
    }
}

#[test]
fn a_jump_costs_nothing() {
    let mut colors = start();
    // What SplitMix64 gives at the last index, computed here step by step.
    let mixed = |x: u64| {
        let z = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    for (seed, index) in [(0, u64::MAX), (u64::MAX, u64::MAX), (7, 1 << 40)] {
        let hash = mixed(seed ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let [red, green, blue, ..] = hash.to_le_bytes();
        assert_eq!(on!(colors, call_color_at, seed, index), Rgb { red, green, blue });
    }
}

#[test]
fn hexadecimal_has_six_digits() {
    let mut colors = start();
    assert_eq!(
        on!(
            colors,
            call_to_hex,
            Rgb {
                red: 0,
                green: 0,
                blue: 0
            }
        ),
        "#000000"
    );
    assert_eq!(
        on!(
            colors,
            call_to_hex,
            Rgb {
                red: 1,
                green: 0xab,
                blue: 0xff
            }
        ),
        "#01abff"
    );
}

#[test]
fn children_of_a_seed_are_reproducible_and_apart() {
    let mut colors = start();
    let seeds: Vec<u64> = (0..1_000)
        .map(|index| on!(colors, call_split, DEFAULT_SEED, index))
        .collect();
    let again: Vec<u64> = (0..1_000)
        .map(|index| on!(colors, call_split, DEFAULT_SEED, index))
        .collect();
    assert_eq!(seeds, again);
    let distinct: BTreeSet<u64> = seeds.iter().copied().chain([DEFAULT_SEED]).collect();
    assert_eq!(distinct.len(), 1_001);
    assert_ne!(on!(colors, call_split, 1, 0), on!(colors, call_split, 2, 0));
}

/// Relative luminance and contrast of WCAG 2.2, from its text.
fn contrast(a: Rgb, b: Rgb) -> f64 {
    let linear = |channel: u8| {
        let channel = f64::from(channel) / 255.0;
        if channel <= 0.04045 {
            channel / 12.92
        } else {
            ((channel + 0.055) / 1.055).powf(2.4)
        }
    };
    let luminance =
        |color: Rgb| 0.2126 * linear(color.red) + 0.7152 * linear(color.green) + 0.0722 * linear(color.blue);
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

const BLACK: Rgb = Rgb {
    red: 0,
    green: 0,
    blue: 0,
};
const WHITE: Rgb = Rgb {
    red: 255,
    green: 255,
    blue: 255,
};

#[test]
fn text_is_black_or_white_whichever_contrasts_more() {
    let mut colors = start();
    let grid = [0, 1, 51, 102, 117, 118, 119, 153, 204, 254, 255];
    for red in grid {
        for green in grid {
            for blue in grid {
                let background = Rgb { red, green, blue };
                let (black, ratio) = on!(colors, call_text_on, background);
                let (on_black, on_white) = (contrast(background, BLACK), contrast(background, WHITE));
                let shown = if black { on_black } else { on_white };
                assert!((shown - on_black.max(on_white)).abs() < 1e-9, "{background:?}");
                assert!(
                    (ratio - shown).abs() < 1e-6,
                    "{background:?}: {ratio} where {shown} is right"
                );
            }
        }
    }
}

#[test]
fn a_palette_is_readable_stable_and_distinct() {
    let mut colors = start();
    for vision in [Vision::Ordinary, Vision::ColorBlind] {
        for seed in [0, 42, DEFAULT_SEED] {
            let long = on!(colors, call_palette, seed, 24, vision);
            assert_eq!(long.len(), 24);
            assert_eq!(
                on!(colors, call_palette, seed, 9, vision),
                long[..9],
                "a longer palette starts with the shorter"
            );
            for color in &long {
                assert!(contrast(*color, BLACK).max(contrast(*color, WHITE)) >= 4.5, "{color:?}");
            }
            assert!(long.windows(2).all(|pair| pair[0] != pair[1]));
            assert_eq!(on!(colors, call_palette, seed, 0, vision), []);
        }
        assert_eq!(on!(colors, call_palette, 1, 256, vision).len(), 256);
        // "At most 256": more are not made.
        assert_eq!(on!(colors, call_palette, 1, u32::MAX, vision).len(), 256);
    }
    let ordinary = on!(colors, call_palette, 0, 24, Vision::Ordinary);
    assert_ne!(ordinary, on!(colors, call_palette, 1, 24, Vision::Ordinary));
}

#[test]
fn a_name_keeps_its_color_on_every_replica() {
    let (mut here, mut there) = (start(), start());
    let mut seen = BTreeSet::new();
    for name in ["+", "*", "agent-0", "agent-1", "", "ü", &"x".repeat(10_000)] {
        let color = on!(here, call_color_of, DEFAULT_SEED, name);
        assert_eq!(color, on!(there, call_color_of, DEFAULT_SEED, name));
        seen.insert((color.red, color.green, color.blue));
    }
    assert_eq!(seen.len(), 7);
    let (one, other) = (on!(here, call_color_of, 1, "+"), on!(here, call_color_of, 2, "+"));
    assert_ne!(one, other);
}

fn side(weight: u32, left_first: &str, right_first: &str) -> Side {
    Side {
        weight,
        left_first: left_first.to_owned(),
        right_first: right_first.to_owned(),
    }
}

fn inference(declared: Option<Color>, left: Side, right: Side, reversed: bool) -> Inference {
    Inference {
        declared,
        left,
        right,
        reversed,
    }
}

#[test]
fn polarity_is_inferred_in_the_documented_order() {
    let mut colors = start();
    // (+ (+ a b) c) => (+ a (+ b c)), and back.
    let left = || side(5, "(+ (+ ?0 ?1) ?2)", "(+ (+ ?0 ?1) ?2)");
    let right = || side(5, "(+ ?0 (+ ?1 ?2))", "(+ ?0 (+ ?1 ?2))");
    let infer = |colors: &mut Colors, rule: Inference| on!(colors, call_infer_polarity, &rule);
    assert_eq!(infer(&mut colors, inference(None, left(), right(), false)), Color::Red);
    assert_eq!(infer(&mut colors, inference(None, right(), left(), true)), Color::Blue);
    // What the user wrote comes first.
    for declared in [Color::Red, Color::Blue, Color::Green] {
        assert_eq!(
            infer(&mut colors, inference(Some(declared), left(), right(), false)),
            declared
        );
    }
    // (+ a b) => (+ b a) is its own reverse: the left side, named from the left, is the right side named from the right.
    let commute = inference(
        None,
        side(3, "(+ ?0 ?1)", "(+ ?1 ?0)"),
        side(3, "(+ ?1 ?0)", "(+ ?0 ?1)"),
        false,
    );
    assert_eq!(infer(&mut colors, commute), Color::Green);
    // (* a (+ b c)) => (+ (* a b) (* a c)) grows, and back it shrinks.
    let factored = || side(5, "(* ?0 (+ ?1 ?2))", "(* ?0 (+ ?1 ?2))");
    let distributed = || side(7, "(+ (* ?0 ?1) (* ?0 ?2))", "(+ (* ?0 ?1) (* ?0 ?2))");
    assert_eq!(
        infer(&mut colors, inference(None, factored(), distributed(), false)),
        Color::Red
    );
    assert_eq!(
        infer(&mut colors, inference(None, distributed(), factored(), false)),
        Color::Blue
    );
    // Weight comes before direction.
    assert_eq!(
        infer(&mut colors, inference(None, factored(), distributed(), true)),
        Color::Red
    );
}

#[test]
fn priorities_follow_the_dominance() {
    let mut colors = start();
    let priorities = [Color::Red, Color::Green, Color::Blue].map(|color| on!(colors, call_base_priority, color));
    assert_eq!(priorities, [30, 20, 10]);
}
