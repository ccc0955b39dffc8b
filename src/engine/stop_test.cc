// Stop strings, against looking for them in the whole text.
#include "engine/stop.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace hearth {
namespace {

std::string all_of(StopFilter& filter, const std::vector<std::string>& pieces) {
  std::string out;
  for (const std::string& piece : pieces) {
    out += filter.push(piece);
    if (filter.stopped()) return out;
  }
  return out + filter.finish();
}

TEST(StopFilter, FindsStopsThatSpanPieces) {
  std::vector<std::string> stops = {"STOP", "\n\n"};
  StopFilter a(stops);
  EXPECT_EQ(all_of(a, {"one S", "T", "OP two"}), "one ");
  EXPECT_TRUE(a.stopped());
  EXPECT_EQ(a.match(), "STOP");
  StopFilter b(stops);
  EXPECT_EQ(all_of(b, {"one ST", "AR\n", "x\n"}), "one STAR\nx\n");
  EXPECT_FALSE(b.stopped());
}

TEST(StopFilter, EmitsWhatCannotBeAStopAtOnce) {
  std::vector<std::string> stops = {"abc"};
  StopFilter f(stops);
  EXPECT_EQ(f.push("xya"), "xy");
  EXPECT_EQ(f.push("b"), "");
  EXPECT_EQ(f.push("abc"), "ab");
  EXPECT_TRUE(f.stopped());
}

TEST(StopFilter, TheLongestOfThoseThatEndTogether) {
  std::vector<std::string> stops = {"b", "ab", ""};
  StopFilter f(stops);
  EXPECT_EQ(f.push("xab"), "x");
  EXPECT_EQ(f.match(), "ab");
}

// Where the text must end: at the first byte that completes a string.
std::string expected(const std::string& text, const std::vector<std::string>& stops) {
  for (size_t end = 1; end <= text.size(); ++end) {
    size_t longest = 0;
    for (const std::string& stop : stops)
      if (!stop.empty() && std::string_view(text).substr(0, end).ends_with(stop))
        longest = std::max(longest, stop.size());
    if (longest > 0) return text.substr(0, end - longest);
  }
  return text;
}

TEST(StopFilter, EqualsASearchOfTheWholeTextHoweverItIsCut) {
  uint64_t draw = 0;
  auto below = [&](uint64_t n) { return philox(1, 2, draw++)[0] % n; };
  auto word = [&](size_t n) {
    std::string out;
    while (out.size() < n) out += static_cast<char>('a' + below(2));
    return out;
  };
  int stopped = 0;
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::string> stops;
    for (uint64_t i = below(3) + 1; i > 0; --i) stops.push_back(word(below(9)));
    std::string text = word(below(60));
    std::vector<std::string> pieces;
    for (size_t at = 0; at < text.size();) {
      size_t n = 1 + below(7);
      pieces.push_back(text.substr(at, n));
      at += n;
    }
    StopFilter filter(stops);
    ASSERT_EQ(all_of(filter, pieces), expected(text, stops)) << text;
    stopped += filter.stopped();
  }
  EXPECT_GT(stopped, 500);
  EXPECT_LT(stopped, 2900);
}

TEST(StopFilter, LongStopsAndTextsTakeLinearTime) {
  std::vector<std::string> stops = {std::string(1 << 20, 'a') + "b"};
  StopFilter filter(stops);
  std::string text(1 << 20, 'a'), out;
  for (int i = 0; i < 4; ++i) out += filter.push(text);
  EXPECT_FALSE(filter.stopped());
  EXPECT_EQ(out.size() + filter.finish().size(), 4u << 20);
}

}  // namespace
}  // namespace hearth
