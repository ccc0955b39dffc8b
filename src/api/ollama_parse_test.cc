#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "api/ollama.h"
#include "registry/parameters.h"

namespace hearth::api {
namespace {

Json json(std::string_view text) {
  auto out = Json::parse(text);
  EXPECT_TRUE(out) << text;
  return out.value_or(Json());
}

ApiResult<GenerateRequest> generate(std::string_view text) {
  return parse_ollama_generate(json(text));
}
ApiResult<GenerateRequest> chat(std::string_view text) { return parse_ollama_chat(json(text)); }

// A chat with one more member.
ApiResult<GenerateRequest> chat_with(std::string_view member) {
  return chat(fmt::format(
      R"({{"model": "m", "messages": [{{"role": "user", "content": "hi"}}], {}}})", member));
}
ApiResult<GenerateRequest> generate_with(std::string_view member) {
  return generate(fmt::format(R"({{"model": "m", "prompt": "hi", {}}})", member));
}

TEST(OllamaParse, DefaultsAreThoseOfOllama) {
  auto request = generate(R"({"model": "Llama3", "prompt": "Why?"})").value();
  EXPECT_EQ(request.kind, RequestKind::kComplete);
  EXPECT_EQ(request.model, "Llama3");
  EXPECT_TRUE(request.stream);
  EXPECT_TRUE(request.templated);
  EXPECT_TRUE(request.truncate);
  EXPECT_EQ(std::get<std::string>(request.prompts.at(0)), "Why?");
  EXPECT_FALSE(request.suffix || request.system || request.template_text || request.keep_alive ||
               request.think);
  EXPECT_EQ(request.defaults.temperature, 0.8);
  EXPECT_EQ(request.defaults.top_k, 40);
  EXPECT_LT(request.defaults.seed, 0);  // Ollama's -1: another answer each time
  EXPECT_EQ(request.defaults.overflow, "slide");
  EXPECT_FALSE(request.parameters.given("overflow"));

  auto talk = chat(R"({"model": "m", "messages": [{"role": "USER", "content": "hi"}]})").value();
  EXPECT_EQ(talk.kind, RequestKind::kChat);
  EXPECT_EQ(talk.messages.at(0).role, "user");
  EXPECT_FALSE(talk.continue_last);
  EXPECT_FALSE(talk.templated);
}

// What the Go client sends for fields that were not set, and names in another case.
TEST(OllamaParse, IsAsLenientAsGo) {
  auto request = generate(R"({"model": "m", "prompt": "x", "suffix": "", "system": "",
    "template": "", "context": null, "raw": false, "stream": null, "options": null, "images": null,
    "format": null, "think": null, "keep_alive": null, "name": "", "unknown": {"a": [1]}})");
  ASSERT_TRUE(request) << request.error().error.message;
  EXPECT_FALSE(request->suffix || request->system || request->template_text);
  EXPECT_TRUE(request->stream);

  auto cased = generate(R"({"Model": "m", "PROMPT": "x", "Stream": false, "stream": null,
    "Top_Logprobs": 2.0, "logProbs": true})").value();
  EXPECT_FALSE(cased.stream);
  EXPECT_EQ(cased.parameters.integer("logprobs"), 2);
  // The last of equal fields counts.
  EXPECT_EQ(generate(R"({"model": "a", "MODEL": "b", "prompt": "x"})")->model, "b");
  // Names of options are not fields: they match exactly, as a map's keys do.
  auto options = generate(R"({"model": "m", "prompt": "x",
    "options": {"TOP_K": 5, "top_k": 7.9, "seed": 42.0, "no_such": [], "top_p": null}})").value();
  EXPECT_EQ(options.parameters.integer("top_k"), 7);
  EXPECT_EQ(options.parameters.integer("seed"), 42);
  EXPECT_FALSE(options.parameters.given("top_p"));
}

