// Answers in OpenAI's words. What every chunk of a stream begins with is written once; a piece is
// then a few appends to the caller's string.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "api/openai.h"
#include "api/openai_logprobs.h"
#include "base/check.h"

namespace hearth::api {
namespace {

constexpr std::string_view kDone = "data: [DONE]\n\n";
constexpr std::string_view kFingerprint = "fp_hearth";

std::string_view reason_name(FinishReason reason) {
  // A client that has gone reads nothing; strict ones know no third word.
  return reason == FinishReason::kLength ? "length" : "stop";
}

void append_usage(std::string& out, const Usage& usage) {
  out += "\"usage\":{\"prompt_tokens\":";
  append_number(out, usage.prompt_tokens);
  out += ",\"completion_tokens\":";
  append_number(out, usage.generated_tokens);
  out += ",\"total_tokens\":";
  append_number(out, usage.prompt_tokens + usage.generated_tokens);
  out += ",\"prompt_tokens_details\":{\"cached_tokens\":";
  append_number(out, usage.cached_tokens);
  out += "},\"completion_tokens_details\":{\"reasoning_tokens\":";
  append_number(out, usage.reasoning_tokens);
  out += "}}";
}

// Both names that clients know: vLLM's, and that of DeepSeek and llama.cpp.
void append_reasoning(std::string& out, std::string_view reasoning) {
  out += "\"reasoning\":";
  append_json_string(out, reasoning);
  out += ",\"reasoning_content\":";
  append_json_string(out, reasoning);
}

// A request that no parser made may have no rows.
int64_t asked(const Options& parameters, std::string_view name, int64_t fallback) {
  return parameters.find_row(name) != nullptr ? parameters.integer(name, fallback) : fallback;
}

struct Words {
  std::string_view id_prefix, whole_object, chunk_object;
};
constexpr Words kChatWords = {"chatcmpl-", "chat.completion", "chat.completion.chunk"};
constexpr Words kCompletionWords = {"cmpl-", "text_completion", "text_completion"};

// What chats and completions share.
class Writer : public AnswerWriter {
 public:
  Writer(const GenerateRequest& request, AnswerInfo info, const Words& words)
      : info_(std::move(info)),
        stream_usage_(request.stream_usage),
        continuous_usage_(request.continuous_usage && request.stream_usage),
        echo_(request.echo),
        choices_(std::max<int64_t>(asked(request.parameters, "n", request.defaults.n), 1)) {
    const Options& parameters = request.parameters;
    if (!request.prompts.empty()) choices_ *= static_cast<int64_t>(request.prompts.size());
    logprobs_ = asked(parameters, "logprobs", request.defaults.logprobs) >= 0;
    prompt_logprobs_ = asked(parameters, "prompt_logprobs", request.defaults.prompt_logprobs) >= 0;
    if (parameters.find_row("stop_token_ids") != nullptr)
      for (const std::string& id : parameters.list("stop_token_ids"))
        stop_ids_.push_back(static_cast<TokenId>(parse_int(id).value_or(-1)));
    whole_head_ = head(words.id_prefix, words.whole_object);
    chunk_head_ = "data: " + head(words.id_prefix, words.chunk_object);
    choice_head_ = chunk_head_ + "{\"index\":";
  }

  std::string_view stream_type() const override { return "text/event-stream"; }

  void end(const AnswerEnd& end, std::string& out) override {
    if (stream_usage_) {
      out += chunk_head_;
      out += "],";
      append_usage(out, end.usage);
      out += "}\n\n";
    }
    out += kDone;
  }

  void error(const ApiError& error, std::string& out) override {
    out += "data: ";
    append_openai_error(error, out);
    out += "\n\n";
    out += kDone;
  }

  void keep_alive(std::string& out) override { out += ": \n\n"; }

  void whole(std::span<const AnswerChoice> choices, const AnswerEnd& end,
             std::string& out) override {
    out += whole_head_;
    for (size_t i = 0; i < choices.size(); ++i) {
      out += i > 0 ? ",{\"index\":" : "{\"index\":";
      append_number(out, int64_t{choices[i].end.choice});
      append_choice(choices[i], out);
      append_finish(choices[i].end, out);
      append_choice_extra(choices[i], out);
      out += '}';
    }
    out += "],";
    append_usage(out, end.usage);
    append_whole_extra(choices, out);
    out += '}';
  }

 protected:
  // Members of a choice of a whole answer, after its index: before and after its end, and those
  // after the choices.
  virtual void append_choice(const AnswerChoice& choice, std::string& out) = 0;
  virtual void append_choice_extra(const AnswerChoice&, std::string&) {}
  virtual void append_whole_extra(std::span<const AnswerChoice>, std::string&) {}

