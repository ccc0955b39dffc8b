#!/usr/bin/env python3
"""Measures Hearth beside llama.cpp: the same files, the same run, interleaved.

    peers.py MODEL.gguf... --llama-bench PATH [--llama-perplexity PATH --text FILE] [--append]

Each round runs one program and then the other, so that heat, other loads and the machine's moods
fall on both; the table has medians over the rounds and the ratio. Nothing is built here: the paths
are those of programs that are there. --append adds the table to bench/RESULTS.md.
"""
import argparse
import datetime
import json
import pathlib
import platform
import re
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: exit {done.returncode}: {done.stderr[-500:]}")
    return done


def hearth_round(options, model):
    out = json.loads(run(options.hearth, "bench", model, "--prompt", options.prompt, "--gen",
                         options.gen, "--batch", 1, "--threads", options.threads, "--repeat", 1,
                         "--precision", options.precision, "--json").stdout)
    return {"prefill": out["prefill"]["tps"]["median"], "decode": out["decode"][0]["tps"]["median"],
            "isa": out["isa"], "limits": out["limits"]}


def llama_round(options, model):
    rows = json.loads(run(options.llama_bench, "-m", model, "-p", options.prompt, "-n", options.gen,
                          "-t", options.threads, "-r", 1, "-o", "json").stdout)
    prefill = next(r for r in rows if r["n_prompt"] and not r["n_gen"])
    decode = next(r for r in rows if r["n_gen"] and not r["n_prompt"])
    return {"prefill": prefill["avg_ts"], "decode": decode["avg_ts"]}


def hearth_perplexity(options, model):
    return json.loads(run(options.hearth, "perplexity", model, options.text, "--ctx", 512,
                          "--chunks", options.chunks, "--precision", options.precision,
                          "--threads", options.threads).stdout)["ppl"]


def llama_perplexity(options, model):
    done = run(options.llama_perplexity, "-m", model, "-f", options.text, "-c", 512, "--chunks",
               options.chunks, "-t", options.threads)
    found = re.search(r"PPL = ([\d.]+)", done.stdout + done.stderr)
    return float(found[1]) if found else float("nan")


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def commit():
    done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, text=True,
                          capture_output=True)
    return done.stdout.strip() or "unknown"


def spread(values):
    return f"{min(values):.1f}-{max(values):.1f}"


def speed_rows(options, model):
    """The rounds of one model, as rows of the table."""
    ours, theirs = [], []
    for i in range(options.rounds):
        ours.append(hearth_round(options, model))
        theirs.append(llama_round(options, model))
        print(f"{model.name}: round {i + 1} of {options.rounds}: Hearth "
              f"{ours[-1]['prefill']:.1f} and {ours[-1]['decode']:.1f} tokens/s, llama.cpp "
              f"{theirs[-1]['prefill']:.1f} and {theirs[-1]['decode']:.1f}", file=sys.stderr)
    rows = []
    for what, tokens in (("prefill", options.prompt), ("decode", options.gen)):
        a, b = [r[what] for r in ours], [r[what] for r in theirs]
        mine, other = statistics.median(a), statistics.median(b)
        rows.append([model.name, f"{what} {tokens}", f"{mine:.1f}", spread(a), f"{other:.1f}",
                     spread(b), f"{mine / other:.2f}"])
    return rows, ours


def markdown(head, rows):
    widths = [max(len(str(r[i])) for r in [head, *rows]) for i in range(len(head))]
    lines = ["| " + " | ".join(str(c).ljust(w) for c, w in zip(r, widths)) + " |"
             for r in [head, *rows]]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(lines)


def limits_line(rounds):
    keys = rounds[0]["limits"]
    values = {k: statistics.median(r["limits"][k] for r in rounds) for k in keys}
    return ", ".join(f"{k} {v:.2f}" for k, v in values.items() if v)


def measure(options):
    """The whole table as Markdown."""
    rows, all_rounds, quality = [], [], []
    for model in options.models:
        more, rounds = speed_rows(options, model)
        rows += more
        all_rounds += rounds
        if options.llama_perplexity and options.text:
            quality.append([model.name, f"{hearth_perplexity(options, model):.3f}",
                            f"{llama_perplexity(options, model):.3f}"])
    now = datetime.datetime.now(datetime.timezone.utc)
    text = [f"## {now:%Y-%m-%d}, {commit()}, {options.precision}", "",
            f"{processor()}, {options.threads} threads, kernels {all_rounds[0]['isa']}; medians of "
            f"{options.rounds} interleaved rounds, tokens/s. Limits measured in the same run: "
            f"{limits_line(all_rounds)}.", "",
            markdown(["model", "what", "Hearth", "min-max", "llama.cpp", "min-max", "ratio"], rows)]
    if quality:
        text += ["", f"Perplexity, {options.text.name}, 512 tokens, {options.chunks} windows:", "",
                 markdown(["model", "Hearth", "llama.cpp"], quality)]
    return "\n".join(text) + "\n"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=pathlib.Path, metavar="MODEL.gguf")
    parser.add_argument("--hearth", default=ROOT / "build/release/hearth", type=pathlib.Path)
    parser.add_argument("--llama-bench", required=True, type=pathlib.Path)
    parser.add_argument("--llama-perplexity", type=pathlib.Path)
    parser.add_argument("--text", type=pathlib.Path, help="for perplexity")
    parser.add_argument("--chunks", type=int, default=20)
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--gen", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", default="high", choices=["exact", "high", "fast"])
    parser.add_argument("--append", action="store_true", help="add the table to bench/RESULTS.md")
    return parser.parse_args()


def main():
    options = parse_arguments()
    table = measure(options)
    print(table)
    if options.append:
        results = ROOT / "bench/RESULTS.md"
        results.write_text(results.read_text().rstrip("\n") + "\n\n" + table)


if __name__ == "__main__":
    main()
