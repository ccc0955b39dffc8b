// Rotary frequencies against those that transformers 5.24 computes (modeling_rope_utils) for the
// same settings: base 10000, 16 values of a head.
#include "nn/rope.h"

#include <gtest/gtest.h>

#include <cmath>

namespace hearth {
namespace {

// The angle of each pair at position 1.
std::vector<float> frequencies(const RopeConfig& config, double* magnitude = nullptr) {
  RopeTable table(config);
  std::vector<float> cos(8), sin(8), out;
  table.at(1, cos.data(), sin.data());
  for (size_t i = 0; i < 8; ++i) out.push_back(std::atan2(sin[i], cos[i]));
  if (magnitude != nullptr) *magnitude = std::hypot(cos[0], sin[0]);
  return out;
}

void expect_near(const std::vector<float>& got, const std::vector<double>& wanted) {
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], wanted[i], 2e-6 * wanted[i]) << i;
}

TEST(Rope, LinearMatchesTransformers) {
  double magnitude = 0;
  auto got = frequencies({.dims = 16, .scaling = RopeScaling::kLinear, .factor = 2},
                         &magnitude);
  expect_near(got, {0.5, 0.15811388, 0.050000001, 0.015811389,
                    0.0049999999, 0.0015811389, 0.00050000002, 0.00015811389});
  EXPECT_NEAR(magnitude, 1, 1e-6);
}

TEST(Rope, Llama3MatchesTransformers) {
  double magnitude = 0;
  auto got = frequencies({.dims = 16, .scaling = RopeScaling::kLlama3, .factor = 8,
                          .original_context = 64},
                         &magnitude);
  expect_near(got, {1, 0.24438459, 0.013042256, 0.0039528473,
                    0.00125, 0.00039528473, 0.00012500001, 3.9528473e-05});
  EXPECT_NEAR(magnitude, 1, 1e-6);
}

TEST(Rope, YarnMatchesTransformers) {
  double magnitude = 0;
  auto got = frequencies({.dims = 16, .scaling = RopeScaling::kYarn, .factor = 4,
                          .original_context = 64},
                         &magnitude);
  expect_near(got, {1, 0.23717082, 0.049999997, 0.0079056947,
                    0.0024999999, 0.00079056947, 0.00025000001, 7.9056947e-05});
  EXPECT_NEAR(magnitude, 1.1386294, 1e-6);
}

}  // namespace
}  // namespace hearth
