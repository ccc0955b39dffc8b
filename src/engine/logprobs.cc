#include "engine/logprobs.h"

#include <algorithm>
#include <limits>

namespace hearth {

TokenLogprobs logprobs_of(const Candidates& candidates, const Candidate& chosen, int64_t top) {
  double total = candidates.log_sum_exp();
  TokenLogprobs out{.chosen = {chosen.id, chosen.logit - total}, .top = {}};
  if (top <= 0) return out;
  for (const Candidate& c : candidates.largest(static_cast<size_t>(top)))
    out.top.push_back({c.id, c.logit - total});
  return out;
}

TokenLogprobs logprobs_of(std::span<float> logits, TokenId chosen, int64_t top) {
  Candidates all(logits);
  bool inside = chosen >= 0 && static_cast<size_t>(chosen) < logits.size();
  float logit = inside ? logits[static_cast<size_t>(chosen)]
                       : -std::numeric_limits<float>::infinity();
  return logprobs_of(all, {chosen, logit}, top);
}

double mean_logprob(std::span<const TokenLogprobs> tokens) {
  double sum = 0;
  for (const TokenLogprobs& token : tokens) sum += token.chosen.logprob;
  return tokens.empty() ? 0 : sum / static_cast<double>(tokens.size());
}

}  // namespace hearth
