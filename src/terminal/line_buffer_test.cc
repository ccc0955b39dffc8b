#include "terminal/line_buffer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/file.h"
#include "terminal/history.h"
#include "terminal/width.h"

namespace hearth::terminal {
namespace {

// The text with a bar where the cursor is.
std::string shown(const LineBuffer& line) {
  return line.text().substr(0, line.cursor()) + "|" + line.text().substr(line.cursor());
}

TEST(LineBuffer, MovesByWhatReadersTakeForCharacters) {
  LineBuffer line;
  line.set("ae\u0301\U0001F469\u200D\U0001F4BB\U0001F1E9\U0001F1EA漢");
  std::vector<size_t> stops;
  for (int i = 0; i < 6; ++i) {
    stops.push_back(line.cursor());
    line.left();
  }
  EXPECT_EQ(line.cursor(), 0u);
  EXPECT_EQ(stops, (std::vector<size_t>{26, 23, 15, 4, 1, 0}));
  line.right();
  line.delete_right();
  EXPECT_EQ(shown(line), "a|\U0001F469\u200D\U0001F4BB\U0001F1E9\U0001F1EA漢");
}

TEST(LineBuffer, EditsWordsAndLines) {
  LineBuffer line;
  line.set("one two_2, drei");
  line.word_left();
  EXPECT_EQ(shown(line), "one two_2, |drei");
  line.delete_word_left();
  EXPECT_EQ(shown(line), "one |drei");
  line.line_end();
  line.yank();
  EXPECT_EQ(shown(line), "one dreitwo_2, |");
  line.line_start();
  line.word_right();
  EXPECT_EQ(shown(line), "one| dreitwo_2, ");
  line.delete_to_line_end();
  EXPECT_EQ(shown(line), "one|");
  line.delete_to_line_start();
  EXPECT_EQ(shown(line), "|");
  line.set("ab");
  line.transpose();
  EXPECT_EQ(shown(line), "ba|");
}

TEST(LineBuffer, SeveralLines) {
  LineBuffer line;
  line.set("first line\n漢字\nthird");
  EXPECT_FALSE(line.down());
  EXPECT_TRUE(line.up());
  EXPECT_EQ(shown(line), "first line\n漢字|\nthird");
  EXPECT_TRUE(line.up());
  EXPECT_EQ(shown(line), "firs|t line\n漢字\nthird");
  EXPECT_FALSE(line.up());
  line.line_end();
  line.delete_to_line_end();
  EXPECT_EQ(shown(line), "first line|漢字\nthird");
}

TEST(LineBuffer, AnAccentJoinsTheLetterBeforeIt) {
  LineBuffer line;
  line.insert("e");
  line.insert("\u0301");
  EXPECT_EQ(line.cursor(), 3u);
  line.delete_left();
  EXPECT_TRUE(line.empty());
}

TEST(Width, OfWhatTerminalsShow) {
  EXPECT_EQ(width_of("abc"), 3);
  EXPECT_EQ(width_of("漢字かな"), 8);
  EXPECT_EQ(width_of("e\u0301"), 1);
  EXPECT_EQ(width_of("\U0001F469\u200D\U0001F4BB"), 2);
  EXPECT_EQ(width_of("\U0001F1E9\U0001F1EA"), 2);
  EXPECT_EQ(width_of("\u2764\uFE0F"), 2);
  EXPECT_EQ(width_of("ｱ"), 1);
  EXPECT_EQ(width_of("\x1b\n"), 0);
}

TEST(History, StaysAcrossSessionsAndForgetsTheOldest) {
  const auto folder = std::filesystem::temp_directory_path() /
                      ("hearth_history_" + std::to_string(getpid()));
  const auto path = folder / "history";
  {
    History history(path);
    history.add("one");
    history.add("one");
    history.add("two\nlines \"x\"");
    history.add(std::string(History::kEntryBytesMax + 1, 'x'));
    history.keep(false);
    history.add("secret");
    EXPECT_EQ(history.size(), 3u);
  }
  History again(path);
  ASSERT_EQ(again.size(), 2u);
  EXPECT_EQ(again.at(1), "two\nlines \"x\"");
  const auto mode = std::filesystem::status(path).permissions();
  EXPECT_EQ(mode & std::filesystem::perms::all,
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  for (int i = 0; i < 1200; ++i) again.add("entry " + std::to_string(i));
  ASSERT_TRUE(write_file_atomic(path, *read_file(path, 1u << 20) + "no json\n"));
  History cut(path);
  EXPECT_EQ(cut.size(), History::kEntriesMax);
  EXPECT_EQ(cut.at(cut.size() - 1), "entry 1199");
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace hearth::terminal
