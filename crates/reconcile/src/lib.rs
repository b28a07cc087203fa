//! Set reconciliation, sans-I/O: two sides learn in which items their sets differ, for a number of bytes in proportion to the difference, whatever the
//! size of the sets, and without knowing the difference beforehand.
//!
//! It is a rateless invertible Bloom lookup table (Yang, Gilad, Alizadeh: *Practical Rateless Set Reconciliation*, SIGCOMM 2024). A set stands for an
//! endless sequence of [`Symbol`]s, each the sum of those items that [`walk::Walk`] maps to it. The sender streams its symbols from the first on; the
//! receiver takes its own symbols from them, which leaves the symbols of the symmetric difference, and peels items off until nothing is left: after
//! about 1.35 symbols for each item of a large difference, 1.7 at the worst for a handful. It takes half a round trip.
//!
//! ```
//! use eqmesh_reconcile::{Decoder, Item, Key, Sketch};
//!
//! // Chosen for this session: see `Key`.
//! let key = Key([7; 16]);
//! let item = |number: u64| Item::from(u128::from(number).to_le_bytes());
//! let (mut here, mut there) = (Sketch::new(key, 16), Sketch::new(key, 16));
//! (0..1000).for_each(|number| here.insert(item(number)));
//! (2..1001).for_each(|number| there.insert(item(number)));
//!
//! let mut decoder = Decoder::new(key, 16);
//! for (remote, local) in there.symbols(0..16).iter().zip(here.symbols(0..16)) {
//!     decoder.add(*remote, *local)?;
//!     if decoder.is_decoded() {
//!         break;
//!     }
//! }
//! let difference = decoder.difference().expect("three items need no more than 16 symbols under this key");
//! assert_eq!(difference.there, [item(1000)]);
//! assert_eq!(difference.here.len(), 2);
//! # Ok::<(), eqmesh_reconcile::Inconsistent>(())
//! ```
//!
//! What eqmesh reconciles are [`Head`]s, one for each agent that has made facts: a head in the difference names the agent whose facts differ, and how far the side
//! that has it has got.

mod decoder;
mod head;
mod item;
mod sketch;
mod symbol;
pub mod walk;
pub mod wire;

pub use decoder::{Decoder, Difference, Inconsistent};
pub use head::{Head, HeadTooLarge, MAX_LAST};
pub use item::{Item, Key};
pub use sketch::{OtherKey, OtherSet, Sketch};
pub use symbol::Symbol;
