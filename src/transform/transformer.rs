//! One invocation from its records to what becomes of each: asked again while that may help, shown in
//! halves where it is too much at once, and never an error.
//!
//! An answer may be as long as Lambda allows, and a record become a thousand times longer. So what
//! becomes of records is handed over request by request, and the next request is only made once
//! somebody wants to know (L1).

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::answer::{self, Answer, Asked, Transformed, Verdict};
use super::fault::Fault;
use super::invocation::Invocation;
use super::lambda::Lambda;
use super::parallelism::Pace;
use super::plain::Plain;
use super::request::{self, StreamFacts};
use super::trouble::{Remedy, Trouble};
use super::{Around, Code, Function, Retries, Settings};
use crate::model::{Failure, StreamName};
use crate::outside::{Clock, Dice};
use crate::retry::FIREHOSE_BACKOFF;
use crate::telemetry::happened::transform::{self as happened, Next};
use crate::telemetry::{Metrics, Repetition};

/// What becomes of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Ok(Transformed),
    Dropped,
    Failed(Failure),
}

/// An invocation under way. Dropping it is a crash: nothing is known of what `next` has not handed
/// over, and those records are shown again.
pub struct Invoking<'a> {
    transformer: &'a Transformer,
    invocation: &'a Invocation,
    /// The next range is on top, so that outcomes come in order (D2).
    left: Vec<Range<usize>>,
    pace: Pace,
    _in_flight: happened::InFlight,
}

pub struct Transformer {
    transport: Transport,
    /// As `lambdaArn` of a failed line.
    function: String,
    retries: Retries,
    name: StreamName,
    stream: StreamFacts,
    clock: Clock,
    dice: Mutex<Dice>,
    metrics: Metrics,
    troubles: Mutex<Repetition>,
    given_up: Mutex<Repetition>,
    faults: Mutex<Repetition>,
}

enum Transport {
    Lambda(Box<Lambda>),
    Plain(Plain),
}

/// A request that nobody answers, and how often it was made.
struct GaveUp {
    trouble: Trouble,
    attempts: u32,
}

impl Transformer {
    /// Touches neither network nor disk.
    pub async fn open(settings: &Settings, around: Around) -> Transformer {
        let Around { http, clock, .. } = around;
        let transport = match &settings.function {
            Function::Lambda(lambda) => {
                Transport::Lambda(Box::new(Lambda::open(lambda, http, clock.clone()).await))
            }
            Function::Http(url) => Transport::Plain(Plain::open(url.clone(), http, clock.clone())),
        };
        Transformer {
            transport,
            function: settings.function.to_string(),
            retries: settings.retries,
            name: around.name,
            stream: around.stream,
            clock,
            dice: Mutex::new(around.dice),
            metrics: around.metrics,
            troubles: Mutex::default(),
            given_up: Mutex::default(),
            faults: Mutex::default(),
        }
    }

    /// The function's ARN as it was given, or its URL without secrets.
    pub fn function(&self) -> &str {
        &self.function
    }

    pub fn invoke<'a>(&'a self, invocation: &'a Invocation) -> Invoking<'a> {
        Invoking {
            transformer: self,
            invocation,
            left: vec![invocation.whole()],
            pace: Pace::KeptUp,
            _in_flight: happened::began(&self.metrics, &self.name),
        }
    }

    /// One attempt, for those who want to know exactly how it went; not counted. Of the records, as
    /// many as one request holds are shown.
    pub async fn probe(&self, invocation: &Invocation) -> Result<Probed, Trouble> {
        let Some(written) = self.write(invocation, invocation.whole()) else {
            return Err(Trouble::too_large(
                "the record is too large",
                Code::InvocationFailure,
            ));
        };
        let asked = asked(invocation, 0..written.records);
        let (verdicts, strangers) = self.ask(written.document, &asked).await?;
        Ok(Probed {
            verdicts,
            strangers,
        })
    }

    fn write(&self, invocation: &Invocation, shown: Range<usize>) -> Option<request::Written> {
        let id = lock(&self.dice).u128().to_be_bytes();
        let id: Uuid = uuid::Builder::from_random_bytes(id).into_uuid();
        request::write(invocation, shown, &self.stream, id)
    }

