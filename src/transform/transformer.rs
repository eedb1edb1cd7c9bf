//! One invocation from its records to what becomes of each: asked again while that may help, shown in
//! halves where it is too much at once, and never an error.

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

/// What became of an invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoked {
    /// Exactly one for each record, in the order of the records.
    pub outcomes: Vec<Outcome>,
    pub pace: Pace,
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
            faults: Mutex::default(),
        }
    }

    /// The function's ARN as it was given, or its URL without secrets.
    pub fn function(&self) -> &str {
        &self.function
    }

    /// Cancelling it is a crash: nothing of it is known, and the records are shown again.
    pub async fn invoke(&self, invocation: &Invocation) -> Invoked {
        let _in_flight = happened::began(&self.metrics, &self.name);
        let mut invoked = Invoked {
            outcomes: Vec::with_capacity(invocation.count()),
            pace: Pace::KeptUp,
        };
        // The next range is on top, so that outcomes come in order (D2).
        let mut left = vec![invocation.whole()];
        while let Some(shown) = left.pop() {
            let Some(written) = self.write(invocation, shown.clone()) else {
                self.fail(&mut invoked, 1, Code::InvocationFailure, 0);
                left.extend(range(shown.start + 1, shown.end));
                continue;
            };
            let end = shown.start + written.records;
            left.extend(range(end, shown.end));
            let asked = asked(invocation, shown.start..end);
            match self
                .until_answered(written.document, &asked, &mut invoked.pace)
                .await
            {
                Ok((verdicts, attempts)) => self.take(&mut invoked, verdicts, attempts),
                Err(gave_up) if gave_up.trouble.remedy == Remedy::Halve && 1 < asked.records => {
                    let middle = shown.start + asked.records / 2;
                    left.extend([middle..end, shown.start..middle]);
                }
                Err(GaveUp { trouble, attempts }) => {
                    self.fail(&mut invoked, asked.records, trouble.code, attempts);
                }
            }
        }
        let (count, outcomes) = (invocation.count(), invoked.outcomes.len());
        assert_eq!(count, outcomes, "D1: each record has one outcome");
        invoked
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
        let say = lock(&self.troubles).say(code, Instant::now());
        let failure = happened::Failure {
            code,
            error: trouble,
            needs_operator: trouble.code.needs_operator(),
            next,
        };
        happened::failed(&self.metrics, attempt, failure, say);
    }

    fn take(&self, invoked: &mut Invoked, verdicts: Vec<Verdict>, attempts: u32) {
        let ended = self.clock.now();
        let mut results = BTreeMap::new();
        for verdict in verdicts {
            let (result, outcome) = match verdict {
                Verdict::Ok(transformed) => ("ok", Outcome::Ok(transformed)),
                Verdict::Dropped => ("dropped", Outcome::Dropped),
                Verdict::Faulty(fault) => {
                    let failure = Failure::new(fault.code(), fault.message(), attempts, ended);
                    (fault.code(), Outcome::Failed(failure))
                }
            };
            *results.entry(result).or_insert(0) += 1;
            invoked.outcomes.push(outcome);
        }
        for (result, records) in results {
            happened::transformed(&self.metrics, &self.name, result, records);
            let is_broken = !matches!(result, "ok" | "dropped");
            if is_broken && result != Fault::ProcessingFailed.code() {
                let say = lock(&self.faults).say(result, Instant::now());
                happened::contract_broken(&self.name, result, records, say);
            }
        }
    }

    fn fail(&self, invoked: &mut Invoked, records: usize, code: Code, attempts: u32) {
        let failure = Failure::new(code.code(), code.message(), attempts, self.clock.now());
        happened::transformed(&self.metrics, &self.name, code.code(), records as u64);
        let failed = std::iter::repeat_n(Outcome::Failed(failure), records);
        invoked.outcomes.extend(failed);
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
