#!/usr/bin/env python3
"""Runs the commands of the documentation, so that no page shows one that does not work.

    docs_test.py --hearth BINARY [PAGE...]      pages: README.md and docs/*.md

A block fenced as ```console after a line `<!-- run -->` is run: each line `$ command` in bash, in a
fresh folder and store per page that has what `<!-- given: ... -->` names (tiny: a folder with a
tiny model; gguf: tiny.gguf made from it). A command must end with 0 (`$ ! command`: must not); the
lines under it are its output, compared as they are, where `...` stands for anything.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"<!-- run -->\s*\n```console\n(.*?)```", re.DOTALL)


def commands_of(page):
    """[(line, command, expected output or '')] of the runnable blocks."""
    text = page.read_text()
    found = []
    for block in BLOCK.finditer(text):
        line = text.count("\n", 0, block.start(1)) + 1
        for part in re.split(r"^\$ ", block[1], flags=re.MULTILINE):
            if not part.strip():
                line += part.count("\n")
                continue
            command, _, expected = part.partition("\n")
            while command.endswith("\\"):
                more, _, expected = expected.partition("\n")
                command = command[:-1] + more.strip()
            found.append((line, command, expected.strip()))
            line += part.count("\n")
    return found


def matches(expected, actual):
    pattern = re.escape(expected).replace(r"\.\.\.", ".*")
    return re.fullmatch(pattern, actual.strip(), re.DOTALL) is not None


def prepare(folder, given, hearth):
    if "tiny" in given or "gguf" in given:
        shutil.copytree(ROOT / "tests/data/models/llama", folder / "tiny")


def run_page(page, hearth):
    """What went wrong, as sentences, and how many commands were run."""
    problems, commands = [], commands_of(page)
    given = re.findall(r"<!-- given: (.*?) -->", page.read_text())
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "work").mkdir()
        prepare(folder / "work", " ".join(given).split(), hearth)
        env = {k: v for k, v in os.environ.items() if not k.startswith(("HEARTH_", "OLLAMA_"))}
        env.update(PATH=f"{pathlib.Path(hearth).resolve().parent}:{env['PATH']}",
                   HOME=str(folder / "home"), HEARTH_LOCAL="1")
        for line, command, expected in commands:
            where = f"{page.relative_to(ROOT)}:{line}: {command}"
            run = subprocess.run(["bash", "-c", command], cwd=folder / "work", env=env, text=True,
                                 capture_output=True, timeout=300, stdin=subprocess.DEVNULL)
            if run.returncode != 0:
                problems.append(f"{where}: exit {run.returncode}: {run.stderr.strip()}")
            elif expected and not matches(expected, run.stdout + run.stderr):
                problems.append(f"{where}: says {(run.stdout + run.stderr).strip()!r}, the page "
                                f"has {expected!r}")
    return problems, len(commands)


def broken_links(page):
    """Links to files that are not there."""
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if not target.startswith("http") and not (page.parent / target).exists():
            yield f"{page.relative_to(ROOT)}: the link to {target} leads nowhere"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hearth", required=True)
    parser.add_argument("pages", nargs="*", type=pathlib.Path)
    options = parser.parse_args()
    pages = [p.resolve() for p in options.pages] or [
        *sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
    problems, count = [], 0
    for page in pages:
        wrong, commands = run_page(page, options.hearth)
        problems += wrong + list(broken_links(page))
        count += commands
    if not options.pages and count == 0:
        problems.append("no page has a command to run: this test would prove nothing")
    print("\n".join(problems) or f"{count} commands of {len(pages)} pages work")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
