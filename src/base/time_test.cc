#include "base/time.h"

#include <gtest/gtest.h>

namespace hearth {
namespace {

// Seconds as GNU date gives them: date -u -d TIME +%s.
TEST(Time, ParsesIsoTimes) {
  EXPECT_EQ(parse_iso_time("2026-01-02T03:04:05").value(), 1767323045);
  EXPECT_EQ(parse_iso_time("2026-01-02T03:04:05Z").value(), 1767323045);
  EXPECT_EQ(parse_iso_time("2026-01-02 03:04:05.75").value(), 1767323045);
  EXPECT_EQ(parse_iso_time("2026-01-02T05:04:05+02:00").value(), 1767323045);
  EXPECT_EQ(parse_iso_time("2026-01-02").value(), 1767312000);
  EXPECT_EQ(parse_iso_time("1969-12-31T23:59:59").value(), -1);
  EXPECT_EQ(parse_iso_time("2024-02-29").value(), 1709164800);
}

TEST(Time, RefusesWhatIsNone) {
  for (const char* text : {"", "now", "2026", "2026-13-01", "2026-02-29", "2026-01-02T25:00:00",
                           "2026-01-02T03:04", "2026-01-02T03:04:05+99:00", "2026-01-02x",
                           "2026-01-02T03:04:05Z "})
    EXPECT_FALSE(parse_iso_time(text).has_value()) << text;
}

TEST(Time, WritesWhatItReads) {
  for (int64_t t : {int64_t{0}, int64_t{-1}, int64_t{1767323045}, int64_t{-86401}})
    EXPECT_EQ(parse_iso_time(iso_time(t)).value(), t) << iso_time(t);
  EXPECT_EQ(iso_time(1767323045), "2026-01-02T03:04:05Z");
}

}  // namespace
}  // namespace hearth
