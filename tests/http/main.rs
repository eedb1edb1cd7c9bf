//! The HTTP services, called directly: no sockets, no real time.

mod bodies;
#[path = "../sim/disk/mod.rs"]
mod disk;
mod producers;
mod puts;
mod refusals;
mod sdk;
#[path = "../support/signing.rs"]
mod signing;
mod streams;
mod world;
