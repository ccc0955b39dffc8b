// Answers in Ollama's words: lines of JSON while they come, or one object.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "api/ollama.h"
#include "api/ollama_fields.h"
#include "base/check.h"

namespace hearth::api {
namespace {

using namespace ollama;

// How the two routes differ. The order of members is that of Ollama's own structures.
struct Shape {
  std::string_view open;   // after the time, before the text
  std::string_view close;  // after text and thinking
  bool logprobs_first;     // before the statistics, else after them
};
constexpr Shape kGenerate = {",\"response\":", "", false};
constexpr Shape kChat = {",\"message\":{\"role\":\"assistant\",\"content\":", "}", true};

std::string_view done_reason(RequestKind kind, FinishReason reason) {
  if (kind == RequestKind::kLoad) return "load";
  if (kind == RequestKind::kUnload) return "unload";
  return reason == FinishReason::kLength ? "length" : "stop";
}

// A number, where it is not 0: Ollama leaves such members out.
void append_count(std::string_view name, int64_t value, std::string& out) {
  if (value > 0) fmt::format_to(std::back_inserter(out), ",\"{}\":{}", name, value);
}

// Clients divide counts by times: what happened took a nanosecond at least.
int64_t duration(int64_t ns, int64_t count) { return count > 0 ? std::max<int64_t>(ns, 1) : ns; }

class Writer : public AnswerWriter {
 public:
  Writer(const Shape& shape, AnswerInfo info) : shape_(shape), info_(std::move(info)) {
    head_ = "{\"model\":";
    append_json_string(head_, info_.model);
    head_ += ",\"created_at\":\"";
  }

  std::string_view stream_type() const override { return "application/x-ndjson"; }
  void begin(std::string&) override {}
  void keep_alive(std::string&) override {}

  void delta(const AnswerDelta& delta, std::string& out) override {
    bool nothing = delta.text.empty() && delta.reasoning.empty() && delta.logprobs.empty();
    if (nothing || delta.choice != 0) return;
    begin_object(delta.now_ns, delta.text, delta.reasoning, out);
    out += ",\"done\":false";
    append_logprobs(delta.logprobs, out);
    out += "}\n";
  }

  void choice_end(const ChoiceEnd& end, std::string&) override {
    if (end.choice == 0) reason_ = end.reason;
  }

  void end(const AnswerEnd& end, std::string& out) override {
    last_object({}, {}, {}, end, out);
    out += '\n';
  }

  void error(const ApiError& error, std::string& out) override {
    out += ollama_error(error).body;
    out += '\n';
  }

  void whole(std::span<const AnswerChoice> choices, const AnswerEnd& end,
             std::string& out) override {
    if (choices.empty()) return last_object({}, {}, {}, end, out);
    const AnswerChoice& choice = choices.front();
    reason_ = choice.end.reason;
    last_object(choice.text, choice.reasoning, choice.logprobs, end, out);
  }

 private:
  void begin_object(int64_t now_ns, std::string_view text, std::string_view reasoning,
                    std::string& out) {
    out += head_;
    time_.append(now_ns, out);
    out += '"';
    out += shape_.open;
    append_json_string(out, text);
    // Where it is empty it is left out: clients take a message that has it for one of thinking.
    if (!reasoning.empty()) {
      out += ",\"thinking\":";
      append_json_string(out, reasoning);
    }
    out += shape_.close;
  }

  void last_object(std::string_view text, std::string_view reasoning,
                   std::span<const TokenLogprobs> logprobs, const AnswerEnd& end,
                   std::string& out) {
    begin_object(end.now_ns, text, reasoning, out);
    out += ",\"done\":true,\"done_reason\":\"";
    out += done_reason(end.kind, reason_);
    out += '"';
    if (shape_.logprobs_first) append_logprobs(logprobs, out);
    else append_context(end.context, out);
    bool generated = end.kind == RequestKind::kChat || end.kind == RequestKind::kComplete;
    if (generated) append_usage(end.usage, out);
    if (!shape_.logprobs_first) append_logprobs(logprobs, out);
    out += '}';
  }

  static void append_context(std::span<const TokenId> context, std::string& out) {
    if (context.empty()) return;
    fmt::format_to(std::back_inserter(out), ",\"context\":[{}]", fmt::join(context, ","));
  }

