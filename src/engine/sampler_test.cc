// Samplers against the distributions they must draw from, and the counted random numbers.
#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace hearth {
namespace {

const std::vector<float> kLogits = {1.0f, 3.0f, 2.0f, -1.0f, 2.5f, 0.0f};

// Chi-square of `draws` samples against softmax(logits / temperature) over `allowed`.
double chi_square(const SamplingParams& params, const std::vector<int>& allowed, int draws) {
  std::vector<double> expected(kLogits.size(), 0);
  double sum = 0;
  for (int id : allowed)
    sum += expected[static_cast<size_t>(id)] =
        std::exp(kLogits[static_cast<size_t>(id)] / params.temperature);
  std::vector<int> seen(kLogits.size(), 0);
  for (int i = 0; i < draws; ++i)
    ++seen[static_cast<size_t>(sample(kLogits, params, 0, static_cast<uint64_t>(i)))];
  double chi = 0;
  for (size_t id = 0; id < kLogits.size(); ++id) {
    double wanted = expected[id] / sum * draws;
    if (wanted == 0) {
      EXPECT_EQ(seen[id], 0) << "token " << id << " must never be drawn";
      continue;
    }
    chi += (seen[id] - wanted) * (seen[id] - wanted) / wanted;
  }
  return chi;
}

constexpr int kDraws = 100000;

TEST(Sampler, TemperatureFollowsSoftmax) {
  SamplingParams p{.temperature = 0.7, .top_k = 0, .top_p = 1};
  EXPECT_LT(chi_square(p, {0, 1, 2, 3, 4, 5}, kDraws), 20.5);  // 5 degrees of freedom, 0.1 %
  p.temperature = 1.8;
  EXPECT_LT(chi_square(p, {0, 1, 2, 3, 4, 5}, kDraws), 20.5);
}

TEST(Sampler, TopKKeepsTheLargest) {
  SamplingParams p{.temperature = 1.0, .top_k = 3, .top_p = 1};
  EXPECT_LT(chi_square(p, {1, 4, 2}, kDraws), 13.8);
}

TEST(Sampler, TopPKeepsTheShortestHead) {
  // Probabilities at temperature 1, largest first: .4445 .2696 .1635 .0602 .0221 .0081
  SamplingParams p{.temperature = 1.0, .top_k = 0, .top_p = 0.75};
  EXPECT_LT(chi_square(p, {1, 4, 2}, kDraws), 13.8);
  p.top_p = 0.70;
  EXPECT_LT(chi_square(p, {1, 4}, kDraws), 10.8);
}

TEST(Sampler, MinPKeepsThoseLikelyEnough) {
  SamplingParams p{.temperature = 2.0, .top_k = 0, .top_p = 1, .min_p = 0.3};
  EXPECT_LT(chi_square(p, {1, 4, 2}, kDraws), 13.8);  // e^-1 = 0.37 stays, e^-2 = 0.14 goes
}

TEST(Sampler, GreedyTakesTheLowestIdAmongEquals) {
  SamplingParams p{.temperature = 0};
  EXPECT_EQ(sample(std::vector<float>{1, 5, 5, 2}, p, 0, 0), 1);
}

TEST(Sampler, SurvivesBrokenLogits) {
  float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  for (double t : {0.0, 0.8}) {
    SamplingParams p{.temperature = t};
    EXPECT_EQ(sample(std::vector<float>{nan, 2, nan}, p, 0, 0), 1);
    EXPECT_EQ(sample(std::vector<float>{-inf, 2, -inf}, p, 0, 0), 1);
    EXPECT_EQ(sample(std::vector<float>{0, inf, 1}, p, 0, 0), 1);
    TokenId any = sample(std::vector<float>{nan, nan}, p, 0, 0);
    EXPECT_TRUE(any == 0 || any == 1);
  }
}

TEST(Sampler, ADrawDependsOnItsNumberAlone) {
  SamplingParams p{.temperature = 1, .top_k = 0, .top_p = 1, .seed = 42};
  TokenId first = sample(kLogits, p, 3, 17);
  for (uint64_t i = 0; i < 100; ++i) sample(kLogits, p, 1, i);
  EXPECT_EQ(sample(kLogits, p, 3, 17), first);
  int differ = 0;
  SamplingParams other = p;
  other.seed = 43;
  for (uint64_t i = 0; i < 100; ++i)
    differ += sample(kLogits, p, 0, i) != sample(kLogits, other, 0, i);
  EXPECT_GT(differ, 30);
}

}  // namespace
}  // namespace hearth
