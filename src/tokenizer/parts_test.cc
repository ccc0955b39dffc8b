// The parts on their own: special tokens, patterns, the alphabet, the cutter of words.
#include "tokenizer/byte_level.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/regex.h"
#include "tokenizer/space_cutter.h"
#include "tokenizer/special_tokens.h"
#include "tokenizer/test_support.h"

namespace hearth {
namespace {

std::string show(const SpecialTokens& tokens, std::string_view text, bool control) {
  std::string out;
  for (const auto& part : tokens.split(text, control)) {
    out += part.id < 0 ? "[" : "<" + std::to_string(part.id) + ":";
    out += text.substr(part.begin, part.end - part.begin);
    out += part.id < 0 ? "]" : ">";
  }
  return out;
}

TEST(SpecialTokens, LeftmostThenLongest) {
  SpecialTokens tokens;
  tokens.build({{.text = "<a", .id = 1}, {.text = "<a>", .id = 2}, {.text = "<ab>", .id = 3},
                {.text = "", .id = 4}});
  EXPECT_EQ(show(tokens, "<a><ab<ab>x", true), "<2:<a>><1:<a>[b]<3:<ab>>[x]");
  EXPECT_EQ(show(tokens, "", true), "");
  EXPECT_EQ(show(tokens, "<", true), "[<]");
}

TEST(SpecialTokens, ControlTokensOnlyOnRequest) {
  SpecialTokens tokens;
  tokens.build({{.text = "<s>", .id = 1, .control = true}, {.text = "<s>x", .id = 2}});
  EXPECT_EQ(show(tokens, "<s><s>x", true), "<1:<s>><2:<s>x>");
  EXPECT_EQ(show(tokens, "<s><s>x", false), "[<s>]<2:<s>x>");
}

TEST(SpecialTokens, WhiteSpaceAndWords) {
  SpecialTokens tokens;
  tokens.build({{.text = "<l>", .id = 1, .strip_left = true},
                {.text = "<r>", .id = 2, .strip_right = true},
                {.text = "w", .id = 3, .single_word = true}});
  EXPECT_EQ(show(tokens, "a \u3000<l> b", true), "[a]<1: \u3000<l>>[ b]");
  EXPECT_EQ(show(tokens, "a <r>\n <l>", true), "[a ]<2:<r>\n ><1:<l>>");
  EXPECT_EQ(show(tokens, "w ww w\u00E9 \u00E9w w,", true),
            "<3:w>[ ww w\u00E9 \u00E9w ]<3:w>[,]");
}

TEST(Regex, SpeaksOnigurumasSyntax) {
  RegexScratch scratch;
  const auto ends = [&](std::string_view pattern, std::string_view text) {
    const auto made = Regex::compile(pattern);
    EXPECT_TRUE(made) << made.error().message;
    const auto match = made ? made->search(text, 0, scratch) : std::nullopt;
    return match ? std::pair(match->begin, match->end) : std::pair<size_t, size_t>(99, 99);
  };
  using Ends = std::pair<size_t, size_t>;
  EXPECT_EQ(ends(R"(\s+)", "\u180E\u2003"), Ends(3, 6));  // U+180E is no white space
  EXPECT_EQ(ends(R"([^\s]+)", " \u180E "), Ends(1, 4));
  EXPECT_EQ(ends(R"(\S)", "\u0085a"), Ends(2, 3));
  EXPECT_EQ(ends(R"(\h+)", "xyzBE"), Ends(3, 5));  // hexadecimal digits
  EXPECT_EQ(ends(R"(\p{Han}+)", "a\u4E2D"), Ends(1, 4));
  EXPECT_EQ(ends(R"(\p{Han})", "\u3001"), Ends(99, 99));  // the script, not its extensions
  EXPECT_EQ(ends(R"(a$)", "ba\nc"), Ends(1, 2));
  EXPECT_EQ(ends(R"((?i:'s))", "'\u017F"), Ends(0, 3));
}

TEST(Regex, RefusesWhatItCannotTranslate) {
  for (const char* pattern : {R"([\p{L}&&[^a]])", "[a[bc]]", R"(\Ka)", R"(\pL)", "\\"}) {
    const auto made = Regex::compile(pattern);
    ASSERT_FALSE(made) << pattern;
    EXPECT_EQ(made.error().code, Code::kUnsupported) << pattern;
  }
  EXPECT_EQ(Regex::compile("(").error().code, Code::kCorrupt);
  EXPECT_EQ(Regex::compile(std::string(100000, 'a')).error().code, Code::kTooLarge);
}

TEST(Regex, RunawayPatternsStop) {
  RegexScratch scratch;
  const auto made = Regex::compile("(a+)+$|(?:a|aa)+b");
  ASSERT_TRUE(made);
  EXPECT_FALSE(made->search(std::string(5000, 'a') + "c", 0, scratch));
}

TEST(ByteLevel, AlphabetIsOneToOne) {
  std::string all, written;
  for (int byte = 0; byte < 256; ++byte) {
    EXPECT_EQ(alphabet_to_byte(byte_to_alphabet(static_cast<uint8_t>(byte))), byte);
    all.push_back(static_cast<char>(byte));
  }
  EXPECT_EQ(byte_to_alphabet(' '), U'\u0120');
  EXPECT_EQ(byte_to_alphabet('\n'), U'\u010A');
  EXPECT_EQ(byte_to_alphabet(0xAD), U'\u0143');
  append_byte_level(written, all);
  std::string back;
  EXPECT_TRUE(append_from_byte_level(back, written));
  EXPECT_EQ(back, all);
  EXPECT_FALSE(append_from_byte_level(back, "\u4E2D"));
  EXPECT_EQ(back, all);
}

TEST(ByteLevel, ByteEntries) {
  EXPECT_EQ(byte_of_entry("<0x0A>"), 10);
  EXPECT_EQ(byte_of_entry("<0xff>"), 255);
  for (const char* text : {"", "<0x0A", "<0x0AA>", "<0x-1>", "<0xG0>", "<0x+1>", "<0x1 >"})
    EXPECT_EQ(byte_of_entry(text), -1) << text;
}

TEST(Normalizer, LongRunsOfMarksComeOutInOrder) {
  RegexScratch scratch;
  const auto nfd = Normalizer::from_json(*Json::parse(R"({"type": "NFD"})"));
  const auto nfc = Normalizer::from_json(*Json::parse(R"({"type": "NFC"})"));
  ASSERT_TRUE(nfd && nfc);
  std::string text = "a", acute, dot;
  for (int i = 0; i < 100; ++i) {
    text += "\u0301\u0323\u0344";
    acute += "\u0301\u0308\u0301";
    dot += "\u0323";
  }
  EXPECT_EQ(nfd->run(text, scratch), "a" + dot + acute);
  EXPECT_EQ(nfc->run(text, scratch), "\u1EA1" + dot.substr(2) + acute);
  EXPECT_EQ(nfc->run("e\u0301\xFF" "e\u0301", scratch), "\u00E9\xFF\u00E9");
}

TEST(SpaceCutter, CutsWhereNoEntryJoins) {
  SpaceCutter cutter;
  cutter.build({"\u2581a", "\u2581\u2581", "b\u2581c"});
  const auto first = [&](std::string_view text) {
    return std::string(text.substr(0, cutter.word_end(text, 0)));
  };
  EXPECT_EQ(first("\u2581aa\u2581x"), "\u2581aa");
  EXPECT_EQ(first("\u2581\u2581a\u2581x"), "\u2581\u2581a");
  EXPECT_EQ(first("ab\u2581x\u2581y"), "ab\u2581x");
  EXPECT_EQ(first("a\xFF\u2581x"), "a\xFF\u2581x");
  EXPECT_EQ(first("abc"), "abc");
}

}  // namespace
}  // namespace hearth
