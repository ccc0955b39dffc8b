#!/usr/bin/env python3
"""Write what transformers' beam search finds on tiny checkpoints: tests/data/models/beams.json.

    pip install torch transformers safetensors numpy
    make_beam_fixtures.py tests/data/models

For each checkpoint: the prompt is the first 12 of its reference.npz; the ends are tokens that its
beams meet often, so that beams do end. A case has `width`, `length_penalty`, `early_stopping`,
`limit` (tokens), and `beams`: all of them, best first, each with its tokens (without the end),
whether it ended, and its score.
"""
import argparse
import collections
import json
import pathlib

import numpy as np
import torch
import transformers as tf

MODELS = ["llama", "gemma3", "qwen2", "mistral-window"]
PROMPT = 12


def generate(model, prompt, ends, width, penalty, early, limit, returned):
    out = model.generate(
        torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
        num_beams=width, length_penalty=penalty, early_stopping=early, max_new_tokens=limit,
        num_return_sequences=returned, do_sample=False, eos_token_id=ends or [-1],
        pad_token_id=0, return_dict_in_generate=True, output_scores=True)
    rows = []
    for ids, score in zip(out.sequences.tolist(), out.sequences_scores.tolist()):
        ids = ids[len(prompt):]
        at = next((i for i, t in enumerate(ids) if t in ends), None)
        rows.append({"tokens": ids[:at] if at is not None else ids[:limit],
                     "ended": at is not None, "score": round(score, 7)})
    return rows


def frequent(model, prompt):
    """Three tokens that turn up in free beams, but not in most of them."""
    seen = collections.Counter()
    for row in generate(model, prompt, [], 8, 1.0, False, 16, 8):
        seen.update(set(row["tokens"][2:]))
    return sorted(t for t, _ in seen.most_common()[4:7])


def cases(model, prompt):
    ends = frequent(model, prompt)
    for width in (2, 4, 8):
        for penalty in (0.0, 1.0, 2.0):
            for early in (False, True, "never"):
                yield {"ends": ends, "width": width, "length_penalty": penalty,
                       "early_stopping": str(early).lower(), "limit": 20,
                       "beams": generate(model, prompt, ends, width, penalty, early, 20, width)}
    yield {"ends": ends, "width": 3, "length_penalty": -0.5, "early_stopping": "false",
           "limit": 6, "beams": generate(model, prompt, ends, 3, -0.5, False, 6, 3)}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=pathlib.Path)
    folder = parser.parse_args().models
    out = {}
    for name in MODELS:
        model = tf.AutoModelForCausalLM.from_pretrained(folder / name, dtype=torch.float32,
                                                        attn_implementation="eager").eval()
        model.generation_config = tf.GenerationConfig()
        prompt = np.load(folder / name / "reference.npz")["tokens"][:PROMPT].tolist()
        out[name] = {"prompt": prompt, "cases": list(cases(model, prompt))}
        ended = sum(b["ended"] for c in out[name]["cases"] for b in c["beams"])
        print(name, out[name]["cases"][0]["ends"], f"{ended} beams ended")
    text = json.dumps(out, separators=(",", ":")).replace('{"ends"', '\n{"ends"')
    (folder / "beams.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
