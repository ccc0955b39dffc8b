// The integer side of the vector layer: a line is 16 weight rows x 4 neighbouring values, one byte
// each, row r at bytes 4r .. 4r+3; beside it, 16 int32, one per row. A product of a line with four
// bytes of one activation row adds to 16 outputs at once, so that nothing is summed across lanes.
//
// U8x64 (a line of bytes):
//   load_lines(rows, offset, out[4]): 16 bytes of each of 16 rows at `offset`; out[j] has bytes
//     4j .. 4j+3 of every row
//   load_wide(rows, offset, out[8]): the same with 32 bytes of each
//   store_line(p, v); and_line(v, mask), shr_line<n>, shl_line<n> (32 bits together),
//   pick_line(mask, a, b) = (a & mask) | (b & ~mask), flip_line(v, mask) = v ^ mask,
//   add_line(v, b) = v + b, in each byte; join_halves(a, b): each row's upper two bytes of a, and
//   above them its lower two of b
//   lookup_line(table, v): table[code & 15]; raise_by_bits<n>(codes, bits): 16 more in byte i where
//     bit n + i of the row's 32 is set
// I32x16: int_zero(), int_splat(i), int_add, int_sub, int_shl<n>, int_sar<n>
//   (arithmetic), int_sum(v) of all lanes; to_float(v), round_int(x): to nearest even, |x| < 2^22;
//   store_digits(p, v): as 16 signed bytes, which they must fit; highest_bits(x, y): the largest
//   |value| of 32 by its bits, so that NaN is above infinity and that above all numbers
//   dot_bytes(acc, line, four): adds unsigned line times the four signed bytes in `four`; where
//   kDotIsWide is false, a code times an activation and its neighbour's must fit int16 together,
//   and dot_bytes_wide is for those that do not
//   byte_of<i>(line): byte i of each row as float; signed_byte_of<i>: as a signed one;
//   halves_low(line), halves_high(line): the first or last two bytes as a float16;
//   half_power(line): 2^(e - 128), where e is the first byte of each row.
#pragma once

#include "kernels/cpu/vec.h"

#if HEARTH_ISA_LEVEL >= 2
#include "kernels/cpu/lines_avx512.h"
#elif HEARTH_ISA_LEVEL == 1
#include "kernels/cpu/lines_avx2.h"
#else
#include "kernels/cpu/lines_plain.h"
#endif
