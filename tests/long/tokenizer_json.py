#!/usr/bin/env python3
"""Compares Hearth with Hugging Face's `tokenizers` on random tokenizer.json files.

    tokenizer_json.py --program build/release/src/tokenizer/tokenizer_json_cases \
        [--files 1000] [--texts 20] [--seed 0] [--show 20] [--characters]

Each file is a random combination of normalizers, pre-tokenizers, a model, added tokens, a
post-processor, decoders, truncation and padding; each is given random texts and ids. Compared are
ids (plain, with what is added, with control tokens left alone), pairs with type ids, batches,
decoded texts, and streams with decoding at once. What the library refuses or dies of is left out
and counted. With --characters each step that asks what a character is meets every character.
Needs: tokenizers, sentencepiece. Exit status 1 when anything differs.
"""
import argparse
import base64
import collections
import io
import json
import random
import subprocess
import sys
import unicodedata

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

CORPUS = [
    "The quick brown fox jumps over the lazy dog. It isn't 3.14, is it? They're here; we've won!",
    "def add(a, b):\n    return a + b  # sum\n\nnaïve café Übergröße ΑΒΓ αβγ Привет, мир!",
    "你好，世界。 こんにちは カタカナー 안녕 한국어 שלום مرحبا नमस्ते ไทย 1234567 x² ½ Ⅳ",
    "low lower lowest new newer newest wide wider widest 42% of $100 @you #tag http://a.b/c?d=e",
] * 8
PIECES = [
    " ", "  ", "\n", "\r\n", "\t", "a", "b", "the", "The", "lower", "newest", "isn't", "they're",
    "1", "12", "1234", "3.14", "!", "...", "?!", "-", "_", "'", "'s", "n't", "é", "e\u0301", "ü",
    "ß", "İ", "ı", "Σ", "ς", "ﬁ", "Å", "你", "好世", "界。", "か", "カー", "한국", "שלום", "مرحبا",
    "नमस्ते", "ไทย", "🙂", "👍🏽", "👩‍👩‍👧", "\u00a0", "\u3000", "\u200b", "\u200d", "\u2028",
    "\u0085", "\ufeff", "\u0000", "\u0001", "\u007f", "\u00ad", "\ufffd", "▁", "▁a", "Ġ", "##a",
    "</w>", "<0x41>", "<s>", "</s>", "<pad>", "[CLS]", "[SEP]", "[UNK]", "<unk>", "<x>", "<y>",
    "word", "words", "x y", "², ", "½", "Ⅳ", "٣", "①", "Ⓐ", "a_b", "\u0300", "\u0323\u0301", "ᾳ",
    "가", "\u1100\u1161",
    "~", "`", "$", "+", "<", ">", "|", "^", "=", "\\", "/", ",", ";", "\u2019", "«", "¿", "、",
]
ADDED = ["<s>", "</s>", "<pad>", "[CLS]", "[SEP]", "<x>", "<y>", "word", " x", "x y", "The", "é",
         "<X>", "ab", "▁a", "!", "你好", "<s><s>", "W" * 600]


def words(rng, least, most):
    return "".join(rng.choice(PIECES) for _ in range(rng.randint(least, most)))


def random_text(rng):
    return words(rng, 0, rng.choice([2, 6, 20]))


