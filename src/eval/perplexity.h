// Perplexity of a text, computed as llama.cpp's tool does so that figures compare: windows of
// `ctx` tokens side by side, the second half of each scored, BOS at the head of a window where the
// model uses one. Optionally the Kullback-Leibler divergence of one precision from another on the
// same positions.
#pragma once

#include <functional>
#include <optional>
#include <span>

#include "engine/runner.h"

namespace hearth {

struct PerplexityOptions {
  int64_t ctx = 512;
  int64_t chunks = -1;      // -1: as many windows as the text has
  KvType kv = KvType::kF16;
  // Compares with this runner of the same model, with `reference_kv`.
  Runner* reference = nullptr;
  KvType reference_kv = KvType::kF32;
  std::function<void(int64_t done, int64_t total, double ppl)> on_chunk;
};

struct Divergence {
  double mean = 0, p99 = 0, max = 0;
  double same_top = 0;  // share of positions where both choose the same token
};

struct PerplexityResult {
  double ppl = 0, standard_error = 0;
  int64_t tokens = 0;  // scored
  std::optional<Divergence> divergence;
  double reference_ppl = 0;  // where there is a reference
};

// kInvalid when the text is shorter than one window, or ctx is out of range.
Result<PerplexityResult> perplexity(Runner& runner, std::span<const TokenId> tokens,
                                    TokenId bos_or_minus_1, const PerplexityOptions& options);

}  // namespace hearth
