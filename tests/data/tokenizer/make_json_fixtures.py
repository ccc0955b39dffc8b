#!/usr/bin/env python3
"""Makes json_parts.json and json_models.json: tiny tokenizer.json files with what Hugging Face's
tokenizers gives for tricky texts, and folders without tokenizer.json with what transformers gives.

json_parts.json has each component alone and json_models.json the combinations that models use.
Each tokenizer has, for each text, its ids; for some texts the ids with what is added, a pair's ids
and type ids, and decoded texts. Needs: tokenizers, transformers, sentencepiece.
"""
import io
import json
import pathlib
import random
import tempfile

import sentencepiece
import transformers
from sentencepiece import sentencepiece_model_pb2
from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers,
                        pre_tokenizers, processors, trainers)

HERE = pathlib.Path(__file__).parent
CORPUS = [
    "The quick brown fox isn't lazy; they're 3.14 low lower lowest new newer newest wide wider.",
    "naïve café Übergröße αβγ Привет мир 你好世界 こんにちは カタカナー 한국어 שלום مرحبا नमस्ते ไทย",
] * 6
TEXTS = [
    "", " ", "  a", "a ", "Hello world", " The quick  brown fox .",
    "is n't it ' s they ' re ?", "They're lower, isn't it?", "I'LL 'S n't do not 've",
    "12 1234 3.14 x² ½ Ⅳ ٣", "a\nb\r\n\tc \u00a0\u3000d", "naïve CAFÉ É",
    "e\u0301te\u0301 \u0323\u0301",
    "İstanbul ıI ß ẞ ΑΣΑΣ ﬁ Å", "Привет, МИР!", "你好，世界。好", "カー こんに、",
    "한국어 가 \u1100\u1161", "שלום مرحبا", "नमस्ते ไทย", "🙂👍🏽 👩‍👩‍👧",
    "\u200b\u200d\u2028\u0085\ufeff\u00ad",
    "\x00\x01\x7f\ufffd", "▁a ▁▁ Ġb ##c </w> <0x41>", "a_b-c~`$+<>=^|\\", "«q» ¿x? … “y” 、",
    "<s>a</s>", "a <x> b", "a<x>b", "  <x>  c", "<x><x>", "[CLS] x [SEP]", "word words a word.",
    "wordword", "x y", "xx y", "The<s>The", "<pad>", "low" * 40, "http://a.b/c?d=e&f",
]
PAIRS = [("Hello", "world"), ("", "a"), ("low lower", ""), ("The <x> fox", "naïve café 12")]


def row_of(tok, number, text):
    """What is stored for a text; decoding only for some, to keep the file small."""
    row = {"ids": tok.encode(text, add_special_tokens=False).ids}
    full = tok.encode(text).ids
    if full != row["ids"]:
        row["full"] = full
    if number % 3 == 0:
        row["decoded"] = tok.decode(full, skip_special_tokens=True)
        special = tok.decode(full, skip_special_tokens=False)
        if special != row["decoded"]:
            row["special"] = special
    return row


def cases_of(tok):
    pairs = []
    for first, second in PAIRS:
        both = tok.encode(first, second)
        pairs.append({"ids": both.ids, "types": both.type_ids})
    rng = random.Random(5)
    odd = [[rng.randrange(tok.get_vocab_size() + 2) for _ in range(8)] for _ in range(6)]
    return {"rows": [row_of(tok, i, text) for i, text in enumerate(TEXTS)], "pairs": pairs,
            "odd": [{"ids": ids, "decoded": tok.decode(ids, skip_special_tokens=True)}
                    for ids in odd]}


def entry(name, tok, config=None):
    tok.no_truncation()
    return {"name": name, "tokenizer": json.loads(tok.to_str()), "config": config,
            **cases_of(tok)}


def trained(model, trainer, pre=None, size=150, **options):
    tok = Tokenizer(model)
    if pre:
        tok.pre_tokenizer = pre
    tok.train_from_iterator(CORPUS, trainer(vocab_size=size, show_progress=False, **options))
    return tok


def characters():
    """A model that shows every word and character: WordLevel would hide them."""
    return trained(models.BPE(unk_token="<unk>"), trainers.BpeTrainer,
                   pre_tokenizers.WhitespaceSplit(), size=160, special_tokens=["<unk>"])


def bare(**parts):
    tok = Tokenizer.from_str(CHARACTERS)
    tok.pre_tokenizer = None
    for name, part in parts.items():
        setattr(tok, name, part)
    return tok