TEST(OllamaParse, LoadsAndUnloads) {
  for (std::string_view text : {R"({"model": "m"})", R"({"model": "m", "prompt": ""})",
                                R"({"model": "m", "keep_alive": "5m"})",
                                R"({"model": "m", "keep_alive": -1, "suffix": "x"})"}) {
    EXPECT_EQ(generate(text)->kind, RequestKind::kLoad) << text;
    EXPECT_FALSE(generate(text)->stream) << text;
  }
  EXPECT_EQ(chat(R"({"model": "m", "messages": []})")->kind, RequestKind::kLoad);
  for (std::string_view zero : {"0", "0.0", "\"0\"", "\"0s\"", "\"0h0m\"", "-0.0"}) {
    EXPECT_EQ(generate(fmt::format(R"({{"model": "m", "keep_alive": {}}})", zero))->kind,
              RequestKind::kUnload) << zero;
    EXPECT_EQ(chat(fmt::format(R"({{"model": "m", "keep_alive": {}}})", zero))->kind,
              RequestKind::kUnload) << zero;
  }
  // With a prompt it is answered first.
  EXPECT_EQ(generate_with(R"("keep_alive": 0)")->kind, RequestKind::kComplete);
}

TEST(OllamaParse, KeepAlive) {
  struct Row {
    std::string_view text;
    double seconds;  // negative: forever
  };
  // The durations were read with Go's time.ParseDuration.
  constexpr Row kRows[] = {
      {"300", 300},          {"0.5", 0.5},          {"-1", -1},           {"1e300", -1},
      {"\"5m\"", 300},       {"\"1h30m\"", 5400},   {"\"300ms\"", 0.3},   {"\"1.5h\"", 5400},
      {"\"2h45m\"", 9900},   {"\"-1s\"", -1},       {"\"-5m\"", -1},      {"\"+7s\"", 7},
      {"\"10us\"", 1e-5},    {"\"10\u00B5s\"", 1e-5}, {"\"10\u03BCs\"", 1e-5}, {"\"3ns\"", 3e-9},
      {"\".5s\"", 0.5},      {"\"1.s\"", 1},        {"\"-1\"", -1},       {"\"30\"", 30},
      {"\"24h\"", 86400},    {"\"1m0.5s\"", 60.5},  {"\"3000000h\"", -1},
  };
  for (const Row& row : kRows) {
    auto kept = parse_ollama_keep_alive(json(row.text));
    ASSERT_TRUE(kept) << row.text;
    EXPECT_EQ(kept->forever, row.seconds < 0) << row.text;
    EXPECT_NEAR(kept->seconds, std::max(row.seconds, 0.0), 1e-12) << row.text;
  }
  for (std::string_view bad : {"true", "[]", "{}", "\"\"", "\"m\"", "\"5\\u0000m\"", "\"5 m\"",
                               "\"5d\"", "\"--5m\"", "\"1e3s\"", "\"inf\"", "\"nan\"", "\"5m5\"",
                               "\".s\"", "\"-\"", "\"+-5s\"", "\"infs\"", "\"1s-1s\""}) {
    auto kept = parse_ollama_keep_alive(json(bad));
    ASSERT_FALSE(kept) << bad;
    EXPECT_EQ(kept.error().param, "keep_alive");
    EXPECT_EQ(ollama_error(kept.error()).status, 400);
  }
}

