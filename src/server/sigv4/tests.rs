//! The official suite, the official signer, and everything that must be refused.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use expect_test::{Expect, expect};
use http::Request;
use proptest::prelude::*;

use super::*;
use crate::model::Secret;
use crate::server::{Identity, Producer, StreamPattern};

const ACCESS_KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// 2015-08-30T12:36:00Z
const NOW: u64 = 1_440_938_160_000;

fn producers() -> Producers {
    Producers::new([Producer {
        name: "web".to_owned(),
        identity: Identity::AccessKey {
            access_key_id: ACCESS_KEY.to_owned(),
            secret_access_key: Secret::new(SECRET),
        },
        streams: vec![StreamPattern("*".to_owned())],
    }])
}

fn verify(request: &Request<Vec<u8>>, now: u64, service: &str) -> Result<String, Refusal> {
    let producers = producers();
    let (head, ()) = {
        let mut bare = Request::new(());
        *bare.method_mut() = request.method().clone();
        *bare.uri_mut() = request.uri().clone();
        *bare.headers_mut() = request.headers().clone();
        bare.into_parts()
    };
    let claim = producers
        .verifier(service)
        .claim(&head, Timestamp::from_millis(now))?;
    let caller = claim.prove(&head, Sha256::digest(request.body()).into())?;
    Ok(caller.name().to_owned())
}

/// A request as the suite writes it, folded header lines and raw UTF-8 included.
struct Written {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: String,
}

fn written(file: &Path) -> Written {
    let text = fs::read_to_string(file).unwrap().replace('\r', "");
    let (head, body) = text.split_once("\n\n").unwrap_or((text.trim_end(), ""));
    let mut lines = head.lines();
    let first = lines.next().unwrap();
    let (method, target) = first.split_once(' ').unwrap();
    let target = target.strip_suffix(" HTTP/1.1").unwrap_or(target);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in lines {
        match line.split_once(':') {
            Some((name, value)) if !line.starts_with(' ') => {
                headers.push((name.to_ascii_lowercase(), value.to_owned()));
            }
            _ => headers.last_mut().unwrap().1.push_str(line),
        }
    }
    Written {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: body.to_owned(),
    }
}

fn canonical_of(written: &Written, path: &str, signed_headers: &str) -> String {
    let headers: Vec<(&str, &[u8])> = written
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    canonical::request(&canonical::Parts {
        method: &written.method,
        path,
        query: &written.query,
        headers: &headers,
        signed_headers,
        body_hash: &hex(&Sha256::digest(&written.body).into()),
    })
    .unwrap()
}

fn signature_of(canonical: &str) -> String {
    let scope = "20150830/us-east-1/service/aws4_request";
    let hash = hex(&Sha256::digest(canonical).into());
    let to_sign = format!("AWS4-HMAC-SHA256\n20150830T123600Z\n{scope}\n{hash}");
    let credential = authorization::Credential::example(scope);
    let key = signing_key::derive(SECRET, &credential);
    hex(&signing_key::hmac(&key, to_sign.as_bytes()))
}

