#!/usr/bin/env python3
"""Installs a build into a temporary prefix, moves it, and builds examples/c and examples/cpp against what
is there: once with find_package(Vineyard), once with pkg-config. The tests that they register run
with VINEYARDD naming the installed daemon. The README's tours in C and C++ are compiled and run, too.
Standard library only.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


def run(*command: object, **keywords: object) -> str:
    words = [str(word) for word in command]
    print("$", *words, flush=True)
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, **keywords)  # type: ignore
    print(done.stdout, end="", flush=True)
    if done.returncode != 0:
        sys.exit(f"exit status {done.returncode}")
    return done.stdout


def one(prefix: Path, pattern: str) -> Path:
    found = sorted(prefix.glob(pattern))
    if len(found) != 1:
        sys.exit(f"{pattern}: expected one file in the installed tree, found {found}")
    return found[0]


def tour(readme: Path, language: str) -> str:
    """The program in the README, with its socket as the first argument."""
    blocks = re.findall(rf"^```{re.escape(language)}\n(.*?)^```", readme.read_text(), re.MULTILINE | re.DOTALL)
    if len(blocks) != 1:
        sys.exit(f"{readme}: expected one block of {language}, found {len(blocks)}")
    return re.sub(r"main\((void)?\)", "main(int argc, char** argv)", blocks[0]).replace(
        '"/tmp/vineyard.sock"', "argv[argc - 1]")


def headers(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.h*"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--cmake", default="cmake")
    parser.add_argument("--cc", default="cc")
    parser.add_argument("--cxx", default="c++")
    parser.add_argument("--sanitize", default="", help="what the library was built with")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="vy-install-") as folder:
        work = Path(folder)
        prefix = work / "moved"
        run(arguments.cmake, "--install", arguments.build, "--prefix", work / "first")
        (work / "first").rename(prefix)  # nothing in it may know where it was installed

        installed, ours = headers(prefix / "include"), headers(ROOT / "capi" / "include")
        if installed != ours:
            sys.exit(f"headers installed: {installed}; headers: {ours}")
        daemon = one(prefix, "bin/vineyardd")
        libraries = one(prefix, "lib/**/libvineyard.so").parent
        pc = one(prefix, "lib/**/vineyard.pc")

        sanitize = [f"-fsanitize={arguments.sanitize}"] if arguments.sanitize else []
        environment = dict(os.environ, LD_LIBRARY_PATH=str(libraries), VINEYARDD=str(daemon))
        pkg_config = dict(os.environ, PKG_CONFIG_PATH=str(pc.parent))
        flags = run("pkg-config", "--cflags", "--libs", "vineyard", env=pkg_config).split()
        strict = ["-Wall", "-Wextra", "-Werror", *sanitize]
        compilers = {"c": [arguments.cc, *strict], "cpp": [arguments.cxx, "-std=c++17", *strict]}
        for language, suffix in (("c", "c"), ("cpp", "cc")):
            examples = EXAMPLES / language
            build = work / f"build-{language}"
            run(arguments.cmake, "-S", examples, "-B", build, "-G", "Ninja",
                f"-DCMAKE_C_COMPILER={arguments.cc}", f"-DCMAKE_CXX_COMPILER={arguments.cxx}",
                f"-DCMAKE_PREFIX_PATH={prefix}", f"-DCMAKE_C_FLAGS={' '.join(sanitize)}",
                f"-DCMAKE_CXX_FLAGS={' '.join(sanitize)}", "--no-warn-unused-cli")
            run(arguments.cmake, "--build", build)
            run("ctest", "--test-dir", build, "--output-on-failure", "--no-tests=error", env=environment)
            sources = sorted(examples.glob(f"*.{suffix}"))
            if not sources:
                sys.exit(f"{examples}: no *.{suffix}")
            for source in sources:  # every file is a program
                run(*compilers[language], source, "-o", work / source.stem, *flags)
        run(daemon, "--version", env=environment)

        socket = work / "s"
        running = subprocess.Popen([daemon, "--socket", socket, "--size", "64Mi", "--meta", "local"], env=environment)
        try:
            while not socket.exists() and running.poll() is None:
                time.sleep(0.01)
            for language, suffix in (("c", "c"), ("cpp", "cc")):
                source = work / f"tour.{suffix}"
                source.write_text(tour(ROOT / "README.md", language))
                run(*compilers[language], source, "-o", work / "tour", *flags)
                said = run(work / "tour", socket, env=environment)
                if said.rstrip("\n") != "Hello, World!":
                    sys.exit(f"the README's tour in {language} printed {said!r}")
        finally:
            running.terminate()
            running.wait()


if __name__ == "__main__":
    main()
