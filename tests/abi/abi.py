#!/usr/bin/env python3
"""Checks what callers compiled yesterday rely on.

    abi.py dialects --cc CC --cxx CXX
    abi.py symbols  --library LIB [--instrumented]
    abi.py constants                           numbers mean what they meant in the first header
    abi.py needed   --library LIB --daemon DAEMON
    abi.py diff     --library LIB --cc CC      against a library of nothing but the first header
    abi.py old      --library LIB --cc CC [--sanitize WHAT]   a client of the first header runs today

Standard library only; uses nm, ldd, readelf, abidiff.
"""

from __future__ import annotations

import argparse
import hashlib
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
FROZEN = {
    "client.c": "6030299cb3d3511c91334f936ea7ebfd21872a58b54f2a96e3d41149555b28d3",
    "vineyard/vineyard.h": "0eaa0c3535e4c3147580172c8d49169cc56cb778028c887b9542c566fb7431a3",
}

C_DIALECTS = ["c90", "c99", "c11", "c17"]
CXX_DIALECTS = ["c++98", "c++11", "c++14", "c++17", "c++20"]
HPP_DIALECTS = ["c++17", "c++20"]
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
# What programs are compiled with that include the C++ header: their warnings are about it, too.
HPP_STRICT = [*STRICT, "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Wold-style-cast",
              "-Wnon-virtual-dtor", "-Woverloaded-virtual", "-Wdouble-promotion"]
# What the kernel and the loader add by themselves, libc and libm; the library also those of C++.
DAEMON_MAY_NEED = re.compile(r"^\s*(/\S*/)?(linux-vdso|linux-gate|ld-linux[\w-]*|libc|libm)\.so")
LIBRARY_MAY_NEED = re.compile(
    r"^\s*(/\S*/)?(linux-vdso|linux-gate|ld-linux[\w-]*|libc|libm|libstdc\+\+|libgcc_s)\.so")


def run(*command: object, **keywords: object) -> str:
    words = [str(word) for word in command]
    print("$", *words, flush=True)
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, **keywords)  # type: ignore
    print(done.stdout, end="", flush=True)
    if done.returncode != 0:
        sys.exit(f"exit status {done.returncode}")
    return done.stdout


def dialects(cc: str, cxx: str) -> None:
    """A header alone is enough, in every dialect that it is for, without a warning."""
    source = "#include <vineyard/vineyard.h>\n" + "".join(
        f"{macro[:-5].lower()} make_{number}(void);\n"
        f"{macro[:-5].lower()} make_{number}(void) {{ {macro[:-5].lower()} it = {macro}; return it; }}\n"
        for number, macro in enumerate(re.findall(
            r"#define (VINEYARD_\w+_INIT)", text_of(INCLUDE))))
    with tempfile.TemporaryDirectory(prefix="vy-abi-") as folder:
        for compiler, names, suffix in ((cc, C_DIALECTS, "c"), (cxx, CXX_DIALECTS, "cc")):
            path = Path(folder) / f"dialect.{suffix}"
            path.write_text(source)
            for name in names:
                run(compiler, f"-std={name}", *STRICT, "-I", INCLUDE, "-fsyntax-only", path)
        for name in HPP_DIALECTS:
            # Each part alone, too, in the dialect that has less.
            for header in ("vineyard.hpp", *(hpp_parts() if name == HPP_DIALECTS[0] else [])):
                path = Path(folder) / "hpp.cc"
                path.write_text(f"#include <vineyard/{header}>\nint main() {{}}\n")
                run(cxx, f"-std={name}", *HPP_STRICT, "-I", INCLUDE, "-fsyntax-only", path)
            # Templates are looked at where they are used.
            run(cxx, f"-std={name}", *HPP_STRICT, "-I", INCLUDE, "-c", HERE / "hpp_use.cc",
                "-o", Path(folder) / f"{name}.o")
        mixed([Path(folder) / f"{name}.o" for name in HPP_DIALECTS])


def hpp_parts() -> list[str]:
    return sorted(f"hpp/{path.name}" for path in (INCLUDE / "vineyard" / "hpp").glob("*.hpp"))


def mixed(objects: list[Path]) -> None:
    """Objects of both dialects may be linked: what has a std::span in one and ours in the other has two names."""
    def functions(path: Path) -> set[str]:
        lines = subprocess.check_output(["nm", "--defined-only", path], text=True).splitlines()
        return {line.split()[-1] for line in lines if line.split()[-2] == "W" and "vineyard" in line}

    seventeen, twenty = (functions(path) for path in objects)
    for name in ("Blob5bytes", "Blob6stored"):
        both = {function for function in seventeen & twenty if name in function}
        if both or not any(name in function for function in seventeen) or not any(
                name in function for function in twenty):
            sys.exit(f"{name}: one name of two functions, or not there: {sorted(both)}")
    if not any("Blob4sizeEv" in function for function in seventeen & twenty):
        sys.exit("Blob::size has two names: an object of one dialect can not take a Blob of the other")


def names_in(path: Path, pattern: str) -> list[str]:
    return re.findall(pattern, path.read_text(), re.MULTILINE)


def complain(what: str, names: set[str]) -> None:
    if names:
        sys.exit(f"{what}: {', '.join(sorted(names))}")


