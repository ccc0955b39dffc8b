#include "engine/completion.h"

#include <algorithm>
#include <functional>

namespace hearth {
namespace {

constexpr int64_t kAnswersMax = 1024;  // answers or beams of a request, whatever asks for them

}  // namespace

Result<void> check_request(const SamplingParams& p, size_t prompt) {
  if (prompt == 0) return fail(Code::kInvalid, "the prompt is empty");
  if (p.n < 1) return fail(Code::kInvalid, "n must be at least 1");
  if (std::max({p.n, p.best_of, p.num_beams}) > kAnswersMax)
    return fail(Code::kTooLarge, "at most {} answers or beams can be asked for", kAnswersMax);
  if (p.best_of > 0 && p.best_of < p.n)
    return fail(Code::kInvalid, "best_of is {}, but n is {}: there would not be enough", p.best_of,
                p.n);
  if (p.max_tokens >= 0 && p.min_tokens > p.max_tokens)
    return fail(Code::kInvalid, "min_tokens is {}, more than the {} tokens of the answer",
                p.min_tokens, p.max_tokens);
  if (p.num_beams > 1 && p.n > p.num_beams)
    return fail(Code::kInvalid, "{} beams cannot give {} answers", p.num_beams, p.n);
  if (p.num_beams > 1 && (p.logprobs >= 0 || p.best_of > 0))
    return fail(Code::kUnsupported, "beam search gives scores; it has no logprobs and no best_of");
  return {};
}

void keep_likeliest(std::vector<Generation>& choices, size_t n) {
  std::ranges::sort(choices, std::greater<>(), &Generation::mean_logprob);
  choices.resize(std::min(choices.size(), n));
}

}  // namespace hearth
