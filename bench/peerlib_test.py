#!/usr/bin/env python3
"""Tests of bench/peers.py, bench/peerlib and bench/roofline.py.

    peerlib_test.py [--hearth BINARY] [unittest's own words]

peerlib/stand_in.py plays the other programs and writes down which figures it gave. Ours is the real
program, on a tiny checkpoint that is put into a GGUF file here. Figures are worked out again by
hand or by Python's `statistics`, pictures are read by its XML parser.
"""
import argparse
import contextlib
import io
import json
import os
import pathlib
import re
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import types
import unittest
import xml.etree.ElementTree
from unittest import mock

BENCH = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(BENCH))

import peers  # noqa: E402 (the path comes first)
import roofline  # noqa: E402
from peerlib import parts, programs, tables  # noqa: E402
from servelib import checkpoint  # noqa: E402

HEARTH = BENCH.parent / "build/release/hearth"
TINY = BENCH.parent / "tests/data/models/llama"
PROMPT, GEN, DEPTH = 8, 4, 16  # of the tiny runs


def fake(folder, name):
    path = folder / name
    path.write_text(f"#!{sys.executable} -S\n" + (BENCH / "peerlib/stand_in.py").read_text())
    path.chmod(0o755)
    return path


def log_of(folder):
    return [json.loads(line) for line in (folder / "calls.jsonl").read_text().splitlines()]


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name)


def options_of(**more):
    known = dict(parts=["prompt", "generation"], prompt=512, gen=128, batches=[1, 4], depth=100,
                 threads=2, llama_perplexity=None, text=None)
    return types.SimpleNamespace(**known | more)


class Parts(unittest.TestCase):
    def test_labels_of_every_part(self):
        for part, expected in (
                ("prompt", ["prompt 512"]), ("generation", ["generate 128"]),
                ("batch", ["generate 128 x1", "generate 128 x4"]),
                ("depth", ["prompt 512 at 0", "generate 128 at 0", "prompt 512 at 100",
                           "generate 128 at 100"]),
                ("load", ["first token, s", "peak memory / file"]),
                ("busy", ["generate 128 1 thread, quiet", "generate 128 1 thread, a core taken",
                          "generate 128 2 threads, quiet",
                          "generate 128 2 threads, a core taken"])):
            rows = [row for job in parts.jobs_of(options_of(parts=[part]))
                    for row in self.rows(job)]
            self.assertEqual([row.label() for row in rows], expected)
            self.assertEqual(len(set(rows)), len(rows))
            self.assertEqual({row.less_is_better() for row in rows}, {part == "load"})

    def rows(self, job):
        program = mock.Mock()
        program.speed.return_value = {"prompt": 1, "generate": 1}
        program.batch.side_effect = lambda model, job, counts: dict.fromkeys(counts, 1)
        program.first_token.return_value = mock.Mock(seconds=1, peak_bytes=4)
        model = mock.Mock()
        model.stat.return_value.st_size = 2
        with mock.patch.object(parts, "busy_core", contextlib.nullcontext):
            return job.ask(program, model)

    def test_jobs(self):
        both, = parts.jobs_of(options_of())
        self.assertEqual((both.prompt, both.generate), (512, 128))
        everything = parts.jobs_of(options_of(parts=list(parts.PARTS)))
        self.assertEqual([j.part for j in everything],
                         ["speed", "batch", "depth", "depth", "load"] + ["busy"] * 4)
        self.assertEqual([(j.threads, j.busy) for j in everything[-4:]],
                         [(1, False), (1, True), (2, False), (2, True)])
        self.assertEqual(len(parts.jobs_of(options_of(parts=["busy"], threads=1))), 2)

    def test_load_is_seconds_and_a_multiple_of_the_file(self):
        self.assertEqual(list(self.rows(parts.Job("load", load=True)).values()), [1, 2])

    def test_base(self):
        row = parts.Row("depth", "generate", 128, depth=100, threads=2)
        self.assertEqual(row.base(), parts.Row("depth", "generate", 128, threads=2))
        self.assertEqual(row.base().base(), row.base())


def processor_seconds(pid):
    """User time of another process, as Linux tells it."""
    words = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(words[11]) / os.sysconf("SC_CLK_TCK")


