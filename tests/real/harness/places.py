"""Where things are, and which ports are free."""

import os
import shutil
import socket
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
INSTALLED = ROOT / "target" / "real"
PROGRAMS = INSTALLED / "bin"
PYTHON = INSTALLED / "py" / "bin"
# Not /tmp: that may be a tmpfs, of which the daemon warns, and which loses what it syncs.
SCRATCH = INSTALLED / "scratch"
STANDPIPE = Path(os.environ.get("STANDPIPE", ROOT / "target" / "release" / "standpipe")).resolve()


class Missing(Exception):
    """Something that `tests/real/install` should have installed, or that the machine cannot do."""


def installed(program):
    """The path of a program that `tests/real/install` installs."""
    path = PROGRAMS / program
    if not path.exists():
        raise Missing(f"{program}: run tests/real/install")
    return path


def lambda_program(program):
    """The path of a program among those that run functions, which have a Python of their own."""
    path = INSTALLED / "lambda" / "bin" / program
    if not path.exists():
        raise Missing(f"{program} of functions: run tests/real/install")
    return path


def lambda_package(file):
    """The path of a file in that Python's packages."""
    found = list((INSTALLED / "lambda").glob(f"lib/python*/site-packages/{file}"))
    if not found:
        raise Missing(f"{file}: run tests/real/install")
    return found[0]


def system_program(program):
    """The path of a program of the machine, or of one that came as a Python package."""
    path = shutil.which(program) or shutil.which(program, path=str(PYTHON))
    if path is None:
        raise Missing(f"{program}: run tests/real/install")
    return path


def need_root(purpose):
    if os.geteuid() != 0:
        raise Missing(f"{purpose} needs root")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def is_taken(port):
    """Whether somebody listens on the port of 127.0.0.1."""
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0
