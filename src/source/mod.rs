//! Where records come from.

pub mod direct_put;
