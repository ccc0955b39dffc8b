// Sliding: what stays is as if it had been the prompt of a fresh session, bit for bit, on caches
// that keep everything and on caches with windows.
#include "engine/overflow.h"

#include <numeric>

#include "engine/tiny_session.h"

namespace hearth {
namespace {

constexpr TokenId kNoBos = -1;

Overflow sliding(int64_t keep, std::span<const TokenId> prompt, int64_t context, TokenId bos) {
  return *Overflow::create({.overflow = "slide", .num_keep = keep}, prompt, bos, context);
}

std::vector<TokenId> numbers(TokenId count) {
  std::vector<TokenId> out(static_cast<size_t>(count));
  std::iota(out.begin(), out.end(), 0);
  return out;
}

TEST(Overflow, DropsTheOldestHalfOfWhatFollowsTheHead) {
  std::vector<TokenId> tokens = numbers(20);
  Overflow overflow = sliding(4, numbers(10), 20, kNoBos);
  EXPECT_EQ(overflow.head(), 4);
  EXPECT_EQ(overflow.slide(tokens), 8);
  EXPECT_EQ(tokens, (std::vector<TokenId>{0, 1, 2, 3, 12, 13, 14, 15, 16, 17, 18, 19}));
  EXPECT_EQ(overflow.slide(tokens), 0);
}

TEST(Overflow, KeepsBosBesidesTheHead) {
  EXPECT_EQ(sliding(4, numbers(10), 20, 0).head(), 5);
  EXPECT_EQ(sliding(0, numbers(10), 20, 0).head(), 1);
  EXPECT_EQ(sliding(0, numbers(10), 20, kNoBos).head(), 0);
  EXPECT_EQ(sliding(-1, numbers(10), 20, 0).head(), 10);
  EXPECT_EQ(sliding(64, numbers(10), 20, 0).head(), 10);
}

// However long a sequence is, whole or slid on the way, the same is left of it.
TEST(Overflow, SlidingOnTheWayLeavesWhatSlidingAtOnceLeaves) {
  for (int64_t context : {2, 3, 7, 20, 21, 64}) {
    for (int64_t keep : {0, 1, 4, 30}) {
      if (context - keep < 2) continue;
      Overflow overflow = sliding(keep, numbers(static_cast<TokenId>(keep) + 1), context, kNoBos);
      if (context - overflow.head() < 2) continue;
      std::vector<TokenId> stepwise;
      for (TokenId size = 1; size < 300; ++size) {
        stepwise.push_back(size - 1);
        overflow.slide(stepwise);
        std::vector<TokenId> at_once = numbers(size);
        overflow.slide(at_once);
        ASSERT_EQ(stepwise, at_once) << context << " " << keep << " " << size;
        ASSERT_LT(static_cast<int64_t>(at_once.size()), context);
        ASSERT_EQ(at_once.back(), size - 1);
      }
    }
  }
}

using SlidingSession = TinySession;

TEST_F(SlidingSession, AnAnswerGoesOnAsAFreshSessionWould) {
  constexpr int64_t kTokens = 80;
  for (const char* name : {"llama", "gemma3", "mistral-window"}) {
    load(name);
    for (auto [context, keep, prompt_size] :
         {std::tuple{48, 4, 10}, {48, 0, 40}, {70, 33, 60}, {64, -1, 20}, {48, 4, 300}}) {
      std::vector<TokenId> prompt = some_tokens(prompt_size);
      SamplingParams p = greedy(kTokens);
      p.overflow = "slide", p.num_keep = keep;
      Session session = make(context);
      auto got = session.generate(prompt, p, {});
      ASSERT_TRUE(got) << got.error().message;
      ASSERT_EQ(got->tokens.size(), static_cast<size_t>(kTokens));
      EXPECT_EQ(got->timings.prompt_tokens + got->timings.dropped_tokens, prompt_size);

      // Sessions that never slide are told what is left before some of the tokens.
      Overflow overflow = *Overflow::create(p, prompt, tokenizer_->bos(), context);
      std::vector<TokenId> all = prompt;
      int64_t dropped = 0;
      for (size_t i = 0; i < got->tokens.size(); all.push_back(got->tokens[i++])) {
        std::vector<TokenId> left = all;
        dropped = overflow.slide(left);
        if (i % 9 != 0) continue;
        auto next = make(context).generate(left, greedy(1), {});
        ASSERT_TRUE(next);
        ASSERT_EQ(next->tokens[0], got->tokens[i])
            << name << ", context " << context << ", keep " << keep << ", token " << i;
      }
      EXPECT_EQ(got->dropped_tokens, dropped);
      EXPECT_GT(dropped, 0);

      p.num_keep = overflow.head(), p.max_tokens = 20;  // the session goes on from its cache
      auto warm = session.generate(all, p, {}), cold = make(context).generate(all, p, {});
      ASSERT_TRUE(warm && cold);
      EXPECT_EQ(warm->tokens, cold->tokens);
    }
  }
}

TEST_F(SlidingSession, ATurnLaterTheCacheIsStillThere) {
  SamplingParams p = greedy(60);
  p.overflow = "slide";
  Session session = make(48);
  auto first = session.generate(prompt_, p, {});
  ASSERT_TRUE(first);
  std::vector<TokenId> next = prompt_;
  next.insert(next.end(), first->tokens.begin(), first->tokens.end());
  auto second = session.generate(next, p, {});
  ASSERT_TRUE(second);
  EXPECT_GE(second->timings.cached_tokens, second->timings.prompt_tokens - 1);
}

// Each answer slides over its own tokens.
TEST_F(SlidingSession, SeveralAnswersSlideEachByItself) {
  for (const char* name : {"llama", "gemma3"}) {
    load(name);
    SamplingParams p{.temperature = 1, .seed = 5, .max_tokens = 90, .ignore_eos = true,
                     .overflow = "slide"};
    p.n = 3;
    auto many = make(40).complete(prompt_, p, {});
    ASSERT_TRUE(many);
    p.n = 1;
    Session session = make(40);
    auto alone = session.generate(prompt_, p, {});
    ASSERT_TRUE(alone);
    EXPECT_EQ(many->choices[0].tokens, alone->tokens);
    Overflow overflow = *Overflow::create(p, prompt_, tokenizer_->bos(), 40);
    for (const Generation& choice : many->choices) {
      ASSERT_EQ(choice.tokens.size(), 90u);
      EXPECT_GT(choice.dropped_tokens, 40);
      // With its own first tokens as the prompt, greedily: what slid on the way and what slides
      // at once are the same sequence.
      std::vector<TokenId> told = prompt_;
      told.insert(told.end(), choice.tokens.begin(), choice.tokens.begin() + 70);
      SamplingParams exact = greedy(10);
      exact.overflow = "slide", exact.num_keep = overflow.head();
      auto fresh = make(40).generate(told, exact, {});
      auto warm = session.generate(told, exact, {});
      ASSERT_TRUE(fresh && warm);
      EXPECT_EQ(fresh->tokens, warm->tokens);
    }
  }
}

TEST_F(SlidingSession, AnswersThatDoNotEndAreEnded) {
  SamplingParams p = greedy(-1);
  p.overflow = "slide";
  auto endless = make(16).generate(prompt_, p, {});
  ASSERT_TRUE(endless);
  EXPECT_EQ(endless->tokens.size(), 160u);
  EXPECT_EQ(endless->reason, FinishReason::kLength);
  p.max_tokens = -2;  // until the context is full
  auto full = make(16).generate(prompt_, p, {});
  ASSERT_TRUE(full);
  EXPECT_EQ(full->tokens.size(), 10u);
  EXPECT_EQ(full->dropped_tokens, 0);
  p.max_tokens = 200;  // who asks for more gets more
  auto more = make(16).generate(prompt_, p, {});
  ASSERT_TRUE(more);
  EXPECT_EQ(more->tokens.size(), 200u);
}

TEST_F(SlidingSession, CancellingInTheMiddleOfASlideKeepsTheSession) {
  SamplingParams p = greedy(200);
  p.overflow = "slide";
  auto whole = make(40).generate(prompt_, p, {});
  ASSERT_TRUE(whole);
  for (size_t after : {5u, 33u, 34u, 35u, 80u}) {
    std::atomic<bool> cancel{false};
    Session session = make(40);
    size_t pieces = 0;
    auto stop = [&](std::string_view) { cancel = ++pieces > after; };
    auto some = session.generate(prompt_, p, {.on_text = stop, .cancel = &cancel});
    ASSERT_TRUE(some);
    EXPECT_EQ(some->reason, FinishReason::kCancelled);
    auto again = session.generate(prompt_, p, {});
    ASSERT_TRUE(again);
    EXPECT_EQ(again->tokens, whole->tokens) << after;
  }
}

TEST_F(SlidingSession, WhatCannotSlideIsRefused) {
  auto error_of = [&](int64_t prompt, auto change) {
    SamplingParams p = greedy(4);
    p.overflow = "slide";
    change(p);
    auto refused = make(32).complete(some_tokens(prompt), p, {});
    return refused ? Error{Code::kInternal, "not refused"} : refused.error();
  };
  Error beams = error_of(6, [](SamplingParams& p) { p.num_beams = 4; });
  EXPECT_EQ(beams.code, Code::kUnsupported);
  EXPECT_NE(beams.message.find("beam search cannot slide"), std::string::npos);
  Error whole = error_of(40, [](SamplingParams& p) { p.num_keep = -1; });
  EXPECT_EQ(whole.code, Code::kTooLarge);
  EXPECT_NE(whole.message.find("40"), std::string::npos);
  Error logprobs = error_of(40, [](SamplingParams& p) { p.prompt_logprobs = 1; });
  EXPECT_EQ(logprobs.code, Code::kTooLarge);
}

}  // namespace
}  // namespace hearth