def normalizer_parts():
    flags = [(True, True, None, True), (False, True, False, True), (True, False, True, False),
             (False, False, None, False)]
    parts = {f"Bert{i}": normalizers.BertNormalizer(*f) for i, f in enumerate(flags)}
    for name in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "ByteLevel"):
        parts[name] = getattr(normalizers, name)()
    parts["Prepend"] = normalizers.Prepend("▁")
    parts["ReplaceString"] = normalizers.Replace("e", "xy")
    parts["ReplaceRegex"] = normalizers.Replace(Regex(r"\s+|l*"), "_")
    parts["StripLeft"] = normalizers.Strip(left=True, right=False)
    parts["StripBoth"] = normalizers.Strip()
    parts["Sequence"] = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(),
                                              normalizers.Lowercase()])
    return {name: bare(normalizer=part) for name, part in parts.items()}


def pre_tokenizer_parts():
    pre = pre_tokenizers
    parts = {"BertPreTokenizer": pre.BertPreTokenizer(), "UnicodeScripts": pre.UnicodeScripts(),
             "Whitespace": pre.Whitespace(), "WhitespaceSplit": pre.WhitespaceSplit(),
             "CharDelimiterSplit": pre.CharDelimiterSplit("o"), "FixedLength": pre.FixedLength(3),
             "Digits": pre.Digits(False), "DigitsEach": pre.Digits(True),
             "ByteLevel": pre.ByteLevel(add_prefix_space=True)}
    for behavior in ("isolated", "removed", "contiguous", "merged_with_previous",
                     "merged_with_next"):
        parts["Punctuation " + behavior] = pre.Punctuation(behavior)
        parts["Split " + behavior] = pre.Split(Regex(r"[eo]+|\s"), behavior)
        parts["Invert " + behavior] = pre.Split("o", behavior, invert=True)
    for scheme in ("always", "first", "never"):
        parts["Metaspace " + scheme] = pre.Metaspace("▁", scheme, split=scheme != "never")
    return {name: bare(pre_tokenizer=part) for name, part in parts.items()}


def decoder_parts():
    dec = decoders
    parts = {"ByteLevel": dec.ByteLevel(), "WordPiece": dec.WordPiece("##", True),
             "WordPiecePlain": dec.WordPiece("e", False), "Metaspace": dec.Metaspace("▁", "first"),
             "MetaspaceNever": dec.Metaspace("▁", "never"), "BPEDecoder": dec.BPEDecoder("e"),
             "CTC": dec.CTC("a", "o", True), "Replace": dec.Replace("e", " "),
             "ReplaceRegex": dec.Replace(Regex("[a-e]+"), "_"), "Strip": dec.Strip("l", 2, 0),
             "Fuse": dec.Fuse(), "ByteFallback": dec.ByteFallback(), "None": None,
             "Sequence": dec.Sequence([dec.Replace("▁", " "), dec.Fuse(), dec.Strip(" ", 1, 0)])}
    return {"decoder " + name: bare(decoder=part) for name, part in parts.items() if part}


def processor_parts():
    proc = processors
    cls, sep = ("<unk>", 0), ("a", 30)
    parts = {"Bert": proc.BertProcessing(sep, cls), "Roberta": proc.RobertaProcessing(sep, cls),
             "ByteLevel": proc.ByteLevel(),
             "Template": proc.TemplateProcessing(
                 single="<unk> $A:1 a", pair="a:1 $B:1 <unk> $A:0 a",
                 special_tokens=[cls, sep])}
    parts["Sequence"] = proc.Sequence([parts["ByteLevel"], parts["Bert"], parts["Template"]])
    return {"processor " + name: bare(post_processor=part) for name, part in parts.items()}


def added_parts():
    out = {}
    for bits in range(16):
        flags = {name: bool(bits >> i & 1) for i, name in enumerate(
            ("lstrip", "rstrip", "single_word", "normalized"))}
        tok = bare(normalizer=normalizers.Lowercase())
        tok.add_tokens([AddedToken("word", **flags), AddedToken("X Y", **flags)])
        tok.add_special_tokens([AddedToken("<x>", **flags), AddedToken("<s>", **flags)])
        out[f"added {bits}"] = tok
    return out


def model_variants():
    out = {}
    spec = json.loads(CHARACTERS)

    def variant(name, change):
        data = json.loads(json.dumps(spec))
        change(data["model"])
        out["model " + name] = Tokenizer.from_str(json.dumps(data))

    def fallback(model):
        for byte in range(256):
            model["vocab"].setdefault(f"<0x{byte:02X}>", len(model["vocab"]))
        model["byte_fallback"] = True

    variant("fuse_unk", lambda m: m.update(fuse_unk=True))
    variant("no unk", lambda m: m.update(unk_token=None))
    variant("ignore_merges", lambda m: m.update(ignore_merges=True))
    variant("byte_fallback", fallback)
    variant("no type", lambda m: m.pop("type"))
    variant("merges as text", lambda m: m.update(merges=[" ".join(p) for p in m["merges"]]))
    return out