def trained_models():
    """Models of every kind, as JSON."""
    out = []

    def train(model, trainer, pre):
        tok = Tokenizer(model)
        tok.pre_tokenizer = pre
        tok.train_from_iterator(CORPUS, trainer)
        out.append(json.loads(tok.to_str())["model"])

    alphabet = pre_tokenizers.ByteLevel.alphabet()
    quiet = {"show_progress": False}
    train(models.BPE(), trainers.BpeTrainer(vocab_size=380, initial_alphabet=alphabet, **quiet),
          pre_tokenizers.ByteLevel())
    train(models.BPE(), trainers.BpeTrainer(vocab_size=200, **quiet), pre_tokenizers.ByteLevel())
    train(models.BPE(unk_token="<unk>"), trainers.BpeTrainer(
        vocab_size=260, special_tokens=["<unk>"], **quiet), pre_tokenizers.Whitespace())
    train(models.BPE(unk_token="<unk>"), trainers.BpeTrainer(
        vocab_size=260, special_tokens=["<unk>", "<s>"], limit_alphabet=40,
        end_of_word_suffix="</w>", **quiet), pre_tokenizers.BertPreTokenizer())
    train(models.BPE(unk_token="<unk>", continuing_subword_prefix="##"), trainers.BpeTrainer(
        vocab_size=240, special_tokens=["<unk>"], limit_alphabet=60,
        continuing_subword_prefix="##", **quiet), pre_tokenizers.Whitespace())
    train(models.BPE(unk_token="<unk>"), trainers.BpeTrainer(
        vocab_size=240, special_tokens=["<unk>"], limit_alphabet=50, **quiet),
        pre_tokenizers.Metaspace())
    train(models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer(
        vocab_size=260, special_tokens=["[UNK]", "[CLS]", "[SEP]"], **quiet),
        pre_tokenizers.BertPreTokenizer())
    train(models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer(
        vocab_size=120, special_tokens=["[UNK]"], limit_alphabet=40, **quiet),
        pre_tokenizers.BertPreTokenizer())
    train(models.WordLevel(unk_token="<unk>"), trainers.WordLevelTrainer(
        special_tokens=["<unk>", "<s>"], **quiet), pre_tokenizers.Whitespace())
    train(models.Unigram(), trainers.UnigramTrainer(
        vocab_size=200, special_tokens=["<unk>", "<s>"], unk_token="<unk>", **quiet),
        pre_tokenizers.Metaspace())
    return out


def vary_model(rng, model):
    model = json.loads(json.dumps(model))
    if model["type"] == "BPE":
        if rng.random() < 0.3:
            for byte in range(256):
                if byte != 0x43 or rng.random() < 0.5:
                    model["vocab"].setdefault(f"<0x{byte:02X}>", len(model["vocab"]))
            model["byte_fallback"] = True
        model["fuse_unk"] = rng.random() < 0.5
        model["ignore_merges"] = rng.random() < 0.3
        if rng.random() < 0.3:
            model["merges"] = [" ".join(m) if isinstance(m, list) else m for m in model["merges"]]
        if rng.random() < 0.1:
            model["unk_token"] = None
        if rng.random() < 0.2 and model["merges"] and not any(
                " " in t for t in model["vocab"]):
            del model["type"]
    elif model["type"] == "WordPiece":
        if rng.random() < 0.3:
            model["max_input_chars_per_word"] = rng.choice([0, 3, 10])
        if rng.random() < 0.1:
            del model["type"]
    elif model["type"] == "WordLevel" and rng.random() < 0.2:
        del model["type"]
    elif model["type"] == "Unigram" and rng.random() < 0.3:
        model["byte_fallback"] = True
        if rng.random() < 0.7:
            model["vocab"] += [[f"<0x{b:02X}>", -12.0] for b in range(256)]
    return model


def pattern(rng, strings=("a", " ", "the", "▁", "e", "..", "l")):
    regexes = [r"\s+", r"\d", r"\p{L}+", r"[aeiou]", r" ?\w+", r"l*", r"\W", r"(?i:the)|\p{N}{1,2}",
               r"\p{P}", r"[^\s\p{L}]+", r"\s+(?!\S)|\s", r"e|er", r"\p{Han}", r"^\s", r" {2,}"]
    if rng.random() < 0.5:
        return {"String": rng.choice(strings)}
    return {"Regex": rng.choice(regexes)}


