"""Counts what the style of this project limits, and says where each limit is exceeded.

    style.py           prints the counts
    style.py --check   prints what exceeds its limit, and fails
    style.py --list    prints each place of every count

Only files that git tracks are read. Nothing but the standard library is needed.
"""

import collections
import re
import subprocess
import sys

# Words for people, used for processes, functions and consumers. Name the thing that acts instead.
PEOPLE = (
    "nobody somebody anybody everybody whoever whomever whatsoever anew "
    "someone anyone everyone"
).split()
# Verbs of speech and mind, used for code. Code requests, sends, receives, stores, classifies, applies.
MIND = (
    "told tell tells telling ask asks asked asking heard hear hears hearing knows knew know "
    "wish wishes wished obey obeys obeyed judge judges judged believe believes believed"
).split()
# Coined terms for which the field has a word: the pattern, and what to write.
COINED = {
    r"\bOutlets?\b": "DestinationClient",
    r"\b[Bb]eacons?\b": "host file",
    r"\bsurroundings\b": "preflight checks",
    r"\bKnobs?\b": "Setting",
    r"\bWish(es)?\b": "SettingChange, ReserveRequest",
    r"\bDealt\b": "BatchResult",
    r"\bcarry_on\b": "resume",
    r"\b[Gg]uardians?\b": "reaper",
    r"\bfarewell\b": "shutdown flush",
    r"\bagenda\b": "due index",
    r"\bthe house\b|\bhouse rules?\b|\bof the house\b": "repository",
    r"\bverdicts?\b": "disposition, classification, result",
    r"\bthe truth\b": "the source of truth",
    r"(?i)(?<!dead )(?<!dead-)(?<!capital )(?<!ASCII )(?<!small )(?<!upper-case )(?<!lower-case )\bletters\b(?!,?( and)?\s+(\\\s+)?(digits|numbers))": "dead letters, failure records",
}
# Rust names that the list of names replaces, in any crate.
NAMES = r"\b(struct|enum|trait|type|fn|mod)\s+(Outlet|Beacon|Face|Wish|Want|Knob|Picture|Dealt|Standing|carry_on|guardian|surroundings|agenda|farewell|behave|verdict|Verdict|quiet|pace)\b"

PER_THOUSAND = 0.3
MAX_COLUMNS = 100
MAX_LONG_SHARE = 0.01
MAX_LINES = 400
MAX_CIRCLE = 3

# The lists above, and what quotes words in order to name or test them.
SELF = {"scripts/lib/python/style.py"}


def tracked():
    names = subprocess.check_output(["git", "ls-files", "-z"]).decode().split("\0")
    return [name for name in names if name and name not in SELF]


def read(name):
    try:
        with open(name, encoding="utf-8") as file:
            return file.read()
    except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
        return ""


RUST_TOKEN = re.compile(
    r'//(?P<line>[^\n]*)|/\*(?P<block>.*?)\*/'
    r'|b?r(?P<hashes>#*)"(?P<raw>.*?)"(?P=hashes)|b?"(?P<string>(?:\\.|[^"\\])*)"'
    r"|'(?:\\.[^']*|[^\\'])'",
    re.S,
)


def rust_texts(source):
    """Comments and string literals of Rust source, each as (offset, text)."""
    comments, strings = [], []
    for match in RUST_TOKEN.finditer(source):
        if match["line"] is not None:
            comments.append((match.start(), match["line"]))
        elif match["block"] is not None:
            comments.append((match.start(), match["block"]))
        else:
            text = match["string"] if match["string"] is not None else match["raw"]
            # Sentences, not keys, SQL or JSON.
            if text and re.search(r"[a-z] [a-z]", text) and "{\"" not in text:
                strings.append((match.start(), text))
    return comments, strings


LINE_COMMENT = {
    ".sql": r"--(.*)", ".lua": r"--(.*)", ".js": r"//(.*)", ".go": r"//(.*)", ".java": r"//(.*)",
    ".sh": r"(?:^|\s)#(.*)", ".toml": r"(?:^|\s)#(.*)", ".yaml": r"(?:^|\s)#(.*)", ".yml": r"(?:^|\s)#(.*)",
    ".py": r"(?:^|\s)#(.*)",
}


