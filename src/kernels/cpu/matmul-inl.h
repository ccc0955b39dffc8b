// The matrix product, three ways with one order of sums:
//   gemv    one to four rows of x: weights go from memory through registers into the products,
//           some rows of weights side by side so that the additions do not wait for each other
//   narrow  some rows of x: a tile of weight rows is decoded piece by piece into L1
//   wide    many rows of x: a strip of weight rows is decoded once into scratch, then tiles of
//           kTileRows weights x kTileColumns rows of x run over it, a piece of k at a time
// A tile keeps one accumulator of sixteen lanes per output in registers; between pieces of k they
// rest in memory, so that each lane is the same chain of operations whichever way is taken.
#pragma once

#include <cstdint>

#include "kernels/api.h"
#include "kernels/cpu/dot-inl.h"
#include "kernels/cpu/vec.h"

namespace hearth::HEARTH_ISA {

// Accumulators of one tile: column c, weight row r at 16 * (c * kTileRows + r).
inline constexpr int kTileFloats = 16 * kTileRows * kTileColumns;

// `n` values of k for kTileRows weight rows and kColumns rows of x. w is padded with zeros to a
// multiple of 32. `resume`: go on from the accumulators in acc.
template <class Dot, int kColumns>
void tile(const typename Dot::T* w, int64_t w_stride, const typename Dot::T* x, int64_t x_stride,
          int64_t n, bool resume, float* partial) {
  constexpr int kSums = kColumns * kTileRows;
  F32x16 acc[kSums];
#pragma GCC unroll 32
  for (int i = 0; i < kSums; ++i) acc[i] = zero();
  if (resume) {
#pragma GCC unroll 32
    for (int i = 0; i < kSums; ++i) acc[i] = load(partial + 16 * i);
  }
  const auto step = [&](int64_t k, auto load_x) {
    typename Dot::Vec rows[kTileRows];
#pragma GCC unroll 8
    for (int r = 0; r < kTileRows; ++r) rows[r] = Dot::load(w + r * w_stride + k);
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; ++c) {
      const typename Dot::Vec column = load_x(x + c * x_stride + k);
#pragma GCC unroll 8
      for (int r = 0; r < kTileRows; ++r) {
        acc[c * kTileRows + r] = Dot::step(rows[r], column, acc[c * kTileRows + r]);
      }
    }
  };
  int64_t k = 0;
  for (; k + Dot::kStep <= n; k += Dot::kStep) {
    step(k, [](const typename Dot::T* p) { return Dot::load(p); });
  }
  if (const int rest = static_cast<int>(n - k); rest > 0) {
    step(k, [rest](const typename Dot::T* p) { return Dot::load_n(p, rest); });
  }
#pragma GCC unroll 32
  for (int i = 0; i < kSums; ++i) store(partial + 16 * i, acc[i]);
}

template <class Dot>
void tile_of(int columns, const typename Dot::T* w, int64_t w_stride, const typename Dot::T* x,
             int64_t x_stride, int64_t n, bool resume, float* partial) {
  static_assert(kTileColumns <= 6);
  switch (columns) {
    case 1: return tile<Dot, 1>(w, w_stride, x, x_stride, n, resume, partial);
    case 2: return tile<Dot, 2>(w, w_stride, x, x_stride, n, resume, partial);
    case 3:
      if constexpr (kTileColumns >= 3) {
        return tile<Dot, 3>(w, w_stride, x, x_stride, n, resume, partial);
      }
      break;
    case 4:
      if constexpr (kTileColumns >= 4) {
        return tile<Dot, 4>(w, w_stride, x, x_stride, n, resume, partial);
      }
      break;
    case 5:
      if constexpr (kTileColumns >= 5) {
        return tile<Dot, 5>(w, w_stride, x, x_stride, n, resume, partial);
      }
      break;
    case 6:
      if constexpr (kTileColumns >= 6) {
        return tile<Dot, 6>(w, w_stride, x, x_stride, n, resume, partial);
      }
      break;
  }
}

// The trees of `count` accumulators.
inline void tree_sums(const float* partial, int count, float* out) {
  F32x16 v[16];
  while (count > 0) {
    const int n = count >= 16 ? 16 : count >= 8 ? 8 : count >= 4 ? 4 : 1;
    for (int i = 0; i < n; ++i) v[i] = load(partial + 16 * i);
    if (n == 16) tree_sum16(v, out);
    else if (n == 8) tree_sum8(v, out);
    else if (n == 4) tree_sum4(v, out);
    else out[0] = tree_sum(v[0]);
    partial += 16 * n;
    out += n;
    count -= n;
  }
}

