#!/usr/bin/env python3
"""Measures Hearth's server beside llama.cpp's and vLLM's: the same models, one run, interleaved.

    serving.py MODEL.gguf... [--llama-server PATH] [--vllm PATH --vllm-model FOLDER]
               [--parts throughput,intrusion,...] [--precision high,fast] [--rounds 3]
               [--json FILE] [--append]

Servers are started here, on free ports, one at a time; Hearth's has a store of its own in a folder
that goes afterwards. Prompts are random tokens, no two alike. Each round asks every server once,
starting with another one each time. The table has medians over the rounds; a ratio is the median
over the rounds, with its least and greatest, above 1 in Hearth's favour; of several settings of a
rival the better one is named first and is the one in the ratio. vLLM reads no GGUF on a processor:
it gets the same weights as bf16 (servelib/checkpoint.py), and takes a minute or more to start.

    throughput  128 tokens read and 64 made by each request, --streams of them at once
    intrusion   four streams run, a prompt of 6,000 tokens comes and a short one behind it
    shared      32 requests at once that begin with the same 2,000 tokens
    overload    five times what it can do (--serve-flags "--parallel 16 --queue 16" bounds it soon)
    tenants     one request of a tenant beside 64 of another
    overhead    beside `hearth bench`; errors; /api/tags (with wrk); an idle process
    slow        --crowd streams of a tiny checkpoint, nine of ten read at 100 bytes a second
    models      two models answer while a third is loaded (three MODELs)
    soak        --minutes of mixed random load with clients that go away

The last six are about Hearth alone. "First token" is from the beginning of the connection to the
first text; "between tokens" is the time from one read of text to the next. Nothing is built here:
the paths are those of programs that are there. --append adds the table to bench/RESULTS.md.
"""
import argparse
import datetime
import pathlib
import shlex
import signal
import statistics
import sys

from peerlib.parts import Neighbours
from peerlib.programs import processor
from peerlib.tables import as_json, limits_of, markdown, number, spread, table_rows
from peers import NEIGHBOURS_MAX, ROOT, commit, file, list_of, program, record, versions, warm
from servelib import crowds, servers, soak, speed
from servelib.client import Stuck
from servelib.load import Failed

# Part: what makes its jobs, and whether it is asked for each model alone.
PARTS = {
    "throughput": (speed.throughput_jobs, True),
    "intrusion": (speed.intrusion_jobs, True),
    "shared": (speed.shared_jobs, True),
    "overhead": (speed.overhead_jobs, True),
    "overload": (crowds.overload_jobs, True),
    "tenants": (crowds.tenants_jobs, True),
    "slow": (crowds.slow_jobs, False),
    "models": (crowds.models_jobs, False),
    "soak": (soak.soak_jobs, False),
}


def jobs_of(options):
    """[(the model whose row it is, Job)] of a round."""
    found = []
    for model in options.models:
        for part in options.parts:
            make, each = PARTS[part]
            if each or model == options.models[0]:
                found += [(model if each else pathlib.Path("–"), job)
                          for job in make(options, model)]
    return found


def ask(options, job, program):
    """{Row: figure}; what went wrong is said and gives none."""
    try:
        with program.start(job.models, job.need) as server:
            return job.ask(server, program, options)
    except (Failed, Stuck, OSError) as error:
        print(f"{job.part}, {program.rival or 'Hearth'} {program.setting}: {error}",
              file=sys.stderr)
        options.failures += 1
        return {}


def measure(options, programs, figures):
    """All rounds, into `figures`."""
    for model in filter(pathlib.Path.is_file, options.models):
        warm(model)
    for i in range(options.rounds):
        turn = i % len(programs)
        for model in options.models:
            options.limits += [p.limits(model, options.threads)
                               for p in programs if p.rival is None][:1]
        for model, job in jobs_of(options):
            for program in programs[turn:] + programs[:turn]:
                if program.rival and not job.rivals:
                    continue
                with Neighbours() as others:
                    found = ask(options, job, program)
                figures.disturbed += others.cores >= NEIGHBOURS_MAX
                for row, value in found.items():
                    figures.add(model, program, row, value)
                told = "; ".join(f"{row.label()} {number(v)}" for row, v in found.items())
                print(f"{model.name} {job.part} {i + 1}/{options.rounds} "
                      f"{program.rival or 'Hearth'} {program.setting}: {told or 'nothing'}; "
                      f"others {others.cores:.2f} cores", file=sys.stderr, flush=True)


def rival_rows(figures):
    """[head, rows] where there is nothing to compare with: a column for each setting."""
    rows = []
    for model in figures.models():
        for row in figures.rows(model):
            values = [figures.of(model, p, row) for p in figures.programs]
            rows.append([model.name, row.label()] + [
                f"{number(statistics.median(v))} ({spread(v)})" if v else "–" for v in values])
    return ["model", "what"] + [p.setting for p in figures.programs], rows


