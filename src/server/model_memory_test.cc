#include "server/model_memory.h"

#include <gtest/gtest.h>

#include "engine/kv_cache.h"

namespace hearth::server {
namespace {

constexpr uint64_t kMiB = 1 << 20, kGiB = 1 << 30;

Program program_of(int full, int windowed, int32_t window = 512) {
  Program out;
  for (int i = 0; i < full + windowed; ++i)
    out.caches.push_back({.kind = i < full ? CacheKind::kFull : CacheKind::kWindowed,
                          .layer = i, .kv_heads = 8, .key_dim = 64, .value_dim = 64,
                          .window = i < full ? 0 : window});
  return out;
}

// 16 layers of 8 heads of 64, as Llama 3.2 1B has: keys and values of 2 bytes are 32 KiB a token.
TEST(ModelMemory, CountsWhatTheCacheHolds) {
  const Program program = program_of(16, 0);
  const CacheCost cost(program, KvType::kF16);
  const double numbers = 16 * 8 * (64 + 64) * 8192.0;
  const double expected = numbers * KvCache::bytes_per_number(program, KvType::kF16);
  EXPECT_EQ(expected, 256.0 * kMiB);
  EXPECT_NEAR(static_cast<double>(cost.sequence(8192)), expected, expected / 200) << "a block";
  EXPECT_GE(static_cast<double>(cost.sequence(8192)), expected);
  EXPECT_EQ(cost.sequence(1), cost.sequence(32)) << "whole blocks";
  EXPECT_LT(CacheCost(program, KvType::kInt8).sequence(8192), cost.sequence(8192) * 6 / 10);
}

TEST(ModelMemory, WindowsHoldNoMoreThanTheirs) {
  const CacheCost full(program_of(4, 0), KvType::kF16), mixed(program_of(4, 22), KvType::kF16);
  const uint64_t windows = mixed.sequence(1 << 20) - full.sequence(1 << 20);
  EXPECT_EQ(windows, mixed.sequence(1 << 15) - full.sequence(1 << 15)) << "whatever the context";
  EXPECT_GE(windows, uint64_t{22} * 2048 * 512);
  EXPECT_LT(windows, uint64_t{22} * 2048 * 1200) << "window, step, and parts of blocks";
  EXPECT_GT(mixed.pool(1 << 15), uint64_t{26} * 2048 << 15) << "many short ones fill all layers";
}

TEST(ModelMemory, ACacheWithWindowsKeepsToTheRoom) {
  const Program program = program_of(4, 22);
  const CacheCost cost(program, KvType::kF16);
  const uint64_t least = cost.sequence(1 << 15), whole = cost.pool(1 << 15);
  ASSERT_LT(least, whole / 3);
  for (uint64_t room : {least, least + kMiB, whole / 2, whole - 1, whole}) {
    const CachePlan plan = plan_cache(cost, 1 << 15, room, room);
    EXPECT_EQ(plan.tokens, 1 << 15);
    EXPECT_LE(plan.bytes, room);
    EXPECT_GE(plan.window_tokens, cost.window_room());
    EXPECT_EQ(plan.bytes, cost.pool(plan.tokens, plan.window_tokens));
    auto cache = *KvCache::create(program, KvType::kF16, plan.tokens, plan.window_tokens);
    EXPECT_LE(cache->bytes_max(), static_cast<int64_t>(room)) << "what it may take in truth";
  }
  EXPECT_EQ(plan_cache(cost, 1 << 15, whole, whole).window_tokens, 1 << 15);
}

TEST(ModelMemory, AContextThatFitsIsLeftAlone) {
  ModelNeeds needs{.name = "m", .weight_bytes = kGiB, .context = 8192,
                   .cache = CacheCost(program_of(16, 0), KvType::kF16)};
  EXPECT_EQ(fit_context(needs, kGiB + needs.cache.sequence(8192)), 8192);
  needs.context = 100;
  EXPECT_EQ(fit_context(needs, kGiB + needs.cache.sequence(100)), 100) << "however short";
}

TEST(ModelMemory, AContextIsCutToWhatFits) {
  ModelNeeds needs{.name = "m", .weight_bytes = kGiB, .context = 131072,
                   .cache = CacheCost(program_of(16, 0), KvType::kF16)};
  for (uint64_t memory = kGiB + 70 * kMiB; memory < 3 * kGiB; memory += 101 * kMiB) {
    const int64_t context = fit_context(needs, memory).value();
    EXPECT_EQ(context % 256, 0);
    EXPECT_GE(context, 2048);
    EXPECT_LE(kGiB + needs.cache.sequence(context), memory);
    EXPECT_GT(kGiB + needs.cache.sequence(context + 256), memory) << "no more than it must";
  }
  auto refused = fit_context(needs, kGiB + 60 * kMiB);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kTooLarge);
  EXPECT_EQ(refused.error().message,
            "m needs 1.00 GiB for its weights and 0.06 GiB for a context of 2048 tokens, "
            "but models may take 1.06 GiB in all; take a smaller model or one of fewer bits, or "
            "allow more memory");
  needs.context = 1000;  // below the least: all or nothing
  EXPECT_FALSE(fit_context(needs, kGiB + 20 * kMiB).has_value());
  EXPECT_FALSE(fit_context(needs, 0).has_value());
}

TEST(ModelMemory, AContextLeavesRoomForOtherModels) {
  const CacheCost cost(program_of(16, 0), KvType::kF16);  // 32 KiB a token
  EXPECT_EQ(shared_context(cost, 8192, kGiB), 8192) << "short ones are not cut";
  EXPECT_EQ(shared_context(cost, 131072, 17 * kGiB), 131072) << "nor what a quarter holds";
  const int64_t cut = shared_context(cost, 131072, 8 * kGiB);
  EXPECT_NEAR(static_cast<double>(cut), 65536, 600);
  EXPECT_LE(cost.sequence(cut), 2 * kGiB);
  EXPECT_EQ(shared_context(cost, 131072, 2 * kGiB), kContextShared);
}

TEST(ModelMemory, HugeNumbersDoNotWrap) {
  ModelNeeds needs{.name = "m", .weight_bytes = UINT64_MAX - 5, .context = INT64_MAX,
                   .cache = CacheCost(program_of(16, 0), KvType::kF16)};
  EXPECT_FALSE(fit_context(needs, UINT64_MAX - 6).has_value());
  needs.weight_bytes = kGiB;
  EXPECT_GE(fit_context(needs, 100 * kGiB).value(), 2'000'000);
  EXPECT_GE(plan_cache(needs.cache, INT64_MAX, UINT64_MAX, UINT64_MAX).tokens, INT64_MAX);
}

TEST(ModelMemory, TheCacheIsAQuarterOrSixtyFourContexts) {
  const CacheCost cost(program_of(16, 0), KvType::kF16);
  const uint64_t memory = 16 * kGiB;
  CachePlan plan = plan_cache(cost, 8192, 10 * kGiB, memory);
  EXPECT_NEAR(static_cast<double>(plan.tokens), 16 * 8192, 16 * 8192 / 500.0);
  EXPECT_LE(plan.bytes, memory / 4);
  EXPECT_EQ(plan.bytes, cost.pool(plan.tokens));
  plan = plan_cache(cost, 128, 10 * kGiB, memory);
  EXPECT_EQ(plan.tokens, 64 * 128);
  plan = plan_cache(cost, 8192, kGiB, memory);
  EXPECT_LE(plan.bytes, kGiB) << "no more than there is";
  EXPECT_GT(plan.tokens, 3 * 8192);
  plan = plan_cache(cost, 8192, cost.sequence(8192), memory);
  EXPECT_EQ(plan.tokens, 8192);
  EXPECT_EQ(plan.bytes, cost.sequence(8192)) << "one context at least";
  plan = plan_cache(cost, 1 << 18, 10 * kGiB, memory);
  EXPECT_EQ(plan.tokens, 1 << 18) << "one context, though it is half the memory";
}

}  // namespace
}  // namespace hearth::server
