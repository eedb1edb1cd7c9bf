"""The failed output, read back: each line has the fields of its kind, and decodes to a record."""

import base64
import dataclasses
import json

from harness import buckets

PROCESSING, HTTP_ENDPOINT, SPLUNK = "processing-failed", "http-endpoint-failed", "splunk-failed"

_COMMON = {
    "rawData": str,
    "errorCode": str,
    "errorMessage": str,
    "attemptsMade": int,
    "arrivalTimestamp": int,
    "attemptEndingTimestamp": int,
}
_FIELDS = {
    PROCESSING: _COMMON | {"lambdaArn": str},
    HTTP_ENDPOINT: _COMMON | {"subsequenceNumber": int, "dataId": str},
    SPLUNK: _COMMON | {"EventId": str},
}


@dataclasses.dataclass
class Failed:
    kind: str
    data: bytes
    code: str
    message: str
    attempts: int
    line: dict


def read(client, bucket, prefix=""):
    """Every failed record below the prefix; an error where a line is not what it should be."""
    found = []
    for item in buckets.read(client, bucket, prefix):
        kind = next((kind for kind in _FIELDS if f"{kind}/" in item.key), None)
        if kind is not None:
            found += [_parsed(kind, text) for text in _lines(item)]
    return found


def _lines(item):
    name = item.key.rpartition("/")[2]
    if "." in name or not item.body.endswith(b"\n"):
        raise ValueError(f"{item.key} has an extension, or no newline at its end")
    return item.body.splitlines()


def _parsed(kind, text):
    line = json.loads(text)
    types = {name: type(value) for name, value in line.items()}
    if types != _FIELDS[kind]:
        raise ValueError(f"a line of {kind} has {types}")
    if line["attemptEndingTimestamp"] < line["arrivalTimestamp"]:
        raise ValueError(f"it failed before it arrived: {line}")
    return Failed(
        kind=kind,
        data=base64.b64decode(line["rawData"], validate=True),
        code=line["errorCode"],
        message=line["errorMessage"],
        attempts=line["attemptsMade"],
        line=line,
    )
