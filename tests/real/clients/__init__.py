"""Real Firehose clients, all called the same way.

A call is an account, an operation by its name in the API, and its input as the API has it, blobs as
bytes. An answer is the output as the API has it, or the name and text of an exception.

The programs in js/ and go/ hold a conversation: a line of JSON with `endpoint`, `region`, `key`,
`secret`, `token`, `operation` and `input` on standard input, blobs in base64, is answered by a line
with `value`, or with `error` and `message`, on standard output.

No client repeats a call by itself: a repeated put may rightly arrive twice, and the suites count.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Account:
    endpoint: str
    key: str
    secret: str
    token: str | None = None
    region: str = "us-east-1"


@dataclasses.dataclass(frozen=True)
class Answer:
    value: dict | None = None
    error: str | None = None
    message: str = ""


def every(suite):
    """One client of each kind; they end with the suite."""
    from clients import boto, command_line, conversation

    return [
        boto.Boto(),
        command_line.version_1(suite),
        command_line.version_2(suite),
        suite.enter(conversation.javascript(suite)),
        suite.enter(conversation.go(suite)),
    ]
