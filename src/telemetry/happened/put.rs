//! Events of the put stage.
