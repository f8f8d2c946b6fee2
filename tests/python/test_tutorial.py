"""docs/using-objects-python.rst, run line for line: what it prints is what it says."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import re
import shlex
import sys
import tempfile
from pathlib import Path
from typing import Any, Iterator

import pytest
from processes import Process, free_port

import vineyard

TEXT = Path(__file__).parents[2] / "docs" / "using-objects-python.rst"
FOLDER = "/var/run/"  # of the sockets in the text


def blocks(text: str) -> list[list[str]]:
    """The lines of each block of code, python or console."""
    found = re.findall(r"^\.\. code:: \w+\n\n((?:    .*\n|\n)+)", text, re.MULTILINE)
    return [[line[4:] for line in block.splitlines() if line.strip()] for block in found]


def plain(output: str) -> str:
    """Without what differs from one run, or one version of numpy, to the next."""
    output = re.sub(r"\bo[0-9a-f]{16}\b", "o<id>", output)
    output = re.sub(r"\barray\((\[.*?\])\)", r"\1", output)
    return re.sub(r"(\d)\.(?!\d)", r"\1", output).strip()


@pytest.fixture()
def folder() -> Iterator[str]:
    """That of the text, if this user may make sockets there and nobody else does; else another one."""
    with contextlib.ExitStack() as last:
        if os.access(FOLDER, os.W_OK) and not any(n.startswith("vineyard.sock") for n in os.listdir(FOLDER)):
            lock = os.open(FOLDER, os.O_RDONLY | os.O_DIRECTORY)
            last.callback(os.close, lock)
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield FOLDER
                return
        yield last.enter_context(tempfile.TemporaryDirectory(prefix="vy-tutorial-")) + "/"


@pytest.fixture()
def first_socket(folder: str, tmp_path: Path) -> Iterator[str]:
    """Of the first of the daemons that the text starts; they are a cluster."""
    lines = [line for block in blocks(TEXT.read_text()) for line in block if line.startswith("$ ")]
    assert len(lines) == 2
    environment = {
        "PATH": os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"],
        "VINEYARD_META": f"auto:{free_port()}",  # for the default, which others may use
        "VINEYARD_META_DIR": str(tmp_path / "zookeeper"),
        "VINEYARD_META_HEAP": "256Mi",
    }
    with contextlib.ExitStack() as running:
        for i, line in enumerate(lines):
            words = shlex.split(line[2:].replace(FOLDER, folder))
            running.enter_context(Process(words, tmp_path / f"log{i}", environment)).wait_for("ready: ")
        yield shlex.split(lines[0].replace(FOLDER, folder))[-1]


def test_the_tutorial_prints_what_it_says(folder: str, first_socket: str) -> None:
    space: dict[str, Any] = {"client": vineyard.connect(first_socket)}
    printed, compared = "", 0
    for block in blocks(TEXT.read_text()):
        if block[0].startswith(">>> "):
            assert printed == "", "the text says nothing about what was printed"
            code = "\n".join(line[4:] for line in block if line.startswith(">>> "))
            with contextlib.redirect_stdout(io.StringIO()) as output:
                exec(compile(code.replace(FOLDER, folder), str(TEXT), "exec"), space)
            printed = plain(output.getvalue())
        elif not block[0].startswith("$ "):
            assert printed == plain("\n".join(block))
            printed, compared = "", compared + 1
    assert printed == "" and compared == 3
    for name in ("client", "client1", "client2"):
        space[name].close()
