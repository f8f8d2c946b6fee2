"""examples/python, examples/tutorial and examples/mixed: each runs, and what it prints is true."""

from __future__ import annotations

import multiprocessing
import os
import re
import runpy
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Iterator

import pytest

import vineyard
from vineyard.launch import Daemon

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


@pytest.fixture()
def temporary(client: vineyard.Client) -> Iterator[Path]:
    """Where an example makes its folders; of which, as of objects, it leaves none."""
    with tempfile.TemporaryDirectory(prefix="vy-") as folder:
        yield Path(folder)
        assert os.listdir(folder) == []
    assert client.list_names(limit=None) == {}
    assert list(client.objects()) == []


def run(temporary: Path, script: str | Path, *arguments: object, fails: bool = False) -> str:
    """What an example prints; where it has to fail, what it says then."""
    done = subprocess.run(
        [sys.executable, "-B", str(EXAMPLES / script), *map(str, arguments)],
        env={**os.environ, "TMPDIR": str(temporary)}, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode != 0) == fails, done.stderr
    assert fails or done.stderr == ""
    return done.stderr if fails else done.stdout


def without_numpy(temporary: Path, script: str) -> str:
    """What it says where numpy is not installed."""
    (temporary / "numpy.py").write_text("raise ImportError")
    try:
        with vineyard.envvars("PYTHONPATH", str(temporary)):
            return run(temporary, script, fails=True)
    finally:
        (temporary / "numpy.py").unlink()


@pytest.fixture(params=["a daemon of its own", "a running daemon"])
def socket(request: Any, daemon: Daemon) -> list[str]:
    """The argument that an example takes."""
    return [] if request.param == "a daemon of its own" else [daemon.socket]


# ---- python


def test_a_shared_model_costs_its_workers_no_memory(temporary: Path, socket: list[str]) -> None:
    said = run(temporary, "python/shared_model.py", *socket, "--mib", 32, "--workers", 3)
    rows = re.findall(r"^(by name|as a pickle), .* (-?[\d.]+) MiB +(-?[\d.]+) MiB +[\d.]+ s$", said, re.MULTILINE)
    assert [row[0] for row in rows] == ["by name", "as a pickle"], said
    (shared, of_all), (pickled, of_all_pickled) = [(float(most), float(total)) for _, most, total in rows]
    size = float(re.findall(r"^A model of ([\d.]+) MiB, 3 worker processes$", said, re.MULTILINE)[0])
    assert 31 < size <= 32
    assert shared < size / 8 and of_all < 3 * size / 8
    assert pickled > size * 7 / 8 and of_all_pickled > 3 * size * 7 / 8
    assert "Every worker computed the same from it." in said


def test_private_memory_is_what_the_process_alone_has() -> None:
    model = runpy.run_path(str(EXAMPLES / "python" / "shared_model.py"))
    before = model["private_memory"]()
    block = b"x" * (64 << 20)
    assert model["private_memory"]() - before > len(block) * 7 / 8


@pytest.mark.parametrize("script", ["python/shared_model.py", "tutorial/run.py"])
def test_an_example_that_needs_numpy_says_so(temporary: Path, script: str) -> None:
    said = without_numpy(temporary, script)
    assert "pip install numpy" in said and "Traceback" not in said


@pytest.mark.parametrize("consumers, in_flight", [(3, 4), (2, 1), (1, 50)])
def test_consumers_take_each_item_once(
    temporary: Path, socket: list[str], consumers: int, in_flight: int
) -> None:
    flags = ["--items", 20, "--consumers", consumers, "--in-flight", in_flight]
    said = run(temporary, "python/producer_consumers.py", *socket, *flags)
    taken = re.findall(r"^consumer (\d+): (\d+) items:((?: \d+)*)$", said, re.MULTILINE)
    assert sorted(int(who) for who, _, _ in taken) == list(range(consumers))
    assert sorted(int(item) for _, _, items in taken for item in items.split()) == list(range(20))
    assert all(int(count) == len(items.split()) for _, count, items in taken)
    most = re.findall(r"^producer: 20 items of 256 KiB, at most (\d+) of them in memory at once$", said, re.MULTILINE)
    assert len(most) == 1 and 1 <= int(most[0]) <= in_flight
    assert said.endswith("left when all had ended: next\n")


