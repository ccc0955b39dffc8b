"""The programs that are measured: how each is called and what of its output is a figure.

Every program has the same three questions, and answers(job) whether it knows one at all.

    speed(model, job)            {"prompt": tokens/s, "generate": tokens/s}
    batch(model, job, batches)   {rows: tokens/s of all rows}
    first_token(model, threads)  Done of a process that opens the model and makes one token

`rival` is the column of the table (None: ours), `setting` what tells its variants apart.
"""
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time


@dataclasses.dataclass
class Done:
    stdout: str
    stderr: str
    seconds: float
    peak_bytes: int


def run(*command):
    """Runs a program to its end; its clock time and peak resident memory are the child's own."""
    words = [str(c) for c in command]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        start = time.monotonic()
        try:
            child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        except OSError as reason:  # a script without its first line, another processor's program
            sys.exit(f"{words[0]} does not start: {reason.strerror}")
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.monotonic() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        done = Done(out.read(), err.read(), seconds, usage.ru_maxrss * 1024)
    if child.returncode != 0:
        sys.exit(f"{' '.join(words)}: exit {child.returncode}: {done.stderr[-500:]}")
    return done


def help_of(path):
    try:
        done = subprocess.run([str(path), "--help"], capture_output=True, text=True)
    except OSError as reason:
        sys.exit(f"{path} does not start: {reason.strerror}")
    return done.stdout + done.stderr


@contextlib.contextmanager
def understood(path, said):
    """Ends with what the program said where it is not what is read in this block."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError):
        sys.exit(f"{path}: what it prints is not understood: {said[:200].strip() or 'nothing'}")


class Hearth:
    rival = None

    def __init__(self, path, precision):
        self.path, self.setting = path, precision
        self.reports = []  # what `hearth bench --json` said, with "busy" added

    def answers(self, job):
        return True

    def bench(self, model, job, **options):
        words = [w for key, value in options.items() for w in (f"--{key}", value)]
        done = run(self.path, "bench", model, "--threads", job.threads, "--repeat", 1,
                   "--precision", self.setting, "--json", *words)
        with understood(self.path, done.stdout):
            report = json.loads(done.stdout) | {"busy": job.busy}
        self.reports.append(report)
        return report

    def speed(self, model, job):
        out = self.bench(model, job, prompt=job.prompt, gen=job.generate, depth=job.depth)
        return {"prompt": out["prefill"]["tps"]["median"],
                "generate": out["decode"][0]["tps"]["median"]}

    def batch(self, model, job, batches):
        out = self.bench(model, job, prompt=0, gen=job.generate,
                         batch=",".join(map(str, batches)))
        return {d["batch"]: d["tps"]["median"] for d in out["decode"]}

    def first_token(self, model, threads):
        return run(self.path, "generate", model, "--prompt", "x", "--raw", "--max-tokens", 1,
                   "--threads", threads, "--precision", self.setting)

    def perplexity(self, model, text, chunks, threads):
        return json.loads(run(self.path, "perplexity", model, text, "--ctx", 512, "--chunks",
                              chunks, "--precision", self.setting,
                              "--threads", threads).stdout)["ppl"]

    def version(self):
        return run(self.path, "--version").stdout.split()[-1]


class LlamaBench:
    """llama-bench of llama.cpp or of a fork; `batched` is the path of its llama-batched-bench."""

    def __init__(self, path, rival, setting, extra, batched=None, batched_extra=()):
        self.path, self.rival, self.setting, self.extra = path, rival, setting, extra
        self.batched, self.batched_extra = batched, batched_extra
        self.help = help_of(path)
        self.build = ""
        self.reports = []  # none: these do not measure the machine

    def answers(self, job):
        return not job.batches or self.batched is not None

    def rows(self, model, threads, *words):
        return self.rows_of(self.bench(model, threads, *words))

    def bench(self, model, threads, *words):
        return run(self.path, "-m", model, "-t", threads, "-r", 1, "-o", "json", *self.extra,
                   *words)

    def rows_of(self, done):
        with understood(self.path, done.stdout):
            start = re.search(r"^\[$", done.stdout, re.MULTILINE)  # forks say more before it
            rows = json.loads(done.stdout[start.start():])
            self.build = f"{rows[0]['build_commit']} ({rows[0]['build_number']})"
            return [{k: r[k] for k in ("n_prompt", "n_gen", "avg_ts")} for r in rows]

    def speed(self, model, job):
        if job.depth > 0 and "--n-depth" not in self.help:
            return self.generate_after_prompt(model, job)
        depth = ["-d", job.depth] if job.depth > 0 else []
        rows = self.rows(model, job.threads, "-p", job.prompt, "-n", job.generate, *depth)
        return {("generate" if r["n_gen"] else "prompt"): r["avg_ts"] for r in rows}

    def generate_after_prompt(self, model, job):
        """A fork without -d: generation at a depth, but no prompt at one."""
        if "-gp" not in self.help:
            return {}
        rows = self.rows(model, job.threads, "-p", 0, "-n", 0, "-gp",
                         f"{job.depth},{job.generate}")
        return {"generate": rows[-1]["avg_ts"]}

    def batch(self, model, job, batches):
        prompt, most = 8, max(batches)  # it insists on a prompt
        each = (prompt + job.generate + 255) // 256 * 256
        out = run(self.batched, "-m", model, "-t", job.threads, "-c", most * each, "-npp", prompt,
                  "-ntg", job.generate, "-npl", ",".join(map(str, batches)), "--output-format",
                  "jsonl", *self.batched_extra).stdout
        with understood(self.batched, out):
            rows = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
            found = {r["pl"]: r["speed_tg"] for r in rows}
            return {count: found[count] for count in batches}

    def first_token(self, model, threads):
        cold = ["--no-warmup"] if "--no-warmup" in self.help else ["-w", 0]
        done = self.bench(model, threads, "-p", 1, "-n", 0, *cold)
        self.rows_of(done)
        return done

    def version(self):
        return self.build or "of an unknown build"  # llama-batched-bench does not tell its own


def hearth_programs(options):
    return [Hearth(options.hearth, p) for p in options.precision]


def rival_programs(options):
    """Both settings of each rival where its program knows the flag."""
    found = []
    if options.llama_bench:
        batched = options.llama_batched_bench
        found.append(LlamaBench(options.llama_bench, "llama.cpp", "default", [], batched))
        if "--repack" in found[-1].help:
            found.append(LlamaBench(options.llama_bench, "llama.cpp", "no repack",
                                    ["--repack", 0], batched, ["--no-repack"]))
    if options.ik_bench:
        found.append(LlamaBench(options.ik_bench, "ik_llama.cpp", "default", []))
        if "--run-time-repack" in found[-1].help:
            found.append(LlamaBench(options.ik_bench, "ik_llama.cpp", "repacked", ["-rtr", 1]))
    return found


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown processor"
