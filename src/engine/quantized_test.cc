// The tiny checkpoints with quantized weights: what integer products give a whole model, and the
// schedule that prepares their activations.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "engine/session.h"

namespace hearth {
namespace {

class Quantized : public testing::TestWithParam<std::tuple<const char*, const char*>> {
 protected:
  void SetUp() override {
    auto [name, encoding] = GetParam();
    auto model = Model::load(std::string(HEARTH_TEST_DATA "/models/") + name);
    ASSERT_TRUE(model.has_value()) << model.error().message;
    auto copy = std::const_pointer_cast<Model>(*model);
    for (Weight& w : copy->weights)
      if (w.rows > 1 && w.cols % 32 == 0) quantize(w, *find_encoding(std::string_view(encoding)));
    model_ = copy;
  }

  static void quantize(Weight& w, const Encoding& to) {
    auto count = static_cast<size_t>(w.rows * w.cols);
    std::vector<float> values(count);
    w.encoding().decode(w.data(), values.data(), count);
    auto bytes = std::make_shared<std::vector<std::byte>>(to.bytes_of(count));
    to.encode(values.data(), bytes->data(), count, nullptr);
    w.planes = {{.encoding = &to, .bytes = *bytes}};
    w.owner = bytes;
  }

  std::vector<float> logits(Precision precision, int threads, size_t chunk,
                            const char* isa = nullptr, KvType kv = KvType::kF16) {
    Runner runner(model_, {.precision = precision, .threads = threads,
                           .kernels = isa == nullptr ? nullptr : find_kernels(isa)});
    auto cache = *KvCache::create(model_->program, kv, 256);
    SequenceId sequence = cache->add_sequence();
    std::vector<TokenId> tokens;
    for (TokenId i = 0; i < 40; ++i) tokens.push_back(2 + (i * 37 + 5) % 250);
    std::vector<float> out;
    for (size_t at = 0; at < tokens.size(); at += chunk) {
      Batch batch;
      batch.add(sequence, static_cast<int32_t>(at),
                std::span(tokens).subspan(at, std::min(chunk, tokens.size() - at)), true);
      auto done = runner.forward(batch, *cache, [&](int64_t, int64_t rows, const float* values,
                                                    int64_t stride) {
        out.insert(out.end(), values, values + rows * stride);
      });
      EXPECT_TRUE(done.has_value());
    }
    return out;
  }

  // Root of the mean square of the difference, over that of `wanted`.
  static double error(const std::vector<float>& got, const std::vector<float>& wanted) {
    double square = 0, all = 0;
    for (size_t i = 0; i < wanted.size(); ++i) {
      square += std::pow(double{got[i]} - wanted[i], 2);
      all += std::pow(double{wanted[i]}, 2);
    }
    return std::sqrt(square / all);
  }

