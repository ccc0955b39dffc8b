#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/sampling/steps.h"

namespace hearth {
namespace {

size_t min_keep_of(const StepContext& context) {
  return static_cast<size_t>(std::max<int64_t>(context.params.min_keep, 0));
}

struct Scored {
  Candidate candidate;
  double probability, score;
};

// The best scores of `list` until their probabilities add up to more than p and `least` are there;
// false when all of them do not.
bool keep_best_scores(std::vector<Scored>& list, double p, size_t least) {
  std::ranges::sort(list, [](const Scored& a, const Scored& b) {
    return a.score != b.score ? a.score < b.score : likelier(a.candidate, b.candidate);
  });
  double sum = 0;
  for (size_t i = 0; i < list.size(); ++i) {
    sum += list[i].probability;
    if (sum <= p || i + 1 < least) continue;
    list.resize(i + 1);
    return true;
  }
  return false;
}

}  // namespace

void top_k(Candidates& candidates, const StepContext& context) {
  candidates.replace(candidates.largest(static_cast<size_t>(context.params.top_k)), true);
}

// The nucleus of most steps is short: the likeliest 256 are looked at first, then eight times as
// many, and so on.
void top_p(Candidates& candidates, const StepContext& context) {
  double total = candidates.log_sum_exp();
  if (!std::isfinite(total)) return;
  for (size_t count = 256;; count *= 8) {
    std::vector<Candidate> head = candidates.largest(count);
    double sum = 0;
    for (size_t i = 0; i < head.size(); ++i) {
      sum += std::exp(head[i].logit - total);
      if (sum < context.params.top_p || i + 1 < min_keep_of(context)) continue;
      head.resize(i + 1);
      return candidates.replace(std::move(head), true);
    }
    if (head.size() == candidates.size()) return candidates.replace(std::move(head), true);
  }
}

void min_p(Candidates& candidates, const StepContext& context) {
  auto share = static_cast<float>(context.params.min_p);
  float lowest = candidates.max_logit() + std::log(share);
  size_t least = min_keep_of(context), count = 0;
  if (least > 1)
    candidates.for_each([&](TokenId, float logit) { count += logit >= lowest; });
  if (least <= 1 || count >= least) return candidates.keep_from(lowest);
  candidates.replace(candidates.largest(least), true);
}

// What is not among the likeliest n is at least as surprising as the last of them; so their best
// scores are the best of all once that one's score is no better. n grows until then.
void typical(Candidates& candidates, const StepContext& context) {
  double total = candidates.log_sum_exp();
  if (!std::isfinite(total)) return;
  double entropy = candidates.entropy(total);
  size_t least = std::max<size_t>(1, min_keep_of(context));
  std::vector<Scored> list;
  for (size_t count = 256;; count *= 8) {
    std::vector<Candidate> head = candidates.largest(count);
    list.clear();
    for (const Candidate& c : head)
      list.push_back({c, std::exp(c.logit - total), std::fabs(total - c.logit - entropy)});
    bool enough = keep_best_scores(list, context.params.typical_p, least);
    if (head.size() == candidates.size()) break;
    if (enough && list.back().score < total - head.back().logit - entropy) break;
  }
  std::vector<Candidate> kept;
  for (const Scored& row : list) kept.push_back(row.candidate);
  candidates.replace(std::move(kept), false);
}

// Masks instead of dropping, as llama.cpp does: the number of candidates stays.
void top_n_sigma(Candidates& candidates, const StepContext& context) {
  if (candidates.size() <= 1) return;
  double sigma = candidates.moments().deviation;
  double lowest = candidates.max_logit() - context.params.top_n_sigma * sigma;
  candidates.mask_below(static_cast<float>(lowest));
}

void xtc(Candidates& candidates, const StepContext& context) {
  const SamplingParams& p = context.params;
  if (candidates.size() < 2) return;
  if (context.draws.uniform(Draws::Purpose::kXtc) > p.xtc_probability) return;
  double total = candidates.log_sum_exp();
  if (!std::isfinite(total)) return;
  // At most 1 / threshold candidates are that likely; a threshold of 0 takes all.
  double lowest = p.xtc_threshold > 0 ? total + std::log(p.xtc_threshold)
                                      : -std::numeric_limits<double>::infinity();
  auto choice = [&](float logit) { return logit >= lowest; };
  Candidate last{};
  size_t choices = 0;
  candidates.for_each([&](TokenId id, float logit) {
    if (!choice(logit)) return;
    Candidate c{id, logit};
    if (choices == 0 || likelier(last, c)) last = c;
    ++choices;
  });
  size_t left = candidates.size() - (choices > 0 ? choices - 1 : 0);
  if (choices < 2 || left < min_keep_of(context)) return;
  std::vector<Candidate> kept;
  candidates.for_each([&](TokenId id, float logit) {
    if (!choice(logit) || id == last.id) kept.push_back({id, logit});
  });
  candidates.replace(std::move(kept), candidates.sorted());
}

}  // namespace hearth