def texts(name, source):
    """(comments and docs, messages) of a file."""
    suffix = name[name.rfind("."):] if "." in name.rsplit("/", 1)[-1] else ""
    if suffix == ".rs":
        return rust_texts(source)
    if suffix == ".md":
        return [(0, source)], []
    if not suffix and source.startswith("#!"):
        suffix = ".sh"
    if suffix in LINE_COMMENT:
        found = re.finditer(LINE_COMMENT[suffix], source, re.M)
        return [(m.start(1), m[1]) for m in found], []
    return [], []


def words_in(pattern, parts, name, source, places):
    count = 0
    for offset, text in parts:
        for match in pattern.finditer(text):
            count += 1
            line = source.count("\n", 0, offset + match.start()) + 1
            places.append(f"{name}:{line}: {match[0]}")
    return count


def crate_of(name):
    parts = name.split("/")
    depth = 2 if parts[0] in ("functions", "examples", "tests", "crates", "operator") else 1
    return "/".join(parts[:depth])


def is_test(name):
    return bool(re.search(r"(^|/)tests?/|tests?\.rs$|(^|/)(tests|bench)/", name))


TYPE = re.compile(r"^\s*pub(?:\([a-z: ]+\))? (?:struct|enum|trait|type|union) (\w+)", re.M)


def duplicate_types(sources):
    by_crate = collections.defaultdict(lambda: collections.defaultdict(list))
    for name, source in sources.items():
        if name.endswith(".rs") and not is_test(name):
            # An associated type of a trait is indented `type`, never `pub type`.
            for match in TYPE.finditer(source):
                by_crate[crate_of(name)][match[1]].append(name)
    return [
        f"{crate}: {kind} in {', '.join(files)}"
        for crate, kinds in sorted(by_crate.items())
        for kind, files in sorted(kinds.items())
        if len(files) > 1
    ]


def module_files(crate, sources):
    """Module path -> file, of one crate's library or program."""
    modules = {}
    root = f"{crate}/src/"
    for name in sources:
        if name.startswith(root) and name.endswith(".rs") and not is_test(name):
            path = name[len(root):-3]
            if path in ("lib", "main"):
                modules.setdefault((), name)
                continue
            path = path.removesuffix("/mod")
            modules[tuple(path.split("/"))] = name
    return modules


USE = re.compile(r"^\s*(?:pub(?:\([a-z: ]+\))? )?use ((?:crate|super|self)::[^;]+);", re.M)
INLINE = re.compile(r"\b((?:crate|super)(?:::\w+)+)")


def expand(tree):
    """`a::{b, c::{d}}` -> a::b, a::c::d."""
    tree = re.sub(r"\s+", " ", re.sub(r"//[^\n]*", "", tree)).strip()
    if "{" not in tree:
        return [tree]
    head, rest = tree.split("{", 1)
    depth, start, found = 0, 0, []
    for place, char in enumerate(rest):
        if char == "{":
            depth += 1
        elif char == "}" and depth == 0:
            found.append(rest[start:place])
            break
        elif char == "}":
            depth -= 1
        elif char == "," and depth == 0:
            found.append(rest[start:place])
            start = place + 1
    return [path for part in found if part.strip() for path in expand(head.strip() + part.strip())]


def imports(modules, module, source):
    """Files whose items this file names. Declarations (`mod x;`) are no imports."""
    code = "\n".join(line for line in source.split("\n") if not line.lstrip().startswith("//"))
    paths = [path for tree in USE.findall(code) for path in expand(tree)]
    paths += INLINE.findall(code)
    for path in paths:
        parts = [part.split(" ")[0] for part in path.split("::")]
        at = list(module)
        if parts[0] == "crate":
            at, parts = [], parts[1:]
        elif parts[0] == "self":
            parts = parts[1:]
        while parts and parts[0] == "super":
            at, parts = at[:-1], parts[1:]
        names = parts[:]
        while names and tuple(at + names[:1]) in modules:
            at.append(names.pop(0))
        target = modules.get(tuple(at))
        if target and target != modules[module]:
            yield target


def circles(sources):
    """Groups of more than MAX_CIRCLE files of a crate that import one another."""
    found = []
    crates = sorted({crate_of(name) for name in sources if "/src/" in name and name.endswith(".rs")})
    for crate in crates:
        modules = module_files(crate, sources)
        # The root only lists modules and re-exports from them.
        graph = {
            file: set(imports(modules, path, sources[file])) - {modules.get(())}
            for path, file in modules.items() if path
        }
        found += [sorted(group) for group in components(graph) if len(group) > MAX_CIRCLE]
    return found


