#!/usr/bin/env python3
"""Tests of bench/servelib: statistics against Python's own, the decoders of HTTP, chunks and events
on bytes that are cut at every place, the client on Python's own server, and what becomes of a GGUF
file in Hugging Face's form (with `numpy`; the whole of a file with `gguf` and `tokenizers` too)."""
import functools
import http.client
import http.server
import io
import json
import math
import os
import pathlib
import random
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from unittest import mock

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from servelib import checkpoint, client, servers, stats, wire  # noqa: E402 (the path comes first)

try:
    import numpy
except ImportError:
    numpy = None
try:
    import gguf
    import tokenizers
except ImportError:
    gguf = tokenizers = None

EVENTS = (b'data: {"choices":[{"index":0,"text":"a\\nb"}]}\n\n'
          b': still here\n\n'
          b'event: x\r\ndata:{"text": "c"}\r\n\r\n'
          b'data: one\ndata: two\n\n'
          b'data: [DONE]\n\n')
PAYLOADS = [b'{"choices":[{"index":0,"text":"a\\nb"}]}', b'{"text": "c"}', b"one\ntwo", b"[DONE]"]


def cuts(data, seed):
    """The same bytes in pieces of random lengths."""
    rng, at = random.Random(seed), 0
    while at < len(data):
        size = rng.choice((1, 2, 3, 7, 50))
        yield data[at:at + size]
        at += size


def chunked(data, seed):
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in cuts(data, seed)) + b"0\r\n\r\n"


class Statistics(unittest.TestCase):
    def test_percentile_is_a_value_that_enough_do_not_exceed(self):
        rng = random.Random(1)
        for count in (1, 2, 3, 10, 99, 100, 101, 1000):
            values = [rng.random() for _ in range(count)]
            for share in (0.01, 0.5, 0.9, 0.99, 1):
                found = stats.percentile(values, share)
                self.assertIn(found, values)
                self.assertGreaterEqual(sum(v <= found for v in values), share * count)
                self.assertLess(sum(v < found for v in values), share * count)

    def test_median_and_extremes(self):
        self.assertEqual(stats.percentile([3, 1, 2], 0.5), statistics.median([3, 1, 2]))
        self.assertEqual(stats.percentile([3, 1, 2], 1), 3)
        self.assertEqual(stats.percentile([], 0.5), 0)
        self.assertEqual(stats.percentile([5] * 99 + [9], 0.99), 5)
        self.assertEqual(stats.percentile([5] * 98 + [9, 9], 0.99), 9)

    def test_gaps(self):
        self.assertEqual(stats.gaps([1, 2, 4]), [1, 2])
        self.assertEqual(stats.gaps([1]), [])

    def test_gaps_between_counts_a_stall_once_it_ends_or_the_time_is_over(self):
        times = [0, 1, 2, 10, 11]
        self.assertEqual(stats.gaps_between(times, 0, 2.5), [1, 1, 0.5])
        self.assertEqual(stats.gaps_between(times, 2.5, 10), [8])
        self.assertEqual(stats.gaps_between(times, 2.5, 20), [8, 1])
        self.assertEqual(stats.gaps_between(times, 3, 9), [7])
        self.assertEqual(stats.gaps_between([], 0, 1), [])

    def test_slope_is_that_of_linear_regression(self):
        rng = random.Random(2)
        points = [(x, 3 * x + rng.random()) for x in range(20)]
        expected = statistics.linear_regression(*zip(*points)).slope
        self.assertAlmostEqual(stats.slope(points), expected)
        self.assertEqual(stats.slope([(1, 1)]), 0)
        self.assertEqual(stats.slope([(1, 1), (1, 5)]), 0)


