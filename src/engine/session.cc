#include "engine/session.h"

#include <algorithm>
#include <chrono>

#include "base/check.h"
#include "engine/request.h"

namespace hearth {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

Result<Session> Session::create(Runner& runner, std::shared_ptr<const Tokenizer> tokenizer,
                                int64_t context, KvType kv, int64_t chunk) {
  CHECK(chunk > 0);
  Session session(runner, std::move(tokenizer), context, chunk);
  session.cache_ = TRY(KvCache::create(runner.model().program, kv, context));
  session.sequence_ = session.cache_->add_sequence();
  return session;
}

Result<void> Session::step(std::span<const TokenId> tokens, bool all_logits, Request& request) {
  Batch batch;
  auto at = static_cast<int32_t>(cached_.size());
  bool last = cached_.size() + tokens.size() == request.prompt.size();
  batch.add(sequence_, at, tokens, all_logits);
  batch.rows.back().wants_logits = all_logits || last;
  auto keep = [&](int64_t first, int64_t rows, const float* logits, int64_t stride) {
    for (int64_t r = 0; r < rows; ++r) {
      logits_.assign(logits + r * stride, logits + (r + 1) * stride);
      auto next = static_cast<size_t>(at + first + r + 1);
      if (all_logits && next < request.prompt.size())
        request.out.prompt_logprobs.push_back(
            logprobs_of(logits_, request.prompt[next], request.params.prompt_logprobs));
    }
  };
  TRY(runner_->forward(batch, *cache_, keep, request.events.cancel));
  cached_.insert(cached_.end(), tokens.begin(), tokens.end());
  return {};
}

Result<void> Session::read_prompt(Request& request) {
  std::span<const TokenId> prompt = request.prompt;
  auto [mine, theirs] = std::mismatch(cached_.begin(), cached_.end(), prompt.begin(),
                                      prompt.end());
  auto common = static_cast<size_t>(theirs - prompt.begin());
  common = std::min(common, prompt.size() - 1);  // the last token must give logits
  bool all_logits = request.params.prompt_logprobs >= 0;
  if (all_logits) common = 0;
  common = static_cast<size_t>(cache_->rewind(sequence_, static_cast<int64_t>(common)));
  cached_.resize(common);
  request.out.timings.cached_tokens = static_cast<int64_t>(common);
  for (size_t at = common; at < prompt.size();) {
    size_t count = std::min(static_cast<size_t>(chunk_), prompt.size() - at);
    TRY(step(prompt.subspan(at, count), all_logits, request));
    at += count;
    if (request.events.on_prompt)
      request.events.on_prompt(static_cast<int64_t>(at), static_cast<int64_t>(prompt.size()));
  }
  return {};
}

Result<Completion> Session::complete(std::span<const TokenId> prompt, const SamplingParams& params,
                                     const GenerateEvents& events) {
  Request request{.prompt = {prompt.begin(), prompt.end()}, .params = params, .events = events};
  TRY(check_request(params, prompt.size()));
  request.overflow = TRY(Overflow::create(params, prompt, tokenizer_->bos(), context_));
  request.plan = TRY(SamplerPlan::create(params, tokenizer_.get()));
  Timings& timings = request.out.timings;
  timings.dropped_tokens = request.overflow.slide(request.prompt);
  timings.prompt_tokens = static_cast<int64_t>(request.prompt.size());
  request.limit = request.overflow.limit(params, timings.prompt_tokens);

  auto start = std::chrono::steady_clock::now();
  if (auto read = read_prompt(request); !read) {
    if (read.error().code != Code::kCancelled) return std::unexpected(read.error());
    request.out.choices.push_back({.reason = FinishReason::kCancelled});
    return std::move(request.out);
  }
  timings.prompt_s = seconds_since(start);

  start = std::chrono::steady_clock::now();
  bool beams = params.num_beams > 1 && request.limit > 0;
  TRY(beams ? search_beams(request) : sample_answers(request));
  timings.generate_s = seconds_since(start);
  for (Generation& choice : request.out.choices) {
    timings.generated_tokens += choice.timings.generated_tokens;
    choice.dropped_tokens += timings.dropped_tokens;
  }
  if (params.best_of > params.n) {
    keep_likeliest(request.out.choices, static_cast<size_t>(params.n));
    if (events.on_text) events.on_text(request.out.choices.front().text);
  }
  return std::move(request.out);
}

Result<Generation> Session::generate(std::span<const TokenId> prompt, const SamplingParams& params,
                                     const GenerateEvents& events) {
  Completion all = TRY(complete(prompt, params, events));
  Generation first = std::move(all.choices.front());
  first.timings = all.timings;
  return first;
}

}  // namespace hearth
