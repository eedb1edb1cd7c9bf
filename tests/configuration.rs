//! The configuration as users meet it: what is read, what wins, and what is said when it is wrong.
//!
//! An expectation that changes here is a promise that changes.

#[path = "configuration/beside.rs"]
mod beside;
#[path = "configuration/certificates.rs"]
mod certificates;
#[path = "configuration/empty.rs"]
mod empty;
#[path = "configuration/endpoints.rs"]
mod endpoints;
#[path = "configuration/files.rs"]
mod files;
#[path = "configuration/mistakes.rs"]
mod mistakes;
#[path = "configuration/odd.rs"]
mod odd;
#[path = "configuration/reference.rs"]
mod reference;
#[path = "configuration/secrets.rs"]
mod secrets;
#[path = "configuration/sections.rs"]
mod sections;
#[path = "configuration/streams.rs"]
mod streams;
#[path = "configuration/tls.rs"]
mod tls;
#[path = "configuration/variables.rs"]
mod variables;
#[path = "configuration/world.rs"]
mod world;
