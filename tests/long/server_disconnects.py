#!/usr/bin/env python3
"""Thousands of requests whose clients hang up: while they send, at once, after a while, at the head
of the answer, after some tokens; on every route that generates, streamed and whole, with prompts of
ten to thousands of tokens. Afterwards nothing of them is left in the server, and it answers as it
did before.

    server_disconnects.py --hearth BINARY [--requests N] [--together N] [--seed N] [--tiny]

smollm2 of the store $HEARTH_TEST_HOME; exit 77, with a sentence, where it is not there. With --tiny
only a model of a few kilobytes, whose prompts are short.
"""
import argparse
import asyncio
import collections
import itertools
import json
import pathlib
import random
import socket
import struct
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/server"))
import harness  # noqa: E402
from harness import MODEL, TINY  # noqa: E402

SKIPPED = 77
PATIENCE = 300        # seconds, on a machine that is busy with other things
NEVER = 100_000       # tokens: no answer ends before its client has gone
MOMENTS = ("sending", "sent", "later", "head", "tokens")
WORDS = "the river was wide and old men told stories of stones that walked at night".split()
counts = collections.Counter()
refusals = collections.Counter()      # by their text


def prompt_of(dice, model):
    """Words, some with a beginning that others have too. Of the real model's, some have thousands
    of tokens and some more than fit."""
    if model == TINY:
        return " ".join(dice.choices(WORDS, k=dice.randint(3, 10))), "short"
    kind = dice.choices(("short", "long", "huge"), (91, 7, 2))[0]
    length = {"short": dice.randint(3, 40), "long": dice.randint(1500, 5000), "huge": 60_000}[kind]
    words = dice.choices(WORDS, k=length)
    if dice.random() < 0.2:
        words[:length // 2] = itertools.islice(itertools.cycle(WORDS), length // 2)
    return " ".join(words), kind


def body_of(dice, path, prompt, model, streams):
    chat = [{"role": "user", "content": prompt}]
    body = {"model": model, "stream": streams}
    if path.startswith("/api/"):
        body["options"] = {"num_predict": NEVER, "ignore_eos": True}
        return {**body, **({"messages": chat} if "chat" in path else {"prompt": prompt})}
    body |= {"ignore_eos": True, "temperature": dice.choice((0, 0.8)), "n": dice.choice((1, 1, 2))}
    return {**body, **({"messages": chat} if "chat" in path else {"prompt": prompt})}


def make_request(dice, models):
    """(bytes, moment, lines to read before it, the words it is counted by)."""
    path = dice.choice(("/v1/completions", "/v1/chat/completions", "/api/generate", "/api/chat"))
    model = dice.choice(models)
    streams = dice.random() < 0.6
    prompt, kind = prompt_of(dice, model)
    data = json.dumps(body_of(dice, path, prompt, model, streams)).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n\r\n"
    moment = dice.choice(MOMENTS if streams else MOMENTS[:3])
    data = head.encode() + data
    if moment == "sending":
        data = data[:dice.randrange(len(data))]
    return data, moment, dice.randint(1, 8), (kind, "streamed" if streams else "whole", moment)


async def read_answer(reader, moment, lines):
    """How far the answer came: "tokens", "head", "refused" or "ended"."""
    status = await reader.readline()
    if not status.startswith(b"HTTP/1.1 200 "):
        said = (await reader.read()).decode()
        refusals[said.split("\r\n\r\n")[-1][:200]] += 1
        return "refused" if status else "ended"
    if moment == "head":
        return "head"
    while lines > 0:
        line = await reader.readline()
        if not line:
            return "ended"
        lines -= line.startswith((b"data: {", b"{"))
    return "tokens"


async def hang_up(port, dice, models):
    data, moment, lines, words = make_request(dice, models)
    reset, pause = dice.random() < 0.5, dice.expovariate(20)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    came = moment
    try:
        writer.write(data)
        await writer.drain()
        if moment == "later":
            await asyncio.sleep(pause)
        elif moment in ("head", "tokens"):
            came = await read_answer(reader, moment, lines)
    finally:
        if reset:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                                       struct.pack("ii", 1, 0))
        writer.transport.abort()
    counts.update((*words, "with RST" if reset else "with FIN", f"came to: {came}"))
    counts[f"{words[0]} prompts that {'were refused' if came == 'refused' else 'were taken'}"] += 1


async def hang_up_all(port, options, models):
    todo = iter(range(options.requests))

    async def client():
        for i in todo:
            dice = random.Random(f"{options.seed} {i}")
            await asyncio.wait_for(hang_up(port, dice, models), PATIENCE)
            if i % 500 == 499:
                print(f"{i + 1} of {options.requests}", flush=True)
    await asyncio.gather(*(client() for _ in range(options.together)))


def nothing_is_left(server):
    """Whether the server has nothing of them any more."""
    gauges = ("vllm:num_requests_running", "vllm:num_requests_waiting", "vllm:kv_cache_usage_perc")
    left = {name: server.metric(name) for name in gauges}
    left["connections"] = server.metric("hearth:http_connections") - 1   # that of this question
    return not any(left.values()), left


def answers(server, models):
    """Greedy ones to a few prompts."""
    prompts = ["The capital of France is", " ".join(WORDS), "1, 2, 3,"]
    if MODEL in models:
        prompts.append("word " * 1500)
    return [server.made("/v1/completions", {"model": models[0], "prompt": prompt, "max_tokens": 24,
                                            "temperature": 0})["choices"][0]["text"]
            for prompt in prompts]


def check(server, options):
    models = (TINY,) if options.tiny else (MODEL, TINY)
    known = answers(server, models)
    assert options.tiny or "Paris" in known[0], known
    begin = time.monotonic()
    asyncio.run(hang_up_all(server.port, options, models))
    print(f"{options.requests} hung up in {time.monotonic() - begin:.1f} s")
    for name, count in sorted(counts.items()):
        print(f"  {count:5} {name}")
    for text, count in refusals.most_common(10):
        print(f"  {count:5} refused: {text}")
    end = time.monotonic() + PATIENCE
    while not nothing_is_left(server)[0]:
        if time.monotonic() > end:
            raise AssertionError(f"still there: {nothing_is_left(server)[1]}")
        time.sleep(0.05)
    print(f"nothing is left {time.monotonic() - end + PATIENCE:.2f} s later: "
          f"{nothing_is_left(server)[1]}")
    again = answers(server, models)
    assert again == known, (again, known)
    ended = {reason: int(server.metric("vllm:request_success_total", finished_reason=reason))
             for reason in ("stop", "length", "abort", "error")}
    print(f"ended by: {ended}")
    # The test hung up on answers under way, or it has shown nothing.
    under_way = counts["came to: tokens"] + counts["came to: head"]
    assert ended["abort"] >= under_way > options.requests / 10, (ended, under_way)
    assert counts["came to: ended"] == 0 and ended["error"] == 0, "only clients end answers here"
    refused = counts["short prompts that were refused"] + counts["long prompts that were refused"]
    assert refused == 0, "only prompts that do not fit are refused"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hearth", required=True)
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--together", type=int, default=32)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    harness.hearth = str(pathlib.Path(options.hearth).resolve())
    if not options.tiny and not harness.has_model():
        print(f"{MODEL} is not in the tests' store; ./test.sh fetches it where a network is there")
        return SKIPPED
    print(f"seed {options.seed}", flush=True)
    server = harness.Server("--quiet", "--keep-alive", "-1")
    try:
        check(server, options)
    finally:
        code = server.stop()
    print(f"the server ended with {code}")
    return 0 if code == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
