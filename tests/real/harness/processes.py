"""Programs of the suites: started in the background, ended by their process id."""

import contextlib
import os
import signal
import subprocess
import threading
import urllib.request

from harness.suite import wait_for

_STOP_SECONDS = 30


class Process:
    """A program in the background, with its output in a file. A context manager that ends it.

    Each is a process group of its own, so that ending it ends what it wraps (strace, for one).
    """

    def __init__(self, name, command, *, log, environment, folder=None, terminal=False):
        """With `terminal`, its output goes to one, as a person would see it."""
        self.name = name
        self.log = log
        with _terminal(log) if terminal else open(log, "ab") as output:
            self._process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=folder,
                start_new_session=True,
            )

    @property
    def pid(self):
        return self._process.pid

    def exit_code(self):
        """None while it runs; negative if a signal ended it."""
        return self._process.poll()

    def output(self):
        return self.log.read_text(errors="replace")

    def wait_until_ready(self, is_ready, seconds=30):
        def ready_or_gone():
            if self.exit_code() is not None:
                raise RuntimeError(
                    f"{self.name} ended with {self.exit_code()}:\n{self.output()[-3000:]}"
                )
            return is_ready()

        wait_for(f"{self.name} to be ready", ready_or_gone, seconds, pause=0.05)

    def wait(self, seconds=_STOP_SECONDS):
        return self._process.wait(seconds)

    def signal(self, number):
        if self.exit_code() is None:
            os.killpg(self.pid, number)

    def kill(self):
        self.signal(signal.SIGKILL)
        code = self.wait()
        # What it wrapped may die a moment later, and holds its ports until then.
        with contextlib.suppress(TimeoutError):
            wait_for(f"the rest of {self.name} to end", self._group_is_gone, _STOP_SECONDS)
        return code

    def _group_is_gone(self):
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return True
        return False

    def terminate(self):
        """Asks it to stop, and insists when it does not; the exit code."""
        self.signal(signal.SIGTERM)
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self.kill()
            raise TimeoutError(
                f"{self.name} did not stop within {_STOP_SECONDS} s of SIGTERM"
            ) from None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.exit_code() is None:
            self.kill()


@contextlib.contextmanager
def _terminal(log):
    """A terminal's side for a program to write to; what it writes ends up in the log."""
    reader, writer = os.openpty()

    def copy():
        with open(log, "ab", buffering=0) as output:
            # Reading fails when the last writer is gone.
            with contextlib.suppress(OSError):
                while chunk := os.read(reader, 65536):
                    output.write(chunk.replace(b"\r\n", b"\n"))
        os.close(reader)

    threading.Thread(target=copy, daemon=True).start()
    yield writer
    os.close(writer)


def run(command, *, environment=None, seconds=60, **more):
    """Runs a program to its end, output captured as text."""
    return subprocess.run(
        [str(word) for word in command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=seconds,
        **more,
    )


def fetch(url, tls=None):
    """The body of a GET of the URL."""
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=tls))
    with opener.open(url, timeout=5) as response:
        return response.read()


def answers(url, tls=None):
    """Whether a GET of the URL is answered with success."""
    try:
        fetch(url, tls)
        return True
    except OSError:
        return False
