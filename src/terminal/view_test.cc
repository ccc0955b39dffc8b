#include "terminal/view.h"

#include <gtest/gtest.h>

#include "terminal/width.h"

namespace hearth::terminal {
namespace {

View view_of(std::string_view text, size_t cursor, int columns, int rows = 100) {
  return layout(text, cursor, {.prompt = ">>> ", .continuation = "... ", .columns = columns,
                               .rows_max = rows});
}

TEST(Layout, BreaksRowsItself) {
  const View view = view_of("abcdefgh", 8, 10);
  EXPECT_EQ(view.rows, (std::vector<std::string>{">>> abcdef", "gh"}));
  EXPECT_EQ(view.cursor_row, 1u);
  EXPECT_EQ(view.cursor_column, 2);
}

TEST(Layout, AFullRowLeavesTheCursorOnTheNext) {
  const View view = view_of("abcdef", 6, 10);
  EXPECT_EQ(view.rows.size(), 2u);
  EXPECT_EQ(view.cursor_row, 1u);
  EXPECT_EQ(view.cursor_column, 0);
}

TEST(Layout, WideCharactersDoNotStraddleTheMargin) {
  const View view = view_of("漢字漢字", 0, 9);
  EXPECT_EQ(view.rows, (std::vector<std::string>{">>> 漢字", "漢字"}));
  for (int columns = 8; columns < 40; ++columns)
    for (const std::string& row : view_of("a漢b字c漢d字e\U0001F600f漢", 3, columns).rows)
      EXPECT_LE(width_of(row), columns);
}

TEST(Layout, FurtherLinesHaveTheirOwnPrompt) {
  const View view = view_of("one\ntwo", 5, 20);
  EXPECT_EQ(view.rows, (std::vector<std::string>{">>> one", "... two"}));
  EXPECT_EQ(view.cursor_row, 1u);
  EXPECT_EQ(view.cursor_column, 5);
}

TEST(Layout, ALongTextIsAWindowAroundTheCursor) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += std::to_string(i) + "\n";
  for (size_t cursor : {size_t{0}, text.size() / 2, text.size()}) {
    const View view = view_of(text, cursor, 20, 5);
    EXPECT_EQ(view.rows.size(), 5u);
    EXPECT_LT(view.cursor_row, 5u);
  }
}

TEST(Layout, PastesAreShownAsWhatTheyAre) {
  const View view = layout("a\U000F0000b", 1, {.prompt = "", .continuation = "", .columns = 80,
      .rows_max = 5, .shown_as = [](std::string_view cluster) {
        return cluster == "\U000F0000" ? std::string("[paste]") : std::string();
      }});
  EXPECT_EQ(view.rows, (std::vector<std::string>{"a[paste]b"}));
}

}  // namespace
}  // namespace hearth::terminal
