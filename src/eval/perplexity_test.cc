// Perplexity against logits that transformers computed (tests/data/models/README.md), and the
// divergence of a runner from itself.
#include "eval/perplexity.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/npz.h"

namespace hearth {
namespace {

class Perplexity : public testing::Test {
 protected:
  void SetUp() override {
    std::string folder = HEARTH_TEST_DATA "/models/qwen2";
    auto model = Model::load(folder);
    ASSERT_TRUE(model.has_value()) << model.error().message;
    exact_ = std::make_unique<Runner>(*model, RunnerOptions{.precision = Precision::kExact,
                                                            .threads = 2});
    high_ = std::make_unique<Runner>(*model, RunnerOptions{.threads = 2});
    auto arrays = test::read_npz(folder + "/reference.npz");
    ASSERT_TRUE(arrays.has_value());
    for (int64_t id : (*arrays)["tokens"].ints()) tokens_.push_back(static_cast<TokenId>(id));
    logits_ = (*arrays)["logits"].floats();
  }

  // -log p of token `at`, from the reference's logits of the position before.
  double reference_nll(size_t at) {
    size_t vocab = logits_.size() / tokens_.size();
    const float* row = logits_.data() + (at - 1) * vocab;
    double sum = 0;
    for (size_t i = 0; i < vocab; ++i) sum += std::exp(static_cast<double>(row[i]));
    return std::log(sum) - row[tokens_[at]];
  }

  std::unique_ptr<Runner> exact_, high_;
  std::vector<TokenId> tokens_;
  std::vector<float> logits_;
};

TEST_F(Perplexity, ScoresTheSecondHalfOfAWindow) {
  for (int64_t ctx : {int64_t{4}, int64_t{17}, int64_t{48}}) {
    double nll = 0;
    int64_t count = 0;
    for (int64_t at = ctx / 2 + 1; at < ctx; ++at, ++count)
      nll += reference_nll(static_cast<size_t>(at));
    auto got = perplexity(*exact_, tokens_, -1,
                          {.ctx = ctx, .chunks = 1, .kv = KvType::kF32});
    ASSERT_TRUE(got.has_value()) << got.error().message;
    EXPECT_EQ(got->tokens, count);
    double wanted = std::exp(nll / static_cast<double>(count));
    EXPECT_NEAR(got->ppl, wanted, 1e-4 * wanted) << "ctx " << ctx;
  }
}

TEST_F(Perplexity, BosTakesTheFirstPlaceOfEveryWindow) {
  std::vector<TokenId> with_bos = tokens_;
  for (size_t at = 0; at < with_bos.size(); at += 16) with_bos[at] = 0;
  PerplexityOptions options{.ctx = 16, .kv = KvType::kF32};
  auto replaced = perplexity(*exact_, tokens_, 0, options);
  auto written = perplexity(*exact_, with_bos, -1, options);
  ASSERT_TRUE(replaced && written);
  EXPECT_EQ(replaced->tokens, 3 * 7);
  EXPECT_EQ(replaced->ppl, written->ppl);
  EXPECT_NE(replaced->ppl, perplexity(*exact_, tokens_, -1, options)->ppl);
}

TEST_F(Perplexity, DivergenceFromItselfIsNothing) {
  PerplexityOptions options{.ctx = 48, .kv = KvType::kF32, .reference = exact_.get()};
  auto same = perplexity(*exact_, tokens_, -1, options);
  ASSERT_TRUE(same && same->divergence);
  EXPECT_LT(same->divergence->max, 1e-9);
  EXPECT_EQ(same->divergence->same_top, 1.0);
  EXPECT_EQ(same->ppl, same->reference_ppl);
  options.kv = KvType::kF16;
  auto high = perplexity(*high_, tokens_, -1, options);
  ASSERT_TRUE(high && high->divergence);
  EXPECT_GT(high->divergence->mean, 0.0);
  EXPECT_LT(high->divergence->mean, 1e-3);
}

TEST_F(Perplexity, RefusesWindowsThatDoNotFit) {
  EXPECT_EQ(perplexity(*exact_, tokens_, -1, {.ctx = 49}).error().code, Code::kInvalid);
  EXPECT_EQ(perplexity(*exact_, tokens_, -1, {.ctx = 2}).error().code, Code::kInvalid);
}

}  // namespace
}  // namespace hearth
