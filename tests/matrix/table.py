"""This file is the only place that makes docs/matrix.md of what a run of the matrix counted."""

from __future__ import annotations

from dataclasses import dataclass

from compare import Golden, is_unsupported

HEAD = """# One object that every language reads

Every language writes the cases of `tests/matrix`, every language reads what each wrote, and what it sees is
compared, byte for byte, with `tests/golden`. No payload byte is copied by a read. This file is what the last run
printed (`tests/matrix/run.py --update`); a test compares it with every run.

Each cell: cases that were read as they should be; *refused*: values that the language can not express, for which
it gives an error that names the type (the object itself it reads like others).
"""


@dataclass
class Cell:
    """What a reader made of what a writer wrote: numbers of cases."""

    ok: int = 0
    refused: int = 0
    failed: int = 0

    def text(self) -> str:
        parts = [f"{self.ok}"]
        parts += [f"{self.refused} refused"] if self.refused else []
        parts += [f"**{self.failed} failed**"] if self.failed else []
        return ", ".join(parts)


NAMES = {"c": "C", "cpp": "C++", "python": "Python", "java": "Java"}

# Why a value is refused, by the type of what is: what its golden file says behind "unsupported".
WHY = {
    "vineyard::PickleBuffer": "a pickle: to read it is to run Python",
    "vineyard::Array": "elements of numpy's own, which other languages have no type for; shape, descriptor and bytes are read",
}
WHY["vineyard::Tensor"] = WHY["vineyard::Array"]


def render(golden: dict[str, Golden], languages: list[str], cells: dict[tuple[str, str], Cell]) -> str:
    """The whole file."""
    names = [NAMES.get(language, language) for language in languages]
    lines = [HEAD, row(["read by", *(f"written by {name}" for name in names)]), row(["---"] * (len(names) + 1))]
    for reader, name in zip(languages, names):
        lines.append(row([name, *(cells[reader, writer].text() for writer in languages)]))
    lines += ["", "The cases by the type of their object, and who can do what with them:", ""]
    lines += [row(["type", "cases", "written by", "value given by"]), row(["---"] * 4)]
    kinds: dict[tuple[str, str, str], list[str]] = {}
    for case in golden.values():
        writers = [name for language, name in zip(languages, names) if language not in case.cannot_write]
        readers = [
            name for language, name in zip(languages, names) if not any(map(is_unsupported, case.value_for(language)))
        ]
        of_ours = case.type_name().startswith("vineyard::")
        type_name = f"`{case.type_name()}`" if of_ours else "of one's own"
        key = type_name, everyone(writers, names), everyone(readers, names)
        kinds.setdefault(key, []).append(case.name)
    for (type_name, writers_text, readers_text), cases in sorted(kinds.items()):
        lines.append(row([type_name, str(len(cases)), writers_text, readers_text]))
    return "\n".join([*lines, *refusals(golden)]) + "\n"


def refusals(golden: dict[str, Golden]) -> list[str]:
    """The cases that some language refuses, with the reason."""
    lines = ["", "What is refused, by all but Python, and why:", "", row(["case", "what it is", "why"]), row(["---"] * 3)]
    for case in golden.values():
        refused = [line.split()[1].rstrip(":") for line in case.value_for("c") if is_unsupported(line)]
        if refused:
            link = f"[{case.name}](../tests/golden/{case.name}.txt)"
            lines.append(row([link, case.about, WHY[refused[0]]]))
    return lines


def everyone(some: list[str], names: list[str]) -> str:
    return "all" if some == names else ", ".join(some)


def row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
