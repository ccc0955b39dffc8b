// What the cache makes of keys and values, beside the numbers that went in.
#include "kernels/kv.h"

#include <algorithm>

#include "kernels/test_util.h"

namespace hearth {
namespace {

using test::oracle;
using test::Random;
using test::same_bits;
using test::tables;

constexpr KvType kTypes[] = {KvType::kF32, KvType::kF16, KvType::kBf16, KvType::kInt8};
constexpr int kDims[] = {1, 7, 16, 24, 33, 64, 72, 80, 96, 128, 256, 4096};

TEST(Kv, NamesAreFound) {
  for (KvType type : kTypes) EXPECT_EQ(find_kv_type(name_of(type)), type);
  EXPECT_FALSE(find_kv_type("q4_0"));
}

// The matrix by its definition, in double.
TEST(Kv, MixIsTheHadamardMatrix) {
  Random rng(31);
  for (const int64_t count : {1, 2, 24, 32, 80, 96, 256, 768}) {
    const int64_t run = kv_mixed(KvType::kInt8, count);
    const auto x = rng.normals(static_cast<size_t>(count));
    std::vector<float> want(x.size());
    oracle().mix(x.data(), want.data(), count, run);
    for (int64_t i = 0; i < count; ++i) {
      double sum = 0, size = 0;
      for (int64_t j = 0; j < run; ++j) {
        const double term = x[static_cast<size_t>(i / run * run + j)];
        sum += std::popcount(static_cast<uint64_t>(i % run & j)) % 2 != 0 ? -term : term;
        size += std::fabs(term);
      }
      EXPECT_NEAR(want[static_cast<size_t>(i)], sum, 8 * test::kUnit * size) << count << ' ' << i;
    }
    for (const Kernels* k : tables()) {
      std::vector<float> got(x.size());
      k->mix(x.data(), got.data(), count, run);
      EXPECT_TRUE(same_bits(got, want)) << k->isa << ' ' << count;
    }
  }
}

TEST(Kv, EveryTableStoresTheSameBytesAndNothingElse) {
  Random rng(32);
  for (const int dim : kDims) {
    for (KvType type : kTypes) {
      const auto x = rng.normals(static_cast<size_t>(dim), 3.0f);
      const int slot = static_cast<int>(rng.integer(0, kKvBlock - 1));
      for (const bool is_key : {true, false}) {
        const int64_t bytes = is_key ? kv_key_bytes(type, dim) : kv_value_bytes(type, dim);
        EXPECT_EQ(bytes % 64, 0);
        const auto put = is_key ? store_key : store_value;
        const auto stored = [&](const Kernels& k, std::byte before, int at) {
          std::vector<std::byte> out(static_cast<size_t>(bytes) + 64, before);
          put(k, type, x.data(), dim, at, out.data());
          EXPECT_TRUE(std::all_of(out.end() - 64, out.end(), [&](auto b) { return b == before; }));
          return out;
        };
        const auto want = stored(oracle(), std::byte{0xff}, slot);
        for (const Kernels* k : tables()) EXPECT_EQ(stored(*k, std::byte{0xff}, slot), want);
        // No position touches another's bytes.
        const auto other = stored(oracle(), std::byte{0}, (slot + 1) % kKvBlock);
        const auto this_one = stored(oracle(), std::byte{0}, slot);
        for (size_t i = 0; i < want.size(); ++i)
          EXPECT_TRUE(this_one[i] == std::byte{0} || other[i] == std::byte{0}) << i;
      }
    }
  }
}

struct Stored {
  std::vector<int8_t> bytes;
  std::vector<float> scales;  // of each number
};

Stored store_int8(std::vector<float> x) {
  const auto dim = static_cast<int>(x.size());
  std::vector<std::byte> block(static_cast<size_t>(kv_value_bytes(KvType::kInt8, dim)));
  store_value(oracle(), KvType::kInt8, x.data(), dim, 5, block.data());
  Stored out;
  const int64_t width = kv_value_width(dim), groups = kv_groups(KvType::kInt8, dim);
  for (int d = 0; d < dim; ++d) {
    float scale;
    std::memcpy(&scale, block.data() + kKvBlock * width + 4 * kv_value_scale_at(5, d, groups), 4);
    out.bytes.push_back(static_cast<int8_t>(block[static_cast<size_t>(kv_value_at(5, d, width))]));
    out.scales.push_back(scale);
  }
  return out;
}

TEST(Kv, Int8IsTheNearestMultipleOfItsScale) {
  Random rng(33);
  for (const int dim : kDims) {
    const auto x = rng.normals(static_cast<size_t>(dim), 5.0f);
    const Stored s = store_int8(x);
    for (size_t d = 0; d < x.size(); ++d) {
      float largest = 0;
      for (size_t i = d / 32 * 32; i < std::min(x.size(), d / 32 * 32 + 32); ++i)
        largest = std::max(largest, std::fabs(x[i]));
      EXPECT_FLOAT_EQ(s.scales[d], largest / 127);
      EXPECT_LE(std::fabs(x[d] - s.bytes[d] * s.scales[d]), 0.50001 * s.scales[d]);
      EXPECT_GE(s.bytes[d], -127);
    }
  }
}

TEST(Kv, WhatIsNotFiniteStaysVisible) {
  for (const float bad : {HUGE_VALF, -HUGE_VALF, NAN}) {
    std::vector<float> x(72, 1.0f);
    x[40] = bad;
    const Stored s = store_int8(x);
    for (size_t d = 0; d < x.size(); ++d)
      EXPECT_EQ(std::isnan(s.bytes[d] * s.scales[d]), d / 32 == 1) << d;
  }
  for (const float tiny : {0.0f, -0.0f, 1e-40f, 1e-35f}) {
    const Stored s = store_int8(std::vector<float>(40, tiny));
    for (size_t d = 0; d < 40; ++d) EXPECT_EQ(s.bytes[d] * s.scales[d], 0.0f);
  }
}

}  // namespace
}  // namespace hearth
