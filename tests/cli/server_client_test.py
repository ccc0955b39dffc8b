#!/usr/bin/env python3
"""The command line where a server runs: what it asks, and that it shows what it shows without one.

    server_client_test.py --hearth BINARY

First against a server of a few lines that answers as Ollama's API is recorded to, and breaks it on
purpose; then against `hearth serve`, where every command must print what it prints with --local.
"""
import argparse
import contextlib
import http.server
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = ROOT / "tests/data/models/llama"
PROMPT = ">>> "
TEMPLATE = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}"


def expect(condition, what):
    if not condition:
        sys.exit(f"failed: {what}")


def line(**members):
    return json.dumps(members, separators=(",", ":")).encode() + b"\n"


def piece(content="", **more):
    return line(model="m", created_at="2026-08-04T08:52:19.385406455Z",
                message={"role": "assistant", "content": content, **more}, done=False)


# The last object of a chat: counts, and times in nanoseconds.
DONE = line(model="m", created_at="2026-08-04T08:52:20.1Z",
            message={"role": "assistant", "content": ""}, done=True, done_reason="stop",
            total_duration=5191566416, load_duration=2154458, prompt_eval_count=26,
            prompt_eval_duration=500000000, eval_count=298, eval_duration=2000000000)
DIGEST = "a2af6cc3eb7fa8be8504abaf9b04e88f17a119ec3f04a3addf55f92841195f5a"
TAGS = {"models": [{"name": "m:latest", "model": "m:latest", "size": 3338801804, "digest": DIGEST,
                    "modified_at": "2025-05-04T17:37:44.706015396-07:00",
                    "details": {"format": "gguf", "family": "llama", "families": ["llama"]}}]}
SHOW = {"template": "{{ .Prompt }}", "parameters": 'stop                           "<|x|>"\n'
        "temperature                    0.3", "system": "You are m.",
        "model_info": {"general.architecture": "llama", "llama.context_length": 8192},
        "capabilities": ["completion", "thinking"], "details": {}}


def process(name, expires, size=6591830464, vram=5333539264):
    return {"name": name, "model": name, "size": size, "digest": DIGEST, "details": {},
            "expires_at": expires, "size_vram": vram, "context_length": 4096}


class Scripted(http.server.ThreadingHTTPServer):
    """Answers from a table: (method, path) -> object, (status, object), or function(handler)."""
    daemon_threads = True

    def __init__(self, **answers):
        self.answers = {("GET", "/api/version"): {"version": "0.18.3", "hearth": "0.1.0"},
                        ("GET", "/api/tags"): TAGS,
                        ("GET", "/api/ps"): {"models": []}, ("POST", "/api/show"): SHOW,
                        ("POST", "/api/generate"): {"model": "m", "response": "", "done": True,
                                                    "done_reason": "load"}}
        self.answers.update({("POST", "/api/" + name): answer for name, answer in answers.items()})
        self.asked = []
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):     # clients go when they like
            super().handle_error(request, client_address)

    def bodies(self, path):
        return [body for method, at, body, _ in self.asked if at == path]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parsed = json.loads(body) if body and "json" in self.headers["Content-Type"] else body
        self.server.asked.append((self.command, self.path, parsed, dict(self.headers)))
        answer = self.server.answers.get((self.command, self.path), (404, {"error": "not found"}))
        if callable(answer):
            return answer(self)
        if isinstance(answer, bytes):
            return self.stream(answer)
        status, value = answer if isinstance(answer, tuple) else (200, answer)
        text = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_DELETE = do_HEAD = answer

    def begin(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def stream(self, data):
        self.begin()
        cut = max(7, len(data) // 1000)         # lines do not come in one piece each
        with contextlib.suppress(OSError):      # nor does everybody stay to the end
            for at in range(0, len(data), cut):
                self.chunk(data[at:at + cut])
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass


class Program:
    def __init__(self, hearth, home, host):
        self.hearth = hearth
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("HEARTH_", "OLLAMA_"))}
        self.env.update(HEARTH_HOME=str(home), HEARTH_HOST=host, TERM="dumb")

    def run(self, *words, code=0, text=None, **env):
        done = subprocess.run([self.hearth, *words], env=self.env | env, capture_output=True,
                              check=False, timeout=120, cwd=ROOT,
                              **({"input": text} if text else {"stdin": subprocess.DEVNULL}))
        out, err = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
        expect(done.returncode == code, f"{words}: {done.returncode}, not {code}: {err}")
        return out, err

    def out(self, *words, **more):
        return self.run(*words, **more)[0]


