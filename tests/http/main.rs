//! The HTTP services, called directly: no sockets, no real time.

mod bodies;
mod producers;
mod refusals;
mod streams;
mod world;
