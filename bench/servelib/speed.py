"""The parts that are about speed: throughput, intrusion, shared, overhead."""
import functools
import http.client
import json
import statistics
import time

from . import load, machine
from .client import Call, Loop, closed_loop
from .load import Failed
from .rows import Job, Rows
from .servers import Need
from .stats import percentile

PROMPT, ANSWER = 128, 64           # of throughput
SHORT, STREAMS = 32, 4             # of intrusion
SHARERS, OWN = 32, 32              # of shared
LATEST = 1800                      # seconds; a part that takes longer is stuck


# ---- throughput

def throughput_jobs(options, model):
    context = (PROMPT + ANSWER + 63) // 64 * 64
    return [Job("throughput", (model,), Need(n, context), functools.partial(throughput, n))
            for n in options.streams]


def throughput(streams, server, program, options):
    """Requests of 128 tokens and 64 more, `streams` of them at any time."""
    prompts, rows = load.Prompts(options.seed, options.ids), Rows("throughput")
    load.warm(server, prompts)
    count = max(options.waves * streams, 4)
    requests = [load.completion(server, prompts(PROMPT), ANSWER) for _ in range(count)]
    loop = Loop()
    with load.Uncollected():
        calls = closed_loop(loop, lambda i, end: Call(server.port, requests[i], end), streams,
                            count, LATEST)
    loop.close()
    load.all_ok(calls, ANSWER)
    read, made = load.tokens_of(calls)
    if read < count * PROMPT:
        raise Failed(f"{read} tokens of prompts where {count * PROMPT} were sent")
    first, between = load.first_token_times(calls), load.token_gaps(calls)
    rows.more(f"x{streams}: all tokens/s", count * (PROMPT + ANSWER) / load.span(calls))
    rows.more(f"x{streams}: generated tokens/s", made / load.span(calls))
    for share in (0.5, 0.99):
        rows.ms(f"x{streams}: first token p{share * 100:.0f}", percentile(first, share))
    for share in (0.5, 0.99):
        rows.ms(f"x{streams}: between tokens p{share * 100:.0f}", percentile(between, share))
    return rows.found


# ---- intrusion

def intrusion_jobs(options, model):
    return [Job("intrusion", (model,), Need(STREAMS + 2, options.long + 2192), intrusion)]


def intrusion(server, program, options):
    """Four streams run; a long prompt comes, and a short one behind it."""
    prompts, rows = load.Prompts(options.seed, options.ids), Rows("intrusion")
    load.warm(server, prompts)
    loop = Loop()
    with load.Uncollected():
        streams = [loop.start(Call(server.port, load.completion(server, prompts(PROMPT), 4000)))
                   for _ in range(STREAMS)]
        loop.run(LATEST, until=lambda: all(s.pieces > 2 or s.ended for s in streams))
        alone = loop.start(Call(server.port, load.completion(server, prompts(SHORT), 4)))
        loop.run(LATEST, until=lambda: alone.ended)
        quiet = time.monotonic()
        wait(loop, options.quiet)
        long = loop.start(Call(server.port, load.completion(server, prompts(options.long), 4)))
        wait(loop, 0.1)
        short = loop.start(Call(server.port, load.completion(server, prompts(SHORT), 4)))
        loop.run(LATEST, until=lambda: long.ended and short.ended)
    loop.close()
    load.all_ok([alone, long, short])
    for s in streams:
        if s.problem or s.status != 200:
            raise Failed(s.told())
        if s.done_event and s.ended < long.first:
            raise Failed("a stream ended before the long prompt was read")
    before = load.gaps_in(streams, quiet, long.sent)
    during = load.gaps_in(streams, long.sent, long.first)
    own, behind = alone.first - alone.sent, short.first - short.sent
    for name, gaps in (("before", before), ("during", during)):
        rows.ms(f"between tokens {name}, p50", percentile(gaps, 0.5))
        rows.ms(f"between tokens {name}, p99", percentile(gaps, 0.99))
    rows.ms("between tokens during, longest", max(during, default=0))
    rows.less("between tokens p99, during / before",
              percentile(during, 0.99) / max(percentile(before, 0.99), 1e-6))
    rows.ms("long prompt: first token", long.first - long.sent)
    rows.ms("short prompt beside the streams: first token", own)
    rows.ms("short prompt behind the long one: first token", behind)
    return rows.found


