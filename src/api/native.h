// What a client asks of a model and what it is told, without any dialect's words. A dialect
// (openai.h, ollama.h) is a parser from its JSON to GenerateRequest and an AnswerWriter back; both
// are pure: no sockets, no models, no clocks.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/options.h"
#include "base/result.h"
#include "base/sampling_params.h"
#include "engine/answer.h"
#include "engine/logprobs.h"
#include "model/chat.h"
#include "tokenizer/tokenizer.h"

namespace hearth::api {

// An error as dialects tell it: `param` names the field at fault, `code` is a stable word for
// programs ("context_length_exceeded"); both may be empty.
struct ApiError {
  Error error;
  std::string param = {};
  std::string code = {};
  int retry_after_s = 0;  // when to try again; 0: not said
};
template <class T>
using ApiResult = std::expected<T, ApiError>;

// How long a model stays after its last request.
struct KeepAlive {
  double seconds = 300;
  bool forever = false;
};

enum class RequestKind : uint8_t {
  kChat,      // `messages`
  kComplete,  // `prompts`
  kLoad,      // only load the model
  kUnload,    // let it go once it is idle
};

using PromptInput = std::variant<std::string, std::vector<TokenId>>;

struct GenerateRequest {
  RequestKind kind = RequestKind::kChat;
  std::string model;  // as the client wrote it; answers echo it

  std::vector<ChatMessage> messages;
  std::optional<bool> think;      // for templates that know of it
  bool continue_last = false;     // the last message is the assistant's and unfinished
  std::vector<PromptInput> prompts;    // each gives its own choices
  std::optional<std::string> suffix;   // fill in between prompt and suffix
  // A prompt is put into the model's template as one user message (Ollama's generate without raw).
  bool templated = false;
  std::optional<std::string> system, template_text;  // in place of the model's own
  std::string_view template_default;  // where there is neither; empty: such a chat is refused
  std::vector<TokenId> history;   // tokens that go before the prompt (Ollama's `context`)

  // The dialect's defaults; over them come the model's own parameters, and over those the client's:
  // rows of parameter_rows() (registry/parameters.h), checked when they were set.
  SamplingParams defaults;
  Options parameters;

  std::optional<KeepAlive> keep_alive;
  bool stream = false;
  bool stream_usage = false;             // tell the usage at the end of the stream
  bool continuous_usage = false;         // and with every piece
  bool echo = false;                     // the prompt is part of the answer
  bool truncate = false;                 // a chat that does not fit loses its oldest messages
  std::string user, cache_salt;
  int64_t cache_pin_s = 0;               // keep the prompt in the cache for so long
  int32_t priority = 0;
};

constexpr int64_t kCachePinMax = 86400;  // seconds

// What the server knows of a request when it answers.
struct AnswerInfo {
  std::string id;          // random, without a dialect's prefix
  int64_t created_ns = 0;  // since 1970, when the request came
  std::string model;       // as the client wrote it
  std::shared_ptr<const Tokenizer> tokenizer;  // nullptr for kLoad and kUnload
};

// A piece of a choice as it comes. For several prompts, choices are numbered on.
struct AnswerDelta {
  int64_t now_ns = 0;  // since 1970
  int32_t choice = 0;
  std::string_view text;       // whole characters; may be empty
  std::string_view reasoning;  // the same of what the model thinks before it answers
  std::span<const TokenId> tokens;  // those that the piece is made of; may be empty
  std::span<const TokenLogprobs> logprobs;  // one per token, where they were asked for
  int64_t prompt_tokens = 0, generated_tokens = 0;  // so far, for continuous usage
};

struct Usage {
  int64_t prompt_tokens = 0;     // of all prompts, those found in the cache among them
  int64_t cached_tokens = 0;
  int64_t pinned_tokens = 0;     // of what cache_pin_s asked for
  int64_t generated_tokens = 0;  // of all choices
  int64_t reasoning_tokens = 0;
  // Nanoseconds: since the request came; waiting for the model's load; prompt; answer.
  int64_t total_ns = 0, load_ns = 0, prompt_ns = 0, generate_ns = 0;
};

// A choice when it has ended.
struct ChoiceEnd {
  int32_t choice = 0;
  FinishReason reason = FinishReason::kStop;
  std::string stop_text;    // the stop string that ended it; empty: none
  TokenId stop_token = -1;  // the token that did
};

// A whole choice, for answers that are not streamed.
struct AnswerChoice {
  ChoiceEnd end;
  std::string text, reasoning;
  std::vector<TokenId> tokens;
  std::vector<TokenLogprobs> logprobs;
  // Of the prompt: its ids where echo or prompt_logprobs ask for them, one entry of logprobs for
  // each but the first; and its text with echo.
  std::vector<TokenId> prompt;
  std::vector<TokenLogprobs> prompt_logprobs;
  std::string prompt_text;
};

struct AnswerEnd {
  int64_t now_ns = 0;
  Usage usage;
  // Prompt and answer as tokens, for Ollama's `context`; empty for raw prompts and chats.
  std::vector<TokenId> context;
  // kLoad and kUnload end with nothing generated.
  RequestKind kind = RequestKind::kChat;
};

// Writes the answer to one request. Every function appends bytes that are ready to be sent; those
// of a stream are called in the order: begin, delta or choice_end any number of times, and end or
// error.
class AnswerWriter {
 public:
  virtual ~AnswerWriter() = default;
  virtual std::string_view stream_type() const = 0;  // Content-Type

  virtual void begin(std::string& out) = 0;
  virtual void delta(const AnswerDelta& delta, std::string& out) = 0;
  virtual void choice_end(const ChoiceEnd& end, std::string& out) = 0;
  virtual void end(const AnswerEnd& end, std::string& out) = 0;
  virtual void error(const ApiError& error, std::string& out) = 0;
  virtual void keep_alive(std::string& out) = 0;  // says that we are still there; may be nothing

  // The same as one body of JSON.
  virtual void whole(std::span<const AnswerChoice> choices, const AnswerEnd& end,
                     std::string& out) = 0;
};

// A whole answer of one status.
struct ApiReply {
  int status = 200;
  std::string body;  // JSON
};

}  // namespace hearth::api