class BusyCore(unittest.TestCase):
    def started(self):
        """What Popen starts, in a list, while the test runs."""
        found, popen = [], subprocess.Popen

        def start(*words, **more):
            found.append(popen(*words, **more))
            return found[-1]
        patch = mock.patch("subprocess.Popen", start)
        patch.start()
        self.addCleanup(patch.stop)
        return found

    def assert_gone(self, process):
        self.assertIsNotNone(process.returncode)
        self.assertRaises(ProcessLookupError, os.kill, process.pid, 0)

    @unittest.skipUnless(pathlib.Path("/proc/self/stat").exists(), "needs /proc")
    def test_it_takes_one_core_and_ends(self):
        found = self.started()
        with parts.busy_core():
            end = time.monotonic() + 30
            while processor_seconds(found[0].pid) < 0.3 and time.monotonic() < end:
                self.assertIsNone(found[0].poll())
                time.sleep(0.01)
            self.assertGreaterEqual(processor_seconds(found[0].pid), 0.3)
            self.assertEqual(os.sched_getaffinity(found[0].pid), {min(os.sched_getaffinity(0))})
        self.assertEqual(len(found), 1)
        self.assert_gone(found[0])

    def test_it_ends_when_the_block_raises(self):
        for reason in (KeyError, KeyboardInterrupt, SystemExit):
            found = self.started()
            program = mock.Mock()
            program.speed.side_effect = reason
            with self.assertRaises(reason):
                parts.Job("busy", 0, 4, busy=True).ask(program, None)
            self.assert_gone(found[0])

    def test_it_ends_when_we_are_killed(self):
        """It has our standard output too: that ends when both have ended."""
        script = ("import sys, time\n"
                  f"sys.dont_write_bytecode = True; sys.path.insert(0, {str(BENCH)!r})\n"
                  "from peerlib.parts import busy_core\n"
                  "with busy_core():\n"
                  "    print('busy', flush=True)\n"
                  "    time.sleep(600)\n")
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as child:
            self.assertEqual(child.stdout.readline(), b"busy\n")
            child.kill()
            self.assertTrue(select.select([child.stdout], [], [], 60)[0], "it still runs")
            self.assertEqual(child.stdout.read(), b"")

    def test_neighbours_are_others(self):
        """Neither we nor a child of ours that ended; another process's time is counted."""
        times = iter(([100, 0, 0, 0, 0, 0, 0, 0], [700, 0, 50, 9999, 0, 0, 0, 50]))
        usage = iter((0, 0, 3, 2))  # ours and our children's, before and after
        with mock.patch.object(pathlib.Path, "exists", return_value=True), \
                mock.patch.object(pathlib.Path, "read_text", lambda path: "cpu  " + " ".join(
                    map(str, next(times)))), \
                mock.patch.object(os, "sysconf", return_value=100), \
                mock.patch("resource.getrusage", lambda who: mock.Mock(ru_utime=next(usage),
                                                                       ru_stime=0)), \
                mock.patch("time.monotonic", mock.Mock(side_effect=[10, 12])):
            with parts.Neighbours() as others:
                pass
        self.assertAlmostEqual(others.cores, (7 - 3 - 2) / 2)


class LlamaBench(Folder):
    def bench(self, name="llama-bench", extra=(), **more):
        return programs.LlamaBench(fake(self.path, name), "llama.cpp", "default", list(extra),
                                   **more)

    def told(self):
        return log_of(self.path)[-1]["told"]

    def test_speed(self):
        bench = self.bench()
        self.assertEqual(bench.version(), "of an unknown build")
        for depth in (0, 5):
            found = bench.speed("m.gguf", parts.Job("depth", 8, 2, depth))
            (p, _, at, prompt), (_, n, _, generate) = self.told()
            self.assertEqual((p, n, at), (8, 2, depth))
            self.assertEqual(found, {"prompt": prompt, "generate": generate})
            self.assertGreater(prompt, generate)
        self.assertEqual(bench.version(), "0c1e570 (1)")

    def test_one_kind_alone(self):
        for job in (parts.Job("speed", 8, 0), parts.Job("busy", 0, 2)):
            found = job.ask(self.bench(), pathlib.Path("m.gguf"))
            self.assertEqual(list(found.values()), [self.told()[0][-1]])
            self.assertEqual([row.kind for row in found], ["prompt" if job.prompt else "generate"])

    def test_a_fork_without_depth(self):
        bench = self.bench("ik-bench", ["-rtr", 1])
        self.assertEqual(bench.speed("m.gguf", parts.Job("depth", 8, 2, 5)),
                         {"generate": self.told()[0][-1]})
        self.assertEqual(log_of(self.path)[-1]["given"]["-gp"], "5,2")
        self.assertEqual(set(bench.speed("m.gguf", parts.Job("depth", 8, 2, 0))),
                         {"prompt", "generate"})
        self.assertEqual(bench.version(), "8337e4cd3 (1)")
        bench.help = ""
        self.assertEqual(bench.speed("m.gguf", parts.Job("depth", 8, 2, 5)), {})

    def test_batch(self):
        bench = self.bench(batched=fake(self.path, "llama-batched-bench"))
        job = parts.Job("batch", 0, 300, batches=(1, 4))
        found = bench.batch("m.gguf", job, job.batches)
        self.assertEqual(found, {row[2]: row[-1] for row in self.told()})
        self.assertEqual(list(found), [1, 4])
        self.assertTrue(bench.answers(job))
        self.assertFalse(self.bench().answers(job))
        self.assertTrue(self.bench().answers(parts.Job("load", load=True)))

    def test_first_token_is_without_warming_up(self):
        for name, flag in (("llama-bench", "--no-warmup"), ("ik-bench", "-w")):
            bench = self.bench(name)
            done = bench.first_token("m.gguf", 2)
            given = log_of(self.path)[-1]["given"]
            self.assertIn(flag, given)
            self.assertEqual((given["-p"], given["-n"]), ("1", "0"))
            self.assertGreater(done.seconds, 0)
            self.assertNotIn("unknown", bench.version())

    def test_both_settings_of_those_that_have_them(self):
        options = types.SimpleNamespace(llama_bench=fake(self.path, "llama-bench"),
                                        llama_batched_bench=fake(self.path, "llama-batched-bench"),
                                        ik_bench=fake(self.path, "ik-bench"))
        found = programs.rival_programs(options)
        self.assertEqual([(p.rival, p.setting) for p in found],
                         [("llama.cpp", "default"), ("llama.cpp", "no repack"),
                          ("ik_llama.cpp", "default"), ("ik_llama.cpp", "repacked")])
        job = parts.Job("batch", 0, 2, batches=(1,))
        plain, without = (p.batch("m.gguf", job, job.batches)[1] for p in found[:2])
        self.assertGreater(without, plain)
        for p in found:
            p.speed("m.gguf", parts.Job("speed", 8, 2))
        self.assertEqual([e["given"].get("--repack", e["given"].get("-rtr"))
                          for e in log_of(self.path)[2:]], [None, "0", None, "1"])

    def test_what_is_not_understood_is_shown(self):
        for said in ("", "no list", "[\n]", "[\n", '[\n{"avg_ts": 1}\n]', "[\n1\n]"):
            path = self.path / "other"
            path.write_text(f"#!{sys.executable}\nprint({said!r})")
            path.chmod(0o755)
            bench = programs.LlamaBench(path, "x", "default", [], path)
            for ask in (lambda: bench.speed("m", parts.Job("speed", 8, 2)),
                        lambda: bench.first_token("m", 1),
                        lambda: bench.batch("m", parts.Job("batch", 0, 2), (1, 2))):
                with self.assertRaisesRegex(SystemExit, "other: what it prints is not understood"):
                    ask()

    def test_what_does_not_start(self):
        path = self.path / "text"
        path.write_bytes(b"\0no program")
        path.chmod(0o755)
        with self.assertRaisesRegex(SystemExit, "text does not start"):
            programs.LlamaBench(path, "x", "default", [])
        with self.assertRaisesRegex(SystemExit, "text does not start"):
            programs.run(path)


