#!/usr/bin/env python3
"""Measures Hearth beside llama.cpp and ik_llama.cpp: the same files, the same run, interleaved.

    peers.py MODEL.gguf... --llama-bench PATH [--llama-batched-bench PATH] [--ik-bench PATH]
             [--parts prompt,generation,batch,depth,load,busy] [--precision high,fast]
             [--rounds 5] [--json FILE] [--append]

Each round runs every program once, starting with another one each time, so that heat, other loads
and the machine's moods fall on all; `hearth bench` measures the machine's limits every time that it
runs. The table has medians over the rounds; a ratio is the median over the rounds, with its least
and greatest. llama.cpp is run with and without repacking, ik_llama.cpp with and without -rtr; the
better setting is named first and is the one in the ratio. Ratios above 1 are in Hearth's favour.

    prompt, generation   --prompt tokens read, --gen tokens made
    batch                --batches sequences that generate side by side, over one alone
    depth                both again with --depth tokens in the cache, over none
    load                 from the start of the process to one token, and peak memory over file size;
                         the file is in the system's cache
    busy                 generation while a process that never sleeps holds one core, over a quiet
                         machine, with 1 thread and with --threads

"of limit" is the share of what bandwidth and peak arithmetic allow (docs/performance.md). Nothing
is built here: the paths are those of programs that are there. --append adds the table to
bench/RESULTS.md.
"""
import argparse
import datetime
import json
import os
import pathlib
import re
import subprocess
import sys
import time

from peerlib.parts import PARTS, Neighbours, jobs_of
from peerlib.programs import hearth_programs, processor, rival_programs, run
from peerlib.tables import Figures, as_json, limits_of, markdown, number, table_rows

ROOT = pathlib.Path(__file__).resolve().parent.parent
NEIGHBOURS_MAX = 0.1  # cores; with more, a run says more about the neighbours


def commit():
    done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, text=True,
                          capture_output=True)
    return done.stdout.strip() or "unknown"


def warm(path):
    """Reads the file once, so that no program pays for the disk."""
    with path.open("rb") as file:
        while file.read(1 << 24):
            pass


def wait_until_quiet(deadline):
    """Returns when two seconds went by without other work, or at the deadline."""
    while time.monotonic() < deadline:
        with Neighbours() as others:
            time.sleep(2)
        if others.cores < NEIGHBOURS_MAX:
            return


def undisturbed(options, job, program, model):
    """What the job gives and what the neighbours took, asked again while they get in its way."""
    deadline = time.monotonic() + options.patience
    while True:
        wait_until_quiet(deadline)
        known = len(program.reports)
        with Neighbours() as others:
            found = job.ask(program, model)
        if others.cores < NEIGHBOURS_MAX or time.monotonic() >= deadline:
            return found, others.cores
        del program.reports[known:]
        print(f"{model.name} {program.rival or 'Hearth'} {program.setting}: others took "
              f"{others.cores:.2f} cores, once more", file=sys.stderr)


def measure(options, programs, figures):
    """All rounds of all models, into `figures`."""
    for model in options.models:
        warm(model)
        for i in range(options.rounds):
            turn = i % len(programs)
            for job in jobs_of(options):
                for program in programs[turn:] + programs[:turn]:
                    if not program.answers(job):
                        continue
                    found, cores = undisturbed(options, job, program, model)
                    figures.disturbed += cores >= NEIGHBOURS_MAX
                    for row, value in found.items():
                        figures.add(model, program, row, value)
                    told = ", ".join(f"{row.label()} {number(v)}" for row, v in found.items())
                    print(f"{model.name} {i + 1}/{options.rounds} {program.rival or 'Hearth'} "
                          f"{program.setting}: {told or 'nothing'}; others {cores:.2f} cores",
                          file=sys.stderr)
    figures.quality = perplexity_rows(options, programs)


def perplexity_rows(options, programs):
    if not options.llama_perplexity or not options.text:
        return []
    rows = []
    for model in options.models:
        done = run(options.llama_perplexity, "-m", model, "-f", options.text, "-c", 512, "--chunks",
                   options.chunks, "-t", options.threads)
        found = re.search(r"PPL = ([\d.]+)", done.stdout + done.stderr)
        for ours in (p for p in programs if p.rival is None):
            value = ours.perplexity(model, options.text, options.chunks, options.threads)
            rows.append([model.name, ours.setting, f"{value:.3f}", found[1] if found else "–"])
    return rows


def versions(programs):
    """{name: version}, one for each program."""
    found = {}
    for p in programs:
        found.setdefault(p.rival or "Hearth", p.version())
    return found


def limits_line(programs):
    reports = [r for p in programs if p.rival is None for r in p.reports]
    lines = []
    for threads in sorted({r["threads"] for r in reports}):
        limits = limits_of(reports, threads)
        if limits:
            lines.append(f"{threads} thread{'s' * (threads > 1)}: " + ", ".join(
                f"{k} {v:.2f}" for k, v in limits.items() if v))
    return "; ".join(lines) or "not measured by these parts"


