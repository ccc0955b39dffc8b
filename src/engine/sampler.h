// Sampling: from logits to a token. Each step is a small function on the candidates; the chain's
// order is llama.cpp's and Ollama's: top-k, top-p, min-p, temperature last. Random numbers are
// counted by (seed, sequence, position), so that the same seed gives the same text whatever else
// runs.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace hearth {

// Defaults are Ollama's.
struct SamplingParams {
  double temperature = 0.8;  // 0: the most likely token, the lowest id among equals
  int64_t top_k = 40;        // 0: all
  double top_p = 0.9;        // 1: all
  double min_p = 0.0;        // 0: all
  uint64_t seed = 0;
  int64_t max_tokens = -1;   // -1: as many as the context has room for
  std::vector<std::string> stop;
  bool ignore_eos = false;
};

struct Candidate {
  TokenId id;
  float logit;
};

// The k largest logits, largest first; equal ones by id. k <= 0: all.
std::vector<Candidate> top_k(std::span<const float> logits, int64_t k);
// From candidates sorted as top_k() leaves them: the shortest head whose probabilities sum to p.
void keep_top_p(std::vector<Candidate>& candidates, double p);
// Those at least min_p times as likely as the first.
void keep_min_p(std::vector<Candidate>& candidates, double min_p);
// Probabilities at a temperature (> 0), in the order of the candidates; they sum to 1.
std::vector<double> probabilities(std::span<const Candidate> candidates, double temperature);
// The candidate at which the running sum passes u in [0, 1).
size_t draw(std::span<const double> probabilities, double u);

// The whole chain. `sequence` and `position` number the draw.
TokenId sample(std::span<const float> logits, const SamplingParams& params, uint64_t sequence,
               uint64_t position);

}  // namespace hearth
