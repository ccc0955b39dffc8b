// The face of the library: compiled once, rendered by many, with a clock from outside.
#include "template/template.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace hearth {
namespace {

const char* const kSource =
    "{% macro turn(m) %}<{{ m.role }}>{{ m.content | trim }}{% endmacro %}"
    "{% for m in messages %}{{ turn(m) }}{{ 'é' * 3 }}{% endfor %}{{ messages | tojson }}";

Json conversation(int messages) {
  Json context;
  for (int i = 0; i < messages; ++i) {
    Json message;
    message.set("role", i % 2 ? "assistant" : "user");
    message.set("content", " text " + std::to_string(i) + " \n");
    Json list = context["messages"];
    list.push_back(std::move(message));
    context.set("messages", std::move(list));
  }
  return context;
}

TEST(Template, ErrorsNameLineAndColumn) {
  auto failed = Template::compile("é\n  {{ 1 + }}");
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code, Code::kCorrupt);
  EXPECT_TRUE(failed.error().message.starts_with("line 2, column 10: ")) << failed.error().message;

  auto compiled = Template::compile("a\n{% for x in [1] %}\nüü {{ missing.name }}{% endfor %}");
  ASSERT_TRUE(compiled.has_value());
  auto rendered = compiled->render(Json(Json::Object{}));
  ASSERT_FALSE(rendered.has_value());
  EXPECT_EQ(rendered.error().code, Code::kInvalid);
  EXPECT_EQ(rendered.error().message, "line 3, column 14: 'missing' is undefined");

  auto raises = Template::compile("{{ raise_exception('roles must alternate') }}");
  EXPECT_EQ(raises->render(Json(Json::Object{})).error().message,
            "line 1, column 19: roles must alternate");
}

TEST(Template, ContextShadowsGlobalsAndKeepsOrder) {
  auto compiled = Template::compile("{{ range }}{{ d | tojson }}");
  auto context = Json::parse(R"({"range": 5, "d": {"z": 1, "a": 2, "z": 3}})");
  EXPECT_EQ(compiled->render(*context).value(), R"(5{"z": 3, "a": 2})");
}

TEST(Template, TheClockIsThatOfTheOptions) {
  auto compiled = Template::compile("{{ strftime_now('%d %b %Y %H:%M:%S') }}");
  RenderOptions options;
  options.now = 0;
  EXPECT_EQ(compiled->render(Json(Json::Object{}), options).value(), "01 Jan 1970 00:00:00");
  options.now = 951827696;
  EXPECT_EQ(compiled->render(Json(Json::Object{}), options).value(), "29 Feb 2000 12:34:56");
  EXPECT_TRUE(compiled->render(Json(Json::Object{})).value() > "0");
}

TEST(Template, ManyThreadsRenderOneProgram) {
  auto compiled = Template::compile(kSource);
  ASSERT_TRUE(compiled.has_value());
  Json context = conversation(20);
  const std::string expected = compiled->render(context).value();
  std::vector<std::string> texts(4);
  std::vector<std::thread> threads;
  for (std::string& text : texts) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) text = compiled->render(context).value_or("failed");
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& text : texts) EXPECT_EQ(text, expected);
}

// Budgets grow with the context: an honest template of quadratic work on a long conversation.
TEST(Template, LongConversationsHaveTheStepsTheyNeed) {
  auto compiled = Template::compile(
      "{% for m in messages %}{% set ns = namespace(n=0) %}{% for o in messages %}"
      "{% if o.role == 'user' %}{% set ns.n = ns.n + 1 %}{% endif %}{% endfor %}{{ ns.n }} "
      "{% endfor %}");
  auto rendered = compiled->render(conversation(500));
  ASSERT_TRUE(rendered.has_value()) << rendered.error().message;
  EXPECT_TRUE(rendered->ends_with("250 "));
}

}  // namespace
}  // namespace hearth
