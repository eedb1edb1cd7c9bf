//! What every sink must pass, run by each of them against a scripted peer: so that the tenth sink is
//! as right as the first.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use standpipe::model::{Body, Compression};
use standpipe::objects::key::KeyTemplate;
use standpipe::objects::store::{Doors, Stores};
use standpipe::objects::{Place, Room};
use standpipe::outside::http_client::SendError;
use standpipe::outside::{Clock, Dice};
use standpipe::sink::endpoint::Endpoint;
use standpipe::sink::objects::{self, Objects};
use standpipe::sink::splunk::Format;
use standpipe::sink::{Batch, Sink};
use standpipe::telemetry::Chain;
use tokio::time::Instant;

use crate::http_endpoint::{answer, facts, records, request, yes};
use crate::scripted::{Say, Scripted};
use crate::whole;
use crate::{NOW, http_endpoint, profile, splunk};

/// A refusal of whatever kind.
struct No {
    code: String,
    told: String,
    retry_after: Option<Duration>,
    needs_operator: bool,
}

type Deliver = Box<dyn Fn() -> BoxFuture<'static, Result<(), No>>>;

/// A sink as the contract sees it.
struct Subject {
    name: &'static str,
    open: fn(Arc<Scripted>) -> BoxFuture<'static, Deliver>,
    /// The answers to one delivery that goes well.
    well: fn() -> Vec<Say>,
    /// The longest that one attempt may take.
    deadline: Duration,
}

const SUBJECTS: [Subject; 3] = [
    Subject {
        name: "objects",
        open: |http| open_objects(http).boxed(),
        well: || vec![Say::Ok("")],
        deadline: Duration::from_secs(30),
    },
    Subject {
        name: "http_endpoint",
        open: |http| {
            let sink = http_endpoint::endpoint(http_endpoint::settings(), &http);
            async move { deliver_by(Arc::new(sink)) }.boxed()
        },
        well: || vec![yes()],
        deadline: Duration::from_secs(180),
    },
    Subject {
        name: "splunk",
        open: |http| {
            let sink = splunk::splunk(Format::Raw, &http);
            async move { deliver_by(Arc::new(sink)) }.boxed()
        },
        well: || vec![splunk::TAKEN, splunk::TRUE],
        deadline: Duration::from_secs(180),
    },
];

async fn open_objects(http: Arc<Scripted>) -> Deliver {
    let mut stores = Stores::new(Doors {
        disk: Box::new(|_| panic!("no disk is needed")),
        http: Box::new(move |_| Ok(http.clone())),
        clock: Clock::simulated(NOW),
        dice: Dice::seeded(1),
        room: Room::new(1, 1),
    });
    let settings = objects::Settings {
        place: Place::S3(standpipe::objects::store::s3::Settings {
            bucket: "lake".to_owned(),
            profile: profile("http://127.0.0.1:9000"),
        }),
        keys: KeyTemplate::new(None, None, None).unwrap(),
        compression: Compression::Uncompressed,
    };
    let sink = Arc::new(Objects::open(&settings, &mut stores).await.unwrap());
    let records = records(&["hello"]);
    let batch = Arc::new(Batch {
        plan: sink.plan(&facts()),
        body: Body::new(5, move || {
            futures_util::stream::iter([Ok(records.clone())]).boxed()
        }),
        first: facts().range.start(),
        records: 1,
    });
    Box::new(move || {
        let (sink, batch) = (Arc::clone(&sink), Arc::clone(&batch));
        async move {
            let delivered = sink.deliver(&batch).await;
            delivered.map(drop).map_err(|refusal| No {
                told: Chain(&refusal).to_string(),
                code: refusal.code,
                retry_after: refusal.retry_after,
                needs_operator: refusal.needs_operator,
            })
        }
        .boxed()
    })
}

fn deliver_by(sink: Arc<dyn Endpoint>) -> Deliver {
    let request = Arc::new(request(sink.as_ref(), &["hello"]));
    Box::new(move || {
        let (sink, request) = (Arc::clone(&sink), Arc::clone(&request));
        async move {
            let sent = whole(sink.as_ref(), &request).await;
            sent.map(drop).map_err(|rejection| No {
                told: format!("{} {}", rejection.message, Chain(&rejection)),
                code: rejection.code,
                retry_after: rejection.retry_after,
                needs_operator: rejection.needs_operator,
            })
        }
        .boxed()
    })
}