  static void append_usage(const Usage& usage, std::string& out) {
    append_count("total_duration", usage.total_ns, out);
    append_count("load_duration", usage.load_ns, out);
    append_count("prompt_eval_count", usage.prompt_tokens, out);
    // Ours: how many of them were known already, without which nobody can tell the speed.
    append_count("prompt_eval_cached_count", usage.cached_tokens, out);
    append_count("prompt_eval_duration", duration(usage.prompt_ns, usage.prompt_tokens), out);
    append_count("eval_count", usage.generated_tokens, out);
    append_count("eval_duration", duration(usage.generate_ns, usage.generated_tokens), out);
  }

  // "token":...,"logprob":...,"bytes":[...] of one token, without the braces.
  void append_token(const TokenLogprob& token, std::string& out) const {
    std::string text;
    if (info_.tokenizer != nullptr) text = info_.tokenizer->piece(token.id, true);
    out += "\"token\":";
    append_json_string(out, text);
    // JSON has no infinity; OpenAI's servers write the same for what cannot come.
    double value = std::isfinite(token.logprob) ? token.logprob : -9999.0;
    fmt::format_to(std::back_inserter(out), ",\"logprob\":{}", value);
    if (text.empty()) return;
    out += ",\"bytes\":[";
    for (size_t i = 0; i < text.size(); ++i)
      fmt::format_to(std::back_inserter(out), "{}{}", i > 0 ? "," : "",
                     static_cast<unsigned char>(text[i]));
    out += ']';
  }

  void append_logprobs(std::span<const TokenLogprobs> tokens, std::string& out) const {
    if (tokens.empty()) return;
    out += ",\"logprobs\":[";
    for (size_t i = 0; i < tokens.size(); ++i) {
      out += i > 0 ? ",{" : "{";
      append_token(tokens[i].chosen, out);
      for (size_t k = 0; k < tokens[i].top.size(); ++k) {
        out += k > 0 ? ",{" : ",\"top_logprobs\":[{";
        append_token(tokens[i].top[k], out);
        out += '}';
      }
      out += tokens[i].top.empty() ? "}" : "]}";
    }
    out += ']';
  }

  const Shape& shape_;
  AnswerInfo info_;
  std::string head_;  // up to the time
  TimeWriter time_;
  FinishReason reason_ = FinishReason::kStop;
};

}  // namespace

std::unique_ptr<AnswerWriter> ollama_generate_writer(const GenerateRequest&, AnswerInfo info) {
  return std::make_unique<Writer>(kGenerate, std::move(info));
}

std::unique_ptr<AnswerWriter> ollama_chat_writer(const GenerateRequest&, AnswerInfo info) {
  return std::make_unique<Writer>(kChat, std::move(info));
}

ApiReply ollama_error(const ApiError& error) {
  ApiReply out{.status = info(error.error.code).http_status, .body = "{\"error\":"};
  // A prompt that does not fit is the client's affair, whichever limit it met.
  if (error.code == "context_length_exceeded") out.status = 400;
  append_json_string(out.body, error.error.message);
  out.body += '}';
  return out;
}

ApiError ollama_model_not_found(std::string_view model) {
  return {.error = fail(Code::kNotFound, "model '{}' not found", model).error(),
          .param = "model",
          .code = "model_not_found"};
}

ApiError ollama_model_required() {
  return {.error = fail(Code::kInvalid, "model is required").error(), .param = "model"};
}

ApiError ollama_invalid_name() {
  return {.error = fail(Code::kInvalid, "invalid model name").error(), .param = "model"};
}

std::string ollama_version(std::string_view version, std::string_view own) {
  bool digit = false;  // before each dot, and at last
  for (char c : version) {
    CHECK((c >= '0' && c <= '9') || (c == '.' && digit));
    digit = c != '.';
  }
  CHECK(digit);
  return fmt::format("{{\"version\":\"{}\",\"hearth\":\"{}\"}}", version, own);
}

std::string ollama_ps(std::span<const PsEntry> entries) {
  Json models = Json::Array{};
  for (const PsEntry& entry : entries) {
    Json item;
    item.set("name", entry.name);
    item.set("model", entry.name);
    item.set("size", entry.size);
    item.set("digest", entry.digest);
    item.set("details", details_json(entry.details));
    // A time beyond 2300 is "forever" to Ollama's command line.
    constexpr std::string_view kForever = "2320-01-01T00:00:00+00:00";
    constexpr int64_t kSecond = 1'000'000'000;
    item.set("expires_at", entry.expires_ns ? offset_time(*entry.expires_ns / kSecond,
                                                          *entry.expires_ns % kSecond)
                                            : std::string(kForever));
    item.set("size_vram", entry.size_vram);
    item.set("context_length", entry.context_length);
    models.push_back(std::move(item));
  }
  Json out;
  out.set("models", std::move(models));
  return out.dump();
}

}  // namespace hearth::api
