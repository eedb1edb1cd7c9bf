"""Real S3 servers on loopback, and what the daemon's configuration says of them."""

import ssl

import boto3
from botocore.config import Config

from harness import environment, places
from harness.processes import Process, answers

ACCESS_KEY = "testaccess"
SECRET_KEY = "testsecretkey123"
REGION = "us-east-1"


class S3Server:
    """A server in the background that outlives restarts: same port, same data folder."""

    scheme = "http"
    ca_file = None
    # The variables that `profile` refers to, for the daemon's environment.
    secrets = {"S3_SECRET": SECRET_KEY}

    def __init__(self, suite, name):
        self._suite = suite
        self._name = name
        self.port = places.free_port()
        self.data = suite.make_folder(f"{name}-data")
        self.log = suite.folder / f"{name}.log"
        self._process = None

    @property
    def endpoint(self):
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def start(self):
        process = Process(
            self._name, self._command(), log=self.log, environment=self._environment()
        )
        self._process = self._suite.enter(process)
        self._process.wait_until_ready(
            lambda: answers(f"{self.endpoint}{self.health}", self._tls())
        )
        return self

    def stop(self):
        self._process.terminate()

    def client(self):
        """boto3's client with the root's credentials."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            verify=str(self.ca_file) if self.ca_file else None,
            config=Config(
                s3={"addressing_style": "path"},
                proxies={},
                retries={"total_max_attempts": 5, "mode": "standard"},
            ),
        )

    def bucket(self, name):
        self.client().create_bucket(Bucket=name)
        return name

    def profile(self, **changes):
        """A profile of the daemon's configuration. Its secret comes with `secrets`."""
        return {
            "endpoint": self.endpoint,
            "region": REGION,
            "path_style": True,
            "access_key_id": ACCESS_KEY,
            "secret_access_key": {"env": "S3_SECRET"},
        } | changes

    def _tls(self):
        return ssl.create_default_context(cafile=self.ca_file) if self.ca_file else None


class Versitygw(S3Server):
    """Files under `data`, a folder a bucket. Plain HTTP; checks the region."""

    health = "/healthz"

    def __init__(self, suite, name="versitygw"):
        super().__init__(suite, name)
        self._program = places.installed("versitygw")
        self._accounts = suite.make_folder(f"{name}-accounts")

    def _command(self):
        return [
            self._program,
            "--quiet",
            "--port", f"127.0.0.1:{self.port}",
            "--health", self.health,
            "--keep-alive",
            # Without accounts an unknown key is answered with 404.
            "--iam-dir", self._accounts,
            "posix", self.data,
        ]  # fmt: skip

    def _environment(self):
        return environment.clean(
            self._suite.folder, ROOT_ACCESS_KEY=ACCESS_KEY, ROOT_SECRET_KEY=SECRET_KEY
        )


class Minio(S3Server):
    """With certificates (see certificates.py) it speaks TLS only; with a domain it takes
    `http://BUCKET.DOMAIN` as well."""

    health = "/minio/health/ready"

    def __init__(self, suite, name="minio", *, authority=None, domain=None):
        super().__init__(suite, name)
        self._program = places.installed("minio")
        self._domain = domain
        self._certificates = None
        if authority:
            self.scheme = "https"
            self.ca_file = authority.ca_file
            self._certificates = suite.make_folder(f"{name}-certificates")
            authority.issue(
                certificate=self._certificates / "public.crt",
                key=self._certificates / "private.key",
            )

    def _command(self):
        tls = ["--certs-dir", self._certificates] if self._certificates else []
        return [
            self._program, "server", "--quiet",
            "--address", f"127.0.0.1:{self.port}",
            "--console-address", f"127.0.0.1:{places.free_port()}",
            *tls,
            self.data,
        ]  # fmt: skip

    def _environment(self):
        return environment.clean(
            self._suite.folder,
            MINIO_ROOT_USER=ACCESS_KEY,
            MINIO_ROOT_PASSWORD=SECRET_KEY,
            MINIO_UPDATE="off",
            MINIO_CALLHOME_ENABLE="off",
            MINIO_BROWSER="off",
            MINIO_DOMAIN=self._domain,
        )
