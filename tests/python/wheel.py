#!/usr/bin/env python3
"""Builds the wheel from a clean copy of the tree, looks at what is in it, installs it into a bare
virtual environment without numpy, and puts and gets there. Standard library only, but for what
builds the wheel.

The copy lies at the same place each time, so that the compiler's cache knows it.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

# Runs in the bare environment, nothing of the tree at hand.
USE = """
import os, sys
import vineyard
from vineyard.deploy.local import start_vineyardd

assert vineyard.__file__.startswith(sys.prefix), vineyard.__file__
try:
    import numpy
except ImportError:
    pass
else:
    raise AssertionError("numpy was to be absent")
with start_vineyardd(size="64Mi") as (_, socket), vineyard.connect(socket) as client:
    value = {"a": [1, 2.5, None], "b": (b"raw" * 1000, "text"), "c": {1, 2}}
    assert client.get(client.put(value)) == value
    assert client.put(value, name="kept") == client.get_name("kept")
    daemon = os.readlink(f"/proc/{client.status.pid}/exe")
    assert daemon.startswith(sys.prefix), daemon
libraries = {line.split(None, 5)[5].strip() for line in open("/proc/self/maps") if "libvineyard" in line}
assert len(libraries) == 1 and all(path.startswith(sys.prefix) for path in libraries), libraries
"""


def run(*command: object, **keywords: Any) -> str:
    words = [str(word) for word in command]
    print("$", *words, flush=True)
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, **keywords)
    print(done.stdout, end="", flush=True)
    if done.returncode != 0:
        sys.exit(f"exit status {done.returncode}")
    return str(done.stdout)


def copy_tree(to: Path) -> None:
    """What git has or would have; of a tree without git, what is not built."""
    git = ["git", "-c", "safe.directory=*", "ls-files", "-co", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(git, cwd=ROOT, capture_output=True, check=True).stdout.decode()
        names = [name for name in listed.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        ignore = shutil.ignore_patterns("build", ".git", "__pycache__")
        shutil.copytree(ROOT, to, symlinks=True, ignore=ignore)
        return
    for name in names:
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)


def check_content(wheel: Path, source: Path) -> None:
    header = (source / "capi/include/vineyard/vineyard.h").read_text()
    abi = re.search(r"^#define VINEYARD_ABI_MAJOR\s+(\d+)", header, re.MULTILINE)
    assert abi, "the header names no ABI"
    version = (source / "VERSION").read_text().strip()
    with zipfile.ZipFile(wheel) as archive:
        modes = {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()}
        metadata = archive.read(f"vineyard-{version}.dist-info/METADATA").decode()

    libraries = [name for name in modes if "libvineyard" in name]
    assert libraries == [f"vineyard/libvineyard.so.{abi[1]}"], f"one library was expected: {libraries}"
    natives = [name for name in modes if re.fullmatch(r"vineyard/_native\..*\.so", name)]
    assert len(natives) == 1, f"one native module was expected: {natives}"
    links = [name for name, mode in modes.items() if stat.S_ISLNK(mode)]
    assert not links, f"a wheel has no links: {links}"
    daemon = "vineyard/bin/vineyardd"
    assert modes[daemon] & 0o111 == 0o111, f"{daemon} is not executable: {modes[daemon]:o}"

    package = source / "python"
    wanted = {str(path.relative_to(package)) for path in package.glob("vineyard/**/*") if path.is_file()}
    wanted.add("vineyard/_version.py")
    wanted |= {daemon, *libraries, *natives}
    found = {name for name in modes if not name.startswith(f"vineyard-{version}.dist-info/")}
    assert found == wanted, f"missing: {sorted(wanted - found)}, too much: {sorted(found - wanted)}"
    needed = [line for line in metadata.splitlines() if line.startswith("Requires-Dist") and "extra ==" not in line]
    assert not needed, f"a wheel that needs nothing was expected: {needed}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--build", type=Path, required=True, help="folder for the copy of the tree")
    arguments = parser.parse_args()
    os.environ.setdefault("CMAKE_BUILD_PARALLEL_LEVEL", "2")
    os.environ["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"

    source = arguments.build.resolve() / "source"
    shutil.rmtree(source, ignore_errors=True)
    copy_tree(source)
    with tempfile.TemporaryDirectory(prefix="vy-wheel-") as folder:
        work = Path(folder)
        run(sys.executable, "-m", "pip", "wheel", "-q", "--no-build-isolation", "--no-deps", "-w", work, source)
        (wheel,) = work.glob("*.whl")
        check_content(wheel, source)
        shutil.rmtree(source)

        run(sys.executable, "-m", "venv", work / "venv")
        python = work / "venv/bin/python"
        run(python, "-m", "pip", "install", "-q", "--no-index", wheel)
        links = [path for path in (work / "venv/lib").glob("*/site-packages/vineyard/**/*") if path.is_symlink()]
        assert not links, f"links were installed: {links}"

        # What would lead back to the tree, or to another daemon, is not in the environment.
        ours = ("PYTHON", "VINEYARD", "LD_")
        bare = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        (work / "empty").mkdir()
        run(python, "-c", USE, env=bare, cwd=work / "empty")
        version = run(python, "-m", "vineyard", "--version", env=bare, cwd=work / "empty")
        assert (ROOT / "VERSION").read_text().strip() in version, version


if __name__ == "__main__":
    main()
