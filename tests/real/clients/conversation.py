"""The clients in other languages: one process each, one line a call (see __init__.py)."""

import base64
import json
import subprocess

from clients import Answer
from harness import environment, places


def javascript(suite):
    program = places.INSTALLED / "js" / "client.mjs"
    if not program.exists():
        raise places.Missing("the JavaScript client: run tests/real/install")
    return Conversation(suite, "js-sdk-3", [places.system_program("node"), program])


def go(suite):
    return Conversation(suite, "go-sdk-2", [places.installed("go-client")])


class Conversation:
    """A context manager. One instance may be used by one thread."""

    binary = True

    def __init__(self, suite, name, command):
        self.name = name
        self._complaints = open(suite.folder / f"{name}.log", "ab")
        self._process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            env=environment.clean(suite.folder),
        )

    def call(self, account, operation, input):
        call = {
            "endpoint": account.endpoint,
            "region": account.region,
            "key": account.key,
            "secret": account.secret,
            "operation": operation,
            "input": input,
        }
        if account.token:
            call["token"] = account.token
        line = json.dumps(call, default=lambda data: base64.b64encode(data).decode())
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.name} ended in the middle of the conversation")
        return Answer(**json.loads(answer))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # It ends when there is nothing more to read.
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()
        self._complaints.close()
