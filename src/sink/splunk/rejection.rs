//! Firehose's codes and messages for what went wrong, and what to do then.

use std::error::Error;

use super::answer::{Blamed, Fault, Refused};
use super::events::record_of;
use super::url::HecUrl;
use crate::model::Records;
use crate::outside::http_client::{SendError, Trouble};
use crate::sink::endpoint::{Next, Rejection};
use crate::sink::meaning::Mends::{self, Operator, Time};
use crate::sink::meaning::{BAD_CERTIFICATE, CLIENT_CERTIFICATE, Meaning, UNKNOWN_ISSUER};

fn failed(url: &HecUrl) -> String {
    format!("failed to deliver to Splunk at `{url}`")
}

/// The token cannot stand in a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token holds a character that no header can")]
pub struct IllegalToken;

pub fn unmade(url: &HecUrl, cause: IllegalToken) -> Rejection {
    of_fault(Fault::InvalidToken).rejection(failed(url), cause)
}

/// The data was sent, and no acknowledgement came for it.
#[derive(Debug, thiserror::Error)]
#[error("asked {polls} times, Splunk has not acknowledged the data")]
struct Unacknowledged {
    polls: u32,
    /// What kept the last poll from an answer.
    #[source]
    trouble: Option<Box<dyn Error + Send + Sync>>,
}

pub fn unacknowledged(
    url: &HecUrl,
    polls: u32,
    trouble: Option<Box<dyn Error + Send + Sync>>,
) -> Rejection {
    let message = "Did not receive an acknowledgement from HEC before the HEC acknowledgement timeout \
                  expired. Despite the acknowledgement timeout, it's possible the data was indexed \
                  successfully in Splunk.";
    let meaning = Meaning::new("Splunk.AckTimeout", message, Time);
    meaning.rejection(failed(url), Unacknowledged { polls, trouble })
}

/// There was no answer.
pub fn unanswered(url: &HecUrl, cause: SendError) -> Rejection {
    let (code, message, mends) = match cause.trouble() {
        Trouble::Unreachable => (
            "Splunk.InvalidEndpoint",
            "Could not connect to the HEC endpoint. Make sure that the HEC endpoint URL is valid and \
             reachable.",
            Time,
        ),
        Trouble::ConnectTimedOut | Trouble::TimedOut => (
            "Splunk.ConnectionTimeout",
            "The connection to Splunk timed out. This might be a transient error and the request will \
             be retried.",
            Time,
        ),
        Trouble::Broken => (
            "Splunk.ConnectionClosed",
            "Unable to send data to Splunk due to a connection failure. This might be a transient \
             error.",
            Time,
        ),
        Trouble::OtherHost => (
            "Splunk.SSLUnverified",
            "Could not connect to the HEC endpoint. The host does not match the certificate provided \
             by the peer. Make sure that the certificate and the host are valid.",
            BAD_CERTIFICATE,
        ),
        Trouble::UnknownIssuer => ("Splunk.SSLHandshake", HANDSHAKE, UNKNOWN_ISSUER),
        Trouble::BadCertificate => ("Splunk.SSLHandshake", HANDSHAKE, BAD_CERTIFICATE),
        Trouble::ClientCertificate => ("Splunk.SSLHandshake", HANDSHAKE, CLIENT_CERTIFICATE),
        Trouble::Handshake | Trouble::Tls => ("Splunk.SSLHandshake", HANDSHAKE, Time),
        Trouble::TooLong | Trouble::BadStatus | Trouble::NotHttp => {
            return of_fault(Fault::InvalidResponse).rejection(failed(url), cause);
        }
    };
    Meaning::new(code, message, mends).rejection(failed(url), cause)
}

const HANDSHAKE: &str = "Could not connect to the HEC endpoint. Make sure that the certificate and \
                         the host are valid.";

