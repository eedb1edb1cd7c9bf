//! Keys as people meet them: what a prefix becomes, and what is said when it cannot.

use expect_test::{Expect, expect};
use proptest::prelude::*;

mod failed;

use super::*;
use crate::model::Seq;

/// 2026-03-14T09:26:53.589Z.
const FIRST_ARRIVAL: Timestamp = Timestamp::from_millis(1_773_480_413_589);

fn facts(stream: &StreamName) -> KeyFacts<'_> {
    KeyFacts {
        directory: DirectoryId(7),
        stream,
        version: 1,
        range: SeqRange::new(Seq::new(100), Seq::new(250)),
        reader: ReaderKind::Arrivals,
        first_arrival: FIRST_ARRIVAL,
        compression: Compression::Gzip,
    }
}

fn key(prefix: &str, zone: &str) -> String {
    let clicks = "clicks".parse().unwrap();
    let error = "failed/!{firehose:error-output-type}/";
    match KeyTemplate::new(Some(prefix), Some(error), Some(zone)) {
        Ok(template) => template.object_key(&facts(&clicks)),
        Err(error) => format!("{}: {error}", error.field()),
    }
}

#[track_caller]
fn check(prefix: &str, expected: Expect) {
    expected.assert_eq(&key(prefix, ""));
}

/// One time pattern, at an instant, in a zone.
#[track_caller]
fn check_time(instant: &str, zone: &str, pattern: &str, expected: Expect) {
    let instant: jiff::Timestamp = instant.parse().unwrap();
    let millis = u64::try_from(instant.as_millisecond()).unwrap();
    let zone = named_time_zone(zone).unwrap();
    let moment = Moment::at(Timestamp::from_millis(millis), &zone);
    let mut text = String::new();
    match Pattern::parse(pattern) {
        Some(pattern) => pattern.write(&moment, &mut text),
        None => text.push_str("refused"),
    }
    expected.assert_eq(&text);
}

#[track_caller]
fn check_refused(prefix: &str, error_output_prefix: &str, zone: &str, expected: Expect) {
    let answer = KeyTemplate::new(Some(prefix), Some(error_output_prefix), Some(zone));
    expected.assert_eq(&match answer {
        Ok(_) => "valid".to_owned(),
        Err(error) => format!("{}: {error}", error.field()),
    });
}

#[test]
fn a_prefix_without_expressions_gets_the_hour_glued_on() {
    check(
        "",
        expect![
            "2026/03/14/09/clicks-1-2026-03-14-09-26-53-de3661d7-3f27-46e2-ac87-3ffae90c223a.gz"
        ],
    );
    check(
        "legacy/",
        expect![
            "legacy/2026/03/14/09/clicks-1-2026-03-14-09-26-53-de3661d7-3f27-46e2-ac87-3ffae90c223a.gz"
        ],
    );
    check(
        "legacy",
        expect![
            "legacy2026/03/14/09/clicks-1-2026-03-14-09-26-53-de3661d7-3f27-46e2-ac87-3ffae90c223a.gz"
        ],
    );
}

#[test]
fn a_prefix_with_any_expression_gets_nothing_added() {
    check(
        "a/!{timestamp:yyyy/MM/dd/}",
        expect![
            "a/2026/03/14/clicks-1-2026-03-14-09-26-53-de3661d7-3f27-46e2-ac87-3ffae90c223a.gz"
        ],
    );
    check(
        "a/!{firehose:random-string}/",
        expect![
            "a/Fn6ndmrlH3a/clicks-1-2026-03-14-09-26-53-de3661d7-3f27-46e2-ac87-3ffae90c223a.gz"
        ],
    );
    check(
        "!{firehose:random-string}!{firehose:random-string}-",
        expect![
            "Fn6ndmrlH3avH280XeKcbd-clicks-1-2026-03-14-09-26-53-de3661d7-3f27-46e2-ac87-3ffae90c223a.gz"
        ],
    );
    check(
        "at!{timestamp:yyyy}{}!!/",
        expect!["at2026{}!!/clicks-1-2026-03-14-09-26-53-de3661d7-3f27-46e2-ac87-3ffae90c223a.gz"],
    );
}

