#!/usr/bin/env python3
"""Checks that no compiler makes: who includes whom, file length, formatting, one version, a log that is
explained.

    lint.py [--root DIR] layers|length|format|versions|logs|all

Prints `file:line: what is wrong` and exits with 1 when something is. Standard library only.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path
from typing import Callable, Iterator, NamedTuple

# The table of docs/architecture.md: a folder may include itself and these, nothing else.
MAY_INCLUDE = {
    "core/base": [],
    "core/object": ["core/base"],
    "core/shm": ["core/base"],
    "core/wire": ["core/object", "core/base"],
    "core/store": ["core/shm", "core/object", "core/base"],
    "core/meta": ["core/object", "core/base"],
    "core/client": ["core/wire", "core/shm", "core/object", "core/base"],
    "capi/include": [],
    "capi": ["capi/include", "core/client", "core/object", "core/base"],
    "daemon/tool": ["core/client", "core/wire", "core/shm", "core/object", "core/base"],
    "daemon": ["daemon/tool", "core/store", "core/meta", "core/wire", "core/shm", "core/object", "core/base"],
    "swig": ["capi/include"],
    "examples": ["capi/include"],
}

# Headers of others, and the only folder that may see them (tests/<folder> may, too).
ONLY_IN = [
    (re.compile(r"boost/|asio"), "daemon"),
    (re.compile(r"spdlog/|fmt/|CLI/|toml\+\+/"), "daemon"),
    (re.compile(r"msgpack"), "core/object"),  # and its oracle in tests/fuzz, see ORACLES
    (re.compile(r"zookeeper/"), "core/meta"),
]

# Tests and benchmarks that compare with somebody else's library.
ORACLES = {"tests/fuzz/unpack_fuzz.cc", "bench/c/bare_zookeeper.h"}

# Platform code lives behind core/shm/os.h.
PLATFORM_MACRO = re.compile(
    r"^\s*#\s*(?:if|ifdef|ifndef|elif)\b.*\b"
    r"(__linux__|__linux|__gnu_linux__|__unix__|__APPLE__|__FreeBSD__|_WIN32|_WIN64|__ANDROID__"
    r"|__x86_64__|__amd64__|__aarch64__|__arm__)\b"
)
PLATFORM_FILES = "core/shm/os"

INCLUDE = re.compile(r'^\s*[#%]\s*(?:include|import)\s*([<"])([^>"]+)[>"]')
CXX_SUFFIXES = {".c", ".cc", ".h", ".hpp", ".i"}
CODE_SUFFIXES = CXX_SUFFIXES | {".py", ".pyi", ".java", ".pml", ".cmake", ".sh"}
WARN_LINES, MAX_LINES = 500, 600


class Problem(NamedTuple):
    file: str
    line: int
    text: str
    fatal: bool = True

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {'' if self.fatal else 'warning: '}{self.text}"


def project_files(root: Path) -> list[str]:
    """What git tracks or would track; in a tree without git, everything outside build/."""
    git = ["git", "-c", "safe.directory=*", "ls-files", "-co", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(git, cwd=root, capture_output=True, check=True).stdout
        names = [name for name in listed.decode().split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        found = (path.relative_to(root) for path in root.rglob("*"))
        names = [str(path) for path in found if path.parts[0] not in ("build", ".git")]
    return sorted({name for name in names if (root / name).is_file()})


def lines_of(root: Path, name: str) -> list[str]:
    return (root / name).read_text(encoding="utf-8", errors="replace").splitlines()


def folder_of(name: str) -> str | None:
    """The folder of MAY_INCLUDE that a file belongs to, the longest one."""
    owners = [folder for folder in MAY_INCLUDE if name.startswith(folder + "/")]
    return max(owners, key=len, default=None)


def included_folder(quote: str, header: str) -> str | None:
    """The folder that an include line reaches into; None for headers of others."""
    if header.startswith("vineyard/"):
        return "capi/include"
    owner = folder_of(header)
    if owner is None and quote == '"':
        owner = header.rpartition("/")[0] or "."
    return owner


def check_layers(root: Path) -> Iterator[Problem]:
    for name in project_files(root):
        if Path(name).suffix not in CXX_SUFFIXES:
            continue
        mine = folder_of(name)
        for number, line in enumerate(lines_of(root, name), 1):
            if match := PLATFORM_MACRO.match(line):
                if not name.removeprefix("tests/").startswith(PLATFORM_FILES):
                    text = f"{match[1]} outside {PLATFORM_FILES}*: put platform code behind os.h"
                    yield Problem(name, number, text)
            if not (match := INCLUDE.match(line)):
                continue
            quote, header = match[1], match[2]
            for pattern, home in ONLY_IN:
                at_home = name in ORACLES or name.removeprefix("tests/").startswith(home + "/")
                if pattern.match(header) and not at_home:
                    yield Problem(name, number, f"{header} may be included only in {home}")
            if mine is None:
                continue
            target = included_folder(quote, header)
            if target is None or target == mine or target in MAY_INCLUDE[mine]:
                continue
            if target in MAY_INCLUDE:
                yield Problem(name, number, f"{mine} may not include {target} ({header})")
            elif mine not in ("swig", "examples"):  # SWIG has a library, examples their own headers
                text = f'"{header}": write the path from the root of the repository'
                yield Problem(name, number, text)


def check_length(root: Path) -> Iterator[Problem]:
    for name in project_files(root):
        if Path(name).suffix in CODE_SUFFIXES:
            count = len(lines_of(root, name))
            if count > WARN_LINES:
                text = f"{count} lines: a file stops at {MAX_LINES}, split it"
                yield Problem(name, count, text, fatal=count > MAX_LINES)


def check_format(root: Path) -> Iterator[Problem]:
    tool = os.environ.get("CLANG_FORMAT", "clang-format-14")
    names = [name for name in project_files(root) if name.endswith((".c", ".cc", ".h", ".hpp"))]
    if not names:
        return
    command = [tool, "--dry-run", "-Werror", "--ferror-limit=1", *names]
    run = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if run.returncode == 0:
        return
    for match in re.finditer(r"^(.+?):(\d+):\d+: error: (.*)$", run.stderr, re.MULTILINE):
        yield Problem(match[1], int(match[2]), f"not formatted, run {tool} -i {match[1]}")
    if not re.search(r"error:", run.stderr):
        yield Problem(tool, 0, run.stderr.strip() or f"exit status {run.returncode}")


def check_versions(root: Path) -> Iterator[Problem]:
    """Everything that names a version agrees with VERSION, the ABI major with the header."""
    version = (root / "VERSION").read_text().strip()
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        yield Problem("VERSION", 1, f"{version!r} is not MAJOR.MINOR.PATCH")
        return

    def text_of(name: str) -> str:
        path = root / name
        return path.read_text() if path.exists() else ""

    header_name = "capi/include/vineyard/vineyard.h"
    header = text_of(header_name)
    for part, number in zip(("MAJOR", "MINOR", "PATCH"), version.split(".")):
        found = re.search(rf"^#define VINEYARD_VERSION_{part}\s+(\d+)", header, re.MULTILINE)
        if found and found[1] != number:
            yield Problem(header_name, 0, f"VINEYARD_VERSION_{part} is {found[1]}, not {number}")
    for found in re.finditer(r'^#define VINEYARD_VERSION\w*\s+"([^"]*)"', header, re.MULTILINE):
        if found[1] != version:
            yield Problem(header_name, 0, f"says version {found[1]}, VERSION says {version}")

    abi = re.search(r"^#define VINEYARD_ABI_MAJOR\s+(\d+)", header, re.MULTILINE)
    map_name = "capi/vineyard.map"
    for node in re.finditer(r"^VINEYARD_(\d+)", text_of(map_name), re.MULTILINE):
        if abi and node[1] != abi[1]:
            yield Problem(map_name, 0, f"{node[0]} but VINEYARD_ABI_MAJOR is {abi[1]}")

    pyproject = text_of("pyproject.toml")
    if pyproject:
        if not re.search(r'^input = "VERSION"', pyproject, re.MULTILINE):
            yield Problem("pyproject.toml", 0, "the version must be read from VERSION")
        project = pyproject.partition("[project]")[2].partition("\n[")[0]
        if re.search(r"^version\s*=", project, re.MULTILINE):
            yield Problem("pyproject.toml", 0, "a version of its own; VERSION is the only place")

    pom = text_of("java/pom.xml")
    if pom:
        found = xml.etree.ElementTree.fromstring(pom).findtext("{*}version")
        if found is not None and found not in (version, f"{version}-SNAPSHOT"):
            yield Problem("java/pom.xml", 0, f"says version {found}, VERSION says {version}")

    for name in project_files(root):
        if name.startswith("python/") and name.endswith(".py"):
            for number, line in enumerate(lines_of(root, name), 1):
                if re.match(r'__version__\s*=\s*["\']', line):
                    yield Problem(name, number, "import __version__ from the generated _version")


def check_models(root: Path) -> Iterator[Problem]:
    """docs/models.md quotes models and code: both are still there, and no model is left out."""
    page = "docs/models.md"
    if not (root / page).exists():
        return
    quoted = set()
    for number, line in enumerate(lines_of(root, page), 1):
        cells = [cell.strip().strip("`").replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) != 4 or not cells[0].endswith(".pml"):
            continue
        model, step, file, code = cells
        quoted.add(model)
        for name, text in ((f"tests/models/{model}", step), (file, code)):
            if not (root / name).exists():
                yield Problem(page, number, f"there is no {name}")
            elif text not in (root / name).read_text(encoding="utf-8"):
                yield Problem(page, number, f"{name} does not say `{text}`: mend the table, and look at the model")
    for path in sorted((root / "tests/models").glob("*.pml")):
        if path.name not in quoted:
            yield Problem(page, 1, f"{path.name} is not in the table")


LOGGED = re.compile(r'\bLog\(\s*LogLevel::k(Warning|Error),\s*((?:"(?:[^"\\]|\\.)*"\s*)*)')
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')
CONVERSION = re.compile(r"%[-+ #0]*\d*(?:\.\d+)?(?:hh|h|ll|l|z|j)?[diouxXcspfgeG]")
EXPLAINED = re.compile(r"^\| `(.+?)` \| (warning|error) \|")
LOG_TABLE = "docs/operations.md"


def check_logs(root: Path) -> Iterator[Problem]:
    """What is logged at level warning and above is in the table of LOG_TABLE, and nothing else is."""
    if not (root / LOG_TABLE).exists():
        return
    explained = {
        (match[2], match[1]): number
        for number, line in enumerate(lines_of(root, LOG_TABLE), 1)
        if (match := EXPLAINED.match(line))
    }
    said = set()
    for name in project_files(root):
        if not name.startswith(("core/", "daemon/")) or Path(name).suffix not in CXX_SUFFIXES:
            continue
        text = (root / name).read_text(encoding="utf-8")
        for match in LOGGED.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            logged = CONVERSION.sub("…", "".join(LITERAL.findall(match[2]))).replace("%%", "%")
            key = (match[1].lower(), logged)
            said.add(key)
            if key not in explained:
                yield Problem(name, line, f"explain `{logged}` ({key[0]}) in the table of {LOG_TABLE}")
    for (level, text), number in explained.items():
        if (level, text) not in said:
            yield Problem(LOG_TABLE, number, f"nobody logs `{text}` at level {level}")


CHECKS: dict[str, Callable[[Path], Iterator[Problem]]] = {
    "layers": check_layers,
    "length": check_length,
    "format": check_format,
    "versions": check_versions,
    "models": check_models,
    "logs": check_logs,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2])
    parser.add_argument("check", choices=[*CHECKS, "all"])
    arguments = parser.parse_args()
    names = list(CHECKS) if arguments.check == "all" else [arguments.check]
    problems = [problem for name in names for problem in CHECKS[name](arguments.root)]
    for problem in problems:
        print(problem)
    return 1 if any(problem.fatal for problem in problems) else 0


if __name__ == "__main__":
    sys.exit(main())
