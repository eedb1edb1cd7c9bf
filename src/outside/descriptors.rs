//! File descriptors: how many this process may have open.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the soft limit to the hard one, for the soft one is often 1,024, and answers how many
/// descriptors there are now.
pub fn raise_limit() -> u64 {
    let mut limit = getrlimit(Resource::Nofile);
    let before = limit.current;
    limit.current = limit.maximum;
    let now = match setrlimit(Resource::Nofile, limit) {
        Ok(()) => limit.current,
        Err(_) => before,
    };
    // `None` is no limit.
    now.unwrap_or(u64::MAX)
}
