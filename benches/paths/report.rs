//! The figures of a path, and how they stand to the ceiling of the same run.

use super::load::Seen;

pub struct Measured<'a> {
    pub path: &'a str,
    pub bytes: u64,
    pub records: u64,
    pub seconds: f64,
    pub cpu_seconds: f64,
    pub peak_mebibytes: f64,
    /// CPU seconds for each GB that the stages need, added up.
    pub ceiling: f64,
    /// Where requests were timed.
    pub seen: Option<&'a Seen>,
}

pub fn heading() {
    println!(
        "{:<28} {:>9} {:>11} {:>10} {:>10} {:>10} {:>6}  {:>26} {:>8}",
        "path",
        "MB/s",
        "records/s",
        "CPU s/GB",
        "MB/s/core",
        "ceiling",
        "ratio",
        "p50 / p99 / max ms",
        "peak MiB"
    );
}

impl Measured<'_> {
    /// Bare CPU time over ours: 1 is the ceiling.
    pub fn ratio(&self) -> f64 {
        self.ceiling * self.gigabytes() / self.cpu_seconds
    }

    fn gigabytes(&self) -> f64 {
        self.bytes as f64 / 1e9
    }

    pub fn print(&self) {
        let millis = |seen: &Seen, quantile| seen.latency(quantile).as_secs_f64() * 1e3;
        let latency = self.seen.map_or("-".to_owned(), |seen| {
            let [p50, p99, max] = [0.5, 0.99, 1.0].map(|quantile| millis(seen, quantile));
            format!("{p50:.1} / {p99:.1} / {max:.1}")
        });
        println!(
            "{:<28} {:>9.0} {:>11.0} {:>10.2} {:>10.0} {:>10.0} {:>6.2}  {latency:>26} {:>8.0}",
            self.path,
            self.gigabytes() * 1e3 / self.seconds,
            self.records as f64 / self.seconds,
            self.cpu_seconds / self.gigabytes(),
            self.gigabytes() * 1e3 / self.cpu_seconds,
            1e3 / self.ceiling,
            self.ratio(),
            self.peak_mebibytes,
        );
        if let Some(refused) = self.seen.map(|seen| seen.refused).filter(|it| *it != 0) {
            println!("  {refused} puts were told to slow down");
        }
    }
}
