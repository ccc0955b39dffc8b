// Attention in plain loops, by the definition of AttentionArgs: for one row and one query head,
// span by span, the running maximum m, the running sums l of the weights and the weighted sum of
// values are carried on; whatever was summed under an older maximum is rescaled.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/coefficients.h"
#include "kernels/ref/ref.h"

namespace hearth::ref {
namespace {

std::vector<float> load(const std::byte* block, size_t head_offset, int64_t position, int dim,
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

// One query head of one row.
class Item {
 public:
  Item(const AttentionArgs& args, const float* q)
      : a_(args),
        pairs_(args.compute == Compute::kBf16),
        q_(q, q + args.head_dim),
        y_(static_cast<size_t>(args.value_dim), 0.0f) {
    const float factor = pairs_ && a_.softcap <= 0.0f ? a_.scale * kLog2E : a_.scale;
    for (float& x : q_) x = rounded(x * factor);
  }

  // Positions [begin, end), all of one span.
  void add_span(int64_t begin, int64_t end) {
    std::vector<float> w;
    float m = m_;
    for (int64_t j = begin; j < end; ++j) {
      w.push_back(score(j));
      m = w.back() > m ? w.back() : m;
    }
    const float factor = weight(m_ - m);
    for (float& l : l_.lane) l *= factor;
    for (float& y : y_) y *= factor;
    for (int64_t j = begin; j < end; ++j) {
      const float wj = rounded(weight(w[static_cast<size_t>(j - begin)] - m));
      l_.lane[(pairs_ ? j / 2 : j) % 16] += wj;
      const auto value = cached(a_.v_blocks, a_.v_head_offset, j, a_.value_dim);
      for (int d = 0; d < a_.value_dim; ++d) y_[d] = std::fma(wj, rounded(value[d]), y_[d]);
    }
    m_ = m;
  }

  void finish(float* out) const {
    const float inverse = 1.0f / l_.sum();
    for (int d = 0; d < a_.value_dim; ++d) out[d] = y_[d] * inverse + 0.0f;
  }

 private:
  float rounded(float x) const { return pairs_ ? from_bf16(to_bf16(x)) : x; }
  // kBf16 has scores in powers of two; fast tables take a nearer way to 2^x than exp.
  float weight(float x) const { return pairs_ ? exp(x * 0.69314718f) : exp(x); }

  std::vector<float> cached(const std::byte* const* blocks, size_t head_offset, int64_t position,
                            int dim) const {
    return load(blocks[position / kKvBlock], head_offset, position % kKvBlock, dim, a_.kv_type);
  }

  float score(int64_t position) const {
    const auto key = cached(a_.k_blocks, a_.k_head_offset, position, a_.head_dim);
    float s = 0.0f;
    for (int d = 0; d < a_.head_dim; ++d) s = std::fma(q_[d], rounded(key[d]), s);
    if (a_.softcap <= 0.0f) return s;
    s = a_.softcap * tanh(s / a_.softcap);
    return pairs_ ? s * kLog2E : s;
  }

  const AttentionArgs& a_;
  bool pairs_;
  std::vector<float> q_, y_;
  float m_ = -std::numeric_limits<float>::infinity();
  Lanes l_;
};

}  // namespace

void attention(const AttentionArgs& a) {
  for (int64_t r = 0; r < a.rows; ++r) {
    const int64_t end = int64_t{a.positions[r]} + 1;
    const int64_t begin = a.window > 0 ? std::max<int64_t>(0, end - a.window) : 0;
    for (int h = 0; h < a.group; ++h) {
      Item item(a, a.q + r * a.q_stride + int64_t{h} * a.head_dim);
      for (int64_t span = begin / kKvSpan * kKvSpan; span < end; span += kKvSpan) {
        item.add_span(std::max(begin, span), std::min(end, span + kKvSpan));
      }
      item.finish(a.out + r * a.out_stride + int64_t{h} * a.value_dim);
    }
  }
}

}  // namespace hearth::ref
