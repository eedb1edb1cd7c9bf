//! The log in a seeded world: crashes between any two disk operations, torn sectors, failing syncs.

#[path = "sim/disk.rs"]
mod disk;
