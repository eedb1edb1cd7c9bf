//! CPU time and memory, as the kernel counts them.

use std::fs;

/// The kernel shows times in hundredths of a second to every program, whatever it counts in.
const TICKS_PER_SECOND: f64 = 100.0;

/// Seconds that this thread has spent in user and kernel mode.
pub fn of_this_thread() -> f64 {
    seconds("/proc/thread-self/stat")
}

pub fn of_process(pid: u32) -> f64 {
    seconds(&format!("/proc/{pid}/stat"))
}

fn seconds(path: &str) -> f64 {
    let stat = fs::read_to_string(path).expect("the process runs, on Linux");
    // The name before the last bracket may hold spaces; user and system time are fields 14 and 15.
    let (_, fields) = stat.rsplit_once(')').expect("the name stands in brackets");
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks
        .map(|field| field.parse::<f64>().expect("times are numbers"))
        .sum::<f64>()
        / TICKS_PER_SECOND
}

/// The most memory that the process ever had resident, in MiB.
pub fn peak_mebibytes(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = peak.and_then(|peak| peak.trim().strip_suffix(" kB"));
    let kibibytes: f64 = kibibytes
        .and_then(|it| it.parse().ok())
        .expect("VmHWM is in kB");
    kibibytes / 1024.0
}
