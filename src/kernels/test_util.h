// What the tests of the kernels share: numbers, rows of weights, and the tables to try.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "encoding/encoding.h"
#include "encoding/half.h"
#include "kernels/api.h"

namespace hearth::test {

inline constexpr double kUnit = 0x1p-24;  // half the spacing of floats at 1

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  int64_t integer(int64_t low, int64_t high) {  // both included
    return std::uniform_int_distribution<int64_t>(low, high)(engine_);
  }
  float normal(float scale = 1.0f) { return std::normal_distribution<float>(0.0f, scale)(engine_); }
  std::vector<float> normals(size_t count, float scale = 1.0f) {
    std::vector<float> out(count);
    for (float& x : out) x = normal(scale);
    return out;
  }
  uint8_t byte() { return static_cast<uint8_t>(engine_()); }
  template <class T>
  const T& pick(const std::vector<T>& from) {
    return from[static_cast<size_t>(integer(0, static_cast<int64_t>(from.size()) - 1))];
  }

 private:
  std::mt19937 engine_;
};

// The tables that this processor can run, but for the oracle.
inline std::vector<const Kernels*> tables() {
  std::vector<const Kernels*> out;
  for (const char* name :
       {"plain", "avx2", "avx2_vnni", "avx512", "avx512_vnni", "avx512_bf16"}) {
    if (const Kernels* k = find_kernels(name)) out.push_back(k);
  }
  return out;
}

inline const Kernels& oracle() { return *find_kernels("ref"); }

// Equal bits, where any NaN is as good as any other.
inline bool same(float a, float b) {
  return std::isnan(a) ? std::isnan(b) : std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b);
}

inline ::testing::AssertionResult same_bits(const std::vector<float>& got,
                                            const std::vector<float>& want) {
  if (got.size() != want.size()) return ::testing::AssertionFailure() << "sizes differ";
  for (size_t i = 0; i < got.size(); ++i) {
    if (!same(got[i], want[i])) {
      return ::testing::AssertionFailure() << "at " << i << ": " << got[i] << " (0x" << std::hex
                                           << std::bit_cast<uint32_t>(got[i]) << "), not "
                                           << want[i];
    }
  }
  return ::testing::AssertionSuccess();
}

// Where the float16 scales of a block lie, for formats whose other bytes may be anything.
inline std::vector<size_t> scale_offsets(const std::string& name) {
  if (name == "Q4_0" || name == "Q5_0" || name == "Q8_0" || name == "IQ4_NL") return {0};
  if (name == "Q4_1" || name == "Q5_1" || name == "Q4_K" || name == "Q5_K") return {0, 2};
  if (name == "Q6_K") return {208};
  if (name == "Q3_K") return {108};
  if (name == "Q2_K") return {80, 82};
  if (name == "IQ4_XS" || name == "IQ3_S") return {0};
  if (name == "TQ2_0") return {64};
  if (name == "MXFP4") return {};  // a power of two
  ADD_FAILURE() << "no scales known for " << name;
  return {};
}

// `count` weights of a format: random codes under scales of a sane size.
inline std::vector<std::byte> random_weights(const Encoding& encoding, size_t count, Random& rng) {
  std::vector<std::byte> out(encoding.bytes_of(count));
  auto* bytes = reinterpret_cast<uint8_t*>(out.data());
  const std::string name(encoding.name);
  if (name == "F32" || name == "F16" || name == "BF16") {
    for (size_t i = 0; i < count; ++i) {
      const float x = rng.normal(0.5f);
      const uint16_t half = name == "F16" ? f32_to_f16(x) : f32_to_bf16(x);
      if (name == "F32") std::memcpy(bytes + 4 * i, &x, 4);
      else std::memcpy(bytes + 2 * i, &half, 2);
    }
    return out;
  }
  for (size_t i = 0; i < out.size(); ++i) bytes[i] = rng.byte();
  for (size_t block = 0; block < out.size(); block += encoding.block_bytes) {
    if (name == "MXFP4") bytes[block] = static_cast<uint8_t>(rng.integer(110, 128));
    for (const size_t offset : scale_offsets(name)) {
      // Now and then a subnormal scale.
      const float scale = rng.normal(rng.integer(0, 19) == 0 ? 1e-6f : 0.01f);
      const uint16_t half = f32_to_f16(scale);
      std::memcpy(bytes + block + offset, &half, 2);
    }
  }
  return out;
}

}  // namespace hearth::test
