//! What a Lambda function is called: its name, or its ARN whole or in part, each with a version or
//! alias behind it, as Lambda itself takes them.

use std::fmt;
use std::str::FromStr;

/// As written, and taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionName {
    text: String,
    /// Without version or alias.
    unqualified: String,
    /// A version, an alias or `$LATEST`; `None`: what Lambda takes then.
    qualifier: Option<String>,
    /// Of a whole ARN.
    region: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither the name nor the ARN of a Lambda function")]
pub struct FunctionNameError(pub String);

impl FunctionName {
    /// The region that a whole ARN names.
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// Path and query of the Invoke API.
    pub(super) fn path(&self) -> String {
        let function = escaped(&self.unqualified);
        let path = format!("/2015-03-31/functions/{function}/invocations");
        match &self.qualifier {
            Some(qualifier) => format!("{path}?Qualifier={}", escaped(qualifier)),
            None => path,
        }
    }
}

impl FromStr for FunctionName {
    type Err = FunctionNameError;

    fn from_str(text: &str) -> Result<FunctionName, FunctionNameError> {
        let wrong = || FunctionNameError(text.to_owned());
        let parts: Vec<&str> = text.split(':').collect();
        let (region, name, qualifier) = match parts[..] {
            [
                "arn",
                partition,
                "lambda",
                region,
                account,
                "function",
                name,
                ref rest @ ..,
            ] if is_word(partition) && is_word(region) && is_account(account) => {
                (Some(region), name, rest)
            }
            [account, "function", name, ref rest @ ..] if is_account(account) => (None, name, rest),
            [name, ref rest @ ..] => (None, name, rest),
            [] => return Err(wrong()),
        };
        let is_named = is_word(name) && name.len() <= 64;
        let qualifier = match qualifier {
            [] => None,
            [qualifier] if is_word(qualifier.strip_prefix('$').unwrap_or(qualifier)) => {
                Some(*qualifier)
            }
            _ => return Err(wrong()),
        };
        if !is_named {
            return Err(wrong());
        }
        let qualified = qualifier.map_or(0, |qualifier| qualifier.len() + 1);
        Ok(FunctionName {
            text: text.to_owned(),
            unqualified: text[..text.len() - qualified].to_owned(),
            qualifier: qualifier.map(str::to_owned),
            region: region.map(str::to_owned),
        })
    }
}

impl fmt::Display for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn is_word(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// For a path or a query: of what a function may be called, these two are more than themselves there.
fn escaped(text: &str) -> String {
    text.replace(':', "%3A").replace('$', "%24")
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&match text.parse::<FunctionName>() {
            Ok(function) => format!("{:?} {}", function.region(), function.path()),
            Err(error) => error.to_string(),
        });
    }

    #[test]
    fn names_and_arns_are_taken_with_and_without_a_qualifier() {
        check(
            "enrich",
            expect!["None /2015-03-31/functions/enrich/invocations"],
        );
        check(
            "enrich:$LATEST",
            expect!["None /2015-03-31/functions/enrich/invocations?Qualifier=%24LATEST"],
        );
        check(
            "enrich:7",
            expect!["None /2015-03-31/functions/enrich/invocations?Qualifier=7"],
        );
        check(
            "123456789012:function:enrich",
            expect!["None /2015-03-31/functions/123456789012%3Afunction%3Aenrich/invocations"],
        );
        check(
            "123456789012:function:enrich:live",
            expect![
                "None /2015-03-31/functions/123456789012%3Afunction%3Aenrich/invocations?Qualifier=live"
            ],
        );
        check(
            "arn:aws:lambda:eu-west-1:123456789012:function:enrich",
            expect![[
                r#"Some("eu-west-1") /2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Aenrich/invocations"#
            ]],
        );
        check(
            "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:enrich:$LATEST",
            expect![[
                r#"Some("us-gov-west-1") /2015-03-31/functions/arn%3Aaws-us-gov%3Alambda%3Aus-gov-west-1%3A123456789012%3Afunction%3Aenrich/invocations?Qualifier=%24LATEST"#
            ]],
        );
    }

    #[test]
    fn what_lambda_would_not_take_is_refused() {
        check(
            "",
            expect!["`` is neither the name nor the ARN of a Lambda function"],
        );
        check(
            "a b",
            expect!["`a b` is neither the name nor the ARN of a Lambda function"],
        );
        check(
            "a/b",
            expect!["`a/b` is neither the name nor the ARN of a Lambda function"],
        );
        check(
            "enrich:",
            expect!["`enrich:` is neither the name nor the ARN of a Lambda function"],
        );
        check(
            "enrich:a:b",
            expect!["`enrich:a:b` is neither the name nor the ARN of a Lambda function"],
        );
        check(
            "arn:aws:s3:::bucket",
            expect!["`arn:aws:s3:::bucket` is neither the name nor the ARN of a Lambda function"],
        );
        check(
            "arn:aws:lambda:eu-west-1:123:function:enrich",
            expect![
                "`arn:aws:lambda:eu-west-1:123:function:enrich` is neither the name nor the ARN of a Lambda function"
            ],
        );
        check(
            "arn:aws:lambda:eu-west-1:123456789012:function:",
            expect![
                "`arn:aws:lambda:eu-west-1:123456789012:function:` is neither the name nor the ARN of a Lambda function"
            ],
        );
        assert!("x".repeat(64).parse::<FunctionName>().is_ok());
        assert!("x".repeat(65).parse::<FunctionName>().is_err());
    }
}
