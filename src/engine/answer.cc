#include "engine/answer.h"

#include <algorithm>

namespace hearth {
namespace {

// Room that is made before the first token, so that most answers never ask for memory.
constexpr int64_t kRoomTokens = 4096;
constexpr size_t kRoomBytes = 4;  // of text for each

}  // namespace

std::string_view name_of(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop: return "stop";
    case FinishReason::kLength: return "length";
    case FinishReason::kCancelled: return "cancelled";
  }
  return "stop";
}

Answer::Answer(std::shared_ptr<const SamplerPlan> plan, std::shared_ptr<const Tokenizer> tokenizer,
               std::span<const TokenId> prompt, uint64_t index, int64_t limit)
    : plan_(std::move(plan)),
      tokenizer_(std::move(tokenizer)),
      sampler_(plan_, index),
      decoder_(*tokenizer_),
      filter_(plan_->params.stop),
      limit_(limit),
      history_(prompt.begin(), prompt.end()) {
  if (limit_ <= 0) end(FinishReason::kLength);
  const auto room = static_cast<size_t>(std::clamp<int64_t>(limit_, 0, kRoomTokens));
  history_.reserve(history_.size() + room);
  out_.tokens.reserve(room);
  out_.text.reserve(kRoomBytes * room);
}

bool Answer::ends(TokenId id) const {
  const SamplingParams& p = plan_->params;
  if (count() < p.min_tokens) return false;
  return (!p.ignore_eos && tokenizer_->ends_generation(id)) ||
         std::ranges::find(p.stop_token_ids, id) != p.stop_token_ids.end();
}

void Answer::add_text(const std::string& text, const TextSink& emit) {
  // Stop strings do not count before min_tokens.
  std::string certain = count() < plan_->params.min_tokens ? text : filter_.push(text);
  out_.text += certain;
  if (!certain.empty() && emit) emit(certain);
}

Result<void> Answer::take(std::span<float> logits, const TextSink& emit) {
  const SamplingParams& p = plan_->params;
  bool before = (p.logprobs >= 0 && !p.logprobs_after) || p.best_of > p.n;
  bool after = p.logprobs >= 0 && p.logprobs_after;
  if (before) raw_.assign(logits.begin(), logits.end());
  TokenLogprobs chosen;
  TokenId id = TRY(sampler_.sample(logits, history_, after ? &chosen : nullptr));
  if (ends(id)) {
    out_.stop_token = id;
    end(FinishReason::kStop);
    return {};
  }
  if (before) {
    TokenLogprobs of_model = logprobs_of(raw_, id, p.logprobs);
    out_.mean_logprob += of_model.chosen.logprob;
    if (!after) chosen = std::move(of_model);
  }
  if (p.logprobs >= 0) out_.logprobs.push_back(std::move(chosen));
  history_.push_back(id);
  out_.tokens.push_back(id);
  add_text(decoder_.push(id), emit);
  if (filter_.stopped()) {
    out_.stop_text = filter_.match();
    end(FinishReason::kStop);
  } else if (count() >= limit_) {
    end(FinishReason::kLength);
  }
  return {};
}

Generation Answer::finish(FinishReason reason, const TextSink& emit) {
  if (!done_) end(reason);
  if (!filter_.stopped()) add_text(decoder_.finish(), emit);
  if (!filter_.stopped()) {
    std::string rest = filter_.finish();
    out_.text += rest;
    if (!rest.empty() && emit) emit(rest);
  }
  if (count() > 0) out_.mean_logprob /= static_cast<double>(count());
  out_.timings.generated_tokens = count();
  return std::move(out_);
}

}  // namespace hearth