#[test]
fn the_time_zone_moves_prefix_and_name() {
    let berlin = key("", "Europe/Berlin");
    expect!["2026/03/14/10/clicks-1-2026-03-14-10-26-53-de3661d7-3f27-46e2-ac87-3ffae90c223a.gz"]
        .assert_eq(&berlin);
    let auckland = key("!{timestamp:dd HH}/", "Pacific/Auckland");
    expect!["14 22/clicks-1-2026-03-14-22-26-53-de3661d7-3f27-46e2-ac87-3ffae90c223a.gz"]
        .assert_eq(&auckland);
}

/// Compared by hand with OpenJDK 17 in the locale en-US: all the same but `F`, where we follow its
/// documentation and later versions.
#[test]
fn letters_mean_what_they_mean_in_java() {
    let at = |pattern, expected| check_time("2026-03-04T05:06:07.089Z", "", pattern, expected);
    at(
        "y yy yyyy yyyyy u uuuu",
        expect!["2026 26 2026 02026 2026 2026"],
    );
    at(
        "M MM MMM MMMM MMMMM L LLL",
        expect!["3 03 Mar March M 3 Mar"],
    );
    at("Q QQ QQQ QQQQ QQQQQ q", expect!["1 01 Q1 1st quarter 1 1"]);
    at("d dd D DD DDD F g", expect!["4 04 63 63 063 1 61103"]);
    at(
        "E EEE EEEE EEEEE e ee eee c ccc cccc",
        expect!["Wed Wed Wednesday W 4 04 Wed 4 Wed Wednesday"],
    );
    at(
        "H HH k K h hh a m mm s ss",
        expect!["5 05 5 5 5 05 AM 6 06 7 07"],
    );
    at(
        "S SSS SSSSSSSSS A n N",
        expect!["0 089 089000000 18367089 89000000 18367089000000"],
    );
    at("G GGGG GGGGG B", expect!["AD Anno Domini A at night"]);
    at(
        "yyyy-MM-dd'T'HH 'o''clock' ''",
        expect!["2026-03-04T05 o'clock '"],
    );
    at("日 =&,", expect!["日 =&,"]);
}

#[test]
fn hours_have_four_counts() {
    let at = |instant, expected| check_time(instant, "", "H k K h a B", expected);
    at("2026-03-04T00:00:00Z", expect!["0 24 0 12 AM midnight"]);
    at("2026-03-04T00:01:00Z", expect!["0 24 0 12 AM at night"]);
    at("2026-03-04T12:00:00Z", expect!["12 12 0 12 PM noon"]);
    at(
        "2026-03-04T18:30:00Z",
        expect!["18 18 6 6 PM in the evening"],
    );
    at("2026-03-04T23:59:59Z", expect!["23 23 11 11 PM at night"]);
}

#[test]
fn weeks_begin_on_sunday_and_the_first_holds_january_1() {
    let at = |day, expected| check_time(day, "", "YYYY-'W'ww e W yyyy", expected);
    at("2019-12-28T12:00:00Z", expect!["2019-W52 7 4 2019"]);
    at("2019-12-29T12:00:00Z", expect!["2020-W01 1 5 2019"]);
    at("2020-01-01T12:00:00Z", expect!["2020-W01 4 1 2020"]);
    at("2022-12-31T12:00:00Z", expect!["2022-W53 7 5 2022"]);
    at("2023-01-01T12:00:00Z", expect!["2023-W01 1 1 2023"]);
    at("2024-12-31T12:00:00Z", expect!["2025-W01 3 5 2024"]);
    at("2026-11-23T12:00:00Z", expect!["2026-W48 2 4 2026"]);
}

