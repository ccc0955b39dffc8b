// Real chat templates with their contexts against what the reference renderer printed.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "base/file.h"
#include "template/template.h"

namespace hearth {
namespace {

constexpr int64_t kClock = 1767323045;  // 2026-01-02T03:04:05

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
  size_t checked = 0;
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
    if (entry.find("error")) {
      EXPECT_FALSE(rendered.has_value()) << "should fail: " << entry["error"].dump();
    } else if (!rendered) {
      ADD_FAILURE() << rendered.error().message;
    } else {
      EXPECT_EQ(*rendered, entry["expected"].as_string());
    }
  }
  EXPECT_GE(checked, 245u);
}

}  // namespace
}  // namespace hearth