TEST(OllamaParse, Generate) {
  auto request = generate(R"({"model": "m", "prompt": "def f(", "suffix": "return 1",
    "system": "S", "template": "{{ .Prompt }}", "context": [1, 2.0, 3], "think": "high",
    "stream": false, "truncate": false, "shift": false, "logprobs": true,
    "keep_alive": "10m", "cache_pin": 60, "options": {"num_ctx": 4096, "stop": ["a", "b"],
    "temperature": 0, "num_predict": -1, "use_mmap": true, "numa": false,
    "num_keep": 24}})").value();
  EXPECT_EQ(*request.suffix, "return 1");
  EXPECT_EQ(*request.system, "S");
  EXPECT_EQ(*request.template_text, "{{ .Prompt }}");
  EXPECT_EQ(request.history, (std::vector<TokenId>{1, 2, 3}));
  EXPECT_EQ(request.think, true);
  EXPECT_FALSE(request.stream || request.truncate);
  EXPECT_EQ(request.parameters.text("overflow"), "error");
  EXPECT_EQ(request.parameters.integer("logprobs"), 0);
  EXPECT_EQ(request.keep_alive->seconds, 600);
  EXPECT_EQ(request.cache_pin_s, 60);
  EXPECT_EQ(request.parameters.integer("num_ctx"), 4096);
  EXPECT_EQ(request.parameters.list("stop"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(request.parameters.number("temperature"), 0);
  EXPECT_EQ(generate_with(R"("shift": true)")->parameters.text("overflow"), "slide");

  auto raw = generate_with(R"("raw": true, "system": "", "context": [])").value();
  EXPECT_FALSE(raw.templated);
  for (std::string_view member : {R"("system": "S")", R"("template": "T")", R"("context": [1])"}) {
    auto refused = generate_with(fmt::format(R"("raw": true, {})", member));
    ASSERT_FALSE(refused) << member;
    EXPECT_EQ(ollama_error(refused.error()).body,
              R"({"error":"raw mode does not support template, system, or context"})");
  }
}

TEST(OllamaParse, Messages) {
  auto request = chat(R"({"model": "m", "messages": [
    {"role": "system", "content": "S"}, {"role": "user", "content": "U", "images": []},
    {"role": "assistant", "thinking": "hm", "content": "A", "tool_calls": null}]})").value();
  ASSERT_EQ(request.messages.size(), 3u);
  EXPECT_EQ(request.messages[2].content, "A");
  EXPECT_TRUE(request.continue_last);  // Ollama's templates leave the last answer open

  struct Row {
    std::string_view message, param;
  };
  constexpr Row kRows[] = {
      {R"({"role": "robot", "content": "x"})", "messages[0].role"},
      {R"({"content": "x"})", "messages[0].role"},
      {R"({"role": "tool", "content": "x", "tool_name": "f"})", "messages[0].role"},
      {R"({"role": "user", "content": ["x"]})", "messages[0].content"},
      {R"({"role": "user", "content": 5})", "messages[0].content"},
      {R"({"role": 1, "content": "x"})", "messages[0].role"},
      {R"({"role": "user", "content": "x", "images": ["aGk="]})", "messages[0].images"},
      {R"({"role": "user", "content": "x", "images": "aGk="})", "messages[0].images"},
      {R"({"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]})",
       "messages[0].tool_calls"},
      {R"("hi")", "messages[0]."},
  };
  for (const Row& row : kRows) {
    auto refused = chat(fmt::format(R"({{"model": "m", "messages": [{}]}})", row.message));
    ASSERT_FALSE(refused) << row.message;
    EXPECT_EQ(refused.error().param, row.param);
    EXPECT_EQ(ollama_error(refused.error()).status, 400);
    EXPECT_NE(refused.error().error.message.find(row.param), std::string::npos) << row.message;
  }
}

TEST(OllamaParse, ModelIsRequired) {
  for (std::string_view text : {R"({})", R"({"model": ""})", R"({"model": null})"}) {
    ApiReply generated = ollama_error(generate(text).error());
    EXPECT_EQ(generated.status, 404);
    EXPECT_EQ(generated.body, R"({"error":"model '' not found"})");
    ApiReply talked = ollama_error(chat(text).error());
    EXPECT_EQ(talked.status, 400);
    EXPECT_EQ(talked.body, R"({"error":"model is required"})");
  }
}

TEST(OllamaParse, Bodies) {
  for (std::string_view body :
       {"", " \r\n", "{", "[1]", "null", "\"x\"", "{} {}", "{\"a\":\xFF}"}) {
    auto refused = parse_ollama_body(body);
    ASSERT_FALSE(refused) << body;
    EXPECT_EQ(ollama_error(refused.error()).status, 400) << body;
  }
  EXPECT_EQ(ollama_error(parse_ollama_body("").error()).body,
            R"({"error":"missing request body"})");
  EXPECT_TRUE(parse_ollama_body(R"( {"model": "m"} )"));
}

// Every field times values of every type and at the edges: what is right passes, what is wrong is
// a 400 that names the field.
struct Sweep {
  std::string_view field;
  std::vector<std::string_view> good;  // besides null; all others must be refused
};

void sweep(const std::vector<Sweep>& rows, ApiResult<GenerateRequest> (*parse)(std::string_view)) {
  constexpr std::string_view kValues[] = {
      "true", "false", "0", "1", "-1", "20", "21", "2.0", "2.5", "1e19", "-1e300",
      "9223372036854775807", "\"\"", "\"x\"", "\"json\"", "\"low\"", "\"max\"", "\"5m\"", "[]",
      "[1]", "[-1]", "[\"x\"]", "{}", "{\"a\": 1}", "[[]]", "[{\"role\": \"user\"}]"};
  for (const Sweep& row : rows) {
    EXPECT_TRUE(parse(fmt::format("\"{}\": null", row.field))) << row.field;
    for (std::string_view value : kValues) {
      bool good = std::ranges::find(row.good, value) != row.good.end();
      auto parsed = parse(fmt::format("\"{}\": {}", row.field, value));
      ASSERT_EQ(parsed.has_value(), good)
          << row.field << " " << value << " " << (good ? parsed.error().error.message : "");
      if (good) continue;
      EXPECT_EQ(ollama_error(parsed.error()).status, 400) << row.field << " " << value;
      EXPECT_EQ(parsed.error().param.substr(0, row.field.size()), row.field) << value;
      EXPECT_NE(parsed.error().error.message.find(row.field), std::string::npos)
          << parsed.error().error.message;
    }
  }
}

