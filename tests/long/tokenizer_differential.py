#!/usr/bin/env python3
"""Compares Hearth's tokenizers with Hugging Face's `tokenizers` and with SentencePiece.

    tokenizer_differential.py --program build/release/src/tokenizer/tokenizer_encode_texts \
        [--count 100000] [--seed 0] [--text FILE] [--strings blns.json] [VOCAB.gguf...]

Without vocabularies those of llama.cpp's source package are taken. Each vocabulary is read by
Hearth in two forms: from the GGUF file and from a tokenizer.json that this script makes of it.
Byte-level and BERT's vocabularies are compared with `tokenizers` in both forms; SentencePiece
vocabularies with the sentencepiece library (from GGUF) and with `tokenizers` (from
tokenizer.json). Decoding must give every text back, where the vocabulary promises it. Needs: gguf,
tokenizers, sentencepiece. Exit status 1 when anything differs.
"""
import argparse
import base64
import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import unicodedata

import gguf
import sentencepiece
from tokenizers import Tokenizer

from support import sources

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
TAIL = r"[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def split(pattern):
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated",
            "invert": False}


def byte_level(use_regex):
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
            "use_regex": use_regex}


def sequence(*parts):
    return {"type": "Sequence", "pretokenizers": list(parts)}


def cl100k(digits):
    return sequence(split(CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|" + digits +
                          r"| ?[^\s\p{L}\p{N}]+" + TAIL), byte_level(False))


# The alphabets with letter case.
CASED = (
    "A-Za-z\u00B5À-ÖØ-öø-ƺƼ-ƿ\u01C4-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-\u03F5Ϸ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-"
    "ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\u1F7Dᾀ-ᾴᾶ-ᾼ\u1FBEῂ-ῄῆ-ῌῐ-\u1FD3ῖ-\u1FDBῠ-Ῥῲ-ῴῶ"
    "-ῼ\u2102\u2107\u210A-\u2113\u2115\u2119-\u211D\u2124\u2126\u2128\u212A-\u212D"
    "\u212F-\u2134\u2139\u213C-\u213F\u2145-\u2149ⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿ"
    "\uFB00-\uFB06\uFB13-\uFB17\uFF21-\uFF3A\uFF41-\uFF5A\U00010400-\U0001044F"
    "\U000104B0-\U000104D3\U000104D8-\U000104FB\U00010C80-\U00010CB2\U00010CC0-"
    "\U00010CF2\U000118A0-\U000118DF\U0001E900-\U0001E943")

DIGITS = {"type": "Digits", "individual_digits": True}
# As the tokenizer.json files of these models have them.
PRE_TOKENIZERS = {
    "gpt-2": byte_level(True),
    "mpt": byte_level(True),
    "starcoder": sequence(DIGITS, byte_level(True)),
    "smollm": sequence(DIGITS, byte_level(True)),
    "refact": sequence(DIGITS, byte_level(True)),
    "command-r": sequence(DIGITS, byte_level(True)),
    "qwen2": cl100k(r"\p{N}"),
    "qwen35": sequence(split(CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}"
                             r"| ?[^\s\p{L}\p{M}\p{N}]+" + TAIL), byte_level(False)),
    "llama-bpe": cl100k(r"\p{N}{1,3}"),
    "falcon": sequence({"type": "Punctuation", "behavior": "Contiguous"}, byte_level(True),
                       split("[0-9][0-9][0-9]")),
    "deepseek-llm": sequence(split(r"[\r\n]"), split(r"\s?[" + CASED + "]+"),
                             split("\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f"
                                   "\u3000-\u3002]+"),
                             split(r"\s+$"), split("[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"),
                             DIGITS, byte_level(False)),
    "deepseek-coder": sequence(split(r"[\r\n]"), split(r"\s?\p{L}+"), split(r"\s?\p{P}+"),
                               split("[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"), DIGITS,
                               byte_level(False)),
}
# Llama 3 takes a word that is an entry as it is.
IGNORE_MERGES = {"llama-bpe"}
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6


class Vocab:
    def __init__(self, path):
        fields = gguf.GGUFReader(path).fields
        get = lambda name, default=None: (fields["tokenizer.ggml." + name].contents()
                                          if "tokenizer.ggml." + name in fields else default)
        self.model, self.pre = get("model"), get("pre", "default")
        self.tokens, self.types = get("tokens"), get("token_type")
        self.merges, self.scores = get("merges"), get("scores")
        self.space_prefix = get("add_space_prefix", True)
        self.unknown = get("unknown_token_id")
        self.charsmap = bytes(get("precompiled_charsmap") or [])
        self.one_space = bool(get("remove_extra_whitespaces"))


