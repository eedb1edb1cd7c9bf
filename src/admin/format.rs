//! In which of two formats the page is written, which scrapers agree on by `Accept`.
//!
//! The page is made as OpenMetrics. Prometheus' older text format differs from it in what a family is
//! called: there a counter's family bears the name of its samples, `_total` and all. It is what is
//! answered to whoever does not ask for OpenMetrics, as Prometheus' own libraries do.

use std::fmt::Write;

use http::HeaderMap;
use http::header::ACCEPT;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    OpenMetrics,
    Text,
}

impl Format {
    pub fn asked_for(headers: &HeaderMap) -> Format {
        let accepted = headers.get_all(ACCEPT).into_iter();
        let accepted = accepted.filter_map(|value| value.to_str().ok());
        let ranges = accepted.flat_map(|value| value.split(','));
        let (mut open_metrics, mut text) = (0.0, 0.0);
        for range in ranges {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default();
            let weight = parts.find_map(|part| part.strip_prefix("q="));
            let weight = weight.map_or(Some(1.0), |weight| weight.parse().ok());
            let weight: f64 = weight.unwrap_or(0.0);
            if kind.eq_ignore_ascii_case("application/openmetrics-text") {
                open_metrics = weight.max(open_metrics);
            } else if kind.eq_ignore_ascii_case("text/plain") {
                text = weight.max(text);
            }
        }
        if 0.0 < open_metrics && text <= open_metrics {
            Format::OpenMetrics
        } else {
            Format::Text
        }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// `page` is OpenMetrics.
    pub fn write(self, page: String) -> String {
        match self {
            Format::OpenMetrics => page,
            Format::Text => as_text(&page),
        }
    }
}

fn as_text(page: &str) -> String {
    let mut text = String::with_capacity(page.len());
    // It stands before the kind, on which the name depends.
    let mut help = "";
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').map_or("", |(_, help)| help);
        } else if let Some((name, kind)) = line
            .strip_prefix("# TYPE ")
            .and_then(|rest| rest.split_once(' '))
        {
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                kind => ("", kind),
            };
            writeln!(text, "# HELP {name}{suffix} {help}").expect("a text takes all");
            writeln!(text, "# TYPE {name}{suffix} {kind}").expect("a text takes all");
        } else if line != "# EOF" {
            writeln!(text, "{line}").expect("a text takes all");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn openmetrics_is_for_those_who_ask_for_it() {
        use Format::{OpenMetrics, Text};
        for (accept, format) in [
            ("", Text),
            ("*/*", Text),
            ("text/plain;version=0.0.4", Text),
            ("application/openmetrics-text", OpenMetrics),
            // Prometheus 2 and 3.
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                OpenMetrics,
            ),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
                OpenMetrics,
            ),
            // Telegraf and others that prefer the older one.
            (
                "text/plain;version=0.0.4;q=1,application/openmetrics-text;q=0.5",
                Text,
            ),
            ("application/openmetrics-text;q=0", Text),
        ] {
            let mut headers = HeaderMap::new();
            if !accept.is_empty() {
                headers.insert(ACCEPT, HeaderValue::from_static(accept));
            }
            assert_eq!(Format::asked_for(&headers), format, "{accept}");
        }
    }
}
