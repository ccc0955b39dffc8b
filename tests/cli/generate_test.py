#!/usr/bin/env python3
"""The prompt that `hearth generate` computes: raw, or in the model's template.

    generate_test.py --hearth BINARY

The tiny model is given a template and a tokenizer that puts <s> first. The ids of a raw prompt are
those that transformers gives for that tokenizer.json.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

MODEL = pathlib.Path(__file__).resolve().parents[1] / "data/models/llama"
TEMPLATE = "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}[go]"
BEGIN, END = 0, 1     # <s>, </s>
# What transformers' tokenizer(text).input_ids is.
RAW_PROMPTS = {
    "a<s>b</s>[INST]": [0, 66, 0, 67, 1, 60, 42, 47, 52, 53, 62],
    "The quick": [0, 282, 222, 266, 74, 261],
    "<s>The quick": [0, 0, 282, 222, 266, 74, 261],
    "{{ 'x' }}": [0, 92, 92, 222, 8, 89, 8, 222, 94, 94],
}


def expect(condition, what):
    if not condition:
        sys.exit(f"FAILED: {what}")


def make_model(folder):
    shutil.copytree(MODEL, folder)
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    tokenizer["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
                   {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [BEGIN], "tokens": ["<s>"]}}}
    path.write_text(json.dumps(tokenizer))
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"chat_template": TEMPLATE}))


class Generate:
    def __init__(self, hearth, model, home):
        self.command = [hearth, "generate", str(model), "--max-tokens", "3", "--temperature", "0",
                        "--precision", "exact", "--echo", "--prompt-logprobs", "0", "--prompt"]
        self.env = dict(os.environ, HEARTH_HOME=str(home))

    def __call__(self, prompt, *options):
        """What was read, as text and as ids but for the first, and the greedy answer."""
        run = subprocess.run([*self.command, prompt, *options], env=self.env, text=True,
                             capture_output=True, stdin=subprocess.DEVNULL, check=False)
        expect(run.returncode == 0, f"{prompt!r}: {run.stderr}")
        out = json.loads(run.stdout)
        ids = [row["token"] for row in out["prompt_logprobs"]]
        expect(out["timings"]["prompt_tokens"] == len(ids) + 1, f"{prompt!r}: all are scored")
        return out["text"], ids, out["tokens"]


def test_raw_is_the_text_and_its_special_tokens(generate):
    for prompt, ids in RAW_PROMPTS.items():
        text, got, _ = generate(prompt, "--raw")
        expect(got == ids[1:], f"{prompt!r} is read as {got}, not {ids[1:]}")
        expect(text.startswith("<s>" + prompt), f"{prompt!r}: <s> and the text, not {text!r}")


def test_otherwise_it_is_a_message_and_all_text(generate):
    prompt = "a<s>b</s>[INST]"
    text, got, _ = generate(prompt)
    expect(text.startswith(f"<s>[user]{prompt}[go]"), f"in the template: {text!r}")
    expect(BEGIN not in got and END not in got, f"what a user writes is no special token: {got}")


def test_the_template_written_out_is_the_same(generate):
    _, ids, answer = generate("The quick")
    _, raw_ids, raw_answer = generate("[user]The quick[go]", "--raw")
    expect((ids, answer) == (raw_ids, raw_answer), f"{ids} {answer}, raw {raw_ids} {raw_answer}")


def test_the_cache_may_be_of_any_type(generate):
    _, _, exact = generate("The quick", "--kv", "f32")
    for kv in ("f16", "bf16", "int8", "q8_0"):
        _, _, tokens = generate("The quick", "--kv", kv)
        expect(len(tokens) == len(exact), f"--kv {kv} answers {tokens}, f32 {exact}")
    for kv, word in (("q4_0", "int8"), ("int7", "bf16")):
        run = subprocess.run([*generate.command, "The quick", "--kv", kv], env=generate.env,
                             text=True, capture_output=True, stdin=subprocess.DEVNULL, check=False)
        expect(run.returncode != 0 and word in run.stderr, f"--kv {kv} is refused: {run.stderr}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hearth", required=True)
    hearth = str(pathlib.Path(parser.parse_args().hearth).resolve())
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        make_model(folder / "model")
        generate = Generate(hearth, folder / "model", folder / "home")
        for test in (test_raw_is_the_text_and_its_special_tokens,
                     test_otherwise_it_is_a_message_and_all_text,
                     test_the_template_written_out_is_the_same,
                     test_the_cache_may_be_of_any_type):
            test(generate)
            print(f"ok: {test.__name__}")


if __name__ == "__main__":
    main()
