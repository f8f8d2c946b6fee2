"""The package itself: import, private daemon, launcher, examples in the documentation."""

from __future__ import annotations

import doctest
import importlib
import os
import pkgutil
import subprocess
import sys
import tempfile
import time
from typing import Any, Callable

import pytest

import vineyard

FORBIDDEN = {"typing", "pickle", "dataclasses", "pathlib", "logging", "subprocess", "importlib.metadata", "numpy",
             "tempfile", "inspect", "re", "json"}  # fmt: skip


def run(code: str, **environment: str | None) -> str:
    env = {name: value for name, value in {**os.environ, **environment}.items() if value is not None}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_is_light(record_property: Any) -> None:
    code = "import sys; before = set(sys.modules); import vineyard; print(*(set(sys.modules) - before))"
    # -I -S: nothing of site-packages is imported at start.
    path = f"import sys; sys.path.insert(0, {os.path.dirname(os.path.dirname(vineyard.__file__))!r})\n"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", path + code], capture_output=True, text=True, check=True)
    assert not FORBIDDEN & set(done.stdout.split())
    times = []
    for _ in range(9):
        timed = "import time; t = time.perf_counter(); import vineyard; print(time.perf_counter() - t)"
        times.append(float(run(timed)))
    record_property("import_ms", 1000 * sorted(times)[4])
    print(f"import vineyard: {1000 * sorted(times)[4]:.1f} ms")


PRIVATE = {"VINEYARD_IPC_SOCKET": None, "VINEYARD_RPC_ENDPOINT": None, "VINEYARD_CONFIG": None,
           "XDG_RUNTIME_DIR": "/nonexistent"}  # fmt: skip

default_is_taken = pytest.mark.skipif(
    os.getuid() == 0 and os.path.exists("/var/run/vineyard.sock"), reason="a daemon listens at the default socket"
)


