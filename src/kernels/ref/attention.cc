// Attention in plain loops: for one row and one query head, block by block of kKvBlock positions,
// the running maximum m, the running sum l of exp(score - m) and the weighted sum of values are
// carried on; whatever was summed under an older maximum is rescaled by exp(old - new).
// Within a block the weights are added by the lane rule (an invisible position counts as 0), and
// the values position by position.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/ref/ref.h"

namespace hearth::ref {
namespace {

std::vector<float> load(const std::byte* block, size_t head_offset, int position, int dim,
                        KvType type) {
  std::vector<float> out(static_cast<size_t>(dim));
  const std::byte* at = block + head_offset;
  if (type == KvType::kF32) {
    std::memcpy(out.data(), at + sizeof(float) * position * dim, sizeof(float) * dim);
    return out;
  }
  std::vector<uint16_t> half(static_cast<size_t>(dim));
  std::memcpy(half.data(), at + sizeof(uint16_t) * position * dim, sizeof(uint16_t) * dim);
  for (int d = 0; d < dim; ++d) out[d] = from_f16(half[d]);
  return out;
}

struct Running {
  float m = -std::numeric_limits<float>::infinity();
  float l = 0.0f;
  std::vector<float> values;
};

// Positions [begin, end) of block b, counted from its first.
void add_block(const AttentionArgs& a, const float* q, int64_t b, int begin, int end,
               Running& state) {
  float score[kKvBlock];
  float m = state.m;
  for (int j = begin; j < end; ++j) {
    const auto key = load(a.k_blocks[b], a.k_head_offset, j, a.head_dim, a.kv_type);
    score[j] = dot(q, key.data(), a.head_dim) * a.scale;
    if (a.softcap > 0.0f) score[j] = a.softcap * tanh(score[j] / a.softcap);
    m = score[j] > m ? score[j] : m;
  }
  Lanes sum;
  for (int j = begin; j < end; ++j) score[j] = exp(score[j] - m);
  for (int j = 0; j < kKvBlock; ++j) {
    sum.lane[j % 16] += j >= begin && j < end ? score[j] : 0.0f;
  }
  const float factor = exp(state.m - m);
  state.l = std::fma(state.l, factor, sum.sum());
  for (float& v : state.values) v *= factor;
  for (int j = begin; j < end; ++j) {
    const auto value = load(a.v_blocks[b], a.v_head_offset, j, a.value_dim, a.kv_type);
    for (int d = 0; d < a.value_dim; ++d) {
      state.values[d] = std::fma(score[j], value[d], state.values[d]);
    }
  }
  state.m = m;
}

}  // namespace

void attention(const AttentionArgs& a) {
  for (int64_t r = 0; r < a.rows; ++r) {
    const int64_t end = int64_t{a.positions[r]} + 1;
    const int64_t begin = a.window > 0 ? std::max<int64_t>(0, end - a.window) : 0;
    for (int h = 0; h < a.group; ++h) {
      Running state;
      state.values.assign(static_cast<size_t>(a.value_dim), 0.0f);
      for (int64_t b = begin / kKvBlock; b * kKvBlock < end; ++b) {
        const int from = static_cast<int>(std::max<int64_t>(begin - b * kKvBlock, 0));
        const int to = static_cast<int>(std::min<int64_t>(end - b * kKvBlock, kKvBlock));
        add_block(a, a.q + r * a.q_stride + int64_t{h} * a.head_dim, b, from, to, state);
      }
      const float inverse = 1.0f / state.l;
      float* out = a.out + r * a.out_stride + int64_t{h} * a.value_dim;
      for (int d = 0; d < a.value_dim; ++d) out[d] = state.values[d] * inverse;
    }
  }
}

}  // namespace hearth::ref
