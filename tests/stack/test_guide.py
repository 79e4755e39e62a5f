"""Guides: each command is run by something that exists, or says that it needs an account; links lead somewhere."""

import re
import unittest

import documents

GUIDES = ["docs/how-to/deploy.md", "docs/how-to/own-machines.md", "docs/how-to/runbook.md", "docs/reference/capacity.md", "docs/reference/proven.md", "docs/reference/trials.md"]


def slug(heading):
    """As GitHub makes the anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_programs():
    """Names for cargo's option --test."""
    files = [*documents.ROOT.glob("*/tests/*.rs"), *documents.ROOT.glob("*/*/tests/*.rs")]
    return {path.stem for path in files} | {path.parent.name for path in documents.ROOT.glob("**/tests/*/main.rs")}


def sources(program, modules):
    """The files of a test program that may hold a module: its own, and those of its folder."""
    single = [*documents.ROOT.glob(f"*/tests/{program}.rs"), *documents.ROOT.glob(f"*/*/tests/{program}.rs")]
    folders = [path.parent for path in documents.ROOT.glob(f"**/tests/{program}/main.rs")]
    for folder in folders:
        place = folder.joinpath(*modules)
        single += [place.with_suffix(".rs"), place / "mod.rs"] if modules else [folder / "main.rs"]
    return [path for path in single if path.is_file()]


class Guides(unittest.TestCase):
    def test_each_command_of_the_deployment_is_run_or_needs_an_account(self):
        commands = 0
        for block in re.findall(r"^```\n(.*?)^```$", documents.read("docs/how-to/deploy.md"), re.M | re.S):
            for line in block.splitlines():
                commands += 1
                said = re.search(r"# (?:needs an account|run by: (\S.*))$", line)
                self.assertIsNotNone(said, line)
                if said[1]:
                    self.exists(said[1])
        self.assertGreater(commands, 20)

    def exists(self, what):
        """A target of make, a file, or a script with its arguments."""
        words = what.split()
        if words[0] == "make":
            self.assertRegex(documents.read("Makefile"), rf"(?m)^{words[1]}:")
            return
        self.assertTrue((documents.ROOT / words[0]).is_file(), what)
        if "--test" in words:
            self.assertIn(words[words.index("--test") + 1], test_programs(), what)

    def test_links_lead_to_pages_and_headings(self):
        for guide in GUIDES:
            folder = (documents.ROOT / guide).parent
            for target in re.findall(r"\]\(([^)]+)\)", documents.read(guide)):
                page, _, anchor = target.partition("#")
                path = (folder / page).resolve() if page else documents.ROOT / guide
                self.assertTrue(path.exists(), f"{guide}: {target}")
                if anchor:
                    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.M)
                    self.assertIn(anchor, {slug(heading) for heading in headings}, f"{guide}: {target}")

    def test_every_parameter_that_a_guide_names_exists(self):
        known = set()
        for path in ("template.yaml", "alarms.yaml", "infra.yaml"):
            document = documents.expanded(path)
            known |= set(document["Parameters"]) | set(document.get("Outputs", {}))
            known |= {name for resource in document["Resources"].values() for name in resource.get("Properties", {})}
        named = r"\b((?:[A-Z][a-z]+){2,}(?:Enabled|Type|Ms|Seconds|Concurrency|Pollers|Limit|Url|Arn|Servers|Kind|Shards|Gib|Capacity))\b"
        for guide in GUIDES:
            for name in set(re.findall(named, documents.read(guide))):
                self.assertIn(name, known, guide)

    def test_what_is_proven_is_there(self):
        page = documents.read("docs/reference/proven.md")
        requirements = re.findall(r"^\| ([SN]\d+) \| .*? \| (.*?) \| `(.*?)` \|$", page, re.M)
        self.assertEqual([name for name, *_ in requirements], [f"S{n}" for n in range(1, 19)] + [f"N{n}" for n in range(1, 11)])
        for name, places, command in requirements:
            for place in re.findall(r"`([^`]+)`", places):
                self.assertTrue((documents.ROOT / place).exists(), f"{name}: {place}")
            self.exists(command)
        proven = page.split("## Operations")[1].split("## Not proven")[0]
        for place in re.findall(r"\| `([^`]+)` \|$", proven, re.M):
            self.exists(place)

    def test_every_trial_is_a_test(self):
        page = documents.read("docs/reference/trials.md")
        faults, defects = page.split("## Faults")[1].split("## Defects")
        for part, count in ((faults, 13), (defects, 15)):
            rows = re.findall(r"^\| (\d+) \| .*? \| (`.*?`) \|(?: (.*?) ?\|)?$", part, re.M)
            self.assertEqual([number for number, *_ in rows], [str(n + 1) for n in range(count)])
            for _, tests, longer in rows:
                for program, path in re.findall(r"`(\w+) ([\w:]+)`", tests):
                    *modules, name = path.split("::")
                    found = [file for file in sources(program, modules) if re.search(rf"fn {name}\(\)", file.read_text(encoding="utf-8"))]
                    self.assertTrue(found, f"{program} {path}")
                for target, trial in re.findall(r"`make (\w+)(?: TRIAL=([\w-]+))?", longer):
                    self.exists(f"make {target}")
                    if trial:
                        self.assertIn(f'"{trial}"', documents.read("tests/chaos/src/trial.rs"))


if __name__ == "__main__":
    unittest.main()
