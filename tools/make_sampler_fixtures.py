#!/usr/bin/env python3
"""Write what llama.cpp's own samplers leave of random distributions: tests/data/sampling/.

    pip install llama-cpp-python
    make_sampler_fixtures.py tests/data/sampling --vocab ggml-vocab-gpt-2.gguf

chains.json: cases with `logits` (thousandths), `history`, `samplers` (an order), the parameters
of its steps, `breakers` (DRY: [head, tail...]), and what is left: `ids` with `p`.
mirostat.json: runs with parameters and steps of `logits`, `ids`, `p` and the token `chosen`.
The vocabulary is any GGUF with GPT-2's tokens (llama.cpp has one among its models); only its first
tokens are used, which are single characters.
"""
import argparse
import ctypes
import json
import pathlib
import random

import llama_cpp as lc

TOKENS = 40                                  # '!' to 'H'
NAMES = ["penalties", "dry", "top_n_sigma", "top_k", "typ_p", "top_p", "min_p", "xtc",
         "temperature"]
BREAKERS = ['"', ":", "*", "12", "0*", "9:5"]


class Vocab:
    def __init__(self, path):
        params = lc.llama_model_default_params()
        params.vocab_only = True
        self.model = lc.llama_model_load_from_file(str(path).encode(), params)
        self.vocab = lc.llama_model_get_vocab(self.model)

    def piece(self, token):
        buffer = ctypes.create_string_buffer(64)
        return buffer.raw[:lc.llama_token_to_piece(self.vocab, token, buffer, 64, 0, True)]

    def tokenize(self, text):
        ids = (lc.llama_token * 64)()
        return list(ids[:lc.llama_tokenize(self.vocab, text, len(text), ids, 64, False, False)])

    def breakers(self, texts):
        """[head, tail...] of the first tokens, as the DRY sampler is to understand the texts."""
        rows = []
        for text in (t.encode() for t in texts):
            for token in range(TOKENS):
                piece = self.piece(token)
                if text in piece:
                    rows.append([token])
                for cut in range(1, len(text)):
                    if piece.endswith(text[:cut]):
                        rows.append([token, *self.tokenize(text[cut:])])
        return rows


def sampler(name, p, vocab):
    keep = p.get("min_keep", 0)
    if name == "penalties":
        return lc.llama_sampler_init_penalties(
            TOKENS, p["repeat_last_n"], p["repeat_penalty"], p["frequency_penalty"],
            p["presence_penalty"])
    if name == "dry":
        texts = [t.encode() for t in p["dry_sequence_breakers"]]
        return lc.llama_sampler_init_dry(
            vocab.vocab, p["dry_multiplier"], p["dry_base"], p["dry_allowed_length"],
            p["dry_penalty_last_n"], (ctypes.c_char_p * len(texts))(*texts), len(texts))
    if name == "top_n_sigma":
        return lc.llama_sampler_init_top_n_sigma(p["top_n_sigma"])
    if name == "top_k":
        return lc.llama_sampler_init_top_k(p["top_k"])
    if name == "typ_p":
        return lc.llama_sampler_init_typical(p["typical_p"], keep)
    if name == "top_p":
        return lc.llama_sampler_init_top_p(p["top_p"], keep)
    if name == "min_p":
        return lc.llama_sampler_init_min_p(p["min_p"], keep)
    if name == "xtc":
        return lc.llama_sampler_init_xtc(p["xtc_probability"], p["xtc_threshold"], keep, 1)
    return lc.llama_sampler_init_temp_ext(p["temperature"], p["dynatemp_range"],
                                          p["dynatemp_exponent"])


def parameters(rng, name):
    """Random ones for a step; 1 of xtc_probability makes it certain."""
    r = lambda low, high: round(rng.uniform(low, high), 3)
    if name == "penalties":
        return dict(repeat_last_n=rng.choice([0, 5, 64]),
                    repeat_penalty=rng.choice([1.0, r(0.7, 2)]),
                    frequency_penalty=rng.choice([0.0, r(-1, 1)]),
                    presence_penalty=rng.choice([0.0, r(-1, 1)]))
    if name == "dry":
        return dict(dry_multiplier=r(0.2, 1.5), dry_base=r(1, 2), dry_penalty_last_n=rng.choice(
            [0, 12, 64]), dry_allowed_length=rng.randint(0, 4),
            dry_sequence_breakers=rng.sample(BREAKERS, rng.randint(0, 3)))
    if name == "top_n_sigma":
        return dict(top_n_sigma=r(0.3, 2.5))
    if name == "top_k":
        return dict(top_k=rng.randint(1, 45))
    if name == "typ_p":
        return dict(typical_p=r(0.05, 1.0))
    if name == "top_p":
        return dict(top_p=r(0, 1))
    if name == "min_p":
        return dict(min_p=r(0, 0.4))
    if name == "xtc":
        return dict(xtc_probability=1.0, xtc_threshold=r(0, 0.3))
    return dict(temperature=rng.choice([0.0, r(0.4, 2.0), r(0.4, 2.0)]),
                dynatemp_range=rng.choice([0.0, r(0, 1)]), dynatemp_exponent=r(0.3, 2.5))


