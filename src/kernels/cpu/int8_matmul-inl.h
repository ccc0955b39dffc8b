// The integer matrix product, by the definition in api.h. Weights are turned into panels (16
// outputs in the lanes, see panels-inl.h) a piece of k at a time; the piece stays in L1 while all
// rows of x pass, so the same code serves one row and a long prompt. Sums of a group are exact
// integers and groups follow one another in order: no choice of tile can change a bit.
#pragma once

#include <cstdint>

#include "kernels/api.h"
#include "kernels/cpu/matmul-inl.h"
#include "kernels/cpu/panels-inl.h"

namespace hearth::HEARTH_ISA {

inline constexpr int kStripRows = 16 * kPanels;  // weight rows that are multiplied together
inline constexpr int64_t kPanelPiece = 512;      // values of k: whole blocks of every format

// A piece of a strip: lines [value / 4][panel], scales and biases [group][panel][row].
struct PanelPiece {
  alignas(64) uint8_t lines[kPanelPiece * kStripRows];
  alignas(64) float scales[kPanelPiece / 16 * kStripRows];
  alignas(64) float biases[kPanelPiece / 16 * kStripRows];
};

// Four digits of x in all lanes.
inline I32x16 four_digits(const int8_t* p) {
  int32_t four;
  memcpy(&four, p, sizeof four);
  return int_splat(four);
}

// What a tile multiplies: C rows of x with one piece.
struct TileArgs {
  const PanelPiece* piece;
  const std::byte* x;  // block 0 of the first row
  int64_t x_stride;    // bytes from row to row
  int64_t blocks;      // of 32 values
  int offset_bits;
  bool more;           // add to acc, else begin
  float* acc;          // [C][kStripRows]
};

// The exact sums of one group: kLines lines from `line` on, times digits from `first` on.
template <int kDigits, int C, int kLines, bool kWide>
[[gnu::always_inline]] inline void group_sums(const uint8_t* lines, const std::byte* const* x,
                                              int first, int which, int offset_bits,
                                              I32x16* acc) {
  using Block = ActivationBlock<kDigits>;
  const auto block = [&](int c) { return reinterpret_cast<const Block*>(x[c]); };
  const auto add_digit = [&](int digit) __attribute__((always_inline)) {
#pragma GCC unroll 8
    for (int i = 0; i < kLines; ++i) {
      U8x64 w[kPanels];
#pragma GCC unroll 2
      for (int v = 0; v < kPanels; ++v) w[v] = load_line(lines + (i * kPanels + v) * 64);
#pragma GCC unroll 6
      for (int c = 0; c < C; ++c) {
        const I32x16 four = four_digits(block(c)->digits[digit] + first + 4 * i);
#pragma GCC unroll 2
        for (int v = 0; v < kPanels; ++v) {
          I32x16& sum = acc[c * kPanels + v];
          sum = kWide ? dot_bytes_wide(sum, w[v], four) : dot_bytes(sum, w[v], four);
        }
      }
    }
  };
  const auto offset = [&](int c) {
    return int_shl(int_splat(block(c)->minus[which]), offset_bits);
  };
#pragma GCC unroll 6
  for (int c = 0; c < C; ++c) {
    const I32x16 start = kDigits == 1 && offset_bits != 0 ? offset(c) : int_zero();
#pragma GCC unroll 2
    for (int v = 0; v < kPanels; ++v) acc[c * kPanels + v] = start;
  }
  add_digit(0);
  if constexpr (kDigits == 2) {
#pragma GCC unroll 6
    for (int c = 0; c < C; ++c) {
      const I32x16 start = offset_bits != 0 ? offset(c) : int_zero();
#pragma GCC unroll 2
      for (int v = 0; v < kPanels; ++v) {
        I32x16& sum = acc[c * kPanels + v];
        sum = int_add(int_shl<7>(sum), start);
      }
    }
    add_digit(1);
  }
}

// acc[c][row] += the piece times row c of x.
template <int kGroup, bool kBias, bool kWide, int kDigits, int C>
void int8_tile(const TileArgs& a) {
  using Block = ActivationBlock<kDigits>;
  constexpr int kLines = kGroup / 4, kGroups = 32 / kGroup;
  F32x16 acc[C * kPanels];
#pragma GCC unroll 12
  for (int i = 0; i < C * kPanels; ++i) acc[i] = a.more ? load(a.acc + 16 * i) : zero();
  const std::byte* x[C];
#pragma GCC unroll 6
  for (int c = 0; c < C; ++c) x[c] = a.x + c * a.x_stride;
  const uint8_t* lines = a.piece->lines;
  const float *scales = a.piece->scales, *biases = a.piece->biases;
  for (int64_t b = 0; b < a.blocks; ++b) {
#pragma GCC unroll 2
    for (int g = 0; g < kGroups; ++g) {
      const int which = kGroups == 1 ? 0 : 1 + g;
      I32x16 sums[C * kPanels];
      group_sums<kDigits, C, kLines, kWide>(lines, x, kGroup * g, which, a.offset_bits, sums);
#pragma GCC unroll 6
      for (int c = 0; c < C; ++c) {
        const Block* block = reinterpret_cast<const Block*>(x[c]);
        const F32x16 dx = splat(block->scale);
#pragma GCC unroll 2
        for (int v = 0; v < kPanels; ++v) {
          F32x16& to = acc[c * kPanels + v];
          to = fma(mul(load(scales + 16 * v), dx), to_float(sums[c * kPanels + v]), to);
          if constexpr (kBias) to = fma(load(biases + 16 * v), splat(block->sums[which]), to);
        }
      }
      lines += kLines * kPanels * 64;
      scales += kStripRows;
      biases += kStripRows;
    }
#pragma GCC unroll 6
    for (int c = 0; c < C; ++c) {
      if constexpr (C == kMaxTileColumns) prefetch(x[c] + C * a.x_stride);  // of the next tile
      x[c] += sizeof(Block);
    }
  }
#pragma GCC unroll 12
  for (int i = 0; i < C * kPanels; ++i) store(a.acc + 16 * i, acc[i]);
}

using Int8Tile = void (*)(const TileArgs&);

// By number of digits - 1 and width of the tile: entry i has kTileWidths[i] columns.
inline constexpr int kTileWidths[] = {1, 2, 4, 6};
template <int...>
struct Sequence {};
#if HEARTH_ISA_LEVEL >= 2
using TileKinds = Sequence<0, 1, 2, 3>;
inline constexpr int kTileKinds = 4;
#elif HEARTH_ISA_LEVEL == 1
using TileKinds = Sequence<0, 1, 2>;
inline constexpr int kTileKinds = 3;
#else
using TileKinds = Sequence<0, 1>;
inline constexpr int kTileKinds = 2;
#endif
static_assert(kTileWidths[kTileKinds - 1] == kMaxTileColumns);

struct Int8Tiles {
  Int8Tile of[2][kTileKinds];
};
template <int kGroup, bool kBias, bool kWide, int... kKind>
constexpr Int8Tiles int8_tiles(Sequence<kKind...>) {
  return {{{int8_tile<kGroup, kBias, kWide, 1, kTileWidths[kKind]>...},
           // Two digits are small enough for any byte.
           {int8_tile<kGroup, kBias, false, 2, kTileWidths[kKind]>...}}};
}

struct PanelOps {
  uint32_t id;
  int elems, bytes, offset_bits;
  // `blocks` blocks of 16 rows, the first at byte `at` of each, to panel `panel` of a piece. As
  // many bytes are fetched from `ahead` on, which moves with them.
  void (*decode)(const uint8_t* const* rows, int64_t at, int64_t blocks, int panel,
                 PanelPiece& piece, const uint8_t*& ahead);
  Int8Tiles tiles;
};

template <class Format>
void decode_panel(const uint8_t* const* rows, int64_t at, int64_t blocks, int panel,
                  PanelPiece& piece, const uint8_t*& ahead) {
  PanelBlock out = {piece.lines + 64 * panel, piece.scales + 16 * panel, piece.biases + 16 * panel,
                    ahead};
  for (int64_t b = 0; b < blocks; ++b, at += Format::kBytes) {
    Format::block(rows, at, out);
    out.lines += Format::kElems * kStripRows;
    out.scales += Format::kElems / Format::kGroup * kStripRows;
    out.biases += Format::kElems / Format::kGroup * kStripRows;
  }
  ahead = out.ahead;
}

template <class Format>
inline constexpr PanelOps panel_ops(uint32_t id) {
  // A byte of more than seven bits times a whole digit can overflow where kDotIsWide is false.
  constexpr bool kWide = !kDotIsWide && Format::kOffsetBits == 7;
  return {id,
          Format::kElems,
          Format::kBytes,
          Format::kOffsetBits,
          decode_panel<Format>,
          int8_tiles<Format::kGroup, Format::kBias, kWide>(TileKinds())};
}

inline constexpr PanelOps kPanelOps[] = {
    panel_ops<PanelQ4_0>(kIdQ4_0),     panel_ops<PanelQ4_1>(kIdQ4_1),
    panel_ops<PanelQ5_0>(kIdQ5_0),     panel_ops<PanelQ5_1>(kIdQ5_1),
    panel_ops<PanelQ8_0>(kIdQ8_0),     panel_ops<PanelQ2_K>(kIdQ2_K),
    panel_ops<PanelQ3_K>(kIdQ3_K),     panel_ops<PanelQ4_K>(kIdQ4_K),
    panel_ops<PanelQ5_K>(kIdQ5_K),     panel_ops<PanelQ6_K>(kIdQ6_K),
    panel_ops<PanelIQ4_NL>(kIdIq4Nl),  panel_ops<PanelIQ4_XS>(kIdIq4Xs),
    panel_ops<PanelMXFP4>(kIdMxfp4),
};

inline const PanelOps* panel_ops_of(const Encoding& encoding) {
  for (const PanelOps& ops : kPanelOps) {
    if (ops.id == encoding.gguf_id) return &ops;
  }
  return nullptr;
}

inline bool has_integers(const Encoding& encoding) { return panel_ops_of(encoding) != nullptr; }

// One strip of outputs, in the making.
struct Strip {
  const MatmulArgs* args;
  const PanelOps* ops;
  int64_t out;
  int rows;          // of weights, 1 .. kStripRows
  PanelPiece* piece;
  float* acc;        // [x row][kStripRows]
  const uint8_t* ahead;  // in the next strip's weights
};

inline void decode_piece(Strip& s, int64_t k, int64_t count) {
  const MatmulArgs& a = *s.args;
  const int64_t at = k / s.ops->elems * s.ops->bytes, blocks = count / s.ops->elems;
  for (int panel = 0; panel < kPanels; ++panel) {
    const uint8_t* rows[16];
    for (int r = 0; r < 16; ++r) {  // past the end, the last row again
      const int row = smaller(16 * panel + r, s.rows - 1);
      rows[r] = reinterpret_cast<const uint8_t*>(a.weights) +
                static_cast<uint64_t>(s.out + row) * a.row_bytes;
    }
    s.ops->decode(rows, at, blocks, panel, *s.piece, s.ahead);
  }
}

// Rows [row, end) of x times the decoded piece of [k, k + count).
inline void multiply_piece(const Strip& s, int64_t row, int64_t end, int64_t k, int64_t count) {
  const MatmulArgs& a = *s.args;
  const bool two = a.compute == Compute::kInt8x2;
  const int64_t block_bytes = two ? sizeof(ActivationBlock<2>) : sizeof(ActivationBlock<1>);
  const int64_t stride = a.x_stride / 32 * block_bytes;
  TileArgs t = {};
  t.piece = s.piece;
  t.x_stride = stride;
  t.blocks = count / 32;
  t.offset_bits = s.ops->offset_bits;
  t.more = k > 0;
  int kind = kTileKinds - 1;
  for (int64_t r = row; r < end; r += kTileWidths[kind]) {
    while (kTileWidths[kind] > end - r) --kind;
    t.x = static_cast<const std::byte*>(a.x) + r * stride + k / 32 * block_bytes;
    t.acc = s.acc + (r - row) * kStripRows;
    s.ops->tiles.of[two ? 1 : 0][kind](t);
  }
}

inline void finish_strip(const Strip& s, int64_t row, int64_t end) {
  const MatmulArgs& a = *s.args;
  for (int64_t r = row; r < end; ++r) {
    const float* acc = s.acc + (r - row) * kStripRows;
    float* y = a.y + r * a.y_stride + s.out;
    for (int i = 0; i < s.rows; i += 16) {
      const int n = smaller(16, s.rows - i);
      F32x16 sum = load(acc + i);
      if (a.bias != nullptr) sum = add(sum, load_n(a.bias + s.out + i, n));
      if (a.accumulate) sum = add(load_n(y + i, n), sum);
      store_n(y + i, sum, n);
    }
  }
}

inline void matmul_int8(const MatmulArgs& a) {
  if (a.out_begin >= a.out_end || a.rows <= 0) return;
  Strip s = {};
  s.args = &a;
  s.ops = panel_ops_of(*a.encoding);
  // On a line of the cache: a vector across two costs twice.
  std::byte* scratch = a.scratch + (-reinterpret_cast<uintptr_t>(a.scratch) & 63);
  s.piece = reinterpret_cast<PanelPiece*>(scratch);
  s.acc = reinterpret_cast<float*>(scratch + sizeof(PanelPiece));
  // Rows of x whose accumulators rest in L2; of more, each group decodes the weights again.
  constexpr int64_t kRows = 1536;
  static_assert(64 + sizeof(PanelPiece) + kRows * kStripRows * sizeof(float) <= kKernelScratchBytes);
  for (int64_t row = 0; row < a.rows; row += kRows) {
    const int64_t end = smaller(row + kRows, a.rows);
    for (s.out = a.out_begin; s.out < a.out_end; s.out += kStripRows) {
      s.rows = static_cast<int>(smaller<int64_t>(kStripRows, a.out_end - s.out));
      s.ahead = reinterpret_cast<const uint8_t*>(a.weights) +
                static_cast<uint64_t>(smaller(s.out + kStripRows, a.out_end)) * a.row_bytes;
      for (int64_t k = 0; k < a.k; k += kPanelPiece) {
        const int64_t count = smaller(kPanelPiece, a.k - k);
        decode_piece(s, k, count);
        multiply_piece(s, row, end, k, count);
      }
      finish_strip(s, row, end);
    }
  }
}

}  // namespace hearth::HEARTH_ISA