/// One half of a case: what was signed, how it looks in canonical form, its signature.
fn check_half(case: &Path, half: &str, normalize: bool) {
    let what = format!("{} ({half})", case.display());
    let expected = |name: &str| {
        let file = case.join(format!("{half}-{name}.txt"));
        fs::read_to_string(file).unwrap().trim_end().to_owned()
    };
    let mut signed = written(&case.join(format!("{half}-signed-request.txt")));
    let canonical_text = expected("canonical-request");
    let signed_headers = canonical_text.lines().rev().nth(1).unwrap();
    if case.ends_with("post-sts-header-after") {
        // Its signer adds the token after signing: nothing tells a server so. We leave it out here,
        // and a client that sent it in the query would be refused.
        let kept = signed
            .query
            .split('&')
            .filter(|pair| !pair.starts_with("X-Amz-Security-Token"));
        signed.query = kept.collect::<Vec<_>>().join("&");
    }
    let path = match normalize {
        true => canonical::normalized(&signed.path),
        false => signed.path.clone(),
    };
    let canonical = canonical_of(&signed, &path, signed_headers);
    assert_eq!(canonical, canonical_text, "{what}");
    assert_eq!(signature_of(&canonical), expected("signature"), "{what}");

    // And the whole way, where an HTTP library would let such a request through at all.
    let target = format!("{}?{}", signed.path, signed.query);
    if target.parse::<http::Uri>().is_err() || path != canonical::normalized(&signed.path) {
        return;
    }
    let mut request = Request::builder().method(&*signed.method).uri(&*target);
    for (name, value) in &signed.headers {
        request = request.header(name, value.trim());
    }
    let request = request.body(signed.body.into_bytes()).unwrap();
    assert_eq!(
        verify(&request, NOW, "service"),
        Ok("web".to_owned()),
        "{what}"
    );
}

#[test]
fn every_case_of_the_official_suite_has_the_signature_it_says() {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sigv4/v4");
    let mut cases: Vec<_> = fs::read_dir(suite)
        .unwrap()
        .map(|it| it.unwrap().path())
        .collect();
    cases.sort();
    assert_eq!(cases.len(), 40);
    for case in cases {
        let Ok(context) = fs::read_to_string(case.join("context.json")) else {
            // The two cases of the older format, whose dates do not fit: their paths do.
            let request = written(&case.join("request.txt"));
            let canonical = canonical_of(&request, &canonical::normalized(&request.path), "host");
            let expected = fs::read_to_string(case.join("header-canonical-request.txt")).unwrap();
            assert_eq!(
                canonical.lines().nth(1),
                expected.lines().nth(1),
                "{}",
                case.display()
            );
            continue;
        };
        let normalize = context.contains("\"normalize\": true");
        check_half(&case, "header", normalize);
        check_half(&case, "query", normalize);
    }
}

/// Signed by AWS's own signer.
fn signed(
    path: &str,
    headers: &[(String, String)],
    body: &[u8],
    settings: SigningSettings,
) -> Request<Vec<u8>> {
    let identity = Credentials::new(ACCESS_KEY, SECRET, None, None, "test").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("eu-west-1")
        .name("firehose")
        .time(SystemTime::UNIX_EPOCH + Duration::from_millis(NOW))
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let uri = format!("http://localhost:4573{path}");
    let mut request = Request::builder()
        .method("POST")
        .uri(&uri)
        .header("host", "localhost:4573");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let mut request = request.body(body.to_vec()).unwrap();
    let pairs: Vec<_> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap().to_owned()))
        .collect();
    let pairs = pairs
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let signable = SignableRequest::new("POST", &uri, pairs, SignableBody::Bytes(body)).unwrap();
    let (instructions, _) = sign(signable, &params).unwrap().into_parts();
    instructions.apply_to_request_http1x(&mut request);
    // A server sees the path only.
    let target = request
        .uri()
        .path_and_query()
        .unwrap()
        .as_str()
        .parse()
        .unwrap();
    *request.uri_mut() = target;
    request
}

