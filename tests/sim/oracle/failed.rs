//! The failed output: one line for each record that failed, as it is documented.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::objects::in_order;
use super::{Evidence, Failing, Found, Kind, Notes};
use crate::record::{RecordName, Seen};

pub struct Line<'a> {
    pub place: &'a str,
    pub failing: Failing,
    pub seen: Seen,
    pub code: String,
    pub attempts: u64,
}

pub type Lines<'a> = BTreeMap<RecordName, Line<'a>>;

/// The lines that are at rest.
pub fn judge<'a>(evidence: &'a Evidence, notes: &Notes) -> Lines<'a> {
    let ever = lines(&evidence.stored, notes);
    let now = lines(&evidence.at_rest, notes);
    for (name, line) in &ever {
        let place = now.get(name).map(|line| line.place);
        assert_eq!(place, Some(line.place), "D3: the line of {name}");
    }
    for (name, line) in &now {
        let before = ever.get(name).map(|line| line.place);
        assert!(
            before.is_none_or(|before| before == line.place),
            "D3: the line of {name} is in {}, and was in {before:?}",
            line.place
        );
    }
    now
}

fn lines<'a>(all: &'a [Found], notes: &Notes) -> Lines<'a> {
    let mut lines = Lines::new();
    for found in all {
        let Kind::Failed(failing) = found.kind else {
            continue;
        };
        let here = text(found).lines().map(|text| line(found, failing, text));
        let here: Vec<_> = here.collect();
        in_order(&found.place, here.iter().map(|line| &line.seen), notes);
        for line in here {
            let name = line.seen.name.clone();
            assert_eq!(name.machine, found.machine, "{}", found.place);
            let before = lines.insert(name.clone(), line).map(|line| line.place);
            assert!(
                before.is_none_or(|before| before == found.place),
                "D3: the line of {name} is in {} and in {before:?}",
                found.place
            );
        }
    }
    lines
}

fn text(found: &Found) -> &str {
    let text = std::str::from_utf8(&found.content).expect("lines are text");
    assert!(text.ends_with('\n'), "{} ends within a line", found.place);
    text
}

fn line<'a>(found: &'a Found, failing: Failing, text: &str) -> Line<'a> {
    let place = &found.place;
    let line: Value = serde_json::from_str(text).expect("a line is JSON");
    let data = line["rawData"].as_str().expect("`rawData` is text");
    let data = STANDARD.decode(data).expect("`rawData` is base64");
    let seen = Seen::all(&data, place);
    let [seen] = &seen[..] else {
        panic!("{place}: a line is about one record: {text:.60}");
    };
    let own = match failing {
        Failing::Processing => "lambdaArn",
        Failing::HttpEndpoint => "dataId",
        Failing::Splunk => "EventId",
    };
    let is_text = line[own].as_str().is_some_and(|text| !text.is_empty());
    assert!(is_text, "{place}: `{own}` in {text:.300}");
    let (arrived, ended) = (&line["arrivalTimestamp"], &line["attemptEndingTimestamp"]);
    assert!(arrived.is_u64() && ended.is_u64(), "{place}: {text:.300}");
    let attempts = line["attemptsMade"].as_u64().expect("a number");
    Line {
        place,
        failing,
        seen: seen.clone(),
        code: line["errorCode"].as_str().expect("a code").to_owned(),
        // For Splunk it is the retries that are counted.
        attempts: attempts + u64::from(failing == Failing::Splunk),
    }
}