def added_tokens(vocab):
    return [{"id": i, "content": text, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False, "special": kind != USER_DEFINED}
            for i, (text, kind) in enumerate(zip(vocab.tokens, vocab.types))
            if kind in (UNKNOWN, CONTROL, USER_DEFINED)]


def byte_level_json(vocab):
    known = set(vocab.tokens)
    merges = [m for m in vocab.merges if all(p in known for p in m.split(" ")[:2])]
    entries = {t: i for i, t in enumerate(vocab.tokens)}
    return {"version": "1.0", "added_tokens": added_tokens(vocab), "normalizer": None,
            "pre_tokenizer": PRE_TOKENIZERS[vocab.pre], "post_processor": None,
            "decoder": byte_level(True),
            "model": {"type": "BPE", "unk_token": None, "fuse_unk": False, "byte_fallback": False,
                      "ignore_merges": vocab.pre in IGNORE_MERGES, "vocab": entries,
                      "merges": merges}}


def merges_of_scores(vocab):
    """The merges that make each entry, best score first."""
    ids = {t: i for i, (t, k) in enumerate(zip(vocab.tokens, vocab.types))
           if k in (NORMAL, USER_DEFINED, UNUSED)}
    merges = []
    for token, index in ids.items():
        pairs = [(token[:cut], token[cut:]) for cut in range(1, len(token))
                 if token[:cut] in ids and token[cut:] in ids]
        pairs.sort(key=lambda pair: (ids[pair[0]], ids[pair[1]]))
        merges += [(-vocab.scores[index], index, pair) for pair in pairs]
    merges.sort(key=lambda merge: merge[:2])
    return [list(pair) for _, _, pair in merges]


def sentencepiece_json(vocab):
    mark = "\u2581"
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": mark}
    prepend = {"type": "Prepend", "prepend": mark}
    decoders = [{"type": "Replace", "pattern": {"String": mark}, "content": " "},
                {"type": "ByteFallback"}, {"type": "Fuse"}]
    if vocab.space_prefix:
        decoders.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    return {"version": "1.0", "added_tokens": added_tokens(vocab),
            "normalizer": {"type": "Sequence", "normalizers": [prepend, replace]}
            if vocab.space_prefix else replace,
            "pre_tokenizer": None, "post_processor": None,
            "decoder": {"type": "Sequence", "decoders": decoders},
            "model": {"type": "BPE", "unk_token": vocab.tokens[vocab.unknown or 0],
                      "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
                      "vocab": {t: i for i, t in enumerate(vocab.tokens)},
                      "merges": merges_of_scores(vocab)}}


def gemma_json(vocab):
    mark = "\u2581"
    return {"version": "1.0", "added_tokens": added_tokens(vocab),
            "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": mark},
            "pre_tokenizer": {"type": "Split", "pattern": {"String": " "},
                              "behavior": "MergedWithPrevious", "invert": False},
            "post_processor": None,
            "decoder": {"type": "Sequence", "decoders": [
                {"type": "Replace", "pattern": {"String": mark}, "content": " "},
                {"type": "ByteFallback"}, {"type": "Fuse"}]},
            "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": True,
                      "byte_fallback": True, "ignore_merges": False,
                      "vocab": {t: i for i, t in enumerate(vocab.tokens)},
                      "merges": vocab.merges}}


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def message(number, body):
    return varint(number << 3 | 2) + varint(len(body)) + body


def sentencepiece_model(vocab):
    """A ModelProto: pieces (1), trainer_spec (2), normalizer_spec (3)."""
    out = bytearray()
    for text, score, kind in zip(vocab.tokens, vocab.scores, vocab.types):
        # GGUF has user-defined entries as they stand in a text, the library in its own writing.
        if kind == USER_DEFINED:
            text = text.replace(" ", "\u2581")
        out += message(1, message(1, text.encode()) + b"\x15" + struct.pack("<f", score) +
                       b"\x18" + varint(kind))
    unknown = vocab.types.index(UNKNOWN) if UNKNOWN in vocab.types else vocab.unknown
    unigram = vocab.model == "t5"
    trainer = b"\x18" + (b"\x01" if unigram else b"\x02")
    trainer += varint(35 << 3) + (b"\x00" if unigram else b"\x01")
    trainer += varint(40 << 3) + varint(unknown)
    normalizer = message(1, b"identity") + (message(2, vocab.charsmap) if vocab.charsmap else b"")
    normalizer += b"\x18" + bytes([bool(vocab.space_prefix)])
    normalizer += b"\x20" + bytes([vocab.one_space]) + b"\x28\x01"
    return bytes(out) + message(2, trainer) + message(3, normalizer)


