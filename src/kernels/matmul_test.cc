#include <algorithm>

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
                                           "IQ4_XS", "MXFP4", "IQ3_S", "TQ2_0"};

struct Problem {
  const Encoding* encoding = nullptr;
  int64_t k = 0, outputs = 0, rows = 0, x_stride = 0;
  std::vector<std::byte> weights;
  std::vector<float> x, bias, before;
  std::vector<uint16_t> x16;
  bool has_bias = false, accumulate = false;
  Compute compute = Compute::kF32;

  Problem(const std::string& format, int64_t rows_, int64_t outputs_, int64_t k_, Random& rng)
      : encoding(find_encoding(format)), k(k_), outputs(outputs_), rows(rows_), x_stride(k_ + 3) {
    k = (k + encoding->block_elems - 1) / encoding->block_elems * encoding->block_elems;
    x_stride = k + rng.integer(0, 3);
    weights = test::random_weights(*encoding, static_cast<size_t>(k * outputs), rng);
    x = rng.normals(static_cast<size_t>(rows * x_stride));
    x16.resize(x.size());
    oracle().to_bf16(x.data(), x16.data(), static_cast<int64_t>(x.size()));
    bias = rng.normals(static_cast<size_t>(outputs));
    before = rng.normals(static_cast<size_t>(rows * outputs));
    has_bias = rng.integer(0, 1) == 1;
    accumulate = rng.integer(0, 1) == 1;
  }

  // Rows [row, row_end), outputs [out, out_end); the rest of y keeps `before`.
  std::vector<float> run(const Kernels& kernels, int64_t row, int64_t row_end, int64_t out,
                         int64_t out_end) const {
    static std::vector<std::byte> scratch(kKernelScratchBytes);
    std::vector<float> y = before;
    const bool f32 = compute == Compute::kF32;
    MatmulArgs args = {};
    args.encoding = encoding;
    args.weights = weights.data();
    args.row_bytes = encoding->bytes_of(static_cast<uint64_t>(k));
    args.k = k;
    args.x = f32 ? static_cast<const void*>(x.data() + row * x_stride)
                 : static_cast<const void*>(x16.data() + row * x_stride);
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
  // and residual.
  void check_against_double(const std::vector<float>& y) const {
    std::vector<float> w(static_cast<size_t>(k));
    const bool f32 = compute == Compute::kF32;
    for (int64_t o = 0; o < outputs; ++o) {
      encoding->decode(weights.data() + o * encoding->bytes_of(static_cast<uint64_t>(k)), w.data(),
                       w.size());
      for (int64_t r = 0; r < rows; ++r) {
        double sum = 0, size = 0;
        for (int64_t i = 0; i < k; ++i) {
          const size_t at = static_cast<size_t>(r * x_stride + i);
          const double a = f32 ? w[i] : bf16_to_f32(f32_to_bf16(w[i]));
          const double b = f32 ? x[at] : bf16_to_f32(x16[at]);
          sum += a * b;
          size += std::fabs(a * b);
        }
        if (has_bias) sum += bias[o], size += std::fabs(bias[o]);
        const size_t at = static_cast<size_t>(r * outputs + o);
        if (accumulate) sum += before[at], size += std::fabs(before[at]);
        const double steps = static_cast<double>(k) / (f32 ? 16 : 8) + 8;
        ASSERT_LE(std::fabs(y[at] - sum), steps * kUnit * size + 1e-35)
            << encoding->name << " row " << r << " output " << o << " k " << k;
      }
    }
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
    }
    p.compute = Compute::kF32;
  }
}

TEST(Matmul, BitsDependNeitherOnTheBatchNorOnTheRange) {
  Random rng(14);
  for (int round = 0; round < 54; ++round) {
    const std::string& format = kFormats[static_cast<size_t>(round) % kFormats.size()];
    Problem p(format, rng.integer(1, 100), rng.integer(1, 150), rng.integer(1, 2300), rng);
    for (const Compute compute : {Compute::kF32, Compute::kBf16}) {
      p.compute = compute;
      for (const Kernels* k : tables()) {
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
      for (auto& v : p.x16) v = static_cast<uint16_t>(rng.integer(0, 65535));
      const auto want = p.run(oracle());
      for (const Kernels* k : tables()) {
        p.compute = Compute::kF32;
        ASSERT_TRUE(same_bits(p.run(*k), want)) << k->isa << ' ' << format;
        p.compute = Compute::kBf16;
        p.run(*k);
      }
      p.compute = Compute::kF32;
    }
  }
}

}  // namespace
}  // namespace hearth
