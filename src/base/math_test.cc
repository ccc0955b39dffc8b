#include "base/math.h"

#include <gtest/gtest.h>

namespace hearth {
namespace {

TEST(CheckedMath, AddAndMulAtTheEdges) {
  EXPECT_EQ(checked_add<uint64_t>(UINT64_MAX - 1, 1), UINT64_MAX);
  EXPECT_EQ(checked_add<uint64_t>(UINT64_MAX, 1), std::nullopt);
  EXPECT_EQ(checked_mul<uint64_t>(1ull << 32, (1ull << 32) - 1), UINT64_MAX - (1ull << 32) + 1);
  EXPECT_EQ(checked_mul<uint64_t>(1ull << 32, 1ull << 32), std::nullopt);
  EXPECT_EQ(checked_mul<uint64_t>(0, UINT64_MAX), 0u);
  EXPECT_EQ(checked_mul<uint8_t>(16, 16), std::nullopt) << "narrow types overflow in their width";
  EXPECT_EQ(checked_add<uint16_t>(65535, 1), std::nullopt);
}

TEST(CheckedMath, Align) {
  EXPECT_EQ(checked_align<uint64_t>(0, 32), 0u);
  EXPECT_EQ(checked_align<uint64_t>(1, 32), 32u);
  EXPECT_EQ(checked_align<uint64_t>(32, 32), 32u);
  EXPECT_EQ(checked_align<uint64_t>(UINT64_MAX, 1), UINT64_MAX);
  EXPECT_EQ(checked_align<uint64_t>(UINT64_MAX - 30, 32), std::nullopt);
  EXPECT_EQ(checked_align<uint64_t>(UINT64_MAX - 31, 32), UINT64_MAX - 31);
  EXPECT_EQ(checked_align<uint64_t>(8, 0), std::nullopt);
  EXPECT_EQ(checked_align<uint64_t>(8, 24), std::nullopt) << "no power of two";
  EXPECT_EQ(checked_align<uint8_t>(250, 16), std::nullopt);
}

TEST(CheckedMath, CeilDivAndRoundUp) {
  EXPECT_EQ(ceil_div(0, 7), 0);
  EXPECT_EQ(ceil_div(14, 7), 2);
  EXPECT_EQ(ceil_div(15, 7), 3);
  EXPECT_EQ(round_up<int64_t>(15, 7), 21);
}

// Every pair of 8-bit numbers against arithmetic in a wider type.
TEST(CheckedMath, AllBytes) {
  for (unsigned a = 0; a < 256; ++a)
    for (unsigned b = 0; b < 256; ++b) {
      auto sum = checked_add(static_cast<uint8_t>(a), static_cast<uint8_t>(b));
      auto product = checked_mul(static_cast<uint8_t>(a), static_cast<uint8_t>(b));
      ASSERT_EQ(sum.has_value(), a + b < 256);
      ASSERT_EQ(product.has_value(), a * b < 256);
      ASSERT_EQ(sum.value_or(0), a + b < 256 ? a + b : 0);
      ASSERT_EQ(product.value_or(0), a * b < 256 ? a * b : 0);
    }
}

}  // namespace
}  // namespace hearth