#[test]
fn zones_have_many_spellings() {
    let pattern = "z|O|OOOO|X|XX|XXX|x|xx|xxx|Z|ZZZZ|ZZZZZ";
    let at = |zone, expected| check_time("2026-07-01T00:00:00Z", zone, pattern, expected);
    at(
        "",
        expect!["UTC|GMT|GMT|Z|Z|Z|+00|+0000|+00:00|+0000|GMT|Z"],
    );
    at(
        "Europe/Berlin",
        expect!["CEST|GMT+2|GMT+02:00|+02|+0200|+02:00|+02|+0200|+02:00|+0200|GMT+02:00|+02:00"],
    );
    at(
        "Asia/Kolkata",
        expect![
            "IST|GMT+5:30|GMT+05:30|+0530|+0530|+05:30|+0530|+0530|+05:30|+0530|GMT+05:30|+05:30"
        ],
    );
    at(
        "America/New_York",
        expect!["EDT|GMT-4|GMT-04:00|-04|-0400|-04:00|-04|-0400|-04:00|-0400|GMT-04:00|-04:00"],
    );
}

#[test]
fn what_firehose_refuses_is_refused() {
    for letter in "CIJPRTUVbfijloprt".chars() {
        check_time(
            "2026-03-04T05:06:07Z",
            "",
            &letter.to_string(),
            expect!["refused"],
        );
    }
    for letter in "ABDEFGHKLMNOQSWXYZacdeghkmnqsuwxyz".chars() {
        assert!(Pattern::parse(&letter.to_string()).is_some(), "{letter}");
    }
    for pattern in [
        "",
        "'open",
        "HHH",
        "DDDD",
        "aa",
        "cc",
        "FF",
        "OO",
        "XXXXXX",
        "SSSSSSSSSS",
        "[yyyy]",
        "v",
        "zzzz",
        "yyyyyyyyyyyyyyyyyyyy",
    ] {
        check_time("2026-03-04T05:06:07Z", "", pattern, expect!["refused"]);
    }
}

#[test]
fn every_rule_answers_in_the_words_of_firehose() {
    const TYPE: &str = "!{firehose:error-output-type}";
    check_refused(
        "a/!{timestamp:yyyy}/",
        "",
        "",
        expect![
            "ErrorOutputPrefix: ErrorOutputPrefix cannot be null or empty when Prefix contains expressions"
        ],
    );
    check_refused(
        TYPE,
        TYPE,
        "",
        expect!["Prefix: Prefix must not contain any occurrence of !{firehose:error-output-type}"],
    );
    check_refused(
        "",
        "e/!{timestamp:yyyy}/",
        "",
        expect![
            "ErrorOutputPrefix: ErrorOutputPrefix must contain at least one occurrence of !{firehose:error-output-type}"
        ],
    );
    check_refused(
        "",
        "e/!{firehose:random-string}/",
        "",
        expect![
            "ErrorOutputPrefix: ErrorOutputPrefix must contain at least one occurrence of !{firehose:error-output-type}"
        ],
    );
    check_refused("", "e/", "", expect!["valid"]);
    check_refused("", TYPE, "", expect!["valid"]);
    check_refused(
        "!{partitionKeyFromQuery:a}/",
        TYPE,
        "",
        expect![
            "Prefix: Dynamic Partitioning Namespaces can only be part of a prefix expression when Dynamic Partitioning is enabled, which this version does not offer yet"
        ],
    );
    check_refused(
        "!{partitionKeyFromLambda:a}/",
        TYPE,
        "",
        expect![
            "Prefix: Dynamic Partitioning Namespaces can only be part of a prefix expression when Dynamic Partitioning is enabled, which this version does not offer yet"
        ],
    );
    check_refused(
        "",
        "!{partitionKeyFromQuery:a}/",
        "",
        expect![
            "ErrorOutputPrefix: Dynamic Partitioning Namespaces can't be part of an error prefix expression"
        ],
    );
}

