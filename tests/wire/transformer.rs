//! The transformer against functions that behave in every way they can.

use std::fmt::Write as _;
use std::io::{Read as _, Seek as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use expect_test::{Expect, expect};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use serde_json::{Value, json};
use standpipe::aws::Profile;
use standpipe::model::{DirectoryId, RecordsBuilder, Seq, Timestamp, limits};
use standpipe::outside::http_client::{AnswerTooLong, HttpClient, Limits, Outgoing, SendError};
use standpipe::outside::{Clock, Dice};
use standpipe::telemetry::Metrics;
use standpipe::transform::{
    Around, Arrivals, Function, Invocation, Origin, Outcome, Pace, RecordIds, Retries, Settings,
    StreamFacts, Transformer, lambda,
};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::scripted::{Say, Scripted};
use super::{ASSUMED, NOW, profile, role, signers};

const ARN: &str = "arn:aws:lambda:eu-central-1:123456789012:function:enrich:$LATEST";

fn lambda(function: &str, profile: Profile) -> Function {
    let function = function.parse().unwrap();
    Function::Lambda(Box::new(lambda::Settings { function, profile }))
}

pub fn plain(url: &str) -> Function {
    Function::Http(url.parse().unwrap())
}

pub async fn transformer(
    function: Function,
    retries: u32,
    http: Arc<dyn HttpClient>,
) -> Transformer {
    let retries = Retries::new(retries).unwrap();
    let around = Around {
        http,
        clock: Clock::simulated(NOW),
        dice: Dice::seeded(1),
        metrics: Metrics::default(),
        name: "clicks".parse().unwrap(),
        stream: StreamFacts {
            arn: "arn:aws:firehose:us-east-1:000000000000:deliverystream/clicks".to_owned(),
            region: "us-east-1".to_owned(),
        },
    };
    Transformer::open(&Settings { function, retries }, around).await
}

fn invocation(records: usize) -> Invocation {
    let mut builder = RecordsBuilder::default();
    for n in 0..records {
        builder.push(format!("record {n}").as_bytes());
    }
    Invocation {
        records: builder.build().unwrap(),
        ids: RecordIds::new(DirectoryId(7), 1, Seq::new(0)),
        arrivals: Arrivals::together(records, Timestamp::from_millis(1_773_480_400_000)),
        origin: Origin::DirectPut,
    }
}

/// What became of an invocation, when all of it is known.
struct Invoked {
    outcomes: Vec<Outcome>,
    pace: Pace,
}

async fn invoke(transformer: &Transformer, records: usize) -> Invoked {
    let invocation = invocation(records);
    let mut invoking = transformer.invoke(&invocation);
    let mut outcomes = Vec::new();
    while let Some(piece) = invoking.next().await {
        assert!(!piece.is_empty());
        outcomes.extend(piece);
    }
    let pace = invoking.pace();
    Invoked { outcomes, pace }
}

/// The request of one invocation, which is answered without any record.
async fn check_request(function: Function, expected: Expect) {
    let http = Arc::new(Scripted::new([Say::Ok("{}")]));
    let transformer = transformer(function, 0, http.clone()).await;
    invoke(&transformer, 1).await;
    expected.assert_eq(&http.take_seen());
}

#[tokio::test(start_paused = true)]
async fn a_function_of_lambda_is_invoked_with_a_signature_for_its_own_region() {
    check_request(lambda(ARN, profile("")), expect![[r#"
        POST https://lambda.eu-central-1.amazonaws.com/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-central-1%3A123456789012%3Afunction%3Aenrich/invocations?Qualifier=%24LATEST
        authorization: AWS4-HMAC-SHA256 Credential=AKIATEST/20260314/eu-central-1/lambda/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-invocation-type
        content-type: application/json
        x-amz-date: 20260314T092653Z
        x-amz-invocation-type: RequestResponse
        -- whole, at most 300 s: {"invocationId":"a833bdcd-b6d1-4eb1-88dc-97e5aab5fe3d","deliveryStreamArn":"arn:aws:firehose:us-east-1:000000000000:deliverystream/clicks","region":"us-east-1","records":[{"recordId":"49000000000000000000000007000000000100000000000000000000000000","approximateArrivalTimestamp":1773480400000,"data":"cmVjb3JkIDA="}]}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn any_endpoint_may_speak_the_invoke_api() {
    let function = lambda("enrich", profile("http://127.0.0.1:4566/lambda/"));
    check_request(function, expect![[r#"
        POST http://127.0.0.1:4566/lambda/2015-03-31/functions/enrich/invocations
        authorization: AWS4-HMAC-SHA256 Credential=AKIATEST/20260314/eu-west-1/lambda/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-invocation-type
        content-type: application/json
        x-amz-date: 20260314T092653Z
        x-amz-invocation-type: RequestResponse
        -- whole, at most 300 s: {"invocationId":"a833bdcd-b6d1-4eb1-88dc-97e5aab5fe3d","deliveryStreamArn":"arn:aws:firehose:us-east-1:000000000000:deliverystream/clicks","region":"us-east-1","records":[{"recordId":"49000000000000000000000007000000000100000000000000000000000000","approximateArrivalTimestamp":1773480400000,"data":"cmVjb3JkIDA="}]}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn a_function_at_a_url_gets_the_same_document() {
    let function = plain("http://me:pass@127.0.0.1:8000/transform?key=secret");
    assert_eq!(function.to_string(), "http://127.0.0.1:8000/transform");
    check_request(function, expect![[r#"
        POST http://127.0.0.1:8000/transform?key=secret
        authorization: Basic bWU6cGFzcw==
        content-type: application/json
        -- whole, at most 300 s: {"invocationId":"a833bdcd-b6d1-4eb1-88dc-97e5aab5fe3d","deliveryStreamArn":"arn:aws:firehose:us-east-1:000000000000:deliverystream/clicks","region":"us-east-1","records":[{"recordId":"49000000000000000000000007000000000100000000000000000000000000","approximateArrivalTimestamp":1773480400000,"data":"cmVjb3JkIDA="}]}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn a_role_is_assumed_once_for_many_invocations() {
    let http = Arc::new(Scripted::new([
        Say::Ok(ASSUMED),
        Say::Ok("{}"),
        Say::Ok("{}"),
    ]));
    let function = lambda("enrich", role());
    let transformer = transformer(function, 0, http.clone()).await;
    invoke(&transformer, 1).await;
    invoke(&transformer, 1).await;
    assert_eq!(
        signers(&http.take_seen()),
        ["AKIATEST sts", "ASIAFIRST lambda", "ASIAFIRST lambda"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_role_that_cannot_be_assumed_fails_the_records_and_says_why() {
    let denied = "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>";
    let http = Arc::new(Scripted::new([Say::Status(403, denied)]));
    let transformer = transformer(lambda("enrich", role()), 0, http).await;
    let invoked = invoke(&transformer, 2).await;
    expect!["2× Lambda.AssumeRoleAccessDenied after 1; KeptUp"].assert_eq(&told(&invoked));
}

/// Runs of equal outcomes, with the attempts of those that failed.
fn told(invoked: &Invoked) -> String {
    let each = invoked.outcomes.iter().map(|outcome| match outcome {
        Outcome::Ok(transformed) => {
            let data = std::str::from_utf8(&transformed.data).unwrap();
            data.strip_prefix("record ").unwrap().to_owned()
        }
        Outcome::Dropped => "dropped".to_owned(),
        Outcome::Failed(failure) => format!("{} after {}", failure.code, failure.attempts),
    });
    let each: Vec<String> = each.collect();
    let runs = each.chunk_by(|one, next| one == next);
    let runs: Vec<_> = runs
        .map(|run| match run.len() {
            1 => run[0].clone(),
            count => format!("{count}× {}", run[0]),
        })
        .collect();
    format!("{}; {:?}", runs.join(", "), invoked.pace)
}

/// A function in Rust: what it does with the n-th event.
type Act = dyn Fn(usize, &Value) -> Result<Response<Bytes>, SendError> + Send + Sync;

pub struct Acting {
    act: Box<Act>,
    /// It answers once this has a permit.
    gate: Arc<Semaphore>,
    /// When each request came, and how many records it showed.
    seen: Mutex<Vec<(Instant, usize)>>,
}

impl Acting {
    pub fn new(
        act: impl Fn(usize, &Value) -> Result<Response<Bytes>, SendError> + Send + Sync + 'static,
    ) -> Arc<Acting> {
        Acting::behind(Arc::new(Semaphore::new(1)), act)
    }

    pub fn behind(
        gate: Arc<Semaphore>,
        act: impl Fn(usize, &Value) -> Result<Response<Bytes>, SendError> + Send + Sync + 'static,
    ) -> Arc<Acting> {
        let act = Box::new(act);
        let seen = Mutex::default();
        Arc::new(Acting { act, gate, seen })
    }

    pub fn sizes(&self) -> Vec<usize> {
        let seen = self.seen.lock().unwrap();
        seen.iter().map(|(_, records)| *records).collect()
    }
}

impl HttpClient for Acting {
    fn send(
        &self,
        request: Request<Outgoing>,
        _: Limits,
    ) -> BoxFuture<'_, Result<Response<Bytes>, SendError>> {
        let Outgoing::Whole(document) = request.into_body() else {
            panic!("a document is sent whole")
        };
        assert!(document.len() <= limits::LAMBDA_PAYLOAD_BYTES_MAX);
        let event: Value = serde_json::from_slice(&document).unwrap();
        let records = event["records"].as_array().unwrap().len();
        let mut seen = self.seen.lock().unwrap();
        let nth = seen.len();
        seen.push((Instant::now(), records));
        async move {
            drop(self.gate.acquire().await);
            (self.act)(nth, &event)
        }
        .boxed()
    }
}

fn status(status: u16) -> Result<Response<Bytes>, SendError> {
    Ok(Response::builder()
        .status(status)
        .body(Bytes::new())
        .unwrap())
}

/// Every record as it was.
pub fn echo(event: &Value) -> Result<Response<Bytes>, SendError> {
    let records = event["records"].as_array().unwrap().iter().map(
        |record| json!({ "recordId": record["recordId"], "result": "Ok", "data": record["data"] }),
    );
    answer(&json!({ "records": records.collect::<Vec<_>>() }))
}

pub fn answer(document: &Value) -> Result<Response<Bytes>, SendError> {
    Ok(Response::new(Bytes::from(document.to_string())))
}

fn timed_out() -> SendError {
    SendError::TimedOut {
        authority: "f".to_owned(),
        after: limits::FIREHOSE_INVOCATION_TIMEOUT,
    }
}

fn broken(cause: impl std::error::Error + Send + Sync + 'static) -> SendError {
    SendError::Broken {
        authority: "f".to_owned(),
        cause: Arc::new(cause),
    }
}

pub fn too_long() -> Result<Response<Bytes>, SendError> {
    Err(broken(AnswerTooLong(limits::LAMBDA_PAYLOAD_BYTES_MAX)))
}

/// One word for each answer in turn; the last is repeated.
fn act(word: &str, event: &Value) -> Result<Response<Bytes>, SendError> {
    let first = || event["records"][0].clone();
    match word {
        "echo" => echo(event),
        "time-out" => Err(timed_out()),
        "broken" => Err(broken(std::io::Error::other("reset"))),
        "long" => too_long(),
        "raised" => answer(&json!({ "errorType": "KeyError", "errorMessage": "'x'" })),
        "late" => answer(&json!({ "errorMessage": "Task timed out after 3.00 seconds" })),
        "html" => Ok(Response::new(Bytes::from_static(b"<html>"))),
        "null" => answer(&Value::Null),
        "one" => answer(&json!({ "records": [
            { "recordId": first()["recordId"], "result": "Dropped" },
        ] })),
        "failed" => answer(&json!({ "records": [
            { "recordId": first()["recordId"], "result": "ProcessingFailed" },
        ] })),
        word => status(word.parse().unwrap()),
    }
}

/// Two records, with these answers; then how many requests there were and how long it took at least.
async fn check(words: &'static str, expected: Expect) {
    let words: Vec<_> = words.split(' ').collect();
    let http = Acting::new(move |nth, event| act(words[nth.min(words.len() - 1)], event));
    let transformer = transformer(plain("http://f/"), 3, http.clone()).await;
    let invoked = invoke(&transformer, 2).await;
    let mut text = told(&invoked);
    write!(text, "; requests {:?}", http.sizes()).unwrap();
    expected.assert_eq(&text);
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again_and_then_the_records_fail() {
    check("echo", expect!["0, 1; KeptUp; requests [2]"]).await;
    check("raised echo", expect!["0, 1; KeptUp; requests [2, 2]"]).await;
    check(
        "429 503 500 echo",
        expect!["0, 1; FellBehind; requests [2, 2, 2, 2]"],
    )
    .await;
    check(
        "raised",
        expect!["2× Lambda.FunctionError after 4; KeptUp; requests [2, 2, 2, 2]"],
    )
    .await;
    check(
        "late",
        expect!["2× Lambda.FunctionTimedOut after 4; FellBehind; requests [2, 2, 2, 2]"],
    )
    .await;
    check(
        "time-out",
        expect!["2× Lambda.FunctionTimedOut after 4; FellBehind; requests [2, 2, 2, 2]"],
    )
    .await;
    check(
        "broken",
        expect!["2× Lambda.TargetServerFailedToRespond after 4; FellBehind; requests [2, 2, 2, 2]"],
    )
    .await;
    check(
        "429",
        expect!["2× Lambda.InvokeLimitExceeded after 4; FellBehind; requests [2, 2, 2, 2]"],
    )
    .await;
    check(
        "503",
        expect!["2× Lambda.ServiceUnavailable after 4; FellBehind; requests [2, 2, 2, 2]"],
    )
    .await;
    check(
        "504",
        expect!["2× Lambda.FunctionRequestTimedOut after 4; FellBehind; requests [2, 2, 2, 2]"],
    )
    .await;
    check(
        "403",
        expect!["2× Lambda.InvokeAccessDenied after 4; KeptUp; requests [2, 2, 2, 2]"],
    )
    .await;
    check(
        "404",
        expect!["2× Lambda.ResourceNotFound after 4; KeptUp; requests [2, 2, 2, 2]"],
    )
    .await;
    check(
        "400",
        expect!["2× Lambda.InvocationFailure after 4; KeptUp; requests [2, 2, 2, 2]"],
    )
    .await;
    check(
        "429 429 429 404",
        expect!["2× Lambda.ResourceNotFound after 4; FellBehind; requests [2, 2, 2, 2]"],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_wrong_is_not_asked_for_again() {
    check(
        "html",
        expect!["2× Lambda.JsonProcessingException after 1; KeptUp; requests [2]"],
    )
    .await;
    check(
        "null",
        expect!["2× Lambda.MissingRecordId after 1; KeptUp; requests [2]"],
    )
    .await;
    check(
        "one",
        expect!["dropped, Lambda.MissingRecordId after 1; KeptUp; requests [2]"],
    )
    .await;
    check("failed", expect!["Lambda.ProcessingFailedStatus after 1, Lambda.MissingRecordId after 1; KeptUp; requests [2]"]).await;
    check(
        "503 one",
        expect!["dropped, Lambda.MissingRecordId after 2; FellBehind; requests [2, 2]"],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_too_much_is_halved_until_a_single_record_fails_by_itself() {
    check(
        "413",
        expect!["2× Lambda.InvocationFailure after 1; KeptUp; requests [2, 1, 1]"],
    )
    .await;
    check(
        "long",
        expect!["2× Lambda.FunctionError after 1; KeptUp; requests [2, 1, 1]"],
    )
    .await;
    check(
        "413 413 echo",
        expect!["Lambda.InvocationFailure after 1, 1; KeptUp; requests [2, 1, 1]"],
    )
    .await;
    check("long echo", expect!["0, 1; KeptUp; requests [2, 1, 1]"]).await;
}

/// The lines that a log of warnings gets: level, message, code.
async fn warnings(words: &'static str) -> String {
    let log = Arc::new(tempfile::tempfile().unwrap());
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::WARN)
        .with_writer(Arc::clone(&log))
        .finish();
    let words: Vec<_> = words.split(' ').collect();
    let http = Acting::new(move |nth, event| act(words[nth.min(words.len() - 1)], event));
    let transformer = transformer(plain("http://f/"), 1, http).await;
    let _here = tracing::subscriber::set_default(subscriber);
    for _ in 0..2 {
        invoke(&transformer, 2).await;
    }
    let mut written = String::new();
    (&*log).rewind().unwrap();
    (&*log).read_to_string(&mut written).unwrap();
    let lines = written.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        let fields = &line["fields"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        format!(
            "{} {} {}",
            text(&line["level"]),
            text(&fields["message"]),
            text(&fields["code"])
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

// From review: the first attempt used up the minute in which the same code is told once.
#[tokio::test(start_paused = true)]
async fn that_records_failed_for_good_is_told_whatever_was_told_before() {
    expect![[r#"
        WARN the transformer failed and is tried again Lambda.ResourceNotFound
        ERROR the transformer fails and will until someone acts; its records are failed Lambda.ResourceNotFound"#]].assert_eq(&warnings("404").await);
    expect![[r#"
        WARN the transformer failed and is tried again Lambda.FunctionError
        WARN the transformer failed for good; its records are failed Lambda.FunctionError"#]]
    .assert_eq(&warnings("raised").await);
    expect!["WARN the transformer failed and is tried again Lambda.ServiceUnavailable"]
        .assert_eq(&warnings("503 echo").await);
}

#[tokio::test(start_paused = true)]
async fn halves_keep_the_order_and_spoil_nobody_else() {
    // It takes three at once, and never the one that says 4.
    let http = Acting::new(|_, event| {
        let records = event["records"].as_array().unwrap();
        let poison = |record: &Value| record["data"] == "cmVjb3JkIDQ=";
        match records.len() <= 3 && !records.iter().any(poison) {
            true => echo(event),
            false => status(413),
        }
    });
    let transformer = transformer(plain("http://f/"), 3, http.clone()).await;
    let invoked = invoke(&transformer, 10).await;
    expect!["0, 1, 2, 3, Lambda.InvocationFailure after 1, 5, 6, 7, 8, 9; KeptUp"]
        .assert_eq(&told(&invoked));
    expect!["[10, 5, 2, 3, 1, 2, 1, 1, 5, 2, 3]"].assert_eq(&format!("{:?}", http.sizes()));
}

// From review: the answers to all halves were held in memory, however long they were.
#[tokio::test(start_paused = true)]
async fn what_became_of_one_half_is_handed_over_before_the_other_is_shown() {
    let http = Acting::new(|_, event| {
        let records = event["records"].as_array().unwrap();
        match records.len() <= 3 {
            true => echo(event),
            false => act("long", event),
        }
    });
    let transformer = transformer(plain("http://f/"), 3, http.clone()).await;
    let invocation = invocation(10);
    let mut invoking = transformer.invoke(&invocation);
    let mut steps = Vec::new();
    while let Some(piece) = invoking.next().await {
        steps.push((piece.len(), http.sizes()));
    }
    expect![[r#"
        2 after [10, 5, 2]
        3 after [10, 5, 2, 3]
        2 after [10, 5, 2, 3, 5, 2]
        3 after [10, 5, 2, 3, 5, 2, 3]"#]]
    .assert_eq(&told_steps(&steps));
}

fn told_steps(steps: &[(usize, Vec<usize>)]) -> String {
    let steps = steps.iter();
    let steps = steps.map(|(records, sizes)| format!("{records} after {sizes:?}"));
    steps.collect::<Vec<_>>().join("\n")
}

#[tokio::test(start_paused = true)]
async fn records_that_one_request_cannot_hold_are_shown_in_several() {
    let http = Acting::new(|_, event| echo(event));
    let transformer = transformer(plain("http://f/"), 3, http.clone()).await;
    let invoked = invoke(&transformer, 100_000).await;
    assert_eq!(invoked.outcomes.len(), 100_000);
    for (n, outcome) in invoked.outcomes.iter().enumerate() {
        let Outcome::Ok(transformed) = outcome else {
            panic!("{n}: {outcome:?}")
        };
        assert_eq!(transformed.data, format!("record {n}"));
    }
    let sizes = http.sizes();
    assert_eq!(sizes.iter().sum::<usize>(), 100_000);
    assert_eq!(sizes.len(), 3, "{sizes:?}");
}

/// The pauses between attempts, in seconds.
async fn pauses(retries: u32, retry_after: Option<&'static str>) -> Vec<Duration> {
    let http = Acting::new(move |_, _| {
        let mut throttled = status(429)?;
        if let Some(value) = retry_after {
            let headers = throttled.headers_mut();
            headers.insert("retry-after", value.parse().unwrap());
        }
        Ok(throttled)
    });
    let transformer = transformer(plain("http://f/"), retries, http.clone()).await;
    invoke(&transformer, 1).await;
    let seen = http.seen.lock().unwrap();
    assert_eq!(seen.len() as u32, retries + 1);
    seen.windows(2).map(|pair| pair[1].0 - pair[0].0).collect()
}

#[tokio::test(start_paused = true)]
async fn pauses_grow_to_two_minutes_and_what_the_server_asks_for_is_honoured() {
    let seconds = Duration::from_secs;
    assert!(pauses(0, None).await.is_empty());
    let alone = pauses(300, None).await;
    assert!(
        alone[0] <= seconds(2) && seconds(3) <= alone[2],
        "{alone:?}"
    );
    let longest = *alone.iter().max().unwrap();
    assert!(
        seconds(100) <= longest && longest <= seconds(120),
        "{longest:?}"
    );
    let asked = pauses(3, Some("7")).await;
    assert!(asked.iter().all(|pause| seconds(7) <= *pause), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn whatever_a_function_does_each_record_comes_out_once_and_in_its_place() {
    const WORDS: [&str; 12] = [
        "echo", "echo", "echo", "one", "failed", "raised", "html", "413", "long", "429", "broken",
        "time-out",
    ];
    for seed in 0..500 {
        let dice = Mutex::new(Dice::seeded(seed));
        let http = Acting::new(move |_, event| {
            let word = dice.lock().unwrap().below(WORDS.len() as u64);
            act(WORDS[word as usize], event)
        });
        let transformer = transformer(plain("http://f/"), 2, http).await;
        let invoked = invoke(&transformer, 7).await;
        assert_eq!(invoked.outcomes.len(), 7, "seed {seed}");
        for (n, outcome) in invoked.outcomes.iter().enumerate() {
            match outcome {
                Outcome::Ok(it) => assert_eq!(it.data, format!("record {n}"), "seed {seed}"),
                Outcome::Failed(failure) => assert!((1..=3).contains(&failure.attempts)),
                Outcome::Dropped => {}
            }
        }
    }
}
