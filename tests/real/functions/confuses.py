"""Breaks the contract for a record in every way that a record has, in turn."""


def handler(event, _context):
    ways = [
        {"result": "ok", "data": "QQ=="},
        {"result": "Ok"},
        {"result": "Ok", "data": None},
        {"result": "Ok", "data": "not base64"},
        {"result": "Ok", "data": 5},
        {"data": "QQ=="},
    ]
    return {
        "records": [
            {"recordId": record["recordId"]} | ways[n % len(ways)]
            for n, record in enumerate(event["records"])
        ]
    }
