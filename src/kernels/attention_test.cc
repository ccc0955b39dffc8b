#include <algorithm>

#include "kernels/test_util.h"

namespace hearth {
namespace {

constexpr double kBf16Unit = 0x1p-9;  // half the spacing of bfloat16 at 1

using test::kUnit;
using test::oracle;
using test::Random;
using test::same_bits;
using test::tables;

// One sequence in a paged cache of two heads, of which the second is looked at; the blocks lie in
// any order, and what nobody has written holds NaN.
struct Problem {
  int head_dim, value_dim, group, length;
  int32_t window = 0;
  float softcap = 0.0f, scale = 0.1f;
  KvType type = KvType::kF32;
  std::vector<std::vector<std::byte>> k_store, v_store;
  std::vector<const std::byte*> k_blocks, v_blocks;
  std::vector<float> keys, values, q;
  std::vector<int32_t> positions;

  Problem(Random& rng, int head_dim_, int value_dim_, int group_, int length_, KvType type_)
      : head_dim(head_dim_), value_dim(value_dim_), group(group_), length(length_), type(type_) {
    keys = rng.normals(static_cast<size_t>(length * head_dim));
    values = rng.normals(static_cast<size_t>(length * value_dim));
    fill(k_store, k_blocks, keys, head_dim);
    fill(v_store, v_blocks, values, value_dim);
    scale = 1.0f / std::sqrt(static_cast<float>(head_dim));
  }

  // Stores `from`, and leaves there what the cache makes of it.
  void fill(std::vector<std::vector<std::byte>>& store, std::vector<const std::byte*>& blocks,
            std::vector<float>& from, int dim) {
    const bool keys_here = &from == &keys;
    const size_t head = head_bytes(keys_here);
    const int count = (length + kKvBlock - 1) / kKvBlock;
    store.assign(static_cast<size_t>(count), std::vector<std::byte>(2 * head, std::byte{0xff}));
    for (int position = 0; position < length; ++position) {
      std::byte* at = store[static_cast<size_t>(position / kKvBlock)].data() + head;
      float* x = &from[static_cast<size_t>(position * dim)];
      const auto put = keys_here ? store_key : store_value;
      put(oracle(), type, x, dim, position % kKvBlock, at);
      for (int d = 0; d < dim; ++d) x[d] = stored(keys_here, at, position % kKvBlock, d);
      if (keys_here) unmix(x);
    }
    for (const auto& block : store) blocks.push_back(block.data());
  }

  size_t head_bytes(bool of_keys) const {
    return static_cast<size_t>(of_keys ? kv_key_bytes(type, head_dim)
                                       : kv_value_bytes(type, value_dim));
  }

  // Back to dimensions: the Hadamard matrix is its own inverse but for a factor.
  void unmix(float* key) const {
    const auto run = static_cast<int>(kv_mixed(type, head_dim));
    for (int begin = 0; begin < head_dim && run > 1; begin += run) {
      std::vector<float> out;
      for (int i = 0; i < run; ++i) {
        double sum = 0;
        for (int j = 0; j < run; ++j)
          sum += std::popcount(static_cast<unsigned>(i & j)) % 2 ? -key[begin + j] : key[begin + j];
        out.push_back(static_cast<float>(sum / run));
      }
      std::copy(out.begin(), out.end(), key + begin);
    }
  }

  // A number of a block, by the description in kv.h.
  float stored(bool of_keys, const std::byte* block, int slot, int d) const {
    const int dim = of_keys ? head_dim : value_dim, width = (value_dim + 15) / 16 * 16;
    const int groups = (dim + kKvScale - 1) / kKvScale, group = d / kKvScale;
    const int index = of_keys ? (d / 2 * kKvBlock + slot) * 2 + d % 2
                              : (slot / 2 * width + d) * 2 + slot % 2;
    const auto read = [&]<class T>(T, int64_t at) {
      T x;
      std::memcpy(&x, block + at, sizeof x);
      return x;
    };
    switch (type) {
      case KvType::kF32: return read(0.0f, 4 * index);
      case KvType::kF16: return f16_to_f32(read(uint16_t{}, 2 * index));
      case KvType::kBf16: return bf16_to_f32(read(uint16_t{}, 2 * index));
      case KvType::kInt8: break;
    }
    const int scale =
        of_keys ? group * kKvBlock + slot : (slot / 2 * groups + group) * 2 + slot % 2;
    const int scales_at = kKvBlock * (of_keys ? (dim + 1) / 2 * 2 : width);
    return read(int8_t{}, index) * read(0.0f, scales_at + 4 * scale);
  }

