"""A TCP relay before a server: counts and slows what goes up, delays answers, and notes requests.

TLS passes through untouched; of plain HTTP one pattern can be watched, such as the `Host` lines.
"""

import contextlib
import re
import socket
import threading
import time

from harness import places

_CHUNK = 64 * 1024

HOST = re.compile(rb"\r\nhost: *([^\r\n]+)", re.IGNORECASE)
REQUEST_ID = re.compile(rb"\r\nx-amz-firehose-request-id: *([^\r\n]+)", re.IGNORECASE)
SIGNING_KEY = re.compile(
    rb"\r\nauthorization: *AWS4-HMAC-SHA256 Credential=([^/]+)/", re.IGNORECASE
)


class Relay:
    """Listens on its own port of 127.0.0.1 once entered."""

    def __init__(self, target_port, *, bytes_per_second=None, answer_delay=0, watched=None):
        self.port = places.free_port()
        self.bytes_up = 0
        # What the pattern's group matched, and when.
        self.seen = []
        self._watched = watched
        self.bytes_per_second = bytes_per_second
        self._answer_delay = answer_delay
        self._target_port = target_port
        self._closing = False
        self._lock = threading.Lock()
        self._connections = []

    def __enter__(self):
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._closing = True
        # Closing alone does not wake the thread that accepts.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            _hang_up(connection)

    def _accept(self):
        while not self._closing:
            try:
                near, _ = self._listener.accept()
            except OSError:
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self._target_port))
            except OSError:
                near.close()
                continue
            with self._lock:
                self._connections += [near, far]
            threading.Thread(target=self._carry, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self._carry, args=(far, near, False), daemon=True).start()

    def _carry(self, giver, taker, upward):
        try:
            while chunk := giver.recv(_CHUNK):
                if not upward:
                    time.sleep(self._answer_delay)
                taker.sendall(chunk)
                if upward:
                    self._account(chunk)
            taker.shutdown(socket.SHUT_WR)
        except OSError:
            _hang_up(giver)
            _hang_up(taker)

    def _account(self, chunk):
        with self._lock:
            self.bytes_up += len(chunk)
            if self._watched:
                # A head that is split over two chunks may be missed; there are plenty.
                found = self._watched.findall(chunk)
                self.seen += [(time.time(), match.decode()) for match in found]
        if self.bytes_per_second:
            time.sleep(len(chunk) / self.bytes_per_second)


def _hang_up(connection):
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
