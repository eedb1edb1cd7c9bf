"""The environment that programs of the suites get: nothing of the caller's but what programs need.

Credentials, profiles, proxies and certificate bundles of the machine would otherwise leak into
what a suite believes to be testing.
"""

import os

_KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR")


def clean(home, **more):
    """`home` is a folder that holds no profiles. Names with the value None are left out."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    quiet = {"HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true", "AWS_PAGER": ""}
    named = {name: str(value) for name, value in more.items() if value is not None}
    return kept | quiet | named
