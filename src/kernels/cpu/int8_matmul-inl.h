// The integer matrix product, by the definition in api.h. Weights are turned into panels (16
// outputs in the lanes, see panels-inl.h) a piece of k at a time; the piece stays in L1 while all
// rows of x pass, so the same code serves one row and a long prompt. Sums of a group are exact
// integers and groups follow one another in order: no choice of tile can change a bit.
#pragma once

#include <cstdint>

#include "encoding/encoding.h"
#include "kernels/api.h"
#include "kernels/cpu/int8_rows-inl.h"
#include "kernels/cpu/matmul-inl.h"
#include "kernels/cpu/panels-inl.h"

namespace hearth::HEARTH_ISA {

inline constexpr int kStripRows = 16 * kPanels;  // weight rows that are multiplied together
inline constexpr int64_t kPanelPiece = kIntegerPiece;  // whole blocks of every format
inline constexpr int64_t kMaxPieceBytes = 2 * kPanelPiece;

// A piece of a strip: lines [value / 4][panel], scales and biases [group][panel][row].
struct PanelPiece {
  alignas(64) uint8_t lines[kPanelPiece * kStripRows];
  alignas(64) float scales[kPanelPiece / 16 * kStripRows];
  alignas(64) float biases[kPanelPiece / 16 * kStripRows];
};

// What a tile multiplies: C rows of x with one piece.
struct TileArgs {
  const PanelPiece* piece;
  const std::byte* x;  // block 0 of the first row
  int64_t x_stride;    // bytes from row to row
  int64_t blocks;      // of 32 values
  bool more;           // add to acc, else begin
  float* acc;          // [C][kStripRows]
  const uint8_t* ahead;  // weights of the strip to come, of which `fetch` lines are called for
  int fetch;             // with each block
  int64_t next;          // bytes from x to what the tile after this one begins with
};

// Exact sums of one group: kLines lines times the digits of C rows, from `digits` on. `minus` has
// the negative sums of these digits.
template <int kOffsetBits, int C, int kLines, bool kWide>
[[gnu::always_inline]] inline void group_sums(const uint8_t* lines, const int8_t* const* digits,
                                              const int32_t* minus, I32x16* acc) {
#pragma GCC unroll 6
  for (int c = 0; c < C; ++c) {
    const I32x16 start =
        kOffsetBits != 0 ? int_shl<kOffsetBits>(int_splat(minus[c])) : int_zero();
#pragma GCC unroll 2
    for (int v = 0; v < kPanels; ++v) acc[c * kPanels + v] = start;
  }
#pragma GCC unroll 8
  for (int i = 0; i < kLines; ++i) {
    U8x64 w[kPanels];
#pragma GCC unroll 2
    for (int v = 0; v < kPanels; ++v) w[v] = load_line(lines + (i * kPanels + v) * 64);
#pragma GCC unroll 6
    for (int c = 0; c < C; ++c) {
      const I32x16 four = four_digits(digits[c] + 4 * i);
#pragma GCC unroll 2
      for (int v = 0; v < kPanels; ++v) {
        I32x16& sum = acc[c * kPanels + v];
        sum = kWide ? dot_bytes_wide(sum, w[v], four) : dot_bytes(sum, w[v], four);
      }
    }
  }
}

// acc[c][row] += the piece times the (last) digits of row c of x.
template <class Format, int C, bool kWide>
void int8_tile(const TileArgs& a) {
  constexpr int kGroup = Format::kGroup, kLines = kGroup / 4, kGroups = 32 / kGroup;
  F32x16 acc[C * kPanels];
#pragma GCC unroll 12
  for (int i = 0; i < C * kPanels; ++i) acc[i] = a.more ? load(a.acc + 16 * i) : zero();
  const std::byte* x[C];
#pragma GCC unroll 6
  for (int c = 0; c < C; ++c) x[c] = a.x + c * a.x_stride;
  const auto block = [&](int c) { return reinterpret_cast<const ActivationBlock*>(x[c]); };
  const uint8_t* lines = a.piece->lines;
  const float *scales = a.piece->scales, *biases = a.piece->biases;
  const uint8_t* ahead = a.ahead;
  for (int64_t b = 0; b < a.blocks; ++b) {
    for (int i = 0; i < a.fetch; ++i, ahead += 64) prefetch_far(ahead);
#pragma GCC unroll 2
    for (int g = 0; g < kGroups; ++g) {
      const int which = kGroups == 1 ? 0 : 1 + g;
      I32x16 sums[C * kPanels];
      const int8_t* digits[C];
      int32_t minus[C];
#pragma GCC unroll 6
      for (int c = 0; c < C; ++c) {
        digits[c] = block(c)->digits + kGroup * g;
        minus[c] = block(c)->minus[which];
      }
      group_sums<Format::kOffsetBits, C, kLines, kWide>(lines, digits, minus, sums);
#pragma GCC unroll 6
      for (int c = 0; c < C; ++c) {
        const F32x16 dx = splat(block(c)->scale);
#pragma GCC unroll 2
        for (int v = 0; v < kPanels; ++v) {
          F32x16& to = acc[c * kPanels + v];
          to = fma(mul(load(scales + 16 * v), dx), to_float(sums[c * kPanels + v]), to);
          if constexpr (Format::kBias)
            to = fma(load(biases + 16 * v), splat(block(c)->sums[which]), to);
        }
      }
      lines += kLines * kPanels * 64;
      scales += kStripRows;
      biases += kStripRows;
    }
#pragma GCC unroll 6
    for (int c = 0; c < C; ++c) {
      if constexpr (C == kMaxTileColumns) prefetch(x[c] + a.next);
      x[c] += sizeof(ActivationBlock);
    }
  }
#pragma GCC unroll 12
  for (int i = 0; i < C * kPanels; ++i) store(a.acc + 16 * i, acc[i]);
}

// acc[c][row] += block b of a piece times the first digits of C rows of x, which need not be
// neighbours: which rows have any differs from block to block.
template <class Format, int C>
void first_digits_tile(const PanelPiece& piece, int b, const FirstDigits* const* first,
                       float* const* acc) {
  constexpr int kGroup = Format::kGroup, kLines = kGroup / 4, kGroups = 32 / kGroup;
#pragma GCC unroll 2
  for (int g = 0; g < kGroups; ++g) {
    const int at = b * kGroups + g;
    const int8_t* digits[C];
    int32_t minus[C];
#pragma GCC unroll 6
    for (int c = 0; c < C; ++c) {
      digits[c] = first[c]->digits + kGroup * g;
      minus[c] = first[c]->minus[kGroups == 1 ? 0 : 1 + g];
    }
    I32x16 sums[C * kPanels];
    group_sums<Format::kOffsetBits, C, kLines, false>(piece.lines + at * kLines * kPanels * 64,
                                                      digits, minus, sums);
#pragma GCC unroll 6
    for (int c = 0; c < C; ++c) {
      const F32x16 dx = splat(first[c]->scale);
#pragma GCC unroll 2
      for (int v = 0; v < kPanels; ++v) {
        const F32x16 scale = load(piece.scales + at * kStripRows + 16 * v);
        float* to = acc[c] + 16 * v;
        store(to, fma(mul(scale, dx), to_float(sums[c * kPanels + v]), load(to)));
      }
    }
  }
}

using Int8Tile = void (*)(const TileArgs&);

// By the width of the tile: entry i has kTileWidths[i] columns.
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
  Int8Tile of[kTileKinds];
  void (*first[kTileKinds])(const PanelPiece& piece, int block, const FirstDigits* const* first,
                            float* const* acc);
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
  return {{int8_tile<Kind, kTileWidths[kKind], kWide>...},
          {first_digits_tile<Kind, kTileWidths[kKind]>...}};
}

