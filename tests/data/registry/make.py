#!/usr/bin/env python3
"""Writes tiny.gguf and folder/ of this directory with the packages gguf and safetensors."""
import json
import pathlib

import gguf
import numpy as np
from safetensors.numpy import save_file

here = pathlib.Path(__file__).parent
rng = np.random.default_rng(4)
template = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}\n{% endfor %}"

w = gguf.GGUFWriter(here / "tiny.gguf", "llama")
w.add_name("Tiny")
w.add_license("apache-2.0")
w.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
w.add_context_length(128)
w.add_embedding_length(32)
w.add_block_count(1)
w.add_head_count(2)
w.add_tokenizer_model("gpt2")
w.add_tokenizer_pre("default")
w.add_token_list(["<s>", "</s>", "a", "b", "c", "d", "e", "f"])
w.add_token_merges(["a b"])
w.add_bos_token_id(0)
w.add_eos_token_id(1)
w.add_chat_template(template)
for name, shape in [("token_embd.weight", (8, 32)), ("blk.0.attn_q.weight", (32, 32)),
                    ("output_norm.weight", (32,))]:
    data = rng.standard_normal(shape).astype(np.float32)
    if len(shape) == 2:
        raw = gguf.quants.quantize(data, gguf.GGMLQuantizationType.Q8_0)
        w.add_tensor(name, raw, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    else:
        w.add_tensor(name, data)
w.write_header_to_file()
w.write_kv_data_to_file()
w.write_tensors_to_file()
w.close()

folder = here / "folder"
folder.mkdir(exist_ok=True)
save_file({"model.embed_tokens.weight": rng.standard_normal((8, 16)).astype(np.float16),
           "model.norm.weight": rng.standard_normal(16).astype(np.float16)},
          folder / "model.safetensors")
(folder / "config.json").write_text(json.dumps(
    {"model_type": "llama", "hidden_size": 16, "num_hidden_layers": 1, "vocab_size": 8,
     "max_position_embeddings": 64}))
(folder / "tokenizer.json").write_text(json.dumps(
    {"model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []}, "added_tokens": []}))
(folder / "tokenizer_config.json").write_text(json.dumps(
    {"chat_template": template, "eos_token": "</s>"}))
