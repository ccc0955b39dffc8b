#!/usr/bin/env python3
"""Measures Hearth's tokenizers beside `tokenizers`, tiktoken, SentencePiece and llama.cpp.

    tokenizer_speed.py --program build/bench/.../tokenizer_encode_texts --text FILE VOCAB.gguf...
                  [--rounds 5]

Each round encodes the whole text once with every program, one after the other on one core, so that
the machine's moods fall on all; the table has the best of the rounds (MB/s of UTF-8) and the
ratios. tokenizer.json, SentencePiece's model and tiktoken's ranks are made from the GGUF file; a
peer that gives other ids is named.
Peers that cannot be imported are left out and named. Needs: gguf; for the peers tokenizers,
tiktoken, sentencepiece, llama_cpp.
"""
import argparse
import importlib
import json
import os
import pathlib
import platform
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "long"))
os.environ["TOKENIZERS_PARALLELISM"] = os.environ["RAYON_RS_NUM_THREADS"] = "false"

import tokenizer_differential as forms  # noqa: E402


class Hearth:
    """Runs inside the program: the text goes in once, and each round is timed there."""

    def __init__(self, program, path, text):
        self.program, self.path = program, path
        data = text.encode()
        self.data = b"%d\n%s" % (len(data), data)

    def ids(self):
        out = subprocess.run([self.program, self.path], input=self.data, capture_output=True)
        return [int(i) for i in out.stdout.split()]

    def seconds(self):
        out = subprocess.run([self.program, self.path, "--repeat", "3"], input=self.data,
                             capture_output=True, text=False).stderr.decode()
        rows = [line.split() for line in out.splitlines()]
        self.load = min(float(row[1]) for row in rows if row[0] == "from_gguf")
        return min(float(row[2]) for row in rows if row[-1] == "MB/s") / 1e3


class Peer:
    def __init__(self, encode):
        self.encode = encode

    def ids(self):
        return self.encode()

    def seconds(self):
        start = time.perf_counter()
        self.encode()
        return time.perf_counter() - start


def hugging_face(vocab, text, path):
    model = forms.HuggingFace(json.dumps(forms.MAKERS[vocab.model](vocab), ensure_ascii=False))
    return Peer(lambda: model.encode(text))


def tiktoken(vocab, text, path):
    if vocab.model != "gpt2":
        return None
    pattern = PATTERNS.get(vocab.pre)
    if not pattern:
        return None
    of = {c: b for b, c in forms.alphabet().items()}
    ranks = {bytes(of[c] for c in t): i
             for i, (t, k) in enumerate(zip(vocab.tokens, vocab.types)) if k == forms.NORMAL}
    encoding = importlib.import_module("tiktoken").Encoding(
        "bench", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    return Peer(lambda: encoding.encode_ordinary(text))


def sentencepiece(vocab, text, path):
    if vocab.model not in ("llama", "t5"):
        return None
    model = forms.SentencePiece(vocab)
    return Peer(lambda: model.encode(text))


def llama_cpp(vocab, text, path):
    library = importlib.import_module("llama_cpp")
    model = library.Llama(str(path), vocab_only=True, verbose=False)
    data = text.encode()
    return Peer(lambda: model.tokenize(data, add_bos=False, special=False))


CL100K = forms.CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+" + forms.TAIL
PATTERNS = {
    "qwen2": CL100K % r"\p{N}", "llama-bpe": CL100K % r"\p{N}{1,3}",
    "gpt-2": r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
}
PEERS = {"tokenizers": hugging_face, "tiktoken": tiktoken, "sentencepiece": sentencepiece,
         "llama.cpp": llama_cpp}


def measure(args, path):
    vocab = forms.Vocab(path)
    text = pathlib.Path(args.text).read_text(encoding="utf-8")
    runs = {"hearth": Hearth(args.program, path, text)}
    for name, make in PEERS.items():
        try:
            peer = make(vocab, text, path)
        except (ImportError, KeyError) as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
            continue
        if peer:
            runs[name] = peer
    counts = {name: run.ids() for name, run in runs.items()}
    for name, ids in counts.items():
        if ids != counts["hearth"]:
            print(f"{pathlib.Path(path).stem}: {name} gives other ids ({len(ids)} for "
                  f"{len(counts['hearth'])})", file=sys.stderr)
    best = {name: float("inf") for name in runs}
    for _ in range(args.rounds):
        for name, run in runs.items():
            best[name] = min(best[name], run.seconds())
    size = len(text.encode()) / 1e6
    return {name: size / seconds for name, seconds in best.items()}, runs["hearth"].load


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--text", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("vocabs", nargs="+")
    args = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    names = ["hearth", *PEERS]
    print(f"{platform.machine()}, one core, MB/s (x: Hearth's speed over it)\n")
    print("| vocabulary | load ms | " + " | ".join(names) + " |")
    print("|---|---:|" + "---:|" * len(names))
    for path in args.vocabs:
        speeds, load = measure(args, path)
        cells = [f"{speeds['hearth']:.1f}"]
        for name in names[1:]:
            cells.append(f"{speeds[name]:.1f} ({speeds['hearth'] / speeds[name]:.1f}x)"
                         if name in speeds else "–")
        print(f"| {pathlib.Path(path).stem} | {load:.0f} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