def components(graph):
    """Strongly connected components, without recursion."""
    order, seen = [], set()
    for start in graph:
        stack = [(start, iter(graph[start]))]
        if start in seen:
            continue
        seen.add(start)
        while stack:
            node, rest = stack[-1]
            for other in rest:
                if other not in seen and other in graph:
                    seen.add(other)
                    stack.append((other, iter(graph[other])))
                    break
            else:
                order.append(node)
                stack.pop()
    reverse = collections.defaultdict(set)
    for node, others in graph.items():
        for other in others:
            reverse[other].add(node)
    placed = set()
    for node in reversed(order):
        if node in placed:
            continue
        group, todo = set(), [node]
        while todo:
            current = todo.pop()
            if current in placed:
                continue
            placed.add(current)
            group.add(current)
            todo += reverse[current]
        yield group


def code_lines(sources):
    """Lines of Rust that are neither blank, comment nor test."""
    total = 0
    for name, source in sources.items():
        if not name.endswith(".rs") or is_test(name):
            continue
        source = re.split(r"^#\[cfg\(test\)\]\s*mod \w+ \{", source, maxsplit=1, flags=re.M)[0]
        total += sum(1 for line in source.split("\n") if line.strip() and not line.lstrip().startswith("//"))
    return total


def main():
    show, check = "--list" in sys.argv, "--check" in sys.argv
    sources = {name: read(name) for name in tracked()}
    people = re.compile(r"\b(%s)\b" % "|".join(PEOPLE), re.I)
    mind = re.compile(r"\b(%s)\b" % "|".join(MIND), re.I)
    words = collections.Counter()
    places = collections.defaultdict(list)
    coined = []
    for name, source in sources.items():
        prose, messages = texts(name, source)
        for kind, parts in (("comments and docs", prose), ("messages", messages)):
            words[kind] += sum(len(re.findall(r"[A-Za-z]+", text)) for _, text in parts)
            words_in(people, parts, name, source, places[kind, "people"])
            words_in(mind, parts, name, source, places[kind, "mind"])
            for pattern, better in COINED.items():
                hits = []
                words_in(re.compile(pattern), parts, name, source, hits)
                coined += [f"{hit} -> {better}" for hit in hits]
        if name.endswith(".rs"):
            for match in re.finditer(NAMES, source):
                line = source.count("\n", 0, match.start()) + 1
                coined.append(f"{name}:{line}: {match[0]}")

    rust = {name: source for name, source in sources.items() if name.endswith(".rs")}
    long = [f"{name}:{number}" for name, source in rust.items()
            for number, line in enumerate(source.split("\n"), 1) if len(line) > MAX_COLUMNS]
    lines = sum(source.count("\n") for source in rust.values())
    large = [f"{name}: {source.count(chr(10))} lines" for name, source in rust.items()
             if source.count("\n") > MAX_LINES]
    types, rings = duplicate_types(sources), circles(sources)

    broken = []

    def report(text, value, limit, found):
        over = value > limit
        print(f"{'OVER' if over else '  ok'}  {text}: {value:.2f}".replace(".00", "") + f" (limit {limit})")
        if over:
            broken.append(text)
        if show or (check and over):
            for place in found:
                print(f"        {place}")

    for kind in ("comments and docs", "messages"):
        for which, label in (("people", "people words"), ("mind", "verbs of speech and mind")):
            found = places[kind, which]
            report(f"{label} per 1,000 words of {kind}", 1000 * len(found) / max(1, words[kind]), PER_THOUSAND, found)
    report("coined terms", len(coined), 0, coined)
    report("public type names that a crate defines twice", len(types), 0, types)
    report(f"lines over {MAX_COLUMNS} columns, share of {lines}", len(long) / max(1, lines), MAX_LONG_SHARE, long)
    report(f"files over {MAX_LINES} lines", len(large), 0, large)
    report(f"import circles over {MAX_CIRCLE} files", len(rings), 0, [", ".join(ring) for ring in rings])
    print(f"      words of comments and docs: {words['comments and docs']}, of messages: {words['messages']}")
    print(f"      lines of Rust without tests, comments and blank lines: {code_lines(sources)}")
    if check and broken:
        sys.exit(1)


main()