#[test]
fn an_expression_that_is_none_is_told_in_the_words_of_firehose() {
    const TYPE: &str = "!{firehose:error-output-type}";
    check_refused(
        "!{time:yyyy}",
        TYPE,
        "",
        expect!["Prefix: Namespace to the left of colon (time) is an invalid keyword!"],
    );
    check_refused(
        "",
        "!{:yyyy}",
        "",
        expect!["ErrorOutputPrefix: Namespace to the left of colon () is an invalid keyword!"],
    );
    check_refused(
        "!{timestamp:yyyyT}",
        TYPE,
        "",
        expect![
            "Prefix: Invalid conversion character used in the value of the expression in Prefix"
        ],
    );
    check_refused(
        "",
        "!{timestamp:V}",
        "",
        expect![
            "ErrorOutputPrefix: Invalid conversion character used in the value of the expression in ErrorOutputPrefix"
        ],
    );
    check_refused(
        "!{firehose:random}",
        TYPE,
        "",
        expect![
            "Prefix: Invalid conversion character used in the value of the expression in Prefix"
        ],
    );
    check_refused(
        "!{timestamp:yyyy",
        TYPE,
        "",
        expect!["Prefix: Invalid expression usage"],
    );
    check_refused("!{}", TYPE, "", expect!["Prefix: Invalid expression usage"]);
    check_refused(
        "!{yyyy}",
        TYPE,
        "",
        expect!["Prefix: Invalid expression usage"],
    );
    check_refused(
        "!{a!{timestamp:yyyy}",
        TYPE,
        "",
        expect!["Prefix: Invalid expression usage"],
    );
}

#[test]
fn time_zones_are_those_of_the_tables_inside() {
    check_refused(
        "",
        "",
        "Etc/GMT+5",
        expect![
            "CustomTimeZone: Member must satisfy regular expression pattern: ^$|[a-zA-Z/_]+, which `Etc/GMT+5` does not"
        ],
    );
    check_refused(
        "",
        "",
        "Europe/Atlantis",
        expect![
            "CustomTimeZone: `Europe/Atlantis` is not a time zone: names look like `Europe/Berlin`, and case matters"
        ],
    );
    check_refused(
        "",
        "",
        "europe/berlin",
        expect![
            "CustomTimeZone: `europe/berlin` is not a time zone: names look like `Europe/Berlin`, and case matters"
        ],
    );
    for zone in ["", "UTC", "Europe/Berlin", "America/New_York", "US/Pacific"] {
        check_refused("", "", zone, expect!["valid"]);
    }
}

#[test]
fn lengths_hold_at_the_limit_and_not_one_past_it() {
    let slashed = |characters: usize| "abc/".repeat(characters / 4 + 1)[..characters].to_owned();
    check_refused(&slashed(512), "", "", expect!["valid"]);
    check_refused(
        &slashed(513),
        "",
        "",
        expect!["Prefix: Length of evaluated prefix cannot be greater than 512"],
    );
    check_refused("", &slashed(512), "", expect!["valid"]);
    check_refused(
        "",
        &slashed(513),
        "",
        expect![
            "ErrorOutputPrefix: Length of evaluated ErrorOutputPrefix cannot be greater than 512"
        ],
    );
    check_refused(
        &slashed(1025),
        "",
        "",
        expect!["Prefix: Member must have length less than or equal to 1024"],
    );
    check_refused(
        "",
        &slashed(1025),
        "",
        expect!["ErrorOutputPrefix: Member must have length less than or equal to 1024"],
    );
    // An expression counts as long as it becomes: eleven characters here.
    let random = "!{firehose:random-string}";
    let error = "!{firehose:error-output-type}";
    check_refused(
        &format!("{}{random}", slashed(501)),
        error,
        "",
        expect!["valid"],
    );
    check_refused(
        &format!("{}{random}", slashed(502)),
        error,
        "",
        expect!["Prefix: Length of evaluated prefix cannot be greater than 512"],
    );
    // "September" and "Wednesday" count, whatever today is.
    let named = |literal| format!("{}!{{timestamp:MMMMEEEE}}", slashed(literal));
    check_refused(&named(494), error, "", expect!["valid"]);
    check_refused(
        &named(495),
        error,
        "",
        expect!["Prefix: Length of evaluated prefix cannot be greater than 512"],
    );
}

