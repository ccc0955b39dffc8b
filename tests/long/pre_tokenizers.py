#!/usr/bin/env python3
"""Every name of tokenizer.ggml.pre, against Hugging Face's `tokenizers` with the patterns of the
tokenizer.json that the name stands for.

    pre_tokenizers.py --program build/release/src/tokenizer/tokenizer_encode_texts [--count 3000]

One vocabulary (GPT-2's, from llama.cpp's source package) is written anew under each name, so that a
cut in another place shows in the ids. Needs: gguf, tokenizers. Exit status 1 when anything differs.
"""
import argparse
import json
import pathlib
import random
import sys
import tempfile

import gguf

from support import sources
import tokenizer_differential as differential
from tokenizer_differential import CASED, CONTRACTIONS, TAIL

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
BEFORE = r"[^\r\n\p{L}\p{N}]?"
SLASH_TAIL = r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def cl100k(digits):
    return CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|" + digits + r"| ?[^\s\p{L}\p{N}]+" + TAIL


def cased(ending, digits, tail=SLASH_TAIL, upper=UPPER, lower=LOWER):
    return (f"{BEFORE}{upper}*{lower}+{ending}|{BEFORE}{upper}+{lower}*{ending}|{digits}{tail}")


ENDING = CONTRACTIONS + "?"
NO_HAN_UPPER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]"
NO_HAN_LOWER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]"
DEEPSEEK3 = [r"\p{N}{1,3}", "[一-龥\u3040-\u309f゠-\u30ff]+",
             r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+"""
             r"""|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
             r"""| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""]
ASIAN = ("[\u4e00-\u9fff\u3400-\u4dbf\uf900-\ufaff\u3040-\u309f\u30a0-\u30ff\uff65-\uff9f"
         "\u2f00-\u2fdf\u0e40-\u0e7f\u0e80-\u0eff\u1780-\u17ff\u1000-\u109f\uaa60-\uaa7f"
         "\ua9e0-\ua9ff\uac00-\ud7af\u1100-\u11ff]+")
BLOOM = " ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+"
GPT4O = cased(ENDING, r"\p{N}{1,3}")
GPT2_DIGITS = [r"\p{N}", GPT2]

# name: (patterns one after the other, whether a word that is an entry is that entry)
ROWS = {
    "default": ([r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"], False),
    "falcon": ([r"[\p{P}\$\+<=>\^~\|`]+", GPT2, "[0-9][0-9][0-9]"], False),
    "deepseek-llm": ([r"[\r\n]", r"\s?[" + CASED + "]+",
                      "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+", r"\s+$",
                      "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+", r"\p{N}"], False),
    "deepseek-coder": ([r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+",
                        "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+", r"\p{N}"], False),
    "qwen35": ([CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+" +
                TAIL], False),
    "tekken": ([cased("", r"\p{N}")], True),
    "kimi-k2": ([r"[\p{Han}]+|" + cased(ENDING, r"\p{N}{1,3}", r"| ?[^\s\p{L}\p{N}]+" + TAIL,
                                        NO_HAN_UPPER, NO_HAN_LOWER)], False),
    "superbpe": ([r"\p{N}+", r"(?=(\d{3})+(?!\d))"], False),
    "afmoe": ([r"\p{Nd}{1,3}(?=(?:\p{Nd}{3})*(?!\p{Nd}))", ASIAN, DEEPSEEK3[2]], False),
    "jais-2": ([CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
                r"|\s*[\r\n]+" +
                "".join(r"|\s{%d}(?!\S)" % n for n in (512, 256, 128, 64, 32, 16, 8, 4)) +
                r"|\s{1,2}(?!\S)|\s{1}"], False),
    "exaone-moe": ([CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}"
                    r"| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+"], False),
    "chameleon": (["<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", r"([\t\n]|    |  )",
                   r"\p{N}", r"[\p{P}!-/:-@\[-`{-~]", GPT2], False),
    "spark2_5": ([*DEEPSEEK3[:2], DEEPSEEK3[2].replace(r"+[\r\n]*|\s*[\r\n]+", r"+|[\r\n]"),
                  r"\p{N}"], False),
    "youtu": (["[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，\u3001-\u303f\ufe30-\ufe4f]+|[ㄅ-ㄯ]+"
               "|[一-龥\u3040-\u309f゠-\u30ff]+", cased(ENDING, r"\p{N}")], True),
    "seed-coder": ([CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+"
                    r"|\s*[\r\n]+|\s+(?!\S)|\s+"], False),
    "bailingmoe": ([r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}"
                    r"| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"], False),
    "laguna": ([r"[^\n]+|[\n]+", cl100k(r"\p{N}")], False),
    "ufakzeka": ([r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+" + TAIL], False),
    "minicpm5": ([r"\p{N}{1,3}", cl100k(r"\p{N}+")], True),
    "viking": ([BLOOM, r"\p{N}"], False),
}
ALIKE = [
    (([GPT2], False), "gpt-2 phi-2 jina-es jina-de gigachat jina-v2-es jina-v2-de a.x-4.0 mellum "
     "modern-bert exaone4 mpt olmo jais trillion granite-docling jina-v1-en jina-v2-code "
     "roberta-bpe"),
    ((GPT2_DIGITS, False), "smollm starcoder refact command-r codeshell exaone minerva-7b mellum2"),
    (([cl100k(r"\p{N}{1,3}")], True), "llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral "
     "midm-2.0 lfm2 jina-v5-nano glm4 glm5"),
    (([cl100k(r"\p{N}{1,3}")], False), "dbrx smaug-bpe chatglm-bpe"),
    (([cl100k(r"\p{N}")], False), "qwen2 deepseek-r1-qwen kormo f2llmv2 megrez stablelm2 hunyuan "
     "solar-open grok-2"),
    ((DEEPSEEK3, False), "deepseek-v3 hunyuan-dense joyai-llm hy_v4"),
    (([GPT4O], False), "gpt-4o llama4 kanana2 talkie minimax-m2"),
    (([GPT4O], True), "granite-embed-multi-97m"),
    (([r"\d{1,3}(?=(?:\d{3})*\b)", GPT4O], False), "tiny_aya cohere2moe"),
    (([BLOOM], False), "bloom poro-chat gpt3-finnish"),
    (ROWS["bailingmoe"], "bailingmoe2 llada-moe"),
]
for row, names in ALIKE:
    for alias in names.split():
        ROWS[alias] = row
# No byte-level vocabularies: these are compared with their own in tokenizer_differential.py.
OTHERS = {"gemma4", "granite-embed-multi-311m", "sarvam-moe", "whitespace"}


def write_gguf(path, vocab, name):
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(name)
    writer.add_token_list(vocab.tokens)
    writer.add_token_types(vocab.types)
    writer.add_token_merges(vocab.merges)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--count", type=int, default=3000)
    args = parser.parse_args()
    llama_cpp = sources.llama_cpp()
    if not llama_cpp:
        print("skipped: llama.cpp's vocabularies could not be fetched")
        sys.exit(77)
    vocab = differential.Vocab(llama_cpp / "models/ggml-vocab-gpt-2.gguf")
    strings = differential.real_strings(None, "")
    prose = "\n".join(strings)
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, (patterns, ignore_merges) in sorted(ROWS.items()):
            rng = random.Random(name)
            vocab.pre = name
            texts = [differential.random_text(rng, vocab, prose) for _ in range(args.count)]
            texts += [t for t in strings if all(differential.comparable(c, vocab) for c in t)]
            path = pathlib.Path(folder) / "vocab.gguf"
            write_gguf(path, vocab, name)
            made = {"version": "1.0", "added_tokens": differential.added_tokens(vocab),
                    "normalizer": None, "post_processor": None, "decoder": None,
                    "pre_tokenizer": differential.sequence(*map(differential.split, patterns),
                                                           differential.byte_level(False)),
                    "model": {"type": "BPE", "unk_token": None, "fuse_unk": False,
                              "byte_fallback": False, "ignore_merges": ignore_merges,
                              "vocab": {t: i for i, t in enumerate(vocab.tokens)},
                              "merges": vocab.merges}}
            got = differential.run_hearth(args.program, path, texts)
            bad += differential.compare(name, "gguf", texts, got,
                                        differential.HuggingFace(json.dumps(made)))
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
