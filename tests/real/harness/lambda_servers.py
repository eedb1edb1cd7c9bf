"""What really runs functions: ministack's Lambda, AWS's own runtime emulator, and plain HTTP."""

import io
import platform
import sys
import zipfile
from pathlib import Path

import boto3
from botocore.config import Config

from harness import environment, places
from harness.processes import Process, answers

REGION = "eu-west-1"
ACCOUNT = "000000000000"
KEY, SECRET = "AKIAREALLAMBDA000001", "lambdalambdalambdalambda"


class Ministack:
    """Lambda's Invoke API with functions as zip files. It checks no sizes."""

    def __init__(self, suite):
        self._suite = suite
        self.port = places.free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"

    def start(self):
        folder = self._suite.make_folder("ministack")
        process = Process(
            "ministack",
            # By its interpreter: a script names the path of the folder that it was installed in.
            [places.lambda_program("python"), places.lambda_program("ministack")],
            log=folder / "log",
            folder=folder,
            # Without IOT_MTLS_ENABLED=0 it opens a port to everybody.
            environment=environment.clean(
                folder, IOT_MTLS_ENABLED="0", BIND_HOST="127.0.0.1", GATEWAY_PORT=self.port
            ),
        )
        self._suite.enter(process)
        process.wait_until_ready(lambda: answers(f"{self.endpoint}/_ministack/health"), 60)
        return self

    def client(self):
        return boto3.client(
            "lambda",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            config=Config(retries={"max_attempts": 1}),
        )

    def function(self, file, name=None, *, seconds=20, **variables):
        """Creates a function from a Python file whose handler is `handler`; its name."""
        file = Path(file)
        name = name or file.stem.replace("_", "-")
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.write(file, file.name)
        client = self.client()
        client.create_function(
            FunctionName=name,
            Runtime="python3.12",
            Handler=f"{file.stem}.handler",
            Role=f"arn:aws:iam::{ACCOUNT}:role/any",
            Code={"ZipFile": packed.getvalue()},
            Timeout=seconds,
            Environment={"Variables": variables},
        )
        client.get_waiter("function_active_v2").wait(FunctionName=name)
        return name


class Emulator:
    """AWS's own emulator of the runtime, one function each. Two calls at once break it."""

    def __init__(self, suite, file, *, seconds=20):
        file = Path(file)
        self._name = file.stem
        self._suite = suite
        self._file = file
        self._seconds = seconds
        self.port = places.free_port()
        self.url = f"http://127.0.0.1:{self.port}/2015-03-31/functions/function/invocations"
        # For those who speak the Invoke API: there is one function, of this name.
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.function = "function"

    def start(self):
        folder = self._suite.make_folder(f"emulator-{self._name}")
        machine = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
        emulator = places.lambda_package(f"samcli/local/rapid/aws-lambda-rie-{machine}")
        process = Process(
            f"emulator of {self._name}",
            [
                *[emulator, "--runtime-interface-emulator-address", f"127.0.0.1:{self.port}"],
                *["--runtime-api-address", f"127.0.0.1:{places.free_port()}"],
                *[places.lambda_program("python"), "-m", "awslambdaric", f"{self._name}.handler"],
            ],
            log=folder / "log",
            folder=self._file.parent,
            environment=environment.clean(
                folder, AWS_LAMBDA_FUNCTION_TIMEOUT=self._seconds, PYTHONDONTWRITEBYTECODE="1"
            ),
        )
        self._suite.enter(process)
        process.wait_until_ready(self._listens, 30)
        return self

    def _listens(self):
        return places.is_taken(self.port)


class PlainHttp:
    """A function of a Python file that serves itself, with deploy/transformers/serve.py."""

    def __init__(self, suite, file):
        self._suite = suite
        self._file = Path(file)
        self._port = places.free_port()
        self.url = f"http://127.0.0.1:{self._port}/"

    def start(self):
        name = self._file.stem
        folder = self._suite.make_folder(f"plain-{name}")
        process = Process(
            name,
            [sys.executable, self._file, self._port],
            log=folder / "log",
            environment=environment.clean(
                folder,
                PYTHONPATH=places.ROOT / "deploy" / "transformers",
                PYTHONDONTWRITEBYTECODE="1",
            ),
        )
        self._suite.enter(process)
        process.wait_until_ready(lambda: places.is_taken(self._port))
        return self
