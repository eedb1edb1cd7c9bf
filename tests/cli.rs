//! The program as people call it: help, exit codes, what goes to which stream.

#[path = "cli/functions.rs"]
mod functions;

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use assert_cmd::Command;
use tempfile::TempDir;

const GOOD: &str = "\
streams:
  demo:
    source: direct_put
    destination:
      s3: { bucket: lake, compression: gzip }
aws:
  default: { region: eu-west-1, access_key_id: AKIA, secret_access_key: hunter2 }
";

fn standpipe(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("standpipe").unwrap();
    // Nothing of whoever runs the tests may leak in.
    command.env_clear().current_dir(folder);
    command
}

/// A folder with a `delivery.yaml`.
fn folder(yaml: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("delivery.yaml"), yaml).unwrap();
    folder
}

/// The exit code and both streams.
fn told(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let mut told = format!("exit code {}\n", output.status.code().unwrap());
    for (name, bytes) in [("output", output.stdout), ("error", output.stderr)] {
        let text = String::from_utf8(bytes).unwrap();
        if !text.is_empty() {
            write!(told, "--- {name}\n{text}").unwrap();
        }
    }
    told
}

/// Compares with `tests/snapshots/`, but for what differs from run to run.
fn check(name: &str, told: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.add_filter(r"standpipe \d+\.\d+\.\d+", "standpipe [version]");
    settings.add_filter(r"\d{4}/\d\d/\d\d/\d\d/", "[yyyy/MM/dd/HH]/");
    settings.add_filter(
        r"\d{4}(-\d\d){5}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        "[time]-[uuid]",
    );
    settings.add_filter(r"(127\.0\.0\.1|localhost):\d{5}", "$1:[port]");
    settings.add_filter(r"\d+\.\d{3} s\b", "[seconds] s");
    settings.add_filter(
        r#""took_seconds": [0-9.e-]+"#,
        r#""took_seconds": [seconds]"#,
    );
    settings.bind(|| insta::assert_snapshot!(name, told));
}

#[test]
fn help_is_worth_reading() {
    let folder = tempfile::tempdir().unwrap();
    for command in [
        "",
        "run",
        "check",
        "put",
        "storage",
        "storage ls",
        "storage verify",
        "test-transformer",
    ] {
        let words = command.split_whitespace().chain(["--help"]);
        let told = told(standpipe(folder.path()).args(words));
        check(&format!("help {command}").trim().replace(' ', "_"), &told);
    }
}

#[test]
fn help_can_be_asked_for_by_its_own_word() {
    let folder = tempfile::tempdir().unwrap();
    for (word, flag) in [
        (&["help"][..], &["--help"][..]),
        (&["help", "put"], &["put", "--help"]),
        (&["help", "storage", "ls"], &["storage", "ls", "--help"]),
    ] {
        let asked = |words: &[&str]| told(standpipe(folder.path()).args(words));
        assert_eq!(asked(word), asked(flag));
    }
}

#[test]
fn the_version_is_said() {
    check("version", &told(standpipe(Path::new(".")).arg("--version")));
}

#[test]
fn a_bad_command_line_is_64() {
    for arguments in [
        &["dance"][..],
        &[],
        &["run", "--sing"],
        &["put"],
        &["put", "a b"],
        &["put", "demo", "--endpoint", "foo"],
        &["put", "demo", "--endpoint", "ftp://127.0.0.1:1"],
        &["put", "demo", "--endpoint", "http://127.0.0.1:1/some/path"],
        &["put", "demo", "--endpoint", "http://me@127.0.0.1:1"],
        &[
            "put",
            "demo",
            "--endpoint",
            "http://127.0.0.1:1",
            "--token-file",
            "nowhere",
        ],
        &[
            "put",
            "demo",
            "--endpoint",
            "http://127.0.0.1:1",
            "--token-file",
            "/dev/null",
        ],
        &["test-transformer"],
        &["test-transformer", "functions.example"],
        &["test-transformer", "--lambda", "a b"],
        &["test-transformer", "http://f/", "--lambda", "f"],
        &["test-transformer", "http://f/", "--stream", "s"],
        &["test-transformer", "--lambda", "f", "--stream", "s"],
    ] {
        let output = standpipe(Path::new(".")).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

/// The unit of docs/operations.md does not start again what ends with 78.
#[test]
fn what_no_restart_mends_is_78() {
    let yaml = "storage: { directory: data }\nlisten: { firehose: { address: \"127.0.0.1:0\" }, \
                admin: { address: \"127.0.0.1:0\" } }\n\
                streams: { clicks: { source: direct_put, destination: { directory: { path: out } } } }\n";
    let folder = folder(yaml);
    let name = "segment-00000000000000000001.log";
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/log-v1/clean");
    let mut newer = std::fs::read(fixture.join(name)).unwrap();
    for copy in [0, 4096] {
        newer[copy + 8] = 2;
        let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, &newer[copy..copy + 12]);
        newer[copy + 12..copy + 16].copy_from_slice(&(crc as u32).to_le_bytes());
    }
    std::fs::create_dir(folder.path().join("data")).unwrap();
    std::fs::write(folder.path().join("data").join(name), newer).unwrap();
    let output = standpipe(folder.path()).arg("run").output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("knows formats up to 1"), "{error}");
    assert_eq!(output.status.code(), Some(78), "{error}");
}