def wait(loop, seconds):
    """The loop goes on for so long."""
    passed = []
    loop.after(seconds, lambda: passed.append(True))
    loop.run(LATEST, until=lambda: passed)


# ---- shared

def shared_jobs(options, model):
    return [Job("shared", (model,), Need(SHARERS, options.system + 304, prefix_cache=True), shared)]


def shared(server, program, options):
    """Requests that begin with the same tokens, all at once and with nothing in the cache."""
    prompts, rows = load.Prompts(options.seed, options.ids), Rows("shared")
    load.warm(server, prompts)
    system, before = prompts(options.system), server.metrics()
    requests = [load.completion(server, system + prompts(OWN), 8) for _ in range(SHARERS)]
    loop = Loop()
    with load.Uncollected():
        calls = closed_loop(loop, lambda i, end: Call(server.port, requests[i], end), SHARERS,
                            SHARERS, LATEST)
    loop.close()
    load.all_ok(calls)
    needed = options.system + SHARERS * OWN
    computed = load.tokens_of(calls)[0] - load.cached_of(calls)
    rows.less("prompt tokens computed / needed, by usage", computed / needed)
    after = server.metrics()
    if "vllm:prompt_tokens_total" in after:
        grown = {k: after[k] - before.get(k, 0) for k in after}
        told = grown["vllm:prompt_tokens_total"] - grown.get("vllm:prefix_cache_hits_total", 0)
        rows.less("prompt tokens computed / needed, by /metrics", told / needed)
    for share in (0.5, 1):
        rows.ms("first token, " + ("p50" if share < 1 else "the last"),
                percentile(load.first_token_times(calls), share))
    return rows.found


# ---- overhead

def overhead_jobs(options, model):
    return [Job("overhead", (model,), Need(16, 512), overhead, rivals=False)]


def overhead(server, program, options):
    """What HTTP costs: the server beside `hearth bench`, errors, /api/tags, an idle process."""
    rows = Rows("overhead")
    time.sleep(1)
    rows.less("idle without a model, MB", machine.resident(server.pid) / 1e6)
    errors(server, rows)
    rate = machine.wrk(f"http://127.0.0.1:{server.port}/api/tags", options.wrk_seconds)
    if rate is not None:
        rows.more("/api/tags, requests/s", rate)
    prompts = load.Prompts(options.seed, options.ids)
    load.warm(server, prompts)
    for batch in (1, 16):
        beside_bench(server, program, options, prompts, batch, rows)
    return rows.found


def beside_bench(server, program, options, prompts, batch, rows, prompt=16, answer=256):
    """Tokens a second of `batch` requests at once as a share of what `hearth bench` needs."""
    model, shares = server.files[0], {True: [], False: []}
    for _ in range(3):
        report = program.bench(model, options.threads, prompt=prompt * batch, gen=answer,
                               batch=batch)
        seconds = (prompt * batch / report["prefill"]["tps"]["median"] +
                   answer * batch / report["decode"][0]["tps"]["median"])
        for stream in (False, True):
            requests = [load.completion(server, prompts(prompt), answer, stream)
                        for _ in range(batch)]
            loop = Loop()
            with load.Uncollected():
                calls = closed_loop(loop, lambda i, end: Call(server.port, requests[i], end),
                                    batch, batch, LATEST)
            loop.close()
            load.all_ok(calls, answer)
            shares[stream].append(seconds / load.span(calls))
    rows.more(f"x{batch}: whole answers / hearth bench", statistics.median(shares[False]))
    rows.more(f"x{batch}: streams / hearth bench", statistics.median(shares[True]))


def errors(server, rows, count=200):
    """From the last byte sent to the first that comes, on a connection that is kept."""
    requests = {"an unknown model": {"model": "there-is-none", "prompt": "x"},
                "a bad field": {"model": server.models[0], "prompt": "x", "temperature": -1}}
    for name, body in requests.items():
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.connect()
        data, seconds = json.dumps(body).encode(), []
        for _ in range(count):
            start = time.monotonic()
            connection.request("POST", "/v1/completions", data)
            answer = connection.getresponse()
            seconds.append(time.monotonic() - start)
            answer.read()
            if answer.status not in (400, 404):
                raise Failed(f"{name}: {answer.status}")
        connection.close()
        rows.ms(f"error for {name}, p50", percentile(seconds, 0.5))
        rows.ms(f"error for {name}, p99", percentile(seconds, 0.99))
