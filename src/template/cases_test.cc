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

}  // namespace
}  // namespace hearth