#[test]
fn keys_must_suit_every_place() {
    // 511 characters of two bytes each fit Firehose's rule and not S3's.
    check_refused(&"ä/".repeat(256), "", "", expect!["valid"]);
    check_refused(
        &"ää/".repeat(170),
        "",
        "",
        expect!["Prefix: keys would be longer than the 1024 bytes that S3 takes"],
    );
    check_refused(
        &"日日日/".repeat(128),
        "",
        "",
        expect!["Prefix: keys would be longer than the 1024 bytes that S3 takes"],
    );
    check_refused(&"a".repeat(120), "", "", expect!["valid"]);
    check_refused(&format!("{}/", "a".repeat(255)), "", "", expect!["valid"]);
    check_refused(
        &format!("{}/", "a".repeat(256)),
        "",
        "",
        expect![
            "Prefix: keys would have more than 255 bytes between two slashes, which file systems do not take"
        ],
    );
    check_refused(
        "a/../b/",
        "",
        "",
        expect![
            "Prefix: keys would have a segment `.` or `..`, which no place takes as it is written"
        ],
    );
    check_refused(
        "./",
        "",
        "",
        expect![
            "Prefix: keys would have a segment `.` or `..`, which no place takes as it is written"
        ],
    );
    check_refused(
        "a\u{7}b",
        "",
        "",
        expect!["Prefix: keys would contain a control character"],
    );
    check_refused("..a/.../", "", "", expect!["valid"]);
}

#[test]
fn d3_the_name_is_a_function_of_the_batch_and_of_nothing_else() {
    let clicks: StreamName = "clicks".parse().unwrap();
    let views: StreamName = "views".parse().unwrap();
    let template = KeyTemplate::new(None, None, None).unwrap();
    let uuid = |facts: &KeyFacts<'_>| {
        let key = template.object_key(facts);
        let stem = key.strip_suffix(".gz").unwrap();
        stem[stem.len() - 36..].to_owned()
    };
    let same = uuid(&facts(&clicks));
    assert_eq!(same, uuid(&facts(&clicks)));
    let others = [
        KeyFacts {
            directory: DirectoryId(8),
            ..facts(&clicks)
        },
        KeyFacts {
            range: SeqRange::new(Seq::new(100), Seq::new(251)),
            ..facts(&clicks)
        },
        KeyFacts {
            range: SeqRange::new(Seq::new(99), Seq::new(250)),
            ..facts(&clicks)
        },
        KeyFacts {
            first_arrival: Timestamp::from_millis(1),
            ..facts(&clicks)
        },
        KeyFacts {
            reader: ReaderKind::Answers,
            ..facts(&clicks)
        },
        KeyFacts {
            reader: ReaderKind::Backup,
            ..facts(&clicks)
        },
        facts(&views),
    ];
    for other in &others {
        assert_ne!(same, uuid(other), "{other:?}");
    }
    let parsed: uuid::Uuid = same.parse().unwrap();
    assert_eq!(parsed.get_version(), Some(uuid::Version::Random));
    assert_eq!(parsed.get_variant(), uuid::Variant::RFC4122);
}

#[test]
fn a_clock_beyond_the_calendar_still_gives_a_key() {
    let clicks = "clicks".parse().unwrap();
    let template = KeyTemplate::new(None, None, Some("Asia/Tokyo")).unwrap();
    for millis in [0, u64::MAX] {
        let first_arrival = Timestamp::from_millis(millis);
        let key = template.object_key(&KeyFacts {
            first_arrival,
            ..facts(&clicks)
        });
        assert!(key.contains("/clicks-1-"), "{key}");
    }
}

proptest! {
    #[test]
    fn no_prefix_makes_the_parser_fall_over(prefix in "[!{}:a-zA-Z'/é]{0,40}", zone in "[A-Za-z/]{0,8}") {
        let _ = KeyTemplate::new(Some(&prefix), None, Some(&zone));
        let _ = KeyTemplate::new(None, Some(&prefix), None);
    }

    #[test]
    fn what_was_measured_is_never_exceeded(
        pattern in "[yMdDHhmsSaEGQ/ -]{1,12}",
        millis in 0u64..4_102_444_800_000,
    ) {
        let Some(pattern) = Pattern::parse(&pattern) else { return Ok(()) };
        let mut expression = Expression::parse(Field::Prefix, "").unwrap();
        expression.push_time(pattern);
        for zone in ["UTC", "America/St_Johns"] {
            let zone = TimeZone::get(zone).unwrap();
            let moment = Moment::at(Timestamp::from_millis(millis), &zone);
            let text = expression.evaluate(&moment, &mut Draws::widest(), "");
            prop_assert!(text.chars().count() <= expression.characters_max(&zone));
        }
    }
}
