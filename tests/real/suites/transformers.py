"""The functions of deploy/transformers, and bad ones, in real runtimes under test-transformer."""

import importlib.util
import json

from harness import environment, places
from harness.lambda_servers import (
    ACCOUNT,
    KEY,
    REGION,
    SECRET,
    Emulator,
    Ministack,
    PlainHttp,
)
from harness.processes import run as run_program

OURS = ["apache_to_json", "redact", "drop_by_level"]
TRANSFORMERS = places.ROOT / "deploy" / "transformers"
FUNCTIONS = places.ROOT / "tests" / "real" / "functions"

SAMPLES = {
    "apache_to_json": (
        b'127.0.0.1 - jo [14/Mar/2026:09:26:53 +0000] "GET / HTTP/1.1" 200 12\n'
        b"no line of Apache's\n"
        # From review: Python refuses to read so long a number, and one record failed them all.
        b'127.0.0.1 - jo [14/Mar/2026:09:26:53 +0000] "GET / HTTP/1.1" 200 ' + 5000 * b"9" + b"\n"
    ),
    "redact": b"jo@mail.example.com paid with 4111 1111 1111 1111\n",
    "drop_by_level": b'{"level":"debug"}\n{"level":"error"}\nno level\n',
}
# Of the samples: how many are taken, dropped, and failed.
COUNTS = {"apache_to_json": (1, 0, 2), "redact": (1, 0, 0), "drop_by_level": (2, 1, 0)}

# What `redact` makes of texts. From review: it left card numbers that stood beside another number.
REDACTED = {
    b"paid 4111111111111111 100 EUR": b"paid [card] 100 EUR",
    b"order 12 4111-1111-1111-1111": b"order 12 [card]",
    b"2026-11-23 3782 822463 10005 404": b"2026-11-23 [card] 404",
    b"no card: 4111111111111112, 1 2 3": b"no card: 4111111111111112, 1 2 3",
    b"jo@mail.example.com": b"[email]",
}

# What a bad function is told for the three samples that the command brings.
FAULTS = {
    "raises": {"Lambda.FunctionError": []},
    "forgets": {"Lambda.DuplicatedRecordId": [1], "Lambda.MissingRecordId": [3]},
    "confuses": {"Lambda.InvalidReturnFormat": [2, 3], "Lambda.JsonProcessingException": [1]},
    "is_silent": {"Lambda.MissingRecordId": [1, 2, 3]},
}


def run(suite):
    with suite.part("redact leaves no card number"):
        redacts(suite)
    with suite.part("ministack runs them"):
        in_ministack(suite)
    with suite.part("AWS's emulator runs them"):
        in_emulator(suite)
    with suite.part("plain HTTP serves them"):
        over_plain_http(suite)


def redacts(suite):
    place = importlib.util.spec_from_file_location("redact", TRANSFORMERS / "redact.py")
    redact = importlib.util.module_from_spec(place)
    place.loader.exec_module(redact)
    for text, expected in REDACTED.items():
        suite.equal(f"{text!r} is redacted", expected, redact.redacted(text))


def examine(suite, *words, samples=None):
    """The report of `standpipe test-transformer`, and its exit code."""
    command = [places.STANDPIPE, "test-transformer", *words, "--json"]
    if samples is not None:
        file = suite.folder / "samples"
        file.write_bytes(samples)
        command += ["--records", file]
    done = run_program(
        command,
        environment=environment.clean(
            suite.folder, AWS_ACCESS_KEY_ID=KEY, AWS_SECRET_ACCESS_KEY=SECRET, AWS_REGION=REGION
        ),
        seconds=300,
    )
    report = json.loads(done.stdout) if done.stdout.startswith("{") else {"error": done.stderr}
    return report, done.returncode


def is_good(suite, where, name, words):
    report, code = examine(suite, *words, samples=SAMPLES[name])
    wrong = [trial for trial in report.get("trials", [report]) if not trial.get("good")]
    suite.equal(f"{name} keeps to the contract in {where}", (0, []), (code, wrong))
    samples = report.get("trials", [{}])[0]
    counts = tuple(samples.get(kind) for kind in ("ok", "dropped", "failed"))
    suite.equal(f"{name} does its work in {where}", COUNTS[name], counts)


