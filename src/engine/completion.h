// Completion: all that comes of a request, whoever runs it: a Session or the serving engine.
#pragma once

#include <cstddef>
#include <vector>

#include "engine/answer.h"

namespace hearth {

// All that a request with several answers, or with log probabilities of its prompt, gives.
struct Completion {
  std::vector<Generation> choices;  // best_of and beams: the likeliest first
  // One per prompt token but the first, which follows nothing.
  std::vector<TokenLogprobs> prompt_logprobs;
  Timings timings;  // generated_tokens counts those of every answer
};

// Whether the parameters agree with each other and with a prompt of so many tokens.
Result<void> check_request(const SamplingParams& params, size_t prompt);

// Of best_of answers, the `n` likeliest, in order.
void keep_likeliest(std::vector<Generation>& choices, size_t n);

}  // namespace hearth
