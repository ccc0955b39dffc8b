#include "engine/session.h"

#include <algorithm>
#include <chrono>

#include "base/check.h"

namespace hearth {
namespace {

// Prompt tokens per step: long enough to use decoded weights well, short enough that Ctrl-C and
// the progress line feel immediate.
constexpr size_t kPromptChunk = 256;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

std::string_view name_of(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop: return "stop";
    case FinishReason::kLength: return "length";
    case FinishReason::kCancelled: return "cancelled";
  }
  return "stop";
}

std::string StopFilter::push(std::string_view text) {
  held_.append(text);
  size_t first = std::string::npos;
  for (const std::string& stop : *stops_)
    if (!stop.empty()) first = std::min(first, held_.find(stop));
  if (first != std::string::npos) {
    stopped_ = true;
    std::string out = held_.substr(0, first);
    held_.clear();
    return out;
  }
  size_t keep = 0;  // the longest end of held_ that begins a stop string
  for (const std::string& stop : *stops_)
    for (size_t n = std::min(stop.empty() ? 0 : stop.size() - 1, held_.size()); n > keep; --n)
      if (std::string_view(held_).ends_with(std::string_view(stop).substr(0, n))) {
        keep = n;
        break;
      }
  std::string out = held_.substr(0, held_.size() - keep);
  held_.erase(0, held_.size() - keep);
  return out;
}

std::string StopFilter::finish() { return std::exchange(held_, {}); }

Result<Session> Session::create(Runner& runner, std::shared_ptr<const Tokenizer> tokenizer,
                                int64_t context, KvType kv) {
  Session session(runner, std::move(tokenizer), context);
  session.cache_ = TRY(KvCache::create(runner.model().program, kv, context));
  session.sequence_ = session.cache_->add_sequence();
  return session;
}

Result<void> Session::step(std::span<const TokenId> tokens, bool wants_logits,
                           const GenerateEvents& events) {
  Batch batch;
  batch.add(sequence_, static_cast<int32_t>(cached_.size()), tokens);
  batch.rows.back().wants_logits = wants_logits;
  auto keep = [&](int64_t, int64_t, const float* logits, int64_t stride) {
    logits_.assign(logits, logits + stride);
  };
  TRY(runner_->forward(batch, *cache_, keep, events.cancel));
  cached_.insert(cached_.end(), tokens.begin(), tokens.end());
  return {};
}

Result<void> Session::read_prompt(std::span<const TokenId> prompt, const GenerateEvents& events,
                                  Timings& timings) {
  auto [mine, theirs] = std::mismatch(cached_.begin(), cached_.end(), prompt.begin(),
                                      prompt.end());
  auto common = static_cast<size_t>(theirs - prompt.begin());
  common = std::min(common, prompt.size() - 1);  // the last token must give logits
  common = static_cast<size_t>(cache_->rewind(sequence_, static_cast<int64_t>(common)));
  cached_.resize(common);
  timings.cached_tokens = static_cast<int64_t>(common);
  for (size_t at = common; at < prompt.size();) {
    size_t count = std::min(kPromptChunk, prompt.size() - at);
    TRY(step(prompt.subspan(at, count), at + count == prompt.size(), events));
    at += count;
    if (events.on_prompt)
      events.on_prompt(static_cast<int64_t>(at), static_cast<int64_t>(prompt.size()));
  }
  return {};
}

Result<Generation> Session::generate(std::span<const TokenId> prompt, const SamplingParams& params,
                                     const GenerateEvents& events) {
  Generation out;
  out.timings.prompt_tokens = static_cast<int64_t>(prompt.size());
  if (prompt.empty()) return fail(Code::kInvalid, "the prompt is empty");
  if (static_cast<int64_t>(prompt.size()) >= context_)
    return fail(Code::kTooLarge,
                "the prompt has {} tokens, but the context has room for {} and one is needed for "
                "the answer; shorten the prompt or raise the context with --ctx",
                prompt.size(), context_);
  int64_t room = context_ - static_cast<int64_t>(prompt.size());
  int64_t limit = params.max_tokens < 0 ? room : std::min(room, params.max_tokens);

  auto start = std::chrono::steady_clock::now();
  auto cancelled = [&](const Error& e) { return e.code == Code::kCancelled; };
  if (auto read = read_prompt(prompt, events, out.timings); !read) {
    if (!cancelled(read.error())) return std::unexpected(read.error());
    out.reason = FinishReason::kCancelled;
    return out;
  }
  out.timings.prompt_s = seconds_since(start);

  start = std::chrono::steady_clock::now();
  StreamDecoder decoder(*tokenizer_);
  StopFilter filter(params.stop);
  auto emit = [&](std::string text) {
    out.text += text;
    if (!text.empty() && events.on_text) events.on_text(text);
  };
  out.reason = FinishReason::kLength;
  while (static_cast<int64_t>(out.tokens.size()) < limit) {
    TokenId id = sample(logits_, params, static_cast<uint64_t>(sequence_), cached_.size());
    if (tokenizer_->ends_generation(id) && !params.ignore_eos) {
      out.reason = FinishReason::kStop;
      break;
    }
    out.tokens.push_back(id);
    emit(filter.push(decoder.push(id)));
    if (filter.stopped()) {
      out.reason = FinishReason::kStop;
      break;
    }
    if (static_cast<int64_t>(out.tokens.size()) == limit) break;
    auto stepped = step(std::span(&out.tokens.back(), 1), true, events);
    if (!stepped && !cancelled(stepped.error())) return std::unexpected(stepped.error());
    if (!stepped || (events.cancel != nullptr && events.cancel->load())) {
      out.reason = FinishReason::kCancelled;
      break;
    }
  }
  if (!filter.stopped()) emit(filter.push(decoder.finish()));
  if (!filter.stopped()) emit(filter.finish());
  out.timings.generated_tokens = static_cast<int64_t>(out.tokens.size());
  out.timings.generate_s = seconds_since(start);
  return out;
}

}  // namespace hearth
