//! Every code of the specification, and what servers say beside them.

use expect_test::{Expect, expect};

use super::*;

#[track_caller]
fn check(code: &str, status: u16, expected: Expect) {
    let (name, mends) = meaning(code, status);
    let advice = match mends {
        Mends::Time => "waits",
        Mends::Operator(advice) => advice,
    };
    expected.assert_eq(&format!("{name}: {advice}"));
}

#[test]
fn every_code_of_the_specification_keeps_its_name() {
    for code in [
        "AccessDenied",
        "NoSuchBucket",
        "AccountProblem",
        "AllAccessDisabled",
        "InvalidPayer",
        "NotSignedUp",
        "SubscriptionRequired",
        "MethodNotAllowed",
        "SlowDown",
        "InvalidToken",
        "IllegalLocationConstraintException",
        "InvalidPrefixConfigurationException",
        "KMS.NotFoundException",
        "KMS.RequestLimitExceeded",
        "KMS.KeyDisabled",
        "KMS.InvalidStateException",
        "KMS.KeyNotConfigured",
        "KMS.AsymmetricCMKNotSupported",
    ] {
        assert_eq!(meaning(code, 400).0, format!("S3.{code}"));
    }
    for code in ["KMS.DisabledException", "InternalError"] {
        assert_eq!(meaning(code, 400).0, code);
    }
}

#[test]
fn an_operator_is_told_what_to_do() {
    check(
        "AccessDenied",
        403,
        expect![
            "S3.AccessDenied: check the role's trust policy, the bucket's policy, and that they allow PutObject, AbortMultipartUpload and ListBucketMultipartUploads"
        ],
    );
    check(
        "NoSuchBucket",
        404,
        expect!["S3.NoSuchBucket: create the bucket, or mend its name"],
    );
    check(
        "SignatureDoesNotMatch",
        403,
        expect!["S3.SignatureDoesNotMatch: check the profile's keys and their session"],
    );
    check(
        "RequestTimeTooSkewed",
        403,
        expect!["S3.RequestTimeTooSkewed: set this machine's clock"],
    );
    check(
        "KMS.DisabledException",
        400,
        expect![
            "KMS.DisabledException: check the bucket's key: it must exist, be enabled, and be usable by the profile's role"
        ],
    );
    check(
        "NotImplemented",
        501,
        expect![
            "S3.NotImplemented: the server does not take such a request: a profile with `checksums: when_required` or `path_style: true` may suit it better"
        ],
    );
}

#[test]
fn what_passes_by_itself_waits() {
    check("SlowDown", 503, expect!["S3.SlowDown: waits"]);
    check("InternalError", 500, expect!["InternalError: waits"]);
    check("RequestTimeout", 400, expect!["S3.RequestTimeout: waits"]);
    check(
        "KMS.RequestLimitExceeded",
        400,
        expect!["S3.KMS.RequestLimitExceeded: waits"],
    );
}

#[test]
fn an_unknown_code_goes_by_its_status() {
    check(
        "SomethingNew",
        403,
        expect![
            "S3.AccessDenied: check the role's trust policy, the bucket's policy, and that they allow PutObject, AbortMultipartUpload and ListBucketMultipartUploads"
        ],
    );
    check(
        "",
        404,
        expect!["S3.NoSuchBucket: create the bucket, or mend its name"],
    );
    check(
        "",
        301,
        expect!["S3.PermanentRedirect: check the profile's region and endpoint"],
    );
    check("", 503, expect!["S3.ServiceUnavailable: waits"]);
    check("", 502, expect!["S3.502: waits"]);
    check("", 507, expect!["S3.507: make room on the server"]);
    check("", 429, expect!["S3.429: waits"]);
    check(
        "TeapotError",
        418,
        expect!["S3.418: the server refuses the request: see its own log"],
    );
    check("", 200, expect!["S3.200: waits"]);
}
