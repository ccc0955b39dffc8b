// Go templates that try to run away, and text that is no template: an error, soon, in little
// memory.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <random>

#include "base/file.h"
#include "template/go/go_template.h"

namespace hearth {
namespace {

std::string repeat(std::string_view text, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += text;
  return out;
}

long peak_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

const Json& chat() {
  static const Json json = Json::parse(
      R"({"messages": [{"role": "user", "content": "Hello <b>"}]})").value_or(Json());
  return json;
}

// Behind each of these .Messages is named, so that they are no legacy templates.
std::vector<std::pair<std::string, std::string>> runaways() {
  std::string doubling = "{{ $x := \"aaaaaaaaaaaaaaaa\" }}{{ range 60 }}{{ $x = print $x $x }}"
                         "{{ end }}";
  std::string mixed = "{{ $x := \"\" }}{{ range .Messages }}{{ $x = print \"-\" (slice .Content 0 "
                      "1) }}{{ end }}";
  std::string parts = mixed + "{{ range 17 }}{{ $x = print $x $x }}{{ end }}";
  return {
      {"range", "{{ range 1000000000000 }}{{ end }}"},
      {"range printing", "{{ range 1000000000000 }}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{{ end }}"},
      {"nested ranges", "{{ range 10000000 }}{{ range 10000000 }}{{ end }}{{ end }}"},
      {"self", "{{ define \"a\" }}{{ template \"a\" . }}{{ end }}{{ template \"a\" . }}"},
      {"two selves", "{{ define \"a\" }}{{ template \"b\" . }}{{ end }}{{ define \"b\" }}"
                     "{{ template \"a\" . }}{{ template \"a\" . }}{{ end }}{{ template \"a\" . }}"},
      {"tree", "{{ define \"a\" }}{{ if . }}{{ template \"a\" (slice . 1) }}{{ template \"a\" "
               "(slice . 1) }}{{ end }}{{ end }}{{ template \"a\" \"" + repeat("x", 64) + "\" }}"},
      {"doubling", doubling},
      {"doubling html", doubling + "{{ html $x }}"},
      {"doubling with foreign text", mixed + "{{ range 40 }}{{ $x = print $x $x }}{{ end }}"},
      {"quotes", "{{ $x := \"\\\"\" }}{{ range 30 }}{{ $x = printf \"%q\" $x }}{{ end }}"},
      {"json", "{{ $x := \"<\" }}{{ range 30 }}{{ $x = json $x }}{{ end }}"},
      {"query", "{{ $x := \"%\" }}{{ range 60 }}{{ $x = urlquery $x $x }}{{ end }}"},
      {"widths", "{{ printf \"" + repeat("%1000000d", 300) + "\" " + repeat("1 ", 300) + "}}"},
      {"precisions", "{{ range 1000 }}{{ printf \"%.1000000f\" 0.1 }}{{ end }}"},
      {"hexadecimal", "{{ $x := \"a\" }}{{ range 60 }}{{ $x = printf \"%# x\" $x }}{{ end }}"},
      {"width of a list", "{{ range 1000 }}{{ printf \"%1000000v\" $.Messages }}{{ end }}"},
      {"compare", "{{ $x := \"aaaaaaaaaaaaaaaa\" }}{{ range 18 }}{{ $x = print $x $x }}{{ end }}"
                  "{{ $y := print $x }}{{ range 1000000 }}{{ if eq $x $y }}{{ end }}{{ end }}"},
      {"slices", "{{ $x := \"aaaaaaaaaaaaaaaa\" }}{{ range 18 }}{{ $x = print $x $x }}{{ end }}"
                 "{{ range 1000000 }}{{ $y := slice $x 1 }}{{ end }}"},
      {"index of a text in many parts",
       parts + "{{ range 1000000 }}{{ $y := index $x 100000 }}{{ end }}"},
      {"variables", "{{ range 100000000 }}{{ $x := 1 }}{{ $y := 2 }}{{ end }}"},
  };
}

TEST(GoHostile, RunawaysEndWithAnErrorInLittleMemory) {
  [[maybe_unused]] long before = peak_mib();
  for (const auto& [name, source] : runaways()) {
    SCOPED_TRACE(name);
    auto made = GoTemplate::compile(source + "{{ if .Messages }}{{ end }}");
    ASSERT_TRUE(made.has_value()) << made.error().message;
    auto out = made->render(chat());
    ASSERT_FALSE(out.has_value()) << out->text.size();
    EXPECT_TRUE(out.error().message.starts_with("line ")) << out.error().message;
  }
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LT(peak_mib() - before, 64);
#endif
}

TEST(GoHostile, BudgetsAreTheCallersToo) {
  GoTemplate made = *GoTemplate::compile("{{ range 1000 }}x{{ end }}{{ .Messages | len }}");
  EXPECT_EQ(made.render(chat())->text.size(), 1001u);
  RenderOptions few_steps, few_bytes;
  few_steps.steps_max = 500;
  few_bytes.output_bytes_max = 500;
  EXPECT_EQ(made.render(chat(), few_steps).error().code, Code::kTooLarge);
  EXPECT_EQ(made.render(chat(), few_bytes).error().code, Code::kTooLarge);
}

TEST(GoHostile, ALongChatIsWithinTheBudget) {
  Json::Array messages;
  for (int i = 0; i < 2000; ++i)
    messages.push_back(*Json::parse(i % 2 ? R"({"role": "assistant", "content": "<a> & b"})"
                                          : R"({"role": "user", "content": "long, long ago"})"));
  Json json;
  json.set("messages", std::move(messages));
  auto source = read_file(std::string(HEARTH_TEST_DATA) + "/template/go/printed.gotmpl", 1 << 20);
  auto out = GoTemplate::compile(*source)->render(json);
  ASSERT_TRUE(out.has_value()) << out.error().message;
  EXPECT_GT(out->text.size(), 200'000u);
}

TEST(GoHostile, ManyMessagesOfOneRoleAreJoinedOnce) {
  Json::Array messages;
  const Json one = *Json::parse(R"({"role": "system", "content": "0123456789012345678901234"})");
  for (int i = 0; i < 20'000; ++i) messages.push_back(one);
  Json json;
  json.set("messages", std::move(messages));
  auto out = GoTemplate::compile("{{ .System }}{{ .Messages | len }}")->render(json);
  ASSERT_TRUE(out.has_value()) << out.error().message;
  EXPECT_EQ(out->text.size(), 20'000u * 27 - 2 + 1);
  EXPECT_EQ(out->foreign.size(), 20'000u);
}

TEST(GoHostile, DeepSourcesAreRefused) {
  for (const auto& [open, close] : std::vector<std::pair<std::string, std::string>>{
           {"{{ if 1 }}", "{{ end }}"}, {"{{ range . }}", "{{ end }}"},
           {"{{ if 1 }}{{ else if 1 }}", "{{ end }}"}, {"{{ block \"a\" . }}", "{{ end }}"}}) {
    auto made = GoTemplate::compile(repeat(open, 100'000) + repeat(close, 100'000));
    ASSERT_FALSE(made.has_value());
  }
  EXPECT_FALSE(GoTemplate::compile("{{ " + repeat("(", 100'000)).has_value());
  EXPECT_FALSE(GoTemplate::compile("{{ if 1 }}" + repeat("{{ else if 1 }}", 100'000)).has_value());
  for (const std::string& source : {repeat("{{ if 1 }}", 300) + repeat("{{ end }}", 300),
                                    "{{ " + repeat("(", 300) + "1" + repeat(")", 300) + " }}"})
    EXPECT_TRUE(GoTemplate::compile(source).has_value());
}

TEST(GoHostile, HugeSourcesAreRefused) {
  EXPECT_EQ(GoTemplate::compile(repeat("{{.}}", 200'000)).error().code, Code::kTooLarge);
  EXPECT_EQ(GoTemplate::compile(repeat("text ", 2'000'000)).error().code, Code::kTooLarge);
  EXPECT_TRUE(GoTemplate::compile(repeat("text ", 100'000)).has_value());
}

TEST(GoHostile, RandomBytesNeverCrash) {
  static constexpr std::string_view kPieces[] = {
      "{{", "}}", "{{-", "-}}", " ", ".", "$", "$x", ":=", "=", "|", "(", ")", "\"", "`", "'",
      "if", "end", "range", "else", "with", "define", "template", "block", "break", "/*", "*/",
      ".Messages", ".Role", "printf", "%", "%v", "len", "index", "1", "0x", "\xff", "\n", "nil"};
  std::mt19937 random(7);
  size_t compiled = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string source;
    for (int j = static_cast<int>(random() % 24); j >= 0; --j)
      source += kPieces[random() % std::size(kPieces)];
    auto made = GoTemplate::compile(source);
    if (!made) continue;
    ++compiled;
    auto out = made->render(chat());
    EXPECT_TRUE(out.has_value() || !out.error().message.empty());
  }
  EXPECT_GT(compiled, 100u);
}

}  // namespace
}  // namespace hearth
