"""Four clients put numbered records, the daemon is killed ten times: nothing is lost or doubled.

Then the objects are held against the stream's hints: sizes, ages, order and metadata.
"""

import collections
import random
import time

from clients import boto, command_line, conversation
from harness import buckets, numbered, putting
from harness.daemon import daemon_into_bucket
from harness.s3_servers import Versitygw

KILLS = 10
SECONDS_BETWEEN_KILLS = (1.0, 4.0)
SIZE = 1024 * 1024
INTERVAL = 2
# What a restart, a retry and a busy machine may add to an object's age.
AGE_SLACK = 10
STREAM = "numbered"


def run(suite):
    seed = random.randrange(2**32)
    suite.note(f"seed {seed}")
    dice = random.Random(seed)
    server = Versitygw(suite).start()
    bucket = server.bucket(STREAM)
    hints = {"size": "1MiB", "interval": f"{INTERVAL}s", "low_latency": True}
    daemon = daemon_into_bucket(suite, STREAM, server, hints).start()
    producers = start_producers(suite, daemon, dice)
    for _ in range(KILLS):
        time.sleep(dice.uniform(*SECONDS_BETWEEN_KILLS))
        daemon.kill()
        daemon.start()
    for producer in producers:
        producer.stop()
    numbered.count(suite, producers, server.client(), bucket)
    balance(suite, daemon)
    suite.equal("the daemon stops with exit code 0", 0, daemon.stop())
    code, output = daemon.verify_storage()
    suite.check("the log verifies offline after ten kills", code == 0, output)
    judge(suite, buckets.read(server.client(), bucket))


def start_producers(suite, daemon, dice):
    account = putting.producer_account(daemon)
    clients = [
        boto.Boto(),
        suite.enter(conversation.javascript(suite)),
        suite.enter(conversation.go(suite)),
        command_line.version_2(suite),
    ]
    return [
        suite.enter(numbered.Producer(client, account, STREAM, dice.random())) for client in clients
    ]


def balance(suite, daemon):
    """C1: what was accepted is somewhere, by the daemon's own books, over all its lives."""
    books = daemon.books(STREAM)
    rested = sum(records for name, records in books.items() if name != "accepted")
    suite.check("its books balance across ten kills", 0 < books["accepted"] == rested, books)


def judge(suite, objects):
    suite.note(f"{len(objects)} objects, {sum(len(found.body) for found in objects)} bytes")
    reasons = collections.Counter(found.reason() for found in objects)
    metadata = objects[0].metadata if objects else "no objects"
    suite.check(
        f"each object says why it was cut: {dict(reasons)}",
        objects and None not in reasons,
        metadata,
    )
    for reason in ("size", "interval"):
        suite.check(f"some were cut for {reason}", reasons[reason], f"{dict(reasons)}")
    judge_sizes(suite, objects)
    judge_ages(suite, objects)
    disordered = [found.key for found in objects if not is_in_order(found)]
    suite.check("each client's numbers ascend within an object", not disordered, disordered)
    typed = {found.headers["ContentType"] for found in objects}
    suite.equal("the content type is the service's", {"application/octet-stream"}, typed)


def judge_sizes(suite, objects):
    small = [
        (found.key, len(found.body))
        for found in objects
        if found.reason() == "size" and len(found.body) < SIZE - numbered.LINE_BYTES_MAX
    ]
    suite.check("those cut for size have it", not small, small)
    large = [
        (found.key, len(found.body))
        for found in objects
        if SIZE + numbered.LARGEST_PUT_BYTES < len(found.body)
    ]
    suite.check("none is larger than the size and one put", not large, large)


def judge_ages(suite, objects):
    ages = {found.key: age(found) for found in objects}
    old = [(key, seconds) for key, seconds in ages.items() if INTERVAL + AGE_SLACK < seconds]
    suite.check("none waited much longer than the interval", not old, old)
    hasty = [
        (found.key, ages[found.key])
        for found in objects
        # Times in a bucket are whole seconds.
        if found.reason() == "interval" and ages[found.key] < INTERVAL - 1
    ]
    suite.check("those cut for the interval waited for it", not hasty, hasty)


def age(found):
    """Seconds from the put of its oldest record until it lay in the bucket."""
    return found.stored_at.timestamp() - min(map(numbered.put_time, found.body.splitlines()))


def is_in_order(found):
    latest = {}
    for client, number in map(numbered.identity, found.body.splitlines()):
        if number <= latest.get(client, -1):
            return False
        latest[client] = number
    return True
