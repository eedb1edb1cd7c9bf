"""A fresh clone runs: the lines it prints work, and ./out has the first object in a minute."""

import re
import shutil
import socket
import subprocess

from harness import buckets, environment, places
from harness.daemon import standpipe
from harness.processes import Process
from harness.processes import run as run_program
from harness.suite import wait_for

# Of delivery.yaml, and of the README.
PUT_PORT = 4573
SECONDS_TO_FIRST_OBJECT = 60


def run(suite):
    clone = suite.folder / "clone"
    copy_of_the_tree(clone)
    if is_taken(PUT_PORT):
        raise places.Missing(f"port {PUT_PORT} is taken by another program")
    home = suite.make_folder("home")
    daemon = suite.enter(
        Process(
            "standpipe",
            [standpipe(), "run"],
            log=suite.folder / "standpipe.log",
            environment=environment.clean(home),
            folder=clone,
            terminal=True,
        )
    )
    daemon.wait_until_ready(lambda: is_taken(PUT_PORT))
    wait_for("the lines to copy", lambda: len(commands(daemon.output())) >= 2, 10)
    text = daemon.output()
    suite.check("it says where objects will appear", "out" in text, text)
    suite.contains("it says that anybody may put", "everyone on this machine may put", text)
    for name in ("curl", "aws"):
        with suite.part(f"the printed {name} line works"):
            use_printed_line(suite, name, text, home, clone)
    with suite.part("the first object"):
        wait_for("the first object", lambda: buckets.files(clone / "out"), SECONDS_TO_FIRST_OBJECT)
        found = buckets.files(clone / "out")
        suite.check(
            f"the first object is there: {found[0].relative_to(clone)}", found[0].stat().st_size
        )
    suite.check(
        "git would not see data and objects", ignored_by_git(clone), "git status is not empty"
    )
    suite.equal("it stops with exit code 0", 0, daemon.terminate())


def copy_of_the_tree(clone):
    if (places.ROOT / ".git").exists():
        command = ["git", "clone", "--quiet", places.ROOT, clone]
        done = run_program(command)
        if done.returncode != 0:
            raise RuntimeError(f"git clone: {done.stderr}")
    else:
        clone.mkdir()
        shutil.copy(places.ROOT / "delivery.yaml", clone)


def is_taken(port):
    with socket.socket() as prober:
        return prober.connect_ex(("127.0.0.1", port)) == 0


def commands(text):
    """The copy-paste lines of the start, by program."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    found = re.findall(r"\btry: ((curl|aws) .*)$", plain, re.MULTILINE)
    # Of two forms of the aws line the first is version 2's.
    return {name: line for line, name in reversed(found)}


def use_printed_line(suite, name, text, home, clone):
    line = commands(text)[name]
    # As a user's shell has it, but with nothing configured, and `aws` being version 2.
    done = subprocess.run(
        ["bash", "-c", line],
        env=environment.clean(home) | {"PATH": "/usr/bin:/bin"},
        cwd=clone,
        capture_output=True,
        text=True,
        timeout=60,
    )
    output = f"{line}\n{done.stdout}{done.stderr}"
    suite.check(f"the printed {name} line works: {line}", done.returncode == 0, output)
    suite.check(
        f"the {name} line is answered, and not with an error",
        done.stdout.strip() and "__type" not in done.stdout and '"error"' not in done.stdout,
        output,
    )


def ignored_by_git(clone):
    if not (clone / ".git").exists():
        return True
    return run_program(["git", "-C", clone, "status", "--porcelain"]).stdout == ""
