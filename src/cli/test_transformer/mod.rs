//! `standpipe test-transformer`: a function against the contract.

mod report;
mod trials;

use std::error::Error as _;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use http::Uri;
use serde_json::json;
use tokio::time::Instant;

use self::report::Finding;
use self::trials::Trial;
use super::put::lines::Batches;
use super::put::named;
use super::{Configuration, Exit, Failure};
use crate::aws::{Profile, SignError};
use crate::config::{Loaded, plain_profile, usual_proxies};
use crate::model::{DirectoryId, RecordsBuilder, Seq, StreamName};
use crate::outside::http_client::{HttpClient, Network, Settings as HttpSettings};
use crate::outside::{Clock, Dice, Surroundings};
use crate::telemetry::Metrics;
use crate::transform::{
    Around, Arrivals, Function, FunctionName, FunctionUrl, Invocation, Origin, Probed, RecordIds,
    Retries, Settings, StreamFacts, Transformer, Trouble, lambda,
};

const HELP: &str = "\
Examples:
  standpipe test-transformer http://127.0.0.1:8000/transform
  standpipe test-transformer --lambda enrich:live --profile default -c delivery.yaml
  standpipe test-transformer --stream enriched -c delivery.yaml
  standpipe test-transformer http://127.0.0.1:8000/ --records access.log --json

Exit codes: 0 all well, 1 the contract is broken or the function cannot be invoked,
64 bad command line, 69 not reachable, 78 bad configuration";

/// Checks a function against the contract of Firehose's data transformation.
///
/// Shows it sample records and then awkward ones: an empty one, bytes that are not text, the largest,
/// many small ones, the same several times, 3 MiB at once. Each is asked once. Says for each what the
/// function got wrong; a function may drop and fail records as it likes.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub struct TestTransformer {
    /// Where the function is.
    #[arg(required_unless_present_any = ["lambda", "stream"], conflicts_with_all = ["lambda", "stream"])]
    url: Option<FunctionUrl>,

    /// A function of AWS Lambda: its name or ARN, with or without a version or alias.
    #[arg(long, value_name = "FUNCTION", conflicts_with = "stream")]
    lambda: Option<FunctionName>,

    /// The function of this stream in the configuration, reached as the daemon would: with its secrets,
    /// certificates and proxy.
    #[arg(long, value_name = "NAME")]
    stream: Option<StreamName>,

    /// Where Lambda's Invoke API is; without it the profile's endpoint, else AWS's own.
    #[arg(long, value_name = "URL", requires = "lambda", value_parser = super::endpoint)]
    endpoint: Option<Uri>,

    /// Invokes with this profile of the configuration's section `aws`; without it with what AWS's
    /// tools would use.
    #[arg(long, value_name = "NAME", requires = "lambda")]
    profile: Option<String>,

    /// Takes this file's lines as samples, each with its newline.
    #[arg(long, value_name = "FILE")]
    records: Option<PathBuf>,

    /// Prints one JSON document.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    configuration: Configuration,
}

impl TestTransformer {
    pub fn run(&self, surroundings: &Surroundings) -> Result<Exit, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(|error| Failure::new(Exit::Disk, error))?;
        let (function, http) = self.function(surroundings)?;
        let mut examined = runtime.block_on(Examined::open(function, &http))?;
        self.say(examined.transformer.function());
        let mut findings = Vec::new();
        let mut samples = self.samples(surroundings)?;
        let mut awkward = trials::awkward().into_iter();
        while let Some(trial) = samples.next()?.or_else(|| awkward.next()) {
            let finding = runtime.block_on(examined.try_out(trial))?;
            self.say(&finding.to_string());
            findings.push(finding);
        }
        let wrong = findings.iter().filter(|it| !it.is_good()).count();
        self.say(&format!("{} trials, {wrong} wrong", findings.len()));
        if self.json {
            let findings: Vec<_> = findings.iter().map(Finding::document).collect();
            let function = examined.transformer.function();
            let good = wrong == 0;
            let document =
                json!({ "version": 1, "function": function, "good": good, "trials": findings });
            super::print(format_args!("{document:#}\n"));
        }
        Ok(if wrong == 0 { Exit::Stopped } else { Exit::No })
    }

    /// For people: as it happens.
    fn say(&self, line: &str) {
        if !self.json {
            super::print(format_args!("{line}\n"));
        }
    }

    fn samples(&self, surroundings: &Surroundings) -> Result<Samples, Failure> {
        let Some(path) = &self.records else {
            return Ok(Samples::Ours(Some(trials::samples())));
        };
        let file = surroundings.open(path).map_err(|error| {
            let what = format!("failed to open `{}`: {error}", path.display());
            Failure::new(Exit::BadCommandLine, what)
        })?;
        Ok(Samples::Lines {
            lines: Batches::of(file),
            shown: 0,
        })
    }

    /// And how it is reached.
    fn function(&self, surroundings: &Surroundings) -> Result<(Function, HttpSettings), Failure> {
        if let Some(name) = &self.stream {
            return of_stream(name, &self.configuration.load(surroundings)?);
        }
        if let Some(url) = &self.url {
            let http = HttpSettings {
                proxies: usual_proxies(surroundings),
                ..HttpSettings::default()
            };
            return Ok((Function::Http(url.clone()), http));
        }
        let function = self.lambda.clone().expect("there is a URL or a function");
        let mut profile = self.profile(surroundings)?;
        profile.endpoint = self.endpoint.clone().or(profile.endpoint);
        let http = profile.http.clone();
        let lambda = Box::new(lambda::Settings { function, profile });
        Ok((Function::Lambda(lambda), http))
    }

    fn profile(&self, surroundings: &Surroundings) -> Result<Profile, Failure> {
        if self.profile.is_some() || self.configuration.is_named() {
            let loaded = self.configuration.load(surroundings)?;
            return named(self.profile.as_deref().unwrap_or("default"), &loaded);
        }
        let region = surroundings.variable("AWS_REGION").unwrap_or("us-east-1");
        Ok(plain_profile("default", region, surroundings))
    }
}

