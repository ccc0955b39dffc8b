"""The checks of tools/tidy. Each is a generator over a House that yields Problem(path, line, what
is wrong and what to do)."""
import collections
import json
import pathlib
import posixpath
import re

from . import rules
from .source import list_sources

Problem = collections.namedtuple("Problem", "path line message")


class House:
    """The repository as the checks see it."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.sources = list_sources(self.root)
        self.by_path = {s.path: s for s in self.sources}

    def cpp(self, under="src/"):
        return [s for s in self.sources if s.is_cpp and s.path.startswith(under)]

    def code(self):
        return [s for s in self.sources if s.is_code and s.is_text]


def folder_of(path):
    """'base' of src/base/x.h; None for other places."""
    parts = path.split("/")
    return parts[1] if len(parts) > 2 and parts[0] == "src" else None


def arrows(house):
    """Includes between the folders of src/ follow the table of rules.py."""
    for s in house.cpp():
        mine = folder_of(s.path)
        if mine is None:
            continue
        if mine not in rules.ARROWS:
            yield Problem(s.path, 1, f"folder '{mine}' is not in ARROWS (tools/tidylib/rules.py): "
                          "decide what it may include")
            continue
        allowed = rules.ARROWS[mine].split()
        for line, name, quoted in s.includes:
            if not quoted:
                continue
            theirs = folder_of("src/" + name)
            if s.is_test and "tests/" + name in house.by_path:
                continue
            if "src/" + name not in house.by_path:
                yield Problem(s.path, line, f'"{name}" is no file under src/: write the path from '
                              "src/, and <> for libraries")
            elif theirs != mine and theirs not in allowed and "*" not in allowed:
                yield Problem(s.path, line, f"{mine}/ may not include {theirs}/ (it may: "
                              f"{' '.join(allowed) or 'nothing'}): move the type down or pass a "
                              "callback")


def one_home(house):
    """Headers of libraries that stay behind a face of our own."""
    for s in house.cpp():
        for line, name, _ in s.includes:
            for prefix, places, why in rules.ONE_HOME:
                if name.startswith(prefix) and not s.path[4:].startswith(places):
                    yield Problem(s.path, line, f"<{name}> belongs only in "
                                  f"{', '.join('src/' + p for p in places)}: {why}")


def line_length(house):
    for s in house.sources:
        if not (s.is_code or s.name == "CMakeLists.txt" or s.suffix == ".cmake") or not s.is_text:
            continue
        for number, line in enumerate(s.text.split("\n"), 1):
            if len(line) > rules.COLUMNS_MAX:
                yield Problem(s.path, number, f"{len(line)} columns, {rules.COLUMNS_MAX} are "
                              "allowed: break the line")


def whitespace(house):
    for s in house.code():
        if s.text and not s.text.endswith("\n"):
            yield Problem(s.path, s.text.count("\n") + 1, "add a newline at the end of the file")
        for number, line in enumerate(s.text.split("\n"), 1):
            if line != line.rstrip():
                yield Problem(s.path, number, "remove the blanks at the end of the line")
            elif s.is_cpp and "\t" in line:
                yield Problem(s.path, number, "use spaces, not tabs")


def read_ratchet(house):
    """{(path, function): lines} of tools/tidy_ratchet.txt."""
    path = house.root / "tools/tidy_ratchet.txt"
    allowed = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        fields = line.split()
        if fields and not line.startswith("#"):
            allowed[fields[0], " ".join(fields[2:])] = int(fields[1])
    return allowed


def long_functions(house):
    """{(path, function): (lines, first line)} of those over the limit."""
    found = {}
    for s in house.code():
        for f in s.functions:
            known = found.get((s.path, f.name), (0, 0))
            if f.lines > rules.FUNCTION_LINES_MAX and f.lines > known[0]:
                found[s.path, f.name] = (f.lines, f.line)
    return found


def function_length(house):
    """A function fits a screen; those that do not are listed, and may only become shorter."""
    allowed = read_ratchet(house)
    found = long_functions(house)
    for (path, name), (lines, line) in found.items():
        limit = allowed.get((path, name), rules.FUNCTION_LINES_MAX)
        if lines > limit:
            yield Problem(path, line, f"{name} has {lines} lines, {limit} are allowed: split it "
                          "into named steps")
    for (path, name), limit in allowed.items():
        lines, line = found.get((path, name), (0, 1))
        if lines < limit:
            yield Problem("tools/tidy_ratchet.txt", 1, f"{path} {name} is listed with {limit} "
                          f"lines and has {lines or 'none over the limit'}: run tools/tidy "
                          "--ratchet")


BEFORE_CALL = re.compile(r"(?P<access>\.|->)?\s*(?P<scope>(?:\w+)?\s*::\s*)?$")


def is_call(code, at):
    """Whether the name at `at` (followed by a parenthesis) is a call of the C function, not a
    member, nor a declaration of something of our own with that name."""
    before = code[max(0, at - 80):at]
    m = BEFORE_CALL.search(before)
    if m["access"]:
        return False
    scope = re.sub(r"[\s:]", "", m["scope"] or "")
    if scope not in ("", "std"):
        return False
    previous = re.search(r"([\w>&*]+)\s+$", before[:m.start()] if m["scope"] else before)
    return not previous or previous[1] in ("return", "else", "do", "case", "throw", "co_return")


def banned_calls(house):
    pattern = re.compile(r"\b(" + "|".join(rules.BANNED) + r")\s*\(")
    for s in house.sources:
        if not s.is_cpp:
            continue
        allowed = set().union(*[v for k, v in rules.ALLOWED_CALLS.items() if s.path.startswith(k)])
        allowed |= set(re.findall(r"\bauto&?\s+(\w+)\s*=\s*\[", s.code))     # lambdas of that name
        for m in pattern.finditer(s.code):
            if m[1] not in allowed and is_call(s.code, m.start()):
                yield Problem(s.path, s.code.count("\n", 0, m.start()) + 1,
                              f"{m[1]}() is not used here: {rules.BANNED[m[1]]}")


def listed_in_cmake(house):
    """The paths of the sources that the CMakeLists.txt files name."""
    listed = set()
    for s in house.sources:
        if s.name == "CMakeLists.txt":
            text = re.sub(r"#.*", "", s.text).replace("${CMAKE_CURRENT_SOURCE_DIR}/", "")
            text = text.replace("${PROJECT_SOURCE_DIR}", "")     # leaves /path: from the root
            for name in re.findall(r"[\w./-]+\.(?:cc|cu)\b", text):
                listed.add(posixpath.normpath(posixpath.join("/" + s.folder, name)).lstrip("/"))
    return listed


def dead_files(house):
    """Every file is built, included, imported or called by another."""
    listed = listed_in_cmake(house)
    included = {name for s in house.sources if s.is_cpp for _, name, _ in s.includes}
    base_names = {pathlib.PurePosixPath(name).name for name in included}
    texts = [(s.path, s.text) for s in house.sources if s.is_text and len(s.raw) < 1 << 18]
    for s in house.code():
        if s.suffix in (".cc", ".cu"):
            if s.path not in listed and s.name not in base_names:
                yield Problem(s.path, 1, "no CMakeLists.txt lists it: add it or delete it")
        elif s.is_cpp:
            if s.path.removeprefix("src/") not in included and s.name not in base_names:
                yield Problem(s.path, 1, "nothing includes it: delete it")
        elif "/" in s.path and not s.path.startswith(".") and s.name != "__init__.py":
            stem = pathlib.PurePosixPath(s.name).stem
            named = re.compile(r"(?<![\w-])" + re.escape(s.name) + r"(?![\w-])" +
                               (rf"|\bimport\b.*\b{stem}\b|\bfrom\s+[\w.]*\b{stem}\b"
                                if s.is_python else ""))
            if not any(named.search(text) for path, text in texts if path != s.path):
                yield Problem(s.path, 1, "no other file names it: call it, describe it or delete "
                              "it")


def left_overs(house):
    pattern = re.compile(r"\b(" + "|".join(rules.LEFT_OVERS) + r")\b")
    for s in house.code():
        for m in pattern.finditer(s.text):
            yield Problem(s.path, s.text.count("\n", 0, m.start()) + 1,
                          f"{m[1]}: do it now, or file it where work is planned")


def large_files(house):
    for s in house.sources:
        size = (house.root / s.path).stat().st_size
        if size > rules.TRACKED_BYTES_MAX:
            yield Problem(s.path, 1, f"{size} bytes, {rules.TRACKED_BYTES_MAX} are allowed: make "
                          "it smaller or fetch it when needed")


def readmes(house):
    """Every folder of the house says what it is."""
    folders = {"src/" + folder_of(s.path) for s in house.cpp() if folder_of(s.path)}
    folders |= {s.path.split("/")[0] for s in house.code() if "/" in s.path} - {"src", ".ci"}
    for folder in sorted(folders):
        if folder + "/README.md" not in house.by_path:
            yield Problem(folder + "/README.md", 1, "is missing: 10-30 lines on what the folder "
                          "is, its main types, the life of one call")


def test_names(house):
    """Tests stand in x_test.cc, so that they are found and counted as tests."""
    pattern = re.compile(r"^\s*(?:TYPED_)?TEST(?:_[FP])?\s*\(", re.MULTILINE)
    for s in house.cpp(under=""):
        m = pattern.search(s.code) if s.suffix == ".cc" else None
        if m and not s.name.endswith("_test.cc"):
            yield Problem(s.path, s.code.count("\n", 0, m.end()) + 1,
                          "a file with tests is named x_test.cc")
        if s.name.endswith("_test.cc") and not pattern.search(s.code):
            yield Problem(s.path, 1, "has no TEST: rename it or write one")


def pragma_once(house):
    for s in house.cpp():
        if s.suffix == ".h" and not re.search(r"^#pragma once$", s.text, re.MULTILINE):
            yield Problem(s.path, 1, "add #pragma once")


CHECKS = [arrows, one_home, line_length, whitespace, function_length, banned_calls, dead_files,
          left_overs, large_files, readmes, test_names, pragma_once]


def write_ratchet(house):
    """Lowers the list to what is true now. Only shorter or fewer: new rows are written by hand,
    where a reader of the change sees them."""
    allowed, found = read_ratchet(house), long_functions(house)
    kept = {key: min(limit, found[key][0]) for key, limit in allowed.items() if key in found}
    path = house.root / "tools/tidy_ratchet.txt"
    head = [line for line in path.read_text().splitlines() if line.startswith("#")]
    rows = [f"{path_} {lines} {name}" for (path_, name), lines in sorted(kept.items())]
    path.write_text("\n".join(head + rows) + "\n")
    return len(kept)


def as_json(problems):
    return json.dumps([p._asdict() for p in problems], indent=1)
