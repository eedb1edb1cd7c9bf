//! CPU time, as the kernel counts it.

use std::fs;

/// The kernel shows times in hundredths of a second to every program, whatever it counts in.
const TICKS_PER_SECOND: f64 = 100.0;

/// Seconds spent in user and kernel mode. `task` is a folder of `/proc`: a process's number, or
/// `thread-self`.
pub fn seconds(task: &str) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{task}/stat"));
    let stat = stat.expect("the process runs, on Linux");
    // The name before the last bracket may hold spaces; user and system time are fields 14 and 15.
    let (_, fields) = stat.rsplit_once(')').expect("the name stands in brackets");
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks
        .map(|field| field.parse::<f64>().expect("times are numbers"))
        .sum::<f64>()
        / TICKS_PER_SECOND
}
