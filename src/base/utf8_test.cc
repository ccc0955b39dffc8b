#include "base/utf8.h"

#include <gtest/gtest.h>

namespace hearth {
namespace {

using namespace std::string_literals;

TEST(Utf8, EveryCodePointSurvives) {
  for (char32_t code = 0; code <= 0x10FFFF; ++code) {
    if (code >= 0xD800 && code < 0xE000) continue;
    std::string text;
    append_utf8(text, code);
    Decoded d = decode_utf8(text, 0);
    ASSERT_TRUE(d.valid) << static_cast<uint32_t>(code);
    ASSERT_EQ(d.code, code);
    ASSERT_EQ(d.bytes, text.size());
    ASSERT_TRUE(is_valid_utf8(text));
    for (size_t cut = 1; cut < text.size(); ++cut)
      ASSERT_EQ(incomplete_utf8_tail(std::string_view(text).substr(0, cut)), cut);
  }
}

TEST(Utf8, NoSurrogatesNothingAboveTheEnd) {
  for (char32_t code : {0xD800u, 0xDFFFu, 0x110000u, 0xFFFFFFFFu}) {
    std::string text;
    append_utf8(text, code);
    EXPECT_EQ(text, "\xEF\xBF\xBD");
  }
}

// Each row: bytes, and what Python's bytes.decode("utf-8", "replace") makes of them ('?' stands
// for U+FFFD).
struct Row {
  std::string bytes, python;
};

const Row kRows[] = {
    {"", ""},
    {"abc", "abc"},
    {"\x80", "?"},
    {"\xC0\x80", "??"},
    {"\xC1\xBF", "??"},
    {"\xE0\x80\x80", "???"},
    {"\xE0\x9F\xBF", "???"},
    {"\xED\xA0\x80", "???"},
    {"\xF0\x80\x80\x80", "????"},
    {"\xF0\x8F\xBF\xBF", "????"},
    {"\xF4\x90\x80\x80", "????"},
    {"\xF5\x80\x80\x80", "????"},
    {"\xFF\xFE", "??"},
    {"\xE2\x82", "?"},
    {"\xE2\x82x", "?x"},
    {"\xF0\x9F\x98", "?"},
    {"\xF0\x9F\x98 \xF0\x9F", "? ?"},
    {"a\xF1\x80\x80\xE1\x80\xC2z", "a???z"},
    {"\xC2\xC2\xA9", "?\xC2\xA9"},
    {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF" "A", "????A"},
};

std::string marked(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    Decoded d = decode_utf8(text, i);
    if (d.code == kReplacement)
      out += '?';
    else
      append_utf8(out, d.code);
    i += d.bytes;
  }
  return out;
}

TEST(Utf8, InvalidBytesAsPythonReplacesThem) {
  for (const Row& row : kRows) {
    EXPECT_EQ(marked(row.bytes), row.python) << testing::PrintToString(row.bytes);
    EXPECT_EQ(marked(replace_invalid_utf8(row.bytes)), row.python);
    EXPECT_EQ(is_valid_utf8(row.bytes), row.python.find('?') == std::string::npos);
    EXPECT_EQ(to_code_points(row.bytes).size(), to_code_points(row.python).size());
  }
}

// However a text is cut into pieces, the stream gives whole characters and the same whole.
TEST(Utf8Stream, AnyCutGivesTheSameText) {
  std::string text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xE2\x82\xFF\xF0\x9Fz\xE2\x82"s;
  for (size_t first = 0; first <= text.size(); ++first)
    for (size_t second = first; second <= text.size(); ++second) {
      Utf8Stream stream;
      std::string out;
      for (std::string piece : {text.substr(0, first), text.substr(first, second - first),
                                text.substr(second)}) {
        std::string got = stream.push(piece);
        ASSERT_TRUE(is_valid_utf8(got));
        out += got;
      }
      out += stream.finish();
      ASSERT_EQ(out, replace_invalid_utf8(text)) << first << " " << second;
    }
}

TEST(Utf8Stream, WaitsForTheRest) {
  Utf8Stream stream;
  EXPECT_EQ(stream.push("x\xF0\x9F"), "x");
  EXPECT_EQ(stream.push("\x98"), "");
  EXPECT_EQ(stream.push("\x80y"), "\xF0\x9F\x98\x80y");
  EXPECT_EQ(stream.finish(), "");
}

}  // namespace
}  // namespace hearth
