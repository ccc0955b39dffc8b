#!/usr/bin/env python3
"""A checkpoint in Hugging Face's form from a GGUF file, for servers that read nothing else.

    checkpoint.py MODEL.gguf FOLDER

The weights become bf16, whatever they were: the values that the file's own numbers stand for,
rounded. Dense models of the architectures llama and qwen2 with a byte-level BPE; what is not
understood is refused, for a model that is only nearly the same would be measured as if it were.
Needs `gguf` and `numpy`.
"""
import contextlib
import json
import pathlib
import sys

try:
    import gguf
    import numpy
except ImportError:
    gguf = numpy = None

# Architecture: class, name of it in config.json, whether GGUF has the rows of q and k reordered.
ARCHITECTURES = {
    "llama": ("LlamaForCausalLM", "llama", True),
    "qwen2": ("Qwen2ForCausalLM", "qwen2", False),
}

# Names of tensors, those of the blocks without their "blk.N.".
OUTSIDE = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
INSIDE = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
          "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
          "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
          "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}

# Name of the pre-tokenizer: what splits a text before its bytes become letters, and the normalizer.
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
          r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
DIGITS = {"type": "Digits", "individual_digits": True}


def split(pattern):
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


PRE_TOKENIZERS = {
    "smollm": (DIGITS, None),
    "llama-bpe": (split(LLAMA3), None),
    "qwen2": (split(LLAMA3.replace("{1,3}", "")), {"type": "NFC"}),
}

CONTROL, USER_DEFINED = 3, 4  # token types
MADE = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")


class Refused(Exception):
    """What the file has and this does not understand."""


class Source:
    """A GGUF file; keys of the architecture are asked for without its name."""

    def __init__(self, path):
        self.reader = gguf.GGUFReader(path)
        self.architecture = self.get("general.architecture")
        if self.architecture not in ARCHITECTURES:
            raise Refused(f"architecture {self.architecture}")
        for key in ("rope.scaling.type", "expert_count", "attention.sliding_window"):
            if self.of_model(key, 0) not in (0, "none"):
                raise Refused(f"{self.architecture}.{key}")
        self.tensors = {t.name: t for t in self.reader.tensors}

    def get(self, key, *default):
        field = self.reader.get_field(key)
        if field is None and not default:
            raise Refused(f"no {key}")
        return field.contents() if field is not None else default[0]

    def of_model(self, key, *default):
        return self.get(f"{self.architecture}.{key}", *default)


