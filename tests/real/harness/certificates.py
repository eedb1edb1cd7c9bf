"""A private certificate authority, and certificates for 127.0.0.1 from it."""

from harness import places
from harness.processes import run


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

    def issue(self, certificate, key):
        """Writes a server's certificate for 127.0.0.1 and localhost, and its key."""
        self._openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc",
            "-days", "2", "-subj", "/CN=127.0.0.1",
            "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
            # rustls takes no authority's certificate for a server's own.
            "-addext", "basicConstraints=critical,CA:FALSE",
            "-addext", "extendedKeyUsage=serverAuth",
            "-CA", self.ca_file, "-CAkey", self._key,
            "-keyout", key, "-out", certificate,
        )  # fmt: skip

    def _openssl(self, *words):
        done = run([places.system_program("openssl"), *words])
        if done.returncode != 0:
            raise RuntimeError(f"openssl {words[0]}: {done.stderr}")