def gone(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def wait_for(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@default_is_taken
@pytest.mark.parametrize("end", ["", "os.kill(os.getpid(), 9)", "os._exit(0)", "1 / 0"])
def test_a_private_daemon_ends_with_its_process(end: str) -> None:
    code = f"""
import os, vineyard
client = vineyard.connect()
status = client.status
print(status.pid, status.keeper_pid, client.ipc_socket, flush=True)
assert vineyard.get(vineyard.put([1])) == [1] and vineyard.connect().ipc_socket == client.ipc_socket
{end}
"""
    env = {name: value for name, value in {**os.environ, **PRIVATE}.items() if value is not None}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)
    pid, keeper, socket = done.stdout.split()
    wait_for(lambda: gone(int(pid)) and gone(int(keeper)))
    if not end:
        assert not os.path.exists(os.path.dirname(socket))


def test_the_folder_of_a_killed_process_is_removed_by_the_next_one() -> None:
    killed = """
import os
from vineyard.launch import Daemon
daemon = Daemon("--meta", "local", "--size", "32Mi")
print(daemon.socket, flush=True)
os.kill(os.getpid(), 9)
"""
    next_ones = """
import os
from vineyard.launch import Daemon
daemons = [Daemon("--meta", "local", "--size", "32Mi") for _ in range(2)]
print(*sorted(os.listdir(os.environ["TMPDIR"])))
print(*sorted([*(os.path.basename(os.path.dirname(each.socket)) for each in daemons), "vineyard-0"]))
"""
    with tempfile.TemporaryDirectory() as place, vineyard.envvars("TMPDIR", place):
        os.mkdir(os.path.join(place, "vineyard-0"))  # where the default socket of a user may lie
        done = subprocess.run([sys.executable, "-c", killed], stdout=subprocess.PIPE, text=True, timeout=60)
        assert os.path.isdir(os.path.dirname(done.stdout))
        there, expected = run(next_ones).splitlines()
        assert there == expected
        assert os.listdir(place) == ["vineyard-0"]


@default_is_taken
def test_children_find_the_private_daemon_by_the_environment() -> None:
    code = """
import subprocess, sys, vineyard
client = vineyard.connect()
client.put([1, 2], name="x")
print(subprocess.run([sys.executable, "-c", "import vineyard; print(vineyard.connect().get(name='x'))"],
                     capture_output=True, text=True).stdout, end="")
"""
    assert run(code, **PRIVATE) == "[1, 2]\n"


@default_is_taken
def test_a_forked_child_does_not_keep_the_private_daemon() -> None:
    code = """
import os, sys, vineyard
client = vineyard.connect()
print(client.status.pid, flush=True)
if os.fork() == 0:
    sys.stdin.read()
os._exit(0)
"""
    env = {name: value for name, value in {**os.environ, **PRIVATE}.items() if value is not None}
    child = subprocess.Popen(
        [sys.executable, "-c", code], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None and child.stdin is not None
    pid = int(child.stdout.readline())
    child.wait()
    wait_for(lambda: gone(pid))
    child.stdin.close()
    child.stdout.close()


@default_is_taken
def test_a_private_daemon_that_died_is_replaced() -> None:
    code = """
import os, signal, time, vineyard
client = vineyard.connect()
status = client.status
from vineyard.deploy import local
local.shutdown()
assert "VINEYARD_IPC_SOCKET" not in os.environ
again = vineyard.connect()
assert again.get(again.put([1])) == [1] and again.ipc_socket != client.ipc_socket
"""
    run(code, **PRIVATE)


def test_the_environment_names_a_daemon(daemon: Any, tmp_path: Any) -> None:
    code = "import vineyard; print(vineyard.connect().ipc_socket)"
    assert run(code, VINEYARD_IPC_SOCKET=daemon.socket).strip() == daemon.socket
    config = tmp_path / "vineyard-config.yaml"
    config.write_text(f"Vineyard:\n  # comment\n  IPCSocket: {daemon.socket}\n")
    for where in (config, tmp_path):
        assert run(code, **{**PRIVATE, "VINEYARD_CONFIG": str(where)}).strip() == daemon.socket
    import pathlib

    for place in (daemon.socket, f"unix://{daemon.socket}", pathlib.Path(daemon.socket)):
        vineyard.connect(place).close()
        vineyard.connect(socket=place).close()
    vineyard.connect(config=config).close()


def test_each_connect_is_its_own_session(daemon: Any) -> None:
    one, two = vineyard.connect(daemon.socket), vineyard.connect(daemon.socket)
    one.close()
    assert two.get(two.put([1])) == [1]
    two.close()


def test_the_module_is_the_daemons_launcher() -> None:
    done = subprocess.run([sys.executable, "-m", "vineyard", "--version"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and vineyard.__version__ in done.stdout
    done = subprocess.run([sys.executable, "-m", "vineyard", "--nonsense"], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "nonsense" in done.stderr + done.stdout


def test_the_launcher_becomes_the_daemon_with_all_its_flags(tmp_path: Any) -> None:
    socket = str(tmp_path / "s")
    flags = ["--socket", socket, "--size", "32Mi", "--meta", "local", "--log_level", "debug", "--evict=drop"]
    keeper = subprocess.Popen([sys.executable, "-m", "vineyard", *flags], stderr=subprocess.PIPE, text=True)
    try:
        assert keeper.stderr is not None
        assert any("ready: socket" in line for line in keeper.stderr)
        with vineyard.connect(socket) as client:
            status = client.status
            assert status.keeper_pid == keeper.pid  # no process in between
            assert (status.socket, status.memory_limit, status.evict) == (socket, 32 << 20, "drop")
        assert any(" debug " in line for line in keeper.stderr)
    finally:
        keeper.terminate()
        keeper.communicate()
    assert keeper.returncode == 0 and not os.path.exists(socket)


def test_a_daemon_that_does_not_start_says_why() -> None:
    from vineyard.deploy.local import start_vineyardd

    with pytest.raises(vineyard.Unavailable, match="ended at once"):
        start_vineyardd(size="nonsense")
    with vineyard.envvars("VINEYARDD", "/nonexistent/vineyardd"):
        with pytest.raises(vineyard.SystemFailure, match="/nonexistent/vineyardd"):
            start_vineyardd()


def test_modules_of_earlier_code_can_be_imported(client: vineyard.Client) -> None:
    from vineyard.core import default_builder_context, default_resolver_context
    from vineyard.data import arrow, dataframe, tensor  # noqa: F401

    dataframe.register_dataframe_types(default_builder_context, default_resolver_context)
    arrow.register_arrow_types(default_builder_context, default_resolver_context)
    assert client.get(client.put([1])) == [1]


def modules() -> list[str]:
    return ["vineyard"] + [
        found.name
        for found in pkgutil.walk_packages(vineyard.__path__, "vineyard.")
        if not found.name.endswith(("__main__", "_native"))
    ]


@pytest.mark.parametrize("name", modules())
def test_examples_of_the_documentation(name: str, client: vineyard.Client) -> None:
    module = importlib.import_module(name)
    with vineyard.envvars("VINEYARD_IPC_SOCKET", client.ipc_socket):
        # DocTestFinder follows __module__: what is imported elsewhere is tested where it is defined.
        result = doctest.testmod(module, extraglobs={"client": client, "vineyard": vineyard})
    assert result.failed == 0


@pytest.mark.parametrize("name", modules())
def test_everything_public_is_documented(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__
    for key, value in vars(module).items():
        if key.startswith("_") or getattr(value, "__module__", None) != name:
            continue
        assert value.__doc__, f"{name}.{key}"
        if isinstance(value, type) and not issubclass(value, BaseException):
            for method, function in vars(value).items():
                if not method.startswith("_") and callable(function):
                    assert function.__doc__, f"{name}.{key}.{method}"


def test_shared_memory(client: vineyard.Client) -> None:
    import pickle

    from vineyard.shared_memory import ShareableList, SharedMemory

    block = SharedMemory(client, create=True, size=6)
    block.buf[:] = b"abcdef"
    with pytest.raises(vineyard.ObjectNotFound):
        SharedMemory(client, name=block.name)
    with pytest.raises(vineyard.InvalidArgument, match="freeze it"):
        pickle.dumps(block)
    block.freeze()
    attached = SharedMemory(block.name, client=client)
    assert bytes(attached.buf) == b"abcdef" and attached.size == 6 and attached.buf.readonly
    assert bytes(pickle.loads(pickle.dumps(block)).buf) == b"abcdef" and "frozen" in repr(block)
    view = attached.buf
    attached.close()
    block.unlink()
    assert bytes(view) == b"abcdef" and not client.exists(vineyard.ObjectID(block.name))
    for keywords in ({}, {"create": True}, {"create": True, "size": -1}, {"create": True, "size": 1, "name": "x"}):
        with pytest.raises(vineyard.InvalidArgument):
            SharedMemory(client, **keywords)

    items = [b"a", "bb", 1234, 56.78, True, None, "", b"x" * 100, -(2**63)]
    shared = ShareableList(client, items)
    assert list(shared) == items and len(shared) == 9 and shared[-1] == -(2**63)
    shared[0], shared[2] = b"12345678", "eight by"
    with pytest.raises(vineyard.InvalidArgument, match="do not fit"):
        shared[0] = b"123456789"
    with pytest.raises(IndexError):
        shared[9]
    with pytest.raises(vineyard.TypeMismatch):
        ShareableList(client, [object()])
    shared.freeze()
    with pytest.raises(vineyard.InvalidArgument, match="frozen"):
        shared[0] = b"x"
    again = ShareableList(client, name=shared.shm.name)
    assert again[0] == b"12345678" and again.index(True) == 4 and again.count(None) == 1
    assert list(pickle.loads(pickle.dumps(again))) == list(again)


def test_the_readmes_python(daemon: Any) -> None:
    import re
    from pathlib import Path

    readme = (Path(__file__).parents[2] / "README.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert blocks
    vineyard.connect(daemon.socket)["numbers"] = "left by somebody who stopped half-way"
    names: dict[str, Any] = {}
    for block in blocks:
        if "/tmp/a.sock" in block:  # of two daemons: test_cluster.py
            continue
        exec(block.replace("/tmp/vineyard.sock", daemon.socket), names)
