"""Processes that tests start beside vineyardd: a ZooKeeper, and whatever is said on a command line."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import tempfile
import time
from pathlib import Path

_SECONDS = 180.0  # for a start or an end, however busy the machine is
_PACKAGES = "install Debian's libzookeeper-java and default-jre-headless"


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """A program whose output goes to a file. A context manager, which ends it."""

    def __init__(self, words: list[str], log: Path, environment: dict[str, str] | None = None) -> None:
        self.log = log
        with open(log, "wb") as output:
            self.process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                env=None if environment is None else {**os.environ, **environment},
            )  # fmt: skip

    def wait_for(self, text: str) -> None:
        """Until its output has this text."""
        deadline = time.monotonic() + _SECONDS
        while text not in self.said():
            assert self.process.poll() is None and time.monotonic() < deadline, f"no {text!r} in: {self.said()}"
            time.sleep(0.01)

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def stop(self) -> None:
        """Asks it to end, and makes it."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(_SECONDS)
        finally:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


class ZooKeeper:
    """A server in a folder of its own. A context manager; ``address`` is HOST:PORT."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="vy-zookeeper-")
        folder = Path(self._folder.name)
        (folder / "data").mkdir()
        self._port = free_port()
        self.address = f"127.0.0.1:{self._port}"
        (folder / "zoo.cfg").write_text(
            f"tickTime=500\ndataDir={folder / 'data'}\nclientPort={self._port}\nclientPortAddress=127.0.0.1\n"
            "admin.enableServer=false\nmaxClientCnxns=0\n"
        )
        jars = os.environ.get("ZOOKEEPER_CLASSPATH")
        if jars is None:
            parts = ["/usr/share/java/zookeeper.jar", "/usr/share/java/slf4j-simple.jar"]
            assert all(map(os.path.exists, parts)), f"{' or '.join(parts)} is missing: {_PACKAGES}"
            jars = ":".join(parts)
        self._words = [
            "java", "-Xmx256m", "-XX:+ExitOnOutOfMemoryError", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
            "-Dzookeeper.forceSync=no", "-cp", jars, "org.apache.zookeeper.server.quorum.QuorumPeerMain",
            str(folder / "zoo.cfg"),
        ]  # fmt: skip
        self.restart()

    def restart(self) -> None:
        """Starts it, with the data that there is; behind :meth:`kill`."""
        self._process = Process(self._words, Path(self._folder.name) / "log")
        try:
            self._wait()
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        self._process.process.kill()
        self._process.process.wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + _SECONDS
        while not self._opens_session():
            running = self._process.process.poll() is None
            if running and time.monotonic() > deadline:
                self._process.process.send_signal(signal.SIGQUIT)  # where its threads are, into its log
                self._process.wait_for("JNI global refs")
                running = False
            assert running, f"ZooKeeper does not serve: {self._process.said()}"
            time.sleep(0.02)

    def _opens_session(self) -> bool:
        """Opens one and leaves it to its end. (A server that listens does not serve yet.)"""
        # Protocol, last change seen, time-out, session, password, whether reading would be enough.
        hello = struct.pack(">iqiqi16s?", 0, 0, 1000, 0, 16, bytes(16), False)
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=1) as stream:
                stream.sendall(struct.pack(">i", len(hello)) + hello)
                answer = stream.recv(41, socket.MSG_WAITALL)
        except OSError:
            return False
        return len(answer) >= 12 and answer[8:12] != bytes(4)  # the time-out that was granted

    def __enter__(self) -> ZooKeeper:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.process.kill()
        self._process.stop()
        self._folder.cleanup()