#[test]
fn check_prints_what_it_understood_and_touches_nothing() {
    let folder = folder(GOOD);
    let told = told(
        standpipe(folder.path())
            .arg("check")
            .env("STANDPIPE_LOG__LEVEL", "debug"),
    );
    check("check", &told);
    assert!(!told.contains("hunter2"));
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 1, "only delivery.yaml is there");
}

#[test]
fn check_speaks_json() {
    let folder = folder(GOOD);
    check(
        "check_json",
        &told(standpipe(folder.path()).args(["check", "--json"])),
    );
    let bad = self::folder("streams: { demo: {} }\n");
    check(
        "check_json_bad",
        &told(standpipe(bad.path()).args(["check", "--json"])),
    );
}

#[test]
fn check_shows_an_example_of_whatever_a_stream_may_write() {
    let folder = folder(
        "streams:\n  demo:\n    source: direct_put\n    \
         transform: { http: { url: \"http://127.0.0.1:8000/\" } }\n    \
         destination: { http_endpoint: { url: \"http://127.0.0.1:8080/\" } }\n    \
         failed_output: { directory: { path: failed, prefix: demo/ } }\n    \
         source_backup: { directory: { path: all, compression: gzip } }\n",
    );
    let text = told(standpipe(folder.path()).arg("check"));
    let (_, text) = text.split_once("objects, for example").unwrap();
    let json = told(standpipe(folder.path()).args(["check", "--json"]));
    let (_, json) = json.split_once("\"streams\"").unwrap();
    let (json, _) = json.split_once("\"values\"").unwrap();
    check("check_examples", &format!("{text}---{json}"));
}

#[test]
fn a_bad_configuration_is_78_for_every_command() {
    let folder =
        folder("storage: { max_size: 5 megs }\nstreams: { demo: { source: direct_put } }\n");
    for command in [&["check"][..], &["run"], &["put", "demo"]] {
        let output = standpipe(folder.path()).args(command).output().unwrap();
        assert_eq!(output.status.code(), Some(78), "{command:?}");
    }
    check("check_bad", &told(standpipe(folder.path()).arg("check")));
    let nowhere = tempfile::tempdir().unwrap();
    check(
        "check_nowhere",
        &told(standpipe(nowhere.path()).arg("check")),
    );
}

#[test]
fn storage_says_what_is_not_a_storage_directory() {
    let folder = tempfile::tempdir().unwrap();
    let mut said = String::new();
    for command in ["ls", "verify"] {
        let mut standpipe = standpipe(folder.path());
        said += &told(standpipe.args(["storage", command, "--directory", "nowhere/at/all"]));
    }
    check("storage_missing", &said);
    std::fs::create_dir(folder.path().join("data")).unwrap();
    let mut empty = standpipe(folder.path());
    said = told(empty.args(["storage", "ls", "--directory", "data"]));
    let mut empty = standpipe(folder.path());
    said += &told(empty.args(["storage", "verify", "--directory", "data", "--json"]));
    check("storage_empty", &said);
}

#[test]
fn storage_tells_what_waits_for_whom_and_what_became_of_the_parts_of_a_batch() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/log-v1/answered");
    let mut said = String::new();
    for more in [&[][..], &["--json"]] {
        let mut ls = standpipe(Path::new("."));
        ls.args(["storage", "ls", "--directory"]).arg(&fixture);
        said += &told(ls.args(more));
    }
    check("storage_answers", &said);
}

/// A server that answers each request with the next of `answers`, and hands back what it was sent.
fn server(answers: &'static [(&str, &str)]) -> (SocketAddr, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = move || {
        let mut requests = Vec::new();
        let mut connection: Option<BufReader<TcpStream>> = None;
        for (status, body) in answers {
            let reader =
                connection.get_or_insert_with(|| BufReader::new(listener.accept().unwrap().0));
            requests.push(request(reader));
            let length = body.len();
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n");
            reader
                .get_mut()
                .write_all(format!("{head}{body}").as_bytes())
                .unwrap();
        }
        requests
    };
    (address, thread::spawn(serve))
}

