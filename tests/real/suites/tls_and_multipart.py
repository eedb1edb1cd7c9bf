"""MinIO over TLS from a private authority: large objects in parts, killed between two of them."""

import os

from harness import buckets, putting
from harness.certificates import Authority
from harness.daemon import Daemon, direct_put
from harness.relay import Relay
from harness.s3_servers import Minio
from harness.suite import wait_for

MIB = 1024 * 1024
BUCKET = "large"
RECORD_BYTES = 1_000_000
RECORDS = 40
# Long enough for all records of a stream to meet in one object.
HINTS = {"size": "128MiB", "interval": "15s", "low_latency": True}
SLOW_BYTES_PER_SECOND = 4 * MIB
MEMORY_MAX = 300 * MIB


def run(suite):
    authority = Authority(suite.make_folder("authority"))
    server = Minio(suite, authority=authority).start()
    server.bucket(BUCKET)
    relay = suite.enter(Relay(server.port, bytes_per_second=SLOW_BYTES_PER_SECOND))
    trusted = {"profile": "s3", "bucket": BUCKET}
    streams = {
        "plain": direct_put({"s3": trusted | {"prefix": "plain/"}}, HINTS),
        "packed": direct_put({"s3": trusted | {"prefix": "packed/", "compression": "gzip"}}, HINTS),
        "killed": direct_put(
            {"s3": trusted | {"profile": "slow", "prefix": "killed/", "compression": "gzip"}}, HINTS
        ),
        "untrusted": direct_put(
            {"s3": trusted | {"profile": "stranger", "prefix": "untrusted/"}}
        ),
    }
    trusting = server.profile(ca_file=str(authority.ca_file))
    slow = trusting | {"endpoint": f"https://127.0.0.1:{relay.port}"}
    daemon = Daemon(
        suite,
        streams,
        profiles={"s3": trusting, "slow": slow, "stranger": server.profile()},
        secrets=server.secrets,
    ).start()
    with suite.part("an object in one piece"):
        large_object(suite, daemon, server, "plain")
    with suite.part("an object of one gzip member, in parts"):
        found = large_object(suite, daemon, server, "packed")
        suite.check("the gzip object came in parts", "-" in found.etag, found.etag)
        suite.check("its key ends in .gz", found.key.endswith(".gz"), found.key)
        suite.equal("its content encoding is gzip", "gzip", found.headers["ContentEncoding"])
    peak = daemon.peak_memory()
    suite.check(f"memory stays bounded ({peak // MIB} MiB at most)", peak < MEMORY_MAX, peak)
    with suite.part("an authority that is not trusted"):
        not_trusted(suite, daemon, server)
    with suite.part("killed between two parts"):
        killed_between_parts(suite, daemon, server, relay)


def incompressible_records():
    return [os.urandom(RECORD_BYTES) for _ in range(RECORDS)]


def wait_for_objects(server, prefix, seconds=90):
    wait_for(
        f"objects under {prefix}", lambda: buckets.keys(server.client(), BUCKET, prefix), seconds
    )
    return buckets.read(server.client(), BUCKET, prefix)


def large_object(suite, daemon, server, stream):
    records = incompressible_records()
    putting.put(daemon, stream, records)
    found = wait_for_objects(server, f"{stream}/")
    suite.equal(f"{stream}: all records met in one object", 1, len(found))
    suite.check(
        f"{stream}: its bytes are exactly what was put",
        found[0].plain() == b"".join(records),
        f"{len(found[0].plain())} bytes, not {RECORDS * RECORD_BYTES}, or others",
    )
    return found[0]


def killed_between_parts(suite, daemon, server, relay):
    def open_uploads():
        return server.client().list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])

    records = incompressible_records()
    putting.put(daemon, "killed", records)
    before = relay.bytes_up
    wait_for("a few parts", lambda: before + 14 * MIB < relay.bytes_up and open_uploads(), 90)
    daemon.kill()
    suite.equal(
        "nothing is visible before the last part",
        [],
        buckets.keys(server.client(), BUCKET, "killed/"),
    )
    interrupted = {upload["Key"] for upload in open_uploads()}
    relay.bytes_per_second = None
    daemon.start()
    found = wait_for_objects(server, "killed/")
    suite.equal("the repeat has the name of the first try", interrupted, {one.key for one in found})
    suite.check(
        "its bytes are exactly what was put",
        b"".join(one.plain() for one in found) == b"".join(records),
        [len(one.plain()) for one in found],
    )
    wait_for("no upload to be left open", lambda: not open_uploads(), 30)
    suite.check("no upload is left open", not open_uploads(), open_uploads())
    suite.equal("the daemon stops with exit code 0", 0, daemon.stop())


def not_trusted(suite, daemon, server):
    putting.put(daemon, "untrusted", [b"held\n"])
    wait_for("a word about the certificate", lambda: "certificate" in daemon.output().lower(), 60)
    suite.check("an unknown authority is named in the log", True)
    suite.equal(
        "nothing is delivered to it", [], buckets.keys(server.client(), BUCKET, "untrusted/")
    )
    held = daemon.books("untrusted")
    suite.equal("the record is held", (1, 1), (held["accepted"], held["buffered"]))
    suite.check("the other streams do not mind", daemon.is_ready())
