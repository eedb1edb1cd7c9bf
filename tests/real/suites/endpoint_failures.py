"""HTTP endpoints that refuse for good, or for a while, or are not there: what is filed was sent."""

import threading

from harness import filing, transformed
from harness.failed_output import HTTP_ENDPOINT, PROCESSING, SPLUNK
from harness.filing import ENDPOINT_KEY, Filing, Reason, http_endpoint, splunk
from harness.http_endpoint import Endpoint
from harness.lambda_servers import PlainHttp
from harness.places import free_port
from harness.s3_servers import Versitygw

REFUSED = {"HttpEndpoint.DestinationException"}
DOWN = {"HttpEndpoint.ConnectionFailed"}
SMALL = [b"small %d" % number for number in range(20)]
LARGE = [b"large %d" % number for number in range(3)]


def run(suite):
    server = Versitygw(suite).start()
    server.bucket(filing.BUCKET)
    with suite.part("they refuse"):
        refusing(suite, server)
    with suite.part("a kill between the pieces of a batch"):
        killed(suite, server)
    with suite.part("nobody is there"):
        absent(suite, server)


def refusing(suite, server):
    greedy = suite.enter(Endpoint(ENDPOINT_KEY, nothing_large))
    never = suite.enter(Endpoint(ENDPOINT_KEY, lambda *_: 400))
    moody = suite.enter(Endpoint(ENDPOINT_KEY, the_third_time))
    function = PlainHttp(suite, transformed.FUNCTION).start()
    destinations = {
        "large": http_endpoint(greedy.url),
        "never": http_endpoint(never.url, content_encoding="gzip"),
        "moody": http_endpoint(moody.url, retry_duration="60s"),
    }
    bench = Filing(suite, server, "refusing", destinations)
    bench.daemon.configuration["streams"]["never"]["transform"] = {
        "http": {"url": function.url},
        "buffering": {"interval": "0s"},
    }
    bench.start()
    numbers = [transformed.line(number) for number in range(1, 50)]
    mixed = [*SMALL[:5], LARGE[0], SMALL[5], *LARGE[1:], *SMALL[6:]]
    bench.put({"large": mixed, "never": numbers, "moody": SMALL})

    bench.at_rest("large")
    suite.equal("large: the small ones are delivered, in order and once", SMALL, greedy.taken())
    bench.is_filed("large", LARGE, Reason(HTTP_ENDPOINT, REFUSED, "413: "))

    bench.at_rest("never")
    sent = never.requests[0].records
    suite.check("never: it was shown what the function made", all(map(transformed.is_answer, sent)))
    suite.equal("never: its repeats carry one id", 1, len({it.id for it in never.requests}))
    bench.is_filed("never", sent, Reason(HTTP_ENDPOINT, REFUSED, "400: ", range(2, 6)))
    failed = [line for line in numbers if belongs_to_failed(line)]
    by_function = {"Lambda.ProcessingFailedStatus"}
    bench.is_filed("never", failed, Reason(PROCESSING, by_function, "ProcessingFailed status set"))

    bench.all_delivered("moody", len(SMALL))
    suite.equal("moody: with the third attempt", SMALL, moody.taken())
    suite.equal("moody: its repeats carry one id", 1, len({it.id for it in moody.requests}))
    bench.stop()


def nothing_large(request, _):
    return 413 if any(record.startswith(b"large") for record in request.records) else 200


def the_third_time(_, before):
    return 200 if len(before) == 2 else 503


def belongs_to_failed(line):
    return transformed.place(transformed.number_of(line)) == transformed.FAILED


def killed(suite, server):
    under_way, dead = threading.Event(), threading.Event()

    def a_hundred_at_most(request, before):
        if 100 < len(request.records):
            return 413
        if any(one.status == 200 for one in before) and not dead.is_set():
            under_way.set()
            dead.wait(60)
        return 200

    picky = suite.enter(Endpoint(ENDPOINT_KEY, a_hundred_at_most))
    bench = Filing(suite, server, "killed", {"halved": http_endpoint(picky.url)}).start()
    records = [b"record %d" % number for number in range(400)]
    bench.put({"halved": records})
    suite.check("the second piece is under way", under_way.wait(60))
    bench.daemon.kill()
    dead.set()
    bench.start()

    bench.all_delivered("halved", len(records))
    taken = [one for one in picky.requests if one.status == 200]
    suite.equal("the pieces are what they were", [100] * 5, [len(one.records) for one in taken])
    suite.equal("the one under way is repeated under its id", taken[1].id, taken[2].id)
    by_id = {one.id: one.records for one in taken}
    delivered = [record for piece in by_id.values() for record in piece]
    suite.equal("but for that, each record is there once and in order", records, delivered)
    bench.stop()


def absent(suite, server):
    destinations = {
        "endpoint-down": http_endpoint(f"http://127.0.0.1:{free_port()}/"),
        "splunk-down": splunk(f"http://127.0.0.1:{free_port()}"),
        "one-attempt": http_endpoint(f"http://127.0.0.1:{free_port()}/", retry_duration="0s"),
    }
    bench = Filing(suite, server, "absent", destinations).start()
    # Neither text nor lines.
    records = [bytes(range(256)), b"\n", b"\0", "€".encode()]
    bench.put_all(destinations, records)
    reasons = {
        "endpoint-down": Reason(HTTP_ENDPOINT, DOWN, "connect", range(2, 6)),
        # Of Splunk's the retries are counted.
        "splunk-down": Reason(SPLUNK, {"Splunk.InvalidEndpoint"}, "connect", range(1, 5)),
        "one-attempt": Reason(HTTP_ENDPOINT, DOWN, "connect"),
    }
    for stream, reason in reasons.items():
        bench.at_rest(stream)
        bench.is_filed(stream, records, reason)
    bench.stop()
