// describe: what a model file or folder is, read from its headers: for `show`, and for the config
// blob that `create` writes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace hearth {

struct ModelFacts {
  std::string format;        // "gguf" or "safetensors"
  std::string architecture;  // "llama", "qwen2"; empty when the file does not say
  std::string name;          // as the file calls itself; may be empty
  std::string license;       // an identifier such as "apache-2.0"; may be empty
  std::string quantization;  // "Q4_K_M", "BF16"
  uint64_t parameters = 0;   // elements of all tensors
  uint64_t bytes = 0;        // of the files
  std::optional<uint64_t> context_length, embedding_length, layers, vocabulary;
  std::string chat_template;  // the file's own; may be empty

  // One row per encoding, the one with most bytes first.
  struct TypeRow {
    std::string type;
    uint64_t tensors = 0, parameters = 0, bytes = 0;
  };
  std::vector<TypeRow> types;
};

// `path` is a GGUF file (or the first of a split set) or a Hugging Face folder.
Result<ModelFacts> describe_model(const std::string& path);

// Kind, sizes and special tokens of its tokenizer, as an object; reads a whole tokenizer.json.
Result<Json> describe_tokenizer(const std::string& path);

}  // namespace hearth
