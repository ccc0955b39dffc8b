#include "kernels/ref/ref.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/coefficients.h"

namespace hearth {
namespace ref {
namespace {

// Pairs of bfloat16 products per lane, the even element first.
float dot_bf16(const float* w, const uint16_t* x, int64_t count) {
  Lanes acc;
  for (int64_t i = 0; i < (count + 31) / 32 * 32; ++i) {
    const float a = i < count ? from_bf16(to_bf16(w[i])) : 0.0f;
    const float b = i < count ? from_bf16(x[i]) : 0.0f;
    float& lane = acc.lane[i / 2 % 16];
    lane = std::fma(a, b, lane);
  }
  return acc.sum();
}

void matmul(const MatmulArgs& a) {
  std::vector<float> w(static_cast<size_t>(a.k));
  for (int64_t o = a.out_begin; o < a.out_end; ++o) {
    a.encoding->decode(a.weights + static_cast<size_t>(o) * a.row_bytes, w.data(), w.size());
    for (int64_t r = 0; r < a.rows; ++r) {
      const int64_t at = r * a.x_stride;
      float sum = a.compute == Compute::kF32
                      ? dot(w.data(), static_cast<const float*>(a.x) + at, a.k)
                      : dot_bf16(w.data(), static_cast<const uint16_t*>(a.x) + at, a.k);
      if (a.bias != nullptr) sum += a.bias[o];
      float& y = a.y[r * a.y_stride + o];
      y = a.accumulate ? y + sum : sum;
    }
  }
}

void decode_row(const Encoding& encoding, const std::byte* row, float* out, int64_t count) {
  encoding.decode(row, out, static_cast<size_t>(count));
}

void rms_norm(const float* x, const float* weight, float eps, float* out, int64_t count) {
  const float mean = dot(x, x, count) / static_cast<float>(count);
  const float factor = 1.0f / std::sqrt(mean + eps);
  for (int64_t i = 0; i < count; ++i) {
    const float y = x[i] * factor;
    out[i] = weight != nullptr ? y * weight[i] : y;
  }
}

void rope(float* head, const float* cos, const float* sin, int64_t pairs, bool interleaved) {
  for (int64_t i = 0; i < pairs; ++i) {
    float& first = head[interleaved ? 2 * i : i];
    float& second = head[interleaved ? 2 * i + 1 : i + pairs];
    const float a = first, b = second;
    first = std::fma(a, cos[i], -(b * sin[i]));
    second = std::fma(a, sin[i], b * cos[i]);
  }
}

void silu_mul(const float* gate, const float* up, float* out, int64_t count) {
  for (int64_t i = 0; i < count; ++i) out[i] = sigmoid_times(gate[i], gate[i]) * up[i];
}

void gelu_tanh_mul(const float* gate, const float* up, float* out, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const float x = gate[i];
    const float z = x * std::fma(kGeluCubic, x * x, kGeluLinear);
    out[i] = sigmoid_times(x, z) * up[i];
  }
}

void add(const float* a, const float* b, float* out, int64_t count) {
  for (int64_t i = 0; i < count; ++i) out[i] = a[i] + b[i];
}

void scale(const float* x, float factor, float* out, int64_t count) {
  for (int64_t i = 0; i < count; ++i) out[i] = x[i] * factor;
}

void softcap(float* x, float cap, int64_t count) {
  for (int64_t i = 0; i < count; ++i) x[i] = cap * tanh(x[i] / cap);
}

void to_bf16_row(const float* x, uint16_t* out, int64_t count) {
  for (int64_t i = 0; i < count; ++i) out[i] = to_bf16(x[i]);
}

void to_f16_row(const float* x, uint16_t* out, int64_t count) {
  for (int64_t i = 0; i < count; ++i) out[i] = to_f16(x[i]);
}

bool all_finite(const float* x, int64_t count) {
  return std::all_of(x, x + count, [](float v) { return std::isfinite(v); });
}

double log_sum_exp(const float* x, int64_t count) {
  float highest = -std::numeric_limits<float>::infinity();
  for (int64_t i = 0; i < count; ++i) {
    if (std::isnan(x[i])) return x[i];
    if (x[i] > highest) highest = x[i];
  }
  if (std::isinf(highest)) return highest;
  double total = 0.0;
  for (int64_t begin = 0; begin < count; begin += kLogSumBlock) {
    Lanes acc;
    for (int64_t i = begin; i < count && i < begin + kLogSumBlock; ++i) {
      acc.lane[i % 16] += exp(x[i] - highest);
    }
    total += acc.sum();
  }
  return highest + log_of_sum(total);
}

}  // namespace
}  // namespace ref

const Kernels kRefKernels = {
    .isa = "ref",
    .has_bf16 = false,
    .matmul = ref::matmul,
    .attention = ref::attention,
    .decode_row = ref::decode_row,
    .rms_norm = ref::rms_norm,
    .rope = ref::rope,
    .silu_mul = ref::silu_mul,
    .gelu_tanh_mul = ref::gelu_tanh_mul,
    .add = ref::add,
    .scale = ref::scale,
    .softcap = ref::softcap,
    .to_bf16 = ref::to_bf16_row,
    .to_f16 = ref::to_f16_row,
    .all_finite = ref::all_finite,
    .log_sum_exp = ref::log_sum_exp,
};

}  // namespace hearth
