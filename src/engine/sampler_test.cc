// Samplers against the distributions they must draw from: 100,000 draws each, chi-square. What the
// steps leave is compared with llama.cpp's samplers in sampler_reference_test.cc.
#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "base/rng.h"
#include "support/long.h"

namespace hearth {
namespace {

constexpr int kDraws = 100000;
constexpr float kInf = std::numeric_limits<float>::infinity();
// Probabilities at temperature 1, largest first: tokens 1 4 2 0 5 3,
// .4592 .2785 .1689 .0621 .0229 .0084
const std::vector<float> kLogits = {1.0f, 3.0f, 2.0f, -1.0f, 2.5f, 0.0f};

// The chain with nothing switched on.
SamplingParams off() {
  return {.temperature = 1, .top_k = 0, .top_p = 1, .min_p = 0, .seed = 5};
}

std::shared_ptr<const SamplerPlan> plan_of(const SamplingParams& params) {
  auto plan = SamplerPlan::create(params, nullptr);
  EXPECT_TRUE(plan.has_value()) << plan.error().message;
  return *plan;
}

TokenId draw(const SamplingParams& params, std::vector<float> logits,
             const std::vector<TokenId>& history, uint64_t sequence = 0) {
  auto id = Sampler(plan_of(params), sequence).sample(logits, history);
  EXPECT_TRUE(id.has_value());
  return id ? *id : -1;
}

std::vector<double> softmax(const std::vector<double>& logits) {
  std::vector<double> out;
  for (double x : logits) out.push_back(std::exp(x));
  double sum = std::accumulate(out.begin(), out.end(), 0.0);
  for (double& p : out) p /= sum;
  return out;
}

// The 99.9 % points of chi-square with 1 to 5 degrees of freedom.
constexpr double kCritical[] = {0, 10.83, 13.82, 16.27, 18.47, 20.52};

// Draws in kDraws sequences after the same history, and compares with the probabilities. What has
// none must never come.
void expect_distribution(const SamplingParams& params, const std::vector<double>& wanted,
                         const std::vector<TokenId>& history = {}) {
  auto plan = plan_of(params);
  std::vector<int> seen(wanted.size(), 0);
  for (uint64_t i = 0; i < kDraws; ++i) {
    std::vector<float> logits = kLogits;
    auto id = Sampler(plan, i).sample(logits, history);
    ASSERT_TRUE(id.has_value());
    ++seen[static_cast<size_t>(*id)];
  }
  double chi = 0;
  size_t freedom = 0;
  for (size_t id = 0; id < wanted.size(); ++id) {
    if (wanted[id] == 0) {
      EXPECT_EQ(seen[id], 0) << "token " << id << " must never be drawn";
      continue;
    }
    double mean = wanted[id] * kDraws;
    chi += (seen[id] - mean) * (seen[id] - mean) / mean;
    ++freedom;
  }
  EXPECT_LT(chi, freedom > 1 ? kCritical[freedom - 1] : 1e-9);
}

// The softmax of the logits of `ids` at a temperature; 0 for the others.
std::vector<double> over(const std::vector<size_t>& ids, double temperature = 1) {
  std::vector<double> logits(kLogits.size(), -1e30);
  for (size_t id : ids) logits[id] = kLogits[id] / temperature;
  return softmax(logits);
}
const std::vector<size_t> kAll = {0, 1, 2, 3, 4, 5};

TEST(Sampler, TemperatureFollowsSoftmax) {
  SamplingParams p = off();
  expect_distribution(p, over(kAll));
  p.temperature = 0.7;
  expect_distribution(p, over(kAll, 0.7));
  p.temperature = 1.8;
  expect_distribution(p, over(kAll, 1.8));
}

TEST(Sampler, TopKKeepsTheLargest) {
  SamplingParams p = off();
  p.top_k = 3;
  expect_distribution(p, over({1, 4, 2}));
}

TEST(Sampler, TopPKeepsTheShortestHead) {
  SamplingParams p = off();
  p.top_p = 0.85;
  expect_distribution(p, over({1, 4, 2}));
  p.top_p = 0.70;
  expect_distribution(p, over({1, 4}));
  p.min_keep = 4;
  expect_distribution(p, over({1, 4, 2, 0}));
}

TEST(Sampler, MinPKeepsThoseLikelyEnough) {
  SamplingParams p = off();
  p.min_p = 0.3;  // e^-1 = 0.37 stays, e^-2 = 0.14 goes
  p.temperature = 2;
  expect_distribution(p, over({1, 4, 2}, 2));
}

// The entropy is 1.38 nats; -log p is 0.81, 1.31, 1.81, 2.81, ...: nearest are 4, then 2, then 1.
TEST(Sampler, TypicalKeepsWhatIsNearTheEntropy) {
  SamplingParams p = off();
  p.typical_p = 0.2;
  expect_distribution(p, over({4}));
  p.typical_p = 0.4;
  expect_distribution(p, over({4, 2}));
  p.typical_p = 0.6;
  expect_distribution(p, over({4, 2, 1}));
}

// The standard deviation of the logits is 1.407: a bound of 1.593 for one, 0.186 for two.
TEST(Sampler, TopNSigmaKeepsWhatIsNearTheBest) {
  SamplingParams p = off();
  p.top_n_sigma = 1;
  expect_distribution(p, over({1, 4, 2}));
  p.top_n_sigma = 2;
  expect_distribution(p, over({1, 4, 2, 0}));
}

// Of those above the threshold all but the last go, in a share of the draws.
TEST(Sampler, XtcExcludesTopChoices) {
  SamplingParams p = off();
  p.xtc_threshold = 0.1;
  p.xtc_probability = 1;
  expect_distribution(p, over({2, 0, 3, 5}));
  p.xtc_probability = 0.3;
  std::vector<double> wanted = over(kAll), excluded = over({2, 0, 3, 5});
  for (size_t i = 0; i < wanted.size(); ++i) wanted[i] = 0.7 * wanted[i] + 0.3 * excluded[i];
  expect_distribution(p, wanted);
}

TEST(Sampler, DynamicTemperatureFollowsTheEntropy) {
  SamplingParams p = off();
  p.dynatemp_range = 0.5;
  p.dynatemp_exponent = 2;
  double entropy = 0;
  for (double x : over(kAll)) entropy -= x * std::log(x);
  double share = std::pow(entropy / std::log(6.0), 2);
  expect_distribution(p, over(kAll, 0.5 + share));
}

TEST(Sampler, PenaltiesLowerWhatWasSaid) {
  SamplingParams p = off();
  p.repeat_penalty = 1.5;
  p.frequency_penalty = 0.2;
  p.presence_penalty = 0.3;
  p.repeat_last_n = 4;
  std::vector<TokenId> history = {2, 1, 1, 3, 4};  // the 2 is too long ago
  std::vector<double> logits(kLogits.begin(), kLogits.end());
  logits[1] = 3.0 / 1.5 - 2 * 0.2 - 0.3;
  logits[3] = -1.0 * 1.5 - 0.2 - 0.3;
  logits[4] = 2.5 / 1.5 - 0.2 - 0.3;
  expect_distribution(p, softmax(logits), history);
}

TEST(Sampler, DryLowersWhatGoesOnWithAPassage) {
  SamplingParams p = off();
  p.dry_multiplier = 0.5;
  p.dry_base = 2;
  p.dry_allowed_length = 2;
  // "3 0 5" came before and was followed by 1: three tokens, one more than is free.
  std::vector<TokenId> history = {3, 0, 5, 1, 2, 3, 0, 5};
  std::vector<double> logits(kLogits.begin(), kLogits.end());
  logits[1] -= 0.5 * 2;
  expect_distribution(p, softmax(logits), history);
  p.dry_penalty_last_n = 5;  // the passage is too long ago
  expect_distribution(p, over(kAll), history);
}

TEST(Sampler, ConstraintsComeBeforeAnyOrder) {
  SamplingParams p = off();
  p.samplers = "top_k;temperature";
  p.top_k = 2;
  p.logit_bias = {{.token = 1, .bias = -kInf}, {.token = 0, .bias = 1.2f}};
  p.bad_tokens = {{4}, {7, 2}, {2, 2, 3}};
  std::vector<double> logits(6, -1e30);
  logits[0] = 2.2, logits[2] = 2.0;
  expect_distribution(p, softmax(logits), {2, 2});
  std::vector<double> only(6, 0);
  only[0] = std::exp(2.2) / (std::exp(2.2) + 1), only[5] = 1 - only[0];
  expect_distribution(p, only, {5, 7});  // 7 2 is a bad word too: 0 and 5 are the likeliest
}

TEST(Sampler, NoNgramComesTwice) {
  SamplingParams p = off();
  p.no_repeat_ngram_size = 2;
  expect_distribution(p, over({0, 4, 5}), {1, 2, 5, 1, 1, 3, 1});
  p.no_repeat_ngram_size = 1;
  expect_distribution(p, over({0, 4, 5}), {1, 2, 3});
  p.no_repeat_ngram_size = 9;
  expect_distribution(p, over(kAll), {1, 2, 3});
}

// Mirostat draws from what its state leaves. Surprises in bits: 1: 1.17, 4: 1.89, 2: 2.61, 0: 4.05.
TEST(Sampler, MirostatTruncatesToItsState) {
  SamplingParams p = off();
  p.mirostat = 2;
  p.mirostat_tau = 1.0;  // mu begins at 2
  expect_distribution(p, over({1, 4}));
  p.mirostat_tau = 1.5;
  expect_distribution(p, over({1, 4, 2}));
}

// The first version keeps as many as Zipf's law with the exponent of these logits leaves for the
// surprise (Basu et al., 2021): k = (e 2^mu / (1 - N^-e))^(1/s), e = s - 1, mu = 2 tau at first.
TEST(Sampler, Mirostat1KeepsWhatZipfLeaves) {
  const std::vector<size_t> order = {1, 4, 2, 0, 5, 3};
  double products = 0, squares = 0;
  for (size_t i = 0; i + 1 < order.size(); ++i) {
    double t = std::log((i + 2.0) / (i + 1.0));
    products += t * (kLogits[order[i]] - kLogits[order[i + 1]]);
    squares += t * t;
  }
  const double s = products / squares, e = s - 1;
  std::vector<size_t> counts;
  for (double tau : {0.2, 0.5, 1.0, 1.5, 2.0, 2.5}) {
    double k = std::pow(e * std::exp2(2 * tau) / (1 - std::pow(6, -e)), 1 / s);
    auto keep = static_cast<size_t>(std::clamp(k, 1.0, 6.0));
    SamplingParams p = off();
    p.mirostat = 1;
    p.mirostat_tau = tau;
    expect_distribution(p, over({order.begin(), order.begin() + static_cast<long>(keep)}));
    if (counts.empty() || counts.back() != keep) counts.push_back(keep);
  }
  EXPECT_GE(counts.size(), 3u) << "several lengths are tried";
}

// Over many tokens the surprise comes near to what was asked for.
TEST(Sampler, MirostatHoldsTheSurprise) {
  for (int64_t version : {1, 2}) {
    SamplingParams p = off();
    p.mirostat = version;
    p.mirostat_tau = 3;
    Sampler sampler(plan_of(p), 0);
    std::vector<TokenId> history;
    double bits = 0;
    for (int i = 0; i < 3000; ++i) {
      std::vector<float> logits(200);
      for (size_t t = 0; t < logits.size(); ++t)
        logits[t] = -1.1f * std::log(static_cast<float>(t + 1));
      std::vector<float> raw = logits;
      Candidates left = sampler.candidates(logits, history);
      double u = uniform(1, 2, static_cast<uint64_t>(i));
      Candidate chosen = left.draw(u);
      bits -= (chosen.logit - left.log_sum_exp()) / std::log(2.0);
      sampler.accept(left, chosen);
      history.push_back(chosen.id);
    }
    EXPECT_NEAR(bits / 3000, 3, 0.1) << "version " << version;
  }
}

TEST(Sampler, GreedyTakesTheLowestIdAmongEquals) {
  SamplingParams p;
  p.temperature = 0;
  EXPECT_EQ(draw(p, {1, 5, 5, 2}, {}), 1);
  p.repeat_penalty = 2;
  EXPECT_EQ(draw(p, {1, 5, 5, 2}, {1}), 2);
  p.xtc_probability = 1;  // greedy among what is left
  EXPECT_EQ(draw(p, {1, 5, 4.9f, 2}, {}), 2);
}

TEST(Sampler, BrokenLogitsGiveATokenOrAnError) {
  float nan = std::numeric_limits<float>::quiet_NaN();
  for (double t : {0.0, 0.8}) {
    SamplingParams p;
    p.temperature = t;
    EXPECT_EQ(draw(p, {nan, 2, nan}, {}), 1);
    EXPECT_EQ(draw(p, {-kInf, 2, -kInf}, {}), 1);
    EXPECT_EQ(draw(p, {0, kInf, 1}, {}), 1);
    for (std::vector<float> none : {std::vector<float>{nan, nan}, {-kInf, -kInf, -kInf}, {}}) {
      auto id = Sampler(plan_of(p), 0).sample(none, {});
      ASSERT_FALSE(id.has_value());
      EXPECT_EQ(id.error().code, Code::kInvalid);
    }
  }
}

// Every step on its own, with parameters as hostile as the table allows, on logits of all kinds: a
// token that is possible, or an error.
TEST(Sampler, ExtremeParametersGiveATokenOrAnError) {
  const std::vector<std::vector<float>> kinds = {
      {0}, {1, 2, 3}, {-kInf, kInf, 0, 5}, {3e38f, -3e38f, 3e38f}, std::vector<float>(300, 1.0f),
      {1e-40f, -1e-40f, 0}};
  std::vector<TokenId> history = {0, 1, 0, 1, 0, 1, 0, 1, 100000, -5, 0};
  int tokens = 0;
  for (const SamplingRow& row : sampling_rows()) {
    std::vector<double> values = {row.option.min, row.option.max, 0, 1, 1e-300, 0.5};
    for (double value : values) {
      if (value < row.option.min || value > row.option.max) continue;
      for (double temperature : {0.0, 1e-300, 1e-40, 1.0, 100.0}) {
        SamplingParams p;
        p.temperature = temperature;
        p.repeat_penalty = 1.3;
        p.dry_multiplier = 1;
        if (auto at = std::get_if<double SamplingParams::*>(&row.target)) p.*(*at) = value;
        else if (auto whole = std::get_if<int64_t SamplingParams::*>(&row.target))
          p.*(*whole) = static_cast<int64_t>(value);
        else continue;
        auto plan = SamplerPlan::create(p, nullptr);
        if (!plan) continue;
        for (std::vector<float> logits : kinds) {
          std::vector<float> raw = logits;
          auto id = Sampler(*plan, 0).sample(logits, history);
          if (!id) continue;
          ASSERT_TRUE(*id >= 0 && static_cast<size_t>(*id) < raw.size());
          EXPECT_GT(raw[static_cast<size_t>(*id)], -kInf) << row.option.name << " " << value;
          ++tokens;
        }
      }
    }
  }
  EXPECT_GT(tokens, 2000);
}

TEST(Sampler, ADrawDependsOnItsNumberAlone) {
  SamplingParams p = off();
  p.seed = 42;
  auto at = [&](int64_t seed, uint64_t sequence, size_t position) {
    p.seed = seed;
    return draw(p, kLogits, std::vector<TokenId>(position, 0), sequence);
  };
  TokenId first = at(42, 3, 17);
  for (size_t i = 0; i < 100; ++i) at(42, 1, i);
  EXPECT_EQ(at(42, 3, 17), first);
  int seeds = 0, sequences = 0;
  for (size_t i = 0; i < 100; ++i) {
    seeds += at(42, 0, i) != at(43, 0, i);
    sequences += at(42, 0, i) != at(42, 1, i);
  }
  EXPECT_GT(seeds, 30);
  EXPECT_GT(sequences, 30);
}

// XTC draws from its own stream: where it excludes nothing, it changes nothing.
TEST(Sampler, AStepThatDrawsShiftsNoOther) {
  SamplingParams p = off(), with_xtc = off();
  with_xtc.xtc_probability = 0.5;
  with_xtc.xtc_threshold = 0.49;  // one token at most is that likely
  for (size_t i = 0; i < 200; ++i) {
    std::vector<TokenId> history(i, 0);
    EXPECT_EQ(draw(p, kLogits, history), draw(with_xtc, kLogits, history));
  }
}

TEST(Chain, OrdersByNamesAndLetters) {
  auto names = [](const std::string& order) {
    SamplingParams p;
    p.samplers = order;
    p.min_p = 0.1, p.typical_p = 0.9, p.repeat_penalty = 1.1;
    std::string out;
    auto chain = make_chain(p);
    if (!chain) return chain.error().message;
    for (const Step* step : *chain) out += step->letter;
    return out;
  };
  EXPECT_EQ(names(""), "ekypmt");
  EXPECT_EQ(names(std::string(kTemperatureFirst)), "etkypm");
  EXPECT_EQ(names("top_k;top-p; TYP_P ;temp"), "kpyt");
  EXPECT_EQ(names("tmk"), "tmk");
  EXPECT_EQ(names("topk,nucleus"), "kp");
  EXPECT_EQ(names("temp"), "t");
  EXPECT_NE(names("top_k;tail_free").find("tail_free"), std::string::npos);
  EXPECT_NE(names("kk").find("twice"), std::string::npos);
}

TEST(Chain, EveryStepHasANameOfItsOwn) {
  std::map<std::string_view, int> names;
  std::map<char, int> letters;
  for (const Step& step : steps()) {
    EXPECT_EQ(++names[step.name], 1);
    if (step.letter == 0) continue;
    EXPECT_EQ(++letters[step.letter], 1);
    EXPECT_EQ(find_step(step.name), &step);
  }
}

// Candidates of a large vocabulary against a full sort.
TEST(Candidates, LargestAreThoseOfASort) {
  for (size_t size : {1u, 63u, 64u, 1000u, 50000u})
    for (size_t n : {1u, 40u, 300u, 60000u}) {
      std::vector<float> logits(size);
      for (size_t i = 0; i < size; ++i)  // with ties
        logits[i] = std::round(static_cast<float>(uniform(size, 1, i)) * 500) / 10;
      std::vector<Candidate> all;
      for (size_t i = 0; i < size; ++i) all.push_back({static_cast<TokenId>(i), logits[i]});
      std::ranges::sort(all, likelier);
      Candidates candidates(logits);
      std::vector<Candidate> got = candidates.largest(n);
      ASSERT_EQ(got.size(), std::min(n, size));
      for (size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i].id, all[i].id);
      EXPECT_EQ(candidates.most_likely(), all[0].id);
    }
}

TEST(Candidates, EditsFindTheirTokens) {
  std::vector<float> logits(1000);
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>(i % 97);
  Candidates candidates(logits);
  for (size_t keep : {1000u, 700u, 300u, 50u}) {
    if (keep < 1000) candidates.replace(candidates.largest(keep), true);
    std::map<TokenId, float> wanted;
    candidates.for_each([&](TokenId id, float logit) { wanted[id] = logit + float(id % 3); });
    for (TokenId id = -2; id < 1005; ++id)
      candidates.edit(id, [&](float& logit) { logit += float(id % 3); });
    std::map<TokenId, float> got;
    candidates.for_each([&](TokenId id, float logit) { got[id] = logit; });
    EXPECT_EQ(got, wanted) << keep;
  }
}

// A long history after steps that leave a long list must not take quadratic time.
TEST(Candidates, LongHistoriesOverLongListsTakeLinearTime) {
  SamplingParams p = off();
  p.samplers = "min_p;no_repeat_ngram;penalties;dry";
  p.min_p = 1e-9;
  p.no_repeat_ngram_size = 1;
  p.repeat_penalty = 1.1, p.repeat_last_n = -1;
  p.dry_multiplier = 1, p.dry_penalty_last_n = -1, p.dry_allowed_length = 0;
  std::vector<float> logits(150000, 1.0f);
  std::vector<TokenId> history;
  for (TokenId i = 0; i < 140000; ++i) history.push_back(i);
  auto id = Sampler(plan_of(p), 0).sample(logits, history);
  ASSERT_TRUE(id);
  EXPECT_GE(*id, 140000);
}

// The draw from all logits walks blocks; it must agree with a plain walk.
TEST(Candidates, DrawsOfAWholeVocabularyAreThoseOfAList) {
  std::vector<float> logits(20000);
  for (size_t i = 0; i < logits.size(); ++i)
    logits[i] = static_cast<float>(uniform(3, 1, i)) * 12;
  Candidates whole(logits), list(logits);
  list.replace(whole.to_list(), false);
  const auto draws = test::at_length<uint64_t>(2000, 500);
  int differ = 0;
  for (uint64_t i = 0; i < draws; ++i) {
    double u = uniform(4, 1, i);
    differ += whole.draw(u).id != list.draw(u).id;
  }
  // At the edge between two tokens the sums may differ in the last bits.
  EXPECT_LE(differ, static_cast<int>(draws / 100));
}

}  // namespace
}  // namespace hearth