  std::shared_ptr<const Model> model_;
};

TEST_P(Quantized, BitsDependOnNothingButTheTokens) {
  for (Precision precision : {Precision::kHigh, Precision::kFast}) {
    std::vector<float> everywhere;
    for (const char* isa : {"plain", "avx2", "avx2_vnni", "avx512", "avx512_vnni", "avx512_bf16"}) {
      const Kernels* kernels = find_kernels(isa);
      if (kernels == nullptr) continue;  // this processor cannot run it
      auto wanted = logits(precision, 1, 40, isa);
      EXPECT_EQ(logits(precision, 2, 1, isa), wanted) << isa;
      EXPECT_EQ(logits(precision, 3, 7, isa), wanted) << isa;
      if (kernels->has_bf16) continue;  // attention in bfloat16 has bits of its own
      if (everywhere.empty()) everywhere = wanted;
      EXPECT_EQ(wanted, everywhere) << isa;
    }
  }
}

// Tokens of a prompt, read in pieces or one by one as when they are generated, on any number of
// threads and any instruction set, find the same keys and values in the cache.
TEST_P(Quantized, EveryTypeOfCacheKeepsTheBits) {
  for (KvType kv : {KvType::kF32, KvType::kF16, KvType::kBf16, KvType::kInt8}) {
    for (Precision precision : {Precision::kExact, Precision::kHigh}) {
      std::vector<float> everywhere;
      for (const char* isa : {"plain", "avx2", "avx512", "avx512_bf16"}) {
        const Kernels* kernels = find_kernels(isa);
        if (kernels == nullptr) continue;  // this processor cannot run it
        auto wanted = logits(precision, 1, 40, isa, kv);
        EXPECT_EQ(logits(precision, 2, 1, isa, kv), wanted) << isa << ' ' << name_of(kv);
        EXPECT_EQ(logits(precision, 3, 7, isa, kv), wanted) << isa << ' ' << name_of(kv);
        if (precision != Precision::kExact && kernels->has_bf16) continue;
        if (everywhere.empty()) everywhere = wanted;
        EXPECT_EQ(wanted, everywhere) << isa << ' ' << name_of(kv);
      }
    }
  }
}

TEST_P(Quantized, ASmallerCacheCostsLittle) {
  auto exact = logits(Precision::kExact, 1, 40, nullptr, KvType::kF32);
  std::map<KvType, double> errors;
  for (KvType kv : {KvType::kF16, KvType::kBf16, KvType::kInt8})
    errors[kv] = error(logits(Precision::kExact, 1, 40, nullptr, kv), exact);
  EXPECT_GT(errors[KvType::kF16], 0);
  EXPECT_LT(errors[KvType::kF16], 1e-3);
  EXPECT_LT(errors[KvType::kF16], errors[KvType::kBf16]);
  EXPECT_LT(errors[KvType::kBf16], 1e-2);
  EXPECT_LT(errors[KvType::kInt8], 2e-2);
}

TEST_P(Quantized, MorePrecisionIsNearerToExact) {
  auto exact = logits(Precision::kExact, 1, 40);
  double high = error(logits(Precision::kHigh, 1, 40), exact);
  double fast = error(logits(Precision::kFast, 1, 40), exact);
  EXPECT_LT(fast, 0.05);
  // Attention in bfloat16 is in both, and alone makes most of the difference of some.
  EXPECT_LT(high, 1.05 * fast);
}

// What a product reads was packed, in that form, in an earlier stage, and not overwritten since;
// nothing packs what another member may still read.
TEST_P(Quantized, TheSchedulePacksWhatProductsRead) {
  const Program& program = model_->program;
  for (Compute compute : {Compute::kInt8, Compute::kInt8x2, Compute::kF32}) {
    Schedule schedule = schedule_of(program, [&](int32_t) { return compute; });
    std::map<std::pair<int32_t, Compute>, int32_t> holds;  // value by slot and form
    std::vector<int32_t> order;
    std::map<int32_t, int> per_layer;
    for (const Stage& stage : schedule.stages) {
      ++per_layer[stage.layer];
      std::set<std::pair<int32_t, Compute>> read;
      for (int32_t i : stage.ops) {
        order.push_back(i);
        const auto at = static_cast<size_t>(i);
        if (program.ops[at].kind != OpKind::kMatmul) continue;
        ASSERT_EQ(schedule.computes[at], compute);
        ASSERT_EQ(schedule.slots[at] < 0, compute == Compute::kF32);
        if (schedule.slots[at] < 0) continue;
        std::pair key{schedule.slots[at], compute};
        ASSERT_TRUE(holds.contains(key));
        EXPECT_EQ(holds[key], program.ops[at].a.id);
        read.insert(key);
      }
      for (const Pack& p : stage.packs) {
        EXPECT_FALSE(read.contains({p.slot, p.compute}));
        holds[{p.slot, p.compute}] = p.value.id;
      }
    }
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
    EXPECT_EQ(order.size() + 1, program.ops.size());  // all but the head
    for (const auto& [layer, stages] : per_layer) EXPECT_LE(stages, 10) << layer;
  }
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, Quantized,
                         testing::Combine(testing::Values("llama", "gemma3", "qwen2"),
                                          testing::Values("Q8_0", "Q4_1")));

}  // namespace
}  // namespace hearth
