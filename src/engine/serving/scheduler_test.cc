#include "engine/serving/scheduler.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

namespace hearth {
namespace {

using Rows = std::map<int32_t, int64_t>;

Rows deal(Scheduler& scheduler, int64_t budget, int64_t quantum = 32, double now = 0) {
  Rows out;
  scheduler.deal(now, budget, quantum, [&](int32_t lane, int64_t rows) {
    out[lane] += rows;
    return rows;
  });
  return out;
}

TEST(Scheduler, GivesAllToOneThatIsAlone) {
  Scheduler s;
  s.add(0, 1, 1, 0, 0);
  s.want(0, 1000);
  EXPECT_EQ(deal(s, 100), (Rows{{0, 100}}));
  EXPECT_EQ(s.wanted(0), 900);
  s.want(0, 20);
  EXPECT_EQ(deal(s, 100), (Rows{{0, 20}}));
  EXPECT_EQ(deal(s, 100), Rows{});
}

// A tenant with 64 lanes gets no more than one with a single lane.
TEST(Scheduler, SharesBetweenTenants) {
  Scheduler s;
  for (int32_t i = 0; i < 64; ++i) {
    s.add(i, 1, static_cast<uint64_t>(i), 0, 0);
    s.want(i, 100000);
  }
  s.add(64, 2, 1, 0, 0);
  s.want(64, 100000);
  int64_t first = 0, second = 0;
  for (int i = 0; i < 200; ++i)
    for (auto [lane, rows] : deal(s, 50)) (lane == 64 ? second : first) += rows;
  EXPECT_NEAR(static_cast<double>(first), static_cast<double>(second), 64);
}

TEST(Scheduler, SharesBetweenConversationsOfATenant) {
  Scheduler s;
  for (int32_t i = 0; i < 4; ++i) {
    s.add(i, 1, i == 0 ? 10u : 20u, 0, 0);
    s.want(i, 100000);
  }
  Rows total;
  for (int i = 0; i < 300; ++i)
    for (auto [lane, rows] : deal(s, 40)) total[lane] += rows;
  EXPECT_NEAR(static_cast<double>(total[0]), 6000, 64);
  EXPECT_NEAR(static_cast<double>(total[1]), 2000, 64);
  EXPECT_NEAR(static_cast<double>(total[3]), 2000, 64);
}

TEST(Scheduler, ANewOneDoesNotWaitBehindALongOne) {
  Scheduler s;
  s.add(0, 1, 1, 0, 0);
  s.want(0, 6000);
  for (int i = 0; i < 5; ++i) deal(s, 32);
  s.add(1, 1, 2, 0, 0);
  s.want(1, 30);
  EXPECT_EQ(deal(s, 30), (Rows{{1, 30}}));
}

TEST(Scheduler, PriorityGoesFirstAndWaitingRaisesIt) {
  Scheduler s;
  s.add(0, 1, 1, 0, 0);
  s.add(1, 2, 2, 1, 5);
  s.want(0, 1000);
  s.want(1, 1000);
  EXPECT_EQ(deal(s, 64, 32, 5), (Rows{{1, 64}}));
  Rows both = deal(s, 960, 32, 10.1);  // a level for ten seconds
  EXPECT_NEAR(static_cast<double>(both[0]), static_cast<double>(both[1]), 64);
}

TEST(Scheduler, WhoCannotTakeStandsInNobodysWay) {
  Scheduler s;
  for (int32_t i = 0; i < 3; ++i) {
    s.add(i, static_cast<uint64_t>(i), 0, i == 0 ? 1 : 0, 0);
    s.want(i, 100);
  }
  Rows out;
  int asked = 0;
  s.deal(0, 100, 32, [&](int32_t lane, int64_t rows) -> int64_t {
    if (lane == 0) return ++asked, 0;
    out[lane] += rows;
    return rows;
  });
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(out[1] + out[2], 100);
}

// Random lanes, tenants and refusals: nobody is dealt more than it wants or the budget has, all of
// the budget goes where somebody wants it, and in the long run nobody is left behind.
TEST(Scheduler, RandomSteps) {
  std::mt19937 random(5);
  Scheduler s;
  std::map<int32_t, int64_t> wanted;
  std::map<int32_t, int> hungry;  // dealings without a row
  for (int step = 0; step < 100000; ++step) {
    const auto lane = static_cast<int32_t>(random() % 24);
    if (wanted.contains(lane) && random() % 4 == 0) {
      s.remove(lane);
      wanted.erase(lane), hungry.erase(lane);
    } else if (!wanted.contains(lane)) {
      s.add(lane, random() % 3, random() % 4, static_cast<int32_t>(random() % 2), step * 0.01);
      s.want(lane, wanted[lane] = static_cast<int64_t>(random() % 200));
    }
    const auto budget = static_cast<int64_t>(random() % 100);
    const unsigned refuses = random() % 3;
    int64_t dealt = 0;
    std::map<int32_t, int64_t> got;
    const auto quantum = 1 + static_cast<int64_t>(random() % 64);
    s.deal(step * 0.01, budget, quantum, [&](int32_t id, int64_t rows) -> int64_t {
      EXPECT_GT(rows, 0);
      EXPECT_LE(rows, wanted.at(id));
      if (refuses == 1 && id % 5 == 0) return 0;
      const int64_t took =
          refuses == 2 ? 1 + static_cast<int64_t>(random() % static_cast<uint64_t>(rows)) : rows;
      wanted[id] -= took, dealt += took, got[id] += took;
      return took;
    });
    EXPECT_LE(dealt, budget);
    int64_t left = 0;
    for (const auto& [id, rows] : wanted) {
      EXPECT_EQ(s.wanted(id), rows);
      if (refuses != 1 || id % 5 != 0) left += rows;
      if (rows > 0 && !got.contains(id)) {
        EXPECT_LT(++hungry[id], 3000) << id;
      } else {
        hungry[id] = 0;
      }
    }
    if (left > 0) {
      EXPECT_EQ(dealt, budget);
    }
    if (random() % 8 == 0 && wanted.contains(lane))
      s.charge(lane, static_cast<int64_t>(random() % 50));
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace hearth
