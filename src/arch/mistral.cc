// Mistral: Llama with a sliding window in every layer. Its GGUF files call themselves "llama", so
// this row reads checkpoints and writes such files.
#include "arch/blocks.h"
#include "arch/rows.h"

namespace hearth {

extern const Arch k_arch_llama, k_arch_mistral;

namespace {

constexpr std::string_view kClasses[] = {"MistralForCausalLM"};

Result<void> complete(Config& c, const Json* hf, const Metadata*) {
  if (hf != nullptr) c.window = TRY(hf->get_int("sliding_window", 0));
  c.windowed.assign(static_cast<size_t>(c.layers), c.window > 0);
  return {};
}

}  // namespace

const Arch k_arch_mistral = {
    .name = "llama",
    .gguf_names = {},
    .hf_classes = kClasses,
    .hypers = rows::kCommonHypers,
    .tensors = k_arch_llama.tensors,
    .gguf_rope_interleaved = true,
    .complete = complete,
    .forward = forward_pre_norm,
};

}  // namespace hearth