def symbols(library: Path, instrumented: bool) -> None:
    """Header, version script, frozen list and library name the same functions."""
    header = functions_in(INCLUDE)
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
    complain("in the header, not in the version script", header - set(script))
    complain("in the version script, not in the header", set(script) - header)
    complain("exported, not in the version script", exported - set(script))
    complain("in the version script, not exported", set(script) - exported)


def constants() -> None:
    """Each number that the first header defines means the same today, and no status is used twice."""
    for name, digest in FROZEN.items():
        if hashlib.sha256((FIRST / name).read_bytes()).hexdigest() != digest:
            sys.exit(f"{FIRST / name} was changed: programs that were compiled against it are not")
    first, today = defined_in(FIRST), defined_in(INCLUDE)
    if len(first) < 50:
        sys.exit(f"only {len(first)} constants were found in the first header")
    complain("changed or gone since the first header",
             {name for name, value in first.items() if today.get(name) != value})
    for kind in ("E", "VALUE", "BLOB", "ELEMENT", "EVENT"):
        numbers = [value for name, value in today.items() if name.startswith(f"VINEYARD_{kind}_")]
        complain(f"a number of VINEYARD_{kind}_* is used twice",
                 {value for value in numbers if numbers.count(value) > 1})
    complain("in the first header, not in symbols.txt",
             functions_in(FIRST) - set(names_in(HERE / "symbols.txt", r"^(vineyard_\w+)$")))


def defined_in(include: Path) -> dict[str, str]:
    """Constants (not versions, not initializers) and their text."""
    text = text_of(include)
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL).replace("\\\n", " ")
    defines = dict(re.findall(r"^#define[ \t]+(VINEYARD_\w+)[ \t]+(\S.*?)[ \t]*$", text, re.MULTILINE))
    return {name: value for name, value in defines.items()
            if not re.search(r"_INIT$|_ABI_M\w+$|^VINEYARD_API$", name)}


def text_of(include: Path) -> str:
    """All headers: vineyard.h includes the others."""
    return "".join(path.read_text() for path in sorted((include / "vineyard").glob("*.h")))


def functions_in(include: Path) -> set[str]:
    text = text_of(include)
    return set(re.findall(r"\b(vineyard_\w+)\(", " ".join(
        re.findall(r"^VINEYARD_API[^;]*;", text, re.MULTILINE))))


def needed(library: Path, daemon: Path) -> None:
    """Library and daemon depend on libc, libm and (the library) libstdc++ and libgcc, nothing else; the
    library is never unloaded, and its name carries the major number."""
    for program, may_need in ((library, LIBRARY_MAY_NEED), (daemon, DAEMON_MAY_NEED)):
        lines = run("ldd", program).splitlines()
        if not any("libc.so" in line for line in lines):
            sys.exit(f"{program.name} does not even need libc: what did ldd look at?")
        for line in lines:
            if not may_need.search(line):
                sys.exit(f"{program.name} needs {line.strip()}")
    # Threads and handlers of fork() run its code until the end of the process.
    if not re.search(r"FLAGS_1\).*\bNODELETE\b", run("readelf", "-d", library)):
        sys.exit(f"{library.name} can be unloaded: it was linked without -z nodelete")
    major = re.search(r"^#define VINEYARD_ABI_MAJOR[ \t]+(\d+)",
                      (INCLUDE / "vineyard" / "vineyard.h").read_text(), re.MULTILINE)[1]  # type: ignore
    if soname(library) != f"libvineyard.so.{major}":
        sys.exit(f"SONAME is {soname(library)}, the major number of the ABI is {major}")


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
        # Option structs begin with their size: they may grow at the end.
        grown = Path(folder) / "grown.suppr"
        grown.write_text("[suppress_type]\n  type_kind = struct\n  name_regexp = ^vineyard_.*_options$\n"
                         "  has_data_member_inserted_at = end\n")
        run("abidiff", "--no-added-syms", "--drop-private-types", "--suppressions", grown, "--headers-dir1", FIRST,
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
        daemon = subprocess.Popen([os.environ["VINEYARDD"], "--socket", socket, "--size", "64Mi", "--meta", "local"])
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
    parser.add_argument("check", choices=["dialects", "symbols", "constants", "needed", "diff", "old"])
    parser.add_argument("--library", dest="shared_object", type=Path)
    parser.add_argument("--daemon", type=Path)
    parser.add_argument("--cc", default="cc")
    parser.add_argument("--cxx", default="c++")
    parser.add_argument("--sanitize", default="")
    parser.add_argument("--instrumented", action="store_true")
    given = parser.parse_args()
    if given.check == "dialects":
        dialects(given.cc, given.cxx)
    elif given.check == "symbols":
        symbols(given.shared_object, given.instrumented)
    elif given.check == "constants":
        constants()
    elif given.check == "needed":
        needed(given.shared_object, given.daemon)
    elif given.check == "diff":
        if shutil.which("abidiff") is None:
            sys.exit("abidiff is missing (package abigail-tools)")
        diff(given.shared_object, given.cc)
    else:
        old(given.shared_object, given.cc, given.sanitize)


if __name__ == "__main__":
    main()
