#include <gtest/gtest.h>

#include <limits>

#include "api/ollama.h"

namespace hearth::api {
namespace {

constexpr int64_t kNow = 1767323045'123456789;  // 2026-01-02T03:04:05.123456789Z

std::unique_ptr<AnswerWriter> writer(bool chat, std::shared_ptr<const Tokenizer> tokenizer = {}) {
  AnswerInfo info{.id = "1", .created_ns = kNow, .model = "m", .tokenizer = std::move(tokenizer)};
  return chat ? ollama_chat_writer({}, info) : ollama_generate_writer({}, info);
}

AnswerEnd some_end() {
  AnswerEnd end{.now_ns = kNow + 200'000'000, .kind = RequestKind::kChat};
  end.usage = {.prompt_tokens = 11, .cached_tokens = 4, .generated_tokens = 9,
               .total_ns = 812000000, .load_ns = 9000000, .prompt_ns = 40000000,
               .generate_ns = 700000000};
  return end;
}

// The transcript of a chat with thinking, as Ollama's server writes it (but for three digits of
// the times).
TEST(OllamaWrite, ChatStream) {
  auto out = writer(true);
  std::string text;
  EXPECT_EQ(out->stream_type(), "application/x-ndjson");
  out->begin(text);
  out->delta({.now_ns = kNow, .reasoning = "User greets"}, text);
  out->delta({.now_ns = kNow + 1}, text);  // nothing to tell
  out->keep_alive(text);
  out->delta({.now_ns = kNow + 100'000'000, .text = "Hello"}, text);
  out->choice_end({.reason = FinishReason::kStop}, text);
  out->end(some_end(), text);
  EXPECT_EQ(text,
            "{\"model\":\"m\",\"created_at\":\"2026-01-02T03:04:05.123456Z\",\"message\":{\"role\":"
            "\"assistant\",\"content\":\"\",\"thinking\":\"User greets\"},\"done\":false}\n"
            "{\"model\":\"m\",\"created_at\":\"2026-01-02T03:04:05.223456Z\",\"message\":{\"role\":"
            "\"assistant\",\"content\":\"Hello\"},\"done\":false}\n"
            "{\"model\":\"m\",\"created_at\":\"2026-01-02T03:04:05.323456Z\",\"message\":{\"role\":"
            "\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\","
            "\"total_duration\":812000000,\"load_duration\":9000000,\"prompt_eval_count\":11,"
            "\"prompt_eval_cached_count\":4,\"prompt_eval_duration\":40000000,\"eval_count\":9,"
            "\"eval_duration\":700000000}\n");
}

TEST(OllamaWrite, GenerateStream) {
  auto out = writer(false);
  std::string text;
  out->begin(text);
  out->delta({.now_ns = kNow, .text = "a\"\n\xC3\xA9\xFF"}, text);
  out->delta({.now_ns = kNow, .choice = 1, .text = "another choice"}, text);
  out->choice_end({.reason = FinishReason::kLength}, text);
  out->choice_end({.choice = 1, .reason = FinishReason::kStop}, text);
  AnswerEnd end{
      .now_ns = kNow + 877'000'000, .context = {1, 2, 30}, .kind = RequestKind::kComplete};
  end.usage = {.prompt_tokens = 3, .generated_tokens = 1, .total_ns = 5};
  out->end(end, text);
  // Times that were not measured are never 0 beside a count.
  EXPECT_EQ(text,
            "{\"model\":\"m\",\"created_at\":\"2026-01-02T03:04:05.123456Z\",\"response\":"
            "\"a\\\"\\n\xC3\xA9\xEF\xBF\xBD\",\"done\":false}\n"
            "{\"model\":\"m\",\"created_at\":\"2026-01-02T03:04:06.000456Z\",\"response\":\"\","
            "\"done\":true,\"done_reason\":\"length\",\"context\":[1,2,30],\"total_duration\":5,"
            "\"prompt_eval_count\":3,\"prompt_eval_duration\":1,\"eval_count\":1,"
            "\"eval_duration\":1}\n");
}

TEST(OllamaWrite, LoadAndUnload) {
  std::string text;
  AnswerEnd end{.now_ns = kNow, .kind = RequestKind::kLoad};
  end.usage.total_ns = 7;
  writer(false)->whole({}, end, text);
  EXPECT_EQ(text, "{\"model\":\"m\",\"created_at\":\"2026-01-02T03:04:05.123456Z\","
                  "\"response\":\"\",\"done\":true,\"done_reason\":\"load\"}");
  text.clear();
  end.kind = RequestKind::kUnload;
  writer(true)->whole({}, end, text);
  EXPECT_EQ(text, "{\"model\":\"m\",\"created_at\":\"2026-01-02T03:04:05.123456Z\","
                  "\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,"
                  "\"done_reason\":\"unload\"}");
}

// A tokenizer of four bytes' worth of entries.
class Letters : public Tokenizer {
 public:
  std::vector<TokenId> encode(std::string_view, EncodeOptions) const override { return {}; }
  TextEncoding encode_pair(std::string_view, std::string_view, EncodeOptions) const override {
    return {};
  }
  Result<std::vector<TextEncoding>> encode_batch(std::span<const TextPair>,
                                                 EncodeOptions) const override {
    return std::vector<TextEncoding>{};
  }
  std::string piece(TokenId id, bool) const override {
    constexpr std::string_view kPieces[] = {"a", "\xC3", " b", ""};
    return std::string(kPieces[id]);
  }
  std::string decode(std::span<const TokenId>, bool) const override { return {}; }
};

TEST(OllamaWrite, Logprobs) {
  TokenLogprobs row{{0, -0.5}, {{0, -0.5}, {1, -std::numeric_limits<double>::infinity()}}};
  TokenLogprobs alone{{3, std::numeric_limits<double>::quiet_NaN()}, {}};
  std::vector<TokenLogprobs> rows = {row, alone};
  std::string text;
  auto chat = writer(true, std::make_shared<Letters>());
  chat->delta({.now_ns = kNow, .logprobs = rows}, text);
  EXPECT_EQ(text,
            "{\"model\":\"m\",\"created_at\":\"2026-01-02T03:04:05.123456Z\",\"message\":{\"role\":"
            "\"assistant\",\"content\":\"\"},\"done\":false,\"logprobs\":[{\"token\":\"a\","
            "\"logprob\":-0.5,\"bytes\":[97],\"top_logprobs\":[{\"token\":\"a\",\"logprob\":-0.5,"
            "\"bytes\":[97]},{\"token\":\"\xEF\xBF\xBD\",\"logprob\":-9999,\"bytes\":[195]}]},"
            "{\"token\":\"\",\"logprob\":-9999}]}\n");
  // The whole form has text, thinking and all of them, before the statistics in a chat and after
  // them in a completion.
  AnswerChoice choice{.end = {.reason = FinishReason::kLength}, .text = "T", .reasoning = "R",
                      .logprobs = rows};
  for (bool is_chat : {true, false}) {
    std::string whole;
    writer(is_chat, std::make_shared<Letters>())->whole(std::span(&choice, 1), some_end(), whole);
    Json json = Json::parse(whole).value();
    const Json& answer = is_chat ? json["message"] : json;
    EXPECT_EQ(answer[is_chat ? "content" : "response"].as_string(), "T");
    EXPECT_EQ(answer["thinking"].as_string(), "R");
    EXPECT_EQ(json["done_reason"].as_string(), "length");
    EXPECT_EQ(json["logprobs"].as_array().size(), 2u);
    EXPECT_EQ(json["eval_count"].as_int(), 9);
    EXPECT_EQ(whole.find("logprobs") < whole.find("eval_count"), is_chat);
    EXPECT_EQ(whole.find('\n'), std::string::npos);
  }
}

TEST(OllamaWrite, Errors) {
  std::string text;
  ApiError error{.error = fail(Code::kBusy, "the queue is \"full\"").error()};
  writer(true)->error(error, text);
  EXPECT_EQ(text, "{\"error\":\"the queue is \\\"full\\\"\"}\n");
  EXPECT_EQ(ollama_error(error).status, 503);
  ApiReply missing = ollama_error(ollama_model_not_found("nope"));
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.body, "{\"error\":\"model 'nope' not found\"}");
  EXPECT_EQ(ollama_error(ollama_invalid_name()).status, 400);
  ApiError long_prompt{.error = fail(Code::kTooLarge, "too long").error(),
                       .code = "context_length_exceeded"};
  EXPECT_EQ(ollama_error(long_prompt).status, 400);
}

TEST(OllamaWrite, TimesBefore1970AndAtTheTurnOfSeconds) {
  auto out = writer(false);
  for (auto [ns, time] : {std::pair<int64_t, std::string_view>{-1, "1969-12-31T23:59:59.999999Z"},
                          {0, "1970-01-01T00:00:00.000000Z"},
                          {999'999'999, "1970-01-01T00:00:00.999999Z"},
                          {1'000'000'000, "1970-01-01T00:00:01.000000Z"},
                          {INT64_MAX, "2262-04-11T23:47:16.854775Z"}}) {
    std::string text;
    out->delta({.now_ns = ns, .text = "x"}, text);
    EXPECT_NE(text.find(time), std::string::npos) << text;
  }
}

TEST(OllamaWrite, PsAndVersion) {
  EXPECT_EQ(ollama_ps({}), R"({"models": []})");
  PsEntry entry{.name = "m:latest", .digest = std::string(64, 'a'), .size = 5, .size_vram = 0,
                .details = {.format = "gguf", .family = "llama"}, .expires_ns = kNow,
                .context_length = 4096};
  PsEntry forever = entry;
  forever.expires_ns.reset();
  Json models = Json::parse(ollama_ps(std::vector{entry, forever})).value()["models"];
  EXPECT_EQ(models.as_array()[0]["expires_at"].as_string(), "2026-01-02T03:04:05.123456+00:00");
  EXPECT_GE(models.as_array()[1]["expires_at"].as_string(), "2300");
  EXPECT_EQ(models.as_array()[0]["model"].as_string(), "m:latest");
  EXPECT_EQ(models.as_array()[0]["details"]["families"].dump(), R"(["llama"])");
  EXPECT_EQ(ollama_version("0.18.3", "0.1.0"),
            R"({"version":"0.18.3","hearth":"0.1.0"})");
}

}  // namespace
}  // namespace hearth::api
