#include <algorithm>
#include <map>

#include "kernels/test_util.h"

namespace hearth {
namespace {

using test::kUnit;
using test::oracle;
using test::Random;
using test::same_bits;
using test::tables;

// Fast formats, and some that go through encoding->decode.
const std::vector<std::string> kFormats = {"F32",  "F16",  "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0",
                                           "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL",
                                           "IQ4_XS", "MXFP4", "IQ3_S", "IQ2_XXS", "IQ1_S", "TQ2_0"};

constexpr Compute kComputes[] = {Compute::kF32, Compute::kBf16, Compute::kInt8,
                                 Compute::kInt8x2};

struct Problem {
  const Encoding* encoding = nullptr;
  int64_t k = 0, outputs = 0, rows = 0, x_stride = 0;
  std::vector<std::byte> weights;
  std::vector<float> x, bias, before;
  std::map<Compute, std::vector<std::byte>> packed;  // x in each form
  bool has_bias = false, accumulate = false;
  Compute compute = Compute::kF32;

  Problem(const std::string& format, int64_t rows_, int64_t outputs_, int64_t k_, Random& rng)
      : encoding(find_encoding(format)), k(k_), outputs(outputs_), rows(rows_), x_stride(k_ + 3) {
    k = (k + encoding->block_elems - 1) / encoding->block_elems * encoding->block_elems;
    x_stride = k + (encoding->block_elems == 1 ? rng.integer(0, 3) : 32 * rng.integer(0, 2));
    weights = test::random_weights(*encoding, static_cast<size_t>(k * outputs), rng);
    x = rng.normals(static_cast<size_t>(rows * x_stride));
    pack();
    bias = rng.normals(static_cast<size_t>(outputs));
    before = rng.normals(static_cast<size_t>(rows * outputs));
    has_bias = rng.integer(0, 1) == 1;
    accumulate = rng.integer(0, 1) == 1;
  }

  void pack() {
    for (const Compute c : kComputes) {
      if (c >= Compute::kInt8 && encoding->block_elems == 1) continue;
      const size_t bytes = activation_bytes(c, x_stride);
      packed[c].resize(bytes * static_cast<size_t>(rows));
      for (int64_t r = 0; r < rows; ++r)
        oracle().pack(x.data() + r * x_stride, c, packed[c].data() + bytes * static_cast<size_t>(r),
                      x_stride);
    }
  }

  // Whether a table computes this in the way that is set.
  bool runs(const Kernels& kernels) const {
    return compute < Compute::kInt8 || kernels.has_integers(*encoding);
  }

  // Value i of a row of x as the compute sees it.
  double seen(int64_t row, int64_t i) const {
    const ActivationRow layout = activation_row(compute, x_stride);
    const std::byte* from = packed.at(compute).data() + layout.bytes * static_cast<size_t>(row);
    const auto at = static_cast<size_t>(i);
    switch (compute) {
      case Compute::kF32: return reinterpret_cast<const float*>(from)[at];
      case Compute::kBf16: return bf16_to_f32(reinterpret_cast<const uint16_t*>(from)[at]);
      case Compute::kInt8: case Compute::kInt8x2: break;
    }
    const auto& b = reinterpret_cast<const ActivationBlock*>(from)[at / 32];
    double value = static_cast<double>(b.scale) * b.digits[at % 32];
    if (compute == Compute::kInt8x2) {
      const auto& first = reinterpret_cast<const FirstDigits*>(from + layout.firsts)[at / 32];
      value += static_cast<double>(first.scale) * first.digits[at % 32];
    }
    return value;
  }

