// Model: a model file in memory, ready for an engine: its configuration, weights as slots, the
// forward program, the tokenizer and the chat template. Weights stay in the mapped file; small
// vectors are copied as float32. Immutable once loaded; shared by any number of threads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "arch/arch.h"
#include "base/json.h"
#include "base/result.h"
#include "container/tensor_file.h"
#include "nn/program.h"
#include "nn/weight.h"
#include "tokenizer/tokenizer.h"

namespace hearth {

struct Model {
  // A .gguf file, a .safetensors checkpoint folder.
  static Result<std::shared_ptr<const Model>> load(const std::string& path);
  // The same from a file that is already open; `folder` holds config.json for safetensors.
  static Result<std::shared_ptr<const Model>> load(TensorFile file, const std::string& folder);

  TensorFile file;
  const Arch* arch = nullptr;
  Config config;
  std::vector<Weight> weights;
  Program program;

  // From the file alone; a Modelfile may override it. Empty where the file has none.
  std::string chat_template;

  // Whether this is a tied head: the bytes of the token embedding under another slot.
  bool shares_embedding(const Weight& weight) const;
  uint64_t parameters() const;    // values in all weights, a tied head counted once
  uint64_t weight_bytes() const;  // of the same
};

// The tokenizer of a file: loading takes tens of milliseconds and not every command needs it.
Result<std::shared_ptr<const Tokenizer>> load_tokenizer(const TensorFile& file,
                                                        const std::string& path);

// Writes the model as one GGUF file, each tensor in `encoding` (nullptr: as it is); vectors as
// F32. Checkpoints become what their GGUF form expects: rows of q and k in rotary pairs, norm
// weights with their one. `tokenizer` keys are copied where the source has them.
Result<void> write_model_gguf(const Model& model, const std::string& path,
                              const Encoding* encoding);

}  // namespace hearth
