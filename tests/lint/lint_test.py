#!/usr/bin/env python3
"""The lint finds violations that are planted and stays silent about code that keeps the rules."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

import lint


class LintTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.write("VERSION", "1.2.3\n")

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def found(self, check: str) -> list[str]:
        return [str(problem) for problem in lint.CHECKS[check](self.root)]

    def assert_finds(self, check: str, part: str) -> None:
        found = self.found(check)
        self.assertTrue(any(part in line for line in found), f"{part!r} not in {found}")

    def test_what_the_table_allows_is_silent(self) -> None:
        self.write("core/store/a.cc", '#include "core/shm/slot.h"\n#include <vector>\n')
        self.write("core/object/a.cc", "#include <msgpack.hpp>\n")
        self.write("core/shm/os_linux.cc", "#ifdef __linux__\n#endif\n")
        self.write("capi/src/a.cc", '#include <vineyard/vineyard.h>\n#include "core/client/a.h"\n')
        self.write("daemon/a.cc", "#include <utility>\n#include <boost/asio.hpp>\n")
        self.write("swig/python/n.i", "%include <stdint.i>\n%include <vineyard/vineyard.h>\n")
        self.write("tests/core/object/a_test.cc", "#include <msgpack.hpp>\n")
        self.assertEqual(self.found("layers"), [])

    def test_a_layer_may_not_include_upwards(self) -> None:
        self.write("core/base/a.h", '\n#include "core/object/id.h"\n')
        self.assert_finds("layers", "core/base/a.h:2: core/base may not include core/object")

    def test_client_and_store_meet_only_in_wire_and_memory(self) -> None:
        self.write("core/client/a.h", '#include "core/store/store.h"\n')
        self.write("core/store/a.h", '#include "core/wire/frame.h"\n')
        self.assert_finds("layers", "core/client may not include core/store")
        self.assert_finds("layers", "core/store may not include core/wire")

    def test_angle_brackets_hide_nothing(self) -> None:
        self.write("core/object/a.h", "#  include <core/shm/slot.h>\n")
        self.assert_finds("layers", "core/object may not include core/shm")

    def test_paths_start_at_the_root(self) -> None:
        self.write("core/shm/a.cc", '#include "slot.h"\n')
        self.assert_finds("layers", "write the path from the root")

    def test_swig_sees_only_the_public_header(self) -> None:
        self.write("swig/python/n.i", '%include "core/base/status.h"\n')
        self.assert_finds("layers", "swig may not include core/base")

    def test_the_public_header_includes_nothing_of_ours(self) -> None:
        self.write("capi/include/vineyard/v.h", '#include "core/base/status.h"\n')
        self.assert_finds("layers", "capi/include may not include core/base")

    def test_libraries_stay_in_their_folder(self) -> None:
        self.write("core/store/a.cc", "#include <boost/asio.hpp>\n")
        self.write("core/wire/a.cc", "#include <msgpack.hpp>\n")
        self.write("daemon/a.cc", "#include <zookeeper/zookeeper.h>\n")
        self.assert_finds("layers", "boost/asio.hpp may be included only in daemon")
        self.assert_finds("layers", "msgpack.hpp may be included only in core/object")
        self.assert_finds("layers", "may be included only in core/meta")

    def test_platform_code_stays_behind_os_h(self) -> None:
        self.write("core/client/a.cc", "#if defined(__linux__)\n#endif\n")
        self.assert_finds("layers", "core/client/a.cc:1: __linux__ outside core/shm/os*")

    def test_long_files_are_named(self) -> None:
        self.write("core/base/long.cc", "\n" * 550)
        self.write("core/base/endless.cc", "\n" * 601)
        problems = {p.file: p.fatal for p in lint.check_length(self.root)}
        self.assertEqual(problems, {"core/base/long.cc": False, "core/base/endless.cc": True})

    def test_badly_formatted_code_is_named(self) -> None:
        self.write(".clang-format", "BasedOnStyle: Google\n")
        self.write("core/base/good.cc", "int x = 1;\n")
        self.assertEqual(self.found("format"), [])
        self.write("core/base/bad.cc", "int  x=1 ;\n")
        self.assert_finds("format", "core/base/bad.cc:1: not formatted")

    def test_versions_disagreeing_are_named(self) -> None:
        header = "#define VINEYARD_VERSION_MINOR 3\n#define VINEYARD_ABI_MAJOR 1\n"
        self.write("capi/include/vineyard/vineyard.h", header)
        self.write("capi/vineyard.map", "VINEYARD_0 {\n};\n")
        self.write("pyproject.toml", '[project]\nversion = "1.2.3"\n')
        self.write("java/pom.xml", "<project><version>9.9.9</version></project>")
        self.write("python/vineyard/__init__.py", '__version__ = "1.2.3"\n')
        self.assert_finds("versions", "VINEYARD_VERSION_MINOR is 3, not 2")
        self.assert_finds("versions", "VINEYARD_0 but VINEYARD_ABI_MAJOR is 1")
        self.assert_finds("versions", "must be read from VERSION")
        self.assert_finds("versions", "a version of its own")
        self.assert_finds("versions", "says version 9.9.9")
        self.assert_finds("versions", "import __version__ from")

    def test_a_model_that_quotes_other_code_is_named(self) -> None:
        self.write("tests/models/a.pml", "one | two;\n")
        self.write("core/a.cc", "x |= 1;\n")
        row = "| `a.pml` | `one \\| two;` | `core/a.cc` | `x \\|= 1;` |\n"
        self.write("docs/models.md", row)
        self.assertEqual(self.found("models"), [])
        self.write("core/a.cc", "x |= 2;\n")
        self.assert_finds("models", "core/a.cc does not say `x |= 1;`")
        self.write("tests/models/a.pml", "one;\n")
        self.assert_finds("models", "tests/models/a.pml does not say `one | two;`")
        self.write("tests/models/b.pml", "")
        self.assert_finds("models", "b.pml is not in the table")

    def test_versions_agreeing_are_silent(self) -> None:
        header = '#define VINEYARD_VERSION_MAJOR 1\n#define VINEYARD_VERSION_STRING "1.2.3"\n'
        self.write("capi/include/vineyard/vineyard.h", header)
        self.write("pyproject.toml", '[project]\ndynamic = ["version"]\n[a]\ninput = "VERSION"\n')
        self.assertEqual(self.found("versions"), [])

    def test_what_the_log_says_is_explained(self) -> None:
        self.write("docs/operations.md", "| `a … b` | error | x | y |\n")
        self.write("daemon/a.cc", 'Log(LogLevel::kError, "a %lld "\n    "b", 1);\nLog(LogLevel::kInfo, "c");\n')
        self.assertEqual(self.found("logs"), [])
        self.write("core/store/a.cc", '\nLog(LogLevel::kWarning, "a %s b", x);\n')
        self.assert_finds("logs", "core/store/a.cc:2: explain `a … b` (warning)")

    def test_what_nobody_logs_is_not_explained(self) -> None:
        self.write("docs/operations.md", "text\n| `a` | error | x | y |\n")
        self.assert_finds("logs", "docs/operations.md:2: nobody logs `a` at level error")


if __name__ == "__main__":
    unittest.main()