class Run(unittest.TestCase):
    def test_peak_memory_is_the_child_s(self):
        done = programs.run(sys.executable, "-S", "-c",
                            "import sys; a = b'x' * (100 << 20); print('out'); "
                            "print('err', file=sys.stderr)")
        self.assertEqual((done.stdout, done.stderr), ("out\n", "err\n"))
        self.assertGreater(done.peak_bytes, 100 << 20)
        self.assertLess(done.peak_bytes, 160 << 20)

    def test_a_failure_is_told(self):
        with self.assertRaisesRegex(SystemExit, "exit 3: why"):
            programs.run(sys.executable, "-S", "-c",
                         "import sys; print('why', file=sys.stderr); sys.exit(3)")


def program_named(rival, setting, reports=()):
    return types.SimpleNamespace(rival=rival, setting=setting, reports=list(reports))


class Tables(unittest.TestCase):
    GENERATE = parts.Row("speed", "generate", 128, threads=2)
    MODEL = pathlib.Path("folder/m.gguf")

    def setUp(self):
        self.ours = program_named(None, "high")
        self.slow, self.good = program_named("peer", "slow"), program_named("peer", "good")
        self.figures = tables.Figures([self.ours, self.slow, self.good])

    def add(self, program, values, row=GENERATE):
        for value in values:
            self.figures.add(self.MODEL, program, row, value)

    def cells(self):
        head, rows = tables.table_rows(self.figures)
        self.assertEqual({len(r) for r in rows}, {len(head)})
        return [dict(zip(head, row)) for row in rows]

    def test_medians_ratios_and_the_better_setting(self):
        ours, slow, good = [20, 60, 30], [1, 2, 90], [10, 20, 40]
        self.add(self.ours, ours)
        self.add(self.slow, slow)
        self.add(self.good, good)
        ratios = [a / b for a, b in zip(ours, good)]
        self.assertEqual(self.cells(), [{
            "model": "m.gguf", "what": "generate 128", "precision": "high", "Hearth": "30.0",
            "min-max": "20.0-60.0", "peer": "20.0 good, 2.00 slow",
            "ratio (min-max)": f"{statistics.median(ratios):.2f} (0.75-3.00)"}])
        self.assertEqual(statistics.median(ratios), 2)

    def test_less_is_better_for_load(self):
        row = parts.Row("load", "first token", threads=2)
        self.add(self.ours, [1, 2, 4], row)
        self.add(self.slow, [9, 9, 9], row)
        self.add(self.good, [3, 3, 2], row)
        cells, = self.cells()
        self.assertEqual((cells["peer"], cells["ratio (min-max)"], cells["what"]),
                         ("3.00 good, 9.00 slow", "1.50 (0.50-3.00)", "first token, s"))

    def test_multiples_of_the_base_in_the_same_round(self):
        for batch, ours, good in ((1, [10, 20, 40], [10, 10, 10]), (4, [30, 20, 80], [20, 40, 30])):
            row = parts.Row("batch", "generate", 128, batch, threads=2)
            self.add(self.ours, ours, row)
            self.add(self.good, good, row)
        head, rows = tables.table_rows(self.figures)
        self.assertEqual(head, ["model", "what", "precision", "Hearth", "min-max", "of base",
                                "peer", "of base", "ratio (min-max)"])
        self.assertEqual([(r[5], r[7]) for r in rows], [("", ""), ("2.00x", "3.00x")])

    def test_a_run_that_was_stopped(self):
        """The other program's last round is missing, or all of them are."""
        self.add(self.ours, [10, 20])
        self.add(self.good, [10])
        self.assertEqual(self.cells()[0]["ratio (min-max)"], "1.00 (1.00-1.00)")
        self.add(self.ours, [5], parts.Row("busy", "generate", 128, threads=2))
        self.assertEqual(self.cells()[1]["peer"], "–")

    def test_empty_columns_are_left_out(self):
        self.add(self.ours, [1])
        self.assertEqual(list(self.cells()[0]), ["model", "what", "precision", "Hearth", "min-max"])

    def report(self, threads=2, busy=False, compute="int8x2", bandwidth=20, **more):
        step = {"weight_bytes": 4e9, "cache_bytes": 1e9, "operations": 8e9}
        return {"model": str(self.MODEL), "threads": threads, "busy": busy, "compute": compute,
                "limits": {"read_gb_s": bandwidth, "int8_tops": 2, "bf16_tflops": 1,
                           "f32_tflops": 0.25},
                "prefill": {"tokens": 512, "depth": 0,
                            "step": dict(step, operations=4e12)},
                "decode": [{"batch": 1, "tokens": 128, "depth": 0, "step": step},
                           {"batch": 4, "tokens": 128, "depth": 0, "step": step}], **more}

    def limit(self, *reports, **row):
        row = parts.Row(**dict(vars(self.GENERATE), **row))
        return tables.limit_of(reports, str(self.MODEL), row)

    def test_limit_of_generation_is_bandwidth(self):
        self.assertAlmostEqual(self.limit(self.report()), 20 / 4)
        self.assertAlmostEqual(self.limit(self.report(), batch=4), 4 * 20 / 4)
        deep = self.report()
        deep["decode"][0]["depth"] = 100
        self.assertAlmostEqual(self.limit(deep, depth=100), 20 / (4 + 1))

    def test_limit_of_a_prompt_is_arithmetic(self):
        for compute, seconds in (("int8x2", 4 / 2 * 1.25), ("int8", 4 / 2), ("bf16", 4 / 1),
                                 ("f32", 4 / 0.25), ("unheard of", 4 / 20)):
            self.assertAlmostEqual(self.limit(self.report(compute=compute), kind="prompt",
                                              tokens=512), 512 / seconds)

    def test_limits_are_medians_of_quiet_runs_with_these_threads(self):
        reports = [self.report(bandwidth=b) for b in (10, 20, 90)]
        reports += [self.report(bandwidth=1, busy=True), self.report(bandwidth=1, threads=1)] * 3
        self.assertEqual(tables.limits_of(reports, 2)["read_gb_s"], 20)
        self.assertAlmostEqual(self.limit(*reports), 5)
        self.assertEqual(tables.limits_of([], 2), {})

    def test_no_limit(self):
        self.assertIsNone(self.limit())
        for row in (dict(busy=True), dict(part="load"), dict(tokens=64), dict(depth=7),
                    dict(batch=16), dict(threads=1)):
            self.assertIsNone(self.limit(self.report(), **row))
        without = self.report()
        del without["decode"][0]["step"]
        self.assertIsNone(self.limit(without))

    def test_share_of_the_limit(self):
        self.ours.reports.append(self.report())
        self.add(self.ours, [3, 4, 4.5])
        self.assertEqual(self.cells()[0]["of limit"], "80%")

    def test_numbers(self):
        self.assertEqual([tables.number(v) for v in (0.123, 9.5, 10, 1234.56)],
                         ["0.12", "9.50", "10.0", "1234.6"])

    def test_markdown(self):
        self.assertEqual(tables.markdown(["a", "bcd"], [["ef", "g"]]),
                         "| a  | bcd |\n|----|-----|\n| ef | g   |")

    def test_json_has_every_round(self):
        self.add(self.good, [3, 1, 2])
        found, = json.loads(json.dumps(tables.as_json(self.figures)))
        self.assertEqual((found["values"], found["median"], found["program"], found["setting"]),
                         ([3, 1, 2], 2, "peer", "good"))
        self.assertEqual(parts.Row(**{k: found[k] for k in vars(self.GENERATE)}), self.GENERATE)


