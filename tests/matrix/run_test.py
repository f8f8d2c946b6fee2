#!/usr/bin/env python3
"""Tests of what the matrix believes: that it finds what is wrong, and that CPython reads what golden says."""

from __future__ import annotations

import collections
import copy
import datetime
import pickle
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from cases import CASES, pattern  # noqa: E402
from compare import parse_reads, problems, read_golden  # noqa: E402
from golden import FOLDER, condensed  # noqa: E402
from model import Blob, Dump, Encoder, data_text, fnv, string_text, value_text  # noqa: E402


def golden(case: str):
    return read_golden(FOLDER / f"{case}.txt")


def as_read(case: str, language: str = "c", copied: int = 0) -> str:
    """What a reader prints when all is well."""
    made = golden(case)
    lines = ["object", *made.sections["object"], "value", *made.value_for(language)]
    return "\n".join([*lines, f"copied {copied}", f"read {case}", ""])


class Compare(unittest.TestCase):
    def found(self, case: str, output: str, language: str = "c") -> list[str]:
        return problems(golden(case), language, parse_reads(output)[case])

    def test_what_golden_says_is_right(self) -> None:
        for case in ("bytes_hello", "list_shared", "pickle_in_list", "other_text", "meta_unicode"):
            for language in ("c", "python"):
                self.assertEqual(self.found(case, as_read(case, language), language), [])

    def test_any_changed_line_is_found(self) -> None:
        for case in ("bytes_hello", "dict_keys", "tensor_f"):
            lines = as_read(case).splitlines()
            for i, line in enumerate(lines):
                if line in ("object", "value") or line.startswith(("copied", "read")):
                    continue
                changed = "\n".join([*lines[:i], line[:-1] + "~", *lines[i + 1 :]])
                self.assertTrue(self.found(case, changed), line)
                missing = "\n".join([*lines[:i], *lines[i + 1 :]])
                self.assertTrue(self.found(case, missing), line)

    def test_a_copied_byte_is_found(self) -> None:
        output = as_read("bytes_hello", copied=13)
        self.assertEqual(self.found("bytes_hello", output), ["13 payload bytes were copied"])

    def test_an_error_is_found(self) -> None:
        output = as_read("bytes_hello").replace("read bytes_hello", "failed bytes_hello no bytes")
        self.assertEqual(self.found("bytes_hello", output), ["no bytes"])

    def test_a_refusal_names_the_type_and_says_the_words(self) -> None:
        def answer(line: str) -> list[str]:
            wanted = golden("pickle_range").value_for("c")[0]
            return self.found("pickle_range", as_read("pickle_range").replace(wanted, line))

        self.assertEqual(answer("unsupported vineyard::PickleBuffer: a pickle of 43 bytes"), [])
        self.assertTrue(answer("unsupported vineyard::PickleBuffer: a pickle of 430 bytes"))
        self.assertTrue(answer("unsupported vineyard::PickleBuffer: 43 bytes"))
        self.assertTrue(answer("unsupported vineyard::Blob: a pickle of 43 bytes"))
        self.assertTrue(answer("int 1"))

    def test_a_value_that_could_be_given_is_not_refused(self) -> None:
        refused = as_read("bytes_hello").replace("value\nbytes", "value\nunsupported vineyard::Blob: bytes")
        self.assertTrue(self.found("bytes_hello", refused))
        self.assertTrue(self.found("pickle_range", as_read("pickle_range", "c"), "python"))

    def test_what_is_left_out_of_long_texts_is_compared_too(self) -> None:
        lines = [str(i) for i in range(1000)]
        changed = copy.copy(lines)
        changed[500] = "x"
        self.assertEqual(len(condensed(lines)), 73)
        self.assertNotEqual(condensed(lines), condensed(changed))

    def test_output_behind_the_last_case_is_found(self) -> None:
        self.assertIn("", parse_reads(as_read("none") + "object\n#0"))


