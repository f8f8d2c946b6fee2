"""This file is the only place that starts what the matrix needs: a daemon, and the programs of the languages."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
import threading
from pathlib import Path

SECONDS = 900  # of one program; only so that nothing waits for ever


class Daemon:
    """A vineyardd with a folder of its own. A context manager; ends with this process at the latest."""

    def __init__(self, program: str, size: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="vy-")
        self.socket = str(Path(self._folder.name) / "socket")
        lifeline, self._lifeline = os.pipe()
        self.process = subprocess.Popen(
            [program, "--socket", self.socket, "--meta", "local", "--size", size, "--lifeline", str(lifeline)],
            pass_fds=[lifeline], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        os.close(lifeline)
        assert self.process.stdout is not None
        said = []
        for line in self.process.stdout:
            said.append(line)
            if "ready: socket" in line:
                break
        else:
            raise RuntimeError(f"the daemon ended: {''.join(said)}")
        # Nobody reads on, but a full pipe would stop it.
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, *exception: object) -> None:
        os.close(self._lifeline)
        self.process.wait(SECONDS)
        self._folder.cleanup()


class Program:
    """The program of a language: `<words> write SOCKET` and so on."""

    def __init__(self, said: str) -> None:
        self.language, _, words = said.partition("=")
        self.words = shlex.split(words)

    def run(self, *arguments: str) -> tuple[str, str]:
        """What it printed, and what went wrong; empty: nothing."""
        done = subprocess.run([*self.words, *arguments], capture_output=True, timeout=SECONDS)
        output = done.stdout.decode("utf-8", "backslashreplace")
        said = done.stderr.decode("utf-8", "backslashreplace").strip()
        if done.returncode == 0 and not said:
            return output, ""
        return output, f"{self.language} {arguments[0]} ended with {done.returncode}: {said}"