def gguf_value(value):
    """Type and bytes of one value, as GGUF's specification has them."""
    if isinstance(value, str):
        data = value.encode()
        return 8, struct.pack("<Q", len(data)) + data
    if isinstance(value, list):
        items = [gguf_value(v) for v in value]
        return 9, struct.pack("<IQ", items[0][0], len(items)) + b"".join(d for _, d in items)
    if isinstance(value, float):
        return 6, struct.pack("<f", value)
    return 4, struct.pack("<I", value)


def metadata_of(folder):
    config = json.loads((folder / "config.json").read_text())
    words = json.loads((folder / "tokenizer.json").read_text())["model"]
    keys = {"block_count": "num_hidden_layers", "context_length": "max_position_embeddings",
            "embedding_length": "hidden_size", "feed_forward_length": "intermediate_size",
            "attention.head_count": "num_attention_heads",
            "attention.head_count_kv": "num_key_value_heads",
            "attention.layer_norm_rms_epsilon": "rms_norm_eps"}
    found = {"general.architecture": "llama", "general.alignment": 32}
    found |= {f"llama.{key}": config[theirs] for key, theirs in keys.items()}
    return config, found | {
        "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": sorted(words["vocab"], key=words["vocab"].get),
        "tokenizer.ggml.merges": [" ".join(pair) for pair in words["merges"]],
        "tokenizer.ggml.bos_token_id": 0, "tokenizer.ggml.eos_token_id": 1}


def write_gguf(folder, path):
    """The weights of a checkpoint in float32 as GGUF. Rows of query and key stay in their order,
    so that it computes as much, but not the same."""
    config, metadata = metadata_of(folder)
    data = (folder / "model.safetensors").read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    tensors = json.loads(data[8:start])
    names = ["token_embd", "output_norm", "output"]
    names += [f"blk.{layer}.{name}" for layer in range(config["num_hidden_layers"])
              for name in ("attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_norm",
                           "ffn_gate", "ffn_up", "ffn_down")]
    head = b"GGUF" + struct.pack("<IQQ", 3, len(names), len(metadata))
    for key, value in metadata.items():
        kind, content = gguf_value(value)
        head += gguf_value(key)[1] + struct.pack("<I", kind) + content
    body = b""
    for name in (f"{n}.weight" for n in names):
        entry = tensors[checkpoint.their_name(name)]
        shape, (first, end) = entry["shape"], entry["data_offsets"]
        head += gguf_value(name)[1] + struct.pack(f"<I{len(shape)}Q", len(shape), *shape[::-1])
        head += struct.pack("<IQ", 0, len(body))
        body += data[start + first:start + end] + bytes(-(end - first) % 32)
    path.write_bytes(head + bytes(-len(head) % 32) + body)
    return path


