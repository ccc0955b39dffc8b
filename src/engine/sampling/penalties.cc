#include <algorithm>
#include <limits>
#include <unordered_map>

#include "engine/sampling/steps.h"

namespace hearth {

void penalties(Candidates& candidates, const StepContext& context) {
  const SamplingParams& p = context.params;
  auto history = context.history;
  if (p.repeat_last_n >= 0)
    history = history.last(std::min(history.size(), static_cast<size_t>(p.repeat_last_n)));
  std::unordered_map<TokenId, int32_t> counts;
  for (TokenId id : history) ++counts[id];
  auto repeat = static_cast<float>(p.repeat_penalty);
  auto frequency = static_cast<float>(p.frequency_penalty);
  auto presence = static_cast<float>(p.presence_penalty);
  for (auto [id, count] : counts)
    candidates.edit(id, [&](float& logit) {
      // Dividing would make a token with a negative logit more likely.
      logit = logit <= 0 ? logit * repeat : logit / repeat;
      logit -= static_cast<float>(count) * frequency + presence;
      logit = std::min(logit, std::numeric_limits<float>::max());
    });
}

}  // namespace hearth
