// Sessions on a tiny model: stop strings, limits, cancelling, reuse of the cache.
#include <cmath>

#include "engine/tiny_session.h"

namespace hearth {
namespace {

TEST_F(TinySession, ReusingTheCacheChangesNothing) {
  Session session = make();
  auto first = session.generate(prompt_, greedy(20), {});
  ASSERT_TRUE(first.has_value());
  std::vector<TokenId> longer = prompt_;
  longer.insert(longer.end(), first->tokens.begin(), first->tokens.end());
  longer.push_back(33);
  auto warm = session.generate(longer, greedy(20), {});
  auto cold = make().generate(longer, greedy(20), {});
  ASSERT_TRUE(warm.has_value() && cold.has_value());
  EXPECT_GT(warm->timings.cached_tokens, 20);
  EXPECT_EQ(cold->timings.cached_tokens, 0);
  EXPECT_EQ(warm->tokens, cold->tokens);
}

// Windows of 16: what a rewind needs may be gone, and is then computed again.
TEST_F(TinySession, RewindingPastAWindowChangesNothing) {
  for (const char* name : {"gemma3", "mistral-window"}) {
    load(name);
    std::vector<TokenId> prompt;
    for (TokenId i = 0; i < 100; ++i) prompt.push_back(2 + i * 7 % 270);
    Session session = make(256);
    ASSERT_TRUE(session.generate(prompt, greedy(20), {}));
    for (size_t keep : {99u, 70u, 40u, 3u}) {
      std::vector<TokenId> other(prompt.begin(), prompt.begin() + static_cast<ptrdiff_t>(keep));
      other.push_back(33);
      auto warm = session.generate(other, greedy(10), {});
      auto cold = make(256).generate(other, greedy(10), {});
      ASSERT_TRUE(warm && cold);
      EXPECT_EQ(warm->tokens, cold->tokens) << name << " after " << keep;
    }
  }
}

TEST_F(TinySession, ASeedGivesTheSameTextAgain) {
  SamplingParams p{.temperature = 1, .top_k = 0, .top_p = 1, .seed = 7, .max_tokens = 20,
                   .ignore_eos = true};
  auto a = make().generate(prompt_, p, {}), b = make().generate(prompt_, p, {});
  p.seed = 8;
  auto c = make().generate(prompt_, p, {});
  ASSERT_TRUE(a && b && c);
  EXPECT_EQ(a->tokens, b->tokens);
  EXPECT_NE(a->tokens, c->tokens);
}

TEST_F(TinySession, LimitsAndFinishReasons) {
  auto limited = make().generate(prompt_, greedy(3), {});
  ASSERT_TRUE(limited);
  EXPECT_EQ(limited->tokens.size(), 3u);
  EXPECT_EQ(limited->reason, FinishReason::kLength);
  auto full = make(16).generate(prompt_, greedy(-1), {});
  ASSERT_TRUE(full);
  EXPECT_EQ(full->tokens.size(), 10u);  // up to the context
  auto none = make().generate(prompt_, greedy(0), {});
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->tokens.empty());
}

TEST_F(TinySession, APromptTooLongIsRefusedWithTheLengths) {
  std::vector<TokenId> prompt(64, 5);
  auto refused = make(64).generate(prompt, greedy(1), {});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kTooLarge);
  EXPECT_NE(refused.error().message.find("64"), std::string::npos);
}

TEST_F(TinySession, AStopStringEndsTheText) {
  auto plain = make().generate(prompt_, greedy(20), {});
  ASSERT_TRUE(plain && plain->text.size() > 8);
  SamplingParams p = greedy(20);
  p.stop = {plain->text.substr(4, 3)};
  std::string streamed;
  auto keep = [&](std::string_view text) { streamed += text; };
  auto stopped = make().generate(prompt_, p, {.on_text = keep});
  ASSERT_TRUE(stopped);
  EXPECT_EQ(stopped->text, plain->text.substr(0, plain->text.find(p.stop[0])));
  EXPECT_EQ(streamed, stopped->text);
  EXPECT_EQ(stopped->reason, FinishReason::kStop);
}

TEST_F(TinySession, StopTokensAndMinTokens) {
  auto plain = make().generate(prompt_, greedy(20), {});
  ASSERT_TRUE(plain);
  SamplingParams p = greedy(20);
  p.stop_token_ids = {plain->tokens[3]};
  auto stopped = make().generate(prompt_, p, {});
  ASSERT_TRUE(stopped);
  EXPECT_EQ(stopped->reason, FinishReason::kStop);
  EXPECT_EQ(stopped->stop_token, plain->tokens[3]);
  EXPECT_LE(stopped->tokens.size(), 3u);
  p.min_tokens = 10;  // until then the token cannot come at all
  auto longer = make().generate(prompt_, p, {});
  ASSERT_TRUE(longer);
  ASSERT_GE(longer->tokens.size(), 10u);
  for (size_t i = 0; i < 10; ++i) EXPECT_NE(longer->tokens[i], plain->tokens[3]);
  p.min_tokens = 21;
  EXPECT_FALSE(make().generate(prompt_, p, {}));
}