class Whole(Folder):
    """peers.py as users run it, and roofline.py on what it wrote."""

    def setUp(self):
        super().setUp()
        if not HEARTH.exists():
            self.skipTest(f"{HEARTH} is not built")
        self.model = write_gguf(TINY, self.path / "tiny.gguf")
        for name in ("llama-bench", "llama-batched-bench", "ik-bench"):
            fake(self.path, name)

    def peers(self, *words, **variables):
        words = ["tiny.gguf", "--hearth", HEARTH, "--threads", 1, "--prompt", PROMPT, "--gen", GEN,
                 "--depth", DEPTH, "--batches", "1,2", *words]
        return self.script("peers.py", *words, **variables)

    def script(self, name, *words, **variables):
        return subprocess.run([sys.executable, BENCH / name, *map(str, words)], text=True,
                              cwd=self.path, capture_output=True,
                              env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"} | variables,
                              stdin=subprocess.DEVNULL)

    def table(self, text):
        lines = [[c.strip() for c in line.strip("|").split("|")] for line in text.splitlines()
                 if line.startswith("|")]
        return lines[0], lines[2:]

    def test_all_parts(self):
        done = self.peers("--parts", ",".join(parts.PARTS), "--rounds", 2, "--json", "out.json",
                          "--llama-bench", "llama-bench", "--llama-batched-bench",
                          "llama-batched-bench", "--ik-bench", "ik-bench", "--note", "A note.")
        self.assertEqual(done.returncode, 0, done.stderr)
        content = json.loads((self.path / "out.json").read_text())
        self.assertIn("medians of 2 interleaved rounds", done.stdout)
        self.assertIn("llama.cpp 0c1e570 (1), ik_llama.cpp 8337e4cd3 (1). A note.", done.stdout)
        self.check_json(content)
        self.check_table(*self.table(done.stdout), content["figures"])
        self.check_picture(content)

    def check_json(self, content):
        self.assertEqual(content["rounds"], 2)
        figures = content["figures"]
        for f in figures:
            self.assertEqual(len(f["values"]), 2)
            self.assertAlmostEqual(f["median"], statistics.median(f["values"]))
            self.assertGreater(min(f["values"]), 0)
        told = sorted(row[-1] for entry in log_of(self.path) for row in entry["told"]
                      if entry["given"].get("-p") != "1")
        kept = sorted(v for f in figures if f["program"] != "Hearth" and f["part"] != "load"
                      for v in f["values"])
        self.assertEqual(kept, told)
        ours = [f["label"] for f in figures if f["program"] == "Hearth"]
        self.assertEqual(ours, [
            "prompt 8", "generate 4", "generate 4 x1", "generate 4 x2", "prompt 8 at 0",
            "generate 4 at 0", "prompt 8 at 16", "generate 4 at 16", "first token, s",
            "peak memory / file", "generate 4 1 thread, quiet",
            "generate 4 1 thread, a core taken"])
        self.assertEqual(sum(r["busy"] for r in content["hearth"]), 2)
        self.assertEqual({r["model"] for r in content["hearth"]}, {"tiny.gguf"})

    def check_table(self, head, rows, figures):
        """Each cell from the values in the JSON."""
        self.assertEqual(head, ["model", "what", "precision", "Hearth", "min-max", "of limit",
                                "of base", "llama.cpp", "of base", "ratio (min-max)",
                                "ik_llama.cpp", "of base", "ratio (min-max)"])
        ours = [f for f in figures if f["program"] == "Hearth"]
        self.assertEqual([r[1] for r in rows], [f["label"] for f in ours])
        for row, f in zip(rows, ours):
            with self.subTest(f["label"]):
                self.assert_close(row[3], f["median"])
                for cell, value in zip(row[4].split("-"), sorted(f["values"])):
                    self.assert_close(cell, value)
                self.assertEqual(row[5] != "", f["part"] != "load" and not f["busy"])
                self.check_rival(row[7], row[9], f, "llama.cpp", figures)
                self.check_rival(row[10], row[12], f, "ik_llama.cpp", figures)

    def check_rival(self, cell, ratio, ours, rival, figures):
        known = [f for f in figures if f["program"] == rival and f["label"] == ours["label"]]
        known.sort(key=lambda f: f["median"], reverse=ours["part"] != "load")
        if not known:
            self.assertEqual((cell, ratio), ("–", "–"))
            self.assertEqual(rival, "ik_llama.cpp")
            self.assertIn(ours["label"], ("generate 4 x1", "generate 4 x2", "prompt 8 at 16"))
            return
        if ours["part"] != "load":
            self.assertEqual([f["setting"] for f in known],
                             ["no repack", "default"] if rival == "llama.cpp"
                             else ["default", "repacked"])
        for words, f in zip(cell.split(", "), known, strict=True):
            value, setting = words.split(" ", 1)
            self.assertEqual(setting, f["setting"])
            self.assert_close(value, f["median"])
        ratios = [b / a if ours["part"] == "load" else a / b
                  for a, b in zip(ours["values"], known[0]["values"], strict=True)]
        found = [float(w) for w in re.fullmatch(r"(\S+) \((\S+)-(\S+)\)", ratio).groups()]
        for cell, value in zip(found, (statistics.median(ratios), min(ratios), max(ratios))):
            self.assertAlmostEqual(cell, value, delta=0.0051)

    def assert_close(self, cell, value):
        self.assertAlmostEqual(float(cell), value, delta=0.051 if value >= 9.99 else 0.0051)

    def check_picture(self, content):
        """With and without the other programs; a file of hearth bench is drawn too."""
        alone = {name for _, name in self.drawn("out.json")}
        self.assertEqual(len(alone), 5)  # prompt and generation, both at a depth, two side by side
        both = self.drawn("out.json", "--rivals", "--threads", 1, "--precision", "high")
        names = [name for _, name in both]
        self.assertEqual(len(both), 5 + 5 + 3)
        self.assertEqual(len(set(names)), len(both))
        self.assertLessEqual(alone, set(names))
        for program, setting in (("llama.cpp", "no repack"), ("ik_llama.cpp", "default")):
            rates = [v for f in content["figures"] for v in f["values"]
                     if (f["program"], f["setting"]) == (program, setting) and not f["busy"]
                     and (f["kind"], f["depth"], f["batch"]) == ("generate", 0, 1)]
            self.assertTrue(any(n.startswith(f"tiny.gguf, {program}: generate 4: "
                                             f"{statistics.median(rates):.1f} tokens/s")
                                for n in names), names)
        (self.path / "one.json").write_text(json.dumps(content["hearth"][0]))
        self.assertEqual(len(self.drawn("one.json")), 2)

    def drawn(self, *words):
        """[((x, y), title)] of the points, which lie inside the axes."""
        done = self.script("roofline.py", *words, "-o", "out.svg")
        self.assertEqual(done.returncode, 0, done.stderr)
        return points_in((self.path / "out.svg").read_text(), self)

    def test_a_program_that_fails_or_prints_something_else(self):
        """What was measured before is printed and written. (--help is no call.)"""
        for variables, expected in (({"STAND_IN_FAILS": "2"}, "failed to load model 'x'"),
                                    ({"STAND_IN_BABBLES": "2"}, "Segmentation of the market")):
            (self.path / "calls.jsonl").unlink(missing_ok=True)
            (self.path / "results.json").unlink(missing_ok=True)
            done = self.peers("--llama-bench", "llama-bench", "--json", "results.json", "--rounds",
                              2, **variables)
            self.assertEqual(done.returncode, 1)
            self.assertIn(expected, done.stderr)
            self.assertNotIn("Traceback", done.stderr)
            head, rows = self.table(done.stdout)
            self.assertEqual([r[1] for r in rows], ["prompt 8", "generate 4"])
            figures = json.loads((self.path / "results.json").read_text())["figures"]
            self.assertEqual([(f["program"], f["setting"]) for f in figures[::2]],
                             [("Hearth", "high"), ("llama.cpp", "default")])

    def test_hearth_fails(self):
        done = self.peers("--prompt", 1000)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("exceed the model's context of 256", done.stderr)
        self.assertNotIn("Traceback", done.stderr)

    def test_bad_arguments(self):
        for words, expected in (
                (["--parts", "prompt,speed"], "'speed' is none of prompt, generation, batch"),
                (["--precision", "low"], "'low' is none of exact, high, fast"),
                (["--batches", "4,8"], "4,8 has no 1"), (["--batches", "1,x"], "'x' is no number"),
                (["--rounds", "0"], "'0' is no number from 1 on"),
                (["--gen", "-1"], "'-1' is no number from 1 on"),
                (["--llama-bench", "tiny.gguf"], "tiny.gguf is no program"),
                (["--llama-batched-bench", "llama-batched-bench"], "goes with --llama-bench"),
                (["--text", "tiny.gguf"], "--llama-perplexity and --text go together"),
                (["--json", "nowhere/out.json"], "nowhere/out.json cannot be written"),
                (["nothing.gguf"], "there is no file nothing.gguf")):
            with self.subTest(words):
                text = io.StringIO()
                with mock.patch.object(sys, "argv", ["peers.py", "tiny.gguf", *words,
                                                     "--hearth", str(HEARTH)]), \
                        contextlib.redirect_stderr(text), contextlib.chdir(self.path), \
                        self.assertRaises(SystemExit) as end:
                    peers.parse_arguments()
                self.assertEqual(end.exception.code, 2)
                self.assertIn(expected, text.getvalue())


