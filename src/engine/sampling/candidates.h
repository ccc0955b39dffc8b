// Candidates: what a chain works on. They begin as all logits of a step, in place and in the order
// of the ids; the first step that drops some makes a short list of them. Nothing is ever sorted
// further than a step needs.
//
// Logits are finite or -infinity (that is: never): what a broken model gives is mended on entry,
// NaN to -infinity and +infinity to the largest float.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <unordered_map>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace hearth {

// The logit of what must not be.
inline constexpr float kNever = -std::numeric_limits<float>::infinity();

struct Candidate {
  TokenId id = 0;
  float logit = 0;
};

// The order of the most likely: larger logits first, equal ones by id.
inline bool likelier(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

// The id of the largest, the lowest among equals; -1 where there is none (NaN and -infinity do not
// count). One pass.
TokenId most_likely(std::span<const float> logits);

class Candidates {
 public:
  // All ids; `logits` is edited in place and must outlive the object.
  explicit Candidates(std::span<float> logits);

  size_t size() const { return whole_ ? logits_.size() : list_.size(); }
  // Largest first; only a list can be.
  bool sorted() const { return sorted_; }

  float max_logit() const;     // -infinity when nothing is possible
  double log_sum_exp() const;  // of all logits, for probabilities: exp(logit - log_sum_exp)
  // In nats, of the softmax; `total` is log_sum_exp().
  double entropy(double total) const;
  TokenId most_likely() const;  // REQUIRES size() > 0

  // The n largest (or all), largest first. Does not change the candidates.
  std::vector<Candidate> largest(size_t n) const;

  // Over those that are possible; 0 where there are none. The deviation is that of the population.
  struct Moments {
    double mean = 0, deviation = 0;
  };
  Moments moments() const;

  // Every logit becomes (logit - shift) / divisor; those below `lowest` become impossible, and stay
  // in the list.
  void scale(float shift, float divisor);
  void mask_below(float lowest);

  template <class F>
  void for_each(F f) const {
    if (whole_)
      for (size_t i = 0; i < logits_.size(); ++i) f(static_cast<TokenId>(i), logits_[i]);
    else
      for (const Candidate& c : list_) f(c.id, c.logit);
  }
  // f(logit&) for one id, where it is still there. In constant time but for the first of a list.
  template <class F>
  void edit(TokenId id, F f) {
    if (float* logit = find(id)) f(*logit), sorted_ = false;
  }

  // Keeps those of at least `lowest`.
  void keep_from(float lowest);
  // Takes another list in the place of this one.
  void replace(std::vector<Candidate> list, bool sorted);

  // All as a list; a copy while all ids are there.
  std::vector<Candidate> to_list() const;

  // The candidate at which the running sum of probabilities passes u in [0, 1).
  Candidate draw(double u) const;

 private:
  float* find(TokenId id);
  template <class F>
  double sum_of(F term) const;

  std::span<float> logits_;
  bool whole_ = true;
  bool sorted_ = false;
  std::vector<Candidate> list_;
  std::unordered_map<TokenId, size_t> places_;  // of a long list, once an id was looked for
};

}  // namespace hearth