const std::vector<std::string_view> kFlags = {"true", "false"};
const std::vector<std::string_view> kTexts = {"\"\"", "\"x\"", "\"json\"", "\"low\"", "\"max\"",
                                              "\"5m\""};

std::vector<Sweep> common_sweeps() {
  return {
      {"stream", kFlags},
      {"truncate", kFlags},
      {"shift", kFlags},
      {"logprobs", kFlags},
      {"_debug_render_only", {"false"}},
      {"format", {"\"\""}},
      {"think", {"true", "false", "\"low\"", "\"max\""}},
      {"top_logprobs", {"0", "1", "20", "2.0"}},
      {"keep_alive", {"0", "1", "-1", "20", "21", "2.0", "2.5", "1e19", "-1e300",
                      "9223372036854775807", "\"5m\""}},
      {"cache_pin", {"0", "1", "20", "21", "2.0"}},
      {"options", {"{}", "{\"a\": 1}"}},
  };
}

TEST(OllamaParse, CachePin) {
  EXPECT_EQ(generate_with(R"("x": 1)")->cache_pin_s, 0);
  EXPECT_EQ(generate_with(R"("cache_pin": 86400)")->cache_pin_s, 86400);
  EXPECT_EQ(chat_with(R"("cache_pin": 86400)")->cache_pin_s, 86400);
  for (const char* bad : {"-1", "86401", "0.5", "1e300", "\"1h\"", "true", "[]"})
    for (auto with : {generate_with, chat_with}) {
      auto parsed = with(fmt::format(R"("cache_pin": {})", bad));
      ASSERT_FALSE(parsed) << bad;
      EXPECT_EQ(parsed.error().param, "cache_pin") << bad;
      EXPECT_EQ(ollama_error(parsed.error()).status, 400);
    }
  // A field of the request, not one of its options.
  EXPECT_EQ(chat_with(R"("options": {"cache_pin": 5})")->cache_pin_s, 0);
}

TEST(OllamaParse, SweepGenerate) {
  std::vector<Sweep> rows = common_sweeps();
  rows.insert(rows.end(), {{"raw", kFlags},
                           {"suffix", kTexts},
                           {"system", kTexts},
                           {"template", kTexts},
                           {"context", {"[]", "[1]"}},
                           {"images", {"[]"}}});
  sweep(rows, generate_with);
}

TEST(OllamaParse, SweepChat) {
  std::vector<Sweep> rows = common_sweeps();
  rows.insert(rows.end(), {{"tools", {"[]"}}, {"messages", {"[]", "[{\"role\": \"user\"}]"}}});
  sweep(rows, chat_with);
}

