// Beam search and log probabilities against transformers (tests/data/models/README.md).
#include "engine/beam.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/file.h"
#include "base/json.h"
#include "engine/session.h"
#include "support/npz.h"

namespace hearth {
namespace {

class OnTinyModels : public testing::Test {
 protected:
  void load(const std::string& name) {
    std::string folder = HEARTH_TEST_DATA "/models/" + name;
    auto model = Model::load(folder);
    ASSERT_TRUE(model.has_value()) << model.error().message;
    tokenizer_ = *load_tokenizer((*model)->file, folder);
    runner_ = std::make_unique<Runner>(*model, RunnerOptions{.precision = Precision::kExact,
                                                             .threads = 2});
    auto arrays = *test::read_npz(folder + "/reference.npz");
    tokens_.clear();
    for (int64_t id : arrays["tokens"].ints()) tokens_.push_back(static_cast<TokenId>(id));
    logits_ = arrays["logits"].floats();
  }
  Session session(int64_t context = 128) {
    return *Session::create(*runner_, tokenizer_, context, KvType::kF32);
  }

  std::shared_ptr<const Tokenizer> tokenizer_;
  std::unique_ptr<Runner> runner_;
  std::vector<TokenId> tokens_;
  std::vector<float> logits_;  // of the reference, (tokens, vocabulary)
};

std::vector<TokenId> ids_of(const Json& list) {
  std::vector<TokenId> out;
  for (const Json& id : list.as_array()) out.push_back(static_cast<TokenId>(id.as_int()));
  return out;
}

SamplingParams params_of(const Json& row) {
  SamplingParams p;
  p.ignore_eos = true;
  p.num_beams = p.n = row["width"].as_int();
  p.length_penalty = row["length_penalty"].as_double();
  p.early_stopping = row["early_stopping"].as_string();
  p.max_tokens = row["limit"].as_int();
  p.stop_token_ids = ids_of(row["ends"]);
  return p;
}

using Beams = OnTinyModels;

TEST_F(Beams, EqualTransformers) {
  auto json = Json::parse(*read_file(HEARTH_TEST_DATA "/models/beams.json", 1 << 20));
  ASSERT_TRUE(json.has_value());
  int compared = 0;
  for (const auto& [name, model] : json->as_object()) {
    load(name);
    Session one = session();
    for (const Json& row : model["cases"].as_array()) {
      std::string where = name + " " + row["width"].dump() + " " + row["length_penalty"].dump() +
                          " " + row["early_stopping"].dump();
      auto got = one.complete(ids_of(model["prompt"]), params_of(row), {});
      ASSERT_TRUE(got.has_value()) << where << ": " << got.error().message;
      const Json::Array& beams = row["beams"].as_array();
      ASSERT_EQ(got->choices.size(), beams.size()) << where;
      for (size_t b = 0; b < beams.size(); ++b, ++compared) {
        EXPECT_EQ(got->choices[b].tokens, ids_of(beams[b]["tokens"])) << where << " beam " << b;
        EXPECT_NEAR(got->choices[b].score, beams[b]["score"].as_double(), 1e-4) << where;
        EXPECT_EQ(got->choices[b].reason == FinishReason::kStop, beams[b]["ended"].as_bool());
      }
    }
  }
  EXPECT_GT(compared, 400);
}

TEST_F(Beams, LeaveTheSessionAsItWas) {
  load("gemma3");
  Session one = session();
  SamplingParams greedy{.temperature = 0, .max_tokens = 10, .ignore_eos = true};
  SamplingParams beams{.max_tokens = 10, .ignore_eos = true};
  beams.num_beams = 4;
  auto before = one.generate(tokens_, greedy, {});
  ASSERT_TRUE(one.generate(tokens_, beams, {}));
  auto after = one.generate(tokens_, greedy, {});
  ASSERT_TRUE(before && after);
  EXPECT_EQ(before->tokens, after->tokens);
}

TEST_F(Beams, RefuseWhatTheyCannotGive) {
  load("llama");
  SamplingParams p{.max_tokens = 4};
  p.num_beams = 2;
  p.n = 3;
  EXPECT_FALSE(session().complete(tokens_, p, {}));
  p.n = 1;
  p.logprobs = 1;
  EXPECT_FALSE(session().complete(tokens_, p, {}));
}

using Logprobs = OnTinyModels;

// log softmax of one row of the reference, the plain way.
std::vector<double> log_softmax(std::span<const float> row) {
  double best = *std::max_element(row.begin(), row.end()), sum = 0;
  for (float x : row) sum += std::exp(x - best);
  std::vector<double> out;
  for (float x : row) out.push_back(x - best - std::log(sum));
  return out;
}

TEST_F(Logprobs, OfThePromptEqualTransformers) {
  for (const char* name : {"llama", "gemma3", "qwen2"}) {
    load(name);
    SamplingParams p{.temperature = 0, .max_tokens = 1};
    p.prompt_logprobs = 3;
    Session one = session();
    ASSERT_TRUE(one.generate(tokens_, p, {}));  // a warm cache must not leave any out
    auto got = one.complete(tokens_, p, {});
    ASSERT_TRUE(got.has_value());
    ASSERT_EQ(got->prompt_logprobs.size(), tokens_.size() - 1);
    size_t vocab = logits_.size() / tokens_.size();
    for (size_t i = 1; i < tokens_.size(); ++i) {
      std::vector<double> wanted = log_softmax(std::span(logits_).subspan((i - 1) * vocab, vocab));
      const TokenLogprobs& row = got->prompt_logprobs[i - 1];
      EXPECT_EQ(row.chosen.id, tokens_[i]);
      EXPECT_NEAR(row.chosen.logprob, wanted[static_cast<size_t>(tokens_[i])], 1e-4);
      std::vector<double> sorted = wanted;
      std::ranges::sort(sorted, std::greater<>());
      ASSERT_EQ(row.top.size(), 3u);
      for (size_t k = 0; k < 3; ++k) {
        EXPECT_NEAR(row.top[k].logprob, sorted[k], 1e-4);
        EXPECT_NEAR(row.top[k].logprob, wanted[static_cast<size_t>(row.top[k].id)], 1e-4);
      }
    }
  }
}

// Before the chain they are the model's, whatever the chain does; after it, the chain's.
TEST_F(Logprobs, OfTheAnswer) {
  load("llama");
  SamplingParams p{.temperature = 0.5, .top_k = 2, .top_p = 1, .max_tokens = 8,
                   .ignore_eos = true};
  p.logprobs = 4;
  auto before = session().generate(tokens_, p, {});
  ASSERT_TRUE(before);
  std::vector<TokenId> all = tokens_;
  all.insert(all.end(), before->tokens.begin(), before->tokens.end());
  SamplingParams prompt{.temperature = 0, .max_tokens = 1};
  prompt.prompt_logprobs = 4;
  auto whole = session().complete(all, prompt, {});
  ASSERT_TRUE(whole);
  ASSERT_EQ(before->logprobs.size(), 8u);
  double sum = 0;
  for (size_t i = 0; i < 8; ++i) {
    const TokenLogprobs& wanted = whole->prompt_logprobs[tokens_.size() - 1 + i];
    EXPECT_EQ(before->logprobs[i].chosen.id, wanted.chosen.id);
    EXPECT_NEAR(before->logprobs[i].chosen.logprob, wanted.chosen.logprob, 1e-9);
    EXPECT_EQ(before->logprobs[i].top[3].id, wanted.top[3].id);
    sum += wanted.chosen.logprob;
  }
  EXPECT_NEAR(before->mean_logprob, sum / 8, 1e-9);
  p.logprobs_after = true;
  auto after = session().generate(tokens_, p, {});
  ASSERT_TRUE(after);
  EXPECT_EQ(after->tokens, before->tokens);
  for (const TokenLogprobs& row : after->logprobs) {
    ASSERT_EQ(row.top.size(), 2u);  // what top-k has left
    EXPECT_NEAR(std::exp(row.top[0].logprob) + std::exp(row.top[1].logprob), 1, 1e-6);
  }
}

}  // namespace
}  // namespace hearth