    /// The verdicts, and how many attempts they took.
    async fn until_answered(
        &self,
        document: Bytes,
        asked: &Asked,
        pace: &mut Pace,
    ) -> Result<(Vec<Verdict>, u32), GaveUp> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let started = Instant::now();
            let answer = self.ask(document.clone(), asked).await;
            let attempt = happened::Invocation {
                stream: &self.name,
                function: &self.function,
                records: asked.records,
                attempt: attempts,
                took: started.elapsed(),
            };
            let trouble = match answer {
                Ok((verdicts, _)) => {
                    happened::answered(&self.metrics, attempt);
                    lock(&self.troubles).over();
                    lock(&self.given_up).over();
                    return Ok((verdicts, attempts));
                }
                Err(trouble) => trouble,
            };
            if trouble.code.is_about_pace() {
                *pace = Pace::FellBehind;
            }
            let next = self.next(&trouble, attempt);
            self.tell(&trouble, attempt, next);
            match next {
                Next::TriedAgainIn(pause) => sleep(pause).await,
                Next::Halved | Next::GivenUp => return Err(GaveUp { trouble, attempts }),
            }
        }
    }

    async fn ask(&self, document: Bytes, asked: &Asked) -> Result<(Vec<Verdict>, usize), Trouble> {
        let body = match &self.transport {
            Transport::Lambda(lambda) => lambda.invoke(document).await?,
            Transport::Plain(plain) => plain.invoke(document).await?,
        };
        match answer::check(&body, asked) {
            Answer::Verdicts {
                verdicts,
                strangers,
            } => Ok((verdicts, strangers)),
            Answer::Error(error) => Err(Trouble::raised(error)),
        }
    }

    fn next(&self, trouble: &Trouble, attempt: happened::Invocation<'_>) -> Next {
        match trouble.remedy {
            Remedy::Halve if 1 < attempt.records => Next::Halved,
            Remedy::AskAgain(at_least) if attempt.attempt <= self.retries.get() => {
                let failures = attempt.attempt - 1;
                let mut dice = lock(&self.dice);
                // Firehose does not say how long it waits here. With the default of three retries
                // a function may be throttled, or be restarting, for some seven seconds.
                Next::TriedAgainIn(FIREHOSE_BACKOFF.pause(failures, at_least, &mut dice))
            }
            Remedy::Halve | Remedy::AskAgain(_) => Next::GivenUp,
        }
    }

    fn tell(&self, trouble: &Trouble, attempt: happened::Invocation<'_>, next: Next) {
        let code = trouble.code.code();
        // What became of records is not to be kept quiet because its cause was told before.
        let repetition = match next {
            Next::TriedAgainIn(_) | Next::Halved => &self.troubles,
            Next::GivenUp => &self.given_up,
        };
        let say = lock(repetition).say(code, Instant::now());
        let failure = happened::Failure {
            code,
            error: trouble,
            needs_operator: trouble.code.needs_operator(),
            next,
        };
        happened::failed(&self.metrics, attempt, failure, say);
    }

    /// What becomes of the records of one answer.
    fn judged(&self, verdicts: Vec<Verdict>, attempts: u32) -> Vec<Outcome> {
        let ended = self.clock.now();
        let mut results = BTreeMap::new();
        let outcomes = verdicts.into_iter().map(|verdict| {
            let (result, outcome) = match verdict {
                Verdict::Ok(transformed) => ("ok", Outcome::Ok(transformed)),
                Verdict::Dropped => ("dropped", Outcome::Dropped),
                Verdict::Faulty(fault) => {
                    let failure = Failure::new(fault.code(), fault.message(), attempts, ended);
                    (fault.code(), Outcome::Failed(failure))
                }
            };
            *results.entry(result).or_insert(0) += 1;
            outcome
        });
        let outcomes = outcomes.collect();
        for (result, records) in results {
            happened::transformed(&self.metrics, &self.name, result, records);
            let is_broken = !matches!(result, "ok" | "dropped");
            if is_broken && result != Fault::ProcessingFailed.code() {
                let say = lock(&self.faults).say(result, Instant::now());
                happened::contract_broken(&self.name, result, records, say);
            }
        }
        outcomes
    }

    fn failed(&self, records: usize, code: Code, attempts: u32) -> Vec<Outcome> {
        let failure = Failure::new(code.code(), code.message(), attempts, self.clock.now());
        happened::transformed(&self.metrics, &self.name, code.code(), records as u64);
        vec![Outcome::Failed(failure); records]
    }
}

impl Invoking<'_> {
    /// What becomes of the next records, at least one, in their order; `None` once each has its
    /// outcome (D1). They are handed over before the function is asked for more.
    pub async fn next(&mut self) -> Option<Vec<Outcome>> {
        loop {
            let shown = self.left.pop()?;
            let transformer = self.transformer;
            let Some(written) = transformer.write(self.invocation, shown.clone()) else {
                self.left.extend(range(shown.start + 1, shown.end));
                return Some(transformer.failed(1, Code::InvocationFailure, 0));
            };
            let end = shown.start + written.records;
            self.left.extend(range(end, shown.end));
            let asked = asked(self.invocation, shown.start..end);
            let answered = transformer.until_answered(written.document, &asked, &mut self.pace);
            match answered.await {
                Ok((verdicts, attempts)) => return Some(transformer.judged(verdicts, attempts)),
                Err(gave_up) if gave_up.trouble.remedy == Remedy::Halve && 1 < asked.records => {
                    let middle = shown.start + asked.records / 2;
                    self.left.extend([middle..end, shown.start..middle]);
                }
                Err(GaveUp { trouble, attempts }) => {
                    return Some(transformer.failed(asked.records, trouble.code, attempts));
                }
            }
        }
    }

    /// How it went for the function so far.
    pub fn pace(&self) -> Pace {
        self.pace
    }
}

/// What one attempt brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// One for each record that was shown, in order.
    pub verdicts: Vec<Verdict>,
    /// Answers that are for none of the records.
    pub strangers: usize,
}

fn asked(invocation: &Invocation, shown: Range<usize>) -> Asked {
    Asked {
        ids: invocation.ids.from(shown.start),
        records: shown.len(),
        data_field: invocation.origin.data_field(),
    }
}

fn range(start: usize, end: usize) -> Option<Range<usize>> {
    (start < end).then_some(start..end)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
