//! A place for objects, be it a bucket or a directory: what an object is called, how its bytes are
//! packed, and how it gets there.

pub mod compress;
pub mod key;
pub mod room;
pub mod store;

pub use room::Room;
pub use store::{Object, Place, Refusal, Store, Stored};
