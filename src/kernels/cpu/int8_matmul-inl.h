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
  bool more;           // add to acc, else begin
  float* acc;          // [C][kStripRows]
};

// The exact sums of one group: kLines lines from `line` on, times digits from `first` on.
template <int kOffsetBits, int kDigits, int C, int kLines, bool kWide>
[[gnu::always_inline]] inline void group_sums(const uint8_t* lines, const std::byte* const* x,
                                              int first, int which, I32x16* acc) {
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
    return int_shl<kOffsetBits>(int_splat(block(c)->minus[which]));
  };
#pragma GCC unroll 6
  for (int c = 0; c < C; ++c) {
    const I32x16 start = kDigits == 1 && kOffsetBits != 0 ? offset(c) : int_zero();
#pragma GCC unroll 2
    for (int v = 0; v < kPanels; ++v) acc[c * kPanels + v] = start;
  }
  add_digit(0);
  if constexpr (kDigits == 2) {
#pragma GCC unroll 6
    for (int c = 0; c < C; ++c) {
      const I32x16 start = kOffsetBits != 0 ? offset(c) : int_zero();
#pragma GCC unroll 2
      for (int v = 0; v < kPanels; ++v) {
        I32x16& sum = acc[c * kPanels + v];
        sum = int_shl<7>(sum);
        if constexpr (kOffsetBits != 0) sum = int_add(sum, start);
      }
    }
    add_digit(1);
  }
}

