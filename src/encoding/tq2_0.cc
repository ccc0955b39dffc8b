#include "encoding/tq2_0.h"

#include <algorithm>

#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"
#include "encoding/ternary.h"

namespace hearth {
namespace {

void unpack_block(const BlockTQ2_0& block, int8_t* codes, float* scales) {
  std::fill_n(scales, 16, f16_to_f32(block.d));
  for (int v = 0; v < 256; ++v) {
    const int q = (block.qs[v / 128 * 32 + v % 32] >> (v % 128 / 32 * 2)) & 3;
    codes[v] = static_cast<int8_t>(q - 1);
  }
}

void encode_block(const Values& v, BlockTQ2_0& block) {
  block.d = fit_ternary_scale(v);
  const TernaryRounding round(block.d);
  for (int n = 0; n < 256; ++n) {
    const int q = round(v.x[n]) + 1;
    block.qs[n / 128 * 32 + n % 32] |= static_cast<uint8_t>(q << (n % 128 / 32 * 2));
  }
}

}  // namespace

const Encoding k_tq2_0{"TQ2_0", 35, BlockTQ2_0::kElems, sizeof(BlockTQ2_0),
                       decode_unpacked<BlockTQ2_0, unpack_block>,
                       encode_blocks<BlockTQ2_0, encode_block>,
                       unpack_bytes<BlockTQ2_0, unpack_block>};

}  // namespace hearth
