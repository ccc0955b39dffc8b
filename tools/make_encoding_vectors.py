#!/usr/bin/env python3
"""Writes tests/data/encoding: what other programs decode and encode, for test_encoding.

  make_encoding_vectors.py --out tests/data/encoding [--ggml libggml-base.so]
                           [--weights model.safetensors] [--seed 0]

Needs numpy and gguf (the Python package of llama.cpp). Files, all little endian:

  decode/NAME.blocks, decode/NAME.f32   random blocks of a format (some with a scale that is
        zero, negative, subnormal, the greatest, infinite or NaN) and what gguf.quants.dequantize
        makes of them
  half.f32, half.f16, half.bf16   singles near every kind of rounding, and what numpy (f16) and
        gguf (bf16) narrow them to
  encode/rows.f32, encode/rows.txt    rows of ROW floats and the kind of each, one a line
  encode/errors.txt   per line a format and, for each row, the sum of squared errors of ggml's own
        quantizer without importance (the smaller of quantize_row_NAME_ref and
        ggml_quantize_chunk), its blocks being decoded by gguf. Only with --ggml.

With --weights some rows are real: taken from the first tensors of a safetensors file in F32.
"""

import argparse
import ctypes
import json
import pathlib
import warnings

import gguf
import numpy as np
from gguf import GGMLQuantizationType as T

ROW = 512
HALF_FIELDS = {  # where the f16 scales of a block stand
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82],
    "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ1_S": [0], "IQ2_XXS": [0],
    "IQ2_XS": [0], "IQ2_S": [0], "IQ3_XXS": [0], "IQ3_S": [0], "IQ4_NL": [0], "IQ4_XS": [0],
    "TQ1_0": [52], "TQ2_0": [64],
}
FORMATS = ["F32", "F16", "BF16", *HALF_FIELDS, "IQ1_M", "MXFP4"]
ENCODED = [f for f in FORMATS if not f.startswith(("IQ1", "IQ2", "IQ3"))]
ODD_HALVES = [0x0000, 0x8000, 0x0001, 0x83FF, 0x0155, 0x7BFF, 0xB555, 0x7C00, 0x7E00]