// acc[c][row] += the piece times row c of x.
template <class Format, int kDigits, int C, bool kWide>
void int8_tile(const TileArgs& a) {
  using Block = ActivationBlock<kDigits>;
  constexpr int kGroup = Format::kGroup, kLines = kGroup / 4, kGroups = 32 / kGroup;
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
      group_sums<Format::kOffsetBits, kDigits, C, kLines, kWide>(lines, x, kGroup * g, which, sums);
#pragma GCC unroll 6
      for (int c = 0; c < C; ++c) {
        const Block* block = reinterpret_cast<const Block*>(x[c]);
        const F32x16 dx = splat(block->scale);
#pragma GCC unroll 2
        for (int v = 0; v < kPanels; ++v) {
          F32x16& to = acc[c * kPanels + v];
          to = fma(mul(load(scales + 16 * v), dx), to_float(sums[c * kPanels + v]), to);
          if constexpr (Format::kBias) to = fma(load(biases + 16 * v), splat(block->sums[which]), to);
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
// Formats whose groups are alike have one tile.
template <int kGroup_, int kOffsetBits_, bool kBias_>
struct GroupKind {
  static constexpr int kGroup = kGroup_, kOffsetBits = kOffsetBits_;
  static constexpr bool kBias = kBias_;
};

template <class Format, bool kWide, int... kKind>
constexpr Int8Tiles int8_tiles(Sequence<kKind...>) {
  using Kind = GroupKind<Format::kGroup, Format::kOffsetBits, Format::kBias>;
  return {{{int8_tile<Kind, 1, kTileWidths[kKind], kWide>...},
           // Two digits are small enough for any byte.
           {int8_tile<Kind, 2, kTileWidths[kKind], false>...}}};
}

struct PanelOps {
  uint32_t id;
  int elems, bytes;
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
          decode_panel<Format>,
          int8_tiles<Format, kWide>(TileKinds())};
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

// Rows [row, row + rows) of the answer. What is written may come from far away: it is called for
// before the tile is multiplied.
inline void fetch_outputs(const Strip& s, int64_t row, int rows) {
  const MatmulArgs& a = *s.args;
  for (int r = 0; r < rows; ++r) {
    const float* y = a.y + (row + r) * a.y_stride + s.out;
    for (int i = 0; i < kStripRows; i += 16) prefetch_to_write(y + i);
  }
}

inline void finish_columns(const Strip& s, int64_t row, int rows, const float* acc) {
  const MatmulArgs& a = *s.args;
  for (int r = 0; r < rows; ++r, acc += kStripRows) {
    float* y = a.y + (row + r) * a.y_stride + s.out;
    for (int i = 0; i < s.rows; i += 16) {
      const int n = smaller(16, s.rows - i);
      F32x16 sum = load(acc + i);
      if (a.bias != nullptr) sum = add(sum, load_n(a.bias + s.out + i, n));
      if (a.accumulate) sum = add(load_n(y + i, n), sum);
      store_n(y + i, sum, n);
    }
  }
}

// Rows [row, end) of x times the decoded pieces of [k, k + count). A tile's rows of x stay in L1
// while all strips pass.
inline void multiply_piece(const Strip* strips, int count_of_strips, int64_t row, int64_t end,
                           int64_t k, int64_t count) {
  const MatmulArgs& a = *strips->args;
  const PanelOps& ops = *strips->ops;
  const bool two = a.compute == Compute::kInt8x2;
  const int64_t block_bytes = two ? sizeof(ActivationBlock<2>) : sizeof(ActivationBlock<1>);
  const int64_t stride = a.x_stride / 32 * block_bytes;
  TileArgs t = {};
  t.x_stride = stride;
  t.blocks = count / 32;
  t.more = k > 0;
  const bool last = k + count == a.k;
  int kind = kTileKinds - 1;
  for (int64_t r = row; r < end; r += kTileWidths[kind]) {
    while (kTileWidths[kind] > end - r) --kind;
    t.x = static_cast<const std::byte*>(a.x) + r * stride + k / 32 * block_bytes;
    if (last) {
      for (int i = 0; i < count_of_strips; ++i) fetch_outputs(strips[i], r, kTileWidths[kind]);
    }
    for (const Strip* s = strips; s < strips + count_of_strips; ++s) {
      t.piece = s->piece;
      t.acc = s->acc + (r - row) * kStripRows;
      ops.tiles.of[two ? 1 : 0][kind](t);
      if (last) finish_columns(*s, r, kTileWidths[kind], t.acc);
    }
  }
}

// Strips that are multiplied together, so that x is read from further away less often.
inline constexpr int kMaxStrips = 4;
// Rows of x whose accumulators rest in L2; of more, each group decodes the weights again.
inline constexpr int64_t kRowGroup = 768;
static_assert(64 + kMaxStrips * (sizeof(PanelPiece) + kRowGroup * kStripRows * sizeof(float)) <=
              kKernelScratchBytes);

inline Strip start_strip(const MatmulArgs& a, const PanelOps& ops, int64_t out, int index,
                         int64_t ahead) {
  // On a line of the cache: a vector across two costs twice.
  std::byte* scratch = a.scratch + (-reinterpret_cast<uintptr_t>(a.scratch) & 63);
  auto* pieces = reinterpret_cast<PanelPiece*>(scratch);
  auto* accs = reinterpret_cast<float*>(pieces + kMaxStrips);
  return {.args = &a,
          .ops = &ops,
          .out = out,
          .rows = static_cast<int>(smaller<int64_t>(kStripRows, a.out_end - out)),
          .piece = pieces + index,
          .acc = accs + index * kRowGroup * kStripRows,
          .ahead = reinterpret_cast<const uint8_t*>(a.weights) +
                   static_cast<uint64_t>(smaller(out + ahead, a.out_end)) * a.row_bytes};
}

inline void matmul_int8(const MatmulArgs& a) {
  if (a.out_begin >= a.out_end || a.rows <= 0) return;
  const PanelOps& ops = *panel_ops_of(*a.encoding);
  const int64_t together = a.rows > 2 * kMaxTileColumns ? kMaxStrips : 1;
  for (int64_t row = 0; row < a.rows; row += kRowGroup) {
    const int64_t end = smaller(row + kRowGroup, a.rows);
    for (int64_t out = a.out_begin; out < a.out_end; out += together * kStripRows) {
      Strip strips[kMaxStrips];
      int n = 0;
      for (int64_t o = out; n < together && o < a.out_end; o += kStripRows, ++n) {
        strips[n] = start_strip(a, ops, o, n, together * kStripRows);
      }
      for (int64_t k = 0; k < a.k; k += kPanelPiece) {
        const int64_t count = smaller(kPanelPiece, a.k - k);
        for (int i = 0; i < n; ++i) decode_piece(strips[i], k, count);
        multiply_piece(strips, n, row, end, k, count);
      }
    }
  }
}

}  // namespace hearth::HEARTH_ISA
