#include <algorithm>
#include <cmath>

#include "engine/sampling/steps.h"

namespace hearth {
namespace {

void scale(Candidates& candidates, double temperature) {
  auto t = static_cast<float>(temperature);
  if (!(t > 0)) {
    TokenId best = candidates.most_likely();
    float logit = candidates.max_logit();
    return candidates.replace({{best, logit}}, true);
  }
  // By a tiny temperature, differences to the best are divided, which overflow only to "never".
  float best = candidates.max_logit();
  if (std::isfinite(best)) candidates.scale(std::isfinite(best / t) ? 0 : best, t);
}

// Between 0 (one candidate has it all) and 1 (all are equal).
double normalized_entropy(const Candidates& candidates) {
  double entropy = candidates.entropy(candidates.log_sum_exp());
  return std::clamp(entropy / std::log(static_cast<double>(candidates.size())), 0.0, 1.0);
}

}  // namespace

void temperature(Candidates& candidates, const StepContext& context) {
  const SamplingParams& p = context.params;
  if (candidates.size() == 0) return;
  if (p.dynatemp_range <= 0) return scale(candidates, p.temperature);
  if (candidates.size() < 2 || !std::isfinite(candidates.max_logit())) return;
  double low = std::max(0.0, p.temperature - p.dynatemp_range);
  double high = p.temperature + p.dynatemp_range;
  double share = std::pow(normalized_entropy(candidates), p.dynatemp_exponent);
  scale(candidates, low + (high - low) * share);
}

}  // namespace hearth
