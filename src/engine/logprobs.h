// Log probabilities of tokens: natural logarithms of the softmax of logits, as OpenAI and vLLM give
// them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/sampling/candidates.h"

namespace hearth {

struct TokenLogprob {
  TokenId id = 0;
  double logprob = 0;  // -infinity where it cannot come
};

struct TokenLogprobs {
  TokenLogprob chosen;
  std::vector<TokenLogprob> top;  // the likeliest, in order
};

// Of the model's own distribution. The logits are mended as Candidates does.
TokenLogprobs logprobs_of(std::span<float> logits, TokenId chosen, int64_t top);
// Of what a chain has left.
TokenLogprobs logprobs_of(const Candidates& candidates, const Candidate& chosen, int64_t top);

// The mean over the chosen tokens; 0 for none.
double mean_logprob(std::span<const TokenLogprobs> tokens);

}  // namespace hearth
