//! Events of the daemon stage.
