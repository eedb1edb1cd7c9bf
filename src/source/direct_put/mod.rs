//! The Firehose API, and a plain endpoint for people.
