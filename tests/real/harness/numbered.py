"""Numbered records, and what became of each.

A client that gets no answer goes on under a new number, so that an acknowledged number must be in
the objects exactly once, and any other at most once. Each record carries the time of its put.
"""

import random
import threading
import time

from harness import buckets

RECORDS_PER_BATCH = 40
PADDING_BYTES = (0, 1500)
LINE_BYTES_MAX = PADDING_BYTES[1] + 100
LARGEST_PUT_BYTES = RECORDS_PER_BATCH * LINE_BYTES_MAX


class Producer(threading.Thread):
    """Puts numbered lines, one batch after another, from entering to `stop`, or to leaving."""

    records_per_batch = RECORDS_PER_BATCH
    pause = 0.02

    def __init__(self, client, account, stream, seed):
        super().__init__(daemon=True)
        self.client = client
        self.acknowledged = set()
        self.put = 0
        self.unanswered = 0
        self.failure = None
        self._account = account
        self._stream = stream
        self._dice = random.Random(seed)
        self._stopping = threading.Event()

    def run(self):
        try:
            while not self._stopping.wait(self.pause) and not self.is_done():
                self._put_batch()
        except Exception as failure:
            self.failure = failure

    def is_done(self):
        """Whether it has put enough by itself."""
        return False

    def stop(self):
        """Waits for the answer to the batch in hand."""
        self._stopping.set()
        self.join(90)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()

    def _put_batch(self):
        numbers = range(self.put, self.put + self.records_per_batch)
        # Used up, whatever the answer.
        self.put = numbers.stop
        records = [{"Data": self.line(number)} for number in numbers]
        answer = self.client.call(
            self._account,
            "PutRecordBatch",
            {"DeliveryStreamName": self._stream, "Records": records},
        )
        # A client may take for an answer what a kill cut off behind the first header.
        if answer.error or "RequestResponses" not in answer.value:
            self.unanswered += len(records)
            time.sleep(0.1)
            return
        for number, entry in zip(numbers, answer.value["RequestResponses"], strict=True):
            if entry.get("RecordId"):
                self.acknowledged.add((self.client.name, number))
            else:
                self.unanswered += 1

    def line(self, number):
        head = f"{self.client.name} {number} {time.time():.3f} "
        return (head + "x" * self._dice.randint(*PADDING_BYTES) + "\n").encode()


def identity(line):
    client, number, *_ = line.decode().split(" ")
    return client, int(number)


def _identities(body):
    return map(identity, body.splitlines())


def put_time(line):
    return float(line.split(b" ")[2])


def count(suite, producers, client, bucket, seconds=60):
    """Checks that every acknowledged number is in the bucket once, and no other number twice."""
    acknowledged = set().union(*(producer.acknowledged for producer in producers))
    lines = buckets.collect(client, bucket, _identities, acknowledged, seconds)
    for producer in producers:
        name = producer.client.name
        suite.note(
            f"{name}: {producer.put} put, {len(producer.acknowledged)} acknowledged, "
            f"{producer.unanswered} refused or without an answer"
        )
        suite.check(
            f"{name} runs through to the end", producer.failure is None, repr(producer.failure)
        )
        suite.check(f"{name} was answered at all", producer.acknowledged, "nothing acknowledged")
        lost = sorted(number for who, number in producer.acknowledged if not lines[(who, number)])
        suite.check(
            f"every number acknowledged to {name} is in the objects", not lost, f"lost: {lost}"
        )
    doubled = sorted(line for line, times in lines.items() if 1 < times)
    suite.check("no number is in the objects twice", not doubled, f"more than once: {doubled}")