// Every option from its row: its edges pass, what is beyond them and other types do not.
TEST(OllamaParse, SweepOptions) {
  auto with = [](std::string_view name, std::string_view value) {
    return chat_with(fmt::format(R"("options": {{"{}": {}}})", name, value));
  };
  auto refused = [&](std::string_view name, std::string_view value) {
    auto parsed = with(name, value);
    if (parsed) return testing::AssertionFailure() << name << " takes " << value;
    bool names = parsed.error().param == name && ollama_error(parsed.error()).status == 400 &&
                 parsed.error().error.message.find(name) != std::string::npos;
    return names ? testing::AssertionSuccess()
                 : testing::AssertionFailure() << parsed.error().error.message;
  };
  for (const OptionRow& row : parameter_rows()) {
    EXPECT_TRUE(with(row.name, "null")) << row.name;
    EXPECT_TRUE(refused(row.name, "{}")) << row.name;
    bool number = row.type == OptionType::kInt || row.type == OptionType::kFloat;
    if (number) {
      for (std::string_view wrong : {"\"1\"", "true", "[]", "[1]"})
        EXPECT_TRUE(refused(row.name, wrong));
      for (double edge : {row.min, row.max}) {
        if (std::isinf(edge) || row.name == "n" || row.name == "prompt_logprobs") continue;
        EXPECT_TRUE(with(row.name, fmt::format("{}", edge))) << row.name << " " << edge;
        double beyond = edge == row.min ? edge - 1 : edge + 1;
        EXPECT_TRUE(std::fabs(edge) > 1e15 || refused(row.name, fmt::format("{}", beyond)));
      }
    } else if (row.type == OptionType::kFlag) {
      EXPECT_TRUE(with(row.name, "true"));
      for (std::string_view wrong : {"1", "\"true\"", "[true]"})
        EXPECT_TRUE(refused(row.name, wrong));
    } else if (row.many) {
      EXPECT_TRUE(with(row.name, "[]"));
      EXPECT_TRUE(with(row.name, "[\"5\", \"6\"]"));
      for (std::string_view wrong : {"\"x\"", "1", "[1]", "[null]", "[[]]"})
        EXPECT_TRUE(refused(row.name, wrong));
    } else {
      for (std::string_view wrong : {"1", "true", "[]"}) EXPECT_TRUE(refused(row.name, wrong));
    }
  }
  for (std::string_view n : {"0", "2"}) EXPECT_TRUE(refused("n", n));
  EXPECT_TRUE(with("n", "1"));
  EXPECT_TRUE(refused("prompt_logprobs", "0"));
  EXPECT_TRUE(refused("stop", "[\"a\\u0000b\"]"));
}

// A list that would cost seconds to store is refused at once.
TEST(OllamaParse, HugeListsAreRefused) {
  std::string items = "\"x\"";
  for (int i = 0; i < 100'000; ++i) items += ",\"x\"";
  auto parsed = chat_with(fmt::format(R"("options": {{"stop": [{}]}})", items));
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().param, "stop");
  EXPECT_FALSE(chat_with(fmt::format(R"("options": {{"stop": ["{}"]}})",
                                     std::string(100'000, 'x'))));
}

// Random bytes changed in valid bodies: an answer or a 4xx, never a crash (build with ASan).
TEST(OllamaParse, SurvivesMutations) {
  const std::string kBodies[] = {
      R"({"model": "m", "prompt": "x", "suffix": "y", "system": "s", "template": "{{ .Prompt }}",)"
      R"( "context": [1, 2], "raw": false, "stream": true, "think": "low", "keep_alive": "1h5m",)"
      R"( "options": {"top_k": 3, "stop": ["a"], "temperature": 0.5}, "top_logprobs": 3})",
      R"({"model": "m", "messages": [{"role": "user", "content": "\u00e9"}, {"role": "assistant",)"
      R"( "content": "", "thinking": "t"}], "tools": [], "format": "", "keep_alive": -1,)"
      R"( "options": {"seed": 1, "num_ctx": 2048}, "logprobs": true, "shift": false})"};
  std::mt19937 random(7);
  auto pick = [&](size_t n) { return static_cast<size_t>(random() % n); };
  constexpr std::string_view kPieces[] = {"null", "\"\"", "[]", "{}", "-1", "1e999", "true", ",",
                                          "\"", "}", "\\u0000", "\xFF", "99999999999999999999"};
  int parsed_count = 0, taken = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string body = kBodies[i % 2];
    for (size_t changes = 1 + pick(3); changes > 0; --changes) {
      size_t at = pick(body.size());
      switch (pick(4)) {
        case 0: body[at] = static_cast<char>(random()); break;
        case 1: body.erase(at, 1 + pick(8)); break;
        case 2: body.insert(at, kPieces[pick(std::size(kPieces))]); break;
        default: {
          // A whole value becomes another one.
          size_t colon = body.find(": ", at);
          if (colon == std::string::npos) break;
          size_t end = body.find_first_of(",}", colon);
          body.replace(colon + 2, end - colon - 2, kPieces[pick(7)]);
        }
      }
      if (body.empty()) body = "{";
    }
    auto json = parse_ollama_body(body);
    if (!json) continue;
    parsed_count++;
    for (auto parse : {parse_ollama_generate, parse_ollama_chat}) {
      auto request = parse(*json);
      taken += request.has_value();
      if (request) continue;
      int status = ollama_error(request.error()).status;
      EXPECT_TRUE(status == 400 || status == 404) << body;
      EXPECT_TRUE(Json::parse(ollama_error(request.error()).body)) << body;
    }
  }
  EXPECT_GT(parsed_count, 4000);
  EXPECT_GT(taken, 2000);
}

}  // namespace
}  // namespace hearth::api
