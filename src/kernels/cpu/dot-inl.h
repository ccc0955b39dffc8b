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
  template <class Chunk>
  static F32x16 chunk(const Chunk& w, const T* x, F32x16 acc) {
    acc = fma(w.low(), HEARTH_ISA::load(x), acc);
    return fma(w.high(), HEARTH_ISA::load(x + 16), acc);
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
  template <class Chunk>
  static F32x16 chunk(const Chunk& w, const T* x, F32x16 acc) {
    return dot_bf16(w.bf16(), load_bf16(x), acc);
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

// kGemvRows whole rows at w[] times one vector: the accumulators of each to acc[].
inline constexpr int kGemvRows = 4;

template <class Format, class Dot>
void gemv(const uint8_t* const* w, const typename Dot::T* x, int64_t k, size_t ahead,
          F32x16* out) {
  F32x16 acc[kGemvRows];
  for (int r = 0; r < kGemvRows; ++r) acc[r] = zero();
  int64_t i = 0;
  size_t at = 0;
  for (; i + Format::kElems <= k; i += Format::kElems, at += Format::kBytes) {
#pragma GCC unroll 4
    for (int r = 0; r < kGemvRows; ++r) {
      const uint8_t* p = w[r] + at;
      for (size_t line = 0; line < Format::kBytes; line += 64) prefetch(p + ahead + line);
      Format::block(p, [&](int g, const auto& chunk) {
        acc[r] = Dot::chunk(chunk, x + i + 32 * g, acc[r]);
      });
    }
  }
  if constexpr (Format::kValueBytes > 0) {  // the end of a row, padded
    typename Dot::T x_last[32] = {};
    memcpy(x_last, x + i, static_cast<uint64_t>(k - i) * sizeof(x_last[0]));
    for (int r = 0; r < kGemvRows && i < k; ++r) {
      alignas(64) uint8_t last[Format::kBytes] = {};
      memcpy(last, w[r] + at, static_cast<uint64_t>((k - i) * Format::kValueBytes));
      Format::block(last, [&](int, const auto& chunk) {
        acc[r] = Dot::chunk(chunk, x_last, acc[r]);
      });
    }
  }
  for (int r = 0; r < kGemvRows; ++r) out[r] = acc[r];
}

template <class Dot>
struct FormatOps {
  void (*decode)(const Encoding&, const std::byte* piece, typename Dot::T* out, int64_t n);
  // nullptr: there is none, decode and multiply.
  void (*gemv)(const uint8_t* const* w, const typename Dot::T* x, int64_t k, size_t ahead,
               F32x16* out);
};

template <class Format, class Dot>
inline constexpr FormatOps<Dot> kOps = {decode_piece<Format, Dot>, gemv<Format, Dot>};
template <class Dot>
inline constexpr FormatOps<Dot> kAnyOps = {decode_piece_any<Dot>, nullptr};

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
    case kIdQ4_K: return kOps<Q4_K, Dot>;
    case kIdQ5_K: return kOps<Q5_K, Dot>;
    case kIdQ6_K: return kOps<Q6_K, Dot>;
    default: return kAnyOps<Dot>;
  }
}

}  // namespace hearth::HEARTH_ISA
