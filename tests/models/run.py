#!/usr/bin/env python3
"""Checks the Promela models of this folder with spin and a C compiler.

    run.py --build DIR              tries itself, then every variant of every model
    run.py --build DIR pin tree     only these models
    run.py --build DIR --self-test  only that a model which lies about itself is found out

The head of a model says what is expected of it, one variant a line:

    holds   DEFINES               the whole state space is searched and nothing is wrong
    breaks  DEFINES  INVARIANT    the invariant of that number is violated
    reaches EVENT                 REACHED(EVENT) is reached in a variant that holds

DEFINES is `-` or a list of macros: `NAME,NAME=VALUE`. What holds must not be an empty promise: a
statement that no such variant of the model reaches is an error, unless its line ends in
`/* not reached */`.

Exit status: 0 when everything is as the models say, 1 when not, 2 when it could not be tried.
"""

import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
from typing import Dict, List, Optional, Set, Tuple

HERE = pathlib.Path(__file__).resolve().parent
EXPECTATION = re.compile(r"^ \*   (holds|breaks|reaches)\b\s*(.*)$")
NOT_REACHED = "/* not reached */"

Statement = Tuple[int, str]  # line in the model, text


@dataclasses.dataclass(frozen=True)
class Limits:
    depth: int = 1_000_000  # steps of the longest path
    memory_mib: int = 2800  # of one search
    seconds: int = 1800  # of one search; only so that nothing waits for ever


@dataclasses.dataclass(frozen=True)
class Variant:
    model: pathlib.Path
    kind: str  # holds or breaks
    defines: str
    invariant: int = 0

    @property
    def macros(self) -> List[str]:
        names = [] if self.defines == "-" else self.defines.split(",")
        return names + ([f"CHECKED={self.invariant}"] if self.kind == "breaks" else [])

    @property
    def folder(self) -> str:
        parts = [self.model.stem, self.kind, self.defines, str(self.invariant)]
        return re.sub(r"[^A-Za-z0-9_.]+", "-", "-".join(parts))


@dataclasses.dataclass
class Outcome:
    problem: Optional[str] = None
    states: int = 0
    seconds: float = 0.0
    unreached: Set[Statement] = dataclasses.field(default_factory=set)


@dataclasses.dataclass
class Model:
    path: pathlib.Path
    variants: List[Variant]
    events: List[str]
    text: str


class BadHead(Exception):
    """The head of a model does not say what to expect."""


def read_model(path: pathlib.Path) -> Model:
    text = path.read_text(encoding="utf-8")
    model = Model(path, [], [], text)
    for line in text.splitlines():
        match = EXPECTATION.match(line)
        if match is None:
            continue
        kind, words = match.group(1), match.group(2).split()
        if kind == "breaks" and len(words) >= 2 and words[1].isdigit() and words[0] != "-":
            model.variants.append(Variant(path, kind, words[0], int(words[1])))
        elif kind == "holds" and words:
            model.variants.append(Variant(path, kind, words[0]))
        elif kind == "reaches" and words:
            model.events.append(words[0])
        else:
            raise BadHead(f"{path.name}: what is this? {line.strip()}")
    for kind in ("holds", "breaks"):
        if all(variant.kind != kind for variant in model.variants):
            raise BadHead(f"{path.name}: no variant that {kind}")
    marked = set(re.findall(r"\bREACHED\((\w+)\)", text))
    if marked != set(model.events):
        wrong = sorted(marked ^ set(model.events))
        raise BadHead(f"{path.name}: head and REACHED() differ in {wrong}")
    if len(set(model.variants)) != len(model.variants):
        raise BadHead(f"{path.name}: a variant is there twice")
    return model


def run_variant(variant: Variant, build: pathlib.Path, limits: Limits) -> Outcome:
    folder = build / variant.folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # -o3: no statements are merged, so that pan knows of each whether it was reached.
    steps = [
        ["spin", "-a", "-o3"] + [f"-D{macro}" for macro in variant.macros] + [str(variant.model)],
        # A variant that breaks ends at its first error: there compiling costs more than searching.
        ["gcc", "-O2" if variant.kind == "holds" else "-O0", "-w", "-DSAFETY", "-DCOLLAPSE"]
        + [f"-DMEMLIM={limits.memory_mib}", "-o", "pan", "pan.c"],
        # -E: an invalid end state is no error; it must not end the search for the invariant.
        ["./pan", f"-m{limits.depth}", "-w22"] + (["-E"] if variant.kind == "breaks" else []),
    ]
    started = time.monotonic()
    for command in steps:
        started = time.monotonic()
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=limits.seconds,
                encoding="utf-8",
                errors="replace",
            )
        except subprocess.TimeoutExpired:
            return Outcome(f"{command[0]} took more than {limits.seconds} s")
        log = folder / (pathlib.Path(command[0]).name + ".out")
        log.write_text(done.stdout, encoding="utf-8")
        if done.returncode != 0 and command[0] != "./pan":
            return Outcome(f"{command[0]} failed:\n{done.stdout.strip()[-2000:]}")
    outcome = judge(variant, done.stdout)
    outcome.seconds = time.monotonic() - started
    return outcome


