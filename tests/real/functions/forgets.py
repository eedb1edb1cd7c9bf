"""Answers the first record twice, the last never, and one that nobody asked about."""


def handler(event, _context):
    good = [
        {"recordId": record["recordId"], "result": "Ok", "data": record["data"]}
        for record in event["records"]
    ]
    stranger = {"recordId": "1", "result": "Dropped"}
    return {"records": [good[0], *good[:-1], stranger]}
