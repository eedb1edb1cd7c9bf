//! Events of the buffer stage.
