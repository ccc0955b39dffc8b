#include <limits>
#include <utility>

#include "kernels/ref/ref.h"
#include "kernels/test_util.h"

namespace hearth {
namespace {

using test::oracle;
using test::Random;
using test::same_bits;
using test::tables;

const float kInf = std::numeric_limits<float>::infinity();
const float kNan = std::numeric_limits<float>::quiet_NaN();

// Numbers of every size, the special ones among them.
std::vector<float> wild(size_t count, Random& rng) {
  const std::vector<float> special = {0.0f, -0.0f, kInf, -kInf, kNan, 1e-40f, -1e-40f, 3e38f,
                                      -3e38f, 88.7f, -88.8f, 104.1f, -104.1f, 0.625f, 65520.0f,
                                      65519.99f, 0x1p-25f, 0x1.8p-25f, 6e-8f};
  std::vector<float> out(count);
  for (float& x : out) {
    const int64_t kind = rng.integer(0, 9);
    if (kind == 0) x = rng.pick(special);
    else if (kind < 4) x = rng.normal(30.0f);
    else if (kind < 6) x = std::ldexp(rng.normal(), static_cast<int>(rng.integer(-140, 126)));
    else x = rng.normal();
  }
  return out;
}

double ulps(float got, double want) {
  const float rounded = static_cast<float>(want);
  const double spacing =
      std::max(0x1p-149, std::ldexp(1.0, std::ilogb(rounded == 0 ? 0x1p-126f : rounded) - 23));
  return std::fabs(got - want) / spacing;
}

TEST(Elementwise, EveryTableGivesTheBitsOfTheOracle) {
  Random rng(1);
  for (int round = 0; round < 120; ++round) {
    const auto n = static_cast<size_t>(rng.integer(1, round < 100 ? 100 : 3000));
    const auto count = static_cast<int64_t>(n);
    const bool tame = round % 2 == 0;
    const auto a = tame ? rng.normals(n, 3.0f) : wild(n, rng);
    const auto b = tame ? rng.normals(n) : wild(n, rng);
    const auto run = [&](const Kernels& k) {
      std::vector<std::vector<float>> out;
      const auto keep = [&](auto f) { f(out.emplace_back(n, -7.0f).data()); };
      keep([&](float* o) { k.rms_norm(a.data(), b.data(), 1e-6f, o, count); });
      keep([&](float* o) { k.rms_norm(a.data(), nullptr, 1e-5f, o, count); });
      keep([&](float* o) { k.silu_mul(a.data(), b.data(), o, count); });
      keep([&](float* o) { k.gelu_tanh_mul(a.data(), b.data(), o, count); });
      keep([&](float* o) { k.add(a.data(), b.data(), o, count); });
      keep([&](float* o) { k.scale(a.data(), 0.37f, o, count); });
      keep([&](float* o) {
        std::copy(a.begin(), a.end(), o);
        k.softcap(o, 30.0f, count);
      });
      keep([&](float* o) {  // in place
        std::copy(a.begin(), a.end(), o);
        k.silu_mul(o, b.data(), o, count);
      });
      return out;
    };
    const auto want = run(oracle());
    for (const Kernels* k : tables()) {
      const auto got = run(*k);
      for (size_t i = 0; i < want.size(); ++i) {
        ASSERT_TRUE(same_bits(got[i], want[i])) << k->isa << ", kernel " << i << ", n " << n;
      }
    }
  }
}

TEST(Elementwise, RopeGivesTheBitsOfTheOracle) {
  Random rng(2);
  for (int64_t pairs = 1; pairs <= 130; ++pairs) {
    const auto n = static_cast<size_t>(pairs);
    const auto head = rng.normals(2 * n + 3), cos = rng.normals(n), sin = rng.normals(n);
    for (const bool interleaved : {false, true}) {
      auto want = head;
      oracle().rope(want.data(), cos.data(), sin.data(), pairs, interleaved);
      const size_t second = interleaved ? 1 : n;
      EXPECT_NEAR(want[0], double{head[0]} * cos[0] - double{head[second]} * sin[0], 1e-5);
      EXPECT_NEAR(want[second], double{head[0]} * sin[0] + double{head[second]} * cos[0], 1e-5);
      EXPECT_EQ(want[2 * n], head[2 * n]);
      for (const Kernels* k : tables()) {
        auto got = head;
        k->rope(got.data(), cos.data(), sin.data(), pairs, interleaved);
        ASSERT_TRUE(same_bits(got, want)) << k->isa << ' ' << pairs << ' ' << interleaved;
      }
    }
  }
}

TEST(Elementwise, SixteenBitsRoundToNearestEven) {
  Random rng(3);
  std::vector<float> x = wild(4000, rng);
  for (uint32_t i = 0; i < 4000; ++i) x.push_back(std::bit_cast<float>(i * 1073741u));
  for (uint32_t i = 0; i < 65536; i += 7) {  // every float16 and the middle to the next
    const float low = f16_to_f32(static_cast<uint16_t>(i));
    x.push_back(low);
    x.push_back(std::bit_cast<float>(std::bit_cast<uint32_t>(low) | 0x1000u));
  }
  std::vector<const Kernels*> all = tables();
  all.push_back(&oracle());
  for (const Kernels* k : all) {
    std::vector<uint16_t> bf16(x.size()), f16(x.size());
    k->to_bf16(x.data(), bf16.data(), static_cast<int64_t>(x.size()));
    k->to_f16(x.data(), f16.data(), static_cast<int64_t>(x.size()));
    for (size_t i = 0; i < x.size(); ++i) {
      if (std::isnan(x[i])) {
        ASSERT_TRUE(std::isnan(bf16_to_f32(bf16[i])) && std::isnan(f16_to_f32(f16[i]))) << k->isa;
        continue;
      }
      ASSERT_EQ(bf16[i], f32_to_bf16(x[i])) << k->isa << ' ' << x[i];
      ASSERT_EQ(f16[i], f32_to_f16(x[i])) << k->isa << ' ' << x[i];
    }
  }
}

TEST(Elementwise, ExpAndTanhAreWithinTwoUnits) {
  double worst_exp = 0, worst_tanh = 0;
  for (double x = -103.9; x < 88.7; x += 0.00037) {
    const auto f = static_cast<float>(x);
    worst_exp = std::max(worst_exp, ulps(ref::exp(f), std::exp(double{f})));
  }
  for (double x = 1e-6; x < 12; x *= 1.00005) {
    const auto f = static_cast<float>(x);
    worst_tanh = std::max(worst_tanh, ulps(ref::tanh(f), std::tanh(double{f})));
    ASSERT_EQ(ref::tanh(-f), -ref::tanh(f));
  }
  EXPECT_LT(worst_exp, 1.5);
  EXPECT_LT(worst_tanh, 2.0);
  EXPECT_EQ(ref::exp(0.0f), 1.0f);
  EXPECT_EQ(ref::exp(-kInf), 0.0f);
  EXPECT_EQ(ref::exp(kInf), kInf);
  EXPECT_TRUE(std::isnan(ref::exp(kNan)));
  EXPECT_EQ(ref::tanh(kInf), 1.0f);
  EXPECT_EQ(ref::tanh(-kInf), -1.0f);
  RecordProperty("exp_ulps", std::to_string(worst_exp));
  RecordProperty("tanh_ulps", std::to_string(worst_tanh));
}

TEST(Elementwise, ActivationsAgreeWithDoublePrecision) {
  std::vector<float> x;
  for (double v = -85; v < 85; v += 0.0013) x.push_back(static_cast<float>(v));
  for (double v = 1e-8; v < 0.01; v *= 1.1) {
    x.push_back(static_cast<float>(v));
    x.push_back(static_cast<float>(-v));
  }
  const std::vector<float> one(x.size(), 1.0f);
  std::vector<float> silu(x.size()), gelu(x.size());
  const auto count = static_cast<int64_t>(x.size());
  oracle().silu_mul(x.data(), one.data(), silu.data(), count);
  oracle().gelu_tanh_mul(x.data(), one.data(), gelu.data(), count);
  for (size_t i = 0; i < x.size(); ++i) {
    const double v = x[i];
    // exp, 1 + e, the product and the quotient: half a unit each, exp up to 1.5, the result's
    // spacing up to twice that of the rounded factors.
    ASSERT_LT(ulps(silu[i], v / (1 + std::exp(-v))), 4.0) << v;
    // The exponent z itself is rounded three times, and exp multiplies that error by |z|.
    const double z = 2 * 0.7978845608028654 * (v + 0.044715 * v * v * v);
    const double want = v / (1 + std::exp(-z));
    const double bound = (8.0 + 4.0 * std::fabs(z)) * test::kUnit * std::fabs(want) + 1e-44;
    ASSERT_LE(std::fabs(gelu[i] - want), bound) << v;
  }
}

TEST(Elementwise, RmsNormAgreesWithDoublePrecision) {
  Random rng(4);
  for (const int64_t n : {1, 5, 16, 100, 1536}) {
    const auto x = rng.normals(static_cast<size_t>(n)), w = rng.normals(x.size());
    std::vector<float> got(x.size());
    oracle().rms_norm(x.data(), w.data(), 1e-6f, got.data(), n);
    double sum = 0;
    for (const float v : x) sum += double{v} * v;
    const double factor = 1 / std::sqrt(sum / static_cast<double>(n) + double{1e-6f});
    for (size_t i = 0; i < x.size(); ++i) {
      const double want = x[i] * factor * w[i];
      const double roundings = static_cast<double>(n) / 16 + 12;
      ASSERT_LE(std::fabs(got[i] - want), roundings * test::kUnit * std::fabs(want));
    }
  }
}

TEST(Elementwise, OneValueThatIsNotFiniteIsFound) {
  Random rng(6);
  std::vector<const Kernels*> all = tables();
  all.push_back(&oracle());
  for (const size_t n : {0u, 1u, 15u, 16u, 17u, 64u, 79u, 80u, 333u}) {
    auto x = rng.normals(n, 3e38f / 8);
    for (const Kernels* k : all) {
      EXPECT_TRUE(k->all_finite(x.data(), static_cast<int64_t>(n))) << k->isa << ' ' << n;
      for (size_t i = 0; i < n; ++i) {
        for (const float bad : {kNan, kInf, -kInf}) {
          const float before = std::exchange(x[i], bad);
          ASSERT_FALSE(k->all_finite(x.data(), static_cast<int64_t>(n))) << k->isa << ' ' << i;
          x[i] = before;
        }
      }
    }
  }
}

TEST(Elementwise, LogSumExp) {
  Random rng(5);
  for (const size_t n : {1u, 15u, 16u, 1000u, 1024u, 1025u, 50000u}) {
    const auto x = rng.normals(n, 4.0f);
    double sum = 0;
    for (const float v : x) sum += std::exp(double{v} - 20.0);
    const double want = 20.0 + std::log(sum);
    const double got = oracle().log_sum_exp(x.data(), static_cast<int64_t>(n));
    EXPECT_NEAR(got, want, 4e-6) << n;
    for (const Kernels* k : tables()) {
      EXPECT_EQ(k->log_sum_exp(x.data(), static_cast<int64_t>(n)), got) << k->isa << ' ' << n;
    }
  }
  std::vector<const Kernels*> all = tables();
  all.push_back(&oracle());
  for (const Kernels* k : all) {
    const float low[] = {-kInf, -kInf}, high[] = {1.0f, kInf}, bad[] = {1.0f, kNan};
    const float mixed[] = {-kInf, 2.5f};
    EXPECT_EQ(k->log_sum_exp(low, 2), -kInf);
    EXPECT_EQ(k->log_sum_exp(high, 2), kInf);
    EXPECT_TRUE(std::isnan(k->log_sum_exp(bad, 2)));
    EXPECT_EQ(k->log_sum_exp(mixed, 2), 2.5);
  }
}

}  // namespace
}  // namespace hearth
