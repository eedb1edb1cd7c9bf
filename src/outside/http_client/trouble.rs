//! What kind of trouble a request met, for those who have a name for each kind.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError};

use super::{AnswerTooLong, SendError};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No such host, or nobody there who takes connections.
    Unreachable,
    /// No connection came about in time.
    ConnectTimedOut,
    /// No whole answer came in time.
    TimedOut,
    /// The other side's certificate leads to no authority that we trust.
    UnknownIssuer,
    /// Its certificate is for another host.
    OtherHost,
    /// Its certificate has expired, or is wrong in another way.
    BadCertificate,
    /// The other side wants a certificate of ours, and got none, or one that it does not take.
    ClientCertificate,
    /// No secure connection came about.
    Handshake,
    /// A secure connection was spoilt.
    Tls,
    /// The answer is longer than was allowed.
    TooLong,
    /// The answer's status is not one.
    BadStatus,
    /// What came is not HTTP.
    NotHttp,
    /// The connection broke.
    Broken,
}

impl SendError {
    pub fn trouble(&self) -> Trouble {
        match self {
            SendError::TimedOut { .. } => Trouble::TimedOut,
            SendError::Connect { cause, .. } => {
                let found = causes(cause.as_ref()).find_map(of_tls);
                match found {
                    Some(trouble) => trouble,
                    None if is_late(cause.as_ref()) => Trouble::ConnectTimedOut,
                    None => Trouble::Unreachable,
                }
            }
            SendError::Broken { cause, .. } => {
                let found = causes(cause.as_ref()).find_map(of_answer);
                found.unwrap_or(Trouble::Broken)
            }
        }
    }

    /// Whether there was no connection because one side does not trust the other's certificate:
    /// waiting will not help then.
    pub fn is_untrusted(&self) -> bool {
        match self.trouble() {
            Trouble::UnknownIssuer
            | Trouble::OtherHost
            | Trouble::BadCertificate
            | Trouble::ClientCertificate => true,
            Trouble::Unreachable
            | Trouble::ConnectTimedOut
            | Trouble::TimedOut
            | Trouble::Handshake
            | Trouble::Tls
            | Trouble::TooLong
            | Trouble::BadStatus
            | Trouble::NotHttp
            | Trouble::Broken => false,
        }
    }
}

impl SendError {
    /// Whether the certificate that was shown is an authority's own: it may be trusted to sign, and
    /// never to serve. `openssl req -x509` makes such a one unless told otherwise.
    pub fn shows_authority(&self) -> bool {
        match self {
            SendError::Connect { cause, .. } => is_of_authority(cause.as_ref()),
            SendError::TimedOut { .. } | SendError::Broken { .. } => false,
        }
    }
}

pub(super) fn is_of_authority(cause: &(dyn Error + 'static)) -> bool {
    causes(cause).any(|cause| match cause.downcast_ref::<rustls::Error>() {
        Some(rustls::Error::InvalidCertificate(CertificateError::Other(other))) => {
            // An error of a crate that rustls keeps to itself; a test holds its name.
            other.0.to_string() == "CaUsedAsEndEntity"
        }
        Some(_) | None => false,
    })
}

fn of_tls(cause: &(dyn Error + 'static)) -> Option<Trouble> {
    Some(match cause.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            Trouble::UnknownIssuer
        }
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => Trouble::OtherHost,
        rustls::Error::InvalidCertificate(_) => Trouble::BadCertificate,
        rustls::Error::AlertReceived(alert) if is_of_our_certificate(*alert) => {
            Trouble::ClientCertificate
        }
        _ => Trouble::Handshake,
    })
}

/// TLS 1.3 tells of it only after the handshake.
fn is_of_our_certificate(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::CertificateRequired
            | AlertDescription::NoCertificate
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
    )
}

fn of_answer(cause: &(dyn Error + 'static)) -> Option<Trouble> {
    if cause.is::<AnswerTooLong>() {
        return Some(Trouble::TooLong);
    }
    if let Some(trouble) = of_tls(cause) {
        let told = trouble == Trouble::ClientCertificate;
        return Some(if told { trouble } else { Trouble::Tls });
    }
    let by_hyper = cause.downcast_ref::<hyper::Error>()?;
    if by_hyper.is_parse_too_large() {
        Some(Trouble::TooLong)
    } else if by_hyper.is_parse_status() {
        Some(Trouble::BadStatus)
    } else {
        by_hyper.is_parse().then_some(Trouble::NotHttp)
    }
}

fn is_late(cause: &(dyn Error + 'static)) -> bool {
    causes(cause).any(|cause| {
        let by_reqwest = cause.downcast_ref::<reqwest::Error>();
        by_reqwest.is_some_and(reqwest::Error::is_timeout)
            || cause
                .downcast_ref::<io::Error>()
                .is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
    })
}

/// An error and everything behind it.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| -> Option<&'a (dyn Error + 'static)> {
        // An `io::Error` is silent about what it wraps, unless asked in this way.
        let wrapped = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    fn connect(cause: impl Error + Send + Sync + 'static) -> SendError {
        let authority = "a.test".to_owned();
        let cause = Arc::new(cause);
        SendError::Connect { authority, cause }
    }

    fn broken(cause: impl Error + Send + Sync + 'static) -> SendError {
        let authority = "a.test".to_owned();
        let cause = Arc::new(cause);
        SendError::Broken { authority, cause }
    }

    #[test]
    fn trouble_is_told_apart_however_deep_it_lies() {
        let certificate = |error| io::Error::other(rustls::Error::InvalidCertificate(error));
        let timed_out = SendError::TimedOut {
            authority: "a.test".to_owned(),
            after: Duration::from_secs(1),
        };
        for (error, trouble) in [
            (timed_out, Trouble::TimedOut),
            (
                connect(io::Error::from(io::ErrorKind::ConnectionRefused)),
                Trouble::Unreachable,
            ),
            (
                connect(io::Error::from(io::ErrorKind::TimedOut)),
                Trouble::ConnectTimedOut,
            ),
            (
                connect(certificate(CertificateError::UnknownIssuer)),
                Trouble::UnknownIssuer,
            ),
            (
                connect(certificate(CertificateError::NotValidForName)),
                Trouble::OtherHost,
            ),
            (
                connect(certificate(CertificateError::Expired)),
                Trouble::BadCertificate,
            ),
            (
                connect(io::Error::other(rustls::Error::HandshakeNotComplete)),
                Trouble::Handshake,
            ),
            (broken(rustls::Error::DecryptError), Trouble::Tls),
            // From the real suites: an nginx that wants a client certificate said so to nobody.
            (
                broken(io::Error::other(rustls::Error::AlertReceived(
                    AlertDescription::CertificateRequired,
                ))),
                Trouble::ClientCertificate,
            ),
            (
                connect(io::Error::other(rustls::Error::AlertReceived(
                    AlertDescription::UnknownCA,
                ))),
                Trouble::ClientCertificate,
            ),
            (
                broken(rustls::Error::AlertReceived(AlertDescription::BadRecordMac)),
                Trouble::Tls,
            ),
            (broken(AnswerTooLong(7)), Trouble::TooLong),
            (
                broken(io::Error::from(io::ErrorKind::ConnectionReset)),
                Trouble::Broken,
            ),
        ] {
            assert_eq!(error.trouble(), trouble, "{error:?}");
            let untrusted = [
                Trouble::UnknownIssuer,
                Trouble::OtherHost,
                Trouble::BadCertificate,
                Trouble::ClientCertificate,
            ];
            assert_eq!(error.is_untrusted(), untrusted.contains(&trouble));
        }
    }
}
