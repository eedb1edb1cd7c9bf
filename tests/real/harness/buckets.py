"""What lies in a bucket or a folder, read back to be counted and compared."""

import collections
import contextlib
import dataclasses
import datetime
import gzip
import zlib
from pathlib import Path

from harness.suite import wait_for

REASONS = {"size", "interval", "drain"}


@dataclasses.dataclass
class Object:
    key: str
    body: bytes
    headers: dict
    metadata: dict
    etag: str
    stored_at: datetime.datetime

    def plain(self):
        """The bytes that were put, whatever the compression. One gzip member, or an error."""
        if self.headers.get("ContentEncoding") == "gzip" or self.key.endswith(".gz"):
            return one_gzip_member(self.body)
        return self.body

    def reason(self):
        """Why it was cut, as its metadata says, under whatever name."""
        found = REASONS.intersection(self.metadata.values())
        return found.pop() if len(found) == 1 else None


def one_gzip_member(body):
    plain = gzip.decompress(body)
    # A second member would decompress as well, but clients stop after the first.
    stream = zlib.decompressobj(wbits=31)
    first = stream.decompress(body)
    if stream.unused_data or first != plain:
        raise ValueError("the object is not exactly one gzip member")
    return plain


def keys(client, bucket, prefix=""):
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


def read(client, bucket, prefix=""):
    """All objects below the prefix, ordered by key."""
    return [_read_one(client, bucket, key) for key in sorted(keys(client, bucket, prefix))]


def _read_one(client, bucket, key):
    answer = client.get_object(Bucket=bucket, Key=key)
    return Object(
        key=key,
        body=answer["Body"].read(),
        headers={name: answer.get(name) for name in ("ContentEncoding", "ContentType")},
        metadata=answer["Metadata"],
        etag=answer["ETag"],
        stored_at=answer["LastModified"],
    )


def collect(client, bucket, split, expected, seconds):
    """How often each piece is in the bucket, once all the expected ones are, or time is up.

    `split` cuts an object's body into pieces. Objects are written once, so each is read once.
    """
    pieces = collections.Counter()
    seen = set()

    def all_there():
        for key in set(keys(client, bucket)) - seen:
            seen.add(key)
            pieces.update(split(client.get_object(Bucket=bucket, Key=key)["Body"].read()))
        return expected <= pieces.keys()

    # What is missing is for the caller to say.
    with contextlib.suppress(TimeoutError):
        wait_for("the expected pieces", all_there, seconds, pause=0.5)
    return pieces


def files(folder):
    """Files below a folder that are whole: names with a dot in front are still being written."""
    found = [path for path in Path(folder).rglob("*") if path.is_file()]
    return sorted(path for path in found if not path.name.startswith("."))


def in_order(bodies, expected):
    """Whether the bodies, in some order, are exactly the expected bytes.

    Two objects of one second have no order in their names, so it is found by their beginnings.
    """
    left = list(bodies)
    while expected:
        following = next((body for body in left if body and expected.startswith(body)), None)
        if following is None:
            return False
        left.remove(following)
        expected = expected[len(following) :]
    return not any(left)
