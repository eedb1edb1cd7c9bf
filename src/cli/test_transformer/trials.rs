//! What a function is shown: records as they should be, then as they will be.

use bytes::Bytes;

use crate::model::limits;

/// Some records that are shown together.
pub struct Trial {
    pub name: String,
    pub records: Vec<Bytes>,
}

impl Trial {
    pub fn new(name: impl Into<String>, records: Vec<Bytes>) -> Trial {
        let name = name.into();
        Trial { name, records }
    }
}

const SAMPLES: [&str; 3] = [
    "{\"time\":\"2026-03-14T09:26:53Z\",\"level\":\"info\",\"message\":\"hello\"}\n",
    "127.0.0.1 - - [14/Mar/2026:09:26:53 +0000] \"GET /index.html HTTP/1.1\" 200 2326\n",
    "a line of text without an end",
];

pub fn samples() -> Trial {
    let records = SAMPLES.map(|sample| Bytes::from_static(sample.as_bytes()));
    Trial::new("samples", records.into())
}

/// What real streams bring sooner or later.
pub fn awkward() -> Vec<Trial> {
    let text = |bytes: usize| Bytes::from("0123456789abcde\n".repeat(bytes / 16));
    let sample = Bytes::from_static(SAMPLES[0].as_bytes());
    let small = (0..5_000).map(|n| Bytes::from(format!("{{\"n\":{n}}}\n")));
    vec![
        Trial::new("an empty record", vec![Bytes::new()]),
        Trial::new("bytes that are not text", vec![(0..=255).rev().collect()]),
        Trial::new(
            "a record of 1,000 KiB",
            vec![text(limits::FIREHOSE_RECORD_BYTES_MAX)],
        ),
        Trial::new("5,000 small records", small.collect()),
        Trial::new("the same record ten times", vec![sample; 10]),
        Trial::new("3 MiB at once", vec![text(256 << 10); 12]),
    ]
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn trials_go_up_to_the_limits_and_not_past_them() {
        let sizes = awkward().into_iter().map(|trial| {
            let bytes: usize = trial.records.iter().map(Bytes::len).sum();
            format!("{}: {} in {}", trial.name, bytes, trial.records.len())
        });
        expect![[r#"
            an empty record: 0 in 1
            bytes that are not text: 256 in 1
            a record of 1,000 KiB: 1024000 in 1
            5,000 small records: 53890 in 5000
            the same record ten times: 650 in 10
            3 MiB at once: 3145728 in 12"#]]
        .assert_eq(&sizes.collect::<Vec<_>>().join("\n"));
        assert!(std::str::from_utf8(&awkward()[1].records[0]).is_err());
    }
}
