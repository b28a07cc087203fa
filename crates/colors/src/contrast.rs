//! Text on a color: relative luminance and contrast of WCAG 2.2.

use crate::Rgb;
use crate::perception::Linear;

/// The contrast of two relative luminances, from 1 to 21.
fn ratio(a: f64, b: f64) -> f64 {
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// Relative luminance: 0 for black, 1 for white.
fn luminance(color: Rgb) -> f64 {
    let Linear([red, green, blue]) = Linear::from(color);
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/// Whether text on this color should be black (true) or white, whichever contrasts more, and the WCAG 2 contrast ratio.
///
/// The ratio is at least the square root of 21, 4.58, on every color: the contrasts with black and with white multiply to 21.
/// So text is always readable by WCAG's level AA, which asks for 4.5.
pub fn text_on(background: Rgb) -> (bool, f64) {
    let own = luminance(background);
    let (black, white) = (ratio(own, 0.0), ratio(own, 1.0));
    if black >= white { (true, black) } else { (false, white) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn contrast_agrees_with_published_ratios() {
        let cases = [
            (Rgb::WHITE, true, 21.0),
            (Rgb::BLACK, false, 21.0),
            (Rgb::new(255, 0, 0), true, 5.252),
            (Rgb::new(0, 0, 255), false, 8.592),
            (Rgb::new(0x76, 0x76, 0x76), true, 4.624),
            (Rgb::new(0x75, 0x75, 0x75), false, 4.608),
        ];
        for (background, black, contrast) in cases {
            let (actual_black, actual) = text_on(background);
            assert_eq!(actual_black, black, "{background}");
            assert!((actual - contrast).abs() < 1e-3, "{background}: {actual}");
        }
    }

    proptest! {
        #[test]
        fn text_is_readable_on_every_color(red: u8, green: u8, blue: u8) {
            let (_, contrast) = text_on(Rgb { red, green, blue });
            prop_assert!((4.58..=21.000_001).contains(&contrast), "{}", contrast);
        }
    }
}