/// There was an answer, and it is not a yes.
pub fn refused(url: &HecUrl, records: Option<&Records>, refused: Refused) -> Rejection {
    let Refused {
        fault,
        blamed,
        status,
        ..
    } = refused;
    let next = match (fault, blamed) {
        (Fault::ContentTooLarge, _) | (_, Blamed::Somebody) => Next::Halve,
        // It was taken: the same again would be there twice.
        (Fault::DisabledAck, Blamed::Nobody) => Next::Never,
        (_, Blamed::Nobody) => Next::Retry,
        (_, Blamed::Everybody) => Next::Never,
        (_, Blamed::Event(event)) => {
            let record = records.and_then(|records| record_of(records, event));
            record.map_or(Next::Halve, Next::Without)
        }
    };
    let raw = &refused.raw;
    let said = format!("Response received from HEC: {status} {raw}");
    let rejection = of_fault(fault).rejection(failed(url), refused.clone());
    Rejection {
        message: format!("{} {said}", rejection.message)
            .trim_end()
            .to_owned(),
        next,
        ..rejection
    }
}

fn of_fault(fault: Fault) -> Meaning {
    let (code, message) = named(fault);
    Meaning::new(code, message, mends(fault))
}

fn named(fault: Fault) -> (&'static str, &'static str) {
    match fault {
        Fault::DisabledToken => (
            "Splunk.DisabledToken",
            "The HEC token is disabled. Enable the token to allow data delivery to Splunk.",
        ),
        Fault::InvalidToken => ("Splunk.InvalidToken", "The HEC token is invalid."),
        Fault::InvalidDataFormat => (
            "Splunk.InvalidDataFormat",
            "The data is not formatted correctly.",
        ),
        Fault::InvalidIndex => (
            "Splunk.InvalidIndex",
            "The HEC token or input is configured with an invalid index. Check your index \
             configuration and try again.",
        ),
        Fault::ServerError => (
            "Splunk.ServerError",
            "Data delivery to Splunk failed due to a server error from the HEC node.",
        ),
        Fault::IndexerBusy => (
            "Splunk.IndexerBusy",
            "Data delivery to Splunk failed due to a server error from the HEC node. Make sure HEC \
             endpoint or the Elastic Load Balancer is reachable and is healthy.",
        ),
        Fault::ContentTooLarge => (
            "Splunk.ServerError.ContentTooLarge",
            "Data delivery to Splunk failed due to a server error with a statusCode: 413, message: \
             the request your client sent was too large. See splunk docs to configure \
             max_content_length.",
        ),
        Fault::UrlNotFound => (
            "Splunk.URLNotFound",
            "The requested URL was not found on the Splunk server. Please check the Splunk cluster \
             and make sure it is configured correctly.",
        ),
        Fault::InvalidResponse => (
            "Splunk.InvalidHecResponseCharacter",
            "Invalid characters found in HEC response, make sure to check to the service and HEC \
             configuration.",
        ),
        Fault::DisabledAck => (
            "Splunk.DisabledAck",
            "Indexer acknowledgement is disabled for the HEC token. Enable indexer acknowledgement \
             and try again.",
        ),
        Fault::AcknowledgementsDisabled => (
            "Splunk.AcknowledgementsDisabled",
            "Could not get acknowledgements on POST. Make sure that acknowledgements are enabled on \
             HEC endpoint.",
        ),
        Fault::ProxyWithoutStickySessions => (
            "Splunk.ProxyWithoutStickySessions",
            "If you have a proxy (ELB or other) between Amazon Data Firehose and the HEC node, you \
             must enable sticky sessions to support HEC ACKs.",
        ),
    }
}

fn mends(fault: Fault) -> Mends {
    match fault {
        Fault::DisabledToken => Operator("enable the HEC token"),
        Fault::InvalidToken => Operator("check the HEC token"),
        Fault::InvalidIndex => Operator("check which indexes the HEC token allows"),
        Fault::UrlNotFound | Fault::InvalidResponse => {
            Operator("check that the URL is an HTTP Event Collector's")
        }
        Fault::DisabledAck | Fault::AcknowledgementsDisabled => {
            Operator("enable indexer acknowledgement for the HEC token")
        }
        Fault::ProxyWithoutStickySessions => {
            Operator("let the load balancer keep sessions at one indexer")
        }
        Fault::InvalidDataFormat
        | Fault::ServerError
        | Fault::IndexerBusy
        | Fault::ContentTooLarge => Time,
    }
}
