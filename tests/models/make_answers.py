#!/usr/bin/env python3
"""Makes answers.json: what transformers, in float32 on the dequantised weights, says to five
prompts for each real model of the tests, and to two gaps where it has the tokens for them.

    make_answers.py NAME=FILE.gguf... [--wiki wiki.test.raw]      needs torch, transformers, gguf

Per prompt: the text, its token ids, and the greedy continuation (16 ids). A gap has what stands
before and after it in the place of the text. With --wiki also the
perplexity as llama.cpp counts it: windows of 512 tokens, the second half scored, 20 windows.
"""
import argparse
import json
import math
import pathlib
import re

import torch
import transformers

QUESTIONS = ["What is the capital of France?", "Name three primary colours.",
             "Write a haiku about the sea.", "Compute 17 + 25.",
             "Translate 'good morning' into Spanish."]
TEXTS = ["The capital of France is", "Once upon a time there was", "def fibonacci(n):\n",
         "In 1969, people walked on", "Water boils at a temperature of"]
GAPS = [("def add(a, b):\n    return ", "\n\nprint(add(2, 3))\n"),
        ("import json\n\ndef load(path):\n    with open(path) as file:\n", "\n    return data\n")]
GAP_TOKENS = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")     # Qwen2.5-Coder's
NEW_TOKENS = 16
ENDS = ("<|im_end|>", "<|endoftext|>", "<eos>", "<end_of_turn>")     # where an answer may end


def prompts_of(tokenizer):
    """Chat prompts where the model has a template, plain text elsewhere. Written out as text, so
    that this file tests tokens and arithmetic and not the template."""
    if not tokenizer.chat_template:
        return TEXTS
    return [f"<|im_start|>user\n{q}<|im_end|>\n<|im_start|>assistant\n" for q in QUESTIONS]


def perplexity(model, ids, bos, windows=20, width=512):
    total, scored = 0.0, 0
    for i in range(windows):
        window = torch.tensor([ids[i * width:(i + 1) * width]])
        if bos is not None:
            window[0, 0] = bos
        with torch.no_grad():
            logits = model(input_ids=window, use_cache=False).logits[0].double()
        losses = torch.nn.functional.cross_entropy(
            logits[width // 2:-1], window[0, width // 2 + 1:], reduction="sum")
        total += losses.item()
        scored += width - width // 2 - 1
    return math.exp(total / scored)


def greedy_row(model, ids):
    seq = ids
    for _ in range(NEW_TOKENS):
        with torch.no_grad():
            last = model(input_ids=seq, use_cache=False).logits[:, -1:]
        seq = torch.cat([seq, last.argmax(-1)], 1)
    return {"ids": ids[0].tolist(), "greedy": seq[0, ids.shape[1]:].tolist()}


def answers(path, wiki):
    folder, name = str(path.parent), path.name
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, gguf_file=name)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, gguf_file=name, dtype=torch.float32, attn_implementation="eager").eval()
    rows = []
    for text in prompts_of(tokenizer):
        ids = tokenizer(text, return_tensors="pt").input_ids
        rows.append({"prompt": text} | greedy_row(model, ids))
    vocabulary = tokenizer.get_vocab()
    out = {"ends": sorted({vocabulary[t] for t in ENDS if t in vocabulary}), "prompts": rows}
    if all(token in vocabulary for token in GAP_TOKENS):
        before, after, middle = GAP_TOKENS
        out["gaps"] = [
            {"before": prefix, "after": suffix} | greedy_row(model, tokenizer(
                before + prefix + after + suffix + middle, return_tensors="pt").input_ids)
            for prefix, suffix in GAPS]
    if wiki:
        ids = tokenizer(wiki.read_text()).input_ids     # BOS first, as llama.cpp's tool has it
        adds_bos = tokenizer("a").input_ids[0] == tokenizer.bos_token_id
        out["perplexity_512x20"] = perplexity(model, ids, tokenizer.bos_token_id if adds_bos
                                              else None)
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="NAME=FILE")
    parser.add_argument("--wiki", type=pathlib.Path)
    options = parser.parse_args()
    out = pathlib.Path(__file__).with_name("answers.json")
    known = json.loads(out.read_text()) if out.exists() else {}
    known["made_by"] = f"torch {torch.__version__}, transformers {transformers.__version__}"
    for row in options.models:
        name, _, path = row.partition("=")
        known[name] = known.get(name, {}) | answers(pathlib.Path(path), options.wiki)
        text = json.dumps(known, indent=1, ensure_ascii=False)
        text = re.sub(r"\[[\d,\s]+\]", lambda m: " ".join(m[0].split()), text)
        out.write_text(text + "\n")
        print(name, known[name].get("perplexity_512x20"), flush=True)


if __name__ == "__main__":
    main()