class Model(unittest.TestCase):
    def test_cpython_reads_every_envelope(self) -> None:
        for kind, of in (("bytes", bytes), ("bytearray", bytearray)):
            for size in (0, 1, 255, 256, 65535, 65536):
                value = of(pattern(size))
                self.assertEqual(Blob(kind, bytes(value)).stored(), pickle.dumps(value, 5))

    def test_sizes_of_envelopes_are_those_of_the_documentation(self) -> None:
        for kind, size, before in (
            ("bytes", 255, 13), ("bytes", 256, 16), ("bytes", 65535, 16), ("bytes", 65536, 7),
            ("bytearray", 65535, 20), ("bytearray", 65536, 11), ("buffer", 65536, 0),
        ):  # fmt: skip
            self.assertEqual(len(Blob(kind, bytes(size)).envelope()[0]), before)

    def test_cpython_reads_the_pickles(self) -> None:
        values = {case.name: case.value for case in CASES}
        for name, wanted in {
            "pickle_range": range(0, 10, 2), "pickle_surrogate": "\ud800 alone",
            "pickle_date": datetime.date(2024, 2, 29), "pickle_buffer": pattern(1000),
            "pickle_buffers": collections.deque([pattern(300), b"abc"]),
        }.items():  # fmt: skip
            self.assertEqual(pickle.loads(values[name].data, buffers=values[name].buffers), wanted)

    def test_text_is_what_the_documentation_says(self) -> None:
        self.assertEqual(string_text("a\"\\\0\U0001f347"), r'str "a\"\\\u0000\ud83c\udf47"')
        self.assertEqual(data_text(b""), "[0]")
        self.assertEqual(data_text(b"\x0a\xff"), "[2] 0aff")
        self.assertEqual(data_text(bytes(257)), f"[257] fnv {fnv(bytes(257))}")
        self.assertEqual(list(value_text(-(2**71))), ["bigint 800000000000000000"])
        self.assertEqual(list(value_text(2**71)), ["bigint 00800000000000000000"])

    def test_the_hash_is_fnv_1a(self) -> None:
        self.assertEqual(fnv(b""), "cbf29ce484222325")
        self.assertEqual(fnv(b"foobar"), "85944171f73967e8")

    def test_an_object_that_is_met_again_is_its_number(self) -> None:
        inner: list[int] = []
        lines = list(Dump().lines(Encoder().node([inner, inner])))
        self.assertTrue(lines[-1].endswith('member "__elements_-1" #1'))


class Golden(unittest.TestCase):
    def run_golden(self, *arguments: str) -> int:
        words = [sys.executable, "-B", str(HERE / "golden.py"), *arguments]
        return subprocess.run(words, stdout=subprocess.DEVNULL, timeout=300).returncode

    def test_the_files_are_what_the_program_makes(self) -> None:
        self.assertEqual(self.run_golden("--check"), 0)

    def test_a_changed_file_is_found_and_made_again(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(self.run_golden("--folder", folder), 0)
            self.assertEqual(self.run_golden("--check", "--folder", folder), 0)
            (Path(folder) / "none.txt").write_text("other\n")
            self.assertEqual(self.run_golden("--check", "--folder", folder), 1)
            self.assertEqual(self.run_golden("--folder", folder), 0)
            (Path(folder) / "of_yesterday.txt").write_text("")
            self.assertEqual(self.run_golden("--check", "--folder", folder), 1)


class Documentation(unittest.TestCase):
    text = (HERE.parents[1] / "docs" / "types.md").read_text()

    def test_every_registered_type_has_its_line_and_an_example_of_it(self) -> None:
        source = (HERE.parents[1] / "core" / "object" / "types.cc").read_text()
        table = source.partition("kTypes[] = {")[2].partition("};")[0]
        names = ["vineyard::Blob", *re.findall(r'\{"(vineyard::\w+)"', table)]
        self.assertEqual(len(names), 11)
        for number, name in enumerate(names, 1):
            line = re.search(rf"^\| {number} \| \[`{name}`\].*/golden/(\w+)\.txt", self.text, re.MULTILINE)
            self.assertIsNotNone(line, name)
            self.assertEqual(golden(line[1]).type_name(), name)

    def test_every_example_exists_and_is_called_what_it_is(self) -> None:
        links = re.findall(r"\[([^]`]+)\]\(\.\./tests/golden/(\w+)\.txt\)", self.text)
        self.assertGreater(len(links), 50)
        self.assertEqual(len(links), self.text.count("../tests/golden/"))
        for label, case in links:
            self.assertTrue((FOLDER / f"{case}.txt").exists(), case)
            self.assertTrue(case == label or case.endswith(f"_{label}"), f"{label} is {case}")


if __name__ == "__main__":
    unittest.main()
