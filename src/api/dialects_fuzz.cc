// Bodies of requests in both dialects: as they come, or made of the fields that the dialects know
// with values of all kinds. Who is refused is told so in the dialect's own words; for who is not,
// the answer to it is JSON line by line, whatever was generated.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/ollama.h"
#include "api/openai.h"
#include "base/check.h"
#include "base/log.h"

namespace hearth::api {
namespace {

constexpr std::string_view kFields[] = {
    "model", "prompt", "messages", "role", "content", "suffix", "echo", "stream", "stream_options",
    "include_usage", "max_tokens", "max_completion_tokens", "temperature", "top_p", "n", "best_of",
    "stop", "seed", "logit_bias", "logprobs", "top_logprobs", "user", "reasoning_effort",
    "tool_choice", "response_format", "tools", "top_k", "stop_token_ids", "prompt_logprobs",
    "use_beam_search", "continue_final_message", "chat_template_kwargs", "priority", "cache_salt",
    "cache_pin", "keep_alive", "options", "num_predict", "num_ctx", "think", "truncate", "shift",
    "system", "template", "context", "raw", "format", "images", "MODEL", "Prompt", "text", "type",
    "tokens", "dry_sequence_breakers", "samplers", "min_p", "mirostat", "0", "name"};
constexpr std::string_view kWords[] = {
    "",    "hi",   "user", "assistant", "system", "5m",  "-1",   "1h30m", "auto", "none",
    "text", "high", "json", "Infinity",  "1e999",  "\n\n", "\\\"", "\x7f",  "\xff",
    "\xF0\x9F\x8C\x8A"};
constexpr double kNumbers[] = {0, 1, -1, 0.5, 2, 3, 20, 21, 1e9, -1e9, 2147483647, 2147483648.0,
                               9007199254740993.0, 1e19, -1e19, 1e308};

// The fuzzer's bytes, as choices.
class Choices {
 public:
  Choices(const uint8_t* data, size_t size) : at_(data), end_(data + size) {}
  size_t below(size_t n) { return at_ == end_ ? 0 : *at_++ % n; }
  std::string text() {
    const size_t size = std::min<size_t>(below(64), static_cast<size_t>(end_ - at_));
    std::string out(reinterpret_cast<const char*>(at_), size);
    at_ += size;
    return out;
  }
  std::string_view rest() const {
    return {reinterpret_cast<const char*>(at_), static_cast<size_t>(end_ - at_)};
  }

