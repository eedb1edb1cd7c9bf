"""One suite at work: its folder, what it started, and its checks."""

import contextlib
import shutil
import tempfile
import time
from pathlib import Path

from harness import places


class Suite:
    """What a suite's `run` gets. Everything entered here ends with the suite, last first."""

    def __init__(self, name, report):
        self.name = name
        self._report = report
        self._failed_before = report.failed
        self._open = contextlib.ExitStack()
        places.SCRATCH.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=places.SCRATCH))

    def __enter__(self):
        return self

    def __exit__(self, exception, *_):
        self._open.close()
        if exception is None and self._report.failed == self._failed_before:
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            self.note(f"logs and data are kept in {self.folder}")

    def enter(self, closable):
        """Closes `closable`, a context manager, when the suite ends."""
        return self._open.enter_context(closable)

    def make_folder(self, name):
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def check(self, story, holds, why=""):
        if holds:
            self._report.passes(self.name, story)
        else:
            self._report.fails(self.name, story, why)
        return bool(holds)

    def equal(self, story, expected, found):
        return self.check(
            story, expected == found, f"expected {expected!r:.400}\nfound    {found!r:.400}"
        )

    def contains(self, story, part, text):
        return self.check(story, part in text, f"{part!r} is not in:\n{text[-2000:]}")

    def note(self, text):
        self._report.notes(self.name, text)

    @contextlib.contextmanager
    def part(self, story):
        """A part that may be missing or break without taking the rest of the suite along."""
        try:
            with contextlib.ExitStack() as outer_open:
                self._open, outer = outer_open, self._open
                try:
                    yield
                finally:
                    self._open = outer
        except places.Missing as missing:
            self._report.misses(self.name, story, missing)
        except Exception:
            self._report.breaks(self.name, story)


def wait_for(what, condition, seconds, pause=0.1):
    """What `condition` returns as soon as it is true; otherwise a TimeoutError naming `what`."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if deadline <= time.monotonic():
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(pause)
