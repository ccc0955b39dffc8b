// The language alone: programs over small data against what Go's text/template printed.
#include <gtest/gtest.h>

#include "base/file.h"
#include "template/go/plain_run.h"

namespace hearth::gotmpl {
namespace {

Json test_data(std::string_view name) {
  std::string path = std::string(HEARTH_TEST_DATA) + "/template/go/" + std::string(name);
  auto json = Json::parse(read_file(path, 4u << 20).value_or(""));
  EXPECT_TRUE(json.has_value()) << path;
  return json.value_or(Json());
}

TEST(GoLanguage, EveryProgramPrintsWhatGoPrints) {
  Json data = test_data("language.json")["data"], expected = test_data("expected.json");
  const Json::Array& rows = expected["language"].as_array();
  ASSERT_GE(rows.size(), 200u);
  size_t texts = 0, refused = 0;
  for (const Json& row : rows) {
    const Json::Array& cells = row.as_array();
    const std::string& source = cells[0].as_string();
    SCOPED_TRACE(source);
    auto program = parse_program(source);
    EXPECT_EQ(program.has_value(), !cells[3].as_bool())
        << (program ? "" : program.error().message);
    if (!program) {
      EXPECT_TRUE(program.error().message.starts_with("line ")) << program.error().message;
      ++refused;
      continue;
    }
    auto out = run_plain(*program, data[cells[1].as_string()]);
    EXPECT_EQ(out.has_value(), cells[2].is_string()) << (out ? out->text : out.error().message);
    if (!out) {
      EXPECT_TRUE(out.error().message.starts_with("line ")) << out.error().message;
    } else if (cells[2].is_string()) {
      EXPECT_EQ(out->text, cells[2].as_string());
      ++texts;
    }
  }
  EXPECT_GE(texts, 80u);
  EXPECT_GE(refused, 50u);
}

// The bytes of a text that are foreign, between brackets.
std::string marked(const Rendered& text) {
  std::string out;
  size_t at = 0;
  for (const TextRange& range : text.foreign) {
    out += text.text.substr(at, range.begin - at) + "[";
    out += text.text.substr(range.begin, range.end - range.begin) + "]";
    at = range.end;
  }
  return out + text.text.substr(at);
}

TEST(GoLanguage, ForeignBytesAreKnownThroughEveryFunction) {
  Json data = *Json::parse(R"({"s": "a<b", "n": 2.5, "m": {"k": "v"}, "l": ["x", "y"]})");
  const std::pair<std::string_view, std::string_view> kCases[] = {
      {"<{{ .s }}>{{ len .s }}", "<[a<b]>3"},
      {"{{ printf \"%s-%5s|%q\" .s .s .s }}", "[a<b]-  [a<b]|\"[a<b]\""},
      {"{{ .s | html | printf \"(%s)\" }}", "([a&lt;b])"},
      {"{{ print \"a\" .s \"b\" }}{{ slice (print \"ab\" .s) 1 4 }}", "a[a<b]bb[a<]"},
      {"{{ json .m }}{{ .m }}{{ .n }}{{ json .n }}", "{\"[k]\":\"[v]\"}map[[k]:[v]][2.52.5]"},
      {"{{ js .s }}{{ urlquery .s }}{{ printf \"%x %X\" .s .n }}",
       "[a\\u003Cba%3Cb613c62] [0X1.4P+01]"},
      {"{{ index .s 0 }}{{ printf \"%c\" (index .s 1) }}", "[97<]"},
      {"{{ range $k, $v := .m }}{{ $k }}={{ $v }}{{ end }}{{ range .l }}<{{ . }}>{{ end }}",
       "[k]=[v]<[x]><[y]>"},
      {"{{ $x := .s }}{{ $x = print $x \"!\" }}{{ $x }}{{ eq .s \"a<b\" }}", "[a<b]!true"},
      {"{{ .l }}{{ printf \"%v|%+q\" .l .l }}", "[[x] [y]][[x] [y]]|[\"[x]\" \"[y]\"]"},
      {"{{ or .s \"z\" }}{{ and 1 .s }}{{ printf .s }}{{ .missing }}", "[a<ba<ba<b]<no value>"},
      {"{{ printf \"%.2s|%6.2f|%d\" .s .n .s }}", "[a<]|[  2.50]|%!d(string=[a<b])"},
  };
  for (const auto& [source, wanted] : kCases) {
    SCOPED_TRACE(source);
    auto program = parse_program(source);
    ASSERT_TRUE(program.has_value()) << program.error().message;
    auto out = run_plain(*program, data);
    ASSERT_TRUE(out.has_value()) << out.error().message;
    EXPECT_EQ(marked(*out), wanted);
  }
}

TEST(GoLanguage, ErrorsNamePlaceAndCause) {
  const std::pair<std::string_view, std::string_view> kCases[] = {
      {"a\nb {{ .x }", "line 2, column 9: "},
      {"{{ if true }}", "line 1, column 14: unexpected end of the template"},
      {"\n{{ nope }}", "line 2, column 4: function \"nope\" not defined"},
      {"{{ $x }}", "line 1, column 4: undefined variable \"$x\""},
      {"x {{ end }}", "line 1, column 3: unexpected {{end}}"},
      {"{{ 2i }}", "line 1, column 4: the imaginary number 2i is not supported"},
      {"{{ index .l 7 }}", "line 1, column 4: error calling index: index out of range: 7"},
      {"\n\n {{ .s.t }}", "line 3, column 5: can't evaluate field t in type string"},
      {"{{ lt 1 .s }}", "line 1, column 4: error calling lt: incompatible types for comparison"},
  };
  Json data = *Json::parse(R"({"s": "a", "l": []})");
  for (const auto& [source, wanted] : kCases) {
    SCOPED_TRACE(source);
    auto program = parse_program(source);
    auto out = program ? run_plain(*program, data)
                       : Result<Rendered>(std::unexpected(program.error()));
    ASSERT_FALSE(out.has_value()) << out->text;
    EXPECT_TRUE(out.error().message.starts_with(wanted)) << out.error().message;
  }
}

}  // namespace
}  // namespace hearth::gotmpl