class Terminal:
    def __init__(self, program, *words):
        self.seen = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(program.hearth, [program.hearth, *words], program.env)

    def until(self, text, seconds=60):
        end = time.monotonic() + seconds
        while text not in self.seen:
            if not select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
                sys.exit(f"waited for {text!r}; the terminal shows {self.seen!r}")
            self.seen += os.read(self.fd, 65536).decode("utf-8", "replace")
        at = self.seen.index(text) + len(text)
        out, self.seen = self.seen[:at], self.seen[at:]
        return out

    def send(self, text):
        os.write(self.fd, text.encode())

    def ask(self, text):
        """What is shown between a line that is typed and the next prompt."""
        self.send(text + "\n")
        self.until(text)
        return self.until(PROMPT).removesuffix(PROMPT).replace("\r", "")

    def leave(self):
        self.send("/bye\n")
        with contextlib.suppress(OSError):
            while os.read(self.fd, 65536):
                pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@contextlib.contextmanager
def scripted(hearth, **answers):
    with tempfile.TemporaryDirectory() as home:
        server = Scripted(**answers)
        try:
            yield server, Program(hearth, home, f"127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()
            server.server_close()


def test_a_question(hearth):
    with scripted(hearth, chat=piece("The ") + piece("sky.") + DONE) as (server, program):
        out, err = program.run("run", "m", "Why?", "--verbose", "--top-k", "7", "--stop", "a",
                               "--stop", "b", "--think", "on", "--keep-alive", "10m", "--ctx", "99",
                               "--choices", "3", HEARTH_API_KEY="secret")
        expect(out == "The sky.\n", f"the answer: {out!r}")
        expect("prompt: 26 tokens (0 from the cache) in 0.50 s, 52.0 tokens/s\n"
               "answer: 298 tokens in 2.00 s, 149.0 tokens/s\n" == err, f"its statistics: {err!r}")
        body, = server.bodies("/api/chat")
        expect(body["messages"] == [{"role": "user", "content": "Why?"}],
               "the model's system text is the server's business")
        expect(body["options"] == {"top_k": 7, "stop": ["a", "b"], "num_ctx": 99, "seed": 0},
               f"what was given, and the seed of a run without a server: {body['options']}")
        expect(body["think"] is True and body["keep_alive"] == "10m" and body["stream"] is True,
               f"{body}")
        expect(body["shift"] is False and body["truncate"] is False, "nothing is dropped unasked")
        headers = [headers for _, _, _, headers in server.asked]
        expect(all(h["Authorization"] == "Bearer secret" for h in headers), "the key goes along")
        program.run("run", "m", "Why?", "--system", "S", "--overflow", "slide", "--seed", "5")
        body = server.bodies("/api/chat")[-1]
        expect(body["messages"][0] == {"role": "system", "content": "S"}, "ours in place of it")
        expect(body["shift"] is True and body["options"]["seed"] == 5, f"{body}")
        expect("think" not in body, "it is not said unless it was")
        made = json.loads(program.out("run", "m", "Why?", "--json"))
        expect(made["text"] == "The sky." and made["finish_reason"] == "stop" and
               made["timings"]["generated_tokens"] == 298, f"{made}")
        program.run("run", "m", "Why?", "--continue", "The")
        expect(server.bodies("/api/chat")[-1]["messages"][-1] ==
               {"role": "assistant", "content": "The"}, "an answer that is begun")


def test_reasoning(hearth):
    for pieces in ((("Hm", ""), ("m.", ""), ("", "Yes.")),        # as Ollama cuts it
                   (("\nHm", ""), ("m.\n", ""), ("", "\n\nYes."))):  # as Hearth does
        chat = b"".join(piece(content, thinking=thinking) for thinking, content in pieces) + DONE
        with scripted(hearth, chat=chat) as (_, program):
            out = program.out("run", "m", "Why?")
            expect(out == "<think>\nHmm.\n</think>\n\nYes.\n", f"between its tags: {out!r}")
    with scripted(hearth, chat=piece(thinking="Hm") + DONE) as (_, program):
        expect(program.out("run", "m", "Why?") == "<think>\nHm\n", "an end within it closes none")


def test_what_goes_wrong(hearth):
    def broken(handler):
        handler.begin()
        handler.chunk(piece("half"))
        handler.close_connection = True

    for chat, error in (
            (broken, "Error: http://"),
            (piece("half"), "broke off"),
            (piece("half") + line(error="an error was\nencountered"), "an error was encountered"),
            (piece("half") + b"{oops\n", "no JSON"),
            (b"\x00" * (17 << 20), "16 MiB"),
            ((500, {"error": "out of luck"}), "Error: out of luck"),
            ((503, {"error": "server busy, please try again"}), "server busy"),
            ((400, {"error": {"message": "not a string"}}), "status 400"),
            ((302, None), "status 302")):
        with scripted(hearth, chat=chat) as (_, program):
            _, err = program.run("run", "m", "Why?", code=1)
            expect(err.count("\n") == 1 and err.startswith("Error: ") and error in err,
                   f"{error}: {err!r}")
    with scripted(hearth, show=(404, {"error": "model 'm' not found"})) as (_, program):
        _, err = program.run("run", "m", "Why?", code=1)
        expect(err.startswith("Error: there is no model 'm' "), err)
    with scripted(hearth) as (server, program):
        server.answers["GET", "/api/version"] = (401, {"error": "unauthorized"})
        expect("unauthorized" in program.run("list", code=1)[1], "a key that is missing is told")


def test_where_the_server_is(hearth):
    with scripted(hearth) as (server, program):
        port = server.server_port
        for host in (f"127.0.0.1:{port}", f"http://127.0.0.1:{port}/", f"0.0.0.0:{port}",
                     f":{port}", f" 'localhost:{port}' "):
            expect("m:latest" in program.out("list", HEARTH_HOST=host), host)
        expect("m:latest" in program.out("list", HEARTH_HOST="", OLLAMA_HOST=f"127.0.0.1:{port}"),
               "Ollama's variable")
        expect(program.out("list", HEARTH_LOCAL="1") == program.out("list", "--local") !=
               program.out("list"), "none is asked where that is said")
        expect("m:latest" in program.out("list", "--host", f"127.0.0.1:{port}", HEARTH_HOST="",
                                         HEARTH_LOCAL="1"),
               "an option counts for more than the environment")
        for host in ("ftp://x", "a b", "h:0", "h:99999", "h:x", "[::1", "[::1]x", "u@h"):
            expect("is no address" in program.run("list", "--host", host, code=2)[1], host)
    nowhere = f"127.0.0.1:{port}"
    start = time.monotonic()
    program.run("list", HEARTH_HOST=nowhere)
    expect(time.monotonic() - start < 1, "no time is lost where nobody listens")
    for words, host in ((("list", "--host", nowhere), ""), (("ps", "--host", nowhere), ""),
                        (("ps",), nowhere), (("stop", "m"), nowhere)):
        _, err = program.run(*words, code=1, HEARTH_HOST=host)
        expect("Error: no server answers at http://127.0.0.1" in err, f"{words}: {err}")


def test_a_server_that_says_nothing(hearth):
    with scripted(hearth) as (server, program):
        server.answers["GET", "/api/version"] = lambda handler: time.sleep(5)
        start = time.monotonic()
        expect(program.out("list").count("\n") == 1, "the store of this machine")
        expect(time.monotonic() - start < 2, "it is not waited for")


def test_what_a_server_says_is_shown_and_not_obeyed(hearth):
    evil = "\x1b[2Jm:latest"
    status = line(status="\x1b]0;x\x07done") + line(status="success")
    with scripted(hearth, create=status, generate=(400, {"error": "\x1b[2J\r\nno"}),
                  copy=(500, {"error": "x" * 100_000})) as (server, program):
        server.answers["GET", "/api/tags"] = {"models": [TAGS["models"][0] | {"name": evil}, {}, 7]}
        server.answers["GET", "/api/ps"] = {"models": [process(evil, "\x1b"), {}, "x", None]}
        for words in (("list",), ("list", "--names"), ("list", "--json"), ("ps",), ("ps", "--json"),
                      ("create", "m", "--from", "base")):
            shown = "".join(program.run(*words))
            expect("\x1b" not in shown and "\x07" not in shown, f"{words}: {shown!r}")
        _, err = program.run("run", "m", "Why?", code=1)
        expect("\x1b" not in err and err.count("\n") == 1, f"{err!r}")
        expect(len(program.run("cp", "m", "n", code=1)[1]) < 2000, "an error is one line")
        for answer in ({"models": None}, {"models": {}}, [], None, "x", {"models": [[]]}):
            server.answers["GET", "/api/tags"] = server.answers["GET", "/api/ps"] = answer
            program.run("list")
            program.run("ps")


def test_ps_and_stop(hearth):
    with scripted(hearth) as (server, program):
        soon = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 280)) + ".83Z"
        server.answers["GET", "/api/ps"] = {"models": [
            process("m:latest", soon), process("gpu", "2318-01-02T03:04:05.9+02:00", 5, 5),
            process("old", "2020-01-02T03:04:05Z", 5, 0)]}
        rows = [re.split(r"\s{2,}", row.strip()) for row in program.out("ps").splitlines()]
        expect(rows == [
            ["NAME", "ID", "SIZE", "PROCESSOR", "CONTEXT", "UNTIL"],
            ["m:latest", "a2af6cc3eb7f", "6.6 GB", "19%/81% CPU/GPU", "4096", "4 minutes from now"],
            ["gpu", "a2af6cc3eb7f", "5 B", "100% GPU", "4096", "Forever"],
            ["old", "a2af6cc3eb7f", "5 B", "100% CPU", "4096", "Stopping..."]], f"{rows}")
        expect(len(program.out("ps", "G").splitlines()) == 2, "those that begin so")
        listed = json.loads(program.out("ps", "--json"))
        expect(listed[1]["name"] == "gpu" and listed[0]["context"] == 4096, f"{listed}")
        expect(program.out("stop", "m") == "", "nothing to say")
        body, = server.bodies("/api/generate")
        expect((body["model"], body["prompt"], body["keep_alive"]) == ("m", "", 0), f"{body}")