def config_of(source):
    name, kind, _ = ARCHITECTURES[source.architecture]
    heads, width = source.of_model("attention.head_count"), source.of_model("embedding_length")
    return {
        "architectures": [name], "model_type": kind, "torch_dtype": "bfloat16",
        "vocab_size": int(source.tensors["token_embd.weight"].shape[1]), "hidden_size": width,
        "intermediate_size": source.of_model("feed_forward_length"),
        "num_hidden_layers": source.of_model("block_count"), "num_attention_heads": heads,
        "num_key_value_heads": source.of_model("attention.head_count_kv", heads),
        "head_dim": source.of_model("attention.key_length", width // heads),
        "hidden_act": "silu", "max_position_embeddings": source.of_model("context_length"),
        "rms_norm_eps": source.of_model("attention.layer_norm_rms_epsilon"),
        "rope_theta": source.of_model("rope.freq_base", 10000.0),
        "attention_bias": "blk.0.attn_q.bias" in source.tensors,
        "tie_word_embeddings": "output.weight" not in source.tensors,
        "bos_token_id": source.get("tokenizer.ggml.bos_token_id", None),
        "eos_token_id": source.get("tokenizer.ggml.eos_token_id", None),
    }


# ---- weights

def their_name(name):
    """blk.3.attn_q.weight -> model.layers.3.self_attn.q_proj.weight"""
    words = name.split(".")
    with contextlib.suppress(KeyError, IndexError):
        if words[0] == "blk":
            return f"model.layers.{words[1]}.{INSIDE[words[2]]}.{words[3]}"
        return f"{OUTSIDE[words[0]]}.{words[1]}"
    raise Refused(f"tensor {name}")


def halves(rows, heads):
    """Rows of q or k whose rotated pairs are neighbours, [2i, 2i + 1] of a head of d, in the order
    in which they are half a head apart, [i, i + d/2]."""
    pairs = rows.reshape(heads, -1, 2, *rows.shape[1:])
    return pairs.swapaxes(1, 2).reshape(rows.shape)


def bf16(values):
    """The nearest bf16 of each f32, of two as near the even one, as uint16."""
    bits = numpy.ascontiguousarray(values, numpy.float32).view(numpy.uint32)
    return ((bits + 0x7fff + (bits >> 16 & 1)) >> 16).astype("<u2")


def weight(source, config, tensor):
    values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
    values = values.reshape(tuple(reversed(tensor.shape.tolist())))
    kind = tensor.name.split(".")[-2]
    if ARCHITECTURES[source.architecture][2] and kind in ("attn_q", "attn_k"):
        heads = "num_attention_heads" if kind == "attn_q" else "num_key_value_heads"
        values = halves(values, config[heads])
    return bf16(values)


def write_weights(source, config, path):
    """A .safetensors file, one tensor in memory at a time."""
    head, at = {"__metadata__": {"format": "pt"}}, 0
    for tensor in source.reader.tensors:
        size = 2 * int(tensor.n_elements)
        head[their_name(tensor.name)] = {"dtype": "BF16", "data_offsets": [at, at + size],
                                         "shape": tensor.shape.tolist()[::-1]}
        at += size
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in source.reader.tensors:
            file.write(weight(source, config, tensor).tobytes())


# ---- tokenizer

def added_tokens(tokens, types):
    """Those that are found in a text before it is split."""
    return [{"id": i, "content": token, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False, "special": kind == CONTROL}
            for i, (token, kind) in enumerate(zip(tokens, types))
            if kind in (CONTROL, USER_DEFINED)]


def begins_with(source, tokens):
    """What puts the first token before a text; None where the model has none there."""
    if not source.get("tokenizer.ggml.add_bos_token", False):
        return None
    number = source.get("tokenizer.ggml.bos_token_id")
    bos = {"SpecialToken": {"id": tokens[number], "type_id": 0}}
    one, two = ({"Sequence": {"id": name, "type_id": i}} for i, name in enumerate("AB"))
    return {"type": "TemplateProcessing", "single": [bos, one], "pair": [bos, one, bos, two],
            "special_tokens": {tokens[number]: {"id": tokens[number], "ids": [number],
                                                "tokens": [tokens[number]]}}}


def tokenizer_of(source):
    pre = source.get("tokenizer.ggml.pre", "default")
    if source.get("tokenizer.ggml.model") != "gpt2" or pre not in PRE_TOKENIZERS:
        raise Refused(f"tokenizer {source.get('tokenizer.ggml.model')} {pre}")
    tokens = source.get("tokenizer.ggml.tokens")
    first, normalizer = PRE_TOKENIZERS[pre]
    letters = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
               "use_regex": first is DIGITS}
    return {
        "version": "1.0", "truncation": None, "padding": None, "normalizer": normalizer,
        "added_tokens": added_tokens(tokens, source.get("tokenizer.ggml.token_type")),
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [first, letters]},
        "post_processor": begins_with(source, tokens), "decoder": letters,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "fuse_unk": False,
                  "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "byte_fallback": False, "ignore_merges": pre == "llama-bpe",
                  "vocab": {token: i for i, token in enumerate(tokens)},
                  "merges": [m.split(" ") for m in source.get("tokenizer.ggml.merges")]}}


def tokenizer_config(source, config):
    tokens = source.get("tokenizer.ggml.tokens")
    found = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False,
             "model_max_length": config["max_position_embeddings"],
             "chat_template": source.get("tokenizer.chat_template", None)}
    for name in ("bos", "eos"):
        if config[f"{name}_token_id"] is not None:
            found[f"{name}_token"] = tokens[config[f"{name}_token_id"]]
    return found


def convert(model, folder):
    """Writes the files of MADE; Refused before the first of them where it cannot."""
    source = Source(model)
    config, tokenizer = config_of(source), tokenizer_of(source)
    for name in source.tensors:
        their_name(name)
    folder.mkdir(parents=True, exist_ok=True)
    write_weights(source, config, folder / "model.safetensors")
    for name, value in (("config.json", config), ("tokenizer.json", tokenizer),
                        ("tokenizer_config.json", tokenizer_config(source, config))):
        (folder / name).write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    if gguf is None:
        sys.exit("checkpoint.py needs the Python packages gguf and numpy")
    try:
        convert(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
    except (Refused, OSError) as error:
        sys.exit(f"{sys.argv[1]}: {error}")


if __name__ == "__main__":
    main()
