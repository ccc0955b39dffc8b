// The block cache against a plain model of it: lists of positions, in random steps.
#include "engine/kv_cache.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <random>

#include "encoding/half.h"
#include "kernels/api.h"

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

// Layers with a window need no more room than one sequence takes, however long it becomes.
TEST(KvCache, OneSequenceOfAnyLengthFitsIntoTheRoomOfAWindow) {
  std::mt19937 random(5);
  for (int32_t window : {1, 16, 40, 64, 100}) {
    for (int64_t chunk : {1, 7, 32, 90}) {
      const int64_t room = KvCache::window_room(window, chunk);
      auto cache = *KvCache::create(two_kinds(window), KvType::kF32, 4000, room - kKvBlock);
      SequenceId s = cache->add_sequence();
      for (int64_t length = 0; length < 3900;) {
        if (random() % 4 == 0) {
          ASSERT_TRUE(cache->reserve_prompt(s, 3900, chunk));
        }
        length += 1 + static_cast<int64_t>(random() % static_cast<unsigned>(chunk));
        ASSERT_TRUE(cache->reserve(s, length)) << window << " " << chunk << " " << length;
        cache->advance(s, length);
      }
      cache->check_integrity();
    }
  }
}

// What a prompt was given when it began is enough for all of it, whatever others take meanwhile.
TEST(KvCache, APromptHasRoomForAllOfItsWindows) {
  constexpr int64_t kChunk = 48;
  auto cache = *KvCache::create(two_kinds(40), KvType::kF32, 4000,
                                2 * KvCache::window_room(40, kChunk));
  SequenceId first = cache->add_sequence(), second = cache->add_sequence();
  ASSERT_TRUE(cache->reserve_prompt(first, 900, kChunk));
  ASSERT_TRUE(cache->reserve_prompt(second, 900, kChunk));
  for (int64_t length = kChunk; length < 900; length += kChunk)
    for (SequenceId s : {first, second}) {
      ASSERT_TRUE(cache->reserve(s, length)) << length;
      cache->advance(s, length);
    }
  cache->check_integrity();
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

// A latent of 64 numbers and a rotated part of 8 in two layers, beside a layer of another kind.
constexpr int32_t kLatent = 64, kRotated = 8;
Program latents() {
  Program program;
  for (int32_t layer : {0, 1})
    program.caches.push_back({.kind = CacheKind::kLatent, .layer = layer, .kv_heads = 1,
                              .key_dim = kLatent + kRotated, .value_dim = kLatent});
  program.caches.push_back({.kind = CacheKind::kFull, .layer = 2, .kv_heads = 2, .key_dim = 16,
                            .value_dim = 16});
  return program;
}

// Rows of a latent cache as attention would write and read them, against what they were.
class LatentRows : public testing::TestWithParam<KvType> {
 protected:
  static constexpr int64_t kDim = kLatent + kRotated;
  using Row = std::array<float, kDim>;
  struct Text {
    SequenceId id;
    std::vector<TokenId> tokens;
  };
  std::mt19937 random_{3};
  std::unique_ptr<KvCache> cache_;
  std::vector<Text> live_;
  int64_t adopted_ = 0;

  // A function of the tokens up to a position; whole numbers, which f16 holds exactly.
  static Row row_of(std::span<const TokenId> tokens, int32_t layer) {
    auto hash = static_cast<uint32_t>(layer + 1);
    for (TokenId t : tokens) hash = (hash ^ static_cast<uint32_t>(t)) * 16777619u + (hash >> 15);
    Row row;
    for (float& x : row) x = static_cast<float>((hash = hash * 1664525u + 1013904223u) >> 23) - 256;
    return row;
  }

  std::byte* block_of(const Text& text, int32_t layer, int64_t position) const {
    const auto list = cache_->blocks(text.id, layer);
    return const_cast<std::byte*>(list[static_cast<size_t>(position / kKvBlock)]);
  }
  // The first `count` numbers of a row that lies at `base`.
  std::vector<float> read(const std::byte* base, int64_t slot, int64_t count) const {
    std::vector<float> out;
    auto load = [](const std::byte* from, int64_t index, auto& value) {
      std::memcpy(&value, from + index * static_cast<int64_t>(sizeof value), sizeof value);
    };
    for (int64_t d = 0; d < count; ++d) {
      if (GetParam() == KvType::kF16) {
        uint16_t half = 0;
        load(base, kv_key_at(slot, d), half);
        out.push_back(f16_to_f32(half));
      } else {
        int8_t digit = 0;
        float scale = 0;
        load(base, kv_key_at(slot, d), digit);
        load(base + kv_numbers_bytes(KvType::kInt8, kDim), kv_key_scale_at(slot, d), scale);
        out.push_back(static_cast<float>(digit) * scale);
      }
    }
    return out;
  }

  void write(const Text& text, int64_t position) {
    const auto known = std::span(text.tokens).first(static_cast<size_t>(position) + 1);
    for (int32_t layer : {0, 1}) {
      const Row row = row_of(known, layer);
      store_key(default_kernels(), GetParam(), row.data(), kDim,
                static_cast<int>(position % kKvBlock),
                block_of(text, layer, position) + cache_->key_offset(layer, 0));
    }
  }
  void check(const Text& text, int64_t position) {
    const auto known = std::span(text.tokens).first(static_cast<size_t>(position) + 1);
    for (int32_t layer : {0, 1}) {
      const Row row = row_of(known, layer);
      const std::byte* block = block_of(text, layer, position);
      auto key = read(block + cache_->key_offset(layer, 0), position % kKvBlock, kDim);
      auto value = read(block + cache_->value_offset(layer, 0), position % kKvBlock, kLatent);
      const int64_t run = kv_mixed(GetParam(), kDim);
      if (run > 1) {  // to mix twice is to multiply by `run`, also of the value alone
        std::vector<float> mixed = key;
        default_kernels().mix(mixed.data(), key.data(), kDim, run);
        mixed = value;
        default_kernels().mix(mixed.data(), value.data(), kLatent, run);
      }
      const auto n = static_cast<float>(run);
      // Half a step of int8 in each of the `run` numbers, which are up to run * 256.
      const double error = run > 1 ? 256.0 * n / 254 : 0;
      for (size_t d = 0; d < kDim; ++d) ASSERT_NEAR(key[d] / n, row[d], error) << d;
      for (size_t d = 0; d < kLatent; ++d) ASSERT_EQ(value[d], key[d]) << d;
    }
  }

  size_t pick(size_t n) { return random_() % n; }
  void extend(Text& text) {
    const int64_t from = cache_->length(text.id);
    const auto end = from + 1 + static_cast<int64_t>(pick(50));
    while (static_cast<int64_t>(text.tokens.size()) < end)
      text.tokens.push_back(static_cast<TokenId>(text.tokens.size() % 5 + 7 * (pick(40) == 0)));
    if (!cache_->reserve(text.id, end)) return;
    for (int64_t p = from; p < end; ++p) write(text, p);
    cache_->advance(text.id, end);
    cache_->publish(text.id, text.tokens);
  }
  void step() {
    const size_t kind = pick(10);
    if (live_.empty() || (kind == 0 && live_.size() < 8)) {
      Text text = {cache_->add_sequence(), {}};
      if (!live_.empty()) text.tokens = live_[pick(live_.size())].tokens;
      text.tokens.push_back(99);
      adopted_ += cache_->adopt(text.id, 5, text.tokens);
      live_.push_back(std::move(text));
      return;
    }
    Text& text = live_[pick(live_.size())];
    if (kind == 1 && live_.size() < 8) {
      Text copy = text;
      copy.id = cache_->fork(text.id);
      copy.tokens.resize(static_cast<size_t>(cache_->length(copy.id)));
      live_.push_back(std::move(copy));
    } else if (kind == 2) {
      const auto to = static_cast<int64_t>(pick(static_cast<size_t>(cache_->length(text.id)) + 1));
      ASSERT_EQ(cache_->rewind(text.id, to), to);  // there are no windows
      text.tokens.resize(static_cast<size_t>(to));
    } else if (kind == 3) {
      cache_->remove_sequence(text.id);
      live_.erase(live_.begin() + (&text - live_.data()));
    } else {
      extend(text);
    }
  }
};

TEST_P(LatentRows, RandomStepsKeepWhatWasWritten) {
  cache_ = *KvCache::create(latents(), GetParam(), 2000);
  for (int n = 0; n < 4000; ++n) {
    step();
    if (n % 100 == 0) cache_->check_integrity();
    if (live_.empty()) continue;
    const Text& text = live_[pick(live_.size())];
    const int64_t length = cache_->length(text.id);
    for (int64_t p = static_cast<int64_t>(pick(4)); p < length; p += 7) check(text, p);
    if (length > 0) check(text, length - 1);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(adopted_, 1000);
  for (const Text& text : live_) cache_->remove_sequence(text.id);
  cache_->check_integrity();
  EXPECT_EQ(cache_->blocks_used(), 0);
}

INSTANTIATE_TEST_SUITE_P(KvCache, LatentRows, testing::Values(KvType::kF16, KvType::kInt8));

// Bytes by hand: no values, so half of what a layer with values as wide as its keys takes.
TEST(KvCache, ALatentHasNoValuesOfItsOwn) {
  auto of = [](CacheKind kind) {
    Program program;
    program.caches = {{.kind = kind, .kv_heads = 1, .key_dim = 576, .value_dim = 576}};
    return program;
  };
  struct Row { KvType type; int64_t bytes; };
  for (auto [type, bytes] :
       {Row{KvType::kF16, 32 * 576 * 2}, Row{KvType::kInt8, 32 * (576 + 72)}}) {
    auto latent = *KvCache::create(of(CacheKind::kLatent), type, 320);
    auto full = *KvCache::create(of(CacheKind::kFull), type, 320);
    EXPECT_EQ(latent->bytes_max(), 11 * bytes);
    EXPECT_EQ(2 * latent->bytes_max(), full->bytes_max());
    EXPECT_DOUBLE_EQ(KvCache::bytes_per_number(of(CacheKind::kLatent), type),
                     KvCache::bytes_per_number(of(CacheKind::kFull), type));
    auto cache = *KvCache::create(latents(), type, 320);
    EXPECT_EQ(cache->value_offset(0, 0), cache->key_offset(0, 0));
    EXPECT_EQ(cache->value_offset(1, 0), cache->key_offset(1, 0));
    EXPECT_EQ(static_cast<int64_t>(cache->key_offset(1, 0)), kv_key_bytes(type, 72));
    EXPECT_EQ(cache->key_offset(2, 0), 0u);  // its own group
  }
}

TEST(KvCache, KindsThatAreNotBuiltAreRefused) {
  Program program;
  program.caches = {{.kind = CacheKind::kRecurrent, .kv_heads = 1, .key_dim = 16,
                     .value_dim = 16}};
  auto made = KvCache::create(program, KvType::kF16, 64);
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code, Code::kUnsupported);
}

}  // namespace
}  // namespace hearth
