// Sampler: from logits to a token, for one sequence. The steps are in engine/sampling/, a request's
// parameters in base/sampling_params.h. What is drawn is a function of the logits, the history and
// (seed, sequence, position), and of mirostat's state, so that the same seed gives the same text
// whatever else runs.
//
//   auto plan = TRY(SamplerPlan::create(params, tokenizer));   // once for a request
//   Sampler sampler(plan, 0);                                  // one for each of its sequences
//   TokenId id = TRY(sampler.sample(logits, history));         // history grows by id
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/sampling_params.h"
#include "engine/logprobs.h"
#include "engine/sampling/chain.h"

namespace hearth {

// What the sequences of a request share. Immutable.
struct SamplerPlan {
  // Checks the parameters and prepares what they need of the tokenizer (nullptr: there are no texts
  // to look up, bad_words and breakers are left out).
  static Result<std::shared_ptr<const SamplerPlan>> create(const SamplingParams& params,
                                                           const Tokenizer* tokenizer);
  SamplingParams params;
  std::vector<const Step*> chain;
  bool greedy = false;  // the most likely of the raw logits, and nothing else
  std::vector<std::vector<TokenId>> bad_tokens;
  std::vector<TokenId> ends;  // what ends an answer, while min_tokens forbids it
  DryBreakers breakers;
};

class Sampler {
 public:
  // `sequence` numbers the answers of one request.
  Sampler(std::shared_ptr<const SamplerPlan> plan, uint64_t sequence)
      : plan_(std::move(plan)), sequence_(sequence), mu_(2 * plan_->params.mirostat_tau) {}

  // The next token after `history` (prompt and answer so far). Edits the logits. kInvalid when no
  // token is possible. `after`: filled with the log probabilities that the chain left, and as many
  // alternatives as params.logprobs.
  Result<TokenId> sample(std::span<float> logits, std::span<const TokenId> history,
                         TokenLogprobs* after = nullptr);

  // The same in two halves, for tests and for callers that choose by themselves: the candidates
  // that the chain leaves, and what follows from the choice of one.
  Candidates candidates(std::span<float> logits, std::span<const TokenId> history) const;
  void accept(const Candidates& candidates, const Candidate& chosen);

 private:
  Draws draws(size_t position) const;

  std::shared_ptr<const SamplerPlan> plan_;
  uint64_t sequence_;
  double mu_;  // mirostat's state
  int64_t generated_ = 0;
};

}  // namespace hearth
