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

float number(KvType type, const std::byte* numbers, int64_t index) {
  const std::byte* at = numbers + index * kv_number_bytes(type);
  if (type == KvType::kInt8) return static_cast<float>(static_cast<int8_t>(*at));
  if (type == KvType::kF32) {
    float x;
    std::memcpy(&x, at, sizeof x);
    return x;
  }
  uint16_t half;
  std::memcpy(&half, at, sizeof half);
  return type == KvType::kF16 ? from_f16(half) : from_bf16(half);
}

// One position's key or value, of which number_at(d) and scale_at(d) are the indexes.
template <class Number, class Scale>
std::vector<float> read(KvType type, const std::byte* numbers, int64_t width, int dim,
                        Number number_at, Scale scale_at) {
  std::vector<float> out;
  for (int d = 0; d < dim; ++d) {
    out.push_back(number(type, numbers, number_at(d)));
    if (type == KvType::kInt8)
      out.back() *= number(KvType::kF32, numbers + kv_numbers_bytes(type, width), scale_at(d));
  }
  return out;
}

std::vector<float> key_of(const AttentionArgs& a, int64_t position) {
  const int64_t slot = position % kKvBlock;
  return read(
      a.kv_type, a.k_blocks[position / kKvBlock] + a.k_head_offset, kv_key_width(a.head_dim),
      a.head_dim, [&](int d) { return kv_key_at(slot, d); },
      [&](int d) { return kv_key_scale_at(slot, d); });
}

std::vector<float> value_of(const AttentionArgs& a, int64_t position) {
  const int64_t slot = position % kKvBlock, width = kv_value_width(a.value_dim);
  const int64_t groups = kv_groups(a.kv_type, a.value_dim);
  return read(
      a.kv_type, a.v_blocks[position / kKvBlock] + a.v_head_offset, width, a.value_dim,
      [&](int d) { return kv_value_at(slot, d, width); },
      [&](int d) { return kv_value_scale_at(slot, d, groups); });
}

// One query head of one row.
class Item {
 public:
  Item(const AttentionArgs& args, const float* q)
      : a_(args),
        pairs_(args.compute == Compute::kBf16),
        q_(static_cast<size_t>(args.head_dim)),
        y_(static_cast<size_t>(args.value_dim), 0.0f) {
    const int64_t run = kv_mixed(a_.kv_type, a_.head_dim);
    mix(q, q_.data(), a_.head_dim, run);
    const float factor = pairs_ && a_.softcap <= 0.0f ? a_.scale * kLog2E : a_.scale;
    for (float& x : q_) x = rounded(x * (factor / static_cast<float>(run)));
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
      const auto value = value_of(a_, j);
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

  float score(int64_t position) const {
    const auto key = key_of(a_, position);
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
