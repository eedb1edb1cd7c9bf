//! The HTTP services, called directly: no sockets, no real time.

mod bodies;
#[path = "../sim/disk/mod.rs"]
mod disk;
mod producers;
mod puts;
mod refusals;
mod sdk;
mod streams;
mod world;
