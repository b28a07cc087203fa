//! How colors look: linear light, the OKLab color space, and what color-blind people see of them.

use crate::Rgb;

/// Linear light, sRGB primaries, each channel from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Linear(pub(crate) [f64; 3]);

/// A point of OKLab: lightness from 0 to 1, green to red, blue to yellow. Euclidean distance is perceptual distance: 1 from
/// black to white, about 0.02 where a difference begins to be seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Oklab([f64; 3]);

type Matrix = [[f64; 3]; 3];

/// Color blindness of full severity, as matrices over linear light: protanopia, deuteranopia, tritanopia. From Machado, Oliveira
/// and Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency", IEEE TVCG 15(6), 2009.
pub(crate) const DEFICIENCIES: [Matrix; 3] = [
    [
        [0.152_286, 1.052_583, -0.204_868],
        [0.114_503, 0.786_281, 0.099_216],
        [-0.003_882, -0.048_116, 1.051_998],
    ],
    [
        [0.367_322, 0.860_646, -0.227_968],
        [0.280_085, 0.672_501, 0.047_413],
        [-0.011_820, 0.042_940, 0.968_881],
    ],
    [
        [1.255_528, -0.076_749, -0.178_779],
        [-0.078_411, 0.930_809, 0.147_602],
        [0.004_733, 0.691_367, 0.303_900],
    ],
];

/// From linear sRGB to cone responses, and from their cube roots to OKLab. From Ottosson, "A perceptual color space for image
/// processing", 2020, as revised in 2021.
const TO_CONES: Matrix = [
    [0.412_221_470_8, 0.536_332_536_3, 0.051_445_992_9],
    [0.211_903_498_2, 0.680_699_545_1, 0.107_396_956_6],
    [0.088_302_461_9, 0.281_718_837_6, 0.629_978_700_5],
];
const TO_OKLAB: Matrix = [
    [0.210_454_255_3, 0.793_617_785_0, -0.004_072_046_8],
    [1.977_998_495_1, -2.428_592_205_0, 0.450_593_709_9],
    [0.025_904_037_1, 0.782_771_766_2, -0.808_675_766_0],
];

fn times(matrix: &Matrix, vector: [f64; 3]) -> [f64; 3] {
    matrix.map(|row| row[0] * vector[0] + row[1] * vector[1] + row[2] * vector[2])
}

impl From<Rgb> for Linear {
    /// Undoes the gamma of sRGB (IEC 61966-2-1).
    fn from(color: Rgb) -> Linear {
        Linear([color.red, color.green, color.blue].map(|channel| {
            let encoded = f64::from(channel) / 255.0;
            if encoded <= 0.040_45 {
                encoded / 12.92
            } else {
                libm::pow((encoded + 0.055) / 1.055, 2.4)
            }
        }))
    }
}

impl Linear {
    /// What somebody with this deficiency sees, within what a screen can show.
    pub(crate) fn seen_with(self, deficiency: &Matrix) -> Linear {
        Linear(times(deficiency, self.0).map(|channel| channel.clamp(0.0, 1.0)))
    }
}

impl From<Linear> for Oklab {
    fn from(Linear(light): Linear) -> Oklab {
        Oklab(times(&TO_OKLAB, times(&TO_CONES, light).map(libm::cbrt)))
    }
}

impl Oklab {
    /// From 0 (black) to 1 (white).
    pub(crate) fn lightness(self) -> f64 {
        self.0[0]
    }

    /// The square of the perceptual distance, which is enough to compare.
    pub(crate) fn distance_squared(self, other: Oklab) -> f64 {
        self.0.iter().zip(other.0).map(|(a, b)| (a - b) * (a - b)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oklab(color: Rgb) -> [f64; 3] {
        Oklab::from(Linear::from(color)).0
    }

    fn close(a: [f64; 3], b: [f64; 3]) -> bool {
        a.iter().zip(b).all(|(a, b)| (a - b).abs() < 2e-3)
    }

    #[test]
    fn oklab_agrees_with_published_values() {
        let cases = [
            (Rgb::BLACK, [0.0, 0.0, 0.0]),
            (Rgb::WHITE, [1.0, 0.0, 0.0]),
            (Rgb::new(255, 0, 0), [0.628, 0.225, 0.126]),
            (Rgb::new(0, 255, 0), [0.866, -0.234, 0.179]),
            (Rgb::new(0, 0, 255), [0.452, -0.032, -0.312]),
        ];
        for (color, expected) in cases {
            assert!(close(oklab(color), expected), "{color}: {:?}", oklab(color));
        }
    }

    #[test]
    fn greys_look_alike_to_everybody() {
        for grey in 0..=255 {
            let light = Linear::from(Rgb::new(grey, grey, grey));
            for deficiency in &DEFICIENCIES {
                let seen = light.seen_with(deficiency);
                assert!(
                    light.0.iter().zip(seen.0).all(|(a, b)| (a - b).abs() < 1e-5),
                    "{grey}: {seen:?}"
                );
            }
        }
    }

    #[test]
    fn deficiencies_bring_the_colors_together_that_they_are_known_for() {
        let distance = |a: Rgb, b: Rgb, seen: &dyn Fn(Rgb) -> Linear| {
            Oklab::from(seen(a)).distance_squared(Oklab::from(seen(b))).sqrt()
        };
        // Pairs that are hard to tell apart with each of the three.
        let pairs = [
            (Rgb::new(0x8f, 0x3a, 0x1e), Rgb::new(0x4a, 0x4e, 0x20)),
            (Rgb::new(0xc0, 0x60, 0x30), Rgb::new(0x80, 0x84, 0x30)),
            (Rgb::new(0x30, 0x90, 0xa8), Rgb::new(0x30, 0x98, 0x70)),
        ];
        for ((a, b), deficiency) in pairs.into_iter().zip(&DEFICIENCIES) {
            let ordinary = distance(a, b, &Linear::from);
            let impaired = distance(a, b, &|color| Linear::from(color).seen_with(deficiency));
            assert!(impaired < ordinary * 0.6, "{a} and {b}: {ordinary} becomes {impaired}");
        }
    }
}
