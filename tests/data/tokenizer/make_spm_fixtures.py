#!/usr/bin/env python3
"""Makes spm_*.json: fixtures of unigram, SentencePiece, RWKV and PLaMo tokenizers.

    make_spm_fixtures.py --plamo tokenization_plamo.py

Needs: sentencepiece 0.2.3 with protobuf, tokenizers 0.23, numpy; and the file tokenization_plamo.py
of the model pfnet/plamo-2-1b, whose class AhoCorasick gives the ids for PLaMo.

spm_models.json: {"texts", "models": [{"name", "model" (tokenizer.model in base64), "ids",
"decoded"}]}, ids and decoded for each text, by the sentencepiece library. spm_charsmap.json:
{"charsmap" (base64), "rows": [[text, as SentencePiece normalizes it, as Hugging Face does]]}.
spm_unigram.json: {"tokenizer" (of Hugging Face), "rows": [[text, ids]]}. spm_rwkv.json and
spm_plamo.json: vocabularies as GGUF has them, and [[text, ids]].
"""
import argparse
import base64
import io
import json
import math
import pathlib
import random
import sys
import tempfile
import types

import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as pb
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

HERE = pathlib.Path(__file__).parent
MARK = "\u2581"
CORPUS = """The quick brown fox jumps over the lazy dog. A journey of a thousand miles begins with
a step.
In 1969 people walked on the Moon; na\u00efve caf\u00e9s sell 42% of 3.14 pies, and I'll have two,
won't I?
Der schnelle braune Fuchs springt \u00fcber den faulen Hund. Gro\u00dfe Stra\u00dfen f\u00fchren
nach \u00d6sterreich.
Le vif renard brun saute par-dessus le chien paresseux; l'\u00e9t\u00e9 \u00e9tait d\u00e9j\u00e0
pass\u00e9.
Быстрая коричневая лиса перепрыгивает через ленивую собаку. Знание — сила.
敏捷的棕色狐狸跳过了懒狗。知识就是力量。
すばやい茶色の狐がのろまな犬を飛び越える。
빠른 갈색 여우가 게으른 개를 뛰어넘는다.
الثعلب البني السريع يقفز فوق الكلب الكسول.
def add(a, b): return a + b
"""
TEXTS = [
    "", " ", "   ", "a", " a ", "Hello", "Hello world", "  Hello   world  ", "the the the",
    "The quick brown fox jumps over the lazy dog.", "\n", "a\n\n b\t\tc", "I'll have two, won't I?",
    "def add(a, b):\n    return a + b\n", "3.14159 1,000,000", "été naïve",
    "e\u0301te\u0301 A\u030a",
    "Привет, мир: знание", "你好，世界。知识", "こんにちは 狐が", "안녕 여우가", "مرحبا بالكلب",
    "🙂 a👍🏽b", "🙂🙂🙂",
    "\u00a0nbsp\u3000wide\u200b", "<s> </s> <unk> <pad>", "<sep>", "a<sep>b <sep> c", "word",
    "awordb word ",
    "x y", "ax yb", MARK, MARK * 7 + "a" + MARK * 4, "abcab abc", "™ ½ ﬁ", "\x00\x01", "<0x41>",
    "aaaaaaaaaaaaaaaaaaaa",
]
RULES = ("41 30A\tC5\n2122\t54 4D\nA0\t20\n3000\t20\n200B\t\n65 301\tE9\n54\t74\n9\t20\nA\t20\n"
         "FB01\t66 69\nBD\t31 2F 32\n")


def train(unused=0, unescaped=False, denormalize=False, **options):
    model = io.BytesIO()
    options = {"normalization_rule_name": "identity", "hard_vocab_limit": False, **options}
    if options.pop("rules", False):
        path = pathlib.Path(tempfile.gettempdir()) / "rules.tsv"
        path.write_text(RULES, encoding="utf-8")
        options["normalization_rule_tsv"] = str(path)
        del options["normalization_rule_name"]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter((CORPUS * 4).split("\n")), model_writer=model, num_threads=1,
        minloglevel=2, character_coverage=0.99, **options)
    proto = pb.ModelProto()
    proto.ParseFromString(model.getvalue())
    # What only describes the training is left out.
    proto.trainer_spec.ClearField("input")
    proto.normalizer_spec.ClearField("normalization_rule_tsv")
    for i, piece in enumerate(proto.pieces):
        if unused and piece.type == 1 and i % unused == 0:
            piece.type = 5
    if unescaped:
        proto.normalizer_spec.escape_whitespaces = False
    if denormalize:
        proto.denormalizer_spec.precompiled_charsmap = proto.normalizer_spec.precompiled_charsmap
        proto.denormalizer_spec.add_dummy_prefix = False
        proto.denormalizer_spec.remove_extra_whitespaces = False
        proto.denormalizer_spec.escape_whitespaces = False
    return proto.SerializeToString()


