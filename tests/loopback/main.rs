//! One real process on loopback, spoken to as clients do.

#[path = "../support/process.rs"]
mod process;
#[path = "../support/s3/mod.rs"]
mod s3;
#[path = "../support/signing.rs"]
mod signing;

mod front_door;
mod leaving;
mod lives;