def report_text(options, programs, figures):
    """The section for bench/RESULTS.md."""
    noise = (f" In {figures.disturbed} runs other processes took more than {NEIGHBOURS_MAX} cores."
             if figures.disturbed else "")
    reports = [r for p in programs if p.rival is None for r in p.reports]
    isa = f", kernels {reports[0]['isa']}" if reports else ""
    text = [f"## {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}, {commit()}, "
            f"{', '.join(options.parts)}", "",
            f"{processor()}, {options.threads} threads{isa}; medians of {options.rounds} "
            f"interleaved rounds, tokens/s where nothing else is said. "
            f"{', '.join(f'{k} {v}' for k, v in versions(programs).items())}. {options.note}", "",
            f"Limits measured in the same run: {limits_line(programs)}.{noise}", "",
            markdown(*table_rows(figures))]
    if figures.quality:
        text += ["", f"Perplexity, {options.text.name}, 512 tokens, {options.chunks} windows:", "",
                 markdown(["model", "precision", "Hearth", "llama.cpp"], figures.quality)]
    return "\n".join(text) + "\n"


def json_of(options, programs, figures):
    return {"date": f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%dT%H:%M:%SZ}",
            "commit": commit(), "processor": processor(), "versions": versions(programs),
            "rounds": options.rounds, "figures": as_json(figures),
            "hearth": [r for p in programs if p.rival is None for r in p.reports]}


def list_of(allowed):
    def parse(text):
        words = text.split(",")
        for word in words:
            if word not in allowed:
                raise argparse.ArgumentTypeError(f"{word!r} is none of {', '.join(allowed)}")
        return words
    return parse


def program(text):
    path = pathlib.Path(text)
    if not path.is_file() or not os.access(path, os.X_OK):
        raise argparse.ArgumentTypeError(f"{text} is no program")
    return path.absolute()  # a name without a folder would be looked for in PATH


def file(text):
    path = pathlib.Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text}")
    return path


def count(text):
    found = int(text) if text.isascii() and text.isdigit() else 0
    if found < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return found


def batches(text):
    found = [count(word) for word in text.split(",")]
    if 1 not in found:
        raise argparse.ArgumentTypeError(f"{text} has no 1, over which the others are shown")
    return found


def new_file(text):
    path = pathlib.Path(text)
    if path.is_dir() or not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text} cannot be written")
    return path


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("models", nargs="+", type=file, metavar="MODEL.gguf")
    add("--hearth", default=str(ROOT / "build/release/hearth"), type=program)
    add("--llama-bench", type=program)
    add("--llama-batched-bench", type=program, help="for the part batch")
    add("--ik-bench", type=program, help="llama-bench of ik_llama.cpp")
    add("--parts", type=list_of(PARTS), default=["prompt", "generation"], metavar="NAME,NAME",
        help=f"of {', '.join(PARTS)} (prompt,generation)")
    add("--precision", type=list_of(("exact", "high", "fast")), default=["high"],
        metavar="NAME,NAME", help="of exact, high, fast (high)")
    add("--prompt", type=count, default=512)
    add("--gen", type=count, default=128)
    add("--batches", type=batches, default=[1, 4, 8, 16],
        metavar="N,N", help="sequences of the part batch, 1 among them (1,4,8,16)")
    add("--depth", type=count, default=7168)
    add("--threads", type=count, default=2)
    add("--rounds", type=count, default=3)
    add("--llama-perplexity", type=program)
    add("--text", type=file, help="for perplexity")
    add("--chunks", type=count, default=20)
    add("--patience", type=float, default=0, metavar="SECONDS",
        help="a run waits so long for a quiet machine, and is repeated within that time when "
        f"other processes took {NEIGHBOURS_MAX} cores from it (0)")
    add("--note", default="", help="a sentence for the head of the table")
    add("--json", type=new_file, metavar="FILE", help="every figure, for bench/roofline.py")
    add("--append", action="store_true", help="add the table to bench/RESULTS.md")
    options = parser.parse_args()
    if options.llama_batched_bench and not options.llama_bench:
        parser.error("--llama-batched-bench goes with --llama-bench")
    if (options.llama_perplexity is None) != (options.text is None):
        parser.error("--llama-perplexity and --text go together")
    return options


def record(options, programs, measure, report_text, json_of):
    """Measures; prints the report, and writes it where the options say."""
    figures, stopped = Figures(programs), None
    try:
        measure(options, programs, figures)
    except (KeyboardInterrupt, SystemExit) as reason:  # what was measured until then still counts
        stopped = reason
    text = report_text(options, programs, figures) if figures.values else ""
    print(text, end="", flush=True)
    if options.json:
        options.json.write_text(json.dumps(json_of(options, programs, figures), indent=1) + "\n")
    if stopped:
        raise stopped
    if options.append:
        results = ROOT / "bench/RESULTS.md"
        results.write_text(results.read_text().rstrip("\n") + "\n\n" + text)


def main():
    options = parse_arguments()
    programs = hearth_programs(options) + rival_programs(options)
    record(options, programs, measure, report_text, json_of)


if __name__ == "__main__":
    main()