def test_a_process_that_fails_ends_the_others() -> None:
    example = runpy.run_path(str(EXAMPLES / "python" / "producer_consumers.py"))
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=signal.pause), context.Process(target=os._exit, args=(3,))]
    assert example["run"](processes) is False
    assert [process.exitcode for process in processes] == [-signal.SIGTERM, 3]


def test_workers_of_every_start_method_reopen_what_they_get(temporary: Path, socket: list[str]) -> None:
    said = run(temporary, "python/start_methods.py", *socket)
    parent = re.findall(r"^parent, process (\d+): put (o[0-9a-f]{16})$", said, re.MULTILINE)
    workers = re.findall(r"^(\w+), process (\d+)$((?:\n    .*)+)", said, re.MULTILINE)
    assert len(parent) == 1 and [method for method, _, _ in workers] == ["fork", "spawn", "forkserver"]
    assert len({parent[0][0], *(process for _, process, _ in workers)}) == 4
    for method, process, lines in workers:
        assert f"{parent[0][1]}: 'the same bytes for everybody'" in lines
        assert "vineyard::Blob of 28 bytes, read in place: True" in lines
        assert ("as they are: True" if method == "fork" else "it is a new interpreter") in lines
        assert re.search(rf"which the parent reads: \[{process}, 'from', '\w+PoolWorker-\d+'\]$", lines), lines


# ---- tutorial


def test_the_tutorial_is_shown_with_what_it_prints(temporary: Path) -> None:
    said = run(temporary, "tutorial/run.py")
    assert re.search(r"^\$ python3 -m vineyard --socket \S+/vineyard\.sock1$", said, re.MULTILINE)
    assert re.search(
        r"^>>> print\(blob\.typename, blob\.size, blob\)\n"
        r'vineyard::Blob 28 Object <"o[0-9a-f]{16}": vineyard::Blob>$', said, re.MULTILINE,
    )  # fmt: skip
    assert re.search(r"^>>> print\(value_pair\)\n\(None, .*1.*\)$", said, re.MULTILINE)
    assert "Everything was printed as the text says" in said


@pytest.mark.parametrize(
    "flag, said", [("--meta local", "run.py: 1 of its outputs"), ("--size nonsense", "it did not start: ")]
)
def test_the_tutorial_tells_what_is_not_as_the_text_says(
    temporary: Path, tmp_path: Path, flag: str, said: str
) -> None:
    text = tmp_path / "text.rst"
    text.write_text(
        f".. code:: console\n\n    $ python3 -m vineyard {flag} --socket /var/run/vineyard.sock1\n\n"
        ".. code:: python\n\n    >>> print(client.get(client.put(1)))\n\n.. code:: console\n\n    2\n"
    )
    script = tmp_path / "other_text.py"
    script.write_text(
        f"import pathlib, runpy, sys\nsys.path.insert(0, {str(EXAMPLES / 'tutorial')!r})\nimport tutorial\n"
        f"tutorial.TEXT = pathlib.Path({str(text)!r})\nrunpy.run_module('run', run_name='__main__')\n"
    )
    told = run(temporary, script, fails=True)
    assert said in told and "Traceback" not in told


# ---- mixed


