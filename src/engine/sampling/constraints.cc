#include <algorithm>
#include <limits>

#include "engine/sampling/steps.h"
#include "engine/sampling/suffix_matches.h"

namespace hearth {
namespace {

void ban(Candidates& candidates, TokenId id) {
  candidates.edit(id, [](float& logit) { logit = kNever; });
}

}  // namespace

void logit_bias(Candidates& candidates, const StepContext& context) {
  for (const TokenBias& row : context.params.logit_bias)
    candidates.edit(row.token, [&](float& logit) {
      logit = std::min(logit + row.bias, std::numeric_limits<float>::max());
    });
}

void forbid(Candidates& candidates, const StepContext& context) {
  for (TokenId id : context.forbidden) ban(candidates, id);
}

void bad_words(Candidates& candidates, const StepContext& context) {
  auto history = context.history;
  for (const std::vector<TokenId>& sequence : context.bad_tokens) {
    size_t before = sequence.size() - 1;
    if (before > history.size()) continue;
    if (std::ranges::equal(history.last(before), std::span(sequence).first(before)))
      ban(candidates, sequence.back());
  }
}

void no_repeat_ngram(Candidates& candidates, const StepContext& context) {
  auto history = context.history;
  auto n = static_cast<size_t>(std::max<int64_t>(context.params.no_repeat_ngram_size, 0));
  if (n == 0 || history.size() < n) return;
  std::vector<int32_t> lengths = suffix_matches(history);
  for (size_t end = n - 1; end < history.size(); ++end)
    if (static_cast<size_t>(lengths[end]) >= n - 1) ban(candidates, history[end]);
}

}  // namespace hearth
