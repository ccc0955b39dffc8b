// What is learned, against machines whose truth we set.
#include "engine/step_cost.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace hearth {
namespace {

struct Machine {
  double fixed, per_token, per_pair;
  double seconds(const StepWork& w) const {
    return fixed + per_token * static_cast<double>(w.tokens) +
           per_pair * static_cast<double>(w.pairs);
  }
};

class Learning : public testing::Test {
 protected:
  std::mt19937 random{3};
  StepCost cost;

  StepWork some_work() {
    const bool prompt = random() % 3 == 0;
    const auto tokens = static_cast<int64_t>(random() % 8 + 1 + (prompt ? random() % 256 : 0));
    return {tokens, tokens * static_cast<int64_t>(random() % 4096)};
  }
  void run(const Machine& machine, int steps, double noise, int disturbed_in_hundred) {
    std::normal_distribution<double> normal(1.0, noise);
    for (int i = 0; i < steps; ++i) {
      const StepWork work = some_work();
      double seconds = machine.seconds(work) * normal(random);
      if (static_cast<int>(random() % 100) < disturbed_in_hundred) seconds += 0.5;
      cost.observe(work, seconds);
    }
  }
  // The mean error over steps of all kinds, as a share.
  double error(const Machine& machine) {
    double sum = 0;
    for (int i = 0; i < 200; ++i) {
      const StepWork work = some_work();
      sum += std::abs(cost.predict(work) / machine.seconds(work) - 1) / 200;
    }
    return sum;
  }
};

// A large model on a slow machine, and a small one on a fast one.
constexpr Machine kLarge = {0.030, 0.004, 2e-8}, kSmall = {0.002, 0.0001, 1e-9};

TEST_F(Learning, LearnsInFiftySteps) {
  run(kLarge, 50, 0.05, 0);
  EXPECT_LT(error(kLarge), 0.1);
}

TEST_F(Learning, LearnsASmallModel) {
  run(kSmall, 100, 0.05, 0);
  EXPECT_LT(error(kSmall), 0.15);
}

TEST_F(Learning, FollowsAChange) {
  run(kSmall, 500, 0.05, 0);
  run(kLarge, 300, 0.05, 0);
  EXPECT_LT(error(kLarge), 0.15);
  run(kSmall, 500, 0.05, 0);
  EXPECT_LT(error(kSmall), 0.25);
}

TEST_F(Learning, ADisturbanceNowAndThenDoesNotMisleadIt) {
  run(kLarge, 300, 0.05, 5);
  EXPECT_LT(error(kLarge), 0.3);
}

TEST_F(Learning, OneKindOfStepForLongIsNotForgotten) {
  run(kLarge, 100, 0.05, 0);
  for (int i = 0; i < 20000; ++i) cost.observe({4, 4000}, kLarge.seconds({4, 4000}));
  for (int64_t tokens : {1, 4, 64, 256})
    EXPECT_TRUE(std::isfinite(cost.predict({tokens, tokens * 1000})));
  EXPECT_NEAR(cost.predict({4, 4000}), kLarge.seconds({4, 4000}), 0.005);
}

TEST_F(Learning, RowsFillTheTime) {
  run(kLarge, 200, 0.02, 0);
  const StepWork decode = {4, 4000};
  const int64_t rows = cost.rows_within(0.5, decode, 1000);
  EXPECT_NEAR(kLarge.seconds({4 + rows, 4000 + 1000 * rows}), 0.5, 0.05);
  EXPECT_EQ(cost.rows_within(0.02, decode, 1000), 0);
}

TEST_F(Learning, NonsenseIsPassedOver) {
  run(kLarge, 50, 0.05, 0);
  const double before = cost.predict({10, 100});
  cost.observe({10, 100}, NAN);
  cost.observe({10, 100}, -1);
  EXPECT_EQ(cost.predict({10, 100}), before);
}

// Steps that take a part more than planned, now and then much more: one in two hundred is late.
TEST(Margin, AllButFewStepsKeepToTheirTime) {
  std::mt19937 random(5);
  for (double spread : {0.02, 0.1, 0.2}) {
    std::lognormal_distribution<double> noise(0.0, spread);
    StepMargin margin;
    int late = 0;
    const int steps = 40000;
    for (int i = 0; i < 2 * steps; ++i) {
      const bool is_late = margin.share() * noise(random) > 1;
      margin.observe(is_late);
      if (i >= steps) late += is_late;
    }
    EXPECT_LT(late, steps / 150) << spread;
    EXPECT_GT(margin.share(), spread < 0.05 ? 0.9 : StepMargin::kLeast) << spread;
  }
}

}  // namespace
}  // namespace hearth