  void open_chunk(int32_t choice, std::string& out) const {
    out += choice_head_;
    append_number(out, int64_t{choice});
  }
  // Ends the choice and the chunk.
  void close_chunk(std::string& out) const {
    out += "}]";
    if (continuous_usage_) {
      out += ",\"usage\":{\"prompt_tokens\":";
      append_number(out, prompt_tokens_);
      out += ",\"completion_tokens\":";
      append_number(out, generated_tokens_);
      out += ",\"total_tokens\":";
      append_number(out, prompt_tokens_ + generated_tokens_);
      out += '}';
    }
    out += "}\n\n";
  }
  void append_finish(const ChoiceEnd& end, std::string& out) const {
    out += ",\"finish_reason\":\"";
    out += reason_name(end.reason);
    out += "\",\"stop_reason\":";
    // Of vLLM: what ended it, if the request named it.
    if (!end.stop_text.empty()) append_json_string(out, end.stop_text);
    else if (std::ranges::find(stop_ids_, end.stop_token) != stop_ids_.end())
      append_number(out, int64_t{end.stop_token});
    else out += "null";
  }
  void append_prompt(const AnswerChoice& choice, std::string& out) const {
    out += ",\"prompt_logprobs\":";
    append_prompt_logprobs(out, *info_.tokenizer, choice.prompt_logprobs);
  }

  AnswerInfo info_;
  bool stream_usage_, continuous_usage_, echo_;
  bool logprobs_ = false, prompt_logprobs_ = false;
  int64_t choices_;
  int64_t prompt_tokens_ = 0, generated_tokens_ = 0;  // so far

 private:
  std::string head(std::string_view prefix, std::string_view object) const {
    std::string out = "{\"id\":";
    append_json_string(out, fmt::format("{}{}", prefix, info_.id));
    out += fmt::format(",\"object\":\"{}\",\"created\":{},\"model\":", object,
                       info_.created_ns / 1'000'000'000);
    append_json_string(out, info_.model);
    out += fmt::format(",\"system_fingerprint\":\"{}\",\"choices\":[", kFingerprint);
    return out;
  }

  std::vector<TokenId> stop_ids_;
  std::string whole_head_, chunk_head_, choice_head_;
};

class ChatWriter : public Writer {
 public:
  ChatWriter(const GenerateRequest& request, AnswerInfo info)
      : Writer(request, std::move(info), kChatWords) {}

  void begin(std::string& out) override { begin_choices(choices_, out); }

  void delta(const AnswerDelta& delta, std::string& out) override {
    prompt_tokens_ = delta.prompt_tokens, generated_tokens_ = delta.generated_tokens;
    begin_choices(delta.choice + 1, out);
    if (delta.text.empty() && delta.reasoning.empty() && delta.logprobs.empty()) return;
    open_chunk(delta.choice, out);
    out += ",\"delta\":{";
    if (!delta.reasoning.empty()) append_reasoning(out, delta.reasoning);
    if (!delta.text.empty() || delta.reasoning.empty()) {
      out += delta.reasoning.empty() ? "\"content\":" : ",\"content\":";
      append_json_string(out, delta.text);
    }
    out += "},\"logprobs\":";
    if (delta.logprobs.empty()) out += "null";
    else append_chat_logprobs(out, *info_.tokenizer, delta.logprobs);
    out += ",\"finish_reason\":null";
    close_chunk(out);
  }

  void choice_end(const ChoiceEnd& end, std::string& out) override {
    begin_choices(end.choice + 1, out);
    open_chunk(end.choice, out);
    out += ",\"delta\":{},\"logprobs\":null";
    append_finish(end, out);
    close_chunk(out);
  }

 protected:
  void append_choice(const AnswerChoice& choice, std::string& out) override {
    out += ",\"message\":{\"role\":\"assistant\",\"content\":";
    append_json_string(out, choice.text);
    out += ",\"refusal\":null";
    if (!choice.reasoning.empty()) {
      out += ',';
      append_reasoning(out, choice.reasoning);
    }
    out += "},\"logprobs\":";
    if (logprobs_) append_chat_logprobs(out, *info_.tokenizer, choice.logprobs);
    else out += "null";
  }

  void append_whole_extra(std::span<const AnswerChoice> choices, std::string& out) override {
    if (prompt_logprobs_ && !choices.empty()) append_prompt(choices[0], out);
  }

 private:
  // The chunks that tell the role: one for each choice, in their order.
  void begin_choices(int64_t count, std::string& out) {
    for (; begun_ < count; ++begun_) {
      open_chunk(static_cast<int32_t>(begun_), out);
      out += ",\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"logprobs\":null,"
             "\"finish_reason\":null";
      close_chunk(out);
    }
  }