fn in_query() -> SigningSettings {
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(Duration::from_secs(900));
    settings
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_the_official_signer_signs_is_taken_and_nothing_else(
        path in "(/[a-zA-Z0-9_.~%40-]{0,8}){1,4}",
        query in "([a-zA-Z0-9]{1,4}=[a-zA-Z0-9%]{0,4}&){0,3}",
        values in prop::collection::vec("[ -~]{0,20}", 0..4),
        body in prop::collection::vec(any::<u8>(), 0..100),
        presigned in any::<bool>(),
    ) {
        // `%` must start an escape.
        let (path, query) = (path.replace('%', "%2F"), query.replace('%', "%25"));
        let target = match query.trim_end_matches('&') {
            "" => path,
            query => format!("{path}?{query}"),
        };
        let headers: Vec<_> = values
            .into_iter()
            .enumerate()
            .map(|(at, value)| (format!("x-amz-header-{at}"), value.trim().to_owned()))
            .collect();
        let settings = if presigned { in_query() } else { SigningSettings::default() };
        let request = signed(&target, &headers, &body, settings);
        prop_assert_eq!(verify(&request, NOW, "firehose"), Ok("web".to_owned()));

        let mut other_body = request.clone();
        other_body.body_mut().push(b' ');
        prop_assert!(verify(&other_body, NOW, "firehose").is_err());
        let mut other_host = request.clone();
        other_host.headers_mut().insert("host", "localhost".parse().unwrap());
        prop_assert!(verify(&other_host, NOW, "firehose").is_err());
        let mut other_method = request;
        *other_method.method_mut() = http::Method::PUT;
        prop_assert!(verify(&other_method, NOW, "firehose").is_err());
    }
}

proptest! {
    #[test]
    fn no_authorization_is_too_odd_to_be_refused(
        credential in "[a-zA-Z0-9/é%]{0,40}",
        date in "([0-9TZ]{0,17}|20150830T123600Z|[ -~]{0,30})",
        headers in "[a-z;:-]{0,20}",
        rest in "[ -~]{0,40}",
    ) {
        let escaped = |text: &str| {
            let mut query = String::new();
            for byte in text.bytes() {
                query += &format!("%{byte:02X}");
            }
            query
        };
        let header = Request::post("/")
            .header("authorization", format!(
                "AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={headers}, Signature=0{rest}"
            ).replace('é', "e"))
            .header("x-amz-date", date.trim());
        let query = format!(
            "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}&X-Amz-Date={}\
             &X-Amz-SignedHeaders={}&X-Amz-Signature={}&X-Amz-Expires=60",
            escaped(&credential), escaped(&date), escaped(&headers), escaped(&rest),
        );
        for request in [header, Request::post(query)] {
            let request = request.body(Vec::new()).unwrap();
            prop_assert!(verify(&request, NOW, "firehose").is_err());
        }
    }
}

/// A good request, altered; the answer that the client gets.
#[track_caller]
fn check_altered(alter: impl FnOnce(&mut Request<Vec<u8>>), expected: Expect) {
    check_at(SigningSettings::default(), NOW, alter, expected);
}

#[track_caller]
fn check_at(
    settings: SigningSettings,
    now: u64,
    alter: impl FnOnce(&mut Request<Vec<u8>>),
    expected: Expect,
) {
    let mut request = signed("/", &[], b"{}", settings);
    alter(&mut request);
    expected.assert_eq(&match verify(&request, now, "firehose") {
        Ok(name) => format!("ok: {name}"),
        Err(refusal) => {
            let text = refusal.to_string();
            let first = text.lines().next().unwrap_or_default();
            let first = first.split(" Check your AWS").next().unwrap_or_default();
            format!("{}: {first}", refusal.exception())
        }
    });
}

fn set(name: &'static str, value: &str) -> impl FnOnce(&mut Request<Vec<u8>>) {
    let value = value.parse().unwrap();
    move |request| {
        request.headers_mut().insert(name, value);
    }
}

fn replace_in_authorization(from: &str, to: &str) -> impl FnOnce(&mut Request<Vec<u8>>) {
    let (from, to) = (from.to_owned(), to.to_owned());
    move |request| {
        let old = request.headers()["authorization"]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(old.contains(&from), "{old}");
        let new = old.replace(&from, &to).parse().unwrap();
        request.headers_mut().insert("authorization", new);
    }
}