  void ask(Random& rng, std::vector<int32_t> at) {
    positions = std::move(at);
    q = rng.normals(positions.size() * static_cast<size_t>(group * head_dim));
  }

  std::vector<float> run(const Kernels& kernels, int64_t row, int64_t row_end,
                         Compute compute = Compute::kF32) const {
    static std::vector<std::byte> scratch(kKernelScratchBytes);
    AttentionArgs a = {};
    std::vector<float> out(static_cast<size_t>((row_end - row) * group * value_dim), -7.0f);
    a.q = q.data() + row * group * head_dim;
    a.q_stride = int64_t{group} * head_dim;
    a.out = out.data();
    a.out_stride = int64_t{group} * value_dim;
    a.positions = positions.data() + row;
    a.rows = row_end - row;
    a.group = group;
    a.head_dim = head_dim;
    a.value_dim = value_dim;
    a.k_blocks = k_blocks.data();
    a.v_blocks = v_blocks.data();
    a.k_head_offset = head_bytes(true);
    a.v_head_offset = head_bytes(false);
    a.kv_type = type;
    a.compute = compute;
    a.scale = scale;
    a.softcap = softcap;
    a.window = window;
    a.scratch = scratch.data();
    kernels.attention(a);
    return out;
  }
  std::vector<float> run(const Kernels& k, Compute compute = Compute::kF32) const {
    return run(k, 0, static_cast<int64_t>(positions.size()), compute);
  }

  // How far a score may be off, and by which factor (less 1) an output, beside what scores do.
  double score_error(double size, Compute compute) const {
    double terms = head_dim + 4;  // a rounding for each, and of q * scale
    if (type == KvType::kInt8) terms += 2 * std::log2(kv_mixed(type, head_dim)) + 4;
    const double inputs = compute == Compute::kBf16 ? 2.01 * kBf16Unit + terms * kUnit : 0.0;
    const double cap = softcap > 0 ? 8 * kUnit * softcap : 0.0;
    return size * std::fabs(scale) * (terms * kUnit + inputs) + cap;
  }
  static double output_error(int seen, Compute compute) {
    // One rounding for each position in each of the two sums, and a few for exp and rescaling.
    const double sums = (2.0 * seen + 40) * kUnit * 2;
    if (compute == Compute::kF32) return sums;
    // Weights above and below, and values, are rounded; 2^x is off by 1e-5 at most (the
    // polynomial, and the rounding of an argument down to -150), and once more per older span.
    return sums + 3.01 * kBf16Unit + 1e-5 * (seen / kKvSpan + 2);
  }