fn broken(authority: String) -> SendError {
    let cause = Arc::new(io::Error::from(io::ErrorKind::ConnectionReset));
    SendError::Broken { authority, cause }
}

/// One attempt that is answered in this way.
async fn attempt(subject: &Subject, answers: impl IntoIterator<Item = Say>) -> Result<(), No> {
    let http = Arc::new(Scripted::new(answers));
    let deliver = (subject.open)(http).await;
    deliver().await
}

#[tokio::test(start_paused = true)]
async fn a_whole_yes_is_a_delivery() {
    for subject in &SUBJECTS {
        let delivered = attempt(subject, (subject.well)()).await;
        assert!(delivered.is_ok(), "{}", subject.name);
    }
}

#[tokio::test(start_paused = true)]
async fn no_other_status_is_a_delivery() {
    for subject in &SUBJECTS {
        for status in (201..600).filter(|status| *status != 204) {
            let no = attempt(subject, [answer(status, &[], "")]).await;
            assert!(
                no.is_err() || (subject.name == "objects" && status < 300),
                "{} {status}",
                subject.name
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_to_act_is_told_by_the_status() {
    for subject in &SUBJECTS {
        for (status, needs_operator) in [
            (401, true),
            (403, true),
            (404, true),
            (429, false),
            (500, false),
            (502, false),
            (503, false),
            (504, false),
        ] {
            let Err(no) = attempt(subject, [answer(status, &[], "")]).await else {
                panic!("{} takes {status} for a yes", subject.name);
            };
            let name = subject.name;
            assert_eq!(
                no.needs_operator, needs_operator,
                "{name} {status} {}",
                no.code
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_server_asks_for_is_passed_on() {
    for subject in &SUBJECTS {
        for status in [429, 503] {
            let no = attempt(subject, [answer(status, &[("retry-after", "7")], "")]).await;
            let asked = no.err().and_then(|no| no.retry_after);
            assert_eq!(
                asked,
                Some(Duration::from_secs(7)),
                "{} {status}",
                subject.name
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_says_nothing_is_left_in_time() {
    for subject in &SUBJECTS {
        let started = Instant::now();
        let no = attempt(subject, [Say::Hang]).await;
        assert!(no.is_err(), "{}", subject.name);
        assert!(started.elapsed() <= subject.deadline, "{}", subject.name);
    }
}

/// Without what differs each time: the signature's date, and the channel of one worker.
fn identity(seen: &str) -> String {
    let differs = ["x-splunk-request-channel", "authorization", "x-amz-date"];
    let lines = seen
        .lines()
        .filter(|line| !differs.iter().any(|name| line.starts_with(name)));
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_after_an_effect_is_repeated_under_the_same_name() {
    for subject in &SUBJECTS {
        let http = Arc::new(Scripted::new([Say::Trouble(broken)]));
        let deliver = (subject.open)(http.clone()).await;
        assert!(deliver().await.is_err(), "{}", subject.name);
        let first = http.take_seen();
        (subject.well)().into_iter().for_each(|say| http.then(say));
        assert!(deliver().await.is_ok(), "{}", subject.name);
        let again = http.take_seen();
        let again = again.split("\n\n").next().unwrap();
        assert_eq!(identity(&first), identity(again), "{}", subject.name);
    }
}

#[tokio::test(start_paused = true)]
async fn codes_are_from_a_short_list_and_secrets_are_never_told() {
    for subject in &SUBJECTS {
        for say in [
            answer(401, &[], "a very long story about a hunter"),
            Say::Hang,
            Say::Trouble(broken),
        ] {
            let Err(no) = attempt(subject, [say]).await else {
                panic!("{} takes this for a yes", subject.name);
            };
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '.';
            assert!(no.code.chars().all(plain), "{}", no.code);
            for secret in ["hunter1", "hunter2", "Splunk hunter"] {
                assert!(!no.told.contains(secret), "{}: {}", subject.name, no.told);
            }
        }
    }
}