inline void put_sum(const MatmulArgs& a, int64_t row, int64_t out, float sum) {
  if (a.bias != nullptr) sum += a.bias[out];
  float& y = a.y[row * a.y_stride + out];
  y = a.accumulate ? y + sum : sum;
}

// Outputs [out, out + rows) x rows [row, row + columns) of a finished tile.
inline void finish_tile(const MatmulArgs& a, int64_t row, int columns, int64_t out, int rows,
                        const float* partial) {
  float sums[kTileRows * kTileColumns];
  tree_sums(partial, columns * kTileRows, sums);
  for (int c = 0; c < columns; ++c) {
    for (int r = 0; r < rows; ++r) put_sum(a, row + c, out + r, sums[c * kTileRows + r]);
  }
}

template <class T>
T smaller(T a, T b) {
  return a < b ? a : b;
}

// Address of value k of a weight row; rows past the range repeat the last one.
inline const std::byte* weight_at(const MatmulArgs& a, int64_t out, int64_t k) {
  const int64_t row = smaller(out, a.out_end - 1);
  return a.weights + static_cast<uint64_t>(row) * a.row_bytes +
         static_cast<uint64_t>(k) / a.encoding->block_elems * a.encoding->block_bytes;
}

template <class Dot>
void matmul_gemv(const MatmulArgs& a, const FormatOps<Dot>& ops) {
  const int columns = static_cast<int>(a.rows);
  GemvArgs<Dot> g;
  g.x = static_cast<const typename Dot::T*>(a.x);
  g.x_stride = a.x_stride;
  g.k = a.k;
  for (int64_t o = a.out_begin; o < a.out_end; o += kGemvRows) {
    for (int r = 0; r < kGemvRows; ++r) {
      g.w[r] = reinterpret_cast<const uint8_t*>(weight_at(a, o + r, 0));
    }
    g.ahead = g.w[0] + kGemvRows * a.row_bytes;
    F32x16 acc[kGemvRows * kGemvColumns];
    ops.gemv[columns - 1](g, acc);
    const int rows = static_cast<int>(smaller<int64_t>(kGemvRows, a.out_end - o));
    float sums[kGemvRows * kGemvColumns];
    for (int i = 0; i < kGemvRows * columns; i += 4) tree_sum4(acc + i, sums + i);
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < columns; ++c) put_sum(a, c, o + r, sums[r * columns + c]);
    }
  }
}

// A piece of k: a multiple of every block (256), and short enough for L1 beside the rows of x.
template <class Dot>
inline constexpr int64_t kPiece = 4096 / sizeof(typename Dot::T);

template <class Dot>
void narrow_group(const MatmulArgs& a, const FormatOps<Dot>& ops, int64_t first, int64_t end) {
  using T = typename Dot::T;
  T* w = reinterpret_cast<T*>(a.scratch);
  float* partial = reinterpret_cast<float*>(w + kTileRows * kPiece<Dot>);
  const auto columns_at = [&](int64_t row) {
    return static_cast<int>(smaller<int64_t>(kTileColumns, end - row));
  };
  for (int64_t o = a.out_begin; o < a.out_end; o += kTileRows) {
    for (int64_t k = 0; k < a.k; k += kPiece<Dot>) {
      const int64_t n = smaller(kPiece<Dot>, a.k - k);
      for (int r = 0; r < kTileRows; ++r) {
        ops.decode(*a.encoding, weight_at(a, o + r, k), w + r * kPiece<Dot>, n);
      }
      float* acc = partial;
      for (int64_t row = first; row < end; row += kTileColumns, acc += kTileFloats) {
        tile_of<Dot>(columns_at(row), w, kPiece<Dot>,
                     static_cast<const T*>(a.x) + row * a.x_stride + k, a.x_stride, n, k > 0, acc);
      }
    }
    const int rows = static_cast<int>(smaller<int64_t>(kTileRows, a.out_end - o));
    float* acc = partial;
    for (int64_t row = first; row < end; row += kTileColumns, acc += kTileFloats) {
      finish_tile(a, row, columns_at(row), o, rows, acc);
    }
  }
}

