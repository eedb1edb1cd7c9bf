//! The doors to the outside. Whatever is not a value comes through here: time, chance, files,
//! memory by the megabyte, outbound HTTP, and the wish to stop.
//!
//! A test puts a world of its own behind each door (`tests/sim/`).

mod clock;
pub mod descriptors;
mod dice;
pub mod disk;
mod followed;
pub mod http_client;
pub mod memory;
mod rising;
pub mod stop;
mod surroundings;

pub use clock::Clock;
pub use dice::Dice;
pub use followed::{Followed, Look};
pub use rising::Rising;
pub use surroundings::Surroundings;