def points_in(text, test):
    tag = "{http://www.w3.org/2000/svg}"
    root = xml.etree.ElementTree.fromstring(text)
    found = []
    for element in root:
        title = element.find(f"{tag}title")
        if title is None:
            continue
        if element.tag == f"{tag}circle":
            place = element.get("cx"), element.get("cy")
        elif element.tag == f"{tag}rect":
            place = (float(element.get(side)) + 4 for side in "xy")
        else:
            x, y = re.match(r"M(\S+) (\S+?)l", element.get("d")).groups()
            place = x, float(y) + 5.5
        x, y = map(float, place)
        test.assertTrue(roofline.LEFT < x < roofline.WIDTH - roofline.RIGHT, title.text)
        test.assertTrue(roofline.TOP < y < roofline.HEIGHT - roofline.BOTTOM, title.text)
        found.append(((x, y), title.text))
    return found


class Rounds(Folder):
    """In which order who is asked, and what happens when others take the machine."""

    def setUp(self):
        super().setUp()
        self.model, self.asked = self.path / "m.gguf", []
        self.model.write_bytes(b"x")

    def program(self, name):
        program = program_named(None, name)
        program.answers = lambda job: True

        def speed(model, job):
            self.asked.append(name)
            program.reports.append(len(self.asked))
            return {"prompt": len(self.asked), "generate": 1}
        program.speed = speed
        return program

    def measure(self, names, cores, **more):
        """`cores`: what the neighbours take, one run after another, then nothing."""
        found = [self.program(name) for name in names]
        figures = tables.Figures(found)
        taken = iter(cores)
        with mock.patch.object(peers.Neighbours, "__exit__", lambda others, *_: setattr(
                others, "cores", next(taken, 0))), contextlib.redirect_stderr(io.StringIO()), \
                mock.patch("time.sleep"):
            peers.measure(options_of(models=[self.model], **more), found, figures)
        return found, figures

    def test_each_round_starts_with_another(self):
        self.measure("abc", [], rounds=4, patience=0)
        self.assertEqual("".join(self.asked), "abc" "bca" "cab" "abc")

    def test_a_disturbed_run_is_asked_again(self):
        """Twice too much; before each run there is a look at the quiet machine."""
        (ours,), figures = self.measure("a", [0, 0.5, 0, 0.5, 0, 0.05], rounds=1, patience=60)
        self.assertEqual(self.asked, ["a"] * 3)
        self.assertEqual(ours.reports, [3])
        self.assertEqual(figures.of(self.model, ours, parts.Row("speed", "prompt", 512, threads=2)),
                         [3])
        self.assertEqual(figures.disturbed, 0)

    def test_without_patience_it_is_counted(self):
        (ours,), figures = self.measure("a", [0.5, 0, 0.2], rounds=3, patience=0)
        self.assertEqual((ours.reports, figures.disturbed), ([1, 2, 3], 2))


