#!/usr/bin/env python3
"""Makes tests/data/container: small GGUF and safetensors files written by the Python packages
`gguf` and `safetensors`, and expected.json, what those packages themselves read back.

    pip install gguf safetensors torch numpy
    tools/make_container_fixtures.py tests/data/container

Values are random with seed 0. Tensors are recorded by the SHA-256 of their bytes.
"""

import hashlib
import json
import pathlib
import shutil
import sys

import gguf
import numpy as np
import torch
from gguf.quants import quantize
from safetensors import safe_open
from safetensors.torch import save_file

QUANTS = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "TQ1_0", "TQ2_0", "BF16"]


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def add_every_type(w: gguf.GGUFWriter) -> None:
    w.add_uint8("t.u8", 200)
    w.add_int8("t.i8", -100)
    w.add_uint16("t.u16", 60000)
    w.add_int16("t.i16", -30000)
    w.add_uint32("t.u32", 4000000000)
    w.add_int32("t.i32", -2000000000)
    w.add_float32("t.f32", 0.1)
    w.add_uint64("t.u64", 2**64 - 1)
    w.add_int64("t.i64", -(2**63))
    w.add_float64("t.f64", 0.1)
    w.add_bool("t.true", True)
    w.add_bool("t.false", False)
    w.add_string("t.string", "Grüße, 世界 \U0001f600")
    w.add_string("t.empty", "")
    w.add_array("a.i32", [1, -2, 3])
    w.add_array("a.f32", [0.5, -1.5])
    w.add_array("a.bool", [True, False, True])
    w.add_array("a.string", ["a", "", "ü", "\u2581token"])
    types = gguf.GGUFValueType
    for name, values in [("UINT8", [0, 255]), ("INT8", [-128, 127]), ("UINT16", [0, 65535]),
                         ("INT16", [-32768, 32767]), ("UINT32", [0, 2**32 - 1]),
                         ("UINT64", [0, 2**64 - 1]), ("INT64", [-(2**63), 2**63 - 1]),
                         ("FLOAT64", [0.1, -1e300])]:
        w.add_key_value(f"a.{name.lower()}", values, types.ARRAY, sub_type=getattr(types, name))


def add_tensors(w: gguf.GGUFWriter, rng: np.random.Generator) -> None:
    w.add_tensor("matrix.f32", rng.standard_normal((3, 5), dtype=np.float32))
    w.add_tensor("matrix.f16", rng.standard_normal((2, 7)).astype(np.float16))
    w.add_tensor("vector", rng.standard_normal(11, dtype=np.float32))
    w.add_tensor("cube", rng.standard_normal((2, 3, 4), dtype=np.float32))
    w.add_tensor("four", rng.standard_normal((2, 1, 3, 2), dtype=np.float32))
    for name in QUANTS:
        kind = getattr(gguf.GGMLQuantizationType, name)
        rows = rng.standard_normal((2, 512), dtype=np.float32)
        w.add_tensor(f"quant.{name}", quantize(rows, kind), raw_dtype=kind)


def write_gguf(path: pathlib.Path, fill, **options) -> None:
    w = gguf.GGUFWriter(path, "test", **options)
    fill(w)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def plain(value):
    """What JSON can hold: whole numbers beyond int64 and all reals as text of exact value."""
    if isinstance(value, (list, np.ndarray)):
        return [plain(v) for v in value]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (float, np.floating)):
        return float(value).hex()
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    return value


def read_gguf(path: pathlib.Path) -> dict:
    reader = gguf.GGUFReader(path)
    keys = {}
    for key, field in reader.fields.items():
        if not key.startswith("GGUF."):
            keys[key] = {"types": [t.name for t in field.types], "value": plain(field.contents())}
    tensors = {t.name: {"type": t.tensor_type.name, "shape": [int(d) for d in t.shape[::-1]],
                        "sha256": digest(t.data.tobytes())} for t in reader.tensors}
    return {"keys": keys, "tensors": tensors}


def read_safetensors(path: pathlib.Path) -> dict:
    out = {}
    with safe_open(path, "pt") as f:
        for name in f.keys():
            t = f.get_tensor(name)
            flat = t.contiguous().reshape(-1)
            raw = flat.view(torch.uint8).numpy().tobytes() if t.numel() else b""
            out[name] = {"type": f.get_slice(name).get_dtype(), "shape": list(t.shape),
                         "sha256": digest(raw)}
        return {"metadata": f.metadata() or {}, "tensors": out}


def make_gguf(folder: pathlib.Path, expected: dict) -> None:
    rng = np.random.default_rng(0)

    def everything(w):
        w.add_custom_alignment(64)
        add_every_type(w)
        add_tensors(w, rng)

    def vocabulary(w):
        w.add_tokenizer_model("gpt2")
        w.add_token_list([f"tok{i}" for i in range(300)])
        w.add_token_types([1] * 300)

    def split(w):
        w.add_uint32("t.first", 1)
        for i in range(5):
            w.add_tensor(f"t{i}", rng.standard_normal((2, 3 + i), dtype=np.float32))

    write_gguf(folder / "everything.gguf", everything)
    write_gguf(folder / "vocabulary.gguf", vocabulary)
    write_gguf(folder / "split.gguf", split, split_max_tensors=2)
    write_gguf(folder / "big_endian.gguf", vocabulary, endianess=gguf.GGUFEndian.BIG)
    for path in sorted(folder.glob("*.gguf")):
        if path.name != "big_endian.gguf":
            expected[path.name] = read_gguf(path)


def make_safetensors(folder: pathlib.Path, expected: dict) -> None:
    g = torch.Generator().manual_seed(0)
    rand = lambda *shape: torch.randn(*shape, generator=g)
    tensors = {"w.f32": rand(3, 5), "w.f16": rand(2, 7).half(), "w.bf16": rand(5).bfloat16(),
               "scalar": rand(1)[0], "five": rand(1, 2, 1, 2, 1), "ids": torch.arange(9),
               "mask": torch.tensor([True, False, True]), "byte": torch.arange(3).byte(),
               "none": torch.zeros(0, 4)}
    save_file(tensors, folder / "plain.safetensors", {"format": "pt", "note": "Grüße\n\"x\""})
    save_file({"d": torch.zeros(2, dtype=torch.float64)}, folder / "f64.safetensors")
    shards = folder / "shards"
    shards.mkdir()
    weight_map = {}
    for i in range(3):
        name = f"model-{i + 1:05}-of-00003.safetensors"
        part = {f"layers.{i}.w": rand(4, 2 + i), f"layers.{i}.b": rand(2).bfloat16()}
        save_file(part, shards / name, {"format": "pt"})
        weight_map.update({key: name for key in part})
    index = {"metadata": {"total_size": 1}, "weight_map": weight_map}
    (shards / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")
    for path in sorted(folder.rglob("*.safetensors")):
        expected[str(path.relative_to(folder))] = read_safetensors(path)


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    for path in [*folder.glob("*.gguf"), *folder.glob("*.safetensors")]:
        path.unlink()
    shutil.rmtree(folder / "shards", ignore_errors=True)
    expected: dict = {}
    make_gguf(folder, expected)
    make_safetensors(folder, expected)
    text = json.dumps(expected, indent=1, ensure_ascii=False)
    (folder / "expected.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
