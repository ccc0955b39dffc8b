// The kernel interface: what a device computes, as plain functions on views. One table per
// instruction set; the engine picks one at start and calls nothing else.
//
// Kernels cannot fail: shapes are matched before the launch, and every pointer is valid. They are
// called from inside a parallel region, each member with its own part of the outputs (a half-open
// range), and write nothing outside it. Stateless; scratch belongs to the caller.
//
// One order of sums, a promise of the product: the bits of every output depend only on its own
// inputs, never on the range, the number of rows, the tile or the thread.
//  - dot products: 16 lanes, lane i accumulates elements i, i+16, i+32, ... in order with fused
//    multiply-add (f32), from +0; a tail shorter than 16 is padded with zeros; then the lanes are
//    added as a tree: l[i] += l[i+8], then +4, +2, +1. In f32 every instruction set, the plain
//    code included, gives the same bits.
//  - bf16 products (AVX512-BF16): 16 lanes of pairs, lane i takes elements 2i and 2i+1 of each 32,
//    by vdpbf16ps, then the same tree. Bits are one thing per instruction set.
//  - integer products: exact within a group of values that share a scale; then, group after group
//    in order, acc = fma(weight scale * activation scale, float(sum), acc) and, where the format
//    has minimums, acc = fma(minimum, sum of activations, acc). After each kIntegerPiece values the
//    same for the first digits that these have, without minimums. Every instruction set, the plain
//    code included, gives the same bits.
//  - attention: positions in order, in spans of kKvSpan counted from position 0 of the sequence;
//    AttentionArgs has the definition.
// Source of the fixed-order idea: batch-invariant kernels (Thinking Machines Lab, 2025).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "encoding/encoding.h"
#include "kernels/kv.h"