class Record(Folder):
    """What is kept when something goes wrong late, and what --append writes."""

    def record(self, **more):
        program = program_named(None, "high")
        program.version, program.answers = lambda: "0.1", lambda job: True
        program.speed = mock.Mock(side_effect=[{"generate": 1.0}, {"generate": 3.0}])
        program.perplexity = lambda *_: 9.1
        options = options_of(models=[self.path / "m.gguf"], rounds=2, note="", append=True,
                             json=self.path / "out.json", patience=0, **more)
        options.models[0].write_bytes(b"x")
        (self.path / "bench").mkdir()
        (self.path / "bench/RESULTS.md").write_text("# Results\n")
        said = io.StringIO()
        with mock.patch.object(peers, "ROOT", self.path), contextlib.redirect_stdout(said), \
                contextlib.redirect_stderr(io.StringIO()):
            try:
                peers.record(options, [program], peers.measure, peers.report_text, peers.json_of)
            finally:
                self.said = said.getvalue()
                self.json = json.loads((self.path / "out.json").read_text())
                self.kept = (self.path / "bench/RESULTS.md").read_text()

    def perplexity(self, script):
        path = self.path / "llama-perplexity"
        path.write_text(f"#!{sys.executable} -S\nimport sys\n{script}\n")
        path.chmod(0o755)
        return {"llama_perplexity": path, "text": pathlib.Path("wiki.txt"), "chunks": 20}

    def test_append(self):
        self.record()
        self.assertEqual(self.kept, "# Results\n\n" + self.said)
        self.assertIn("| m.gguf | generate 128 | high      | 2.00   | 1.00-3.00 |", self.said)

    def test_perplexity_that_fails_takes_nothing_along(self):
        with self.assertRaisesRegex(SystemExit, "exit 1: too short"):
            self.record(**self.perplexity("sys.exit('too short')"))
        self.assertIn("1.00-3.00", self.said)
        self.assertEqual(self.json["figures"][0]["values"], [1, 3])
        self.assertEqual(self.kept, "# Results\n")

    def test_perplexity_is_another_table(self):
        self.record(**self.perplexity("print('Final estimate: PPL = 9.2000 +/- 0.1')"))
        self.assertIn("Perplexity, wiki.txt, 512 tokens, 20 windows:", self.said)
        self.assertIn("| m.gguf | high      | 9.100  | 9.2000    |", self.said)


