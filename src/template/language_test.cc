// The language and four chat templates against what Python's jinja2 prints, set up as
// transformers does (tools/make_template_fixtures.py writes the fixtures).
#include <gtest/gtest.h>

#include "base/file.h"
#include "template/template.h"

namespace hearth {
namespace {

constexpr int64_t kClock = 1767323045;  // 2026-01-02T03:04:05

Json fixture(const char* name) {
  auto text = read_file(std::string(HEARTH_TEST_DATA) + "/template/" + name, 1u << 20);
  EXPECT_TRUE(text.has_value()) << text.error().message;
  auto json = Json::parse(text.value_or("{}"));
  EXPECT_TRUE(json.has_value()) << json.error().message;
  return json.value_or(Json());
}

void check(const Json& entry, const std::string& source, const Json& context) {
  RenderOptions options;
  options.now = kClock;
  auto compiled = Template::compile(source);
  Result<std::string> rendered =
      compiled ? compiled->render(context, options)
               : Result<std::string>(std::unexpected(compiled.error()));
  if (entry.find("error")) {
    EXPECT_FALSE(rendered.has_value())
        << "should fail with " << entry["error"].dump() << ", printed " << *rendered;
    if (!rendered) {
      EXPECT_TRUE(rendered.error().message.starts_with("line ")) << rendered.error().message;
    }
  } else if (!rendered) {
    ADD_FAILURE() << rendered.error().message;
  } else {
    EXPECT_EQ(*rendered, entry["expected"].as_string());
  }
}

TEST(TemplateLanguage, PrintsWhatPythonPrints) {
  Json data = fixture("language.json");
  const auto& cases = data["cases"].as_array();
  ASSERT_GE(cases.size(), 600u);
  for (const Json& entry : cases) {
    SCOPED_TRACE(entry["template"].as_string());
    check(entry, entry["template"].as_string(), data["context"]);
  }
}

TEST(TemplateLanguage, ChatTemplatesOfFourArchitectures) {
  Json data = fixture("chat.json");
  const auto& cases = data["cases"].as_array();
  ASSERT_EQ(cases.size(), 32u);
  for (const Json& entry : cases) {
    SCOPED_TRACE(entry["template"].as_string() + ": " + entry["conversation"].as_string());
    check(entry, data["templates"][entry["template"].as_string()].as_string(), entry["context"]);
  }
}

}  // namespace
}  // namespace hearth
