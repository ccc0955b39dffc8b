#include "terminal/markdown.h"

#include <gtest/gtest.h>

#include <random>

#include "base/utf8.h"
#include "terminal/width.h"

namespace hearth::terminal {
namespace {

std::string plain(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\x1b') out += text[i];
    else while (i < text.size() && text[i] != 'm') ++i;
  }
  return out;
}

std::string printed(std::string_view text, int columns = 80) {
  MarkdownPrinter printer([columns] { return columns; });
  std::string out = printer.push(text);
  return out + printer.finish();
}

TEST(Markdown, WordsAreShownAndMarksAreNot) {
  EXPECT_EQ(printed("a **bold** b"), "a \x1b[0m\x1b[1mbold\x1b[0m b");
  EXPECT_EQ(plain(printed("*it* `co_de_` ***both*** \\*no\\*")), "it co_de_ both *no*");
  EXPECT_EQ(plain(printed("snake_case_name 2 * 3 * 4 a_ b")), "snake_case_name 2 * 3 * 4 a_ b");
  EXPECT_EQ(plain(printed("## Title\ntext\n")), "Title\ntext\n");
  EXPECT_EQ(plain(printed("- one\n  - two\n1. three\n> four\n---\n")),
            "• one\n  • two\n1. three\n│ four\n────────────────\n");
  EXPECT_EQ(plain(printed("#hashtag and -5 and 1.5\n")), "#hashtag and -5 and 1.5\n");
}

TEST(Markdown, CodeStaysAsItIs) {
  EXPECT_EQ(plain(printed("```python\nx = a * b * c  # **no**\n  `y`\n```\nafter\n")),
            "── python\nx = a * b * c  # **no**\n  `y`\n──\nafter\n");
  EXPECT_EQ(plain(printed("~~~\n```\n~~~\n")), "── code\n```\n──\n");
}

TEST(Markdown, TablesStandInColumns) {
  const std::string table = "| Name | Size |\n|:--|--:|\n| a | 10 |\n| **long name** | 漢字 |\nend";
  EXPECT_EQ(plain(printed(table)), "Name      │ Size\n"
                                   "──────────┼─────\n"
                                   "a         │ 10\n"
                                   "long name │ 漢字\n"
                                   "end");
  EXPECT_EQ(plain(printed("| no table |\nx")), "| no table |\nx");
}

TEST(Markdown, ANarrowTableFits) {
  const std::string table = "| Command | What it does for you |\n|---|---|\n"
                            "| `run` | asks a model a question or opens a chat with it |\n";
  const std::string out = plain(printed(table, 40));
  for (size_t at = 0; at < out.size();) {
    const size_t end = out.find('\n', at);
    EXPECT_LE(width_of(out.substr(at, end - at)), 40);
    at = end + 1;
  }
  EXPECT_NE(out.find("asks a model"), std::string::npos);
}

TEST(Markdown, LinesBreakBetweenWords) {
  EXPECT_EQ(printed("one two three four", 9), "one two\nthree\nfour");
  EXPECT_EQ(plain(printed("- one two three", 9)), "• one two\n  three");
  EXPECT_EQ(printed("漢字漢字漢字", 8), "漢字漢字\n漢字");
  EXPECT_EQ(printed("abcdefghijkl", 8), "abcdefgh\nijkl");
}

std::string random_markdown(std::mt19937& random) {
  const std::vector<std::string> parts = {
      "word", " ", "**", "*", "_", "`", "```", "```py\n", "\n", "\n\n", "# ", "- ", "1. ", "| ",
      "|---|", "\n|", "> ", "---\n", "漢字", "\\", "e\u0301", "    ", "~~~\n", "x = 1", "12", "\n- "};
  std::string text;
  for (int i = 0; i < 25; ++i) text += parts[random() % parts.size()];
  return text;
}

// However the text is cut, the same is shown, and nothing of its words is lost.
TEST(Markdown, AStreamIsShownLikeTheWhole) {
  std::mt19937 random(3);
  for (int round = 0; round < 3000; ++round) {
    const std::string text = random_markdown(random);
    MarkdownPrinter printer([] { return 30; });
    std::string out;
    for (size_t at = 0; at < text.size();) {
      size_t end = at;
      for (size_t n = 1 + random() % 4; n > 0 && end < text.size(); --n)
        end += decode_utf8(text, end).bytes;
      out += printer.push(std::string_view(text).substr(at, end - at));
      at = end;
    }
    out += printer.finish();
    ASSERT_EQ(out, printed(text, 30)) << testing::PrintToString(text);
    const auto letters = [](std::string_view s) { return std::count(s.begin(), s.end(), 'w'); };
    ASSERT_EQ(letters(plain(out)), letters(text)) << testing::PrintToString(text);
  }
}

}  // namespace
}  // namespace hearth::terminal
