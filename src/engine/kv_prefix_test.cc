// Prefix sharing against a plain model: what a position holds is a function of the salt and of all
// tokens up to it, so whatever a sequence adopts can be checked byte by byte.
#include <gtest/gtest.h>

#include <random>

#include "engine/kv_cache.h"

namespace hearth {
namespace {

constexpr int32_t kWindow = 40;

Program two_kinds() {
  Program program;
  program.caches = {{.kind = CacheKind::kFull, .layer = 0, .kv_heads = 1, .key_dim = 16,
                     .value_dim = 16},
                    {.kind = CacheKind::kWindowed, .layer = 1, .kv_heads = 2, .key_dim = 16,
                     .value_dim = 16, .window = kWindow}};
  return program;
}

std::byte* mark_of(const KvCache& cache, SequenceId s, int32_t index, size_t position) {
  return const_cast<std::byte*>(cache.blocks(s, index)[position / kKvBlock]) +
         cache.key_offset(index, 0) + position % kKvBlock;
}

struct Text {
  SequenceId id = 0;
  PrefixSalt salt = 0;
  std::vector<TokenId> tokens;

  // The byte of every position.
  std::vector<std::byte> marks() const {
    std::vector<std::byte> out;
    uint32_t hash = static_cast<uint32_t>(salt) + 1;
    for (TokenId t : tokens) {
      hash = (hash ^ static_cast<uint32_t>(t)) * 16777619u + (hash >> 15);
      out.push_back(static_cast<std::byte>(hash >> 13));
    }
    return out;
  }
};

class Sharing : public testing::Test {
 protected:
  std::mt19937 random{5};
  std::unique_ptr<KvCache> cache;
  std::vector<Text> live;
  int64_t adopted = 0;

  // Times are seconds of the test's own clock.
  struct Pin {
    Text text;
    int64_t until = 0;
  };
  std::vector<Pin> pins;
  int64_t now = 0, pinned = 0;
  bool pins_too = false;

  static PrefixIndex::Time time(int64_t seconds) {
    return PrefixIndex::Time(std::chrono::seconds(seconds));
  }

  size_t pick(size_t n) { return random() % n; }

  // Few kinds of beginnings, whose blocks differ late or early.
  std::vector<TokenId> some_tokens(size_t count) {
    std::vector<TokenId> out(count);
    const auto kind = static_cast<TokenId>(pick(3));
    for (size_t i = 0; i < count; ++i) out[i] = static_cast<TokenId>(i % 7) + 10 * kind;
    if (pick(2) == 0 && count > 0) out[pick(count)] += 5;
    return out;
  }

  void check(const Text& text) {
    const auto marks = text.marks();
    const auto length = static_cast<size_t>(cache->length(text.id));
    ASSERT_LE(length, marks.size());
    for (size_t p = 0; p < length; ++p) {
      ASSERT_EQ(*mark_of(*cache, text.id, 0, p), marks[p]) << p << " of " << length;
      if (p + kWindow <= length) continue;
      ASSERT_EQ(*mark_of(*cache, text.id, 1, p), marks[p]) << p << " of " << length;
    }
  }

  // Computes positions up to `end`: false when the pool is spent.
  bool compute(Text& text, size_t end) {
    const auto length = static_cast<size_t>(cache->length(text.id));
    if (!cache->reserve(text.id, static_cast<int64_t>(end)).has_value()) return false;
    const auto marks = text.marks();
    for (size_t p = length; p < end; ++p)
      for (int32_t index : {0, 1}) *mark_of(*cache, text.id, index, p) = marks[p];
    cache->advance(text.id, static_cast<int64_t>(end));
    cache->publish(text.id, text.tokens);
    return true;
  }

  void begin() {
    Text text = {cache->add_sequence(), pick(4) == 0 ? 1u : 2u, some_tokens(pick(300) + 1)};
    const int64_t known = cache->adopt(text.id, text.salt, text.tokens);
    ASSERT_LE(known, static_cast<int64_t>(text.tokens.size()));
    ASSERT_EQ(cache->length(text.id), known);
    adopted += known;
    check(text);
    live.push_back(text);
  }
  void extend(Text& text) {
    const auto length = static_cast<size_t>(cache->length(text.id));
    if (length == text.tokens.size()) {
      for (size_t i = pick(70) + 1; i > 0; --i)
        text.tokens.push_back(static_cast<TokenId>(pick(3)));
    }
    compute(text, length + 1 + pick(text.tokens.size() - length));
  }
  void fork(const Text& text) {
    Text copy = text;
    copy.id = cache->fork(text.id);
    copy.tokens.resize(static_cast<size_t>(cache->length(copy.id)));
    live.push_back(copy);
  }
  void rewind(Text& text) {
    const auto length = cache->length(text.id);
    const int64_t kept = cache->rewind(text.id, static_cast<int64_t>(pick(length + 1)));
    text.tokens.resize(static_cast<size_t>(kept));
    if (kept == 0) text.tokens = some_tokens(50);
  }
  void end(size_t i) {
    cache->remove_sequence(live[i].id);
    live.erase(live.begin() + static_cast<ptrdiff_t>(i));
  }

