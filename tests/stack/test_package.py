"""The checks of scripts/package: each refuses an executable that Lambda could not start, or that is too large."""

import platform
import subprocess
import tempfile
import unittest
from pathlib import Path

import documents

OWN, OTHER = ("arm64", "x86_64") if platform.machine() == "aarch64" else ("x86_64", "arm64")
FUNCTIONS = sorted(path.parent.name for path in documents.ROOT.glob("functions/*/Cargo.toml"))
CHECK = """
set -euo pipefail
ROOT=$1; BUDGETS_OF_TEST=$2; shift 2
source "$ROOT/scripts/lib/package/check.sh"
BUDGETS=$BUDGETS_OF_TEST
found=$(check_package "$@")
printf '%s' "$found"
"""
# A program without libraries, so that a test chooses those that it needs.
PROGRAM = "extern int used(void); void _start(void) { used(); for (;;); }"
LIBRARY = "int used(void) { return 0; }"


class Checks(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.budgets = self.folder / "budgets"
        self.budgets.write_text("migrate 1000000 1000000\n", encoding="utf-8")

    def compile(self, *arguments, source):
        path = self.folder / "source.c"
        path.write_text(source, encoding="utf-8")
        subprocess.run(["cc", "-nostdlib", "-fPIC", path, *arguments], cwd=self.folder, check=True)

    def program(self, library="libc.so.6", version="GLIBC_2.34", strip="-s"):
        """An executable that uses one symbol of this version in this library."""
        script = self.folder / "versions"
        script.write_text(version + " { global: used; local: *; };", encoding="utf-8")
        self.compile("-shared", "-o", library, f"-Wl,-soname,{library},--version-script,{script}", source=LIBRARY)
        self.compile("-o", "bootstrap", strip, library, source=PROGRAM)
        return self.folder / "bootstrap"

    def check(self, file, function="migrate", architecture=OWN):
        command = ["bash", "-c", CHECK, "check", documents.ROOT, self.budgets, file, function, architecture]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def test_an_executable_of_the_image_passes(self):
        self.assertEqual(self.check(self.program()), "")

    def test_a_wrong_architecture_is_refused(self):
        self.assertEqual(self.check(self.program(), architecture=OTHER), f"is not built for {OTHER}")

    def test_a_newer_glibc_is_refused(self):
        for version in ("2.35", "2.100", "3.0"):
            found = self.check(self.program(version=f"GLIBC_{version}"))
            self.assertEqual(found, f"needs GLIBC {version}, and the image has 2.34")
        for version in ("2.4", "2.17"):
            self.assertEqual(self.check(self.program(version=f"GLIBC_{version}")), "")

    def test_relocations_of_a_newer_glibc_are_refused(self):
        self.assertIn("DT_RELR", self.check(self.program(version="GLIBC_ABI_DT_RELR")))

    def test_a_library_that_the_image_lacks_is_refused(self):
        found = self.check(self.program(library="libssl.so.3", version="OPENSSL_3.0.0"))
        self.assertEqual(found, "needs libssl.so.3, which the image may not have")

    def test_symbols_are_refused(self):
        self.assertEqual(self.check(self.program(strip="-g")), "is not stripped")

    def test_a_file_over_its_budget_is_refused(self):
        program = self.program()
        size = program.stat().st_size
        other = 0
        for budget, expected in ((size, ""), (size - 1, f"has {size} bytes; its budget is {size - 1} ({self.budgets})")):
            columns = (budget, other) if OWN == "arm64" else (other, budget)
            self.budgets.write_text("# a comment\nmigrate %d %d\n" % columns, encoding="utf-8")
            self.assertEqual(self.check(program), expected)
        self.assertIn("has no budget", self.check(program, function="storefront"))

    def test_what_is_no_executable_is_refused(self):
        text = self.folder / "text"
        self.assertIn("is not an executable", self.check(text))
        text.write_text("#!/bin/sh\n", encoding="utf-8")
        self.assertIn("is not an executable", self.check(text))
        text.chmod(0o755)
        self.assertEqual(self.check(text), "is not an ELF file")

    def test_every_problem_is_listed(self):
        program = self.program(library="libssl.so.3", version="GLIBC_2.40", strip="-g")
        self.budgets.write_text("migrate 1 1\n", encoding="utf-8")
        self.assertEqual(len(self.check(program, architecture=OTHER).splitlines()), 5)


class Budgets(unittest.TestCase):
    def test_every_function_has_one_for_each_architecture(self):
        lines = documents.read("scripts/lib/package/budgets").splitlines()
        rows = [line.split() for line in lines if not line.startswith("#")]
        self.assertEqual(sorted(name for name, *_ in rows), FUNCTIONS)
        for name, *limits in rows:
            self.assertEqual(len(limits), 2, name)
            self.assertTrue(all(limit.isdigit() for limit in limits), name)


class Arguments(unittest.TestCase):
    """What cannot succeed is refused before the first build."""

    def refusal(self, *arguments):
        command = [documents.ROOT / "scripts/package", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
        self.assertNotEqual(done.returncode, 0)
        self.assertNotIn("Setup", done.stderr)
        return done.stderr

    def test_an_unknown_function_is_refused_with_the_known_ones(self):
        refusal = self.refusal("store-front")
        for name in ("store-front", *FUNCTIONS, "arm64", "x86_64"):
            self.assertIn(name, refusal)

    def test_events_and_the_comparison_need_all_functions(self):
        self.assertIn("--events needs all functions", self.refusal("--events", "migrate"))
        self.assertIn("--sam needs all functions", self.refusal("--sam", "migrate"))
        self.assertIn("--sam needs arm64", self.refusal("--sam", "x86_64"))


if __name__ == "__main__":
    unittest.main()
