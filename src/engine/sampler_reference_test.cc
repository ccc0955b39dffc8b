// The chain against llama.cpp's own samplers on the same logits and histories: the same candidates,
// probabilities within 1e-5 (tests/data/sampling/README.md).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/file.h"
#include "base/json.h"
#include "engine/sampler.h"

namespace hearth {
namespace {

Json read_fixture(const std::string& name) {
  auto text = read_file(HEARTH_TEST_DATA "/sampling/" + name, 1 << 20);
  EXPECT_TRUE(text.has_value());
  auto json = Json::parse(text ? *text : "[]");
  EXPECT_TRUE(json.has_value());
  return json ? *json : Json(Json::Array{});
}

std::vector<TokenId> ids_of(const Json& list) {
  std::vector<TokenId> out;
  for (const Json& id : list.as_array()) out.push_back(static_cast<TokenId>(id.as_int()));
  return out;
}

std::vector<float> logits_of(const Json& thousandths) {
  std::vector<float> out;
  for (const Json& x : thousandths.as_array())
    out.push_back(static_cast<float>(static_cast<double>(x.as_int()) / 1000));
  return out;
}

// Everything off, and then what the case names: its members are rows of the sampling table.
SamplingParams params_of(const Json& row) {
  SamplingParams p{.temperature = 1, .top_k = 0, .top_p = 1};
  Options options(sampling_flags());
  for (const OptionRow& flag : sampling_flags()) {
    std::string name(flag.name);
    std::ranges::replace(name, '-', '_');
    const Json& value = row[name];
    if (value.is_array() || value.is_null()) continue;
    std::string text = value.is_string() ? value.as_string() : value.dump();
    EXPECT_TRUE(options.set(flag.name, text)) << name << " " << text;
  }
  EXPECT_TRUE(apply_sampling(options, p).has_value());
  if (row["logit_bias"].is_array())
    for (const Json& bias : row["logit_bias"].as_array())
      p.logit_bias.push_back({.token = static_cast<TokenId>(bias.as_array()[0].as_int()),
                              .bias = static_cast<float>(bias.as_array()[1].as_double())});
  return p;
}

std::shared_ptr<SamplerPlan> plan_of(const Json& row) {
  auto plan = SamplerPlan::create(params_of(row), nullptr);
  EXPECT_TRUE(plan.has_value());
  auto copy = std::make_shared<SamplerPlan>(**plan);
  if (row["breakers"].is_array())
    for (const Json& breaker : row["breakers"].as_array()) {
      std::vector<TokenId> ids = ids_of(breaker);
      copy->breakers[ids[0]].emplace_back(ids.begin() + 1, ids.end());
    }
  return copy;
}

// Candidates that can come, by id, with their probabilities.
std::vector<std::pair<TokenId, double>> left_of(const Candidates& candidates) {
  std::vector<std::pair<TokenId, double>> out;
  double total = candidates.log_sum_exp();
  candidates.for_each([&](TokenId id, float logit) {
    // What float32 rounds to 0 does not come in llama.cpp.
    if (double p = std::exp(logit - total); p > 1e-44) out.emplace_back(id, p);
  });
  std::ranges::sort(out);
  return out;
}

void expect_left(const Candidates& candidates, const Json& row, const std::string& where) {
  std::vector<TokenId> wanted = ids_of(row["ids"]), got;
  auto left = left_of(candidates);
  for (auto [id, p] : left) got.push_back(id);
  ASSERT_EQ(got, wanted) << where;
  for (size_t i = 0; i < left.size(); ++i)
    EXPECT_NEAR(left[i].second, row["p"].as_array()[i].as_double(), 1e-5) << where;
}

TEST(SamplerReference, ChainsLeaveWhatLlamaCppLeaves) {
  Json cases = read_fixture("chains.json");
  ASSERT_GE(cases.as_array().size(), 200u);
  std::set<std::string> steps;
  for (const Json& row : cases.as_array()) {
    auto plan = plan_of(row);
    for (const Step* step : plan->chain) steps.insert(std::string(step->name));
    std::vector<float> logits = logits_of(row["logits"]);
    std::vector<TokenId> history = ids_of(row["history"]);
    expect_left(Sampler(plan, 0).candidates(logits, history), row, row.dump());
  }
  EXPECT_EQ(steps.size(), 10u) << "a step that no case runs";
}

TEST(SamplerReference, MirostatGoesWhereLlamaCppGoes) {
  Json runs = read_fixture("mirostat.json");
  ASSERT_GE(runs.as_array().size(), 10u);
  for (const Json& run : runs.as_array()) {
    Sampler sampler(plan_of(run), 0);
    for (const Json& step : run["steps"].as_array()) {
      std::vector<float> logits = logits_of(step["logits"]);
      Candidates candidates = sampler.candidates(logits, {});
      expect_left(candidates, step, run.dump());
      auto chosen = static_cast<TokenId>(step["chosen"].as_int());
      candidates.for_each([&](TokenId id, float logit) {
        if (id == chosen) sampler.accept(candidates, {id, logit});
      });
    }
  }
}

}  // namespace
}  // namespace hearth
