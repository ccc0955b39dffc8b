#!/usr/bin/env python3
"""Makes the fixtures of the tokenizer's tests. Needs: tokenizers 0.23, sentencepiece 0.2.

Each NAME.json holds a tokenizer and cases: {"text", "ids", "ids_parsed", "decoded"}; ids with the
special tokens of the text not recognised and recognised, decoded from ids without special tokens.
"""
import io
import json
import pathlib

import sentencepiece
from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers,
                        pre_tokenizers, processors, trainers)

HERE = pathlib.Path(__file__).parent
# The training text of the tiny models of the other tests.
TINY = ("The quick brown fox jumps over the lazy dog. A journey of a thousand miles begins with a "
        "single step; 12 years later, the 305 travellers had seen 48 towns and 7 rivers.\n"
        "def add(a, b):\n    return a + b\n\nKnowledge is power, and power is work over time. "
        "In 1969 people walked on the Moon; naive cafe, 42% of 3.14. ") * 40
MORE = TINY + ("  indented   text\n\tTabs, \"quotes\" and 'single ones'. Don't, I'll, we've, "
               "you're. "
               "Über naïve Füße; él está aquí. "
               "Привет, мир! 你好世界。 العربية עברית 日本語 한국어 "
               "αβγ ∑∏ €100 ½ x² 🙂👍🏽 ") * 10
TEXTS = [
    "", " ", "  ", "   ", "a", " a", "a ", "Hello", "Hello world", " Hello  world ",
    "The quick brown fox jumps over the lazy dog.", "the dog's, the cats' and it'll 'Tis I'M WE'RE",
    "don't can't DON'T 'ſ", "\n", "\n\n", "\n\n\n", " \n", "\n ", "\r\n\r\n", "\t\t x\ty",
    " \t\n \r\n ",
    "def add(a, b):\n    return a + b\n", "if (x == 1) {\n\t\treturn x++;\n}\n", "1", "12",
    "123", "1234",
    "12345678", "3.14159, 1,000,000", "x² + ½ = Ⅳ ٣٤", "été naïve façade", "e\u0301te\u0301",
    "Привет, мир", "你好，世界。", "こんにちは 世界", "안녕하세요", "مرحبا بالعالم", "שלום עולם", "नमस्ते दुनिया",
    "ไทยภาษา", "🙂", "👍🏽👩‍👩‍👧‍👦🇩🇪", "a🙂b", "\u00a0nbsp\u3000wide", "\u180e\u2028\u2029\u0085",
    "\u200b\u200d\ufeff", "!!!", "...,,,;;;", "$100 + 50% = @you #tag",
    "http://example.com/a?b=c&d=e",
    "snake_case CamelCase kebab-case", "<s>", "</s>", "<s>a</s>", "a <s> b", "<|x|>", "  <|x|>  y",
    "a<|strip|>b", "a  <|strip|>  b", "word", "a word b", "awordb", "word,word", "<unk>", "▁",
    "▁a ▁▁b",
    "Ġ", "<0x0A>", "\x00\x01\x7f", "ﬁ Å Ω K", "İstanbul", "ß ẞ",
]


def cases(tokenizer, texts=TEXTS):
    out = []
    for text in texts:
        row = {"text": text}
        for name, ignore in (("ids", True), ("ids_parsed", False)):
            tokenizer.encode_special_tokens = ignore
            row[name] = tokenizer.encode(text, add_special_tokens=False).ids
        row["ids_full"] = tokenizer.encode(text).ids
        row["decoded"] = tokenizer.decode(row["ids"], skip_special_tokens=True)
        out.append(row)
    return out


def write(name, tokenizer):
    data = {"tokenizer": json.loads(tokenizer.to_str()), "cases": cases(tokenizer)}
    (HERE / f"{name}.json").write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")


def train(tokenizer, text, entries, **options):
    tokenizer.train_from_iterator([text], trainers.BpeTrainer(
        vocab_size=entries, show_progress=False, **options))
    return tokenizer


def tiny():
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    return train(tok, TINY, 288, special_tokens=["<s>", "</s>"],
                 initial_alphabet=pre_tokenizers.ByteLevel.alphabet())


