"""What the tests of `hearth serve` share: a server as a process, a store for them, and plain
clients made of Python's http.client and sockets."""
import concurrent.futures
import contextlib
import functools
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TINY_FILES = ROOT / "tests/data/models/llama"
MODEL = "smollm2"      # a real model, of the tests' store
TINY = "tiny"          # a checkpoint of a few kilobytes that says nothing sensible
PATIENCE = 60          # seconds until what must happen soon is given up, on a machine that is busy
TINY_TEMPLATE = ('{{ if .System }}<{{ .System }}>{{ end }}{{ range .Messages }}'
                 '{{ if ne .Role "system" }}[{{ .Role }}] {{ .Content }}\n{{ end }}{{ end }}')

hearth = None          # the program; set by server_test.py
_folders = contextlib.ExitStack()


class Answer:
    """A whole answer."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def json(self):
        return json.loads(self.body)

    def error(self):
        """The sentence of an error, in whichever dialect."""
        error = self.json()["error"]
        return error["message"] if isinstance(error, dict) else error


class Server:
    """hearth serve on a free port, over the store of all tests."""

    def __init__(self, *options, env=None):
        self.home = store_home()
        self.log = []
        self.told = False                # to end
        self.process = subprocess.Popen(
            [hearth, "serve", "--port", "0", *options], env=environment(self.home, env),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.port = self._read_port()
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()

    def _read_port(self):
        for line in self.process.stderr:
            self.log.append(line)
            found = re.match(r"Hearth listens on http://\S+:(\d+)$", line)
            if found:
                return int(found[1])
        raise AssertionError(f"the server does not start: {self.log}")

    def _read_log(self):
        for line in self.process.stderr:
            self.log.append(line)

    # ---- asking

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)

    def ask(self, method, path, body=None, headers=None):
        connection = self.connect()
        try:
            data = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
            connection.request(method, path, body=data, headers=headers or {})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path, headers=None):
        return self.ask("GET", path, headers=headers)

    def post(self, path, body, headers=None):
        return self.ask("POST", path, body, headers)

    def made(self, path, body):
        """The JSON of an answer that must be good."""
        answer = self.post(path, body)
        if answer.status != 200:
            raise AssertionError(f"{path}: {answer.status} {answer.body[:500]}")
        return answer.json()

    def stream(self, path, body, headers=None):
        """The lines of a stream as they come, without empty ones. Closing it hangs up."""
        connection = self.connect()
        try:
            connection.request("POST", path, json.dumps({**body, "stream": True}), headers or {})
            response = connection.getresponse()
            if response.status != 200:
                raise AssertionError(f"{path}: {response.status} {response.read()[:500]}")
            for line in response:
                if line.strip():
                    yield line.decode().rstrip("\n")
        finally:
            connection.close()

    def events(self, path, body):
        """The objects of a whole SSE stream; it must end with [DONE]. A slow one has comments."""
        lines = [x for x in self.stream(path, body) if not x.startswith(":")]
        if lines[-1] != "data: [DONE]" or not all(x.startswith("data: ") for x in lines):
            raise AssertionError(f"no stream of events: {lines[-3:]}")
        return [json.loads(line[len("data: "):]) for line in lines[:-1]]

    def metric(self, name, **labels):
        """The sum over what has these labels."""
        total = 0.0
        for line in self.get("/metrics").body.decode().splitlines():
            found = re.match(r"([\w:]+)(\{.*\})? (\S+)$", line)
            if found and found[1] == name and all(f'{k}="{v}"' in (found[2] or "")
                                                  for k, v in labels.items()):
                total += float(found[3])
        return total

    def loaded(self):
        """{name: entry} of /api/ps."""
        return {m["name"]: m for m in self.get("/api/ps").json()["models"]}

    # ---- ending

    def terminate(self):
        self.told = True
        self.process.send_signal(signal.SIGTERM)

    def stop(self):
        """Has it end, unless it was told already; the exit code."""
        if not self.told:
            self.terminate()
        try:
            code = self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.process.wait()
        self._reader.join()
        self.process.stderr.close()
        return code


def environment(home, more=None):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("HEARTH_", "OLLAMA_"))}
    return {**env, "HEARTH_HOME": str(home), "HEARTH_LOCAL": "1", **(more or {})}


def call(home, *words):
    """What the program prints; it must end well."""
    done = subprocess.run([hearth, *words], env=environment(home), capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, check=False, timeout=300)
    if done.returncode != 0:
        raise AssertionError(f"hearth {words}: {done.stderr}")
    return done.stdout


def link_or_copy(source, target):
    try:
        os.link(source, target)
    except OSError:                      # another file system
        shutil.copy(source, target)


@functools.cache
def store_home():
    """A store with the tiny model, and the real one where the tests' store has it. Blobs are never
    changed in place, so that nothing that a test does reaches that one."""
    home = pathlib.Path(_folders.enter_context(tempfile.TemporaryDirectory()))
    source = pathlib.Path(os.environ.get("HEARTH_TEST_HOME", "")) / "models"
    manifest = pathlib.Path("manifests/registry.ollama.ai/library") / MODEL / "latest"
    if os.environ.get("HEARTH_TEST_HOME") and (source / manifest).exists():
        target = home / "models" / manifest
        target.parent.mkdir(parents=True)
        (home / "models/blobs").mkdir()
        shutil.copy(source / manifest, target)
        for digest in re.findall(r"sha256:[0-9a-f]{64}", target.read_text()):
            name = digest.replace(":", "-")
            link_or_copy(source / "blobs" / name, home / "models/blobs" / name)
    modelfile = home / "Modelfile"
    modelfile.write_text(f'FROM {TINY_FILES}\nTEMPLATE """{TINY_TEMPLATE}"""\n')
    call(home, "create", TINY, "-f", str(modelfile))
    return home


def has_model():
    return (store_home() / "models/manifests/registry.ollama.ai/library" / MODEL).exists()


_shared = None


def shared():
    """The server of all tests that need none of their own."""
    global _shared
    if _shared is None:
        _shared = Server("--keep-alive", "-1")
    return _shared


def stop_shared():
    """The exit code of the shared server; 0 where there was none. Folders go as well."""
    code = _shared.stop() if _shared else 0
    _folders.close()
    return code


def wait_for(what, condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"waited {PATIENCE} s: {what}")
        time.sleep(0.02)


def at_once(calls):
    """The results of functions that run at the same time."""
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return [job.result() for job in [pool.submit(c) for c in calls]]


def raw_post(server, path, body):
    """A socket on which a request was sent, for those who hang up."""
    data = json.dumps(body).encode()
    client = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
    client.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\n"
                   f"Content-Length: {len(data)}\r\n\r\n".encode() + data)
    return client


class ServerTest(unittest.TestCase):
    """A test on the shared server."""

    @classmethod
    def setUpClass(cls):
        cls.server = shared()

    def start(self, *options, env=None):
        """A server of the test's own."""
        server = Server(*options, env=env)
        self.addCleanup(server.stop)
        return server

    def refused(self, answer, status, *pieces):
        self.assertEqual(answer.status, status, answer.body[:300])
        for piece in pieces:
            self.assertIn(piece, answer.error())
