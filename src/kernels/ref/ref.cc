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

// The value that an activation stands for, exact in double.
double value_of(Compute compute, const std::byte* row, int64_t stride, int64_t i) {
  const auto& block = reinterpret_cast<const ActivationBlock*>(row)[i / 32];
  double value = static_cast<double>(block.scale) * block.digits[i % 32];
  if (compute == Compute::kInt8x2) {
    const size_t firsts = activation_row(compute, stride).firsts;
    const auto& first = reinterpret_cast<const FirstDigits*>(row + firsts)[i / 32];
    value += static_cast<double>(first.scale) * first.digits[i % 32];
  }
  return value;
}

// In double throughout: near to the order of sums that the tables share, which see.
float dot_integers(const MatmulArgs& a, const float* w, int64_t row) {
  const auto* x = static_cast<const std::byte*>(a.x) +
                  row * static_cast<int64_t>(activation_bytes(a.compute, a.x_stride));
  double sum = 0;
  for (int64_t i = 0; i < a.k; ++i) sum += w[i] * value_of(a.compute, x, a.x_stride, i);
  return static_cast<float>(sum);
}

float dot_row(const MatmulArgs& a, const float* w, int64_t row) {
  const int64_t at = row * a.x_stride;
  switch (a.compute) {
    case Compute::kF32: return dot(w, static_cast<const float*>(a.x) + at, a.k);
    case Compute::kBf16: return dot_bf16(w, static_cast<const uint16_t*>(a.x) + at, a.k);
    default: return dot_integers(a, w, row);
  }
}

void matmul(const MatmulArgs& a) {
  std::vector<float> w(static_cast<size_t>(a.k));
  for (int64_t o = a.out_begin; o < a.out_end; ++o) {
    a.encoding->decode(a.weights + static_cast<size_t>(o) * a.row_bytes, w.data(), w.size());
    for (int64_t r = 0; r < a.rows; ++r) {
      float sum = dot_row(a, w.data(), r);
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

bool has_integers(const Encoding& encoding) { return encoding.block_elems % 32 == 0; }

// Not a number where one of the values is not finite.
float largest_of(const float* x) {
  float largest = 0.0f;
  bool nan = false, infinite = false;
  for (int i = 0; i < 32; ++i) {
    nan = nan || std::isnan(x[i]);
    infinite = infinite || std::isinf(x[i]);
    largest = std::max(largest, std::fabs(x[i]));
  }
  if (nan) return std::numeric_limits<float>::quiet_NaN();
  return infinite ? std::numeric_limits<float>::infinity() : largest;
}

void pack_block(const float* x, ActivationBlock& out, FirstDigits* first) {
  const float most = first == nullptr ? 127.0f : 8191.0f;
  const float largest = largest_of(x);
  out = {};
  if (!std::isfinite(largest)) {
    out.scale = std::numeric_limits<float>::quiet_NaN();
    for (float& sum : out.sums) sum = out.scale;
    return;
  }
  if (largest < 0x1p-100f) return;
  out.scale = largest / most;
  int sums[3] = {};
  for (int i = 0; i < 32; ++i) {
    const int q = static_cast<int>(std::nearbyint(x[i] * (most / largest)));
    const int high = first == nullptr ? 0 : (q + 64) >> 7;
    out.digits[i] = static_cast<int8_t>(q - 128 * high);
    for (const int part : {0, 1 + i / 16}) {
      sums[part] += q;
      out.minus[part] -= out.digits[i];
      if (first != nullptr) first->minus[part] -= high;
    }
    if (first != nullptr) first->digits[i] = static_cast<int8_t>(high);
  }
  for (int i = 0; i < 3; ++i) out.sums[i] = out.scale * static_cast<float>(sums[i]);
  if (first != nullptr) first->scale = 128.0f * out.scale;
}

void pack_integers(const float* x, Compute compute, std::byte* out, int64_t count) {
  const ActivationRow row = activation_row(compute, count);
  auto* blocks = reinterpret_cast<ActivationBlock*>(out);
  auto* firsts = reinterpret_cast<FirstDigits*>(out + row.firsts);
  auto* masks = reinterpret_cast<uint32_t*>(out + row.masks);
  float roots = 0.0f;
  for (int64_t i = 0; i < count; i += 32) roots += std::sqrt(largest_of(x + i));
  const float mean = roots / static_cast<float>(count / 32);
  for (int64_t b = 0; b < count / 32; ++b) {
    const float largest = largest_of(x + 32 * b);
    const bool two = compute == Compute::kInt8x2 && largest >= 0x1p-100f &&
                     std::isfinite(largest) && largest > kStandsOut * (mean * mean);
    if (compute == Compute::kInt8x2) {
      firsts[b] = {};
      uint32_t& mask = masks[b * 32 / kIntegerPiece];
      const auto bit = static_cast<uint32_t>(b % (kIntegerPiece / 32));
      mask = (bit == 0 ? 0u : mask) | uint32_t{two} << bit;
    }
    pack_block(x + 32 * b, blocks[b], two ? &firsts[b] : nullptr);
  }
}

void pack(const float* x, Compute compute, void* out, int64_t count) {
  switch (compute) {
    case Compute::kF32: std::copy(x, x + count, static_cast<float*>(out)); break;
    case Compute::kBf16:
      for (int64_t i = 0; i < count; ++i) static_cast<uint16_t*>(out)[i] = to_bf16(x[i]);
      break;
    default: pack_integers(x, compute, static_cast<std::byte*>(out), count); break;
  }
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

void mix(const float* x, float* out, int64_t count, int64_t run) {
  std::copy(x, x + count, out);
  std::vector<float> y(static_cast<size_t>(run));
  for (int64_t begin = 0; begin < count; begin += run) {
    float* part = out + begin;
    for (int64_t done = 1; done < run; done *= 2) {
      for (int64_t i = 0; i < run / 2; ++i) {
        y[i] = part[2 * i] + part[2 * i + 1];
        y[run / 2 + i] = part[2 * i] - part[2 * i + 1];
      }
      std::copy(y.begin(), y.end(), part);
    }
  }
}

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
    .mix = ref::mix,
    .add = ref::add,
    .scale = ref::scale,
    .softcap = ref::softcap,
    .has_integers = ref::has_integers,
    .pack = ref::pack,
    .to_bf16 = ref::to_bf16_row,
    .to_f16 = ref::to_f16_row,
    .all_finite = ref::all_finite,
    .log_sum_exp = ref::log_sum_exp,
};

}  // namespace hearth