class Wire(unittest.TestCase):
    def test_head_cut_anywhere(self):
        data = b"HTTP/1.1 429 Too Many\r\nRetry-After: 3\r\nContent-Length:2\r\n\r\nok"
        for at in range(len(data)):
            head = wire.Head()
            rest = [r for r in (head.feed(data[:at]), head.feed(data[at:])) if r is not None]
            self.assertEqual(head.status, 429)
            self.assertEqual(head.headers, {"retry-after": "3", "content-length": "2"})
            self.assertTrue(b"".join(rest).endswith(b"ok") or at > data.index(b"\r\n\r\n"))

    def test_no_head(self):
        for bad in (b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\r\n\r\n", b"x" * (65 << 10)):
            with self.assertRaises(wire.Malformed):
                wire.Head().feed(bad)

    def test_chunks_cut_anywhere(self):
        body = bytes(random.Random(3).randbytes(700)) + b"\r\n0\r\n\r\n"
        for seed in range(50):
            decoder, out = wire.Chunks(), b""
            for piece in cuts(chunked(body, seed), seed + 100):
                self.assertFalse(decoder.done)
                out += decoder.feed(piece)
            self.assertTrue(decoder.done)
            self.assertEqual(out, body)

    def test_chunks_as_python_reads_them(self):
        class Socket:
            def __init__(self, data):
                self.data = data

            def makefile(self, *_):
                return io.BytesIO(self.data)

        coded = b"5;ext=1\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n"
        answer = http.client.HTTPResponse(
            Socket(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + coded))
        answer.begin()
        self.assertEqual(wire.Chunks().feed(coded), answer.read())

    def test_bad_chunks(self):
        for bad in (b"xyz\r\nabc\r\n", b"0\r\nTrailer: 1\r\n\r\n"):
            with self.assertRaises(wire.Malformed):
                wire.Chunks().feed(bad)

    def test_lengths(self):
        head = wire.Head()
        rest = head.feed(b"HTTP/1.1 200 OK\r\ncontent-LENGTH: 4\r\n\r\nab")
        body = wire.body_of(head)
        self.assertEqual(body.feed(rest), b"ab")
        self.assertFalse(body.done)
        self.assertEqual(body.feed(b"cd"), b"cd")
        self.assertTrue(body.done)
        with self.assertRaises(wire.Malformed):
            body.feed(b"e")
        head = wire.Head()
        head.feed(b"HTTP/1.1 204 None\r\ncontent-length: 0\r\n\r\n")
        self.assertTrue(wire.body_of(head).done)

    def test_events_cut_anywhere(self):
        for seed in range(50):
            decoder, found = wire.Events(), []
            for piece in cuts(EVENTS, seed):
                found += decoder.feed(piece)
            self.assertEqual(found, PAYLOADS)

    def test_an_event_is_not_given_before_its_end(self):
        decoder = wire.Events()
        self.assertEqual(decoder.feed(b"data: a\n"), [])
        self.assertEqual(decoder.feed(b"\n"), [b"a"])

    def test_lines(self):
        decoder = wire.Lines()
        self.assertEqual(decoder.feed(b'{"a":1}\n{"b"'), [b'{"a":1}'])
        self.assertEqual(decoder.feed(b':2}\n\n'), [b'{"b":2}'])

    def test_text(self):
        for event in (b'{"choices":[{"text":"x"}]}', b'{"delta":{"content": "\\""}}',
                      b'{"response":" "}'):
            self.assertTrue(wire.has_text(event), event)
        for event in (b'{"choices":[{"text":""}]}', b'{"delta":{}}', b"[DONE]",
                      b'{"delta":{"content":null}}'):
            self.assertFalse(wire.has_text(event), event)

    def test_request_is_what_python_parses(self):
        data = wire.request_bytes("POST", "/v1/x", b'{"a":1}', [("Authorization", "Bearer k")])
        first, _, rest = data.partition(b"\r\n")
        headers = http.client.parse_headers(io.BytesIO(rest))
        self.assertEqual(first, b"POST /v1/x HTTP/1.1")
        self.assertEqual(headers["Content-Length"], "7")
        self.assertEqual(headers["Authorization"], "Bearer k")
        self.assertTrue(data.endswith(b'\r\n\r\n{"a":1}'))


class Handler(http.server.BaseHTTPRequestHandler):
    """/stream/N sends N events with text, 5 ms apart; /cut ends within a chunk; /error refuses."""
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/error":
            self.send_response(429)
            self.send_header("Retry-After", "2")
            self.send_header("Content-Length", "16")
            self.end_headers()
            self.wfile.write(b'{"error":"full"}')
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for i in range(int(self.path.rpartition("/")[2] or 0)):
                self.chunk(b'data: {"choices":[{"text":"word"}]}\n\n')
                time.sleep(0.005)
            if self.path == "/cut/":
                self.wfile.write(b"20\r\ndata: ")
                self.close_connection = True
                return
            self.chunk(b'data: {"choices":[],"usage":{"completion_tokens":7}}\n\n')
            self.chunk(b"data: [DONE]\n\n")
            self.wfile.write(b"0\r\n\r\n")
        except OSError:  # the client went away
            self.close_connection = True

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def log_message(self, *_):
        pass


class Client(unittest.TestCase):
    def setUp(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.loop = client.Loop()

    def tearDown(self):
        self.loop.close()
        self.server.shutdown()
        self.server.server_close()

    def ask(self, path, kind=client.Call, **more):
        return kind(self.port, wire.request_bytes("POST", path, b"{}"), **more)

    def test_stream(self):
        call = self.loop.start(self.ask("/stream/20"))
        self.loop.run(10)
        self.assertTrue(call.ok, call.told())
        self.assertEqual(call.pieces, 20)
        self.assertEqual(call.usage(), {"completion_tokens": 7})
        self.assertEqual(call.first, call.arrivals[0])
        self.assertGreaterEqual(call.ended, call.arrivals[-1])
        self.assertEqual(sorted(call.arrivals), call.arrivals)

    def test_what_goes_wrong_is_told(self):
        calls = [self.loop.start(self.ask(path)) for path in ("/error", "/cut/")]
        calls.append(self.loop.start(client.Call(1, b"x")))
        self.loop.run(10)
        refused, cut, nobody = calls
        self.assertEqual((refused.status, refused.head.headers["retry-after"]), (429, "2"))
        self.assertIn("full", refused.told())
        self.assertIn("closed", cut.problem)
        self.assertIn("could not send", nobody.problem)
        self.assertFalse(any(c.ok for c in calls))

    def test_drain_sees_the_end(self):
        call = self.loop.start(self.ask("/stream/5", client.Drain))
        self.loop.run(10)
        self.assertTrue(call.ok, call.told())

    def test_slow_reads_at_its_pace(self):
        call = self.loop.start(self.ask("/stream/200", client.Slow, pace=100, buffer=4096))
        start = time.monotonic()
        self.loop.run(10, until=lambda: time.monotonic() - start > 1.5)
        self.assertGreaterEqual(call.received, 100)
        self.assertEqual(call.received % 100, 0)
        self.assertLessEqual(call.received, 100 * (time.monotonic() - start + 1))
        self.assertIsNone(call.ended)

    def test_abandon(self):
        ended = []
        call = self.loop.start(self.ask("/stream/1000", on_end=ended.append))
        self.loop.after(0.05, lambda: call.abandon(reset=True))
        self.loop.run(10)
        self.assertEqual(ended, [call])
        self.assertTrue(call.gone)

    def test_closed_loop_keeps_so_many_running(self):
        calls = client.closed_loop(self.loop, lambda i, end: self.ask("/stream/4", on_end=end), 3,
                                   12, 10)
        self.assertEqual(len(calls), 12)
        self.assertTrue(all(c.ok for c in calls))
        at_once = [sum(o.sent <= c.sent < o.ended for o in calls) for c in calls]
        self.assertEqual(max(at_once), 3)
        self.assertEqual(at_once[2:], [3] * 10)
        self.assertEqual(sorted(c.sent for c in calls), [c.sent for c in calls])

    def test_open_loop_does_not_wait_for_answers(self):
        calls = client.open_loop(self.loop, lambda i, end: self.ask("/stream/400"), 50, 0.3,
                                 random.Random(4))
        self.loop.run(20, until=lambda: len(calls) > 3 and all(c.first for c in calls))
        self.assertFalse(any(c.ended for c in calls))  # they take two seconds

    def test_stuck(self):
        self.loop.start(self.ask("/stream/1000"))
        with self.assertRaises(client.Stuck):
            self.loop.run(0.2)


class Ends(unittest.TestCase):
    def test_what_a_server_started_ends_with_it(self):
        """Killed after a SIGTERM that it does not heed; its child holds the other end of a pipe."""
        script = ("import signal, subprocess, sys, time\n"
                  "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
                  "subprocess.Popen(['sleep', '600'], pass_fds=[int(sys.argv[1])])\n"
                  "time.sleep(600)")
        ours, theirs = os.pipe()
        with mock.patch.object(servers, "END_SECONDS", 0.5), \
                mock.patch("subprocess.Popen", functools.partial(subprocess.Popen,
                                                                 pass_fds=[theirs])):
            server = servers.Server([sys.executable, "-c", script, theirs], 1, [], [])
            os.close(theirs)
            time.sleep(0.5)
            server.__exit__()
        self.assertTrue(select.select([ours], [], [], 5)[0], "the child still runs")
        self.assertEqual(os.read(ours, 1), b"")
        os.close(ours)


def rotated(vector, position, interleaved):
    """Rotary embedding of one head, of neighbours or of numbers half a head apart."""
    half = len(vector) // 2
    out = list(vector)
    for i in range(half):
        a, b = (2 * i, 2 * i + 1) if interleaved else (i, i + half)
        angle = position * 100 ** (-i / half)
        out[a] = vector[a] * math.cos(angle) - vector[b] * math.sin(angle)
        out[b] = vector[a] * math.sin(angle) + vector[b] * math.cos(angle)
    return numpy.array(out)


class Names(unittest.TestCase):
    def test_names_of_tensors(self):
        for ours, theirs in (("token_embd.weight", "model.embed_tokens.weight"),
                             ("output.weight", "lm_head.weight"),
                             ("blk.12.attn_k.bias", "model.layers.12.self_attn.k_proj.bias"),
                             ("blk.0.ffn_norm.weight",
                              "model.layers.0.post_attention_layernorm.weight")):
            self.assertEqual(checkpoint.their_name(ours), theirs)
        for unknown in ("rope_freqs.weight", "blk.0.ffn_gate_exps.weight", "blk.0", "output"):
            with self.assertRaises(checkpoint.Refused):
                checkpoint.their_name(unknown)

    def test_cache_of_vllm(self):
        """vLLM 0.16 tells 46,592 tokens in one GiB for SmolLM2-135M, in blocks of 128."""
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder)
            (path / "config.json").write_text(json.dumps(
                {"num_hidden_layers": 30, "num_key_value_heads": 3, "head_dim": 64}))
            fits = servers.cache_bytes(path, servers.Need(46592 // 128, 100))
            self.assertLessEqual(fits, 1 << 30)
            self.assertGreater(servers.cache_bytes(path, servers.Need(46592 // 128 + 1, 128)),
                               1 << 30)


@unittest.skipUnless(numpy, "needs numpy")
class Weights(unittest.TestCase):
    def test_reordered_rows_give_the_same_attention(self):
        rng, heads, size, width = numpy.random.default_rng(5), 3, 8, 10
        q, k, x, y = (rng.normal(size=s) for s in ((heads * size, width), (heads * size, width),
                                                   width, width))
        of_gguf = (q @ x, k @ y)
        theirs = (checkpoint.halves(q, heads) @ x, checkpoint.halves(k, heads) @ y)
        for head in range(heads):
            rows = slice(head * size, (head + 1) * size)
            scores = [rotated(a[rows], 7, first) @ rotated(b[rows], 3, first)
                      for (a, b), first in ((of_gguf, True), (theirs, False))]
            self.assertAlmostEqual(*scores)
        bias = checkpoint.halves(q[:, 0], heads)
        self.assertEqual(bias.tolist(), checkpoint.halves(q, heads)[:, 0].tolist())

    def test_bf16_is_the_nearest(self):
        values = numpy.random.default_rng(6).normal(size=1000).astype(numpy.float32)
        found = checkpoint.bf16(values)
        for value, bits in zip(values.tolist(), found.tolist()):
            around = [struct.unpack("<f", struct.pack("<I", (bits + d) << 16))[0]
                      for d in (-1, 0, 1)]
            self.assertEqual(min(around, key=lambda a: abs(a - value)), around[1])
        ties = numpy.array([0x3f808000, 0x3f818000], numpy.uint32).view(numpy.float32)
        self.assertEqual(checkpoint.bf16(ties).tolist(), [0x3f80, 0x3f82])


@unittest.skipUnless(numpy and gguf and tokenizers, "needs numpy, gguf and tokenizers")
class WholeFile(unittest.TestCase):
    """A tiny model written by the package gguf."""
    WIDTH, HEADS, TOKENS = 64, 2, ["<s>", "a", "b", "ab", "\u0120", "\u0120ab", "1", "!"]

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)
        rng = numpy.random.default_rng(7)
        self.q = rng.normal(size=(self.WIDTH, self.WIDTH)).astype(numpy.float32)
        self.embedding = rng.normal(size=(len(self.TOKENS), self.WIDTH)).astype(numpy.float32)

    def write(self, **keys):
        writer = gguf.GGUFWriter(self.path / "m.gguf", "llama")
        for key, value in {"block_count": 1, "context_length": 128, "embedding_length": self.WIDTH,
                           "feed_forward_length": 96, "attention.head_count": self.HEADS,
                           **keys}.items():
            writer.add_uint32(f"llama.{key}", value)
        writer.add_layer_norm_rms_eps(1e-5)
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("smollm")
        writer.add_token_list(self.TOKENS)
        writer.add_token_types([checkpoint.CONTROL] + [1] * (len(self.TOKENS) - 1))
        writer.add_token_merges(["a b", "\u0120 ab"])
        writer.add_bos_token_id(0)
        writer.add_add_bos_token(True)
        writer.add_tensor("token_embd.weight", self.embedding)
        writer.add_tensor("blk.0.attn_q.weight", gguf.quants.quantize(
            self.q, gguf.GGMLQuantizationType.Q8_0), raw_dtype=gguf.GGMLQuantizationType.Q8_0)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return self.path / "m.gguf"

    def test_files(self):
        checkpoint.convert(self.write(), self.path / "out")
        config = json.loads((self.path / "out/config.json").read_text())
        self.assertEqual((config["vocab_size"], config["head_dim"], config["num_key_value_heads"]),
                         (len(self.TOKENS), 32, self.HEADS))
        self.assertTrue(config["tie_word_embeddings"])
        data = (self.path / "out/model.safetensors").read_bytes()
        length = int.from_bytes(data[:8], "little")
        head = json.loads(data[8:8 + length])
        for name, wanted, error in (
                ("model.embed_tokens", self.embedding, 0.02),
                ("model.layers.0.self_attn.q_proj", checkpoint.halves(self.q, self.HEADS), 0.05)):
            entry = head[f"{name}.weight"]
            first, end = (8 + length + at for at in entry["data_offsets"])
            bits = numpy.frombuffer(data[first:end], "<u2").astype(numpy.uint32) << 16
            self.assertEqual(entry["shape"], list(wanted.shape))
            self.assertLess(abs(bits.view(numpy.float32) - wanted.ravel()).max(), error)
        self.assertEqual(len(data), 8 + length + 2 * (self.q.size + self.embedding.size))

    def test_tokenizer_is_one(self):
        checkpoint.convert(self.write(), self.path / "out")
        made = tokenizers.Tokenizer.from_file(str(self.path / "out/tokenizer.json"))
        ids = made.encode("ab ab11!").ids
        self.assertEqual(ids, [0, 3, 5, 6, 6, 7])
        self.assertEqual(made.decode(ids), "ab ab11!")

    def test_what_is_not_understood_is_refused(self):
        model = self.write(expert_count=4)
        with self.assertRaises(checkpoint.Refused):
            checkpoint.convert(model, self.path / "out")
        self.assertFalse((self.path / "out").exists())


if __name__ == "__main__":
    unittest.main()
