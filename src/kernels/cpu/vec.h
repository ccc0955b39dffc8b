// The vector layer: sixteen floats and thirty-two bytes as values, the same on every instruction
// set. Kernels are written once over it (*-inl.h) and compiled once per instruction set, each in
// its own namespace: a translation unit defines HEARTH_ISA (the namespace) and HEARTH_ISA_LEVEL
// (0 plain, 1 AVX2, 2 AVX-512, 3 AVX-512 with bfloat16) before the first include. Nothing from
// the standard library's templates may be used in these headers: an inline function that the
// linker keeps from the AVX-512 unit would crash older processors.
//
// F32x16, with the meaning of each function:
//   zero() splat(s) two_halves(a, b) load(p) load_n(p, n) (n < 16 values, the rest 0)
//   store(p, v) store_n(p, v, n)
//   add sub mul div fma(a, b, c) = a*b+c rounded once; max(a, b) = a > b ? a : b; min alike
//   abs(v), select_negative(z, a, b) = z >= 0 ? b : a, select_less(x, y, a, b) = x < y ? a : b
//   copy_sign(magnitude, sign), scale_pow2(p, shifted): p * 2^(shifted - kRoundMagic)
//   tree_sum(v): the tree of api.h; tree_sum16/8/4(v[], out): one tree each, out[i] of v[i]
//   max_lane(v): the largest
//   cvt_f16(p) cvt_bf16(p) cvt_i8(p) cvt_u8(p): 16 numbers from memory, exactly
//   to_bf16(v, p), to_f16(v, p): rounded to nearest even, into 16 uint16
//   load_pairs(p, a, b), store_pairs(p, a, b): 32 floats, a the even ones, b the odd ones;
//   split_f16(p, a, b), split_bf16(p, a, b), split_i8(p, a, b): the same of 32 other numbers
//   double_lanes(p, a, b): 16 floats, each twice; repeat_two(p): p[0], p[1], p[0] ...
// U8x32: load_bytes(p), and_bytes(a, mask), sub_bytes(a, b), pick_bits(mask, a, b) = (a & mask) |
//   (b & ~mask) in each byte; shr_words<n>, shl_words<n>: shifts of two bytes together, so that
//   bits of the neighbour come in; lookup_bytes(table, codes): table[code & 15], signed bytes;
//   nibbles16(p): 16 bytes, then the same shifted right by 4 (the
//   upper half of each is anything); bit_bytes(mask, value): byte i is value where bit i is set,
//   else 0; unsigned_low/high, signed_low/high: the first or last 16 as F32x16
// Bf16x32: load_bf16(p), load_bf16_n(p, n), round_bf16(low, high), store_bf16(p, v),
//   dot_bf16(a, b, acc): pairs of products into 16 lanes
// Words: sixteen times four bytes in an F32x16, each a float or a pair of bfloat16, which nothing
// but these looks into: words_of(Bf16x32), pair_words(even, odd): both rounded, even first;
//   dot_words(a, b, acc): dot_bf16
#pragma once

#ifndef HEARTH_ISA
#define HEARTH_ISA plain
#define HEARTH_ISA_LEVEL 0
#endif

#if HEARTH_ISA_LEVEL >= 2
#include "kernels/cpu/vec_avx512.h"
#elif HEARTH_ISA_LEVEL == 1
#include "kernels/cpu/vec_avx2.h"
#else
#include "kernels/cpu/vec_plain.h"
#endif
