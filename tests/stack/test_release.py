"""scripts/release: the folder that a host runs in production."""

import subprocess
import tempfile
import unittest
from pathlib import Path

import documents
import yaml

SCRIPT = documents.ROOT / "scripts/release"
FUNCTIONS = sorted(path.parent.name for path in documents.ROOT.glob("functions/*/Cargo.toml"))


class Release(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.binaries = Path(self.folder.name, "binaries")
        self.binaries.mkdir()
        for program in ("usher", "ticket-audit", "ticket-mend", *FUNCTIONS):
            Path(self.binaries, program).write_text(program, encoding="utf-8")

    def release(self, target):
        command = [SCRIPT, target, "--binaries", self.binaries]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def test_every_function_stands_where_the_template_names_it(self):
        target = Path(self.folder.name, "releases", "1.4.0")
        done = self.release(target)
        self.assertEqual(done.returncode, 0, done.stderr)
        template = yaml.load((target / "template.yaml").read_text(encoding="utf-8"), documents.Loader)  # noqa: S506, a SafeLoader
        named = set()
        for name, resource in template["Resources"].items():
            if resource["Type"] != "AWS::Serverless::Function":
                continue
            # With a method of building, usher requires the sources.
            self.assertNotIn("BuildMethod", resource["Metadata"], name)
            executable = target / resource["Properties"]["CodeUri"] / "bootstrap"
            self.assertEqual(executable.read_text(encoding="utf-8"), executable.parent.name)
            self.assertTrue(executable.stat().st_mode & 0o111, name)
            named.add(executable.parent.name)
        self.assertEqual(named, set(FUNCTIONS))
        self.assertTrue((target / "bin/usher").stat().st_mode & 0o111)
        self.assertTrue((target / "events/migrate/empty.json").is_file())
        self.assertEqual(str((target / "usher.toml").readlink()), "/etc/usher/usher.toml")

    def test_a_release_is_whole_or_absent(self):
        (self.binaries / "storefront").unlink()
        target = Path(self.folder.name, "releases", "1.4.1")
        self.assertNotEqual(self.release(target).returncode, 0)
        self.assertEqual(list(target.parent.iterdir()), [])

    def test_a_release_is_never_changed(self):
        target = Path(self.folder.name, "1.4.0")
        self.assertEqual(self.release(target).returncode, 0)
        again = self.release(target)
        self.assertNotEqual(again.returncode, 0)
        self.assertIn("exists", again.stderr)


if __name__ == "__main__":
    unittest.main()