def charsmap(rule):
    """A table of SentencePiece's, in base64."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS), model_writer=model, model_type="char", vocab_size=200,
        hard_vocab_limit=False, minloglevel=2, normalization_rule_name=rule)
    proto = sentencepiece_model_pb2.ModelProto.FromString(model.getvalue())
    return base64.b64encode(proto.normalizer_spec.precompiled_charsmap).decode()


CHARSMAPS = []


def normalizer(rng, depth=0):
    kind = rng.choice(["BertNormalizer", "Precompiled", "StripAccents", "Nmt", "ByteLevel",
                       "Prepend", "Replace", "Strip",
                       "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "Sequence"])
    flip = lambda: rng.random() < 0.5
    if kind == "BertNormalizer":
        return {"type": kind, "clean_text": flip(), "handle_chinese_chars": flip(),
                "strip_accents": rng.choice([None, True, False]), "lowercase": flip()}
    if kind == "Precompiled":
        if not CHARSMAPS:
            CHARSMAPS.extend(map(charsmap, ("nmt_nfkc", "nmt_nfkc_cf", "nfkc")))
        return {"type": kind, "precompiled_charsmap": rng.choice(CHARSMAPS)}
    if kind == "Prepend":
        return {"type": kind, "prepend": rng.choice(["▁", " ", "ab"])}
    if kind == "Replace":
        return {"type": kind, "pattern": pattern(rng), "content": rng.choice(["", " ", "▁", "xy"])}
    if kind == "Strip":
        return {"type": kind, "strip_left": flip(), "strip_right": flip()}
    if kind == "Sequence":
        if depth > 1:
            return {"type": "NFC"}
        return {"type": kind,
                "normalizers": [normalizer(rng, depth + 1) for _ in range(rng.randint(0, 3))]}
    return {"type": kind}


BEHAVIORS = ["Isolated", "Removed", "Contiguous", "MergedWithPrevious", "MergedWithNext"]


def pre_tokenizer(rng, depth=0):
    kind = rng.choice(["BertPreTokenizer", "CharDelimiterSplit", "UnicodeScripts", "FixedLength",
                       "Punctuation", "Digits", "Whitespace", "WhitespaceSplit", "Metaspace",
                       "ByteLevel", "Split", "Split", "Sequence", "Sequence"])
    flip = lambda: rng.random() < 0.5
    if kind == "CharDelimiterSplit":
        return {"type": kind, "delimiter": rng.choice([" ", "a", "▁", "你"])}
    if kind == "FixedLength":
        return {"type": kind, "length": rng.randint(1, 6)}
    if kind == "Punctuation":
        return {"type": kind, "behavior": rng.choice(BEHAVIORS)}
    if kind == "Digits":
        return {"type": kind, "individual_digits": flip()}
    if kind == "Metaspace":
        out = {"type": kind, "replacement": rng.choice(["▁", "▁", "_"]),
               "prepend_scheme": rng.choice(["always", "first", "never"]), "split": flip()}
        if rng.random() < 0.2:  # as older files have it
            out = {"type": kind, "replacement": "▁", "str_rep": "▁", "add_prefix_space": True}
        return out
    if kind == "ByteLevel":
        return {"type": kind, "add_prefix_space": flip(), "trim_offsets": flip(),
                "use_regex": flip()}
    if kind == "Split":
        return {"type": kind, "pattern": pattern(rng), "behavior": rng.choice(BEHAVIORS),
                "invert": flip()}
    if kind == "Sequence":
        if depth > 1:
            return {"type": "WhitespaceSplit"}
        return {"type": kind,
                "pretokenizers": [pre_tokenizer(rng, depth + 1) for _ in range(rng.randint(0, 3))]}
    return {"type": kind}


def decoder(rng, depth=0):
    kind = rng.choice(["ByteLevel", "WordPiece", "Metaspace", "BPEDecoder", "CTC", "Replace",
                       "Strip", "Fuse", "ByteFallback", "Sequence", "Sequence"])
    flip = lambda: rng.random() < 0.5
    if kind == "ByteLevel":
        return {"type": kind, "add_prefix_space": flip(), "trim_offsets": flip(),
                "use_regex": flip()}
    if kind == "WordPiece":
        return {"type": kind, "prefix": rng.choice(["##", "▁", "e"]), "cleanup": flip()}
    if kind == "Metaspace":
        return {"type": kind, "replacement": "▁", "split": flip(),
                "prepend_scheme": rng.choice(["always", "first", "never"])}
    if kind == "BPEDecoder":
        return {"type": kind, "suffix": rng.choice(["</w>", "e", ""])}
    if kind == "CTC":
        return {"type": kind, "pad_token": rng.choice(["<pad>", "a"]),
                "word_delimiter_token": rng.choice(["|", "e"]), "cleanup": flip()}
    if kind == "Replace":
        return {"type": kind, "pattern": pattern(rng, ("▁", "a", " ", "th", "ll", "")),
                "content": rng.choice(["", " ", "xy"])}
    if kind == "Strip":  # stop > 0 makes the library die of tokens that are too short
        return {"type": kind, "content": rng.choice([" ", "▁", "a"]), "start": rng.randint(0, 2),
                "stop": rng.choice([0, 0, 1])}
    if kind == "Sequence":
        if depth > 1:
            return {"type": "Fuse"}
        return {"type": kind,
                "decoders": [decoder(rng, depth + 1) for _ in range(rng.randint(0, 4))]}
    return {"type": kind}


def post_processor(rng, token_ids, depth=0):
    # A template behind a template makes the library die.
    kind = rng.choice(["TemplateProcessing"] * (depth == 0) + [
        "BertProcessing", "RobertaProcessing", "ByteLevel", "Sequence"])
    pick = lambda: rng.choice(list(token_ids.items()))
    if kind == "BertProcessing":
        return {"type": kind, "sep": list(pick()), "cls": list(pick())}
    if kind == "RobertaProcessing":
        return {"type": kind, "sep": list(pick()), "cls": list(pick()),
                "trim_offsets": rng.random() < 0.5, "add_prefix_space": rng.random() < 0.5}
    if kind == "ByteLevel":
        return {"type": kind, "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
    if kind == "Sequence":
        if depth > 0:
            return {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True}
        steps = [post_processor(rng, token_ids, 1) for _ in range(rng.randint(0, 2))]
        if rng.random() < 0.5:
            steps.append(template(rng, token_ids))
        return {"type": kind, "processors": steps}
    return template(rng, token_ids)


def template(rng, token_ids):
    tokens = {}
    pick = lambda: rng.choice(list(token_ids.items()))

    def special():
        name, id_ = pick()
        ids = [id_] if rng.random() < 0.8 else [id_, pick()[1]]
        tokens[name] = {"id": name, "ids": ids, "tokens": [name] * len(ids)}
        return {"SpecialToken": {"id": name, "type_id": rng.randint(0, 1)}}

    def row(*texts):
        out = []
        for text in texts:
            out += [special() for _ in range(rng.randint(0, 2))]
            out.append({"Sequence": {"id": text, "type_id": rng.randint(0, 1)}})
        return out + [special() for _ in range(rng.randint(0, 2))]
    single = row("A") if rng.random() < 0.9 else row("A", "A")
    pair = row("A", "B") if rng.random() < 0.8 else row("B", "A")
    return {"type": "TemplateProcessing", "single": single, "pair": pair,
            "special_tokens": tokens}


def vocab_of(model):
    vocab = model["vocab"]
    return vocab if isinstance(vocab, dict) else {text: i for i, (text, _) in enumerate(vocab)}


def added_tokens(rng, vocab):
    out, contents = [], rng.sample(ADDED, rng.randint(0, 6))
    if contents and rng.random() < 0.2:
        contents.append(rng.choice(contents))
    if rng.random() < 0.5:
        contents += [t for t in ("<unk>", "[UNK]", "<s>") if t in vocab and t not in contents]
    next_id = len(vocab)
    for content in contents:
        flip = lambda p=0.3: rng.random() < p
        id_ = vocab.get(content)
        if id_ is None:
            id_, next_id = next_id, next_id + 1
            if flip(0.2):
                id_ += rng.randint(1, 5)
        out.append({"id": id_, "content": content, "single_word": flip(), "lstrip": flip(),
                    "rstrip": flip(), "normalized": flip(),
                    # Others would be control tokens that the library's models make of text.
                    "special": content[0] in "<[W" and flip(0.6)})
    if rng.random() < 0.2:
        rng.shuffle(out)
    return out


def random_file(rng, base_models):
    model = vary_model(rng, rng.choice(base_models))
    vocab = vocab_of(model)
    maybe = lambda make, p: make() if rng.random() < p else None
    added = added_tokens(rng, vocab)
    ids = dict(rng.sample(list(vocab.items()), 4))
    truncation = padding = None
    if rng.random() < 0.3:
        # Not below what is added, where the library's subtraction wraps around.
        truncation = {"max_length": rng.randint(12, 24), "stride": 0,
                      "strategy": rng.choice(["LongestFirst", "OnlyFirst", "OnlySecond"]),
                      "direction": rng.choice(["Left", "Right"])}
    if rng.random() < 0.3:
        padding = {"strategy": rng.choice(["BatchLongest", {"Fixed": rng.randint(0, 12)}]),
                   "direction": rng.choice(["Left", "Right"]), "pad_id": rng.randint(0, 5),
                   "pad_to_multiple_of": rng.choice([None, 1, 3, 8]),
                   "pad_type_id": rng.randint(0, 1), "pad_token": "<pad>"}
    return {"version": "1.0", "truncation": truncation, "padding": padding, "added_tokens": added,
            "normalizer": maybe(lambda: normalizer(rng), 0.6),
            "pre_tokenizer": maybe(lambda: pre_tokenizer(rng), 0.8),
            "post_processor": maybe(lambda: post_processor(rng, ids), 0.6),
            "decoder": maybe(lambda: decoder(rng), 0.8), "model": model}


def tried(call):
    """The result, or None where the library refuses or dies."""
    try:
        return call()
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # a panic of the library is none of Exception
        return None


def expect(tok, bare, case):
    """What the library gives for a case; None where it gives nothing."""
    text, pair = case["text"], case["pair"]
    out = {}
    for tokenizer in (tok, bare):
        tokenizer.encode_special_tokens = False
    out["ids"] = tried(lambda: bare.encode(text, add_special_tokens=False).ids)
    out["full"] = tried(lambda: bare.encode(text).ids)
    both = tried(lambda: bare.encode(text, pair))
    out["pair"], out["types"] = (both.ids, both.type_ids) if both else (None, None)
    limited = tried(lambda: tok.encode(text, pair))
    out["batch"] = {"ids": limited.ids, "types": limited.type_ids,
                    "mask": limited.attention_mask} if limited else None
    bare.encode_special_tokens = True
    out["unparsed"] = tried(lambda: bare.encode(text, add_special_tokens=False).ids)
    for special in (False, True):
        name = "decoded_special" if special else "decoded_plain"
        out[name] = tried(lambda: tok.decode(case["ids"], skip_special_tokens=not special))
    return out


class Hearth:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def run(self, request):
        self.process.stdin.write((json.dumps(request) + "\n").encode())
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"the program died of {json.dumps(request)[:2000]}")
        return json.loads(line)


def make_library(spec):
    bare = dict(spec, truncation=None, padding=None)
    return tried(lambda: (Tokenizer.from_str(json.dumps(spec)),
                          Tokenizer.from_str(json.dumps(bare))))


def undefined(spec, tok):
    """Added tokens that the normalizer makes nothing of, which the library finds between all
    characters, or two that it makes the same of, of which the library takes any."""
    if not spec["normalizer"]:
        return False
    contents = {t["content"]: t["normalized"] for t in spec["added_tokens"]}
    texts = [tok.normalizer.normalize_str(c) for c, normalized in contents.items() if normalized]
    return "" in texts or len(set(texts)) < len(texts)


def may_make_control(spec, case, unparsed):
    """Whether the library's model may make a control token of this text, as Hearth's never do: one
    that is an entry of the model stands there and is not cut out of it before."""
    vocab, text = vocab_of(spec["model"]), (case["text"] + case["pair"]).lower()
    return any(t["special"] and t["content"] in vocab and t["content"].lower() in text and
               (unparsed or t["normalized"] or t["single_word"]) for t in spec["added_tokens"])


def compare(spec, cases, wanted, got, counts, report):
    for case, want, have in zip(cases, wanted, got["cases"]):
        for name, value in want.items():
            if value is None:
                counts["left out: the library gives nothing"] += 1
                continue
            if have.get(name) == value:
                counts["equal"] += 1
                continue
            # Hearth's models never make a control token of text, the library's do.
            if not name.startswith("decoded") and may_make_control(
                    spec, case, name == "unparsed"):
                counts["left out: the model made a control token of text"] += 1
                continue
            counts["different: " + name] += 1
            report(spec, case, name, value, have.get(name))
        for name in ("plain", "special"):
            if not have["stream_equal_" + name]:
                counts["different: stream"] += 1
                report(spec, case, "stream_equal_" + name, True, False)


def character_steps():
    """Steps that ask what a character is, each with whether its table is of the same Unicode as
    Hearth's, or an old one in which new characters are nothing yet."""
    spaces = {"type": "WhitespaceSplit"}

    def bert(**flags):
        off = dict.fromkeys(("clean_text", "handle_chinese_chars", "strip_accents", "lowercase"),
                            False)
        return {"type": "BertNormalizer", **off, **flags}

    def removed(regex, invert):
        return {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Removed",
                "invert": invert}
    return [("clean_text", bert(clean_text=True), spaces, True),
            ("handle_chinese_chars", bert(handle_chinese_chars=True), spaces, False),
            ("strip_accents", bert(strip_accents=True), spaces, True),
            ("StripAccents", {"type": "StripAccents"}, spaces, True),
            ("Nmt", {"type": "Nmt"}, spaces, False),
            ("Punctuation", None, {"type": "Punctuation", "behavior": "Isolated"}, True),
            ("UnicodeScripts", None, {"type": "UnicodeScripts"}, True),
            ("Digits", None, {"type": "Digits", "individual_digits": True}, False),
            ("Whitespace", None, {"type": "Whitespace"}, False),
            ("WhitespaceSplit", None, spaces, False),
            (r"\w", None, removed(r"\w", True), False), (r"\s", None, removed(r"\s", False), False)]


