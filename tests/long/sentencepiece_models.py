#!/usr/bin/env python3
"""Compares Hearth's reader of SentencePiece models with the sentencepiece library.

    sentencepiece_models.py --hearth build/release/hearth [--program .../tokenizer_encode_texts]
        [--models 60] [--texts 300] [--seed 0]

Trains so many small models with random settings, and has both sides encode and decode random texts
by each: ids and decoded texts must be equal, and a decoded stream equal to decoding the whole.
Needs: sentencepiece, protobuf. Exit status 1 when anything differs.
"""
import argparse
import io
import pathlib
import random
import subprocess
import sys
import tempfile

TEXT = """The quick brown fox jumps over the lazy dog. A journey of a thousand miles begins with a
step.
In 1969 people walked on the Moon; naïve cafés sell 42% of 3.14 pies, and I'll have two, won't I?
def add(a, b):\n    return a + b\n\tif x == 1: y["k"] += 2  # done
Der schnelle braune Fuchs springt über den faulen Hund. Übermäßig große Straßen führen nach
Österreich.
Le vif renard brun saute par-dessus le chien paresseux, où l'été était déjà passé à côté de la
forêt.
El veloz zorro marrón salta sobre el perro perezoso; ¿dónde está la niña? ¡Aquí, señor!
Быстрая коричневая лиса перепрыгивает через ленивую собаку. Знание — сила, а сила — это работа.
Η γρήγορη καφέ αλεπού πηδάει πάνω από το τεμπέλικο σκυλί. Όλοι οι άνθρωποι γεννιούνται ελεύθεροι.
敏捷的棕色狐狸跳过了懒狗。知识就是力量。人人生而自由，在尊严和权利上一律平等。
すばやい茶色の狐がのろまな犬を飛び越える。知識は力なり。カタカナとひらがな。
빠른 갈색 여우가 게으른 개를 뛰어넘는다. 모든 인간은 태어날 때부터 자유롭다.
الثعلب البني السريع يقفز فوق الكلب الكسول. يولد جميع الناس أحرارا متساوين في الكرامة.
तेज भूरी लोमड़ी आलसी कुत्ते के ऊपर कूदती है। सभी मनुष्यों को गौरव और अधिकार प्राप्त हैं।
สุนัขจิ้งจอกสีน้ำตาลกระโดดข้ามสุนัขขี้เกียจ มนุษย์ทั้งหลายเกิดมามีอิสระ
"""
MARK = "\u2581"
SYMBOLS = ["<sep>", "word", "x y", MARK + MARK, MARK + MARK + MARK, "<|im_end|>", "ab", "abc",
           "Moon;", "é", "knowledge" + MARK, MARK + "the", "日本"]
RANGES = [(0x20, 0x7E), (0x20, 0x7E), (0x61, 0x7A), (0x09, 0x0D), (0xA0, 0x24F), (0x300, 0x36F),
          (0x370, 0x5FF), (0x600, 0x6FF), (0x900, 0x97F), (0xE00, 0xE7F), (0x2000, 0x206F),
          (0x2070, 0x218F), (0x2150, 0x218F), (0x3000, 0x30FF), (0x4E00, 0x4EFF), (0xAC00, 0xACFF),
          (0xFB00, 0xFDFF), (0xFE00, 0xFFEF), (0x1D400, 0x1D44F), (0x1F300, 0x1F64F)]
PIECES = [" ", "  ", "   ", "\n", "\t", "\u00a0", "\u3000", MARK, MARK + MARK, "the ", " the",
          "ing", "A", "e\u0301", "\ufb01", "\u00bd", "\u2122", "</s>", "<unk>", "<s>", "<0x0A>",
          "\u200b",
          "\u2047", "\x00", "\x01", "\ufdfa"]


def random_text(rng):
    out = []
    lines = TEXT.split("\n")
    for _ in range(rng.randint(0, 12)):
        what = rng.random()
        if what < 0.25:
            low, high = rng.choice(RANGES)
            out += [chr(rng.randint(low, high)) for _ in range(rng.randint(1, 6))]
        elif what < 0.5:
            out.append(rng.choice(PIECES) * rng.choice([1, 1, 1, 2, 5]))
        elif what < 0.6:
            out.append(rng.choice(SYMBOLS))
        else:
            line = rng.choice(lines)
            at = rng.randrange(max(1, len(line)))
            out.append(line[at:at + rng.randint(1, 30)])
    return "".join(out)


