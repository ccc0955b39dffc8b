#include "engine/session.h"

#include <algorithm>
#include <chrono>

#include "base/check.h"
#include "engine/request.h"

namespace hearth {
namespace {

// Prompt tokens per step: long enough to use decoded weights well, short enough that Ctrl-C and
// the progress line feel immediate.
constexpr size_t kPromptChunk = 256;

constexpr int64_t kAnswersMax = 1024;  // answers or beams of a request, whatever asks for them

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// The likeliest first, `n` of them.
void keep_likeliest(std::vector<Generation>& choices, size_t n) {
  std::ranges::sort(choices, std::greater<>(), &Generation::mean_logprob);
  choices.resize(std::min(choices.size(), n));
}

}  // namespace

Result<Session> Session::create(Runner& runner, std::shared_ptr<const Tokenizer> tokenizer,
                                int64_t context, KvType kv) {
  Session session(runner, std::move(tokenizer), context);
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
    size_t count = std::min(kPromptChunk, prompt.size() - at);
    TRY(step(prompt.subspan(at, count), all_logits, request));
    at += count;
    if (request.events.on_prompt)
      request.events.on_prompt(static_cast<int64_t>(at), static_cast<int64_t>(prompt.size()));
  }
  return {};
}

// Every answer that goes on gives one row to a step; they share the cache of the prompt.
Result<void> Session::sample_answers(Request& request) {
  const SamplingParams& p = request.params;
  auto count = static_cast<size_t>(std::max(p.n, p.best_of));
  cache_->grow(context_ * static_cast<int64_t>(count));
  Forks forks(*cache_);
  std::vector<std::unique_ptr<Answer>> answers;
  std::vector<std::vector<float>> logits(count, logits_);
  for (size_t i = 0; i < count; ++i) {
    if (i > 0) forks.add(sequence_);
    answers.push_back(std::make_unique<Answer>(request.plan, tokenizer_, request.prompt, i,
                                               request.limit));
  }
  // Which answer is the likeliest is known at the end only.
  bool streams = p.best_of <= p.n;
  auto sink_of = [&](size_t i) {
    return i == 0 && streams ? request.events.on_text : TextSink();
  };
  auto sequence_of = [&](size_t i) { return i == 0 ? sequence_ : forks.ids()[i - 1]; };
  while (true) {
    Batch batch;
    std::vector<size_t> rows;
    std::vector<TokenId> tokens(count);
    for (size_t i = 0; i < count; ++i) {
      if (!answers[i]->done()) TRY(answers[i]->take(logits[i], sink_of(i)));
      if (answers[i]->done()) continue;
      tokens[i] = answers[i]->last();
      auto position = static_cast<int64_t>(request.prompt.size()) + answers[i]->count() - 1;
      batch.add(sequence_of(i), static_cast<int32_t>(position), std::span(&tokens[i], 1));
      rows.push_back(i);
    }
    if (rows.empty()) break;
    auto keep = [&](int64_t first, int64_t many, const float* row, int64_t stride) {
      for (int64_t r = 0; r < many; ++r, row += stride)
        logits[rows[static_cast<size_t>(first + r)]].assign(row, row + stride);
    };
    auto stepped = runner_->forward(batch, *cache_, keep, request.events.cancel);
    if (!stepped && stepped.error().code != Code::kCancelled)
      return std::unexpected(stepped.error());
    if (stepped && rows.front() == 0) cached_.push_back(tokens[0]);
    if (!stepped || request.cancel_wanted()) break;
  }
  for (size_t i = 0; i < count; ++i)
    request.out.choices.push_back(answers[i]->finish(FinishReason::kCancelled, sink_of(i)));
  return {};
}

Result<void> Session::check(const Request& request) const {
  const SamplingParams& p = request.params;
  size_t size = request.prompt.size();
  if (request.prompt.empty()) return fail(Code::kInvalid, "the prompt is empty");
  if (static_cast<int64_t>(size) >= context_)
    return fail(Code::kTooLarge,
                "the prompt has {} tokens, but the context has room for {} and one is needed for "
                "the answer; shorten the prompt or raise the context with --ctx",
                size, context_);
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

Result<Completion> Session::complete(std::span<const TokenId> prompt, const SamplingParams& params,
                                     const GenerateEvents& events) {
  Request request{.prompt = prompt, .params = params, .events = events};
  TRY(check(request));
  request.plan = TRY(SamplerPlan::create(params, tokenizer_.get()));
  int64_t room = context_ - static_cast<int64_t>(prompt.size());
  request.limit = params.max_tokens < 0 ? room : std::min(room, params.max_tokens);
  Timings& timings = request.out.timings;
  timings.prompt_tokens = static_cast<int64_t>(prompt.size());

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
  for (Generation& choice : request.out.choices)
    timings.generated_tokens += choice.timings.generated_tokens;
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
