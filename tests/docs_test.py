#!/usr/bin/env python3
"""Runs the commands of the documentation, so that no page shows one that does not work.

    docs_test.py --hearth BINARY [PAGE...]      pages: README.md and docs/*.md

A block fenced as ```console after a line `<!-- run -->` is run: each line `$ command` in bash, in a
fresh folder and store per page that has what `<!-- given: ... -->` names (tiny: a folder with a
tiny model; gguf: tiny.gguf made from it). A command must end with 0 (`$ ! command`: must not); the
lines under it are its output, compared as they are, where `...` stands for anything.

A command `hearth serve` goes on beside those that follow it, on a free port that takes the place of
11434 in all of them, until the page starts another one or ends; then it must end with 0.
"""
import argparse
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

PATIENCE = 60
SERVE = re.compile(r"(\w+=\S+ )*hearth serve\b")
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


class Page:
    """The commands of a page, in its folder and with its variables."""

    def __init__(self, folder, env):
        self.folder, self.env = folder, env
        self.server, self.port = None, "11434"

    def run(self, command, expected):
        """What is wrong with a command, or None."""
        if SERVE.match(command):
            said, code = self.serve(command)
        else:
            done = subprocess.run(["bash", "-c", command.replace("11434", self.port)],
                                  cwd=self.folder, env=self.env, text=True, capture_output=True,
                                  timeout=300, stdin=subprocess.DEVNULL)
            said, code = done.stdout + done.stderr, done.returncode
        if code != 0:
            return f"exit {code}: {said.strip()}"
        expected = expected.replace("11434", self.port)
        if expected and not matches(expected, said):
            return f"says {said.strip()!r}, the page has {expected!r}"
        return None

    def serve(self, command):
        """Starts a server. What it says until it answers; and 0, or what it or the one before it
        ended with."""
        code = self.stop_server()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = str(free.getsockname()[1])
        said = self.folder.parent / "server.log"
        with said.open("w") as log:
            self.server = subprocess.Popen(["bash", "-c", f"exec env {command} --port {self.port}"],
                                           cwd=self.folder, env=self.env, stdout=log, stderr=log,
                                           stdin=subprocess.DEVNULL)
        end = time.monotonic() + PATIENCE
        while not self.answers() and self.server.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        return said.read_text(), code or self.server.poll() or 0

    def answers(self):
        try:
            with urllib.request.urlopen(f"http://localhost:{self.port}/health", timeout=PATIENCE):
                return True
        except OSError:
            return False

    def stop_server(self):
        if self.server is None:
            return 0
        self.server.terminate()
        try:
            return self.server.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.server.kill()
            return self.server.wait()
        finally:
            self.server = None


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
        running = Page(folder / "work", env)
        try:
            for line, command, expected in commands:
                problem = running.run(command, expected)
                if problem:
                    problems.append(f"{page.relative_to(ROOT)}:{line}: {command}: {problem}")
        finally:
            code = running.stop_server()
        if code != 0:
            problems.append(f"{page.relative_to(ROOT)}: the server ended with {code}")
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
