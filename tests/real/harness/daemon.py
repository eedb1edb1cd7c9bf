"""The daemon: its configuration, its start, and the ways to end it."""

import json
import re
from pathlib import Path

from harness import environment, places
from harness.processes import Process, answers, fetch, run
from harness.suite import wait_for

PRODUCER_KEY = "AKIAREALPRODUCER0001"
PRODUCER_SECRET = "realproducersecretrealproducersecret0001"

# Soon enough for a test; allowed below 60 s because the block says so.
QUICK = {"size": "1MiB", "interval": "2s", "low_latency": True}


def standpipe():
    if not places.STANDPIPE.exists():
        raise places.Missing(f"{places.STANDPIPE.name}: run cargo build --release")
    return places.STANDPIPE


def direct_put(destination, buffering=QUICK):
    """A stream of the configuration that is fed by direct put."""
    return {"source": "direct_put", "buffering": buffering, "destination": destination}


def daemon_into_bucket(suite, stream, server, buffering=QUICK, **more):
    """A daemon with one stream, into the bucket of the same name on that server."""
    destination = {"s3": {"profile": "s3", "bucket": stream}}
    profiles = {"s3": server.profile()}
    streams = {stream: direct_put(destination, buffering)}
    return Daemon(suite, streams, profiles=profiles, secrets=server.secrets, **more)


class Daemon:
    """One daemon with one configuration and one data directory, over many lives."""

    def __init__(
        self,
        suite,
        streams,
        *,
        name="daemon",
        profiles=None,
        signed=True,
        storage=None,
        secrets=None,
        wrapper=(),
        **sections,
    ):
        self._suite = suite
        self._name = name
        # A program that runs the daemon, such as strace.
        self.wrapper = list(wrapper)
        self._secrets = (secrets or {}) | {"PRODUCER_SECRET": PRODUCER_SECRET}
        self._process = None
        self.folder = suite.make_folder(name)
        self.log = self.folder / "log"
        self.put_port = places.free_port()
        self.admin_port = places.free_port()
        self.configuration = {
            "storage": {"directory": str(self.folder / "data")} | (storage or {}),
            "listen": {
                "firehose": {"address": f"127.0.0.1:{self.put_port}"},
                "admin": {"address": f"127.0.0.1:{self.admin_port}"},
            },
            "streams": streams,
        } | sections
        if profiles:
            self.configuration["aws"] = profiles
        if signed:
            self.configuration["producers"] = {
                "suite": {
                    "access_key_id": PRODUCER_KEY,
                    "secret_access_key": {"env": "PRODUCER_SECRET"},
                    "streams": ["*"],
                }
            }

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.put_port}"

    @property
    def admin(self):
        return f"http://127.0.0.1:{self.admin_port}"

    @property
    def data(self):
        return self.configuration["storage"]["directory"]

    def command(self):
        # JSON is YAML, and quotes everything that YAML wants quoted.
        file = self.folder / "delivery.yaml"
        file.write_text(json.dumps(self.configuration, indent=2))
        return [*self.wrapper, standpipe(), "run", "-c", file]

    def environment(self):
        return environment.clean(self.folder, **self._secrets)

    def begin(self):
        """Starts it, and does not wait."""
        process = Process(self._name, self.command(), log=self.log, environment=self.environment())
        self._process = self._suite.enter(process)
        return self

    def start(self, seconds=30):
        self.begin()
        self._process.wait_until_ready(self.is_ready, seconds)
        return self

    def is_ready(self):
        return answers(f"{self.admin}/readyz")

    def refuse_to_start(self, seconds=20):
        """Its exit code and what it wrote, where starting should fail."""
        done = run(self.command(), environment=self.environment(), seconds=seconds)
        return done.returncode, done.stdout + done.stderr

    def kill(self):
        return self._process.kill()

    def stop(self):
        """Its exit code after SIGTERM."""
        return self._process.terminate()

    def exit_code(self):
        return self._process.exit_code()

    def wait(self, seconds):
        return self._process.wait(seconds)

    def output(self):
        """Everything that every life wrote."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def metrics(self):
        return fetch(f"{self.admin}/metrics").decode()

    def books(self, stream):
        """Records by what became of them, as the conservation counters say (C1)."""
        families = {
            "accepted": "standpipe_accepted_records_total",
            "delivered": "standpipe_delivered_records_total",
            "failed": "standpipe_failed_records_total",
            "dropped": "standpipe_dropped_records_total",
            "expired": "standpipe_expired_records_total",
            "quarantined": "standpipe_quarantined_records_total",
            "buffered": "standpipe_buffered_records",
        }
        metrics = self.metrics()
        return {
            name: sum(
                int(float(value))
                for value in re.findall(
                    rf'^{family}{{[^}}]*stream="{stream}"[^}}]*}} (\S+)', metrics, re.MULTILINE
                )
            )
            for name, family in families.items()
        }

    def books_at_rest(self, stream, seconds=45):
        """The same, once there were records and none of them is under way any more."""

        def settled():
            books = self.books(stream)
            return books if 0 < books["accepted"] and books["buffered"] == 0 else None

        return wait_for(f"{stream} to be at rest", settled, seconds, pause=0.2)

    def peak_memory(self):
        """Bytes of resident memory at most, of this life."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)[1]) * 1024

    def verify_storage(self):
        """Exit code and output of the offline check of the data directory."""
        done = run(
            [standpipe(), "storage", "verify", "--directory", self.data],
            environment=self.environment(),
        )
        return done.returncode, done.stdout + done.stderr
