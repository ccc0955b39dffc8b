#include "base/threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <numeric>
#include <vector>

namespace hearth {
namespace {

TEST(ThreadPool, EveryMemberRunsOnce) {
  for (int threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads);
    ASSERT_EQ(pool.size(), threads);
    std::vector<int> calls(static_cast<size_t>(threads), 0);
    for (int round = 0; round < 500; ++round)
      pool.run([&](int member) { ++calls[static_cast<size_t>(member)]; });
    for (int count : calls) EXPECT_EQ(count, 500);
  }
}

TEST(ThreadPool, BarrierSeparatesPhases) {
  constexpr int kThreads = 4, kPhases = 200;
  ThreadPool pool(kThreads);
  std::atomic<int> arrived{0};
  std::atomic<int> wrong{0};
  pool.run([&](int) {
    for (int phase = 1; phase <= kPhases; ++phase) {
      arrived.fetch_add(1);
      pool.barrier();
      if (arrived.load() != phase * kThreads) wrong.fetch_add(1);
      pool.barrier();
    }
  });
  EXPECT_EQ(wrong.load(), 0);
}

TEST(ThreadPool, WritesAreSeenAfterRun) {
  ThreadPool pool(3);
  std::vector<int64_t> values(100'000);
  pool.run([&](int member) {
    auto range = ThreadPool::slice(std::ssize(values), member, 3);
    for (int64_t i = range.begin; i < range.end; ++i) values[static_cast<size_t>(i)] = i;
  });
  EXPECT_EQ(std::accumulate(values.begin(), values.end(), int64_t{0}), 99'999ll * 100'000 / 2);
}

// Regions so far apart that members go to sleep just as the next one begins: none may be missed.
TEST(ThreadPool, NobodySleepsThroughARegion) {
  ThreadPool pool(2);
  std::atomic<int> calls{0};
  constexpr int kRounds = 3000;
  for (int round = 0; round < kRounds; ++round) {
    pool.run([&](int) { calls.fetch_add(1); });
    for (volatile int spin = 0; spin < 40'000 + round * 16; spin = spin + 1) {
    }
  }
  EXPECT_EQ(calls.load(), 2 * kRounds);
}

TEST(ThreadPool, FewerMembersTakePart) {
  ThreadPool pool(4);
  for (int round = 0; round < 2000; ++round) {
    const int members = 1 + round * 7 % 4;
    pool.set_size(members);
    ASSERT_EQ(pool.size(), members);
    std::vector<int> calls(4, 0);
    pool.run([&](int member) {
      ++calls[static_cast<size_t>(member)];
      pool.barrier();
    });
    for (int m = 0; m < 4; ++m) ASSERT_EQ(calls[static_cast<size_t>(m)], m < members ? 1 : 0);
  }
}

// Steps of a team take 10 ms in quiet and 30 in a crowd; alone they take `alone` ms.
int steps_alone(Crowding& crowding, double alone) {
  for (int i = 0; i < 4; ++i) crowding.after(true, 0.010);  // preempted, but not slow
  EXPECT_EQ(crowding.members(8), 8);
  crowding.after(true, 0.030);
  EXPECT_EQ(crowding.members(8), 8);
  crowding.after(true, 0.030);
  int steps = 0;
  for (; crowding.members(8) == 1; ++steps) crowding.after(false, alone);
  return steps;
}

TEST(Crowding, GoesAloneLongerAndLongerAndComesBack) {
  Crowding crowding;
  EXPECT_EQ(crowding.members(8), 8);
  for (const int steps : {32, 64, 128, 256, 256}) EXPECT_EQ(steps_alone(crowding, 0.015), steps);
  // One now and then is no crowd, slow steps alone are none either, and a quiet time forgets.
  for (int i = 0; i < 100; ++i) {
    crowding.after(i % 8 == 0, i % 3 == 0 ? 0.030 : 0.010);
    ASSERT_EQ(crowding.members(8), 8);
  }
  for (int i = 0; i < 16; ++i) crowding.after(false, 0.010);
  EXPECT_EQ(steps_alone(crowding, 0.015), 32);
}

TEST(Crowding, GivesUpWhereAloneIsNoFaster) {
  Crowding crowding;
  EXPECT_EQ(steps_alone(crowding, 0.040), 4);
  for (int i = 0; i < 400; ++i) {
    crowding.after(true, 0.030);
    ASSERT_EQ(crowding.members(8), 8);
  }
}

TEST(ThreadPool, ManyPoolsComeAndGo) {
  int sum = 0;
  for (int i = 0; i < 100; ++i) {
    ThreadPool pool(3);
    if (i % 2 == 0) pool.run([&](int member) { if (member == 0) ++sum; });
  }
  EXPECT_EQ(sum, 50);
}

// Slices tile [0, count) in order, in whole units but for the end.
TEST(ThreadPool, SlicesTile) {
  for (int64_t count : {0, 1, 5, 32, 33, 1000})
    for (int members : {1, 2, 3, 8})
      for (int64_t unit : {1, 4, 32}) {
        int64_t next = 0;
        for (int member = 0; member < members; ++member) {
          auto range = ThreadPool::slice(count, member, members, unit);
          ASSERT_EQ(range.begin, next);
          ASSERT_LE(range.begin, range.end);
          ASSERT_TRUE(range.empty() || range.begin % unit == 0);
          next = range.end;
        }
        ASSERT_EQ(next, count);
      }
}

TEST(ThreadPool, DefaultIsAtLeastOne) { EXPECT_GE(default_threads(), 1); }

}  // namespace
}  // namespace hearth
