//! Adapters against scripted peers: the requests that leave the process, to the letter, and what is
//! made of the answers. A changed request here is a changed promise.

mod contract;
mod http_endpoint;
mod odd_answers;
mod scripted;
mod splunk;
mod transformer;
mod transforming;

use std::sync::Arc;

use expect_test::{Expect, expect};
use futures_util::StreamExt;
use scripted::{Say, Scripted};
use standpipe::aws::{AssumeRole, Checksums, Credentials, Profile, connect};
use standpipe::model::{Body, Compression, RecordsBuilder, Secret, Timestamp};
use standpipe::objects::store::s3::{S3, Settings};
use standpipe::objects::{Object, Room, Store};
use standpipe::outside::{Clock, Dice, http_client};
use standpipe::sink::Receipt;
use standpipe::sink::endpoint::{Endpoint, EndpointRequest, Rejection};

/// Until it is known that what was sent stays.
async fn whole(endpoint: &dyn Endpoint, request: &EndpointRequest) -> Result<Receipt, Rejection> {
    endpoint.send(request).await?.confirmed().await
}

/// 2026-03-14T09:26:53Z.
const NOW: Timestamp = Timestamp::from_millis(1_773_480_413_000);

fn profile(endpoint: &str) -> Profile {
    Profile {
        name: "test".to_owned(),
        region: "eu-west-1".to_owned(),
        endpoint: (!endpoint.is_empty()).then(|| endpoint.parse().unwrap()),
        path_style: true,
        checksums: Checksums::WhenSupported,
        credentials: Credentials::Static {
            access_key_id: "AKIATEST".to_owned(),
            secret_access_key: Secret::new("secret"),
            session_token: None,
        },
        assume_role: None,
        http: http_client::Settings::default(),
    }
}

async fn store(profile: &Profile, http: &Arc<Scripted>, clock: &Clock) -> S3 {
    let connection = connect(profile, http.clone(), clock.clone()).await;
    let settings = Settings {
        bucket: "lake".to_owned(),
        profile: profile.clone(),
    };
    S3::new(
        settings,
        &connection,
        Room::new(64 << 20, 1),
        Dice::seeded(1),
    )
}

fn object(plain: Vec<u8>, compression: Compression) -> Object {
    let mut records = RecordsBuilder::default();
    records.push(&plain);
    let records = records.build().unwrap();
    Object {
        key: "in/2026 03/clicks-1-uuid".to_owned(),
        body: Body::new(plain.len() as u64, move || {
            futures_util::stream::iter([Ok(records.clone())]).boxed()
        }),
        compression,
        metadata: vec![("standpipe-range", "0..7".to_owned())],
    }
}

/// The requests of one put, all of which are answered well.
async fn check(profile: Profile, object: Object, answers: Vec<Say>, expected: Expect) {
    let http = Arc::new(Scripted::new(answers));
    let store = store(&profile, &http, &Clock::simulated(NOW)).await;
    store.put(&object).await.unwrap();
    expected.assert_eq(&http.take_seen());
}

