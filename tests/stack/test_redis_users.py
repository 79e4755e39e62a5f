"""The users of infra.yaml may run every command that the scripts and programs use, and none that changes the server."""

import re
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import documents

PREFIX = "test"
# Commands that open a connection, or find a cluster's nodes.
OF_THE_CLIENT = {"AUTH", "HELLO", "PING", "READONLY", "SUBSCRIBE", "FCALL", "EVALSHA", "XREAD"}


def used():
    """Commands in Lua files and in Rust."""
    found = set()
    for path in documents.ROOT.glob("*/**/*.lua"):
        if "target" not in path.parts:
            found |= set(re.findall(r"redis\.p?call\('([A-Z]+)'", path.read_text(encoding="utf-8")))
    for _, text in documents.sources("crates", "shared/src", "functions"):
        found |= set(re.findall(r'\bcmd\("([A-Z]+)"\)', text))
    return found


class Users(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        server, cls.client = shutil.which("redis-server"), shutil.which("redis-cli")
        if server is None or cls.client is None:
            raise RuntimeError("Redis is not installed: scripts/stack installs it")
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.socket = Path(folder.name, "socket")
        command = [server, "--port", "0", "--unixsocket", cls.socket, "--save", "", "--dir", folder.name]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        cls.addClassCleanup(process.wait)
        cls.addClassCleanup(process.kill)
        until = time.monotonic() + 10
        while "PONG" not in cls.run_command("PING"):
            assert time.monotonic() < until, "Redis does not start"
            time.sleep(0.02)

    @classmethod
    def run_command(cls, *words):
        done = subprocess.run([cls.client, "-s", cls.socket, *words], capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    def categories(self, *names):
        return {line.upper() for name in names for line in self.run_command("ACL", "CAT", name).split()}

    def users(self):
        for name, resource in documents.expanded("infra.yaml")["Resources"].items():
            if resource["Type"] == "AWS::ElastiCache::User" and name != "RedisNobody":
                text = documents.text(resource["Properties"]["AccessString"], {}, {"EnvPrefix": PREFIX})
                self.assertEqual(self.run_command("ACL", "SETUSER", name, "nopass", *text.split()).strip(), "OK", name)
                yield name

    def test_users_may_run_what_the_programs_use(self):
        commands = used() | OF_THE_CLIENT
        self.assertGreater(len(commands), 40)
        denied = self.categories("admin", "dangerous")
        self.assertIn("CONFIG|SET", denied)
        # The access strings name INFO. ROLE is sent to primaries that Sentinels name, and ElastiCache has no Sentinels.
        self.assertEqual(commands & denied, {"INFO", "ROLE"})
        for user in self.users():
            self.assertEqual(self.run_command("ACL", "DRYRUN", user, "INFO", "memory").strip(), "OK")

    def test_users_reach_their_environment_only(self):
        for user in self.users():
            for allowed in (["GET", f"{PREFIX}:{{s1}}:a"], ["FUNCTION", "LOAD", "x"], ["FCALL", "f", "1", f"{PREFIX}:a"], ["SUBSCRIBE", f"{PREFIX}:a"]):
                self.assertEqual(self.run_command("ACL", "DRYRUN", user, *allowed).strip(), "OK", allowed)
            for denied in (["GET", "prod:a"], ["SUBSCRIBE", "prod:a"], ["FLUSHALL"], ["CONFIG", "SET", "maxmemory", "1"], ["SHUTDOWN"]):
                self.assertIn("no permissions", self.run_command("ACL", "DRYRUN", user, *denied), denied)

    def test_the_default_user_can_do_nothing(self):
        nobody = documents.template("infra.yaml")["Resources"]["RedisNobody"]["Properties"]
        self.assertEqual(nobody["AccessString"].split()[0], "off")
        self.assertIn("-@all", nobody["AccessString"])


if __name__ == "__main__":
    unittest.main()