def is_bad(suite, where, name, words):
    report, code = examine(suite, *words)
    samples = report.get("trials", [{}])[0]
    found = {wrong["code"]: wrong["records"] for wrong in samples.get("wrong", [])}
    suite.equal(f"{name} is found out in {where}", (1, FAULTS[name]), (code, found))


def in_ministack(suite):
    server = Ministack(suite).start()

    def words(function):
        return ["--lambda", function, "--endpoint", server.endpoint]

    for name in OURS:
        is_good(suite, "ministack", name, words(server.function(TRANSFORMERS / f"{name}.py")))
    for name in FAULTS:
        is_bad(suite, "ministack", name, words(server.function(FUNCTIONS / f"{name}.py")))
    told, _ = examine(suite, *words("raises"))
    suite.contains("the function's own words are shown", "level", json.dumps(told))

    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:redact"
    client = server.client()
    version = client.publish_version(FunctionName="redact")["Version"]
    client.create_alias(FunctionName="redact", Name="live", FunctionVersion=version)
    for qualified in [arn, f"{arn}:$LATEST", f"{arn}:{version}", "redact:live"]:
        _, code = examine(suite, *words(qualified), samples=b"a\n")
        suite.equal(f"a function is found as {qualified}", 0, code)

    late(suite, "ministack", words(server.function(FUNCTIONS / "sleeps.py", seconds=1)))
    swollen(suite, "ministack", words(server.function(FUNCTIONS / "swells.py")))

    throttled = server.function(TRANSFORMERS / "redact.py", "throttled")
    client.put_function_concurrency(FunctionName=throttled, ReservedConcurrentExecutions=0)
    report, code = examine(suite, *words(throttled))
    codes = {wrong["code"] for trial in report["trials"] for wrong in trial["wrong"]}
    suite.equal("throttling is told", (1, {"Lambda.InvokeLimitExceeded"}), (code, codes))

    report, code = examine(suite, *words("nobody"))
    suite.equal("a function that is not there ends it", 1, code)
    suite.contains("and is told", "does not exist", report.get("error", ""))


def in_emulator(suite):
    def both_ways(emulator):
        yield "the emulator", [emulator.url]
        yield "the emulator's Invoke API", ["--lambda", "function", "--endpoint", emulator.endpoint]

    for name in OURS:
        emulator = Emulator(suite, TRANSFORMERS / f"{name}.py").start()
        for where, words in both_ways(emulator):
            is_good(suite, where, name, words)
    for name in FAULTS:
        emulator = Emulator(suite, FUNCTIONS / f"{name}.py").start()
        is_bad(suite, "the emulator", name, [emulator.url])
    emulator = Emulator(suite, FUNCTIONS / "swells.py").start()
    swollen(suite, "the emulator", [emulator.url])


def over_plain_http(suite):
    for name in OURS:
        function = PlainHttp(suite, TRANSFORMERS / f"{name}.py").start()
        is_good(suite, "plain HTTP", name, [function.url])
    _, code = examine(suite, f"http://127.0.0.1:{places.free_port()}/")
    suite.equal("where nobody listens the exit code says so", 69, code)


def late(suite, where, words):
    report, code = examine(suite, *words, samples=b"a\n")
    codes = {wrong["code"] for trial in report["trials"] for wrong in trial["wrong"]}
    suite.equal(
        f"a slow function is told in {where}", (1, {"Lambda.FunctionTimedOut"}), (code, codes)
    )


def swollen(suite, where, words):
    """An answer of 9 MiB is no fault of the function's: fewer records will be shown at once."""
    report, code = examine(suite, *words)
    large = report["trials"][-1]
    suite.equal(f"too large an answer is no broken contract in {where}", 0, code)
    suite.check(
        f"but it is said in {where}",
        any("fewer records at once" in note for note in large["notes"]),
        large,
    )
