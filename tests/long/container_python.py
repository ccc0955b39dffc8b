#!/usr/bin/env python3
"""The Python packages `gguf` and `safetensors` read what Hearth's writers wrote.

    tests/long/container_python.py build/release/src/container/test_container

needs gguf, safetensors, torch and numpy; exits 77 (skipped) without them.
"""

import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

try:
    import gguf
    import torch
    from safetensors import safe_open
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def check(what: str, got, wanted) -> None:
    if got != wanted:
        sys.exit(f"{what}: Python reads {got!r}, Hearth wrote {wanted!r}")


def check_gguf_keys(fields: dict) -> None:
    f32 = lambda x: torch.tensor(x, dtype=torch.float32).item()
    wanted = {"u8": 255, "i8": -128, "u16": 65535, "i16": -32768, "u32": 4_000_000_000,
              "i32": -(2**31), "u64": 2**64 - 1, "i64": -(2**63), "f32": f32(0.1), "f64": 0.1,
              "yes": True, "no": False, "text": "a\0b\n", "strings": ["", "x", "y" * 1000],
              "floats": [1.0, -0.0], "ints": [-(2**31), 2**31 - 1], "general.alignment": 64}
    for key, value in wanted.items():
        check(key, fields[key].contents(), value)
    for key in ["none", "no strings"]:
        assert key in fields, key


def check_gguf(path: pathlib.Path, listing: dict) -> int:
    reader = gguf.GGUFReader(path)
    check_gguf_keys(reader.fields)
    found = {t.name: [t.tensor_type.name, [int(d) for d in t.shape[::-1]],
                      digest(t.data.tobytes())] for t in reader.tensors}
    check(path.name, found, listing)
    return len(found)


def check_safetensors(path: pathlib.Path, listing: dict) -> int:
    found = {}
    with safe_open(path, "pt") as f:
        check("__metadata__", f.metadata(), {"a": 'b\n"'})
        for name in f.keys():
            t = f.get_tensor(name)
            raw = t.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
            found[name] = [f.get_slice(name).get_dtype(), list(t.shape), digest(raw)]
    check(path.name, found, listing)
    return len(found)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        subprocess.run([sys.argv[1], "--gtest_filter=Writer.FilesForOtherReaders"], check=True,
                       env={**os.environ, "HEARTH_WRITE_TO": name}, stdout=subprocess.DEVNULL)
        listing = json.loads((folder / "m.json").read_text())
        packed = check_gguf(folder / "m.gguf", listing["m.gguf"])
        plain = check_safetensors(folder / "m.safetensors", listing["m.safetensors"])
        print(f"ok: {packed} tensors of GGUF and {plain} of safetensors read by Python")


if __name__ == "__main__":
    main()
