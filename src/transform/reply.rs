//! What an HTTP answer means: a document, or trouble.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use serde::Deserialize;

use super::answer::ErrorDocument;
use super::code::Code;
use super::trouble::Trouble;
use crate::model::Timestamp;
use crate::outside::http_client::asked_to_wait;

/// So much of what a server says is kept: it goes into log lines.
const NAME_CHARACTERS_MAX: usize = 100;
const MESSAGE_CHARACTERS_MAX: usize = 300;

/// The Invoke API says so of a function that failed, and answers 200.
const FUNCTION_ERROR: &str = "x-amz-function-error";
const ERROR_TYPE: &str = "x-amzn-errortype";

/// The body of an error of an AWS service.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ServiceError {
    #[serde(rename = "__type")]
    kind: String,
    #[serde(alias = "Message")]
    message: String,
}

/// Who answers where it is not the function itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Server {
    /// What it says of an error is its own.
    InvokeApi,
    /// What it says may be the function's words, and so hold bytes of a record.
    NextDoor,
}

impl Server {
    /// A 500 that says nothing more.
    fn bare_500(self) -> Code {
        match self {
            Server::InvokeApi => Code::InternalServerError,
            Server::NextDoor => Code::FunctionError,
        }
    }
}

/// The document that the function answered.
pub(super) fn document(
    response: Response<Bytes>,
    server: Server,
    now: Timestamp,
) -> Result<Bytes, Trouble> {
    let (head, body) = response.into_parts();
    let status = head.status;
    if head.headers.contains_key(FUNCTION_ERROR) {
        return Err(Trouble::raised(
            ErrorDocument::read(&body).unwrap_or_default(),
        ));
    }
    if status.is_success() {
        return Ok(body);
    }
    // What runs functions answers so when they raise; other statuses are of whoever stands before it.
    if matches!(status.as_u16(), 500 | 502)
        && let Some(error) = ErrorDocument::read(&body)
    {
        return Err(Trouble::raised(error));
    }
    let (name, message) = told(&head.headers, &body);
    if status == StatusCode::PAYLOAD_TOO_LARGE || name == "RequestTooLargeException" {
        return Err(Trouble::too_large(
            "the request is too large",
            Code::InvocationFailure,
        ));
    }
    let code = named(&name).unwrap_or_else(|| by_status(status, server.bare_500()));
    let asked = asked_to_wait(&head.headers, now);
    let what = format!("the server answered {}", status.as_u16());
    let said = format!("{name}: {message}");
    let said = said.trim_end_matches([':', ' ']);
    Err(match (server, said) {
        (_, "") => Trouble::refused(code, what, asked),
        (Server::InvokeApi, said) => Trouble::refused(code, format!("{what} {said}"), asked),
        (Server::NextDoor, said) => Trouble::refused(code, what, asked).telling(said.to_owned()),
    })
}

/// The error's name without its surroundings (`com.amazonaws#Name:http://…`), and its message. Where
/// neither is an AWS service's the body may be anything, even a record: then nothing is told.
fn told(headers: &HeaderMap, body: &[u8]) -> (String, String) {
    let error: ServiceError = serde_json::from_slice(body).unwrap_or_default();
    let header = headers
        .get(ERROR_TYPE)
        .and_then(|value| value.to_str().ok());
    let kind = header.unwrap_or(&error.kind);
    let name = kind.rsplit('#').next().unwrap_or_default();
    let name = name.split(':').next().unwrap_or_default();
    if name.is_empty() {
        return (String::new(), String::new());
    }
    let message = error.message.chars().take(MESSAGE_CHARACTERS_MAX).collect();
    (name.chars().take(NAME_CHARACTERS_MAX).collect(), message)
}

/// Of an error that the service has a name for.
fn named(name: &str) -> Option<Code> {
    Some(match name {
        "AccessDeniedException" | "AccessDenied" => Code::InvokeAccessDenied,
        "TooManyRequestsException" | "ThrottlingException" | "Throttling" => {
            Code::InvokeLimitExceeded
        }
        "ResourceNotFoundException" => Code::ResourceNotFound,
        "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "InvalidClientTokenId"
        | "ExpiredTokenException"
        | "IncompleteSignatureException"
        | "MissingAuthenticationTokenException" => Code::InvalidSecurityToken,
        "ServiceException" | "InternalFailure" | "InternalServerError" => Code::InternalServerError,
        "ServiceUnavailableException" | "ServiceUnavailable" => Code::ServiceUnavailable,
        "InvalidSubnetIDException" => Code::InvalidSubnetId,
        "InvalidSecurityGroupIDException" => Code::InvalidSecurityGroupId,
        "SubnetIPAddressLimitReachedException" => Code::SubnetIpAddressLimitReached,
        "ENILimitReachedException" => Code::EniLimitReached,
        "InvalidZipFileException" => Code::InvalidZipFile,
        _ => return None,
    })
}