def test_the_store(hearth):
    with scripted(hearth, copy=None, create=line(status="using existing layer sha256:1") +
                  line(status="writing manifest") + line(status="success")) as (server, program):
        server.answers["DELETE", "/api/delete"] = None
        server.answers["GET", "/api/ps"] = {"models": [process("m:latest", "2318-01-01T00:00:00Z")]}
        expect(program.out("list").splitlines()[1].split()[:4] ==
               ["m:latest", "a2af6cc3eb7f", "3.3", "GB"], "as Ollama writes it")
        expect(json.loads(program.out("list", "--json"))[0]["modified"] == "2025-05-05T00:37:44Z",
               "the time is understood")
        expect(program.out("cp", "m", "n") == "copied 'm:latest' to 'n:latest'\n", "cp")
        expect(server.bodies("/api/copy") == [{"source": "m:latest", "destination": "n:latest"}],
               f"{server.asked}")
        expect("there is no model 'x:latest'" in program.run("rm", "m", "x", code=1)[1], "rm")
        expect(not server.bodies("/api/delete"), "all must be there, or none goes")
        expect(program.out("rm", "M") == "deleted 'm:latest'\n", "rm")
        paths = [path for _, path, _, _ in server.asked]
        expect(paths[-2:] == ["/api/generate", "/api/delete"], f"it is unloaded first: {paths}")
        out, err = program.run("create", "m", "-f", "-",
                               text=b"FROM base\nPARAMETER top_k 3\nPARAMETER stop a\nSYSTEM S\n"
                                    b"MESSAGE user hi\nLICENSE free\n")
        expect(server.bodies("/api/create") == [
            {"model": "m:latest", "from": "base", "system": "S",
             "parameters": {"top_k": 3, "stop": ["a"]}, "license": ["free"],
             "messages": [{"role": "user", "content": "hi"}]}], f"{server.bodies('/api/create')}")
        expect(out == "created 'm:latest' (a2af6cc3eb7f)\n" and "writing manifest\n" in err,
               f"{out} {err}")