namespace hearth {

// Positions whose weights attention takes under one maximum: whole blocks.
inline constexpr int kKvSpan = 4 * kKvBlock;

// Bytes of scratch that each member of the pool must have for any kernel; fastest where they begin
// on a line of the cache (64 bytes).
inline constexpr size_t kKernelScratchBytes = size_t{4} << 20;

enum class Compute : uint8_t {
  kF32,   // activations and decoded weights in float32
  kBf16,  // both rounded to bfloat16 (nearest even), products accumulated in float32
  // The weights' own integer codes, exactly, times activations as integers under one scale per 32
  // values; sums of 32 (16 where the format's scales are so fine) are exact, and float32 beyond.
  kInt8,    // activations of one signed digit: |q| <= 127
  kInt8x2,  // of two where a block's largest value stands out of its row, else of one
};

inline constexpr size_t kComputeCount = 4;

// "f32", "bf16", "int8", "int8x2".
std::string_view name_of(Compute compute);

// Outputs are best dealt out to threads in whole multiples of this.
inline constexpr int64_t kMatmulUnit = 32;

// Thirty-two activations for the integer computes: value i is scale * digits[i]. The sums are over
// all, the first 16 and the last 16; offsets and minimums of weights need them.
struct ActivationBlock {
  float scale;       // NaN where an activation is not finite (and then every digit is 0)
  float sums[3];     // of the values (with the first digits, where there are two)
  int32_t minus[3];  // -(sum of digits)
  int8_t digits[32];
};
static_assert(sizeof(ActivationBlock) == 60);

// What a block of two digits has besides: value i is scale * digits[i] + first.scale *
// first.digits[i], where first.scale = 128 * scale and all digits are within -64 .. 64. All zeros
// for a block of one digit.
struct FirstDigits {
  float scale;
  int32_t minus[3];
  int8_t digits[32];
};
static_assert(sizeof(FirstDigits) == 48);

// A block has two digits when its largest |value| is above kStandsOut * m^2, where m is the mean
// over the row's blocks of the square root of their largest: typical blocks are rounded alike
// whatever a few giants do. docs/performance.md has the table of accuracy and speed behind it.
inline constexpr float kStandsOut = 1.2f;

// The longest row that the integer products take: their lists of first digits lie in scratch.
inline constexpr int64_t kMaxIntegerK = 1'000'000;

// Values of k that the integer products take together: the digits of their blocks first, then the
// first digits of those that have them.
inline constexpr int64_t kIntegerPiece = 512;

// A row of `count` activations in the form that a compute takes: float, uint16 bfloat16, or
//   kInt8    count / 32 ActivationBlock
//   kInt8x2  the same, then count / 32 FirstDigits, then for each kIntegerPiece values an uint32
//            whose bit i says that block i of these has first digits
struct ActivationRow {
  size_t bytes, firsts, masks;  // of the row; where the last two parts begin
};
constexpr ActivationRow activation_row(Compute compute, int64_t count) {
  const auto n = static_cast<size_t>(count);
  const size_t firsts = n / 32 * sizeof(ActivationBlock);
  const size_t masks = firsts + n / 32 * sizeof(FirstDigits);
  switch (compute) {
    case Compute::kF32: return {n * sizeof(float), 0, 0};
    case Compute::kBf16: return {n * sizeof(uint16_t), 0, 0};
    case Compute::kInt8: return {firsts, 0, 0};
    case Compute::kInt8x2: break;
  }
  const size_t pieces = (n + kIntegerPiece - 1) / kIntegerPiece;
  return {masks + pieces * sizeof(uint32_t), firsts, masks};
}
constexpr size_t activation_bytes(Compute compute, int64_t count) {
  return activation_row(compute, count).bytes;
}

// y[r][o] = bias[o] + sum_k x[r][k] * w[o][k], for r in [0, rows), o in [out_begin, out_end).
// With `accumulate`, y[r][o] = y[r][o] + that sum (a residual).
struct MatmulArgs {
  const Encoding* encoding;    // of the weights
  const std::byte* weights;    // rows of k values, row_bytes apart
  size_t row_bytes;
  int64_t k;                   // a multiple of the encoding's block
  const void* x;               // rows in the form of `compute` (see activation_row), each of
  int64_t x_stride;            // so many values, k at least
  int64_t rows;
  float* y;                    // (rows, y_stride)
  int64_t y_stride;
  int64_t out_begin, out_end;
  const float* bias;           // per output, or nullptr
  bool accumulate;
  Compute compute;
  std::byte* scratch;          // kKernelScratchBytes of this member
  // A hint: the weights that this member reads next, whose first rows can come near meanwhile.
  const std::byte* next;       // or nullptr
};

// Attention of some query rows of one sequence, over one key-value head, causal: the row at
// position p sees positions max(0, p - window + 1) .. p (window 0: all).
// Keys and values lie in blocks: block b holds positions b*kKvBlock ... of this head, at blocks[b]
// + head_offset (bytes, whole lines of 64), in kv_type and the order of kernels/kv.h.
//
// What is computed for a row and a query head, span by span (kF32), with keys and values as floats
// (of kInt8 float(byte) * scale, rounded):
//  - q'[d] = q[d] * scale, or of kInt8, with n = kv_mixed: q mixed, times scale / n.
//    score[j] = the sum over d, in order, of q'[d] * k[j][d], from +0 by fused multiply-add; then
//    the softcap.
//  - m is the largest score of any visible position so far, w[j] = exp(score[j] - m), and what
//    older spans gave is multiplied by f = exp(older m - m) first.
//  - 16 sums of weights: l[i] = l[i] * f, then w[j] is added to l[j % 16], in order.
//  - values: y[d] = y[d] * f, then fma(w[j], v[j][d], y[d]), in order.
//  - out[d] = y[d] * (1 / tree of l) + 0, so that no zero is negative.
// A position that the row does not see adds nothing, whatever lies there; a span of which the row
// sees nothing is passed over.
// kBf16: q', keys, weights and values are rounded to bfloat16, and positions 2i and 2i + 1 (in
// scores: dimensions) enter a sum as a pair by vdpbf16ps, lane i % 16 of l. Without softcap
// scale * log2(e) takes the place of scale, and 2^x that of exp; with it, capped scores are
// multiplied by log2(e). Bits are one thing per instruction set.
struct AttentionArgs {
  const float* q;              // row r, query head h of the group: q + r*q_stride + h*head_dim
  int64_t q_stride;
  float* out;                  // the same shape as q
  int64_t out_stride;
  const int32_t* positions;    // per row
  int64_t rows;
  int group;                   // query heads that share this key-value head
  int head_dim;                // of keys and queries, up to kHeadMost; values may differ
  int value_dim;
  const std::byte* const* k_blocks;
  const std::byte* const* v_blocks;
  size_t k_head_offset, v_head_offset;
  KvType kv_type;
  Compute compute;             // of scores and of sums of values
  float scale;                 // multiplies the dot products
  float softcap;               // c > 0: scores become c*tanh(score/c); 0: none
  int32_t window;
  std::byte* scratch;
};

struct Kernels {
  // "plain", "avx2", "avx2_vnni", "avx512", "avx512_vnni", "avx512_bf16"
  std::string_view isa;
  bool has_bf16;               // Compute::kBf16 runs at speed (it is correct everywhere)

