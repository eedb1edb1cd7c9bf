"""A private certificate authority, and certificates for 127.0.0.1 from it."""

import dataclasses
from pathlib import Path

from harness import places
from harness.processes import run


@dataclasses.dataclass(frozen=True)
class Pair:
    """A certificate, its key, and who signed it: what one side of a connection needs, be it the
    server's or the client's."""

    certificate: Path
    key: Path
    ca_file: Path


class Authority:
    def __init__(self, folder):
        self._folder = folder
        self.ca_file = folder / "ca.crt"
        self._key = folder / "ca.key"
        self._openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc",
            "-days", "2", "-subj", "/CN=Standpipe test authority",
            "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign",
            "-keyout", self._key, "-out", self.ca_file,
        )  # fmt: skip

    def pair(self, name):
        certificate, key = self._folder / f"{name}.crt", self._folder / f"{name}.key"
        self.issue(certificate, key)
        return Pair(certificate, key, self.ca_file)

    def issue(self, certificate, key):
        """Writes a certificate for 127.0.0.1 and localhost, and its key."""
        self._openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc",
            "-days", "2", "-subj", "/CN=127.0.0.1",
            "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
            # rustls takes no authority's certificate for a server's own.
            "-addext", "basicConstraints=critical,CA:FALSE",
            "-addext", "extendedKeyUsage=serverAuth,clientAuth",
            "-CA", self.ca_file, "-CAkey", self._key,
            "-keyout", key, "-out", certificate,
        )  # fmt: skip

    def _openssl(self, *words):
        done = run([places.system_program("openssl"), *words])
        if done.returncode != 0:
            raise RuntimeError(f"openssl {words[0]}: {done.stderr}")
