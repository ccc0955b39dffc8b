// The logits of small random checkpoints against those that transformers computed in float32
// (tests/data/models/README.md), in every form and schedule that must not matter.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "engine/session.h"
#include "support/long.h"
#include "support/npz.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> checkpoints() {
  std::vector<std::string> out;
  const char* more = std::getenv("HEARTH_REFERENCE_MODELS");  // other seeds, in the long suite
  for (const auto& entry : fs::directory_iterator(more != nullptr ? more : HEARTH_TEST_DATA
                                                                           "/models"))
    if (fs::exists(entry.path() / "reference.npz")) out.push_back(entry.path().string());
  std::sort(out.begin(), out.end());
  return out;
}

// All logits of `tokens`, fed `chunk` at a time.
std::vector<float> logits_of(Runner& runner, const std::vector<TokenId>& tokens, size_t chunk) {
  auto cache = *KvCache::create(runner.model().program, KvType::kF32, 4096);
  SequenceId sequence = cache->add_sequence();
  std::vector<float> out;
  for (size_t at = 0; at < tokens.size(); at += chunk) {
    size_t count = std::min(chunk, tokens.size() - at);
    Batch batch;
    batch.add(sequence, static_cast<int32_t>(at), std::span(tokens).subspan(at, count), true);
    auto done = runner.forward(batch, *cache,
                               [&](int64_t, int64_t rows, const float* logits, int64_t stride) {
                                 out.insert(out.end(), logits, logits + rows * stride);
                               });
    EXPECT_TRUE(done.has_value());
  }
  cache->check_integrity();
  return out;
}

class Reference : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    auto model = Model::load(GetParam());
    ASSERT_TRUE(model.has_value()) << model.error().message;
    model_ = *model;
    auto arrays = test::read_npz(GetParam() + "/reference.npz");
    ASSERT_TRUE(arrays.has_value());
    for (int64_t id : (*arrays)["tokens"].ints()) tokens_.push_back(static_cast<TokenId>(id));
    for (int64_t id : (*arrays)["greedy"].ints()) greedy_.push_back(static_cast<TokenId>(id));
    wanted_ = (*arrays)["logits"].floats();
  }

  void expect_close(const std::vector<float>& got) {
    ASSERT_EQ(got.size(), wanted_.size());
    float largest = 0, error = 0;
    for (size_t i = 0; i < got.size(); ++i) {
      largest = std::max(largest, std::abs(wanted_[i]));
      error = std::max(error, std::abs(got[i] - wanted_[i]));
    }
    EXPECT_LE(error, 1e-4f * largest);
  }

  void expect_greedy(Runner& runner) {
    auto cache = *KvCache::create(runner.model().program, KvType::kF32, 4096);
    SequenceId s = cache->add_sequence();
    std::vector<TokenId> feed = tokens_, got;
    int32_t position = 0;
    while (got.size() < greedy_.size()) {
      Batch batch;
      batch.add(s, position, feed);
      position += static_cast<int32_t>(feed.size());
      ASSERT_TRUE(runner.forward(batch, *cache, [&](int64_t, int64_t, const float* l, int64_t n) {
        feed = {most_likely({l, static_cast<size_t>(n)})};
      }).has_value());
      got.push_back(feed[0]);
    }
    EXPECT_EQ(got, greedy_);
  }

  Runner exact(std::shared_ptr<const Model> model, int threads, const char* isa = nullptr) {
    return Runner(model, {.precision = Precision::kExact, .threads = threads,
                          .kernels = isa != nullptr ? find_kernels(isa) : nullptr});
  }

  std::shared_ptr<const Model> model_;
  std::vector<TokenId> tokens_, greedy_;
  std::vector<float> wanted_;
};

TEST_P(Reference, LogitsAndGreedyTokens) {
  Runner runner = exact(model_, 2);
  expect_close(logits_of(runner, tokens_, tokens_.size()));
  expect_greedy(runner);
}

// Every instruction set has each chunk and each thread count; which two go together moves on from
// one set to the next, at full length all do.
TEST_P(Reference, SameBitsForEveryChunkThreadCountAndInstructionSet) {
  constexpr size_t kChunks[] = {1, 7, 48};
  const bool all = test::at_length(true, false);
  Runner first = exact(model_, 1);
  auto wanted = logits_of(first, tokens_, tokens_.size());
  size_t shift = 0;
  for (const char* isa : {"ref", "plain", "avx2", "avx2_vnni", "avx512", "avx512_vnni",
                          "avx512_bf16"}) {
    if (find_kernels(isa) == nullptr) continue;  // this processor cannot run it
    for (size_t t = 0; t < 3; ++t) {
      int threads = static_cast<int>(t) + 1;
      Runner runner = exact(model_, threads, isa);
      for (size_t c = 0; c < 3; ++c) {
        if (!all && c != (t + shift) % 3) continue;
        ASSERT_EQ(logits_of(runner, tokens_, kChunks[c]), wanted)
            << isa << ", " << threads << " threads, chunk " << kChunks[c];
      }
    }
    ++shift;
  }
}

TEST_P(Reference, HighPrecisionIsCloseAndIndependentOfTheChunk) {
  Runner runner(model_, {.precision = Precision::kHigh, .threads = 2});
  auto whole = logits_of(runner, tokens_, tokens_.size());
  EXPECT_EQ(logits_of(runner, tokens_, 1), whole);
  EXPECT_EQ(logits_of(runner, tokens_, 7), whole);
}

TEST_P(Reference, TheSameAfterWritingItAsGguf) {
  std::string path = fs::temp_directory_path() /
                     ("hearth-reference-" + std::to_string(getpid()) + ".gguf");
  auto written = write_model_gguf(*model_, path, &k_f32);
  ASSERT_TRUE(written.has_value()) << written.error().message;
  auto back = Model::load(path);
  fs::remove(path);
  ASSERT_TRUE(back.has_value()) << back.error().message;
  Runner runner = exact(*back, 2);
  expect_close(logits_of(runner, tokens_, tokens_.size()));
  expect_greedy(runner);
}

TEST_P(Reference, NeighboursInABatchChangeNothing) {
  Runner runner = exact(model_, 2);
  auto alone = logits_of(runner, tokens_, tokens_.size());
  auto cache = *KvCache::create(model_->program, KvType::kF32, 4096);
  std::vector<TokenId> other(tokens_.rbegin(), tokens_.rend());
  SequenceId a = cache->add_sequence(), b = cache->add_sequence();
  std::vector<float> got;
  auto half = static_cast<int32_t>(tokens_.size() / 2);
  for (int32_t at : {0, half}) {
    auto count = at == 0 ? static_cast<size_t>(half) : tokens_.size() - static_cast<size_t>(half);
    Batch batch;
    batch.add(b, at, std::span(other).subspan(static_cast<size_t>(at), count));
    batch.rows.back().wants_logits = false;
    batch.add(a, at, std::span(tokens_).subspan(static_cast<size_t>(at), count), true);
    ASSERT_TRUE(runner.forward(batch, *cache, [&](int64_t, int64_t rows, const float* l,
                                                  int64_t n) {
      got.insert(got.end(), l, l + rows * n);
    }).has_value());
  }
  EXPECT_EQ(got, alone);
}

std::string test_name(const testing::TestParamInfo<std::string>& info) {
  std::string name = fs::path(info.param).filename();
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, Reference, testing::ValuesIn(checkpoints()), test_name);

}  // namespace
}  // namespace hearth