def random_options(rng, folder):
    kind = rng.choice(["bpe", "bpe", "unigram", "unigram", "unigram", "word", "char"])
    options = {
        "model_type": kind,
        "vocab_size": rng.choice([700, 800, 1000]) if kind in ("bpe", "unigram") else 150,
        "byte_fallback": kind != "word" and rng.random() < 0.5,
        "add_dummy_prefix": rng.random() < 0.6,
        "remove_extra_whitespaces": rng.random() < 0.5,
        "treat_whitespace_as_suffix": rng.random() < 0.25,
        "split_by_whitespace": rng.random() < 0.8,
        "allow_whitespace_only_pieces": rng.random() < 0.5,
        "split_digits": rng.random() < 0.3,
        "character_coverage": rng.choice([0.98, 0.99, 0.999, 1.0]),
        "normalization_rule_name": rng.choice(["identity", "nmt_nfkc", "nfkc", "nmt_nfkc_cf"]),
        "user_defined_symbols": rng.sample(SYMBOLS, rng.choice([0, 0, 2, 5])),
        "control_symbols": rng.choice([[], ["<ctl>", "<a>"]]),
        "pad_id": rng.choice([-1, 3]),
        "hard_vocab_limit": False,
    }
    if rng.random() < 0.2:
        options["unk_surface"] = "[?]"
    if kind in ("word", "char") and options["byte_fallback"]:
        options["vocab_size"] = 500
    if rng.random() < 0.25:
        rules = pathlib.Path(folder) / "rules.tsv"
        rules.write_text("41 30A\tC5\n41\t61\n2122\t54 4D\nA0\t20\n3000\t20\n200B\t\n65 301\tE9\n"
                         "65 301 65\t45\nD A\t20\n", encoding="utf-8")
        options["normalization_rule_tsv"] = str(rules)
        del options["normalization_rule_name"]
    return options


def change_model(rng, data):
    """What no trainer writes: unused pieces, spaces that are not escaped, a denormalizer."""
    from sentencepiece import sentencepiece_model_pb2 as pb
    model = pb.ModelProto()
    model.ParseFromString(data)
    if rng.random() < 0.3:
        for piece in model.pieces:
            if piece.type == 1 and rng.random() < 0.2:
                piece.type = 5
    if rng.random() < 0.15:
        model.normalizer_spec.escape_whitespaces = False
    if rng.random() < 0.15 and model.normalizer_spec.precompiled_charsmap:
        model.denormalizer_spec.precompiled_charsmap = model.normalizer_spec.precompiled_charsmap
        model.denormalizer_spec.add_dummy_prefix = rng.random() < 0.2
        model.denormalizer_spec.remove_extra_whitespaces = rng.random() < 0.2
        model.denormalizer_spec.escape_whitespaces = False
    return model.SerializeToString()


def run_hearth(program, folder, texts):
    data = b"".join(b"%d\n%s" % (len(t), t) for t in (text.encode() for text in texts))
    done = subprocess.run([program, folder, "--decode"], input=data, capture_output=True,
                          timeout=600)
    if done.returncode != 0:
        sys.exit(f"{folder}: {done.stderr.decode(errors='replace')}")
    rows = []
    for line in done.stdout.decode().split("\n")[:-1]:
        ids, _, text = line.partition("; ")
        rows.append(([int(i) for i in ids.split()], text))
    return rows


def compare(program, options, data, texts, show):
    import sentencepiece
    library = sentencepiece.SentencePieceProcessor()
    library.LoadFromSerializedProto(data)
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "tokenizer.model").write_bytes(data)
        rows = run_hearth(program, folder, texts)
    bad = abs(len(rows) - len(texts))
    for text, (ids, decoded) in zip(texts, rows):
        wanted = library.EncodeAsIds(text)
        back = library.DecodeIds(wanted).encode().hex()
        if (ids, decoded) == (wanted, back):
            continue
        bad += 1
        if show > 0:
            show -= 1
            print(f"    {options}\n    {text!a}\n      hearth    {ids}\n      reference {wanted}")
            print(f"      hearth    {decoded}\n      reference {back}")
    return bad


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hearth", default="build/release/hearth")
    parser.add_argument("--program")
    parser.add_argument("--models", type=int, default=60)
    parser.add_argument("--texts", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    program = pathlib.Path(args.program or pathlib.Path(args.hearth).parent /
                           "src/tokenizer/tokenizer_encode_texts")
    try:
        import sentencepiece
        from sentencepiece import sentencepiece_model_pb2  # noqa: F401
    except ImportError as error:
        print(f"skipped: {error}")
        sys.exit(77)
    if not program.exists():
        print(f"skipped: there is no {program}")
        sys.exit(77)
    rng = random.Random(args.seed)
    bad = trained = 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(args.models):
            options = random_options(rng, folder)
            model = io.BytesIO()
            try:
                sentencepiece.SentencePieceTrainer.train(
                    sentence_iterator=iter((TEXT * 3).split("\n")), model_writer=model,
                    num_threads=1, minloglevel=5, **options)
            except (RuntimeError, OSError) as error:
                print(f"model {number}: not trained: {error}"[:200])
                continue
            trained += 1
            data = change_model(rng, model.getvalue())
            texts = [random_text(rng) for _ in range(args.texts)]
            wrong = compare(program, options, data, texts, 2)
            bad += wrong
            print(f"model {number}: {options['model_type']}, {len(texts)} texts, {wrong} differ",
                  flush=True)
    print(f"{trained} of {args.models} models trained, {bad} texts differ")
    sys.exit(1 if bad or trained * 2 < args.models else 0)


if __name__ == "__main__":
    main()
