"""A Firehose HTTP endpoint of our own, for what no real one can be asked to do: to refuse.

It takes requests as strictly as the protocol has them and keeps all it saw, taken or not.
"""

import base64
import dataclasses
import gzip
import json
import threading
import time

from harness import places
from harness.posts import Posts


@dataclasses.dataclass
class Request:
    id: str
    records: list
    # What it was answered with.
    status: int = 200


class Endpoint:
    """Listens on its own port of 127.0.0.1 once entered. `judge` gets a request and all before it,
    and says with which status it is answered."""

    def __init__(self, access_key, judge=lambda request, before: 200):
        self.port = places.free_port()
        self.requests = []
        self._access_key = access_key
        self._judge = judge
        self._lock = threading.Lock()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/firehose?source=standpipe"

    def taken(self):
        """The records of the requests that were taken."""
        with self._lock:
            requests = [request for request in self.requests if request.status == 200]
        return [record for request in requests for record in request.records]

    def __enter__(self):
        self._posts = Posts(self.port, self.handle).__enter__()
        return self

    def __exit__(self, *leaving):
        self._posts.__exit__(*leaving)

    def handle(self, path, headers, body):
        """The status and the document of the answer."""
        id = headers.get("X-Amz-Firehose-Request-Id", "")
        answer = {"requestId": id, "timestamp": int(time.time() * 1000)}
        plain = gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body
        document = json.loads(plain)
        wrong = self._wrong(path, headers, document)
        if wrong:
            return 400, answer | {"errorMessage": wrong}
        records = [base64.b64decode(one["data"], validate=True) for one in document["records"]]
        request = Request(id, records)
        with self._lock:
            request.status = self._judge(request, self.requests)
            self.requests.append(request)
        refusal = {} if request.status == 200 else {"errorMessage": "as the suite says"}
        return request.status, answer | refusal

    def _wrong(self, path, headers, document):
        expected = {
            "path": (path, "/firehose?source=standpipe"),
            "protocol": (headers.get("X-Amz-Firehose-Protocol-Version"), "1.0"),
            "access key": (headers.get("X-Amz-Firehose-Access-Key"), self._access_key),
            "content type": (headers.get("Content-Type"), "application/json"),
            "request id": (document.get("requestId"), headers.get("X-Amz-Firehose-Request-Id")),
        }
        wrong = [what for what, (found, right) in expected.items() if found != right]
        if not headers.get("X-Amz-Firehose-Source-Arn", "").startswith("arn:aws:firehose:"):
            wrong.append("source")
        return ", ".join(wrong)
