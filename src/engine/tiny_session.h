// A session on a tiny checkpoint of the test data, for tests of what the engine does with tokens.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "engine/session.h"

namespace hearth {

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
    model_ = *model;
    runner_ = std::make_unique<Runner>(*model, RunnerOptions{.precision = Precision::kExact,
                                                             .threads = 2});
  }
  Session make(int64_t context = 128) {
    return *Session::create(*runner_, tokenizer_, context, KvType::kF32);
  }
  // `count` tokens that differ from their neighbours.
  static std::vector<TokenId> some_tokens(int64_t count, TokenId first = 2) {
    std::vector<TokenId> out;
    for (TokenId i = 0; i < count; ++i) out.push_back(2 + (first + i * 7) % 270);
    return out;
  }
  SamplingParams greedy(int64_t n) {
    return {.temperature = 0, .max_tokens = n, .ignore_eos = true};
  }

  std::shared_ptr<const Tokenizer> tokenizer_;
  std::shared_ptr<const Model> model_;
  std::unique_ptr<Runner> runner_;
  std::vector<TokenId> prompt_ = {5, 9, 100, 42, 17, 200};
};

}  // namespace hearth
