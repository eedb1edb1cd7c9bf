"""Disks that are full, read-only, of memory, or fail to sync: a plain word, and nothing lost.

Most need root; failing syncs need strace.
"""

import time

from clients import boto
from harness import buckets, numbered, places, putting
from harness.daemon import daemon_into_bucket
from harness.mounts import Ext4, Tmpfs
from harness.processes import answers
from harness.s3_servers import Versitygw
from harness.suite import wait_for

STREAM = "numbered"
RECORD_BYTES = 1_000_000
FIRST_SEGMENT = "segment-00000000000000000001.log"


def run(suite):
    with suite.part("a full log"):
        full_log(suite)
    with suite.part("a full file system"):
        full_file_system(suite)
    with suite.part("a read-only file system"):
        read_only(suite)
    with suite.part("a sync that fails once"):
        failing_sync(suite, "once", "20")
    with suite.part("syncs that fail from some moment on"):
        failing_sync(suite, "always", "20+")


def put_until_refused(daemon, numbers):
    """One record of a megabyte a call; the acknowledged ones, and the refusal if there was one."""
    client = boto.Boto()
    acknowledged = []
    for number in numbers:
        record = f"{number:08d}".encode() * (RECORD_BYTES // 8)
        answer = putting.try_put(daemon, STREAM, [record], client)
        if answer.error:
            return acknowledged, answer.error
        entry = answer.value["RequestResponses"][0]
        if "ErrorCode" in entry:
            return acknowledged, entry["ErrorCode"]
        acknowledged.append(record)
    return acknowledged, None


def all_delivered(suite, server, acknowledged, story):
    """Checks that the bucket holds each acknowledged record once; others may be there as well."""
    found = buckets.collect(server.client(), STREAM, records, set(acknowledged), seconds=90)
    once = sum(found[record] == 1 for record in acknowledged)
    suite.equal(story, len(acknowledged), once)


def records(body):
    return [body[at : at + RECORD_BYTES] for at in range(0, len(body), RECORD_BYTES)]


def takes_records(daemon):
    answer = putting.try_put(daemon, STREAM, [b"x" * RECORD_BYTES])
    return not answer.error and not answer.value["FailedPutCount"]


def full_log(suite):
    """The bucket is away until the log is full; on a tmpfs, of which the daemon should warn."""
    memory = suite.enter(Tmpfs(suite, "memory", megabytes=512))
    server = Versitygw(suite, name="full-s3")
    storage = {"directory": str(memory.folder / "data"), "max_size": "256MiB"}
    daemon = daemon_into_bucket(suite, STREAM, server, name="full", storage=storage).start()
    suite.contains("a tmpfs is warned of", "the data directory is in memory", daemon.output())
    acknowledged, refusal = put_until_refused(daemon, range(400))
    suite.equal(
        "a full log refuses puts as the service does", "ServiceUnavailableException", refusal
    )
    suite.check(
        "but only when it is full", 100 < len(acknowledged), f"{len(acknowledged)} MB taken"
    )
    suite.contains("and says so", "full", daemon.output())
    server.start()
    server.bucket(STREAM)
    all_delivered(suite, server, acknowledged, "all it took is delivered once the bucket is back")
    wait_for("intake to resume", lambda: takes_records(daemon), 60, pause=0.5)
    suite.check("intake resumes by itself", True)
    suite.equal("the daemon stops with exit code 0", 0, daemon.stop())


def full_file_system(suite):
    """Something else fills the disk while the daemon runs."""
    disk = suite.enter(Ext4(suite, "crowded-disk", megabytes=512))
    server = Versitygw(suite, name="crowded-s3")
    storage = {"directory": str(disk.folder), "max_size": "320MiB"}
    daemon = daemon_into_bucket(suite, STREAM, server, name="crowded", storage=storage).start()
    first, _ = put_until_refused(daemon, range(20))
    fill(disk.folder / "lost+found" / "filler")
    more, refusal = put_until_refused(daemon, range(20, 400))
    suite.equal(
        "a full disk refuses puts as the service does", "ServiceUnavailableException", refusal
    )
    suite.check("the daemon goes on", daemon.exit_code() is None, daemon.output()[-2000:])
    server.start()
    server.bucket(STREAM)
    all_delivered(suite, server, first + more, "all it took is delivered while the disk is full")
    (disk.folder / "lost+found" / "filler").unlink()
    wait_for("intake to resume", lambda: takes_records(daemon), 60, pause=0.5)
    suite.check("intake resumes by itself", True)
    suite.equal("the daemon stops with exit code 0", 0, daemon.stop())


def fill(file):
    with open(file, "wb", buffering=0) as filler:
        for piece in (1024 * 1024, 4096):
            try:
                while True:
                    filler.write(bytes(piece))
            except OSError:
                continue


def read_only(suite):
    disk = suite.enter(Ext4(suite, "sealed-disk", megabytes=256))
    server = Versitygw(suite, name="sealed-s3")
    storage = {"directory": str(disk.folder), "max_size": "160MiB"}
    daemon = daemon_into_bucket(suite, STREAM, server, name="sealed", storage=storage).start()
    putting.put(daemon, STREAM, [b"kept while read-only\n"])
    suite.equal("the daemon stops with exit code 0", 0, daemon.stop())
    with disk.read_only():
        code, output = daemon.refuse_to_start()
        suite.equal("read-only: the exit code is a disk's", 74, code)
        suite.contains("read-only: it says so", "read-only", output.lower())
        suite.contains("read-only: it names the directory", str(disk.folder), output)
    server.start()
    server.bucket(STREAM)
    daemon.start()
    wait_for("the record", lambda: buckets.keys(server.client(), STREAM), 30)
    bodies = [found.body for found in buckets.read(server.client(), STREAM)]
    suite.equal("and goes on once it can write", [b"kept while read-only\n"], bodies)
    daemon.stop()


def failing_sync(suite, name, when):
    """strace makes fdatasync fail with EIO at its n-th call of a thread, or from it on.

    What is to fail once fails on the first segment only: each thread has a count of its own.
    """
    wrapper = [
        places.system_program("strace"), "-f", "-qq", "-o", "/dev/null", "--seccomp-bpf",
        "-e", "trace=fdatasync", "-e", f"inject=fdatasync:error=EIO:when={when}",
    ]  # fmt: skip
    if not when.endswith("+"):
        wrapper += ["-P", suite.folder / name / "data" / FIRST_SEGMENT]
    server = Versitygw(suite, name=f"{name}-s3").start()
    server.bucket(STREAM)
    daemon = daemon_into_bucket(suite, STREAM, server, name=name, wrapper=wrapper).start()
    client = boto.Boto()
    client.name = name
    account = putting.producer_account(daemon)
    producer = suite.enter(numbered.Producer(client, account, STREAM, seed=1))
    wait_for("the failing sync", lambda: failures(daemon), 60)
    time.sleep(5)
    if when.endswith("+"):
        acknowledged = len(producer.acknowledged)
        time.sleep(3)
        suite.equal(f"{name}: intake stops", acknowledged, len(producer.acknowledged))
        suite.check(f"{name}: health says so", not healthy(daemon))
    else:
        suite.check(f"{name}: intake goes on", takes_one(daemon, name))
        suite.check(f"{name}: the daemon is well", healthy(daemon))
    producer.stop()
    # Without strace, as after a repair.
    daemon.kill()
    daemon.wrapper = []
    daemon.start()
    numbered.count(suite, [producer], server.client(), STREAM)
    suite.equal("the daemon stops with exit code 0", 0, daemon.stop())


def failures(daemon):
    found = [
        line
        for line in daemon.metrics().splitlines()
        if line.startswith("standpipe_log_sync_failures")
    ]
    return any(0 < float(line.split()[-1]) for line in found)


def healthy(daemon):
    return answers(f"{daemon.admin}/healthz")


def takes_one(daemon, name):
    answer = putting.try_put(daemon, STREAM, [f"{name} 99999999 {time.time():.3f} \n".encode()])
    return not answer.error and not answer.value["FailedPutCount"]