def qwen():
    """NFC, a split by pattern, added tokens with every flag."""
    tok = Tokenizer(models.BPE())
    tok.normalizer = normalizers.NFC()
    pattern = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+"
               r"[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tok.decoder = decoders.ByteLevel()
    tok.post_processor = processors.ByteLevel(trim_offsets=False)
    train(tok, MORE, 700, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tok.add_special_tokens(["<|x|>", "</s>"])
    tok.add_tokens([AddedToken("<|strip|>", lstrip=True, rstrip=True, normalized=False),
                    AddedToken("word", single_word=True)])
    return tok


def llama3():
    """Digits by three, whole words first, BOS from a template inside a sequence."""
    tok = Tokenizer(models.BPE(ignore_merges=True))
    pattern = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
               r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), "removed", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tok.decoder = decoders.ByteLevel()
    train(tok, MORE, 600, special_tokens=["<s>", "</s>"],
          initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tok.post_processor = processors.Sequence([
        processors.ByteLevel(), processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 0)])])
    return tok


def steps():
    """Other pre-tokenizers in a row: digits, punctuation, a prefix space."""
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.Digits(individual_digits=False),
        pre_tokenizers.Split("e", "merged_with_next"), pre_tokenizers.Split(Regex("[ao]"),
                                                                           "merged_with_previous"),
        pre_tokenizers.ByteLevel(add_prefix_space=True)])
    tok.decoder = decoders.ByteLevel()
    return train(tok, MORE, 500, special_tokens=["<s>", "</s>"],
                 initial_alphabet=pre_tokenizers.ByteLevel.alphabet())


def byte_fallback(tok, **options):
    """Trains a model over characters and gives it the 256 entries for bytes."""
    train(tok, MORE.replace("🙂", ""), 500, special_tokens=["<unk>", "<s>", "</s>"], **options)
    data = json.loads(tok.to_str())
    vocab = data["model"]["vocab"]
    for byte in range(256):
        vocab[f"<0x{byte:02X}>"] = len(vocab)
    for text in ("你", "好", "界", "한"):
        if text in vocab and not any(text in pair for pair in data["model"]["merges"]):
            vocab["(" + text + ")"] = vocab.pop(text)
    data["model"].update(byte_fallback=True, fuse_unk=True, unk_token="<unk>")
    return Tokenizer.from_str(json.dumps(data))


def llama2():
    tok = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tok.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    # Words for training only: the file has none, so that merging runs over the whole text.
    tok.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    tok = byte_fallback(tok)
    data = json.loads(tok.to_str())
    data["pre_tokenizer"] = None
    tok = Tokenizer.from_str(json.dumps(data))
    tok.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(),
                                     decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tok.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A <s> $B", special_tokens=[("<s>", 1), ("</s>", 2)])
    return tok


def metaspace():
    tok = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tok.pre_tokenizer = pre_tokenizers.Metaspace("▁", prepend_scheme="first", split=True)
    tok = byte_fallback(tok)
    tok.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(),
                                     decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return tok


def sentencepiece_fixture(name, **options):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(MORE.replace("🙂", "").split("\n")), model_writer=model,
        model_type="bpe", vocab_size=700, byte_fallback=True, normalization_rule_name="identity",
        remove_extra_whitespaces=False, max_sentence_length=100000, num_threads=1,
        minloglevel=2, **options)
    sp = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    ids = range(sp.get_piece_size())
    defined = set(options.get("user_defined_symbols", []))
    kind = lambda i: (2 if sp.is_unknown(i) else 3 if sp.is_control(i) else 6 if sp.is_byte(i)
                      else 5 if sp.is_unused(i) else 4 if sp.id_to_piece(i) in defined else 1)
    types = [kind(i) for i in ids]
    # As converters write GGUF: user-defined entries with spaces for U+2581.
    tokens = [sp.id_to_piece(i).replace("▁", " ") if t == 4 else sp.id_to_piece(i)
              for i, t in zip(ids, types)]
    rows = []
    for text in TEXTS:
        if options.get("add_dummy_prefix", True) and any(d in text for d in defined):
            continue
        row = sp.encode(text)
        rows.append({"text": text, "ids": row, "decoded": sp.decode(row)})
    data = {"tokens": tokens, "types": types, "scores": [sp.get_score(i) for i in ids],
            "add_space_prefix": options.get("add_dummy_prefix", True), "cases": rows}
    (HERE / f"{name}.json").write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")


def main():
    for make in (tiny, qwen, llama3, steps, llama2, metaspace):
        write(make.__name__, make())
    sentencepiece_fixture("sentencepiece")
    mark = "\u2581"
    sentencepiece_fixture("sentencepiece_user", add_dummy_prefix=False,
                          user_defined_symbols=[2 * mark, 3 * mark, "<|x|>", "word"])


if __name__ == "__main__":
    main()
