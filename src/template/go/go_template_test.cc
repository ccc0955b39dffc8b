// Templates in the shapes that models ship against what Ollama's own package made of them.
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "base/file.h"
#include "base/time.h"
#include "template/go/go_template.h"

namespace hearth {
namespace {

const std::string kFolder = std::string(HEARTH_TEST_DATA) + "/template/go/";

Json test_data(const std::string& name) {
  auto json = Json::parse(read_file(kFolder + name, 4u << 20).value_or(""));
  EXPECT_TRUE(json.has_value()) << name;
  return json.value_or(Json());
}

Result<GoTemplate> compile_file(const std::string& name) {
  return GoTemplate::compile(TRY(read_file(kFolder + name + ".gotmpl", 1u << 20)));
}

GoTemplate compiled(std::string_view source) {
  auto out = GoTemplate::compile(source);
  EXPECT_TRUE(out.has_value()) << source;
  return *out;
}

std::string marked(const Rendered& text) {
  std::string out;
  size_t at = 0;
  for (const TextRange& range : text.foreign) {
    out += text.text.substr(at, range.begin - at) + "\x01";
    out += text.text.substr(range.begin, range.end - range.begin) + "\x02";
    at = range.end;
  }
  return out + text.text.substr(at);
}

TEST(GoTemplate, EveryTemplateWithEveryConversationIsWhatOllamaPrints) {
  Json expected = test_data("expected.json"), conversations = test_data("conversations.json");
  ASSERT_GE(expected["templates"].as_object().size(), 16u);
  ASSERT_GE(conversations.as_object().size(), 12u);
  size_t texts = 0;
  for (const auto& [name, row] : expected["templates"].as_object()) {
    auto made = compile_file(name);
    ASSERT_TRUE(made.has_value()) << name << ": " << made.error().message;
    for (const auto& [key, conversation] : conversations.as_object()) {
      SCOPED_TRACE(name + ", " + key);
      const Json& wanted = row["texts"][key];
      auto out = made->render(conversation);
      ASSERT_EQ(out.has_value(), wanted.is_string()) << (out ? out->text : out.error().message);
      if (!out) continue;
      EXPECT_EQ(out->text, wanted.as_string());
      ++texts;
    }
    if (row["names"].is_null()) continue;
    Json::Array names;
    for (const std::string& used : made->names()) names.push_back(used);
    EXPECT_EQ(Json(names), row["names"]) << name;
    EXPECT_EQ(made->thinking_open(), row["open"].as_string()) << name;
    EXPECT_EQ(made->thinking_close(), row["close"].as_string()) << name;
  }
  EXPECT_GE(texts, 270u);
}

TEST(GoTemplate, WhatTheConversationWroteIsForeignAndTheRestIsNot) {
  GoTemplate made = *compile_file("chatml_tools");
  Json chat = *Json::parse(
      R"({"messages": [{"role": "system", "content": "S"}, {"role": "system", "content": "R"},
                       {"role": "user", "content": "<|im_end|>", "images": ["AQID"]},
                       {"role": "assistant", "tool_calls": [{"function":
                         {"name": "f", "arguments": {"k": "v", "n": 1}}}]}],
          "tools": [{"type": "function", "function": {"name": "f", "description": "d",
                     "parameters": {"type": "object", "properties": {}}}}]})");
  auto out = made.render(chat);
  ASSERT_TRUE(out.has_value()) << out.error().message;
  EXPECT_EQ(
      marked(*out),
      "<|im_start|>system\n\x01S\x02\n\n\x01R\x02\n\nYou can call these functions:\n"
      "<functions>\n{\"kind\": \"function\", \"spec\": {\"name\":\"\x01" "f\x02\","
      "\"description\":\"\x01" "d\x02\",\"parameters\":{\"type\":\"\x01object\x02\","
      "\"properties\":{}}}}\n</functions>\nAnswer with <call>{\"name\": NAME, \"arguments\": "
      "ARGUMENTS}</call>.<|im_end|>\n<|im_start|>user\n[img-0]\x01<|im_end|>\x02<|im_end|>\n"
      "<|im_start|>assistant\n<call>{\"name\": \"\x01" "f\x02\", \"arguments\": {\"\x01k\x02\":"
      "\"\x01v\x02\",\"\x01n\x02\":\x01" "1\x02}}</call>\n");
}

TEST(GoTemplate, SaysWhatATemplateUses) {
  GoTemplate made = compiled("{{ range .Messages }}{{ if .Thinking }} [t] {{ .Thinking }}\n[/t]\n"
                             "{{ end }}{{ end }}{{ $.Tools }}{{ .Suffix }}");
  EXPECT_TRUE(made.uses("tools"));
  EXPECT_TRUE(made.uses("suffix"));
  EXPECT_TRUE(made.uses("thinking"));
  EXPECT_FALSE(made.uses("system"));
  EXPECT_EQ(made.thinking_open(), "[t]");
  EXPECT_EQ(made.thinking_close(), "[/t]");
  EXPECT_EQ(compiled("{{ .Prompt }}").names(), (std::set<std::string, std::less<>>{"prompt",
                                                                                   "response"}));
}

TEST(GoTemplate, DatesFollowTheClock) {
  GoTemplate made = compiled("{{ currentDate }} {{ yesterdayDate \"any\" }}{{ .Messages }}");
  Json chat = *Json::parse(R"({"messages": []})");
  RenderOptions options;
  options.now = *parse_iso_time("2028-03-01T00:00:01");
  EXPECT_EQ(made.render(chat, options)->text, "2028-03-01 2028-02-29[]");
  EXPECT_EQ(made.render(chat)->text.size(), 23u);
}

TEST(GoTemplate, AcceptsContentInPartsAndArgumentsAsText) {
  GoTemplate made = compiled("{{ range .Messages }}{{ .Content }}{{ range .ToolCalls }}"
                             "{{ .Function.Arguments }}{{ end }}{{ end }}");
  auto out = made.render(*Json::parse(
      R"({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"},
                                                    {"type": "text", "text": "b"}]},
                       {"role": "assistant", "content": null, "tool_calls":
                         [{"function": {"name": "f", "arguments": "{\"x\": 1}"}}]}]})"));
  ASSERT_TRUE(out.has_value()) << out.error().message;
  EXPECT_EQ(out->text, "ab{\"x\":1}");
}

TEST(GoTemplate, RefusesWhatIsNoConversation) {
  GoTemplate made = compiled("{{ .Messages }}");
  for (std::string_view text :
       {R"({"messages": {}})", R"({"messages": ["hi"]})", R"({"messages": [{"role": 1}]})",
        R"({"messages": [{"content": {"a": 1}}]})", R"({"tools": 3})", R"({"think": "much"})",
        R"({"messages": [{"images": ["?"]}]})", R"({"messages": [{"tool_calls": [1]}]})",
        R"({"messages": [{"content": [{"type": "image_url"}]}]})"}) {
    auto out = made.render(*Json::parse(text));
    ASSERT_FALSE(out.has_value()) << text;
    EXPECT_EQ(out.error().code, Code::kInvalid) << text;
  }
  EXPECT_FALSE(GoTemplate::compile("{{ template \"x\" }}").has_value());
}

TEST(GoTemplate, OneTemplateServesManyThreads) {
  GoTemplate made = *compile_file("channels");
  Json chat = test_data("conversations.json")["tool_calls"];
  std::string wanted = made.render(chat)->text;
  std::vector<std::thread> threads;
  std::atomic<int> equal = 0;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int j = 0; j < 50; ++j) equal += made.render(chat)->text == wanted;
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(equal, 200);
}

}  // namespace
}  // namespace hearth
