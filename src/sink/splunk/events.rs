//! Which record an event stands in. Splunk counts the events of a whole request, and a record may
//! hold several of them, back to back.

use serde::de::IgnoredAny;

use crate::model::Records;

/// The record of the n-th event, from 0; `None` where there is no such event. An event that is not
/// JSON ends the counting, for Splunk as for us: then it is the last that can be found.
pub fn record_of(records: &Records, event: u64) -> Option<usize> {
    let bytes = records.slab();
    let mut events = serde_json::Deserializer::from_slice(bytes).into_iter::<IgnoredAny>();
    let mut left = event;
    while left != 0 {
        events.next()?.ok()?;
        left -= 1;
    }
    let start = events.byte_offset();
    let blank = bytes[start..]
        .iter()
        .take_while(|byte| byte.is_ascii_whitespace());
    let start = start + blank.count();
    // Empty records end where the one before them does, and hold no event.
    let record = records.ends().partition_point(|&end| end as usize <= start);
    (start < bytes.len()).then_some(record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RecordsBuilder;

    /// The record of each event, and of the one behind the last.
    #[track_caller]
    fn check(records: &[&str], expected: &[Option<usize>]) {
        let mut builder = RecordsBuilder::default();
        records
            .iter()
            .for_each(|record| builder.push(record.as_bytes()));
        let records = builder.build().unwrap();
        let found = (0..expected.len()).map(|event| record_of(&records, event as u64));
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn events_are_counted_through_all_records() {
        check(&[r#"{"event":1}"#], &[Some(0), None]);
        check(&["{}", "{}", "{}"], &[Some(0), Some(1), Some(2), None]);
        check(
            &[
                r#"{"event":{"a":[1,2]}} {"event":"}{"}"#,
                "\n{}\n",
                "",
                "{}",
            ],
            &[Some(0), Some(0), Some(1), Some(3), None],
        );
    }

    #[test]
    fn what_is_not_json_is_the_last_that_can_be_found() {
        check(&["{}", "oops", "{}"], &[Some(0), Some(1), None, None]);
        check(&["oops"], &[Some(0), None]);
        check(&["{}", "{\"event\":"], &[Some(0), Some(1), None]);
    }

    #[test]
    fn records_without_an_event_are_never_named() {
        check(&["", " \n"], &[None, None]);
    }
}
