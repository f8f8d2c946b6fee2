"""This file is the only place that decides whether what a program printed is what tests/golden says."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from golden import condensed


@dataclass
class Golden:
    """A file of tests/golden."""

    name: str
    about: str
    sections: dict[str, list[str]]
    cannot_write: list[str] = field(default_factory=list)

    def value_for(self, language: str) -> list[str]:
        """The value as this language gives it."""
        for title, lines in self.sections.items():
            if title.startswith("value of ") and language in title.split():
                return lines
        return self.sections["value"]

    def type_name(self) -> str:
        return self.sections["object"][0].split('"')[1]


def read_golden(path: Path) -> Golden:
    made = Golden(path.stem, "", {})
    for line in path.read_text().splitlines():
        if line.startswith("# ") and not made.about:
            made.about = line[2:]
        elif line.startswith("cannot write: "):
            made.cannot_write = line.split()[2:]
        elif line in ("object", "value") or line.startswith("value of "):
            made.sections[line] = []
        else:
            next(reversed(made.sections.values())).append(line)
    return made


@dataclass
class Read:
    """What a reader printed of one case."""

    sections: dict[str, list[str]]
    copied: int = -1
    error: str = ""


def parse_reads(output: str) -> dict[str, Read]:
    """The cases of a `read`, by name; what stands behind the last one is a case named ''."""
    made: dict[str, Read] = {}
    read = Read({})
    for line in output.splitlines():
        command, _, rest = line.partition(" ")
        if line in ("object", "value"):
            read.sections[line] = []
        elif command == "copied":
            read.copied = int(rest)
        elif command in ("read", "failed"):
            case, _, read.error = rest.partition(" ")
            made[case], read = read, Read({})
        elif read.sections:
            next(reversed(read.sections.values())).append(line)
        else:
            read.error += line + "\n"
    if read.sections or read.error:
        made[""] = read
    return made


def problems(golden: Golden, reader: str, read: Read) -> list[str]:
    """What is wrong with a case that was read; empty: nothing."""
    found = [read.error] if read.error else []
    if read.copied != 0:
        found.append(f"{read.copied} payload bytes were copied")
    for section, wanted in (("object", golden.sections["object"]), ("value", golden.value_for(reader))):
        got = condensed(read.sections.get(section, []))
        if not (got == wanted or (section == "value" and is_refused(got, wanted))):
            found.append(f"{section}: {first_difference(got, wanted)}")
    return found


def first_difference(got: list[str], wanted: list[str]) -> str:
    for i, (one, other) in enumerate(zip([*got, "(end)"], [*wanted, "(end)"]), 1):
        if one != other:
            return f"line {i} is\n    {one}\n  where golden has\n    {other}"
    return "is empty"


def is_refused(got: list[str], wanted: list[str]) -> bool:
    """Whether a value that a language can not express is refused as it should be: in its place, or instead of
    all of it, by a line that names the type and has the words that golden has."""
    refusals = [line for line in wanted if is_unsupported(line)]
    if not refusals:
        return False
    if len(got) == 1:
        return all(says(got[0].lstrip(), line.lstrip()) for line in refusals)
    return len(got) == len(wanted) and all(
        one == other or (is_unsupported(other) and says(one, other)) for one, other in zip(got, wanted)
    )


def is_unsupported(line: str) -> bool:
    return line.lstrip().startswith("unsupported ")


def says(line: str, wanted: str) -> bool:
    """`unsupported TYPE: words`: the same beginning, and each of the words somewhere behind it."""
    begin, _, words = wanted.partition(": ")
    return line.startswith(begin + ": ") and all(
        re.search(rf"\b{re.escape(word)}\b", line[len(begin) + 2 :]) for word in words.split()
    )
