#!/usr/bin/env python3
"""Checks what callers compiled yesterday rely on.

    abi.py dialects --cc CC --cxx CXX
    abi.py symbols  --library LIB [--instrumented]
    abi.py needed   --library LIB
    abi.py diff     --library LIB --cc CC      against a library of nothing but the first header
    abi.py old      --library LIB --cc CC [--sanitize WHAT]   a client of the first header runs today

Standard library only; uses nm, ldd, abidiff.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
INCLUDE = ROOT / "capi" / "include"
FIRST = HERE / "v0"  # the first header: never changed, the baseline of everything

C_DIALECTS = ["c90", "c99", "c11", "c17"]
CXX_DIALECTS = ["c++98", "c++11", "c++14", "c++17", "c++20"]
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
# libc, libm, libstdc++, libgcc, and what the kernel and the loader add by themselves.
MAY_NEED = re.compile(
    r"(linux-vdso|linux-gate|ld-linux[\w-]*|libc|libm|libstdc\+\+|libgcc_s|libpthread|libdl)\.so")


def run(*command: object, **keywords: object) -> str:
    words = [str(word) for word in command]
    print("$", *words, flush=True)
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, **keywords)  # type: ignore
    print(done.stdout, end="", flush=True)
    if done.returncode != 0:
        sys.exit(f"exit status {done.returncode}")
    return done.stdout


def dialects(cc: str, cxx: str) -> None:
    """The header alone is enough, in every dialect, without a warning."""
    source = "#include <vineyard/vineyard.h>\n" + "".join(
        f"{macro[:-5].lower()} make_{number}(void);\n"
        f"{macro[:-5].lower()} make_{number}(void) {{ {macro[:-5].lower()} it = {macro}; return it; }}\n"
        for number, macro in enumerate(re.findall(
            r"#define (VINEYARD_\w+_INIT)", (INCLUDE / "vineyard" / "vineyard.h").read_text())))
    with tempfile.TemporaryDirectory(prefix="vy-abi-") as folder:
        for compiler, names, suffix in ((cc, C_DIALECTS, "c"), (cxx, CXX_DIALECTS, "cc")):
            path = Path(folder) / f"dialect.{suffix}"
            path.write_text(source)
            for name in names:
                run(compiler, f"-std={name}", *STRICT, "-I", INCLUDE, "-fsyntax-only", path)


def names_in(path: Path, pattern: str) -> list[str]:
    return re.findall(pattern, path.read_text(), re.MULTILINE)


def complain(what: str, names: set[str]) -> None:
    if names:
        sys.exit(f"{what}: {', '.join(sorted(names))}")


def symbols(library: Path, instrumented: bool) -> None:
    """Header, version script, frozen list and library name the same functions."""
    header = re.findall(r"\b(vineyard_\w+)\(", " ".join(
        re.findall(r"^VINEYARD_API[^;]*;", (INCLUDE / "vineyard" / "vineyard.h").read_text(),
                   re.MULTILINE)))
    script = names_in(ROOT / "capi" / "vineyard.map", r"^\s+(\w+);")
    frozen = names_in(HERE / "symbols.txt", r"^(vineyard_\w+)$")
    exported = {line.split()[-1].partition("@")[0]
                for line in run("nm", "-D", "--defined-only", library).splitlines()
                if line.split()[-2] != "A"}
    if instrumented:  # sanitizers export things of their own
        exported = {name for name in exported if name.startswith("vineyard_")}
    for what, names in (("version script", script), ("symbols.txt", frozen)):
        complain(f"{what}: twice", {name for name in names if names.count(name) > 1})
    complain("in symbols.txt, not in the version script", set(frozen) - set(script))
    complain("in the version script, not in symbols.txt", set(script) - set(frozen))
    complain("in the header, not in the version script", set(header) - set(script))
    complain("in the version script, not in the header", set(script) - set(header))
    complain("exported, not in the version script", exported - set(script))
    complain("in the version script, not exported", set(script) - exported)


def needed(library: Path) -> None:
    """The library depends on libc, libm, libstdc++ and libgcc, nothing else."""
    for line in run("ldd", library).splitlines():
        if not MAY_NEED.search(line):
            sys.exit(f"{library.name} needs {line.strip()}")


def diff(library: Path, cc: str) -> None:
    """abidiff sees nothing that a caller of the first header would notice.

    The baseline is that header itself: a library whose functions are empty is made of it. (abidw's
    XML of the real library is 4 MB, and abidiff 2.2 dies of reading it.)
    """
    header = (FIRST / "vineyard" / "vineyard.h").read_text()
    with tempfile.TemporaryDirectory(prefix="vy-abi-") as folder:
        source, first = Path(folder) / "first.c", Path(folder) / library.name
        source.write_text("#include <vineyard/vineyard.h>\n" + "".join(
            f"{prototype} {{ __builtin_trap(); }}\n"
            for prototype in re.findall(r"^VINEYARD_API([^;]*);", header, re.MULTILINE)))
        run(cc, "-g", "-shared", "-fPIC", "-I", FIRST, source, "-o", first,
            f"-Wl,--version-script={ROOT / 'capi' / 'vineyard.map'}",
            f"-Wl,-soname,{soname(library)}")
        run("abidiff", "--no-added-syms", "--drop-private-types", "--headers-dir1", FIRST,
            "--headers-dir2", INCLUDE, first, library)


def soname(library: Path) -> str:
    return re.search(r"SONAME.*\[(.*)\]", run("readelf", "-d", library))[1]  # type: ignore


def old(library: Path, cc: str, sanitize: str) -> None:
    """A program compiled against the first header does its work with today's library and daemon."""
    flags = [f"-fsanitize={sanitize}"] if sanitize else []
    with tempfile.TemporaryDirectory(prefix="vy-abi-") as folder:
        program, socket = Path(folder) / "client", Path(folder) / "s"
        run(cc, *STRICT, *flags, "-I", FIRST, FIRST / "client.c", "-o", program,
            f"-L{library.parent}", "-lvineyard", f"-Wl,-rpath,{library.parent}")
        daemon = subprocess.Popen([os.environ["VINEYARDD"], "--socket", socket, "--size", "64Mi"])
        try:
            for _ in range(2000):
                if socket.exists() or daemon.poll() is not None:
                    break
                time.sleep(0.01)
            run(program, socket)
        finally:
            daemon.terminate()
            daemon.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("check", choices=["dialects", "symbols", "needed", "diff", "old"])
    parser.add_argument("--library", type=Path)
    parser.add_argument("--cc", default="cc")
    parser.add_argument("--cxx", default="c++")
    parser.add_argument("--sanitize", default="")
    parser.add_argument("--instrumented", action="store_true")
    options = parser.parse_args()
    if options.check == "dialects":
        dialects(options.cc, options.cxx)
    elif options.check == "symbols":
        symbols(options.library, options.instrumented)
    elif options.check == "needed":
        needed(options.library)
    elif options.check == "diff":
        if shutil.which("abidiff") is None:
            sys.exit("abidiff is missing (package abigail-tools)")
        diff(options.library, options.cc)
    else:
        old(options.library, options.cc, options.sanitize)


if __name__ == "__main__":
    main()
