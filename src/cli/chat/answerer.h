// Answerer: a model that answers conversations, in this process or behind a server. Conversation
// speaks to one and does not know which.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/engine.h"

namespace hearth {

// What is known of the model.
struct AnswererInfo {
  std::string name;    // "smollm2:latest", or the path as given
  std::string place;   // the path of its weights, or the server's address
  std::string source;  // what a Modelfile's FROM says for it
  uint64_t weight_bytes = 0;
  Json params;         // its own parameters: an object
  std::string system, template_text;
  std::vector<SeedMessage> messages;  // that every conversation begins with
};

struct Question {
  // The system text, where there is one, then info().messages, then what was said. Where the last
  // one is the assistant's, the answer goes on from it.
  const std::vector<ChatMessage>& messages;
  std::optional<bool> think;  // whether to reason, where the model knows that

  bool continues() const { return messages.back().role == "assistant"; }
};

struct AnswerEvents {
  // Before the first text: whether it begins within reasoning, and what of the last message it goes
  // on from, which is no part of it.
  std::function<void(bool thinking, const std::string& begun)> on_begin;
  std::function<void(int64_t done, int64_t total)> on_prompt;
  TextSink on_text;  // whole characters
  const std::atomic<bool>* cancel = nullptr;
};

struct GivenAnswer {
  std::string text;           // all that on_text got
  std::string finish_reason;  // as name_of(FinishReason) has them
  std::optional<Timings> timings;  // nothing: it was stopped, and a server tells them at the end
  std::string warning;        // of what had no room, for people; may be empty
};

class Answerer {
 public:
  virtual ~Answerer() = default;
  virtual const AnswererInfo& info() const = 0;
  virtual int64_t context() const = 0;  // tokens

  // What was set in the chat, over the command line's and the model's own; `changed` is the last.
  virtual Result<void> set_parameters(const Options& parameters, std::string_view changed) = 0;
  virtual void reseed() = 0;  // the same question gets another answer

  // One that was cancelled is an answer as far as it came.
  virtual Result<GivenAnswer> answer(const Question& question, const AnswerEvents& events) = 0;
};

}  // namespace hearth