def report_text(options, programs, figures):
    """The section for bench/RESULTS.md."""
    limits = limits_of([r | {"busy": False} for r in options.limits], options.threads)
    noise = (f" In {figures.disturbed} runs other processes took more than {NEIGHBOURS_MAX} cores."
             if figures.disturbed else "")
    return "\n".join([
        f"## {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}, {commit()}, serving: "
        f"{', '.join(options.parts)}", "",
        f"{processor()}, {options.threads} threads; medians of {options.rounds} interleaved "
        f"rounds. {', '.join(f'{k} {v}' for k, v in versions(programs).items())}. {options.note}",
        "",
        f"Limits measured in the same run: "
        f"{', '.join(f'{k} {v:.2f}' for k, v in limits.items()) or 'none'}.{noise}", "",
        markdown(*(table_rows if any(p.rival is None for p in programs) else rival_rows)(figures)),
        ""])


def json_of(options, programs, figures):
    return {"date": f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%dT%H:%M:%SZ}",
            "commit": commit(), "processor": processor(), "versions": versions(programs),
            "rounds": options.rounds, "figures": as_json(figures), "limits": options.limits}


def numbers(text):
    return [int(n) for n in text.split(",")]


def model(text):
    return pathlib.Path(text) if pathlib.Path(text).is_dir() else file(text)


def checkpoint(text):
    file(pathlib.Path(text) / "config.json")
    return pathlib.Path(text)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("models", nargs="+", type=model, metavar="MODEL.gguf")
    add("--hearth", default=str(ROOT / "build/release/hearth"), type=program)
    add("--no-hearth", action="store_true", help="only the rivals")
    add("--serve-flags", type=shlex.split, default=[], help="more words for hearth serve")
    add("--llama-server", type=program)
    add("--llama-flags", type=shlex.split, action="append", metavar="FLAGS",
        help="a setting of llama-server, may be repeated: --llama-flags=--no-repack (two: none "
        "and that)")
    add("--vllm", type=program, help="vLLM's program, of its build for processors")
    add("--vllm-model", type=checkpoint, action="append", default=[], metavar="FOLDER",
        help="what servelib/checkpoint.py made of MODEL.gguf; one for each, in the same order")
    add("--parts", type=list_of(tuple(PARTS)), default=["throughput"], metavar="NAME,NAME",
        help=f"of {', '.join(PARTS)} (throughput)")
    add("--precision", type=list_of(("exact", "high", "fast")), default=["high"],
        metavar="NAME,NAME", help="of exact, high, fast (high)")
    add("--streams", type=numbers, default=[1, 4, 16, 64], metavar="N,N",
        help="of throughput (1,4,16,64)")
    add("--waves", type=int, default=3, help="requests of throughput for each stream (3)")
    add("--ids", type=numbers, default=[1000, 30000], metavar="FIRST,END",
        help="token ids of prompts: ordinary words of the vocabulary (1000,30000)")
    add("--long", type=int, default=6000, help="the long prompt of intrusion (6000)")
    add("--system", type=int, default=2000, help="what the prompts of shared share (2000)")
    add("--quiet", type=float, default=3.0, metavar="SECONDS",
        help="of intrusion and models: how long streams run before (3)")
    add("--capacity-streams", type=int, default=16,
        help="of overload: as many as the server takes, its --parallel and --queue (16)")
    add("--overload-seconds", type=float, default=10.0)
    add("--wrk-seconds", type=int, default=5)
    add("--tiny", type=pathlib.Path, default=ROOT / "tests/data/models/llama",
        help="the checkpoint of the part slow")
    add("--crowd", type=int, default=1000, help="streams of the part slow (1000)")
    add("--crowd-tokens", type=int, default=2000, help="tokens of each of them (2000)")
    add("--minutes", type=float, default=60.0, help="of soak (60)")
    add("--soak-streams", type=int, default=24)
    add("--threads", type=int, default=2)
    add("--rounds", type=int, default=3)
    add("--seed", type=int, default=1)
    add("--note", default="", help="a sentence for the head of the table")
    add("--json", type=pathlib.Path, metavar="FILE", help="every figure")
    add("--append", action="store_true", help="add the table to bench/RESULTS.md")
    options = parser.parse_args()
    options.llama_flags = options.llama_flags or [[], ["--no-repack"]]
    if options.no_hearth and not (options.llama_server or options.vllm):
        parser.error("--no-hearth leaves nothing to measure without --llama-server or --vllm")
    if options.vllm and len(options.vllm_model) != len(options.models):
        parser.error("--vllm needs a --vllm-model for each MODEL")
    options.limits, options.failures = [], 0
    return options


def main():
    options = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # the server ends with us
    servers.more_files()
    home = servers.Home(options.hearth)
    programs = [] if options.no_hearth else servers.hearth_programs(options, home)
    programs += servers.rival_programs(options)
    record(options, programs, measure, report_text, json_of)
    return 1 if options.failures else 0


if __name__ == "__main__":
    sys.exit(main())