// For 1, 2, .. rows of x; nullptr: by the tiles.
template <int C>
using RowProductsOf = void (*)(Rows rows, int64_t blocks, const RowsOfX<C>& x, float* sums,
                               int64_t stride, const uint8_t*& ahead);
struct DirectProducts {
  RowProductsOf<1> one = nullptr;
  RowProductsOf<2> two = nullptr;
  RowProductsOf<3> three = nullptr;
  RowProductsOf<4> four = nullptr;
};
// Units of many groups, with more than one row, are more than registers hold.
template <class Format>
constexpr DirectProducts direct_products() {
  DirectProducts ops;
  if constexpr (!__is_same(Format, PanelUnpacked)) {
    ops.one = row_products<Format, 1>;
    if constexpr (kMaxDirectRows > 1 && Format::kGroup == 32) {
      ops.two = row_products<Format, 2>;
      ops.three = row_products<Format, 3>;
      ops.four = row_products<Format, 4>;
    }
  }
  return ops;
}

struct PanelOps {
  uint32_t id;
  // `blocks` blocks of 16 rows to panel `panel` of a piece; from `ahead` on, which moves, as many
  // bytes are fetched.
  void (*decode)(const Encoding& encoding, Rows rows, int64_t blocks, int panel, PanelPiece& piece,
                 const uint8_t*& ahead);
  Int8Tiles tiles;
  DirectProducts direct;
};