def test_files_and_own_choices_stay_here(hearth):
    with scripted(hearth) as (server, program):
        words = ("Pack my", "--temperature", "0", "--max-tokens", "3")
        plain = program.run("run", str(MODEL), *words)
        expect(plain[1] == "" and not server.asked, "a path is loaded here, and nobody is asked")
        program.run("create", "mine", "--from", str(MODEL), "--local")
        expect("keep-alive" in program.run("run", str(MODEL), "x", "--keep-alive", "soon",
                                           code=1)[1], "what only a server needs is checked, too")
        for option, value in (("precision", "exact"), ("kv", "f32"), ("threads", "1")):
            out, err = program.run("run", "mine", *words, f"--{option}", value)
            expect(out and err.count("\n") == 1 and f"--{option}" in err, f"it is told: {err!r}")
        expect(not server.bodies("/api/chat"), "the server is not asked")
        program.run("run", "m", "Hi", "--precision", "high", code=1)   # no script for the chat
        program.run("run", "m", "Hi", HEARTH_PRECISION="exact", code=1)
        expect(len(server.bodies("/api/chat")) == 2, "unless it would do the same")


def test_interrupting(hearth):
    gone = threading.Event()

    def endless(handler):
        handler.begin()
        try:
            while True:
                handler.chunk(piece("more "))
                time.sleep(0.02)
        except OSError:
            gone.set()

    with scripted(hearth, chat=endless) as (server, program):
        chat = Terminal(program, "run", "m", "--verbose")
        chat.until(PROMPT)
        chat.send("Why?\n")
        chat.until("more more")
        chat.send("\x03")
        expect("(stopped)" in chat.until(PROMPT), "the chat goes on")
        expect(gone.wait(10), "the server learns of it: the connection is closed")
        server.answers["POST", "/api/chat"] = piece("Because.") + DONE
        expect("Because." in chat.ask("And?"), "the next question")
        said = server.bodies("/api/chat")[-1]["messages"]
        expect([m["role"] for m in said] == ["user", "assistant", "user"] and
               said[1]["content"].startswith("more more"), f"what came is kept: {said}")
        expect(chat.leave() == 0, "/bye")
        server.answers["POST", "/api/chat"] = endless
        one = subprocess.Popen([program.hearth, "run", "m", "Why?"], env=program.env,
                               stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        one.stdout.read(4)
        one.send_signal(signal.SIGINT)
        expect(one.wait(10) == 130, "as without a server")


@contextlib.contextmanager
def serving(hearth, home):
    program = Program(hearth, home, "")
    server = subprocess.Popen([hearth, "serve", "--port", "0", "--quiet"], env=program.env,
                              stderr=subprocess.PIPE, text=True)
    try:
        first = server.stderr.readline()
        found = re.search(r"http://(\S+)", first)
        expect(found, f"it says where it listens: {first!r}")
        threading.Thread(target=server.stderr.read, daemon=True).start()
        program.env["HEARTH_HOST"] = found[1]
        yield program
    finally:
        server.terminate()
        server.wait(60)


def both_ways(program, *words, code=0, **more):
    """What a command prints, which must be the same with a server and without one."""
    remote = program.run(*words, code=code, **more)
    local = program.run(*words, "--local", code=code, **more)
    expect(remote[0] == local[0] and (code == 0 or remote[1] == local[1]),
           f"{words}: a server makes a difference: {remote} {local}")
    return remote[0]


def without_times(text):
    answer = json.loads(text)
    for name in ("prompt_s", "generate_s", "prompt_tps", "generate_tps", "cached_tokens"):
        answer["timings"].pop(name)
    return answer


def test_the_same_with_and_without(hearth):
    with tempfile.TemporaryDirectory() as home, serving(hearth, home) as program:
        recipe = pathlib.Path(home) / "Modelfile"
        recipe.write_text(f'FROM {MODEL}\nTEMPLATE """{TEMPLATE}"""\nSYSTEM Be brief.\n'
                          'PARAMETER temperature 0.9\nPARAMETER stop "zz"\nMESSAGE user Hello\n'
                          "MESSAGE assistant Hi.\n")
        created = program.out("create", "chatty", "-f", str(recipe))
        expect(created == program.out("create", "chatty", "-f", str(recipe), "--local"),
               "the same model, byte for byte")
        program.run("create", "plain", "--from", str(MODEL))
        for words in (("list", "--names"), ("list", "--json"), ("list", "chat", "--names")):
            expect(len(both_ways(program, *words)) > 5, f"{words}")
        short = ("--max-tokens", "8")
        answers = {both_ways(program, "run", name, "Pack my box", *short, *more)
                   for name in ("chatty", "plain")
                   for more in ((), ("--temperature", "0"), ("--seed", "3"), ("--top-k", "2"),
                                ("--repeat-penalty", "1.5"), ("--continue", "with"))}
        expect(len(answers) >= 8, f"the options do something: {answers}")
        both_ways(program, "run", "chatty", "--system", "Be long.", "Pack", *short)
        both_ways(program, "run", "chatty", *short, text=b"Pack my box")
        both_ways(program, "run", "nobody", "Hi", code=1)
        both_ways(program, "cp", "nobody", "x", code=1)
        both_ways(program, "rm", "nobody", code=1)
        both_ways(program, "cp", "plain", "second")
        expect(program.out("rm", "second") == "deleted 'second:latest'\n", "rm")
        made = [without_times(program.out("run", "chatty", "Pack", "--json", *short, *more))
                for more in ((), ("--local",))]
        expect(made[0] == made[1], f"{made}")
        rows = program.out("ps").splitlines()
        expect(len(rows) == 3 and "100% CPU" in rows[1] and "from now" in rows[1], f"{rows}")
        program.run("stop", "chatty", "plain")
        end = time.monotonic() + 20
        while len(program.out("ps").splitlines()) > 1 and time.monotonic() < end:
            time.sleep(0.1)
        expect(len(program.out("ps").splitlines()) == 1, "they are gone from memory")


def test_the_same_chat(hearth):
    lines = ("Pack my box", "with five", "/show system", "/show messages", "/show parameters",
             "/set parameter num_predict 4", "jugs", "/set system Other.", "and more",
             "/show template", "/clear", "again", "/continue", "/load nobody", "/load plain",
             "Pack")
    with tempfile.TemporaryDirectory() as home, serving(hearth, home) as program:
        recipe = pathlib.Path(home) / "Modelfile"
        recipe.write_text(f'FROM {MODEL}\nTEMPLATE """{TEMPLATE}"""\nSYSTEM Be brief.\n'
                          "MESSAGE user Hello\nMESSAGE assistant Hi.\n")
        program.run("create", "chatty", "-f", str(recipe))
        program.run("create", "plain", "--from", str(MODEL))
        shown = []
        for more in ((), ("--local",)):
            chat = Terminal(program, "run", "chatty", "--max-tokens", "8", *more)
            chat.until(PROMPT)
            shown.append([chat.ask(text) for text in lines])
            expect("Saved as kept:latest" in chat.ask("/save kept"), "/save")
            expect(chat.leave() == 0, "/bye")
        for text, remote, local in zip(lines, *shown):
            if text == "/continue":    # here from tokens, there from their text, which is no text
                begun = shown[0][lines.index(text) - 1].strip()
                expect(remote.strip().startswith(begun) and local.strip().startswith(begun) and
                       len(remote) > len(begun) + 2, f"{begun}: {remote} {local}")
                continue
            expect(remote == local, f"{text}: a server makes a difference: {remote} {local}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hearth", required=True)
    hearth = str(pathlib.Path(parser.parse_args().hearth).resolve())
    for test in (test_a_question, test_reasoning, test_what_goes_wrong, test_where_the_server_is,
                 test_a_server_that_says_nothing,
                 test_what_a_server_says_is_shown_and_not_obeyed, test_ps_and_stop, test_the_store,
                 test_files_and_own_choices_stay_here, test_interrupting,
                 test_the_same_with_and_without, test_the_same_chat):
        test(hearth)
        print(f"ok: {test.__name__}", flush=True)


if __name__ == "__main__":
    main()
