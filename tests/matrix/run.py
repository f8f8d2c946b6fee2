#!/usr/bin/env python3
"""Runs the matrix: every language writes, every language reads what each wrote, golden says what is right.

    run.py --vineyardd PATH --program c=PATH --program 'python=PYTHON matrix.py' --build DIR --table FILE

Prints the table and what is wrong; writes what each program printed below DIR. Exits with 1 when a case is
wrong, is written by no language or read by none, or when FILE (docs/matrix.md) is not this table; `--update`
writes FILE. `--without LANGUAGE`, whose tools are missing here, says so, and FILE stays as it is. Standard library
only.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from compare import Golden, is_unsupported, parse_reads, problems, read_golden  # noqa: E402
from golden import FOLDER  # noqa: E402
from programs import Daemon, Program  # noqa: E402
from table import NAMES, Cell, render  # noqa: E402

# What every reader is asked for and has to refuse: status, and a word that the error has to say.
REFUSALS = {
    "array of a string": (-11, "vineyard::String"),
    "blob of a string": (-11, "blob"),
    "member of a string": (-2, "buffer_"),
    "array without a buffer": (-19, "array"),
    "name of nothing": (-2, "no such case"),
}


class Matrix:
    def __init__(self, programs: list[Program], golden: dict[str, Golden], build: Path) -> None:
        self.programs = programs
        self.golden = golden
        self.build = build
        self.written: dict[str, set[str]] = {}
        self.cells: dict[tuple[str, str], Cell] = {}
        self.wrong: list[str] = []

    def run(self, socket: str) -> None:
        for writer in self.programs:
            self.write(writer, socket)
        for reader in self.programs:
            for writer in self.programs:
                self.read(reader, writer.language, socket)
            self.refuse(reader, socket)
        written = set().union(*self.written.values())
        self.wrong += [f"no language writes {case}" for case in sorted(self.golden.keys() - written)]

    def output(self, program: Program, name: str, *arguments: str) -> str:
        """What a program printed, kept as a file; one that fails is wrong, and has printed what it has."""
        output, error = program.run(*arguments)
        (self.build / f"{program.language}-{name}.txt").write_text(output)
        self.wrong += [error] if error else []
        return output

    def write(self, writer: Program, socket: str) -> None:
        language = writer.language
        lines = self.output(writer, "writes", "write", socket).splitlines()
        written = {line.split()[1] for line in lines if line.startswith("written ")}
        self.written[language] = written
        cannot = {name for name, case in self.golden.items() if language in case.cannot_write}
        for case in sorted(self.golden.keys() - written - cannot):
            self.wrong.append(f"{language} does not write {case}")
        for case in sorted(written - (self.golden.keys() - cannot)):
            self.wrong.append(f"{language} writes {case}, which golden does not expect of it")

    def read(self, reader: Program, writer: str, socket: str) -> None:
        language = reader.language
        reads = parse_reads(self.output(reader, f"reads-{writer}", "read", socket, writer))
        cell = self.cells[language, writer] = Cell()
        for case in sorted(self.written[writer] | reads.keys()):
            if case not in reads:
                found = ["was not read"]
            elif case not in self.golden:
                found = [f"was read, but there is no such case: {reads[case].error}"]
            else:
                found = problems(self.golden[case], language, reads[case])
            if found:
                cell.failed += 1
                self.wrong += [f"{language} reads {writer}/{case}: {each}" for each in found]
            elif any(map(is_unsupported, self.golden[case].value_for(language))):
                cell.refused += 1
            else:
                cell.ok += 1

    def refuse(self, reader: Program, socket: str) -> None:
        """Each asks for what an object is not; the objects are its own."""
        language = reader.language
        output = self.output(reader, "refuses", "refuse", socket, language)
        self.wrong += [f"{language}: {line}" for line in output.splitlines() if line.startswith("accepted ")]
        said = dict(line.partition(": ")[::2] for line in output.splitlines())
        for what, (status, word) in REFUSALS.items():
            answer = said.get(f"refused {what}", "nothing")
            if not answer.startswith(f"{status} ") or word not in answer:
                self.wrong.append(f"{language}: {what}: status {status} and {word!r} were expected, not {answer!r}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vineyardd", required=True)
    parser.add_argument("--program", action="append", required=True, type=Program, metavar="LANGUAGE=COMMAND")
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--without", action="append", default=[], metavar="LANGUAGE")
    arguments = parser.parse_args()
    arguments.build.mkdir(parents=True, exist_ok=True)
    golden = {path.stem: read_golden(path) for path in sorted(FOLDER.glob("*.txt"))}
    matrix = Matrix(arguments.program, golden, arguments.build)
    with Daemon(arguments.vineyardd, "256Mi") as daemon:
        matrix.run(daemon.socket)
    text = render(golden, [program.language for program in arguments.program], matrix.cells)
    (arguments.build / "matrix.md").write_text(text)
    print(text)
    if arguments.without:
        missing = " and ".join(NAMES[language] for language in arguments.without)
        print(f"NOT RUN: {missing}, whose tools are missing here; {arguments.table} was not compared with this table")
    elif arguments.update:
        arguments.table.write_text(text)
    elif not arguments.table.exists() or arguments.table.read_text() != text:
        matrix.wrong.append(f"{arguments.table} is not this table: run.py --update writes it")
    for each in matrix.wrong:
        print(f"wrong: {each}")
    return 1 if matrix.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
