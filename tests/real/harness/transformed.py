"""Numbered lines through a function that drops, fails and adds to them, and where each belongs.

A line follows from its number alone, so whatever comes back can be held against what was put.
The function is functions/sevens_and_elevens.py.
"""

import collections
import dataclasses

from harness import numbered, places

FUNCTION = places.ROOT / "tests" / "real" / "functions" / "sevens_and_elevens.py"

DROPPED, FAILED, DELIVERED = "dropped", "failed", "delivered"


def line(number):
    return f"{number} {'x' * (number * 7919 % 200)}\n".encode()


def number_of(line):
    return int(line.split(b" ", 1)[0])


def place(number):
    """Where the function sends it."""
    if number % 7 == 0:
        return DROPPED
    return FAILED if number % 11 == 0 else DELIVERED


def is_answer(text):
    """Whether this is a line as it was put, with the function's word behind it."""
    as_put, _, word = text.rstrip(b"\n").rpartition(b" ")
    return bool(word) and as_put + b"\n" == line(number_of(text))


class Producer(numbered.Producer):
    """Puts lines as fast as they are taken, until so many are acknowledged."""

    # As many as a call takes.
    records_per_batch = 500
    pause = 0

    def __init__(self, client, account, stream, enough):
        super().__init__(client, account, stream, seed=0)
        self._enough = enough

    def line(self, number):
        return line(number)

    def is_done(self):
        return self._enough <= len(self.acknowledged)

    def numbers(self):
        """What was acknowledged."""
        return {number for _, number in self.acknowledged}


@dataclasses.dataclass
class Found:
    """What lies where, of one stream, after the daemon is done."""

    acknowledged: set
    # Lines of the destination.
    delivered: list
    # Lines of the failed output (failed_output.py).
    failed: list
    # Lines of the source record backup; None if the stream has none.
    source: list | None
    # Whether a request may have been repeated.
    may_repeat: bool
    books: dict


def judge(suite, stream, found):
    """Each number in exactly the place where it belongs, with exactly the bytes it should have."""
    delivered = collections.Counter(map(number_of, found.delivered))
    failed = collections.Counter(number_of(one.data) for one in found.failed)
    for where, numbers in [(DELIVERED, delivered), (FAILED, failed)]:
        expected = {number for number in found.acknowledged if place(number) == where}
        none(suite, f"{stream}: every number is {where} that should be", expected - numbers.keys())
        strays = [number for number in numbers if place(number) != where]
        none(suite, f"{stream}: and no other is", strays)
    none(suite, f"{stream}: no number is in the failed output twice", doubled(failed))
    judge_delivered(suite, stream, found, delivered)
    spoilt = [one for one in found.failed if one.data != line(number_of(one.data))]
    none(suite, f"{stream}: lines of the failed output decode to the bytes as put", spoilt)
    codes = {(one.kind, one.code, one.attempts) for one in found.failed}
    expected = {("processing-failed", "Lambda.ProcessingFailedStatus", 1)}
    suite.equal(f"{stream}: they say why", expected, codes)
    if found.source is not None:
        judge_source(suite, stream, found, delivered.keys() | failed.keys())
    judge_books(suite, stream, found, len(delivered), len(failed))


def judge_delivered(suite, stream, found, delivered):
    spoilt = [text for text in found.delivered if not is_answer(text)]
    none(suite, f"{stream}: what is delivered is what was put and a word of the function's", spoilt)
    if found.may_repeat:
        # D1: the function says something else each time it is asked.
        answers = collections.Counter(map(number_of, set(found.delivered)))
        none(suite, f"{stream}: what is repeated is repeated to the byte", doubled(answers))
        suite.note(f"{stream}: {len(doubled(delivered))} numbers came more than once")
    else:
        none(suite, f"{stream}: no number is delivered twice", doubled(delivered))


def judge_source(suite, stream, found, elsewhere):
    source = collections.Counter(map(number_of, found.source))
    missing = (found.acknowledged | elsewhere) - source.keys()
    none(suite, f"{stream}: the source backup has every number", missing)
    none(suite, f"{stream}: and none twice", doubled(source))
    spoilt = [text for text in found.source if text != line(number_of(text))]
    none(suite, f"{stream}: all as they were put", spoilt)
    suite.equal(f"{stream}: as many as were accepted", found.books["accepted"], len(source))
    dropped = sum(1 for number in source if place(number) == DROPPED)
    suite.equal(f"{stream}: as many dropped as its books say", found.books[DROPPED], dropped)


def judge_books(suite, stream, found, delivered, failed):
    """C1, over all lives."""
    books = found.books
    rested = sum(records for name, records in books.items() if name != "accepted")
    suite.check(f"{stream}: its books balance", 0 < books["accepted"] == rested, books)
    counted = {DELIVERED: delivered, FAILED: failed}
    suite.equal(f"{stream}: and are true", {name: books[name] for name in counted}, counted)


def doubled(counted):
    return sorted(number for number, times in counted.items() if 1 < times)


def none(suite, story, culprits):
    """Shows a few of those that should not be there."""
    few = sorted(culprits, key=str)[:20]
    suite.check(story, not few, f"{len(culprits)}, among them {few!r:.1500}")
