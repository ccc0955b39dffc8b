// Real chat templates with their contexts against what the reference renderer printed.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "base/file.h"
#include "template/template.h"

namespace hearth {
namespace {

constexpr int64_t kClock = 1767323045;  // 2026-01-02T03:04:05

// The corpus was rendered without transformers' tag {% generation %}, so its templates that use
// the tag are errors there. Hearth has the tag, and these texts are what transformers prints.
std::map<std::pair<std::string, std::string>, std::string> generation_texts() {
  std::map<std::pair<std::string, std::string>, std::string> out;
  auto text = read_file(std::string(HEARTH_TEST_DATA) + "/template/generation.json", 1u << 20);
  auto json = Json::parse(text.value_or("{}"));
  EXPECT_TRUE(json.has_value());
  for (const Json& entry : (*json)["cases"].as_array()) {
    out[{entry["template"].as_string(), entry["case"].as_string()}] =
        entry["expected"].as_string();
  }
  return out;
}

TEST(TemplateCases, EveryCaseOfTheSharedCorpus) {
  const std::string folder = std::string(HEARTH_SHARED_DATA) + "/templates";
  if (!std::filesystem::exists(folder + "/cases.json")) {
    GTEST_SKIP() << "no " << folder << ": the shared corpus is not here";
  }
  auto text = read_file(folder + "/cases.json", 64u << 20);
  ASSERT_TRUE(text.has_value()) << text.error().message;
  auto cases = Json::parse(*text);
  ASSERT_TRUE(cases.has_value()) << cases.error().message;
  RenderOptions options;
  options.now = kClock;
  auto generation = generation_texts();
  size_t checked = 0, with_tag = 0;
  for (const Json& entry : cases->as_array()) {
    const std::string& name = entry["template"].as_string();
    SCOPED_TRACE(name + ", case " + entry["case"].as_string());
    auto source = read_file(folder + "/" + name, 16u << 20);
    ASSERT_TRUE(source.has_value()) << source.error().message;
    auto compiled = Template::compile(*source);
    Result<std::string> rendered =
        compiled ? compiled->render(entry["context"], options)
                 : Result<std::string>(std::unexpected(compiled.error()));
    ++checked;
    auto tagged = generation.find({name, entry["case"].as_string()});
    if (tagged != generation.end()) {
      ++with_tag;
      ASSERT_TRUE(rendered.has_value()) << rendered.error().message;
      EXPECT_EQ(*rendered, tagged->second);
    } else if (entry.find("error")) {
      EXPECT_FALSE(rendered.has_value()) << "should fail: " << entry["error"].dump();
    } else if (!rendered) {
      ADD_FAILURE() << rendered.error().message;
    } else {
      EXPECT_EQ(*rendered, entry["expected"].as_string());
    }
  }
  EXPECT_GE(checked, 245u);
  EXPECT_EQ(with_tag, generation.size());
}

// A message of 1 MiB, 400 more and a hundred tools.
Json full_context() {
  Json context;
  Json messages, tools;
  auto add = [&](std::string_view role, std::string text) {
    Json message;
    message.set("role", role);
    message.set("content", std::move(text));
    messages.push_back(std::move(message));
  };
  std::string long_text;
  while (long_text.size() < (1u << 20)) long_text += "words and wörds ";
  add("user", long_text);
  for (int i = 0; i < 200; ++i) {
    add("assistant", "<think>hm</think> answer " + std::to_string(i));
    add("user", " question " + std::to_string(i) + "\n");
  }
  for (int i = 0; i < 100; ++i) {
    auto tool = Json::parse(R"({"type": "function", "function": {"name": "f", "description": "d",
        "parameters": {"type": "object", "required": ["a"], "properties": {
            "a": {"type": "string", "description": "what"}, "b": {"type": "integer"}}}}})");
    EXPECT_TRUE(tool.has_value());
    tools.push_back(tool.value_or(Json()));
  }
  context.set("messages", std::move(messages));
  context.set("tools", std::move(tools));
  context.set("bos_token", "<s>");
  context.set("eos_token", "</s>");
  context.set("add_generation_prompt", true);
  return context;
}

// Budgets stop runaways, not long conversations.
TEST(TemplateCases, LongPromptsStayWithinTheBudgets) {
  const std::string folder = std::string(HEARTH_SHARED_DATA) + "/templates";
  if (!std::filesystem::exists(folder)) {
    GTEST_SKIP() << "no " << folder << ": the shared corpus is not here";
  }
  const Json context = full_context();
  size_t rendered = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".jinja") continue;
    SCOPED_TRACE(entry.path().string());
    auto source = read_file(entry.path().string(), 16u << 20);
    ASSERT_TRUE(source.has_value()) << source.error().message;
    auto compiled = Template::compile(*source);
    ASSERT_TRUE(compiled.has_value()) << compiled.error().message;
    auto text = compiled->render(context);
    if (!text) {
      EXPECT_NE(text.error().code, Code::kTooLarge) << text.error().message;
      continue;
    }
    ++rendered;
    EXPECT_GT(text->size(), size_t{1} << 19);
  }
  EXPECT_GE(rendered, 25u);
}

}  // namespace
}  // namespace hearth
