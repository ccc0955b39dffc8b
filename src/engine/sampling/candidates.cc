#include "engine/sampling/candidates.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "kernels/api.h"

namespace hearth {
namespace {

constexpr size_t kBlock = 64;        // logits that are compared with a bound at once
constexpr size_t kShortList = 64;    // up to here an id is looked for one by one
constexpr size_t kDrawBlock = 1024;  // logits whose sum a draw may step over

// Eight running maxima side by side, which compilers turn into vector instructions; comparisons
// with NaN are false, so NaN never wins.
float max_of(const float* x, size_t count) {
  float lanes[8];
  std::fill(lanes, lanes + 8, kNever);
  size_t i = 0;
  for (; i + 8 <= count; i += 8)
    for (size_t j = 0; j < 8; ++j) lanes[j] = x[i + j] > lanes[j] ? x[i + j] : lanes[j];
  for (; i < count; ++i) lanes[0] = x[i] > lanes[0] ? x[i] : lanes[0];
  return *std::max_element(lanes, lanes + 8);
}

// f(index) for every x[index] >= bound(), a block at a time; the bound may rise meanwhile.
template <class Bound, class F>
void for_each_from(std::span<const float> x, Bound bound, F f) {
  for (size_t at = 0; at < x.size(); at += kBlock) {
    size_t end = std::min(at + kBlock, x.size());
    if (!(max_of(x.data() + at, end - at) >= bound())) continue;
    for (size_t i = at; i < end; ++i)
      if (x[i] >= bound()) f(i);
  }
}

void keep_head(std::vector<Candidate>& list, size_t n) {
  if (list.size() <= n) return;
  std::nth_element(list.begin(), list.begin() + static_cast<ptrdiff_t>(n), list.end(), likelier);
  list.resize(n);
}

// f(logit&) of each, eight side by side.
template <class F>
void edit_each(std::span<float> logits, std::vector<Candidate>& list, bool whole, F f) {
  if (!whole) {
    for (Candidate& c : list) c.logit = f(c.logit);
    return;
  }
  float* x = logits.data();
  size_t i = 0;
  for (; i + 8 <= logits.size(); i += 8)
    for (size_t j = 0; j < 8; ++j) x[i + j] = f(x[i + j]);
  for (; i < logits.size(); ++i) x[i] = f(x[i]);
}

double log_sum(std::span<const float> x) {
  return default_kernels().log_sum_exp(x.data(), static_cast<int64_t>(x.size()));
}

}  // namespace

TokenId most_likely(std::span<const float> logits) {
  float best = kNever;
  size_t block = 0;
  for (size_t at = 0; at < logits.size(); at += kBlock) {
    float x = max_of(logits.data() + at, std::min(kBlock, logits.size() - at));
    if (x > best) best = x, block = at;
  }
  if (best == kNever) return -1;
  auto from = logits.begin() + static_cast<ptrdiff_t>(block);
  return static_cast<TokenId>(std::find(from, logits.end(), best) - logits.begin());
}

Candidates::Candidates(std::span<float> logits) : logits_(logits) {
  constexpr float kHighest = std::numeric_limits<float>::max();
  for (float& x : logits_) {
    x = x == x ? x : kNever;
    x = x < kHighest ? x : kHighest;
  }
}

float* Candidates::find(TokenId id) {
  if (whole_)
    return id >= 0 && static_cast<size_t>(id) < logits_.size() ? &logits_[static_cast<size_t>(id)]
                                                               : nullptr;
  if (list_.size() <= kShortList) {
    auto at = std::ranges::find(list_, id, &Candidate::id);
    return at == list_.end() ? nullptr : &at->logit;
  }
  if (places_.empty())
    for (size_t i = 0; i < list_.size(); ++i) places_.emplace(list_[i].id, i);
  auto place = places_.find(id);
  return place == places_.end() ? nullptr : &list_[place->second].logit;
}

float Candidates::max_logit() const {
  if (whole_) return max_of(logits_.data(), logits_.size());
  float best = kNever;
  for (const Candidate& c : list_) best = std::max(best, c.logit);
  return best;
}

double Candidates::log_sum_exp() const {
  if (whole_) {
    if (max_logit() == kNever) return kNever;
    return log_sum(logits_);
  }
  double best = max_logit(), sum = 0;
  if (best == kNever) return kNever;
  for (const Candidate& c : list_) sum += std::exp(c.logit - best);
  return best + std::log(sum);
}

double Candidates::entropy(double total) const {
  double sum = 0;
  for_each([&](TokenId, float logit) {
    double p = std::exp(logit - total);
    if (p > 0) sum += p * (total - logit);
  });
  return sum;
}

TokenId Candidates::most_likely() const {
  CHECK(size() > 0);
  if (!whole_) return std::ranges::min_element(list_, likelier)->id;
  return std::max<TokenId>(0, hearth::most_likely(logits_));
}

// The sum of term(logit): floats in eight lanes for a block, doubles from there on.
template <class F>
double Candidates::sum_of(F term) const {
  double sum = 0;
  if (!whole_) {
    for (const Candidate& c : list_) sum += term(c.logit);
    return sum;
  }
  for (size_t at = 0; at < logits_.size(); at += kDrawBlock) {
    const float* x = logits_.data() + at;
    size_t count = std::min(kDrawBlock, logits_.size() - at), i = 0;
    float lanes[8] = {};
    for (; i + 8 <= count; i += 8)
      for (size_t j = 0; j < 8; ++j) lanes[j] += term(x[i + j]);
    for (; i < count; ++i) lanes[0] += term(x[i]);
    for (float lane : lanes) sum += lane;
  }
  return sum;
}

Candidates::Moments Candidates::moments() const {
  double count = sum_of([](float x) { return x != kNever ? 1.0f : 0.0f; });
  if (count == 0) return {};
  double mean = sum_of([](float x) { return x != kNever ? x : 0.0f; }) / count;
  double squares = sum_of([middle = static_cast<float>(mean)](float x) {
    float off = x != kNever ? x - middle : 0.0f;
    return off * off;
  });
  return {mean, std::sqrt(squares / count)};
}

void Candidates::scale(float shift, float divisor) {
  edit_each(logits_, list_, whole_, [=](float x) { return (x - shift) / divisor; });
}

void Candidates::mask_below(float lowest) {
  edit_each(logits_, list_, whole_, [=](float x) { return x < lowest ? kNever : x; });
}

// A bound that rises as better ones are found: of random logits only about n * log(size / n) ever
// pass it.
std::vector<Candidate> Candidates::largest(size_t n) const {
  n = std::min(n, size());
  std::vector<Candidate> best;
  if (!whole_ && sorted_) return {list_.begin(), list_.begin() + static_cast<ptrdiff_t>(n)};
  if (!whole_) {
    best = list_;
  } else if (n > 0) {
    size_t room = 2 * n + kBlock;
    best.reserve(std::min(room, size()));
    float bound = std::numeric_limits<float>::lowest();
    for_each_from(logits_, [&] { return bound; }, [&](size_t i) {
      best.push_back({static_cast<TokenId>(i), logits_[i]});
      if (best.size() < room) return;
      keep_head(best, n);
      bound = std::ranges::max_element(best, likelier)->logit;
    });
    for (size_t i = 0; i < logits_.size() && best.size() < n; ++i)  // the impossible ones, last
      if (logits_[i] == kNever) best.push_back({static_cast<TokenId>(i), kNever});
  }
  keep_head(best, n);
  std::ranges::sort(best, likelier);
  return best;
}

void Candidates::keep_from(float lowest) {
  if (!whole_) {
    std::erase_if(list_, [&](const Candidate& c) { return c.logit < lowest; });
    places_.clear();
    return;
  }
  std::vector<Candidate> kept;
  for_each_from(logits_, [&] { return lowest; }, [&](size_t i) {
    kept.push_back({static_cast<TokenId>(i), logits_[i]});
  });
  replace(std::move(kept), false);
}

void Candidates::replace(std::vector<Candidate> list, bool sorted) {
  list_ = std::move(list);
  places_.clear();
  whole_ = false;
  sorted_ = sorted;
}

std::vector<Candidate> Candidates::to_list() const {
  if (!whole_) return list_;
  std::vector<Candidate> all(logits_.size());
  for (size_t i = 0; i < all.size(); ++i) all[i] = {static_cast<TokenId>(i), logits_[i]};
  return all;
}

Candidate Candidates::draw(double u) const {
  CHECK(size() > 0);
  double total = log_sum_exp(), sum = 0;
  Candidate last;
  auto passes = [&](TokenId id, float logit) {
    double p = std::exp(logit - total);
    if (p > 0) last = {id, logit};
    return (sum += p) > u && p > 0;
  };
  if (!whole_) {
    for (const Candidate& c : list_)
      if (passes(c.id, c.logit)) return c;
    return last;  // rounding left the sum a little below one
  }
  for (size_t at = 0; at < logits_.size(); at += kDrawBlock) {
    auto block = logits_.subspan(at, std::min(kDrawBlock, logits_.size() - at));
    double block_p = max_of(block.data(), block.size()) == kNever
                         ? 0 : std::exp(log_sum(block) - total);
    // The block is walked where it may hold the point; a sum that it misses by rounding goes on.
    if (sum + block_p * (1 + 1e-5) <= u) {
      sum += block_p;
      continue;
    }
    for (size_t i = 0; i < block.size(); ++i)
      if (passes(static_cast<TokenId>(at + i), block[i])) return last;
  }
  return last;
}

}  // namespace hearth
