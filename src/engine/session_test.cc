// Sessions on a tiny model: stop strings, limits, cancelling, reuse of the cache.
#include "engine/session.h"

#include <gtest/gtest.h>

namespace hearth {
namespace {

std::string all_of(StopFilter& filter, std::vector<std::string> pieces) {
  std::string out;
  for (const std::string& piece : pieces) {
    out += filter.push(piece);
    if (filter.stopped()) return out;
  }
  return out + filter.finish();
}

TEST(StopFilter, FindsStopsThatSpanPieces) {
  std::vector<std::string> stops = {"STOP", "\n\n"};
  StopFilter a(stops);
  EXPECT_EQ(all_of(a, {"one S", "T", "OP two"}), "one ");
  EXPECT_TRUE(a.stopped());
  StopFilter b(stops);
  EXPECT_EQ(all_of(b, {"one ST", "AR\n", "x\n"}), "one STAR\nx\n");
  EXPECT_FALSE(b.stopped());
}

TEST(StopFilter, EmitsWhatCannotBeAStopAtOnce) {
  std::vector<std::string> stops = {"abc"};
  StopFilter f(stops);
  EXPECT_EQ(f.push("xya"), "xy");
  EXPECT_EQ(f.push("b"), "");
  EXPECT_EQ(f.push("abc"), "ab");
  EXPECT_TRUE(f.stopped());
}

class TinySession : public testing::Test {
 protected:
  void SetUp() override { load("llama"); }
  void load(const std::string& name) {
    std::string folder = HEARTH_TEST_DATA "/models/" + name;
    auto model = Model::load(folder);
    ASSERT_TRUE(model.has_value()) << model.error().message;
    auto tokenizer = load_tokenizer((*model)->file, folder);
    ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
    tokenizer_ = *tokenizer;
    runner_ = std::make_unique<Runner>(*model, RunnerOptions{.precision = Precision::kExact,
                                                             .threads = 2});
  }
  Session make(int64_t context = 128) {
    return *Session::create(*runner_, tokenizer_, context, KvType::kF32);
  }
  SamplingParams greedy(int64_t n) {
    return {.temperature = 0, .max_tokens = n, .ignore_eos = true};
  }

  std::shared_ptr<const Tokenizer> tokenizer_;
  std::unique_ptr<Runner> runner_;
  std::vector<TokenId> prompt_ = {5, 9, 100, 42, 17, 200};
};

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
