//! Why an invocation brought no answer, and whether asking again helps.

use std::error::Error;
use std::time::Duration;

use super::answer::ErrorDocument;
use super::code::Code;
use crate::aws::SignError;
use crate::outside::http_client::{self, SendError};

/// What became of an attempt other than an answer.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Trouble {
    pub code: Code,
    /// Without anything that the function itself said: that may hold bytes of a record.
    what: String,
    /// What the function itself said. For a terminal, never for a log.
    pub told: Option<String>,
    pub remedy: Remedy,
    #[source]
    cause: Option<Box<dyn Error + Send + Sync>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Asking again, not before this has passed.
    AskAgain(Option<Duration>),
    /// Showing fewer records at once. A single one that is too much fails by itself.
    Halve,
}

impl Trouble {
    pub(super) fn unsent(error: SendError) -> Trouble {
        if error.trouble() == http_client::Trouble::TooLong {
            return Trouble::too_large("the answer is too large", Code::FunctionError);
        }
        let code = match &error {
            SendError::TimedOut { .. } => Code::FunctionTimedOut,
            SendError::Connect { .. } | SendError::Broken { .. } => {
                Code::TargetServerFailedToRespond
            }
        };
        Trouble {
            cause: Some(Box::new(error)),
            ..Trouble::new(code, "the function could not be asked")
        }
    }

    pub(super) fn unsigned(error: SignError, assumes_role: AssumesRole) -> Trouble {
        let code = match (&error, assumes_role) {
            (SignError::Credentials(_), AssumesRole::Yes) => Code::AssumeRoleAccessDenied,
            (SignError::Credentials(_), AssumesRole::No) | (SignError::Request(_), _) => {
                Code::InvocationFailure
            }
        };
        Trouble {
            cause: Some(Box::new(error)),
            ..Trouble::new(code, "the invocation could not be signed")
        }
    }

    /// The function ran and failed.
    pub(super) fn raised(error: ErrorDocument) -> Trouble {
        let ErrorDocument { kind, message } = error;
        if kind == "Function.ResponseSizeTooLarge" {
            return Trouble::too_large("the answer is too large", Code::FunctionError);
        }
        let timed_out = kind == "Sandbox.Timedout" || message.contains("Task timed out after");
        let code = match timed_out {
            true => Code::FunctionTimedOut,
            false => Code::FunctionError,
        };
        let what = match kind.as_str() {
            _ if timed_out => "the function took too long".to_owned(),
            "" => "the function failed".to_owned(),
            kind => format!("the function failed with `{kind}`"),
        };
        let trouble = Trouble::new(code, what);
        match message.as_str() {
            "" => trouble,
            _ => trouble.telling(message),
        }
    }

    pub(super) fn refused(code: Code, what: String, retry_after: Option<Duration>) -> Trouble {
        Trouble {
            remedy: Remedy::AskAgain(retry_after),
            ..Trouble::new(code, what)
        }
    }

    /// With words that are for no log.
    pub(super) fn telling(self, told: String) -> Trouble {
        let told = Some(told);
        Trouble { told, ..self }
    }

    pub(super) fn too_large(what: &str, code: Code) -> Trouble {
        Trouble {
            remedy: Remedy::Halve,
            ..Trouble::new(code, what)
        }
    }

    /// Whether there is nobody to be asked.
    pub fn is_unconnected(&self) -> bool {
        let cause = self.cause.as_ref();
        let sent = cause.and_then(|cause| cause.downcast_ref());
        matches!(sent, Some(SendError::Connect { .. }))
    }

    fn new(code: Code, what: impl Into<String>) -> Trouble {
        Trouble {
            code,
            what: what.into(),
            told: None,
            remedy: Remedy::AskAgain(None),
            cause: None,
        }
    }
}

/// Whether a profile's credentials are only the way to a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AssumesRole {
    Yes,
    No,
}
