//! What becomes of a request before anybody looks at it: faults, by chance and by appointment.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use standpipe::outside::Dice;

use super::wire::{self, Asked};

#[derive(Clone, Debug)]
pub struct Weather {
    /// How many of a thousand requests are refused or lost.
    pub trouble: u64,
    /// How long one request takes at most, now and then.
    pub latency_max: Duration,
    pub outages: Vec<Outage>,
    pub scripts: Vec<Script>,
    pub manners: Manners,
}

/// How functions and endpoints are, once a request has reached them.
#[derive(Clone, Debug)]
pub struct Manners {
    /// Of a thousand answers, so many are none, or not true.
    pub lies: u64,
    /// Of a thousand records, so many are dropped by the function, and so many spoilt.
    pub drops: u64,
    pub spoils: u64,
    /// An endpoint takes no more at once.
    pub records_max: usize,
    /// One of so many records is taken by no endpoint.
    pub poison_one_of: u32,
}

/// What becomes of the first requests of one kind, whatever the chances.
#[derive(Clone, Debug)]
pub struct Script {
    pub kind: Kind,
    pub times: u64,
    pub fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole object.
    Put,
    CompleteUpload,
    Other,
    /// Of a function.
    Invoke,
    /// To an endpoint.
    Send,
    /// For an acknowledgement.
    Poll,
}

/// A time in which one bucket (by the start of its name), or all functions or endpoints, refuse
/// everything.
#[derive(Clone, Debug)]
pub struct Outage {
    pub bucket: String,
    pub from: Duration,
    pub to: Duration,
    pub refusal: Refusal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Served,
    /// Answered with an error, without any effect.
    Refused(Refusal),
    Lost(Loss),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    SlowDown {
        retry_after: Option<u64>,
    },
    /// The same, with another status.
    TooManyRequests {
        retry_after: Option<u64>,
    },
    BadRequest,
    Forbidden,
    NoSuchBucket,
    InternalError,
    /// Completing an upload may say 200 and then, in the body, that it failed.
    FineWordsThenError,
    /// A proxy's page instead of S3's document.
    NotXml,
}

/// The answer does not arrive. After `…After` the effect happened all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    NotConnected,
    BrokenHalfway,
    BrokenBefore,
    BrokenAfter,
    SilentBefore,
    SilentAfter,
}

impl Weather {
    pub fn fine() -> Weather {
        Weather {
            trouble: 0,
            latency_max: Duration::from_millis(20),
            outages: Vec::new(),
            scripts: Vec::new(),
            manners: Manners::good(),
        }
    }

    pub fn fate(&mut self, asked: &Asked, at: Duration, dice: &mut Dice) -> Fate {
        let outage = self.outages.iter().find(|outage| {
            asked.bucket.starts_with(&outage.bucket) && outage.from <= at && at < outage.to
        });
        if let Some(outage) = outage {
            return Fate::Refused(outage.refusal);
        }
        let kind = asked.kind();
        let mut scripts = self.scripts.iter_mut();
        if let Some(script) = scripts.find(|script| script.kind == kind && 0 < script.times) {
            script.times -= 1;
            return script.fate;
        }
        if !dice.happens(self.trouble) {
            return Fate::Served;
        }
        let retry_after = Some(1 + dice.below(20));
        match dice.below(14) {
            12 if kind.is_of_s3() => Fate::Refused(Refusal::InternalError),
            12 => Fate::Refused(Refusal::TooManyRequests { retry_after }),
            13 if kind.is_of_s3() => Fate::Lost(Loss::BrokenAfter),
            13 => Fate::Refused(Refusal::BadRequest),
            0 => Fate::Refused(Refusal::SlowDown { retry_after }),
            1 => Fate::Refused(Refusal::SlowDown { retry_after: None }),
            2 => Fate::Refused(Refusal::InternalError),
            3 => Fate::Refused(Refusal::Forbidden),
            4 => Fate::Refused(Refusal::NotXml),
            5 => Fate::Refused(if kind == Kind::CompleteUpload {
                Refusal::FineWordsThenError
            } else {
                Refusal::NoSuchBucket
            }),
            6 => Fate::Lost(Loss::NotConnected),
            7 => Fate::Lost(Loss::BrokenHalfway),
            8 => Fate::Lost(Loss::BrokenBefore),
            9 => Fate::Lost(Loss::SilentBefore),
            10 => Fate::Lost(Loss::SilentAfter),
            _ => Fate::Lost(Loss::BrokenAfter),
        }
    }

    pub fn latency(&self, dice: &mut Dice) -> Duration {
        let most = if dice.happens(100) {
            self.latency_max
        } else {
            self.latency_max.min(Duration::from_millis(30))
        };
        Duration::from_micros(1 + dice.below(most.as_micros() as u64))
    }
}

impl Manners {
    pub fn good() -> Manners {
        Manners {
            lies: 0,
            drops: 0,
            spoils: 0,
            records_max: usize::MAX,
            poison_one_of: u32::MAX,
        }
    }
}

impl Kind {
    fn is_of_s3(self) -> bool {
        match self {
            Kind::Put | Kind::CompleteUpload | Kind::Other => true,
            Kind::Invoke | Kind::Send | Kind::Poll => false,
        }
    }
}

impl Fate {
    pub fn retry_after(self) -> Option<Duration> {
        match self {
            Fate::Refused(
                Refusal::SlowDown { retry_after } | Refusal::TooManyRequests { retry_after },
            ) => retry_after.map(Duration::from_secs),
            Fate::Refused(_) | Fate::Served | Fate::Lost(_) => None,
        }
    }
}

impl Refusal {
    pub fn response(self, asked: &Asked) -> Response<Bytes> {
        let mut response = match self {
            Refusal::SlowDown { .. } => wire::error(asked, 503, "SlowDown"),
            Refusal::TooManyRequests { .. } => wire::error(asked, 429, "TooManyRequests"),
            Refusal::BadRequest => wire::error(asked, 400, "BadRequest"),
            Refusal::Forbidden => wire::error(asked, 403, "AccessDenied"),
            Refusal::NoSuchBucket => wire::error(asked, 404, "NoSuchBucket"),
            Refusal::InternalError => wire::error(asked, 500, "InternalError"),
            Refusal::FineWordsThenError => wire::error(asked, 200, "InternalError"),
            Refusal::NotXml => wire::response(502, Bytes::from_static(b"<html>Bad Gateway")),
        };
        if let Some(wait) = Fate::Refused(self).retry_after() {
            let headers = response.headers_mut();
            headers.insert(http::header::RETRY_AFTER, wait.as_secs().into());
        }
        response
    }
}