#[tokio::test(start_paused = true)]
async fn over_plain_http_the_body_is_signed() {
    let object = object(b"abc".to_vec(), Compression::Uncompressed);
    let profile = profile("http://127.0.0.1:9000");
    check(profile, object, vec![Say::Ok("")], expect![[r#"
        PUT http://127.0.0.1:9000/lake/in/2026%2003/clicks-1-uuid?x-id=PutObject
        authorization: AWS4-HMAC-SHA256 Credential=AKIATEST/20260314/eu-west-1/s3/aws4_request, SignedHeaders=content-length;content-type;host;x-amz-checksum-crc32c;x-amz-content-sha256;x-amz-date;x-amz-meta-standpipe-range;x-amz-user-agent
        content-length: 3
        content-type: application/octet-stream
        x-amz-checksum-crc32c: Nks/tw==
        x-amz-content-sha256: ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad
        x-amz-date: 20260314T092653Z
        x-amz-meta-standpipe-range: 0..7
        -- streamed, at most 30 s: abc"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn over_tls_the_body_is_not_signed_but_summed() {
    let object = object(b"abc".to_vec(), Compression::Uncompressed);
    let profile = Profile {
        path_style: false,
        ..profile("")
    };
    check(profile, object, vec![Say::Ok("")], expect![[r#"
        PUT https://lake.s3.eu-west-1.amazonaws.com/in/2026%2003/clicks-1-uuid?x-id=PutObject
        authorization: AWS4-HMAC-SHA256 Credential=AKIATEST/20260314/eu-west-1/s3/aws4_request, SignedHeaders=content-length;content-type;host;x-amz-checksum-crc32c;x-amz-content-sha256;x-amz-date;x-amz-meta-standpipe-range;x-amz-user-agent
        content-length: 3
        content-type: application/octet-stream
        x-amz-checksum-crc32c: Nks/tw==
        x-amz-content-sha256: UNSIGNED-PAYLOAD
        x-amz-date: 20260314T092653Z
        x-amz-meta-standpipe-range: 0..7
        -- streamed, at most 30 s: abc"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn gzip_says_so_and_checksums_can_be_left_out() {
    let object = object(b"abc".to_vec(), Compression::Gzip);
    let profile = Profile {
        checksums: Checksums::WhenRequired,
        ..profile("https://s3.example:9000/")
    };
    check(profile, object, vec![Say::Ok("")], expect![[r#"
        PUT https://s3.example:9000/lake/in/2026%2003/clicks-1-uuid?x-id=PutObject
        authorization: AWS4-HMAC-SHA256 Credential=AKIATEST/20260314/eu-west-1/s3/aws4_request, SignedHeaders=content-encoding;content-length;content-type;host;x-amz-content-sha256;x-amz-date;x-amz-meta-standpipe-range;x-amz-user-agent
        content-encoding: gzip
        content-length: 26
        content-type: application/octet-stream
        x-amz-content-sha256: UNSIGNED-PAYLOAD
        x-amz-date: 20260314T092653Z
        x-amz-meta-standpipe-range: 0..7
        -- whole, at most 30 s: (26 bytes)"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn a_large_object_is_begun_sent_in_parts_and_completed() {
    let mut dice = Dice::seeded(1);
    let noise = (0..9 << 20).map(|_| dice.below(256) as u8).collect();
    let answers = vec![
        Say::Ok(
            "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>",
        ),
        Say::Ok(""),
        Say::Ok(""),
        Say::Ok("<CompleteMultipartUploadResult></CompleteMultipartUploadResult>"),
    ];
    let profile = profile("http://127.0.0.1:9000");
    check(
        profile,
        object(noise, Compression::Gzip),
        answers,
        expect![[r#"
            POST http://127.0.0.1:9000/lake/in/2026%2003/clicks-1-uuid?uploads
            authorization: AWS4-HMAC-SHA256 Credential=AKIATEST/20260314/eu-west-1/s3/aws4_request, SignedHeaders=content-encoding;content-type;host;x-amz-checksum-algorithm;x-amz-content-sha256;x-amz-date;x-amz-meta-standpipe-range;x-amz-user-agent
            content-encoding: gzip
            content-type: application/octet-stream
            x-amz-checksum-algorithm: CRC32C
            x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
            x-amz-date: 20260314T092653Z
            x-amz-meta-standpipe-range: 0..7
            -- whole, at most 30 s: 

            PUT http://127.0.0.1:9000/lake/in/2026%2003/clicks-1-uuid?x-id=UploadPart&partNumber=1&uploadId=u1
            authorization: AWS4-HMAC-SHA256 Credential=AKIATEST/20260314/eu-west-1/s3/aws4_request, SignedHeaders=content-length;content-type;host;x-amz-checksum-crc32c;x-amz-content-sha256;x-amz-date;x-amz-user-agent
            content-length: 8388608
            content-type: application/octet-stream
            x-amz-checksum-crc32c: 8FQw3g==
            x-amz-content-sha256: 06dabb2398a99168bc01c9092eb819345f5a45e65df77008a1f4979f973ac9ce
            x-amz-date: 20260314T092653Z
            -- whole, at most 62 s: (8388608 bytes)

            PUT http://127.0.0.1:9000/lake/in/2026%2003/clicks-1-uuid?x-id=UploadPart&partNumber=2&uploadId=u1
            authorization: AWS4-HMAC-SHA256 Credential=AKIATEST/20260314/eu-west-1/s3/aws4_request, SignedHeaders=content-length;content-type;host;x-amz-checksum-crc32c;x-amz-content-sha256;x-amz-date;x-amz-user-agent
            content-length: 1051479
            content-type: application/octet-stream
            x-amz-checksum-crc32c: ofDzMA==
            x-amz-content-sha256: 78a329c9d74119818d931b8e4513696e8da7918809b6924bf52520916a97bcc3
            x-amz-date: 20260314T092653Z
            -- whole, at most 34 s: (1051479 bytes)

            POST http://127.0.0.1:9000/lake/in/2026%2003/clicks-1-uuid?uploadId=u1
            authorization: AWS4-HMAC-SHA256 Credential=AKIATEST/20260314/eu-west-1/s3/aws4_request, SignedHeaders=content-length;content-type;host;x-amz-content-sha256;x-amz-date;x-amz-user-agent
            content-length: 311
            content-type: application/xml
            x-amz-content-sha256: 2fdc9bbdbe91150cda09a6ac65c1dd6f8cfc62ce19c32c66e8afec870838a2c7
            x-amz-date: 20260314T092653Z
            -- whole, at most 30 s: <CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Part><ETag>&quot;e&quot;</ETag><ChecksumCRC32C>8FQw3g==</ChecksumCRC32C><PartNumber>1</PartNumber></Part><Part><ETag>&quot;e&quot;</ETag><ChecksumCRC32C>ofDzMA==</ChecksumCRC32C><PartNumber>2</PartNumber></Part></CompleteMultipartUpload>"#]],
    )
    .await;
}

/// How a request that fails in this way is told to an operator.
async fn check_refused(answer: Say, expected: Expect) {
    let http = Arc::new(Scripted::new([answer]));
    let clock = Clock::simulated(NOW);
    let store = store(&profile("http://127.0.0.1:9000"), &http, &clock).await;
    let object = object(b"abc".to_vec(), Compression::Uncompressed);
    let refusal = store.put(&object).await.unwrap_err();
    let chain = standpipe::telemetry::Chain(&refusal).to_string();
    expected.assert_eq(&format!("{} {chain}", refusal.code));
}

#[tokio::test(start_paused = true)]
async fn refusals_read_well() {
    check_refused(Say::TimeOut, expect!["S3.Timeout failed to put `in/2026 03/clicks-1-uuid` in `s3://lake/`: no answer from `127.0.0.1:9000` within 30s"]).await;
    check_refused(
        Say::Status(502, "<html>bad gateway</html>"),
        expect!["S3.502 failed to put `in/2026 03/clicks-1-uuid` in `s3://lake/`: the server answered 502"],
    )
    .await;
    let denied = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
    check_refused(Say::Status(403, denied), expect!["S3.AccessDenied failed to put `in/2026 03/clicks-1-uuid` in `s3://lake/` (check the role's trust policy, the bucket's policy, and that they allow PutObject, AbortMultipartUpload and ListBucketMultipartUploads): the server answered 403 AccessDenied: no"]).await;
}

fn role() -> Profile {
    Profile {
        assume_role: Some(AssumeRole {
            arn: "arn:aws:iam::123456789012:role/lake".to_owned(),
            external_id: Some("pipe 7".to_owned()),
            session_name: "standpipe".to_owned(),
            endpoint: Some("http://127.0.0.1:9001".parse().unwrap()),
        }),
        ..profile("http://127.0.0.1:9000")
    }
}

/// Good until 10:26:53, an hour after `NOW`.
const ASSUMED: &str = "<AssumeRoleResponse><AssumeRoleResult><Credentials>\
    <AccessKeyId>ASIAFIRST</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
    <SessionToken>first</SessionToken><Expiration>2026-03-14T10:26:53Z</Expiration>\
    </Credentials></AssumeRoleResult></AssumeRoleResponse>";
const ASSUMED_AGAIN: &str = "<AssumeRoleResponse><AssumeRoleResult><Credentials>\
    <AccessKeyId>ASIASECOND</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
    <SessionToken>second</SessionToken><Expiration>2026-03-14T11:26:53Z</Expiration>\
    </Credentials></AssumeRoleResult></AssumeRoleResponse>";

/// Who signed each request, and for which service.
fn signers(seen: &str) -> Vec<String> {
    let credential = |line: &str| Some(line.split_once("Credential=")?.1.to_owned());
    let credentials = seen.lines().filter_map(credential);
    let short = |credential: String| {
        let parts: Vec<_> = credential.split(['/', ',']).collect();
        format!("{} {}", parts[0], parts[3])
    };
    credentials.map(short).collect()
}

#[tokio::test(start_paused = true)]
async fn a_role_is_assumed_once_and_again_before_it_expires() {
    let http = Arc::new(Scripted::new([Say::Ok(ASSUMED), Say::Ok("")]));
    let clock = Clock::simulated(NOW);
    let store = store(&role(), &http, &clock).await;
    let object = object(b"abc".to_vec(), Compression::Uncompressed);
    store.put(&object).await.unwrap();
    let seen = http.take_seen();
    assert_eq!(signers(&seen), ["AKIATEST sts", "ASIAFIRST s3"]);
    expect![[r#"
        POST http://127.0.0.1:9001/
        authorization: AWS4-HMAC-SHA256 Credential=AKIATEST/20260314/eu-west-1/sts/aws4_request, SignedHeaders=content-length;content-type;host;x-amz-date;x-amz-user-agent
        content-length: 138
        content-type: application/x-www-form-urlencoded
        x-amz-date: 20260314T092653Z
        -- whole, at most 30 s: Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Flake&RoleSessionName=standpipe&ExternalId=pipe%207"#]].assert_eq(seen.split("\n\n").next().unwrap());
    // Half an hour later it still signs; a minute before its end it does not.
    clock.jump(30 * 60 * 1000);
    http.then(Say::Ok(""));
    store.put(&object).await.unwrap();
    assert_eq!(signers(&http.take_seen()), ["ASIAFIRST s3"]);
    clock.jump(29 * 60 * 1000 + 1000);
    http.then(Say::Ok(ASSUMED_AGAIN));
    http.then(Say::Ok(""));
    store.put(&object).await.unwrap();
    let signed_by = signers(&http.take_seen());
    assert_eq!(signed_by, ["AKIATEST sts", "ASIASECOND s3"]);
}

#[tokio::test(start_paused = true)]
async fn a_role_that_cannot_be_assumed_holds_the_data_and_tells_why() {
    let denied = "<ErrorResponse><Error><Code>AccessDenied</Code>\
        <Message>not authorized to perform sts:AssumeRole</Message></Error></ErrorResponse>";
    let http = Arc::new(Scripted::new([Say::Status(403, denied), Say::TimeOut]));
    let store = store(&role(), &http, &Clock::simulated(NOW)).await;
    let object = object(b"abc".to_vec(), Compression::Uncompressed);
    for (needs_operator, expected) in [
        (
            true,
            expect![
                "failed to put `in/2026 03/clicks-1-uuid` in `s3://lake/` (give the profile credentials, or let its role be assumed): failed to get credentials: AccessDenied: not authorized to perform sts:AssumeRole"
            ],
        ),
        (
            false,
            expect![
                "failed to put `in/2026 03/clicks-1-uuid` in `s3://lake/`: no answer from `127.0.0.1:9001` within 30s"
            ],
        ),
    ] {
        let refusal = store.put(&object).await.unwrap_err();
        assert_eq!(refusal.code, "S3.NoCredentials");
        assert_eq!(refusal.needs_operator, needs_operator);
        expected.assert_eq(&standpipe::telemetry::Chain(&refusal).to_string());
    }
    // And it recovers by itself.
    http.then(Say::Ok(ASSUMED));
    http.then(Say::Ok(""));
    store.put(&object).await.unwrap();
}
