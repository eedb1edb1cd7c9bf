"""Drops every 7th of numbered lines, fails every 11th of the rest, and adds a word to the others.

The word is another one in every answer: an answer that did not count for good would be seen.
"""

import base64
import uuid


def handler(event, _context):
    word = uuid.uuid4().hex[:12].encode()
    return {"records": [judged(record, word) for record in event["records"]]}


def judged(record, word):
    line = base64.b64decode(record["data"])
    number = int(line.split(b" ", 1)[0])
    if number % 7 == 0:
        return {"recordId": record["recordId"], "result": "Dropped"}
    if number % 11 == 0:
        return {"recordId": record["recordId"], "result": "ProcessingFailed"}
    data = base64.b64encode(line.rstrip(b"\n") + b" " + word + b"\n").decode()
    return {"recordId": record["recordId"], "result": "Ok", "data": data}


if __name__ == "__main__":
    from serve import serve

    serve(handler)
