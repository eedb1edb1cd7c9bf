//! Events of the delivery stage.
