#include "engine/beam.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace hearth {

BeamSearch::BeamSearch(BeamOptions options) : options_(std::move(options)) {
  CHECK(options_.width > 0 && options_.limit > 0);
}

// As many as leave `width` beams to go on with if every end comes in each.
size_t BeamSearch::continuations() const {
  return std::max<size_t>(2, 1 + options_.ends.size()) * options_.width;
}

bool BeamSearch::is_end(TokenId id) const {
  return std::ranges::find(options_.ends, id) != options_.ends.end();
}

void BeamSearch::set_aside(const Beam& beam) {
  Beam done = beam;
  done.score = beam.logprob / std::pow(static_cast<double>(length_ + 1), options_.length_penalty);
  auto at = std::ranges::upper_bound(finished_, done.score, std::greater<>(), &Beam::score);
  finished_.insert(at, std::move(done));
  if (finished_.size() > options_.width) finished_.pop_back();
}

bool BeamSearch::improvable() const {
  if (finished_.size() < options_.width) return true;
  bool longest = options_.early == BeamOptions::Early::kNever && options_.length_penalty > 0;
  auto length = static_cast<double>(longest ? options_.limit : length_);
  double best = running_.front().logprob / std::pow(length, options_.length_penalty);
  return best > finished_.back().score;
}

bool BeamSearch::advance(std::span<const Row> rows) {
  CHECK(rows.size() == running_.size());
  struct Next {
    double logprob;
    size_t parent;
    TokenId id;
  };
  std::vector<Next> all;
  for (size_t b = 0; b < rows.size(); ++b)
    for (const Candidate& c : rows[b].best)
      if (std::isfinite(c.logit))
        all.push_back({running_[b].logprob + (c.logit - rows[b].log_sum_exp), b, c.id});
  auto better = [](const Next& a, const Next& b) {
    if (a.logprob != b.logprob) return a.logprob > b.logprob;
    return a.parent != b.parent ? a.parent < b.parent : a.id < b.id;
  };
  size_t keep = std::min(all.size(), continuations());
  std::partial_sort(all.begin(), all.begin() + static_cast<ptrdiff_t>(keep), all.end(), better);
  all.resize(keep);

  std::vector<Beam> next;
  bool last = length_ + 1 >= options_.limit;
  for (size_t i = 0; i < all.size(); ++i) {
    bool ended = last || is_end(all[i].id);
    if (ended ? i >= options_.width : next.size() >= options_.width) continue;
    Beam beam{.score = all[i].logprob, .logprob = all[i].logprob,
              .tokens = running_[all[i].parent].tokens, .parent = all[i].parent};
    beam.tokens.push_back(all[i].id);
    if (ended) set_aside(beam);
    else next.push_back(std::move(beam));
  }
  ++length_;
  if (next.empty()) {
    running_.clear();
    return false;
  }
  running_ = std::move(next);
  improvable_ = improvable_ && improvable();
  bool full = finished_.size() == options_.width;
  return improvable_ && !(full && options_.early == BeamOptions::Early::kTrue);
}

std::vector<Beam> BeamSearch::results() const {
  std::vector<Beam> out = finished_;
  for (const Beam& beam : running_) {
    if (out.size() >= options_.width) break;
    out.push_back(beam);
    if (beam.tokens.empty()) continue;
    out.back().score = beam.logprob / std::pow(static_cast<double>(beam.tokens.size()),
                                               options_.length_penalty);
  }
  return out;
}

}  // namespace hearth
