"""Requests as no client would send them, and SigV4 signatures as no client would make them."""

import dataclasses
import datetime
import hashlib
import hmac
import http.client
import json
import socket

from harness.s3_servers import REGION

TARGET = "Firehose_20150804."
JSON_TYPE = "application/x-amz-json-1.1"


@dataclasses.dataclass
class Response:
    status: int
    headers: dict
    body: bytes

    def error(self):
        """The exception's name: the body's and the header's, or why there is none."""
        try:
            in_body = json.loads(self.body).get("__type")
        except ValueError:
            return f"no JSON: {self.body!r}"
        in_header = self.headers.get("x-amzn-errortype", in_body)
        return (
            in_body if in_body == in_header else f"{in_body} in the body, {in_header} in the header"
        )


def send(port, operation, body, *, method="POST", path="/", headers=None):
    """`body` is bytes, or what is to be written as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    usual = {"Content-Type": JSON_TYPE, "X-Amz-Target": f"{TARGET}{operation}"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body=data, headers=usual | (headers or {}))
        answer = connection.getresponse()
        named = {name.lower(): value for name, value in answer.getheaders()}
        return Response(answer.status, named, answer.read())
    finally:
        connection.close()


def send_bytes(port, request, *, then_close=False, seconds=60):
    """Sends bytes that need not be HTTP; what came back until the other side closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(request)
        if then_close:
            return b""
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
            if is_whole(received):
                break
        return received


def is_whole(response):
    head, found, body = response.partition(b"\r\n\r\n")
    length = next(
        (
            int(line[15:])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length:")
        ),
        None,
    )
    return bool(found) and length is not None and length <= len(body)


def sign(port, body, key, secret, *, at=None, service="firehose", region=REGION):
    """Headers with a SigV4 signature of a POST to `/`."""
    moment = at or datetime.datetime.now(datetime.UTC)
    stamp, day = moment.strftime("%Y%m%dT%H%M%SZ"), moment.strftime("%Y%m%d")
    host = f"127.0.0.1:{port}"
    hashed = hashlib.sha256(body).hexdigest()
    canonical = f"POST\n/\n\nhost:{host}\nx-amz-date:{stamp}\n\nhost;x-amz-date\n{hashed}"
    scope = f"{day}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    signature = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
    derived = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        derived = hmac.digest(derived, part.encode(), "sha256")
    signed = hmac.digest(derived, signature.encode(), "sha256").hex()
    return {
        "Host": host,
        "X-Amz-Date": stamp,
        "Authorization": f"AWS4-HMAC-SHA256 Credential={key}/{scope}, "
        f"SignedHeaders=host;x-amz-date, Signature={signed}",
    }
