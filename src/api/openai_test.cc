// What bodies of OpenAI's routes become. The ranges are those that OpenAI's and vLLM's references
// give, typed anew; the bodies are as their clients send them.
#include "api/openai.h"

#include <gtest/gtest.h>

#include <random>

#include "base/sampling_params.h"
#include "malformed/failing_new.h"
#include "registry/parameters.h"

namespace hearth::api {
namespace {

ApiResult<GenerateRequest> parse_text(const std::string& text, bool chat) {
  auto body = Json::parse(text);
  EXPECT_TRUE(body.has_value()) << text;
  if (!body) return std::unexpected(ApiError{});
  return chat ? parse_openai_chat(*body) : parse_openai_completion(*body);
}

constexpr const char* kChatBase =
    R"({"model":"m","messages":[{"role":"user","content":"hi"}])";
constexpr const char* kCompletionBase = R"({"model":"m","prompt":"hi")";

// A body with these members besides the required ones.
ApiResult<GenerateRequest> chat(const std::string& members) {
  return parse_text(kChatBase + (members.empty() ? "" : "," + members) + "}", true);
}
ApiResult<GenerateRequest> completion(const std::string& members) {
  return parse_text(kCompletionBase + (members.empty() ? "" : "," + members) + "}", false);
}

SamplingParams params_of(const ApiResult<GenerateRequest>& request) {
  SamplingParams params;
  EXPECT_TRUE(request.has_value()) << request.error().error.message;
  if (!request) return params;
  params = request->defaults;
  EXPECT_TRUE(apply_sampling(request->parameters, params).has_value());
  return params;
}

// The field that a refusal names; empty when it was none.
std::string refused(const ApiResult<GenerateRequest>& request) {
  if (request.has_value()) return {};
  EXPECT_TRUE(request.error().error.code == Code::kInvalid ||
              request.error().error.code == Code::kTooLarge);
  std::string root = request.error().param.substr(0, request.error().param.find_first_of(".["));
  EXPECT_NE(request.error().error.message.find(root), std::string::npos)
      << request.error().error.message;
  return request.error().param;
}

// ---- every number against every value

enum Routes { kChat = 1, kCompletion = 2, kBoth = 3 };
struct NumberCase {
  std::string_view field;
  Routes routes;
  bool whole;
  double min, max;
  std::string_view parameter;  // where an accepted value must be found
  std::string_view with = {};  // members that the field needs
};
constexpr double kMany = 2147483647;
const NumberCase kNumbers[] = {
    {"max_tokens", kChat, true, -1, kMany, "num_predict"},
    {"max_tokens", kCompletion, true, -1, kMany, "num_predict"},
    {"max_completion_tokens", kBoth, true, -1, kMany, "num_predict"},
    {"temperature", kBoth, false, 0, 2, "temperature"},
    {"top_p", kBoth, false, 1e-300, 1, "top_p"},
    {"top_k", kBoth, true, -1, kMany, "top_k"},
    {"min_p", kBoth, false, 0, 1, "min_p"},
    {"n", kBoth, true, 1, 128, "n"},
    {"best_of", kCompletion, true, 1, 128, "best_of"},
    {"seed", kBoth, true, -9.0e15, 9.0e15, "seed"},
    {"presence_penalty", kBoth, false, -2, 2, "presence_penalty"},
    {"frequency_penalty", kBoth, false, -2, 2, "frequency_penalty"},
    {"repetition_penalty", kBoth, false, 0.01, 100, "repeat_penalty"},
    {"length_penalty", kBoth, false, -100, 100, "length_penalty"},
    {"min_tokens", kBoth, true, 0, kMany, "min_tokens"},
    {"logprobs", kCompletion, true, 0, 20, "logprobs"},
    {"top_logprobs", kChat, true, 0, 20, "logprobs", "\"logprobs\":true"},
    {"prompt_logprobs", kBoth, true, 0, 20, "prompt_logprobs"},
    {"typical_p", kBoth, false, 0, 1, "typical_p"},
    {"mirostat", kBoth, true, 0, 2, "mirostat"},
    {"dry_multiplier", kBoth, false, 0, 1000, "dry_multiplier"},
    {"xtc_probability", kBoth, false, 0, 1, "xtc_probability"},
    {"num_ctx", kBoth, true, 4, 16777216, "num_ctx"},
    {"priority", kBoth, true, -kMany, kMany, {}},
};

void check_number(const NumberCase& row, bool as_chat, const std::string& value, double number) {
  std::string members = fmt::format("\"{}\":{}", row.field, value);
  if (!row.with.empty()) members += fmt::format(",{}", row.with);
  SCOPED_TRACE(members + (as_chat ? " in a chat" : " in a completion"));
  bool good = number >= row.min && number <= row.max &&
              (!row.whole || number == std::trunc(number));
  if (as_chat && row.parameter == "num_predict" && number == 0) good = false;
  auto request = as_chat ? chat(members) : completion(members);
  EXPECT_EQ(refused(request), good ? "" : std::string(row.field));
  if (!good || !request || row.parameter.empty()) return;
  double wanted = row.field == "top_k" ? std::max(number, 0.0) : number;
  EXPECT_EQ(request->parameters.number(row.parameter), wanted);
}

TEST(OpenAiParse, NumbersInRangeAndOut) {
  for (const NumberCase& row : kNumbers)
    for (bool as_chat : {true, false}) {
      if ((row.routes & (as_chat ? kChat : kCompletion)) == 0) continue;
      for (double number : {-1.0, 0.0, 0.5, 1.0, row.min, row.max, row.max + 1, row.min - 1,
                            2147483648.0, -2147483649.0, 9223372036854775808.0, 1e308, -1e308})
        check_number(row, as_chat, fmt::format("{}", number), number);
      check_number(row, as_chat, "1", 1);  // an integer, and the same as a float
      check_number(row, as_chat, "1.0", 1);
      check_number(row, as_chat, "9223372036854775807", 9223372036854775807.0);
      check_number(row, as_chat, "18446744073709551616", 18446744073709551616.0);
    }
}

TEST(OpenAiParse, NumbersOfTheWrongType) {
  for (const NumberCase& row : kNumbers)
    for (bool as_chat : {true, false}) {
      if ((row.routes & (as_chat ? kChat : kCompletion)) == 0) continue;
      auto with = [&](const char* value) {
        std::string members = fmt::format("\"{}\":{}", row.field, value);
        return as_chat ? chat(members) : completion(members);
      };
      EXPECT_EQ(refused(with("null")), "") << row.field;
      for (const char* value : {"\"1\"", "true", "[]", "{}", "[1]", "\"\""})
        EXPECT_EQ(refused(with(value)), row.field) << row.field << value;
    }
}

// ---- defaults and what depends on several fields

TEST(OpenAiParse, Defaults) {
  for (bool as_chat : {true, false}) {
    auto request = as_chat ? chat("") : completion("");
    SamplingParams params = params_of(request);
    EXPECT_EQ(request->kind, as_chat ? RequestKind::kChat : RequestKind::kComplete);
    EXPECT_EQ(request->model, "m");
    EXPECT_FALSE(request->stream || request->stream_usage || request->echo);
    EXPECT_EQ(params.temperature, 1);
    EXPECT_EQ(params.top_p, 1);
    EXPECT_EQ(params.top_k, 0);
    EXPECT_EQ(params.logprobs, -1);
    EXPECT_EQ(params.max_tokens, as_chat ? -1 : 16);
    // What nobody gave stays the model's to say.
    EXPECT_FALSE(request->parameters.given("temperature"));
    EXPECT_FALSE(request->parameters.given("seed"));
  }
}

TEST(OpenAiParse, LengthLimits) {
  auto limit = [](const ApiResult<GenerateRequest>& r) { return params_of(r).max_tokens; };
  EXPECT_EQ(limit(chat("\"max_tokens\":5")), 5);
  EXPECT_EQ(limit(chat("\"max_tokens\":5,\"max_completion_tokens\":7")), 7);
  EXPECT_EQ(limit(chat("\"max_completion_tokens\":7,\"max_tokens\":5")), 7);
  EXPECT_EQ(limit(chat("\"max_completion_tokens\":null,\"max_tokens\":5")), 5);
  EXPECT_EQ(limit(chat("\"max_tokens\":-1")), -1);
  EXPECT_EQ(limit(completion("\"max_tokens\":null")), 16);
  EXPECT_EQ(limit(completion("\"max_tokens\":-1")), -1);
  EXPECT_EQ(limit(completion("\"max_tokens\":0,\"echo\":true")), 0);
  EXPECT_EQ(limit(completion("\"num_predict\":40")), 40);  // Ollama's name
  EXPECT_EQ(refused(chat("\"max_completion_tokens\":0")), "max_completion_tokens");
}

TEST(OpenAiParse, Logprobs) {
  EXPECT_EQ(params_of(chat("\"logprobs\":true")).logprobs, 0);
  EXPECT_EQ(params_of(chat("\"logprobs\":true,\"top_logprobs\":5")).logprobs, 5);
  EXPECT_EQ(params_of(chat("\"logprobs\":false,\"top_logprobs\":0")).logprobs, -1);
  EXPECT_EQ(params_of(chat("\"logprobs\":null,\"top_logprobs\":null")).logprobs, -1);
  EXPECT_EQ(refused(chat("\"top_logprobs\":5")), "top_logprobs");
  EXPECT_EQ(refused(chat("\"logprobs\":5")), "logprobs");
  EXPECT_EQ(refused(completion("\"logprobs\":true")), "logprobs");
  EXPECT_EQ(params_of(completion("\"logprobs\":0")).logprobs, 0);
  EXPECT_EQ(params_of(completion("\"logprobs\":0")).prompt_logprobs, -1);
  EXPECT_EQ(refused(completion("\"options\":{\"logprobs\":500}")), "logprobs");
  EXPECT_EQ(refused(chat("\"prompt_logprobs\":1,\"stream\":true")), "prompt_logprobs");
}

TEST(OpenAiParse, ScoringAsEvaluationHarnessesAsk) {
  auto request = parse_text(
      R"({"model":"m","prompt":[[5,6,7],[8]],"temperature":0,"max_tokens":1,"logprobs":1,)"
      R"("seed":1234,"echo":true})", false);
  SamplingParams params = params_of(request);
  EXPECT_EQ(std::get<std::vector<TokenId>>(request->prompts.at(0)),
            (std::vector<TokenId>{5, 6, 7}));
  EXPECT_EQ(std::get<std::vector<TokenId>>(request->prompts.at(1)), std::vector<TokenId>{8});
  EXPECT_TRUE(request->echo);
  EXPECT_EQ(params.temperature, 0);
  EXPECT_EQ(params.max_tokens, 1);
  EXPECT_EQ(params.logprobs, 1);
  EXPECT_EQ(params.prompt_logprobs, 1);
  EXPECT_EQ(params.seed, 1234);
}

TEST(OpenAiParse, SeveralAnswers) {
  EXPECT_EQ(params_of(chat("\"n\":3,\"stream\":true")).n, 3);
  EXPECT_EQ(refused(completion("\"n\":3,\"best_of\":2")), "best_of");
  EXPECT_EQ(refused(completion("\"best_of\":2,\"stream\":true")), "best_of");
  EXPECT_EQ(refused(completion("\"best_of\":2,\"n\":2,\"stream\":true")), "");
  SamplingParams beams = params_of(completion("\"use_beam_search\":true,\"n\":4"));
  EXPECT_EQ(beams.num_beams, 4);
  EXPECT_EQ(params_of(completion("\"use_beam_search\":true")).temperature, 0);
  EXPECT_EQ(refused(completion("\"use_beam_search\":true,\"stream\":true")), "use_beam_search");
  std::string many = R"({"model":"m","n":100,"prompt":[)";
  for (int i = 0; i < 100; ++i) many += i > 0 ? ",\"a\"" : "\"a\"";
  EXPECT_EQ(refused(parse_text(many + "]}", false)), "prompt");
}

TEST(OpenAiParse, StopsAndBiases) {
  using Texts = std::vector<std::string>;
  EXPECT_EQ(params_of(chat("\"stop\":\"a\"")).stop, Texts{"a"});
  EXPECT_EQ(params_of(chat("\"stop\":[\"a\",\"b\",\"\",\"c\",\"d\",\"e\"]")).stop,
            (Texts{"a", "b", "c", "d", "e"}));
  for (const char* none : {"null", "\"\"", "[]", "[\"\"]"})
    EXPECT_EQ(params_of(chat(std::string("\"stop\":") + none)).stop, Texts{}) << none;
  EXPECT_EQ(refused(chat("\"stop\":[\"a\",1]")), "stop[1]");
  EXPECT_EQ(refused(chat("\"stop\":5")), "stop");
  auto ids = params_of(chat("\"stop_token_ids\":[3,4]")).stop_token_ids;
  EXPECT_EQ(ids, (std::vector<int32_t>{3, 4}));
  EXPECT_EQ(refused(chat("\"stop_token_ids\":[3,-4]")), "stop_token_ids[1]");

  EXPECT_TRUE(params_of(chat("\"logit_bias\":{}")).logit_bias.empty());
  auto bias = params_of(chat("\"logit_bias\":{\"50\":-100,\"7\":2.5}")).logit_bias;
  ASSERT_EQ(bias.size(), 2u);
  EXPECT_EQ(bias[0].token, 50);
  EXPECT_EQ(bias[0].bias, -100);
  EXPECT_EQ(bias[1].bias, 2.5);
  auto pairs = params_of(chat("\"logit_bias\":[[50,1],[7,false]]")).logit_bias;
  ASSERT_EQ(pairs.size(), 2u);
  EXPECT_EQ(pairs[1].bias, -std::numeric_limits<float>::infinity());
  EXPECT_EQ(refused(chat("\"logit_bias\":{\"50\":101}")), "logit_bias.50");
  EXPECT_EQ(refused(chat("\"logit_bias\":{\"x\":1}")), "logit_bias.x");
  EXPECT_EQ(refused(chat("\"logit_bias\":{\"50\":null}")), "logit_bias.50");
  EXPECT_EQ(refused(chat("\"logit_bias\":[[1]]")), "logit_bias[0]");
  EXPECT_EQ(refused(chat("\"logit_bias\":1")), "logit_bias");
}

TEST(OpenAiParse, PenaltiesLookAtAllOfTheText) {
  EXPECT_EQ(params_of(chat("\"presence_penalty\":1")).repeat_last_n, -1);
  EXPECT_EQ(params_of(chat("\"repetition_penalty\":1.1")).repeat_last_n, -1);
  EXPECT_EQ(params_of(chat("\"repetition_penalty\":1.1,\"repeat_last_n\":32")).repeat_last_n, 32);
  EXPECT_FALSE(chat("")->parameters.given("repeat_last_n"));
}

TEST(OpenAiParse, SamplersOfOtherServers) {
  auto request = chat(
      "\"samplers\":[\"top_k\",\"temperature\"],\"dry_sequence_breakers\":[\"x\",\"y\"],"
      "\"mirostat_tau\":3,\"options\":{\"num_ctx\":8192,\"top_k\":7,\"unheard_of\":1},"
      "\"ignore_eos\":true,\"skip_special_tokens\":true,\"nobody_knows\":{\"a\":[1]}");
  SamplingParams params = params_of(request);
  EXPECT_EQ(params.samplers, "top_k;temperature");
  EXPECT_EQ(params.dry_sequence_breakers, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(params.mirostat_tau, 3);
  EXPECT_EQ(params.top_k, 7);
  EXPECT_TRUE(params.ignore_eos);
  EXPECT_EQ(request->parameters.integer("num_ctx"), 8192);
  EXPECT_EQ(refused(chat("\"options\":{\"num_ctx\":\"x\"}")), "options.num_ctx");
  EXPECT_EQ(refused(chat("\"options\":[]")), "options");
  EXPECT_EQ(params_of(chat("\"options\":{\"stop\":\"a\",\"stop\":\"b\"}")).stop,
            std::vector<std::string>{"b"});
  std::string words = "\"bad_words\":[\"w\"";
  for (int i = 0; i < 1024; ++i) words += ",\"w\"";
  EXPECT_EQ(refused(chat(words + "]")), "bad_words");
}

TEST(OpenAiParse, Streams) {
  auto request = chat("\"stream\":true,\"stream_options\":{\"include_usage\":true,"
                      "\"continuous_usage_stats\":true,\"include_obfuscation\":false}");
  ASSERT_TRUE(request.has_value());
  EXPECT_TRUE(request->stream && request->stream_usage && request->continuous_usage);
  EXPECT_EQ(refused(chat("\"stream_options\":{\"include_usage\":true}")), "stream_options");
  EXPECT_EQ(refused(chat("\"stream\":true,\"stream_options\":{\"include_usage\":1}")),
            "stream_options.include_usage");
  EXPECT_EQ(refused(chat("\"stream\":1")), "stream");
  EXPECT_FALSE(chat("\"stream\":null,\"stream_options\":null")->stream);
}

TEST(OpenAiParse, Thinking) {
  auto think = [](const char* members) { return chat(members)->think; };
  EXPECT_EQ(think(""), std::nullopt);
  EXPECT_EQ(think("\"reasoning_effort\":\"none\""), false);
  EXPECT_EQ(think("\"reasoning_effort\":\"minimal\""), true);
  EXPECT_EQ(think("\"reasoning\":{\"effort\":\"none\"}"), false);
  EXPECT_EQ(think("\"chat_template_kwargs\":{\"enable_thinking\":false,\"x\":1}"), false);
  EXPECT_EQ(think("\"reasoning_effort\":\"high\",\"think\":false"), false);
  EXPECT_EQ(think("\"think\":\"low\""), true);
  EXPECT_EQ(refused(chat("\"reasoning_effort\":\"lots\"")), "reasoning_effort");
  EXPECT_EQ(refused(chat("\"think\":1")), "think");
  EXPECT_EQ(refused(chat("\"chat_template_kwargs\":{\"enable_thinking\":\"no\"}")),
            "chat_template_kwargs.enable_thinking");
}

TEST(OpenAiParse, KeepAliveAndWhoAsks) {
  struct Row {
    const char* value;
    double seconds;  // negative: forever
  };
  for (Row row : {Row{"300", 300}, {"0", 0}, {"\"10m\"", 600}, {"\"1h30m\"", 5400}, {"1.5", 1.5},
                  {"\"0s\"", 0}, {"\"20\"", 20}, {"\"300ms\"", 0.3}, {"-1", -1}, {"\"-1\"", -1},
                  {"\"-5m\"", -1}, {"1e300", -1}}) {
    auto request = chat(std::string("\"keep_alive\":") + row.value);
    ASSERT_TRUE(request && request->keep_alive) << row.value;
    EXPECT_EQ(request->keep_alive->forever, row.seconds < 0) << row.value;
    if (row.seconds < 0) continue;
    EXPECT_DOUBLE_EQ(request->keep_alive->seconds, row.seconds);
  }
  for (const char* bad : {"\"\"", "\"m\"", "\"1x\"", "true", "[]", "\"1h2\"", "\"-\"", "\"1..2s\""})
    EXPECT_EQ(refused(chat(std::string("\"keep_alive\":") + bad)), "keep_alive") << bad;
  for (const char* bad : {"-1", "86401", "1.5", "\"1h\"", "true", "1e300"})
    EXPECT_EQ(refused(chat(std::string("\"cache_pin\":") + bad)), "cache_pin") << bad;
  EXPECT_EQ(chat("\"cache_pin\":0")->cache_pin_s, 0);
  EXPECT_EQ(chat("\"cache_pin\":86400")->cache_pin_s, 86400);
  auto request = chat("\"user\":\"u\",\"cache_salt\":\"s\",\"priority\":-3");
  EXPECT_EQ(request->cache_pin_s, 0);
  EXPECT_EQ(request->user, "u");
  EXPECT_EQ(request->cache_salt, "s");
  EXPECT_EQ(request->priority, 3);  // vLLM's lower numbers go first
}

// ---- messages and prompts

ApiResult<GenerateRequest> messages(const std::string& list) {
  return parse_text(R"({"model":"m","messages":)" + list + "}", true);
}

TEST(OpenAiParse, Messages) {
  auto request = messages(
      R"([{"role":"developer","content":"be brief"},
          {"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],
           "name":"joe"},
          {"role":"assistant","content":null,"tool_calls":[],"reasoning_content":"hm"},
          {"role":"system","content":[]},{"role":"user"}])");
  ASSERT_TRUE(request.has_value()) << request.error().error.message;
  std::vector<std::pair<std::string, std::string>> got;
  for (const ChatMessage& m : request->messages) got.emplace_back(m.role, m.content);
  EXPECT_EQ(got, (decltype(got){{"system", "be brief"}, {"user", "a\nb"}, {"assistant", ""},
                                {"system", ""}, {"user", ""}}));
}

TEST(OpenAiParse, MessagesThatAreRefused) {
  auto user = [](const std::string& content) {
    return refused(messages(R"([{"role":"user","content":)" + content + "}]"));
  };
  EXPECT_EQ(user("5"), "messages[0].content");
  EXPECT_EQ(user("{}"), "messages[0].content");
  EXPECT_EQ(user(R"([{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"x"}}])"),
            "messages[0].content[1]");
  EXPECT_EQ(user(R"([{"type":"input_audio","input_audio":{}}])"), "messages[0].content[0]");
  EXPECT_EQ(user(R"([{"type":"text","text":1}])"), "messages[0].content[0]");
  EXPECT_EQ(user(R"([{"text":"a"}])"), "messages[0].content[0].type");
  EXPECT_EQ(user("[1]"), "messages[0].content[0]");
  const char* hi = R"({"role":"user","content":"hi"},)";
  auto second = [&](const std::string& message) {
    return refused(messages(std::string("[") + hi + message + "]"));
  };
  EXPECT_EQ(second(R"({"role":"robot","content":""})"), "messages[1].role");
  EXPECT_EQ(second(R"({"role":"tool","content":"","tool_call_id":"c"})"), "messages[1].role");
  EXPECT_EQ(second(R"({"content":""})"), "messages[1].role");
  EXPECT_EQ(second(R"({"role":"assistant","tool_calls":[{"id":"c"}]})"), "messages[1].tool_calls");
  EXPECT_EQ(second("7"), "messages[1]");
  for (const char* list : {"[]", "{}", "\"hi\"", "null"})
    EXPECT_EQ(refused(messages(list)), "messages") << list;
  std::string many = "[";
  for (int i = 0; i < 5000; ++i) many += hi;
  many.back() = ']';
  auto request = messages(many);
  ASSERT_FALSE(request.has_value());
  EXPECT_EQ(request.error().error.code, Code::kTooLarge);
}

TEST(OpenAiParse, GoingOnWithAMessage) {
  std::string last = R"([{"role":"user","content":"a"},{"role":"assistant","content":"b"}])";
  auto with = [&](const std::string& list, const char* members) {
    return parse_text(R"({"model":"m","messages":)" + list + members + "}", true);
  };
  EXPECT_TRUE(with(last, R"(,"continue_final_message":true)")->continue_last);
  EXPECT_TRUE(with(last, R"(,"continue_final_message":true,"add_generation_prompt":false)")
                  ->continue_last);
  EXPECT_EQ(refused(with(last, R"(,"continue_final_message":true,"add_generation_prompt":true)")),
            "continue_final_message");
  EXPECT_EQ(refused(with(R"([{"role":"user","content":"a"}])",
                         R"(,"continue_final_message":true)")), "continue_final_message");
  EXPECT_EQ(refused(with(last, R"(,"add_generation_prompt":false)")), "add_generation_prompt");
}

TEST(OpenAiParse, Prompts) {
  auto prompt = [](const std::string& value, const char* members = "") {
    return parse_text(R"({"model":"m","prompt":)" + value + members + "}", false);
  };
  EXPECT_EQ(std::get<std::string>(prompt("\"a\"")->prompts.at(0)), "a");
  auto two = prompt(R"(["a","b"])");
  ASSERT_EQ(two->prompts.size(), 2u);
  EXPECT_EQ(std::get<std::string>(two->prompts[1]), "b");
  auto ids = prompt("[1,2,3]");
  ASSERT_EQ(ids->prompts.size(), 1u);
  EXPECT_EQ(std::get<std::vector<TokenId>>(ids->prompts[0]), (std::vector<TokenId>{1, 2, 3}));
  for (const char* bad : {"null", "\"\"", "[]", "5", "{}", "true"})
    EXPECT_EQ(refused(prompt(bad)), "prompt") << bad;
  EXPECT_EQ(refused(prompt(R"(["a",""])")), "prompt[1]");
  EXPECT_EQ(refused(prompt("[[1],[]]")), "prompt[1]");
  EXPECT_EQ(refused(prompt("[1,\"a\"]")), "prompt[1]");
  EXPECT_EQ(refused(prompt("[[1],[2,-3]]")), "prompt[1][1]");
  EXPECT_EQ(refused(prompt("[[1,2147483648]]")), "prompt[0][1]");
  EXPECT_EQ(refused(prompt("[1.5]")), "prompt[0]");
  EXPECT_EQ(*prompt("\"a\"", R"(,"suffix":"b")")->suffix, "b");
  EXPECT_FALSE(prompt("\"a\"", R"(,"suffix":"")")->suffix.has_value());
  EXPECT_EQ(refused(prompt("[1]", R"(,"suffix":"b")")), "suffix");
}

// ---- known fields

TEST(OpenAiParse, WhatIsNotBuiltIsRefusedByName) {
  for (const char* members :
       {R"("tools":[{"type":"function"}])", R"("tool_choice":"required")",
        R"("tool_choice":{"type":"function"})", R"("functions":[{}])",
        R"("response_format":{"type":"json_object"})", R"("guided_json":{"a":1})",
        R"("guided_regex":"a+")", R"("structured_outputs":{"json":"{}"})",
        R"("audio":{"voice":"x"})", R"("modalities":["text","audio"])", R"("grammar":"root")",
        R"("include_stop_str_in_output":true)", R"("skip_special_tokens":false)",
        R"("truncate_prompt_tokens":5)", R"("return_token_ids":true)",
        R"("allowed_token_ids":[1])", R"("logits_processors":["x"])"}) {
    std::string text(members);
    std::string field = text.substr(1, text.find('"', 1) - 1);
    EXPECT_EQ(refused(chat(text)), field);
    EXPECT_EQ(refused(completion(text)), field);
  }
  EXPECT_EQ(refused(chat("\"echo\":true")), "echo");
  EXPECT_EQ(refused(chat("\"response_format\":{}")), "response_format.type");
}

TEST(OpenAiParse, WhatAsksForNothingPasses) {
  for (const char* members :
       {R"("tools":[],"tool_choice":"auto")", R"("tools":null,"tool_choice":"none")",
        R"("functions":[],"function_call":"none")", R"("response_format":{"type":"text"})",
        R"("response_format":null,"guided_json":null,"structured_outputs":null)",
        R"("modalities":["text"],"audio":null)", R"("include_stop_str_in_output":false)",
        R"("metadata":{"a":"b"},"store":true,"service_tier":"auto","parallel_tool_calls":false)",
        R"("use_beam_search":false,"return_token_ids":false,"truncate_prompt_tokens":null)",
        R"("whatever":1,"model":"m")"}) {
    EXPECT_EQ(refused(chat(members)), "") << members;
    EXPECT_EQ(refused(completion(members)), "") << members;
  }
}

TEST(OpenAiParse, BodiesThatAreNone) {
  for (const char* body : {"[]", "1", "null", "\"x\""}) {
    EXPECT_EQ(refused(parse_text(body, true)), "body");
    EXPECT_EQ(refused(parse_text(body, false)), "body");
  }
  for (const char* model : {"", R"("model":null,)", R"("model":"",)"})
    EXPECT_EQ(refused(parse_text(std::string("{") + model + R"("prompt":"a"})", false)), "model");
  EXPECT_EQ(refused(parse_text(R"({"model":5,"prompt":"a"})", false)), "model");
  // The last of several members with one name counts, and only that.
  auto twice = completion(R"("temperature":"x","temperature":0.5,"stop":"a","stop":"b")");
  EXPECT_EQ(params_of(twice).temperature, 0.5);
  EXPECT_EQ(params_of(twice).stop, std::vector<std::string>{"b"});
  std::string wide = "{\"model\":\"m\"";
  for (int i = 0; i < 100000; ++i) wide += fmt::format(",\"x{}\":0", i);
  EXPECT_EQ(refused(parse_text(wide + "}", true)), "body");
}

// ---- mutations

// Replaces, removes, repeats or nests something somewhere within the value.
void mutate(Json& value, std::mt19937& random, int depth = 0) {
  static const Json kValues[] = {
      Json(), Json(true), Json(-1), Json(0), Json(INT64_MAX), Json(INT64_MIN), Json(1e308),
      Json(-0.5), Json(""), Json("a\xFF\x01"), Json(std::string(5000, 'x')), Json(Json::Array{}),
      Json(Json::Object{}), Json(Json::Array{Json(1), Json("a"), Json()}),
      Json(Json::Object{{"type", Json("text")}, {"text", Json("t")}}), Json("none"), Json("-1")};
  auto below = [&](size_t n) { return static_cast<size_t>(random()) % n; };
  bool leaf = !(value.is_array() && !value.as_array().empty()) &&
              !(value.is_object() && !value.as_object().empty());
  if (leaf || (depth > 0 && below(3) == 0)) {
    value = kValues[below(std::size(kValues))];
    return;
  }
  if (value.is_array()) {
    Json::Array& items = value.array();
    size_t at = below(items.size());
    if (below(6) == 0) items.erase(items.begin() + static_cast<ptrdiff_t>(at));
    else if (below(6) == 0) items.push_back(Json(items[at]));
    else mutate(items[at], random, depth + 1);
    return;
  }
  Json::Object& members = value.object();
  size_t at = below(members.size());
  if (below(8) == 0) members.erase(members.begin() + static_cast<ptrdiff_t>(at));
  else if (below(8) == 0) members.push_back(members[at]);
  else mutate(members[at].second, random, depth + 1);
}

constexpr const char* kFull =
    R"({"model":"m","stream":true,"stream_options":{"include_usage":true},"max_tokens":5,
        "temperature":0.5,"top_p":0.9,"n":2,"stop":["a","b"],"seed":1,"logit_bias":{"5":1},
        "presence_penalty":1,"user":"u","reasoning_effort":"low","tools":[],"top_k":5,
        "stop_token_ids":[1,2],"chat_template_kwargs":{"enable_thinking":true},
        "options":{"num_ctx":4096,"stop":["x"]},"keep_alive":"5m","samplers":["top_k"],
        "response_format":{"type":"text"},"priority":1,"cache_salt":"s","cache_pin":60,
        "bad_words":["w"],)";

void check_mutant(const Json& body, bool as_chat) {
  auto request = as_chat ? parse_openai_chat(body) : parse_openai_completion(body);
  if (!request) {
    EXPECT_FALSE(request.error().error.message.empty());
    EXPECT_FALSE(request.error().param.empty()) << request.error().error.message;
    ApiReply reply = openai_error(request.error());
    EXPECT_TRUE(reply.status == 400 || reply.status == 413) << reply.body;
    EXPECT_TRUE(Json::parse(reply.body).has_value()) << reply.body;
    return;
  }
  // What is accepted, the engine takes.
  SamplingParams params = request->defaults;
  EXPECT_TRUE(apply_sampling(request->parameters, params).has_value()) << body.dump();
  EXPECT_FALSE(request->model.empty());
  EXPECT_EQ(request->messages.empty(), !as_chat);
  EXPECT_EQ(request->prompts.empty(), as_chat);
  EXPECT_TRUE(params.temperature >= 0 && params.temperature <= 100);
  EXPECT_TRUE(params.n >= 1 && params.n <= 128);
}

TEST(OpenAiParse, TwentyThousandMutations) {
  auto chat_body = Json::parse(std::string(kFull) +
      R"("logprobs":true,"top_logprobs":3,"messages":[{"role":"system","content":"s"},
         {"role":"user","content":[{"type":"text","text":"t"}]},
         {"role":"assistant","content":"a"},{"role":"user","content":"b"}]})");
  auto completion_body = Json::parse(std::string(kFull) +
      R"("logprobs":2,"echo":true,"best_of":2,"suffix":"z","prompt":["a","b"]})");
  ASSERT_TRUE(chat_body && completion_body);
  std::mt19937 random(8);
  int accepted = 0;
  for (int i = 0; i < 20000; ++i) {
    bool as_chat = i % 2 == 0;
    Json body = as_chat ? *chat_body : *completion_body;
    for (size_t n = 1 + random() % 3; n > 0; --n) mutate(body, random);
    check_mutant(body, as_chat);
    accepted += (as_chat ? parse_openai_chat(body) : parse_openai_completion(body)).has_value();
    if (HasFailure()) FAIL() << body.dump();
  }
  // Both kinds came often enough for the test to mean something.
  EXPECT_GT(accepted, 1000);
  EXPECT_LT(accepted, 19000);
}

// ---- memory

TEST(OpenAiParse, MemoryThatRunsOut) {
  auto body = Json::parse(std::string(kFull) +
      R"("messages":[{"role":"user","content":"a text that is longer than a short string"}]})");
  ASSERT_TRUE(body && parse_openai_chat(*body));  // tables that are made once are made
  int64_t before = live_allocations();
  bool failed = true;
  for (uint64_t n = 1; failed; ++n) {
    arm_failure(n, false);
    auto request = parse_openai_chat(*body);
    failed = disarm_failure();
    ASSERT_EQ(request.has_value(), !failed) << n;
    Code code = failed ? request.error().error.code : Code::kOutOfMemory;
    ASSERT_EQ(code, Code::kOutOfMemory);
    ASSERT_LT(n, 10000u);
  }
  EXPECT_EQ(live_allocations(), before);
}

}  // namespace
}  // namespace hearth::api