/// Its headers that matter, and its body.
fn request(reader: &mut impl BufRead) -> String {
    let (mut told, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
        if ["x-amz-target", "authorization", "POST"]
            .iter()
            .any(|wanted| line.starts_with(wanted))
        {
            writeln!(told, "{}", line.split(" Credential=").next().unwrap()).unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    told + &String::from_utf8(body).unwrap()
}

#[test]
fn put_repeats_what_was_not_taken_and_counts_what_was() {
    let (address, requests) = server(&[
        (
            "200 OK",
            r#"{"FailedPutCount":1,"RequestResponses":[{"RecordId":"1"},{"ErrorCode":"ServiceUnavailableException","ErrorMessage":"Slow down."},{"RecordId":"3"}]}"#,
        ),
        (
            "503 Service Unavailable",
            r#"{"__type":"ServiceUnavailableException","message":"Slow down."}"#,
        ),
        (
            "200 OK",
            r#"{"FailedPutCount":0,"RequestResponses":[{"RecordId":"2"}]}"#,
        ),
    ]);
    let mut told = told(
        standpipe(Path::new("."))
            .args(["put", "demo", "--endpoint", &format!("http://{address}")])
            .write_stdin("a\nb\nc\n"),
    );
    for request in requests.join().unwrap() {
        writeln!(told, "--- request\n{request}").unwrap();
    }
    check("put", &told);
}

#[test]
fn put_says_why_it_was_refused_and_what_was_taken_before() {
    let (address, requests) = server(&[(
        "400 Bad Request",
        r#"{"__type":"ResourceNotFoundException","message":"Firehose demo under account 000000000000 not found."}"#,
    )]);
    let told = told(
        standpipe(Path::new("."))
            .args(["put", "demo", "--endpoint", &format!("http://{address}")])
            .env("AWS_ACCESS_KEY_ID", "AKIA")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .write_stdin("a\n"),
    );
    let request = requests.join().unwrap().pop().unwrap();
    check("put_refused", &format!("{told}--- request\n{request}"));
}

#[test]
fn put_says_that_nobody_listens() {
    // Bound and never accepted from would hang; bound and gone refuses.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let told = told(
        standpipe(Path::new("."))
            .args([
                "put",
                "demo",
                "--endpoint",
                &format!("http://127.0.0.1:{port}"),
            ])
            .write_stdin("a\n"),
    );
    check("put_unreachable", &told);
}

#[test]
fn put_bears_the_token_of_a_file_and_puts_lines_as_they_are() {
    let (address, requests) = server(&[("200 OK", r#"{"records":2,"first":"1","last":"2"}"#)]);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), "open-sesame\n").unwrap();
    let endpoint = format!("http://{address}");
    let mut put = standpipe(folder.path());
    put.args([
        "put",
        "demo",
        "--endpoint",
        &endpoint,
        "--token-file",
        "token",
    ]);
    let told = told(put.write_stdin("a\nb\n"));
    let request = requests.join().unwrap().pop().unwrap();
    check("put_token", &format!("{told}--- request\n{request}"));
}

/// A daemon of which nobody knows the authority: its certificate is answered, and two connections
/// are taken.
fn private_server(is_ca: rcgen::IsCa) -> (SocketAddr, String) {
    let signing_key = rcgen::KeyPair::generate().unwrap();
    let mut made = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    made.is_ca = is_ca;
    let cert = made.self_signed(&signing_key).unwrap();
    let key = signing_key.serialize_der().try_into().unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key);
    let config = Arc::new(config.unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for _ in 0..2 {
            let (socket, _) = listener.accept().unwrap();
            let session = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut stream = rustls::StreamOwned::new(session, socket);
            // Whoever does not trust us leaves at once.
            if stream.conn.complete_io(&mut stream.sock).is_err() {
                continue;
            }
            let mut stream = BufReader::new(stream);
            request(&mut stream);
            let body = r#"{"FailedPutCount":0,"RequestResponses":[{"RecordId":"1"}]}"#;
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            let answer = format!("{head}{body}");
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    });
    (address, cert.pem())
}

#[test]
fn put_trusts_the_authority_that_it_is_shown() {
    let (address, pem) = private_server(rcgen::IsCa::NoCa);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.crt"), pem).unwrap();
    let endpoint = format!("https://localhost:{}", address.port());
    let mut said = String::new();
    for ca_file in [&[][..], &["--ca-file", "ca.crt"], &["--ca-file", "nowhere"]] {
        let mut put = standpipe(folder.path());
        put.args(["put", "demo", "--endpoint", &endpoint]);
        said += &told(put.args(ca_file).write_stdin("a\n"));
    }
    check("put_ca_file", &said);
}

#[test]
fn put_says_what_is_wrong_with_the_certificate_that_openssl_makes_unless_told_otherwise() {
    let any = rcgen::BasicConstraints::Unconstrained;
    let (address, pem) = private_server(rcgen::IsCa::Ca(any));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.crt"), pem).unwrap();
    let endpoint = format!("https://localhost:{}", address.port());
    let mut put = standpipe(folder.path());
    put.args([
        "put",
        "demo",
        "--endpoint",
        &endpoint,
        "--ca-file",
        "ca.crt",
    ]);
    check("put_authority", &told(put.write_stdin("a\n")));
}

#[test]
fn put_says_at_once_that_tls_is_answered() {
    let (address, _) = private_server(rcgen::IsCa::NoCa);
    let mut put = standpipe(Path::new("."));
    put.args(["put", "demo", "--endpoint", &format!("http://{address}")]);
    check("put_http_to_tls", &told(put.write_stdin("a\n")));
}

#[test]
fn a_start_says_what_is_wrong_with_the_storage_directory_and_where_it_is() {
    let folder = folder(
        "listen: { firehose: { address: \"127.0.0.1:0\" }, admin: { address: \"127.0.0.1:0\" } }\n\
         log: { level: error }\n\
         streams: { demo: { source: direct_put, destination: { directory: { path: out } } } }\n",
    );
    std::fs::write(folder.path().join("file"), "").unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path().join("dangling")).unwrap();
    let mut said = String::new();
    for directory in ["file", "dangling", "no/such/parent"] {
        let mut run = standpipe(folder.path());
        run.env(
            "STANDPIPE_STORAGE__DIRECTORY",
            folder.path().join(directory),
        );
        said += &told(run.arg("run"));
    }
    // SIGXFSZ would end it without a word.
    let mut run = Command::new("sh");
    run.env_clear().current_dir(folder.path());
    run.env("STANDPIPE_STORAGE__DIRECTORY", folder.path().join("data"));
    run.args(["-c", "ulimit -f 10000; exec \"$0\" run"]);
    said += &told(run.arg(assert_cmd::cargo::cargo_bin("standpipe")));
    let at = folder.path().display().to_string();
    check("run_storage", &said.replace(&at, "[folder]"));
}

#[test]
fn a_good_function_passes_every_trial() {
    let url = format!("http://{}/f?key=secret", functions::serve(functions::good));
    let folder = tempfile::tempdir().unwrap();
    let told = told(standpipe(folder.path()).args(["test-transformer", &url]));
    check("test_transformer_good", &told);
}

// From review: what only the configuration can reach could not be tested.
#[test]
fn a_stream_s_function_is_reached_as_the_daemon_would() {
    let url = format!("http://{}/f?key=secret", functions::serve(functions::good));
    let folder = folder(
        "\
streams:
  plain: { source: direct_put, destination: { directory: { path: ./out } } }
  enriched:
    source: direct_put
    transform: { http: { url: { file: url } } }
    destination: { directory: { path: ./out } }
",
    );
    std::fs::write(folder.path().join("url"), url).unwrap();
    let test = |stream: &str| {
        let words = ["test-transformer", "--stream", stream];
        told(standpipe(folder.path()).args(words))
    };
    check("test_transformer_good", &test("enriched"));
    check(
        "test_transformer_of_streams",
        &(test("plain") + &test("other")),
    );
}

#[test]
fn a_bad_function_is_told_what_it_got_wrong() {
    let url = format!("http://{}/", functions::serve(functions::bad));
    let folder = tempfile::tempdir().unwrap();
    let text = told(standpipe(folder.path()).args(["test-transformer", &url]));
    check("test_transformer_bad", &text);
    let samples = "one\ntwo\n".repeat(300);
    std::fs::write(folder.path().join("samples"), samples).unwrap();
    let json = ["test-transformer", &url, "--json", "--records", "samples"];
    let json = told(standpipe(folder.path()).args(json));
    check("test_transformer_bad_json", &json);
}

#[test]
fn test_transformer_blames_no_function_that_it_could_not_ask() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("empty"), "").unwrap();
    let url = format!("http://{}/", functions::serve(functions::good));
    let mut said = String::new();
    for arguments in [
        &["--lambda", "enrich", "--endpoint", "http://127.0.0.1:1"][..],
        &["--records", "empty", &url],
    ] {
        let mut test = standpipe(folder.path());
        test.env("AWS_EC2_METADATA_DISABLED", "true");
        said += &told(test.arg("test-transformer").args(arguments));
    }
    check("test_transformer_unasked", &said);
}

#[test]
fn test_transformer_says_that_nobody_listens() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("http://me:hunter2@127.0.0.1:{port}/?key=hunter2");
    let told = told(standpipe(Path::new(".")).args(["test-transformer", &url]));
    assert!(!told.contains("hunter2"), "{told}");
    check("test_transformer_unreachable", &told);
}
