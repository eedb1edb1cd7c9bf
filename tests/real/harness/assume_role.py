"""A scripted security token service: answers AssumeRole with credentials that soon expire.

It checks role, external id and signing key, has MinIO make the credentials, session token and all,
and says that they expire much sooner than MinIO, which grants 15 minutes and more, would let them.
"""

import datetime
import http.server
import threading
import time
import urllib.parse
import uuid

import boto3
from botocore.config import Config

from harness import places
from harness.s3_servers import ACCESS_KEY, REGION, SECRET_KEY

_GRANTED = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleResult>
    <AssumedRoleUser>
      <Arn>{arn}/standpipe</Arn><AssumedRoleId>AROAREAL:standpipe</AssumedRoleId>
    </AssumedRoleUser>
    <Credentials>
      <AccessKeyId>{key}</AccessKeyId>
      <SecretAccessKey>{secret}</SecretAccessKey>
      <SessionToken>{token}</SessionToken>
      <Expiration>{expiration}</Expiration>
    </Credentials>
  </AssumeRoleResult>
  <ResponseMetadata><RequestId>{request}</RequestId></ResponseMetadata>
</AssumeRoleResponse>"""

_REFUSED = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <Error>
    <Type>Sender</Type><Code>AccessDenied</Code>
    <Message>User is not authorized to perform: sts:AssumeRole</Message>
  </Error>
  <RequestId>{request}</RequestId>
</ErrorResponse>"""


class TokenService:
    """Grants `role` to whoever signs with `key` and names the external id, for `seconds`."""

    def __init__(self, server, *, role, external_id, key, seconds):
        self.port = places.free_port()
        self._role = role
        self._external_id = external_id
        self._key = key
        self._seconds = seconds
        self._minio = boto3.client(
            "sts",
            endpoint_url=server.endpoint,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            config=Config(proxies={}),
        )
        # When each granted access key expires.
        self.expiries = {}
        self.refused = []

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        service = self

        class Listener(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = dict(urllib.parse.parse_qsl(body))
                status, answer = service.answer(form, self.headers.get("Authorization", ""))
                self.send_response(status)
                self.send_header("Content-Type", "text/xml")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer.encode())

            def log_message(self, *_):
                pass

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Listener)
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._http.shutdown()
        self._http.server_close()

    def answer(self, form, authorization):
        request = uuid.uuid4()
        granted = (
            form.get("Action") == "AssumeRole"
            and form.get("RoleArn") == self._role
            and form.get("ExternalId") == self._external_id
            and f"Credential={self._key}/" in authorization
            and "/sts/aws4_request" in authorization
        )
        if not granted:
            self.refused.append(form)
            return 403, _REFUSED.format(request=request)
        made = self._minio.assume_role(RoleArn=self._role, RoleSessionName="standpipe")[
            "Credentials"
        ]
        expiry = time.time() + self._seconds
        self.expiries[made["AccessKeyId"]] = expiry
        expiration = datetime.datetime.fromtimestamp(expiry, datetime.UTC)
        return 200, _GRANTED.format(
            arn=self._role,
            key=made["AccessKeyId"],
            secret=made["SecretAccessKey"],
            token=made["SessionToken"],
            expiration=expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
            request=request,
        )
