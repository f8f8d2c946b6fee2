#!/usr/bin/env python3
"""Installs a build into a temporary prefix, moves it, and builds examples/c against what is there:
once with find_package(Vineyard), once with pkg-config. If the examples register tests, they run
with VINEYARDD naming the installed daemon. The README's tour in C is compiled and run, too.
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

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "c"


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


def tour(readme: Path) -> str:
    """The program in the README, with its socket as the first argument."""
    blocks = re.findall(r"^```c\n(.*?)^```", readme.read_text(), re.MULTILINE | re.DOTALL)
    if len(blocks) != 1:
        sys.exit(f"{readme}: expected one block of C, found {len(blocks)}")
    return blocks[0].replace("main(void)", "main(int argc, char** argv)").replace(
        '"/tmp/vineyard.sock"', "argv[argc - 1]")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--cmake", default="cmake")
    parser.add_argument("--cc", default="cc")
    parser.add_argument("--sanitize", default="", help="what the library was built with")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="vy-install-") as folder:
        work = Path(folder)
        prefix = work / "moved"
        run(arguments.cmake, "--install", arguments.build, "--prefix", work / "first")
        (work / "first").rename(prefix)  # nothing in it may know where it was installed

        one(prefix, "include/vineyard/vineyard.h")
        daemon = one(prefix, "bin/vineyardd")
        libraries = one(prefix, "lib/**/libvineyard.so").parent
        pc = one(prefix, "lib/**/vineyard.pc")

        sanitize = [f"-fsanitize={arguments.sanitize}"] if arguments.sanitize else []
        environment = dict(os.environ, LD_LIBRARY_PATH=str(libraries), VINEYARDD=str(daemon))
        build = work / "build"
        run(arguments.cmake, "-S", EXAMPLES, "-B", build, "-G", "Ninja",
            f"-DCMAKE_C_COMPILER={arguments.cc}", f"-DCMAKE_PREFIX_PATH={prefix}",
            f"-DCMAKE_C_FLAGS={' '.join(sanitize)}")
        run(arguments.cmake, "--build", build)
        run("ctest", "--test-dir", build, "--output-on-failure", env=environment)

        pkg_config = dict(os.environ, PKG_CONFIG_PATH=str(pc.parent))
        flags = run("pkg-config", "--cflags", "--libs", "vineyard", env=pkg_config).split()
        sources = sorted(EXAMPLES.glob("*.c"))
        if not sources:
            sys.exit(f"{EXAMPLES}: no *.c")
        for source in sources:  # every file is a program
            run(arguments.cc, "-Wall", "-Wextra", "-Werror", *sanitize, source,
                "-o", work / source.stem, *flags)
        run(daemon, "--version", env=environment)

        source, socket = work / "tour.c", work / "s"
        source.write_text(tour(EXAMPLES.parents[1] / "README.md"))
        run(arguments.cc, "-Wall", "-Wextra", "-Werror", *sanitize, source, "-o", work / "tour", *flags)
        running = subprocess.Popen([daemon, "--socket", socket, "--size", "64Mi", "--meta", "local"], env=environment)
        try:
            while not socket.exists() and running.poll() is None:
                time.sleep(0.01)
            said = run(work / "tour", socket, env=environment)
        finally:
            running.terminate()
            running.wait()
        if said != "Hello, World!":
            sys.exit(f"the README's tour printed {said!r}")


if __name__ == "__main__":
    main()
