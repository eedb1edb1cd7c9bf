//! Puts that are stored, and puts that cannot be.

use expect_test::expect;
use standpipe::model::ByteSize;

use crate::disk::Faults;
use crate::world::{
    api, base64_of, batch_of, by_web, guarded_world, lines, open_world, with, world,
};

#[tokio::test(start_paused = true)]
async fn what_is_answered_is_stored_in_order_and_under_the_answered_ids() {
    let world = open_world();
    let one = r#"{"DeliveryStreamName":"clicks","Record":{"Data":"b25lCg=="}}"#;
    world
        .check(
            api("PutRecord", one),
            expect![[r#"200 {"Encrypted":false,"RecordId":"2:0"}"#]],
        )
        .await;
    let two = r#"{"DeliveryStreamName":"clicks","Records":[{"Data":"dHdv"},{"Data":""}]}"#;
    world.check(api("PutRecordBatch", two), expect![[r#"200 {"Encrypted":false,"FailedPutCount":0,"RequestResponses":[{"RecordId":"2:1"},{"RecordId":"2:2"}]}"#]]).await;
    world
        .check(
            lines("clicks", "three\nfour"),
            expect![[r#"200 {"records":2,"first":"2:3","last":"2:4"}"#]],
        )
        .await;
    let elsewhere = r#"{"DeliveryStreamName":"views","Record":{"Data":"AP8="}}"#;
    world
        .check(
            api("PutRecord", elsewhere),
            expect![[r#"200 {"Encrypted":false,"RecordId":"3:0"}"#]],
        )
        .await;
    let stored = world.stored("clicks").await;
    assert_eq!(stored, [&b"one\n"[..], b"two", b"", b"three\n", b"four"]);
    assert_eq!(world.stored("views").await, [b"\x00\xff"]);
}

#[tokio::test(start_paused = true)]
async fn a_put_of_any_shape_is_stored_alike() {
    let world = open_world();
    for body in [
        r#"{"DeliveryStreamName":"clicks","Records":[{"Data":"Pz8/"}]}"#,
        r#" { "Records" : [ { "Data" : "Pz8/" } ] , "DeliveryStreamName" : "clicks" } "#,
        r#"{"DeliveryStreamName":"\u0063licks","Records":[{"Data":"Pz8\/"}]}"#,
        r#"{"DeliveryStreamName":"clicks","Records":[{"Data":"Pz8/","New":[{}]}],"New":null}"#,
    ] {
        let answer = world.call(api("PutRecordBatch", body)).await;
        assert!(answer.starts_with("200 "), "{answer}");
    }
    assert_eq!(world.stored("clicks").await, [b"???"; 4]);
}

#[tokio::test(start_paused = true)]
async fn nothing_of_a_refused_put_is_stored() {
    let world = open_world();
    let mut records = vec!["YQ==".to_owned(); 500];
    for last in ["YQ=", "?", &base64_of(1_024_001)] {
        records[499] = last.to_owned();
        let answer = world.call(api("PutRecordBatch", batch_of(&records))).await;
        assert!(answer.starts_with("400 "), "{answer}");
    }
    let long = format!("short\n{}\n", "x".repeat(1_024_000));
    let answer = world.call(lines("clicks", &long)).await;
    assert!(answer.starts_with("400 "), "{answer}");
    assert_eq!(world.stored("clicks").await.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_largest_puts_are_stored() {
    let world = world([], ByteSize::mebibytes(512));
    let one = format!(
        r#"{{"DeliveryStreamName":"views","Record":{{"Data":"{}"}}}}"#,
        base64_of(1_024_000)
    );
    assert!(world.call(api("PutRecord", one)).await.starts_with("200 "));
    let mut records = vec![base64_of(1_024_000); 4];
    records.push(base64_of(98_304));
    let answer = world.call(api("PutRecordBatch", batch_of(&records))).await;
    assert!(answer.starts_with("200 "), "{answer}");
    let answer = world
        .call(api(
            "PutRecordBatch",
            batch_of(&vec!["YQ==".to_owned(); 500]),
        ))
        .await;
    assert!(answer.starts_with("200 "), "{answer}");
    let lengths: Vec<usize> = world.stored("clicks").await.iter().map(Vec::len).collect();
    assert_eq!(
        lengths[..6],
        [1_024_000, 1_024_000, 1_024_000, 1_024_000, 98_304, 1]
    );
    assert_eq!(lengths.len(), 505);
    let line = format!("{}\n", "x".repeat(1023));
    let answer = world.call(lines("audit-eu", &line.repeat(12 * 1024))).await;
    assert!(answer.starts_with(r#"200 {"records":12288,"#), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn producers_put_signed_or_with_a_token() {
    let world = guarded_world();
    let put = r#"{"DeliveryStreamName":"clicks","Record":{"Data":"YQ=="}}"#;
    world
        .check(
            by_web("PutRecord", put),
            expect![[r#"200 {"Encrypted":false,"RecordId":"2:0"}"#]],
        )
        .await;
    let token = with(
        lines("views", "a\nb\n"),
        "authorization",
        "Bearer events-token",
    );
    world
        .check(
            token,
            expect![[r#"200 {"records":2,"first":"3:0","last":"3:1"}"#]],
        )
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_full_log_tells_producers_to_slow_down() {
    let world = open_world();
    let put = || api("PutRecordBatch", batch_of(&vec![base64_of(1000); 100]));
    let mut answers = 0;
    let refused = loop {
        let answer = world.call(put()).await;
        if !answer.starts_with("200 ") {
            break answer;
        }
        answers += 1;
        assert!(answers < 100, "8 MiB are full before 10 MB are in");
    };
    expect![[r#"503 {"__type":"ServiceUnavailableException","message":"Slow down."}"#]]
        .assert_eq(&refused);
    assert_eq!(world.stored("clicks").await.len(), answers * 100);
}

#[tokio::test(start_paused = true)]
async fn a_failing_disk_is_told_and_is_not_the_producers_fault() {
    let world = open_world();
    world.disk.set_faults(Faults {
        sync_fails: 1000,
        folder_sync_fails: 1000,
        ..Faults::default()
    });
    let put = r#"{"DeliveryStreamName":"clicks","Record":{"Data":"YQ=="}}"#;
    world.check(api("PutRecord", put), expect![[r#"500 {"__type":"InternalFailure","message":"The log could not be written: see the daemon's log. Whether the records are stored is known only after a restart."}"#]]).await;
}