def bert():
    tok = trained(models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer,
                  pre_tokenizers.BertPreTokenizer(), size=170,
                  special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    tok.normalizer = normalizers.BertNormalizer()
    tok.decoder = decoders.WordPiece()
    tok.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return tok


class Cleaned:
    """Decodes as transformers does where it cleans up spaces."""

    def __init__(self, tok):
        self.tok, self.decode = tok, transformers.PreTrainedTokenizerFast(
            tokenizer_object=tok, clean_up_tokenization_spaces=True).decode

    def __getattr__(self, name):
        return getattr(self.tok, name)


def cleaned():
    tok = bert()
    tok.decoder = decoders.WordPiece("##", cleanup=False)
    return Cleaned(tok)


def byte_level(size=330, **options):
    return trained(models.BPE(), trainers.BpeTrainer, pre_tokenizers.ByteLevel(False), size,
                   initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), **options)


def roberta():
    tok = byte_level(special_tokens=["<s>", "<pad>", "</s>", "<unk>"])
    tok.add_special_tokens([AddedToken("<x>", lstrip=True)])
    tok.decoder = decoders.ByteLevel()
    tok.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return tok


def clip():
    tok = trained(models.BPE(unk_token="</s>", end_of_word_suffix="</w>"), trainers.BpeTrainer,
                  pre_tokenizers.ByteLevel(False), 340, special_tokens=["<s>", "</s>"],
                  end_of_word_suffix="</w>",
                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tok.normalizer = normalizers.Sequence([
        normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"'s|'t|'re|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"), "removed",
                             invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tok.decoder = decoders.BPEDecoder("</w>")
    tok.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0), False, False)
    return tok


RULES = ("FB01\t66 69\n65 301\tE9\n3000\t20\n20 20\t20\nBD\t31 2F 32\n1100 1161\tAC00\n"
         "FF0C\t2C\n200B\t\n")


def charsmap():
    """A few rules, as a model of SentencePiece holds them."""
    model = io.BytesIO()
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
        rules.write(RULES)
        rules.flush()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(CORPUS), model_writer=model, model_type="char", vocab_size=120,
            character_coverage=1.0, minloglevel=2, normalization_rule_tsv=rules.name)
    proto = sentencepiece_model_pb2.ModelProto.FromString(model.getvalue())
    return proto.normalizer_spec.precompiled_charsmap


def t5():
    tok = trained(models.Unigram(), trainers.UnigramTrainer, pre_tokenizers.Metaspace(), 150,
                  special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>")
    tok.normalizer = normalizers.Sequence([
        normalizers.Precompiled(charsmap()), normalizers.Replace(Regex(" {2,}"), " ")])
    tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(),
                                                 pre_tokenizers.Metaspace()])
    tok.decoder = decoders.Metaspace()
    tok.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    return tok


def deberta():
    tok = byte_level(special_tokens=["[PAD]", "[CLS]", "[SEP]", "[UNK]"])
    tok.add_special_tokens([AddedToken("<x>", lstrip=True, normalized=True)])
    tok.decoder = decoders.ByteLevel()
    tok.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 1), ("[SEP]", 2)])
    return tok


def whisper():
    tok = byte_level()
    tok.add_special_tokens(["</s>", "<s>", "<x>"])
    tok.decoder = decoders.ByteLevel()
    sot, end = ("<s>", tok.token_to_id("<s>")), ("</s>", tok.token_to_id("</s>"))
    tok.post_processor = processors.TemplateProcessing(
        single="<s> <x> $A </s>", pair="<s> <x> $A $B </s>",
        special_tokens=[sot, end, ("<x>", tok.token_to_id("<x>"))])
    return tok


def word_level():
    tok = trained(models.WordLevel(unk_token="<unk>"), trainers.WordLevelTrainer,
                  pre_tokenizers.Whitespace(), 60, special_tokens=["<unk>", "<s>"])
    return tok


def deep_prefix():
    """Continuing entries with a prefix, in byte-pair encoding."""
    return trained(models.BPE(unk_token="<unk>", continuing_subword_prefix="##"),
                   trainers.BpeTrainer, pre_tokenizers.Whitespace(), 170,
                   special_tokens=["<unk>"], continuing_subword_prefix="##")


