//! Deterministic display colors, and the polarity of a rule: "if it rewrites like a RED rule, it is RED".
//!
//! Everything is a pure function of its arguments and gives the same bits on every platform, WebAssembly included.
//!
//! ```
//! use eqmesh_colors::{DEFAULT_SEED, Vision, color_at, palette, text_on};
//!
//! assert_eq!(color_at(DEFAULT_SEED, 0).to_string(), "#784da7");
//! let nine = palette(DEFAULT_SEED, 9, Vision::ColorBlind);
//! let (black, contrast) = text_on(nine[0]);
//! assert!(contrast >= 4.5, "text on it is readable in {}", if black { "black" } else { "white" });
//! ```

mod contrast;
mod palette;
mod perception;
mod polarity;
mod rgb;
mod stream;

pub use contrast::text_on;
pub use palette::{CANDIDATES, MAX_PALETTE, Vision, palette};
pub use polarity::{Inference, Side, base_priority, infer_polarity};
pub use rgb::{Rgb, to_hex};
pub use stream::{DEFAULT_SEED, color_at, color_of, default_seed, split};