// Any number of rows, in groups whose accumulators fit into scratch.
template <class Dot>
void matmul_narrow(const MatmulArgs& a, const FormatOps<Dot>& ops) {
  constexpr int64_t kGroup = 64 * kTileColumns;
  for (int64_t row = 0; row < a.rows; row += kGroup) {
    narrow_group<Dot>(a, ops, row, smaller(row + kGroup, a.rows));
  }
}

// Decoded weights of a strip. A piece of k of it lies in L2 while a block of columns passes; the
// more rows it has, the less often x comes from further away.
inline constexpr int64_t kStripBytes = 2 << 20;
inline constexpr int64_t kMaxStripRows = 64;
inline constexpr int64_t kBlockTiles = 8;  // column tiles whose accumulators rest in L2

// Columns [row, row + columns) times one decoded strip of `rows` weight rows.
template <class Dot>
void strip_block(const MatmulArgs& a, const typename Dot::T* w, int64_t w_stride, int64_t out,
                 int64_t rows, int64_t row, int64_t columns, float* partial) {
  const auto* x = static_cast<const typename Dot::T*>(a.x);
  const int64_t row_tiles = (rows + kTileRows - 1) / kTileRows;
  for (int64_t k = 0; k < a.k; k += kPiece<Dot>) {
    const int64_t n = smaller(kPiece<Dot>, a.k - k);
    const bool last = k + n == a.k;
    for (int64_t c = 0; c < columns; c += kTileColumns) {
      const int count = static_cast<int>(smaller<int64_t>(kTileColumns, columns - c));
      for (int64_t t = 0; t < row_tiles; ++t) {
        float* acc = partial + (c / kTileColumns * row_tiles + t) * kTileFloats;
        tile_of<Dot>(count, w + t * kTileRows * w_stride + k, w_stride,
                     x + (row + c) * a.x_stride + k, a.x_stride, n, k > 0, acc);
        if (!last) continue;
        const int valid = static_cast<int>(smaller<int64_t>(kTileRows, rows - t * kTileRows));
        finish_tile(a, row + c, count, out + t * kTileRows, valid, acc);
      }
    }
  }
}

template <class Dot>
void matmul_wide(const MatmulArgs& a, const FormatOps<Dot>& ops) {
  using T = typename Dot::T;
  const int64_t stride = (a.k + 31) / 32 * 32 + 32;  // off a power of two, for the cache's sets
  const int64_t row_bytes = stride * static_cast<int64_t>(sizeof(T));
  int64_t strip = smaller(kStripBytes / row_bytes, kMaxStripRows) / kTileRows * kTileRows;
  if (strip < kTileRows) return matmul_narrow<Dot>(a, ops);
  T* w = reinterpret_cast<T*>(a.scratch);
  float* partial = reinterpret_cast<float*>(a.scratch + kStripBytes);
  for (int64_t o = a.out_begin; o < a.out_end; o += strip) {
    const int64_t rows = smaller(strip, a.out_end - o);
    const int64_t decoded = (rows + kTileRows - 1) / kTileRows * kTileRows;
    for (int64_t r = 0; r < decoded; ++r) {
      ops.decode(*a.encoding, weight_at(a, o + r, 0), w + r * stride, a.k);
    }
    for (int64_t row = 0; row < a.rows; row += kBlockTiles * kTileColumns) {
      strip_block<Dot>(a, w, stride, o, rows, row,
                       smaller<int64_t>(kBlockTiles * kTileColumns, a.rows - row), partial);
    }
  }
}

template <class Dot>
void matmul_dot(const MatmulArgs& a) {
  if (a.out_begin >= a.out_end || a.rows <= 0) return;
  const FormatOps<Dot>& ops = format_ops<Dot>(*a.encoding);
  if (a.rows <= kGemvColumns && ops.gemv[0] != nullptr) return matmul_gemv<Dot>(a, ops);
  if (a.rows <= 2 * kTileColumns) return matmul_narrow<Dot>(a, ops);
  matmul_wide<Dot>(a, ops);
}

inline void decode_row(const Encoding& encoding, const std::byte* row, float* out,
                       int64_t count) {
  if (count % 32 == 0) {
    format_ops<DotF32>(encoding).decode(encoding, row, out, count);
  } else {  // the fast decodes pad their output
    encoding.decode(row, out, static_cast<uint64_t>(count));
  }
}

}  // namespace hearth::HEARTH_ISA
