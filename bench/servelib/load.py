"""Requests as the parts make them, and the figures of many calls."""
import gc
import json
import random

from . import stats, wire
from .client import Call, Loop


class Prompts:
    """Prompts of random tokens from first to last id, of which no two begin alike."""

    def __init__(self, seed, ids):
        self.rng, self.ids = random.Random(seed), ids

    def __call__(self, count):
        return [self.rng.randrange(*self.ids) for _ in range(count)]


def completion(server, prompt, tokens, stream=True, model=0, key=None, **more):
    """The bytes of a request for exactly `tokens` tokens."""
    body = {"model": server.models[model], "prompt": prompt, "max_tokens": tokens,
            "ignore_eos": True, "temperature": 0, "stream": stream, **server.extra, **more}
    if stream:
        body["stream_options"] = {"include_usage": True}
    headers = [("Authorization", f"Bearer {key}")] if key else []
    return wire.request_bytes("POST", "/v1/completions", json.dumps(body).encode(), headers)


def one(server, prompt, tokens, seconds=600, **more):
    """A single request, from its beginning to its end."""
    loop = Loop()
    call = loop.start(Call(server.port, completion(server, prompt, tokens, **more)))
    loop.run(seconds)
    loop.close()
    return call


def warm(server, prompts, models=1):
    """Loads the models and touches what is made at the first request."""
    for model in range(models):
        call = one(server, prompts(64), 8, model=model)
        if not call.ok:
            raise Failed(f"the first request: {call.told()}; {server.said()}")


class Failed(Exception):
    """A server did not do what was asked."""


def all_ok(calls, tokens=None):
    """The calls, if each gave a whole answer of that many tokens."""
    for call in calls:
        if not call.ok:
            raise Failed(call.told())
        made = call.usage().get("completion_tokens")
        if tokens is not None and made != tokens:
            raise Failed(f"{made} tokens where {tokens} were asked for")
    return calls


class Uncollected:
    """No pause of the collector of garbage falls into a measurement."""

    def __enter__(self):
        gc.collect()
        gc.disable()

    def __exit__(self, *_):
        gc.enable()


def first_token_times(calls):
    """Seconds from the start of each to its first text."""
    return [c.first - c.sent for c in calls if c.first is not None]


def token_gaps(calls):
    return [gap for c in calls for gap in stats.gaps(c.arrivals)]


def gaps_in(calls, start, end):
    return [gap for c in calls for gap in stats.gaps_between(c.arrivals, start, end)]


def span(calls):
    """From the first request to the last answer."""
    return max(c.ended for c in calls) - min(c.sent for c in calls)


def tokens_of(calls):
    """(of prompts, generated), as the server counts them."""
    usages = [c.usage() for c in calls]
    return (sum(u.get("prompt_tokens", 0) for u in usages),
            sum(u.get("completion_tokens", 0) for u in usages))


def cached_of(calls):
    found = [(c.usage().get("prompt_tokens_details") or {}).get("cached_tokens", 0) for c in calls]
    return sum(n or 0 for n in found)
