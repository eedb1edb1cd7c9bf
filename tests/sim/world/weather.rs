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
}

/// A time in which one bucket (by the start of its name) refuses everything.
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
        match dice.below(12) {
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

impl Fate {
    pub fn retry_after(self) -> Option<Duration> {
        match self {
            Fate::Refused(Refusal::SlowDown { retry_after }) => {
                retry_after.map(Duration::from_secs)
            }
            Fate::Refused(_) | Fate::Served | Fate::Lost(_) => None,
        }
    }
}

impl Refusal {
    pub fn response(self, asked: &Asked) -> Response<Bytes> {
        match self {
            Refusal::SlowDown { retry_after } => {
                let mut response = wire::error(asked, 503, "SlowDown");
                if let Some(seconds) = retry_after {
                    let headers = response.headers_mut();
                    headers.insert(http::header::RETRY_AFTER, seconds.into());
                }
                response
            }
            Refusal::Forbidden => wire::error(asked, 403, "AccessDenied"),
            Refusal::NoSuchBucket => wire::error(asked, 404, "NoSuchBucket"),
            Refusal::InternalError => wire::error(asked, 500, "InternalError"),
            Refusal::FineWordsThenError => wire::error(asked, 200, "InternalError"),
            Refusal::NotXml => wire::response(502, Bytes::from_static(b"<html>Bad Gateway")),
        }
    }
}