def unigram_json(vocab):
    mark = "\u2581"
    return {"version": "1.0", "added_tokens": added_tokens(vocab),
            "normalizer": {"type": "Precompiled",
                           "precompiled_charsmap": base64.b64encode(vocab.charsmap).decode()},
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                {"type": "WhitespaceSplit"},
                {"type": "Metaspace", "replacement": mark, "prepend_scheme": "always",
                 "split": True}]},
            "post_processor": None,
            "decoder": {"type": "Metaspace", "replacement": mark, "prepend_scheme": "always",
                        "split": True},
            "model": {"type": "Unigram", "unk_id": vocab.unknown, "byte_fallback": False,
                      "vocab": [[t, float(s)] for t, s in zip(vocab.tokens, vocab.scores)]}}


def word_piece_json(vocab):
    """GGUF marks the beginnings of words, BERT's own vocabulary what goes on with one."""
    mark = "\u2581"
    entries = [t if k != NORMAL else t[1:] if t.startswith(mark) else "##" + t
               for t, k in zip(vocab.tokens, vocab.types)]
    return {"version": "1.0", "added_tokens": added_tokens(vocab),
            "normalizer": {"type": "BertNormalizer", "clean_text": True,
                           "handle_chinese_chars": True, "strip_accents": None,
                           "lowercase": True},
            "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": None,
            "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
            "model": {"type": "WordPiece", "unk_token": "[UNK]", "max_input_chars_per_word": 100,
                      "continuing_subword_prefix": "##",
                      "vocab": {t: i for i, t in enumerate(entries)}}}


MAKERS = {"gpt2": byte_level_json, "llama": sentencepiece_json, "gemma4": gemma_json,
          "t5": unigram_json, "bert": word_piece_json}


class SentencePiece:
    def __init__(self, vocab):
        # The library wants exactly one unknown piece; Phi-3's padding is of that type too.
        kinds = list(vocab.types)
        first = vocab.unknown or 0
        vocab.types = [UNKNOWN if i == first else CONTROL if k == UNKNOWN else k
                       for i, k in enumerate(kinds)]
        self.model = sentencepiece.SentencePieceProcessor()
        self.model.LoadFromSerializedProto(sentencepiece_model(vocab))
        vocab.types = kinds

    def encode(self, text):
        return self.model.EncodeAsIds(text)


class HuggingFace:
    def __init__(self, text):
        self.model = Tokenizer.from_str(text)
        self.model.encode_special_tokens = True

    def encode(self, text):
        return self.model.encode(text, add_special_tokens=False).ids


RANGES = [(0x20, 0x7E), (0x20, 0x7E), (0x09, 0x0D), (0xA0, 0x24F), (0x300, 0x36F), (0x370, 0x5FF),
          (0x600, 0x6FF), (0x900, 0xDFF), (0xE00, 0xEFF), (0x1E00, 0x1FFF), (0x2000, 0x206F),
          (0x2070, 0x2BFF), (0x3000, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xFE00, 0xFFEF),
          (0x10000, 0x10FFF), (0x1D400, 0x1D7FF), (0x1F300, 0x1FAFF)]
PIECES = ["'s", "'S", "'ll", "'LL", "'Re", "'\u017f", "\r\n", "\n\n", "\n", "   ", "\t", "\u00a0",
          "\u3000", "\u180e", "\u0085", "\u200d", "\u0301", "\ufe0f", "12345", "\u0663\u0664",
          "\u00bd", "\u2160", "don't", " I'm", "!!!", "...", "/*", "//\n", "</s>", "<s>", "\u2581",
          "_", "$+<=>^`|~"]


