"""A daemon whose streams deliver to endpoints that have reasons to refuse, and what it filed."""

import dataclasses

from harness import failed_output, putting, receivers
from harness.daemon import Daemon

BUCKET = "failed"
ENDPOINT_KEY = "endpoint-key"
HEC_TOKEN = "11111111-2222-3333-4444-555555555555"
DISABLED_TOKEN = "66666666-7777-8888-9999-000000000000"
_SECRETS = {
    "ENDPOINT_KEY": ENDPOINT_KEY,
    "TELEGRAF_KEY": receivers.ACCESS_KEY,
    "HEC_TOKEN": HEC_TOKEN,
    "DISABLED_TOKEN": DISABLED_TOKEN,
}
# Long enough for a second attempt.
_RETRY = "2s"


def http_endpoint(url, key="ENDPOINT_KEY", **more):
    settings = {"url": url, "access_key": {"env": key}, "retry_duration": _RETRY}
    return {"http_endpoint": settings | more}


def splunk(url, token="HEC_TOKEN", **more):
    settings = {"url": url, "token": {"env": token}, "retry_duration": _RETRY}
    return {"splunk": settings | more}


@dataclasses.dataclass(frozen=True)
class Reason:
    """Why records were filed, and after which numbers of attempts they may have been."""

    kind: str
    # One of these.
    codes: set
    message: str = ""
    attempts: range = range(1, 2)


class Filing:
    """A stream for each destination; what fails goes into a bucket, below the stream's name."""

    def __init__(self, suite, server, name, destinations):
        self._suite = suite
        self._server = server
        streams = {
            stream: {
                "source": "direct_put",
                "buffering": {"size": "1MiB", "interval": "1s"},
                "destination": destination,
                "failed_output": {
                    "s3": {"profile": "s3", "bucket": BUCKET, "prefix": f"{stream}/"}
                },
            }
            for stream, destination in destinations.items()
        }
        self.daemon = Daemon(
            suite,
            streams,
            name=name,
            profiles={"s3": server.profile()},
            secrets=server.secrets | _SECRETS,
        )

    def start(self):
        self.daemon.start()
        return self

    def put(self, records):
        """Puts the records of each stream in one call, so that they are one batch."""
        for stream, data in records.items():
            putting.put(self.daemon, stream, data)

    def put_all(self, streams, records):
        self.put(dict.fromkeys(streams, records))

    def at_rest(self, stream):
        """Waits until nothing is left of the stream; how many were delivered, and were filed."""
        books = self.daemon.books_at_rest(stream)
        return books["delivered"], books["failed"]

    def filed(self, stream):
        return failed_output.read(self._server.client(), BUCKET, f"{stream}/")

    def is_filed(self, stream, data, reason):
        """Checks that exactly these records were filed for this reason."""
        found = [one for one in self.filed(stream) if one.kind == reason.kind]
        self._suite.equal(
            f"{stream}: what is filed decodes to what was sent",
            sorted(data),
            sorted(one.data for one in found),
        )
        codes = " or ".join({one.code for one in found})
        tried = sorted({one.attempts for one in found})
        wrong = [
            (one.code, one.attempts, one.message)
            for one in found
            if one.code not in reason.codes
            or one.attempts not in reason.attempts
            or reason.message not in one.message
        ]
        story = f"{stream}: as {codes}, with what was answered, after {tried} attempts"
        self._suite.check(story, found and not wrong, f"expected {reason}\nfound    {wrong[:3]}")

    def all_delivered(self, stream, records):
        found = (*self.at_rest(stream), self.filed(stream))
        self._suite.equal(
            f"{stream}: all is delivered and nothing filed", (records, 0, []), found
        )

    def stop(self):
        self._suite.equal("the daemon stops with exit code 0", 0, self.daemon.stop())