def judge(variant: Variant, output: str) -> Outcome:
    """What pan printed, against what the model says."""
    errors = re.search(r"errors: (\d+)", output)
    states = re.search(r"(\d+) states, stored", output)
    outcome = Outcome(states=int(states.group(1)) if states else 0)
    if errors is None or states is None:
        outcome.problem = f"pan did not finish:\n{output.strip()[-2000:]}"
        return outcome
    failure = re.search(r"^pan:\d+: (.*)", output, re.MULTILINE)
    said = failure.group(1) if failure else "nothing"
    if variant.kind == "breaks":
        expected = f"should break invariant {variant.invariant}"
        if int(errors.group(1)) == 0:
            outcome.problem = f"{expected}, and does not"
        elif "assertion violated" not in said or f"(0=={variant.invariant})" not in said:
            outcome.problem = f"{expected}, and fails otherwise: {said}"
        return outcome
    if int(errors.group(1)) != 0:
        outcome.problem = f"should hold: {said}"
    elif "max search depth too small" in output:
        outcome.problem = "search is not complete: paths are longer than the limit"
    elif "reached -DMEMLIM bound" in output or "out of memory" in output:
        outcome.problem = "search is not complete: memory limit"
    elif "Search not completed" in output:
        outcome.problem = "search is not complete"
    for line, text in re.findall(r"^\t[^\t]*?:(\d+), state \d+, \"(.*)\"$", output, re.MULTILINE):
        if text != "-end-":
            outcome.unreached.add((int(line), text))
    return outcome


def never_reached(model: Model, outcomes: Dict[Variant, Outcome]) -> Dict[str, Optional[str]]:
    """For `statements` and for every event, a problem or None."""
    sets = [outcomes[v].unreached for v in model.variants if v.kind == "holds"]
    missing = set.intersection(*sets)
    source = model.text.splitlines()
    numbers = dict(re.findall(r"^#define (\w+) (\d+)\b", model.text, re.MULTILINE))
    problems: Dict[str, Optional[str]] = {event: None for event in model.events}
    lines = []
    for line, text in sorted(missing):
        if NOT_REACHED in source[line - 1]:
            continue
        lines.append(f"  line {line}: {text}")
        for event in model.events:
            if text == f"assert(({numbers.get(event)}!=0))":
                problems[event] = f"no variant that holds comes to line {line}"
    problems["statements"] = "never reached:\n" + "\n".join(lines) if lines else None
    return problems


def check(
    paths: List[pathlib.Path], build: pathlib.Path, jobs: int, limits: Limits, quiet: bool = False
) -> List[str]:
    """Runs every variant, prints a line for each, and returns what is wrong."""
    models = [read_model(path) for path in paths]
    variants = [variant for model in models for variant in model.variants]
    variants.sort(key=lambda variant: variant.kind != "holds")  # the long ones first
    problems: List[str] = []
    outcomes: Dict[Variant, Outcome] = {}

    def report(name: str, kind: str, what: str, figures: str, problem: Optional[str]) -> None:
        verdict = "ok" if problem is None else "FAILED: " + problem
        if not quiet:
            print(f"{name:12} {kind:8} {what:42} {figures:30} {verdict}", flush=True)
        if problem is not None:
            problems.append(f"{name} {kind} {what}: {problem}")

    with concurrent.futures.ThreadPoolExecutor(max_workers=jobs) as pool:
        running = {pool.submit(run_variant, v, build, limits): v for v in variants}
        for future in concurrent.futures.as_completed(running):
            variant = running[future]
            outcome = outcomes[variant] = future.result()
            what = variant.defines + (f" {variant.invariant}" if variant.kind == "breaks" else "")
            figures = f"{outcome.states:13,} states {outcome.seconds:7.1f} s"
            report(variant.model.name, variant.kind, what, figures, outcome.problem)
            if outcome.problem is None and variant.kind == "holds":
                shutil.rmtree(build / variant.folder, ignore_errors=True)
    for model in models:
        if any(outcomes[v].problem for v in model.variants if v.kind == "holds"):
            continue
        for what, problem in never_reached(model, outcomes).items():
            report(model.path.name, "reaches", what, "", problem)
    return problems


