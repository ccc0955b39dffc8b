// The block cache against a plain model of it: lists of positions, in random steps.
#include "engine/kv_cache.h"

#include <gtest/gtest.h>

#include <random>

namespace hearth {
namespace {

Program two_kinds(int32_t window) {
  Program program;
  program.caches = {{.kind = CacheKind::kFull, .layer = 0, .kv_heads = 2, .key_dim = 16,
                     .value_dim = 16},
                    {.kind = CacheKind::kWindowed, .layer = 1, .kv_heads = 2, .key_dim = 16,
                     .value_dim = 16, .window = window},
                    {.kind = CacheKind::kFull, .layer = 2, .kv_heads = 1, .key_dim = 32,
                     .value_dim = 16}};
  return program;
}

TEST(KvCache, RandomStepsLoseNoBlock) {
  std::mt19937 random(7);
  auto cache = *KvCache::create(two_kinds(40), KvType::kF16, 4096);
  std::vector<SequenceId> live;
  for (int step = 0; step < 5000; ++step) {
    size_t kind = random() % 8;
    if (kind == 0 || live.empty()) {
      live.push_back(cache->add_sequence());
    } else if (kind == 1) {
      size_t i = random() % live.size();
      cache->remove_sequence(live[i]);
      live.erase(live.begin() + static_cast<ptrdiff_t>(i));
    } else if (kind == 2) {
      SequenceId s = live[random() % live.size()];
      int64_t to = cache->length(s) == 0 ? 0 : static_cast<int64_t>(random()) % cache->length(s);
      int64_t kept = cache->rewind(s, to);
      ASSERT_TRUE(kept == to || kept == 0);
      ASSERT_EQ(cache->length(s), kept);
    } else {
      SequenceId s = live[random() % live.size()];
      int64_t wanted = cache->length(s) + 1 + static_cast<int64_t>(random() % 100);
      if (cache->reserve(s, wanted).has_value()) cache->advance(s, wanted);
    }
    if (step % 100 == 0) cache->check_integrity();
  }
  for (SequenceId s : live) cache->remove_sequence(s);
  cache->check_integrity();
  EXPECT_EQ(cache->blocks_used(), 0);
}

// Where a test keeps one byte per position in the blocks of a cache.
std::byte* mark_of(const KvCache& cache, SequenceId s, int32_t index, int64_t position) {
  auto blocks = cache.blocks(s, index);
  return const_cast<std::byte*>(blocks[static_cast<size_t>(position / kKvBlock)]) +
         cache.key_offset(index, 0) + position % kKvBlock;
}

// Forks share blocks; what one of them writes, the others must not see.
TEST(KvCache, ForksKeepTheirOwnContent) {
  constexpr int32_t kWindow = 40;
  std::mt19937 random(11);
  auto cache = *KvCache::create(two_kinds(kWindow), KvType::kF16, 1 << 16);
  std::vector<std::pair<SequenceId, std::vector<std::byte>>> live;
  live.emplace_back(cache->add_sequence(), std::vector<std::byte>());
  auto check = [&](size_t i) {
    auto& [s, content] = live[i];
    auto length = static_cast<int64_t>(content.size());
    ASSERT_EQ(cache->length(s), length);
    for (int64_t p = 0; p < length; ++p) {
      ASSERT_EQ(*mark_of(*cache, s, 0, p), content[static_cast<size_t>(p)]);
      if (p <= length - kWindow) continue;
      ASSERT_EQ(*mark_of(*cache, s, 1, p), content[static_cast<size_t>(p)]);
    }
  };
  for (int step = 0; step < 3000; ++step) {
    size_t i = random() % live.size(), kind = random() % 8;
    auto& [s, content] = live[i];
    if (kind == 0 && live.size() < 12) {
      live.emplace_back(cache->fork(s), content);
    } else if (kind == 1 && live.size() > 1) {
      cache->remove_sequence(s);
      live.erase(live.begin() + static_cast<ptrdiff_t>(i));
    } else if (kind == 2 || content.size() > 400) {
      size_t to = content.empty() ? 0 : random() % content.size();
      content.resize(static_cast<size_t>(cache->rewind(s, static_cast<int64_t>(to))));
    } else {
      size_t more = 1 + random() % 40;
      auto wanted = static_cast<int64_t>(content.size() + more);
      ASSERT_TRUE(cache->reserve(s, wanted));
      for (auto p = static_cast<int64_t>(content.size()); p < wanted; ++p) {
        content.push_back(static_cast<std::byte>(random()));
        for (int32_t index : {0, 1, 2}) *mark_of(*cache, s, index, p) = content.back();
      }
      cache->advance(s, wanted);
    }
    if (step % 10 == 0)
      for (size_t j = 0; j < live.size(); ++j) check(j);
    if (step % 100 == 0) cache->check_integrity();
  }
  for (auto& [s, content] : live) cache->remove_sequence(s);
  cache->check_integrity();
  EXPECT_EQ(cache->blocks_used(), 0);
}

TEST(KvCache, EveryVisiblePositionHasABlock) {
  constexpr int32_t kWindow = 40;
  auto cache = *KvCache::create(two_kinds(kWindow), KvType::kF32, 2000);
  SequenceId s = cache->add_sequence();
  for (int64_t length = 1; length < 500; length += 7) {
    ASSERT_TRUE(cache->reserve(s, length).has_value());
    cache->advance(s, length);
    for (int64_t p = 0; p < length; ++p)
      ASSERT_NE(cache->blocks(s, 0)[static_cast<size_t>(p / kKvBlock)], nullptr);
    for (int64_t p = std::max<int64_t>(0, length - kWindow + 1); p < length; ++p)
      ASSERT_NE(cache->blocks(s, 1)[static_cast<size_t>(p / kKvBlock)], nullptr);
  }
  // The window gave back what it passed: 500 positions would be 16 blocks, a window needs 3.
  int64_t held = 0;
  for (const std::byte* block : cache->blocks(s, 1)) held += block != nullptr;
  EXPECT_LE(held, 3);
}

TEST(KvCache, AFullCacheRefusesAndKeepsWhatItHas) {
  auto cache = *KvCache::create(two_kinds(40), KvType::kF16, 64);
  SequenceId s = cache->add_sequence();
  ASSERT_TRUE(cache->reserve(s, 60).has_value());
  cache->advance(s, 60);
  auto refused = cache->reserve(s, 100000);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kTooLarge);
  EXPECT_EQ(cache->length(s), 60);
  cache->check_integrity();
}

TEST(KvCache, AddressesOfHeadsAndLayersDoNotOverlap) {
  auto cache = *KvCache::create(two_kinds(40), KvType::kF32, 64);
  size_t head = 16 * kKvBlock * 4;
  EXPECT_EQ(cache->key_offset(0, 0), 0u);
  EXPECT_EQ(cache->key_offset(0, 1), 2 * head);  // a head's values follow its keys
  EXPECT_EQ(cache->value_offset(0, 0), head);
  EXPECT_EQ(cache->key_offset(2, 0), 4 * head);        // the next full layer
  EXPECT_EQ(cache->value_offset(2, 0), 4 * head + 2 * head);
  EXPECT_EQ(cache->key_offset(1, 0), 0u);              // its own group
}

// Bytes by hand: numbers, and for int8 a float for every 32 of a position.
TEST(KvCache, EveryTypeTakesWhatItSays) {
  struct Row { KvType type; int64_t keys, values; };
  for (auto [type, keys, values] : {Row{KvType::kF32, 32 * 72 * 4, 32 * 80 * 4},
                                    Row{KvType::kF16, 32 * 72 * 2, 32 * 80 * 2},
                                    Row{KvType::kBf16, 32 * 72 * 2, 32 * 80 * 2},
                                    Row{KvType::kInt8, 32 * (72 + 12), 32 * (80 + 12)}}) {
    EXPECT_EQ(kv_key_bytes(type, 72), keys);
    EXPECT_EQ(kv_value_bytes(type, 72), values);  // in whole vectors of 16
  }
  auto cache = *KvCache::create(two_kinds(40), KvType::kInt8, 64);
  const auto head = static_cast<size_t>(32 * (16 + 4));
  EXPECT_EQ(cache->value_offset(0, 0), head);
  EXPECT_EQ(cache->key_offset(0, 1), 2 * head);
  EXPECT_EQ(cache->key_offset(2, 0), 4 * head);
  EXPECT_DOUBLE_EQ(KvCache::bytes_per_number(two_kinds(40), KvType::kF16), 2);
  // Of 176 numbers, 160 have a scale for each 16, and the 32 of the last layer's key one.
  EXPECT_DOUBLE_EQ(KvCache::bytes_per_number(two_kinds(40), KvType::kInt8),
                   (176 + 4 * (8 + 2)) / 176.0);
}

TEST(KvCache, KindsThatAreNotBuiltAreRefused) {
  Program program;
  program.caches = {{.kind = CacheKind::kLatent, .kv_heads = 1, .key_dim = 16, .value_dim = 16}};
  auto made = KvCache::create(program, KvType::kF16, 64);
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code, Code::kUnsupported);
}

}  // namespace
}  // namespace hearth