SYMBOLS = ["<sep>", "word", "x y", MARK * 2, MARK * 3, "abc"]
SETTINGS = {
    "bpe": dict(model_type="bpe", vocab_size=300),
    "bpe_bytes": dict(model_type="bpe", vocab_size=500, byte_fallback=True,
                      remove_extra_whitespaces=False),
    "bpe_user": dict(model_type="bpe", vocab_size=500, byte_fallback=True, add_dummy_prefix=False,
                     remove_extra_whitespaces=False, user_defined_symbols=SYMBOLS),
    "bpe_suffix": dict(model_type="bpe", vocab_size=300, treat_whitespace_as_suffix=True,
                       user_defined_symbols=SYMBOLS[:2], rules=True),
    "bpe_unused": dict(model_type="bpe", vocab_size=300, unused=5, split_by_whitespace=False),
    "unigram": dict(model_type="unigram", vocab_size=300, pad_id=3, control_symbols=["<ctl>"]),
    "unigram_bytes": dict(model_type="unigram", vocab_size=500, byte_fallback=True,
                          remove_extra_whitespaces=False, rules=True),
    "unigram_user": dict(model_type="unigram", vocab_size=300, remove_extra_whitespaces=False,
                         user_defined_symbols=SYMBOLS, rules=True, unk_surface="[?]"),
    "unigram_spaces": dict(model_type="unigram", vocab_size=300, split_by_whitespace=False,
                           add_dummy_prefix=False, unused=7),
    "unigram_suffix": dict(model_type="unigram", vocab_size=300, treat_whitespace_as_suffix=True,
                           remove_extra_whitespaces=False),
    "unigram_plain": dict(model_type="unigram", vocab_size=300, unescaped=True, denormalize=True,
                          rules=True),
    "word": dict(model_type="word", vocab_size=150, rules=True),
    "char": dict(model_type="char", vocab_size=150, user_defined_symbols=SYMBOLS),
    "char_bytes": dict(model_type="char", vocab_size=450, byte_fallback=True),
}


def make_models():
    out = []
    for name, options in SETTINGS.items():
        data = train(**options)
        library = sentencepiece.SentencePieceProcessor(model_proto=data)
        ids = [library.encode(text) for text in TEXTS]
        out.append({"name": name, "model": base64.b64encode(data).decode(), "ids": ids,
                    "decoded": [library.decode(row) for row in ids]})
    return {"texts": TEXTS, "models": out}


def make_charsmap():
    proto = pb.ModelProto()
    proto.ParseFromString(train(model_type="char", vocab_size=100, rules=True))
    charsmap = proto.normalizer_spec.precompiled_charsmap
    spec = proto.normalizer_spec
    spec.add_dummy_prefix = spec.remove_extra_whitespaces = spec.escape_whitespaces = False
    library = sentencepiece.SentencePieceProcessor(model_proto=proto.SerializeToString())
    theirs = normalizers.Precompiled(charsmap)
    texts = TEXTS[1:] + ["T\u0301", "\u200b\u0301a", "e\u0301\u0301", "\r\n", "A\u030a\u0301",
                         "T\u20d2\u0301", "™\x1eg", "\t\u0301", "e\u0302\u0301"]
    return {"charsmap": base64.b64encode(charsmap).decode(),
            "rows": [[t, library.normalize(t), theirs.normalize_str(t)] for t in texts]}


def make_unigram():
    """As T5's and XLM-RoBERTa's tokenizer.json, with byte fallback."""
    proto = pb.ModelProto()
    proto.ParseFromString(train(model_type="unigram", vocab_size=500, byte_fallback=True,
                                rules=True))
    vocab = [(p.piece, p.score) for p in proto.pieces]
    tok = Tokenizer(models.Unigram(vocab, 0, True))
    tok.normalizer = normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap)
    tok.pre_tokenizer = pre_tokenizers.Metaspace(MARK, prepend_scheme="always", split=True)
    tok.decoder = decoders.Metaspace(MARK, prepend_scheme="always", split=True)
    data = json.loads(tok.to_str())
    return {"tokenizer": data,
            "rows": [[t, tok.encode(t, add_special_tokens=False).ids] for t in TEXTS]}