  // Rows [row, row_end), outputs [out, out_end); the rest of y keeps `before`.
  std::vector<float> run(const Kernels& kernels, int64_t row, int64_t row_end, int64_t out,
                         int64_t out_end) const {
    static std::vector<std::byte> scratch(kKernelScratchBytes);
    std::vector<float> y = before;
    MatmulArgs args = {};
    args.encoding = encoding;
    args.weights = weights.data();
    args.row_bytes = encoding->bytes_of(static_cast<uint64_t>(k));
    args.k = k;
    args.x = packed.at(compute).data() +
             activation_bytes(compute, x_stride) * static_cast<size_t>(row);
    args.x_stride = x_stride;
    args.rows = row_end - row;
    args.y = y.data() + row * outputs;
    args.y_stride = outputs;
    args.out_begin = out;
    args.out_end = out_end;
    args.bias = has_bias ? bias.data() : nullptr;
    args.accumulate = accumulate;
    args.compute = compute;
    args.scratch = scratch.data();
    kernels.matmul(args);
    return y;
  }
  std::vector<float> run(const Kernels& kernels) const {
    return run(kernels, 0, rows, 0, outputs);
  }

  // The answer in double precision, and a bound on the error of a float computation: each lane
  // adds k / 16 products with one rounding each (two in bfloat16), the tree four times, then bias
  // and residual. In integers, a group of 16 has four roundings, two of them with a minimum, which
  // is not small beside the sum of the two.
  void check_against_double(const std::vector<float>& y) const {
    std::vector<float> w(static_cast<size_t>(k));
    const bool integers = compute >= Compute::kInt8;
    for (int64_t o = 0; o < outputs; ++o) {
      encoding->decode(weights.data() + o * encoding->bytes_of(static_cast<uint64_t>(k)), w.data(),
                       w.size());
      const double spread = integers ? spread_of(w) : 0;
      for (int64_t r = 0; r < rows; ++r) {
        double sum = 0, size = 0;
        for (int64_t i = 0; i < k; ++i) {
          const double a = compute == Compute::kBf16 ? bf16_to_f32(f32_to_bf16(w[i])) : w[i];
          const double b = seen(r, i);
          sum += a * b;
          size += integers ? (std::fabs(a) + spread) * std::fabs(b) : std::fabs(a * b);
        }
        if (has_bias) sum += bias[o], size += std::fabs(bias[o]);
        const size_t at = static_cast<size_t>(r * outputs + o);
        if (accumulate) sum += before[at], size += std::fabs(before[at]);
        const double steps = static_cast<double>(k) / (compute == Compute::kBf16 ? 8 : 16) + 8;
        ASSERT_LE(std::fabs(y[at] - sum), steps * kUnit * size + 1e-35)
            << encoding->name << " row " << r << " output " << o << " k " << k;
      }
    }
  }

