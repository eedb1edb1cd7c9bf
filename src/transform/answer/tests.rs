//! Answers of functions that do well, and of those that do not.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::model::{DirectoryId, RecordsBuilder, Seq, Timestamp};
use crate::transform::request::{StreamFacts, write};
use crate::transform::{Arrivals, Invocation, Origin};

fn ids() -> RecordIds {
    RecordIds::new(DirectoryId(7), 1, Seq::new(0))
}

fn asked(records: usize) -> Asked {
    Asked {
        ids: ids(),
        records,
        data_field: DataField::Data,
    }
}

/// `#0` stands for the id of record 0, and so on.
fn with_ids(template: &str) -> String {
    let mut text = template.to_owned();
    for n in 0..10 {
        let mut id = Vec::new();
        ids().write(n, &mut id);
        text = text.replace(&format!("#{n}"), std::str::from_utf8(&id).unwrap());
    }
    text
}

fn told(answer: &Answer) -> String {
    let (verdicts, strangers) = match answer {
        Answer::Error(error) => return format!("error {}: {}", error.kind, error.message),
        Answer::Verdicts {
            verdicts,
            strangers,
        } => (verdicts, strangers),
    };
    let mut told: Vec<String> = Vec::new();
    for verdict in verdicts {
        told.push(match verdict {
            Verdict::Ok(it) if it.partition_keys.is_empty() => {
                format!("{:?}", String::from_utf8_lossy(&it.data))
            }
            Verdict::Ok(it) => {
                let data = String::from_utf8_lossy(&it.data);
                format!("{data:?} {:?}", it.partition_keys)
            }
            Verdict::Dropped => "dropped".to_owned(),
            Verdict::Faulty(fault) => fault.code().to_owned(),
        });
    }
    let mut text = told.join(" | ");
    if 0 < *strangers {
        write!(text, " +{strangers} ignored").unwrap();
    }
    text
}

/// An answer to one about two records.
#[track_caller]
fn check(answer: &str, expected: Expect) {
    let answer = super::check(with_ids(answer).as_bytes(), &asked(2));
    expected.assert_eq(&told(&answer));
}

