"""The parts that are about many clients: overload, tenants, slow, models."""
import functools
import json
import pathlib
import random
import shutil
import tempfile
import time

from . import load, machine
from .client import Call, Drain, Loop, Slow, closed_loop, open_loop
from .load import Failed
from .rows import Job, Rows
from .servers import Need
from .speed import ANSWER, LATEST, PROMPT, wait
from .stats import percentile

REFUSALS = (429, 503)
TENANT_REQUESTS = 64
SLOW_SHARE, PACE, RECEIVE_BUFFER = 0.9, 100, 4096


# ---- overload

def overload_jobs(options, model):
    return [Job("overload", (model,), Need(64, 256), overload, rivals=False)]


def overload(server, program, options):
    """Five times what it can do, however long its answers take."""
    prompts, rng = load.Prompts(options.seed, options.ids), random.Random(options.seed)
    load.warm(server, prompts)
    rows = Rows("overload")

    def make(_, on_end):
        return Call(server.port, load.completion(server, prompts(PROMPT), ANSWER), on_end)

    with load.Uncollected():
        full = at_capacity(make, options.capacity_streams, rows)
        capacity = len(full) / load.span(full)
        usual = percentile(load.first_token_times(full), 0.5)
        once = offered(make, capacity, options, rng)
        first_tokens(rows, "offered 1x", once)
        loop = Loop()
        calls = open_loop(loop, make, 5 * capacity, options.overload_seconds, rng)
        wait(loop, options.overload_seconds)
        recovered = recovery(loop, make, 1.2 * usual)
        loop.run(LATEST)
        loop.close()
        judge(rows, calls)
        first_tokens(rows, "offered 5x", calls)
        rows.less("first token p50, offered 5x / at capacity",
                  percentile(load.first_token_times(calls), 0.5) / usual)
        rows.less("recovery, s", recovered)
    return rows.found


def at_capacity(make, streams, rows):
    """Those that were answered of as many at a time as the server takes."""
    loop = Loop()
    calls = closed_loop(loop, make, streams, 3 * streams, LATEST)
    loop.close()
    calls = load.all_ok([c for c in calls if c.status not in REFUSALS], ANSWER)
    if not calls:
        raise Failed("all were refused at capacity: --capacity-streams is too many")
    rows.more(f"capacity with {streams} at once, requests/s", len(calls) / load.span(calls))
    first_tokens(rows, f"{streams} at once", calls)
    return calls


def offered(make, rate, options, rng):
    loop = Loop()
    calls = open_loop(loop, make, rate, options.overload_seconds, rng)
    loop.run(LATEST)
    loop.close()
    return calls


def first_tokens(rows, what, calls):
    found = load.first_token_times(calls)
    rows.ms(f"{what}: first token p50", percentile(found, 0.5))
    rows.ms(f"{what}: first token p99", percentile(found, 0.99))


def judge(rows, calls):
    """Every request is answered whole or refused with a time to come again."""
    refused = [c for c in calls if c.status in REFUSALS]
    load.all_ok([c for c in calls if c.status not in REFUSALS], ANSWER)
    for call in refused:
        if "retry-after" not in call.head.headers:
            raise Failed(f"{call.status} without Retry-After")
    late = [c.ended - c.sent for c in refused]
    rows.more("offered 5x: requests", len(calls))
    rows.more("offered 5x: refused", len(refused))
    if refused:
        rows.ms("refusal p50", percentile(late, 0.5))
        rows.ms("refusal p99", percentile(late, 0.99))


def recovery(loop, make, limit, most=120):
    """Seconds until a request is answered as it is when the server is busy but not overloaded."""
    start = time.monotonic()
    while time.monotonic() - start < most:
        probe = loop.start(make(0, None))
        loop.run(LATEST, until=lambda: probe.first or probe.ended)
        if probe.first and probe.first - probe.sent <= limit:
            return probe.sent - start
        wait(loop, 0.25)
    return float(most)


# ---- tenants

def tenants_jobs(options, model):
    return [Job("tenants", (model,), Need(64, 256), tenants, rivals=False)]


def tenants(server, program, options):
    """The wait of one tenant's only request beside another's many and beside its one."""
    prompts, rows = load.Prompts(options.seed, options.ids), Rows("tenants")
    load.warm(server, prompts)

    def make(on_end, key):
        return Call(server.port, load.completion(server, prompts(PROMPT), ANSWER, key=key), on_end)

    with load.Uncollected():
        beside_others(make, rows)
    return rows.found


def beside_others(make, rows):
    waits = {}
    for others in (1, TENANT_REQUESTS):
        loop, mine = Loop(), []

        def again(call=None, loop=loop):
            pause = 0.1 if call is not None and not call.ok else 0
            loop.after(pause, lambda: loop.start(make(again, "many")))

        for _ in range(others):
            again()
        wait(loop, 2.0)
        for _ in range(5):
            mine.append(loop.start(make(None, "few")))
            loop.run(LATEST, until=lambda: mine[-1].ended)
        loop.close()
        load.all_ok(mine, ANSWER)
        waits[others] = load.first_token_times(mine)
        rows.ms(f"one request beside {others} of another tenant: first token p50",
                percentile(waits[others], 0.5))
        rows.ms(f"one request beside {others} of another tenant: first token, longest",
                max(waits[others]))
    one, many = (percentile(waits[n], 0.5) for n in (1, TENANT_REQUESTS))
    rows.less(f"first token p50, beside {TENANT_REQUESTS} / beside 1", many / one)


# ---- slow

def slow_jobs(options, _):
    tiny = pathlib.Path(long_tiny(options.tiny).name) / "tiny"
    return [Job("slow", (tiny,), Need(options.crowd, options.crowd_tokens + 64), slow,
                rivals=False)]