 private:
  const uint8_t* at_;
  const uint8_t* end_;
};

Json any_value(Choices& from, int depth);

Json any_object(Choices& from, int depth) {
  Json out = Json::Object{};
  for (size_t n = from.below(6); n > 0; --n)
    out.set(std::string(kFields[from.below(std::size(kFields))]), any_value(from, depth + 1));
  return out;
}

Json any_value(Choices& from, int depth) {
  switch (from.below(depth < 4 ? 9 : 7)) {
    case 0: return nullptr;
    case 1: return from.below(2) == 0;
    case 2: return static_cast<int64_t>(kNumbers[from.below(13)]);
    case 3: return kNumbers[from.below(std::size(kNumbers))];
    case 4: return kWords[from.below(std::size(kWords))];
    case 5: return from.text();
    case 6: return static_cast<int64_t>(from.below(256));
    case 7: return any_object(from, depth);
    default: {
      Json out = Json::Array{};
      for (size_t n = from.below(5); n > 0; --n) out.push_back(any_value(from, depth + 1));
      return out;
    }
  }
}

Json any_body(Choices& from) {
  Json body = Json::Object{};
  body.set("model", "m");
  if (from.below(4) != 0) {
    body.set("prompt", "once");
    Json message = Json::Object{};
    message.set("role", "user");
    message.set("content", "hi");
    body.set("messages", Json::Array{message});
  }
  for (size_t n = from.below(12); n > 0; --n)
    body.set(std::string(kFields[from.below(std::size(kFields))]), any_value(from, 0));
  return body;
}

std::shared_ptr<const Tokenizer> small_tokenizer() {
  const auto json = Json::parse(
      R"({"model":{"type":"BPE","vocab":{"h":0,"i":1,"<s>":2},"merges":[]},"added_tokens":
          [{"id":2,"content":"<s>","special":true}]})");
  auto made = Tokenizer::from_hugging_face(*json, Json());
  CHECK(made.has_value());
  return *made;
}

// Lines of JSON, or Server-Sent Events with JSON in them.
void check_lines(std::string_view type, std::string_view sent) {
  const bool events = type.starts_with("text/event-stream");
  while (!sent.empty()) {
    const size_t end = sent.find('\n');
    CHECK(end != std::string_view::npos);
    std::string_view line = sent.substr(0, end);
    sent.remove_prefix(end + 1);
    if (line.empty() || line == "data: [DONE]" || line.starts_with(':')) continue;
    if (events) {
      CHECK(line.starts_with("data: "));
      line.remove_prefix(6);
    }
    CHECK(Json::parse(line).has_value());
  }
}

void check_writer(AnswerWriter& writer, const GenerateRequest& request, const std::string& text) {
  std::string out;
  const AnswerEnd end{.usage = {.prompt_tokens = 1}, .kind = request.kind};
  writer.begin(out);
  writer.delta({.text = text, .prompt_tokens = 1, .generated_tokens = 1}, out);
  writer.choice_end({.stop_text = text}, out);
  if (text.size() % 2 == 0) writer.end(end, out);
  else writer.error({fail(Code::kBusy, "{}", text).error()}, out);
  check_lines(writer.stream_type(), out);
}

void check_whole(AnswerWriter& writer, const GenerateRequest& request, const std::string& text) {
  std::string out;
  AnswerChoice choice{.text = text};
  if (request.echo) choice.prompt_text = text;
  writer.whole({&choice, 1}, {.usage = {.prompt_tokens = 1}, .kind = request.kind}, out);
  CHECK(Json::parse(out).has_value());
}

void check_refusal(const ApiError& error, bool openai) {
  CHECK(!error.error.message.empty());
  const ApiReply reply = openai ? openai_error(error) : ollama_error(error);
  CHECK(reply.status >= 400 && reply.status < 500 && Json::parse(reply.body).has_value());
}

void check_generate(size_t route, const Json& body, const std::string& text) {
  static const auto tokenizer = small_tokenizer();
  constexpr decltype(&parse_openai_chat) kParsers[] = {
      &parse_openai_chat, &parse_openai_completion, &parse_ollama_chat, &parse_ollama_generate};
  constexpr decltype(&openai_chat_writer) kWriters[] = {
      &openai_chat_writer, &openai_completion_writer, &ollama_chat_writer, &ollama_generate_writer};
  auto request = kParsers[route](body);
  if (!request) return check_refusal(request.error(), route < 2);
  for (const PromptInput& prompt : request->prompts)
    if (const auto* ids = std::get_if<std::vector<TokenId>>(&prompt))
      for (TokenId id : *ids) CHECK(id >= 0);
  const AnswerInfo info{"1", 1767322445'000'000'000, request->model, tokenizer};
  check_writer(*kWriters[route](*request, info), *request, text);
  check_whole(*kWriters[route](*request, info), *request, text);
}

void check(size_t route, const Json& body, const std::string& text) {
  if (route < 4) return check_generate(route, body, text);
  if (route == 4) {
    if (auto request = parse_tokenize(body); !request) check_refusal(request.error(), true);
  } else if (auto request = parse_detokenize(body); !request) {
    check_refusal(request.error(), true);
  }
}

}  // namespace
}  // namespace hearth::api

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hearth::api;
  hearth::set_log_level(hearth::LogLevel::kError);
  Choices from(data, size);
  const size_t way = from.below(12), route = way % 6;
  const std::string text = from.text();
  if (way >= 6) {
    check(route, any_body(from), text);
    return 0;
  }
  const auto ollama = parse_ollama_body(from.rest());
  const auto json = hearth::Json::parse(from.rest());
  CHECK(!ollama || json.has_value());
  if (route == 2 || route == 3) {
    if (!ollama) check_refusal(ollama.error(), false);
    else check(route, *ollama, text);
  } else if (json) {
    check(route, *json, text);
  }
  return 0;
}
