#include <algorithm>
#include <cmath>

#include "engine/sampling/steps.h"

namespace hearth {
namespace {

constexpr size_t kZipfTokens = 100;  // the paper's m: how many estimate the exponent
constexpr double kBitsPerNat = 1.4426950408889634;

// Zipf's exponent from the steps between the likeliest tokens: the least-squares slope of log
// probability over log rank.
double zipf_exponent(std::span<const Candidate> head) {
  double products = 0, squares = 0;
  for (size_t i = 0; i + 1 < head.size(); ++i) {
    double t = std::log(static_cast<double>(i + 2) / static_cast<double>(i + 1));
    double b = static_cast<double>(head[i].logit) - head[i + 1].logit;
    if (!std::isfinite(b)) break;
    products += t * b;
    squares += t * t;
  }
  return products / squares;
}

}  // namespace

void mirostat_1(Candidates& candidates, const StepContext& context) {
  std::vector<Candidate> head = candidates.largest(kZipfTokens);
  double s = zipf_exponent(head), epsilon = s - 1;
  auto vocabulary = static_cast<double>(candidates.size());
  double k = std::pow(epsilon * std::exp2(context.mirostat_mu) /
                          (1 - std::pow(vocabulary, -epsilon)), 1 / s);
  // Nothing to estimate from, or an exponent out of the model's reach: one token.
  size_t keep = k >= 1 ? static_cast<size_t>(std::min(k, vocabulary)) : 1;
  candidates.replace(candidates.largest(keep), true);
}

void mirostat_2(Candidates& candidates, const StepContext& context) {
  double total = candidates.log_sum_exp();
  if (!std::isfinite(total)) return;
  float best = candidates.max_logit();
  auto lowest = static_cast<float>(total - context.mirostat_mu / kBitsPerNat);
  candidates.keep_from(std::min(best, lowest));
}

double mirostat_update(double mu, double probability, const SamplingParams& params) {
  double surprise = -std::log2(std::max(probability, 1e-300));
  return mu - params.mirostat_eta * (surprise - params.mirostat_tau);
}

}  // namespace hearth
