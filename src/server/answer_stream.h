// AnswerStream: the events of one HTTP request as they become bytes. Pieces are written when the
// engine tells them; the handler's coroutine only sleeps until there is something that needs it.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <optional>
#include <string>
#include <vector>

#include "api/native.h"
#include "model/think_splitter.h"
#include "server/app.h"

namespace hearth::server {

class AnswerStream : public EventReceiver {
 public:
  AnswerStream(Exchange& exchange, App& app, const api::GenerateRequest& request,
               api::AnswerWriter& writer, const LoadedModel& model, int64_t choices_each);

  // The request of the engine for one prompt more, whose choices are numbered on.
  // `thinking`: its answers begin within reasoning.
  void add(RequestId id, const std::vector<TokenId>& prompt, bool thinking);
  void deliver(const ServeEvent& event) override;

  // Sleeps until all have ended, or one failed, or the head of the answer should go out. A silent
  // stream says now and then that it is still there.
  Task<void> wait();
  bool ended() const { return left_ == 0; }
  bool told_anything() const { return told_; }
  bool cancelled() const { return cancelled_; }
  // The head has gone out: what was written until then, and all that comes, is sent.
  void open();
  void cancel();

  const std::optional<api::ApiError>& error() const { return error_; }
  // After the end.
  std::vector<api::AnswerChoice> take_choices();
  api::Usage usage() const;
  std::vector<TokenId> context() const;  // of the first prompt and its answer
  std::string finish_word() const;       // for metrics: "stop", "length", "abort", "error"

 private:
  struct Part {
    RequestId id = 0;
    std::vector<TokenId> prompt;
    std::vector<TokenLogprobs> prompt_logprobs;  // of streams, once they are known
    std::vector<bool> spoken;  // by choice: it has had a delta
    std::vector<ThinkSplitter> splitters;  // by choice, of chats
    std::optional<Completion> done;
  };
  Part& part_of(RequestId id);
  void token(Part& part, const ServeEvent& event);
  void done(Part& part, Completion completion);
  void tell_prompt(Part& part, int32_t choice);
  void tell_choice(Part& part, int32_t index);
  // What of a piece is answer and what reasoning, in text_ and reasoning_; the rest waits.
  void split(Part& part, int32_t choice, std::string_view text, bool last);
  int32_t first_choice(const Part& part) const;
  void send();
  void wake() { timer_.cancel(); }

  Exchange& exchange_;
  App& app_;
  const api::GenerateRequest& request_;
  api::AnswerWriter& writer_;
  const LoadedModel& model_;
  const std::string& name_;  // of the model, for metrics
  const int64_t choices_each_;
  asio::steady_timer timer_;
  std::vector<Part> parts_;
  size_t left_ = 0;
  bool opened_ = false, told_ = false, cancelled_ = false;
  std::string out_;  // to be sent
  std::string text_, reasoning_;  // of a piece
  int64_t reasoning_tokens_ = 0;
  std::optional<api::ApiError> error_;
  std::chrono::steady_clock::time_point began_, last_;
  int64_t generated_ = 0, prompt_tokens_ = 0;
};

}  // namespace hearth::server