class Roofline(Folder):
    def report(self, rate=50, **more):
        def test(tokens, rate, operations, **keys):
            return {"tokens": tokens, "depth": 0, "tps": {"median": rate},
                    "step": {"weight_bytes": 90, "cache_bytes": 10, "operations": operations},
                    **keys}
        return {"model": "somewhere/m<&>.gguf", "precision": "high", "threads": 2,
                "limits": {"read_gb_s": 20, "int8_tops": 1, "bf16_tflops": 0.5,
                           "f32_tflops": 0.25},
                "prefill": test(8, 400, 16000), "decode": [test(4, rate, 200, batch=1),
                                                           test(4, 80, 400, batch=2)], **more}

    def figure(self, **more):
        return {"program": "peer", "model": "m<&>.gguf", "kind": "generate", "tokens": 4,
                "batch": 1, "depth": 0, "busy": False, "threads": 2, "setting": "a",
                "values": [10], "median": 10, **more}

    def test_places(self):
        """Operations a byte across; operations a token times tokens a second upwards."""
        found = roofline.points_of([self.report(r) for r in (50, 10, 60)])
        row = ("m<&>.gguf", "high")
        self.assertEqual(found, {(*row, "prompt", 8, 1, 0): (160, 400 * 2000 / 1e9, 400),
                                 (*row, "generate", 4, 1, 0): (2, 50 * 200 / 1e9, 50),
                                 (*row, "generate", 4, 2, 0): (4, 80 * 200 / 1e9, 80)})

    def test_rivals_have_our_place_and_their_better_setting(self):
        """A setting's figure is the median over all parts that measured the same, as ours is."""
        points = roofline.points_of([self.report()])
        figures = [self.figure(values=[90, 90, 10, 10, 10]), self.figure(values=[11, 11, 11, 1]),
                   self.figure(setting="b", values=[25]), self.figure(busy=True, values=[99]),
                   self.figure(tokens=5, values=[99]), self.figure(program="Hearth", values=[99])]
        x, y, rate = points[("m<&>.gguf", "high", "generate", 4, 1, 0)]
        found = roofline.rival_points(figures, points)
        self.assertEqual(found, {("m<&>.gguf", "peer", "generate", 4, 1, 0): (x, y / 2, 25)})

    def test_axes_are_logarithmic_and_hold_everything(self):
        limits = self.report()["limits"]
        plane = roofline.Plane([(2, 10, 0), (160, 800, 0)], limits)
        self.assertAlmostEqual(plane.x(40) - plane.x(20), plane.x(4) - plane.x(2))
        self.assertAlmostEqual(plane.y(20) - plane.y(40), plane.y(200) - plane.y(400))
        self.assertAlmostEqual(plane.x(plane.x1), roofline.WIDTH - roofline.RIGHT)
        self.assertAlmostEqual(plane.y(plane.y1), roofline.TOP)
        for value in (1, 1000 / 20):
            self.assertTrue(plane.x0 < value < plane.x1)
        for value in (10, 20, 1000):
            self.assertTrue(plane.y0 < value < plane.y1)

    def test_ticks(self):
        self.assertEqual(roofline.ticks(0.8, 12), [1, 2, 5, 10])
        self.assertEqual(roofline.ticks(1, 100), [1, 2, 5, 10, 20, 50, 100])
        self.assertEqual(roofline.ticks(0.5, 5e4), [1, 10, 100, 1000, 10000])

    def draw(self, content, *words):
        (self.path / "in.json").write_text(json.dumps(content))
        with mock.patch.object(sys, "argv", ["roofline.py", str(self.path / "in.json"), "-o",
                                             str(self.path / "out.svg"), *words]):
            roofline.main()
        return points_in((self.path / "out.svg").read_text(), self)

    def test_names_are_escaped_and_shapes_tell_the_test(self):
        points = self.draw(self.report())
        self.assertEqual(sorted(title.split(":")[1] for _, title in points),
                         [" generate 4", " generate 4 x2", " prompt 8"])
        self.assertTrue(all(title.startswith("m<&>.gguf, high: ") for _, title in points))
        text = (self.path / "out.svg").read_text()
        self.assertEqual([len(re.findall(shape, text)) for shape in ("<circle", "<rect", "l5 9")],
                         [1 + 2, 1 + 1, 1 + 1])  # with the legend's: the model, and each shape

    def test_far_points_lie_inside(self):
        for rate in (1e-3, 1e9):
            figures = [self.figure(values=[rate])]
            self.assertEqual(len(self.draw({"hearth": [self.report()], "figures": figures},
                                           "--rivals")), 4)

    def test_only_these_threads_and_this_precision(self):
        content = {"hearth": [self.report(), self.report(threads=1),
                              self.report(rate=1, busy=True), self.report(precision="fast")],
                   "figures": []}
        points = self.draw(content)
        self.assertEqual(len(points), 6)
        self.assertEqual(sum("generate 4: 50.0 tokens/s" in title for _, title in points), 2)
        self.assertEqual(len(self.draw(content, "--precision", "fast")), 3)
        content["hearth"].append(self.report(model="other.gguf"))
        self.assertEqual(len(self.draw(content, "--models", "oth,none")), 3)
        self.assertEqual(len(self.draw(content, "--models", "oth,m<")), 9)
        content["hearth"].pop()
        content["figures"] = [self.figure(values=[25]), self.figure(threads=1, values=[99])]
        points = self.draw(content, "--threads", "1", "--rivals")
        self.assertEqual(len(points), 4)
        self.assertIn("peer: generate 4: 99.0 tokens/s", points[0][1])
        self.assertIn("peer: generate 4: 25.0 tokens/s", self.draw(content, "--rivals")[0][1])

    def test_what_cannot_be_drawn(self):
        without = self.report(decode=[])
        del without["prefill"]["step"]
        for content, words, expected in (
                (without, [], 'no run here has a "step": measure again'),
                (self.report(), ["--threads", "9"], "no run here .* with these threads"),
                (self.report(), ["--models", "other"], "no run here measures speed of these"),
                ({"hearth": [], "figures": []}, [], "no run here measures speed"),
                ({}, [], "in.json is neither from peers.py --json nor"), ):
            with self.subTest(expected), self.assertRaisesRegex(SystemExit, expected):
                self.draw(content, *words)
        self.assertFalse((self.path / "out.svg").exists())
        for name, data in (("none.json", None), ("cut.json", '{"hearth": [')):
            if data:
                (self.path / name).write_text(data)
            with self.assertRaisesRegex(SystemExit, name):
                roofline.reports_of([self.path / name])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--hearth", type=pathlib.Path, default=HEARTH)
    options, rest = parser.parse_known_args()
    HEARTH = options.hearth.absolute()
    unittest.main(argv=[sys.argv[0], *rest])