/// The same, with these two in the list.
#[track_caller]
fn check_records(records: &str, expected: Expect) {
    check(&format!(r#"{{"records":[{records}]}}"#), expected);
}

/// What is made of the second, where the first is good.
#[track_caller]
fn check_second(second: &str, expected: Expect) {
    let first = r##"{"recordId":"#0","result":"Ok","data":"QQ=="}"##;
    check_records(
        &format!(r##"{first},{{"recordId":"#1",{second}}}"##),
        expected,
    );
}

#[test]
fn each_record_gets_what_the_function_said_in_whatever_order() {
    check_records(
        r##"{"recordId":"#1","result":"Dropped"},{"recordId":"#0","result":"Ok","data":"SEVMTE8="}"##,
        expect![[r#""HELLO" | dropped"#]],
    );
    check_second(r#""result":"Ok","data":"""#, expect![[r#""A" | """#]]);
    check_second(
        r#""result":"Ok","data":"Q\u0051==""#,
        expect![[r#""A" | "A""#]],
    );
    check_second(
        r#""result":"ProcessingFailed","data":"QQ==""#,
        expect![[r#""A" | Lambda.ProcessingFailedStatus"#]],
    );
    check_second(
        r#""result":"Dropped","data":5"#,
        expect![[r#""A" | dropped"#]],
    );
}

#[test]
fn results_are_case_sensitive() {
    for result in [
        r#""ok""#,
        r#""DROPPED""#,
        r#""Processing_Failed""#,
        r#""""#,
        "null",
        "1",
        "[\"Ok\"]",
    ] {
        check_second(
            &format!(r#""result":{result},"data":"QQ==""#),
            expect![[r#""A" | Lambda.JsonProcessingException"#]],
        );
    }
    check_second(
        r#""data":"QQ==""#,
        expect![[r#""A" | Lambda.JsonProcessingException"#]],
    );
}

#[test]
fn ok_needs_data_in_base64() {
    check_second(
        r#""result":"Ok""#,
        expect![[r#""A" | Lambda.InvalidReturnFormat"#]],
    );
    check_second(
        r#""result":"Ok","data":null"#,
        expect![[r#""A" | Lambda.InvalidReturnFormat"#]],
    );
    check_second(
        r#""result":"Ok","kafkaRecordValue":"QQ==""#,
        expect![[r#""A" | Lambda.InvalidReturnFormat"#]],
    );
    for data in [
        r#""Q""#,
        r#""QQ""#,
        r#""QR==""#,
        r#""Q-_=""#,
        r#""hé""#,
        // Without the blank it would be.
        r#""no base64""#,
        "5",
        "{}",
        "true",
    ] {
        check_second(
            &format!(r#""result":"Ok","data":{data}"#),
            expect![[r#""A" | Lambda.JsonMappingException"#]],
        );
    }
}

#[test]
fn line_breaks_in_base64_are_skipped() {
    check_second(
        r#""result":"Ok","data":"SEVM\nTE8=\r\n""#,
        expect![[r#""A" | "HELLO""#]],
    );
}

#[test]
fn a_missing_a_doubled_and_an_unknown_id_spoil_nothing_else() {
    let first = r##"{"recordId":"#0","result":"Ok","data":"QQ=="}"##;
    let second = r##"{"recordId":"#1","result":"Ok","data":"Qg=="}"##;
    check_records(first, expect![[r#""A" | Lambda.MissingRecordId"#]]);
    check_records(
        "",
        expect!["Lambda.MissingRecordId | Lambda.MissingRecordId"],
    );
    check_records(
        &format!("{first},{second},{first}"),
        expect![[r#"Lambda.DuplicatedRecordId | "B""#]],
    );
    check_records(
        &format!("{first},{first},{first},{second}"),
        expect![[r#"Lambda.DuplicatedRecordId | "B""#]],
    );
    let unknown = second.replace("#1", "#5");
    check_records(
        &format!("{first},{unknown},{second}"),
        expect![[r#""A" | "B" +1 ignored"#]],
    );
    check_records(
        &format!("{first},{}", second.replace("#1", "1")),
        expect![[r#""A" | Lambda.MissingRecordId +1 ignored"#]],
    );
    check_records(
        &format!("{first},{}", second.replace("\"#1\"", "1")),
        expect![[r#""A" | Lambda.MissingRecordId +1 ignored"#]],
    );
}

#[test]
fn what_is_no_record_is_nobodys() {
    let first = r##"{"recordId":"#0","result":"Ok","data":"QQ=="}"##;
    for other in [
        "null",
        "7",
        "\"text\"",
        "[]",
        "{}",
        r##"["#1","Ok","QQ=="]"##,
        r##"{"recordId":"#1","recordId":"#1","result":"Ok","data":"QQ=="}"##,
    ] {
        check_records(
            &format!("{other},{first}"),
            expect![[r#""A" | Lambda.MissingRecordId +1 ignored"#]],
        );
    }
}

#[test]
fn without_a_list_of_records_all_are_missing() {
    for answer in [
        "{}",
        "null",
        "\"Ok\"",
        "[]",
        "[[]]",
        "17",
        r#"{"records":null}"#,
        r#"{"records":{}}"#,
        r#"{"records":"none"}"#,
        r#"{"Records":[]}"#,
        r#"{"records":[]}"#,
    ] {
        check(
            answer,
            expect!["Lambda.MissingRecordId | Lambda.MissingRecordId"],
        );
    }
}

#[test]
fn what_is_not_json_is_not_understood() {
    for answer in ["", "<html>", "{", r#"{"records":[}"#, "{} {}", "'Ok'"] {
        check(
            answer,
            expect!["Lambda.JsonProcessingException | Lambda.JsonProcessingException"],
        );
    }
}

#[test]
fn a_function_may_say_in_the_body_that_it_failed() {
    check(
        r#"{"errorType":"KeyError","errorMessage":"'x'"}"#,
        expect!["error KeyError: 'x'"],
    );
    check(
        r#"{"errorMessage":"Task timed out after 3.00 seconds"}"#,
        expect!["error : Task timed out after 3.00 seconds"],
    );
    check(
        r#"{"errorType":null,"records":[]}"#,
        expect!["Lambda.MissingRecordId | Lambda.MissingRecordId"],
    );
    check(
        r#"{"errorType":"KeyError","records":[]}"#,
        expect!["Lambda.MissingRecordId | Lambda.MissingRecordId"],
    );
}

#[test]
fn partition_keys_are_kept() {
    check_second(
        r#""result":"Ok","data":"","metadata":{"partitionKeys":{"customer":"acme","year":2026}}"#,
        expect![[r#""A" | "" {"customer": "acme", "year": "2026"}"#]],
    );
    check_second(
        r#""result":"Ok","data":"","metadata":{"partitionKeys":{"a":null,"b":[1],"c":{},"d":false,"e":"ü\n"}}"#,
        expect![[r#""A" | "" {"d": "false", "e": "ü\n"}"#]],
    );
    for metadata in [
        "null",
        "5",
        "{}",
        "[]",
        r#"{"partitionKeys":null}"#,
        r#"{"partitionKeys":[1]}"#,
    ] {
        check_second(
            &format!(r#""result":"Ok","data":"","metadata":{metadata}"#),
            expect![[r#""A" | """#]],
        );
    }
}

#[test]
fn records_of_kafka_come_back_as_a_value() {
    let answer = with_ids(
        r##"{"records":[{"recordId":"#0","result":"Ok","kafkaRecordValue":"QQ=="},{"recordId":"#1","result":"Ok","data":"QQ=="}]}"##,
    );
    let kafka = Asked {
        data_field: DataField::KafkaRecordValue,
        ..asked(2)
    };
    let answer = super::check(answer.as_bytes(), &kafka);
    expect![[r#""A" | Lambda.InvalidReturnFormat"#]].assert_eq(&told(&answer));
}

#[test]
fn all_data_of_an_answer_lies_in_one_slab() {
    let answer = with_ids(
        r##"{"records":[{"recordId":"#0","result":"Ok","data":"QQ=="},{"recordId":"#1","result":"Ok","data":"Qg=="}]}"##,
    );
    let Answer::Verdicts { verdicts, .. } = super::check(answer.as_bytes(), &asked(2)) else {
        panic!("not an error")
    };
    let [Verdict::Ok(first), Verdict::Ok(second)] = &verdicts[..] else {
        panic!("both are good")
    };
    assert_eq!(first.data.as_ptr().wrapping_add(1), second.data.as_ptr());
}

/// A function that answers each record with itself.
fn echo(document: &[u8]) -> Vec<u8> {
    let event: serde_json::Value = serde_json::from_slice(document).unwrap();
    let records = event["records"].as_array().unwrap().iter().map(|record| {
        serde_json::json!({
            "recordId": record["recordId"],
            "result": "Ok",
            "data": record["data"],
            "metadata": { "partitionKeys": { "id": record["recordId"] } },
        })
    });
    serde_json::json!({ "records": records.rev().collect::<Vec<_>>() })
        .to_string()
        .into_bytes()
}

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("{\"records\":["),
        Just("{\"recordId\":\"#0\""),
        Just("\"#1\""),
        Just(",\"result\":"),
        Just("\"Ok\""),
        Just(",\"data\":"),
        Just("\"QQ==\""),
        Just("{"),
        Just("}"),
        Just("]"),
        Just(","),
        Just("\\u"),
        Just("\"\\ud800\""),
        Just("null"),
        Just("1e999"),
        Just("\u{feff}"),
    ]
    .prop_map(with_ids)
}

proptest! {
    #[test]
    fn what_a_function_echoes_is_what_it_was_shown(
        records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..50),
    ) {
        let mut builder = RecordsBuilder::default();
        records.iter().for_each(|record| builder.push(record));
        let invocation = Invocation {
            records: builder.build().unwrap(),
            ids: ids(),
            arrivals: Arrivals::together(records.len(), Timestamp::default()),
            origin: Origin::DirectPut,
        };
        let stream = StreamFacts { arn: "a".to_owned(), region: "r".to_owned() };
        let written = write(&invocation, 0..records.len(), &stream, uuid::Uuid::nil()).unwrap();
        let answer = super::check(&echo(&written.document), &asked(records.len()));
        let Answer::Verdicts { verdicts, strangers } = answer else { panic!("not an error") };
        prop_assert_eq!(strangers, 0);
        let echoed: Vec<_> = verdicts.iter().map(|verdict| match verdict {
            Verdict::Ok(it) if it.partition_keys.len() == 1 => it.data.to_vec(),
            other => panic!("{other:?}"),
        }).collect();
        prop_assert_eq!(echoed, records);
    }

    #[test]
    fn no_answer_is_too_strange(body in prop::collection::vec(any::<u8>(), 0..200)) {
        super::check(&body, &asked(2));
    }

    #[test]
    fn no_answer_that_looks_like_one_is_too_strange(
        pieces in prop::collection::vec(piece(), 0..20),
    ) {
        let answer = super::check(pieces.concat().as_bytes(), &asked(2));
        if let Answer::Verdicts { verdicts, .. } = answer {
            prop_assert_eq!(verdicts.len(), 2);
        }
    }
}