def make_rwkv(rng):
    words = sorted({w for line in CORPUS.split("\n") for w in line.split(" ") if w})
    entries = [bytes([b]) for b in range(256)]
    for text in (" the", "\n\n", "\r\n", "\t", "\\n", "'", "\"x\"", "    ", "é", "知识", "🙂", "aaaa",
                 "aa"):
        entries.append(text.encode())
    for word in rng.sample(words, 60):
        entries += [word.encode()[:3], (" " + word).encode()]
    entries.append("狐".encode()[:2])  # half a character
    entries = list(dict.fromkeys(entries))
    ids = {entry: i + 1 for i, entry in enumerate(entries)}
    longest = max(map(len, entries))

    def encode(data):
        out = []
        while data:
            end = next(n for n in range(min(longest, len(data)), 0, -1) if data[:n] in ids)
            out.append(ids[data[:end]])
            data = data[end:]
        return out

    tokens = ["<s>"] + [repr(entry)[2:-1] for entry in entries] + ["[PAD1]"]
    kinds = [3] + [1] * len(entries) + [5]
    return {"tokens": tokens, "types": kinds,
            "rows": [[t, encode(t.encode())] for t in TEXTS + ["狐a", "\\x41"]]}


def reference_plamo(path):
    """The class AhoCorasick without what compiles it."""
    numba = types.ModuleType("numba")
    core, typed = types.ModuleType("numba.core"), types.ModuleType("numba.typed")
    numba.njit = lambda function: function
    core.types = types.SimpleNamespace(int64=None, int32=None)
    typed.List = list
    typed.Dict = type("Dict", (dict,), {"empty": classmethod(lambda cls, **_: cls())})
    sys.modules.update({"numba": numba, "numba.core": core, "numba.typed": typed})
    source = path.read_text(encoding="utf-8").split("class Plamo2Tokenizer")[0]
    source = "\n".join(line for line in source.split("\n")
                       if not line.startswith("from transformers"))
    source = source.replace("logger = logging.get_logger(__name__)", "")
    module = {}
    exec(compile(source, str(path), "exec"), module)
    return module["AhoCorasick"]()


def make_plamo(path, rng):
    proto = pb.ModelProto()
    proto.ParseFromString(train(model_type="unigram", vocab_size=400))
    rows = [["<|plamo:unk|>", 0.0, "UNKNOWN"], ["<|plamo:bos|>", 0.0, "CONTROL"],
            ["<|plamo:eos|>", 0.0, "CONTROL"], ["<|plamo:pad|>", 0.0, "CONTROL"]]
    rows += [[f"<0x{b:02X}>", 0.0, "BYTE"] for b in range(256)]
    for piece in proto.pieces:
        if piece.type == 1:
            text = piece.piece.replace(MARK, " ")
            rows.append([text, round(piece.score, rng.choice([2, 4, 4])), "NORMAL"])
    rows += [["aaaa", -3.0, "NORMAL"], ["aa", -1.5, "NORMAL"], ["aaa", -2.25, "NORMAL"]]
    rows = list({row[0]: row for row in rows}.values())
    reference = reference_plamo(path)
    reference.build(rows)
    kinds = {"UNKNOWN": 2, "CONTROL": 3, "BYTE": 6, "NORMAL": 1}
    texts = [t for t in TEXTS if t and "<s>" not in t] + ["aaaaaaaaa", "\ufeffa"]
    assert all(math.isfinite(row[1]) for row in rows)
    return {"tokens": [r[0] for r in rows], "scores": [r[1] for r in rows],
            "types": [kinds[r[2]] for r in rows],
            "rows": [[t, [int(i) for i in reference.encode(t)]] for t in texts]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--plamo", type=pathlib.Path, required=True)
    args = parser.parse_args()
    made = {"models": make_models(), "charsmap": make_charsmap(), "unigram": make_unigram(),
            "rwkv": make_rwkv(random.Random(1)), "plamo": make_plamo(args.plamo, random.Random(2))}
    for name, data in made.items():
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        (HERE / f"spm_{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
