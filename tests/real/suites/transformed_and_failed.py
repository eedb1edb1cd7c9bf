"""100,000 numbers go through a function to S3, an HTTP endpoint and Splunk, over a killed daemon.

Each number must lie in exactly the place where it belongs. Towards the endpoint and Splunk a kill
may repeat whole requests, and nothing else.
"""

import collections
import contextlib
import random
import time

from clients import boto
from harness import buckets, failed_output, putting, receivers, transformed
from harness.daemon import QUICK, Daemon
from harness.lambda_servers import PlainHttp
from harness.receivers import Telegraf
from harness.relay import REQUEST_ID, Relay
from harness.s3_servers import Versitygw
from harness.splunk_hec import Collector, Token
from harness.suite import wait_for

RECORDS = 100_000
KILLS = 8
# So that a kill finds requests that were taken and not yet answered.
ANSWER_DELAY = 0.3
BUCKET = "numbers"
HEC_TOKEN = "11111111-2222-3333-4444-555555555555"
STREAMS = ["s3", "http-endpoint", "splunk"]


def run(suite):
    seed = random.randrange(2**32)
    suite.note(f"seed {seed}")
    dice = random.Random(seed)
    server = Versitygw(suite).start()
    server.bucket(BUCKET)
    telegraf = Telegraf(suite)
    telegraf.start()
    relay = suite.enter(Relay(telegraf.port, answer_delay=ANSWER_DELAY, watched=REQUEST_ID))
    collector = suite.enter(Collector({HEC_TOKEN: Token()}, false_polls=1))
    function = PlainHttp(suite, transformed.FUNCTION).start()
    daemon = start_daemon(suite, server, relay, collector, function)
    producers = put_and_kill(suite, daemon, relay, dice)

    books = {stream: daemon.books_at_rest(stream, 90) for stream in STREAMS}
    suite.equal("the daemon stops with exit code 0", 0, daemon.stop())
    suite.check("no task of it panicked", "a task panicked" not in daemon.output())
    code, output = daemon.verify_storage()
    suite.check(f"the log verifies offline after {KILLS} kills", code == 0, output)
    delivered = {
        "s3": lines(server, "s3/good/"),
        "http-endpoint": taken_by(suite, telegraf, books["http-endpoint"]["delivered"]),
        "splunk": collector.data().splitlines(keepends=True),
    }
    for stream, producer in producers.items():
        found = transformed.Found(
            acknowledged=producer.numbers(),
            delivered=delivered[stream],
            failed=failed_output.read(server.client(), BUCKET, f"{stream}/bad/"),
            source=lines(server, f"{stream}/source/"),
            may_repeat=stream != "s3",
            books=books[stream],
        )
        transformed.judge(suite, stream, found)
    ids = [id for _, id in relay.seen]
    suite.note(f"http-endpoint: {len(ids)} requests, {len(set(ids))} of them different")
    judge_requests(suite, collector)


def start_daemon(suite, server, relay, collector, function):
    endpoint = {
        "url": f"http://127.0.0.1:{relay.port}/firehose",
        "access_key": {"env": "ENDPOINT_KEY"},
        "content_encoding": "gzip",
        "common_attributes": {"environment": "production"},
    }
    splunk = {"url": collector.endpoint, "token": {"env": "HEC_TOKEN"}}
    bad = "s3/bad/!{firehose:error-output-type}/!{timestamp:yyyy}/"
    s3 = in_bucket("s3/good/") | {"error_output_prefix": bad}
    streams = {
        "s3": stream("s3", function, {"s3": s3}),
        "http-endpoint": stream("http-endpoint", function, {"http_endpoint": endpoint}),
        "splunk": stream("splunk", function, {"splunk": splunk}),
    }
    # More records than a request may have: each batch goes out in parts (D5).
    streams["http-endpoint"]["buffering"] = {"size": "5MiB", "interval": "4s"}
    for name in ["http-endpoint", "splunk"]:
        streams[name]["failed_output"] = {"s3": in_bucket(f"{name}/bad/")}
    return Daemon(
        suite,
        streams,
        profiles={"s3": server.profile()},
        secrets=server.secrets | {"ENDPOINT_KEY": receivers.ACCESS_KEY, "HEC_TOKEN": HEC_TOKEN},
        # What waits in the backup has a minute's time, which nobody has here.
        shutdown={"mode": "deliver"},
    ).start()


def stream(name, function, destination):
    return {
        "source": "direct_put",
        "transform": {
            "http": {"url": function.url},
            "buffering": {"size": "0.2MiB", "interval": "1s"},
        },
        "buffering": QUICK,
        "destination": destination,
        "source_backup": {
            "s3": in_bucket(f"{name}/source/"),
            "buffering": {"size": "1MiB", "interval": "60s"},
        },
    }


def in_bucket(prefix):
    return {"profile": "s3", "bucket": BUCKET, "prefix": prefix}


def put_and_kill(suite, daemon, relay, dice):
    """Kills the daemon each time another share is acknowledged; the last time when all is. Every
    other time it waits for a request to the endpoint."""
    account = putting.producer_account(daemon)
    producers = {
        stream: suite.enter(transformed.Producer(boto.Boto(), account, stream, RECORDS))
        for stream in STREAMS
    }

    def share():
        numbers = sum(len(producer.acknowledged) for producer in producers.values())
        return numbers / RECORDS / len(STREAMS)

    for kill in range(1, KILLS + 1):
        wait_for(f"share {kill} of {KILLS}", lambda: kill / KILLS <= share(), 90, pause=0.02)
        if kill % 2 == 0:
            before = relay.bytes_up
            # If all have gone out already, it is killed all the same.
            with contextlib.suppress(TimeoutError):
                wait_for("a request", lambda: before < relay.bytes_up, 10, pause=0.02)
        time.sleep(dice.uniform(0, ANSWER_DELAY))
        daemon.kill()
        daemon.start()
    for stream, producer in producers.items():
        producer.stop()
        suite.note(f"{stream}: {producer.put} put, {len(producer.acknowledged)} acknowledged")
        suite.check(f"{stream}: all are put", producer.is_done(), repr(producer.failure))
    return producers


def lines(server, prefix):
    found = buckets.read(server.client(), BUCKET, prefix)
    return [line for item in found for line in item.body.splitlines(keepends=True)]


def taken_by(suite, telegraf, least):
    """What Telegraf wrote down, which it does a moment after it answered."""
    wait_for(
        "Telegraf to write it down", lambda: least <= len(telegraf.records()), 20, pause=0.5
    )
    records = telegraf.records()
    environments = {environment for _, environment in records}
    suite.equal("http-endpoint: with its attributes", {"production"}, environments)
    return [text.encode() for text, _ in records]


def judge_requests(suite, collector):
    """D5: a request that is repeated is repeated whole, so no number is in two that differ."""
    bodies = {taken.body for taken in collector.taken}
    numbers = collections.Counter(
        transformed.number_of(line) for body in bodies for line in body.splitlines()
    )
    transformed.none(
        suite, "splunk: only whole requests are repeated", transformed.doubled(numbers)
    )
    suite.note(f"splunk: {len(collector.taken)} requests, {len(bodies)} of them different")
    unsettled = [taken for taken in collector.taken if not taken.acknowledged]
    # Those whose channel died with the daemon.
    unsettled = [it for it in unsettled if not is_taken_again(collector, it)]
    transformed.none(suite, "splunk: each is acknowledged, or was sent again", unsettled)


def is_taken_again(collector, unsettled):
    return any(
        taken.body == unsettled.body and taken.acknowledged for taken in collector.taken
    )
