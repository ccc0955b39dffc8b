// Against counting by hand.
#include "engine/sampling/suffix_matches.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace hearth {
namespace {

TEST(SuffixMatches, EqualCounting) {
  uint64_t draw = 0;
  for (int round = 0; round < 2000; ++round) {
    size_t size = philox(1, 1, draw++)[0] % 30;
    std::vector<TokenId> tokens;
    while (tokens.size() < size)
      tokens.push_back(static_cast<TokenId>(philox(1, 1, draw++)[0] % (1 + round % 3)));
    std::vector<int32_t> got = suffix_matches(tokens);
    ASSERT_EQ(got.size(), size);
    for (size_t i = 0; i < size; ++i) {
      int32_t count = 0;
      for (size_t k = 0; k < i && tokens[i - 1 - k] == tokens[size - 1 - k]; ++k) ++count;
      ASSERT_EQ(got[i], count) << "round " << round << ", index " << i;
    }
  }
}

TEST(SuffixMatches, AreLinear) {
  std::vector<TokenId> tokens(1 << 22, 5);
  EXPECT_EQ(suffix_matches(tokens).back(), static_cast<int32_t>(tokens.size()) - 1);
}

}  // namespace
}  // namespace hearth
