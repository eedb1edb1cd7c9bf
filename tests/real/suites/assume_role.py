"""Assume-role with an external id, and credentials that expire several times during the run."""

import time

from harness import buckets, putting
from harness.assume_role import TokenService
from harness.daemon import Daemon, direct_put
from harness.relay import SIGNING_KEY, Relay
from harness.s3_servers import REGION, Minio
from harness.suite import wait_for

BUCKET = "lake"
ROLE = "arn:aws:iam::123456789012:role/lake"
EXTERNAL_ID = "standpipe-real"
BASE_KEY = "AKIAREALBASE00000001"
# The daemon asks again when 60 to 120 seconds are left, so 5 to 65 seconds after each grant.
VALID_SECONDS = 125
SECONDS_TO_SECOND_GRANT = 120


def run(suite):
    server = Minio(suite).start()
    server.bucket(BUCKET)
    service = suite.enter(
        TokenService(
            server, role=ROLE, external_id=EXTERNAL_ID, key=BASE_KEY, seconds=VALID_SECONDS
        )
    )
    relay = suite.enter(Relay(server.port, watched=SIGNING_KEY))
    with suite.part("a wrong external id"):
        held_until_right(suite, server, service, relay)
    with suite.part("credentials that expire"):
        refreshed(suite, server, service, relay)


def daemon_with(suite, service, relay, external_id, name):
    profile = {
        "endpoint": f"http://127.0.0.1:{relay.port}",
        "region": REGION,
        "path_style": True,
        "assume_role": {
            "arn": ROLE,
            "external_id": external_id,
            "endpoint": service.endpoint,
        },
    }
    # The role is assumed with what the SDK's chain finds.
    chain = {
        "AWS_ACCESS_KEY_ID": BASE_KEY,
        "AWS_SECRET_ACCESS_KEY": "basesecretbasesecretbasesecretbasesecret",
        "AWS_REGION": REGION,
    }
    destination = {"s3": {"profile": "lake", "bucket": BUCKET, "prefix": f"{name}/"}}
    return Daemon(
        suite, {name: direct_put(destination)}, name=name, profiles={"lake": profile}, secrets=chain
    )


def bodies(server, prefix):
    return [found.body for found in buckets.read(server.client(), BUCKET, prefix)]


def held_until_right(suite, server, service, relay):
    daemon = daemon_with(suite, service, relay, "a-stranger", "held").start()
    putting.put(daemon, "held", [b"patient\n"])
    wait_for("the refusal", lambda: service.refused, 30)
    # Its answer takes a moment to reach the log.
    wait_for("a word about it", lambda: "AccessDenied" in daemon.output(), 30)
    suite.equal("a refused role delivers nothing", [], bodies(server, "held/"))
    books = daemon.books("held")
    suite.equal("the record is held", (1, 1), (books["accepted"], books["buffered"]))
    suite.equal("the daemon stops with exit code 0", 0, daemon.stop())
    profile = daemon.configuration["aws"]["lake"]
    profile["assume_role"]["external_id"] = EXTERNAL_ID
    daemon.start()
    wait_for("the held record", lambda: bodies(server, "held/"), 30)
    suite.equal("with the right id it is delivered", [b"patient\n"], bodies(server, "held/"))
    daemon.stop()


def refreshed(suite, server, service, relay):
    service.refused.clear()
    service.expiries.clear()
    relay.seen.clear()
    daemon = daemon_with(suite, service, relay, EXTERNAL_ID, "expiring").start()
    lines = []

    def put_line():
        lines.append(f"line {len(lines)}\n".encode())
        putting.put(daemon, "expiring", lines[-1:])
        return 2 <= len(service.expiries)

    wait_for("a second grant", put_line, SECONDS_TO_SECOND_GRANT, pause=1)
    for _ in range(5):
        put_line()
        time.sleep(1)
    expected = b"".join(lines)

    def whole():
        return len(expected) <= sum(map(len, bodies(server, "expiring/")))

    wait_for("everything that was put", whole, 30)
    suite.check(
        "everything arrives while credentials come and go",
        buckets.in_order(bodies(server, "expiring/"), expected),
        bodies(server, "expiring/"),
    )
    granted, objects = len(service.expiries), len(bodies(server, "expiring/"))
    suite.check(
        f"credentials serve for many objects ({granted} grants, {objects} objects)",
        granted < objects,
        granted,
    )
    used = {key for _, key in relay.seen}
    # The last may have been granted after the last object.
    suite.check(
        "each was used in its turn",
        granted - 1 <= len(used) and used <= service.expiries.keys(),
        (used, service.expiries),
    )
    late = [(key, at) for at, key in relay.seen if service.expiries.get(key, 0) < at]
    suite.check("no request was signed with an expired one", not late, late)
    suite.equal("the service refused nothing", [], service.refused)
    suite.equal("the daemon stops with exit code 0", 0, daemon.stop())
