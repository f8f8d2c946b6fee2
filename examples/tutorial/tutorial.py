"""The tutorial as something that a program can play: its steps, its folder, its daemons.

The text is docs/using-objects-python.rst. Both run.py and tests/python/test_tutorial.py play it with this.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Iterator, NamedTuple

import vineyard

TEXT = Path(__file__).parents[2] / "docs" / "using-objects-python.rst"
FOLDER = "/var/run/"  # of the sockets in the text
_SECONDS = 60.0  # for a start or an end, however busy the machine is


class Step(NamedTuple):
    """What the text lets one type, and what it says is printed then."""

    code: list[str]
    said: str


def blocks(text: str) -> list[list[str]]:
    """The lines of each block of code, python or console."""
    found = re.findall(r"^\.\. code:: \w+\n\n((?:    .*\n|\n)+)", text, re.MULTILINE)
    return [[line[4:] for line in block.splitlines() if line.strip()] for block in found]


def commands(text: str, folder: str) -> list[str]:
    """What the text types into a shell: the daemons. Their sockets are in ``folder``."""
    return [line[2:].replace(FOLDER, folder) for block in blocks(text) for line in block if line.startswith("$ ")]


def steps(text: str, folder: str) -> Iterator[Step]:
    """What the text types into Python. The sockets are in ``folder``."""
    code: list[str] = []
    for block in blocks(text):
        if block[0].startswith(">>> "):
            if code:
                yield Step(code, "")
            code = [line[4:].replace(FOLDER, folder) for line in block if line.startswith(">>> ")]
        elif not block[0].startswith("$ "):
            yield Step(code, "\n".join(block))
            code = []
    if code:
        yield Step(code, "")


def play(step: Step, space: dict[str, Any]) -> str:
    """Runs it among the variables of ``space``; what it printed."""
    with contextlib.redirect_stdout(io.StringIO()) as output:
        exec(compile("\n".join(step.code), TEXT.name, "exec"), space)
    return output.getvalue()


def plain(output: str) -> str:
    """Without what differs from one run, or one version of numpy, to the next."""
    output = re.sub(r"\bo[0-9a-f]{16}\b", "o<id>", output)
    output = re.sub(r"\barray\((\[.*?\])\)", r"\1", output)
    return re.sub(r"(\d)\.(?!\d)", r"\1", output).strip()


@contextlib.contextmanager
def place() -> Iterator[str]:
    """The folder of the text, if this user may make sockets there and nobody else does; else another one."""
    with contextlib.ExitStack() as last:
        if os.access(FOLDER, os.W_OK) and not any(n.startswith("vineyard.sock") for n in os.listdir(FOLDER)):
            lock = os.open(FOLDER, os.O_RDONLY | os.O_DIRECTORY)
            last.callback(os.close, lock)
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield FOLDER
                return
        yield last.enter_context(tempfile.TemporaryDirectory(prefix="vy-tutorial-")) + "/"


@contextlib.contextmanager
def daemons(words: list[str]) -> Iterator[str]:
    """Runs the commands of the text, which make a cluster; the socket of the first.

    They meet at a ZooKeeper of their own, not at port 2181, which others may use. It ends with the last.
    """
    with contextlib.ExitStack() as last:
        logs = last.enter_context(tempfile.TemporaryDirectory(prefix="vy-tutorial-log-"))
        environment = {
            **os.environ,
            "PATH": os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"],  # of the text's python3
            "VINEYARD_META": f"auto:{_free_port()}",
            "VINEYARD_META_DIR": os.path.join(logs, "zookeeper"),
            "VINEYARD_META_HEAP": "256Mi",
        }
        for i, line in enumerate(words):
            last.enter_context(_running(shlex.split(line), Path(logs, f"daemon{i}"), environment))
        yield shlex.split(words[0])[-1]


@contextlib.contextmanager
def _running(words: list[str], log: Path, environment: dict[str, str]) -> Iterator[None]:
    """A daemon, from its first answer on; it is asked to end, and made to."""
    with open(log, "wb") as output:
        # Its own session: Ctrl-C in a terminal is for this process, which ends them in order.
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, env=environment
        )
    try:
        deadline = time.monotonic() + _SECONDS
        while "ready: " not in log.read_text(errors="replace"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise vineyard.Unavailable(f"{shlex.join(words)}: it did not start: {log.read_text(errors='replace')}")
            time.sleep(0.01)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_SECONDS)
        finally:
            process.kill()
            process.wait()


def _free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
