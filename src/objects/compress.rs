//! Records in, an object's bytes out.