def emoji_sequences():
    people, hands = "\U0001F468\U0001F469\U0001F9D1", "\U0001F44B\U0001F44D\U0001F64F\u270C\u261D"
    tones = [chr(c) for c in range(0x1F3FB, 0x1F400)]
    jobs = "\u2695\u2696\u2708\U0001F33E\U0001F373\U0001F4BB\U0001F680"
    out = [h + t for h in hands for t in tones] + [h + "\ufe0f" for h in hands]
    out += [p + t + "\u200d" + j + "\ufe0f" for p in people for t in [""] + tones for j in jobs]
    out += ["\u200d".join(people[i] for i in family) + "\u200d\U0001F467\u200d\U0001F466"
            for family in [(0, 1), (0, 0), (1, 1), (2, 1)]]
    flags = [chr(0x1F1E6 + ord(a) - 65) + chr(0x1F1E6 + ord(b) - 65) for a, b in
             ["DE", "FR", "US", "GB", "JP", "KR", "BR", "IN", "UA", "AQ"]]
    out += flags + ["".join(flags), "".join(flags)[:-1]]
    out += ["\U0001F3F4" + "".join(chr(0xE0000 + ord(c)) for c in tag) + "\U000E007F"
            for tag in ["gbeng", "gbsct", "gbwls"]]
    out += [d + "\ufe0f\u20e3" for d in "0123456789#*"] + ["\u2764\ufe0f\u200d\U0001F525"]
    return out + ["Hi " + e + "!" for e in out] + [" ".join(out[:40]), "".join(out)]


def utf8_borders():
    """The first and last characters of each length, of each plane, and of each general category."""
    codes = [0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFD, 0xFFFF, 0x10000, 0x10FFFF, 0xFEFF,
             0x200B, 0x202E, 0x2028, 0x2029, 0x85, 0xA0, 0xAD, 0x180E, 0x3000, 0x1D173, 0xE0001]
    return [chr(c) for c in codes] + ["a" + chr(c) + "b " + chr(c) + chr(c) for c in codes]


def real_strings(strings_file, text):
    """Naughty strings, borders of UTF-8, thirty languages, emoji sequences, code, prose."""
    out = json.loads(pathlib.Path(strings_file).read_text()) if strings_file else []
    languages = (ROOT / "tests/data/tokenizer/languages.txt").read_text(encoding="utf-8")
    out += languages.splitlines(keepends=True) + languages.split("\n") + languages.split()
    out += emoji_sequences() + utf8_borders()
    for path in sorted(ROOT.glob("src/tokenizer/*.cc"))[:6] + sorted(ROOT.glob("tests/long/*.py")):
        code = path.read_text(encoding="utf-8")
        out += code.splitlines(keepends=True)[:150] + [code]
    out += text.splitlines(keepends=True)[:1500] + [text[:200000]]
    return [s for s in out if s]


def random_text(rng, vocab, real):
    out = []
    for _ in range(rng.randint(1, 12)):
        what = rng.random()
        if what < 0.3:
            low, high = rng.choice(RANGES)
            out += [chr(rng.randint(low, high)) for _ in range(rng.randint(1, 6))]
        elif what < 0.5:
            out.append(rng.choice(PIECES) * rng.choice([1, 1, 1, 2, 5]))
        elif what < 0.6:
            out.append(" " * rng.randint(1, 5))
        elif what < 0.75:
            out.append(rng.choice(vocab.tokens).replace("\u0120", " ").replace("\u2581", " "))
        else:
            at = rng.randrange(max(1, len(real) - 40))
            out.append(real[at:at + rng.randint(1, 40)])
    return "".join(c for c in "".join(out) if comparable(c, vocab))


def comparable(c, vocab):
    """Whether all sides know the character's category: the libraries follow Unicode 14 to 16, and
    the reference's tables of punctuation (used for Falcon and BERT) and of accents (BERT) older
    ones."""
    category = unicodedata.category(c)
    old = "PM" if vocab.model == "bert" else "P" if vocab.pre == "falcon" else ""
    if category[0] in old:
        return unicodedata.ucd_3_2_0.category(c) != "Cn"
    return category not in ("Cn", "Cs")


def run_hearth(program, model, texts, *flags):
    data = b"".join(b"%d\n%s" % (len(t), t) for t in (text.encode() for text in texts))
    done = subprocess.run([program, str(model), *flags], input=data, capture_output=True)
    if done.returncode != 0:
        sys.exit(f"{model}: {done.stderr.decode(errors='replace')}")
    return [[int(i) for i in line.split()] for line in done.stdout.decode().split("\n")[:-1]]


