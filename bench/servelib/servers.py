"""The servers that are measured: how each is started, and what it must be told.

A program has `rival` (the column of the table; None: ours), `setting` and `reports`, as in peerlib,
and start(models, need) -> Server. A Server is a process with a port; `with` ends it.
"""
import contextlib
import dataclasses
import http.client
import json
import math
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time

from peerlib.programs import help_of, run

START_SECONDS = 120  # where a program has no longer one of its own
END_SECONDS = 10     # from SIGTERM to SIGKILL
QUEUE = 512  # requests that wait for a model of Hearth's, where nothing is said
METRIC = re.compile(r"^([\w:]+)(?:\{(.*)\})? ([-+.\deE]+|NaN)$", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Need:
    """What a part asks of a server."""
    streams: int = 16        # requests that run at the same time
    context: int = 512       # tokens of each
    prefix_cache: bool = False


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def more_files():
    """As many open files as are allowed; children inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Server:
    """A server that runs. `models` are the names of `files` that requests use; `extra` goes into
    the body of every completion; it must answer `seconds` after its start."""

    def __init__(self, words, port, files, models, extra=None, env=None, seconds=START_SECONDS):
        self.port, self.files, self.models, self.extra = port, files, models, extra or {}
        self.seconds = seconds
        self.log = tempfile.TemporaryFile("w+b")
        self.process = subprocess.Popen([str(w) for w in words], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log, env=env,
                                        start_new_session=True)
        self.pid = self.process.pid
        self.words = words

    def __enter__(self):
        try:
            return self.when_ready()
        except BaseException:  # there is no __exit__ for what did not begin
            self.__exit__()
            raise

    def when_ready(self):
        deadline = time.monotonic() + self.seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.get("/health")[0] == 200:
                    return self
            time.sleep(0.02)
        sys.exit(f"{' '.join(map(str, self.words))}: does not answer: {self.said()}")

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        with contextlib.suppress(ProcessLookupError):  # what it started and did not end
            os.killpg(self.pid, signal.SIGKILL)

    def said(self, count=500):
        self.log.seek(0, os.SEEK_END)
        self.log.seek(max(0, self.log.tell() - count))
        return self.log.read().decode("utf-8", "replace")

    def alive(self):
        return self.process.poll() is None

    def ask(self, method, path, body=None, headers=None, seconds=60):
        """(status, bytes) by Python's own client."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            data = json.dumps(body).encode() if body is not None else None
            connection.request(method, path, data, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def get(self, path):
        return self.ask("GET", path)

    def held_bytes(self):
        """What its models hold, weights and caches, as Ollama's `ps` tells it."""
        return sum(m["size"] for m in json.loads(self.get("/api/ps")[1])["models"])

    def chats(self, model):
        """Whether it has a chat template; of base models, which lack it, OpenAI's route refuses."""
        body = {"model": model, "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}
        return self.ask("POST", "/v1/chat/completions", body)[0] == 200

    def metrics(self):
        """{name: sum over labels}, {} where there are none."""
        status, text = self.get("/metrics")
        found = {}
        for name, _, value in METRIC.findall(text.decode()) if status == 200 else []:
            found[name] = found.get(name, 0.0) + float(value)
        return found


class Hearth:
    rival = None

    def __init__(self, path, precision, home, options):
        self.path, self.setting, self.home, self.options = path, precision, home, options
        self.reports = []  # none: a share of the limits says little of a server

    def environment(self):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("HEARTH_", "OLLAMA_"))}
        return kept | {"HEARTH_HOME": str(self.home.path)}

    def start(self, models, need):
        port = free_port()
        words = [self.path, "serve", "--port", port, "--precision", self.setting,
                 "--threads", self.options.threads]
        if need.streams > QUEUE:       # they all come at the same time
            words += ["--queue", need.streams]
        words += self.options.serve_flags
        return Server(words, port, models, [self.home.name(m) for m in models],
                      env=self.environment())

    def limits(self, model, threads):
        """A short run of `hearth bench`, for what the machine can do."""
        return self.bench(model, threads, prompt=128, gen=16)

    def bench(self, model, threads, **options):
        words = [w for key, value in options.items() for w in (f"--{key}", value)]
        return json.loads(run(self.path, "bench", model, "--threads", threads, "--repeat", 1,
                              "--precision", self.setting, "--json", *words).stdout)

    def version(self):
        return run(self.path, "--version").stdout.split()[-1]


class Home:
    """A store of its own, with the files of the models under names of theirs."""

    def __init__(self, hearth):
        self.hearth, self.names = hearth, {}
        self.folder = tempfile.TemporaryDirectory(prefix="hearth-bench-")
        self.path = pathlib.Path(self.folder.name)

    def name(self, model):
        """The name of a .gguf file or a folder; it is taken in the first time."""
        if model not in self.names:
            name = re.sub(r"[^a-z0-9.-]+", "-", model.name.lower().removesuffix(".gguf"))
            done = subprocess.run([str(self.hearth), "create", name, "--from", str(model)],
                                  env=dict(os.environ, HEARTH_HOME=str(self.path)),
                                  capture_output=True, text=True)
            if done.returncode != 0:
                sys.exit(f"hearth create {name} --from {model}: {done.stderr}")
            self.names[model] = name
        return self.names[model]


class LlamaServer:
    """llama.cpp's server with one slot for each request, `flags` more. It keeps no prompts unless
    the part is about that."""
    rival = "llama.cpp"

    def __init__(self, path, setting, flags, options):
        self.path, self.setting, self.flags, self.options = path, setting, flags, options
        self.help = help_of(path)
        self.reports = []

    def start(self, models, need):
        port = free_port()
        words = [self.path, "-m", models[0], "--host", "127.0.0.1", "--port", port, "-t",
                 self.options.threads, "-np", need.streams, "-c", need.streams * need.context,
                 *self.flags]
        for flag in ("--no-webui", "--metrics"):
            words += [flag] if flag in self.help else []
        if not need.prefix_cache:
            words += ["--no-cache-prompt"] if "--no-cache-prompt" in self.help else []
            words += ["--cache-ram", 0] if "--cache-ram" in self.help else []
        return Server(words, port, models, ["any"], {"cache_prompt": need.prefix_cache})

    def version(self):
        done = subprocess.run([str(self.path), "--version"], capture_output=True, text=True)
        found = re.search(r"commit (\w+)", done.stdout + done.stderr)
        return found[1] if found else "?"


class Vllm:
    """vLLM's CPU build, which reads no GGUF there: the same weights as bf16, as checkpoint.py makes
    them, in a folder for each model. It keeps no prompts unless the part is about that."""
    rival = "vLLM"
    START_SECONDS = 900                                      # it compiles; later from a cache
    PRELOADED = ("libiomp5.so", "libtcmalloc_minimal.so.4")  # its manual's advice

    def __init__(self, path, folders, options):
        self.path, self.folders, self.options = path, folders, options
        self.setting, self.reports = "bf16", []

    def environment(self, model, need):
        """Its cache comes in whole GiB, its threads as the cores that each is bound to."""
        space = max(1, math.ceil(cache_bytes(self.folders[model], need) / (1 << 30)))
        cores = sorted(os.sched_getaffinity(0))[:self.options.threads]
        library = self.path.parent.parent / "lib"
        preloaded = [str(library / n) for n in self.PRELOADED if (library / n).is_file()]
        return os.environ | {
            "VLLM_CPU_KVCACHE_SPACE": str(space), "VLLM_NO_USAGE_STATS": "1",
            "VLLM_CPU_OMP_THREADS_BIND": ",".join(map(str, cores)), "HF_HUB_OFFLINE": "1",
            "LD_PRELOAD": ":".join(preloaded + [os.environ.get("LD_PRELOAD", "")]).strip(":")}

    def start(self, models, need):
        port = free_port()
        words = [self.path, "serve", self.folders[models[0]], "--host", "127.0.0.1", "--port", port,
                 "--served-model-name", "any", "--dtype", "bfloat16", "--generation-config", "vllm",
                 "--max-num-seqs", need.streams, "--max-model-len", need.context,
                 "--disable-uvicorn-access-log"]
        words += (["--enable-prefix-caching", "--enable-prompt-tokens-details"]
                  if need.prefix_cache else ["--no-enable-prefix-caching"])
        return Server(words, port, models, ["any"], env=self.environment(models[0], need),
                      seconds=self.START_SECONDS)

    def version(self):
        return run(self.path, "--version").stdout.split()[-1]


def cache_bytes(folder, need, block=128):
    """What the keys and values of all requests take in bf16, in blocks of tokens."""
    config = json.loads((folder / "config.json").read_text())
    token = 2 * 2 * (config["num_hidden_layers"] * config["num_key_value_heads"] *
                     config["head_dim"])
    return need.streams * math.ceil(need.context / block) * block * token


def hearth_programs(options, home):
    return [Hearth(options.hearth, p, home, options) for p in options.precision]


def rival_programs(options):
    found = []
    if options.llama_server:
        found += [LlamaServer(options.llama_server, " ".join(flags) or "default", flags, options)
                  for flags in options.llama_flags]
    if options.vllm:
        found.append(Vllm(options.vllm, dict(zip(options.models, options.vllm_model)), options))
    return found