@pytest.fixture(scope="module")
def compiled() -> Iterator[Path]:
    """The compiled stages, built as the README says against an installed Vineyard."""
    daemon = os.environ.get("VINEYARDD")
    build = Path(daemon).parents[1] if daemon else ROOT / "build" / "release"
    with tempfile.TemporaryDirectory(prefix="vy-mixed-") as folder:
        for words in (
            ["--install", build, "--prefix", f"{folder}/prefix"],
            ["-S", EXAMPLES / "mixed", "-B", f"{folder}/build", f"-DCMAKE_PREFIX_PATH={folder}/prefix",
             "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Werror"],
            ["--build", f"{folder}/build"],
        ):  # fmt: skip
            done = subprocess.run(["cmake", *words], capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
        yield Path(folder, "build")


@pytest.fixture()
def pipeline(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module examples/mixed/run.py."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("mixed_run", EXAMPLES / "mixed" / "run.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "mixed_run", module)
    spec.loader.exec_module(module)
    return module


def test_a_pipeline_of_several_languages_copies_nothing(
    temporary: Path, socket: list[str], compiled: Path, pipeline: Any
) -> None:
    said = run(temporary, "mixed/run.py", *socket, "--mib", 40, "--build", compiled)
    assert said.startswith(f"An array of {5 << 20:,} float64, 40.0 MiB, through {len(pipeline.STAGES)} programs\n")
    rows = re.findall(r"^(\S+) .*? [\d.]+ s +([\d,]+)$", said, re.MULTILINE)
    assert rows == [(name, "0") for name in (*(stage.language for stage in pipeline.STAGES), "together")], said
    assert "The last stage found what it had to: " in said


def test_what_the_last_stage_has_to_find_is_right(pipeline: Any) -> None:
    odd = pipeline.Stage("Other", "2 x + 1", [], lambda x: 2 * x + 1)
    assert pipeline.expected([odd], 5) == {"count": 5, "first": 1, "last": 9, "sum": 1 + 3 + 5 + 7 + 9}


ADDS = """
import sys, vineyard
socket, source, target = sys.argv[1:]
client = vineyard.connect(socket)
client.put(client.get(name=source) + 1, name=target)
print("copied", client.copied_payload_bytes)
print("worked 0")
"""


@pytest.fixture()
def add(tmp_path: Path) -> Path:
    """A stage that puts a copy: x + 1."""
    (tmp_path / "add.py").write_text(ADDS)
    return tmp_path / "add.py"


def test_a_stage_that_copies_is_seen(
    client: vineyard.Client, compiled: Path, pipeline: Any, add: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, last = pipeline.STAGES[0], pipeline.STAGES[-1]
    adds = pipeline.Stage("Other", "x + 1", [sys.executable, str(add)], lambda x: x + 1)
    copied = pipeline.run([first, adds, last], client.ipc_socket, 100_000, compiled)
    assert copied == 800_000
    assert re.search(r"^together .* 800,000$", capsys.readouterr().out, re.MULTILINE)
    assert client.list_names(limit=None) == {} and list(client.objects()) == []


def test_a_stage_that_computes_something_else_is_seen(
    client: vineyard.Client, compiled: Path, pipeline: Any, add: Path
) -> None:
    first, last = pipeline.STAGES[0], pipeline.STAGES[-1]
    doubles = pipeline.Stage("Other", "2 x", [sys.executable, str(add)], lambda x: 2 * x)
    with pytest.raises(SystemExit, match="the last stage found"):
        pipeline.run([first, doubles, last], client.ipc_socket, 100_000, compiled)


def test_a_stage_that_fails_ends_the_pipeline_and_leaves_nothing(
    client: vineyard.Client, compiled: Path, pipeline: Any
) -> None:
    first, last = pipeline.STAGES[0], pipeline.STAGES[-1]
    fails = pipeline.Stage("Other", "nothing", [sys.executable, "-c", "exit(7)"], lambda x: x)
    with pytest.raises(SystemExit, match="exit status 7"):
        pipeline.run([first, fails, last], client.ipc_socket, 100_000, compiled)
    assert client.list_names(limit=None) == {} and list(client.objects()) == []


def test_the_pipeline_says_how_to_build_what_is_missing(temporary: Path, tmp_path: Path) -> None:
    assert "README.md" in run(temporary, "mixed/run.py", "--build", tmp_path, fails=True)
