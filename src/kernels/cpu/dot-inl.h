// The two arithmetics of the matrix product (float and bfloat16), and what a weight format can do
// in each: decode a piece of a row, or multiply a few whole rows with one vector.
#pragma once

#include <cstdint>
#include <cstring>

#include "encoding/encoding.h"
#include "kernels/cpu/decode-inl.h"
#include "kernels/cpu/vec.h"

namespace hearth::HEARTH_ISA {

// A step takes kStep values of both operands.
struct DotF32 {
  using T = float;
  using Vec = F32x16;
  static constexpr int kStep = 16;
  static Vec load(const T* p) { return HEARTH_ISA::load(p); }
  static Vec load_n(const T* p, int n) { return HEARTH_ISA::load_n(p, n); }
  static F32x16 step(Vec w, Vec x, F32x16 acc) { return fma(w, x, acc); }
  template <int kColumns, class Chunk>
  static void chunk(const Chunk& w, const T* x, int64_t x_stride, F32x16* acc) {
    const F32x16 low = w.low(), high = w.high();
#pragma GCC unroll 4
    for (int c = 0; c < kColumns; ++c) {
      acc[c] = fma(low, HEARTH_ISA::load(x + c * x_stride), acc[c]);
      acc[c] = fma(high, HEARTH_ISA::load(x + c * x_stride + 16), acc[c]);
    }
  }
  template <class Chunk>
  static void put(const Chunk& w, T* out) {
    store(out, w.low());
    store(out + 16, w.high());
  }
  static void copy(const float* decoded, T* out, int64_t n) {
    memcpy(out, decoded, sizeof(float) * static_cast<uint64_t>(n));
  }
};

struct DotBf16 {
  using T = uint16_t;
  using Vec = Bf16x32;
  static constexpr int kStep = 32;
  static Vec load(const T* p) { return load_bf16(p); }
  static Vec load_n(const T* p, int n) { return load_bf16_n(p, n); }
  static F32x16 step(Vec w, Vec x, F32x16 acc) { return dot_bf16(w, x, acc); }
  template <int kColumns, class Chunk>
  static void chunk(const Chunk& w, const T* x, int64_t x_stride, F32x16* acc) {
    const Bf16x32 both = w.bf16();
#pragma GCC unroll 4
    for (int c = 0; c < kColumns; ++c) {
      acc[c] = dot_bf16(both, load_bf16(x + c * x_stride), acc[c]);
    }
  }
  template <class Chunk>
  static void put(const Chunk& w, T* out) {
    store_bf16(out, w.bf16());
  }
  static void copy(const float* decoded, T* out, int64_t n) {
    for (int64_t i = 0; i < n; i += 32) {
      store_bf16(out + i, round_bf16(HEARTH_ISA::load(decoded + i),
                                     HEARTH_ISA::load(decoded + i + 16)));
    }
  }
};

// `n` values from p, a multiple of the format's block except for plain formats, to out, padded
// with zeros to a multiple of 32.
template <class Format, class Dot>
void decode_piece(const Encoding&, const std::byte* bytes, typename Dot::T* out, int64_t n) {
  const auto* p = reinterpret_cast<const uint8_t*>(bytes);
  int64_t i = 0;
  for (; i + Format::kElems <= n; i += Format::kElems, p += Format::kBytes) {
    Format::block(p, [&](int g, const auto& chunk) { Dot::put(chunk, out + i + 32 * g); });
  }
  if constexpr (Format::kValueBytes > 0) {
    if (i == n) return;
    alignas(64) uint8_t last[Format::kBytes] = {};
    memcpy(last, p, static_cast<uint64_t>((n - i) * Format::kValueBytes));
    Format::block(last, [&](int g, const auto& chunk) { Dot::put(chunk, out + i + 32 * g); });
  }
}

// The same through the readable decode, for every other format.
template <class Dot>
void decode_piece_any(const Encoding& encoding, const std::byte* bytes, typename Dot::T* out,
                      int64_t n) {
  constexpr int64_t kPiece = 1024;  // a multiple of every block
  float decoded[kPiece];
  for (int64_t i = 0; i < n; i += kPiece) {
    const int64_t count = n - i < kPiece ? n - i : kPiece;
    const int64_t padded = (count + 31) / 32 * 32;
    encoding.decode(bytes + i / encoding.block_elems * encoding.block_bytes, decoded,
                    static_cast<uint64_t>(count));
    for (int64_t j = count; j < padded; ++j) decoded[j] = 0.0f;
    Dot::copy(decoded, out + i, padded);
  }
}

// kGemvRows whole rows of weights at w[] times kColumns rows of x; the accumulators of weight
// row r and column c go to out[r * kColumns + c]. From `ahead` on, as many bytes are fetched, in
// the order of memory.
inline constexpr int kGemvColumns = 4;

template <class Dot>
struct GemvArgs {
  const uint8_t* w[kGemvRows];
  const typename Dot::T* x;
  int64_t x_stride, k;
  const uint8_t* ahead;
};

template <class Format, class Dot, int kColumns>
void gemv_end(const GemvArgs<Dot>& a, int64_t i, size_t at, F32x16* acc) {
  const int64_t rest = a.k - i;
  typename Dot::T x[32 * kColumns] = {};
  for (int c = 0; c < kColumns; ++c) {
    memcpy(x + 32 * c, a.x + c * a.x_stride + i, static_cast<uint64_t>(rest) * sizeof(x[0]));
  }
  for (int r = 0; r < kGemvRows; ++r) {
    alignas(64) uint8_t last[Format::kBytes] = {};
    memcpy(last, a.w[r] + at, static_cast<uint64_t>(rest * Format::kValueBytes));
    Format::block(last, [&](int, const auto& chunk) {
      Dot::template chunk<kColumns>(chunk, x, 32, acc + r * kColumns);
    });
  }
}

template <class Format, class Dot, int kColumns>
void gemv(const GemvArgs<Dot>& a, F32x16* out) {
  F32x16 acc[kGemvRows * kColumns];
#pragma GCC unroll 16
  for (int i = 0; i < kGemvRows * kColumns; ++i) acc[i] = zero();
  int64_t i = 0;
  size_t at = 0;
  const uint8_t* ahead = a.ahead;
  for (; i + Format::kElems <= a.k; i += Format::kElems, at += Format::kBytes) {
#pragma GCC unroll 4
    for (int r = 0; r < kGemvRows; ++r) {
      const uint8_t* p = a.w[r] + at;
      for (size_t line = 0; line < Format::kBytes; line += 64) prefetch(ahead + line);
      ahead += Format::kBytes;
      Format::block(p, [&](int g, const auto& chunk) {
        Dot::template chunk<kColumns>(chunk, a.x + i + 32 * g, a.x_stride, acc + r * kColumns);
      });
    }
  }
  if constexpr (Format::kValueBytes > 0) {
    if (i < a.k) gemv_end<Format, Dot, kColumns>(a, i, at, acc);
  }
#pragma GCC unroll 16
  for (int j = 0; j < kGemvRows * kColumns; ++j) out[j] = acc[j];
}

template <class Dot>
struct FormatOps {
  void (*decode)(const Encoding&, const std::byte* piece, typename Dot::T* out, int64_t n);
  // By the number of columns less one; nullptr: there is none, decode and multiply.
  void (*gemv[kGemvColumns])(const GemvArgs<Dot>&, F32x16* out);
};

template <class Format, class Dot>
inline constexpr FormatOps<Dot> kOps = {
    decode_piece<Format, Dot>,
    {gemv<Format, Dot, 1>, gemv<Format, Dot, 2>, gemv<Format, Dot, 3>, gemv<Format, Dot, 4>}};
template <class Dot>
inline constexpr FormatOps<Dot> kAnyOps = {decode_piece_any<Dot>, {}};

template <class Dot>
const FormatOps<Dot>& format_ops(const Encoding& encoding) {
  switch (encoding.gguf_id) {
    case kIdF32: return kOps<F32, Dot>;
    case kIdF16: return kOps<F16, Dot>;
    case kIdBf16: return kOps<Bf16, Dot>;
    case kIdQ8_0: return kOps<Q8_0, Dot>;
    case kIdQ4_0: return kOps<Q4_0, Dot>;
    case kIdQ4_1: return kOps<Q4_1, Dot>;
    case kIdQ5_0: return kOps<Q5_0, Dot>;
    case kIdQ5_1: return kOps<Q5_1, Dot>;
    case kIdQ2_K: return kOps<Q2_K, Dot>;
    case kIdQ3_K: return kOps<Q3_K, Dot>;
    case kIdQ4_K: return kOps<Q4_K, Dot>;
    case kIdQ5_K: return kOps<Q5_K, Dot>;
    case kIdQ6_K: return kOps<Q6_K, Dot>;
    case kIdIq4Nl: return kOps<IQ4_NL, Dot>;
    case kIdIq4Xs: return kOps<IQ4_XS, Dot>;
    case kIdMxfp4: return kOps<MXFP4, Dot>;
    default: return kAnyOps<Dot>;
  }
}

}  // namespace hearth::HEARTH_ISA
