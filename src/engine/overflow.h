// Overflow: what stays of a sequence that has outgrown the context, where a request asks for
// sliding (llama.cpp calls it a context shift): its head, and the newest of the rest. The rest
// loses halves of what the context holds of it, prompt and answer alike, so that a chat that grows
// from turn to turn loses the next half now and then, and keeps its cache in between.
//
// Positions are numbered anew: the sequence goes on as if it had begun with what stays. Keys were
// rotated by their old positions and saw what is gone, so what follows the head is computed again:
// the same bits as of a fresh prompt.
#pragma once

#include <span>
#include <vector>

#include "base/result.h"
#include "base/sampling_params.h"
#include "tokenizer/tokenizer.h"

namespace hearth {

class Overflow {
 public:
  // num_keep tokens of the prompt stay, BOS besides them (all of it where num_keep is negative).
  // kTooLarge, with the lengths, where the prompt does not fit and may not slide, or where the
  // head leaves no room for anything to slide in.
  static Result<Overflow> create(const SamplingParams& params, std::span<const TokenId> prompt,
                                 TokenId bos, int64_t context);

  bool slides() const { return slides_; }
  int64_t head() const { return head_; }
  // Erases what a sequence must lose so that the context has room for a token after it; returns
  // how many tokens went. Nothing where it does not slide.
  int64_t slide(std::vector<TokenId>& tokens) const;
  // Tokens of an answer at most, after a prompt of `prompt` tokens that fits.
  int64_t limit(const SamplingParams& params, int64_t prompt) const;

 private:
  int64_t context_ = 0, head_ = 0;
  bool slides_ = false;
};

}  // namespace hearth