fn of_stream(name: &StreamName, loaded: &Loaded) -> Result<(Function, HttpSettings), Failure> {
    let unknown = |what: String| Failure::new(Exit::BadCommandLine, what);
    let streams = &loaded.settings.streams;
    let stream = streams.iter().find(|stream| stream.name == *name);
    let stream = stream
        .ok_or_else(|| unknown(format!("there is no stream `{name}` in the configuration")))?;
    let transform = stream.transform.as_ref();
    let transform =
        transform.ok_or_else(|| unknown(format!("stream `{name}` has no `transform`")))?;
    Ok((transform.settings.function.clone(), transform.http.clone()))
}

/// Where samples come from.
enum Samples {
    Ours(Option<Trial>),
    Lines {
        lines: Batches<Box<dyn std::io::Read>>,
        shown: usize,
    },
}

impl Samples {
    fn next(&mut self) -> Result<Option<Trial>, Failure> {
        let (lines, shown) = match self {
            Samples::Ours(trial) => return Ok(trial.take()),
            Samples::Lines { lines, shown } => (lines, shown),
        };
        let batch = lines.next();
        let batch = batch.map_err(|error| Failure::new(Exit::BadCommandLine, error))?;
        if batch.is_empty() && *shown == 0 {
            let what = "the file of --records is empty: there is no sample in it";
            return Err(Failure::new(Exit::BadCommandLine, what));
        }
        if batch.is_empty() {
            return Ok(None);
        }
        let first = *shown + 1;
        *shown += batch.len();
        Ok(Some(Trial::new(format!("lines {first} to {shown}"), batch)))
    }
}

/// A function under examination.
struct Examined {
    transformer: Transformer,
    clock: Clock,
    /// So that no two runs use the same record ids.
    directory: DirectoryId,
    shown: u64,
}

impl Examined {
    async fn open(function: Function, http: &HttpSettings) -> Result<Examined, Failure> {
        let network = Network::open(http);
        let network = network.map_err(|error| Failure::new(Exit::BadConfiguration, error))?;
        let http: Arc<dyn HttpClient> = Arc::new(network);
        let clock = Clock::system();
        let mut dice = Dice::system();
        let settings = Settings {
            function,
            retries: Retries::default(),
        };
        let directory = DirectoryId(dice.u128());
        let around = Around {
            http,
            clock: clock.clone(),
            dice,
            metrics: Metrics::default(),
            name: "test-transformer".parse().expect("that is a name"),
            stream: StreamFacts {
                arn: "arn:aws:firehose:us-east-1:000000000000:deliverystream/test-transformer"
                    .to_owned(),
                region: "us-east-1".to_owned(),
            },
        };
        Ok(Examined {
            transformer: Transformer::open(&settings, around).await,
            clock,
            directory,
            shown: 0,
        })
    }

    async fn try_out(&mut self, trial: Trial) -> Result<Finding, Failure> {
        let Trial { name, records } = trial;
        let count = records.len();
        let mut builder = RecordsBuilder::default();
        records.iter().for_each(|record| builder.push(record));
        let invocation = Invocation {
            records: builder.build().expect("a trial has records"),
            ids: RecordIds::new(self.directory, 0, Seq::new(self.shown)),
            arrivals: Arrivals::together(count, self.clock.now()),
            origin: Origin::DirectPut,
        };
        self.shown += count as u64;
        let started = Instant::now();
        let probed = self.transformer.probe(&invocation).await;
        let took = started.elapsed();
        let probed = stopping(probed)?;
        Ok(Finding::of(&name, count, took, probed))
    }
}

/// Trouble that is not the function's own, so that every further trial would meet it.
fn stopping(probed: Result<Probed, Trouble>) -> Result<Result<Probed, Trouble>, Failure> {
    match probed {
        Err(trouble) if trouble.is_unconnected() => Err(Failure::new(Exit::Unreachable, trouble)),
        Err(trouble) if is_unsigned(&trouble) => {
            let hint = "name a profile of the configuration: `--profile NAME`";
            Err(Failure::new(Exit::BadConfiguration, trouble).hint(hint))
        }
        Err(trouble) if trouble.code.needs_operator() => {
            let hint = trouble.code.message();
            Err(Failure::new(Exit::No, trouble).hint(hint))
        }
        probed => Ok(probed),
    }
}

/// Whether the function was never asked, for want of credentials.
fn is_unsigned(trouble: &Trouble) -> bool {
    let cause = trouble.source().and_then(|cause| cause.downcast_ref());
    matches!(cause, Some(SignError::Credentials(_)))
}
