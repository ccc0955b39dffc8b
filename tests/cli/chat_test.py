#!/usr/bin/env python3
"""The chat on a real terminal (a pseudo-terminal): questions, Ctrl-C, commands, leaving.

    chat_test.py --hearth BINARY
"""
import argparse
import json
import os
import pathlib
import pty
import select
import signal
import subprocess
import sys
import tempfile
import time

MODEL = pathlib.Path(__file__).resolve().parents[1] / "data/models/llama"
PROMPT = ">>> "


class Chat:
    """hearth run MODEL in a terminal of its own."""

    def __init__(self, hearth, *options):
        self.home = tempfile.TemporaryDirectory()
        self.seen = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["HEARTH_HOME"] = self.home.name
            os.environ["TERM"] = "dumb"      # terminal_test.py has the others
            os.execv(hearth, [hearth, "run", str(MODEL), *options])

    def read_until(self, text, count=1, seconds=60):
        """Reads until `text` has appeared `count` times since the last call; returns what came."""
        end = time.monotonic() + seconds
        while self.seen.count(text) < count:
            left = end - time.monotonic()
            if left <= 0:
                sys.exit(f"waited {seconds} s for {text!r}; the terminal shows {self.seen!r}")
            if select.select([self.fd], [], [], left)[0]:
                try:
                    self.seen += os.read(self.fd, 65536).decode("utf-8", "replace")
                except OSError:          # the terminal is closed
                    sys.exit(f"it ended before {text!r}; the terminal shows {self.seen!r}")
        end = -1
        for _ in range(count):
            end = self.seen.index(text, end + 1)
        seen, self.seen = self.seen[:end + len(text)], self.seen[end + len(text):]
        return seen

    def send(self, text):
        os.write(self.fd, text.encode())

    def exit_code(self, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if select.select([self.fd], [], [], 0.05)[0]:
                try:
                    os.read(self.fd, 65536)
                except OSError:
                    pass
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
        os.kill(self.pid, signal.SIGKILL)
        sys.exit("it does not leave")


def expect(condition, what):
    if not condition:
        sys.exit(f"failed: {what}")


def test_questions_and_leaving(hearth):
    chat = Chat(hearth, "--temperature", "0", "--max-tokens", "5")
    chat.read_until(PROMPT)
    chat.send("/help\n")
    expect("/bye" in chat.read_until(PROMPT), "help names the commands")
    chat.send("Pack my box\n")
    first = chat.read_until(PROMPT)
    expect(len(first.replace("Pack my box", "").strip()) > 3, "there is an answer")
    chat.send('"""two\nlines"""\n')
    chat.read_until("... ")
    chat.read_until(PROMPT)
    chat.send("/clear\n")
    chat.read_until(PROMPT)
    chat.send("\n\n")
    chat.read_until(PROMPT, 2)
    chat.send("/bye\n")
    expect(chat.exit_code() == 0, "/bye leaves with 0")


def test_interrupt_keeps_the_chat(hearth):
    chat = Chat(hearth, "--temperature", "1", "--verbose")
    chat.read_until(PROMPT)
    for _ in range(3):                     # at the prompt, nothing ends
        chat.send("\x03")
        chat.read_until(PROMPT)
    chat.send("The quick\n")
    chat.read_until("\n")
    time.sleep(0.05)
    chat.send("\x03")                      # while it answers, or just after
    chat.read_until(PROMPT)
    chat.send("and again\n")
    chat.read_until("and again")           # the echo; what came before belongs to the first
    chat.read_until("answer:", seconds=120)
    chat.read_until(PROMPT)
    chat.send("\x04")
    expect(chat.exit_code() == 0, "Ctrl-D leaves with 0")


def test_one_shot_and_stdin(hearth):
    with tempfile.TemporaryDirectory() as home:
        env = dict(os.environ, HEARTH_HOME=home)
        common = ["--temperature", "0", "--max-tokens", "6", "--precision", "exact"]
        by_argument = subprocess.run([hearth, "run", str(MODEL), "Pack my box", *common], env=env,
                                     capture_output=True, stdin=subprocess.DEVNULL, check=True)
        by_stdin = subprocess.run([hearth, "run", str(MODEL), *common], env=env, check=True,
                                  capture_output=True, input=b"Pack my box")
        expect(by_argument.stdout == by_stdin.stdout, "stdin asks the same question")
        expect(by_argument.stdout.endswith(b"\n") and not by_argument.stderr, "only the answer")
        nothing = subprocess.run([hearth, "run", str(MODEL), *common], env=env,
                                 capture_output=True, stdin=subprocess.DEVNULL, check=False)
        expect(nothing.returncode == 2 and nothing.stderr.startswith(b"Error: "),
               "no question at all is wrong usage")


def test_go_templates_chat_as_jinja_does(hearth):
    texts = {
        "go": "{{ if .System }}<{{ .System }}>{{ end }}{{ range .Messages }}"
              "{{ if ne .Role \"system\" }}[{{ .Role }}] {{ .Content }}\n{{ end }}{{ end }}",
        "jinja": "{% for m in messages %}{% if m.role == 'system' %}<{{ m.content }}>{% else %}"
                 "[{{ m.role }}] {{ m.content }}\n{% endif %}{% endfor %}",
    }
    with tempfile.TemporaryDirectory() as home:
        env = dict(os.environ, HEARTH_HOME=home)

        def call(*words):
            done = subprocess.run([hearth, *words], env=env, capture_output=True, text=True,
                                  stdin=subprocess.DEVNULL, check=False)
            expect(done.returncode == 0, f"{words}: {done.stderr}")
            return done.stdout

        chat = pathlib.Path(home) / "chat.json"
        chat.write_text('{"messages": [{"role": "system", "content": "S"}, '
                        '{"role": "user", "content": "Hello"}]}')
        answers, prompts = set(), set()
        for name, text in texts.items():
            modelfile = pathlib.Path(home) / name
            modelfile.write_text(f'FROM {MODEL}\nSYSTEM Be brief.\nTEMPLATE """{text}"""\n')
            call("create", name, "-f", str(modelfile))
            expect(call("show", name, "--template").strip() == text.strip(), "it is shown")
            prompts.add(call("template", name, "--messages", str(chat)))
            answers.add(call("run", name, "Pack my", "--temperature", "0", "--max-tokens", "8",
                             "--precision", "exact"))
        expect(prompts == {"<S>[user] Hello\n"}, f"the same prompt: {prompts}")
        expect(len(answers) == 1, f"the same answer: {answers}")


def test_a_stopped_answer_goes_on(hearth):
    question = "jumps over"
    common = ["--json", "--temperature", "0", "--precision", "exact"]
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run([hearth, "run", str(MODEL), question, "--max-tokens", "18", *common],
                              env=dict(os.environ, HEARTH_HOME=home), check=True,
                              capture_output=True, stdin=subprocess.DEVNULL)
        whole = json.loads(done.stdout)["text"]
    chat = Chat(hearth, "--max-tokens", "6", *common)

    def answer_to(line):
        chat.send(line + "\n")
        shown = chat.read_until(PROMPT)
        return json.loads(shown[shown.index('{"text"'):shown.rindex("}") + 1])["text"]

    chat.read_until(PROMPT)
    chat.send("/continue\n")
    expect("no answer to go on with" in chat.read_until(PROMPT), "there is nothing yet")
    begun = answer_to(question)
    expect(begun and whole.startswith(begun) and begun != whole, f"{begun!r} of {whole!r}")
    for _ in range(2):
        longer = answer_to("/continue")
        expect(longer.startswith(begun) and longer != begun, f"{longer!r} after {begun!r}")
        begun = longer
    expect(begun == whole, f"{begun!r} is not {whole!r}, which nothing stopped")
    chat.send("/set system Be brief.\n")   # what the model read is not what it would read now
    chat.read_until(PROMPT)
    longer = answer_to("/continue")
    expect(longer.startswith(whole) and longer != whole, f"{longer!r} after {whole!r}")
    chat.send("/show messages\n")
    shown = chat.read_until(PROMPT)
    expect(shown.count("[user]") == shown.count("[assistant]") == 1, f"one answer: {shown!r}")
    expect(not answer_to("/retry").startswith(whole), "a new answer begins anew")
    chat.send("/clear\n")
    chat.read_until(PROMPT)
    chat.send("/continue\n")
    expect("no answer to go on with" in chat.read_until(PROMPT), "it is forgotten")
    chat.send("/bye\n")
    expect(chat.exit_code() == 0, "/bye leaves with 0")


def test_an_answer_is_begun(hearth):
    text = "{% for m in messages %}[{{ m.role }}] {{ m.content }} |\n{% endfor %}"
    common = ["--temperature", "0", "--max-tokens", "6", "--precision", "exact"]
    with tempfile.TemporaryDirectory() as home:
        env = dict(os.environ, HEARTH_HOME=home)

        def call(*words, code=0, **pipe):
            done = subprocess.run([hearth, *words], env=env, capture_output=True, text=True,
                                  check=False, **(pipe or {"stdin": subprocess.DEVNULL}))
            expect(done.returncode == code, f"{words}: {done.stderr}")
            return done.stdout if code == 0 else done.stderr

        modelfile = pathlib.Path(home) / "Modelfile"
        modelfile.write_text(f'FROM {MODEL}\nTEMPLATE """{text}"""\n')
        call("create", "plain", "-f", str(modelfile))
        raw = json.loads(call("generate", "plain", "--raw", "--prompt",
                              "[user] Pack |\n[assistant] with five", *common))
        begun = ["--continue", "with five", *common]
        made = json.loads(call("generate", "plain", "--prompt", "Pack", *begun))
        expect(made["tokens"] == raw["tokens"], "the prompt stops after what is begun")
        expect(made["text"] == "with five" + raw["text"], "and the text begins with it")
        ran = json.loads(call("run", "plain", "Pack", "--json", *begun))
        expect(ran["text"] == made["text"], f"run does the same: {ran} {made}")
        shown = call("run", "plain", "Pack", *begun)
        expect(shown.rstrip("\n") == made["text"].rstrip("\n"), f"it is printed: {shown!r}")
        expect(call("run", "plain", *begun, input="Pack") == shown, "also to a question on stdin")
        expect("--prompt" in call("generate", "plain", "--raw", "--prompt", "x", *begun, code=2),
               "not without a template")

        text = "{% for m in messages[:1] %}{{ m.content }}{% endfor %}"
        modelfile.write_text(f'FROM {MODEL}\nTEMPLATE """{text}"""\n')
        call("create", "deaf", "-f", str(modelfile))
        expect("cannot be continued" in call("run", "deaf", "Pack", *begun, code=1),
               "a template that leaves it out is named")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hearth", required=True)
    hearth = str(pathlib.Path(parser.parse_args().hearth).resolve())
    for test in (test_questions_and_leaving, test_interrupt_keeps_the_chat,
                 test_one_shot_and_stdin, test_a_stopped_answer_goes_on,
                 test_an_answer_is_begun, test_go_templates_chat_as_jinja_does):
        test(hearth)
        print(f"ok: {test.__name__}")


if __name__ == "__main__":
    main()
