#include <algorithm>

#include "kernels/test_util.h"

namespace hearth {
namespace {

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

  size_t value_bytes() const { return type == KvType::kF32 ? 4 : 2; }

  void fill(std::vector<std::vector<std::byte>>& store, std::vector<const std::byte*>& blocks,
            std::vector<float>& from, int dim) {
    const size_t head = kKvBlock * static_cast<size_t>(dim) * value_bytes();
    const int count = (length + kKvBlock - 1) / kKvBlock;
    store.assign(static_cast<size_t>(count), std::vector<std::byte>(2 * head, std::byte{0xff}));
    for (int i = 0; i < length * dim; ++i) {
      const int position = i / dim, d = i % dim;
      std::byte* at = store[static_cast<size_t>(position / kKvBlock)].data() + head +
                      static_cast<size_t>(position % kKvBlock * dim + d) * value_bytes();
      if (type == KvType::kF32) {
        std::memcpy(at, &from[i], 4);
      } else {
        const uint16_t half = f32_to_f16(from[i]);
        from[i] = f16_to_f32(half);
        std::memcpy(at, &half, 2);
      }
    }
    for (const auto& block : store) blocks.push_back(block.data());
  }

  void ask(Random& rng, std::vector<int32_t> at) {
    positions = std::move(at);
    q = rng.normals(positions.size() * static_cast<size_t>(group * head_dim));
  }

  std::vector<float> run(const Kernels& kernels, int64_t row, int64_t row_end) const {
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
    a.k_head_offset = kKvBlock * static_cast<size_t>(head_dim) * value_bytes();
    a.v_head_offset = kKvBlock * static_cast<size_t>(value_dim) * value_bytes();
    a.kv_type = type;
    a.scale = scale;
    a.softcap = softcap;
    a.window = window;
    a.scratch = scratch.data();
    kernels.attention(a);
    return out;
  }
  std::vector<float> run(const Kernels& k) const {
    return run(k, 0, static_cast<int64_t>(positions.size()));
  }

  void check_against_double(const std::vector<float>& out) const {
    for (size_t item = 0; item < positions.size() * static_cast<size_t>(group); ++item) {
      const float* query = q.data() + item * static_cast<size_t>(head_dim);
      const int end = positions[item / static_cast<size_t>(group)] + 1;
      const int begin = window > 0 ? std::max(0, end - window) : 0;
      std::vector<double> score;
      double highest = -1e300, error = 0;
      for (int j = begin; j < end; ++j) {
        double dot = 0, size = 0;
        for (int d = 0; d < head_dim; ++d) {
          const double product = double{query[d]} * keys[static_cast<size_t>(j * head_dim + d)];
          dot += product;
          size += std::fabs(product);
        }
        double s = dot * scale;
        error = std::max(error, size * std::fabs(scale) * (head_dim / 16.0 + 8) * kUnit);
        if (softcap > 0) s = softcap * std::tanh(s / softcap), error += 4 * kUnit * softcap;
        score.push_back(s);
        highest = std::max(highest, s);
      }
      double sum = 0;
      for (double& s : score) sum += s = std::exp(s - highest);
      // A score that is off by e moves its weight by the factor 1 + e, and the sum likewise; one
      // rounding for each position in each of the two sums, and a few for exp and rescaling.
      const double relative = 2 * error + (2.0 * (end - begin) + 40) * kUnit * 2;
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

Problem random_problem(Random& rng, int round) {
  const std::vector<int> dims = {16, 24, 32, 64, 72, 80, 96, 128, 192, 256};
  const int head_dim = rng.pick(dims);
  const int value_dim = round % 3 == 0 ? rng.pick(dims) : head_dim;
  Problem p(rng, head_dim, value_dim, static_cast<int>(rng.integer(1, 8)),
            static_cast<int>(rng.integer(1, 150)), round % 2 == 0 ? KvType::kF32 : KvType::kF16);
  if (round % 4 == 1) p.softcap = 20.0f;
  if (round % 5 >= 3) p.window = static_cast<int32_t>(rng.integer(1, 80));
  std::vector<int32_t> at;
  const auto rows = static_cast<int32_t>(rng.integer(1, std::min(p.length, 20)));
  for (int32_t i = p.length - rows; i < p.length; ++i) at.push_back(i);  // a piece of a prompt
  if (round % 7 == 0) std::shuffle(at.begin(), at.end(), std::mt19937(1));
  p.ask(rng, at);
  return p;
}

TEST(Attention, EveryTableGivesTheBitsOfTheOracle) {
  Random rng(21);
  for (int round = 0; round < 60; ++round) {
    const Problem p = random_problem(rng, round);
    const auto want = p.run(oracle());
    p.check_against_double(want);
    for (const Kernels* k : tables()) {
      ASSERT_TRUE(same_bits(p.run(*k), want))
          << k->isa << " head_dim " << p.head_dim << " value_dim " << p.value_dim << " group "
          << p.group << " length " << p.length << " window " << p.window;
    }
  }
}

TEST(Attention, ARowDoesNotDependOnTheOthers) {
  Random rng(22);
  Problem p(rng, 64, 64, 3, 300, KvType::kF16);
  for (const int32_t window : {0, 70}) {
    p.window = window;
    std::vector<int32_t> at;
    for (int32_t i = 0; i < 300; ++i) at.push_back(i);  // more than fits into one chunk
    p.ask(rng, at);
    for (const Kernels* k : tables()) {
      const auto whole = p.run(*k);
      for (int part = 0; part < 40; ++part) {
        const int64_t row = rng.integer(0, 299);
        const int64_t end = part < 20 ? row + 1 : rng.integer(row + 1, std::min<int64_t>(row + 40,
                                                                                         300));
        const int64_t width = int64_t{p.group} * p.value_dim;
        ASSERT_TRUE(same_bits(p.run(*k, row, end),
                              std::vector<float>(whole.begin() + row * width,
                                                 whole.begin() + end * width)))
            << k->isa << ' ' << row << ' ' << end;
      }
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
  for (const Kernels* k : tables()) EXPECT_TRUE(same_bits(p.run(*k), want)) << k->isa;
}

TEST(Attention, NonsenseDoesNotCrash) {
  Random rng(24);
  Problem p(rng, 32, 32, 2, 70, KvType::kF32);
  p.ask(rng, {5, 40, 69});
  for (auto* store : {&p.k_store, &p.v_store}) {
    for (auto& block : *store) {
      for (auto& b : block) b = static_cast<std::byte>(rng.byte());
    }
  }
  for (const Kernels* k : tables()) p.run(*k);
  for (float& x : p.q) x = std::bit_cast<float>(static_cast<uint32_t>(rng.integer(0, ~0u)));
  for (const Kernels* k : tables()) p.run(*k);
}

}  // namespace
}  // namespace hearth
