// Beam search: the bookkeeping, apart from the model. Equal to what transformers' generate() does
// with num_beams (generation/utils.py): scores are sums of log probabilities; a beam that ends is
// set aside with its score over length^penalty; the search ends as `early_stopping` says:
//   false    when the best running beam, at its length of now, cannot beat the worst one set aside
//   true     as soon as `width` beams are set aside
//   "never"  as false, but at the length at which a running beam could score best
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/sampling_params.h"
#include "engine/sampling/candidates.h"

namespace hearth {

struct BeamOptions {
  size_t width = 1;
  double length_penalty = 1.0;
  enum class Early : uint8_t { kFalse, kTrue, kNever } early = Early::kFalse;
  int64_t limit = 0;            // tokens at most; > 0
  std::vector<TokenId> ends;    // tokens that end a beam
};

struct Beam {
  double score = 0;              // running: the sum; set aside: over length^penalty
  double logprob = 0;            // the sum
  std::vector<TokenId> tokens;   // with the one that ended it
  size_t parent = 0;             // running: which beam of the step before it goes on
};

class BeamSearch {
 public:
  explicit BeamSearch(BeamOptions options);

  // The beams whose logits are wanted next: one without tokens at first.
  const std::vector<Beam>& running() const { return running_; }

  // A step: the likeliest continuations of each running beam, largest first, at least
  // continuations() of them where there are so many, and the log of the sum of exponentials.
  struct Row {
    std::vector<Candidate> best;
    double log_sum_exp = 0;
  };
  size_t continuations() const;
  // True while there is another step. The parents of running() are then indices of the old ones.
  bool advance(std::span<const Row> rows);

  // The best first, `width` at most; the running ones too where the search was cut short.
  std::vector<Beam> results() const;

 private:
  bool is_end(TokenId id) const;
  void set_aside(const Beam& beam);
  bool improvable() const;

  BeamOptions options_;
  int64_t length_ = 0;
  bool improvable_ = true;
  std::vector<Beam> running_{1}, finished_;
};

}  // namespace hearth