TEST_F(TinySession, SeveralAnswersAreThoseOfTheirOwnNumbers) {
  SamplingParams p{.temperature = 1, .top_k = 0, .top_p = 1, .seed = 7, .max_tokens = 40,
                   .ignore_eos = true};
  auto alone = make().generate(prompt_, p, {});
  ASSERT_TRUE(alone);
  p.n = 5;
  for (const char* name : {"llama", "gemma3"}) {
    load(name);
    p.n = 1;
    Session session = make();
    auto first = session.generate(prompt_, p, {});
    p.n = 5;
    auto many = session.complete(prompt_, p, {});
    auto again = make().complete(prompt_, p, {});
    ASSERT_TRUE(first && many && again);
    ASSERT_EQ(many->choices.size(), 5u);
    EXPECT_EQ(many->choices[0].tokens, first->tokens);
    for (size_t i = 0; i < 5; ++i) {
      EXPECT_EQ(many->choices[i].tokens, again->choices[i].tokens);
      EXPECT_EQ(many->choices[i].tokens.size(), 40u);
      if (i == 0) continue;
      EXPECT_NE(many->choices[i].tokens, many->choices[0].tokens);
    }
    p.best_of = 5;  // of those, the likeliest
    p.n = 2;
    p.logprobs = 0;
    std::string streamed;
    auto keep = [&](std::string_view text) { streamed += text; };
    auto best = session.complete(prompt_, p, {.on_text = keep});
    ASSERT_TRUE(best);
    EXPECT_EQ(streamed, best->choices[0].text);
    ASSERT_EQ(best->choices.size(), 2u);
    EXPECT_GE(best->choices[0].mean_logprob, best->choices[1].mean_logprob);
    EXPECT_NEAR(best->choices[0].mean_logprob, mean_logprob(best->choices[0].logprobs), 1e-9);
    p.best_of = 0;
    p.logprobs = -1;
  }
}

TEST_F(TinySession, RequestsThatCannotBeAreRefused) {
  auto code_of = [&](auto change) {
    SamplingParams p = greedy(4);
    change(p);
    auto refused = make().complete(prompt_, p, {});
    return refused ? Code::kInternal : refused.error().code;
  };
  EXPECT_EQ(code_of([](SamplingParams& p) { p.n = 0; }), Code::kInvalid);
  EXPECT_EQ(code_of([](SamplingParams& p) { p.n = int64_t{1} << 60; }), Code::kTooLarge);
  EXPECT_EQ(code_of([](SamplingParams& p) { p.num_beams = 1 << 20; }), Code::kTooLarge);
  EXPECT_EQ(code_of([](SamplingParams& p) { p.n = 3, p.best_of = 2; }), Code::kInvalid);
  EXPECT_EQ(code_of([](SamplingParams& p) { p.samplers = "zz"; }), Code::kInvalid);
  EXPECT_EQ(code_of([](SamplingParams& p) { p.temperature = std::nan(""); }), Code::kInvalid);
  EXPECT_EQ(code_of([](SamplingParams& p) {  // every token is forbidden
    for (TokenId id = 0; id < 288; ++id) p.bad_tokens.push_back({id});
  }), Code::kInvalid);
}

TEST_F(TinySession, CancellingKeepsTheSession) {
  Session session = make();
  std::atomic<bool> cancel{true};
  auto cancelled = session.generate(prompt_, greedy(5), {.cancel = &cancel});
  ASSERT_TRUE(cancelled);
  EXPECT_EQ(cancelled->reason, FinishReason::kCancelled);
  auto again = session.generate(prompt_, greedy(5), {});
  auto fresh = make().generate(prompt_, greedy(5), {});
  ASSERT_TRUE(again && fresh);
  EXPECT_EQ(again->tokens, fresh->tokens);
}

// The last token was given out, and its step stopped: it is not in the cache.
TEST_F(TinySession, AChatGoesOnFromAnAnswerThatWasStopped) {
  for (size_t after : {1u, 2u, 5u}) {
    Session session = make();
    std::atomic<bool> cancel{false};
    size_t pieces = 0;
    auto stop = [&](std::string_view) { cancel = ++pieces >= after; };
    auto some = session.generate(prompt_, greedy(40), {.on_text = stop, .cancel = &cancel});
    ASSERT_TRUE(some);
    ASSERT_EQ(some->reason, FinishReason::kCancelled);
    ASSERT_FALSE(some->tokens.empty());
    std::vector<TokenId> longer = prompt_;
    longer.insert(longer.end(), some->tokens.begin(), some->tokens.end());
    longer.insert(longer.end(), {7, 90, 11});
    auto on = session.generate(longer, greedy(8), {});
    auto fresh = make().generate(longer, greedy(8), {});
    ASSERT_TRUE(on && fresh);
    EXPECT_EQ(on->tokens, fresh->tokens) << after;
    EXPECT_GT(on->timings.cached_tokens, 0);
  }
}

TEST_F(TinySession, TokensOutsideTheVocabularyAreRefused) {
  for (TokenId bad : {-1, 288, 1 << 30}) {
    std::vector<TokenId> prompt = {5, bad};
    auto refused = make().generate(prompt, greedy(1), {});
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, Code::kInvalid);
  }
}

}  // namespace
}  // namespace hearth
