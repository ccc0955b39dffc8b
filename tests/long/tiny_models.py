#!/usr/bin/env python3
"""Logits and greedy tokens of tiny random checkpoints at seeds and shapes that are not committed,
against transformers; and the same bits whatever the chunk and the number of threads.

    tiny_models.py --hearth BINARY [--seeds 1,2,3] [--only llama,qwen2]
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
ARCHS = ("llama,llama-bias,llama-rope-linear,llama-rope-llama3,llama-yarn,llama-oldconfig,"
         "llama-tied,mistral-window,qwen2,gemma3")
TOLERANCE = 1e-4         # of the largest logit


def hearth(options, *arguments):
    done = subprocess.run([options.hearth, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"hearth {' '.join(map(str, arguments))}: {done.stderr.strip()}")
    return done.stdout


def logits(options, folder, chunk, threads):
    out = folder / f"logits-{chunk}-{threads}.npy"
    hearth(options, "logits", folder, "--tokens", folder / "tokens.json", "--out", out,
           "--precision", "exact", "--chunk", chunk, "--threads", threads)
    return np.load(out)


def compare(options, folder):
    """What differs, as sentences."""
    reference = np.load(folder / "reference.npz")
    (folder / "tokens.json").write_text(json.dumps(reference["tokens"].tolist()))
    runs = {(c, t): logits(options, folder, c, t) for c, t in ((48, 1), (1, 1), (7, 2), (48, 2))}
    ours = runs[48, 1]
    error = np.abs(ours - reference["logits"]).max() / np.abs(reference["logits"]).max()
    if not error <= TOLERANCE:
        yield f"logits differ by {error:.2e} of the largest"
    for (chunk, threads), other in runs.items():
        if ours.tobytes() != other.tobytes():
            yield f"other bits with --chunk {chunk} --threads {threads}"
    greedy = reference["greedy"].tolist()
    made = json.loads(hearth(options, "generate", folder, "--tokens", folder / "tokens.json",
                             "--max-tokens", len(greedy), "--temperature", 0,
                             "--precision", "exact"))
    ends = [i for i, t in enumerate(greedy) if t == 1]       # </s> ends an answer
    expected = greedy[:ends[0]] if ends else greedy
    if made["tokens"][:len(expected)] != expected or len(made["tokens"]) > len(expected) + 1:
        yield f"greedy tokens {made['tokens']}, expected {expected}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hearth", required=True, type=pathlib.Path)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--only", default=ARCHS)
    options = parser.parse_args()
    options.hearth = options.hearth.resolve()
    problems, count = [], 0
    with tempfile.TemporaryDirectory() as scratch:
        for seed in options.seeds.split(","):
            for shape in ([], ["--vary"]):
                out = pathlib.Path(scratch) / f"{seed}{'-vary' if shape else ''}"
                subprocess.run([sys.executable, ROOT / "tools/make_tiny_models.py", out, "--seed",
                                seed, "--only", options.only, *shape], check=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                for name in options.only.split(","):
                    count += 1
                    try:
                        found = list(compare(options, out / name))
                    except (RuntimeError, OSError) as error:
                        found = [str(error)]
                    problems += [f"{name}, seed {out.name}: {p}" for p in found]
    print("\n".join(problems) or f"{count} checkpoints agree")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
