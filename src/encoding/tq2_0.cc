#include "encoding/tq2_0.h"

#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"
#include "encoding/ternary.h"

namespace hearth {
namespace {

void decode_block(const BlockTQ2_0& block, float* out) {
  const float d = f16_to_f32(block.d);
  for (int v = 0; v < 256; ++v) {
    const int q = (block.qs[v / 128 * 32 + v % 32] >> (v % 128 / 32 * 2)) & 3;
    out[v] = d * static_cast<float>(q - 1);
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
                       decode_blocks<BlockTQ2_0, decode_block>,
                       encode_blocks<BlockTQ2_0, encode_block>};

}  // namespace hearth