template <class Format>
void decode_panel(const Encoding& encoding, Rows rows, int64_t blocks, int panel,
                  PanelPiece& piece, const uint8_t*& ahead) {
  PanelBlock out = {piece.lines + 64 * panel, piece.scales + 16 * panel, piece.biases + 16 * panel,
                    ahead, Format::kGroup / 4};
  const auto done = [&](int n) HEARTH_INLINE {
    out.scales += n * (Format::kElems / Format::kGroup * kStripRows);
    out.biases += n * (Format::kElems / Format::kGroup * kStripRows);
  };
  if constexpr (__is_same(Format, PanelUnpacked)) {
    for (int64_t b = 0; b < blocks; ++b, rows.first += encoding.block_bytes) {
      Format::block(encoding, rows, out);
      done(1);
    }
  } else {
    put_blocks<Format>(rows, blocks, out, done);
  }
  ahead = out.ahead;
}

template <class Format>
inline constexpr PanelOps panel_ops(uint32_t id) {
  // A byte of more than seven bits times a whole digit can overflow where kDotIsWide is false.
  constexpr bool kWide = !kDotIsWide && Format::kOffsetBits == 7;
  return {id, decode_panel<Format>, int8_tiles<Format, kWide>(TileKinds()),
          direct_products<Format>()};
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
inline constexpr PanelOps kUnpackedOps = panel_ops<PanelUnpacked>(0);

inline const PanelOps* panel_ops_of(const Encoding& encoding) {
  for (const PanelOps& ops : kPanelOps) {
    if (ops.id == encoding.gguf_id) return &ops;
  }
  if (encoding.unpack != nullptr && encoding.block_elems == PanelUnpacked::kElems)
    return &kUnpackedOps;
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
  const uint8_t* ahead;  // in the weights of the strip to come
  int64_t fetch;         // lines from there on that the next products call for
  int64_t step;      // outputs from this strip to the one that is multiplied next in its place
};

// Where the strip after this one begins, in this matrix or the next.
inline const uint8_t* strip_ahead(const Strip& s) {
  const MatmulArgs& a = *s.args;
  if (s.out + s.step >= a.out_end && a.next != nullptr)
    return reinterpret_cast<const uint8_t*>(a.next);
  return reinterpret_cast<const uint8_t*>(a.weights) +
         static_cast<uint64_t>(smaller(s.out + s.step, a.out_end - 1)) * a.row_bytes;
}

// A piece of sixteen rows, for where a matrix has fewer to give.
struct CopiedRows {
  uint8_t bytes[16][kMaxPieceBytes];
};

// `bytes` bytes of 16 rows from row `out` on, where `rows` are left, from byte `at` of each on.
// Past the end comes the last row again.
inline Rows piece_rows(const MatmulArgs& a, int64_t out, int64_t rows, int64_t at, int64_t bytes,
                       CopiedRows& copied) {
  const Rows all = {reinterpret_cast<const uint8_t*>(a.weights) + at,
                    static_cast<int64_t>(a.row_bytes)};
  if (rows >= 16) return {all.first + out * all.stride, all.stride};
  for (int r = 0; r < 16; ++r) {
    const int64_t row = rows > 0 ? out + smaller<int64_t>(r, rows - 1) : out + rows - 1;
    memcpy(copied.bytes[r], all.first + row * all.stride, static_cast<size_t>(bytes));
  }
  return {copied.bytes[0], kMaxPieceBytes};
}

// With few rows of x the strip to come is called for while this one is decoded. With more the
// products take so long that memory would rest meanwhile: there it is called for with them, and the
// decoder calls for what is near.
inline void decode_piece(Strip& s, int64_t k, int64_t count, CopiedRows& copied) {
  const MatmulArgs& a = *s.args;
  const int64_t elems = a.encoding->block_elems, bytes = a.encoding->block_bytes;
  const bool few = a.rows <= kMaxTileColumns;
  for (int panel = 0; panel < kPanels; ++panel) {
    const Rows rows = piece_rows(a, s.out + 16 * panel, s.rows - 16 * panel, k / elems * bytes,
                                 count / elems * bytes, copied);
    const uint8_t* near = s.piece->lines;
    s.ops->decode(*a.encoding, rows, count / elems, panel, *s.piece, few ? s.ahead : near);
  }
  if (!few) s.fetch = kStripRows * (count / elems * bytes) / 64;
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

// Strips that are multiplied together, so that x is read from further away less often.
inline constexpr int kMaxStrips = 4;
// Rows of x whose accumulators rest in L1 while one strip is multiplied.
inline constexpr int kBlockRows = 96;
// Rows of x whose accumulators rest in L2; of more, each group decodes the weights again.
inline constexpr int64_t kRowGroup = 8 * kBlockRows;

// The rows of a block of rows that have first digits in one block of 32 values.
struct FirstList {
  uint8_t count;
  uint8_t rows[kBlockRows];
};

// Scratch: on lines of the cache, since a vector across two costs twice.
struct Workplace {
  PanelPiece* pieces;  // [kMaxStrips]
  float* accs;         // [kMaxStrips][kRowGroup][kStripRows]
  CopiedRows* copied;
  FirstList* lists;    // [row / kBlockRows][k / 32]
  explicit Workplace(std::byte* scratch) {
    scratch += -reinterpret_cast<uintptr_t>(scratch) & 63;
    pieces = reinterpret_cast<PanelPiece*>(scratch);
    accs = reinterpret_cast<float*>(pieces + kMaxStrips);
    copied = reinterpret_cast<CopiedRows*>(accs + kMaxStrips * kRowGroup * kStripRows);
    lists = reinterpret_cast<FirstList*>(copied + 1);
  }
  static constexpr int64_t kListBytes = int64_t{3} << 20;
};
static_assert(kMaxIntegerK / 32 * int64_t{sizeof(FirstList)} <= Workplace::kListBytes);
static_assert(64 + kMaxStrips * (sizeof(PanelPiece) + kRowGroup * kStripRows * sizeof(float)) +
                  sizeof(CopiedRows) + Workplace::kListBytes <= kKernelScratchBytes);

// Of rows [row, end) of x, in blocks of kBlockRows.
inline void list_first_digits(const MatmulArgs& a, int64_t row, int64_t end, FirstList* lists) {
  const ActivationRow x_row = activation_row(a.compute, a.x_stride);
  for (int64_t r = row; r < end; r += kBlockRows, lists += a.k / 32) {
    for (int64_t b = 0; b < a.k / 32; ++b) lists[b].count = 0;
    for (int64_t i = 0; i < smaller<int64_t>(kBlockRows, end - r); ++i) {
      const auto* masks = static_cast<const std::byte*>(a.x) +
                          (r + i) * static_cast<int64_t>(x_row.bytes) + x_row.masks;
      for (int64_t k = 0; k < a.k; k += kIntegerPiece, masks += sizeof(uint32_t)) {
        uint32_t mask;
        memcpy(&mask, masks, sizeof mask);
        // x may go on beyond k.
        mask &= (1u << (smaller(kIntegerPiece, a.k - k) / 32)) - 1u;
        for (; mask != 0; mask &= mask - 1) {
          FirstList& list = lists[k / 32 + __builtin_ctz(mask)];
          list.rows[list.count++] = static_cast<uint8_t>(i);
        }
      }
    }
  }
}

// A block of rows of x, and a piece of k.
struct RowBlock {
  int64_t row, end;        // 1 .. kBlockRows of them
  int64_t k, count;
  const FirstList* lists;  // of the blocks of 32 from k on, or nullptr
  bool last;               // piece
};

inline void multiply_firsts(const Strip& s, const RowBlock& rows, const ActivationRow& x_row,
                            float* acc) {
  const MatmulArgs& a = *s.args;
  const std::byte* x = static_cast<const std::byte*>(a.x) + x_row.firsts +
                       rows.row * static_cast<int64_t>(x_row.bytes) +
                       rows.k / 32 * int64_t{sizeof(FirstDigits)};
  for (int b = 0; b < rows.count / 32; ++b) {
    const FirstList& list = rows.lists[b];
    int kind = kTileKinds - 1;
    for (int i = 0; i < list.count; i += kTileWidths[kind]) {
      while (kTileWidths[kind] > list.count - i) --kind;
      const FirstDigits* first[kMaxTileColumns];
      float* to[kMaxTileColumns];
      for (int c = 0; c < kTileWidths[kind]; ++c) {
        const int64_t r = list.rows[i + c];
        const std::byte* row = x + r * static_cast<int64_t>(x_row.bytes);
        first[c] = reinterpret_cast<const FirstDigits*>(row) + b;
        to[c] = acc + r * kStripRows;
      }
      s.ops->tiles.first[kind](*s.piece, b, first, to);
    }
  }
}

// The tile to take when `left` rows are left and the last was of this kind. Of two rows a tile has
// too few sums for the latency of a product, so the widest leaves four rather than two.
inline int tile_kind(int kind, int64_t left) {
  while (kTileWidths[kind] > left) --kind;
  return kMaxTileColumns == 6 && left == 8 ? kind - 1 : kind;
}

// Bytes from the x of the tile at row r to that of the next: at row `after`, or where that is
// beyond the block, at its beginning in the next piece, or in the first piece for the next strip.
inline int64_t next_tile(const RowBlock& rows, int64_t r, int64_t after, int64_t stride) {
  if (after < rows.end) return (after - r) * stride;
  const int64_t values = rows.last ? -rows.k : rows.count;
  return (rows.row - r) * stride + values / 32 * int64_t{sizeof(ActivationBlock)};
}

// A block of rows of x times the decoded piece of one strip.
inline void multiply_block(Strip& s, const RowBlock& rows, float* acc) {
  const MatmulArgs& a = *s.args;
  const ActivationRow x_row = activation_row(a.compute, a.x_stride);
  TileArgs t = {};
  t.piece = s.piece;
  t.x_stride = static_cast<int64_t>(x_row.bytes);
  t.blocks = rows.count / 32;
  t.more = rows.k > 0;
  const int64_t tiles = (rows.end - rows.row + kMaxTileColumns - 1) / kMaxTileColumns;
  const auto each = static_cast<int>(s.fetch / (tiles * t.blocks)) + 1;
  int kind = kTileKinds - 1;
  for (int64_t r = rows.row; r < rows.end; r += kTileWidths[kind]) {
    kind = tile_kind(kind, rows.end - r);
    if (rows.last) fetch_outputs(s, r, kTileWidths[kind]);
    t.x = static_cast<const std::byte*>(a.x) + r * t.x_stride +
          rows.k / 32 * int64_t{sizeof(ActivationBlock)};
    t.acc = acc + (r - rows.row) * kStripRows;
    t.next = next_tile(rows, r, r + kTileWidths[kind], t.x_stride);
    t.ahead = s.ahead;
    t.fetch = s.fetch > 0 ? each : 0;
    s.ahead += 64 * t.fetch * t.blocks;
    s.fetch -= t.fetch * t.blocks;
    s.ops->tiles.of[kind](t);
  }
  if (rows.lists != nullptr) multiply_firsts(s, rows, x_row, acc);
  if (rows.last) finish_columns(s, rows.row, static_cast<int>(rows.end - rows.row), acc);
}

inline Strip start_strip(const MatmulArgs& a, const PanelOps& ops, int64_t out, int64_t step,
                         PanelPiece* piece) {
  Strip s = {.args = &a,
             .ops = &ops,
             .out = out,
             .rows = static_cast<int>(smaller<int64_t>(kStripRows, a.out_end - out)),
             .piece = piece,
             .ahead = nullptr,
             .fetch = 0,
             .step = step};
  s.ahead = strip_ahead(s);
  return s;
}

// C rows of x, straight from the decoder.
template <int C>
void multiply_rows(const MatmulArgs& a, const PanelOps& ops, RowProductsOf<C> products,
                   CopiedRows& copied) {
  const ActivationRow x_row = activation_row(a.compute, a.x_stride);
  const auto* x = static_cast<const std::byte*>(a.x);
  const auto stride = static_cast<int64_t>(x_row.bytes);
  const int64_t elems = a.encoding->block_elems, bytes = a.encoding->block_bytes;
  for (int64_t out = a.out_begin; out < a.out_end; out += 16) {
    Strip s = start_strip(a, ops, out, 16, nullptr);
    s.rows = smaller(16, s.rows);
    alignas(64) float sums[C * kStripRows] = {};
    for (int64_t k = 0; k < a.k; k += kPanelPiece) {
      const int64_t count = smaller(kPanelPiece, a.k - k);
      const auto* first = reinterpret_cast<const FirstDigits*>(x + x_row.firsts);
      RowsOfX<C> rows = {reinterpret_cast<const ActivationBlock*>(x) + k / 32, first + k / 32,
                         stride, {}};
      const std::byte* masks = x + x_row.masks + k / kPanelPiece * int64_t{sizeof(uint32_t)};
      for (int c = 0; c < C && a.compute == Compute::kInt8x2; ++c)
        memcpy(&rows.mask[c], masks + c * stride, sizeof(uint32_t));
      products(piece_rows(a, out, s.rows, k / elems * bytes, count / elems * bytes, copied),
               count / elems, rows, sums, kStripRows, s.ahead);
    }
    finish_columns(s, 0, C, sums);
  }
}

// Whether the rows of x were few enough for that.
inline bool multiply_few(const MatmulArgs& a, const PanelOps& ops, CopiedRows& copied) {
  const auto with = [&](auto products, auto multiply) {
    if (products != nullptr) multiply(a, ops, products, copied);
    return products != nullptr;
  };
  if (a.rows == 1) return with(ops.direct.one, multiply_rows<1>);
  if (a.rows == 2) return with(ops.direct.two, multiply_rows<2>);
  if (a.rows == 3) return with(ops.direct.three, multiply_rows<3>);
  return a.rows == 4 && with(ops.direct.four, multiply_rows<4>);
}

// Outputs from `out` on, of some strips together, for rows [row, end) of x.
inline void multiply_strips(const MatmulArgs& a, const PanelOps& ops, int64_t out, int together,
                            int64_t row, int64_t end, const Workplace& work) {
  Strip strips[kMaxStrips];
  int n = 0;
  for (int64_t o = out; n < together && o < a.out_end; o += kStripRows, ++n) {
    strips[n] = start_strip(a, ops, o, together * kStripRows, work.pieces + n);
  }
  for (int64_t k = 0; k < a.k; k += kPanelPiece) {
    RowBlock rows = {.k = k, .count = smaller(kPanelPiece, a.k - k)};
    rows.last = k + rows.count == a.k;
    for (int i = 0; i < n; ++i) decode_piece(strips[i], k, rows.count, *work.copied);
    for (rows.row = row; rows.row < end; rows.row = rows.end) {
      rows.end = smaller(rows.row + kBlockRows, end);
      if (a.compute == Compute::kInt8x2)
        rows.lists = work.lists + (rows.row - row) / kBlockRows * (a.k / 32) + k / 32;
      for (int i = 0; i < n; ++i) {
        multiply_block(strips[i], rows,
                       work.accs + (i * kRowGroup + rows.row - row) * kStripRows);
      }
    }
  }
}

inline void matmul_int8(const MatmulArgs& a) {
  if (a.out_begin >= a.out_end || a.rows <= 0) return;
  const PanelOps& ops = *panel_ops_of(*a.encoding);
  const Workplace work(a.scratch);
  if (multiply_few(a, ops, *work.copied)) return;
  const int together = a.rows > kBlockRows ? kMaxStrips : 1;
  // As many rows at once as there is room for lists, in whole blocks.
  const int64_t list_bytes = a.k / 32 * int64_t{sizeof(FirstList)};
  const int64_t group =
      smaller(Workplace::kListBytes / list_bytes, kRowGroup / kBlockRows) * kBlockRows;
  for (int64_t row = 0; row < a.rows; row += group) {
    const int64_t end = smaller(row + group, a.rows);
    if (a.compute == Compute::kInt8x2) list_first_digits(a, row, end, work.lists);
    for (int64_t out = a.out_begin; out < a.out_end; out += together * kStripRows) {
      multiply_strips(a, ops, out, together, row, end, work);
    }
  }
}

}  // namespace hearth::HEARTH_ISA
