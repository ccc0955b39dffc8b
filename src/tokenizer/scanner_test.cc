// The scanners by hand against PCRE2's patterns.
#include "tokenizer/scanner.h"

#include <unicode/uchar.h>

#include "base/utf8.h"
#include "tokenizer/digit_groups.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/test_support.h"

namespace hearth {
namespace {

using namespace test;

PreTokenizer make(const std::vector<std::string_view>& patterns, bool scanners) {
  PreTokenizer made;
  for (const std::string_view pattern : patterns)
    EXPECT_TRUE(made.add_split(std::string(pattern), SplitBehavior::kIsolated, false));
  const auto done = made.finish(scanners);
  EXPECT_TRUE(done) << done.error().message;
  return made;
}

std::vector<std::string> words(const PreTokenizer& pre, std::string_view text) {
  static RegexScratch scratch;
  std::vector<std::string> out;
  pre.run(text, true, scratch, [&](std::string_view word) { out.emplace_back(word); });
  return out;
}

const std::vector<std::vector<std::string_view>>& lists() {
  static const std::vector<std::vector<std::string_view>> all = {
      {patterns::kGpt2},   {patterns::kNumber, patterns::kGpt2}, {patterns::kLlama3},
      {patterns::kQwen2},  {patterns::kQwen35},
  };
  return all;
}

TEST(Scanner, EveryListHasOne) {
  for (const auto& list : lists()) EXPECT_NE(find_scanner(list), nullptr) << list[0];
  EXPECT_EQ(find_scanner(std::vector<std::string_view>{patterns::kNumber}), nullptr);
}

TEST(Scanner, RandomTextEqualsThePattern) {
  std::mt19937 random(11);
  for (const auto& list : lists()) {
    const PreTokenizer scanner = make(list, true), pattern = make(list, false);
    for (int i = 0; i < 20000; ++i) {
      const std::string text = random_text(random, 1 + static_cast<int>(random() % 14));
      ASSERT_EQ(words(scanner, text), words(pattern, text)) << list[0] << "\n" << text;
    }
  }
}

// Each character alone, between letters and after a space. Characters younger than the Unicode of
// the oldest PCRE2 that we build with (10.42 knows Unicode 14) are left out.
TEST(Scanner, EveryCharacterEqualsThePattern) {
  for (const auto& list : lists()) {
    const PreTokenizer scanner = make(list, true), pattern = make(list, false);
    for (char32_t code = 0; code < 0x30000; ++code) {
      if (code >= 0xD800 && code < 0xE000) continue;
      UVersionInfo age;
      u_charAge(static_cast<UChar32>(code), age);
      if (age[0] > 14) continue;
      std::string c;
      append_utf8(c, code);
      const std::string text = c + "a" + c + c + " " + c + "1\n" + c + " ";
      ASSERT_EQ(words(scanner, text), words(pattern, text)) << list[0] << " U+" << std::hex
                                                            << static_cast<uint32_t>(code);
    }
  }
}

// Against the patterns themselves, on runs short enough for them.
TEST(DigitGroups, EqualThePatterns) {
  std::mt19937 random(23);
  const std::vector<std::string> parts = {"1", "23", "456", "\u0663", "\uFF15", "\u00bd", "\u00b2",
                                          "a", "_", " ", ",", ".", "\u0301", "é", "\u4e00"};
  for (const std::string_view pattern :
       {patterns::kGroupCuts, patterns::kGroupsOfWords, patterns::kGroupsIsolated}) {
    const PreTokenizer scanner = make({pattern}, true), oracle = make({pattern}, false);
    for (int i = 0; i < 20000; ++i) {
      std::string text;
      for (size_t n = random() % 12; n > 0; --n)
        text += parts[random() % 3 == 0 ? random() % parts.size() : random() % 3];
      ASSERT_EQ(words(scanner, text), words(oracle, text)) << pattern << " on " << text;
    }
  }
}

TEST(PreTokenizer, EveryRowCompilesAndLosesNothing) {
  std::mt19937 random(5);
  for (const PreTokenizerRow* row : pre_tokenizer_rows()) {
    if (row->words_only) continue;
    const PreTokenizer pre = make(row->patterns, true);
    for (int i = 0; i < 300; ++i) {
      const std::string text = random_text(random, 12) + random_bytes(random, random() % 4);
      std::string joined;
      for (const std::string& word : words(pre, text)) joined += word;
      ASSERT_EQ(joined, text) << row->names;
    }
  }
}

TEST(PreTokenizer, FindsRowsByAnyOfTheirNames) {
  for (const char* name : {"default", "gpt-2", "llama-bpe", "llama3", "qwen2", "smollm",
                           "deepseek-llm", "deepseek-coder", "deepseek-v3", "starcoder", "refact",
                           "command-r", "mpt", "olmo", "dbrx", "tekken", "gpt-4o", "falcon"})
    EXPECT_NE(find_pre_tokenizer(name), nullptr) << name;
  for (const char* name : {"", " ", "gpt", "mpt olmo", "llama"})
    EXPECT_EQ(find_pre_tokenizer(name), nullptr) << name;
}

}  // namespace
}  // namespace hearth
