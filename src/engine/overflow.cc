#include "engine/overflow.h"

#include <algorithm>

#include "base/math.h"

namespace hearth {
namespace {

// A model that never ends its answer would slide for ever; Ollama stops it there, too.
constexpr int64_t kContextsMax = 10;

constexpr int64_t kUntilFull = -2;  // num_predict of Ollama: fill the context

}  // namespace

Result<Overflow> Overflow::create(const SamplingParams& params, std::span<const TokenId> prompt,
                                  TokenId bos, int64_t context) {
  Overflow out;
  out.context_ = context;
  out.slides_ = params.overflow == "slide";
  auto size = static_cast<int64_t>(prompt.size());
  if (!out.slides_) {
    if (size < context) return out;
    return fail(Code::kTooLarge,
                "the prompt has {} tokens, but the context has room for {} and one is needed for "
                "the answer; shorten the prompt, raise the context with --ctx or let it slide with "
                "--overflow slide",
                size, context);
  }
  if (params.num_beams > 1)
    return fail(Code::kUnsupported, "beam search cannot slide: its beams are compared over all "
                                    "that they said; leave out --overflow slide");
  int64_t extra = !prompt.empty() && prompt.front() == bos ? 1 : 0;
  out.head_ = params.num_keep < 0 ? size : std::min(size, params.num_keep + extra);
  if (context - out.head_ < 2)
    return fail(Code::kTooLarge,
                "{} tokens are to stay at the start (num_keep), but the context has room for {}: "
                "nothing is left to slide in", out.head_, context);
  if (size >= context && params.prompt_logprobs >= 0)
    return fail(Code::kTooLarge,
                "the prompt has {} tokens, but the context has room for {}: a prompt that loses "
                "its middle has no log probabilities", size, context);
  return out;
}

int64_t Overflow::slide(std::vector<TokenId>& tokens) const {
  if (!slides_) return 0;
  int64_t over = static_cast<int64_t>(tokens.size()) - (context_ - 1);
  if (over <= 0) return 0;
  int64_t half = (context_ - head_) / 2;
  int64_t count = round_up(over, half);
  auto from = tokens.begin() + head_;
  tokens.erase(from, from + count);
  return count;
}

int64_t Overflow::limit(const SamplingParams& params, int64_t prompt) const {
  bool full_is_end = !slides_ || params.max_tokens == kUntilFull;
  int64_t room = full_is_end ? context_ - prompt : context_ * kContextsMax;
  if (params.max_tokens < 0) return room;
  return full_is_end ? std::min(room, params.max_tokens) : params.max_tokens;
}

}  // namespace hearth
