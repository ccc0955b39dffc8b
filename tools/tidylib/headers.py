"""Headers that compile alone: each is given to the compiler by itself. Costly (about a second a
header), so that a header is compiled again only when it, or one of ours that it includes, or the
compiler, has changed; the digests of those that passed are kept in build/. Files named x-inl.h are
bodies that a .cc file includes once per instruction set, and no headers in this sense."""
import concurrent.futures
import hashlib
import json
import os
import shutil
import subprocess

from .checks import Problem

FLAGS = ["-fsyntax-only", "-std=gnu++23", "-Isrc", "-Itests", "-DHEARTH_TEST_DATA=\"\"",
         "-DHEARTH_SHARED_DATA=\"\"", "-x", "c++", "-w", "-"]


def digest_of(house, path, seen):
    """Adds to `seen` {path: digest of its bytes} for a file and all of ours that it includes."""
    source = house.by_path.get(path)
    if source is None or path in seen:
        return
    seen[path] = hashlib.sha256(source.raw).hexdigest()
    for _, name, quoted in source.includes:
        if quoted:
            digest_of(house, "src/" + name, seen)


def compile_header(root, compiler, path):
    """The first error line of the compiler, or None."""
    run = subprocess.run([compiler, *FLAGS], cwd=root, capture_output=True, text=True,
                         input=f'#include "{path.removeprefix("src/")}"\n')
    if run.returncode == 0:
        return None
    lines = [line for line in run.stderr.splitlines() if "error" in line]
    return lines[0] if lines else run.stderr.strip()[-200:]


def compile_alone(house):
    compiler = os.environ.get("CXX") or shutil.which("g++")
    if not compiler:
        yield Problem("tools/tidy", 1, "no g++ here: install it, or set CXX")
        return
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True).stdout
    cache_path = house.root / "build/tidy-headers.json"
    try:
        passed = set(json.loads(cache_path.read_text()))
    except (OSError, ValueError):
        passed = set()
    todo, kept = [], set()
    for s in house.cpp():
        if s.suffix != ".h" or s.name.endswith("-inl.h"):
            continue
        seen = {}
        digest_of(house, s.path, seen)
        key = hashlib.sha256(json.dumps([s.path, version, FLAGS, seen]).encode()).hexdigest()
        if key in passed:
            kept.add(key)
        else:
            todo.append((s.path, key))
    workers = min(4, len(os.sched_getaffinity(0)))
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        runs = pool.map(lambda row: compile_header(house.root, compiler, row[0]), todo)
        for (path, key), error in zip(todo, runs):
            if error is None:
                kept.add(key)
            else:
                yield Problem(path, 1, f"does not compile alone: {error}")
    cache_path.parent.mkdir(exist_ok=True)
    cache_path.write_text(json.dumps(sorted(kept)))
