#include "server/answer_stream.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <algorithm>

#include "base/check.h"
#include "server/answering.h"

namespace hearth::server {
namespace {

constexpr std::chrono::seconds kSilence{5};  // after which a stream says that it is still there

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

int64_t nanoseconds(double seconds) { return static_cast<int64_t>(seconds * 1e9); }

}  // namespace

AnswerStream::AnswerStream(Exchange& exchange, App& app, const api::GenerateRequest& request,
                           api::AnswerWriter& writer, const LoadedModel& model,
                           int64_t choices_each)
    : exchange_(exchange), app_(app), request_(request), writer_(writer), model_(model),
      name_(model.resolved.display_name), choices_each_(choices_each), timer_(app.http().io()),
      began_(std::chrono::steady_clock::now()) {}

void AnswerStream::add(RequestId id, const std::vector<TokenId>& prompt, bool thinking) {
  prompt_tokens_ += static_cast<int64_t>(prompt.size());
  parts_.push_back({.id = id, .prompt = prompt, .prompt_logprobs = {},
                    .spoken = std::vector<bool>(static_cast<size_t>(choices_each_)),
                    .splitters = {}, .done = {}});
  if (request_.kind == api::RequestKind::kChat || request_.templated)
    parts_.back().splitters.assign(static_cast<size_t>(choices_each_), ThinkSplitter(thinking));
  ++left_;
}

AnswerStream::Part& AnswerStream::part_of(RequestId id) {
  auto at = std::ranges::find(parts_, id, &Part::id);
  CHECK(at != parts_.end());
  return *at;
}

int32_t AnswerStream::first_choice(const Part& part) const {
  return static_cast<int32_t>((&part - parts_.data()) * choices_each_);
}

void AnswerStream::deliver(const ServeEvent& event) {
  Part& part = part_of(event.request);
  switch (event.kind) {
    case ServeEventKind::kPrompt:
      part.prompt_logprobs.assign(event.logprobs.begin(), event.logprobs.end());
      return;
    case ServeEventKind::kToken: token(part, event); break;
    case ServeEventKind::kDone:
      --left_;
      done(part, std::move(*event.completion));
      break;
    case ServeEventKind::kError:
      --left_;
      if (!error_) error_ = api::ApiError{*event.error};
      if (error_->error.code == Code::kBusy)
        error_->retry_after_s = ServingEngine::retry_after(*model_.serving);
      for (const Part& other : parts_)
        if (&other != &part && !other.done) app_.engine().cancel(other.id);
      break;
  }
  send();
  if (left_ == 0 || error_) wake();
}

// The prompt as the first piece of a choice, where it is to be echoed.
void AnswerStream::tell_prompt(Part& part, int32_t choice) {
  const auto index = static_cast<size_t>(choice);
  if (part.spoken[index]) return;
  part.spoken[index] = true;
  if (!request_.echo) return;
  const std::string text = model_.tokenizer->decode(part.prompt, true);
  const auto& logprobs = part.done ? part.done->prompt_logprobs : part.prompt_logprobs;
  writer_.delta({.now_ns = now_ns(), .choice = first_choice(part) + choice, .text = text,
                 .tokens = part.prompt, .logprobs = logprobs, .prompt_tokens = prompt_tokens_,
                 .generated_tokens = generated_}, out_);
}

void AnswerStream::split(Part& part, int32_t choice, std::string_view text, bool last) {
  text_.clear(), reasoning_.clear();
  if (part.splitters.empty()) {
    text_ = text;
    return;
  }
  auto put = [this](std::string_view piece, bool thinking) {
    (thinking ? reasoning_ : text_) += piece;
  };
  ThinkSplitter& splitter = part.splitters[static_cast<size_t>(choice)];
  splitter.push(text, put);
  if (last) splitter.finish(put);
}

void AnswerStream::token(Part& part, const ServeEvent& event) {
  if (event.token >= 0) {
    ++generated_;
    if (last_ == std::chrono::steady_clock::time_point())
      app_.metrics().observe(Metric::kFirstToken, name_, seconds_since(began_));
    else
      app_.metrics().observe(Metric::kBetweenTokens, name_, seconds_since(last_));
    last_ = std::chrono::steady_clock::now();
  }
  if (!request_.stream || cancelled_) return;
  tell_prompt(part, event.choice);
  const std::span<const TokenId> tokens(&event.token, event.token >= 0 ? 1 : 0);
  split(part, event.choice, event.text, false);
  if (event.token >= 0 && !reasoning_.empty()) ++reasoning_tokens_;
  writer_.delta({.now_ns = now_ns(), .choice = first_choice(part) + event.choice,
                 .text = text_, .reasoning = reasoning_, .tokens = tokens,
                 .logprobs = event.logprobs, .prompt_tokens = prompt_tokens_,
                 .generated_tokens = generated_}, out_);
}

// What of a choice was not told while it came: all of it with best_of and beams.
void AnswerStream::tell_choice(Part& part, int32_t index) {
  const Generation& choice = part.done->choices[static_cast<size_t>(index)];
  const bool whole = !part.spoken[static_cast<size_t>(index)] &&
                     (!choice.text.empty() || !choice.tokens.empty() || request_.echo);
  if (whole) {
    tell_prompt(part, index);
    split(part, index, choice.text, true);
    writer_.delta({.now_ns = now_ns(), .choice = first_choice(part) + index, .text = text_,
                   .reasoning = reasoning_, .tokens = choice.tokens, .logprobs = choice.logprobs,
                   .prompt_tokens = prompt_tokens_, .generated_tokens = generated_}, out_);
  } else if (split(part, index, {}, true); !text_.empty() || !reasoning_.empty()) {
    writer_.delta({.now_ns = now_ns(), .choice = first_choice(part) + index, .text = text_,
                   .reasoning = reasoning_, .prompt_tokens = prompt_tokens_,
                   .generated_tokens = generated_}, out_);
  }
  writer_.choice_end({.choice = first_choice(part) + index, .reason = choice.reason,
                      .stop_text = choice.stop_text, .stop_token = choice.stop_token}, out_);
}

void AnswerStream::done(Part& part, Completion completion) {
  part.done = std::move(completion);
  part.spoken.resize(std::max(part.spoken.size(), part.done->choices.size()));
  if (!part.splitters.empty()) part.splitters.resize(part.spoken.size(), part.splitters.front());
  if (!request_.stream || cancelled_) return;
  for (size_t i = 0; i < part.done->choices.size(); ++i)
    tell_choice(part, static_cast<int32_t>(i));
}

void AnswerStream::send() {
  if (out_.empty()) return;
  told_ = true;
  if (!opened_) return wake();
  if (!exchange_.push(out_)) cancel();
  out_.clear();
}

void AnswerStream::open() {
  opened_ = true;
  send();
}

void AnswerStream::cancel() {
  if (cancelled_) return;
  cancelled_ = true;
  for (const Part& part : parts_)
    if (!part.done) app_.engine().cancel(part.id);
}

Task<void> AnswerStream::wait() {
  const bool was_told = told_;
  while (left_ > 0 && (!error_ || opened_) && told_ == was_told) {
    boost::system::error_code ignored;
    timer_.expires_after(kSilence);
    co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    if (ignored || left_ == 0) continue;
    if (!opened_) co_return;
    writer_.keep_alive(out_);
    send();
  }
}

std::vector<api::AnswerChoice> AnswerStream::take_choices() {
  std::vector<api::AnswerChoice> out;
  const bool prompt = request_.echo;
  for (Part& part : parts_) {
    for (size_t i = 0; part.done && i < part.done->choices.size(); ++i) {
      Generation& from = part.done->choices[i];
      api::AnswerChoice& choice = out.emplace_back();
      choice.end = {.choice = first_choice(part) + static_cast<int32_t>(i), .reason = from.reason,
                    .stop_text = from.stop_text, .stop_token = from.stop_token};
      split(part, static_cast<int32_t>(i), from.text, true);
      choice.text = text_;
      choice.reasoning = reasoning_;
      choice.tokens = from.tokens;
      choice.logprobs = std::move(from.logprobs);
      if (prompt || !part.done->prompt_logprobs.empty()) choice.prompt = part.prompt;
      choice.prompt_logprobs = part.done->prompt_logprobs;
      if (prompt) choice.prompt_text = model_.tokenizer->decode(part.prompt, true);
    }
  }
  return out;
}

api::Usage AnswerStream::usage() const {
  api::Usage out{.reasoning_tokens = reasoning_tokens_};
  for (const Part& part : parts_) {
    if (!part.done) continue;
    const Timings& t = part.done->timings;
    out.prompt_tokens += t.prompt_tokens;
    out.cached_tokens += t.cached_tokens;
    out.pinned_tokens += t.pinned_tokens;
    out.generated_tokens += t.generated_tokens;
    out.prompt_ns += nanoseconds(t.prompt_s);
    out.generate_ns += nanoseconds(t.generate_s);
  }
  return out;
}

std::vector<TokenId> AnswerStream::context() const {
  if (parts_.empty() || !parts_.front().done) return {};
  std::vector<TokenId> out = parts_.front().prompt;
  const auto& choices = parts_.front().done->choices;
  if (!choices.empty())
    out.insert(out.end(), choices.front().tokens.begin(), choices.front().tokens.end());
  return out;
}

std::string AnswerStream::finish_word() const {
  if (error_) return "error";
  if (cancelled_ || parts_.empty() || !parts_.front().done || parts_.front().done->choices.empty())
    return "abort";
  const FinishReason reason = parts_.front().done->choices.front().reason;
  return reason == FinishReason::kCancelled ? "abort" : std::string(name_of(reason));
}

}  // namespace hearth::server