  void check_against_double(const std::vector<float>& out, Compute compute) const {
    for (size_t item = 0; item < positions.size() * static_cast<size_t>(group); ++item) {
      const float* query = q.data() + item * static_cast<size_t>(head_dim);
      const int end = positions[item / static_cast<size_t>(group)] + 1;
      const int begin = window > 0 ? std::max(0, end - window) : 0;
      std::vector<double> score;
      double highest = -1e300, error = 0;
      for (int j = begin; j < end; ++j) {
        double dot = 0, size = 0, squares[2] = {};
        for (int d = 0; d < head_dim; ++d) {
          const double key = keys[static_cast<size_t>(j * head_dim + d)];
          dot += query[d] * key;
          size += std::fabs(query[d] * key);
          squares[0] += query[d] * query[d];
          squares[1] += key * key;
        }
        // Mixed products may be of any signs and sizes that keep the lengths.
        if (type == KvType::kInt8) size = std::sqrt(squares[0] * squares[1]);
        double s = dot * scale;
        error = std::max(error, score_error(size, compute));
        if (softcap > 0) s = softcap * std::tanh(s / softcap);
        score.push_back(s);
        highest = std::max(highest, s);
      }
      double sum = 0;
      for (double& s : score) sum += s = std::exp(s - highest);
      // A score that is off by e moves its weight by the factor exp(e), and the sum likewise.
      const double relative = std::expm1(2 * error) + output_error(end - begin, compute);
      for (int d = 0; d < value_dim; ++d) {
        double want = 0, size = 0;
        for (int j = begin; j < end; ++j) {
          const double part = score[static_cast<size_t>(j - begin)] / sum *
                              values[static_cast<size_t>(j * value_dim + d)];
          want += part;
          size += std::fabs(part);
        }
        ASSERT_LE(std::fabs(out[item * static_cast<size_t>(value_dim) + d] - want),
                  relative * size + 1e-30)
            << "item " << item << " value " << d;
      }
    }
  }
};

constexpr KvType kTypes[] = {KvType::kF32, KvType::kF16, KvType::kInt8, KvType::kBf16};

Problem random_problem(Random& rng, int round) {
  const std::vector<int> dims = {1, 7, 16, 24, 25, 32, 33, 64, 72, 80, 96, 128, 192, 256};
  const int head_dim = rng.pick(dims);
  const int value_dim = round % 3 == 0 ? rng.pick(dims) : head_dim;
  const bool spans = round % 7 < 2;  // several of them
  Problem p(rng, head_dim, value_dim, static_cast<int>(rng.integer(1, 8)),
            static_cast<int>(rng.integer(1, spans ? 700 : 150)),
            kTypes[round % 4]);
  if (round % 9 < 3) p.softcap = 20.0f;
  if (round % 5 >= 3) p.window = static_cast<int32_t>(rng.integer(1, spans ? 300 : 80));
  std::vector<int32_t> at;
  const auto rows = static_cast<int32_t>(rng.integer(1, std::min(p.length, 20)));
  for (int32_t i = p.length - rows; i < p.length; ++i) at.push_back(i);  // a piece of a prompt
  if (round % 7 == 0) std::shuffle(at.begin(), at.end(), std::mt19937(1));
  p.ask(rng, at);
  return p;
}

std::string name_of(const Kernels& k, const Problem& p) {
  return std::string(k.isa) + " head_dim " + std::to_string(p.head_dim) + " value_dim " +
         std::to_string(p.value_dim) + " group " + std::to_string(p.group) + " length " +
         std::to_string(p.length) + " window " + std::to_string(p.window) + " kv " +
         std::string(name_of(p.type));
}

TEST(Attention, EveryTableGivesTheBitsOfTheOracle) {
  Random rng(21);
  for (int round = 0; round < 160; ++round) {
    const Problem p = random_problem(rng, round);
    const auto want = p.run(oracle());
    p.check_against_double(want, Compute::kF32);
    for (const Kernels* k : tables()) ASSERT_TRUE(same_bits(p.run(*k), want)) << name_of(*k, p);
  }
}

TEST(Attention, Bfloat16IsAsNearAsItsRoundingAllows) {
  Random rng(25);
  std::vector<const Kernels*> all = tables();
  all.push_back(&oracle());
  for (int round = 0; round < 160; ++round) {
    const Problem p = random_problem(rng, round);
    const auto exact = p.run(oracle());
    for (const Kernels* k : all) {
      const auto out = p.run(*k, Compute::kBf16);
      p.check_against_double(out, Compute::kBf16);
      if (HasFatalFailure()) FAIL() << name_of(*k, p);
      EXPECT_TRUE(p.length == 1 || !same_bits(out, exact)) << name_of(*k, p);
    }
  }
}

// A weight of exactly 1 and nothing else: the output is the value, rounded.
TEST(Attention, Bfloat16OfOnePositionIsTheValue) {
  Random rng(26);
  Problem p(rng, 40, 40, 5, 300, KvType::kF16);
  p.window = 1;
  p.ask(rng, {0, 1, 127, 128, 299});
  for (const Kernels* k : tables()) {
    const auto out = p.run(*k, Compute::kBf16);
    for (size_t i = 0; i < out.size(); ++i) {
      const size_t row = i / 200, d = i % 40;
      const float value = p.values[static_cast<size_t>(p.positions[row]) * 40 + d];
      EXPECT_EQ(out[i], bf16_to_f32(f32_to_bf16(value))) << k->isa;
    }
  }
}

// Parts of the rows, in any order, give the bits of all together.
void check_parts(const Problem& p, const Kernels& k, Random& rng, int parts) {
  const auto rows = static_cast<int64_t>(p.positions.size());
  const int64_t width = int64_t{p.group} * p.value_dim;
  for (const Compute compute : {Compute::kF32, Compute::kBf16}) {
    const auto whole = p.run(k, compute);
    for (int part = 0; part < parts; ++part) {
      const int64_t row = rng.integer(0, rows - 1);
      const int64_t end = part % 2 == 0 ? row + 1 : rng.integer(row + 1, std::min(row + 40, rows));
      ASSERT_TRUE(same_bits(p.run(k, row, end, compute),
                            std::vector<float>(whole.begin() + row * width,
                                               whole.begin() + end * width)))
          << name_of(k, p) << " rows " << row << ' ' << end << " compute "
          << static_cast<int>(compute);
    }
  }
}

TEST(Attention, ARowDoesNotDependOnTheOthers) {
  Random rng(22);
  Problem p(rng, 64, 64, 3, 300, KvType::kF16);
  for (const int32_t window : {0, 70, 200}) {
    p.window = window;
    std::vector<int32_t> at;
    for (int32_t i = 0; i < 300; ++i) at.push_back(i);  // more than fits into one chunk
    p.ask(rng, at);
    for (const Kernels* k : tables()) check_parts(p, *k, rng, 40);
  }
  for (int round = 0; round < 60; ++round) {
    const Problem some = random_problem(rng, round);
    for (const Kernels* k : tables()) check_parts(some, *k, rng, 4);
  }
}

// Values that overflow, vanish or are no numbers, in places that only some rows see.
TEST(Attention, ARowDoesNotDependOnExtremesThatItDoesNotSee) {
  Random rng(27);
  const std::vector<float> extremes = {HUGE_VALF, -HUGE_VALF, NAN,  65504.0f, -65504.0f, -0.0f,
                                       6e-8f,     -6e-8f,     1e-6f, -1e-7f,   0.0f};
  for (int round = 0; round < 50; ++round) {
    Problem p = random_problem(rng, round);
    for (auto* from : {&p.keys, &p.values}) {
      const int64_t some = rng.integer(1, 12);
      for (int64_t i = 0; i < some; ++i) {
        (*from)[static_cast<size_t>(rng.integer(0, static_cast<int64_t>(from->size()) - 1))] =
            rng.pick(extremes);
      }
      if (round % 3 == 1) {
        for (float& x : *from) x = rng.integer(0, 1) == 0 ? -1e-7f : -0.0f;
      }
    }
    p.k_blocks.clear();
    p.v_blocks.clear();
    p.fill(p.k_store, p.k_blocks, p.keys, p.head_dim);
    p.fill(p.v_store, p.v_blocks, p.values, p.value_dim);
    if (round % 4 == 2) {
      for (float& x : p.q) x *= 1e4f;
    }
    const auto want = p.run(oracle());
    for (const Kernels* k : tables()) {
      ASSERT_TRUE(same_bits(p.run(*k), want)) << name_of(*k, p);
      check_parts(p, *k, rng, 4);
      if (HasFatalFailure()) return;
    }
  }
}

// More state than the chunk of rows that is kept at a time.
TEST(Attention, ManyRows) {
  Random rng(23);
  Problem p(rng, 256, 256, 8, 130, KvType::kF32);
  std::vector<int32_t> at;
  for (int32_t i = 0; i < 130; ++i) at.push_back(i);
  p.ask(rng, at);
  const auto want = p.run(oracle());
  for (const Kernels* k : tables()) {
    EXPECT_TRUE(same_bits(p.run(*k), want)) << k->isa;
    check_parts(p, *k, rng, 4);
  }
}

// The largest heads that a model file may have fit into the scratch.
TEST(Attention, LargestHeads) {
  Random rng(28);
  for (const KvType type : {KvType::kF32, KvType::kInt8}) {
    Problem p(rng, 4096, 4096, 7, 40, type);
    p.ask(rng, {38, 39});
    const auto want = p.run(oracle());
    for (const Kernels* k : tables()) {
      EXPECT_TRUE(same_bits(p.run(*k), want)) << k->isa;
      p.check_against_double(p.run(*k, Compute::kBf16), Compute::kBf16);
    }
  }
}

TEST(Attention, NonsenseDoesNotCrash) {
  Random rng(24);
  for (const KvType type : kTypes) {
    Problem p(rng, 32, 32, 2, 70, type);
    p.ask(rng, {5, 40, 69});
    for (auto* store : {&p.k_store, &p.v_store}) {
      for (auto& block : *store) {
        for (auto& b : block) b = static_cast<std::byte>(rng.byte());
      }
    }
    for (const Compute compute : {Compute::kF32, Compute::kBf16}) {
      for (const Kernels* k : tables()) p.run(*k, compute);
    }
    for (float& x : p.q) x = std::bit_cast<float>(static_cast<uint32_t>(rng.integer(0, ~0u)));
    for (const Compute compute : {Compute::kF32, Compute::kBf16}) {
      for (const Kernels* k : tables()) p.run(*k, compute);
    }
  }
}

}  // namespace
}  // namespace hearth
