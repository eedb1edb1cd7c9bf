//! What happens to a put that is under way when the daemon is told to stop.

use std::fs;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::lives::{BUCKET, configuration, in_files};
use crate::process::Daemon;
use crate::s3::{Fault, InProcessS3, Operation, SECRET_KEY};

const LINES: &str = "first\nsecond\n";

/// A put that the daemon has begun to read: it asked for the body.
async fn put_under_way(daemon: &Daemon) -> TcpStream {
    let mut put = TcpStream::connect(daemon.firehose()).await.unwrap();
    let head = format!(
        "POST /v1/streams/demo/records HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n\
         content-length: {}\r\n\r\n",
        LINES.len()
    );
    put.write_all(head.as_bytes()).await.unwrap();
    let mut go_on = [0; 25];
    put.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    put
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_under_way_when_a_stop_comes_is_taken_and_with_deliver_delivered() {
    // Half a day until the interval would deliver it by itself.
    let stream = "streams: { demo: { source: direct_put, \
                  destination: { directory: { path: ./out } }, buffering: { interval: 900s } } }\n";
    for (mode, delivered) in [("deliver", vec![LINES.to_owned()]), ("keep", vec![])] {
        let daemon = Daemon::new(&format!("shutdown: {{ mode: {mode} }}\n{stream}"));
        daemon.start().await;
        let mut put = put_under_way(&daemon).await;
        let (half, rest) = LINES.split_at(LINES.len() / 2);
        put.write_all(half.as_bytes()).await.unwrap();
        daemon.terminate();
        daemon.until_draining().await;
        assert!(!daemon.put("demo", "late\n".to_owned()).await);
        put.write_all(rest.as_bytes()).await.unwrap();
        let mut answer = String::new();
        put.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        let status = daemon.ended().await;
        assert_eq!(status.code(), Some(0), "{}", daemon.log());
        assert_eq!(in_files(&daemon.folder().join("out")), delivered, "{mode}");
    }
}

/// Far more than a stop takes with nothing to wait for, and less than its deadline (25 s).
const SOON: Duration = Duration::from_secs(12);

#[tokio::test(flavor = "multi_thread")]
async fn whoever_stops_in_the_middle_of_a_body_does_not_hold_up_a_stop() {
    let stream = "streams: { demo: { source: direct_put, \
                  destination: { directory: { path: ./out } }, buffering: { interval: 900s } } }\n";
    for mode in ["deliver", "keep"] {
        let daemon = Daemon::new(&format!("shutdown: {{ mode: {mode} }}\n{stream}"));
        daemon.start().await;
        let mut put = put_under_way(&daemon).await;
        put.write_all(b"fir").await.unwrap();
        let told = Instant::now();
        let status = daemon.stop().await;
        assert!(told.elapsed() < SOON, "{mode}: {:?}", told.elapsed());
        assert_eq!(status.code(), Some(0), "{}", daemon.log());
        let mut answer = String::new();
        put.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains("503 Service Unavailable"), "{answer}");
        assert!(answer.contains("Slow down."), "{answer}");
    }
}

async fn until_asked(server: &InProcessS3, operation: Operation) {
    while !server.asked().contains_key(&operation) {
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_hangs_while_leftovers_are_looked_for_does_not_hold_up_a_stop() {
    let server = InProcessS3::start().await;
    server.create_bucket(BUCKET);
    let daemon = Daemon::new(&configuration(&server));
    fs::write(daemon.folder().join("secret"), SECRET_KEY).unwrap();
    // A batch that is on its way when the first life ends.
    server.inject(Operation::PutObject, Fault::Stall);
    daemon.start().await;
    assert!(daemon.put("to-s3", LINES.to_owned()).await);
    until_asked(&server, Operation::PutObject).await;
    daemon.kill();
    server.inject(Operation::ListMultipartUploads, Fault::Stall);
    daemon.start().await;
    until_asked(&server, Operation::ListMultipartUploads).await;
    let told = Instant::now();
    let status = daemon.stop().await;
    assert!(told.elapsed() < SOON, "{:?}", told.elapsed());
    assert_eq!(status.code(), Some(0), "{}", daemon.log());
    // It is still there for the next life.
    daemon.start().await;
    while server.objects(BUCKET).is_empty() {
        sleep(Duration::from_millis(20)).await;
    }
    let status = daemon.stop().await;
    assert_eq!(status.code(), Some(0), "{}", daemon.log());
}