def defined(order, p):
    """llama.cpp's typical sampler gives nothing sound once a probability is 0."""
    if "typ_p" not in order:
        return True
    before = order[:order.index("typ_p")]
    zero = p.get("temperature") == 0.0 and "temperature" in before
    return not zero and not {"top_n_sigma", "dry"} & set(before)


def random_logits(rng):
    """Thousandths, no two alike."""
    spread = rng.choice([2000, 5000, 8000])
    return rng.sample(range(-spread, spread), TOKENS)


def random_history(rng):
    out = [rng.randrange(TOKENS) for _ in range(rng.choice([0, 3, 15, 30]))]
    for _ in range(rng.randint(0, 4)):       # passages that come again
        if len(out) > 6:
            at, size = rng.randrange(len(out) - 5), rng.randint(2, 6)
            out += out[at:at + size] + [rng.randrange(TOKENS)] * rng.randint(0, 1)
    if len(out) > 6 and rng.random() < 0.7:
        at = rng.randrange(len(out) - 5)
        out += out[at:at + rng.randint(2, 5)]
    return out


def apply(chain, logits):
    """[(id, p)] with p > 0, and the token that was chosen."""
    data = (lc.llama_token_data * TOKENS)(*[lc.llama_token_data(i, x / 1000, 0)
                                            for i, x in enumerate(logits)])
    array = lc.llama_token_data_array(data, TOKENS, -1, False)
    lc.llama_sampler_apply(chain, ctypes.byref(array))
    left = [(array.data[i].id, array.data[i].p) for i in range(array.size)]
    return sorted((i, float(f"{p:.7g}")) for i, p in left if p > 0), array.data[array.selected].id


def new_chain(samplers):
    chain = lc.llama_sampler_chain_init(lc.llama_sampler_chain_default_params())
    for one in samplers:
        lc.llama_sampler_chain_add(chain, one)
    return chain


def chain_case(rng, vocab):
    while True:
        order = rng.sample(NAMES, rng.choice([1, 2, 3, 5, 9]))
        p = {"min_keep": rng.choice([0, 0, 1, 3])}
        for name in order:
            p.update(parameters(rng, name))
        if defined(order, p):
            break
    logits, history = random_logits(rng), random_history(rng)
    bias = [(rng.randrange(TOKENS), round(rng.uniform(-3, 3), 2))] if rng.random() < 0.2 else []
    samplers = [sampler(name, p, vocab) for name in order]
    if bias:
        rows = (lc.llama_logit_bias * 1)(lc.llama_logit_bias(*bias[0]))
        samplers.insert(0, lc.llama_sampler_init_logit_bias(TOKENS, 1, rows))
    chain = new_chain([*samplers, lc.llama_sampler_init_dist(1)])
    for token in history:
        lc.llama_sampler_accept(chain, token)
    left, _ = apply(chain, logits)
    lc.llama_sampler_free(chain)
    assert left and abs(sum(p for _, p in left) - 1) < 1e-4, (order, p, left)
    breakers = vocab.breakers(p.pop("dry_sequence_breakers", []))
    return dict(samplers=";".join(order), **p, logit_bias=bias, logits=logits, history=history,
                breakers=breakers, ids=[i for i, _ in left], p=[x for _, x in left])


def mirostat_run(rng, number):
    p = dict(mirostat=1 + number % 2, mirostat_tau=round(rng.uniform(0.5, 5), 2),
             mirostat_eta=round(rng.uniform(0.05, 1), 2), temperature=round(rng.uniform(0.5, 2), 2))
    aim = p["mirostat_tau"], p["mirostat_eta"]
    last = (lc.llama_sampler_init_mirostat(TOKENS, number, *aim, 100) if p["mirostat"] == 1 else
            lc.llama_sampler_init_mirostat_v2(number, *aim))
    chain, steps = new_chain([lc.llama_sampler_init_temp(p["temperature"]), last]), []
    for _ in range(8):
        logits = random_logits(rng)
        left, chosen = apply(chain, logits)
        steps.append(dict(logits=logits, ids=[i for i, _ in left], p=[x for _, x in left],
                          chosen=chosen))
    lc.llama_sampler_free(chain)
    return dict(**p, steps=steps)


def write(path, rows):
    text = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    path.write_text(f"[\n{text}\n]\n")
    print(path, len(rows), path.stat().st_size)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--vocab", type=pathlib.Path, required=True)
    options = parser.parse_args()
    lc.llama_backend_init()
    vocab, rng = Vocab(options.vocab), random.Random(0)
    write(options.out / "chains.json", [chain_case(rng, vocab) for _ in range(240)])
    write(options.out / "mirostat.json", [mirostat_run(rng, n) for n in range(16)])


if __name__ == "__main__":
    main()