  // How large the parts of a weight can be: no code times its scale, nor a minimum, is beyond twice
  // the largest weight of the row.
  static double spread_of(const std::vector<float>& w) {
    double largest = 0;
    for (const float v : w) largest = std::max(largest, std::fabs(static_cast<double>(v)));
    return 2 * largest + 2 * largest;
  }
};

Problem random_problem(Random& rng, int round) {
  const std::string& format = kFormats[static_cast<size_t>(round) % kFormats.size()];
  const std::vector<int64_t> rows = {1, 1, 2, 3, 4, 5, 7, 12, 13, 17, 33, 70};
  return Problem(format, rng.pick(rows), rng.integer(1, 70), rng.integer(1, 700), rng);
}

TEST(Matmul, FloatGivesTheBitsOfTheOracle) {
  Random rng(11);
  for (int round = 0; round < 180; ++round) {
    const Problem p = random_problem(rng, round);
    const auto want = p.run(oracle());
    p.check_against_double(want);
    for (const Kernels* k : tables()) {
      ASSERT_TRUE(same_bits(p.run(*k), want)) << k->isa << ' ' << p.encoding->name << " rows "
                                              << p.rows << " outputs " << p.outputs << " k " << p.k;
    }
  }
}

TEST(Matmul, Bf16IsNearDoublePrecision) {
  Random rng(12);
  for (int round = 0; round < 72; ++round) {
    Problem p = random_problem(rng, round);
    p.compute = Compute::kBf16;
    const auto want = p.run(oracle());
    p.check_against_double(want);
    for (const Kernels* k : tables()) {
      const auto got = p.run(*k);
      p.check_against_double(got);
      if (!k->has_bf16) {
        ASSERT_TRUE(same_bits(got, want)) << k->isa << ' ' << p.encoding->name;
      }
    }
  }
}

TEST(Matmul, IntegersGiveTheSameBitsEverywhere) {
  Random rng(17);
  for (int round = 0; round < 180; ++round) {
    Problem p = random_problem(rng, round);
    for (const Compute compute : {Compute::kInt8, Compute::kInt8x2}) {
      p.compute = compute;
      const Kernels& plain = *find_kernels("plain");
      if (!p.runs(plain)) continue;
      p.check_against_double(p.run(oracle()));
      const auto want = p.run(plain);
      p.check_against_double(want);
      for (const Kernels* k : tables()) {
        ASSERT_TRUE(p.runs(*k)) << k->isa << ' ' << p.encoding->name;
        ASSERT_TRUE(same_bits(p.run(*k), want))
            << k->isa << ' ' << p.encoding->name << " rows " << p.rows << " outputs " << p.outputs
            << " k " << p.k << " digits " << (compute == Compute::kInt8 ? 1 : 2);
      }
    }
  }
}

// Where products overflow if they can: all codes and activations at their largest.
TEST(Matmul, IntegersDoNotOverflow) {
  Random rng(18);
  for (const std::string& format : kFormats) {
    Problem p(format, 3, 33, 512, rng);
    if (p.encoding->block_elems == 1) continue;
    for (const int fill : {0x00, 0xff, 0x7f, 0x80, 0x88}) {
      for (size_t i = 0; i < p.weights.size(); ++i) p.weights[i] = static_cast<std::byte>(fill);
      for (size_t block = 0; block < p.weights.size(); block += p.encoding->block_bytes) {
        for (const size_t at : test::scale_offsets(format)) {
          const uint16_t half = f32_to_f16(0.5f);
          std::memcpy(p.weights.data() + block + at, &half, 2);
        }
        if (format == "MXFP4") p.weights[block] = std::byte{127};
      }
      for (size_t i = 0; i < p.x.size(); ++i) p.x[i] = i % 512 < 256 ? 3.0f : -3.0f;
      p.pack();
      for (const Compute compute : {Compute::kInt8, Compute::kInt8x2}) {
        p.compute = compute;
        for (const Kernels* k : tables()) {
          if (p.runs(*k)) p.check_against_double(p.run(*k));
        }
      }
    }
  }
}

// Long rows, so that pieces of k, strips and blocks of columns all end inside the problem.
TEST(Matmul, LongRows) {
  Random rng(13);
  const struct {
    const char* format;
    int64_t rows, outputs, k;
  } shapes[] = {{"Q4_K", 1, 9, 8960}, {"Q6_K", 5, 6, 8960},  {"F32", 3, 5, 5003},
                {"Q8_0", 61, 6, 4128}, {"BF16", 14, 3, 33001}, {"F32", 20, 2, 140003},
                {"IQ4_NL", 1, 5, 4128}};
  for (const auto& s : shapes) {
    Problem p(s.format, s.rows, s.outputs, s.k, rng);
    const auto want = p.run(oracle());
    p.check_against_double(want);
    for (const Kernels* k : tables()) {
      p.compute = Compute::kF32;
      ASSERT_TRUE(same_bits(p.run(*k), want)) << k->isa << ' ' << s.format << ' ' << s.k;
      p.compute = Compute::kBf16;
      p.check_against_double(p.run(*k));
      for (const Compute compute : {Compute::kInt8, Compute::kInt8x2}) {
        p.compute = compute;
        if (p.runs(*k)) p.check_against_double(p.run(*k));
      }
    }
    p.compute = Compute::kF32;
  }
}

TEST(Matmul, BitsDependNeitherOnTheBatchNorOnTheRange) {
  Random rng(14);
  for (int round = 0; round < 54; ++round) {
    const std::string& format = kFormats[static_cast<size_t>(round) % kFormats.size()];
    Problem p(format, rng.integer(1, 100), rng.integer(1, 150), rng.integer(1, 2300), rng);
    for (const Compute compute : kComputes) {
      p.compute = compute;
      for (const Kernels* k : tables()) {
        if (!p.runs(*k)) continue;
        if (k->isa == "plain" && round % 4 != 0) continue;  // slow
        const auto whole = p.run(*k);
        for (int part = 0; part < 6; ++part) {
          const int64_t row = rng.integer(0, p.rows - 1), out = rng.integer(0, p.outputs - 1);
          const int64_t row_end = part < 2 ? row + 1 : rng.integer(row + 1, p.rows);
          const int64_t out_end = rng.integer(out + 1, p.outputs);
          auto want = p.before;
          for (int64_t r = row; r < row_end; ++r) {
            std::copy(whole.begin() + r * p.outputs + out, whole.begin() + r * p.outputs + out_end,
                      want.begin() + r * p.outputs + out);
          }
          ASSERT_TRUE(same_bits(p.run(*k, row, row_end, out, out_end), want))
              << k->isa << ' ' << format << " rows " << row << ".." << row_end << " outputs " << out
              << ".." << out_end << " k " << p.k;
        }
      }
    }
  }
}

TEST(Matmul, ActivationsPackAsTheOracleDoes) {
  Random rng(19);
  for (int round = 0; round < 200; ++round) {
    std::vector<float> x = rng.normals(static_cast<size_t>(32 * rng.integer(1, 5)),
                                       std::ldexp(1.0f, static_cast<int>(rng.integer(-140, 120))));
    const std::vector<float> odd = {0.0f, -0.0f,  INFINITY, -INFINITY,
                                    NAN,  3e38f, 1e-45f,   0x1p-100f};
    if (round % 3 == 0) x[static_cast<size_t>(rng.integer(0, 31))] = rng.pick(odd);
    const auto count = static_cast<int64_t>(x.size());
    for (const Compute compute : kComputes) {
      std::vector<std::byte> want(activation_bytes(compute, count));
      oracle().pack(x.data(), compute, want.data(), count);
      for (const Kernels* k : tables()) {
        std::vector<std::byte> got(want.size());
        k->pack(x.data(), compute, got.data(), count);
        ASSERT_TRUE(got == want) << k->isa << " compute " << static_cast<int>(compute);
      }
    }
  }
}

TEST(Matmul, EveryEncodingDecodesAsItsRowDoes) {
  Random rng(15);
  for (const std::string& format : kFormats) {
    const Encoding& e = *find_encoding(format);
    for (int round = 0; round < 20; ++round) {
      const int64_t count = rng.integer(1, 9) * (e.block_elems == 1 ? 37 : e.block_elems);
      auto weights = test::random_weights(e, static_cast<size_t>(count), rng);
      if (round >= 15) {  // any bytes at all
        for (auto& b : weights) b = static_cast<std::byte>(rng.byte());
      }
      std::vector<float> want(static_cast<size_t>(count));
      e.decode(weights.data(), want.data(), want.size());
      for (const Kernels* k : tables()) {
        std::vector<float> got(want.size());
        k->decode_row(e, weights.data(), got.data(), count);
        ASSERT_TRUE(same_bits(got, want)) << k->isa << ' ' << format;
      }
    }
  }
}

TEST(Matmul, NonsenseDoesNotCrash) {
  Random rng(16);
  for (const std::string& format : kFormats) {
    for (const int64_t rows : {1, 3, 40}) {
      Problem p(format, rows, 9, 300, rng);
      for (auto& b : p.weights) b = static_cast<std::byte>(rng.byte());
      for (float& v : p.x) v = std::bit_cast<float>(static_cast<uint32_t>(rng.integer(0, ~0u)));
      p.pack();
      const auto want = p.run(oracle());
      for (const Kernels* k : tables()) {
        p.compute = Compute::kF32;
        ASSERT_TRUE(same_bits(p.run(*k), want)) << k->isa << ' ' << format;
        for (const Compute compute : kComputes) {
          p.compute = compute;
          if (p.runs(*k)) p.run(*k);
        }
      }
      p.compute = Compute::kF32;
    }
  }
}

}  // namespace
}  // namespace hearth