def limited():
    """Truncation and padding: what the library gives for the pairs and their first texts."""
    out = []
    for number, (limit, fill) in enumerate([
            ({"max_length": 6, "strategy": "longest_first", "direction": "right"},
             {"length": 8, "direction": "left", "pad_id": 4, "pad_type_id": 1}),
            ({"max_length": 7, "strategy": "longest_first", "direction": "left"},
             {"pad_to_multiple_of": 4, "pad_id": 0}),
            ({"max_length": 9, "strategy": "only_second", "direction": "left"}, {"length": 5})]):
        tok = bert()
        item = entry(f"limits {number}", tok)
        tok.enable_truncation(stride=0, **limit)
        tok.enable_padding(pad_token="[MASK]", **fill)
        item["tokenizer"] = json.loads(tok.to_str())
        item["batches"] = []
        for first, second in PAIRS:
            for texts in ((first, second), (first,)):
                try:
                    got = tok.encode(*texts)
                except Exception:  # nothing would be left of the text to be cut
                    item["batches"].append(None)
                    continue
                item["batches"].append({"ids": got.ids, "types": got.type_ids,
                                        "mask": got.attention_mask})
        out.append(item)
    return out


def folder(name, cls, files):
    """What transformers makes of a folder of files."""
    with tempfile.TemporaryDirectory() as path:
        for file, text in files.items():
            (pathlib.Path(path) / file).write_text(text, encoding="utf-8")
        tok = getattr(transformers, cls).from_pretrained(path).backend_tokenizer
        return {"name": name, "files": files, **cases_of(tok)}


def folders():
    def bpe_files(tok, config, **more):
        data = json.loads(tok.to_str())["model"]
        merges = "#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in data["merges"])
        return {"vocab.json": json.dumps(data["vocab"], ensure_ascii=False), "merges.txt": merges,
                "tokenizer_config.json": json.dumps(config), **more}
    plain = byte_level(special_tokens=["<|endoftext|>"])
    decoder = {str(len(plain.get_vocab()) + i): {
        "content": text, "lstrip": False, "rstrip": i == 1, "single_word": False,
        "normalized": False, "special": True} for i, text in enumerate(["<s>", "<x>"])}
    out = [folder("gpt2", "GPT2Tokenizer", bpe_files(plain, {"tokenizer_class": "GPT2Tokenizer"}))]
    out.append(folder("gpt2 with prefix", "GPT2Tokenizer", bpe_files(
        plain, {"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": True,
                "bos_token": "<s>"}, **{"added_tokens.json": json.dumps(
                    {"<x>": len(plain.get_vocab()), "<s>": len(plain.get_vocab()) + 1})})))
    out.append(folder("qwen2", "Qwen2Tokenizer", bpe_files(
        plain, {"tokenizer_class": "Qwen2Tokenizer", "added_tokens_decoder": decoder,
                "eos_token": "<s>"})))
    words = json.loads(bert().to_str())["model"]["vocab"]
    lines = "".join(text + "\n" for text in sorted(words, key=words.get))
    out.append(folder("bert", "BertTokenizer", {
        "vocab.txt": lines, "tokenizer_config.json": json.dumps(
            {"tokenizer_class": "BertTokenizer", "do_lower_case": False})}))
    out.append(folder("bert uncased", "BertTokenizer", {
        "vocab.txt": lines, "special_tokens_map.json": json.dumps({"mask_token": "[MASK]"}),
        "tokenizer_config.json": json.dumps({"tokenizer_class": "BertTokenizer"})}))
    return out


def write(name, entries):
    data = {"texts": TEXTS, "pairs": PAIRS, "tokenizers": entries}
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    (HERE / name).write_text(text + "\n", encoding="utf-8")


def share(entries):
    """The components' files have one model: it is written once."""
    model = json.loads(CHARACTERS)["model"]
    for item in entries:
        if item["tokenizer"]["model"] == model:
            item["tokenizer"]["model"] = None
    return entries


def main():
    global CHARACTERS
    CHARACTERS = characters().to_str()
    parts = {}
    for make in (normalizer_parts, pre_tokenizer_parts, decoder_parts, processor_parts,
                 added_parts, model_variants):
        parts |= make()
    entries = share([entry(name, tok) for name, tok in parts.items()])
    data = {"texts": TEXTS, "pairs": PAIRS, "model": json.loads(CHARACTERS)["model"],
            "tokenizers": entries}
    (HERE / "json_parts.json").write_text(
        json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    models_ = [entry(make.__name__, make()) for make in (
        bert, roberta, clip, t5, deberta, whisper, word_level, deep_prefix)]
    models_.append(entry("cleaned", cleaned(), {"clean_up_tokenization_spaces": True}))
    write("json_models.json", models_ + limited() + folders())


if __name__ == "__main__":
    main()