def compare_characters(hearth, counts):
    """A character between two letters: cut off, dropped, or neither."""
    model = {"type": "WordLevel", "vocab": {"u": 0, "a": 1, "b": 2, "ab": 3}, "unk_token": "u"}
    wanted = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000 and
              unicodedata.category(chr(c)) not in ("Co", "Cn")]
    for name, normal, pre, old in character_steps():
        spec = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [],
                "normalizer": normal, "pre_tokenizer": pre, "post_processor": None,
                "decoder": None, "model": model}
        tok = Tokenizer.from_str(json.dumps(spec))
        for at in range(0, len(wanted), 5000):
            texts = [f"a{c}b" for c in wanted[at:at + 5000]]
            got = hearth.run({"tokenizer": spec, "cases": [{"text": t, "ids": []} for t in texts]})
            for want, have in zip(tok.encode_batch(texts), got["cases"]):
                same = want.ids == have["ids"]
                verdict = "equal" if same else "of another Unicode" if old else "different"
                counts[f"{verdict}: {name}" if not same else "equal: characters"] += 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--texts", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, default=20)
    parser.add_argument("--characters", action="store_true")
    args = parser.parse_args()
    base_models = trained_models()
    hearth = Hearth(args.program)
    counts = collections.Counter()
    shown = [0]
    if args.characters:
        compare_characters(hearth, counts)

    def report(spec, case, name, value, have):
        shown[0] += 1
        if shown[0] > args.show:
            return
        parts = {k: v for k, v in spec.items() if k not in ("model", "version")}
        model = {k: v for k, v in spec["model"].items() if k not in ("vocab", "merges")}
        print(f"{name}\n  library {value!r}\n  hearth  {have!r}\n  case {json.dumps(case)}\n"
              f"  parts {json.dumps(parts, ensure_ascii=False)}\n  model {json.dumps(model)}")

    for number in range(args.files):
        rng = random.Random(args.seed * 1000003 + number)
        spec = random_file(rng, base_models)
        made = make_library(spec)
        if made and undefined(spec, made[0]):
            counts["left out: what the normalizer makes of an added token"] += 1
            continue
        size = made[0].get_vocab_size() if made else 1
        cases = [{"text": random_text(rng), "pair": random_text(rng),
                  "ids": [rng.randrange(size + 2) for _ in range(rng.randint(0, 12))]}
                 for _ in range(args.texts)]
        if made:
            for case in cases[::2]:
                encoded = tried(lambda: made[1].encode(case["text"]).ids)
                case["ids"] = encoded or case["ids"]
        got = hearth.run({"tokenizer": spec, "cases": cases})
        if made is None or "error" in got:
            kind = ("both" if made is None else "Hearth") if "error" in got else "the library"
            counts[f"refused by {kind}"] += 1
            if kind == "Hearth":
                report(spec, None, "refused", None, got["error"])
            continue
        wanted = [expect(made[0], made[1], case) for case in cases]
        compare(spec, cases, wanted, got, counts, report)
    for name, count in sorted(counts.items()):
        print(f"{count:9} {name}")
    sys.exit(any(n.startswith("different") or n == "refused by Hearth" for n in counts))


if __name__ == "__main__":
    main()
