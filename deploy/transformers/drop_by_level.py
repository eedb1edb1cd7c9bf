"""Drops JSON records whose `level` is below $LEVEL (info, unless it says otherwise).

What is not JSON, or has no level that is known, stays: a filter must not lose what it does not
understand.
"""

import base64
import json
import os

LEVELS = {"trace": 0, "debug": 1, "info": 2, "warn": 3, "warning": 3, "error": 4, "fatal": 5}
LEAST = LEVELS[os.environ.get("LEVEL", "info").lower()]


def handler(event, _context):
    return {"records": [judged(record) for record in event["records"]]}


def judged(record):
    if level(base64.b64decode(record["data"])) < LEAST:
        return {"recordId": record["recordId"], "result": "Dropped"}
    return {"recordId": record["recordId"], "result": "Ok", "data": record["data"]}


def level(data):
    try:
        entry = json.loads(data)
    except (ValueError, RecursionError):
        return LEAST
    name = entry.get("level") if isinstance(entry, dict) else None
    return LEVELS.get(str(name).lower(), LEAST)


if __name__ == "__main__":
    from serve import serve

    serve(handler)
