"""Bad requests of every kind are answered as the service answers, and store nothing."""

import base64
import datetime
import json

from harness import buckets
from harness.daemon import PRODUCER_KEY, PRODUCER_SECRET, Daemon, direct_put
from harness.raw_http import send, send_bytes, sign
from harness.suite import wait_for

STREAM = "orders"
DATA = base64.b64encode(b"never stored\n").decode()
RECORD = {"Data": DATA}
GOOD = {"DeliveryStreamName": STREAM, "Record": RECORD}
BATCH = {"DeliveryStreamName": STREAM}
MAX_RECORD_BYTES = 1_024_000


def zeros(count):
    return {"Data": base64.b64encode(bytes(count)).decode()}


TOO_LARGE = zeros(MAX_RECORD_BYTES + 1)
FULL = zeros(MAX_RECORD_BYTES)

# By exception: what it is, operation, body.
BAD_BODIES = {
    "ResourceNotFoundException": [
        ("an unknown stream", "PutRecord", GOOD | {"DeliveryStreamName": "nowhere"}),
    ],
    "SerializationException": [
        ("malformed JSON", "PutRecord", b'{"DeliveryStreamName":'),
        ("no JSON object", "PutRecord", b"[1]"),
        ("a number for a name", "PutRecord", GOOD | {"DeliveryStreamName": 7}),
        ("a number for data", "PutRecord", GOOD | {"Record": {"Data": 7}}),
        ("text for records", "PutRecordBatch", BATCH | {"Records": "many"}),
        ("bad base64", "PutRecord", GOOD | {"Record": {"Data": "!!!!"}}),
    ],
    "ValidationException": [
        ("no record", "PutRecord", BATCH),
        ("no data", "PutRecord", GOOD | {"Record": {}}),
        ("no stream name", "PutRecord", {"Record": RECORD}),
        ("an empty batch", "PutRecordBatch", BATCH | {"Records": []}),
        ("501 records", "PutRecordBatch", BATCH | {"Records": [RECORD] * 501}),
        ("an oversized record", "PutRecord", GOOD | {"Record": TOO_LARGE}),
        ("one oversized of a batch", "PutRecordBatch", BATCH | {"Records": [RECORD, TOO_LARGE]}),
    ],
    "InvalidArgumentException": [
        ("an oversized batch", "PutRecordBatch", BATCH | {"Records": [FULL] * 5}),
    ],
    "UnknownOperationException": [
        ("an unknown operation", "PutNothing", GOOD),
    ],
}


def run(suite):
    with suite.part("without producers"):
        unsigned(suite)
    with suite.part("with producers"):
        signatures(suite)


def unsigned(suite):
    daemon = daemon_into_folder(suite, "open", signed=False).start()
    for error, requests in BAD_BODIES.items():
        for story, operation, body in requests:
            answer = send(daemon.put_port, operation, body)
            suite.equal(f"{story}: {error}", (400, error), (answer.status, answer.error()))
    exact = send(daemon.put_port, "PutNothing", GOOD)
    suite.equal(
        "an unknown operation's answer has no more",
        b'{"__type":"UnknownOperationException"}',
        exact.body,
    )
    wrong_ways(suite, daemon)
    broken_transfers(suite, daemon)
    only_good_ones_arrive(suite, daemon)


def wrong_ways(suite, daemon):
    for method, path in [
        ("GET", "/"),
        ("PUT", "/"),
        ("POST", "/nowhere"),
        ("GET", "/v1/streams/orders/records"),
    ]:
        answer = send(daemon.put_port, "PutRecord", GOOD, method=method, path=path)
        suite.check(f"{method} {path} is refused", 400 <= answer.status < 500, answer)
    answer = send(daemon.put_port, "PutRecord", b"a\n", path="/v1/streams/nowhere/records")
    suite.equal("the plain endpoint knows no such stream", 404, answer.status)


def broken_transfers(suite, daemon):
    body = json.dumps(GOOD).encode()
    head = (
        "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-amz-json-1.1\r\n"
        "X-Amz-Target: Firehose_20150804.PutRecord\r\nConnection: close\r\n"
        "Content-Length: %d\r\n\r\n"
    )
    longer = send_bytes(daemon.put_port, (head % (len(body) - 5)).encode() + body)
    suite.contains(
        "a body longer than announced is refused", "400", longer.decode(errors="replace")[:15]
    )
    send_bytes(daemon.put_port, (head % (len(body) + 50)).encode() + body, then_close=True)
    send_bytes(daemon.put_port, (head % len(body)).encode() + body[:20], then_close=True)
    nonsense = send_bytes(daemon.put_port, b"\x16\x03\x01 not HTTP at all\r\n\r\n")
    suite.check(
        "bytes that are not HTTP are refused", not nonsense.startswith(b"HTTP/1.1 2"), nonsense
    )
    suite.check("the daemon goes on after broken transfers", daemon.is_ready())


def only_good_ones_arrive(suite, daemon):
    """The plain endpoint takes lines; they are all that is ever delivered."""
    lines = b'{"line":1}\n{"line":2}\nthe last has no newline'
    taken = send(daemon.put_port, "", lines, path=f"/v1/streams/{STREAM}/records")
    suite.equal("the plain endpoint takes lines", 200, taken.status)
    suite.contains("its answer says how many", "3", taken.body.decode())
    out = daemon.folder / "out"
    wait_for("the object", lambda: buckets.files(out), 30)
    bodies = [file.read_bytes() for file in buckets.files(out)]
    suite.equal("only what was acknowledged is delivered", [lines], bodies)
    suite.equal("the daemon stops with exit code 0", 0, daemon.stop())


def signatures(suite):
    daemon = daemon_into_folder(suite, "signed", signed=True).start()
    body = json.dumps(GOOD).encode()
    port = daemon.put_port
    long_ago = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=20)

    def signed(key=PRODUCER_KEY, secret=PRODUCER_SECRET, **scope):
        return sign(port, body, key, secret, **scope)

    good = signed()
    for story, headers, sent, error in [
        ("no signature", {}, body, "MissingAuthenticationTokenException"),
        ("an unknown key", signed(key="AKIANOBODY"), body, "UnrecognizedClientException"),
        ("a wrong secret", signed(secret="wrong"), body, "InvalidSignatureException"),
        ("an altered body", good, body + b" ", "InvalidSignatureException"),
        ("an expired date", signed(at=long_ago), body, "InvalidSignatureException"),
        ("another service's scope", signed(service="s3"), body, "InvalidSignatureException"),
    ]:
        answer = send(port, "PutRecord", sent, headers=headers)
        suite.equal(f"{story}: {error}", (400, error), (answer.status, answer.error()))
    plain = send(port, "", b"a line\n", path=f"/v1/streams/{STREAM}/records")
    suite.check(
        "the plain endpoint wants a signature or a token, too",
        plain.status in (400, 401, 403),
        plain,
    )
    suite.equal(
        "a good signature is taken", 200, send(port, "PutRecord", body, headers=good).status
    )
    elsewhere = sign(port, body, PRODUCER_KEY, PRODUCER_SECRET, region="ap-southeast-7")
    suite.equal("any region is taken", 200, send(port, "PutRecord", body, headers=elsewhere).status)
    suite.equal("the daemon stops with exit code 0", 0, daemon.stop())


def daemon_into_folder(suite, name, *, signed):
    destination = {"directory": {"path": str(suite.folder / name / "out")}}
    return Daemon(suite, {STREAM: direct_put(destination)}, name=name, signed=signed)
