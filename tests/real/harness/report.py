"""PASS and FAIL lines, and the count at the end."""

import time
import traceback


class Report:
    """What became of every check. Safe to print from one thread only: the one that runs suites."""

    def __init__(self, missing_is_failure):
        self._missing_is_failure = missing_is_failure
        self._began = time.monotonic()
        self.passed = 0
        self.failed = 0
        self.skipped = 0

    def passes(self, suite, story):
        self.passed += 1
        self._line("PASS", suite, story)

    def fails(self, suite, story, why):
        self.failed += 1
        self._line("FAIL", suite, story)
        for line in str(why).splitlines():
            print(f"         {line}", flush=True)

    def misses(self, suite, story, why):
        """What could not be tried. Where everything must be there, that is a failure."""
        if self._missing_is_failure:
            self.fails(suite, story, f"missing: {why}")
        else:
            self.skipped += 1
            self._line("SKIP", suite, f"{story}   <<<< NOT TRIED: {why}")

    def breaks(self, suite, story):
        """Called in an `except` block."""
        self.fails(suite, story, traceback.format_exc())

    def notes(self, suite, text):
        self._line("note", suite, text)

    def close(self):
        """Prints the totals, the count alone on the last line; true if nothing failed."""
        if self.skipped:
            print(f"\n{self.skipped} NOT TRIED, see the SKIP lines above")
        print(f"\n{self.passed} passed, {self.failed} failed", flush=True)
        return self.failed == 0

    def _line(self, verdict, suite, story):
        seconds = time.monotonic() - self._began
        print(f"{seconds:7.1f}s {verdict} {suite}: {story}", flush=True)