def compare(name, form, texts, got, reference):
    different = []
    for text, ids in zip(texts, got):
        wanted = reference.encode(text)
        if ids != wanted:
            different.append((text, ids, wanted))
    print(f"{name} {form}: {len(texts)} texts, {len(different)} differ", flush=True)
    for text, ids, wanted in different[:5]:
        print(f"    {text[:120]!a}\n      hearth    {ids[:24]}\n      reference {wanted[:24]}")
    return len(different) + abs(len(got) - len(texts))


def alphabet():
    """GPT-2's character for each byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in plain]
    return {b: chr(b if b in plain else 256 + rest.index(b)) for b in range(256)}


def promised(vocab, texts):
    """Those that the vocabulary can bring back: it may lack some bytes (Falcon), and where U+2581
    stands for a space it cannot stand for itself."""
    if vocab.model in ("t5", "bert"):
        return []
    if vocab.model != "gpt2":
        return [t for t in texts if "\u2581" not in t]
    known = set(vocab.tokens)
    missing = {b for b, c in alphabet().items() if c not in known}
    return [t for t in texts if not missing.intersection(t.encode())]


def round_trip(program, name, path, texts):
    got = run_hearth(program, path, texts, "--round-trip")
    lost = [text for text, ok in zip(texts, got) if ok != [1]]
    print(f"{name}: {len(lost)} of {len(texts)} texts do not come back", flush=True)
    for text in lost[:5]:
        print(f"    {text[:120]!a}")
    return len(lost) + abs(len(got) - len(texts))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--count", type=int, default=100000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--text", help="a text file for real strings")
    parser.add_argument("--strings", help="a JSON list of strings")
    parser.add_argument("vocabs", nargs="*")
    args = parser.parse_args()
    if not args.vocabs:
        llama_cpp = sources.llama_cpp()
        args.vocabs = sorted(llama_cpp.glob("models/*.gguf")) if llama_cpp else []
    if not args.vocabs:
        print("skipped: there are no vocabularies to compare")
        sys.exit(77)
    real = pathlib.Path(args.text).read_text(encoding="utf-8") if args.text else ""
    strings = real_strings(args.strings, real)
    real = real or "\n".join(strings)
    bad = 0
    for path in args.vocabs:
        vocab = Vocab(path)
        name = pathlib.Path(path).stem
        if vocab.model == "gpt2" and vocab.pre not in PRE_TOKENIZERS or \
                vocab.model not in MAKERS:
            print(f"{name}: skipped ({vocab.model}, {vocab.pre})")
            continue
        rng = random.Random(args.seed)
        texts = [t for t in strings if all(comparable(c, vocab) for c in t)]
        real_count = len(texts)
        texts += [random_text(rng, vocab, real) for _ in range(args.count)]
        text = json.dumps(MAKERS[vocab.model](vocab), ensure_ascii=False)
        if vocab.space_prefix and vocab.model == "llama":
            # A space before the text after a user-defined token is llama.cpp's rule, not theirs.
            user = [t for t, k in zip(vocab.tokens, vocab.types) if k == USER_DEFINED]
            texts = [t for t in texts if not any(u in t for u in user)]
        print(f"{name}: {real_count} real and {args.count} random texts", flush=True)
        if vocab.model == "t5":
            # The library's model makes control tokens of text that spells them; ours never does.
            control = [t for t, k in zip(vocab.tokens, vocab.types) if k in (UNKNOWN, CONTROL)]
            texts = [t for t in texts if not any(c in t for c in control)]
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "tokenizer.json").write_text(text, encoding="utf-8")
            theirs = HuggingFace(text)
            exact = SentencePiece(vocab) if vocab.model in ("llama", "t5") else theirs
            bad += compare(name, "gguf", texts, run_hearth(args.program, path, texts), exact)
            bad += compare(name, "tokenizer.json", texts,
                           run_hearth(args.program, folder, texts), theirs)
            whole = promised(vocab, texts)
            bad += round_trip(args.program, name, path, whole)
            # The library decodes added tokens by the byte alphabet, which loses letters such as
            # the umlauts that DeepSeek has among them.
            user = [t for t, k in zip(vocab.tokens, vocab.types) if k == USER_DEFINED]
            whole = [t for t in whole if t.isascii() or not any(u in t for u in user)]
            bad += round_trip(args.program, name + " tokenizer.json", folder, whole)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
