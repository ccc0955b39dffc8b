#!/usr/bin/env python3
"""Perplexity of the real models on WikiText-2's test text, `--precision exact`, against what
transformers gives in float32 on the dequantised weights (tests/models/answers.json): within 0.02 %.

    perplexity.py --hearth BINARY [--text wiki.test.raw]

Skipped (77) where the text or every model is missing; both are too large to keep here.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TOLERANCE = 2e-4


def measure(options, env, model):
    """The perplexity, or None where the model is not in the tests' store."""
    if subprocess.run([options.hearth, "show", model], env=env, capture_output=True).returncode:
        return None
    done = subprocess.run([options.hearth, "perplexity", model, options.text, "--ctx", "512",
                           "--chunks", "20", "--precision", "exact"], env=env,
                          capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{model}: {done.stderr.strip()}")
    return json.loads(done.stdout)["ppl"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hearth", required=True)
    parser.add_argument("--text", type=pathlib.Path,
                        default=ROOT.parent / "shared/data/text/wiki.test.raw")
    options = parser.parse_args()
    if not options.text.exists():
        print(f"skipped: {options.text} is not there (WikiText-2, raw, test)")
        return 77
    env = dict(os.environ, HEARTH_HOME=os.environ.get("HEARTH_TEST_HOME", ""))
    answers = json.loads((ROOT / "tests/models/answers.json").read_text())
    problems, measured = [], 0
    for model, expected in answers.items():
        if not isinstance(expected, dict) or "perplexity_512x20" not in expected:
            continue
        ours, theirs = measure(options, env, model), expected["perplexity_512x20"]
        if ours is None:
            print(f"{model}: not in the tests' store")
            continue
        measured += 1
        difference = 100 * (ours / theirs - 1)
        print(f"{model}: {ours:.4f}, transformers {theirs:.4f} ({difference:+.4f} %)")
        if abs(ours / theirs - 1) > TOLERANCE:
            problems.append(model)
    if not measured:
        print("skipped: none of the models is in the tests' store")
        return 77
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
