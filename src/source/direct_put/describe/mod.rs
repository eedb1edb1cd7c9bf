//! DescribeDeliveryStream: a stream as Firehose would show one, without its secrets.
//!
//! For objects both the extended and the plain description are given, as Firehose does. A directory
//! shows itself under the same shape, with its path in the place of the bucket. Endpoints show where
//! failures go in the place of their S3 configuration.

mod shapes;

use serde::Serialize;

use self::shapes::Destination;
use crate::model::{StreamDescription, Timestamp};
use crate::server::Caller;
use crate::source::direct_put::answer::Answered;
use crate::source::direct_put::{DirectPut, Settings, parse, validate};

impl DirectPut {
    pub(super) fn describe(&self, caller: &Caller, body: &[u8]) -> Answered {
        let asked: parse::Describe = parse::json(body)?;
        let name = validate::describe(&asked)?;
        let stream = self.stream(name, caller, "DescribeDeliveryStream")?;
        Ok(description(&self.settings, &stream.description).into())
    }
}

fn description(settings: &Settings, stream: &StreamDescription) -> String {
    let name = stream.name.as_str();
    let answer = Answer {
        delivery_stream_description: Description {
            delivery_stream_name: name,
            delivery_stream_arn: settings.stream_arn(name),
            delivery_stream_status: "ACTIVE",
            delivery_stream_encryption_configuration: Status { status: "DISABLED" },
            delivery_stream_type: "DirectPut",
            version_id: stream.version.to_string(),
            create_timestamp: seconds(stream.created),
            last_update_timestamp: stream.updated.map(seconds),
            destinations: [Destination::of(settings, stream)],
            has_more_destinations: false,
        },
    };
    serde_json::to_string(&answer).expect("a description is always JSON")
}

/// API timestamps are seconds, with the milliseconds as a fraction.
fn seconds(time: Timestamp) -> f64 {
    time.as_millis() as f64 / 1000.0
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<'a> {
    delivery_stream_description: Description<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Description<'a> {
    delivery_stream_name: &'a str,
    #[serde(rename = "DeliveryStreamARN")]
    delivery_stream_arn: String,
    delivery_stream_status: &'a str,
    delivery_stream_encryption_configuration: Status<'a>,
    delivery_stream_type: &'a str,
    version_id: String,
    create_timestamp: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_update_timestamp: Option<f64>,
    destinations: [Destination<'a>; 1],
    has_more_destinations: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Status<'a> {
    status: &'a str,
}

#[cfg(test)]
mod tests;
