"""Splunk refuses one event, or all, or acknowledges late: nothing is lost, and the bad is filed."""

import json

from harness import filing
from harness.failed_output import SPLUNK
from harness.filing import DISABLED_TOKEN, HEC_TOKEN, Filing, Reason, splunk
from harness.receivers import Lading
from harness.s3_servers import Versitygw
from harness.splunk_hec import Collector, Token
from harness.suite import wait_for

LINES = [b"line %d\n" % number for number in range(30)]
BODY = b"".join(LINES)


def run(suite):
    server = Versitygw(suite).start()
    server.bucket(filing.BUCKET)
    parts = {
        "one event is invalid": invalid_events,
        "it refuses": refusing,
        "it acknowledges, in the end": acknowledging,
        "one that is not ours": not_ours,
    }
    for story, part in parts.items():
        with suite.part(story):
            part(suite, server)


def event(number, **more):
    return json.dumps({"event": f"number {number}"} | more).encode()


def invalid_events(suite, server):
    tokens = {HEC_TOKEN: Token(indexes=("main",))}
    collector = suite.enter(Collector(tokens, false_polls=0))
    bench = Filing(
        suite, server, "events", {"events": splunk(collector.endpoint, format="event")}
    ).start()
    good = [event(number) for number in range(12)]
    blank, stray, broken = event(0, event=""), event(1, index="other"), b"no JSON"
    bench.put({"events": [*good[:4], blank, *good[4:9], broken, stray, *good[9:]]})
    bench.at_rest("events")
    taken = [json.dumps(one).encode() for one in collector.events()]
    suite.equal("the good ones are delivered, in order and once", good, taken)
    found = {one.data: (one.code, one.message) for one in bench.filed("events")}
    expected = {
        blank: ("Splunk.InvalidDataFormat", "Event field cannot be blank"),
        broken: ("Splunk.InvalidDataFormat", "Invalid data format"),
        stray: ("Splunk.InvalidIndex", "Incorrect index"),
    }
    suite.equal("the others are filed", expected.keys(), found.keys())
    for data, (code, text) in expected.items():
        told, message = found.get(data, ("", ""))
        holds = told == code and text in message
        suite.check(f"{data.decode()} is filed as {code}", holds, (told, message))
    bench.stop()


def refusing(suite, server):
    tokens = {HEC_TOKEN: Token(), DISABLED_TOKEN: Token(enabled=False)}
    collector = suite.enter(Collector(tokens, false_polls=0))
    narrow = suite.enter(Collector(tokens, false_polls=0, body_bytes_max=500))
    busy = suite.enter(Collector(tokens, false_polls=0))
    busy.answer_next(9, times=2)
    destinations = {
        "narrow": splunk(narrow.endpoint),
        "disabled": splunk(collector.endpoint, "DISABLED_TOKEN"),
        "busy": splunk(busy.endpoint, retry_duration="60s"),
    }
    bench = Filing(suite, server, "refusing", destinations).start()
    long = b"long " * 200 + b"\n"
    bench.put({"narrow": [*LINES[:10], long, *LINES[10:]], "disabled": LINES, "busy": LINES})

    bench.at_rest("narrow")
    suite.equal("narrow: the others are delivered", BODY, narrow.data())
    # Of Splunk's the retries are counted.
    none = range(1)
    too_large = Reason(SPLUNK, {"Splunk.ServerError.ContentTooLarge"}, "413", none)
    bench.is_filed("narrow", [long], too_large)
    bench.at_rest("disabled")
    disabled = Reason(SPLUNK, {"Splunk.DisabledToken"}, "Token disabled", range(1, 5))
    bench.is_filed("disabled", LINES, disabled)
    bench.all_delivered("busy", len(LINES))
    suite.equal("busy: with the third attempt", [9, 9], busy.refused)
    suite.equal("busy: once", BODY, busy.data())
    bench.stop()


def acknowledging(suite, server):
    """False at first, then true once, then forgotten; forgotten too early; or lost on the way."""
    tokens = {HEC_TOKEN: Token()}
    patient, forgetful, silent = (
        suite.enter(Collector(tokens, false_polls=polls)) for polls in (2, 2, 0)
    )
    silent.lose_next_answer()
    collectors = {"patient": patient, "forgetful": forgetful, "silent": silent}
    destinations = {
        name: splunk(collector.endpoint, retry_duration="60s")
        for name, collector in collectors.items()
    }
    bench = Filing(suite, server, "acknowledging", destinations).start()
    bench.put_all(destinations, LINES)
    wait_for("data to forget", lambda: forgetful.taken, 20, pause=0.02)
    forgetful.forget()
    for stream in destinations:
        bench.all_delivered(stream, len(LINES))
    taken = [(it.body, it.polls, it.acknowledged) for it in patient.taken]
    suite.equal("patient: asked until it is true, and sent once", [(BODY, 3, True)], taken)
    taken = [(it.body, it.acknowledged) for it in forgetful.taken]
    suite.equal("forgetful: sent again", [(BODY, False), (BODY, True)], taken)
    channels = {it.channel for it in forgetful.taken}
    suite.equal("forgetful: on a channel of its own", 2, len(channels))
    taken = [it.body for it in silent.taken]
    suite.equal("silent: a lost answer makes a repeat, and no gap", [BODY, BODY], taken)
    bench.stop()


def not_ours(suite, server):
    lading = Lading(suite)
    lading.start()
    destinations = {
        "lading-raw": splunk(lading.endpoint),
        "lading-events": splunk(lading.endpoint, format="event"),
    }
    bench = Filing(suite, server, "not-ours", destinations).start()
    bench.put({"lading-raw": LINES, "lading-events": [event(number) for number in range(30)]})
    for stream in destinations:
        bench.all_delivered(stream, 30)
    bench.stop()
