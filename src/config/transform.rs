//! A stream's `transform`: which function its records go through, and in what helpings.

use std::time::Duration;

use super::destination::Kind;
use super::kind::{SIZE, TEXT};
use super::outbound;
use super::problem::Wrong;
use super::profiles;
use super::range;
use super::reading::{Block, Keys, Told};
use super::settings::Transform;
use crate::aws::Profile;
use crate::model::{ByteSize, TransformDescription, limits};
use crate::outside::http_client;
use crate::transform::{Function, FunctionName, FunctionUrl, Hints, Retries, Settings, lambda};

const FUNCTIONS: [&str; 2] = ["lambda", "http"];
pub static ALL: [&Keys; 4] = [&TRANSFORM, &LAMBDA, &HTTP, &BUFFERING];
static TRANSFORM: Keys = Keys {
    known: &["lambda", "http", "buffering", "retries"],
    later: &[],
};
static LAMBDA: Keys = Keys {
    known: &["function", "profile"],
    later: &[],
};
static HTTP: Keys = Keys {
    known: &[
        "url",
        "ca_file",
        "client_certificate_file",
        "client_key_file",
        "proxy",
    ],
    later: &[],
};
static BUFFERING: Keys = Keys {
    known: &["size", "interval"],
    later: &[],
};

/// `None` where the stream has none.
pub fn read(
    stream: &Block<'_>,
    profiles: &Result<Vec<Profile>, Told>,
) -> Result<Option<Transform>, Told> {
    let Some(block) = stream.block_if_given("transform", &TRANSFORM)? else {
        return Ok(None);
    };
    let is_splunk = matches!(Kind::of(stream), Some(Kind::Splunk));
    let (usual, parallel_max) = match is_splunk {
        true => (
            Hints::of_splunk(),
            limits::FIREHOSE_INVOCATIONS_PER_SHARD_SPLUNK,
        ),
        false => (Hints::default(), limits::FIREHOSE_INVOCATIONS_PER_SHARD_MAX),
    };
    let function = function(&block, profiles);
    let hints = hints(&block, usual);
    let retries = 0..=limits::FIREHOSE_INVOCATION_RETRIES_MAX;
    let retries = range::count(&block, "retries", retries, Retries::default().get());
    let (function, http) = function?;
    Ok(Some(Transform {
        settings: Settings {
            function,
            retries: Retries::new(retries?).expect("the range is that of `Retries`"),
        },
        hints: hints?,
        parallel_max,
        http,
    }))
}

pub fn description(transform: &Transform) -> TransformDescription {
    TransformDescription {
        function: transform.settings.function.to_string(),
        retries: transform.settings.retries.get(),
        buffering: transform.hints.get(),
    }
}

/// Exactly one, and how it is reached.
fn function(
    block: &Block<'_>,
    profiles: &Result<Vec<Profile>, Told>,
) -> Result<(Function, http_client::Settings), Told> {
    let lambda = block.block_if_given("lambda", &LAMBDA);
    let lambda = lambda.and_then(|block| block.map(|it| in_lambda(&it, profiles)).transpose());
    let http = block.block_if_given("http", &HTTP);
    let http = http.and_then(|block| block.map(|it| at_url(&it)).transpose());
    block.one_of(&FUNCTIONS)?;
    let found = lambda?.or(http?);
    Ok(found.expect("`one_of` saw exactly one"))
}

fn in_lambda(
    block: &Block<'_>,
    profiles: &Result<Vec<Profile>, Told>,
) -> Result<(Function, http_client::Settings), Told> {
    let function = block.required("function", &TEXT).and_then(|text| {
        text.parse::<FunctionName>().map_err(|error| {
            let hint = "its name or ARN, with a version or alias behind it or not: `enrich`, \
                        `enrich:live`, `arn:aws:lambda:eu-west-1:123456789012:function:enrich`";
            block.wrong("function", Wrong::new(error.to_string()).hint(hint))
        })
    });
    let profile = profiles::chosen(block, profiles);
    let (function, profile) = (function?, profile?);
    let http = profile.http.clone();
    let settings = lambda::Settings { function, profile };
    Ok((Function::Lambda(Box::new(settings)), http))
}

fn at_url(block: &Block<'_>) -> Result<(Function, http_client::Settings), Told> {
    let url = outbound::url(block, str::parse::<FunctionUrl>);
    let http = outbound::settings(block);
    Ok((Function::Http(url?), http?))
}

fn hints(transform: &Block<'_>, usual: Hints) -> Result<Hints, Told> {
    let block = transform.block("buffering", &BUFFERING)?;
    let usual = usual.get();
    let size = block.or("size", &SIZE, usual.size);
    let size = size.and_then(|size| check_size(&block, size));
    let most = limits::FIREHOSE_PROCESSING_INTERVAL_MAX;
    let interval = range::seconds(&block, "interval", Duration::ZERO..=most, usual.interval);
    let hints = Hints::new(size?, interval?);
    Ok(hints.expect("the ranges are those of `Hints`"))
}

fn check_size(block: &Block<'_>, size: ByteSize) -> Result<ByteSize, Told> {
    let least = limits::FIREHOSE_PROCESSING_SIZE_MIN;
    let reason = if size < least {
        // Firehose's own least is no whole number of bytes.
        "Member must have value greater than or equal to 0.2".to_owned()
    } else if let Err(reason) = range::check(
        size,
        &(least..=limits::FIREHOSE_PROCESSING_SIZE_MAX),
        |it| it.get() >> 20,
    ) {
        reason
    } else {
        return Ok(size);
    };
    let wrong = range::refused(&block.written("size"), &reason);
    Err(block.wrong("size", wrong.hint("0.2MiB to 3MiB")))
}