# ---- does it notice? -------------------------------------------------------------------------

HONEST = """/* A model that keeps its word.
 *   holds   -
 *   breaks  TWICE  1   counted twice
 *   reaches COUNTED
 */
#include "check.inc"
#define COUNTED 1
byte counter;
active proctype Counter() {
#ifdef TWICE
  counter++;
#endif
  atomic { counter++; REACHED(COUNTED); INVARIANT(1, counter == 1); INVARIANT(2, counter < 2) }
}
"""

# What was changed in HONEST, with which limits, and what must be said about it.
LIES: List[Tuple[str, str, str, Limits, Optional[str]]] = [
    ("", "", "honest", Limits(), None),
    ("TWICE  1", "ONCE  1", "a variant that should break holds", Limits(), "and does not"),
    ("TWICE  1", "TWICE  3", "another invariant breaks", Limits(), "and does not"),
    (
        "  counter++;\n#endif",
        "  assert(false);\n#endif",
        "a variant breaks by an assertion that is no invariant",
        Limits(),
        "fails otherwise",
    ),
    (
        "  counter++;\n#endif",
        "  counter == 9;\n#endif",
        "a variant that should break only blocks",
        Limits(),
        "and does not",
    ),
    ("atomic {", "counter++; atomic {", "what should hold breaks", Limits(), "should hold: ass"),
    ("atomic {", "counter == 9; atomic {", "what should hold blocks", Limits(), "invalid end"),
    ("atomic {", "skip; skip; skip; atomic {", "too deep", Limits(depth=3), "not complete"),
    (
        "active proctype",
        "short a, b; active proctype Wide() { do :: a < 2000 -> a++ :: b < 2000 -> b++ od }\n"
        "active proctype",
        "too large",
        Limits(memory_mib=64),
        "not complete",
    ),
    (
        "atomic {",
        "if :: counter == 7 -> counter = 8 :: else fi; atomic {",
        "a statement is never reached",
        Limits(),
        "never reached",
    ),
    (
        "REACHED(COUNTED);",
        "if :: counter == 7 -> REACHED(COUNTED) :: else fi;",
        "an event is never reached",
        Limits(),
        "reaches COUNTED: no variant",
    ),
    (" *   reaches COUNTED\n", "", "an event is not in the head", Limits(), "differ in"),
    (" *   breaks  TWICE  1   counted twice\n", "", "nothing breaks", Limits(), "no variant that"),
    ("TWICE  1   ", "TWICE ", "a line of the head is wrong", Limits(), "what is this"),
    ("byte counter;", "byte counter = ;", "it does not compile", Limits(), "spin failed"),
]


def self_test(build: pathlib.Path, jobs: int) -> List[str]:
    wrong = []
    for number, (old, new, name, limits, expected) in enumerate(LIES):
        folder = build / f"self-test-{number}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        shutil.copy(HERE / "check.inc", folder)
        assert old in HONEST, old
        path = folder / "honest.pml"
        path.write_text(HONEST.replace(old, new, 1) if old else HONEST, encoding="utf-8")
        try:
            problems = check([path], folder, jobs, limits, quiet=True)
        except BadHead as problem:
            problems = [str(problem)]
        noticed = any(expected in problem for problem in problems) if expected else not problems
        print(f"self-test    {name:64} {'ok' if noticed else 'FAILED'}", flush=True)
        if not noticed:
            wrong.append(f"self-test: {name}: expected {expected!r}, got {problems}")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--build", required=True, type=pathlib.Path, help="for what is generated")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="searches at a time")
    parser.add_argument("--self-test", action="store_true", help="try only run.py itself")
    parser.add_argument("models", nargs="*", help="names, without .pml; default: all")
    arguments = parser.parse_args()
    for tool in ("spin", "gcc"):
        if shutil.which(tool) is None:
            print(f"{tool} is needed and not installed", file=sys.stderr)
            return 2
    build = arguments.build.resolve()
    build.mkdir(parents=True, exist_ok=True)
    names = arguments.models or sorted(path.stem for path in HERE.glob("*.pml"))
    started = time.monotonic()
    try:
        problems = [] if arguments.models else self_test(build, arguments.jobs)
        if not arguments.self_test:
            paths = [HERE / f"{name}.pml" for name in names]
            problems += check(paths, build, arguments.jobs, Limits())
    except (BadHead, FileNotFoundError) as problem:
        print(problem, file=sys.stderr)
        return 2
    print(f"{time.monotonic() - started:.0f} s, {len(problems)} wrong")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
