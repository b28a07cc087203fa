//! A color of a screen.

use std::fmt;

/// A color for a screen: sRGB, 8 bits a channel. Shown as `#rrggbb`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rgb {
    /// The red channel, gamma-encoded.
    pub red: u8,
    /// The green channel, gamma-encoded.
    pub green: u8,
    /// The blue channel, gamma-encoded.
    pub blue: u8,
}

impl Rgb {
    /// `#000000`.
    pub const BLACK: Rgb = Rgb::new(0, 0, 0);
    /// `#ffffff`.
    pub const WHITE: Rgb = Rgb::new(255, 255, 255);

    /// The color of these channels.
    pub const fn new(red: u8, green: u8, blue: u8) -> Rgb {
        Rgb { red, green, blue }
    }
}

impl fmt::Display for Rgb {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "#{:02x}{:02x}{:02x}", self.red, self.green, self.blue)
    }
}

/// `#rrggbb`, in lower case.
pub fn to_hex(color: Rgb) -> String {
    color.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_channel_has_two_digits() {
        assert_eq!(to_hex(Rgb::BLACK), "#000000");
        assert_eq!(to_hex(Rgb::new(1, 0xab, 0xff)), "#01abff");
    }
}
