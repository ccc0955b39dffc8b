"""The part soak: minutes of mixed random load, with clients that go away; what the memory does, and
every answer that was not asked for."""
import json
import random
import sys
import time

from . import load, machine, stats, wire
from .client import Call, Loop, Slow
from .crowds import REFUSALS, left_running
from .load import Failed
from .rows import Job, Rows
from .servers import Need
from .speed import LATEST

WORDS = ("the house stands at a river and in winter its windows are dark but somebody keeps a fire "
         "for those who come late over the bridge with snow on their shoulders").split()
SETTLED = 600        # seconds after which memory is to be flat
SAMPLE = 5           # seconds between looks at the memory
KILLED = 0.25        # share of clients that go away, if they are not answered before
REPORTED = 20        # errors of which the text is kept


class Mix:
    """Random requests. Each kind gives (path, body, the statuses that are right)."""

    def __init__(self, server, rng, ids):
        self.server, self.rng = server, rng
        self.prompts = load.Prompts(rng.random(), ids)
        self.prefix = self.words(120)
        self.kinds = [self.completion, self.ids, self.chat, self.ollama_chat, self.ollama_generate,
                      self.choices, self.bad_field, self.no_model, self.no_json]
        self.untaught = {model for model in server.models if not server.chats(model)}

    def words(self, count):
        return " ".join(self.rng.choice(WORDS) for _ in range(count))

    def text(self):
        """Half of the prompts begin with what others begin with too."""
        own = self.words(self.rng.randrange(1, 300))
        return f"{self.prefix} {own}" if self.rng.random() < 0.5 else own

    def common(self):
        return {"model": self.rng.choice(self.server.models),
                "stream": self.rng.random() < 0.7, "seed": self.rng.randrange(1 << 31),
                "temperature": self.rng.choice((0, 0.7, 1.2)), "user": str(self.rng.randrange(5))}

    def tokens(self):
        return self.rng.choice((1, 8, 32, 120))

    def completion(self):
        return "/v1/completions", self.common() | {"prompt": self.text(),
                                                   "max_tokens": self.tokens()}, (200,)

    def ids(self):
        count = self.rng.choice((1, 30, 400, 1500))
        more = {"prompt": self.prompts(count), "max_tokens": self.tokens(), "ignore_eos": True,
                "logprobs": self.rng.choice((None, 3))}
        return "/v1/completions", self.common() | more, (200,)

    def chat(self):
        more = {"messages": [{"role": "user", "content": self.text()}],
                "max_tokens": self.tokens()}
        body = self.common() | more
        return "/v1/chat/completions", body, (400 if body["model"] in self.untaught else 200,)

    def choices(self):
        more = {"prompt": self.text(), "max_tokens": 16, "n": self.rng.randrange(2, 5)}
        return "/v1/completions", self.common() | more, (200,)

    def ollama_chat(self):
        return "/api/chat", self.ollama() | {
            "messages": [{"role": "user", "content": self.text()}]}, (200,)

    def ollama_generate(self):
        return "/api/generate", self.ollama() | {"prompt": self.text()}, (200,)

    def ollama(self):
        return {"model": self.rng.choice(self.server.models), "stream": self.rng.random() < 0.7,
                "options": {"num_predict": self.tokens()}}

    def bad_field(self):
        return "/v1/completions", self.common() | {"prompt": "x", "temperature": "hot"}, (400,)

    def no_model(self):
        return "/api/chat", self.ollama() | {
            "model": "there-is-none", "messages": [{"role": "user", "content": "x"}]}, (404,)

    def no_json(self):
        return "/v1/chat/completions", None, (400,)

    def __call__(self):
        path, body, right = self.rng.choices(self.kinds, (3, 3, 3, 3, 2, 1, 1, 1, 1))[0]()
        data = json.dumps(body).encode() if body is not None else b'{"model": '
        key = ("Authorization", f"Bearer {self.rng.randrange(4)}")
        return wire.request_bytes("POST", path, data, [key]), right


class Soak:
    """Keeps `streams` requests going; what came of them is in its counts."""

    def __init__(self, server, options):
        self.server, self.options = server, options
        self.rng = random.Random(options.seed)
        self.mix, self.loop = Mix(server, self.rng, options.ids), Loop()
        self.counts = {"answered": 0, "refused": 0, "killed": 0, "wrong": 0}
        self.errors, self.memory, self.over = [], [], False

    def run(self):
        self.start = time.monotonic()
        seconds = self.options.minutes * 60
        self.loop.after(seconds, self.stop)
        self.sample()
        for _ in range(self.options.soak_streams):
            self.next_one()
        self.loop.run(seconds + LATEST)
        self.loop.close()

    def stop(self):
        """No new requests; slow readers get some seconds more."""
        self.over = True
        for call in list(self.loop.calls.values()):
            if call.pace:
                self.loop.after(10, call.abandon)

    def sample(self):
        if not self.server.alive():
            raise Failed(f"the server ended: {self.server.said()}")
        self.memory.append((time.monotonic() - self.start, machine.resident(self.server.pid),
                            self.server.held_bytes()))
        if not self.over:
            self.loop.after(SAMPLE, self.sample)

    def next_one(self, _=None):
        if self.over:
            return
        payload, right = self.mix()
        if self.rng.random() < 0.03:
            call = Slow(self.server.port, payload, 4000, 4096, self.ended, right)
        else:
            call = Call(self.server.port, payload, self.ended, tag=right)
        self.loop.start(call)
        if self.rng.random() < KILLED:
            reset = self.rng.random() < 0.5
            self.loop.after(self.rng.expovariate(2), lambda: call.abandon(reset))

    def ended(self, call):
        if call.gone:
            self.counts["killed"] += 1
        elif call.status in REFUSALS:
            self.counts["refused"] += 1
        elif call.status in call.tag and (call.ok or call.status != 200):
            self.counts["answered"] += 1
        else:
            self.counts["wrong"] += 1
            if len(self.errors) < REPORTED:
                self.errors.append(f"wanted {call.tag}: {call.told()}")
        self.loop.after(self.rng.expovariate(5), self.next_one)


def soak_jobs(options, _):
    return [Job("soak", tuple(options.models), Need(options.soak_streams, 4096), soak,
                rivals=False)]


def soak(server, program, options):
    rows = Rows("soak")
    load.warm(server, load.Prompts(options.seed, options.ids), models=len(server.models))
    run = Soak(server, options)
    run.run()
    for name, count in run.counts.items():
        rows.more(f"requests {name}", count)
    rows.less("requests left running after all clients", left_running(server))
    print("\n".join(run.errors), file=sys.stderr)
    memory_rows(run.memory, min(SETTLED, options.minutes * 30), rows)
    return rows.found


def memory_rows(memory, settled, rows):
    """`memory` has (seconds, resident bytes, bytes that models hold)."""
    late = [m for m in memory if m[0] >= settled] or memory[-1:]
    for when, (_, size, held) in (("at the start", memory[0]),
                                  (f"after {settled / 60:.1f} minutes", late[0]),
                                  ("at the end", memory[-1])):
        rows.less(f"resident {when}, MB", size / 1e6)
        rows.less(f"held by models {when}, MB", held / 1e6)
    rows.less("resident at most, MB", max(size for _, size, _ in memory) / 1e6)
    rows.less("growth since it settled, MB an hour",
              stats.slope([(t, size / 1e6) for t, size, _ in late]) * 3600)
    rows.less("growth of what models do not hold, MB an hour",
              stats.slope([(t, (size - held) / 1e6) for t, size, held in late]) * 3600)
