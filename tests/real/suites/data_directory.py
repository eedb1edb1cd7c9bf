"""Data directories that are missing, strange, taken, torn or damaged: nothing is lost."""

from pathlib import Path

from clients import boto
from harness import buckets, places, putting
from harness.daemon import Daemon, daemon_into_bucket, direct_put
from harness.s3_servers import Versitygw

STREAM = "kept"
# Of the exit codes: another daemon holds it, try again later.
TAKEN = 75


def run(suite):
    with suite.part("a missing directory"):
        missing(suite)
    with suite.part("a strange directory"):
        strange(suite)
    with suite.part("a taken directory"):
        taken(suite)
    with suite.part("a torn tail"):
        torn_tail(suite)
    with suite.part("a flipped bit"):
        flipped_bit(suite)


def daemon_into_folder(suite, name, data=None):
    destination = {"directory": {"path": str(suite.folder / name / "out")}}
    storage = {"directory": str(data)} if data else None
    return Daemon(suite, {STREAM: direct_put(destination)}, name=name, storage=storage)


def refuses(suite, daemon, story, *words):
    code, output = daemon.refuse_to_start()
    suite.check(
        f"{story}: it does not start", code not in (0, 70, 101), f"exit code {code}\n{output}"
    )
    for word in words:
        suite.contains(f"{story}: it says `{word}`", word, output)
    suite.contains(f"{story}: it says what to do", "hint:", output)
    return code


def missing(suite):
    daemon = daemon_into_folder(suite, "missing")
    daemon.start()
    suite.check("a missing directory is created", Path(daemon.data).is_dir())
    suite.equal("the daemon stops with exit code 0", 0, daemon.stop())
    nowhere = suite.folder / "no-such-parent" / "data"
    refuses(suite, daemon_into_folder(suite, "orphan", nowhere), "no parent", str(nowhere))
    suite.check("no parent is made up", not nowhere.parent.exists())


def strange(suite):
    data = suite.make_folder("strange-data")
    (data / "holiday.jpg").write_bytes(b"not ours")
    daemon = daemon_into_folder(suite, "strange", data)
    refuses(suite, daemon, "a strange file", "holiday.jpg")
    suite.equal("the strange file is left alone", b"not ours", (data / "holiday.jpg").read_bytes())
    (data / "holiday.jpg").unlink()
    (data / "lost+found").mkdir()
    daemon.start()
    suite.check("`lost+found` is not strange", daemon.is_ready())
    daemon.stop()


def taken(suite):
    first = daemon_into_folder(suite, "first").start()
    second = daemon_into_folder(suite, "second", first.data)
    code = refuses(suite, second, "taken by another daemon", first.data)
    suite.equal("taken by another daemon: the exit code says to try again", TAKEN, code)
    suite.check("the first daemon does not mind", first.is_ready())
    first.stop()


def daemon_with_dead_bucket(suite, name):
    """A daemon whose S3 server is not up yet, and that server."""
    server = Versitygw(suite, name=f"{name}-s3")
    return daemon_into_bucket(suite, STREAM, server, name=name).start(), server


def delivered(server, expected):
    """The lines in the bucket once the server is up and they are all there; sorted."""
    server.start()
    server.bucket(STREAM)
    lines = buckets.collect(server.client(), STREAM, bytes.splitlines, set(expected), seconds=60)
    return sorted(lines.elements())


def lines_put(daemon, count):
    lines = [f"line {number:06d} {'.' * 200}\n".encode() for number in range(count)]
    # One for all: making one takes longer than its puts.
    client = boto.Boto()
    for line in lines:
        putting.put(daemon, STREAM, [line], client)
    return [line.rstrip() for line in lines]


def file_with(folder, needle):
    """The file that holds the bytes, and where in it."""
    for file in sorted(Path(folder).rglob("*")):
        if file.is_file():
            at = file.read_bytes().find(needle)
            if at != -1:
                return file, at
    raise places.Missing(f"no file below {folder} holds {needle!r} as it was put")


def torn_tail(suite):
    daemon, server = daemon_with_dead_bucket(suite, "torn")
    lines = lines_put(daemon, 50)
    daemon.kill()
    file, at = file_with(daemon.data, lines[-1])
    content = bytearray(file.read_bytes())
    frame = bytes(content[at - 400 : at + 100])
    # Half of a further frame, as a power cut leaves one: what begins like the last, and stops.
    end = len(content.rstrip(b"\0"))
    torn_at = (end + 511) // 512 * 512
    content[torn_at : torn_at + len(frame)] = frame
    file.write_bytes(content)
    daemon.start()
    suite.check("it starts with a torn tail", daemon.is_ready())
    suite.equal("and delivers what is whole, once", lines, delivered(server, lines))
    books = daemon.books(STREAM)
    suite.equal("a torn tail is no damage", 0, books["quarantined"])
    suite.equal("the daemon stops with exit code 0", 0, daemon.stop())


def flipped_bit(suite):
    daemon, server = daemon_with_dead_bucket(suite, "flipped")
    lines = lines_put(daemon, 50)
    daemon.kill()
    file, at = file_with(daemon.data, lines[10])
    with open(file, "r+b") as segment:
        segment.seek(at + 20)
        byte = segment.read(1)[0]
        segment.seek(at + 20)
        segment.write(bytes([byte ^ 1]))
    code, output = daemon.verify_storage()
    suite.check("`storage verify` finds a flipped bit", code == 1, f"exit code {code}\n{output}")
    daemon.start()
    rest = lines[:10] + lines[11:]
    suite.equal("the rest is delivered, once", rest, delivered(server, rest))
    books = daemon.books(STREAM)
    suite.equal("one record is in quarantine", 1, books["quarantined"])
    copies = list((Path(daemon.data) / "quarantine").rglob("*"))
    suite.check("its frame is kept in quarantine/", copies, "quarantine/ is empty or missing")
    suite.equal("the daemon stops with exit code 0", 0, daemon.stop())
