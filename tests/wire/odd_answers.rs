//! S3 answers as odd as chance makes them: each is an answer or a refusal, and never a panic or a
//! request without end.

use std::sync::Arc;

use proptest::prelude::*;
use standpipe::model::Compression;
use standpipe::objects::Store;
use standpipe::outside::Clock;

use crate::scripted::{Say, Scripted};
use crate::{NOW, object, profile, store};

/// Pieces of what S3 servers, proxies and captive portals say.
const PIECES: [&str; 20] = [
    "<?xml version=\"1.0\"?>",
    "<Error>",
    "</Error>",
    "<Code>SlowDown</Code>",
    "<Code>",
    "<Message>no</Message>",
    "<ListMultipartUploadsResult>",
    "</ListMultipartUploadsResult>",
    "<IsTruncated>true</IsTruncated>",
    "<Upload><Key>in/2026 03/clicks-1-uuid</Key><UploadId>u1</UploadId></Upload>",
    "<Upload><Key>another</Key>",
    "<UploadId></UploadId>",
    "&lt;&#x41;&unknown;",
    "<!DOCTYPE x [<!ENTITY a \"b\">]>",
    "<html><body>Log in</body></html>",
    "{\"code\": 503}",
    "\u{0}",
    "é",
    " ",
    "<",
];

/// More than the longest conversation: attempts of a put, pages and aborts of a clean-up.
const ANSWERS: usize = 200;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn no_answer_is_too_odd_to_be_judged(
        status in prop_oneof![Just(200u16), Just(404), 200u16..600],
        pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..8),
    ) {
        let body: &'static str = pieces.concat().leak();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let say = (0..ANSWERS).map(|_| Say::Status(status, body));
            let http = Arc::new(Scripted::new(say));
            let profile = profile("http://127.0.0.1:9000");
            let store = store(&profile, &http, &Clock::simulated(NOW)).await;
            let object = object(b"abc".to_vec(), Compression::Uncompressed);
            if let Err(refusal) = store.put(&object).await {
                assert!(refusal.code.starts_with("S3."), "{}", refusal.code);
            }
            let _ = store.clean(std::slice::from_ref(&object.key)).await;
        });
    }
}
