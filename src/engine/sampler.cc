#include "engine/sampler.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/rng.h"

namespace hearth {
namespace {

// NaN sorts last, so that a broken model gives some token rather than undefined behaviour.
bool before(const Candidate& a, const Candidate& b) {
  if (a.logit != b.logit) {
    if (std::isnan(b.logit)) return !std::isnan(a.logit);
    return a.logit > b.logit;
  }
  return a.id < b.id;
}

TokenId most_likely(std::span<const float> logits) {
  size_t best = 0;
  for (size_t i = 1; i < logits.size(); ++i)
    if (logits[i] > logits[best] || (std::isnan(logits[best]) && !std::isnan(logits[i]))) best = i;
  return static_cast<TokenId>(best);
}

}  // namespace

std::vector<Candidate> top_k(std::span<const float> logits, int64_t k) {
  std::vector<Candidate> all(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) all[i] = {static_cast<TokenId>(i), logits[i]};
  size_t keep = k <= 0 ? all.size() : std::min(all.size(), static_cast<size_t>(k));
  std::partial_sort(all.begin(), all.begin() + static_cast<ptrdiff_t>(keep), all.end(), before);
  all.resize(keep);
  return all;
}

std::vector<double> probabilities(std::span<const Candidate> candidates, double temperature) {
  std::vector<double> out(candidates.size());
  double sum = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    double x = (static_cast<double>(candidates[i].logit) - candidates[0].logit) / temperature;
    out[i] = std::isnan(x) ? 0.0 : std::exp(x);
    sum += out[i];
  }
  if (!(sum > 0) || !std::isfinite(sum)) {
    std::fill(out.begin(), out.end(), 0.0);
    if (!out.empty()) out[0] = 1;
    return out;
  }
  for (double& p : out) p /= sum;
  return out;
}

void keep_top_p(std::vector<Candidate>& candidates, double p) {
  if (p >= 1 || candidates.size() < 2) return;
  std::vector<double> chances = probabilities(candidates, 1.0);
  double sum = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    sum += chances[i];
    if (sum >= p) {
      candidates.resize(i + 1);
      return;
    }
  }
}

void keep_min_p(std::vector<Candidate>& candidates, double min_p) {
  if (min_p <= 0 || candidates.empty()) return;
  double lowest = candidates[0].logit + std::log(min_p);
  auto weak = [&](const Candidate& c) { return c.logit < lowest; };
  auto first = std::find_if(candidates.begin() + 1, candidates.end(), weak);
  candidates.erase(first, candidates.end());
}

size_t draw(std::span<const double> probabilities, double u) {
  double sum = 0;
  size_t last = 0;
  for (size_t i = 0; i < probabilities.size(); ++i) {
    if (probabilities[i] <= 0) continue;
    last = i;
    sum += probabilities[i];
    if (u < sum) return i;
  }
  return last;  // rounding left the sum a little below one
}

TokenId sample(std::span<const float> logits, const SamplingParams& params, uint64_t sequence,
               uint64_t position) {
  CHECK(!logits.empty());
  if (params.temperature <= 0) return most_likely(logits);
  std::vector<Candidate> candidates = top_k(logits, params.top_k);
  keep_top_p(candidates, params.top_p);
  keep_min_p(candidates, params.min_p);
  std::vector<double> chances = probabilities(candidates, params.temperature);
  return candidates[draw(chances, uniform(params.seed, sequence, position))].id;
}

}  // namespace hearth
