//! The HTTP services, called directly: no sockets, no real time.

mod bodies;
mod producers;
mod refusals;
mod sdk;
mod streams;
mod world;
