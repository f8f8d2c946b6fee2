"""Fixtures: one daemon for each test file, one client for each test."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from typing import Any, Callable, Iterator

import pytest

import vineyard
from vineyard.launch import Daemon


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    """A daemon of 256 MiB; its whole group ends with it."""
    with Daemon("--meta", "local", "--size", "256Mi") as running:
        yield running


@pytest.fixture()
def client(daemon: Daemon) -> Iterator[vineyard.Client]:
    """A client; everything that a test leaves is deleted."""
    with vineyard.connect(daemon.socket, timeout=20) as connected:
        yield connected
        gc.collect()
        if connected.connected:
            connected.clear()


@pytest.fixture()
def other(daemon: Daemon) -> Iterator[vineyard.Client]:
    """Another session with the same daemon."""
    with vineyard.connect(daemon.socket, timeout=20) as connected:
        yield connected


@pytest.fixture()
def python(daemon: Daemon) -> Callable[..., str]:
    """Runs code in a fresh process that finds the daemon in its environment; its output."""

    def run(code: str, *arguments: Any) -> str:
        done = subprocess.run(
            [sys.executable, "-c", "import vineyard, sys\n" + code, *map(str, arguments)],
            env=dict(os.environ, VINEYARD_IPC_SOCKET=daemon.socket),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
