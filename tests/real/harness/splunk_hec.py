"""A strict HTTP Event Collector, from Splunk's documentation: tokens, channels, events, codes.

Acknowledgements are false at first, then true once, and then forgotten, and only known under the
channel that the data came on. All data is kept, so that a suite can count it.
"""

import dataclasses
import gzip
import json
import threading
import urllib.parse
import uuid
import zlib

from harness import places
from harness.posts import Posts

# Splunk's code → its status and text.
_ANSWERS = {
    0: (200, "Success"),
    1: (403, "Token disabled"),
    2: (401, "Token is required"),
    3: (401, "Invalid authorization"),
    4: (403, "Invalid token"),
    5: (400, "No data"),
    6: (400, "Invalid data format"),
    7: (400, "Incorrect index"),
    8: (500, "Internal server error"),
    9: (503, "Server is busy"),
    10: (400, "Data channel is missing"),
    11: (400, "Invalid data channel"),
    12: (400, "Event field is required"),
    13: (400, "Event field cannot be blank"),
    14: (400, "ACK is disabled"),
}
_COLLECTOR = "/services/collector"
_WHOLE_BODY_BYTES = 16 * 1024 * 1024


class Refused(Exception):
    """A request that is answered with a code, and has no effect."""

    def __init__(self, code, **more):
        super().__init__(code)
        self.code = code
        self.more = more


@dataclasses.dataclass
class Token:
    enabled: bool = True
    acknowledges: bool = True
    # None: any.
    indexes: tuple | None = None


@dataclasses.dataclass
class Taken:
    """A request that was taken: its data is in Splunk, acknowledged or not."""

    channel: str
    ack: int
    raw: bool
    body: bytes
    events: list
    # How often it was asked for, and whether `true` was said.
    polls: int = 0
    acknowledged: bool = False


class Collector:
    """Listens on its own port of 127.0.0.1 once entered.

    `false_polls` is how often an acknowledgement is false before it is true; with None it is never
    true. `body_bytes_max` is what a larger request than is answered with 413. With `tls`
    (certificates.Pair) it talks to that authority's clients only.
    """

    def __init__(self, tokens, *, false_polls=2, body_bytes_max=_WHOLE_BODY_BYTES, tls=None):
        self.port = places.free_port()
        self._tls = tls
        self.tokens = tokens
        self.false_polls = false_polls
        self.body_bytes_max = body_bytes_max
        self.taken = []
        # The code of each refusal, in order.
        self.refused = []
        self._troubles = []
        self._next_ack = {}
        self._lock = threading.Lock()

    @property
    def endpoint(self):
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def answer_next(self, code, times=1):
        """Lets the next requests for data be refused with this code, without effect."""
        with self._lock:
            self._troubles.extend([code] * times)

    def lose_next_answer(self):
        """Lets the next data be taken, and its answer be lost."""
        with self._lock:
            self._troubles.append("lost")

    def forget(self):
        """As an indexer that is restarted: no channel and no acknowledgement is known any more."""
        with self._lock:
            self._next_ack.clear()

    def data(self):
        """The bytes of everything that was taken, in order of arrival."""
        with self._lock:
            return b"".join(taken.body for taken in self.taken)

    def events(self):
        with self._lock:
            return [event for taken in self.taken for event in taken.events]

    def __enter__(self):
        self._posts = Posts(self.port, self.handle, self._tls).__enter__()
        return self

    def __exit__(self, *leaving):
        self._posts.__exit__(*leaving)

    def handle(self, target, headers, body):
        """The status and document of an answer; None when it is lost."""
        url = urllib.parse.urlsplit(target)
        query = dict(urllib.parse.parse_qsl(url.query))
        with self._lock:
            try:
                if len(body) > self.body_bytes_max:
                    return 413, {"text": "Content-Length too large", "code": 27}
                if url.path == f"{_COLLECTOR}/ack":
                    return 200, self._acknowledge(query, headers, body)
                if url.path in (f"{_COLLECTOR}/raw", f"{_COLLECTOR}/event", _COLLECTOR):
                    return self._take(url.path.endswith("/raw"), query, headers, body)
                return 404, {"text": "The requested URL was not found on this server.", "code": 404}
            except Refused as refused:
                self.refused.append(refused.code)
                status, text = _ANSWERS[refused.code]
                return status, {"text": text, "code": refused.code, **refused.more}

    def _take(self, raw, query, headers, body):
        token = self._token(headers)
        channel = _channel(query, headers)
        trouble = self._troubles.pop(0) if self._troubles else None
        if isinstance(trouble, int):
            raise Refused(trouble)
        plain = _unpacked(headers, body)
        events = _lines(plain) if raw else _events(plain, token)
        ack = self._next_ack.get(channel, 0)
        self._next_ack[channel] = ack + 1
        self.taken.append(Taken(channel, ack, raw, plain, events))
        if trouble == "lost":
            return None
        answer = {"text": "Success", "code": 0}
        return 200, answer | ({"ackId": ack} if token.acknowledges else {})

    def _acknowledge(self, query, headers, body):
        if not self._token(headers).acknowledges:
            raise Refused(14)
        channel = _channel(query, headers)
        if channel not in self._next_ack:
            raise Refused(11)
        try:
            acks = json.loads(body)["acks"]
        except (ValueError, KeyError, TypeError):
            raise Refused(6) from None
        return {"acks": {str(ack): self._is_acknowledged(channel, ack) for ack in acks}}

    def _is_acknowledged(self, channel, ack):
        taken = [it for it in self.taken if it.channel == channel and it.ack == ack]
        if not taken or taken[-1].acknowledged or self.false_polls is None:
            return False
        taken[-1].polls += 1
        taken[-1].acknowledged = taken[-1].polls > self.false_polls
        return taken[-1].acknowledged

    def _token(self, headers):
        authorization = headers.get("Authorization")
        if authorization is None:
            raise Refused(2)
        scheme, _, secret = authorization.partition(" ")
        if scheme != "Splunk" or not secret:
            raise Refused(3)
        token = self.tokens.get(secret)
        if token is None:
            raise Refused(4)
        if not token.enabled:
            raise Refused(1)
        return token


def _channel(query, headers):
    channel = headers.get("X-Splunk-Request-Channel") or query.get("channel")
    if not channel:
        raise Refused(10)
    try:
        return str(uuid.UUID(channel))
    except ValueError:
        raise Refused(11) from None


def _unpacked(headers, body):
    encoding = headers.get("Content-Encoding", "identity")
    try:
        plain = gzip.decompress(body) if encoding == "gzip" else body
    except (OSError, EOFError, zlib.error):
        raise Refused(6) from None
    if not plain.strip():
        raise Refused(5)
    return plain


def _lines(plain):
    return [line.decode(errors="replace") for line in plain.splitlines() if line.strip()]


def _events(plain, token):
    """HEC's JSON objects, one after the other; the first that is wrong spoils all of them."""
    decoder = json.JSONDecoder()
    events = []
    try:
        text = plain.decode().strip()
    except UnicodeDecodeError:
        raise Refused(6, **{"invalid-event-number": 0}) from None
    while text:
        number = {"invalid-event-number": len(events)}
        try:
            event, end = decoder.raw_decode(text)
        except ValueError:
            raise Refused(6, **number) from None
        if not isinstance(event, dict):
            raise Refused(6, **number)
        if "event" not in event:
            raise Refused(12, **number)
        if event["event"] in ("", None):
            raise Refused(13, **number)
        if token.indexes is not None and event.get("index", token.indexes[0]) not in token.indexes:
            raise Refused(7, **number)
        events.append(event)
        text = text[end:].lstrip()
    return events
