#!/usr/bin/env python3
"""The chat in a real terminal (tmux): what a user sees on the screen.

    terminal_test.py --hearth BINARY

Skipped (77) where there is no tmux.
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

MODEL = pathlib.Path(__file__).resolve().parents[1] / "data/models/llama"


class Terminal:
    """A tmux of its own with one window, in which a command runs."""

    def __init__(self, home, command, columns=80, rows=24, **variables):
        self.socket = f"hearth-test-{os.getpid()}-{id(self)}"
        settings = {"HEARTH_HOME": str(home), "LC_ALL": "C.UTF-8", **variables}
        words = ["env", *(f"{k}={v}" for k, v in settings.items()), *map(str, command)]
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows),
                  *words, ";", "set", "-g", "remain-on-exit", "on", ";", "set", "-g",
                  "set-clipboard", "on", ";", "set", "-g", "history-limit", "20000")

    def tmux(self, *words, data=None):
        done = subprocess.run(["tmux", "-u", "-L", self.socket, *words], input=data,
                              capture_output=True, check=False)
        return done.stdout.decode("utf-8", "replace")

    def screen(self, whole=False):
        return self.tmux("capture-pane", "-p", *(["-S", "-"] if whole else []))

    def wait(self, condition, what, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            shown = self.screen()
            if condition(shown):
                return shown
            time.sleep(0.05)
        sys.exit(f"waited {seconds} s for {what}; the screen shows:\n{self.screen()}")

    def see(self, text, seconds=60):
        return self.wait(lambda shown: text in shown, repr(text), seconds)

    def ready(self):
        """Waits for an empty prompt at the end of what is shown."""
        return self.wait(lambda shown: shown.rstrip().endswith("\n>>>"), "an empty prompt")

    def keys(self, *names):
        self.tmux("send-keys", *names)

    def type(self, text):
        self.tmux("send-keys", "-l", text)

    def enter(self, text):
        self.type(text)
        self.keys("Enter")

    def paste(self, data):
        self.tmux("load-buffer", "-b", "p", "-", data=data)
        self.tmux("paste-buffer", "-p", "-d", "-b", "p")

    def left(self):
        return self.tmux("list-panes", "-F", "#{pane_dead}").strip() != "0"

    def close(self):
        self.tmux("kill-server")


def expect(condition, what, terminal=None):
    if not condition:
        shown = f"; the screen shows:\n{terminal.screen()}" if terminal else ""
        sys.exit(f"failed: {what}{shown}")


def chat(hearth, home, *options, **settings):
    return Terminal(home, [hearth, "run", MODEL, "--max-tokens", "8", *options], **settings)


def test_completion_and_editing(hearth, home):
    term = chat(hearth, home)
    term.ready()
    term.type("/cl")
    term.keys("Tab")
    term.see(">>> /clear")
    term.keys("C-u")
    term.type("/set ")
    term.keys("Tab", "Tab")
    shown = term.see("parameter")
    expect("history" in shown and "verbose" in shown, "the choices are listed", term)
    term.type("par")
    term.keys("Tab")
    term.type("temperature 0")
    term.keys("Enter")
    term.see("temperature is 0.")
    term.type("Pack mi box")
    term.keys("M-b", "M-b", "C-f", "C-d")
    term.type("y")
    term.see(">>> Pack my box")
    term.keys("C-c")
    term.see("(Ctrl-D or /bye leaves)")
    term.enter("/nothing")
    term.see("there is no command /nothing")
    term.enter("/bye")
    term.wait(lambda _: term.left(), "the end")
    return term


def test_commands(hearth, home):
    note = home / "note.txt"
    note.write_text("the file says so\n")
    term = chat(hearth, home, "--temperature", "0", columns=100, rows=50)
    term.ready()
    term.enter("/set system Be brief.")
    term.see("The system text is set.")
    term.enter(f"/file {note}")
    term.see("goes with the next message")
    term.enter("What does it say?")
    term.ready()
    term.enter("/show messages")
    shown = term.see("[assistant]")
    for text in ("[system]", "Be brief.", "note.txt:", "the file says so", "What does it say?"):
        expect(text in shown, f"/show messages shows {text!r}", term)
    term.keys("C-l")
    term.enter("/set verbose on")
    term.enter("/retry")
    term.see("tokens/s")
    term.keys("C-l")
    term.enter("/edit")
    term.see("What does it say?")
    term.keys("C-u")
    term.enter("Another question")
    term.ready()
    term.keys("C-l")
    term.enter("/show messages")
    shown = term.see("Another question")
    expect("What does it say?" not in shown, "the edited question took the old one's place", term)
    term.enter("/copy")
    said = int(term.see("are in the clipboard").split(" bytes are in")[0].split()[-1])
    copied = len(term.tmux("show-buffer").encode())
    expect(copied == said > 0, f"the clipboard has {copied} bytes", term)
    term.enter("/save kept")
    term.see("Saved as kept")
    term.keys("C-l")
    term.enter("/load k")
    term.keys("C-u", "Up")
    term.keys("BSpace", "Tab")
    term.see("/load kept")
    term.keys("Enter")
    term.see("This is kept")
    term.enter("/show messages")
    term.see("Another question")
    term.enter("/clear")
    term.see("forgotten")
    for what, text in (("info", "context"), ("parameters", "temperature"), ("system", "Be brief."),
                       ("template", "no chat template")):
        term.keys("C-l")
        term.enter(f"/show {what}")
        term.see(text)
    term.enter("/help")
    term.see("Ctrl-C")
    term.keys("C-d")
    term.wait(lambda _: term.left(), "the end")
    return term


def test_history_lasts(hearth, home):
    first = chat(hearth, home)
    first.ready()
    first.enter("a question to remember")
    first.ready()
    first.enter("/set history off")
    first.enter("a secret")
    first.ready()
    first.enter("/bye")
    first.wait(lambda _: first.left(), "the end")
    first.close()
    term = chat(hearth, home)
    term.ready()
    term.keys("Up", "Up")
    term.see(">>> a question to remember")
    term.keys("C-u", "C-r")
    term.type("rememb")
    term.see("(search: rememb) a question to remember")
    term.keys("Escape")
    term.ready()
    expect("a secret" not in (home / "history").read_text(), "what is secret is not written down")
    return term


def test_a_paste_is_what_it_is(hearth, home):
    term = chat(hearth, home, "--ctx", "64")
    term.ready()
    term.paste(b"two\nlines /bye\n")
    term.see("... lines /bye")
    term.keys("C-c")
    term.ready()
    big = b"".join(b"line %06d of a long paste\n" % i for i in range(4000))
    expect(len(big) > 100_000, "the paste is large")
    term.paste(big)
    term.see(f"[pasted: {len(big)} bytes, 4001 lines]")
    term.keys("Enter")
    shown = term.see("Error:")
    expect("the context has room" in shown, "what does not fit is refused with its length", term)
    term.enter("/show messages")
    term.see("Nothing was said yet")
    return term


def test_interrupts_and_resizing(hearth, home):
    term = Terminal(home, [hearth, "run", MODEL, "--max-tokens", "100000", "--temperature", "1"])
    term.ready()
    term.enter("Tell me a long story")
    time.sleep(0.3)
    for columns in (40, 100, 60):
        term.tmux("resize-window", "-x", str(columns))
        time.sleep(0.2)
    term.keys("C-c")
    term.see(">>>")
    term.enter("/show messages")
    term.ready()
    expect("Tell me a long story" in term.screen(whole=True), "the question was kept", term)
    term.enter("/continue")
    time.sleep(0.5)
    term.keys("C-c")
    term.see(">>>")
    term.enter("/show messages")
    term.ready()
    shown = term.screen(whole=True)
    expect(shown.count("[assistant]") == 2 and shown.count("[user]") == 2,
           "one question and one answer before and after going on", term)
    term.type("x" * 90)
    term.tmux("resize-window", "-x", "40")
    line = ">>> " + "x" * 90
    term.wait(lambda s: s.replace("\n", "").count(line) == 1 and s.count("x" * 36) <= 3,
              "the line at its new width")
    term.keys("C-u")
    term.ready()
    return term


def test_narrow_and_wide(hearth, home):
    term = chat(hearth, home, columns=40)
    term.ready()
    term.type("漢字かな漢字かな漢字かな漢字かな漢字かな")
    shown = term.see("漢字かな漢字かな漢字かな漢字かな漢字")
    term.keys("C-a", "Right", "Right", "BSpace")
    term.see(">>> 漢かな")
    term.keys("C-e", "C-u")
    term.enter("/help")
    shown = term.see("Ctrl-C")
    expect(all(len(line) <= 40 for line in shown.splitlines()), "lines fit", term)
    return term


def test_no_color(hearth, home):
    for variables in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        term = chat(hearth, home, "--temperature", "0", **variables)
        term.ready()
        term.enter("Pack my box")
        time.sleep(0.5)
        term.wait(lambda s: s.rstrip().endswith(">>>"), "an empty prompt")
        expect("\x1b[" not in term.tmux("capture-pane", "-p", "-e").replace("\x1b[0m", ""),
               f"no colours with {variables}", term)
        term.close()
    return term


TESTS = (test_completion_and_editing, test_commands, test_history_lasts, test_a_paste_is_what_it_is,
         test_interrupts_and_resizing, test_narrow_and_wide, test_no_color)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hearth", required=True)
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    if not shutil.which("tmux"):
        print("skipped: there is no tmux")
        sys.exit(77)
    hearth = str(pathlib.Path(args.hearth).resolve())
    for test in TESTS:
        if args.only in test.__name__:
            with tempfile.TemporaryDirectory() as home:
                test(hearth, pathlib.Path(home)).close()
            print(f"ok: {test.__name__}", flush=True)


if __name__ == "__main__":
    main()