#[test]
fn a_signature_that_is_not_right_is_refused_in_awss_words() {
    check_altered(|_| {}, expect!["ok: web"]);
    check_altered(
        |it| it.body_mut().push(b'x'),
        expect![
            "InvalidSignatureException: The request signature we calculated does not match the signature you provided."
        ],
    );
    check_altered(
        replace_in_authorization("Signature=", "Signature=0"),
        expect![
            "InvalidSignatureException: The request signature we calculated does not match the signature you provided."
        ],
    );
    check_altered(
        replace_in_authorization(ACCESS_KEY, "AKIDSOMEBODYELSE"),
        expect![
            "UnrecognizedClientException: The security token included in the request is invalid."
        ],
    );
    check_altered(
        replace_in_authorization("/firehose/", "/s3/"),
        expect![
            "InvalidSignatureException: Credential should be scoped to correct service: 'firehose'. "
        ],
    );
    check_altered(
        replace_in_authorization("/aws4_request", "/aws5"),
        expect![
            "InvalidSignatureException: Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5'."
        ],
    );
    check_altered(
        replace_in_authorization("/20150830/", "/20150829/"),
        expect![
            "InvalidSignatureException: Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20150829' != '20150830', from '20150830T123600Z'."
        ],
    );
    check_altered(
        replace_in_authorization("/20150830/", "/"),
        expect![
            "IncompleteSignatureException: Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'AKIDEXAMPLE/eu-west-1/firehose/aws4_request'"
        ],
    );
}

#[test]
fn an_authorization_that_is_not_whole_is_told_what_it_lacks() {
    check_altered(
        replace_in_authorization("-HMAC-SHA256", "-HMAC-SHA1"),
        expect!["IncompleteSignatureException: Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA1'."],
    );
    check_altered(
        replace_in_authorization("=host;", "="),
        expect![
            "InvalidSignatureException: 'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
        ],
    );
    check_altered(
        replace_in_authorization("=host;", "=host;x-gone;"),
        expect![
            "InvalidSignatureException: The request is signed with the header 'x-gone', which it does not have."
        ],
    );
    check_altered(
        replace_in_authorization("Credential", "Credentials"),
        expect![
            "IncompleteSignatureException: Authorization header requires 'Credential' parameter. (Hashed with SHA-256 and encoded with Base64) Authorization=p77j0SFhcrEMBRVgSuLKnXjTtmdb2LMVNQJV9wDPdSk="
        ],
    );
    check_altered(
        set("authorization", "Bearer token"),
        expect![
            "IncompleteSignatureException: Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. (Hashed with SHA-256 and encoded with Base64) Authorization=sirDDmH2JNXZ7PrsYu3JMpduFdLxWZgJKX9UIu07OWs="
        ],
    );
}