  void (*matmul)(const MatmulArgs& args);
  void (*attention)(const AttentionArgs& args);

  // One row of `count` weights decoded to float, bit-equal to encoding->decode.
  void (*decode_row)(const Encoding& encoding, const std::byte* row, float* out, int64_t count);

  // out[i] = x[i] * (1 / sqrt(mean(x^2) + eps)) * weight[i]; mean in float, by the lane rule.
  // weight may be nullptr. out may be x.
  void (*rms_norm)(const float* x, const float* weight, float eps, float* out, int64_t count);

  // Rotates the first 2*pairs values of one head in place by cos/sin (float, `pairs` each).
  // interleaved: pairs are (2i, 2i+1); else (i, i + pairs).
  void (*rope)(float* head, const float* cos, const float* sin, int64_t pairs, bool interleaved);

  // out[i] = silu(gate[i]) * up[i];  gelu: the tanh approximation. out may be gate or up.
  void (*silu_mul)(const float* gate, const float* up, float* out, int64_t count);
  void (*gelu_tanh_mul)(const float* gate, const float* up, float* out, int64_t count);

  // Each `run` of values (a power of two up to kMixMost that divides count) times the Hadamard
  // matrix, log2(run) times: y[i] = x[2i] + x[2i+1], y[run/2 + i] = x[2i] - x[2i+1]. out is not x.
  void (*mix)(const float* x, float* out, int64_t count, int64_t run);

  void (*add)(const float* a, const float* b, float* out, int64_t count);
  void (*scale)(const float* x, float factor, float* out, int64_t count);
  void (*softcap)(float* x, float cap, int64_t count);

  // Whether matmul has the integer computes for an encoding (else kF32 and kBf16 alone).
  bool (*has_integers)(const Encoding& encoding);

  // A row of `count` activations (a multiple of 32 for the integers) to the form that a compute
  // takes. The same bits on every instruction set. Blocks whose largest value is below 2^-100
  // become 0. kInt8 may be packed in parts of whole blocks.
  void (*pack)(const float* x, Compute compute, void* out, int64_t count);

  // Round to nearest even.
  void (*to_bf16)(const float* x, uint16_t* out, int64_t count);
  void (*to_f16)(const float* x, uint16_t* out, int64_t count);

  // Whether no value is NaN or infinite.
  bool (*all_finite)(const float* x, int64_t count);

  // log(sum(exp(x))) by blocks in a fixed order, for perplexity and logprobs.
  double (*log_sum_exp)(const float* x, int64_t count);
};

// The best table for this processor, or the one that HEARTH_CPU names (see isa); a name that this
// processor cannot run is answered with the best and a warning.
const Kernels& default_kernels();

// By name; nullptr when there is none or this processor cannot run it. "ref" is the readable
// oracle (kernels/ref), which every other table is tested against.
const Kernels* find_kernels(std::string_view isa);

}  // namespace hearth
