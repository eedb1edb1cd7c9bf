"""The AWS command line, versions 1 and 2: a process a call."""

import base64
import json
import re
import subprocess
from pathlib import Path

from clients import Answer
from harness import environment, places
from harness.processes import run

_REFUSAL = re.compile(
    r"An error occurred \((\w+)\) when calling the \w+ operation(?: \(.*?\))?: (.*)"
)


def version_1(suite):
    # It encodes blobs itself, so it is given text; and it is a script, which names the path of the
    # folder that it was installed in, so it is run by its interpreter.
    return CommandLine(
        suite, "aws-cli-1", places.PYTHON / "python", places.PYTHON / "aws", blob=bytes.decode
    )


def version_2(suite):
    # Debian's package. `aws` on the path may be version 1, so it is named by its path.
    return CommandLine(
        suite, "aws-cli-2", Path("/usr/bin/aws"), blob=lambda data: base64.b64encode(data).decode()
    )


class CommandLine:
    def __init__(self, suite, name, *program, blob):
        if not all(part.exists() for part in program):
            raise places.Missing(f"{name}: run tests/real/install")
        self.name = name
        self.binary = name == "aws-cli-2"
        self._program = program
        self._blob = blob
        self._folder = suite.make_folder(name)

    def call(self, account, operation, input):
        # A file, not an argument: a batch outgrows the longest argument.
        file = self._folder / "input.json"
        file.write_text(json.dumps(input, default=self._blob))
        command = [
            *self._program, "firehose", _hyphenated(operation),
            "--endpoint-url", account.endpoint,
            "--region", account.region,
            "--output", "json",
            "--cli-input-json", f"file://{file}",
        ]  # fmt: skip
        try:
            done = run(command, environment=self._environment(account), seconds=60)
        except subprocess.TimeoutExpired:
            return Answer(error="NoAnswer", message="no end within 60 s")
        if done.returncode == 0:
            return Answer(value=json.loads(done.stdout))
        refusal = _REFUSAL.search(done.stderr)
        if refusal:
            return Answer(error=refusal[1], message=refusal[2])
        return Answer(error="NoAnswer", message=done.stderr.strip())

    def _environment(self, account):
        return environment.clean(
            self._folder,
            AWS_ACCESS_KEY_ID=account.key,
            AWS_SECRET_ACCESS_KEY=account.secret,
            AWS_SESSION_TOKEN=account.token,
            AWS_RETRY_MODE="standard",
            AWS_MAX_ATTEMPTS=1,
        )


def _hyphenated(operation):
    return re.sub(r"(?<!^)(?=[A-Z])", "-", operation).lower()