#[test]
fn headers_that_do_not_fit_the_signature_are_refused() {
    check_altered(
        set("x-amz-date", "20150830T123601Z"),
        expect![
            "InvalidSignatureException: The request signature we calculated does not match the signature you provided."
        ],
    );
    check_altered(
        set("x-amz-date", "yesterday"),
        expect![
            "IncompleteSignatureException: Date must be in ISO-8601 'basic format'. Got 'yesterday'. See http://en.wikipedia.org/wiki/ISO_8601"
        ],
    );
    check_altered(
        |it| {
            it.headers_mut().remove("x-amz-date");
        },
        expect![
            "IncompleteSignatureException: Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. (Hashed with SHA-256 and encoded with Base64) Authorization=Q3aMeQI6XZ1aeQuj3F8K8B4FneUDQ3BET0KhnuizKsc="
        ],
    );
    check_altered(
        |it| {
            it.headers_mut().remove("authorization");
        },
        expect!["MissingAuthenticationTokenException: Missing Authentication Token"],
    );
    check_altered(
        set("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
        expect![
            "InvalidSignatureException: The X-Amz-Content-SHA256 header does not match the body: sign the body (UNSIGNED-PAYLOAD is not taken) and send it unaltered."
        ],
    );
    check_altered(
        set("x-amz-content-sha256", &hex(&[0; 32])),
        expect![
            "InvalidSignatureException: The X-Amz-Content-SHA256 header does not match the body: sign the body (UNSIGNED-PAYLOAD is not taken) and send it unaltered."
        ],
    );
    check_altered(
        set("x-amz-security-token", "a token that nobody gave out"),
        expect!["ok: web"],
    );
    check_altered(
        |it| *it.uri_mut() = "/?X-Amz-Algorithm=AWS4-HMAC-SHA256".parse().unwrap(),
        expect![
            "InvalidSignatureException: Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."
        ],
    );
}

#[test]
fn a_signature_is_good_for_five_minutes_either_way() {
    let header = SigningSettings::default;
    let minutes = 60_000;
    check_at(header(), NOW + 5 * minutes, |_| {}, expect!["ok: web"]);
    check_at(
        header(),
        NOW + 5 * minutes + 1,
        |_| {},
        expect![
            "InvalidSignatureException: Signature expired: 20150830T123600Z is now earlier than 20150830T123600Z (20150830T124100Z - 5 min.)"
        ],
    );
    check_at(header(), NOW - 5 * minutes, |_| {}, expect!["ok: web"]);
    check_at(
        header(),
        NOW - 5 * minutes - 1,
        |_| {},
        expect![
            "InvalidSignatureException: Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T123059Z + 5 min.)"
        ],
    );
}

#[test]
fn a_presigned_request_is_good_for_as_long_as_it_says() {
    let minutes = 60_000;
    check_at(in_query(), NOW + 15 * minutes, |_| {}, expect!["ok: web"]);
    check_at(
        in_query(),
        NOW + 15 * minutes + 1,
        |_| {},
        expect![
            "InvalidSignatureException: Signature expired: 20150830T123600Z is now earlier than 20150830T123600Z (20150830T125100Z - 15 min.)"
        ],
    );
    check_at(
        in_query(),
        NOW - 5 * minutes - 1,
        |_| {},
        expect![
            "InvalidSignatureException: Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T123059Z + 5 min.)"
        ],
    );
    let query = |from: &'static str, to: &'static str| {
        move |it: &mut Request<Vec<u8>>| {
            let uri = it.uri().to_string();
            assert!(uri.contains(from), "{uri}");
            *it.uri_mut() = uri.replace(from, to).parse().unwrap();
        }
    };
    check_at(
        in_query(),
        NOW,
        query("Expires=900", "Expires=901"),
        expect![
            "InvalidSignatureException: The request signature we calculated does not match the signature you provided."
        ],
    );
    check_at(
        in_query(),
        NOW,
        query("Expires=900", "Expires=604801"),
        expect![
            "IncompleteSignatureException: X-Amz-Expires must be a number of seconds from 0 to 604800, got '604801'."
        ],
    );
    check_at(
        in_query(),
        NOW,
        query("X-Amz-Expires", "X-Amz-Expirez"),
        expect![
            "IncompleteSignatureException: AWS query-string parameters must include 'X-Amz-Expires'. Re-examine the query-string parameters."
        ],
    );
    check_at(
        in_query(),
        NOW,
        query("X-Amz-Date", "X-Amz-Dates"),
        expect![
            "IncompleteSignatureException: AWS query-string parameters must include 'X-Amz-Date'. Re-examine the query-string parameters."
        ],
    );
}

#[test]
fn the_date_header_of_http_may_date_a_signature() {
    let text = "Sun, 30 Aug 2015 12:36:00 GMT";
    let head = |name: &str, value: &str| {
        let authorization = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/r/firehose/\
                             aws4_request, SignedHeaders=host, Signature=00";
        let request = Request::builder()
            .header("authorization", authorization)
            .header(name, value);
        request.body(()).unwrap().into_parts().0
    };
    let dated = Authorization::of(&head("date", text)).unwrap();
    assert_eq!(dated.date_text, "20150830T123600Z");
    assert_eq!(dated.date.as_millis(), NOW);
}
