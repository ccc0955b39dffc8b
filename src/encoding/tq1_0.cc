#include "encoding/tq1_0.h"

#include <algorithm>

#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"
#include "encoding/ternary.h"

namespace hearth {
namespace {

constexpr int kPowersOf3[5] = {1, 3, 9, 27, 81};

// The value of digit n of a byte: -1, 0 or 1.
int8_t trit(uint8_t byte, int n) {
  const int fraction = (byte * kPowersOf3[n]) & 255;
  return static_cast<int8_t>((fraction * 3 >> 8) - 1);
}

void unpack_block(const BlockTQ1_0& block, int8_t* codes, float* scales) {
  std::fill_n(scales, 16, f16_to_f32(block.d));
  for (int n = 0; n < 5; ++n) {
    for (int i = 0; i < 32; ++i) codes[32 * n + i] = trit(block.qs[i], n);
    for (int i = 0; i < 16; ++i) codes[160 + 16 * n + i] = trit(block.qs[32 + i], n);
  }
  for (int n = 0; n < 4; ++n) {
    for (int i = 0; i < 4; ++i) codes[240 + 4 * n + i] = trit(block.qh[i], n);
  }
}

// The byte whose digits are t[0..4] + 1: the least whose fraction is not below theirs.
uint8_t pack_trits(const int* t) {
  int number = 0;
  for (int n = 0; n < 5; ++n) number = number * 3 + t[n] + 1;
  return static_cast<uint8_t>((number * 256 + 242) / 243);
}

void encode_block(const Values& v, BlockTQ1_0& block) {
  block.d = fit_ternary_scale(v);
  const TernaryRounding round(block.d);
  for (int i = 0; i < 52; ++i) {
    // The digits of byte i are `stride` values apart; the last four bytes have only four.
    const int stride = i < 32 ? 32 : i < 48 ? 16 : 4;
    const int first = i < 32 ? i : i < 48 ? 160 + i - 32 : 240 + i - 48;
    const int digits = i < 48 ? 5 : 4;
    int t[5] = {0, 0, 0, 0, -1};
    for (int n = 0; n < digits; ++n) t[n] = round(v.x[first + n * stride]);
    (i < 48 ? block.qs[i] : block.qh[i - 48]) = pack_trits(t);
  }
}

}  // namespace

const Encoding k_tq1_0{"TQ1_0", 34, BlockTQ1_0::kElems, sizeof(BlockTQ1_0),
                       decode_unpacked<BlockTQ1_0, unpack_block>,
                       encode_blocks<BlockTQ1_0, encode_block>,
                       unpack_bytes<BlockTQ1_0, unpack_block>};

}  // namespace hearth
