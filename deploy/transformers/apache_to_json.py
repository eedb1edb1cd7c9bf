"""Turns lines of Apache's access log (common or combined format) into JSON, one object a line.

What is no such line fails, and is kept as it was.
"""

import base64
import json
import re
from datetime import datetime

LINE = re.compile(
    r"(?P<host>\S+) (?P<identity>\S+) (?P<user>\S+) \[(?P<time>[^\]]+)\] "
    r'"(?P<method>[A-Z]+) (?P<path>\S+)(?: (?P<protocol>[^"]+))?" '
    r"(?P<status>[0-9]{3}) (?P<bytes>[0-9]{1,18}|-)"
    r'(?: "(?P<referer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)")?\s*'
)


def handler(event, _context):
    return {"records": [transformed(record) for record in event["records"]]}


def transformed(record):
    fields = parsed(base64.b64decode(record["data"]).decode("utf-8", "replace"))
    if fields is None:
        return {"recordId": record["recordId"], "result": "ProcessingFailed"}
    # Objects are records laid end to end: the newline is part of the record.
    data = json.dumps(fields).encode() + b"\n"
    return {
        "recordId": record["recordId"],
        "result": "Ok",
        "data": base64.b64encode(data).decode(),
    }


def parsed(line):
    match = LINE.fullmatch(line)
    if match is None:
        return None
    fields = {name: value for name, value in match.groupdict().items() if value not in (None, "-")}
    try:
        fields["time"] = datetime.strptime(fields["time"], "%d/%b/%Y:%H:%M:%S %z").isoformat()
    except ValueError:
        return None
    fields["status"] = int(fields["status"])
    fields["bytes"] = int(fields.get("bytes", 0))
    return fields


if __name__ == "__main__":
    from serve import serve

    serve(handler)