@functools.cache
def long_tiny(folder):
    """A copy of a tiny checkpoint that allows long contexts, in a folder that goes with it."""
    scratch = tempfile.TemporaryDirectory(prefix="hearth-bench-tiny-")
    copy = pathlib.Path(scratch.name) / "tiny"
    shutil.copytree(folder, copy)
    config = json.loads((copy / "config.json").read_text())
    config["max_position_embeddings"] = 8192
    (copy / "config.json").write_text(json.dumps(config))
    return scratch


def slow(server, program, options):
    """Many streams of which most are read slowly: what the others and the memory notice."""
    rows, prompts = Rows("slow"), load.Prompts(options.seed, (16, 256))
    load.warm(server, prompts)
    empty, empty_held = machine.memory(server.pid), server.held_bytes()
    crowd, slow_ones = options.crowd, int(options.crowd * SLOW_SHARE)

    def fast(payload):
        return Drain(server.port, payload)

    def lazy(payload):
        return Slow(server.port, payload, PACE, RECEIVE_BUFFER)

    found = {}
    for name, others in (("fast", fast), ("slow", lazy)):
        measured, peak, held = stream_crowd(server, prompts, options, others, slow_ones)
        load.all_ok(measured, options.crowd_tokens)
        found[name] = percentile(load.token_gaps(measured), 0.99)
        rows.ms(f"{crowd - slow_ones} beside {slow_ones} {name} readers: between tokens p99",
                found[name])
        caches = held - empty_held
        rows.less(f"{crowd} streams, {slow_ones} {name}: KiB each, caches left out",
                  (peak.all - empty.all - caches) / crowd / 1024)
        rows.less(f"{crowd} streams, {slow_ones} {name}: caches, KiB each", caches / crowd / 1024)
        rows.less(f"{crowd} streams, {slow_ones} {name}: of the kernel, KiB each",
                  peak.sockets / crowd / 1024)
    rows.less("between tokens p99, slow / fast", found["slow"] / max(found["fast"], 1e-6))
    dropped = server.metrics().get("hearth:http_streams_dropped_total")
    if dropped is not None:
        rows.more("streams dropped", dropped)
    return rows.found


def stream_crowd(server, prompts, options, others, count):
    """(the calls that are measured, the most memory that was seen, what the models held then)."""
    loop, most = Loop(), [machine.memory(server.pid)]

    def sample():
        most[0] = max(most[0], machine.memory(server.pid), key=lambda m: m.all)
        loop.after(0.25, sample)

    def request():
        return load.completion(server, prompts(16), options.crowd_tokens)

    payloads = [request() for _ in range(options.crowd)]
    with load.Uncollected():
        crowd = [loop.start(others(payload)) for payload in payloads[:count]]
        measured = [loop.start(Call(server.port, p)) for p in payloads[count:]]
        sample()
        loop.run(LATEST, until=lambda: all(c.ended for c in measured))
    most[0] = max(most[0], machine.memory(server.pid), key=lambda m: m.all)
    held = server.held_bytes()
    loop.close()
    for call in crowd:
        if call.status not in (0, 200):  # 0: a slow reader that has not got to it
            raise Failed(call.told())
    left = left_running(server)
    if left:
        raise Failed(f"{left:.0f} requests of clients that are gone still run")
    return measured, most[0], held


def left_running(server, seconds=30):
    """Waits until no request runs; how many do, as /metrics says, after that time."""
    deadline = time.monotonic() + seconds
    while True:
        count = server.metrics().get("vllm:num_requests_running", 0)
        if not count or time.monotonic() > deadline:
            return count
        time.sleep(0.1)


# ---- models

def models_jobs(options, _):
    if len(options.models) < 3:
        raise Failed("the part models needs three models")
    return [Job("models", tuple(options.models[:3]), Need(4, 4096), models, rivals=False)]


def models(server, program, options):
    """Two models answer, a third is asked for."""
    rows, prompts, loop = Rows("models"), load.Prompts(options.seed, options.ids), Loop()
    load.warm(server, prompts, models=2)
    with load.Uncollected():
        streams = [loop.start(Call(server.port, load.completion(server, prompts(32), 3000,
                                                                model=m))) for m in (0, 1)]
        loop.run(LATEST, until=lambda: all(s.pieces > 2 or s.ended for s in streams))
        quiet = time.monotonic()
        wait(loop, options.quiet)
        third = loop.start(Call(server.port, load.completion(server, prompts(32), 4, model=2,
                                                             keep_alive="2s")))
        loop.run(LATEST, until=lambda: third.ended)
    left = third.ended
    loop.close()
    load.all_ok([third])
    for i, stream in enumerate(streams):
        if stream.problem or stream.status != 200:
            raise Failed(stream.told())
        before = percentile(load.gaps_in([stream], quiet, third.sent), 0.99)
        during = percentile(load.gaps_in([stream], third.sent, third.first), 0.99)
        rows.ms(f"stream {i + 1}: between tokens before, p99", before)
        rows.ms(f"stream {i + 1}: between tokens while it loads, p99", during)
        rows.less(f"stream {i + 1}: while it loads / before", during / max(before, 1e-6))
    rows.ms("the third: first token", third.first - third.sent)
    rows.less("the third: gone after, s (its keep-alive: 2)", time_gone(server, 2) - left)
    return rows.found


def time_gone(server, model, seconds=20):
    """The time at which /api/ps no longer lists a model."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        listed = json.loads(server.get("/api/ps")[1])["models"]
        if not any(m["name"].startswith(server.models[model]) for m in listed):
            return time.monotonic()
        time.sleep(0.02)
    raise Failed(f"{server.models[model]} is still loaded after {seconds} s")
