"""The bucket in the host's name: MinIO with a domain, without path style."""

import contextlib
import socket

from harness import buckets, places, putting
from harness.daemon import Daemon, direct_put
from harness.relay import HOST, Relay
from harness.s3_servers import Minio
from harness.suite import wait_for

DOMAIN = "s3.localhost"
BUCKET = "virtual"
NAMES = (DOMAIN, f"{BUCKET}.{DOMAIN}")


def run(suite):
    server = Minio(suite, domain=DOMAIN).start()
    server.bucket(BUCKET)
    relay = suite.enter(Relay(server.port, watched=HOST))
    profile = server.profile(endpoint=f"http://{DOMAIN}:{relay.port}", path_style=False)
    daemon = Daemon(
        suite,
        {"virtual": direct_put({"s3": {"profile": "s3", "bucket": BUCKET}})},
        profiles={"s3": profile},
        secrets=server.secrets,
        wrapper=resolving(suite),
    ).start()
    putting.put(daemon, "virtual", [b"by name\n"])
    wait_for("the object", lambda: buckets.keys(server.client(), BUCKET), 30)
    bodies = [found.body for found in buckets.read(server.client(), BUCKET)]
    suite.equal("the object is there", [b"by name\n"], bodies)
    hosts = {host for _, host in relay.seen}
    suite.equal("every request named the bucket's host", {f"{NAMES[1]}:{relay.port}"}, hosts)
    suite.equal("the daemon stops with exit code 0", 0, daemon.stop())


def resolving(suite):
    """A wrapper in whose world the names are loopback's, where the machine's resolver has them not.

    Names below `localhost` are loopback's by RFC 6761, but glibc alone does not say so. The wrapper
    gives the daemon a private mount namespace with a hosts file of its own.
    """
    with contextlib.suppress(socket.gaierror):
        for name in NAMES:
            socket.getaddrinfo(name, 80)
        return []
    places.need_root(f"resolving {NAMES[1]}")
    hosts = suite.folder / "hosts"
    hosts.write_text(f"127.0.0.1 localhost {' '.join(NAMES)}\n")
    script = 'mount --bind "$0" /etc/hosts && exec "$@"'
    return [places.system_program("unshare"), "--mount", "bash", "-c", script, hosts]
