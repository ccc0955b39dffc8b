#include "encoding/q4_0.h"

#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"
#include "encoding/scale_search.h"

namespace hearth {
namespace {

void decode_block(const BlockQ4_0& block, float* out) {
  const float d = f16_to_f32(block.d);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>((block.qs[i] & 15) - 8);
    out[i + 16] = d * static_cast<float>((block.qs[i] >> 4) - 8);
  }
}

void encode_block(const Values& v, BlockQ4_0& block) {
  const IntegerLevels levels{-8, 7};
  block.d = fit_stored_scale(v, levels, {-8, 0.0125f, 12, true});
  const float inverse = inverse_or_zero(f16_to_f32(block.d));
  for (int i = 0; i < 16; ++i) {
    const int low = static_cast<int>(levels.nearest(v.x[i] * inverse)) + 8;
    const int high = static_cast<int>(levels.nearest(v.x[i + 16] * inverse)) + 8;
    block.qs[i] = static_cast<uint8_t>(low | high << 4);
  }
}

}  // namespace

const Encoding k_q4_0{"Q4_0", 2, BlockQ4_0::kElems, sizeof(BlockQ4_0),
                      decode_blocks<BlockQ4_0, decode_block>,
                      encode_blocks<BlockQ4_0, encode_block>};

}  // namespace hearth