  void pin(const Text& text) {
    Pin own = {text, now + static_cast<int64_t>(pick(400))};
    const auto most = static_cast<int64_t>(pick(text.tokens.size() + 1));
    const int64_t kept = cache->pin(text.id, pick(2) == 0 ? most : 1000, time(own.until));
    ASSERT_LE(kept, cache->length(text.id));
    own.text.tokens.resize(static_cast<size_t>(kept));
    pinned += kept;
    if (kept > 0) pins.push_back(std::move(own));
  }
  // What is pinned is there for whoever asks for it.
  void check_pins() {
    cache->unpin(time(now));
    std::erase_if(pins, [&](const Pin& one) { return one.until <= now; });
    if (pins.empty()) {
      EXPECT_EQ(cache->tokens_pinned(), 0);
      return;
    }
    const Text& known = pins[pick(pins.size())].text;
    Text text = {cache->add_sequence(), known.salt, known.tokens};
    ASSERT_EQ(cache->adopt(text.id, text.salt, text.tokens),
              static_cast<int64_t>(text.tokens.size()));
    check(text);
    cache->remove_sequence(text.id);
    if (pick(2) == 0) cache->forget_prefixes();
  }

  void step() {
    const size_t kind = pick(12);
    if (live.empty() || (kind < 2 && live.size() < 10)) return begin();
    const size_t i = pick(live.size());
    if (kind == 2 && live.size() < 10) fork(live[i]);
    else if (kind == 3) rewind(live[i]);
    else if (kind == 4) end(i);
    else if (pins_too && kind == 5 && pick(4) == 0) pin(live[i]);
    else extend(live[i]);
  }
  void random_steps() {
    for (int n = 0; n < 20000; ++n) {
      step();
      if (!live.empty()) check(live[pick(live.size())]);
      if (HasFatalFailure()) return;
      if (n % 100 == 0) cache->check_integrity();
    }
  }
};

TEST_F(Sharing, RandomStepsAgreeWithTheModel) {
  cache = *KvCache::create(two_kinds(), KvType::kF16, 1500);  // so little that much is given up
  random_steps();
  EXPECT_GT(adopted, 20000);
}

TEST_F(Sharing, RandomStepsAgreeWithTheModelWithLessRoomForWindows) {
  cache = *KvCache::create(two_kinds(), KvType::kF16, 1500, 500);
  random_steps();
  EXPECT_GT(adopted, 5000);
}

TEST_F(Sharing, AllIsGivenBackAtTheEnd) {
  cache = *KvCache::create(two_kinds(), KvType::kF16, 1500);
  random_steps();
  while (!live.empty()) end(0);
  EXPECT_EQ(cache->blocks_used(), 0);
  EXPECT_GT(cache->blocks_kept(), 0);
  cache->forget_prefixes();
  EXPECT_EQ(cache->blocks_kept(), 0);
  cache->check_integrity();
}

TEST_F(Sharing, PinsHoldForAsLongAsTheySay) {
  cache = *KvCache::create(two_kinds(), KvType::kF16, 3000);
  pins_too = true;
  for (; now < 20000; ++now) {
    step();
    if (!live.empty()) check(live[pick(live.size())]);
    if (now % 8 == 0) check_pins();
    if (HasFailure()) return;
    if (now % 100 == 0) cache->check_integrity();
  }
  EXPECT_GT(pinned, 5000);
  while (!live.empty()) end(0);
  cache->unpin(PrefixIndex::Time::max());
  cache->forget_prefixes();
  EXPECT_EQ(cache->blocks_pinned() + cache->blocks_kept() + cache->blocks_used(), 0);
  cache->check_integrity();
}

// A quarter of the pool for an owner, whatever its salts; a half for all, and less where others
// need more.
TEST_F(Sharing, PinsAreBounded) {
  for (int64_t spared : {0, 1024}) {
    cache = *KvCache::create(two_kinds(), KvType::kF16, 2048 - kKvBlock);  // 64 blocks
    cache->spare_from_pins(spared);
    auto ask = [&](PrefixSalt salt, TokenId token, size_t tokens) {
      Text text = {cache->add_sequence(), salt, std::vector<TokenId>(tokens, token)};
      cache->adopt(text.id, salt, text.tokens);
      for (size_t p = kKvBlock; p <= tokens; p += kKvBlock)  // so that windows are known of all
        EXPECT_TRUE(p <= static_cast<size_t>(cache->length(text.id)) || compute(text, p));
      const int64_t kept = cache->pin(text.id, 10000, time(100));
      cache->remove_sequence(text.id);
      cache->check_integrity();
      return kept / kKvBlock;
    };
    EXPECT_EQ(ask(1, 1, 320), 10);
    EXPECT_EQ(ask(1, 1, 320), 10);  // again: the same ones
    EXPECT_EQ(ask(1 + kPrefixOwners, 1, 320), 6);
    EXPECT_EQ(ask(1 + kPrefixOwners, 2, 320), 0);
    EXPECT_EQ(ask(1, 1, 640), 10);  // no more, but those still
    EXPECT_EQ(cache->tokens_pinned(), 16 * kKvBlock);
    EXPECT_EQ(cache->blocks_pinned(), 32);  // of two groups
    EXPECT_EQ(ask(2, 1, 640), spared == 0 ? 16 : 15);
    EXPECT_EQ(ask(3, 1, 640), 0);
    cache->unpin(time(99));
    EXPECT_EQ(cache->next_unpin(), time(100));
    EXPECT_GT(cache->tokens_pinned(), 0);
    cache->unpin(time(100));
    EXPECT_EQ(cache->tokens_pinned(), 0);
    EXPECT_EQ(ask(3, 1, 640), 16);
  }
}

TEST_F(Sharing, BeginsWithWholeBlocksAndAPart) {
  cache = *KvCache::create(two_kinds(), KvType::kF16, 1 << 14);
  Text first = {cache->add_sequence(), 7, std::vector<TokenId>(100, 3)};
  ASSERT_EQ(cache->adopt(first.id, 7, first.tokens), 0);
  ASSERT_TRUE(compute(first, 100));
  Text same = {cache->add_sequence(), 7, std::vector<TokenId>(90, 3)};
  EXPECT_EQ(cache->adopt(same.id, 7, same.tokens), 90);  // two blocks, and 26 of the third
  check(same);
  Text late = {cache->add_sequence(), 7, std::vector<TokenId>(100, 3)};
  EXPECT_EQ(cache->adopt(late.id, 7, late.tokens), 96);  // the fourth is not whole
  EXPECT_EQ(cache->adopt(cache->add_sequence(), 8, late.tokens), 0);  // not across salts
  // What one of them writes, the others do not see.
  same.tokens.resize(96, 4);
  ASSERT_TRUE(compute(same, 96));
  check(first), check(late), check(same);
}

// A text whose windows have passed can be adopted as long as memory is not short.
TEST_F(Sharing, WindowsThatHavePassedAreKept) {
  cache = *KvCache::create(two_kinds(), KvType::kF16, 1 << 14);
  Text text = {cache->add_sequence(), 1, some_tokens(640)};
  cache->adopt(text.id, 1, text.tokens);
  for (size_t p = 64; p <= 640; p += 64) ASSERT_TRUE(compute(text, p));
  Text half = {cache->add_sequence(), 1, text.tokens};
  half.tokens.resize(320);
  EXPECT_EQ(cache->adopt(half.id, 1, half.tokens), 320);
  check(half);
}

// However much one owner computes, what another one keeps stays, up to an equal part.
TEST_F(Sharing, NobodyPushesOutWhatOthersKeep) {
  cache = *KvCache::create(two_kinds(), KvType::kF16, 1024);
  Text own = {cache->add_sequence(), 1, std::vector<TokenId>(320, 9)};
  cache->adopt(own.id, own.salt, own.tokens);
  ASSERT_TRUE(compute(own, 320));
  cache->remove_sequence(own.id);
  for (TokenId t = 0; t < 50; ++t) {  // salts that have the owner in common
    Text flood = {cache->add_sequence(), 2 + kPrefixOwners * (random() % 9),
                  std::vector<TokenId>(200, t)};
    cache->adopt(flood.id, flood.salt, flood.tokens);
    ASSERT_TRUE(compute(flood, 200));
    cache->remove_sequence(flood.id);
    cache->check_integrity();
  }
  Text again = {cache->add_sequence(), 1, own.tokens};
  EXPECT_EQ(cache->adopt(again.id, again.salt, again.tokens), 320);
  check(again);
}

// Both compute the same at the same time: one copy stays.
TEST_F(Sharing, TwinsShareWhatBothComputed) {
  cache = *KvCache::create(two_kinds(), KvType::kF16, 1 << 14);
  for (int i = 0; i < 2; ++i) {
    live.push_back({cache->add_sequence(), 0, std::vector<TokenId>(32, 1)});
    cache->adopt(live[0].id, 0, {});
  }
  ASSERT_TRUE(compute(live[0], 32));
  const int64_t used = cache->blocks_used();
  ASSERT_TRUE(compute(live[1], 32));
  EXPECT_EQ(cache->blocks_used(), used);
  EXPECT_EQ(cache->blocks(live[0].id, 0)[0], cache->blocks(live[1].id, 0)[0]);
}

}  // namespace
}  // namespace hearth