fn by_status(status: StatusCode, bare_500: Code) -> Code {
    match status.as_u16() {
        401 | 403 => Code::InvokeAccessDenied,
        404 => Code::ResourceNotFound,
        408 | 504 => Code::FunctionRequestTimedOut,
        429 => Code::InvokeLimitExceeded,
        500 => bare_500,
        502 => Code::TargetServerFailedToRespond,
        503 => Code::ServiceUnavailable,
        501 | 505..600 => Code::InternalServerError,
        _ => Code::InvocationFailure,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(answer: &str, expected: Expect) {
        check_by(Server::InvokeApi, answer, expected);
    }

    /// `status|header: value|body`.
    #[track_caller]
    fn check_by(server: Server, answer: &str, expected: Expect) {
        let mut parts = answer.splitn(3, '|');
        let mut response = Response::builder().status(parts.next().unwrap());
        if let Some((name, value)) = parts.next().and_then(|header| header.split_once(": ")) {
            response = response.header(name, value);
        }
        let body = Bytes::from(parts.next().unwrap_or_default().to_owned());
        let response = response.body(body).unwrap();
        let now = Timestamp::from_millis(1_773_480_413_000);
        expected.assert_eq(&match document(response, server, now) {
            Ok(body) => format!("{body:?}"),
            Err(trouble) => {
                let told = trouble.told.as_deref().unwrap_or_default();
                let code = trouble.code.code();
                format!("{code} {:?}: {trouble}. {told}", trouble.remedy)
            }
        });
    }

    #[test]
    fn success_is_a_document_whatever_it_says() {
        check("200||{\"records\":[]}", expect![[r#"b"{\"records\":[]}""#]]);
        check("201||", expect![[r#"b"""#]]);
    }

    #[test]
    fn a_function_that_failed_says_so_in_a_header_or_with_a_status() {
        let raised = r#"{"errorMessage":"'level'","errorType":"KeyError"}"#;
        let header = "200|x-amz-function-error: Unhandled|";
        check(
            &format!("{header}{raised}"),
            expect![
                "Lambda.FunctionError AskAgain(None): the function failed with `KeyError`. 'level'"
            ],
        );
        check(
            &format!("{header}none"),
            expect!["Lambda.FunctionError AskAgain(None): the function failed. "],
        );
        check(
            &format!("500||{raised}"),
            expect![
                "Lambda.FunctionError AskAgain(None): the function failed with `KeyError`. 'level'"
            ],
        );
        let late = r#"{"errorMessage":"2026-03-14T09:26:53Z 1 Task timed out after 3.00 seconds"}"#;
        check(
            &format!("{header}{late}"),
            expect![
                "Lambda.FunctionTimedOut AskAgain(None): the function took too long. 2026-03-14T09:26:53Z 1 Task timed out after 3.00 seconds"
            ],
        );
        check(
            &format!("{header}{}", r#"{"errorType":"Sandbox.Timedout"}"#),
            expect!["Lambda.FunctionTimedOut AskAgain(None): the function took too long. "],
        );
    }

    #[test]
    fn what_is_too_large_is_halved() {
        check(
            "413||",
            expect!["Lambda.InvocationFailure Halve: the request is too large. "],
        );
        check(
            "413||{\"errorMessage\":\"big\"}",
            expect!["Lambda.InvocationFailure Halve: the request is too large. "],
        );
        check(
            "400|x-amzn-errortype: RequestTooLargeException|",
            expect!["Lambda.InvocationFailure Halve: the request is too large. "],
        );
        let large = r#"{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Response payload size exceeded"}"#;
        check(
            &format!("200|x-amz-function-error: Unhandled|{large}"),
            expect!["Lambda.FunctionError Halve: the answer is too large. "],
        );
        check(
            &format!("502||{large}"),
            expect!["Lambda.FunctionError Halve: the answer is too large. "],
        );
    }

    #[test]
    fn errors_of_the_service_go_by_their_name() {
        for name in [
            "AccessDeniedException",
            "TooManyRequestsException",
            "ResourceNotFoundException",
            "UnrecognizedClientException",
            "ServiceException",
            "ServiceUnavailableException",
            "InvalidSubnetIDException",
            "InvalidSecurityGroupIDException",
            "SubnetIPAddressLimitReachedException",
            "ENILimitReachedException",
            "InvalidZipFileException",
        ] {
            let response = Response::builder()
                .status(502)
                .header(ERROR_TYPE, format!("{name}:http://internal.amazon.com/"));
            let response = response.body(Bytes::new()).unwrap();
            let trouble = document(response, Server::NextDoor, Timestamp::default());
            let code = trouble.unwrap_err().code;
            assert_ne!(code, Code::TargetServerFailedToRespond, "{name}");
            assert_eq!(Some(code), named(name));
        }
        check(
            r#"429|retry-after: 7|{"__type":"com.amazonaws.lambda#TooManyRequestsException","message":"Rate Exceeded."}"#,
            expect![
                "Lambda.InvokeLimitExceeded AskAgain(Some(7s)): the server answered 429 TooManyRequestsException: Rate Exceeded.. "
            ],
        );
        check(
            r#"403|x-amzn-errortype: AccessDeniedException|{"Message":"User: x is not authorized"}"#,
            expect![
                "Lambda.InvokeAccessDenied AskAgain(None): the server answered 403 AccessDeniedException: User: x is not authorized. "
            ],
        );
    }

    // From review: what a function next door said of a record stood in the log.
    #[test]
    fn what_is_said_next_door_is_for_no_log() {
        let said = r#"{"__type":"ValidationError","message":"bad record: hunter2"}"#;
        check_by(
            Server::NextDoor,
            &format!("422||{said}"),
            expect![
                "Lambda.InvocationFailure AskAgain(None): the server answered 422. ValidationError: bad record: hunter2"
            ],
        );
        check_by(
            Server::NextDoor,
            "422|x-amzn-errortype: Bad: hunter2|{}",
            expect!["Lambda.InvocationFailure AskAgain(None): the server answered 422. Bad"],
        );
    }

    // From review: a gateway's 429 was a failure of the function, and so asked again at full speed.
    #[test]
    fn whoever_stands_before_a_function_speaks_by_its_status() {
        let said = r#"{"errorMessage":"slow down"}"#;
        for server in [Server::NextDoor, Server::InvokeApi] {
            let answer = format!("429|retry-after: 30|{said}");
            check_by(
                server,
                &answer,
                expect![
                    "Lambda.InvokeLimitExceeded AskAgain(Some(30s)): the server answered 429. "
                ],
            );
        }
        check_by(
            Server::NextDoor,
            &format!("403||{said}"),
            expect!["Lambda.InvokeAccessDenied AskAgain(None): the server answered 403. "],
        );
        check_by(
            Server::NextDoor,
            &format!("503||{said}"),
            expect!["Lambda.ServiceUnavailable AskAgain(None): the server answered 503. "],
        );
        check_by(
            Server::NextDoor,
            &format!("502||{said}"),
            expect!["Lambda.FunctionError AskAgain(None): the function failed. slow down"],
        );
        check_by(
            Server::NextDoor,
            &format!("500||{said}"),
            expect!["Lambda.FunctionError AskAgain(None): the function failed. slow down"],
        );
        check_by(
            Server::NextDoor,
            "500||no",
            expect!["Lambda.FunctionError AskAgain(None): the server answered 500. "],
        );
    }

    #[test]
    fn other_errors_go_by_their_status_and_their_bodies_are_not_repeated() {
        for (status, code) in [
            (301, Code::InvocationFailure),
            (400, Code::InvocationFailure),
            (401, Code::InvokeAccessDenied),
            (403, Code::InvokeAccessDenied),
            (404, Code::ResourceNotFound),
            (408, Code::FunctionRequestTimedOut),
            (429, Code::InvokeLimitExceeded),
            (500, Code::InternalServerError),
            (501, Code::InternalServerError),
            (502, Code::TargetServerFailedToRespond),
            (503, Code::ServiceUnavailable),
            (504, Code::FunctionRequestTimedOut),
            (599, Code::InternalServerError),
        ] {
            let response = Response::builder().status(status);
            let response = response.body(Bytes::from_static(b"a record")).unwrap();
            let trouble = document(response, Server::InvokeApi, Timestamp::default());
            let trouble = trouble.unwrap_err();
            assert_eq!(trouble.code, code, "{status}");
            assert_eq!(trouble.to_string(), format!("the server answered {status}"));
        }
    }
}
