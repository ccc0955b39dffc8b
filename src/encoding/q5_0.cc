#include "encoding/q5_0.h"

#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"
#include "encoding/scale_search.h"

namespace hearth {
namespace {

void decode_block(const BlockQ5_0& block, float* out) {
  const float d = f16_to_f32(block.d);
  for (int i = 0; i < 32; ++i) {
    const int low = i < 16 ? block.qs[i] & 15 : block.qs[i - 16] >> 4;
    const int high = (block.qh[i / 8] >> (i % 8)) & 1;
    out[i] = d * static_cast<float>((low | high << 4) - 16);
  }
}

void encode_block(const Values& v, BlockQ5_0& block) {
  const IntegerLevels levels{-16, 15};
  block.d = fit_stored_scale(v, levels, {-16, 0.00625f, 12, true});
  const float inverse = inverse_or_zero(f16_to_f32(block.d));
  for (int i = 0; i < 32; ++i) {
    const int q = static_cast<int>(levels.nearest(v.x[i] * inverse)) + 16;
    block.qs[i % 16] |= static_cast<uint8_t>((q & 15) << (i / 16 * 4));
    block.qh[i / 8] |= static_cast<uint8_t>(q >> 4 << (i % 8));
  }
}

}  // namespace

const Encoding k_q5_0{"Q5_0", 6, BlockQ5_0::kElems, sizeof(BlockQ5_0),
                      decode_blocks<BlockQ5_0, decode_block>,
                      encode_blocks<BlockQ5_0, encode_block>};

}  // namespace hearth
