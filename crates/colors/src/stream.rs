//! Streams of colors: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014), which jumps to any index and splits.

use crate::Rgb;

/// The seed that is used where nobody chose one: `gay_colo` in ASCII, as in Gay.jl.
pub const DEFAULT_SEED: u64 = 0x6761_795f_636f_6c6f;

/// The increment of SplitMix64: 2^64 divided by the golden ratio, made odd.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// Keeps the seeds of children apart from the colors of their parent: any constant but zero would do (this one is `children` in ASCII).
const CHILDREN: u64 = 0x6368_696c_6472_656e;

/// The output function of SplitMix64. A bijection, so different inputs have different outputs.
fn mix(x: u64) -> u64 {
    let z = x.wrapping_add(GAMMA);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// [`DEFAULT_SEED`], as a function for those who call through the WIT interface.
pub fn default_seed() -> u64 {
    DEFAULT_SEED
}

/// The hash that a color is made of.
fn hash_at(seed: u64, index: u64) -> u64 {
    mix(seed ^ index.wrapping_mul(GAMMA))
}

/// The color at an index of a seed's stream. Constant time: nothing before the index is computed. Agrees with `color_at` of Gay.jl.
pub fn color_at(seed: u64, index: u64) -> Rgb {
    let [red, green, blue, ..] = hash_at(seed, index).to_le_bytes();
    Rgb { red, green, blue }
}

/// The seed of the `index`-th child of a seed's stream: reproducible from the parent alone.
///
/// Children of one parent never share a seed (a bijection of the index), and neither their seeds nor their colors follow from the
/// parent's colors: the parent's seed is hashed once more before children are drawn from it.
pub fn split(seed: u64, index: u64) -> u64 {
    hash_at(mix(seed ^ CHILDREN), index)
}

/// The color that a name (an operator, an agent) keeps for ever on every replica: the color at the index that is the 64-bit FNV-1a
/// hash of the name's UTF-8 bytes (Fowler, Noll, Vo). Two names may share a color, with a probability of 2^-24.
pub fn color_of(seed: u64, name: &str) -> Rgb {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    color_at(seed, hash)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn colors_agree_with_gay_jl() {
        let vectors = [
            (0, "#afcd1d #f465b9 #4f4509 #ec814c #9b74a8 #eaa27e"),
            (42, "#956eeb #03f166 #e375ef #74c905 #f22348 #c1e94d"),
            (1069, "#769c7d #55b0e6 #c8a0c2 #ffa6c2 #789a20 #54c1ed"),
            (DEFAULT_SEED, "#784da7 #e3d1d6 #72b8e5 #b4b96a #1d8b0d #b93363"),
        ];
        for (seed, expected) in vectors {
            let colors: Vec<String> = (0..6).map(|index| color_at(seed, index).to_string()).collect();
            assert_eq!(colors.join(" "), expected, "seed {seed}");
        }
    }

    #[test]
    fn the_stream_of_the_default_seed_begins_as_published() {
        assert_eq!(default_seed(), 0x6761_795f_636f_6c6f);
        assert_eq!(hash_at(DEFAULT_SEED, 0), 0xf061_ebbc_2ca7_4d78);
        // The published stream is sequential: its state moves on by the increment.
        assert_eq!(mix(DEFAULT_SEED.wrapping_add(GAMMA)), 0x34dc_5aa0_b711_7465);
    }

    #[test]
    fn names_are_hashed_by_fnv_1a() {
        // Published vectors of the 64-bit FNV-1a hash.
        for (name, hash) in [
            ("", 0xcbf2_9ce4_8422_2325),
            ("a", 0xaf63_dc4c_8601_ec8c),
            ("foobar", 0x8594_4171_f739_67e8),
        ] {
            assert_eq!(color_of(7, name), color_at(7, hash), "{name}");
        }
    }

    /// Ones in the differences of many pairs of 64-bit words, as a share: 1/2 if the words are independent.
    fn disagreement(pairs: impl Iterator<Item = (u64, u64)>) -> f64 {
        let (ones, count) = pairs.fold((0_u64, 0_u64), |(ones, count), (a, b)| {
            (ones + u64::from((a ^ b).count_ones()), count + 1)
        });
        ones as f64 / (count * 64) as f64
    }

    #[test]
    fn children_are_independent_of_each_other_and_of_their_parent() {
        // 4,096 pairs of 64 bits: the standard deviation of the share is 1/1024, so a true half falls outside once in a million.
        let half = |share: f64| (share - 0.5).abs() < 5.0 / 1024.0;
        for seed in [0, 1, DEFAULT_SEED, u64::MAX] {
            let child = |index| split(seed, index);
            assert!(
                half(disagreement((0..4_096).map(|i| (child(i), child(i + 1))))),
                "neighbouring seeds"
            );
            assert!(
                half(disagreement((0..4_096).map(|i| (child(i), hash_at(seed, i))))),
                "seeds and parent's colors"
            );
            let siblings = (0..4_096).map(|i| (hash_at(child(0), i), hash_at(child(1), i)));
            assert!(half(disagreement(siblings)), "colors of siblings");
            let family = (0..4_096).map(|i| (hash_at(child(0), i), hash_at(seed, i)));
            assert!(half(disagreement(family)), "colors of parent and child");
            let generations = (0..4_096).map(|i| (child(i), split(child(0), i)));
            assert!(half(disagreement(generations)), "seeds of children and grandchildren");
        }
    }

    #[test]
    fn the_streams_of_a_family_do_not_overlap() {
        let mut seen = BTreeSet::new();
        let streams = [DEFAULT_SEED]
            .into_iter()
            .chain((0..64).map(|index| split(DEFAULT_SEED, index)));
        for seed in streams {
            for index in 0..256 {
                assert!(seen.insert(hash_at(seed, index)), "seed {seed}, index {index}");
            }
        }
    }

    #[test]
    fn channels_are_evenly_spread() {
        // Chi-square over 16 bins for each channel: 15 degrees of freedom, 99.99 % below 44.3.
        let mut bins = [[0_u32; 16]; 3];
        for index in 0..16_384 {
            let Rgb { red, green, blue } = color_at(split(DEFAULT_SEED, 5), index);
            for (bins, channel) in bins.iter_mut().zip([red, green, blue]) {
                bins[usize::from(channel >> 4)] += 1;
            }
        }
        for bins in bins {
            let chi_square: f64 = bins
                .iter()
                .map(|&count| (f64::from(count) - 1024.0).powi(2) / 1024.0)
                .sum();
            assert!(chi_square < 44.3, "{chi_square}");
        }
    }

    proptest! {
        #[test]
        fn children_of_one_parent_have_different_seeds(seed: u64, a: u64, b: u64) {
            prop_assert_eq!(split(seed, a) == split(seed, b), a == b);
        }

        #[test]
        fn a_seed_gives_its_child_whatever_was_asked_before(seed: u64, indices in prop::collection::vec(any::<u64>(), 0..20)) {
            let forward: Vec<u64> = indices.iter().map(|&index| split(seed, index)).collect();
            let mut backward: Vec<u64> = indices.iter().rev().map(|&index| split(seed, index)).collect();
            backward.reverse();
            prop_assert_eq!(forward, backward);
        }
    }
}
