"""A scripted stand-in for everything that hands out credentials: STS, and the metadata services of
containers and instances. It grants one account, and remembers who asked for what.
"""

import datetime
import http.server
import json
import threading
import urllib.parse

from harness import places

ROLE = "arn:aws:iam::123456789012:role/lake"
WEB_TOKEN = "a-token-of-the-cluster"
CONTAINER_TOKEN = "a-token-of-the-task"
_INSTANCE_TOKEN = "a-token-of-the-instance"
_INSTANCE_ROLE = "lake"

_GRANTED = """<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult>
    <AssumedRoleUser>
      <Arn>{arn}/standpipe</Arn><AssumedRoleId>AROAREAL:standpipe</AssumedRoleId>
    </AssumedRoleUser>
    <Credentials>
      <AccessKeyId>{key}</AccessKeyId>
      <SecretAccessKey>{secret}</SecretAccessKey>
      <SessionToken>{token}</SessionToken>
      <Expiration>{expiration}</Expiration>
    </Credentials>
  </AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>"""


class Grantor:
    """Grants these credentials to whoever asks as a program with that right would."""

    def __init__(self, credentials):
        self.port = places.free_port()
        self._key = credentials["AccessKeyId"]
        self._secret = credentials["SecretAccessKey"]
        self._token = credentials["SessionToken"]
        # The kinds of grants that were made.
        self.granted = []

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        grantor = self

        class Listener(http.server.BaseHTTPRequestHandler):
            def answered(self, answer):
                status, body = answer or (404, "")
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                if self.path.endswith("/api/token"):
                    self.send_header("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")
                self.end_headers()
                self.wfile.write(body.encode())

            def do_PUT(self):
                self.answered((200, _INSTANCE_TOKEN) if self.path == "/latest/api/token" else None)

            def do_GET(self):
                self.answered(grantor.looked_up(self.path, self.headers))

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                self.answered(grantor.asked(dict(urllib.parse.parse_qsl(body))))

            def log_message(self, *_):
                pass

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Listener)
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._http.shutdown()
        self._http.server_close()

    def looked_up(self, path, headers):
        """Of a container or an instance; None where there is nothing."""
        if path == "/task":
            if headers.get("Authorization") != CONTAINER_TOKEN:
                return 401, ""
            return self._grant("container")
        roles = "/latest/meta-data/iam/security-credentials"
        if headers.get("X-Aws-Ec2-Metadata-Token") != _INSTANCE_TOKEN:
            return 401, ""
        if path in (roles, f"{roles}/"):
            return 200, _INSTANCE_ROLE
        if path == f"{roles}/{_INSTANCE_ROLE}":
            return self._grant("instance")
        return None

    def asked(self, form):
        """Of the security token service."""
        if (
            form.get("Action") != "AssumeRoleWithWebIdentity"
            or form.get("RoleArn") != ROLE
            or form.get("WebIdentityToken") != WEB_TOKEN
        ):
            return 403, ""
        self.granted.append("web identity")
        return 200, _GRANTED.format(
            arn=ROLE,
            key=self._key,
            secret=self._secret,
            token=self._token,
            expiration=_in_an_hour(),
        )

    def _grant(self, kind):
        self.granted.append(kind)
        return 200, json.dumps(
            {
                "Code": "Success",
                "Type": "AWS-HMAC",
                "LastUpdated": "2026-01-01T00:00:00Z",
                "AccessKeyId": self._key,
                "SecretAccessKey": self._secret,
                "Token": self._token,
                "Expiration": _in_an_hour(),
            }
        )


def _in_an_hour():
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    return later.strftime("%Y-%m-%dT%H:%M:%SZ")