  int64_t begun_ = 0;
};

class CompletionWriter : public Writer {
 public:
  CompletionWriter(const GenerateRequest& request, AnswerInfo info)
      : Writer(request, std::move(info), kCompletionWords), legacy_(info_.tokenizer.get()) {}

  void begin(std::string&) override {}

  void delta(const AnswerDelta& delta, std::string& out) override {
    prompt_tokens_ = delta.prompt_tokens, generated_tokens_ = delta.generated_tokens;
    bool with_logprobs = logprobs_ && !delta.tokens.empty();
    if (delta.text.empty() && delta.reasoning.empty() && !with_logprobs) return;
    open_chunk(delta.choice, out);
    append_text(delta.reasoning, delta.text, out);
    out += ",\"logprobs\":";
    if (with_logprobs) append_delta_logprobs(delta, out);
    else out += "null";
    out += ",\"finish_reason\":null";
    close_chunk(out);
  }

  void choice_end(const ChoiceEnd& end, std::string& out) override {
    open_chunk(end.choice, out);
    out += ",\"text\":\"\",\"logprobs\":null";
    append_finish(end, out);
    close_chunk(out);
  }

 protected:
  void append_choice(const AnswerChoice& choice, std::string& out) override {
    std::string text = echo_ ? choice.prompt_text : std::string();
    append_text(text + choice.reasoning, choice.text, out);
    out += ",\"logprobs\":";
    if (logprobs_) append_whole_logprobs(choice, out);
    else out += "null";
  }

  void append_choice_extra(const AnswerChoice& choice, std::string& out) override {
    if (prompt_logprobs_) append_prompt(choice, out);
  }

 private:
  // One text: a completion does not tell thoughts apart.
  static void append_text(std::string_view first, std::string_view second, std::string& out) {
    out += ",\"text\":";
    if (first.empty()) return append_json_string(out, second);
    append_json_string(out, fmt::format("{}{}", first, second));
  }

  CompletionLogprobs::Offset& offset_of(int32_t choice) {
    auto index = static_cast<size_t>(std::max(choice, 0));
    if (index >= offsets_.size()) offsets_.resize(index + 1);
    if (!offsets_[index]) return offsets_[index].emplace();
    return *offsets_[index];
  }

  void append_delta_logprobs(const AnswerDelta& delta, std::string& out) {
    auto index = static_cast<size_t>(std::max(delta.choice, 0));
    bool first = index >= offsets_.size() || !offsets_[index];
    CompletionLogprobs::Offset& offset = offset_of(delta.choice);
    legacy_.clear();
    if (first && echo_) {
      legacy_.add_prompt(delta.tokens, delta.logprobs, delta.text, offset);
    } else {
      for (size_t i = 0; i < delta.tokens.size(); ++i)
        legacy_.add(delta.tokens[i], i < delta.logprobs.size() ? &delta.logprobs[i] : nullptr,
                    offset);
    }
    legacy_.append_to(out);
  }

  void append_whole_logprobs(const AnswerChoice& choice, std::string& out) {
    CompletionLogprobs::Offset offset;
    legacy_.clear();
    if (echo_)
      legacy_.add_prompt(choice.prompt, choice.prompt_logprobs, choice.prompt_text, offset);
    size_t count = choice.tokens.size(), known = choice.logprobs.size();
    for (size_t i = 0; i < count; ++i)
      legacy_.add(choice.tokens[i], i < known ? &choice.logprobs[i] : nullptr, offset);
    // Who scores a text asks for one token more and drops the last entry: the token that ended the
    // answer must be there, even if nobody computed how likely it was.
    if (echo_ && choice.end.stop_token >= 0)
      legacy_.add(choice.end.stop_token, count < known ? &choice.logprobs[count] : nullptr, offset);
    legacy_.append_to(out);
  }

  CompletionLogprobs legacy_;
  std::vector<std::optional<CompletionLogprobs::Offset>> offsets_;  // of streamed choices
};

}  // namespace

std::unique_ptr<AnswerWriter> openai_chat_writer(const GenerateRequest& request, AnswerInfo info) {
  CHECK(info.tokenizer != nullptr);
  return std::make_unique<ChatWriter>(request, std::move(info));
}

std::unique_ptr<AnswerWriter> openai_completion_writer(const GenerateRequest& request,
                                                       AnswerInfo info) {
  CHECK(info.tokenizer != nullptr);
  return std::make_unique<CompletionWriter>(request, std::move(info));
}

}  // namespace hearth::api