def write_decode(out, rng):
    out.mkdir(parents=True, exist_ok=True)
    for name in FORMATS:
        elems, size = gguf.GGML_QUANT_SIZES[T[name]]
        count = {1: 2048, 32: 32, 256: 12}[elems]
        blocks = rng.integers(0, 256, (count, size), dtype=np.uint8)
        for i in range(count // 2, count):  # the second half gets odd or usual scales
            for place in HALF_FIELDS.get(name, []):
                usual = np.float16(rng.normal() * 0.01).view(np.uint16)
                half = ODD_HALVES[rng.integers(len(ODD_HALVES))] if i % 3 else usual
                blocks[i, place:place + 2] = np.frombuffer(np.uint16(half).tobytes(), np.uint8)
            if name == "IQ1_M":  # its scale lies in four nibbles
                half = ODD_HALVES[i % len(ODD_HALVES)]
                for k in range(4):
                    at = 48 + 2 * k + 1
                    blocks[i, at] = blocks[i, at] & 15 | (half >> 4 * k & 15) << 4
        if name == "MXFP4":
            blocks[:6, 0] = [0, 1, 2, 127, 254, 255]
        values = gguf.quants.dequantize(blocks.reshape(1, -1), T[name]).astype(np.float32)
        assert values.size == count * elems
        (out / f"{name}.blocks").write_bytes(blocks.tobytes())
        (out / f"{name}.f32").write_bytes(values.tobytes())


def write_halves(out, rng):
    bits = rng.integers(0, 2**32, 1500, dtype=np.uint64)
    exponent = rng.integers(127 - 27, 127 + 18, 1500, dtype=np.uint64)  # around the range of f16
    bits[500:] = (bits[500:] & 0x807FFFFF) | exponent[500:] << 23
    ties = rng.integers(0, 0x7C00, 600).astype(np.uint16).view(np.float16).astype(np.float32)
    ties = ties.view(np.uint32).astype(np.int64) + 0x1000 + rng.integers(-1, 2, 600)
    ties = ties.astype(np.uint64)
    near = np.array([0, 0x80000000, 1, 0x33000000, 0x33000001, 0x32FFFFFF, 0x33800000, 0x387FE000,
                     0x387FF000, 0x38800000, 0x477FE000, 0x477FEFFF, 0x477FF000, 0x7F7FFFFF,
                     0x7F800000, 0xFF800000, 0x7FC00000, 0xFF800001, 0x3F808000, 0x3F818000,
                     0x7F7F8000, 0x7F7F7FFF, 0x00008000, 0x00018000], dtype=np.uint64)
    values = np.concatenate([bits, ties, near]).astype(np.uint32).view(np.float32)
    (out / "half.f32").write_bytes(values.tobytes())
    (out / "half.f16").write_bytes(values.astype(np.float16).tobytes())
    (out / "half.bf16").write_bytes(gguf.quants.quantize(values.reshape(1, -1), T.BF16).tobytes())


def real_rows(path, count):
    """Rows from the middles of the first 2-D float tensors of a safetensors file."""
    raw = pathlib.Path(path).read_bytes()
    head = int.from_bytes(raw[:8], "little")
    rows = []
    for name, t in sorted(json.loads(raw[8:8 + head]).items()):
        if name == "__metadata__" or t["dtype"] != "F32" or len(t["shape"]) != 2:
            continue
        begin, end = t["data_offsets"]
        data = np.frombuffer(raw[8 + head + begin:8 + head + end], np.float32)
        rows.append(data[len(data) // 2:][:ROW])
    return rows[::max(1, len(rows) // count)][:count]


def make_rows(rng, weights):
    n = ROW
    group = np.repeat(np.exp(rng.normal(size=n // 32)), 32)
    one_outlier = rng.normal(size=n) * 0.01
    one_outlier[77] = 3.0
    sparse = np.where(rng.random(n) < 0.05, rng.normal(size=n), 0)
    late = np.zeros(n)
    late[n // 2 + 5] = -0.25
    rows = [("gaussian", rng.normal(size=n)) for _ in range(4)]
    rows += [("gaussian-0.02", rng.normal(size=n) * 0.02) for _ in range(2)]
    rows += [("heavy-tailed", rng.standard_t(2.5, size=n) * 0.05) for _ in range(3)]
    rows += [("laplace", rng.laplace(size=n) * 0.1) for _ in range(2)]
    rows += [("uniform", rng.uniform(-1, 1, n)) for _ in range(2)]
    rows += [("positive", rng.uniform(0.5, 1.5, n)), ("negative", -rng.random(n) - 2)]
    rows += [("constant", np.full(n, 0.7)), ("constant", np.full(n, -3.3)), ("zeros", np.zeros(n))]
    rows += [("outlier", one_outlier), ("sparse", sparse), ("one-value", late)]
    rows += [("grouped", rng.normal(size=n) * group * 0.02 + 0.001) for _ in range(3)]
    rows += [("ramp", np.linspace(-1, 1, n)), ("two-values", np.where(rng.random(n) < 0.5, 1, -1))]
    rows += [("ternary", rng.integers(-1, 2, n) * 0.37), ("large", rng.normal(size=n) * 2000)]
    rows += [("tiny", rng.normal(size=n) * 1e-5), ("subnormal", rng.normal(size=n) * 1e-40)]
    rows += [("real", r) for r in (real_rows(weights, 6) if weights else [])]
    return [k for k, _ in rows], np.stack([r for _, r in rows]).astype(np.float32)


class Ggml:
    def __init__(self, path):
        self.lib = ctypes.CDLL(path)
        self.lib.ggml_quantize_chunk.restype = ctypes.c_size_t
        self.lib.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p,
                                                 ctypes.c_int64, ctypes.c_int64, ctypes.c_int64,
                                                 ctypes.c_void_p]

    def error(self, name, row):
        """The least squared error of ggml's quantizers on a row."""
        elems, size = gguf.GGML_QUANT_SIZES[T[name]]
        blocks = []
        buffer = np.zeros(len(row) // elems * size, np.uint8)
        self.lib.ggml_quantize_chunk(T[name].value, row.ctypes.data, buffer.ctypes.data, 0, 1,
                                     len(row), None)
        blocks.append(buffer.copy())
        suffix = name.lower().replace("_k", "_K")
        reference = getattr(self.lib, f"quantize_row_{suffix}_ref", None)
        if reference:
            buffer[:] = 0
            reference(ctypes.c_void_p(row.ctypes.data), ctypes.c_void_p(buffer.ctypes.data),
                      ctypes.c_int64(len(row)))
            blocks.append(buffer.copy())
        decoded = [gguf.quants.dequantize(b.reshape(1, -1), T[name]).ravel() for b in blocks]
        return min(float(((d.astype(np.float64) - row) ** 2).sum()) for d in decoded)


def write_encode(out, rng, weights, library):
    out.mkdir(parents=True, exist_ok=True)
    kinds, rows = make_rows(rng, weights)
    (out / "rows.f32").write_bytes(rows.tobytes())
    (out / "rows.txt").write_text("".join(k + "\n" for k in kinds))
    if library:
        ggml = Ggml(library)
        lines = [f"{f} " + " ".join(f"{ggml.error(f, r):.9e}" for r in rows) for f in ENCODED]
        (out / "errors.txt").write_text("\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--ggml", help="path of libggml-base.so")
    parser.add_argument("--weights", help="a safetensors file with F32 tensors")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    write_decode(options.out / "decode", rng)
    write_halves(options.out, rng)
    write_encode(options.out / "encode", np.random.default_rng(options.seed + 1), options.weights,
                 options.ggml)


if __name__ == "__main__":
    main()
